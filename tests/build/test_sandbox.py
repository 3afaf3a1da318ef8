"""Law 6: what a step reads undeclared is found. Every attack stands beside an honest twin that passes."""

from __future__ import annotations

import http.server
import json
import os
import resource
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from lockgate.build.engine import Engine
from lockgate.build.landlock import landlock_version
from lockgate.build.protocol import Code
from lockgate.build.sandbox import Machine
from lockgate.delivery import run as delivery
from lockgate.errors import LockgateError
from lockgate.project import open_project

from build.working_copy import HEAD, LOCKGATE, NOW, WorkingCopy

pytestmark = pytest.mark.skipif(not landlock_version(), reason="this kernel has no Landlock")

SOURCES = '[sources.sales]\nkind = "file"\npath = "sales.csv"\n[sources.folder]\nkind = "file"\npath = "folder"\n'

STEPS = HEAD + '''
import contextlib, datetime as dt, multiprocessing, os, shutil, socket, subprocess, sys, tempfile, threading, urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

import flow.reader
from flow.reader import RATE

ROOT = Path(__file__).parent.parent
PORT = {port}

# ── files ──
@step
def opens(n: int = 0) -> str:
    return open("secret.csv").read()

@step
def opens_its_source(sales: Path) -> str:
    return open(sales).read()

@step
def opens_and_goes_on(n: int = 0) -> str:
    with contextlib.suppress(OSError):
        return Path("secret.csv").read_text()
    return "nothing"

@step
def opens_what_is_not_there(n: int = 0) -> str:
    try:
        return Path("no such file").read_text()
    except FileNotFoundError:
        return "nothing"

@step
def opens_by_its_own_descriptor(n: int = 0) -> str:
    try:
        return os.read(os.open(str(ROOT / "secret.csv"), os.O_RDONLY), 9).decode()
    except OSError:
        return "nothing"

@step
def opens_in_a_thread(n: int = 0) -> str:
    with ThreadPoolExecutor(1) as pool:
        return "nothing" if pool.submit(open, "secret.csv").exception() else "read"

@step
def opens_in_a_forked_process(n: int = 0) -> str:
    def look() -> None:
        with contextlib.suppress(OSError):
            open("secret.csv")
    process = multiprocessing.get_context("fork").Process(target=look)
    process.start()
    process.join()
    return "done"

@step
def opens_through_a_link(n: int = 0) -> str:
    link = Path(tempfile.mkdtemp()) / "link"
    link.symlink_to(ROOT / "secret.csv")
    with contextlib.suppress(OSError):
        return link.read_text()
    return "nothing"

@step
def opens_its_own_link(folder: Path) -> str:
    link = Path(tempfile.mkdtemp()) / "link"
    link.symlink_to(folder / "b.csv")
    return link.read_text()

@step
def opens_the_original_of_its_source(sales: Path) -> str:
    return (ROOT / "sales.csv").read_text()

@step
def polars_reads(n: int = 0) -> int:
    return len(pl.read_csv("secret.csv"))

@step
def polars_scans(n: int = 0) -> int:
    return len(pl.scan_csv(str(ROOT / "secret.csv")).collect())

@step
def polars_reads_its_source(sales: pl.DataFrame, folder: Path) -> int:
    return len(sales) + len(pl.scan_csv(folder / "*.csv").collect())

@step
def lists(n: int = 0) -> list[str]:
    return sorted(os.listdir("."))

@step
def walks_and_goes_on(n: int = 0) -> int:
    return sum(len(files) for _, _, files in os.walk(ROOT))

@step
def globs(n: int = 0) -> int:
    return len(list(ROOT.glob("*.csv")))

@step
def lists_its_source(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))

@step
def reads_the_home_of_its_user(n: int = 0) -> str:
    import pwd
    return str(os.listdir(pwd.getpwuid(os.getuid()).pw_dir))

@step
def another_program_reads(n: int = 0) -> str:
    return subprocess.run(["cat", "secret.csv"], check=True, capture_output=True, text=True).stdout

@step
def another_program_reads_its_source(sales: Path) -> str:
    return subprocess.run(["cat", str(sales)], check=True, capture_output=True, text=True).stdout

@step
def reads_other_processes(n: int = 0) -> bytes:
    return Path(f"/proc/{os.getppid()}/environ").read_bytes()

@step
def reads_what_its_module_read(n: int = 0) -> float:
    return RATE + float(Path(__file__).with_name("rate.txt").read_text())

@step(allow=("allowed",))
def reads_what_it_is_allowed(n: int = 0) -> str:
    return (ROOT / "allowed" / "x.txt").read_text()

@step(sandbox=False)
def opted_out(n: int = 0) -> str:
    return open("secret.csv").read() + os.environ.get("FLOW_" + "HIDDEN", "absent")

# ── writes ──
@step
def writes(n: int = 0) -> int:
    Path("out.csv").write_text("x")
    return 1

@step
def writes_into_the_store(folder: Path) -> int:
    (folder / "b.csv").resolve().write_text("forged")
    return 1

@step
def removes(n: int = 0) -> int:
    (ROOT / "secret.csv").unlink()
    return 1

@step
def makes_a_folder(n: int = 0) -> int:
    (ROOT / "made").mkdir()
    return 1

@step
def signals_outside(n: int = 0) -> int:
    os.kill(os.getppid(), 9)
    return 1

@step
def works_in_its_scratch(n: int = 0) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a" / "b"
        path.mkdir(parents=True)
        (path / "c").write_text("1")
        (path / "c").rename(Path(folder) / "d")
        shutil.copytree(folder, Path.home() / "copy")
    shutil.rmtree(Path.home() / "copy")
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"x")
    assert os.environ["HOME"] == os.environ["TMPDIR"] == tempfile.gettempdir()
    return "done"

@step
def returns_a_file(n: int = 0) -> Path:
    path = Path(tempfile.mkdtemp()) / "figure.txt"
    path.write_text("figure")
    return path

# ── network ──
@step
def asks_by_http(n: int = 0) -> str:
    return urllib.request.urlopen(f"http://127.0.0.1:{PORT}").read().decode()

@step
def asks_and_goes_on(n: int = 0) -> str:
    try:
        return urllib.request.urlopen(f"http://localhost:{PORT}").read().decode()
    except OSError:
        return "nothing"

@step
def connects(n: int = 0) -> int:
    with socket.socket() as s:
        s.connect(("127.0.0.1", PORT))
    return 1

@step
def sends_a_datagram(n: int = 0) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        return s.sendto(b"x", ("127.0.0.1", PORT))

@step
def another_program_connects(n: int = 0) -> int:
    code = f"import socket; socket.create_connection(('127.0.0.1', {PORT}))"
    subprocess.run([sys.executable, "-I", "-c", code], check=True, capture_output=True)
    return 1

@step(allow=("network",))
def may_ask_by_http(n: int = 0) -> str:
    return urllib.request.urlopen(f"http://127.0.0.1:{PORT}").read().decode()

@step
def talks_to_itself(n: int = 0) -> str:
    here, there = socket.socketpair()
    here.sendall(b"hello")
    server = socket.socket(socket.AF_UNIX)
    path = os.path.join(tempfile.mkdtemp(), "socket")
    server.bind(path)
    server.listen()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
    return there.recv(5).decode()

# ── environment ──
@step
def asks_for_a_name_it_spells(n: int = 0) -> str:
    return os.environ.get("FLOW_DECLARED", "absent")

@step
def asks_for_a_name_it_makes(n: int = 0) -> str:
    return os.environ.get("FLOW_" + "HIDDEN", "absent") + os.environ.get("FLOW_" + "DECLARED", "absent")

@step(environment=("FLOW_HIDDEN",))
def declares_a_name(n: int = 0) -> str:
    return os.environ.get("FLOW_" + "HIDDEN", "absent")

@step
def asks_for_a_secret(n: int = 0) -> str:
    return os.environ.get("FLOW_TOKEN", "absent")

@step
def another_program_asks(n: int = 0) -> str:
    return subprocess.run(["env"], capture_output=True, text=True, check=True).stdout

# ── what must go on working ──
@step
def knows_time_zones(n: int = 0) -> str:
    import email.utils, locale, mimetypes, platform, ssl
    locale.setlocale(locale.LC_ALL, "")
    assert ssl.create_default_context() and platform.platform() and mimetypes.guess_type("a.csv")
    return dt.datetime(2030, 7, 1, tzinfo=ZoneInfo("Europe/Berlin")).isoformat()

@step
def runs_threads(n: int = 0) -> int:
    with ThreadPoolExecutor(4) as pool:
        return sum(pool.map(len, ["a", "bb", "ccc"]))

@step
def runs_processes(n: int = 0) -> int:
    total = 0
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            total += sum(pool.map(abs, [-1, -2, -3]))
    return total

@step
def shares_memory(n: int = 0) -> int:
    from multiprocessing import shared_memory
    memory = shared_memory.SharedMemory(create=True, size=100)
    memory.buf[0] = 7
    found = memory.buf[0]
    memory.close()
    memory.unlink()
    return found

@step
def asks_for_versions(n: int = 0) -> str:
    from importlib.metadata import distributions, version
    assert len(list(distributions())) > 3
    return version("polars")

@step
def trains(n: int = 0) -> float:
    import lightgbm, numpy
    x = numpy.arange(400.0).reshape(200, 2)
    model = lightgbm.train({{"verbose": -1, "num_leaves": 4}}, lightgbm.Dataset(x, x[:, 0] * 2), 5)
    model.save_model(str(Path(tempfile.mkdtemp()) / "model.txt"))
    return float(model.predict(x[:1])[0])

@step
def imports_lazily(n: int = 0) -> int:
    from flow import lazy
    return lazy.VALUE

flow = Pipeline("flow", kind="data", steps=[
    opens, opens_its_source, opens_and_goes_on, opens_what_is_not_there, opens_by_its_own_descriptor, opens_in_a_thread, opens_in_a_forked_process, opens_through_a_link, opens_its_own_link, opens_the_original_of_its_source, polars_reads, polars_scans, polars_reads_its_source, lists, walks_and_goes_on, globs, lists_its_source, reads_the_home_of_its_user, another_program_reads, another_program_reads_its_source, reads_other_processes, reads_what_its_module_read, reads_what_it_is_allowed, opted_out, writes, writes_into_the_store, removes, makes_a_folder, signals_outside, works_in_its_scratch, returns_a_file, asks_by_http, asks_and_goes_on, connects, sends_a_datagram, another_program_connects, may_ask_by_http, talks_to_itself, asks_for_a_name_it_spells, asks_for_a_name_it_makes, declares_a_name, asks_for_a_secret, another_program_asks, knows_time_zones, runs_threads, runs_processes, shares_memory, asks_for_versions, trains, imports_lazily,
])
'''  # fmt: skip

READER = "from pathlib import Path\nimport os\nRATE = float(Path(__file__).with_name('rate.txt').read_text())\nFLAG = os.environ.get('FLOW_AT_IMPORT', 'absent')\n"


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module", params=["each imports", "forks of a zygote"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """`run(step)`: the value it returned, or its error as text."""
    with http.server.HTTPServer(("127.0.0.1", 0), Answers) as server, pytest.MonkeyPatch.context() as patch:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name in ("FLOW_DECLARED", "FLOW_HIDDEN", "FLOW_TOKEN", "FLOW_AT_IMPORT"):
            patch.setenv(name, "seen")
        copy = WorkingCopy(
            tmp_path_factory.mktemp("flow"), STEPS.replace("{port}", str(server.server_port)).replace("{{", "{").replace("}}", "}"),
            toml=SOURCES, flow__reader=READER, flow__lazy="VALUE = 5\n",
        )  # fmt: skip
        for name in ("secret.csv", "sales.csv", "folder/a.csv", "folder/b.csv"):
            copy.write(name, "n\n1\n2\n")
        copy.write("flow/rate.txt", "2.5")
        copy.write("allowed/x.txt", "x")
        project = open_project(copy.root)
        planned = delivery.plan(project, now=NOW)
        with delivery.engine_of(project, planned) as engine:
            zygotes = engine.zygotes
            if request.param == "each imports":
                engine.zygotes = None
            yield Runner(engine, planned, copy)
        assert zygotes.without == {}
        server.shutdown()


class Runner:
    def __init__(self, engine: Engine, planned: delivery.Planned, copy: WorkingCopy) -> None:
        self.engine, self.planned, self.copy = engine, planned, copy

    def __call__(self, step: str) -> object:
        node = self.planned.graph.nodes[f"flow.{step}"]
        try:
            ran = self.engine.run(node, {}, dict(node.parameters))
        except LockgateError as error:
            return str(error)
        assert ran.sandbox == node.guard
        data = self.engine.store.get(ran.artifact.object).read_bytes()
        return json.loads(data) if ran.artifact.codec == "json" else data.decode()


@pytest.mark.parametrize(("step", "path"), [
    ("opens", "secret.csv"),
    ("opens_and_goes_on", "secret.csv"),
    ("opens_by_its_own_descriptor", "secret.csv"),
    ("opens_in_a_thread", "secret.csv"),
    ("opens_in_a_forked_process", "secret.csv"),
    ("opens_through_a_link", "secret.csv"),
    ("opens_the_original_of_its_source", "sales.csv"),
    ("lists", "."),
    ("walks_and_goes_on", "."),
    ("globs", "."),
])  # fmt: skip
def test_an_undeclared_read_is_found_and_named(run: Runner, step: str, path: str) -> None:
    said = run(step)
    assert "a step reads what it does not declare" in str(said)
    assert f"flow.{step}: {path}" in str(said)
    assert "[sources.NAME]" in str(said)
    assert "sandbox=False" in str(said)


@pytest.mark.parametrize("step", ["polars_reads", "polars_scans", "another_program_reads", "reads_other_processes"])
def test_what_the_kernel_refuses_fails_the_step(run: Runner, step: str) -> None:
    said = str(run(step))
    assert f"step flow.{step} failed" in said or "does not declare" in said
    if step != "another_program_reads":
        assert "sandbox=False" in said
    if step.startswith("polars"):
        assert "secret.csv" in said


def test_the_home_of_the_user_is_shut(run: Runner) -> None:
    assert "a step reads what it does not declare" in str(run("reads_the_home_of_its_user"))


@pytest.mark.parametrize(("step", "value"), [
    ("opens_its_source", "n\n1\n2\n"),
    ("opens_what_is_not_there", "nothing"),
    ("opens_its_own_link", "n\n1\n2\n"),
    ("polars_reads_its_source", 6),
    ("lists_its_source", ["a.csv", "b.csv"]),
    ("another_program_reads_its_source", "n\n1\n2\n"),
    ("reads_what_its_module_read", 5.0),
    ("reads_what_it_is_allowed", "x"),
    ("opted_out", "n\n1\n2\nseen"),
    ("works_in_its_scratch", "done"),
    ("returns_a_file", "figure"),
    ("may_ask_by_http", "hello"),
    ("talks_to_itself", "hello"),
    ("asks_for_a_name_it_spells", "seen"),
    ("declares_a_name", "seen"),
    ("knows_time_zones", "2030-07-01T00:00:00+02:00"),
    ("runs_threads", 6),
    ("runs_processes", 12),
    ("shares_memory", 7),
    ("imports_lazily", 5),
])  # fmt: skip
def test_an_honest_step_passes(run: Runner, step: str, value: object) -> None:
    assert run(step) == value


def test_libraries_work(run: Runner) -> None:
    assert isinstance(run("trains"), float)
    import polars

    assert run("asks_for_versions") == polars.__version__


@pytest.mark.parametrize("step", ["writes", "writes_into_the_store", "removes", "makes_a_folder", "signals_outside"])
def test_nothing_outside_its_scratch_is_changed(run: Runner, step: str) -> None:
    before = sorted(p.relative_to(run.copy.root) for p in run.copy.root.glob("*"))
    assert f"step flow.{step} failed: PermissionError" in str(run(step))
    assert sorted(p.relative_to(run.copy.root) for p in run.copy.root.glob("*")) == before
    assert run("lists_its_source") == ["a.csv", "b.csv"]


@pytest.mark.parametrize(
    "step", ["asks_by_http", "asks_and_goes_on", "sends_a_datagram", "connects", "another_program_connects"]
)
def test_the_network_is_shut(run: Runner, step: str) -> None:
    said = str(run(step))
    if step in ("asks_by_http", "asks_and_goes_on"):
        assert "a step uses the network" in said
        assert 'allow=("network",)' in said
    else:
        assert f"step flow.{step} failed" in said


def test_the_environment_is_what_was_declared(run: Runner) -> None:
    assert run("asks_for_a_name_it_makes") == "absentabsent"
    assert run("asks_for_a_secret") == "absent"  # also a spelled name, when it is one for secrets
    seen = {line.partition("=")[0] for line in str(run("another_program_asks")).splitlines()}
    # Its module asks for the one on import; who starts programs may reach the whole module, which spells the other.
    assert {n for n in seen if n.startswith("FLOW_")} == {"FLOW_AT_IMPORT", "FLOW_DECLARED"}
    assert {"HOME", "TMPDIR", "PATH"} <= seen


def test_nothing_is_left_behind(run: Runner) -> None:
    run("works_in_its_scratch")
    assert [files for _, _, files in os.walk(run.engine._processes._temporary) if files] == []


def test_more_modules_than_descriptors_and_one_that_is_gone(tmp_path: Path) -> None:
    """What a project's code may read is granted by path: a run neither holds all of it open nor needs all of it to be there."""
    many = {f"flow__m{n}": f"N = {n}\n" for n in range(300)}
    names = ", ".join(f"m{n}" for n in range(300))
    copy = WorkingCopy(tmp_path, HEAD + f"from pathlib import Path\nfrom flow import {names}\n"
                       f"@step(sandbox=False)\ndef a() -> int:\n    Path({str(tmp_path)!r}, 'flow', 'idle.py').unlink()\n    return m299.N\n"
                       "@step\ndef b(a: int) -> int:\n    return a + 1\n"
                       "flow = Pipeline('flow', kind='data', steps=[a, b])\n", flow__idle="N = 1\n", **many)  # fmt: skip
    few = (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    done = subprocess.run([LOCKGATE, "run"], cwd=copy.root, capture_output=True, text=True, check=False,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, few))  # noqa: PLW1509  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert copy.value("b") == 300


def test_the_code_of_a_file_that_is_gone_is_no_fault_of_the_template(tmp_path: Path) -> None:
    machine = Machine(Code(root=str(tmp_path), files=("gone.py",)))
    for descriptor in machine.opened:
        os.close(descriptor)
    assert str(tmp_path / "gone.py") in machine.code


def test_a_warning_of_the_compiler_is_not_said_by_the_template(tmp_path: Path) -> None:
    copy = WorkingCopy(
        tmp_path, HEAD + "@step\ndef a() -> bool:\n    return 1 is 1\nflow = Pipeline('flow', kind='data', steps=[a])\n"
    )
    assert "Warning" not in copy.command("run").stderr
