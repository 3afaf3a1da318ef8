"""A merge request's review app: outside of the pipeline, what the branch proposes answers beside what is live."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from journeys.conftest import Copier
from journeys.gitlab_local import MERGE_REQUEST, GitlabProject, needs_runner, on_gitlab
from journeys.walking import COMMAND, GOOD, OUTSIDE, USAGE, Lockgate, commit, copy, edit, git, until

pytestmark = pytest.mark.sampled(1)

BRANCH, SLUG = "feature/More_of_it", "feature-more-of-it"
ASKED = "/?product=p1&date=2020-05-02"
KEY = ".lockgate/pipeline"


class Host:
    """`lockgate preview serve` for the length of a block, in a clone of its own that has no key."""

    def __init__(self, lockgate: Lockgate, port: int, *arguments: str) -> None:
        self._lockgate, self._arguments, self.port = (
            lockgate,
            ("preview", "serve", "--port", str(port), *arguments),
            port,
        )
        self.lines: list[str] = []

    def __enter__(self) -> Host:
        self.process = self._lockgate.start(*self._arguments)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        until(lambda: self.said or self.process.poll() is not None, what=lambda: self.said)
        assert "what is proposed, on" in self.said, self.said
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=30) == 0
        self._reader.join(timeout=10)
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()
        assert "Traceback" not in self.said, self.said

    @property
    def said(self) -> str:
        return "".join(self.lines)

    def _read(self) -> None:
        assert self.process.stdout and self.process.stderr
        self.lines.extend(iter(self.process.stdout.readline, ""))
        self.lines.append(self.process.stderr.read())

    def ask(self, path: str, name: str = f"{SLUG}.localhost") -> tuple[int, str]:
        """One request to the host under a name."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)) as connection:
            connection.request("GET", path, headers={"Host": f"{name}:{self.port}", "Accept": "text/html"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def workers(self) -> int:
        """Processes that serve a release for it."""
        done = subprocess.run(["ps", "--ppid", str(self.process.pid), "-o", "args="], capture_output=True, text=True)
        return done.stdout.count("lockgate.delivery.confined")


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def project(fresh: Copier, delivered: Lockgate, tmp_path: Path, port: int) -> GitlabProject:
    """Something is live in production; Ada works on a branch."""
    needs_runner()
    shop = fresh(delivered)
    shop("people", "add", "pipeline", "--machine", "--role", "deliverer", "--new-key", KEY)
    made = on_gitlab(shop, tmp_path, toml=f'\n[gitlab.review]\nurl = "http://{{branch}}.localhost:{port}"\ndays = 3\n')
    made.variables["LOCKGATE_KEY"] = str(shop.root / KEY)
    return made


@pytest.fixture
def host(project: GitlabProject, tmp_path: Path, port: int) -> Iterator[Host]:
    clone = tmp_path / "host"
    git(tmp_path, "clone", "--quiet", "--branch", "main", str(tmp_path / "remote.git"), str(clone))
    with Host(Lockgate(clone), port, "--idle", "600") as started:
        yield started


def proposed(project: GitlabProject, number: int, factor: str, before: str) -> str:
    """The release of a change on the branch, by its merge-request pipeline."""
    root = project.lockgate.root
    edit(root, "shop/pipelines.py", f"factor: float = {before}", f"factor: float = {factor}")
    commit(root, f"{factor} times")
    project.forget()
    done = project.pipeline(number, "check", "train:shop", "release", "review", source=MERGE_REQUEST, needs=True)
    assert (done.code, done.jobs.get("review")) == (GOOD, "PASS"), done.out
    return project.lockgate.release()


def test_what_a_branch_proposes_answers_beside_what_is_live(project: GitlabProject, host: Host) -> None:
    shop = project.lockgate
    live = shop.live()
    git(shop.root, "checkout", "--quiet", "-b", BRANCH)
    first = proposed(project, 1, "1.25", "1.0")
    assert first != live
    status, page = host.ask(ASKED)
    assert status == 200
    assert "The same request in production" in page
    here, there, change = re.findall(r"<td>(.*?)</td><td>(.*?)</td><td>(.*?)</td>", page)[0]
    assert 1.15 < float(here.split()[0]) / float(there.split()[0]) < 1.35, (here, there)
    assert re.fullmatch(r"\+\d.* \(\+2\d%\)", change), change
    assert "not answered" not in page
    assert live and live.removeprefix("sha256:")[:8] in page
    assert "nobody has approved it" in page
    assert json.loads(host.ask("/health")[1])["release"] == first
    refused = host.ask("/?product=nobody&date=2020-05-02")
    assert refused[0] == 422
    assert "The same request" not in refused[1]

    second = proposed(project, 2, "1.5", "1.25")
    assert json.loads(host.ask("/health")[1])["release"] == second, "the app follows its branch"
    assert shop.live() == live
    assert not any(e["what"] in ("wanted", "healthy") and "review" in e["about"] for e in shop.ledger()), (
        "nothing is said"
    )
    stopped = project.pipeline(2, "review:stop", source=MERGE_REQUEST)
    assert stopped.jobs == {"review:stop": "PASS"}, stopped.out


def test_the_job_waits_for_its_own_release_and_says_what_it_met(project: GitlabProject, port: int) -> None:
    """Nobody serves, then no address: exit 5 and 2."""
    root = project.lockgate.root
    project.lockgate("preview", "wait", f"http://{SLUG}.localhost:{port}", "--wait", "1", expect=OUTSIDE)
    done = subprocess.run(
        [COMMAND, "preview", "wait"],
        cwd=root,
        capture_output=True,
        text=True,
        env={**os.environ, "CI_ENVIRONMENT_URL": ""},
    )
    assert (done.returncode, "[gitlab.review]" in done.stderr) == (USAGE, True), done.stderr


def test_other_names_get_no_app_and_idle_apps_end(project: GitlabProject, tmp_path: Path, port: int) -> None:
    shop = project.lockgate
    git(shop.root, "checkout", "--quiet", "-b", BRANCH)
    edit(shop.root, "shop/pipelines.py", "factor: float = 1.0", "factor: float = 1.25")
    commit(shop.root, "more")
    head = git(shop.root, "rev-parse", "HEAD").strip()
    job = {"CI_PIPELINE_ID": "1", "CI_COMMIT_SHA": head, "CI_COMMIT_REF_NAME": BRANCH, "CI_JOB_ID": "3"}
    Lockgate(shop.root, {**job, "LOCKGATE_KEY": str(shop.root / KEY)})("propose")
    quiet = copy(shop, tmp_path / "quiet")
    (quiet.root / ".lockgate" / "key").unlink()
    with Host(quiet, port, "--idle", "3") as host:
        assert f'href="//{SLUG}.localhost:{port}/"' in host.ask("/", "localhost")[1]
        assert host.ask("/", "other.localhost")[0] == 404
        assert host.ask("/", "evil.example")[0] == 421
        assert host.workers() == 0, "an app is started when somebody asks for it"
        assert host.ask(ASKED)[0] == 200
        assert host.workers() == 2
        until(lambda: host.workers() == 0, what=lambda: host.said)
        assert host.ask(ASKED)[0] == 200, "and again"


def test_on_a_laptop_what_was_proposed_by_hand_is_shown_by_its_digest(
    fresh: Copier, delivered: Lockgate, port: int
) -> None:
    """No GitLab anywhere, no merge request, no variables: one person's key."""
    shop = fresh(delivered)
    live = shop.release()
    edit(shop.root, "shop/pipelines.py", "factor: float = 1.0", "factor: float = 1.25")
    commit(shop.root, "more")
    shop("propose")
    release = shop.release()
    name = f"{release[7:19]}.localhost"
    with Host(shop, port) as host:
        until(lambda: f"http://{name}:{port}" in host.said, what=lambda: host.said)
        assert f'href="//{name}:{port}/"' in host.ask("/", "localhost")[1]
        status, page = host.ask(ASKED, name)
        assert (status, "nobody has approved it" in page, "The same request in production" in page) == (200, True, True)
        assert json.loads(host.ask("/health", name)[1])["release"] == release
        assert "live in production" in host.ask(ASKED, f"{live[7:19]}.localhost")[1]
        assert "begins so was proposed by hand" in host.ask("/", "0123456789ab.localhost")[1]


SPY = """
import os, pathlib, socket
seen = []
for name, path in (("environ", f"/proc/{HOST}/environ"), ("mem", f"/proc/{HOST}/mem"), ("toml", ROOT + "/lockgate.toml"), ("secret", SECRET)):
    try:
        open(path, "rb").read(1)
        seen.append(name)
    except OSError:
        pass
try:
    socket.create_connection(("127.0.0.1", PORT), timeout=2).close()
    seen.append("network")
except OSError:
    pass
seen += [n for n in os.environ if "TOKEN" in n]
if os.path.exists(os.path.expanduser("~/.netrc")):
    seen.append("netrc")
pathlib.Path(os.environ["TMPDIR"], "found").write_text(" ".join(seen) or "nothing")
"""


def test_what_an_app_can_reach(project: GitlabProject, tmp_path: Path, port: int) -> None:
    """The branch's code looks for the host's token, its memory, files and network; it finds none of them and answers all the same."""
    shop = project.lockgate
    secret = tmp_path / "operator" / ".netrc"
    secret.parent.mkdir()
    secret.write_text("password")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    git(shop.root, "checkout", "--quiet", "-b", BRANCH)
    edit(shop.root, "shop/pipelines.py", "factor: float = 1.0", "factor: float = 1.25")
    commit(shop.root, "more")
    head = git(shop.root, "rev-parse", "HEAD").strip()
    job = {"CI_PIPELINE_ID": "1", "CI_COMMIT_SHA": head, "CI_COMMIT_REF_NAME": BRANCH, "CI_JOB_ID": "3"}
    Lockgate(shop.root, {**job, "LOCKGATE_KEY": str(shop.root / KEY)})("propose")
    quiet = copy(shop, tmp_path / "quiet")
    quiet.env.update({"HOME": str(secret.parent), "TMPDIR": str(scratch), "LOCKGATE_SPY_TOKEN": "glpat-x"})
    with socket.create_server(("127.0.0.1", 0)) as elsewhere, Host(quiet, port) as host:
        assert host.ask(ASKED)[0] == 200
        values = {
            "ROOT": str(quiet.root),
            "SECRET": str(secret),
            "PORT": elsewhere.getsockname()[1],
            "HOST": host.process.pid,
        }
        spy = "".join(f"{n} = {v!r}\n" for n, v in values.items()) + SPY
        rules, variables = confined(host)
        enter = f"import json\nfrom lockgate.delivery.confined import _enter\n_enter(json.loads({rules!r}))\n"
        assert spied(enter + spy, variables) == {"nothing"}
        free = {**variables, "HOME": str(secret.parent), "A_TOKEN": "x"}
        assert {"toml", "secret", "network", "netrc", "A_TOKEN"} <= spied(spy, free), "the spy finds what is open"
    assert not [*scratch.glob("lockgate-review-*")], "the folder went with its app"


def spied(code: str, variables: dict[str, str]) -> set[str]:
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, env=variables)
    assert done.returncode == 0, done.stderr
    return set(Path(variables["TMPDIR"], "found").read_text().split())


def confined(host: Host) -> tuple[str, dict[str, str]]:
    """The rules and the variables of an app's process."""
    done = subprocess.run(
        ["pgrep", "-P", str(host.process.pid), "-f", "delivery.confined"], capture_output=True, text=True
    )
    number = done.stdout.split()[0]
    line = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
    known = Path(f"/proc/{number}/environ").read_bytes().decode().split("\0")
    return line[line.index(b"lockgate.delivery.confined") + 1].decode(), dict(v.split("=", 1) for v in known if v)
