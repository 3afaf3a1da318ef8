"""Plan and run on real projects, with real step processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from lockgate.errors import LockgateError, StepFailed, UsageError

from build.working_copy import CHAIN, HEAD, LOCKGATE, WorkingCopy


@pytest.fixture
def chain(tmp_path: Path) -> WorkingCopy:
    return WorkingCopy(tmp_path, CHAIN)


def test_after_a_run_everything_is_reused(chain: WorkingCopy) -> None:
    assert set(chain.plan().values()) == {"run"}
    assert set(chain.did().values()) == {"run"}
    assert set(chain.plan().values()) == {"reuse"}
    assert set(chain.did().values()) == {"reuse"}


def test_a_step_that_makes_the_same_wakes_nobody(chain: WorkingCopy) -> None:
    chain.did()
    chain.edit("flow/steps.py", "SHIFT = 0", "SHIFT = 1")
    assert chain.plan() == {"first": "reuse", "second": "reuse", "sign": "run", "last": "maybe"}
    assert chain.did() == {"first": "reuse", "second": "reuse", "sign": "run", "last": "reuse"}


def test_an_edit_back_finds_the_old_results(chain: WorkingCopy) -> None:
    chain.did()
    chain.edit("flow/steps.py", "FACTOR = 2", "FACTOR = 5")
    assert chain.did()["second"] == "run"
    chain.edit("flow/steps.py", "FACTOR = 5", "FACTOR = 2")
    assert set(chain.did().values()) == {"reuse"}


def test_a_renamed_pipeline_reuses_its_results(chain: WorkingCopy) -> None:
    chain.did()
    chain.edit("flow/steps.py", 'Pipeline("flow"', 'Pipeline("stream"')
    assert set(chain.plan().values()) == {"reuse"}


def test_a_failure_keeps_what_was_computed(chain: WorkingCopy) -> None:
    chain.edit("flow/steps.py", "return sign.upper()", "raise ValueError(sign)")
    record = chain.run()
    assert [s.action for s in record.steps] == ["run", "run", "run", "failed"]
    assert isinstance(record.error, StepFailed)
    assert "ValueError: plus" in str(record.error)
    assert "flow/steps.py:20 in last" in str(record.error)
    chain.edit("flow/steps.py", "raise ValueError(sign)", "return sign.lower()")
    assert chain.did() == {"first": "reuse", "second": "reuse", "sign": "reuse", "last": "run"}


def test_parameters(chain: WorkingCopy) -> None:
    assert chain.did(params={"second": {"times": 4}})["second"] == "run"
    assert chain.plan(params={"second": {"times": 4}})["second"] == "reuse"
    assert chain.plan()["second"] == "run"
    for params, says in (
        ({"secnd": {"times": 4}}, "second?"), ({"second": {"time": 4}}, "times?"), ({"second": {"times": "4"}}, "int, e.g. 1"),
        ({"second": {"times": True}}, "int"), ({"second": {"first": 4}}, "times"), ({"first": {"times": 1}}, "no such parameter"),
    ):  # fmt: skip
        with pytest.raises(UsageError) as error:
            chain.plan(params=params)
        assert says in str(error.value)


def test_a_parameter_that_is_no_number_is_refused(tmp_path: Path) -> None:
    copy = WorkingCopy(
        tmp_path,
        HEAD
        + "@step\ndef a(x: float = 1.0) -> float:\n    return x\nflow = Pipeline('flow', kind='data', steps=[a])\n",
    )
    for bad in (float("nan"), float("inf")):
        with pytest.raises(UsageError, match="JSON cannot hold"):
            copy.plan(params={"a": {"x": bad}})
    assert copy.did(params={"a": {"x": 2}}) == {"a": "run"}  # a whole number is fine for a float


def test_parameters_arrive_as_they_are_annotated(tmp_path: Path) -> None:
    copy = WorkingCopy(tmp_path, HEAD + '''
import datetime as dt
from dataclasses import dataclass

@dataclass(frozen=True)
class Range:
    low: float = 0.0

@step
def a(day: dt.date = dt.date(2020, 1, 2), sizes: tuple[int, ...] = (1, 2), within: Range = Range(), free=(3,)) -> str:
    return repr((day, sizes, within, free))

flow = Pipeline("flow", kind="data", steps=[a])
''')  # fmt: skip
    assert copy.value("a") == "(datetime.date(2020, 1, 2), (1, 2), Range(low=0.0), (3,))"
    copy.write(
        "lockgate.toml",
        (copy.root / "lockgate.toml").read_text() + "[params.a]\nday = 2021-02-03\nsizes = [4]\nwithin = {low = 2.0}\n",
    )
    assert copy.value("a") == "(datetime.date(2021, 2, 3), (4,), Range(low=2.0), (3,))"


def test_results_come_back_as_they_are_annotated(tmp_path: Path) -> None:
    copy = WorkingCopy(tmp_path, HEAD + '''
@step
def counts() -> dict[int, float]:
    return {1: 2.0}

@step
def maybe() -> int | None:
    return None

@step
def both(counts: dict[int, float], maybe: int | None) -> str:
    return repr((counts, maybe))

flow = Pipeline("flow", kind="data", steps=[counts, maybe, both])
''')  # fmt: skip
    assert copy.value("both") == "({1: 2.0}, None)"


def test_another_type_than_declared(tmp_path: Path) -> None:
    copy = WorkingCopy(
        tmp_path, HEAD + "@step\ndef a() -> str:\n    return 3\nflow = Pipeline('flow', kind='data', steps=[a])\n"
    )
    assert "another type than it declares: flow.a: builtins.int" in str(copy.run().error)


def test_an_input_of_another_type_than_annotated(tmp_path: Path) -> None:
    copy = WorkingCopy(
        tmp_path,
        HEAD
        + "@step\ndef a() -> str:\n    return 'x'\n@step\ndef b(a: int) -> int:\n    return 1\nflow = Pipeline('flow', kind='data', steps=[a, b])\n",
    )
    assert "an input cannot be read as its annotation says: flow.b(a: int)" in str(copy.run().error)


@pytest.mark.parametrize(("end", "says"), [
    ("os._exit(7)", "exit code 7"),
    ("os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL"),
    ("os.kill(os.getpid(), signal.SIGSEGV)", "killed by SIGSEGV"),
])  # fmt: skip
def test_a_step_that_dies_is_named_with_its_last_words(tmp_path: Path, end: str, says: str) -> None:
    copy = WorkingCopy(
        tmp_path,
        HEAD
        + f"import os, signal\n@step\ndef a() -> int:\n    print('last words')\n    {end}\n    return 1\nflow = Pipeline('flow', kind='data', steps=[a])\n",
    )
    error = copy.run().error
    assert error is not None
    assert error.exit_code == 1
    assert "step flow.a died without an answer" in str(error)
    assert says in str(error)
    assert "last words" in str(error)


def test_a_step_that_dies_while_a_process_of_its_own_lives(tmp_path: Path) -> None:
    """A pool worker holds the socket open; the engine must not wait for it."""
    copy = WorkingCopy(tmp_path, HEAD + '''
import os, signal, time
@step
def a() -> int:
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)
    return 1
flow = Pipeline("flow", kind="data", steps=[a])
''')  # fmt: skip
    started = time.monotonic()
    assert "killed by SIGKILL" in str(copy.run().error)
    assert time.monotonic() - started < 20


def test_sys_exit_in_a_step(tmp_path: Path) -> None:
    copy = WorkingCopy(
        tmp_path,
        HEAD
        + "import sys\n@step\ndef a() -> int:\n    sys.exit('no data')\nflow = Pipeline('flow', kind='data', steps=[a])\n",
    )
    assert "SystemExit: no data" in str(copy.run().error)


def test_what_a_step_prints_goes_to_its_log(tmp_path: Path) -> None:
    copy = WorkingCopy(tmp_path, HEAD + '''
import os, sys
@step
def a() -> int:
    print("on stdout")
    print("on stderr", file=sys.stderr)
    os.write(1, b"from native code")
    return 1
@step
def b() -> int:
    print("beside the other")
    return 1
@step
def c(a: int, b: int) -> int:
    print("before it fails")
    raise RuntimeError("c")
flow = Pipeline("flow", kind="data", steps=[a, b, c])
''')  # fmt: skip
    done = copy.command("run")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    for words in ("on stdout", "on stderr", "from native code", "beside the other", "before it fails"):
        assert words not in done.stdout + done.stderr
    log = Path(done.stderr.partition("traceback is in ")[2].strip())
    assert "before it fails" in log.read_text()
    assert "RuntimeError: c" in log.read_text()


def test_independent_steps_run_at_the_same_time(tmp_path: Path) -> None:
    """Each waits for the other: one after the other they would not end."""
    wait = "    (Path('{0}') / '{1}').touch()\n    while not (Path('{0}') / '{2}').exists():\n        time.sleep(0.01)\n    return 1\n"
    text = HEAD + "import time\nfrom pathlib import Path\n"
    text += "@step(sandbox=False)\ndef a() -> int:\n" + wait.format(tmp_path, "one", "two")
    text += "@step(sandbox=False)\ndef b() -> int:\n" + wait.format(tmp_path, "two", "one")
    copy = WorkingCopy(tmp_path, text + "flow = Pipeline('flow', kind='data', steps=[a, b])\n")
    assert copy.did() == {"a": "run", "b": "run"}


def test_two_runs_at_once_are_both_right(tmp_path: Path) -> None:
    copy = WorkingCopy(
        tmp_path,
        CHAIN.replace("return 3", "import time; time.sleep(0.3); return 3"),
        toml='[sources.x]\nkind = "file"\npath = "x"\n',
    )
    copy.edit("flow/steps.py", "def first()", "def first(x: bytes)")
    copy.write("x/some file.txt", "1")
    copy.write("x/ünïcode.txt", "2")
    copy.edit("flow/steps.py", "x: bytes", "x: Path")
    copy.edit("flow/steps.py", "from lockgate import", "from pathlib import Path\nfrom lockgate import")
    both = [
        subprocess.Popen(
            [LOCKGATE, "run", "--json"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    answers = [p.communicate(timeout=60) for p in both]
    assert [p.returncode for p in both] == [0, 0, 0], answers
    assert copy.value("last") == "PLUS"
    assert set(copy.plan().values()) == {"reuse"}


def test_an_interrupted_run_leaves_no_step_behind(tmp_path: Path) -> None:
    text = (
        HEAD
        + f"import os, time\nfrom pathlib import Path\n@step(sandbox=False)\ndef a() -> int:\n    Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\n    time.sleep(60)\n    return 1\nflow = Pipeline('flow', kind='data', steps=[a])\n"
    )
    for how in (signal.SIGINT, signal.SIGKILL):
        (tmp_path / "pid").unlink(missing_ok=True)
        copy = WorkingCopy(tmp_path, text)
        process = subprocess.Popen([LOCKGATE, "run"], cwd=copy.root, stderr=subprocess.PIPE, text=True)
        _wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
        process.send_signal(how)
        _, err = process.communicate(timeout=20)
        assert "Traceback" not in err
        pid = int((tmp_path / "pid").read_text())
        _wait_for(lambda pid=pid: not _alive(pid))


def _alive(pid: int) -> bool:
    try:
        return "zombie" not in Path(f"/proc/{pid}/status").read_text().partition("State:")[2].partition("\n")[0]
    except (FileNotFoundError, ProcessLookupError):
        return False


def _wait_for(condition: object, seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_source_that_went_away_stops_the_run_unless_others_may_have_it(tmp_path: Path) -> None:
    steps = (
        HEAD
        + "from pathlib import Path\n@step\ndef a(sales: Path) -> int:\n    return 1\nflow = Pipeline('flow', kind='data', steps=[a])\n"
    )
    toml = '[sources.sales]\nkind = "file"\npath = "sales.csv"\n'
    alone = WorkingCopy(tmp_path / "alone", steps, toml=toml)
    shared = WorkingCopy(tmp_path / "shared", steps, toml=toml + '[store]\nurl = "../store"\n')
    for copy in (alone, shared):
        copy.write("sales.csv", "1")
        assert copy.plan() == {"a": "run"}
        copy.run()
        (copy.root / "sales.csv").unlink()
    assert alone.plan() == {"a": "blocked"}
    assert shared.plan() == {"a": "reuse"}


def test_a_blocked_source_is_named(tmp_path: Path) -> None:
    copy = WorkingCopy(tmp_path, HEAD + "from pathlib import Path\n@step\ndef a(sales: Path) -> int:\n    return 1\n@step\ndef b(a: int) -> int:\n    return a\nflow = Pipeline('flow', kind='data', steps=[a, b])\n",
                       toml='[sources.sales]\nkind = "file"\npath = "sales.csv"\n')  # fmt: skip
    assert copy.plan() == {"a": "blocked", "b": "blocked"}
    record = copy.run()
    assert "source sales is neither at sales.csv nor in a shared store" in str(record.error)
    assert [s.action for s in record.steps] == ["blocked", "blocked"]


def test_a_source_is_its_content(tmp_path: Path) -> None:
    copy = WorkingCopy(tmp_path, HEAD + "from pathlib import Path\n@step\ndef a(sales: Path) -> str:\n    return ','.join(f'{f.name}={f.read_text()}' for f in sorted(sales.iterdir()))\nflow = Pipeline('flow', kind='data', steps=[a])\n",
                       toml='[sources.sales]\nkind = "file"\npath = "sales.d"\n')  # fmt: skip
    copy.write("sales.d/a b", "1")
    assert copy.value("a") == "a b=1"  # one file in a folder is still a folder
    (copy.root / "sales.d/a b").rename(copy.root / "sales.d/c")
    assert copy.value("a") == "c=1"
    copy.write("sales.d/.hidden", "2")
    assert copy.plan() == {"a": "reuse"}


@pytest.mark.parametrize(("path", "file"), [("sales", "sales"), ("s.csv", "s.csv")])
def test_a_single_file_is_a_file_whatever_its_name(tmp_path: Path, path: str, file: str) -> None:
    copy = WorkingCopy(tmp_path, HEAD + "from pathlib import Path\n@step\ndef a(sales: Path) -> str:\n    return sales.read_text()\nflow = Pipeline('flow', kind='data', steps=[a])\n",
                       toml=f'[sources.sales]\nkind = "file"\npath = "{path}"\n')  # fmt: skip
    copy.write(file, "12")
    assert copy.value("a") == "12"


def test_a_file_is_parsed_as_annotated(tmp_path: Path) -> None:
    copy = WorkingCopy(tmp_path, HEAD + '''
import polars as pl
@step
def table(sales: pl.DataFrame) -> int:
    return int(sales["n"].sum())
@step
def text(sales: str) -> str:
    return sales
@step
def raw(sales: bytes) -> int:
    return len(sales)
flow = Pipeline("flow", kind="data", steps=[table, text, raw])
''', toml='[sources.sales]\nkind = "file"\npath = "sales.csv"\n')  # fmt: skip
    copy.write("sales.csv", "n\n1\n2\n")
    assert [copy.value(s) for s in ("table", "text", "raw")] == [3, "n\n1\n2\n", 6]


def test_a_glob_and_an_absolute_path_are_sources(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("a.txt", "b.txt", "c.csv"):
        (outside / name).write_text(name)
    copy = WorkingCopy(tmp_path / "flow", HEAD + "from pathlib import Path\n@step\ndef a(sales: Path) -> list[str]:\n    return sorted(f.name for f in sales.iterdir())\nflow = Pipeline('flow', kind='data', steps=[a])\n",
                       toml=f'[sources.sales]\nkind = "file"\npath = "{outside}/*.txt"\n')  # fmt: skip
    assert copy.value("a") == ["a.txt", "b.txt"]


def test_code_that_changes_between_plan_and_run_is_refused(tmp_path: Path) -> None:
    """The first step edits the second one's module while the run goes on."""
    copy = WorkingCopy(tmp_path, HEAD + f'''
from pathlib import Path
from flow.other import later

@step(sandbox=False)
def a() -> int:
    other = Path({str(tmp_path)!r}) / "flow" / "other.py"
    other.write_text(other.read_text().replace("a + 1", "a + 2"))
    return 1

flow = Pipeline("flow", kind="data", steps=[a, later])
''', flow__other="from lockgate import step\n@step\ndef later(a: int) -> int:\n    return a + 1\n")  # fmt: skip
    record = copy.run()
    assert "a file changed while its step waited to run: flow/other.py" in str(record.error)
    assert copy.value("later") == 3


def test_an_edit_within_the_second_and_of_the_same_length_counts(tmp_path: Path) -> None:
    """Python's own bytecode cache would run the old text."""
    copy = WorkingCopy(tmp_path, CHAIN)
    path = copy.root / "flow/steps.py"
    os.utime(path, (1_000_000, 1_000_000))
    subprocess.run(
        [sys.executable, "-c", "import flow.steps"],
        cwd=copy.root,
        check=True,
        env={**os.environ, "PYTHONPATH": str(copy.root), "PYTHONDONTWRITEBYTECODE": ""},
    )
    assert list((copy.root / "flow/__pycache__").iterdir())
    assert copy.value("second") == 6
    copy.edit("flow/steps.py", "FACTOR = 2", "FACTOR = 4")
    os.utime(path, (1_000_000, 1_000_000))
    assert copy.value("second") == 12


def test_sets_have_one_order_in_every_run(tmp_path: Path) -> None:
    text = (
        HEAD
        + "@step\ndef a(seed: int = 0) -> list[str]:\n    return list({'a', 'b', 'c', 'd', 'e'})\nflow = Pipeline('flow', kind='data', steps=[a])\n"
    )
    copy = WorkingCopy(tmp_path, text)
    first = copy.value("a")
    for seed in range(1, 4):
        record = copy.run(params={"a": {"seed": seed}})
        assert record.steps[0].digest == record.artifacts["flow.a"].digest
        import json

        from lockgate.project import open_project

        assert json.loads(open_project(copy.root).store.get(record.artifacts["flow.a"].object).read_bytes()) == first


def test_only_the_step_asked_for_and_what_it_needs(chain: WorkingCopy) -> None:
    assert chain.did(to="second") == {"first": "run", "second": "run"}
    with pytest.raises(LockgateError, match="no such step: secnd"):
        chain.plan(to="secnd")


def test_the_command_answers_in_json_and_with_exit_codes(chain: WorkingCopy) -> None:
    import json

    done = chain.command("run", "--json")
    assert done.returncode == 0
    assert [s["action"] for s in json.loads(done.stdout)["steps"]] == ["run"] * 4
    assert chain.command("why", "last").stdout.startswith("last: reuse")
    assert chain.command("run", "--param", "second.tmes=3").returncode == 2
    assert chain.command("run", "flw").returncode == 2


def test_many_steps_at_once_share_one_template(tmp_path: Path) -> None:
    steps = "".join(f"@step\ndef s{n}() -> int:\n    return {n}\n" for n in range(12))
    copy = WorkingCopy(
        tmp_path,
        HEAD + steps + f"flow = Pipeline('flow', kind='data', steps=[{', '.join(f's{n}' for n in range(12))}])\n",
        toml="[run]\nworkers = 6\n",
    )
    before = threading.active_count()
    assert set(copy.did().values()) == {"run"}
    assert threading.active_count() == before


def test_a_store_that_cannot_be_written_is_one_clear_error(chain: WorkingCopy) -> None:
    chain.write("lockgate.toml", (chain.root / "lockgate.toml").read_text() + "[store]\nurl = 'taken'\n")
    chain.write("taken", "a file where the folder should be")
    done = chain.command("run")
    assert done.returncode == 5
    assert "Traceback" not in done.stderr
    assert "the store's folder does not answer" in done.stderr


def test_a_full_disk_stops_the_run_and_keeps_what_was_computed(tmp_path: Path) -> None:
    """A limit on file size stands for the disk."""
    copy = WorkingCopy(
        tmp_path,
        HEAD
        + "@step\ndef a() -> int:\n    return 1\n@step\ndef b(a: int) -> bytes:\n    return b'x' * 3_000_000\nflow = Pipeline('flow', kind='data', steps=[a, b])\n",
    )
    limited = "import resource, signal, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)); from lockgate.cli.main import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", limited, "run"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 5, done.stderr
    assert "Traceback" not in done.stderr
    assert "an output cannot be written: flow.b: File too large" in done.stderr
    assert copy.did() == {"a": "reuse", "b": "run"}


def test_results_of_an_older_algorithm_are_carried_over_by_the_next_run(
    chain: WorkingCopy, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lockgate.build import fingerprint as module
    from lockgate.records.digest import digest

    def version_2(*parts: object) -> str:
        return digest("lockgate-fingerprint/2", module._version_1(*parts))

    chain.did()
    monkeypatch.setattr(module, "ALGORITHMS", (version_2, *module.ALGORITHMS))
    assert set(chain.did().values()) == {"reuse"}
    monkeypatch.setattr(module, "ALGORITHMS", (version_2,))
    assert set(chain.plan().values()) == {"reuse"}
