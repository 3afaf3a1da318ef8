"""One edit at a time: does the result change, does the key, and did the result depend on what was edited?

Every edit falls into one of these:

- *needed*: the result changed. The key must have changed, without exception; else the edit is *missed*.
- *used*: the result is the same, and the definition that was edited is in use: with its functions raising and its values
  replaced by `object()` (`operators.poisoned`) the result is another. An equivalent mutant: whether an edit of what runs
  shows in the result, nobody can tell without running it.
- *named*: the definition is not used with these arguments, but names lead to it from the step (`named.py`, which works
  on loaded objects and owes nothing to the analysis that is measured): other arguments may use it.
- *unused*: the step can neither run nor name it. A key that changes then makes a **needless re-run**.

A definition is one top-level statement: a function, a class with all its methods, an assignment, an import. Edits are
drawn only from files that are imported when the step runs, so files that nobody loads do not flatter the figure.
`needless` is what is held to 5 %: the share of all re-runs that were needless. `same` is the harshest figure: the share of
all edits after which the step re-ran to the same result, for whatever reason; a tool that runs nothing cannot lower it to
nothing, since it counts equivalent mutants.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from build.copied import COPIED, copy
from build.operators import Edit, edits, is_python, poisoned
from build.small_project import REFUSED
from build.styles import lay_out
from lockgate.build.closure import closure
from lockgate.build.modules import Module, Project

__all__ = ["HEAD", "Subject", "Tally", "measure", "measured", "subject"]

NO_ANSWER = "no answer"
LONG_AGO = 1_000_000_000
Key = tuple[object, ...]


@dataclass
class Tally:
    """How many edits fell where. `missed` and `wasted` say which."""

    needed: int = 0
    used: int = 0
    used_rerun: int = 0
    named: int = 0
    named_rerun: int = 0
    unused: int = 0
    refused: int = 0
    missed: list[str] = field(default_factory=list)
    wasted: list[str] = field(default_factory=list)
    operators: dict[str, int] = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        """Count another one in."""
        for name in ("needed", "used", "used_rerun", "named", "named_rerun", "unused", "refused"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.missed += other.missed
        self.wasted += other.wasted
        for operator, count in other.operators.items():
            self.operators[operator] = self.operators.get(operator, 0) + count

    @property
    def edits(self) -> int:
        """All that left a project that imports."""
        return self.needed + self.used + self.named + self.unused

    @property
    def reruns(self) -> int:
        """How many changed the key."""
        return self.needed - len(self.missed) + self.used_rerun + self.named_rerun + len(self.wasted)

    @property
    def needless(self) -> float:
        """The share of re-runs that were needless."""
        return len(self.wasted) / max(1, self.reruns)

    @property
    def same(self) -> float:
        """The share of all edits that changed the key and not the result, whatever the reason."""
        return (self.reruns - self.needed + len(self.missed)) / max(1, self.edits)

    def row(self, name: str) -> str:
        """One line of a table."""
        return (
            f"| {name} | {self.edits} | {self.needed} | {len(self.missed)} | {self.used} | {self.named} | {self.unused} "
            f"| {len(self.wasted)} | {self.needless:.1%} | {self.same:.1%} |"
        )


HEAD = (
    "| project | edits | result changed | missed | same, in use | same, named | same, unused | needless re-runs "
    "| of all re-runs | re-ran to the same result |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
)


@dataclass
class Subject:
    """A project in a folder that is edited in place, one file at a time, and put back."""

    root: Path
    target: str
    runner: subprocess.Popen[str]
    result: str
    files: tuple[str, ...]
    modules: dict[str, Module | None]
    looked: tuple[dict[str, Path | None], dict[str, bool]] = field(default_factory=lambda: ({}, {}))
    named: set[tuple[str, int]] = field(default_factory=set)
    poison: dict[tuple[str, int], str] = field(default_factory=dict)
    number: int = 0

    def ask(self, *, keep: bool = False, cpu_s: float = 0.7) -> dict[str, object]:
        """Run the target in a process of its own."""
        assert self.runner.stdin
        assert self.runner.stdout
        print(
            json.dumps({"root": str(self.root), "target": self.target, "keep": keep, "cpu_s": cpu_s}),
            file=self.runner.stdin,
            flush=True,
        )
        return json.loads(self.runner.stdout.readline())

    def key(self, edited: str = "") -> Key:
        """What a fingerprint would hold of the code; modules other than `edited` are not parsed again."""
        known = {n: m for n, m in self.modules.items() if m is None or m.file != edited}
        module, _, name = self.target.partition(":")
        found = closure(Project(self.root, known, *self.looked), [(module, name)])
        return ([(d.name, d.digest) for d in found.definitions], found.third_party, found.environment)

    @contextmanager
    def edited(self, name: str, text: bytes) -> Iterator[None]:
        """Another text in a file for a while; its time tells compiled files apart."""
        path = self.root / name
        before = path.read_bytes()
        self.number += 1
        path.write_bytes(text)
        os.utime(path, (LONG_AGO + self.number,) * 2)
        try:
            yield
        finally:
            path.write_bytes(before)
            os.utime(path, (LONG_AGO, LONG_AGO))

    def poisoned(self, name: str, edit: Edit) -> str:
        """The result when the definition that an edit stands in may not be used."""
        if (name, edit.top) not in self.poison:
            with self.edited(name, poisoned((self.root / name).read_bytes(), edit.top)):
                self.poison[name, edit.top] = str(self.ask()["result"])
        return self.poison[name, edit.top]


@contextmanager
def subject(root: Path, target: str) -> Iterator[Subject]:
    """Make a project ready: compiled, its result and the files it loads known."""
    for path in root.rglob("*.py"):
        os.utime(path, (LONG_AGO, LONG_AGO))
    command = [sys.executable, "-E", "-s", str(Path(__file__).with_name("forked.py"))]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as runner:
        found = Subject(root, target, runner, "", (), {})
        first, again = found.ask(keep=True, cpu_s=20.0), found.ask()
        found.result = str(first["result"])
        assert found.result == again["result"], "this result is another one every time"
        assert "Error" not in found.result[:40], found.result
        assert not found.result.startswith(REFUSED), found.result
        files = [os.path.relpath(str(f), root) for f in first["files"]]  # type: ignore[attr-defined]
        found.files = tuple(f for f in files if not f.startswith("entry"))
        project = Project(root)
        closure(project, [(target.partition(":")[0], target.partition(":")[2])])
        found.modules, found.looked = project.modules, (project.files, project.folders)
        found.named = {(os.path.relpath(f, root), n) for f, n in first["named"]}  # type: ignore[attr-defined]
        yield found
        runner.stdin.close()  # type: ignore[union-attr]


def measure(given: Subject, chance: random.Random, *, count: int) -> Tally:
    """Draw `count` edits and see what each does."""
    key, tally = given.key(), Tally()
    possible = [(name, edit) for name in given.files for edit in edits((given.root / name).read_bytes())]
    for name, edit in chance.sample(possible, min(count, len(possible))):
        text = edit.applied((given.root / name).read_bytes())
        if not is_python(text):
            continue
        with given.edited(name, text):
            result = str(given.ask()["result"])
            rerun = not result.startswith(REFUSED) and given.key(name) != key
            if result == NO_ANSWER and not rerun:  # an endless loop, or a busy machine
                result = str(given.ask(cpu_s=20.0)["result"])
        _count(given, tally, (name, edit), result, rerun=rerun)
    return tally


def _count(given: Subject, tally: Tally, which: tuple[str, Edit], result: str, *, rerun: bool) -> None:
    name, edit = which
    said = f"{given.target} {name}:{edit.line} {edit.operator} → {edit.text[:60]!r}"
    if result.startswith(REFUSED):  # its graph is never captured, so no key is asked for
        tally.refused += 1
        return
    tally.operators[edit.operator] = tally.operators.get(edit.operator, 0) + 1
    if result != given.result:
        tally.needed += 1
        tally.missed += [] if rerun else [f"{said}: {given.result[:80]} → {result[:80]}"]
    elif given.poisoned(name, edit) != given.result:
        tally.used += 1
        tally.used_rerun += rerun
    elif (name, edit.top) in given.named:
        tally.named += 1
        tally.named_rerun += rerun
    else:
        tally.unused += 1
        tally.wasted += [said] if rerun else []


def measured(name: str, folder: Path, chance: random.Random, *, count: int) -> Tally:
    """Lay out a style or a copied package and measure it."""
    root = folder / name.replace(" ", "-")
    root.mkdir()
    with subject((copy if name in COPIED else lay_out)(name, root), "entry:f") as found:
        return measure(found, chance, count=count)
