"""The ledger on a branch of a git remote: the same exam as any ledger, races, lost answers, and what the remote refuses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lockgate.adapters.git_branch.ledger import BranchLedger
from lockgate.errors import IntegrityError, MovedOn, ServiceUnavailable, UsageError
from lockgate.project import open_project
from lockgate.records.ledger import EMPTY
from lockgate.records.statement import PREDICATES, Envelope, Statement, seal
from lockgate.testing.ledger import LEDGER_CHECKS, MemorySigner

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
BRANCH = "lockgate/ledger"


def git(*arguments: str | Path, at: Path, check: bool = True) -> str:
    command = ["git", "-c", "user.name=x", "-c", "user.email=x@y", *arguments]
    return subprocess.run(command, cwd=at, check=check, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    path = tmp_path / "with space ü.git"
    subprocess.run(["git", "init", "--quiet", "--bare", path], check=True)
    return path


def envelope(word: str) -> Envelope:
    statement = Statement(
        predicate_type=PREDICATES + "exam/v1", subject_name="exam", subject="sha256:" + "00" * 32,
        predicate={"word": word},
    )  # fmt: skip
    return seal(statement, MemorySigner("ann"))


def copy(remote: Path, name: str = "mine") -> BranchLedger:
    """A working copy's view; the same name twice is the next process in the same copy."""
    home = remote.parent / name
    return BranchLedger(str(remote), BRANCH, root=home, copy=home / "ledger.git", seen=home / "seen")


def add(ledger: BranchLedger, *words: str) -> None:
    for word in words:
        ledger.append(envelope(word), after=ledger.head(), time=NOON)


def words(ledger: BranchLedger) -> list[str]:
    return [entry.envelope.statement().predicate["word"] for entry in ledger.read()]


@pytest.mark.parametrize("check", LEDGER_CHECKS, ids=lambda c: c.__name__.strip("_"))
def test_it_passes_the_exam_of_every_ledger(remote: Path, check: Callable[..., None]) -> None:
    check(lambda: copy(remote))


def test_another_clone_and_another_process_read_the_same(remote: Path) -> None:
    mine = copy(remote)
    add(mine, "a", "b", "c")
    assert copy(remote).read() == copy(remote, "theirs").read() == mine.read()
    add(copy(remote, "theirs"), "d")
    assert words(mine) == ["a", "b", "c", "d"]


def test_a_person_can_read_it_with_git_alone(remote: Path) -> None:
    mine = copy(remote)
    add(mine, "a", "b")
    said = git("log", "--format=%s", BRANCH, at=remote).splitlines()
    assert said == ["1 exam/v1", "0 exam/v1"]
    assert mine.head().digest in git("log", "-1", "--format=%b", BRANCH, at=remote)
    assert git("ls-tree", "-r", "--name-only", BRANCH, at=remote).splitlines() == [
        "000000/000000000.json",
        "000000/000000001.json",
    ]


WRITER = """
    import sys
    from datetime import UTC, datetime
    from pathlib import Path
    sys.path.insert(0, {tests!r})
    from ledger.test_ledger_branch import copy, envelope
    from lockgate.errors import MovedOn

    ledger, name = copy(Path({remote!r}), {home!r}), {name!r}
    for number in range({rounds}):
        while True:
            try:
                ledger.append(envelope(f"{{name}} {{number}}"), after=ledger.head(), time=datetime.now(UTC))
            except MovedOn:
                continue
            break
        print(f"{{name}} {{number}}", flush=True)
"""


def writer(remote: Path, name: str, *, home: str, rounds: int) -> subprocess.Popen[str]:
    code = textwrap.dedent(WRITER).format(
        tests=str(Path(__file__).parents[1]), remote=str(remote), name=name, home=home, rounds=rounds
    )
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    ("rounds", "together"),
    [(12, False), (12, True), pytest.param(200, False, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])],
)
def test_two_writers_at_once_make_one_chain(remote: Path, rounds: int, *, together: bool) -> None:
    """Every acknowledged entry is present once, in one chain; from two clones, or from two processes in one."""
    two = [writer(remote, n, home="one" if together else n, rounds=rounds) for n in ("ann", "bob")]
    acknowledged = [line for process in two for line in process.communicate(timeout=1500)[0].splitlines()]
    assert all(process.returncode == 0 for process in two)
    found = words(copy(remote, "reader"))
    assert sorted(found) == sorted(acknowledged)
    assert len(found) == 2 * rounds


def test_a_killed_writer_loses_nothing_it_acknowledged(remote: Path) -> None:
    acknowledged: list[str] = []
    for turn in range(4):
        process = writer(remote, f"w{turn}", home="same", rounds=50)
        assert process.stdout
        acknowledged.append(process.stdout.readline().strip())
        time.sleep(0.05 * turn)
        os.kill(process.pid, signal.SIGKILL)
        acknowledged += process.stdout.read().splitlines()
        process.wait()
        process.stdout.close()
    for lock in (remote.parent / "same").rglob("*.lock"):
        assert lock.name in ("lockgate-fetch.lock", "lockgate-made.lock", "seen.lock"), lock
    found = words(copy(remote, "same"))
    assert [w for w in found if w in acknowledged] == [w for w in acknowledged if w]
    add(copy(remote, "same"), "after")
    assert words(copy(remote, "reader"))[-1] == "after"


def hook(remote: Path, name: str, text: str) -> Path:
    path = remote / "hooks" / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_protected_branch_says_who_may_push(remote: Path) -> None:
    mine = copy(remote)
    add(mine, "a")
    refusing = hook(
        remote, "pre-receive", "echo 'GitLab: You are not allowed to push code to protected branches' >&2; exit 1"
    )
    with pytest.raises(ServiceUnavailable) as refused:
        add(mine, "b")
    assert refused.value.exit_code == 5
    assert "not allowed to push" in refused.value.value
    assert "LOCKGATE_LEDGER_TOKEN" in refused.value.next
    assert words(mine) == ["a"]
    refusing.unlink()
    add(mine, "b")
    assert words(mine) == ["a", "b"]


def test_an_answer_that_is_lost_after_the_push_is_no_failure(remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = copy(remote)
    real = mine._copy.push

    def loses_its_answer(commit: str) -> str:
        assert real(commit) == ""
        return "the remote end hung up unexpectedly"

    monkeypatch.setattr(mine._copy, "push", loses_its_answer)
    add(mine, "a", "b")
    assert words(copy(remote, "reader")) == ["a", "b"]


def test_of_two_that_push_behind_the_same_head_one_has_to_decide_again(
    remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, theirs = copy(remote), copy(remote, "theirs")
    add(mine, "a")
    after, real = mine.head(), mine._copy.push

    def late(commit: str) -> str:
        add(theirs, "first")
        return real(commit)

    monkeypatch.setattr(mine._copy, "push", late)
    with pytest.raises(MovedOn):
        mine.append(envelope("second"), after=after, time=NOON)
    assert words(mine) == ["a", "first"]


@pytest.mark.parametrize("how", ["shortened", "replaced", "deleted", "an entry changed", "an entry removed"])
def test_a_branch_that_was_forced_is_noticed(remote: Path, how: str) -> None:
    mine = copy(remote)
    add(mine, "a", "b", "c")
    if how == "shortened":
        git("update-ref", f"refs/heads/{BRANCH}", f"{BRANCH}~1", at=remote)
    elif how == "replaced":
        git("update-ref", "-d", f"refs/heads/{BRANCH}", at=remote)
        add(copy(remote, "rival"), "x", "y", "z", "longer")
    elif how == "deleted":
        git("update-ref", "-d", f"refs/heads/{BRANCH}", at=remote)
    else:
        work = remote.parent / "work"
        git("clone", "--quiet", "--branch", BRANCH, remote, work, at=remote.parent)
        entry = work / "000000" / "000000001.json"
        entry.write_bytes(entry.read_bytes().replace(b"b", b"d", 1)) if how == "an entry changed" else entry.unlink()
        git("commit", "--quiet", "-am", "mine now", at=work)
        git("push", "--quiet", "origin", BRANCH, at=work)
    fresh = copy(remote, "fresh") if how.startswith("an entry") else mine
    with pytest.raises(IntegrityError):
        fresh.read()
    with pytest.raises(IntegrityError):
        copy(remote).read()  # the next process of this copy remembers, too


def test_a_branch_whose_name_only_ends_so_is_another_one(remote: Path) -> None:
    """Who may push no `lockgate/*` may still push `a/refs/heads/lockgate/ledger`, which git lists first for the name."""
    ledger = copy(remote)
    add(ledger, "a", "b")
    git("update-ref", f"refs/heads/a/refs/heads/{BRANCH}", f"refs/heads/{BRANCH}", at=remote)
    assert words(ledger) == ["a", "b"]
    add(copy(remote, "theirs"), "revoked")
    assert words(ledger) == ["a", "b", "revoked"]


def test_no_remote_is_said_without_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKGATE_LEDGER_TOKEN", "glpat-secret")
    monkeypatch.setenv("LOCKGATE_LEDGER_HOST", "127.0.0.1:9")
    address = "http://user:hidden@127.0.0.1:9/group/project.git"
    ledger = BranchLedger(address, BRANCH, root=tmp_path, copy=tmp_path / "c", seen=tmp_path / "s")
    with pytest.raises(ServiceUnavailable) as refused:
        ledger.head()
    said = str(refused.value)
    assert "127.0.0.1" in said
    assert "hidden" not in said
    assert "glpat" not in said
    assert not any(
        b"hidden" in p.read_bytes() or b"glpat" in p.read_bytes() for p in (tmp_path / "c").rglob("*") if p.is_file()
    )


@pytest.fixture
def asked() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """An address on this machine, and what is asked of it: path and Authorization. `/away/…` leads to the host `localhost`."""
    seen: list[tuple[str, str]] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.path, self.headers.get("Authorization", "")))
            self.send_response(302 if self.path.startswith("/away") else 404)
            self.send_header("Location", f"http://localhost:{server.server_port}{self.path.replace('/away', '/evil')}")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}", seen
    server.shutdown()
    server.server_close()


def test_the_token_goes_to_the_ledgers_remote(
    asked: tuple[str, list[tuple[str, str]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The honest twin: the named host is asked, with the token, and a job's own instance needs no naming."""
    host, seen = asked
    monkeypatch.setenv("LOCKGATE_LEDGER_TOKEN", "glpat-secret")
    for name, value in (("LOCKGATE_LEDGER_HOST", host), ("CI_SERVER_URL", f"http://{host}")):
        monkeypatch.delenv("LOCKGATE_LEDGER_HOST", raising=False)
        monkeypatch.setenv(name, value)
        seen.clear()
        with pytest.raises(ServiceUnavailable, match="cannot be reached"):
            at(f"http://{host}/g/p.git", tmp_path).head()
        assert seen
        assert all(header.startswith("Basic ") for _, header in seen)


@pytest.mark.parametrize("named", ["", "gitlab.example.org"])
def test_a_repository_does_not_choose_where_the_token_goes(
    asked: tuple[str, list[tuple[str, str]]], named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, seen = asked
    monkeypatch.setenv("LOCKGATE_LEDGER_TOKEN", "glpat-secret")
    monkeypatch.setenv("LOCKGATE_LEDGER_HOST", named)
    monkeypatch.delenv("CI_SERVER_URL", raising=False)
    with pytest.raises(ServiceUnavailable, match="was not sent") as refused:
        at(f"http://{host}/g/p.git", tmp_path).head()
    assert (refused.value.exit_code, refused.value.next) == (5, f"export LOCKGATE_LEDGER_HOST={host}")
    assert seen == []


def test_the_token_never_travels_without_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKGATE_LEDGER_TOKEN", "glpat-secret")
    monkeypatch.setenv("LOCKGATE_LEDGER_HOST", "gitlab.invalid")
    with pytest.raises(ServiceUnavailable, match="without TLS") as refused:
        at("http://ada:hidden@gitlab.invalid/g/p.git", tmp_path).head()
    assert "https://gitlab.invalid/g/p.git" in refused.value.next
    assert "hidden" not in str(refused.value)
    with pytest.raises(ServiceUnavailable, match="cannot be reached"):  # https is tried
        at("https://gitlab.invalid/g/p.git", tmp_path).head()


def test_the_token_follows_no_redirect(
    asked: tuple[str, list[tuple[str, str]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, seen = asked
    monkeypatch.setenv("LOCKGATE_LEDGER_TOKEN", "glpat-secret")
    monkeypatch.setenv("LOCKGATE_LEDGER_HOST", host)
    with pytest.raises(ServiceUnavailable, match="follows no redirect"):
        at(f"http://{host}/away/p.git", tmp_path).head()
    assert seen
    assert not [path for path, _ in seen if path.startswith("/evil")]


SPY = "#!/bin/sh\n{{ echo ran; env; }} >> '{seen}'\n"


def spied(folder: Path, seen: Path) -> None:
    """Hooks and settings, as whoever can write files into the copy would lay them there."""
    for name in ("reference-transaction", "pre-push"):
        spy = folder / "hooks" / name
        spy.parent.mkdir(parents=True, exist_ok=True)
        spy.write_text(SPY.format(seen=seen))
        spy.chmod(0o755)


@pytest.mark.parametrize("how", ["hooks", "settings", "another folder's settings", "a worktree's settings", "a link"])
def test_nothing_that_lies_in_the_copy_is_run(remote: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: the same ledger is read and written, as if nothing lay there."""
    add(copy(remote), "a")
    folder, seen, elsewhere = remote.parent / "mine" / "ledger.git", remote.parent / "seen", remote.parent / "elsewhere"
    spied(elsewhere, seen)
    add(copy(remote, "theirs"), "b")
    config = folder / "config"
    upload = f'[remote "origin"]\nuploadpack = {elsewhere}/hooks/pre-push; git-upload-pack\n'
    if how == "hooks":
        spied(folder, seen)
    elif how == "settings":
        config.write_text(config.read_text() + upload)
    elif how == "another folder's settings":
        git("clone", "--quiet", "--bare", remote, elsewhere / "common", at=remote.parent)
        with (elsewhere / "common" / "config").open("a") as file:
            file.write(f"[core]\nhooksPath = {elsewhere}/hooks\n{upload}")
        (folder / "commondir").write_text(f"{elsewhere}/common")
    elif how == "a worktree's settings":
        config.write_text(config.read_text() + "[extensions]\nworktreeConfig = true\n")
        (folder / "config.worktree").write_text(upload)
    else:
        (folder / "hooks").symlink_to(elsewhere / "hooks")
    monkeypatch.setenv("LOCKGATE_LEDGER_TOKEN", "glpat-secret")
    mine = copy(remote)
    add(mine, "c")
    assert words(mine) == ["a", "b", "c"]
    assert not seen.exists()
    assert (elsewhere / "hooks" / "pre-push").is_file(), "what a link leads to is not ours to take away"


def test_git_inherits_no_secret(remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The remote's own hook sees what git's children see; the twin: what git needs is still there."""
    seen = remote.parent / "seen"
    hook(remote, "pre-receive", SPY.format(seen=seen))
    for name in ("LOCKGATE_LEDGER_TOKEN", "LOCKGATE_KEY", "CI_JOB_TOKEN", "GH_TOKEN", "PIP_PASSWORD"):
        monkeypatch.setenv(name, "glpat-secret")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    monkeypatch.setenv("GIT_SSL_KEY", "/run/key")
    add(copy(remote), "a")
    assert "glpat-secret" not in seen.read_text()
    assert {"SSH_AUTH_SOCK=/run/agent", "GIT_SSL_KEY=/run/key"} <= set(seen.read_text().splitlines())


@pytest.mark.parametrize("name", [".lockgate/ledger.git/hooks/reference-transaction", ".LockGate/ledger-seen"])
def test_a_project_whose_git_tracks_our_folder_is_refused(remote: Path, name: str) -> None:
    root = remote.parent / "project"
    root.mkdir()
    git("init", "--quiet", at=root)
    (root / ".lockgate").mkdir()
    ledger = BranchLedger(str(remote), BRANCH, root=root, copy=root / ".lockgate" / "ledger.git", seen=root / "seen")
    add(ledger, "a")  # the twin: our folder is there, and git does not track it
    blob = git("hash-object", "-w", "--stdin", at=root)
    git("update-index", "--add", "--cacheinfo", f"100755,{blob},{name}", at=root)
    ledger = BranchLedger(str(remote), BRANCH, root=root, copy=root / ".lockgate" / "ledger.git", seen=root / "seen")
    with pytest.raises(IntegrityError, match="tracks") as refused:
        ledger.head()
    assert (refused.value.exit_code, refused.value.value) == (4, name)
    assert refused.value.next.startswith("git rm -r --cached .lockgate")


def at(address: str, folder: Path) -> BranchLedger:
    return BranchLedger(address, BRANCH, root=folder, copy=folder / "c", seen=folder / "s")


def test_a_project_names_it_in_one_line(remote: Path) -> None:
    root = remote.parent / "project"
    root.mkdir()
    git("init", "--quiet", at=root)
    git("remote", "add", "origin", remote, at=root)
    (root / "lockgate.toml").write_text('[project]\nname = "p"\npipelines = []\n[ledger]\nurl = "git:"\n')
    ledger = open_project(root).ledger
    ledger.append(envelope("a"), after=ledger.head(), time=NOON)
    assert words(copy(remote)) == ["a"]


def test_a_ledger_on_packages_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "lockgate.toml").write_text('[project]\nname = "p"\npipelines = []\n[ledger]\nurl = "gitlab:"\n')
    with pytest.raises(UsageError, match="of two writers the last one would win"):
        _ = open_project(tmp_path).ledger


def shop(folder: Path, *, remote: str, url: str) -> Path:
    """A project in a subfolder of its repository, whose ledger lies at `url`; `remote` is that of the name `origin`."""
    git("init", "--quiet", folder, at=folder.parent)
    git("remote", "add", "origin", remote, at=folder)
    root = folder / "shop"
    root.mkdir()
    (root / "lockgate.toml").write_text(f'[project]\nname = "p"\npipelines = []\n[ledger]\nurl = "{url}"\n')
    return root


IN_THE_TREE = {
    "a path": ("https://example.org/r.git", "git:../evil.git"),
    "a path without its ending": ("https://example.org/r.git", "git:../evil"),
    "a path that is written otherwise": ("https://example.org/r.git", "git:../../clone/./shop/../evil.git"),
    "a whole path": ("https://example.org/r.git", "git:{top}/evil.git"),
    "an address": ("https://example.org/r.git", "git:file://{top}/evil.git"),
    "an address with signs": ("https://example.org/r.git", "git:file://localhost{top}/%65vil.git"),
    "an address with signs and no host": ("https://example.org/r.git", "git:file://{top}/%65vil.git"),
    "an address that git decodes first": ("https://example.org/r.git", "git:file://x%2Fproc%2Fself%2Fcwd/../evil.git"),
    "a remote of such an address": ("file://x%2Fproc%2Fself%2Fcwd/../evil.git", "git:"),
    "a link": ("https://example.org/r.git", "git:link"),
    "the remote's name": ("{top}/evil.git", "git:"),
    "the remote's name, from the top": ("evil.git", "git:"),
}


@pytest.mark.parametrize("how", IN_THE_TREE)
def test_a_repository_that_came_with_the_project_is_no_place_for_the_ledger(tmp_path: Path, how: str) -> None:
    """A bare repository is files: who commits one commits its hooks, and programs that its settings name."""
    top, ran = tmp_path / "clone", tmp_path / "ran"
    root = shop(top, **dict(zip(("remote", "url"), (t.format(top=top) for t in IN_THE_TREE[how]), strict=True)))
    armed(top / "evil.git", ran)
    (root / "link").symlink_to("../evil.git")
    git("add", "--all", "--force", at=top)
    ledger = open_project(root).ledger
    with pytest.raises(IntegrityError, match="in the project's own tree|names a host") as refused:
        ledger.append(envelope("a"), after=EMPTY, time=NOON)
    assert (refused.value.exit_code, "evil" in refused.value.value or "link" in refused.value.value) == (4, True)
    assert not ran.exists()


@pytest.mark.parametrize("how", ["a path", "a path from the project", "an address", "the remote's name", "the clone itself"])  # fmt: skip
def test_its_twin_elsewhere_on_this_machine_is_one_and_its_owners_hooks_run(tmp_path: Path, how: str) -> None:
    """Whose repository it is may want their hooks: they are not turned off. No setting of ours would reach them anyway."""
    top, ran = tmp_path / "clone", tmp_path / "ran"
    bare = top / ".git" if how == "the clone itself" else tmp_path / "team.git"
    url = {"a path": f"git:{bare}", "a path from the project": "git:../../team.git", "an address": f"git:file://{bare}", "the remote's name": "git:", "the clone itself": "git:.."}[how]  # fmt: skip
    root = shop(top, remote=str(bare), url=url)
    armed(bare, ran)
    add(open_project(root).ledger, "a", "b")
    assert words(open_project(root).ledger) == ["a", "b"]
    assert ran.read_text().splitlines().count("hook") == 2


def armed(bare: Path, ran: Path) -> None:
    """A bare repository that runs code when somebody pushes: by a hook, and by a setting that no hook is needed for."""
    if not (bare / "HEAD").is_file():
        git("init", "--quiet", "--bare", bare, at=bare.parent)
    hook(bare, "pre-receive", f"#!/bin/sh\necho hook >> '{ran}'\n")
    other = ran.with_name("other.git")
    git("init", "--quiet", "--bare", other, at=ran.parent)
    (bare / "objects" / "info").mkdir(exist_ok=True)
    (bare / "objects" / "info" / "alternates").write_text(f"{other}/objects\n")
    git("config", "core.alternateRefsCommand", f"echo setting >> '{ran}'; true", at=bare)
