"""`stream`."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.render import now
from lockgate.delivery.stream import Batched, Waiting
from lockgate.delivery.stream import stream as streamed
from lockgate.errors import UsageError
from lockgate.project import open_project
from lockgate.records.spans import seconds

if TYPE_CHECKING:
    import argparse

    from lockgate.records.digest import Json

__all__ = ["stream"]


def stream_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pipeline", help="a pipeline's name")
    parser.add_argument("--every", default="1s", metavar="TIME", help="how often to look: 0.5s, 1m; 1s without it")
    parser.add_argument("--once", action="store_true", help="a batch job: take what is there, write the sinks, end")
    parser.add_argument("--json", action="store_true", help="one JSON line per batch")


def stream(arguments: argparse.Namespace) -> int:
    """Print a line per batch. SIGTERM lets the batch at hand finish, then ends with 0."""
    project = open_project(Path.cwd())
    try:
        every_s = seconds(arguments.every)
    except ValueError as error:
        raise UsageError("not a time", value=arguments.every, allowed="0.5s, 1s, 5m") from error
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    for turn in streamed(project, arguments.pipeline, once=arguments.once, now=now, wait=lambda: stop.wait(every_s)):
        print(_json(turn) if arguments.json else _text(turn), flush=True)
    if not arguments.json:
        print("stopped  everything finished is kept" if stop.is_set() else "done  nothing more to do", flush=True)
    return 0


def _text(turn: Batched | Waiting) -> str:
    if isinstance(turn, Waiting):
        return f"waiting  {turn.reason}"
    sources = [f"{n} {turn.new[n]:+} → {_held(turn, n)}" for n in turn.sources]
    sinks = [f"{w.name} {w.rows} rows written" for w in turn.written]
    return "  ".join(
        [f"batch {turn.number}", *sources, f"{turn.ran} run, {turn.reused} reused", *sinks, f"{turn.seconds:.1f} s"]
    )


def _held(turn: Batched, name: str) -> str:
    seen = turn.sources[name]
    if seen.rows is None:
        return f"{len(seen.files)} files"
    return f"{seen.rows} rows" + ("" if seen.cursor is None else f" (cursor {seen.cursor})")


def _json(turn: Batched | Waiting) -> str:
    if isinstance(turn, Waiting):
        return json.dumps({"batch": None, "waiting": turn.reason})
    sources: dict[str, Json] = {
        n: {"new": turn.new[n], "rows": s.rows, "files": len(s.files) if s.rows is None else None,
            "cursor": s.cursor, "identity": s.identity, "waiting": s.waiting}
        for n, s in turn.sources.items()
    }  # fmt: skip
    sinks = {w.name: {"written": w.rows, "rows": w.total, "artifact": w.artifact} for w in turn.written}
    return json.dumps(
        {"batch": turn.number, "sources": sources, "run": turn.ran, "reused": turn.reused, "sinks": sinks,
         "seconds": round(turn.seconds, 3)}, ensure_ascii=False,
    )  # fmt: skip
