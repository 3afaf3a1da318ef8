"""What differs from the live release, each difference as a person says it and as a machine tells it apart."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lockgate.delivery.releases import file_of
from lockgate.records.digest import Json, canonical, short
from lockgate.records.evidence import Estimate, Evidence
from lockgate.records.pack import Change, ChangeKind
from lockgate.release.lockfile import OURS, parse
from lockgate.release.wording import count, day, harm_in_words, number, plain, spread

if TYPE_CHECKING:
    from lockgate.project import Project
    from lockgate.records.release import Manifest

__all__ = ["changes"]

WEEK = 7
RELEASED = re.compile(r"\d+(\.\d+)+((a|b|rc|\.post)\d+)?")  # a version that was published, not one of a working copy


def changes(project: Project, now: Manifest, before: Manifest | None, champion: Evidence | None) -> tuple[Change, ...]:
    """Data, code, features, parameters, packages, and the metric by `champion`, the paired comparison. Nothing live: nothing."""
    if before is None:
        return ()
    sources = [{f"source {n}": d for n, d in m.lineage.sources.items()} for m in (before, now)]
    return (
        *_days(dt.date.fromisoformat(before.as_of), dt.date.fromisoformat(now.as_of)),
        *_digests("data", *sources),
        *_digests("code", _definitions(before), _definitions(now)),
        *_values("features", _features(before), _features(now)),
        *_values("parameters", _flat(before.lineage.parameters), _flat(now.lineage.parameters)),
        *_values("packages", _packages(project, before), _packages(project, now)),
        *_measured(champion),
    )


def _days(before: dt.date, now: dt.date) -> list[Change]:
    """A release knows what happened before its as-of day, so the day before is the last one known."""
    if before == now:
        return []
    last = [as_of - dt.timedelta(days=1) for as_of in (before, now)]
    more = (now - before).days
    words = f"{_span(abs(more))} {'more' if more > 0 else 'less'}: known up to {day(last[1])} instead of {day(last[0])}"
    return [Change(kind="data", what="last day known", before=day(last[0]), after=day(last[1]), words=words)]


def _span(days: int) -> str:
    if days % WEEK:
        return "a day" if days == 1 else count(days, "day")
    return "a week" if days == WEEK else count(days // WEEK, "week")


def _definitions(manifest: Manifest) -> dict[str, str]:
    return {n: str(d) for n, d in manifest.lineage.extra.get("definitions", {}).items()}


def _features(manifest: Manifest) -> dict[str, str]:
    """What a release answers from: fields of the request, tables of state, values that training made."""
    spec = manifest.predictor
    asked = {f"field {f.name}": f.type + ("" if f.required else ", may be missing") for f in spec.request}
    state = {f"table {n}": f"known before the day of asking, by {column}" for n, column in spec.state.items()}
    values = {f"value {n}": v.type.rpartition(":")[2] for n, v in manifest.inputs.items()}
    return {**asked, **state, **values}


def _packages(project: Project, manifest: Manifest) -> dict[str, str]:
    """The release's lock file, from the store. Lockgate itself only by a published version: the others name no state."""
    locked = parse(file_of(project, manifest, manifest.lock).read_text(encoding="utf-8"))
    return {n: v for n, v in locked.items() if n != OURS or RELEASED.fullmatch(v)}


def _flat(parameters: Mapping[str, Mapping[str, Json]]) -> dict[str, str]:
    return {
        f"{step}.{name}": canonical(value).decode()
        for step, values in parameters.items()
        for name, value in values.items()
    }


def _digests(kind: ChangeKind, before: Mapping[str, str], after: Mapping[str, str]) -> list[Change]:
    short_before, short_after = ({n: short(d) for n, d in side.items()} for side in (before, after))
    return [
        Change(kind=kind, what=n, before=short_before.get(n), after=short_after.get(n), is_digest=True)
        for n in sorted({*before, *after})
        if before.get(n) != after.get(n)
    ]


def _values(kind: ChangeKind, before: Mapping[str, str], after: Mapping[str, str]) -> list[Change]:
    names = (n for n in sorted({*before, *after}) if before.get(n) != after.get(n))
    return [Change(kind=kind, what=n, before=before.get(n), after=after.get(n)) for n in names]


def _measured(champion: Evidence | None) -> list[Change]:
    """The metric of both releases on the same rows. Both err on the same days, so the pairs say more than the two ±."""
    if champion is None or len(champion.also) < 2:
        return []
    ours, theirs = champion.also[0], champion.also[1]
    values = f"{number(theirs.value, theirs.unit)} → {number(ours.value, ours.unit)}"
    same = "on the same rows, both answering as they would today"
    paired = harm_in_words(champion.statistic, str(champion.params.get("better", "lower")))
    words = f"{same}: {plain(ours.name)} {values}" + (f", a paired comparison says {paired}" if paired else "")
    after = _shown(ours) + (f"; paired comparison: {paired}" if paired else "")
    return [Change(kind="metrics", what=f"{plain(ours.name)}, {same}", before=_shown(theirs), after=after, words=words)]


def _shown(estimate: Estimate) -> str:
    return f"{number(estimate.value, estimate.unit)} {spread(estimate)}".strip()
