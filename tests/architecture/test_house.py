"""The house stands as drawn: who imports whom, what starting loads, how things are called and how long they get."""

from __future__ import annotations

import fnmatch
import os
import shutil
import subprocess
import sys
from pathlib import Path

import lockgate
import pytest

from build.working_copy import CHAIN, WorkingCopy

ROOT = Path(__file__).resolve().parents[2]
HOUSE = ROOT / "src" / "lockgate"
MODULES = sorted(HOUSE.rglob("*.py"))
SHORT = [p.relative_to(HOUSE).as_posix() for p in MODULES]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("importlinter")
    command = [
        sys.executable,
        "-c",
        "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))",
    ]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(folder / "src")}
    )


PLANTED = {
    "records/digest.py": ("from lockgate.project import Project", "The house"),
    "gates/stage.py": ("import lockgate.ports", "Judging is pure"),
    "build/plan.py": ("import lockgate.release.bundle", "The engine room knows no stage"),
    "forge/jobs.py": ("import lockgate.durable", "What a forge is told is pure"),
    "delivery/run.py": ("import lockgate.adapters.local", "Nobody imports an adapter"),
    "adapters/files.py": ("import lockgate.adapters.local", "Adapters do not know each other"),
    "build/trace.py": ("import numpy", "are plain Python"),
}


def test_a_planted_import_is_found(tmp_path: Path) -> None:
    """One break of each contract, in a copy."""
    shutil.copytree(HOUSE, tmp_path / "src" / "lockgate", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name, (line, _) in PLANTED.items():
        path = tmp_path / "src" / "lockgate" / name
        path.write_text(path.read_text() + f"\n\ndef planted() -> None:\n    {line}\n")
    done = lint(tmp_path)
    assert done.returncode == 1
    broken = [line for line in done.stdout.splitlines() if " BROKEN" in line]
    for name, (_, contract) in PLANTED.items():
        assert any(contract in line for line in broken), f"{name}: {broken}"


def test_the_facade_is_small_and_complete() -> None:
    assert len(lockgate.__all__) <= 30
    assert list(lockgate.__all__) == sorted(lockgate.__all__)
    for name in lockgate.__all__:
        assert getattr(lockgate, name) is not None
    packages = {p.name for p in HOUSE.iterdir() if p.is_dir()} | {p.stem for p in HOUSE.glob("*.py")}
    assert packages & set(lockgate.__all__) == {"gates"}
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = lockgate.nothing


def loaded(code: str, folder: Path) -> set[str]:
    """Names of all modules in a fresh process after `code`; no stdout of its own."""
    code += "\nimport sys\nprint(*sorted(sys.modules), file=sys.__stderr__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())


HEAVY = {
    "asyncio", "cryptography", "ctypes", "email", "http", "httptools", "importlib.metadata", "jinja2", "lightgbm",
    "multiprocessing", "numpy", "pandas", "polars", "pyarrow", "scipy", "ssl", "unittest", "urllib.request", "uvicorn", "uvloop",
}  # fmt: skip
NOT_FOR_HELP = {
    "blake3",
    "dataclasses",
    "hashlib",
    "inspect",
    "json",
    "lockgate.declare",
    "lockgate.records",
    "tomllib",
}
NOT_FOR_NOTHING = {
    "lockgate.build.capture", "lockgate.build.engine", "lockgate.build.execute", "lockgate.build.lower", "lockgate.codecs", "lockgate.declare",
    "lockgate.build.loading", "lockgate.delivery.why", "lockgate.records.dataset",
    "hashlib", "platform", "shutil", "socket", "subprocess", "lzma", "threading", "flow.steps",
}  # fmt: skip
SLOW_TO_LOAD = {"ast", "base64", "copy", "dataclasses", "dis", "inspect"}
"""What a plan without partitions does without: `dataclasses` brings most of it in."""
COMMAND = (
    "import os, sys\nsys.stdout = open(os.devnull, 'w')\nfrom lockgate.cli.main import main\nmain({arguments!r})\n"
)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which everything has run."""
    copy = WorkingCopy(tmp_path_factory.mktemp("flow"), CHAIN)
    copy.did()
    copy.plan()
    return copy.root


@pytest.fixture(scope="module")
def in_partitions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with steps that run per partition."""
    steps = """
import polars as pl
from lockgate import Pipeline, step

@step(each="month")
def a(sales: pl.DataFrame) -> pl.DataFrame:
    return sales

@step
def b(a: pl.DataFrame) -> int:
    return a.height

flow = Pipeline("flow", kind="data", steps=[a, b])
"""
    source = '[sources.sales]\nkind = "file"\npath = "sales.csv"\n'
    copy = WorkingCopy(tmp_path_factory.mktemp("partitions"), steps, toml=source)
    copy.write("sales.csv", "date,units\n2011-10-30,1\n2011-11-30,1\n")
    copy.did()
    copy.plan()
    return copy.root


def third_party(names: set[str]) -> set[str]:
    tops = {n.partition(".")[0] for n in names}
    known = sys.stdlib_module_names | {"lockgate", "__main__", "sitecustomize", "usercustomize", "_distutils_hack"}
    return {t for t in tops - known if not t.startswith("_")}


def test_importing_lockgate_loads_no_third_party_package(tmp_path: Path) -> None:
    names = loaded("import lockgate", tmp_path)
    assert third_party(names) == set()
    assert not names & NOT_FOR_HELP


def test_a_project_that_declares_steps_loads_no_third_party_package(tmp_path: Path) -> None:
    assert third_party(loaded("from lockgate import Pipeline, step, predictor, deploy_to", tmp_path)) == set()


def test_help_loads_next_to_nothing(tmp_path: Path) -> None:
    names = loaded(COMMAND.format(arguments=["--help"]), tmp_path)
    assert third_party(names) == set()
    assert not names & (HEAVY | NOT_FOR_HELP)


@pytest.mark.parametrize("command", ["plan", "run"])
def test_nothing_to_do_loads_neither_engine_nor_frames(done: Path, command: str) -> None:
    names = loaded(COMMAND.format(arguments=[command]), done)
    assert third_party(names) == {"blake3"}
    assert names & (HEAVY | NOT_FOR_NOTHING | SLOW_TO_LOAD) == set()
    assert command == "plan" or "lockgate.build.explain" not in names


def test_nothing_to_do_for_partitions_reads_no_table(in_partitions: Path) -> None:
    names = loaded(COMMAND.format(arguments=["plan"]), in_partitions)
    assert third_party(names) == {"blake3"}
    assert names & (HEAVY | NOT_FOR_NOTHING | {"lockgate.build.pieces"}) == {"lockgate.records.dataset"}


def test_no_drawer_for_everything() -> None:
    drawers = {
        "util",
        "utils",
        "common",
        "base",
        "bases",
        "manager",
        "managers",
        "helper",
        "helpers",
        "misc",
        "model",
        "models",
    }
    words = {word for p in MODULES for part in p.relative_to(HOUSE).with_suffix("").parts for word in part.split("_")}
    assert not words & drawers


def test_modules_are_short() -> None:
    """300 lines: look twice. 350: split it. What stands alone in an auditor's hands is one file whatever it takes."""
    lengths = {name: len(p.read_text().splitlines()) for name, p in zip(SHORT, MODULES, strict=True)}
    del lengths["release/verify.py"]
    for name, lines in sorted(lengths.items(), key=lambda x: -x[1]):
        if lines > 300:
            print(f"look twice: {name} has {lines} lines")
    assert max(lengths.values()) <= 350
    faces = {n: lines for n, lines in lengths.items() if n.startswith("cli/")}
    assert {n: lines for n, lines in faces.items() if lines > 150} == {}


def test_every_module_says_what_it_is_for() -> None:
    import ast

    assert [n for n, p in zip(SHORT, MODULES, strict=True) if not ast.get_docstring(ast.parse(p.read_bytes()))] == []


def test_nobody_pickles_or_asks_a_shell() -> None:
    """Only what looks for such uses in a project's code may name them."""
    for name, path in zip(SHORT, MODULES, strict=True):
        if name == "build/opaque.py":
            continue
        text = path.read_text()
        for word in ("import pickle", "pickle.load", "shell=True", "os.system(", "yaml.load(", "allow_pickle=True"):
            assert word not in text, f"{name}: {word}"


def test_no_folder_of_tests_is_left_out(pytestconfig: pytest.Config) -> None:
    """pytest's default passes by folders called `build`, `dist` or `venv` without a word."""
    left_out = pytestconfig.getini("norecursedirs")
    folders = {p.parent.name for root in ("tests", "src") for p in (ROOT / root).rglob("*.py")}
    assert not [f for f in folders - {"__pycache__"} if any(fnmatch.fnmatch(f, pattern) for pattern in left_out)]
