"""What analysis cannot see through counts as a whole, and `why` says which module and for which construct."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from build.small_project import key_of, write
from build.working_copy import NOW, WorkingCopy
from lockgate.build.closure import closure
from lockgate.build.modules import Project
from lockgate.delivery import run as delivery
from lockgate.delivery.why import why
from lockgate.project import open_project


@dataclass(frozen=True)
class Case:
    """`p/m.py` with the step's function, what `why` says of it, and files in which any edit must then change the key."""

    name: str
    text: str
    said: tuple[str, ...]
    whole: tuple[str, ...] = ("p/a.py",)


EVERYTHING = ("p/m.py", "p/a.py", "p/b.py")
CASES = [
    Case("getattr on a module", "from p import a\ndef f(n='k'):\n    return getattr(a, n.upper())\n", ("all of p.a: used as a value in p.m.f",)),
    Case("vars of a module", "import p.a as x\ndef f():\n    return vars(x)\n", ("all of p.a: used as a value in p.m.f", "all of p.m: vars() in p.m.f"), ("p/a.py", "p/m.py")),
    Case("globals", "K = 1\nOTHER = 2\ndef f():\n    return globals()['K']\n", ("all of p.m: globals() in p.m.f",), ("p/m.py",)),
    Case("exec", "def f():\n    exec('x = 1')\n", ("the whole project: exec in p.m.f",), EVERYTHING),
    Case("eval", "def f(n='1'):\n    return eval(n)\n", ("the whole project: eval in p.m.f",), EVERYTHING),
    Case("a computed import", "import importlib\ndef f(n='p.a'):\n    return importlib.import_module(n)\n",
         ("the whole project: importlib.import_module in p.m.f",), EVERYTHING),
    Case("a spelled-out import", "import importlib\ndef f():\n    return importlib.import_module('p.a').K\n", ("all of p.a: used as a value in p.m.f",)),
    Case("pickle", "import pickle\ndef f(b=b''):\n    return pickle.loads(b)\n", ("the whole project: pickle.loads in p.m.f",), EVERYTHING),
    Case("another program", "import subprocess\ndef f():\n    return subprocess.run(['x'])\n", ("the whole project: subprocess.run in p.m.f",), EVERYTHING),
    Case("a reference in text", "def f():\n    return 'p.a:g'\n", ("all of p.a: p.m.f has the text 'p.a.g'",)),
    Case("a name that is not in the text", "from p import a\ndef f():\n    return a.missing\n", ("all of p.a: p.m.f asks for missing, which is not found in its text",)),
    Case("subclasses", "def f():\n    return object.__subclasses__()\n", ("the whole project: __subclasses__ in p.m.f",), EVERYTHING),
    Case("a star import is resolved by name", "from p.a import *\ndef f():\n    return K\n", (), ()),
    Case("a patch is followed by name", "from p import a\na.K = 3\ndef f():\n    return a.K\n", (), ()),
]  # fmt: skip

A = "K = 1\ndef g():\n    return 5\n"
B = "L = 1\ndef h():\n    return 6\n"


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_what_is_widened_is_said_and_counts(case: Case, tmp_path: Path) -> None:
    files = {"p/__init__.py": "", "p/m.py": case.text, "p/a.py": A, "p/b.py": B}
    root = write(tmp_path / "was", files)
    assert closure(Project(root), [("p.m", "f")]).widened == case.said
    for name in ("p/m.py", "p/a.py", "p/b.py"):
        added = write(
            tmp_path / name.replace("/", "-"), {**files, name: files[name] + "\ndef nobody_names_me():\n    return 7\n"}
        )
        assert (key_of(added, "p.m:f") != key_of(root, "p.m:f")) == (name in case.whole), name


def test_a_module_that_answers_for_any_name(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "p/__init__.py": "",
            "p/a.py": "def __getattr__(n):\n    return 1\n",
            "p/m.py": "from p import a\ndef f():\n    return a.x\n",
        },
    )
    assert closure(Project(root), [("p.m", "f")]).widened == ("all of p.a: its __getattr__ answers for x",)


STEPS = """
from lockgate import Pipeline, step
from flow import tools
@step
def first() -> int:
    return getattr(tools, "one".lower())()
@step
def second(first: int) -> int:
    return first + 1
flow = Pipeline("flow", kind="data", steps=[first, second])
"""


def test_why_says_so_before_and_after_a_run(tmp_path: Path) -> None:
    copy = WorkingCopy(tmp_path, STEPS, flow__tools="def one():\n    return 1\ndef other():\n    return 2\n")

    def lines(step: str) -> list[str]:
        return why(delivery.plan(open_project(copy.root), now=NOW), step)[1]

    said = "counts as a whole, all of flow.tools: used as a value in flow.steps.first"
    assert said in lines("first")
    assert copy.did() == {"first": "run", "second": "run"}
    assert said in lines("first")
    assert not any("as a whole" in line for line in lines("second"))
    copy.edit("flow/tools.py", "return 2", "return 3")
    assert lines("first") == ["flow.tools.other changed (flow/tools.py:3)", said]
