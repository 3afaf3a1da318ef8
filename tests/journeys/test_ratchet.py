"""The ratchet, as a team meets it: the bar is the best release that a person approved and that went live, and it only rises."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from journeys.walking import FAILED, HUMAN, WIDTH, Done, Lockgate, both, commit, edit

Copier = Callable[[Lockgate], Lockgate]

STAGES = """    stages=[
        gates.ratchet("wape", tolerance="0.3"),
        approval("product-owner", valid_for="7d"),
        deploy_to("staging"),
        deploy_to("production"),
    ],
)
"""
POOR, WORSE, GOOD_ONE = "1.2", "1.1", "1.0"
"""Factors on the mean of the past: forecast errors (WAPE) of about 20%, 10% and 4%."""


@pytest.fixture
def ratcheted(founded: Lockgate, fresh: Copier) -> Lockgate:
    """Only the ratchet stands before the person; the first release is a poor one."""
    lockgate = fresh(founded)
    code = lockgate.root / "shop" / "delivery.py"
    text = code.read_text()
    code.write_text(text[: text.index("    stages=[\n")] + STAGES)
    change(lockgate, GOOD_ONE, POOR)
    return lockgate


def change(lockgate: Lockgate, before: str, after: str) -> None:
    edit(lockgate.root, "shop/pipelines.py", f"factor: float = {before}", f"factor: float = {after}")
    commit(lockgate.root, f"factor {after}")


def delivered(lockgate: Lockgate, expect: int) -> Done:
    done = lockgate("deliver", expect=expect)
    assert [line for line in done.out.splitlines() if len(line) > WIDTH] == []
    return done


def take(lockgate: Lockgate) -> None:
    """Deliver what was approved; servers follow."""
    with both(lockgate):
        lockgate("deliver")


def bar(done: Done) -> float:
    """What the best approved release had, in percent, as the sentence says it."""
    found = re.search(r"the best release approved so far \(.*?\) had ([0-9.]+)%", " ".join(done.out.split()))
    assert found, done.text
    return float(found[1])


def test_a_worse_release_is_stopped_an_equal_one_passes_and_the_bar_rises(ratcheted: Lockgate) -> None:
    first = delivered(ratcheted, HUMAN)
    assert "Nothing to compare with: no approved release has been measured by this metric yet." in " ".join(
        first.out.split()
    )
    ratcheted.approve()
    take(ratcheted)

    change(ratcheted, POOR, GOOD_ONE)
    better = delivered(ratcheted, HUMAN)
    low_bar = bar(better)
    assert 15 < low_bar < 25, "the poor release is all that was approved"

    change(ratcheted, GOOD_ONE, WORSE)
    assert bar(delivered(ratcheted, HUMAN)) == low_bar, "a better release that nobody approved moves nothing"

    change(ratcheted, WORSE, GOOD_ONE)
    delivered(ratcheted, HUMAN)
    ratcheted.approve()
    change(ratcheted, GOOD_ONE, WORSE)
    assert bar(delivered(ratcheted, HUMAN)) == low_bar, "nor does one that was approved and never delivered"
    change(ratcheted, WORSE, GOOD_ONE)
    delivered(ratcheted, HUMAN)
    ratcheted.approve()
    take(ratcheted)
    ratcheted.reject()

    change(ratcheted, GOOD_ONE, WORSE)
    stopped = delivered(ratcheted, FAILED)
    high_bar = bar(stopped)
    assert high_bar < low_bar / 2, "the bar rose, and a reject of what was live does not lower it"
    assert "fail" in stopped.out
    assert ratcheted("approve", "latest", "--role", "product-owner", "--reason", "it is only a little worse", "--key",
                     str(ratcheted.root / ".lockgate" / "bob"), expect=None).code != 0  # fmt: skip

    change(ratcheted, WORSE, GOOD_ONE)
    edit(ratcheted.root, "shop/pipelines.py", 'pl.col("units") - 8.0', 'pl.col("units") - 9.0')
    commit(ratcheted.root, "another interval, the same answers")
    equal = delivered(ratcheted, HUMAN)
    assert bar(equal) == high_bar
