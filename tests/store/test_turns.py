"""Two runs at once, and two machines on one store: each fingerprint is executed once, and nobody is locked out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lockgate.adapters.local_leases import LocalLeases
from lockgate.delivery.turns import Collected, Turns, is_gone
from lockgate.errors import ServiceUnavailable
from lockgate.records.artifact import Artifact
from lockgate.records.held import GRACE_S, Lease, is_over
from lockgate.testing.leases import MemoryLeases

from adapters.seaweed import Seaweed
from build.working_copy import LOCKGATE, WorkingCopy

STEPS = """
    import os, time
    from pathlib import Path
    from lockgate import Pipeline, step

    COUNTER = Path({counter!r})

    def count(name: str) -> None:
        descriptor = os.open(COUNTER, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(descriptor, (name + "\\n").encode())
        os.close(descriptor)
        time.sleep({seconds})

    @step(sandbox=False)
    def a() -> int:
        count("a")
        return 1

    @step(sandbox=False)
    def b() -> int:
        count("b")
        return 2

    @step(sandbox=False)
    def c(a: int, b: int) -> int:
        count("c")
        return a + b

    @step(sandbox=False)
    def d(c: int) -> int:
        count("d")
        return c * 10

    flow = Pipeline("flow", kind="data", steps=[a, b, c, d])
"""


def project(
    root: Path, counter: Path, *, seconds: float = 0.4, store: str = ".lockgate", lease_s: int = 4
) -> WorkingCopy:
    toml = f'[store]\nurl = "{store}"\nlease_s = {lease_s}\n'
    return WorkingCopy(root, STEPS.format(counter=str(counter), seconds=seconds), toml=toml)


def start(copy: WorkingCopy, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [LOCKGATE, "run"], cwd=copy.root, env={**os.environ, **environment}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def ended(process: subprocess.Popen[str], *, within: float = 90.0) -> str:
    out, err = process.communicate(timeout=within)
    assert process.returncode == 0, out + err
    return out + err


def ran(counter: Path) -> list[str]:
    return sorted(counter.read_text().split()) if counter.exists() else []


def waited_for(counter: Path, words: int) -> None:
    ends = time.monotonic() + 60
    while len(ran(counter)) < words:
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_two_runs_at_once_in_one_project(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    copy = project(tmp_path / "flow", counter)
    both = [start(copy), start(copy)]
    said = [ended(p) for p in both]
    assert ran(counter) == ["a", "b", "c", "d"], said
    assert copy.value("d") == 30
    assert any("another run made it" in text for text in said)
    assert list(LocalLeases(copy.root / ".lockgate").names()) == []


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_two_machines_on_one_store(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Two working copies of the same code that share nothing but the store."""
    counter = tmp_path / "counter"
    environment: dict[str, str] = {}
    url = f"file://{tmp_path}/shared"
    if kind == "s3":
        s3: Seaweed = request.getfixturevalue("s3")
        url, environment = s3.url(f"two-machines-{time.time_ns()}"), s3.env
    copies = [project(tmp_path / name, counter, store=url) for name in ("one", "two")]
    both = [start(copy, **environment) for copy in copies]
    said = [ended(p) for p in both]
    assert ran(counter) == ["a", "b", "c", "d"], said
    for copy in copies:
        done = copy.command("run", **environment)
        assert "0 run, 4 reused" in done.stdout, done.stdout + done.stderr
    third = project(tmp_path / "three", counter, store=url)
    assert "0 run, 4 reused" in third.command("run", **environment).stdout
    assert third.command("show", "d", **environment).stdout.strip().endswith("30")


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_the_other_takes_over_when_the_owner_is_killed(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Killed without a word while it runs `a` and `b`: the other one ends within the lease's time and a little."""
    counter = tmp_path / "counter"
    environment: dict[str, str] = {}
    url = f"file://{tmp_path}/shared"
    if kind == "s3":
        s3: Seaweed = request.getfixturevalue("s3")
        url, environment = s3.url(f"take-over-{time.time_ns()}"), s3.env
    copies = [project(tmp_path / name, counter, store=url, seconds=3.0) for name in ("one", "two")]
    owner = start(copies[0], **environment)
    waited_for(counter, 2)
    other = start(copies[1], **environment)
    time.sleep(1.0)
    os.kill(owner.pid, signal.SIGKILL)
    owner.communicate()
    killed_s = time.monotonic()
    ended(other)
    # Two rounds of steps of three seconds follow the take-over, and one that was running.
    assert time.monotonic() - killed_s < 4 + 3 * 3.0 + 8
    assert ran(counter) == ["a", "a", "b", "b", "c", "d"]
    assert "0 run, 4 reused" in copies[1].command("run", **environment).stdout


def artifact(name: str) -> Artifact:
    return Artifact(type="builtins:int", codec="json", digest=name, object=name, size_bytes=1)


def test_a_lease_that_is_renewed_is_waited_for_longer_than_it_lasts() -> None:
    leases, done = MemoryLeases(), dict[str, Artifact]()
    import threading

    with Turns(leases, result=done.get, lasts_s=0.6) as owner, Turns(leases, result=done.get, lasts_s=0.6) as other:
        with owner.alone("key") as made:
            assert made is None
            found: list[Artifact | None] = []

            def wait() -> None:
                with other.alone("key") as made:
                    found.append(made)

            thread = threading.Thread(target=wait)
            thread.start()
            time.sleep(2.0)
            assert found == []
            done["key"] = artifact("made")
        thread.join(timeout=10)
    assert found == [artifact("made")]
    assert leases.leases == {}


def test_an_owner_on_another_machine_that_falls_silent_is_replaced_after_the_lease() -> None:
    leases = MemoryLeases()
    stale = Lease(owner="elsewhere", until_s=time.time() + 1e6, lasts_s=0.8, host="another machine", pid=1)
    assert leases.take("key", stale)
    started_s = time.monotonic()
    with Turns(leases, result=lambda _: None, lasts_s=0.8) as turns, turns.alone("key") as made:
        assert made is None
        took_s = time.monotonic() - started_s
    assert 0.8 <= took_s < 3.0


def test_an_owner_that_failed_gives_its_turn_back() -> None:
    leases = MemoryLeases()
    with Turns(leases, result=lambda _: None, lasts_s=60) as one, pytest.raises(ZeroDivisionError), one.alone("key"):
        raise ZeroDivisionError
    assert leases.leases == {}


def test_a_process_of_this_machine_that_is_gone_is_seen_at_once() -> None:
    if not Path("/proc/self/stat").exists():
        pytest.skip("only /proc tells when a process started")
    code = (
        "import sys, dataclasses, json\n"
        "from lockgate.delivery.turns import Turns\n"
        "from lockgate.testing.leases import MemoryLeases\n"
        "print(json.dumps(dataclasses.asdict(Turns(MemoryLeases(), result=lambda _: None, lasts_s=9)._lease())), flush=True)\n"
        "sys.stdin.read()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    import json

    lease = Lease(**json.loads(process.stdout.readline()))
    assert not is_gone(lease)
    process.kill()
    time.sleep(0.2)
    assert is_gone(lease)  # not buried yet
    process.communicate()
    assert is_gone(lease)


def test_when_a_lease_is_over() -> None:
    lease = Lease(owner="a", until_s=100.0, lasts_s=10.0)
    assert not is_over(lease, unchanged_s=10.0, now_s=100.0 + GRACE_S, gone=False)
    assert is_over(lease, unchanged_s=10.1, now_s=0.0, gone=False)
    assert is_over(lease, unchanged_s=0.0, now_s=100.1 + GRACE_S, gone=False)
    assert is_over(lease, unchanged_s=0.0, now_s=0.0, gone=True)


def test_a_run_waits_for_a_collection_and_looks_again() -> None:
    leases = MemoryLeases()
    leases.take("gc", Lease(owner="gc", until_s=time.time(), lasts_s=0.5, host="another machine"))
    started_s = time.monotonic()
    with (
        Turns(leases, result=lambda _: None, lasts_s=0.5) as turns,
        pytest.raises(Collected, match="garbage was collected"),
    ):
        turns.pin(["blake3:" + "0" * 64], still_there=lambda: False)
    assert time.monotonic() - started_s >= 0.5


def test_of_two_collections_one_is_told_to_wait() -> None:
    leases = MemoryLeases()
    with (
        Turns(leases, result=lambda _: None, lasts_s=5) as one,
        Turns(leases, result=lambda _: None, lasts_s=5) as two,
        one.collecting(),
        pytest.raises(ServiceUnavailable, match="somebody else collects"),
        two.collecting(),
    ):
        raise AssertionError
    assert leases.leases == {}
