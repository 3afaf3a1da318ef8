"""Everything the evidence page shows, as pure data: what a person sees before a decision.

The page, the model card and the console draw from the same pack, so that they cannot tell different stories.
Numbers that decide stay decimal strings; series that are only drawn are floats. None means "not known here".
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lockgate.records.digest import Json
from lockgate.records.evidence import Estimate, Evidence, GroupEstimate, Verdict
from lockgate.records.findings import (
    BesideRival,
    Builder,
    Dependence,
    Distribution,
    Importance,
    MovedSummary,
    Purpose,
    Reliability,
    Spread,
)

__all__ = [
    "Attempt",
    "Bound",
    "Case",
    "Change",
    "ChangeKind",
    "Command",
    "Day",
    "Decided",
    "Holdout",
    "Influence",
    "Metric",
    "Pack",
    "Question",
    "SigningRule",
]

ChangeKind = Literal["data", "code", "features", "parameters", "packages", "metrics", "answers", "results"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """How errors are counted. `meaning` is one sentence a stranger understands; `unit="share"` is shown in per cent."""

    name: str
    title: str = ""
    meaning: str = ""
    unit: str = "share"
    lower_is_better: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdout:
    """The rows the release was tested on. `first`/`last` are target days; `origins` counts the days it predicted from.

    Rows without a day have `days` 0 and neither first nor last.
    """

    rows: int
    days: int
    first: dt.date | None = None
    last: dt.date | None = None
    origins: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference to the live release. `before` None: it is new; `after` None: it is gone.

    Attributes:
        words: the same as a person says it, as a part of a sentence; "" lets the page put it together.
        is_digest: `before` and `after` tell one version from another and say nothing else.
    """

    kind: ChangeKind
    what: str
    before: str | None = None
    after: str | None = None
    words: str = ""
    is_digest: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day of the test, summed over all rows, in units. `low`/`high` only when they hold for the sum."""

    date: dt.date
    actual: float | None = None
    forecast: float | None = None
    low: float | None = None
    high: float | None = None
    best_simple: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Influence:
    """One thing the model looks at, and its share (0..1) of what the model looks at altogether."""

    name: str
    share: float
    meaning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One request of the test with its answer, in words.

    Attributes:
        as_of: the day it was answered from.
        labels: request field → what people call its value (the name of a product).
        before: what the live release answers. reasons_before: what it says why, where it answers something else.
        chosen: why this one is shown.
    """

    request: Mapping[str, str]
    as_of: str = ""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    answer: str
    before: str | None = None
    actual: str | None = None
    reasons: tuple[str, ...] = ()
    reasons_before: tuple[str, ...] = ()
    chosen: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A release that was proposed before this one and stopped: `why`, each a sentence with the gate or the person in it."""

    release: str
    proposed: dt.date
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """How many answers were yes or no, right or wrong: `right_yes` is a yes where yes came true, `wrong_no` a no where it did."""

    by: str
    group: str
    right_yes: int
    wrong_yes: int
    right_no: int
    wrong_no: int

    @property
    def rows(self) -> int:
        """All of them."""
        return self.right_yes + self.wrong_yes + self.right_no + self.wrong_no


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the approver must answer before signing; `hint` says where on the page to look, `name` is its short name."""

    text: str
    hint: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningRule:
    """Who must sign: `people` different people in `role`. `valid_for` as declared (`7d`); `notes` are shown as they are.

    `others`: roles that are asked beside it.
    """

    role: str
    people: int = 1
    valid_for: str = ""
    grade: Literal["signed", "attested"] = "signed"
    notes: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """One thing the signature binds. `meaning` is one line on what it is."""

    name: str
    digest: str
    meaning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command the reader may type, and what it shows."""

    line: str
    meaning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """What one evidence page shows.

    Attributes:
        release: `sha256:…` of the release's manifest.
        as_of: the day the project believes it is.
        environment: where the release would go.
        live: `sha256:…` of the release it would replace there, or None.
        cautions: what a person should know although no check fails on it, each in a sentence or two.
        definitions: column that groups rows → one sentence on what its groups are.
        generated_at: UTC; None keeps the page a function of the records alone.
        target: one sentence: what is predicted, in which unit.
        overall: the metric over all rows.
        decided: all rows first, then groups; empty when answers are no yes or no.
        rivals: the metric beside that of other answers to the same rows; rival by rival, all rows first.
        groups: the metric per group, any order; the page puts the worst first.
        by_horizon: the metric per distance into the future, nearest first.
        coverage: share of truths inside the interval per group; `promised_coverage` is what was meant (`0.8`).
        purpose: what the owner says it is for; None: nobody said.
        builder: who made it, from what, and where.
        told: kind of change → what changed, in sentences, more than `changes` says.
        moved: which answers change against the live release.
        influences: what the model itself says it looks at, by share.
        importances: what shuffling an input does to the metric, on `probed_rows` rows.
        fields: request field → what it means, of those that somebody explained.
        operators: who may go back to another release.
        attempts: releases that were stopped before this one was proposed, since the live one was; newest first.
        since_stopped: what is different now from the newest of them, told as `told` is.
        reasons: gate → why its limits are what they are, in the words of `policy.toml`.
        missing: what could not be assessed beside what gates say, each with the reason.
        waived: failed gate → who lets it pass, until when and why.
        exceptions: waivers and broken glass, each in a sentence.
        bound: everything the signature binds.
        undo: the exact command that goes back, or "" when there is nothing to go back to.
        extra: fields of newer records, kept.
    """

    project: str
    release: str
    as_of: dt.date
    environment: str
    live: str | None = None
    generated_at: dt.datetime | None = None
    banner: str = ""
    target: str = ""
    cautions: tuple[str, ...] = ()
    definitions: Mapping[str, str] = field(default_factory=dict[str, str])
    metric: Metric
    holdout: Holdout | None = None
    verdicts: tuple[Verdict, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    changes: tuple[Change, ...] = ()
    told: tuple[tuple[str, str], ...] = ()
    overall: Estimate | None = None
    groups: tuple[GroupEstimate, ...] = ()
    decided: tuple[Decided, ...] = ()
    rivals: tuple[BesideRival, ...] = ()
    by_horizon: tuple[GroupEstimate, ...] = ()
    coverage: tuple[GroupEstimate, ...] = ()
    promised_coverage: str | None = None
    days: tuple[Day, ...] = ()
    purpose: Purpose | None = None
    builder: Builder | None = None
    moved: MovedSummary | None = None
    distributions: tuple[Distribution, ...] = ()
    spreads: tuple[Spread, ...] = ()
    reliability: tuple[Reliability, ...] = ()
    importances: tuple[Importance, ...] = ()
    probed_rows: int = 0
    dependences: tuple[Dependence, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    since_stopped: tuple[tuple[str, str], ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict[str, str])
    missing: tuple[str, ...] = ()
    waived: Mapping[str, str] = field(default_factory=dict[str, str])
    exceptions: tuple[str, ...] = ()
    influences: tuple[Influence, ...] = ()
    cases: tuple[Case, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    questions: tuple[Question, ...] = ()
    rule: SigningRule | None = None
    bound: tuple[Bound, ...] = ()
    undo: str = ""
    operators: tuple[str, ...] = ()
    verify: tuple[Command, ...] = ()
    commands: tuple[Command, ...] = ()
    limits: tuple[str, ...] = ()
    credits: tuple[str, ...] = ()
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json])
