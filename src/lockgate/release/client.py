"""Talk to a release host from outside: the caller loads no data library and none of the release's code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lockgate import errors
from lockgate.errors import LockgateError, StepFailed
from lockgate.records.digest import Json, short
from lockgate.records.release import PredictorSpec
from lockgate.records.wire import from_json

__all__ = ["HOST_ENVIRONMENT", "ReleaseHost", "describe_code", "host_environment"]

# A host sees no secret of its caller: only what decides where things are and how text and time are read.
HOST_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "OPENBLAS_CORETYPE")
LAST_OUTPUT_CHARS = 2000


class ReleaseHost:
    """One process that has one release open.

    >>> with ReleaseHost(directory, "sha256:…") as host:          # doctest: +SKIP
    ...     host.answer([{"product": "85123A", "date": "2011-10-20"}])
    [{'units': 12.0, 'low': 3.0, 'high': 25.0, 'note': None}]
    """

    def __init__(self, directory: Path, release: str, *, python: str = sys.executable) -> None:
        self._directory, self._release, self._python = directory, release, python
        self._process: subprocess.Popen[bytes] | None = None
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  closed by `__exit__`

    def __enter__(self) -> Self:
        command = [self._python, "-I", "-B", "-m", "lockgate.release.host", str(self._directory), self._release]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._output,
            cwd=self._directory,
            env=host_environment(),
        )
        try:
            self._read()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def score(self, table: Path, out: Path, *, truth: str = "actual") -> Path:
        """Answer a table (Arrow IPC) with each row at its own `as_of`; `out` becomes a `columns.npz` of `Scored`."""
        self._ask({"op": "score", "table": str(table.resolve()), "out": str(out.resolve()), "truth": truth})
        return out

    def answer(self, requests: Sequence[Mapping[str, Json]], *, as_of: str | None = None) -> list[dict[str, Json]]:
        """Answer JSON requests; `as_of` is the release's own day when not given."""
        return self._ask({"op": "answer", "requests": list(requests), "as_of": as_of})["answers"]

    def explain(self, requests: Sequence[Mapping[str, Json]], *, as_of: str | None = None) -> list[list[str]]:
        """Reasons in words, per request."""
        return self._ask({"op": "explain", "requests": list(requests), "as_of": as_of})["reasons"]

    def probe(self, table: Path, *, rows: int, truth: str, seed: int, folder: Path) -> dict[str, Any]:
        """Answer a sample as it is (`as_it_is.npz` in `folder`), and once more per input with that input shuffled.

        Returns `inputs`: name → file in `folder`; `failed`: name → why the release could not answer so.
        """
        asked = {"table": str(table.resolve()), "rows": rows, "truth": truth, "seed": seed}
        return self._ask({"op": "probe", **asked, "folder": str(folder.resolve())})

    def vary(self, table: Path, *, rows: int) -> list[dict[str, Any]]:
        """Mean answer of a sample with one field set to each of a few values: `name`, `rows`, `points` or `why` not."""
        return self._ask({"op": "vary", "table": str(table.resolve()), "rows": rows})["fields"]

    def contribute(self, table: Path, *, rows: int) -> dict[str, float]:
        """Input → mean size of what it moves, by the release's own reasons; empty when they name none."""
        return self._ask({"op": "contribute", "table": str(table.resolve()), "rows": rows})["own"]

    def record(self, table: Path, *, rows: int) -> bytes:
        """Answer a sample of a holdout table: the bytes of `holdout.json`."""
        return self._ask({"op": "record", "table": str(table.resolve()), "rows": rows})["holdout"].encode()

    def check(self) -> int:
        """Repeat the recorded answers; raises IntegrityError when a bit differs."""
        return self._ask({"op": "check"})["rows"]

    def memory(self) -> int:
        """Bytes of memory that the host holds now."""
        return self._ask({"op": "memory"})["bytes"]

    def close(self) -> None:
        """End the process; closing twice is no error."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._output.close()

    def _ask(self, question: Mapping[str, Json]) -> dict[str, Any]:
        process = self._running()
        try:
            assert process.stdin
            process.stdin.write(json.dumps(question).encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            raise self._died() from None
        return self._read()

    def _read(self) -> dict[str, Any]:
        process = self._running()
        assert process.stdout
        line = process.stdout.readline()
        if not line.endswith(b"\n"):
            raise self._died()
        reply = json.loads(line)
        if not reply["ok"]:
            raise _rebuilt(reply["error"])
        return reply

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise StepFailed("the release host is not running", value=short(self._release))
        return self._process

    def _died(self) -> StepFailed:
        code = self._running().wait()
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - LAST_OUTPUT_CHARS))
        said = self._output.read().decode(errors="replace").strip()
        return StepFailed(
            f"the release host of {short(self._release)} died", value=f"exit {code}: {said or 'no output'}"
        )


def describe_code(code: Path, predictor: str, *, python: str = sys.executable) -> PredictorSpec:
    """Import packaged code in a process of its own and describe its predictor, `module:qualname`.

    The schema of a release is thus the schema of the code that is in it, not of a working tree.
    """
    command = [python, "-I", "-B", "-m", "lockgate.release.describe", str(code.resolve()), predictor]
    done = subprocess.run(command, capture_output=True, check=False, cwd=code, env=host_environment())
    try:
        reply = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        said = done.stderr.decode(errors="replace")[-LAST_OUTPUT_CHARS:].strip()
        raise StepFailed("the predictor cannot be described", value=predictor, allowed=said) from None
    if "error" in reply:
        raise _rebuilt(reply["error"])
    return from_json(PredictorSpec, reply["spec"])


def host_environment() -> dict[str, str]:
    """The environment of every host: allow-listed names only."""
    return {name: os.environ[name] for name in HOST_ENVIRONMENT if name in os.environ}


def _rebuilt(parts: Mapping[str, str]) -> LockgateError:
    kind = getattr(errors, parts["kind"], StepFailed)
    return kind(parts["what"], value=parts["value"], allowed=parts["allowed"], next=parts["next"])
