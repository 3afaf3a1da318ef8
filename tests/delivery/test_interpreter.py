"""What was installed is held against the lock before anything of it runs."""

from __future__ import annotations

import sys
import zipfile
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from journeys.remaking import toy_package, wheel_of
from lockgate.delivery.reproduction import interpreter
from lockgate.delivery.reproduction.installed_files import check_files, check_outside, outside
from lockgate.errors import IntegrityError
from lockgate.release.training_lock import Locked, files_digest_of, read_training_lock


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return toy_package(tmp_path, "toyrate", "1.0", "RATE = 1.0\n")


@pytest.fixture
def locked(site: Path) -> Locked:
    (found,) = metadata.distributions(path=[str(site)])
    return Locked(name="toyrate", version="1.0", files=files_digest_of(found))


def test_the_locked_files_pass(site: Path, locked: Locked) -> None:
    check_files(site, [locked])


def test_another_wheel_of_that_version_is_refused(site: Path, locked: Locked) -> None:
    for other in (replace(locked, files="0" * 16), replace(locked, version="2.0"), replace(locked, name="gone")):
        with pytest.raises(IntegrityError, match="not what the release was made with"):
            check_files(site, [other])


def test_a_file_that_its_list_does_not_hold_is_refused(site: Path, locked: Locked) -> None:
    record = site / "toyrate-1.0.dist-info" / "RECORD"
    listed = record.read_text()
    record.write_text(listed + "run_me.pth,,\n")
    (site / "run_me.pth").write_text("import os\n")
    with pytest.raises(IntegrityError, match="run_me.pth"):
        check_files(site, [locked])
    record.write_text(listed)
    (site / "toyrate.py").write_text("RATE = 9.0\n")
    with pytest.raises(IntegrityError, match="toyrate.py"):
        check_files(site, [locked])


@pytest.mark.parametrize("more", ["run_me.pth", "sitecustomize.py", "toyrate-1.0.pth", "lockgate.py", "deep/er.so"])
def test_a_file_that_nobody_lists_is_refused(site: Path, locked: Locked, more: str) -> None:
    (site / more).parent.mkdir(exist_ok=True)
    (site / more).write_text("import os\n")
    with pytest.raises(IntegrityError, match=more):
        check_files(site, [locked])


def test_the_list_of_a_package_that_is_not_locked_vouches_for_nothing(
    site: Path, locked: Locked, tmp_path: Path
) -> None:
    other = toy_package(tmp_path / "other", "uninvited", "1.0", "")
    for path in (other / "uninvited.py", *(other / "uninvited-1.0.dist-info").iterdir()):
        (site / path.relative_to(other)).parent.mkdir(exist_ok=True)
        path.rename(site / path.relative_to(other))
    with pytest.raises(IntegrityError, match="uninvited"):
        check_files(site, [locked])


def test_bytecode_that_came_along_goes(site: Path, locked: Locked) -> None:
    """Python believes it without a look at the text, when it says so itself."""
    brought = site / "__pycache__" / "toyrate.cpython-311.pyc"
    brought.parent.mkdir()
    brought.write_bytes(b"")
    check_files(site, [locked])
    assert not brought.exists()
    (site / "toyrate.pyc").write_bytes(b"")
    with pytest.raises(IntegrityError, match="toyrate.pyc"):
        check_files(site, [locked])


@pytest.mark.parametrize("path", ["bin/python", "pyvenv.cfg", "bin/pyvenv.cfg", "lib64"])
def test_what_makes_the_venv_stays_as_it_was(tmp_path: Path, path: str) -> None:
    site = tmp_path / "lib" / "python3.11" / "site-packages"
    (tmp_path / "bin").mkdir()
    site.mkdir(parents=True)
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (tmp_path / "lib64").symlink_to("lib")
    before = outside(tmp_path, site)
    (tmp_path / "bin" / "rates").write_text("#!/bin/sh\n")
    (site / "a.py").write_text("")
    check_outside(tmp_path, site, before)
    (tmp_path / path).unlink(missing_ok=True)
    (tmp_path / path).write_text("#!/bin/sh\n")
    with pytest.raises(IntegrityError, match=path):
        check_outside(tmp_path, site, before)


def test_a_wheel_that_brings_more_than_the_locked_files_is_refused(
    site: Path, locked: Locked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`lib64` of a venv is `lib`: what a wheel installs there by its data has another name in every list."""
    wheels = tmp_path / "wheels"
    wheel_of(next(iter(metadata.distributions(path=[str(site)]))), wheels)
    (wheel,) = wheels.iterdir()
    number = ".".join(map(str, sys.version_info[:2]))
    with zipfile.ZipFile(wheel, "a") as opened:
        opened.writestr(f"toyrate-1.0.data/data/lib64/python{number}/site-packages/run_me.pth", "import os\n")
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(IntegrityError, match="run_me.pth"):
        interpreter._make(tmp_path / "venv", sys.executable, [locked])


def test_other_files_of_the_same_versions_are_another_venv(
    locked: Locked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    def make(folder: Path, _base: str, _locked: object) -> None:
        folder.mkdir()
        (folder / interpreter.COMPLETE).touch()
        made.append(folder)

    monkeypatch.setattr(interpreter, "_make", make)
    project: Any = SimpleNamespace(home=tmp_path, cache=None, store_url=".lockgate")
    for files in (locked.files, "", "0" * 16, locked.files):
        interpreter._venv(project, [replace(locked, files=files)], "3.11.0")
    assert len(set(made)) == len(made) == 3


@pytest.mark.parametrize("version", ["/rates.sh", "3.11", "-config", "3/../../tmp/x.y", ""])
def test_what_is_no_version_starts_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    ran = tmp_path / "ran"
    program = tmp_path / "python" / "rates.sh"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {ran}\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    interpreter.python_for(version)
    assert not ran.exists()


def test_a_lock_of_lockgate_itself_is_refused() -> None:
    with pytest.raises(IntegrityError, match="no package"):
        read_training_lock("LockGate==0.1.0\n")
