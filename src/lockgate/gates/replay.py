"""What a policy would have done on past days, and how often it was wrong: pure, from verdicts and the errors that followed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from lockgate.evaluation.blocks import LEAST_BLOCKS
from lockgate.evaluation.intervals import wilson
from lockgate.gates.rules.ruling import level
from lockgate.gates.rules.sentences import capitalized, percent
from lockgate.records.backtest import Backtest, Count, DayOutcome, ReplayedDay
from lockgate.records.evidence import Estimate

if TYPE_CHECKING:
    from lockgate.records.evidence import Verdict

__all__ = ["counted", "decided", "in_a_sentence", "weighed"]

OUTCOMES: Final[Mapping[DayOutcome, str]] = {
    "shipped": "shipped",
    "stopped": "stopped",
    "asked": "left to a person",
    "not made": "not made",
}
FEW: Final = 10
"""Fewer releases than this cannot tell a good policy from a bad one."""


def decided(verdicts: Sequence[Verdict], *, accepted: bool) -> tuple[DayOutcome, str, str]:
    """What becomes of a release with these verdicts, in the order of the stages: outcome, gate, reason.

    Args:
        accepted: people accept every uncertain gate; else such a release waits for them, and what was live stays.

    No verdict at all proves nothing and stops it.
    """
    if not verdicts:
        return "stopped", "", "no gate was measured"
    for verdict in verdicts:
        if verdict.outcome == "fail":
            return "stopped", verdict.gate, verdict.reason
    for verdict in verdicts:
        if verdict.outcome == "uncertain" and not accepted:
            return "asked", verdict.gate, verdict.reason
    return "shipped", "", ""


def weighed(day: ReplayedDay, *, better: str) -> ReplayedDay:
    """The day with a word on whether what followed was worse with its release than without it.

    `better`: `lower` or `higher`, of the metric. No difference is neither.
    """
    relative = day.followed.relative if day.followed else None
    if relative is None or relative.value is None or not Decimal(relative.value):
        return day
    flip = -1 if better == "higher" else 1
    worse = flip * Decimal(relative.value) > 0
    return replace(day, worse=worse, clear=_is_clear(relative))


def counted(days: Iterable[ReplayedDay]) -> tuple[Count, Count, Count]:
    """False stops, false passes, and of those that a person had to weigh the worse ones."""
    known = [d for d in days if d.followed and d.followed.relative and d.followed.relative.value is not None]
    return (
        _count("false_stops", [d for d in known if d.outcome == "stopped"], worse=False),
        _count("false_passes", [d for d in known if d.outcome == "shipped"], worse=True),
        _count("worse_of_asked", [d for d in known if d.outcome == "asked"], worse=True),
    )


def _count(name: str, days: Sequence[ReplayedDay], *, worse: bool) -> Count:
    hits = [d for d in days if d.worse is worse]
    return Count(
        hits=len(hits), of=len(days), clear=sum(d.clear for d in hits), share=_share(name, len(hits), len(days))
    )


def _share(name: str, hits: int, of: int) -> Estimate:
    if not of:
        return Estimate(name=name, value=None, why="there was no such release to look at", unit="share")
    return wilson(hits, of).estimate(name, "share")


def _is_clear(relative: Estimate) -> bool:
    if relative.low is None or relative.high is None or (relative.blocks or relative.n) < LEAST_BLOCKS:
        return False
    return Decimal(relative.low) * Decimal(relative.high) > 0


def in_a_sentence(found: Backtest) -> str:
    """What came of it, for whoever owns the policy."""
    outcomes = [d.outcome for d in found.days]
    parts = [f"{n} {words}" for outcome, words in OUTCOMES.items() if (n := outcomes.count(outcome))]
    said = [
        _said(found.false_passes, "shipped", "was worse than what it replaced", "were worse than what they replaced")
    ]
    said += [_said(found.false_stops, "stopped", "would have been better", "would have been better")]
    said += [_said(found.asked, "left to a person", "was worse", "were worse")]
    judged = [text for text in said if text] or ["nothing is known of what followed them"]
    few = found.false_stops.of + found.false_passes.of < FEW
    warning = " So few releases say little about a policy: look at more days." if few else ""
    noun = "day" if len(found.days) == 1 else "days"
    return f"Of {len(found.days)} {noun}: {', '.join(parts)}. {capitalized('; '.join(judged))}.{warning}"


def _said(count: Count, what: str, one: str, several: str) -> str:
    """`of 5 shipped, 2 were worse than what they replaced (40.0%; 95% interval 11.8% to 76.9%), 1 clearly`."""
    if not count.of:
        return ""
    how = one if count.hits <= 1 else several
    share = count.share
    reach = ""
    if share.value is not None and share.low is not None and share.high is not None:
        low, high = percent(Decimal(share.low)), percent(Decimal(share.high))
        reach = f" ({percent(Decimal(share.value))}; {level(share)} {low} to {high})"
    clear = f", {count.clear or 'none'} clearly" if count.hits else ""
    return f"of {count.of} {what}, {count.hits or 'none'} {how}{reach}{clear}"
