"""A project in a folder, run as a person would: in this process, or by the command."""

from __future__ import annotations

import datetime as dt
import importlib
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from build.small_project import imported_from
from lockgate.delivery import run as delivery
from lockgate.project import open_project

NOW = dt.datetime(2030, 1, 1, 12, tzinfo=dt.UTC)
"""Long after every file was written, so that stat numbers are trusted."""

LOCKGATE = str(Path(sys.executable).parent / "lockgate")


class WorkingCopy:
    """`steps` is the text of `flow/steps.py`, which ends with the pipeline `flow` of every step in `names`."""

    def __init__(self, root: Path, steps: str, *, toml: str = "", **files: str) -> None:
        self.root = root
        self.write("flow/__init__.py", "")
        self.write("flow/steps.py", steps)
        for name, text in files.items():
            self.write(name.replace("__", "/") + ".py", text)
        self.write("lockgate.toml", '[project]\nname = "flow"\npipelines = ["flow.steps"]\n' + toml)

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def plan(self, **more: object) -> dict[str, str]:
        """Step → what it will do."""
        from lockgate.build.explain import words

        planned = delivery.plan(open_project(self.root), now=NOW, **more)
        return {s.node.rpartition(".")[2]: words(s)[0] for s in planned.plan.steps}

    def run(self, **more: object) -> delivery.RunRecord:
        return delivery.run(open_project(self.root), now=NOW, **more)

    def did(self, **more: object) -> dict[str, str]:
        """Run; step → what it did. A failure is raised."""
        record = self.run(**more)
        if record.error:
            raise record.error
        return {s.name.rpartition(".")[2]: s.action for s in record.steps}

    def lower(self, sources: Sequence[str] = ()) -> dict[str, object]:
        """What the capture child does, here: quick, and without the clock and the watching."""
        from lockgate.build.looking import Looking
        from lockgate.build.lower import lower

        with imported_from(self.root):
            importlib.import_module("flow.steps")
            return lower(self.root, ["flow.steps"], sources, looking=Looking(str(self.root)))

    def value(self, step: str) -> object:
        """The stored value of a step that made JSON."""
        project = open_project(self.root)
        record = delivery.run(project, now=NOW)
        if record.error:
            raise record.error
        return json.loads(project.store.get(record.artifacts[f"flow.{step}"].object).read_bytes())

    def command(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [LOCKGATE, *arguments],
            cwd=self.root,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )


HEAD = "from lockgate import Pipeline, step\n"

CHAIN = (
    HEAD
    + """
FACTOR = 2
SHIFT = 0

@step
def first() -> int:
    return 3

@step
def second(first: int, times: int = 1) -> int:
    return first * FACTOR * times

@step
def sign(second: int) -> str:
    return "plus" if second + SHIFT > 0 else "minus"

@step
def last(sign: str) -> str:
    return sign.upper()

flow = Pipeline("flow", kind="data", steps=[first, second, sign, last])
"""
)
