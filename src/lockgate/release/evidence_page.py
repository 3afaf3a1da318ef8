"""The evidence page: one file of HTML that a person reads in five minutes and then approves or rejects.

`render` is pure: the same pack gives the same bytes, and the sha256 of these bytes is the `seen` of an approval.
Nothing is loaded from anywhere, no script runs, and every text from data is escaped by the template engine.
"""

from __future__ import annotations

import functools
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from lockgate.records.digest import Json, canonical, sha256_bytes, short
from lockgate.records.evidence import Estimate, Evidence, GroupEstimate, Verdict
from lockgate.records.pack import Case, Change, Pack
from lockgate.records.wire import to_json
from lockgate.release import afterwards, beside, demands, figures, minute, plots, portraits, rates, rivals, wording
from lockgate.release.headline import Headline, headline, mark
from lockgate.release.minute import Asked, answers

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["encoded", "render"]

WORST = "Which group is worst off, by how much, and on how many rows?"
CHANGED = "What changed since the live release?"
UNCERTAIN = "What is uncertain, and what would settle it?"
BINDS = "What does your signature bind?"
BETTER = "Is it better than the live release, and how sure is that?"
ALIKE = "Do training, test and today look alike?"
LOOKS = "What does the release look at?"
HONEST = "Are its intervals honest, for every group?"
HONEST_SCORES = "Do its scores mean what they say, for every group?"
HONEST_NOT = "Does it say how sure it is?"
PURPOSE = "What is it for, and what must it not be used for?"
MISSING = "What was not assessed?"
BUILT = "Who built it, and from what?"
CHECK = "How do you check the bytes?"
WORDS: Mapping[str, object] = {
    "WORST": WORST, "CHANGED": CHANGED, "UNCERTAIN": UNCERTAIN, "BINDS": BINDS, "UNDO": afterwards.UNDO, "BETTER": BETTER,
    "ALIKE": ALIKE, "LOOKS": LOOKS, "HONEST": HONEST, "HONEST_SCORES": HONEST_SCORES, "HONEST_NOT": HONEST_NOT, "PURPOSE": PURPOSE, "MISSING": MISSING, "BUILT": BUILT, "CHECK": CHECK, "mark": mark,
    "group_name": wording.group_name, "metric_name": wording.metric_name, "compared": beside.compared,
    "limits": demands.limits, "IDLE": afterwards.IDLE, "REFUSE": afterwards.REFUSE, "TRIED": minute.TRIED,
    "WATCH": afterwards.WATCH, "FOR_WHOM": minute.FOR_WHOM,
}  # fmt: skip
COMPARISONS = ("champion", "beats_baseline")


def render(pack: Pack) -> str:
    """Render the page. Deterministic; no I/O but reading the package's own template and style sheets."""
    return _environment().get_template("page.html").render(pack=pack, view=_view(pack), styles=_styles(), **WORDS)


def encoded(pack: Pack) -> bytes:
    """The pack as canonical JSON: what the page says, for machines. A number that is only drawn and not finite is null."""
    return canonical(_finite(to_json(pack)))


def _finite(value: Json) -> Json:
    if isinstance(value, dict):
        return {name: _finite(v) for name, v in value.items()}
    if isinstance(value, list):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


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
    rates: tuple[rates.Rates, ...]
    groups: tuple[GroupEstimate, ...]
    checks: tuple[Check, ...]
    unsure: tuple[Check, ...]
    not_assessed: tuple[str, ...]
    certain: str
    settled: str
    definitions: tuple[tuple[str, str], ...]
    told: tuple[tuple[str, tuple[str, ...]], ...]
    changes: tuple[tuple[str, tuple[Change, ...]], ...]
    digests: tuple[Change, ...]
    better: tuple[Check, ...]
    metrics: tuple[Change, ...]
    cases: tuple[tuple[str, tuple[Case, ...]], ...]
    authors: tuple[str, ...]
    json_sha256: str
    for_whom: tuple[str, ...]
    beside: rivals.RivalTable | None
    idle: str
    refused: str
    watched: tuple[str, ...]
    feedback: str
    why: str
    tried: str
    alike: tuple[str, ...]
    unsigned: str
    approve: tuple[str, ...]
    reject: tuple[str, ...]
    figures: figures.Figures
    portraits: portraits.Portraits


def _by_choice(cases: Sequence[Case]) -> tuple[tuple[str, tuple[Case, ...]], ...]:
    """Cases under the reason why they are shown, in the order in which they came."""
    kinds = dict.fromkeys(c.chosen for c in cases)
    return tuple((kind, tuple(c for c in cases if c.chosen == kind)) for kind in kinds)


def _told(pack: Pack) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Kind of change → its sentences; what is told about the making of a release, and what its records tell apart."""
    told = {wording.capitalized(kind): list[str]() for kind, _ in pack.told}
    for kind, sentence in pack.told:
        told[wording.capitalized(kind)].append(wording.sentence(sentence))
    for kind, sentence in minute.said(pack, len(pack.changes)):
        told.setdefault(
            kind, [f"{sentence}." if kind == "Packages" else wording.sentence(sentence)]
        )  # names of packages keep their case
    return tuple((kind, tuple(sentences)) for kind, sentences in told.items())


def _not_assessed(pack: Pack) -> tuple[str, ...]:
    """Everything that nobody looked at: what gates left out, and views that are missing."""
    gates = (f"{e.gate}: {line}" for e in pack.evidence for line in e.not_assessed)
    return tuple(dict.fromkeys([*gates, *pack.missing]))


def _view(pack: Pack) -> View:
    measured = {e.gate: e for e in pack.evidence}
    checks = tuple(Check(verdict=v, evidence=measured.get(v.gate)) for v in _severest_first(pack.verdicts))
    return View(
        headline=headline(pack.verdicts, pack.waived),
        asked=answers(pack),
        rates=rates.rates(pack),
        groups=beside.worst_first(pack.groups, pack.metric),
        checks=checks,
        unsure=tuple(c for c in checks if c.verdict.outcome == "uncertain"),
        not_assessed=_not_assessed(pack),
        certain=minute.certain(pack),
        settled=minute.settled(pack),
        definitions=tuple((wording.plain(by), text) for by, text in pack.definitions.items()),
        told=_told(pack),
        changes=minute.by_kind([c for c in pack.changes if not c.is_digest and c.kind != "metrics"]),
        digests=tuple(c for c in pack.changes if c.is_digest),
        better=_comparing(checks),
        metrics=tuple(c for c in pack.changes if c.kind == "metrics"),
        cases=_by_choice(pack.cases),
        authors=minute.people(pack.builder.authors) if pack.builder else (),
        json_sha256=sha256_bytes(encoded(pack)),
        for_whom=rivals.better_for(pack.rivals, pack.metric),
        beside=rivals.rival_table(pack.rivals, pack.metric),
        idle=afterwards.idle(pack),
        refused=afterwards.refused(pack),
        watched=(afterwards.owner(pack), afterwards.told(pack), f"If it goes wrong, {afterwards.going_back(pack)}."),
        feedback=f"lockgate feedback import FILE --env {shlex.quote(pack.environment)}",
        why=afterwards.why(pack),
        tried=minute.tried(pack),
        alike=minute.alike(pack),
        approve=_decide("approve", pack, accept=tuple(v.gate for v in pack.verdicts if v.outcome == "uncertain")),
        reject=_decide("reject", pack),
        unsigned=minute.unsigned(pack),
        figures=figures.draw(pack),
        portraits=portraits.portraits(pack),
    )


def _comparing(checks: Sequence[Check]) -> tuple[Check, ...]:
    """Comparisons, each kind without what does not apply when another of its kind was decided."""
    kept = {
        v.gate for kind in COMPARISONS for v in minute.deciding([c.verdict for c in checks if c.verdict.kind == kind])
    }
    return tuple(c for c in checks if c.verdict.gate in kept)


def _severest_first(verdicts: Sequence[Verdict]) -> list[Verdict]:
    order = {"fail": 0, "uncertain": 1, "pass": 2, "none": 3}
    return sorted(verdicts, key=lambda v: order[mark(v.outcome).tone])


def _decide(verb: str, pack: Pack, *, accept: Sequence[str] = ()) -> tuple[str, ...]:
    """The command that signs, for each role that is asked; none where nobody is. Uncertain checks are accepted one by one, by name; there is no blanket acceptance."""
    roles = (pack.rule.role, *pack.rule.others) if pack.rule else ()
    named = "".join(f" --accept {shlex.quote(gate)}" for gate in accept)
    place = f"--env {shlex.quote(pack.environment)}"
    return tuple(
        f'lockgate {verb} {short(pack.release)} {place} --role {shlex.quote(role)}{named} --reason "…"'
        for role in roles
    )


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
