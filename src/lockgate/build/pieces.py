"""A step that runs once per partition, decided: which partitions there are, what each sees, which results are known.

Pure. A partition is run for every key that any of the cut inputs has. It sees, of each of them, the partitions from
`lookback` periods before its own up to its own; where there is none of these, the table without rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.build.explain import difference, differences
from lockgate.build.fingerprint import fingerprint, fingerprint_of_partition, parameters_of
from lockgate.errors import StepFailed
from lockgate.records.dataset import Dataset, Part, key_of
from lockgate.records.plan import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lockgate.build.plan import Known
    from lockgate.records.artifact import Artifact
    from lockgate.records.digest import Json
    from lockgate.records.graph import Each, Node

__all__ = ["Made", "Piece", "Pieces", "assemble", "lines_of", "pieces_of", "ran", "say"]

NAMED, LISTED = 2, 40
KEPT = "partitions"
"""Under this name a result keeps key → fingerprint of its partitions."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a run for one partition left: its rows, and the same table without rows."""

    part: Part
    empty: Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A partition to make.

    Attributes:
        slices: cut input → the partitions it sees, in order.
        inputs: the same as `input[partition]` → identity, and identities of inputs that are read whole.
        made: what is stored under its fingerprint, or None.
    """

    key: str
    number: int
    fingerprint: str
    slices: Mapping[str, tuple[Part, ...]]
    inputs: Mapping[str, str]
    made: Made | None


Pieces = tuple[Piece, ...]


def pieces_of(node: Node, each: Each, artifacts: Callable[[str], Artifact | None], known: Known) -> Pieces | None:
    """Every partition of a step in order; None while an input is not known.

    Args:
        artifacts: node name → what it made.
    """
    datasets: dict[str, Dataset] = {}
    for parameter in each.cut:
        artifact = artifacts(node.inputs[parameter])
        dataset = known.dataset(artifact) if artifact else None
        if dataset is None:
            return None
        datasets[parameter] = dataset
    whole: dict[str, str] = {}
    for parameter, name in node.inputs.items():
        if parameter not in each.cut:
            artifact = artifacts(name)
            whole[parameter] = artifact.digest if artifact else known.externals.get(name, "")
    if not all(whole.values()):
        return None
    shared = fingerprint(node, whole, parameters_of(node, known.parameters), interpreter=known.interpreter)
    numbers = sorted({n for d in datasets.values() for n in d.by_number})
    return tuple(_piece(each, n, datasets, whole, fingerprint=shared, known=known) for n in numbers)


def _piece(
    each: Each,
    number: int,
    datasets: Mapping[str, Dataset],
    whole: Mapping[str, str],
    *,
    fingerprint: str,
    known: Known,
) -> Piece:
    """One partition. `fingerprint`: of the step over its whole inputs."""
    key = key_of(each.period, number)
    window = range(number - each.lookback, number + 1)
    slices = {p: tuple(d.by_number[n] for n in window if n in d.by_number) or (d.empty,) for p, d in datasets.items()}
    inputs = {f"{p}[{s.key}]": s.digest for p, parts in slices.items() for s in parts}
    found = fingerprint_of_partition(fingerprint, key, inputs)
    result = known.record(found)
    made = made_of(result, key, number) if result else None
    return Piece(key=key, number=number, fingerprint=found, slices=slices, inputs={**whole, **inputs}, made=made)


def made_of(result: Result, key: str, number: int) -> Made | None:
    """A partition as its stored result has it."""
    artifact, more = result.artifact, result.extra
    try:
        part = Part(key, number, artifact.digest, artifact.object, more["rows"], artifact.size_bytes)
        return Made(part, Part(**more["empty"]))
    except (KeyError, TypeError):
        return None


def assemble(node: Node, each: Each, pieces: Sequence[Piece], made: Mapping[str, Made]) -> Dataset:
    """All partitions as one dataset. Raises StepFailed when there are none, or two have unlike columns."""
    if not pieces:
        raise StepFailed(
            f"step {node.name} has no partitions", value=f"no rows in {', '.join(each.cut)}",
            allowed="at least one row", next=f"lockgate show {node.inputs[each.cut[0]]}",
        )  # fmt: skip
    first = made[pieces[0].key]
    for piece in pieces:
        if made[piece.key].empty.digest != first.empty.digest:
            raise StepFailed(
                f"step {node.name} returned unlike tables", value=f"partitions {pieces[0].key} and {piece.key}",
                allowed="the same columns of the same types in every partition", next="correct the step",
            )  # fmt: skip
    return Dataset(each.period, each.by, tuple(made[p.key].part for p in pieces), first.empty)


def _gone(pieces: Pieces, last: Result | None) -> tuple[str, ...]:
    """Partitions that the last result had and that are no more."""
    return tuple(sorted(set(_before(last)) - {p.key for p in pieces}))


def ran(pieces: Pieces) -> tuple[str, ...]:
    """The partitions that a run must make."""
    return tuple(p.key for p in pieces if p.made is None)


def say(node: Node, pieces: Pieces, known: Known) -> str:
    """What a run will do in one line: `1 of 24 partitions: 2011-10 (input sales changed)`."""
    last = known.last(node.name)
    todo = [p for p in pieces if p.made is None]
    text = f"{len(todo)} of {len(pieces)} partitions"
    if todo:
        names = f": {_few([p.key for p in todo])}" if len(todo) < len(pieces) or len(pieces) == 1 else ""
        text += f"{names} ({_reasons(node, todo[0], last, known)[0]})"
    elif lost := _gone(pieces, last):
        text += f"; gone: {_few(lost)}"
    return text


def lines_of(node: Node, pieces: Pieces, known: Known) -> list[str]:
    """Every reason: what concerns all partitions once, then a line for each that must run or is no more."""
    last = known.last(node.name)
    lines = [say(node, pieces, known)]
    if last is None:
        return lines
    if shared := list(differences(node, last, None, parameters_of(node, known.parameters))):
        return [*lines, *shared]
    todo = [p for p in pieces if p.made is None]
    lines += [f"{p.key}: {', '.join(_reasons(node, p, last, known))}" for p in todo[:LISTED]]
    if len(todo) > LISTED:
        lines.append(f"… and {len(todo) - LISTED} more")
    return [*lines, *(f"{k} is gone" for k in _gone(pieces, last)[:LISTED])]


def _reasons(node: Node, piece: Piece, last: Result | None, known: Known) -> list[str]:
    """Why one partition must run, one line per reason."""
    if last is None:
        return ["never ran here"]
    if shared := difference(node, last, None, parameters_of(node, known.parameters)):
        return [shared]
    before = known.record(_before(last).get(piece.key, ""))
    if piece.key not in _before(last):
        return ["new"]
    if before is None:
        return ["its stored result is gone"]
    names = sorted({*before.inputs, *piece.inputs})
    differing = [n for n in names if before.inputs.get(n) != piece.inputs.get(n)]
    return [_changed(n, piece) for n in differing] or ["its stored result is gone"]


def _changed(name: str, piece: Piece) -> str:
    parameter, _, key = name.rstrip("]").partition("[")
    what = "changed" if name in piece.inputs else "is gone"
    return f"input {parameter} {what}" if key in ("", piece.key) else f"input {parameter} {what} in {key}"


def _before(last: Result | None) -> Mapping[str, Json]:
    return last.extra.get(KEPT, {}) if last else {}


def _few(keys: Sequence[str]) -> str:
    return ", ".join(keys) if len(keys) <= NAMED else f"{keys[0]} … {keys[-1]}"
