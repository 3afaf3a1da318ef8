"""What an installer put into a venv, held against the lock before any of it runs.

A wheel may bring more than its modules: files for the whole venv, bytecode, a second package's list. Whatever Python
would read is in the list of a locked package with its digest, or it is refused.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
from importlib import metadata
from typing import TYPE_CHECKING

from lockgate.errors import IntegrityError
from lockgate.records.digest import digest_file
from lockgate.release.lockfile import OURS, normal
from lockgate.release.training_lock import Locked, differing, files_digest_of, listed_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["check_files", "check_outside", "outside"]

MOST_NAMED = 5
BYTECODE = "__pycache__"
READ_AT_START = ("bin/pyvenv.cfg", "bin/pybuilddir.txt")
"""What an interpreter looks for beside itself."""


def check_files(site: Path, locked: Sequence[Locked]) -> None:
    """Hold a folder of installed packages against the lock. Bytecode goes; else this only reads: nothing in it has run yet.

    Raises IntegrityError where a package is another one, or a file is not what a locked package's list says.
    """
    for folder in [p for p in site.rglob(BYTECODE) if p.is_dir() and not p.is_symlink()]:
        shutil.rmtree(folder)
    names = {k.name for k in locked}
    there = {n: d for d in metadata.distributions(path=[str(site)]) if (n := normal(d.name)) in names}
    here = {n: Locked(name=n, version=d.version, files=files_digest_of(d)) for n, d in there.items()}
    altered = (f"{n}: {p}" for n, d in there.items() for p in _altered(site, d))
    posing = (p.name for p in (*site.glob(OURS), *site.glob(f"{OURS}.*")))  # whoever rebuilds brings their own
    _refuse([*differing(locked, here), *altered, *_unlisted(site, there), *posing])


def outside(folder: Path, site: Path) -> dict[str, str]:
    """Everything of a venv but its packages: path → digest, or where a link points."""
    found: dict[str, str] = {}
    for above, folders, files in os.walk(folder):
        here = folder / os.path.relpath(above, folder)
        folders[:] = [f for f in folders if here / f != site]
        for path in (here / name for name in (*files, *folders) if (here / name).is_symlink() or name in files):
            name = path.relative_to(folder).as_posix()
            found[name] = f"link {os.readlink(path)}" if path.is_symlink() else digest_file(path)
    return found


def check_outside(folder: Path, site: Path, before: Mapping[str, str]) -> None:
    """Nothing that makes the venv was replaced: its interpreter, its settings. Programs may have come."""
    now = outside(folder, site)
    _refuse([*(p for p, was in before.items() if now.get(p) != was), *(p for p in READ_AT_START if p in now)])


def _altered(site: Path, distribution: metadata.Distribution) -> Iterator[str]:
    """Files that have no digest in the list, or another one."""
    for path, told in listed_files(distribution):
        kind, _, expected = told.partition("=")
        file = site / path
        if kind != "sha256" or not file.is_file():
            yield path
            continue
        with file.open("rb") as opened:
            found = hashlib.file_digest(opened, kind).digest()
        if base64.urlsafe_b64encode(found).decode().rstrip("=") != expected.rstrip("="):
            yield path


def _unlisted(site: Path, there: Mapping[str, metadata.Distribution]) -> Iterator[str]:
    """Files that no locked package lists; a package's own folder of metadata is the installer's."""
    listed = {os.path.normpath(path) for d in there.values() for path, _ in listed_files(d)}
    information = {str(getattr(d, "_path", "")) for d in there.values()}
    for above, folders, files in os.walk(site):
        yield from (os.path.relpath(os.path.join(above, f), site) for f in folders if os.path.islink(f"{above}/{f}"))
        folders[:] = [f for f in folders if os.path.join(above, f) not in information]
        yield from (p for f in files if (p := os.path.relpath(os.path.join(above, f), site)) not in listed)


def _refuse(wrong: Sequence[str]) -> None:
    if wrong:
        raise IntegrityError(
            "what was installed is not what the release was made with", value="; ".join(wrong[:MOST_NAMED]),
            allowed="the files that training-lock.txt names",
            next="look for the wheels that it was made with: another platform has others",
        )  # fmt: skip
