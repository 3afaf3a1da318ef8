"""The evidence page: one file of HTML that a person reads in five minutes and then approves or rejects.

`render` is pure: the same pack gives the same bytes, and the sha256 of these bytes is the `seen` of an approval.
Nothing is loaded from anywhere, no script runs, and every text from data is escaped by the template engine.
"""

from __future__ import annotations

import functools
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import groupby
from typing import TYPE_CHECKING, get_args

from lockgate.records.digest import short
from lockgate.records.evidence import Estimate, Evidence, GroupEstimate, Verdict
from lockgate.records.pack import Change, ChangeKind, Pack
from lockgate.release import figures, plots, wording
from lockgate.release.headline import Headline, headline, mark

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["Asked", "answers", "render"]

WORST = "Which group is worst off, by how much, and on how many rows?"
CHANGED = "What changed since the live release?"
UNCERTAIN = "What is uncertain, and what would settle it?"
BINDS = "What does your signature bind?"
UNDO = "How do you undo it?"
WORDS: Mapping[str, object] = {
    "WORST": WORST, "CHANGED": CHANGED, "UNCERTAIN": UNCERTAIN, "BINDS": BINDS, "UNDO": UNDO, "mark": mark,
    "group_name": wording.group_name, "metric_name": wording.metric_name, "compared": wording.compared,
}  # fmt: skip
SHOWN = 2  # changes of a kind that the summary names


def render(pack: Pack) -> str:
    """Render the page. Deterministic; no I/O but reading the package's own template and style sheets."""
    return _environment().get_template("page.html").render(pack=pack, view=_view(pack), styles=_styles(), **WORDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One line of the summary on top: a question, its answer in a sentence, and where the page says more."""

    question: str
    answer: str
    anchor: str
    is_command: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One row of the table of checks: what was decided beside what was measured."""

    verdict: Verdict
    evidence: Evidence | None

    @property
    def statistic(self) -> Estimate | None:
        """The number that decided."""
        return self.evidence.statistic if self.evidence else None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the template needs beyond the pack: everything here is derived from it."""

    headline: Headline
    asked: tuple[Asked, ...]
    groups: tuple[GroupEstimate, ...]
    checks: tuple[Check, ...]
    unsure: tuple[Check, ...]
    not_assessed: tuple[str, ...]
    changes: tuple[tuple[str, tuple[Change, ...]], ...]
    approve: str
    reject: str
    figures: figures.Figures


def answers(pack: Pack) -> tuple[Asked, ...]:
    """The page in one minute: what a reader must know before deciding, each in one sentence."""
    unsure = [v for v in pack.verdicts if v.outcome == "uncertain"]
    doubts = "; ".join(f"{wording.plain(v.gate)}: {v.reason}" for v in unsure) or "Nothing: every check that applies decided."
    settles = "; ".join(v.settles or "no way was recorded" for v in unsure)
    return (
        Asked(question="Which group is worst off, by how much?", answer=_worst(pack), anchor="worst"),
        Asked(question="What is uncertain?", answer=doubts, anchor="uncertain"),
        *([Asked(question="What would settle it?", answer=settles, anchor="uncertain")] if unsure else []),
        Asked(question="What changed?", answer=_changed(pack), anchor="changed"),
        Asked(question="What does the signature bind?", answer=_bound(pack), anchor="binds"),
        _undo(pack),
    )


def _worst(pack: Pack) -> str:
    known = [g for g in wording.worst_first(pack.groups, pack.metric) if wording.decimal_of(g.estimate.value) is not None]
    if not known:
        return "No group was measured."
    worst, e = known[0], known[0].estimate
    return (
        f"Group “{wording.group_name(worst.by, worst.group)}”: {wording.plain(pack.metric.name)} "
        f"{wording.number(e.value, e.unit)} {wording.spread(e)}, {wording.size(e)}. "
        + wording.sentence(wording.compared(worst, pack.groups, pack.overall, pack.metric))
    )


def _changed(pack: Pack) -> str:
    if pack.live is None:
        return f"No release is live in {pack.environment} yet; this would be the first."
    kinds = [f"{wording.capitalized(kind)}: {_named([_from_to(c) for c in rows])}." for kind, rows in _by_kind(pack.changes)]
    return f"Since {short(pack.live)}: {' '.join(kinds) or 'nothing that was recorded.'}"


def _from_to(change: Change) -> str:
    """Numbers and days are worth saying; digests of code and data are in the table."""
    if change.kind not in ("data", "metrics", "parameters", "packages"):
        return change.what
    return f"{change.what} {change.before or 'absent'} → {change.after or 'absent'}"


def _named(things: Sequence[str]) -> str:
    """The first few by name, the others by count."""
    more = len(things) - SHOWN
    return "; ".join(things[:SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _bound(pack: Pack) -> str:
    names = ", ".join(wording.plain(b.name) for b in pack.bound)
    return f"Exactly {names}. A change in any of them voids it." if names else "Nothing was listed; do not sign."


def _undo(pack: Pack) -> Asked:
    if pack.undo and pack.live:
        return Asked(question=UNDO, answer=pack.undo, anchor="undo", is_command=True)
    return Asked(question=UNDO, answer="No earlier release was live; there is none to go back to.", anchor="undo")


def _by_kind(changes: Sequence[Change]) -> tuple[tuple[str, tuple[Change, ...]], ...]:
    order = {kind: i for i, kind in enumerate(get_args(ChangeKind))}
    ranked = sorted(changes, key=lambda c: order.get(c.kind, len(order)))
    return tuple((kind, tuple(rows)) for kind, rows in groupby(ranked, key=lambda c: c.kind))


def _view(pack: Pack) -> View:
    measured = {e.gate: e for e in pack.evidence}
    checks = tuple(Check(verdict=v, evidence=measured.get(v.gate)) for v in _severest_first(pack.verdicts))
    return View(
        headline=headline(pack.verdicts),
        asked=answers(pack),
        groups=wording.worst_first(pack.groups, pack.metric),
        checks=checks,
        unsure=tuple(c for c in checks if c.verdict.outcome == "uncertain"),
        not_assessed=tuple(dict.fromkeys(line for e in pack.evidence for line in e.not_assessed)),
        changes=_by_kind(pack.changes),
        approve=_decide("approve", pack, accept=tuple(v.gate for v in pack.verdicts if v.outcome == "uncertain")),
        reject=_decide("reject", pack),
        figures=figures.draw(pack),
    )


def _severest_first(verdicts: Sequence[Verdict]) -> list[Verdict]:
    order = {"fail": 0, "uncertain": 1, "pass": 2, "none": 3}
    return sorted(verdicts, key=lambda v: order[mark(v.outcome).tone])


def _decide(verb: str, pack: Pack, *, accept: Sequence[str] = ()) -> str:
    """The command that signs. Uncertain checks are accepted one by one, by name; there is no blanket acceptance."""
    role = f" --role {shlex.quote(pack.rule.role)}" if pack.rule else ""
    named = "".join(f" --accept {shlex.quote(gate)}" for gate in accept)
    return f'lockgate {verb} {short(pack.release)}{role}{named} --reason "…"'


@functools.cache
def _environment() -> Environment:
    """The template engine: escapes everything, refuses names it does not know, makes hidden characters visible."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_resource),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_visible,
    )
    environment.filters.update(
        number=wording.number, spread=wording.spread, between=wording.between, size=wording.size, exact=wording.exact,
        count=wording.count, day=wording.day, plain=wording.plain, limits=wording.limits, short=short,
        sentence=wording.sentence, capital=wording.capitalized,
    )  # fmt: skip
    return environment


def _visible(value: object) -> object:
    """Markup (our own figures and styles) passes as it is; every other text shows its hidden characters."""
    return wording.visible(value) if type(value) is str else value


def _styles() -> object:
    from markupsafe import Markup

    return Markup(_resource("page.css") + plots.css())  # noqa: S704 (our own files)


def _resource(name: str) -> str:
    return resources.files("lockgate.release").joinpath(name).read_text("utf-8")
