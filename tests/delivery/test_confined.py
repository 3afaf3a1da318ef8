"""What a process that nobody has reviewed can and cannot reach, each rule by itself."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import sys
from collections.abc import Mapping

import pytest
from lockgate.build.landlock import landlock_version
from lockgate.delivery.confined import Confined, close_memory, owner_of
from lockgate.errors import UsageError

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
