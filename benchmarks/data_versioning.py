"""What keeping versions of data costs: CPU seconds and bytes, beside seven peers and the least that anything must do.

    python benchmarks/data_versioning.py [--tools Lockgate,borg] [--works "large file,csv"] [--small] [--rounds 3]

A large random file, 50,000 small ones, and a table with its next versions. CPU seconds are user and system time of all
processes of all commands, with wall seconds beside them; each the least of a few rounds, one round of what takes longer than 10 s. Files were
written 2 s before they are kept, memory was touched before; after a switch every byte is compared. The tools in the idiom of their documentation, with links:
`peers/versioning.py`; environments as in `soundness.py`, Debian's packages where PyPI has none. The floor is the copy, the hash or the
look that nobody gets around, by a program that does only that. Rows that we lose come first. Needs 12 GB of disk; an hour.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from blake3 import blake3
from peers import datasets
from peers.floor import floor
from peers.places import SETTLED_S, Cost, Failed, Place, installed, least, version
from peers.scores import Row, page
from peers.versioning import VERSIONERS, Versioner

LONG_S = 10.0
LOOKS = 3


@dataclass(frozen=True)
class Sizes:
    big: int = 2 << 30
    files: int = 50_000
    rows: int = 11_000_000


SMALL = Sizes(64 << 20, 2_000, 300_000)
Places = Callable[[str, int], AbstractContextManager[Place]]
Costs = dict[str, list[Cost]]
"""Row → what each round cost."""


def big_file(place: Places, data: Path) -> Iterator[tuple[str, Cost]]:
    size = (data / "big").stat().st_size
    with place("big", size) as here:
        shutil.copy(data / "big", here.root / "big")
        cost = here.add("v1")
        if here.stored() < size:
            raise Failed("its store holds less than the file")
        yield "big", cost


def many_files(place: Places, data: Path) -> Iterator[tuple[str, Cost]]:
    """Add, look, change, add, there and back."""
    count = sum(len(names) for _, _, names in os.walk(data / "many"))
    with place("many", count * datasets.FILE_BYTES) as here:
        tree = here.root / "many"
        shutil.copytree(data / "many", tree)
        states = {"v1": state(tree)}
        yield "many", here.add("v1")
        time.sleep(SETTLED_S)
        for _ in range(LOOKS):
            yield "status", here.look()
        datasets.change(tree, count)
        states["v2"] = state(tree)
        yield "next", here.add("v2")
        time.sleep(SETTLED_S)
        costs: list[Cost] = []
        for to in ("v1", "v2"):
            costs.append(here.switch(to))
            if state(tree) != states[to]:
                raise Failed(f"other bytes after a switch to {to}")
        yield "switch", Cost(sum(c.cpu_s for c in costs) / 2, sum(c.wall_s for c in costs) / 2)


def table(place: Places, data: Path, ending: str) -> Iterator[tuple[str, Cost]]:
    """The first version and one next version, in a store of its own for each edit."""
    first = data / f"first.{ending}"
    size = first.stat().st_size
    for number, edit in enumerate(datasets.EDITS):
        with place(f"table.{ending}", size) as here:
            path, empty = here.root / here.what, here.stored()
            shutil.copy(first, path)
            cost, kept = here.add("v1"), here.stored()
            yield f"{ending}, first version", Cost(cost.cpu_s, cost.wall_s, (kept - empty) / size)
            path.unlink()
            shutil.copy(data / f"next{number}.{ending}", path)
            cost = here.add("v2")
            yield f"{ending}, {edit}", Cost(cost.cpu_s, cost.wall_s, (here.stored() - kept) / size)


def state(tree: Path) -> str:
    """A digest of all names and bytes below a folder, seen through links."""
    hashed = blake3()
    for folder, folders, names in os.walk(tree):
        folders.sort()
        for name in sorted(names):
            hashed.update(f"{folder.removeprefix(str(tree))}/{name}\0".encode() + Path(folder, name).read_bytes())
    return hashed.hexdigest()


def measured(tool: Versioner, bin_: Path, data: Path, rounds: int, asked: str) -> tuple[Costs, list[str]]:
    """What each row costs a tool, and what it could not do."""

    @contextmanager
    def place(what: str, size: int) -> Iterator[Place]:
        folder = Path(tempfile.mkdtemp(prefix="place-", dir=data.parent))
        try:
            yield Place(tool, bin_, folder, what, size)
        finally:  # what is read-only goes, too
            subprocess.run(["chmod", "-R", "u+w", folder], check=False)
            shutil.rmtree(folder)

    found: Costs = {}
    failed: list[str] = []
    works = {"large file": (big_file, rounds), "small files": (many_files, rounds)}
    works |= {ending: (partial(table, ending=ending), 1) for ending in datasets.FORMATS}
    for name, (work, times) in works.items():
        if asked and name not in asked.split(","):
            continue
        done = longest_s = 0.0
        while done < times and longest_s < LONG_S:
            try:
                for row, cost in work(place, data):
                    found.setdefault(row, []).append(cost)
                    longest_s = max(longest_s, cost.cpu_s)
                    print(f"{tool.name}: {row}: {cost}", file=sys.stderr, flush=True)
            except Failed as error:
                failed.append(f"{tool.name}, {name}: {error}")
                break
            done += 1
    return found, failed


def rows(sizes: Sizes, least_of: dict[str, Cost]) -> list[Row]:
    """What is measured, its goal and its floor."""

    def sum_of(*parts: str) -> float:
        return sum(least_of[p].cpu_s for p in parts)

    tables = [
        *(Row(f"{ending}, first version", f"{ending}: add a table") for ending in datasets.FORMATS),
        *(
            Row(f"{ending}, {edit}", f"{ending}: {edit}", share=datasets.GOALS.get(edit))
            for edit in datasets.EDITS
            for ending in datasets.FORMATS
        ),
    ]
    return [
        Row("big", f"add one file of {sizes.big >> 20:,} MiB", cpu_s=1.4, floor_s=sum_of("cp", "blake3")),
        Row("many", f"add {sizes.files:,} files of 4 KiB", cpu_s=1.8, floor_s=sum_of("read, blake3, one pack")),
        Row("status", f"status of {sizes.files:,} unchanged files", cpu_s=0.3, floor_s=sum_of("find -printf %s")),
        Row("next", "add, 100 of them changed", floor_s=sum_of("find -printf %s", "cp of 100 files")),
        Row("switch", "switch to a version with 100 others", cpu_s=0.3, floor_s=sum_of("cp of 100 files")),
        *tables,
    ]


def lay_out(data: Path, sizes: Sizes) -> None:
    data.mkdir()
    datasets.random_file(data / "big", sizes.big)
    datasets.many_files(data / "many", sizes.files)
    datasets.many_files(data / "changed", datasets.CHANGED)
    orders = datasets.orders(sizes.rows)
    for ending in datasets.FORMATS:
        datasets.write(orders, data / f"first.{ending}")
        for number, edit in enumerate(datasets.EDITS.values()):
            datasets.write(edit(orders), data / f"next{number}.{ending}")


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--tools", default="")
    asked.add_argument("--works", default="", help="of: large file, small files, csv, parquet")
    asked.add_argument("--small", action="store_true")
    asked.add_argument("--rounds", type=int, default=3)
    given = asked.parse_args()
    sizes = SMALL if given.small else Sizes()
    tools = [t for t in VERSIONERS if not given.tools or t.name in given.tools.split(",")]
    bins = {t.name: installed(t) for t in tools}
    found: dict[str, Costs] = {}
    remarks: list[str] = []
    with tempfile.TemporaryDirectory(prefix="data-versioning-") as folder:
        data = Path(folder) / "data"
        lay_out(data, sizes)
        least_of = floor(data, given.rounds)
        for tool in tools:
            bin_ = bins[tool.name]
            if isinstance(bin_, str):
                remarks.append(f"{tool.name} could not be installed: {bin_}")
                continue
            found[tool.name], failed = measured(tool, bin_, data, given.rounds, given.works)
            remarks += [f"{tool.name} {version(tool, bin_)}: {tool.remark}. {tool.idiom}", *failed]
        about = ", ".join(f"{e} {(data / f'first.{e}').stat().st_size / 1e6:,.0f} MB" for e in datasets.FORMATS)
    best = {name: {row: least(costs) for row, costs in costs_of.items()} for name, costs_of in found.items()}
    print(page(rows(sizes, least_of), best, [t.name for t in tools], judged=not given.small))
    print("\n" + beside_cp(best.get("Lockgate", {}).get("big"), least_of, judged=not given.small))
    print(
        f"\nThe table: {sizes.rows:,} orders, {about} (zstd, row groups of {datasets.ROW_GROUP:,} rows, written by Polars).\n"
    )
    print("\n".join(f"- {remark}" for remark in remarks))


def beside_cp(ours: Cost | None, least_of: dict[str, Cost], *, judged: bool) -> str:
    """The floor's parts, and how long adding the large file takes beside copying it."""
    lines = ["| floor | CPU s | wall s |", "|---|---:|---:|"]
    lines += [f"| {what} | {cost.cpu_s:.2f} | {cost.wall_s:.1f} |" for what, cost in least_of.items()]
    if ours:
        times = {what: ours.wall_s / least_of[what].wall_s for what in ("cp", "cp and sync")}
        goal = f" (goal 1.5: {'met' if times['cp'] <= 1.5 else 'missed'})" if judged else ""
        lines += [
            "",
            f"Lockgate's wall seconds for the large file: {times['cp']:.1f} × `cp`{goal}; it syncs what it stores: {times['cp and sync']:.1f} × `cp` and `sync`.",
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
