"""Steps of one module are forks of a process that imported it: they see what an import of their own would show them, and never each other."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from build.working_copy import HEAD, NOW, WorkingCopy
from lockgate.build.engine import Engine
from lockgate.build.landlock import landlock_version
from lockgate.delivery import run as delivery
from lockgate.errors import LockgateError
from lockgate.project import open_project

pytestmark = pytest.mark.skipif(not landlock_version(), reason="this kernel has no Landlock")

PARENT = "import os\n@step\ndef parent(n: int = 0) -> int:\n    return os.getppid()\n"
FLOW = "flow = Pipeline('flow', kind='data', steps=[{}])\n"


class Runner:
    """Runs single steps in one engine."""

    def __init__(self, engine: Engine, planned: delivery.Planned) -> None:
        self.engine, self.planned = engine, planned

    def __call__(self, step: str, **parameters: object) -> object:
        """What it returned, or its error as text."""
        node = self.planned.graph.nodes[f"flow.{step}"]
        try:
            ran = self.engine.run(node, {}, {**node.parameters, **parameters})
        except (LockgateError, ConnectionError) as error:
            return str(error)
        return json.loads(self.engine.store.get(ran.artifact.object).read_bytes())

    @property
    def template(self) -> int:
        return self.engine._processes._template[1].pid

    @property
    def why(self) -> str:
        """Why the module has no zygote."""
        return "; ".join(self.engine.zygotes.without.values())

    def zygotes(self) -> list[int]:
        """Those that wait."""
        return [z._pid for z in self.engine.zygotes._idle]


@contextlib.contextmanager
def running(root: Path, module: str, *, after_plan: object = lambda _: None) -> Iterator[Runner]:
    """`module`: the text of `flow/steps.py` without its pipeline of all steps in it."""
    names = [line.split("(")[0].removeprefix("def ") for line in module.splitlines() if line.startswith("def ")]
    steps = [n for n in names if not n.startswith("_")]
    copy = WorkingCopy(root, HEAD + module + FLOW.format(", ".join(steps)))
    project = open_project(root)
    planned = delivery.plan(project, now=NOW)
    after_plan(copy)
    with delivery.engine_of(project, planned) as engine:
        yield Runner(engine, planned)


def test_from_the_second_step_on_they_are_forks_of_one_process(tmp_path: Path) -> None:
    with running(tmp_path, PARENT) as run:
        parents = [run("parent") for _ in range(4)]
        assert parents[0] == run.template
        assert len(set(parents[1:])) == 1
        assert parents[1] not in (run.template, os.getpid())
        assert run.zygotes() == parents[3:]
        assert run.why == ""


STATE = """
import decimal, os, random, sys, tempfile
from pathlib import Path

MADE: list[int] = []
HOME = os.environ["HOME"]
decimal.getcontext().prec = 11

def _state() -> dict[str, str]:
    return {
        "made": str(MADE), "default": str(_add.__defaults__), "home": str(HOME == os.environ["HOME"] == tempfile.gettempdir()),
        "scratch": str(os.listdir(HOME)), "cwd": str(os.getcwd() == str(Path(__file__).parents[1])), "name": os.environ.get("STEP_NAME", "none"),
        "path": str("/nowhere" in sys.path), "decimal": str(decimal.getcontext().prec), "mask": str(os.umask(0o22)),
        "modules": str("flow.left" in sys.modules), "handler": str(__import__("signal").getsignal(10)), "files": str(len(os.listdir("/proc/self/fd"))),
    }

def _add(item: int, items: list[int] = []) -> None:
    items.append(item)

@step
def look(n: int = 0) -> dict[str, str]:
    return _state()

@step
def spoil(n: int = 0) -> dict[str, str]:
    before = _state()
    MADE.append(1)
    _add(1)
    for name in ("a", "b/c"):
        place = Path(HOME, name)
        place.parent.mkdir(exist_ok=True)
        place.write_text("left")
    Path(HOME, "b").chmod(0o500)
    os.chdir("/")
    os.environ["STEP_NAME"] = "spoil"
    sys.path.append("/nowhere")
    decimal.getcontext().prec = 3
    os.umask(0o77)
    sys.modules["flow.left"] = sys
    __import__("signal").signal(10, lambda *_: None)
    random.seed(1)
    globals()["KEPT_OPEN"] = open(os.devnull)
    print("said")
    return before

@step
def draws(n: int = 0) -> float:
    return random.random()
"""


def test_what_a_step_changes_the_next_one_does_not_see(tmp_path: Path) -> None:
    with running(tmp_path, STATE) as run:
        alone = run("look")  # imports the module itself
        seen = [run(step) for step in ("look", "spoil", "look", "spoil", "look")]
        assert len(run.zygotes()) == 1
        assert run.why == ""
        assert alone == seen[0]
        assert all(s == alone for s in seen)
        assert alone["made"] == "[]"
        assert alone["home"] == alone["cwd"] == "True"
        assert alone["decimal"] == "11"
        log = next(Path(run.engine.scratch).glob("*/log.txt"))
        assert log.read_text() == ""


def test_random_numbers_are_those_of_a_process_of_its_own(tmp_path: Path) -> None:
    with running(tmp_path, STATE) as run:
        drawn = [run("draws") for _ in range(6)]
        assert len(set(drawn)) == 6


LEAVES = {
    "a thread": ("import threading, time\nthreading.Thread(target=time.sleep, args=(100,), daemon=True).start()\n", "start_new_thread"),
    "an open file": ("FILE = open(__file__)\n", "open files differ"),
    "a socket": ("import socket\nPAIR = socket.socketpair()\n", "open files differ"),
    "seeded random numbers": ("import random\nrandom.seed(7)\n", "random numbers differ"),
    "random numbers": ("import os\nSALT = os.urandom(4)\n", "urandom"),
    "numpy's random numbers": ("import numpy\nDRAW = numpy.random.default_rng().random()\n", "called"),
    "the time": ("import time\nSTART = time.time()\n", "time"),
    "the time by another name": ("from time import monotonic as clock\nSTART = clock()\n", "monotonic"),
    "the date": ("import datetime as dt\nTODAY = dt.date.today()\n", "today"),
    "the moment": ("import datetime as dt\nclass Moment(dt.datetime): pass\nNOW = Moment.now(dt.UTC)\n", "now"),
    "its number": ("import os\nME = os.getpid()\n", "getpid"),
    "a written file": ("import os\nfrom pathlib import Path\nPath(os.environ.get('TMPDIR', '/tmp'), 'x').write_text('x')\n", "opened"),
    "shared memory": ("import mmap\nSHARED = mmap.mmap(-1, 4096)\n", "shared memory differ"),
    "a lock for processes": ("import multiprocessing\nLOCK = multiprocessing.Lock()\n", "called"),
    "a process": ("import subprocess\nOTHER = subprocess.Popen(['sleep', '5'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n", "fork_exec"),
    "a timer": ("import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\nsignal.alarm(1000)\n", "timers differ"),
    "a handler of ended children": ("import signal\nsignal.signal(signal.SIGCHLD, lambda *_: None)\n", "handlers of ended children differ"),
    "a handler of forks": ("import os\nFORKS = []\nos.register_at_fork(before=lambda: FORKS.append(1))\n", "register_at_fork"),
    "a profiler": ("import sys\nsys.setprofile(None)\n", "setprofile"),
    "words": ("print('hello')\n", "printed"),
    "a generator seeded by the system": ("import random\nR = random.Random()\n", "seed"),
    "a generator seeded again": ("import random\nR = random.Random(7)\nR.seed()\n", "seed"),
    "an identity of time and place": ("import uuid\nME = uuid.uuid1()\n", "generate_time_safe"),
    "randomness of OpenSSL": ("import ssl\nSALT = ssl.RAND_bytes(4)\n", "RAND_bytes"),
    "a device": ("with open('/dev/urandom', 'rb') as f:\n    SALT = f.read(4)\n", "opened /dev/urandom"),
    "the kernel's files": ("from pathlib import Path\nUP = Path('/proc/uptime').read_text()\n", "opened /proc/uptime"),
    "a thread's number": ("import threading\nME = threading.get_native_id()\n", "get_native_id"),
    "a thread that ended": ("import threading, time\nL = []\nt = threading.Thread(target=lambda: L.append(time.time()))\nt.start()\nt.join()\n", "start_new_thread"),
    "a program that ended": ("import subprocess\nNOW = subprocess.run(['date'], stdout=subprocess.PIPE).stdout\n", "fork_exec"),
    "a spawned program": ("import os\nos.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)\n", "posix_spawn"),
    "a file without a name": ("import os\nF = os.open(os.environ.get('TMPDIR', '/tmp'), os.O_TMPFILE | os.O_RDWR)\nAT = os.fstat(F).st_mtime_ns\nos.close(F)\n", "opened"),
    "what a process used": ("import resource\nUSED = resource.getrusage(resource.RUSAGE_SELF)\n", "getrusage"),
    "a profiler for a while": ("import sys, time\np = sys.getprofile()\nsys.setprofile(None)\nNOW = time.time()\nsys.setprofile(p)\n", "setprofile"),
    "half a line": ("print('hello', end='')\n", "printed"),
}  # fmt: skip


@pytest.mark.parametrize("what", LEAVES)
def test_a_module_whose_import_leaves_more_than_objects_is_imported_by_each_step(tmp_path: Path, what: str) -> None:
    text, why = LEAVES[what]
    with running(tmp_path, text + PARENT) as run:
        parents = [run("parent") for _ in range(3)]
        assert why in run.why
        assert set(parents) == {run.template}
        assert run.zygotes() == []


KEEPS = {
    "a seeded generator": ("from numpy.random import PCG64, Generator\nR = Generator(PCG64(7))\ndef _v():\n    return float(R.random())\n", None),
    "numpy's seed": ("from numpy import random\nrandom.seed(7)\ndef _v():\n    return float(random.random())\n", None),
    "a generator of its own": ("import random\nR = random.Random(7)\ndef _v():\n    return R.random()\n", random.Random(7).random()),
    "what the standard library does": ("import logging, re, uuid, tempfile, queue, asyncio, concurrent.futures as f\nlog = logging.getLogger('x')\n"
                                       "POOL = f.ThreadPoolExecutor(1)\ndef _v():\n    return POOL.submit(len, 'ab').result()\n", 2),
    "objects that only a collection ends": ("import gc, weakref\nclass A: pass\na = A()\na.a = a\nW = weakref.ref(a)\ndel a\ndef _v():\n    gc.collect()\n    return W() is None\n", True),
    "a number of this moment": ("import time\ndef _v():\n    return time.time() > 1\n", True),
}  # fmt: skip


@pytest.mark.parametrize("what", KEEPS)
def test_a_module_whose_import_makes_objects_is_imported_once(tmp_path: Path, what: str) -> None:
    """And what it made is the same for all steps, as if each had made it."""
    text, value = KEEPS[what]
    with running(tmp_path, text + PARENT + "@step\ndef value(n: int = 0) -> float:\n    return float(_v())\n") as run:
        values = [run("value") for _ in range(4)]
        assert run("parent") != run.template, run.why
        assert len(set(values)) == 1
        assert value in (None, values[0])


AT_IMPORT = "from pathlib import Path\nif Path(__file__).with_name('later').exists():\n    {}\n"


def raised(_: WorkingCopy) -> None:
    _.write("flow/later", "")
    _.write("secret.csv", "n\n1\n")


@pytest.mark.parametrize(("does", "says"), [
    ("Path('secret.csv').read_text()", "a step reads what it does not declare, so a change there would go unnoticed: flow.{}: secret.csv"),
    ("raise ValueError('not today')", "step flow.{} failed: ValueError: not today"),
    ("raise SystemExit(3)", "step flow.{} failed: SystemExit: 3"),
    ("__import__('os')._exit(3)", "step flow.{} died without an answer: exit code 3"),
    ("__import__('os').kill(__import__('os').getpid(), 9)", "step flow.{} died without an answer: killed by SIGKILL"),
])  # fmt: skip
def test_what_goes_wrong_on_import_is_told_of_every_step(tmp_path: Path, does: str, says: str) -> None:
    text = AT_IMPORT.format(does) + "".join(f"@step\ndef {n}(n: int = 0) -> int:\n    return 1\n" for n in "abc")
    with running(tmp_path, text, after_plan=raised) as run:
        for name in "abc":
            assert says.format(name) in str(run(name))


def test_a_refusal_that_the_import_caught_fails_every_step(tmp_path: Path) -> None:
    caught = AT_IMPORT.format("try:\n        Path('secret.csv').read_text()\n    except OSError:\n        pass")
    text = caught + "".join(f"@step\ndef {n}(n: int = 0) -> int:\n    return 1\n" for n in "abc")
    with running(tmp_path, text, after_plan=raised) as run:
        for name in "abc":
            assert f"flow.{name}: secret.csv" in str(run(name))
        assert "refused" in run.why


FAILS = (
    PARENT
    + """
import ctypes, subprocess, time
@step
def fails(n: int = 0) -> int:
    print("before the end")
    raise ValueError("no")

@step
def exits(n: int = 0) -> int:
    print("before the end")
    os._exit(7)

@step
def crashes(n: int = 0) -> int:
    print("before the end")
    return ctypes.string_at(0)[0]

@step
def leaves(n: int = 0) -> int:
    for session in (False, True):
        left = subprocess.Popen(["sleep", "100"], start_new_session=session)
    if not os.fork():
        if not os.fork():
            os.setsid()
            time.sleep(100)
        os._exit(0)
    return left.pid

@step
def sleeps(seconds: float = 0.0) -> int:
    if os.getppid() != int(os.environ.get("X" * 3, "0")):
        time.sleep(seconds)
    return os.getppid()
"""
)


@pytest.mark.parametrize(("step", "says"), [
    ("fails", "ValueError: no"), ("exits", "exit code 7; its last output: before the end"), ("crashes", "killed by SIGSEGV; its last output: before the end"),
])  # fmt: skip
def test_a_step_that_fails_in_a_fork_says_the_same_and_keeps_its_log(tmp_path: Path, step: str, says: str) -> None:
    with running(tmp_path, FAILS) as run:
        alone = str(run(step))
        zygote = (run("parent"), run("parent"))[1]
        assert run.zygotes() == [zygote]
        forked = str(run(step))
        assert says in alone
        assert says in forked
        assert [line for line in alone.splitlines() if "log.txt" not in line] == [
            line for line in forked.splitlines() if "log.txt" not in line
        ]
        log = Path(forked.rpartition(" in ")[2].split()[0])
        assert log.name == "log.txt"
        assert log.read_text().startswith("before the end")
        assert run("parent") not in (zygote, run.template)  # what has seen a failure serves no other step
        assert run("parent") in run.zygotes()
    assert log.exists()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_what_a_step_leaves_running_is_gone_before_the_next_one(tmp_path: Path) -> None:
    with running(tmp_path, FAILS) as run:
        run("parent")
        for _ in range(2):
            left = run("leaves")
            (zygote,) = run.zygotes()
            assert not alive(left)
            assert children(zygote) == []
        assert run("parent") == zygote


def test_a_zygote_that_is_killed_while_it_waits(tmp_path: Path) -> None:
    with running(tmp_path, FAILS) as run:
        _, zygote = run("parent"), run("parent")
        os.kill(zygote, signal.SIGKILL)
        assert run("parent") == run.template
        assert run("parent") == run.template
        assert run.zygotes() == []


def test_a_zygote_that_is_killed_while_its_step_runs(tmp_path: Path) -> None:
    """The step ends with it, and runs again in a process that imports the module itself."""
    with running(tmp_path, FAILS) as run:
        _, zygote = run("parent"), run("parent")
        said: list[object] = []
        waiting = threading.Thread(target=lambda: said.append(run("sleeps", seconds=1.5)))
        waiting.start()
        end = time.monotonic() + 20
        while not children(zygote):
            assert time.monotonic() < end
        (child,) = children(zygote)
        os.kill(zygote, signal.SIGKILL)
        waiting.join()
        assert said == [run.template]
        assert not alive(child)


def test_nothing_runs_on_when_the_engine_ends(tmp_path: Path) -> None:
    said: list[object] = []
    with running(tmp_path, FAILS) as run:
        zygote = (run("parent"), run("parent"))[1]
        waiting = threading.Thread(target=lambda: said.append(run("sleeps", seconds=100.0)))
        waiting.start()
        end = time.monotonic() + 20
        while not children(zygote):
            assert time.monotonic() < end
        (child,) = children(zygote)
        scratch = Path(run.engine._processes._temporary)
        assert scratch.exists()
    waiting.join()
    assert not alive(zygote)
    assert not alive(child)
    assert not scratch.exists()
    assert list(run.engine.scratch.iterdir()) == []


LIES = (
    PARENT
    + """
import json, stat, time
from pathlib import Path

LOG = "/proc/self/fd/1"

@step
def forges(n: int = 0) -> str:
    says = json.dumps({"ok": True, "identity": "json:x", "output": '"forged"'}).encode()
    for number in map(int, os.listdir("/proc/self/fd")):
        try:
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                os.write(number, says + b"\\n\\n0\\n")
        except OSError:
            pass
    time.sleep(0.5)
    return "of the one before"

@step
def honest(n: int = 0) -> str:
    return "honest"

@step
def links(to: str = "") -> str:
    log = Path(os.readlink(LOG))
    log.unlink()
    if to:
        log.symlink_to(to)
    return "done"

@step
def says(n: int = 0) -> str:
    print("last words")
    os._exit(4)

@step
def marks(n: int = 0) -> list[str]:
    before = [*os.listxattr(os.environ["HOME"]), oct(os.stat(os.path.dirname(os.readlink(LOG))).st_mode)]
    try:
        os.setxattr(os.environ["HOME"], "user.left", b"1")
    except OSError:
        pass
    os.chmod(os.path.dirname(os.readlink(LOG)), 0o751)
    return before
"""
)


def test_a_step_cannot_say_that_it_ended(tmp_path: Path) -> None:
    """The next one would begin beside it, and be given its answer."""
    with running(tmp_path, LIES) as run:
        run("honest")
        for _ in range(2):
            run("forges")
            assert [run("honest"), run("honest")] == ["honest", "honest"]


def test_a_log_that_a_step_replaced_by_a_link_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    with running(tmp_path, LIES) as run:
        other.write_text("n\n1\n")
        run("honest")
        assert run("links", to=str(other)) == "done"
        assert other.read_text() == "n\n1\n"
        assert run.zygotes() == []


def test_a_log_that_a_step_removed_is_there_for_the_next(tmp_path: Path) -> None:
    with running(tmp_path, LIES) as run:
        run("honest")
        assert run("links") == "done"
        run("honest")
        assert "its last output: last words" in str(run("says"))


def test_what_a_step_writes_on_its_folders_is_gone(tmp_path: Path) -> None:
    with running(tmp_path, LIES) as run:
        first = run("marks")
        assert [run("marks") for _ in range(3)] == [first] * 3


OTHERS = (
    PARENT
    + """
@step(environment=("FLOW_X",))
def with_a_variable(n: int = 0) -> int:
    return os.getppid()

@step(allow=("data",))
def with_a_folder(n: int = 0) -> int:
    return os.getppid()

@step(allow=("network",))
def with_the_network(n: int = 0) -> int:
    return os.getppid()

@step(sandbox=False)
def with_nothing_around_it(n: int = 0) -> int:
    return os.getppid()

@step(timeout_s=60)
def with_a_deadline(n: int = 0) -> int:
    return os.getppid()

@step(memory_mb=4000)
def with_a_limit(n: int = 0) -> int:
    return os.getppid()
"""
)


def test_only_steps_whose_import_would_see_the_same_share_a_zygote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOW_X", "1")
    (tmp_path / "data").mkdir()
    with running(tmp_path, OTHERS) as run:
        steps = ("parent", "with_a_variable", "with_a_folder", "with_the_network")
        parents = {step: [run(step) for _ in range(3)][-1] for step in steps}
        assert len(set(parents.values()) - {run.template}) == 4
        for step in ("with_nothing_around_it", "with_a_deadline", "with_a_limit"):
            assert {run(step) for _ in range(3)} == {run.template}


def test_few_zygotes_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each holds what its module made on import; the one that waited longest goes."""
    monkeypatch.setenv("FLOW_X", "1")
    (tmp_path / "data").mkdir()
    with running(tmp_path, OTHERS) as run:
        last: list[object] = []
        for step in ("parent", "with_a_variable", "with_a_folder", "with_the_network"):
            last.append([run(step) for _ in range(2)][-1])
        assert run.zygotes() == last[-2:]
        end = time.monotonic() + 20
        while any(alive(z) for z in last[:2]):
            run("with_the_network")  # the template buries it when it is spoken to
            assert time.monotonic() < end


def test_steps_that_run_at_the_same_time_do_not_share_one(tmp_path: Path) -> None:
    with running(tmp_path, FAILS) as run:
        run("parent")
        said: list[object] = []
        at_once = [threading.Thread(target=lambda: said.append(run("sleeps", seconds=0.5))) for _ in range(2)]
        for thread in at_once:
            thread.start()
        for thread in at_once:
            thread.join()
        assert len(set(said)) == 2
        assert sorted(run.zygotes()) == sorted(said)
