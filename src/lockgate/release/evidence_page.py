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
from lockgate.records.pack import Case, Change, ChangeKind, Pack
from lockgate.release import demands, figures, plots, wording
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
    "limits": demands.limits,
}  # fmt: skip
SHOWN = 2  # changes of a kind that the summary names
OPEN = 6  # cases that are shown without asking
IDLE = "What if you do nothing?"
SURE = "How sure each number is stands in its ±, which is half of its 95% interval"


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
    certain: str
    settled: str
    definitions: tuple[tuple[str, str], ...]
    said: tuple[tuple[str, str], ...]
    changes: tuple[tuple[str, tuple[Change, ...]], ...]
    digests: tuple[Change, ...]
    cases: tuple[Case, ...]
    more_cases: tuple[Case, ...]
    idle: str
    approve: str
    reject: str
    figures: figures.Figures


def answers(pack: Pack) -> tuple[Asked, ...]:
    """The page in one minute: what a reader must know before deciding, each in one sentence."""
    unsure = [v for v in pack.verdicts if v.outcome == "uncertain"]
    doubts = " ".join(wording.sentence(f"{wording.plain(v.gate)}: {v.reason}") for v in unsure) or _certain(pack)
    settles = " ".join(
        wording.sentence(f"{_which(v, unsure)}{v.settles or 'No way was recorded'}") for v in unsure
    ) or _settled(pack)
    return (
        Asked(question="Which group is worst off, by how much?", answer=_worst(pack), anchor="worst"),
        Asked(question="What is uncertain?", answer=doubts, anchor="uncertain"),
        Asked(question="What would settle it?", answer=settles, anchor="uncertain"),
        Asked(question="What changed?", answer=_changed(pack), anchor="changed"),
        Asked(question="What does the signature bind?", answer=_bound(pack), anchor="binds"),
        _undo(pack),
        Asked(question=IDLE, answer=_idle(pack), anchor="decide"),
    )


def _which(verdict: Verdict, unsure: Sequence[Verdict]) -> str:
    return f"{wording.plain(verdict.gate)}: " if len(unsure) > 1 else ""


def _certain(pack: Pack) -> str:
    """What can be said when no check is uncertain: the checks decided; the numbers still have their ±."""
    if not pack.verdicts:
        return "Everything: no check has run."
    applies = " that applies" if any(v.outcome == "not_applicable" for v in pack.verdicts) else ""
    return f"Every check{applies} came to a decision. {SURE}."


def _settled(pack: Pack) -> str:
    return "Nothing is left to settle. A longer test would narrow the ±." if pack.verdicts else "Running the checks."


def _idle(pack: Pack) -> str:
    now = (
        f"{pack.environment} keeps serving {short(pack.live)}"
        if pack.live
        else f"nothing goes live in {pack.environment}"
    )
    waits = "waits" if headline(pack.verdicts).may_approve else "goes nowhere"
    return f"{wording.capitalized(now)}. This release {waits}; a newer one gets a page of its own."


def _worst(pack: Pack) -> str:
    known = [
        g for g in wording.worst_first(pack.groups, pack.metric) if wording.decimal_of(g.estimate.value) is not None
    ]
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
    kinds = [
        f"{kind}: {wording.sentence(text) if text[:1].isupper() else text.rstrip('.') + '.'}"
        for kind, text in _said(pack, SHOWN)
    ]
    return f"Since {short(pack.live)}: {' '.join(kinds) or 'nothing that was recorded.'}"


def _said(pack: Pack, most: int) -> tuple[tuple[str, str], ...]:
    """Each kind of change in one sentence, at most so many by name."""
    return tuple((wording.capitalized(kind), _in_words(rows, most)) for kind, rows in _by_kind(pack.changes))


def _in_words(rows: Sequence[Change], most: int) -> str:
    told = _named([_from_to(c) for c in rows if not c.is_digest], most)
    return "; ".join([told] * bool(told) + _fates([c for c in rows if c.is_digest], most))


def _fates(rows: Sequence[Change], most: int) -> list[str]:
    """What became of things that only digests tell apart."""
    fates = {
        "changed": [c.what for c in rows if c.before is not None and c.after is not None],
        "new": [c.what for c in rows if c.before is None],
        "gone": [c.what for c in rows if c.before is not None and c.after is None],
    }
    return [
        f"{_named(names, most)} {'' if fate == 'changed' else 'is ' if len(names) == 1 else 'are '}{fate}"
        for fate, names in fates.items()
        if names
    ]


def _from_to(change: Change) -> str:
    """Numbers and days are worth saying; what else changed is only named."""
    if change.words or change.kind not in ("data", "metrics", "parameters", "packages"):
        return change.words or change.what
    if change.before is None or change.after is None:
        return f"{change.what} {change.after or change.before or ''} {'is new' if change.before is None else 'is gone'}"
    return f"{change.what} {change.before} → {change.after}"


def _named(things: Sequence[str], most: int) -> str:
    """The first few by name, the others by count."""
    more = len(things) - most
    return "; ".join(things[:most]) + (f"; and {more} more" if more > 0 else "")


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


def _chosen(cases: Sequence[Case]) -> tuple[tuple[Case, ...], tuple[Case, ...]]:
    """A few cases of each choice, no request twice, to look at; and all others."""
    each = max(1, OPEN // max(1, len({c.chosen for c in cases})))
    shown: list[Case] = []
    for case in cases:
        alike = sum(c.chosen == case.chosen for c in shown)
        if len(shown) < OPEN and alike < each and case.request not in [c.request for c in shown]:
            shown.append(case)
    return tuple(shown), tuple(c for c in cases if not any(c is s for s in shown))


def _view(pack: Pack) -> View:
    measured = {e.gate: e for e in pack.evidence}
    shown, more = _chosen(pack.cases)
    checks = tuple(Check(verdict=v, evidence=measured.get(v.gate)) for v in _severest_first(pack.verdicts))
    return View(
        headline=headline(pack.verdicts),
        asked=answers(pack),
        groups=wording.worst_first(pack.groups, pack.metric),
        checks=checks,
        unsure=tuple(c for c in checks if c.verdict.outcome == "uncertain"),
        not_assessed=tuple(dict.fromkeys(line for e in pack.evidence for line in e.not_assessed)),
        certain=_certain(pack),
        settled=_settled(pack),
        definitions=tuple((wording.plain(by), text) for by, text in pack.definitions.items()),
        said=_said(pack, len(pack.changes)),
        changes=_by_kind([c for c in pack.changes if not c.is_digest]),
        digests=tuple(c for c in pack.changes if c.is_digest),
        cases=shown,
        more_cases=more,
        idle=_idle(pack),
        approve=_decide("approve", pack, accept=tuple(v.gate for v in pack.verdicts if v.outcome == "uncertain")),
        reject=_decide("reject", pack) if pack.rule or headline(pack.verdicts).may_approve else "",
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
        count=wording.count, day=wording.day, plain=wording.plain, short=short, valued=wording.valued,
        sentence=wording.sentence, capital=wording.capitalized, duration=wording.duration, share=wording.round_percent,
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
