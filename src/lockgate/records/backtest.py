"""What past days would have been under today's policy: per day what the gates said, and the error that followed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lockgate.records.digest import Json
from lockgate.records.evidence import Estimate, Verdict

__all__ = ["Against", "Backtest", "Count", "DayOutcome", "Followed", "ReplayedDay"]

DayOutcome = Literal["shipped", "stopped", "asked", "not made"]
"""What became of a day's release: it went live, a gate failed it, a person had to weigh it, or there was none."""

Against = Literal["live", "baseline", ""]


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What happened after a day, held against two answers to the same requests.

    Attributes:
        seen: the later as-of day whose holdout holds these rows.
        ours: error of the day's release. theirs: of what answered without it.
        against: what that is: the release that was live, or the simple method where nothing was.
        relative: ours / theirs - 1.
    """

    seen: dt.date
    rows: int
    days: int
    first: str
    last: str
    ours: Estimate
    theirs: Estimate | None = None
    against: Against = ""
    relative: Estimate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedDay:
    """One day, replayed.

    Attributes:
        gate: the first gate that stopped it, or that a person had to weigh; empty when none did.
        reason: what that gate said, or why there is no release.
        live: the release that answered when this one came; None: none did.
        predicted: the error on the holdout that the gates judged by.
        followed: None: `unknown` says why nothing is known of what came after.
        worse: whether what followed was worse with this release than without it; None: not known, or no difference.
        clear: the interval of the difference leaves no doubt about `worse`.
        ran, reused: steps of the training pipeline.
    """

    day: dt.date
    outcome: DayOutcome
    gate: str = ""
    reason: str = ""
    release: str = ""
    live: str | None = None
    verdicts: tuple[Verdict, ...] = ()
    predicted: Estimate | None = None
    followed: Followed | None = None
    unknown: str = ""
    worse: bool | None = None
    clear: bool = False
    ran: int = 0
    reused: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """`hits` of `of` days, `clear` of them beyond doubt; `share` with its interval."""

    hits: int
    of: int
    clear: int
    share: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """A policy held against the past.

    Attributes:
        follow_days: how many days after each day are looked at.
        shown: source → how it was shown as of a past day.
        not_judged: gates that need a deployed release, which a replay has not.
        accepted: whether people were taken to accept every uncertain gate.
        false_stops: of the releases that a gate failed, those that would have been better.
        false_passes: of the releases that went live, those that were worse.
        asked: of the releases that a person had to weigh, those that were worse.
    """

    project: str
    since: dt.date
    until: dt.date
    every_days: int
    follow_days: int
    policy: str
    metric: Mapping[str, str]
    days: tuple[ReplayedDay, ...]
    false_stops: Count
    false_passes: Count
    asked: Count
    shown: Mapping[str, str] = field(default_factory=dict[str, str])
    not_judged: tuple[str, ...] = ()
    accepted: bool = False
    seconds: float = 0.0
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json])
