"""What the evidence page shows beside verdicts: how values are spread, what the model looks at, which answers move.

Measured by steps of the engine like everything else on the page; no rule reads it, people do. Shares and numbers that are
read are decimal strings; "" in a `why` means that nothing is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lockgate.records.digest import Json
from lockgate.records.evidence import Estimate

__all__ = [
    "FEATURE",
    "BesideRival",
    "Builder",
    "Dependence",
    "DependencePoint",
    "Distribution",
    "Importance",
    "MovedGroup",
    "MovedSummary",
    "Part",
    "Purpose",
    "Reliability",
    "ReliabilityBin",
    "RivalKind",
    "Spread",
]

FEATURE = "feature:"
"""Before a column's name: what the release host computed, beside what a table holds under the plain name."""

QUANTILES = ("0.05", "0.25", "0.5", "0.75", "0.95")
"""Which quantiles of a number a `Part` holds."""

PartName = Literal["train", "holdout", "now"]
Role = Literal["truth", "answer", "asked", "group", "feature", "beside"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One column's values in one set of rows.

    Attributes:
        name: `train` (a sample of what was learned from), `holdout` (what it was tested on), `now` (what was asked lately).
        missing: rows without a value; they are in no bin.
        counts: rows per bin of the distribution.
        quantiles: `0.05`, `0.25`, `0.5`, `0.75`, `0.95` → value; empty for labels.
        shift: share of rows that would have to change their bin to look like training (total variation distance).
        chance: what that share reaches by chance in 95 of 100 samples of these sizes, if rows were independent.
    """

    name: PartName
    n: int
    missing: int = 0
    counts: tuple[int, ...] = ()
    quantiles: Mapping[str, str] = field(default_factory=dict[str, str])
    shift: str | None = None
    chance: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """How one column's values are spread, in the same bins for every part.

    Attributes:
        role: what the column is: `truth`, `answer`, `asked` (a field of the request), `group`, `feature` (the model sees it)
            or `beside` (it came with the rows, and no request holds it).
        edges: ends of the bins of a number, one more than bins; the outer bins also hold what lies beyond them.
        labels: the bins of a label, the most frequent first; the last one may be `(others)`.
    """

    column: str
    role: Role
    edges: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """One column's values within one group, in the same bins for all groups.

    Attributes:
        labels: as in `Distribution`.
        apart: of the groups shown, how far the one that lies farthest off lies from the others in the holdout: the share of
            its rows that would have to move, less what chance reaches in 95 of 100 cases; a missing value counts as a value.
    """

    by: str
    group: str
    column: str
    labels: tuple[str, ...] = ()
    apart: str | None = None
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Importance:
    """How much worse the packaged release answers when one input is shuffled.

    Attributes:
        name: a field of the request, or `TABLE.COLUMN` of a state table.
        harm: change of the metric, above zero when answers get worse, with its interval over days or rows.
        own: the share (0..1) that the model itself gives this input, where its explanation names it.
        disagrees: in words, when shuffling and the model's own word rank this input far apart; else "".
    """

    name: str
    harm: Estimate
    own: str | None = None
    disagrees: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencePoint:
    """The mean answer when one field is set to `value` in every sampled request; half of the answers lie in low..high."""

    value: str
    mean: str
    low: str
    high: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependence:
    """How answers move with one field of the request, everything else as it was asked."""

    name: str
    rows: int
    points: tuple[DependencePoint, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBin:
    """Rows with scores close to each other: what was said and what happened."""

    said: str
    happened: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """Of rows that were given a score, how many came true; `gap` is the mean distance of both over the bins.

    `said` is the mean score, `happened` the share that came true, of all rows together; None where there are too few.
    """

    by: str
    group: str
    gap: str | None
    n: int
    bins: tuple[ReliabilityBin, ...] = ()
    said: str | None = None
    happened: Estimate | None = None
    why: str = ""


RivalKind = Literal["live", "simple", "same"]
"""The live release, the best simple method, the same answer for everybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BesideRival:
    """The release's metric beside that of something else that answers the same rows of one group.

    Attributes:
        words: the rival as a sentence names it.
        by, group: as everywhere; `all` and `all rows` for all of them.
        own, theirs: the metric; None where it is undefined.
        difference: own - theirs in the metric's unit.
        at_once: for how many groups together the interval of the difference holds.
    """

    rival: RivalKind
    words: str
    by: str
    group: str
    own: str | None
    theirs: str | None
    difference: Estimate
    at_once: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedGroup:
    """Share of a group's answers that move by more than a tenth, and the mean answer before and after."""

    by: str
    group: str
    rows: int
    share: str
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedSummary:
    """Both releases' answers to the same requests. `same` counts answers equal to the last bit.

    Attributes:
        widths: mean width of the answered interval, live and proposed, where intervals move by more than the answers do.
    """

    rows: int
    same: int
    overall: MovedGroup
    groups: tuple[MovedGroup, ...] = ()
    decisions: bool = False
    widths: tuple[str | None, str | None] = (None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """Who made a release, from what, and where."""

    started_by: str = ""
    note: str = ""
    title: str = ""
    authors: tuple[str, ...] = ()
    commit: str = ""
    dirty: bool = False
    python: str = ""
    platform: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """What the owner says a model is for, and what it must not be used for."""

    owner: str = ""
    intended: str = ""
    forbidden: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    licence: str = ""
    review_by: str = ""
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json])
