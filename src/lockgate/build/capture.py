"""Turn a project's modules into a graph, in a child process, once; afterwards planning imports nothing of it.

The parent asks twice, under two hash seeds and two clocks; two unlike graphs are an error, because then the
declaration depends on something that cannot be pinned.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from lockgate.build.environment import without_secrets
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

SHIFTS = (("1", "0"), ("2", "40000000"))
"""Hash seed and clock shift in seconds of the two captures."""


def capture(root: Path, modules: Sequence[str], *, sources: Sequence[str], now_ns: int) -> Graph:
    """Import the pipeline modules in two children and answer the graph both agree on.

    Raises:
        UsageError: a module does not import, a declaration is wrong, or the two graphs differ.
    """
    for _ in range(ATTEMPTS):
        children = [_start(root, modules, sources, seed, shift) for seed, shift in SHIFTS]
        said = [child.communicate() for child in children]
        first, second = (_answer(child, words, root) for child, words in zip(children, said, strict=True))
        trace = _trace(root, first["looked_at"], second["looked_at"], now_ns=now_ns)
        if trace is not None:
            break
    else:
        raise ServiceUnavailable("the project's files change while they are read", value=str(root), next="try again")
    if first["nodes"] != second["nodes"] or first["pipelines"] != second["pipelines"]:
        raise UsageError(
            "the pipelines differ between two imports",
            value=_differences(first, second),
            allowed="declarations that do not depend on the clock, on set order or on random numbers",
        )
    return from_json(Graph, {**{k: first[k] for k in ("nodes", "order", "pipelines")}, "trace": to_json(trace)})


def _trace(root: Path, first: Mapping[str, Json], second: Mapping[str, Json], *, now_ns: int) -> Trace | None:
    """The trace, unless a file is no longer what a child read: then the graph is of files that are gone."""
    read = {**first["files"], **second["files"]}
    try:
        trace = take_trace(root, first, now_ns=now_ns)
    except FileNotFoundError:
        return None
    still = first["files"].items() <= read.items() and all(f.digest == read[f.path] for f in trace.files)
    return trace if still else None


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
        raise UsageError("the pipeline modules do not import", value=lines[-1], next=f"look at {_place(lines, root)}")
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
    return f"{path}:{rest.partition(',')[0]}"


def _differences(first: Mapping[str, Json], second: Mapping[str, Json]) -> str:
    names = [n for kind in ("nodes", "pipelines") for n in first[kind] if second[kind].get(n) != first[kind][n]]
    return ", ".join(names[:LONGEST]) or "the list of steps or pipelines"
