"""Past days: what a policy would have done, and how often it was wrong."""

from __future__ import annotations

import datetime as dt

import pytest

from lockgate.gates.replay import counted, decided, in_a_sentence, weighed
from lockgate.records.backtest import Backtest, DayOutcome, Followed, ReplayedDay
from lockgate.records.evidence import Estimate, Outcome, Verdict

FIRST = dt.date(2011, 7, 23)


def verdict(gate: str, outcome: Outcome) -> Verdict:
    return Verdict(gate=gate, kind=gate, outcome=outcome, reason=f"{gate} said {outcome}")


def day(
    number: int, outcome: DayOutcome, relative: str | None, *, low: str = "", high: str = "", blocks: int = 24
) -> ReplayedDay:
    """A replayed day whose release missed by `relative` more than what answered without it."""
    error = Estimate(name="wape", value="0.5", unit="share")
    found = Estimate(
        name="relative_difference", value=relative, low=low or relative, high=high or relative, n=100, blocks=blocks,
        why="" if relative else "there are no rows",
    )  # fmt: skip
    at = FIRST + dt.timedelta(weeks=number)
    followed = Followed(
        seen=at + dt.timedelta(weeks=1), rows=100, days=blocks, first=str(at), last=str(at), ours=error, theirs=error,
        against="live", relative=found,
    )  # fmt: skip
    return weighed(ReplayedDay(day=at, outcome=outcome, release=f"sha256:{number}", followed=followed), better="lower")


def page(*days: ReplayedDay, **more: object) -> Backtest:
    stops, passes, asked = counted(days)
    return Backtest(
        project="demand", since=FIRST, until=days[-1].day, every_days=7, follow_days=7, policy="sha256:1", metric={}, days=days,
        false_stops=stops, false_passes=passes, asked=asked, **more,  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("outcomes", "accepted", "expected"),
    [
        (["pass", "not_applicable"], False, ("shipped", "")),
        (["pass", "fail"], False, ("stopped", "b")),
        (["uncertain", "fail"], False, ("stopped", "b")),
        (["uncertain", "fail"], True, ("stopped", "b")),
        (["uncertain", "uncertain"], False, ("asked", "a")),
        (["uncertain", "pass"], True, ("shipped", "")),
        ([], False, ("stopped", "")),
        ([], True, ("stopped", "")),
    ],
)
def test_a_failed_gate_stops_a_person_weighs_the_uncertain_and_nothing_measured_proves_nothing(
    outcomes: list[Outcome], accepted: bool, expected: tuple[str, str]
) -> None:
    verdicts = [verdict(name, outcome) for name, outcome in zip("abc", outcomes, strict=False)]
    assert decided(verdicts, accepted=accepted)[:2] == expected


def test_a_false_stop_would_have_been_better_and_a_false_pass_was_worse() -> None:
    days = [
        day(0, "shipped", "0.03"), day(1, "shipped", "-0.03"), day(2, "shipped", "-0.01"), day(3, "shipped", "0"),
        day(4, "stopped", "-0.2"), day(5, "stopped", "0.2"), day(6, "asked", "0.1"),
    ]  # fmt: skip
    stops, passes, asked = counted(days)
    assert (stops.hits, stops.of) == (1, 2)
    assert (passes.hits, passes.of) == (1, 4)
    assert (asked.hits, asked.of) == (1, 1)
    assert passes.share.value == "0.25"
    assert passes.share.n == 4
    assert float(passes.share.low or "nan") < 0.25 < float(passes.share.high or "nan")


def test_of_a_metric_that_is_better_when_higher_the_signs_turn() -> None:
    lower = day(0, "shipped", "0.03")
    assert lower.worse is True
    higher = weighed(ReplayedDay(day=FIRST, outcome="shipped", followed=lower.followed), better="higher")
    assert higher.worse is False


@pytest.mark.parametrize(
    ("low", "high", "blocks", "clear"),
    [
        ("0.01", "0.05", 24, True),
        ("0.01", "0.05", 0, True),
        ("-0.01", "0.05", 24, False),
        ("0.01", "0.05", 6, False),
        ("0", "0.05", 24, False),
    ],
)
def test_beyond_doubt_takes_an_interval_off_zero_and_enough_days(low: str, high: str, blocks: int, clear: bool) -> None:
    """No blocks: a hundred rows, each by itself."""
    found = day(0, "shipped", "0.03", low=low, high=high, blocks=blocks)
    assert (found.worse, found.clear) == (True, clear)
    assert counted([found])[1].clear == clear


def test_days_of_which_nothing_is_known_are_not_counted() -> None:
    days = [
        ReplayedDay(day=FIRST, outcome="shipped", unknown="not known yet"),
        day(1, "shipped", None),
        ReplayedDay(day=FIRST, outcome="not made", reason="no rows"),
    ]
    for count in counted(days):
        assert (count.hits, count.of, count.share.value) == (0, 0, None)
        assert count.share.why
    assert in_a_sentence(page(*days)) == (
        "Of 3 days: 2 shipped, 1 not made. Nothing is known of what followed them. "
        "So few releases say little about a policy: look at more days."
    )


def test_the_sentence_the_owner_of_a_policy_reads() -> None:
    days = [day(n, "shipped", "-0.1") for n in range(8)] + [
        day(8, "shipped", "0.1", low="0.05", high="0.2"), day(9, "shipped", "0.01", low="-0.1", high="0.2"),
        day(10, "stopped", "0.1"), day(11, "stopped", "0.2"),
    ]  # fmt: skip
    assert in_a_sentence(page(*days)) == (
        "Of 12 days: 10 shipped, 2 stopped. Of 10 shipped, 2 were worse than what they replaced (20.0%; 95% interval 5.7% to "
        "51.0%), 1 clearly; of 2 stopped, none would have been better (0%; 95% interval 0% to 65.8%)."
    )


def test_one_day_is_said_to_be_few() -> None:
    assert in_a_sentence(page(day(0, "stopped", "-0.1"))) == (
        "Of 1 day: 1 stopped. Of 1 stopped, 1 would have been better (100.0%; 95% interval 20.7% to 100.0%), 1 clearly. "
        "So few releases say little about a policy: look at more days."
    )
