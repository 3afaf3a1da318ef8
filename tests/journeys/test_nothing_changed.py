"""Nothing changed, nothing runs; something changed, only what depends on it runs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from build.working_copy import WorkingCopy
from journeys.walking import DAYS, FAILED, Lockgate, copy, edit, write_sales

Copier = Callable[[Lockgate], Lockgate]

STEPS = {"history", "model", "holdout", "trained_rows"}
BUDGET_SECONDS = 0.3
CALLS_PER_STEP = 180
"""Of functions, those in C included."""
SLACK = 2.0
"""Two busy cores are not the machine that the budget is about."""


@pytest.fixture(scope="module")
def watched(ran: Lockgate, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lockgate, Path]:
    """A project whose every import leaves a line in a file, with nothing left to do."""
    folder = tmp_path_factory.mktemp("watched")
    lockgate, imports = copy(ran, folder / "shop"), folder / "imports"
    module = lockgate.root / "shop" / "pipelines.py"
    note = f'''
import contextlib
with contextlib.suppress(PermissionError), open("{imports}", "a") as _file:  # a step's sandbox refuses it
    _file.write(__name__ + "\\n")
'''
    module.write_text(module.read_text() + note)
    lockgate("run")  # a statement that nobody can see through may change everything, so everything runs
    assert imports.exists()
    time.sleep(2.1)  # file times are not trusted within 2 s of a change
    lockgate("run")
    return lockgate, imports


def ran_now(lockgate: Lockgate) -> set[str]:
    actions = lockgate.actions()
    assert set(actions) == STEPS
    return {name for name, action in actions.items() if action == "run"}


def test_nothing_runs_nothing_is_imported_and_it_is_quick(
    watched: tuple[Lockgate, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    lockgate, imports = watched
    before = imports.read_text()
    took: list[float] = []
    for _ in range(5):
        began = time.perf_counter()
        done = lockgate("run")
        took.append(time.perf_counter() - began)
        assert done.out == "done  0 run, 4 reused\n"
        assert done.err == ""
    assert imports.read_text() == before
    for command in (("plan",), ("why", "model"), ("status",), ("releases",), ("show", "model")):
        lockgate(*command)
    assert imports.read_text() == before
    with capsys.disabled():
        print(f"\n`lockgate run` with nothing to do: {min(took):.3f} s (best of 5; budget {BUDGET_SECONDS} s)")
    assert min(took) < BUDGET_SECONDS * SLACK


NEXT = "\n@step\ndef s{step}(s{before}: int) -> int:\n    return s{before} + 1\n"
FIRST = "from lockgate import Pipeline, step\n\n@step\ndef s0() -> int:\n    return 0\n"
COUNT = """
import sys
from lockgate.cli.main import main
import lockgate.cli.build
counted = {"calls": 0, "files": 0}

def hear(event, arguments):
    counted["files"] += event == "open" and ".lockgate/results" in str(arguments[0])

def see(frame, event, argument):
    counted["calls"] += event in ("call", "c_call")

sys.addaudithook(hear)
sys.setprofile(see)
main(["run"])
sys.setprofile(None)
print(counted["calls"], counted["files"])
"""


def work_of_nothing(folder: Path, steps: int) -> tuple[int, int]:
    """Calls of functions, and records read, in a run of a chain of steps with nothing to do."""
    text = FIRST + "".join(NEXT.format(step=n, before=n - 1) for n in range(1, steps))
    text += f"\nflow = Pipeline('flow', kind='data', steps=[{', '.join(f's{n}' for n in range(steps))}])\n"
    copy = WorkingCopy(folder, text)
    copy.did()
    for _ in range(2):  # the first may find files that were written just now
        done = subprocess.run([sys.executable, "-c", COUNT], cwd=folder, capture_output=True, text=True, check=True)
    said, counted = done.stdout.splitlines()
    assert said == f"done  0 run, {steps} reused"
    calls, files = counted.split()
    return int(calls), int(files)


def test_each_step_more_costs_one_file_and_the_same_work(tmp_path: Path) -> None:
    """Counted, since seconds on a busy machine prove nothing: as many calls for each further step, however many there are."""
    calls, files = zip(*(work_of_nothing(tmp_path / str(n), n) for n in (10, 40, 100)), strict=True)
    assert files == (10, 40, 100)
    first, later = (calls[1] - calls[0]) / 30, (calls[2] - calls[1]) / 60
    assert later < first + 5
    assert later < CALLS_PER_STEP


def test_touching_a_file_runs_nothing_and_imports_nothing(watched: tuple[Lockgate, Path]) -> None:
    lockgate, imports = watched
    before = imports.read_text()
    (lockgate.root / "shop" / "pipelines.py").touch()
    (lockgate.root / "data" / "sales.csv").touch()
    assert ran_now(lockgate) == set()
    assert imports.read_text() == before


def test_a_comment_and_a_docstring_run_nothing(ran: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(ran)
    edit(
        lockgate.root,
        "shop/pipelines.py",
        "    return Model(factor)",
        "    # a factor, and nothing else\n    return Model(factor)",
    )
    edit(
        lockgate.root,
        "shop/pipelines.py",
        '"""Rows: one per (date, product)."""',
        '"""Rows: one per (date, product), sorted."""',
    )
    assert ran_now(lockgate) == set()


def test_an_edited_function_runs_with_what_depends_on_it(ran: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(ran)
    edit(lockgate.root, "shop/pipelines.py", "return Model(factor)", "return Model(factor * 1.01)")
    assert ran_now(lockgate) == {"model", "trained_rows"}
    edit(lockgate.root, "shop/pipelines.py", "best_simple=pl.lit(50.0)", "best_simple=pl.lit(51.0)")
    assert ran_now(lockgate) == {"holdout"}
    assert ran_now(lockgate) == set()


def test_the_same_result_wakes_nobody(ran: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(ran)
    edit(lockgate.root, "shop/pipelines.py", "return Model(factor)", "return Model(factor * 1.0)")
    assert ran_now(lockgate) == {"model"}


def test_a_helper_that_a_step_calls_belongs_to_the_step(ran: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(ran)
    edit(
        lockgate.root,
        "shop/pipelines.py",
        "@step\ndef model(",
        "def doubled(x: float) -> float:\n    return x * 2\n\n@step\ndef model(",
    )
    assert ran_now(lockgate) == set()
    edit(lockgate.root, "shop/pipelines.py", "return Model(factor)", "return Model(doubled(factor))")
    assert ran_now(lockgate) == {"model", "trained_rows"}
    edit(lockgate.root, "shop/pipelines.py", "x * 2", "x * 3")
    assert ran_now(lockgate) == {"model", "trained_rows"}


def test_a_parameter_runs_what_takes_it(ran: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(ran)
    with (lockgate.root / "lockgate.toml").open("a") as settings:
        settings.write("\n[params.model]\nfactor = 1.02\n")
    assert ran_now(lockgate) == {"model", "trained_rows"}
    assert lockgate.json("show", "model")["value"] == {"factor": 1.02}
    assert {n for n, a in lockgate.actions("--param", "model.factor=1.0").items() if a == "run"} == set()


def test_a_day_more_runs_the_data_steps_again(ran: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(ran)
    write_sales(lockgate.root, days=DAYS + 1)
    assert ran_now(lockgate) == STEPS
    write_sales(lockgate.root, days=DAYS)
    assert ran_now(lockgate) == set()


def test_data_that_went_away_is_named_and_back_again_nothing_runs(ran: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(ran)
    (lockgate.root / "data" / "sales.csv").rename(lockgate.root / "away.csv")
    done = lockgate("run", expect=FAILED)
    assert "source sales is neither at data/sales.csv nor in a shared store" in done.err
    (lockgate.root / "away.csv").rename(lockgate.root / "data" / "sales.csv")
    assert ran_now(lockgate) == set()


def test_a_lost_object_is_made_again(ran: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(ran)
    Path(lockgate.json("show", "model")["path"]).unlink()
    assert ran_now(lockgate) == {"model"}
