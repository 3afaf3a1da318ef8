"""Steps that measure a release as a thing: how fast, how large, how exact on opening again, how new what it knows is.

Times are of the machine that ran the step; the evidence says which one. They are measured once per release, and from
then on they are numbers like any other.
"""

from __future__ import annotations

import datetime as dt
import os
import platform
import time
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final, cast

from lockgate import codecs
from lockgate.gates.rows import Rows
from lockgate.records.digest import Json, canonical
from lockgate.records.release import Manifest
from lockgate.release.client import ReleaseHost
from lockgate.release.layout import MANIFEST, read_manifest
from lockgate.release.open import read_holdout

__all__ = ["known_days", "repeated", "training_table", "weighed"]

STARTS: Final = 6
"""Hosts that are started: the smallest and the largest of six hold the median with 96.9 % (1 - 2 * 0.5 ** 6)."""

ANSWERS: Final = 600
"""Answers that are timed: enough for an upper bound of the 99th percentile (368 would do)."""

SECONDS: Final = 60.0
"""A slow release is timed for so long, and on fewer answers."""

MEBIBYTE: Final = 1 << 20


def weighed(release: Path, scored: Path) -> dict[str, Json]:  # noqa: ARG001  it is waited for
    """Start the packaged release several times and ask it one recorded request at a time.

    Args:
        scored: not read; scoring takes all of a core, so timing waits until it is over.

    Answers:
        `latency_ms` (one number per answer, sorted), `cold_start_s` and `memory_mb` (one per start), `bytes` of all
        files, and the `machine`. Numbers are texts. `cold_start_s`: from nothing to the first answer. `memory_mb`:
        resident, in MiB, after its answers. The first answer of a day is not timed: it cuts the state to that day.
    """
    manifest = _manifest(release)
    recorded = read_holdout(release, manifest)
    files = [f for f in release.rglob("*") if f.is_file()]
    found: dict[str, Json] = {"bytes": sum(f.stat().st_size for f in files), "files": len(files), "machine": _machine()}
    if not recorded:
        return {**found, "latency_ms": [], "cold_start_s": [], "memory_mb": []}
    started: list[float] = []
    memory: list[float] = []
    latency: list[float] = []
    for _ in range(STARTS):
        begun = time.perf_counter()
        with ReleaseHost(release, _digest(release)) as host:
            host.answer([recorded[0]["request"]], as_of=recorded[0]["as_of"])
            started.append(time.perf_counter() - begun)
            latency += _timed(host, recorded, number=ANSWERS // STARTS, seconds=SECONDS / STARTS)
            memory.append(host.memory() / MEBIBYTE)
    return {
        **found, "latency_ms": [f"{1000 * s:.4g}" for s in sorted(latency)],
        "cold_start_s": [f"{s:.4g}" for s in sorted(started)], "memory_mb": [f"{m:.4g}" for m in sorted(memory)],
    }  # fmt: skip


def _timed(host: ReleaseHost, recorded: Sequence[Mapping[str, Json]], *, number: int, seconds: float) -> list[float]:
    """Seconds per answer, day by day; begun anew when all were asked and it is not enough yet."""
    ends = time.perf_counter() + seconds
    found: list[float] = []
    while len(found) < number and time.perf_counter() < ends:
        for as_of, rows in groupby(recorded, key=lambda r: r["as_of"]):
            requests = [r["request"] for r in rows]
            host.answer(requests[:1], as_of=as_of)
            for request in requests:
                begun = time.perf_counter()
                host.answer([request], as_of=as_of)
                found.append(time.perf_counter() - begun)
                if len(found) >= number or begun > ends:
                    return found
    return found


def repeated(release: Path) -> dict[str, Json]:
    """Open the release in a new process and ask its recorded requests again: `rows`, and those that `differ` by a bit."""
    manifest = _manifest(release)
    recorded = read_holdout(release, manifest)
    differ: list[Json] = []
    with ReleaseHost(release, _digest(release)) as host:
        for as_of, rows in groupby(recorded, key=lambda r: r["as_of"]):
            asked = list(rows)
            for record, again in zip(asked, host.answer([r["request"] for r in asked], as_of=as_of), strict=True):
                if canonical(again) != canonical(record["answer"]):
                    differ.append({**record["request"], "as_of": as_of, "recorded": record["answer"], "again": again})
    return {"rows": len(recorded), "differ": differ}


def known_days(release: Path) -> dict[str, Json]:
    """State table → its newest day before the release's `as_of`, or None when it knows nothing."""
    from lockgate.release import frames

    manifest = _manifest(release)
    as_of = dt.date.fromisoformat(manifest.as_of)
    found: dict[str, Json] = {}
    for name, entry in manifest.state.items():
        table = cast("frames.Table", codecs.load(entry.codec, release / entry.path, frames.Table))
        day = frames.last_day(table, entry.time_column, as_of)
        found[name] = day.isoformat() if day else None
    return found


def training_table(table: Path, columns: list[str]) -> Rows:
    """The rows that the model was fitted on, as gates see them; only `columns` of them, if any are named."""
    from lockgate.release import frames

    found = cast("frames.Table", codecs.load("polars.ipc", table, frames.Table))
    named = [c for c in found.columns if not columns or c in columns]
    return Rows(columns=frames.columns(found.select(named)))


def _manifest(release: Path) -> Manifest:
    return read_manifest((release / MANIFEST).read_bytes(), expected=_digest(release))


def _digest(release: Path) -> str:
    return f"sha256:{release.name}"


def _machine() -> dict[str, Json]:
    """What a time depends on beside the release: processor, cores, system, and how busy it was."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return {"cpu": _cpu(), "cores": cores, "system": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(), "load": f"{load:.2g}"}  # fmt: skip


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    found = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return found or platform.machine()
