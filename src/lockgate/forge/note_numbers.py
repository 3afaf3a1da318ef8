"""The second part of a merge request's note: how good the release is, who is worst off, what changed. Drawn from the evidence pack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from lockgate.forge.markdown import details, table, text
from lockgate.release import beside, wording
from lockgate.release.minute import alike, said
from lockgate.release.rates import rates, worst_rate

if TYPE_CHECKING:
    from lockgate.records.evidence import Estimate, Evidence
    from lockgate.records.movement import Movement, ReleaseDifference
    from lockgate.records.pack import Pack

__all__ = ["changed", "compared", "not_assessed", "worst"]

FIRST: Final = 5
MOST: Final = 40
LINES: Final = 12
COMPARISONS: Final = {"champion": "the live release", "beats_baseline": "the best simple method"}


def compared(pack: Pack, found: ReleaseDifference | None) -> list[str]:
    """The metric beside that of the live release and of the best simple method, on the same rows, with intervals."""
    rows = [row for e in _live_first(pack) if e.kind in COMPARISONS for row in _comparison(e)]
    moved = found.movement if found else None
    if moved and not any(e.kind == "champion" and len(e.also) > 1 for e in pack.evidence):
        rows.insert(0, _by_movement(moved))
    if not rows and pack.overall:
        rows = [[text(wording.metric_name(pack.metric)), "nothing", "", _number(pack.overall), "", _size(pack.overall)]]
    if not rows:
        return []
    meaning = [text(wording.sentence(pack.metric.meaning))] if pack.metric.meaning else []
    heads = ["metric", "against", "there", "proposed", "difference", "rests on"]
    return ["#### How good is it", *meaning, table(heads, rows, right=(2, 3)), *(text(line) for line in alike(pack))]


def _live_first(pack: Pack) -> list[Evidence]:
    return sorted(
        pack.evidence, key=lambda e: list(COMPARISONS).index(e.kind) if e.kind in COMPARISONS else len(COMPARISONS)
    )


def _comparison(evidence: Evidence) -> Iterator[list[str]]:
    if len(evidence.also) < 2:
        return
    ours, theirs = evidence.also[0], evidence.also[1]
    paired = f"{wording.valued(evidence.statistic)} {wording.spread(evidence.statistic)}"
    against = COMPARISONS[evidence.kind]
    yield [
        text(wording.plain(ours.name)),
        against,
        _number(theirs),
        _number(ours),
        text(paired),
        _size(evidence.statistic),
    ]


def _by_movement(moved: Movement) -> list[str]:
    paired = f"{wording.valued(moved.relative)} {wording.spread(moved.relative)}"
    live = COMPARISONS["champion"]
    return [
        text(moved.metric["words"]),
        live,
        _number(moved.before),
        _number(moved.after),
        text(paired),
        _size(moved.relative),
    ]


def worst(pack: Pack) -> list[str]:
    """Who is worst off, worst first; before any average, people whom a check compares."""
    people = "\n".join(f"- {text(worst_rate(one))}" for one in rates(pack))
    heads = ["group", text(wording.metric_name(pack.metric)), "±", "n", "beside the others"]
    groups = beside.worst_first(pack.groups, pack.metric)
    rows = [
        [
            text(wording.group_name(g.by, g.group), 80), wording.number(g.estimate.value, g.estimate.unit),
            text(wording.spread(g.estimate)), f"{g.estimate.n:,}", text(beside.compared(g, pack.groups, pack.overall, pack.metric)),
        ]
        for g in groups[:MOST]
    ]  # fmt: skip
    left = len(groups) - len(rows)
    said = table(heads, rows[FIRST:], right=(1, 2, 3))
    rest = f"{said}\n\n{wording.count(left, 'more group')} were left out." if left > 0 else said
    folded = details(f"{wording.count(len(groups) - FIRST, 'more group')}", rest)
    blocks = [people, table(heads, rows[:FIRST], right=(1, 2, 3)), folded]
    return ["#### Who is worst off", *(b for b in blocks if b)] if any(blocks) else []


def changed(pack: Pack, found: ReleaseDifference | None) -> list[str]:
    """What the release is made of that the live one is not, kind by kind; the words of `diff`, and of the page for the rest."""
    told = list(found.words if found else pack.told)
    kinds = {kind.lower() for kind, _ in told}
    told += [
        (kind, words) for kind, words in said(pack, LINES) if kind.lower() not in kinds and kind.lower() != "answers"
    ]
    lines = [f"- **{text(wording.capitalized(kind))}**: {text(wording.sentence(words))}" for kind, words in told]
    if not lines:
        return [
            "#### What changed",
            "Nothing that is recorded." if pack.live else "Nothing is live yet: this would be the first release.",
        ]
    return ["#### What changed", "\n".join(lines[:LINES]), _folded(lines[LINES:], "more changes")]


def not_assessed(pack: Pack) -> str:
    """What nobody looked at, or on too few rows to tell, folded, with its count outside."""
    lines = dict.fromkeys([*(f"{e.gate}: {line}" for e in pack.evidence for line in e.not_assessed), *pack.missing])
    shown = [f"- {text(wording.sentence(line))}" for line in lines]
    return _folded(shown, "things that were not assessed, or on too few rows")


def _folded(lines: Sequence[str], words: str) -> str:
    left = len(lines) - MOST
    more = [f"- and {left:,} more, on the evidence page"] if left > 0 else []
    return details(f"{len(lines):,} {words}", "\n".join([*lines[:MOST], *more])) if lines else ""


def _number(estimate: Estimate) -> str:
    return text(f"{wording.number(estimate.value, estimate.unit)} {wording.spread(estimate)}")


def _size(estimate: Estimate) -> str:
    return text(
        wording.count(estimate.n, "row")
        + (f" on {wording.count(estimate.blocks, estimate.block)}" if estimate.blocks else "")
    )
