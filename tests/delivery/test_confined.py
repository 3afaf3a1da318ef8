"""What a process that nobody has reviewed can and cannot reach, each rule by itself."""

from __future__ import annotations

import json
import os
import pwd
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from lockgate.build.landlock import landlock_version
from lockgate.delivery.confined import Confined, Owner, close_memory, owner_of
from lockgate.errors import UsageError
from lockgate.serving.child import Wanted

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
HOST = """
import os, subprocess, sys
from lockgate.delivery.confined import close_memory
from lockgate.build.landlock import drop_capabilities
drop_capabilities()  # root looks into whoever has no more rights than itself
if sys.argv[1] == "shut": assert close_memory()
child = '''
import os
from lockgate.build.landlock import drop_capabilities
drop_capabilities()
try: print(b"glpat-secret" in open(f"/proc/{os.getppid()}/environ", "rb").read())
except OSError: print("shut")
'''
subprocess.run([sys.executable, "-I", "-c", child], env={})
"""


@LINUX
@pytest.mark.parametrize(("way", "seen"), [("open", "True"), ("shut", "shut")])
def test_a_child_of_the_same_user_reads_the_hosts_variables_only_where_its_memory_is_open(way: str, seen: str) -> None:
    """Without Landlock: that is another wall."""
    done = subprocess.run(
        [sys.executable, "-c", HOST, way], capture_output=True, text=True, env={**os.environ, "A_TOKEN": "glpat-secret"}
    )
    assert done.stdout.strip() == seen, done.stderr
    assert callable(close_memory)


@pytest.mark.skipif(landlock_version() < 4, reason="this kernel's Landlock knows no TCP")
def test_one_port_may_be_connected_to_and_no_other() -> None:
    code = """
import socket, sys
from lockgate.build.landlock import restrict
assert restrict(["/"], [], network=False, connects=[int(sys.argv[1])])
for port in sys.argv[1:]:
    try: socket.create_connection(("127.0.0.1", int(port)), timeout=5); print("open")
    except PermissionError: print("shut")
"""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        ports = [str(s.getsockname()[1]) for s in (one, two)]
        done = subprocess.run([sys.executable, "-c", code, *ports], capture_output=True, text=True)
    assert done.stdout.split() == ["open", "shut"], done.stderr


def test_an_app_sees_allowed_variables_and_a_home_that_goes_with_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: os.PathLike[str]
) -> None:
    monkeypatch.setenv("LOCKGATE_GITLAB_TOKEN", "glpat-secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    made = Confined(tmp_path)  # type: ignore[arg-type]
    seen: Mapping[str, str] = made._variables()
    assert not [n for n in seen if "TOKEN" in n or "SECRET" in n]
    assert seen["HOME"] == str(made.folder / "home")
    assert seen["TMPDIR"] == str(made.folder / "tmp")
    assert (made.folder.stat().st_mode & 0o777) == 0o700
    made.close()
    assert not made.folder.exists()


def test_another_user_is_one_that_is_there_and_not_root(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no such user"):
        owner_of("nobody-of-this-name")
    with pytest.raises(UsageError, match="another user"):
        owner_of("root")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(UsageError, match="another user"):
        owner_of(pwd.getpwuid(1).pw_name)


def started(made: Confined, place: Path) -> dict[str, object]:
    """The orders of a worker of this app: its log among them."""
    wanted = Wanted(release="sha256:" + "ab" * 32, entry="e")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        worker = made(wanted, place, environment="review/b", listener=listener, log=made.folder)
    worker.end()
    assert isinstance(worker.process.args, list)
    return {**json.loads(str(worker.process.args[-1])), "rules": json.loads(str(worker.process.args[-2]))}


def test_each_worker_has_a_new_log_that_goes_with_the_app(tmp_path: Path) -> None:
    made = Confined(tmp_path)
    first, second = started(made, tmp_path), started(made, tmp_path)
    logs = [Path(str(orders["log"])) for orders in (first, second)]
    assert len({*logs}) == 2
    for orders, log, other in ((first, *logs), (second, *reversed(logs))):
        writes: list[str] = orders["rules"]["writes"]  # type: ignore[index]
        assert log.parent == made.folder and not [*log.iterdir()]
        assert str(log) in writes
        assert not {str(made.folder), str(other)} & {*writes}, "neither the host's folder nor an older worker's log"
    made.close()
    assert not made.folder.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_nothing_that_an_older_worker_laid_down_changes_hands(tmp_path: Path) -> None:
    """Links in its log and a file of root's that it linked in place of its folder stay whose they are."""
    user = pwd.getpwnam("nobody")
    secret = tmp_path / "roots" / "secret"
    secret.parent.mkdir()
    secret.write_text("root's")
    made = Confined(tmp_path, owner=Owner(user.pw_uid, user.pw_gid))
    first = Path(str(started(made, tmp_path)["log"]))
    os.link(secret, first / "linked")  # what a swapped folder on the way amounts to, without the race
    (first / "folder").symlink_to(secret.parent)
    second = Path(str(started(made, tmp_path)["log"]))
    assert secret.stat().st_uid == secret.parent.stat().st_uid == 0
    assert {p.stat().st_uid for p in (first, second, made.folder / "home", made.folder / "home/.cache")} == {
        user.pw_uid
    }
    assert made.folder.stat().st_uid == 0, "the app cannot put a link where its next log will be"
    made.close()


def test_a_link_is_never_taken_for_a_folder(tmp_path: Path) -> None:
    made = Confined(tmp_path)
    (tmp_path / "link").symlink_to(made.folder)
    with pytest.raises(OSError):
        made._give(tmp_path / "link" / "log-1")
    with pytest.raises(FileExistsError):
        made._give(tmp_path / "link")
    made.close()
