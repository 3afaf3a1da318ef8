"""Turn a project's modules into a graph, in a child process, once; afterwards planning imports nothing of it.

The parent asks twice, under two hash seeds and two clocks; two unlike graphs are an error, because then the
declaration depends on something that cannot be pinned.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from lockgate.build.environment import missed, without_secrets
from lockgate.build.trace import take_trace
from lockgate.errors import ServiceUnavailable, UsageError
from lockgate.records.graph import Graph, Trace
from lockgate.records.wire import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lockgate.records.digest import Json

__all__ = ["capture"]

ATTEMPTS = 3
LONGEST = 10

SECONDS = 60.0
LIMIT = "LOCKGATE_CAPTURE_SECONDS"
"""The environment variable that allows the modules longer."""

LAST_WORDS_S = 1.0

SHIFTS = (("1", "0"), ("2", "40000000"))
"""Hash seed and clock shift in seconds of the two captures."""


def capture(root: Path, modules: Sequence[str], *, sources: Sequence[str], now_ns: int) -> Graph:
    """Import the pipeline modules in two children and answer the graph both agree on.

    Raises:
        UsageError: a module does not import, hangs, or removes what it read; a declaration is wrong, or the two graphs
            differ.
        ServiceUnavailable: somebody edits the project meanwhile.
    """
    gone = ""
    limit_s = _limit(os.environ.get(LIMIT, ""))
    for _ in range(ATTEMPTS):
        children = [_start(root, modules, sources, seed, shift) for seed, shift in SHIFTS]
        said = _all_said(children, root, limit_s=limit_s)
        first, second = (_answer(child, words, root) for child, words in zip(children, said, strict=True))
        trace, gone = _trace(root, first["looked_at"], second["looked_at"], now_ns=now_ns)
        if trace is not None:
            break
    else:
        if gone:
            raise UsageError(
                "the pipeline modules read a file on import that is gone afterwards", value=gone,
                allowed="files that stay as they are; what only a step needs, it makes itself",
            )  # fmt: skip
        raise ServiceUnavailable("the project's files change while they are read", value=str(root), next="try again")
    if first["nodes"] != second["nodes"] or first["pipelines"] != second["pipelines"]:
        raise UsageError(
            "the pipelines differ between two imports",
            value=_differences(first, second),
            allowed="declarations that do not depend on the clock, on set order or on random numbers",
        )
    return from_json(
        Graph,
        {**{k: first[k] for k in ("nodes", "order", "pipelines", "packages", "contracts")}, "trace": to_json(trace)},
    )


def _trace(
    root: Path, first: Mapping[str, Json], second: Mapping[str, Json], *, now_ns: int
) -> tuple[Trace | None, str]:
    """The trace, unless a file is no longer what a child read: then the graph is of files that are gone.

    Answers also the file that cannot be read any more, if there is one.
    """
    read = {**first["files"], **second["files"]}
    try:
        trace = take_trace(root, first, now_ns=now_ns)
    except OSError as error:
        return None, str(error.filename or error)
    still = first["files"].items() <= read.items() and all(f.digest == read[f.path] for f in trace.files)
    return (trace if still else None), ""


def _limit(text: str) -> float:
    try:
        limit_s = float(text or SECONDS)
    except ValueError:
        limit_s = 0.0
    if not 0 < limit_s < 1e6:
        raise UsageError(f"{LIMIT} is no time", value=text, allowed=f"seconds; {SECONDS:g} when it is not set")
    return limit_s


def _all_said(children: Sequence[subprocess.Popen[bytes]], root: Path, *, limit_s: float) -> list[tuple[bytes, bytes]]:
    """What the children print. Whoever takes too long is asked where it stands, and ended with the others."""
    try:
        return [child.communicate(timeout=limit_s) for child in children]
    except subprocess.TimeoutExpired as late:
        child = next(c for c in children if c.args == late.cmd)
        child.send_signal(signal.SIGUSR1)
        lines = _last_words(child)
        raise UsageError(
            "the pipeline modules take too long to import", value=f"{limit_s:g} s",
            allowed=f"work belongs into steps; or {LIMIT}=SECONDS", next=f"look at {_place(lines[::-1], root)}",
        ) from None  # fmt: skip
    finally:
        for child in children:
            _end(child)


def _last_words(child: subprocess.Popen[bytes]) -> list[str]:
    """The stack that faulthandler prints, innermost frame first."""
    try:
        _, err = child.communicate(timeout=LAST_WORDS_S)
    except subprocess.TimeoutExpired as still:
        err = still.stderr or b""
    return err.decode(errors="replace").splitlines()


def _end(child: subprocess.Popen[bytes]) -> None:
    """Nothing is left behind: neither the process nor its pipes, which something it started may still hold."""
    if child.poll() is None:
        child.kill()
    child.wait()
    for stream in (child.stdout, child.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def _start(
    root: Path, modules: Sequence[str], sources: Sequence[str], seed: str, shift: str
) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-P",
        "-m",
        "lockgate.build.capturing",
        str(root),
        json.dumps([list(modules), list(sources)]),
        shift,
    ]
    environment = {**without_secrets(os.environ), "PYTHONHASHSEED": seed, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=root)


def _answer(child: subprocess.Popen[bytes], said: tuple[bytes, bytes], root: Path) -> Mapping[str, Json]:
    out, err = said
    if child.returncode:
        lines = err.decode(errors="replace").strip().splitlines() or ["no output"]
        raise UsageError(
            "the pipeline modules do not import", value=lines[-1], allowed=missed(lines[-1]),
            next=f"look at {_place(lines, root)}",
        )  # fmt: skip
    answer: Mapping[str, Json] = json.loads(out)
    if problem := answer.get("error"):
        raise UsageError(problem["what"], value=problem["value"], allowed=problem["allowed"], next=problem["next"])
    return answer


def _place(lines: Sequence[str], root: Path) -> str:
    """Where the project's own code raised: the innermost `File "…", line N` of a traceback below the root."""
    own = [line.strip() for line in lines if line.strip().startswith(f'File "{root}{os.sep}')]
    if not own:
        return "[project] pipelines in lockgate.toml"
    path, _, rest = own[-1].removeprefix(f'File "{root}{os.sep}').partition('", line ')
    return f"{path}:{rest.replace(',', ' ').partition(' ')[0]}"


def _differences(first: Mapping[str, Json], second: Mapping[str, Json]) -> str:
    names = [n for kind in ("nodes", "pipelines") for n in first[kind] if second[kind].get(n) != first[kind][n]]
    return ", ".join(names[:LONGEST]) or "the list of steps or pipelines"
