"""A program as a step: the same rules as a function."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lockgate import command
from lockgate.build import opens
from lockgate.build.landlock import landlock_version
from lockgate.errors import LockgateError, UsageError
from lockgate.project import open_project

from build.working_copy import WorkingCopy

SOURCES = '[sources.sales]\nkind = "file"\npath = "data/sales.csv"\n'
STEPS = """
from pathlib import Path
from lockgate import Pipeline, command, step

total = command("python scripts/total.py data/sales.csv --rate 2", name="total", reads={"sales": "data/sales.csv"},
                files=["scripts/total.py", "params.txt"], writes="out/total.txt")
parts = command(["python", "scripts/parts.py"], name="parts", reads={"sales": "in.csv", "total": "t"}, files=["scripts/parts.py"],
                writes={"head": "made/head.csv", "rest": "made/rest/"})
copied = command("cp made/head.csv copy.csv", name="copied", reads={"head": "made/head.csv"}, writes="copy.csv")

@step
def length(copied: Path, rest: Path, total: Path) -> list[str]:
    return [copied.read_text(), *sorted(p.name for p in rest.iterdir()), total.read_text()]

flow = Pipeline("flow", kind="data", steps=[total, parts, copied, length])
"""
TOTAL = """
import sys
from pathlib import Path
units = [int(line) for line in open(sys.argv[1]).read().split()[1:]]
Path("out/total.txt").write_text(str(sum(units) * int(sys.argv[3])) + Path("params.txt").read_text())
print("said")
"""
PARTS = """
from pathlib import Path
head, *rest = Path("in.csv").read_text().split()
Path("made/head.csv").write_text(head)
for line in rest:
    Path("made/rest", line).write_text(line)
assert Path("t").exists()
"""


@pytest.fixture
def copy(tmp_path: Path) -> WorkingCopy:
    made = WorkingCopy(tmp_path / "flow", STEPS, toml=SOURCES)
    made.write("data/sales.csv", "units\n1\n2\n")
    made.write("scripts/total.py", TOTAL)
    made.write("scripts/parts.py", PARTS)
    made.write("params.txt", "!")
    return made


def failure(copy: WorkingCopy) -> LockgateError:
    error = copy.run().error
    assert error is not None
    return error


def test_a_program_makes_files_and_folders_that_others_read(copy: WorkingCopy) -> None:
    assert copy.value("length") == ["units", "1", "2", "6!"]
    assert set(copy.did().values()) == {"reuse"}
    assert sorted(p.name for p in copy.root.iterdir()) == [
        ".lockgate", "data", "flow", "lockgate.toml", "params.txt", "scripts",
    ]  # fmt: skip


def test_what_it_depends_on_and_nothing_else_runs_it_again(copy: WorkingCopy) -> None:
    copy.did()
    copy.edit("flow/steps.py", "--rate 2", "--rate 3")
    assert [s for s, a in copy.did().items() if a == "run"] == ["total", "parts", "length"]
    copy.write("params.txt", "?")
    assert copy.plan()["total"] == "run"
    from lockgate.delivery.why import why
    from lockgate.delivery import run as delivery
    from build.working_copy import NOW

    planned = delivery.plan(open_project(copy.root), now=NOW)
    assert why(planned, "total") == ("run", ["file params.txt changed"])
    copy.did()
    copy.edit(
        "scripts/parts.py", 'Path("made/head.csv").write_text(head)', 'Path("made/head.csv").write_text(head) # no more'
    )
    assert {s: a for s, a in copy.did().items() if a == "run"} == {"parts": "run"}  # the bytes are the same


def test_an_exit_code_fails_the_step_with_its_last_words(copy: WorkingCopy) -> None:
    copy.write("scripts/total.py", "import sys\nprint('about to fail')\nsys.exit('no such rate')")
    error = failure(copy)
    assert error.what == "step flow.total failed"
    assert "python: exit code 1; its last output: about to fail; no such rate" in error.value


def test_an_output_that_is_not_there_is_named_with_what_is(copy: WorkingCopy) -> None:
    copy.write("scripts/total.py", "open('out/totals.txt', 'w').write('x')")
    error = failure(copy)
    assert (error.what, error.value) == ("a command did not write what it declares", "flow.total: out/total.txt")
    assert error.allowed == "it wrote: out/totals.txt"


@pytest.mark.skipif(not landlock_version(), reason="this kernel has no Landlock")
@pytest.mark.parametrize(
    "text",
    [
        "print(open('secret.csv').read())",
        "try: open('secret.csv')\nexcept OSError: pass\nopen('out/total.txt', 'w').write('x')",
        "import subprocess; subprocess.run(['cat', 'secret.csv']); open('out/total.txt', 'w').write('x')",
        "import polars; polars.read_csv('secret.csv')",
        "open({root!r} + '/secret.csv')",
    ],
)
def test_an_undeclared_file_is_named_whoever_opens_it(copy: WorkingCopy, text: str) -> None:
    copy.write("secret.csv", "a,b\n1,2\n")
    copy.write("scripts/total.py", text.replace("{root!r}", repr(str(copy.root))))
    error = failure(copy)
    assert error.what.startswith("a command reads what it does not declare")
    assert error.value.startswith("flow.total: secret.csv")
    assert 'add "secret.csv" to files' in error.next


def test_an_undeclared_module_is_named(copy: WorkingCopy) -> None:
    copy.write("scripts/rates.py", "RATE = 2")
    copy.write("scripts/total.py", "from rates import RATE")
    assert failure(copy).value.startswith("flow.total: scripts/rates.py")


@pytest.mark.skipif(not landlock_version(), reason="this kernel has no Landlock")
def test_what_it_reads_cannot_be_changed_by_it(copy: WorkingCopy) -> None:
    copy.write("scripts/total.py", "open('data/sales.csv', 'w')")
    assert "PermissionError" in failure(copy).value
    assert (copy.root / "data/sales.csv").read_text() == "units\n1\n2\n"


@pytest.mark.parametrize(
    "words",
    ["a > b", "a | b", "a && b", "a; b", "a $HOME", "a `b`", "a *.csv", "X=1 a", "a ~/b", "a 'b", "a\nb", "", []],
)
def test_words_for_a_shell_are_refused(words: str) -> None:
    with pytest.raises(UsageError, match="declared wrongly"):
        command(words, name="x", writes="y")


def test_quoted_words_are_taken_as_they_are() -> None:
    assert command("a 'b > $c' \"*\" d\\ e", name="x", writes="y").words == ("a", "b > $c", "*", "d e")


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1))
def test_a_list_is_taken_as_it_is(words: list[str]) -> None:
    assert command(words, name="x", writes="y").words == tuple(words)


@pytest.mark.parametrize(
    "more",
    [
        {"writes": "/tmp/x"}, {"writes": "../x"}, {"writes": "."}, {"writes": {}}, {"writes": {"x": "a"}}, {"writes": {"a b": "a"}},
        {"writes": {"a": "d/", "b": "d/e"}}, {"reads": {"s": "y"}}, {"files": "y.py"}, {"files": ["a", "./a"]}, {"name": "a-b"},
    ],
)  # fmt: skip
def test_places_that_cannot_be_are_refused(more: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="declared wrongly"):
        command("a", **{"name": "x", "writes": "y", **more})


def test_what_is_not_there_is_said_when_it_is_declared(copy: WorkingCopy) -> None:
    copy.edit("flow/steps.py", '"params.txt"', '"param.txt"')
    assert "total: param.txt" in failure_of_plan(copy)
    copy.edit("flow/steps.py", '"param.txt"', '"params.txt"')
    copy.edit("flow/steps.py", '"cp made', '"no-such-program made')
    assert "copied: no-such-program" in failure_of_plan(copy)
    copy.edit("flow/steps.py", '"no-such-program made', '"cp made')
    copy.edit("flow/steps.py", '"total": "t"', '"totl": "t"')
    assert "parts(totl)" in failure_of_plan(copy)


def failure_of_plan(copy: WorkingCopy) -> str:
    with pytest.raises(LockgateError) as raised:
        copy.plan()
    return str(raised.value)


@pytest.mark.parametrize(
    ("words", "text", "packages", "widened"),
    [
        ("python scripts/total.py", "import hypothesis", {"hypothesis"}, ""),
        ("python scripts/total.py", "def f():\n    from hypothesis import given", {"hypothesis"}, ""),
        ("python -m pytest scripts/total.py", "x = 1", {"pytest"}, ""),
        (["python", "-c", "import hypothesis"], "x = 1", {"hypothesis"}, ""),
        (
            "python scripts/total.py",
            "import importlib\nimportlib.import_module(NAME)",
            {"pytest", "ruff"},
            "import_module in",
        ),
        ("python scripts/total.py", "not python at all", {"pytest", "ruff"}, "cannot be read as Python"),
        ("env python scripts/total.py", "x = 1", {"pytest", "ruff"}, "'python' among its words"),
        ("cat scripts/total.py", "x = 1", set(), ""),
    ],
)
def test_which_packages_it_reaches(
    copy: WorkingCopy, words: object, text: str, packages: set[str], widened: str
) -> None:
    copy.write("scripts/total.py", text)
    copy.edit("flow/steps.py", '"python scripts/total.py data/sales.csv --rate 2"', repr(words))
    node = copy.lower(["sales"])["nodes"]["flow.total"]
    reached = {p.partition("==")[0] for p in node["packages"]}
    assert packages <= reached
    assert bool(reached) == bool(packages)
    assert widened in " ".join(node["widened"])
    assert bool(widened) == bool(node["widened"])


def test_a_program_of_the_project(copy: WorkingCopy) -> None:
    copy.write("scripts/parts.py", "#!/bin/sh\nhead -1 in.csv > made/head.csv\ntouch made/rest/x\n")
    copy.edit("flow/steps.py", 'command(["python", "scripts/parts.py"]', 'command(["./scripts/parts.py"]')
    assert copy.did(to="copied")["parts"] == "run"
    copy.edit("flow/steps.py", 'command(["./scripts/parts.py"]', 'command(["./scripts/run.sh"]')
    assert "a program of the project that it does not declare: parts: ./scripts/run.sh" in failure_of_plan(copy)


def test_another_program_under_the_same_name_runs_it_again(
    copy: WorkingCopy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy.did()
    own = tmp_path / "bin" / "cp"
    own.parent.mkdir()
    own.write_text('#!/bin/sh\nexec /bin/cp "$@"\n')
    own.chmod(0o755)
    monkeypatch.setenv("PATH", f"{own.parent}:{os.environ['PATH']}")
    assert copy.plan() == {
        "total": "reuse",
        "parts": "reuse",
        "copied": "run",
        "head": "reuse",
        "rest": "reuse",
        "length": "maybe",
    }


def test_limits_and_the_last_words_of_what_was_ended(tmp_path: Path) -> None:
    steps = """
    from lockgate import Pipeline, command
    slow = command(["sh", "-c", "echo began; sleep 60 & sleep 60"], name="slow", writes="x", timeout_s=1)
    flow = Pipeline("flow", kind="data", steps=[slow])
    """
    copy = WorkingCopy(tmp_path / "flow", steps)
    error = failure(copy)
    assert "began" in error.value
    assert "slow" in error.what + error.value


def test_what_a_program_leaves_running_does_not_hold_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody opens files without end; the program itself has ended."""
    heard: list[int] = []

    def answer(ear: int, _: object) -> None:
        heard.append(ear)
        assert len(heard) < 1000

    monkeypatch.setattr(opens, "_answer", answer)
    ear, other = os.pipe()
    os.write(other, b"more")  # readable for ever
    with subprocess.Popen(["true"]) as program:
        os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)
        opens._listen(ear, program, lambda _: None)
    os.close(ear)
    os.close(other)


@pytest.mark.skipif(not landlock_version(), reason="this kernel has no Landlock")
def test_the_network_is_shut_and_variables_are_declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = """
    from lockgate import Pipeline, command
    code = "import os, socket; open('x', 'w').write(os.environ.get('FLOW_A', '-') + os.environ.get('FLOW_B', '-'))"
    told = command(["python", "-c", code], name="told", writes="x", environment=["FLOW_A"])
    reach = command(["python", "-c", "import socket; socket.create_connection(('127.0.0.1', 9))"], name="reach", writes="x")
    flow = Pipeline("flow", kind="data", steps=[told, reach])
    """
    monkeypatch.setenv("FLOW_A", "a")
    monkeypatch.setenv("FLOW_B", "b")
    copy = WorkingCopy(tmp_path / "flow", steps)
    assert copy.did(to="told") == {"told": "run"}
    project = open_project(copy.root)
    record = copy.run(to="told")
    assert project.store.get(record.artifacts["flow.told"].object).read_text() == "a-"
    monkeypatch.setenv("FLOW_A", "c")
    assert copy.plan(to="told") == {"told": "run"}
    assert "PermissionError" in failure(copy).value


def test_its_files_are_among_those_a_release_comes_from(copy: WorkingCopy) -> None:
    from lockgate.delivery.lineage import code_files

    record = copy.run(to="copied")
    files = code_files(record.planned.graph.pipelines["flow"], record)
    assert files == ["params.txt", "scripts/parts.py", "scripts/total.py"]
