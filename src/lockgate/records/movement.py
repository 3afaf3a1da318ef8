"""What changes between two releases, for the people who ask and the reasons why: what `lockgate diff` shows.

Numbers are decimal strings, as everywhere where people decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lockgate.records.digest import Json
from lockgate.records.evidence import Estimate
from lockgate.records.pack import Change

__all__ = ["LIMITS", "Attribution", "Effect", "Moved", "MovedAnswer", "Movement", "ReleaseDifference", "Unbuilt"]

LIMITS = ("0.05", "0.1", "0.25")
"""How far an answer must move to count: as a share of the old answer's size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """How the answers of one group move.

    Attributes:
        by, group: the column and its value; `all` and `all answers` for everything.
        rows: requests in the group that both releases answer.
        shares: limit (`0.1`) → share of these answers that move by more than that.
        before, after: the mean answer of the old and of the new release.
    """

    by: str
    group: str
    rows: int
    shares: Mapping[str, str]
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedAnswer:
    """One request whose answer moves, with both answers.

    Attributes:
        position: the row of the holdout.
        labels: request field → what people call its value.
        relative: change as a share of the old answer; None when that was zero.
        parts: what each factor alone would have changed, and what they do together; they add up to the change.
        reasons_before, reasons_after: what each release says about its answer.
    """

    position: int
    request: Mapping[str, str]
    as_of: str
    before: str | None
    after: str | None
    change: str | None
    relative: str | None
    actual: str | None
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    parts: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    reasons_before: tuple[str, ...] = ()
    reasons_after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Both releases' answers to the same requests.

    Attributes:
        rows, days, first, last: the requests compared, and their target days.
        same: answers that are equal to the last bit.
        same_bounds: answers whose interval is; equal to `rows` where there are none.
        widths: mean width of the answered interval, old and new; None where there is none.
        groups: the group with the largest share beyond 10% first.
        largest: the largest changes, largest first.
        metric: name, words, unit and better of what gates judge by; `before` and `after` its two values, `relative`
            after / before - 1, `difference` after - before, all on the same days.
        left_out: rows that are not compared, and why.
    """

    rows: int
    days: int
    first: str
    last: str
    same: int
    same_bounds: int
    widths: tuple[str | None, str | None]
    overall: Moved
    groups: tuple[Moved, ...]
    largest: tuple[MovedAnswer, ...]
    metric: Mapping[str, str]
    before: Estimate
    after: Estimate
    relative: Estimate
    difference: Estimate
    left_out: tuple[str, ...] = ()
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json])

    @property
    def bounds_move(self) -> bool:
        """Whether the intervals change by more than that they shift with their answers."""
        shifted = self.same < self.rows and self.widths[0] == self.widths[1]
        return self.same_bounds < self.rows and not shifted


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What one factor changes alone, or (`together`) what several change only in company.

    Attributes:
        includes: factors whose effect alone is not known and therefore stands here.
        metric: change of the metric, new minus old. answers: change of the mean answer.
        shares: as in `Moved`, for this factor alone; empty for `together`.
    """

    name: str
    metric: Estimate
    answers: Estimate
    includes: tuple[str, ...] = ()
    shares: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """The change of metric and mean answer, split; the effects add up to the totals.

    Attributes:
        factors: what differs: `code`, `data`, `parameters`, `packages`; `unknown` when nothing that is recorded does.
        rows: requests that every release built for this answers.
        parts: position of a row of `Movement.largest` → factor → what it changes in that answer.
    """

    factors: tuple[str, ...]
    rows: int
    metric: Estimate
    answers: Estimate
    effects: tuple[Effect, ...]
    parts: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict[str, Mapping[str, str | None]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbuilt:
    """A mix of the two releases that could not be built or asked, and why."""

    factor: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseDifference:
    """Everything `lockgate diff` knows.

    Attributes:
        before, after: digests of the two releases.
        holdout: which release's requests were asked (`before` or `after`).
        movement: None when one of them cannot be asked; `unanswered` says why.
        attribution: None when it was not asked for or nothing moved.
        unbuilt: mixes that are missing from the attribution; `together`: there is no attribution.
        unexplained: side (`before`, `after`) → why its reasons are missing.
        differences: what the releases are made of, old and new.
        words: the same in sentences.
    """

    before: str
    after: str
    holdout: str = "after"
    movement: Movement | None = None
    unanswered: str = ""
    attribution: Attribution | None = None
    unbuilt: tuple[Unbuilt, ...] = ()
    unexplained: Mapping[str, str] = field(default_factory=dict[str, str])
    differences: tuple[Change, ...] = ()
    words: tuple[tuple[str, str], ...] = ()
