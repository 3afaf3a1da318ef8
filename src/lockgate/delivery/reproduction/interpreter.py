"""The interpreter in which a release's packages are installed: this one if they are the same, else a venv of its own.

A venv is made once per lock file, under `.lockgate/venvs`, by pip from wherever pip is configured to look (uv where
there is no pip). Lockgate itself is always the one that asks.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.build.environment import without_secrets
from lockgate.delivery.reproduction.installed_files import check_files, check_outside, outside
from lockgate.durable import locked as waiting_for
from lockgate.errors import ServiceUnavailable, StepFailed
from lockgate.records.digest import digest
from lockgate.release.lockfile import OURS
from lockgate.release.training_lock import Locked, differing, files_digest

if TYPE_CHECKING:
    from lockgate.project import Project

__all__ = ["Interpreter", "bring_lockgate", "installed", "interpreter_for", "python_for"]

COMPLETE = "complete"
INSTALLING_S = 900.0
"""How long another process may take to install the same packages."""
VERSION = re.compile(r"\d+\.\d+\.\d+[a-z0-9+]*")
NOWHERE = (
    "No matching distribution", "no version of", "not found in the package registry", "no usable wheels", "no wheels",
)  # fmt: skip
"""What pip and uv say when a registry answered and does not have that version, or no wheel of it."""
WHEELS = ("--only-binary", ":all:")
"""Building a package runs code of its author before anybody could compare it with the lock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """Attributes:
    executable: its Python. own: it is the one that runs now. version: of Python.
    """

    executable: str
    own: bool
    version: str


def interpreter_for(project: Project, locked: Sequence[Locked], *, python: str) -> Interpreter:
    """The interpreter that has exactly these packages.

    Args:
        python: the version that the release was made with. Another one is taken when this machine does not have it;
            the answer says which.

    Raises:
        StepFailed: a package is in no registry, or not in that version, or not as a wheel.
        IntegrityError: what was installed is not what is locked; nothing of it ran.
        ServiceUnavailable: the registry does not answer.
    """
    if platform.python_version() == python or _python(python) is None:
        here = installed(k.name for k in locked)
        if not differing(locked, here):
            return Interpreter(executable=sys.executable, own=True, version=platform.python_version())
    folder = _venv(project, locked, python)
    executable = str(folder / "bin" / "python")
    return Interpreter(executable=executable, own=False, version=_version(executable))


def python_for(python: str) -> str:
    """The version that `interpreter_for` takes: the one asked for where this machine has it, else that of now."""
    return python if _python(python) else platform.python_version()


def installed(names: Iterable[str]) -> dict[str, Locked | None]:
    """What this interpreter has under these names."""
    found: dict[str, Locked | None] = {}
    for name in names:
        try:
            found[name] = Locked(name=name, version=metadata.version(name), files=_files(name))
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def _files(name: str) -> str:
    """Of an editable install there is no list of files: the capture looks at these itself."""
    editable = metadata.distribution(name).read_text("direct_url.json")
    return "" if editable and '"editable": true' in editable else files_digest(name)


def _venv(project: Project, locked: Sequence[Locked], python: str) -> Path:
    ours = _for_lockgate(project, locked)
    lost = [k for k in locked if not k.published]
    if lost:
        raise StepFailed(
            "a package that the release was made with is in no registry",
            value=", ".join(f"{k.name} {k.version}, files {k.files}" for k in lost),
            allowed="the same files, importable here", next="bring them, or install them in this environment",
        )  # fmt: skip
    wanted = [*locked, *(replace(k, files="") for k in ours)]  # another Python takes another wheel of ours
    said = [[k.name, k.version, k.files] for k in wanted]
    folder = project.home / "venvs" / digest("venv", [said, python, sys.version, _ours()])[7:23]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with waiting_for(folder.with_suffix(".lock"), wait_s=INSTALLING_S):
        if not (folder / COMPLETE).exists():
            shutil.rmtree(folder, ignore_errors=True)
            _make(folder, _python(python) or sys.executable, wanted)
    return folder


def _make(folder: Path, base: str, locked: Sequence[Locked]) -> None:
    _call([base, "-m", "venv", "--without-pip", str(folder)])
    wanted = folder / "wanted.txt"
    wanted.write_text("".join(f"{k.name}=={k.version}\n" for k in locked), encoding="utf-8")
    python = str(folder / "bin" / "python")
    site = next(folder.glob("lib/python*/site-packages"))
    made = outside(folder, site)
    try:
        metadata.distribution("pip")
        tool = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-input"]
    except metadata.PackageNotFoundError:
        tool = [shutil.which("uv") or "uv", "pip", "install", "--quiet", "--python", python]
    if locked:
        _call([*tool, "--no-deps", *WHEELS, "-r", str(wanted)])
    check_outside(folder, site, made)
    check_files(site, locked)
    bring_lockgate(folder)
    (folder / COMPLETE).touch()


def bring_lockgate(folder: Path) -> None:
    """The one that runs now: a copy of the installed one, or a pointer to a working copy."""
    import lockgate

    own = Path(lockgate.__file__).resolve().parent
    site = next(folder.glob("lib/python*/site-packages"))
    information = Path(str(getattr(metadata.distribution(OURS), "_path", "")))
    if own.parent.name in ("site-packages", "dist-packages"):
        shutil.copytree(own, site / OURS, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        (site / f"{OURS}.pth").write_text(f"{own.parent}\n")
    if information.is_dir():
        shutil.copytree(information, site / information.name)


def _for_lockgate(project: Project, locked: Sequence[Locked]) -> list[Locked]:
    """What Lockgate itself cannot do without, where the release did without."""
    needed = ("blake3", *(("obstore",) if project.store_url.startswith("s3:") else ()))
    known = {k.name for k in locked}
    return [k for k in installed(n for n in needed if n not in known).values() if k is not None]


def _ours() -> list[str]:
    import lockgate

    return [os.path.abspath(lockgate.__file__), lockgate.__version__]


def _python(version: str) -> str | None:
    """An interpreter of exactly that version on this machine, or None. What is no version names no program."""
    if platform.python_version() == version:
        return sys.executable
    if not VERSION.fullmatch(version):
        return None
    found = shutil.which(f"python{'.'.join(version.split('.')[:2])}")
    return found if found and _version(found) == version else None


def _version(executable: str) -> str:
    done = subprocess.run(
        [executable, "-I", "-c", "import platform; print(platform.python_version())"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip()


def _call(command: Sequence[str]) -> None:
    """Run an installer. What it says last is what is wrong."""
    environment = _for_installers(os.environ)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    except OSError as error:
        raise ServiceUnavailable(
            "no installer here", value=f"{command[0]}: {error.strerror}", allowed="pip or uv"
        ) from error
    if done.returncode == 0:
        return
    said = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()] or ["nothing"]
    told = next((line for line in said if any(n in line for n in NOWHERE)), said[-1])
    kind = StepFailed if any(n in told for n in NOWHERE) else ServiceUnavailable
    raise kind(
        "the locked packages cannot be installed", value=told[:300],
        allowed="wheels of the locked versions: nothing is built from source here",
        next="look at the release's training-lock.txt",
    )  # fmt: skip


def _for_installers(environment: Mapping[str, str]) -> dict[str, str]:
    """No secrets but pip's and uv's own, which say where these look; with wheels only, no package's code runs in them.

    >>> _for_installers({"PIP_INDEX_URL": "https://ada:pw@host/simple", "LOCKGATE_KEY": "k", "PYTHONPATH": "x"})
    {'PIP_INDEX_URL': 'https://ada:pw@host/simple'}
    """
    own = {n: v for n, v in environment.items() if n.startswith(("PIP_", "UV_"))}
    seen = {**without_secrets(environment), **own}
    return {n: v for n, v in seen.items() if n not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
