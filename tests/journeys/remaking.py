"""Releases to make again: toy projects up to their first release, an auditor's view of a store, falsified lineages."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import platform
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from lockgate.delivery.reproduction.interpreter import bring_lockgate
from lockgate.delivery.put import keep_bytes
from lockgate.delivery.releases import manifest_of
from lockgate.project import open_project
from lockgate.records.digest import digest, digest_bytes, sha256_bytes
from lockgate.records.release import Manifest
from lockgate.records.wire import from_json, to_json

from journeys.walking import COMMAND, OUTSIDE, Lockgate, commit, git, write_sales

NOBODY = 65534
NEEDED = ("polars", "polars-runtime-32", "typing-extensions", "numpy", "scipy", "blake3", "cryptography", "cffi",
          "pycparser", "jinja2", "markupsafe")  # fmt: skip
PROJECTS = Path(__file__).parents[1] / "projects"


@dataclass(frozen=True)
class WithPython(Lockgate):
    """`lockgate …` by another interpreter."""

    python: str = sys.executable

    def start(self, *arguments: str, prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        return super().start(*arguments, prefix=prefix or (self.python, "-P", "-m", "lockgate.cli.main"))


def python_with(package: Path, folder: Path) -> str:
    """A virtual environment with what delivering takes, and the distributions in a folder."""
    venv.create(folder, with_pip=False)
    (site,) = folder.glob("lib/python*/site-packages")
    shutil.copytree(package, site, dirs_exist_ok=True)
    installer = ["pip"] if next(metadata.distributions(name="pip"), None) else []  # else there is uv
    for name in (*NEEDED, *installer):
        for file in metadata.distribution(name).files or ():
            if ".." not in file.parts and file.suffix != ".pyc":
                (site / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(file.locate()), site / file)
    bring_lockgate(folder)
    return str(folder / "bin" / "python")


def release_of(
    name: str, root: Path, edits: Callable[[Path], None] = lambda _: None, *, python: str = sys.executable
) -> WithPython:
    """A toy project with its first release; nobody serves it."""
    shutil.copytree(PROJECTS / name, root, ignore=shutil.ignore_patterns("__pycache__", ".lockgate", "data"))
    write_sales(root, days=60)
    edits(root)
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "config", "user.email", "dev@example.org")
    git(root, "config", "user.name", "Dev")
    commit(root, "the shop")
    lockgate = WithPython(root, python=python)
    lockgate("init", "--person", "ada")
    lockgate("deliver", "--wait", "0.1", expect=OUTSIDE)
    return lockgate


def auditor(lockgate: Lockgate, root: Path) -> Lockgate:
    """Somebody with the releases and the sources' bytes: no code, no data folder, no ledger, no result of any step."""
    root.mkdir(parents=True)
    for kind in ("objects", "releases", "sources"):
        shutil.copytree(lockgate.root / ".lockgate" / kind, root / "store" / kind)
    text = (lockgate.root / "lockgate.toml").read_text()
    (root / "lockgate.toml").write_text(text + '\n[store]\nurl = "store"\n')
    return Lockgate(root)


def as_another_user(lockgate: Lockgate, *arguments: str) -> subprocess.CompletedProcess[str]:
    """With the id of nobody; where nobody may not even reach the interpreter, with a made-up one of a user namespace."""
    command = [str(COMMAND), *arguments]
    options: dict[str, Any] = {"cwd": lockgate.root, "capture_output": True, "text": True}
    if not _nobody_can_run(command[0]):
        return subprocess.run(["unshare", "-U", "--map-user=4321", "--map-group=4321", *command], **options)
    for path in (lockgate.root, *lockgate.root.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    return subprocess.run(command, user=NOBODY, group=NOBODY, env={**os.environ, "HOME": "/tmp"}, **options)


def _nobody_can_run(program: str) -> bool:
    """And with this very Python: one whose home nobody may read starts with the system's library, which is another release."""
    if os.geteuid() != 0:
        return False
    asked: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "capture_output": True, "text": True}
    try:
        runs = subprocess.run([program, "--version"], **asked).returncode == 0
        python = subprocess.run([sys.executable, "-c", "import platform; print(platform.python_version())"], **asked)
    except PermissionError:
        return False
    return runs and python.stdout.strip() == platform.python_version()


def falsified(lockgate: Lockgate, change: Callable[[dict[str, Any]], None], **files: bytes) -> str:
    """Another release in the store, whole and consistent, whose manifest says something else; its digest.

    `files`: new bytes of its own files, by path with `_` for what no name may hold.
    """
    project = open_project(lockgate.root)
    said = to_json(manifest_of(project, lockgate.release()))
    change(said)
    for entry in said["files"]:
        data = files.get(entry["path"].replace("-", "_").replace(".", "_"))
        if data is not None:
            stored = keep_bytes(project, data)
            entry |= {"sha256": sha256_bytes(data), "blake3": stored, "size_bytes": len(data)}
    manifest = from_json(Manifest, said)
    stored = keep_bytes(project, manifest.encoded())
    project.results("releases").put(manifest.digest, {"manifest": stored, "release": manifest.digest})
    return manifest.digest


def file_of(lockgate: Lockgate, path: str) -> bytes:
    """The bytes of one of the newest release's files."""
    project = open_project(lockgate.root)
    entry = next(f for f in manifest_of(project, lockgate.release()).files if f.path == path)
    return project.store.get(entry.blake3).read_bytes()


def another_source(lockgate: Lockgate, name: str, data: bytes) -> str:
    """Keep other bytes as a version of a file source; its identity."""
    project = open_project(lockgate.root)
    files = [[Path(project.settings.sources[0].path).name, digest_bytes(data)]]
    assert keep_bytes(project, data) == files[0][1]
    identity = digest("source", files)
    project.results("sources").put(identity, {"files": files, "single": True, "name": name})
    return identity


def toy_package(folder: Path, name: str, version: str, text: str) -> Path:
    """An installed distribution of one module in `folder`/site-packages."""
    site = folder / "site-packages"
    information = site / f"{name}-{version}.dist-info"
    information.mkdir(parents=True)
    (site / f"{name}.py").write_text(text)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (information / "WHEEL").write_text("Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    listed = [f"{name}.py", f"{information.name}/METADATA", f"{information.name}/WHEEL"]
    rows = [_row(p, (site / p).read_bytes()) for p in listed]
    (information / "RECORD").write_text("\n".join([*rows, f"{information.name}/RECORD,,"]) + "\n")
    return site


def wheel_of(distribution: metadata.Distribution, into: Path) -> None:
    """The wheel that an installed distribution came from, as far as its files tell."""
    tag = next(v for k, v in _headers(distribution.read_text("WHEEL") or "") if k == "Tag")
    name = f"{distribution.name.replace('-', '_')}-{distribution.version}"
    kept = [f for f in distribution.files or () if f.hash and ".." not in f.parts and f.suffix != ".pyc"]
    kept = [f for f in kept if f.name not in ("INSTALLER", "REQUESTED", "direct_url.json")]
    into.mkdir(exist_ok=True)
    with zipfile.ZipFile(into / f"{name}-{tag}.whl", "w", zipfile.ZIP_STORED) as wheel:
        rows: list[str] = []
        for file in kept:
            data = file.read_binary()
            wheel.writestr(str(file), data)
            rows.append(_row(str(file), data))
        record = next(str(f) for f in distribution.files or () if f.name == "RECORD")
        wheel.writestr(record, "\n".join([*rows, f"{record},,"]) + "\n")


def _row(path: str, data: bytes) -> str:
    told = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{path},sha256={told},{len(data)}"


def _headers(text: str) -> list[tuple[str, str]]:
    return [(k, v.strip()) for k, _, v in (line.partition(":") for line in text.splitlines())]


def reproduced(lockgate: Lockgate, ref: str, *, expect: int) -> dict[str, Any]:
    """`reproduce --json`."""
    return json.loads(lockgate("reproduce", ref, "--json", expect=expect, within=300).out)
