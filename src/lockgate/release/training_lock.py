"""The packages that made a release: versions, and what their files are, so that another wheel of that version shows.

The file is one that pip and uv install: `name==version  # files HEX`. Lockgate itself is not in it: whoever rebuilds
does so with their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata

from lockgate.errors import IntegrityError
from lockgate.release.lockfile import OURS, normal

__all__ = [
    "Locked",
    "differing",
    "files_digest",
    "files_digest_of",
    "listed_files",
    "read_training_lock",
    "training_lock",
]

LOCAL = "# not in a registry: "
LINE = re.compile(
    r"(# not in a registry: )?([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9][A-Za-z0-9.!+_-]*)[ \t]*(?:#[ \t]*files[ \t]+([0-9a-f]+))?[ \t]*"
)
"""A line becomes an argument of an installer: no option, no address fits in."""
TAIL = re.compile(r"\+([0-9a-f]{16})$")
DIGITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """One package.

    Attributes:
        files: digest of its installed files, 16 hex digits; "": not known.
        published: a registry has it; else it lay in a folder of its own, and only its files say what it was.
    """

    name: str
    version: str
    files: str = ""
    published: bool = True


def training_lock(packages: Iterable[str]) -> str:
    """The text of the lock file for `name==version` as the capture names them; reads what is installed here."""
    return "".join(f"{_line(locked)}\n" for locked in _sorted(_locked(p) for p in packages) if locked.name != OURS)


def read_training_lock(text: str) -> tuple[Locked, ...]:
    """Read it back. Raises IntegrityError for a line that is neither a package, a comment nor blank.

    >>> read_training_lock("polars==2.1.0  # files 0123456789abcdef")
    (Locked(name='polars', version='2.1.0', files='0123456789abcdef', published=True),)
    """
    return _sorted(locked for line in text.splitlines() if (locked := _read(line)))


def _read(line: str) -> Locked | None:
    if (m := LINE.fullmatch(line)) and normal(m[2]) != OURS:
        return Locked(name=normal(m[2]), version=m[3], files=m[4] or "", published=m[1] is None)
    if line.strip() and (not line.startswith("#") or line.startswith(LOCAL)):
        raise IntegrityError(
            "a lock file of training has a line that is no package", value=repr(line[:100]),
            allowed="name==version, a comment, or nothing",
        )  # fmt: skip
    return None


def differing(locked: Iterable[Locked], here: Mapping[str, Locked | None]) -> tuple[str, ...]:
    """In words, how what is here differs from the lock; empty when it does not.

    >>> differing([Locked(name="a", version="1")], {"a": Locked(name="a", version="2")})
    ('a: locked 1, here 2',)
    """
    said: list[str] = []
    for wanted in locked:
        there = here.get(wanted.name)
        if there is None or there.version != wanted.version:
            said.append(f"{wanted.name}: locked {wanted.version}, here {there.version if there else 'nothing'}")
        elif wanted.files and there.files and wanted.files != there.files:
            said.append(f"{wanted.name} {wanted.version}: locked files {wanted.files}, here {there.files}")
    return tuple(said)


def files_digest(name: str) -> str:
    """Of the files that a wheel brings, by the list that its installation left; "" when it left none.

    Scripts and compiled files, which differ by installer and place, do not count.
    """
    try:
        return files_digest_of(metadata.distribution(name))
    except metadata.PackageNotFoundError:
        return ""


def files_digest_of(distribution: metadata.Distribution) -> str:
    """The same, of an installed distribution wherever it lies."""
    from lockgate.records.digest import digest

    kept = sorted([path, told] for path, told in listed_files(distribution) if told)
    return digest("installed", kept).rpartition(":")[2][:DIGITS] if kept else ""


def listed_files(distribution: metadata.Distribution) -> list[tuple[str, str]]:
    """Path and digest of each file that the distribution's list names, but for those that differ by installer and place."""
    rows = (line.rsplit(",", 2) for line in (distribution.read_text("RECORD") or "").splitlines() if line)
    return [(r[0], r[1]) for r in rows if len(r) == 3 and not _of_the_installer(r[0])]


def _of_the_installer(path: str) -> bool:
    return path.startswith("..") or "__pycache__/" in path or ".dist-info/" in path


def _locked(package: str) -> Locked:
    """`name==version` as a capture says it: digits of its files behind the version when a version says nothing."""
    name, _, version = package.partition("==")
    tail = TAIL.search(version)
    if tail is None:
        return Locked(name=normal(name), version=version, files=files_digest(name))
    return Locked(name=normal(name), version=TAIL.sub("", version), files=tail[1], published=False)


def _line(locked: Locked) -> str:
    start = "" if locked.published else LOCAL
    return f"{start}{locked.name}=={locked.version}" + (f"  # files {locked.files}" if locked.files else "")


def _sorted(locked: Iterable[Locked]) -> tuple[Locked, ...]:
    return tuple(sorted(locked, key=lambda k: k.name))
