"""Run a step for every partition that needs it, several at once; what finished is kept, whatever the others do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from lockgate.build.pieces import KEPT, Made, assemble, ran
from lockgate.errors import LockgateError, StepFailed
from lockgate.records.artifact import Artifact
from lockgate.records.plan import Result
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    from lockgate.build.engine import Engine
    from lockgate.build.pieces import Piece, Pieces
    from lockgate.records.digest import Json
    from lockgate.records.graph import Each, Node

__all__ = ["Turn", "run_each"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One execution of a step that runs per partition.

    Attributes:
        artifacts: what earlier nodes made.
        slots: one is held by every process that runs, of this step or another.
        keep: stores a result under (name, fingerprint).
        stopped: another step failed, so that no further partition should begin.
    """

    node: Node
    each: Each
    pieces: Pieces
    engine: Engine
    artifacts: Mapping[str, Artifact]
    parameters: Mapping[str, Json]
    slots: threading.BoundedSemaphore
    keep: Callable[[str, str, Result], None]
    stopped: Callable[[], bool]
    failed: list[LockgateError] = field(default_factory=list[LockgateError])


def run_each(turn: Turn, *, workers: int) -> tuple[Artifact, float, dict[str, Json]]:
    """Answer the dataset, the seconds its runs took together, and what its result keeps beside.

    Raises:
        LockgateError: the first partition that failed. Those that run beside it end and are kept; no other begins.
    """
    made = {p.key: p.made for p in turn.pieces if p.made}
    todo = [p for p in turn.pieces if p.made is None]
    seconds = 0.0
    with ThreadPoolExecutor(max(1, min(workers, len(todo)))) as pool:
        for piece, done in zip(todo, pool.map(partial(_run, turn), todo), strict=True):
            if done:
                made[piece.key], taken = done
                seconds += taken
    if turn.failed:
        raise turn.failed[0]
    if len(made) < len(turn.pieces):
        missing = ", ".join(k for k in ran(turn.pieces) if k not in made)
        raise StepFailed(f"step {turn.node.name} was stopped", value=f"not run: {missing}"[:200], next="lockgate run")
    dataset = assemble(turn.node, turn.each, turn.pieces, made)
    artifact = turn.engine.keep_dataset(turn.node, dataset)
    return artifact, seconds, {KEPT: {p.key: p.fingerprint for p in turn.pieces}}


def _run(turn: Turn, piece: Piece) -> tuple[Made, float] | None:
    """One partition in a process of its own; None when it failed or did not begin."""
    with turn.slots:
        if turn.failed or turn.stopped():
            return None
        try:
            made, seconds = turn.engine.run_piece(turn.node, turn.each, piece, turn.artifacts, turn.parameters)
            turn.keep(f"{turn.node.name}[{piece.key}]", piece.fingerprint, _result(turn, piece, made, seconds))
        except LockgateError as error:
            turn.failed.append(error)
            return None
    return made, seconds


def _result(turn: Turn, piece: Piece, made: Made, seconds: float) -> Result:
    part = made.part
    return Result(
        artifact=Artifact(
            type=turn.node.type, codec="polars.ipc", digest=part.digest, object=part.object, size_bytes=part.size_bytes
        ),
        inputs=piece.inputs,
        parameters=turn.parameters,
        definitions=(),  # the step's own result has them, once for all partitions
        packages=(),
        seconds=round(seconds, 4),
        extra={"rows": part.rows, "empty": to_json(made.empty)},
    )
