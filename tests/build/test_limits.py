"""Time, memory, retries, Ctrl-C, and a kernel without Landlock: on real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lockgate.build.limits import memory_mb
from lockgate.errors import UsageError

from build.working_copy import CHAIN, HEAD, LOCKGATE, WorkingCopy

ONE = "flow = Pipeline('flow', kind='data', steps=[a])\n"


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def wait_for(condition: object, seconds: float = 20) -> object:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def pids(copy: WorkingCopy) -> list[int]:
    """What a step printed first: its own process and those it started."""
    for log in copy.root.glob(".lockgate/tmp/*/log.txt"):
        words = log.read_text().splitlines()
        if words and words[0].startswith("pids "):
            return [int(w) for w in words[0].split()[1:]]
    return []


STARTS_TWO = """
import os, subprocess, sys, time
{step}
def a() -> int:
    here = subprocess.Popen(["sleep", "100"])
    away = subprocess.Popen(["sleep", "100"], start_new_session=True)
    print("pids", os.getpid(), here.pid, away.pid)
    time.sleep({sleep})
    return 1
"""


def test_a_step_that_takes_too_long_is_ended_with_what_it_started(tmp_path: Path) -> None:
    copy = WorkingCopy(tmp_path, HEAD + STARTS_TWO.format(step="@step(timeout_s=0.5)", sleep=60) + ONE)
    started = time.monotonic()
    error = copy.run().error
    assert time.monotonic() - started < 20
    assert error is not None
    assert error.exit_code == 1
    assert "step flow.a took too long: ended after 0." in str(error)
    assert "timeout_s=0.5" in str(error)
    assert "its last output: pids" in str(error)
    assert len(pids(copy)) == 3
    wait_for(lambda: not any(alive(p) for p in pids(copy)))


def test_a_step_that_is_quick_enough_passes_and_leaves_nothing_running(tmp_path: Path) -> None:
    text = STARTS_TWO.format(step="@step(timeout_s=30, memory_mb=2000)", sleep=0.2).replace(
        "return 1", "return [os.getpid(), here.pid, away.pid]"
    )
    copy = WorkingCopy(tmp_path, HEAD + text.replace("-> int", "-> list[int]") + ONE)
    started = copy.value("a")
    assert len(started) == 3
    wait_for(lambda: not any(alive(p) for p in started))


def test_a_step_that_takes_too_much_memory_is_ended(tmp_path: Path) -> None:
    copy = WorkingCopy(tmp_path, HEAD + '''
import time
@step(memory_mb=300)
def a(size: int = 600) -> int:
    print("takes some")
    held = []
    for _ in range(size // 20):
        held.append(b"x" * 20 * 2**20)
        time.sleep(0.02)
    return len(held)
''' + ONE)  # fmt: skip
    error = copy.run().error
    assert "step flow.a took too much memory: ended at" in str(error)
    assert "memory_mb=300" in str(error)
    assert "takes some" in str(error)
    assert copy.did(params={"a": {"size": 100}}) == {"a": "run"}


def test_memory_counts_every_process_of_a_step_and_shared_pages_once(tmp_path: Path) -> None:
    """What is reserved, or mapped from a file, is not held."""
    (tmp_path / "large").write_bytes(b"x" * 200 * 2**20)
    code = f"""
import mmap, os, time
held = b"x" * 100 * 2**20
reserved = mmap.mmap(-1, 4 * 2**30)
file = open({str(tmp_path / "large")!r}, "rb")
mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
sum(mapped[:: 4096])
for _ in range(3):
    if not os.fork():
        time.sleep(60)
print("ready", flush=True)
time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, process_group=0)
    try:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        assert 95 < memory_mb(process.pid, over=50) < 180
        assert memory_mb(process.pid, over=10_000) > 380  # the cheap sum, an upper bound, is enough below the limit
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


RETRIES = """
import os
from pathlib import Path
from lockgate.errors import ServiceUnavailable

class Busy(Exception):
    retryable = True

COUNT = Path({count!r})

@step(retries={retries}, sandbox=False)
def a() -> int:
    tried = int(COUNT.read_text()) if COUNT.exists() else 0
    COUNT.write_text(str(tried + 1))
    if tried < {fails}:
        raise {error}
    return tried
"""


@pytest.mark.parametrize(("error", "fails", "retries", "tried", "passes"), [
    ("ServiceUnavailable('the shop does not answer')", 1, 2, 2, True),
    ("Busy('later')", 2, 2, 3, True),
    ("Busy('later')", 9, 1, 2, False),
    ("Busy('later')", 9, 0, 1, False),
    ("ValueError('wrong for ever')", 1, 3, 1, False),
    ("ConnectionError('not marked')", 1, 3, 1, False),
])  # fmt: skip
def test_only_marked_errors_are_tried_again(
    tmp_path: Path, error: str, fails: int, retries: int, tried: int, passes: bool
) -> None:
    count = tmp_path / "count"
    text = RETRIES.format(count=str(count), error=error, fails=fails, retries=retries)
    record = WorkingCopy(tmp_path / "flow", HEAD + text + ONE).run()
    assert int(count.read_text()) == tried
    assert (record.error is None) is passes
    assert record.steps[0].attempts == tried
    if not passes and tried > 1:
        assert f"(attempt {tried} of {retries + 1})" in str(record.error)


def test_limits_are_no_input_but_an_opening_is(tmp_path: Path) -> None:
    copy = WorkingCopy(tmp_path, CHAIN)
    copy.did()
    copy.edit("flow/steps.py", "@step\ndef second", "@step(memory_mb=900, timeout_s=60, retries=2)\ndef second")
    assert set(copy.plan().values()) == {"reuse"}
    copy.edit("flow/steps.py", "memory_mb=900, timeout_s=60, retries=2", "memory_mb=1000, sandbox=False")
    assert copy.plan()["second"] == "run"
    assert "second" in copy.command("plan").stdout
    assert "[sandbox off]" in copy.command("plan").stdout
    assert copy.did()["second"] == "run"
    copy.edit("flow/steps.py", "sandbox=False", 'allow=("network",)')
    record = copy.run()
    assert [s.sandbox for s in record.steps] == ["", "on but for network", "", ""]
    copy.edit("flow/steps.py", 'memory_mb=1000, allow=("network",)', "")
    assert set(copy.plan().values()) == {"reuse"}
    saved = json.loads(max(copy.root.glob(".lockgate/runs/*.json"), key=os.path.getmtime).read_bytes())
    assert [s["attempts"] for s in saved["steps"]] == [0, 1, 0, 0]


@pytest.mark.parametrize(("given", "says"), [
    ("memory_mb=0", "memory_mb=0"), ("timeout_s=-1", "timeout_s=-1"), ("retries=-1", "retries=-1"),
    ('sandbox=False, allow=("network",)', "allow="),
])  # fmt: skip
def test_a_limit_that_cannot_be_is_refused(tmp_path: Path, given: str, says: str) -> None:
    copy = WorkingCopy(tmp_path, HEAD + f"@step({given})\ndef a() -> int:\n    return 1\n" + ONE)
    with pytest.raises(UsageError, match="a step's limit cannot be") as error:
        copy.plan()
    assert says in str(error.value)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_stopped_leaves_nothing_behind(tmp_path: Path, how: signal.Signals) -> None:
    text = HEAD + "@step\ndef early() -> int:\n    return 1\n" + STARTS_TWO.format(step="@step", sleep=60)
    text = text.replace("def a()", "def a(early: int)") + "flow = Pipeline('flow', kind='data', steps=[early, a])\n"
    copy = WorkingCopy(tmp_path / "flow", text)
    process = subprocess.Popen([LOCKGATE, "run"], cwd=copy.root, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                               env={**os.environ, "TMPDIR": str(tmp_path)}, start_new_session=True)  # fmt: skip
    started = wait_for(lambda: pids(copy))
    template = int(Path(f"/proc/{started[0]}/stat").read_text().rpartition(")")[2].split()[1])
    assert all(alive(p) for p in (*started, template))
    assert list(tmp_path.glob("lockgate-*"))
    acknowledged(process, "early")
    process.send_signal(how)
    _, err = process.communicate(timeout=20)
    assert process.returncode == (130 if how == signal.SIGINT else -how)
    assert "Traceback" not in err
    wait_for(lambda: not any(alive(p) for p in (*started, template)))
    wait_for(lambda: not list(tmp_path.glob("lockgate-*")))
    if how == signal.SIGINT:
        assert "everything finished is kept" in err
        assert not list(copy.root.glob(".lockgate/tmp/[0-9]*"))
    copy.edit("flow/steps.py", "time.sleep(60)", "time.sleep(0)")
    assert copy.did() == {"early": "reuse", "a": "run"}


def acknowledged(process: subprocess.Popen[str], step: str) -> None:
    """Wait until a run said that a step is done: only then its result has to survive everything."""
    assert process.stderr
    while f"✓ {step} " not in process.stderr.readline():
        assert process.poll() is None


WITHOUT_LANDLOCK = """
import ctypes, struct, sys
from lockgate.build import landlock
LINES = [(0x20, 0, 0, 0), (0x35, 0, 2, 444), (0x35, 1, 0, 447), (6, 0, 0, 0x50000 | 38), (6, 0, 0, 0x7FFF0000)]
landlock._filter = lambda: b"".join(struct.pack("HBBI", *line) for line in LINES)
assert landlock.deny_sockets()
from lockgate.cli.main import main
sys.exit(main())
"""


def test_a_kernel_without_landlock_is_named(tmp_path: Path) -> None:
    """A filter makes the kernel answer as an old one does. Python's own reads are still found; native ones are not."""
    copy = WorkingCopy(tmp_path, HEAD + '''
import contextlib
import polars as pl
@step
def native() -> int:
    return len(pl.read_csv("secret.csv"))
@step
def a(native: int) -> int:
    with contextlib.suppress(OSError):
        return len(open("secret.csv").read())
    return 0
flow = Pipeline('flow', kind='data', steps=[native, a])
''')  # fmt: skip
    copy.write("secret.csv", "n\n1\n")
    done = subprocess.run([sys.executable, "-c", WITHOUT_LANDLOCK, "run"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.count("sandbox: audit hooks only") == 1
    assert "a step reads what it does not declare" in done.stderr
    assert "flow.a: secret.csv" in done.stderr
    record = json.loads(next(copy.root.glob(".lockgate/runs/*.json")).read_bytes())
    assert [s["sandbox"] for s in record["steps"]] == ["audit hooks only", ""]
