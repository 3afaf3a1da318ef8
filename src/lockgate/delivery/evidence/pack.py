"""What an evidence page shows: verdicts, numbers, cases and names, put together from what was measured and recorded."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from lockgate.delivery.comparison.changes import changes
from lockgate.delivery.evidence.cautions import cautions, cautions_beside
from lockgate.delivery.evidence.sayings import (
    builder_of,
    exceptions_of,
    findings_of,
    not_assessed,
    purpose_of,
    questions,
    told,
    told_since,
    verify,
    waiver_in_words,
)  # fmt: skip
from lockgate.delivery.evidence.tried_before import attempts
from lockgate.delivery.releases import file_of, manifest_of
from lockgate.gates.binding import evidence_root, results
from lockgate.gates.rules.sentences import capitalized
from lockgate.gates.waivers import standing_waivers
from lockgate.records.digest import Json, short
from lockgate.records.evidence import Estimate, GroupEstimate, Verdict
from lockgate.records.pack import (
    Bound,
    Case,
    Command,
    Day,
    Decided,
    Holdout,
    Metric,
    Pack,
    SigningRule,
)
from lockgate.records.people import OPERATOR
from lockgate.records.wire import from_json
from lockgate.release.wording import day

if TYPE_CHECKING:
    from lockgate.delivery.evidence.measured import Looked
    from lockgate.delivery.judging.judge import Judged
    from lockgate.delivery.walk import Walk
    from lockgate.gates.binding import Ask
    from lockgate.project import Project
    from lockgate.records.findings import Purpose
    from lockgate.records.release import FieldSchema, Manifest
    from lockgate.records.trust import Trusted

__all__ = ["make_pack", "names_of"]

NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def make_pack(
    project: Project, walk: Walk, trust: Trusted, judged: Judged, *,
    looked: Looked, release: str, live: str | None, environment: str, ask: Ask, editors_unknown: str = "",
) -> Pack:  # fmt: skip
    """Everything that page and card say before `environment`; `live` is the release it would replace there."""
    summary: Mapping[str, Json] = looked.views.get("summary", {})
    manifest = manifest_of(project, release)
    before = manifest_of(project, live) if live else None
    root = evidence_root(results(trust.said, release=release, policy=walk.digest).values())
    judged_groups = tuple(g for e in judged.evidence.values() if e.kind == "slices" for g in e.groups)
    groups = judged_groups or tuple(from_json(GroupEstimate, g) for g in summary.get("groups", ()))
    metric, found = _metric(summary), findings_of(looked.views)
    warned = (*cautions_beside(found["rivals"], metric), *cautions(manifest, summary, tuple(judged.verdicts.values())))
    purpose = purpose_of(project)
    stopped = attempts(walk, trust, release=release, live=live, environment=environment)
    waived = standing_waivers(trust, release=release, policy=walk.digest, ask=ask, now=None)
    return Pack(
        project=project.settings.name,
        release=release,
        as_of=dt.date.fromisoformat(manifest.as_of),
        environment=environment,
        live=live,
        banner=project.settings.banner,
        target=project.settings.target,
        cautions=warned,
        definitions={c: text for c, text in project.settings.groups.items() if c in {g.by for g in groups}},
        metric=metric,
        holdout=_holdout(summary),
        verdicts=tuple(judged.verdicts.values()),
        evidence=tuple(replace(e, gate=name) for name, e in judged.evidence.items()),  # several gates may measure alike
        changes=changes(project, manifest, before, judged.evidence.get("champion")),
        told=told(project, before, manifest),
        overall=from_json(Estimate, summary["overall"]) if "overall" in summary else None,
        groups=groups,
        decided=tuple(from_json(Decided, d) for d in summary.get("decided", ())),
        by_horizon=tuple(from_json(GroupEstimate, g) for g in summary.get("by_horizon", ())),
        coverage=tuple(from_json(GroupEstimate, g) for g in summary.get("coverage", ())),
        promised_coverage=_promised(judged.verdicts),
        days=tuple(from_json(Day, d) for d in summary.get("days", ())),
        cases=_cases(project, manifest, looked.views.get("cases", ())),
        fields=_fields(manifest),
        purpose=purpose,
        builder=builder_of(trust, manifest),
        **found,
        waived={gate: waiver_in_words(w) for gate, w in waived.items()},
        exceptions=exceptions_of(trust, waived.values(), release=release, ask=ask),
        attempts=stopped,
        since_stopped=told_since(project, stopped[0].release, manifest) if stopped else (),
        reasons=walk.policy.reasons,
        missing=not_assessed(looked, judged.verdicts.values(), judged.evidence.values()),
        questions=questions(purpose, warned, judged.verdicts.values(), live=live),
        rule=_rule(ask, editors_unknown),
        bound=_bound(release, root, walk, trust, environment),
        undo=f"lockgate rollback {environment}" + (f" --to {short(live)}" if live else ""),
        operators=tuple(sorted(p.name for p in trust.people.people if OPERATOR in p.roles)),
        verify=verify(release, environment),
        commands=(Command(line="lockgate releases --json", meaning="all releases and where they stand"),
                  Command(line="lockgate releases --rejected", meaning="what was stopped, by whom and why"),
                  Command(line=f"lockgate diff {environment} {short(release)}" if live else f"lockgate show {short(release)}", meaning="which answers change, and why")),
        limits=_limits(manifest, purpose),
        credits=project.settings.credit,
    )  # fmt: skip


def _metric(summary: Mapping[str, Json]) -> Metric:
    """How errors are counted; without a summary nothing could be."""
    if "metric" not in summary:
        return Metric(name="none")
    found = summary["metric"]
    return Metric(
        name=found["name"], title=capitalized(found["words"]), meaning=found["meaning"], unit=found["unit"],
        lower_is_better=found["better"] == "lower",
    )  # fmt: skip


def _holdout(summary: Mapping[str, Json]) -> Holdout | None:
    if "holdout" not in summary:
        return None
    extent = summary["holdout"]
    if not extent["days"]:
        return Holdout(rows=extent["rows"], days=0, note="rows that no training or tuning has seen")
    return Holdout(
        rows=extent["rows"], days=extent["days"], origins=extent["origins"],
        first=dt.date.fromisoformat(extent["first"]), last=dt.date.fromisoformat(extent["last"]),
        note="days that no training or tuning has seen; each answered from what was known on its own day",
    )  # fmt: skip


def _promised(verdicts: Mapping[str, Verdict]) -> str | None:
    return next((str(v.threshold["nominal"]) for v in verdicts.values() if "nominal" in v.threshold), None)


def _cases(project: Project, manifest: Manifest, found: Sequence[Mapping[str, Json]]) -> tuple[Case, ...]:
    """Requests in the order of their form, with the names that people use."""
    named = names_of(project, manifest) if found else {}
    return tuple(_case(c, manifest.predictor.request, named) for c in found)


def _case(case: Mapping[str, Json], fields: Sequence[FieldSchema], named: Mapping[str, Mapping[str, str]]) -> Case:
    asked: Mapping[str, str] = case["request"]
    order = [f.name for f in fields if f.name in asked] + [n for n in asked if n not in {f.name for f in fields}]
    kinds = {f.name: f.type for f in fields}
    return Case(
        request={n: _said(asked[n], kinds.get(n, "")) for n in order},
        labels={n: named[n][asked[n]] for n in order if named.get(n, {}).get(asked[n], asked[n]) != asked[n]},
        as_of=_day(case.get("as_of") or ""),
        answer=_even(case["answer"]), before=_even(case["before"]) if case.get("before") else None,
        actual=_even(case["actual"]), reasons=tuple(case["reasons"]), reasons_before=tuple(case["reasons_before"]), chosen=case["chosen"],
    )  # fmt: skip


def _fields(manifest: Manifest) -> tuple[tuple[str, str], ...]:
    """What each field of a request means, as its form says it."""
    said = ((f.name, " ".join([f.help, f"In {f.unit}." * bool(f.unit)]).strip()) for f in manifest.predictor.request)
    return tuple((name, words) for name, words in said if words)


def _said(text: str, kind: str) -> str:
    """A field's value as people write it.

    >>> _said("34.0", "number"), _said("False", "boolean"), _said("2011-10-15", "date")
    ('34', 'no', '15 October 2011')
    """
    if kind == "date":
        return _day(text)
    if kind == "boolean":
        return {"True": "yes", "False": "no"}.get(text, text)
    return text.removesuffix(".0") if kind in ("number", "integer") else text


def _even(text: str) -> str:
    """Numbers of an answer with as many decimals each: they are read against each other."""
    numbers = [abs(float(n)) for n in NUMBER.findall(text)]
    if all(n.is_integer() for n in numbers) or max(numbers) < 1:
        return text
    return NUMBER.sub(lambda n: f"{float(n[0]):.{1 if max(numbers) >= 10 else 2}f}", text)


def names_of(project: Project, manifest: Manifest) -> dict[str, dict[str, str]]:
    """Request field → value → label, for the fields whose choices stand in a table of the release."""
    labelled = [(f.name, f.choices) for f in manifest.predictor.request if f.choices and f.choices.label]
    if not labelled:
        return {}
    from lockgate import codecs
    from lockgate.release import frames  # loads Polars, and only here

    found: dict[str, dict[str, str]] = {}
    for name, choices in labelled:
        entry = manifest.state[choices.state]
        table = codecs.load(entry.codec, file_of(project, manifest, entry.path), frames.Table)
        found[name] = dict(frames.choices(cast("frames.Table", table), choices))
    return found


def _day(text: str) -> str:
    """A date as people write it; other text as it is."""
    try:
        return day(dt.date.fromisoformat(text))
    except ValueError:
        return text


def _rule(ask: Ask, editors_unknown: str) -> SigningRule | None:
    if not ask.roles:
        return None
    first = ask.roles[0]
    days = first.valid_for.days
    asked = editors_unknown and ask.self_approval == "refused" and "policy_editor" in ask.exclude
    notes = (_own_work(ask), *([f"Nobody can tell who edited the policy: {editors_unknown}."] if asked else []))
    others = tuple(
        f"Beside them, {'one person' if r.need == 1 else f'{r.need} different people'} in the role {r.role} must decide."
        for r in ask.roles[1:]
    )
    return SigningRule(
        role=first.role,
        people=first.need,
        valid_for=f"{days}d" if days else str(first.valid_for),
        grade=ask.grade,
        notes=(*others, *notes),
        others=tuple(r.role for r in ask.roles[1:]),
    )


def _own_work(ask: Ask) -> str:
    """Who may not decide, by the policy."""
    if ask.self_approval != "refused":
        return "Authors may approve their own work here; it is flagged and never counts as four eyes."
    others = [EXCLUDED_IN_WORDS[name] for name in ask.exclude]
    named = ["Whoever started the run", "wrote its code", *others]
    return f"{', '.join(named[:-1])} or {named[-1]} may not."


EXCLUDED_IN_WORDS: Mapping[str, str] = {
    "policy_editor": "edited the policy since the one in force was signed", "waiver_author": "wrote a waiver that it needs",
}  # fmt: skip


def _bound(release: str, root: str, walk: Walk, trust: Trusted, environment: str) -> tuple[Bound, ...]:
    return (
        Bound(name="release", digest=release, meaning="every byte of code, model, data state and lock file"),
        Bound(name="evidence", digest=root, meaning="the results of all checks above"),
        Bound(name="policy", digest=walk.digest, meaning="the stages and limits they were judged by"),
        Bound(name="people", digest=trust.people.digest, meaning="who may sign for what"),
        Bound(
            name="ledger head",
            digest="taken when you sign",
            meaning="how the record of decisions ended when you signed",
        ),
        Bound(name="expiry", digest="taken when you sign", meaning="until when you stand by it"),
        Bound(name="environment", digest=environment, meaning="where the release may go, and nowhere else"),
        Bound(name="this page", digest="its sha256, taken when you sign", meaning="exactly what you were shown"),
    )


def _limits(manifest: Manifest, purpose: Purpose | None) -> tuple[str, ...]:
    horizon = next((f.horizon.days for f in manifest.predictor.request if f.horizon), None)
    reach = (
        (f"Answers reach {horizon} open days ahead, from {_day(manifest.as_of)} on, and no further.",)
        if horizon
        else ()
    )
    stands = (
        f"Step {name.rpartition('.')[2]}: {s['accepted']}."
        for name, s in manifest.lineage.steps.items()
        if "accepted" in s
    )
    return (*(purpose.limits if purpose else ()), *reach, *stands)
