"""Look into an archive without unpacking it: what its members are, and whether unpacking it could do harm.

Nothing is written, and no more than a beginning of each member is read, so a bomb costs nothing here.
"""

from __future__ import annotations

import io
import re
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, Final

from lockgate.gates.file_kinds import kind_of

__all__ = ["Finding", "looked_into"]

Finding = tuple[str, str, str]
"""Name of the member, what it is, and why it must not be there ("": it may)."""

MOST_MEMBERS: Final = 10_000
MOST_BYTES: Final = 4 << 30
MOST_TIMES: Final = 200
SMALL: Final = 10 << 20
"""Below this many bytes a high rate of compression is no bomb: a file of zeros."""
DEEPEST: Final = 2
MEMBER_HEAD: Final = 64 << 10
MOST_INSIDE: Final = 256 << 20

OBJECTS = re.compile(rb"['\"]descr['\"]:\s*(?:['\"][|<>=]?O|\[.*?['\"][|<>=]?O\d*['\"])", re.DOTALL)


def looked_into(file: IO[bytes], kind: str, *, deep: int = 0) -> tuple[str, list[Finding]]:
    """Say what an archive is and what is wrong with its members.

    Args:
        file: open for reading, at its beginning.
        kind: `zip`, `tar` or `npy`, as `kind_of` said.

    Returns:
        What the archive is (`npz`, `skops`, `zip`, `tar`, `npy`), and the findings.
    """
    try:
        if kind == "npy":
            return kind, list(_objects("", file.read(MEMBER_HEAD)))
        if kind == "tar":
            return kind, list(_tar(file, deep))
        return _zip(file, deep)
    except (
        OSError,
        EOFError,
        ValueError,
        NotImplementedError,
        RuntimeError,
        zipfile.BadZipFile,
        tarfile.TarError,
    ) as error:
        return kind, [("", "broken", f"it cannot be read as {kind}: {error}")]


def _zip(file: IO[bytes], deep: int) -> tuple[str, list[Finding]]:
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        found = list(_size(len(members), sum(m.file_size for m in members), sum(m.compress_size for m in members)))
        for member in members[:MOST_MEMBERS]:
            found += _place(member.filename)
            if stat.S_ISLNK(member.external_attr >> 16):
                found.append((member.filename, "link", "a link may point out of the folder"))
            elif member.flag_bits & 1:
                found.append((member.filename, "encrypted", "nobody can look into it"))
            elif not member.is_dir():
                with archive.open(member) as content:
                    found += _member(member.filename, content.read(MEMBER_HEAD), content, deep)
        names = {m.filename for m in members}
    if names and all(n.endswith(".npy") for n in names):
        return "npz", found
    return ("skops" if "schema.json" in names else "zip"), found


def _tar(file: IO[bytes], deep: int) -> Iterator[Finding]:
    count = total = 0
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for member in archive:
            count, total = count + 1, total + member.size
            yield from _place(member.name)
            if member.issym() or member.islnk():
                yield (member.name, "link", "a link may point out of the folder")
            elif not (member.isreg() or member.isdir()):
                yield (member.name, "device", "no file and no folder")
            elif content := archive.extractfile(member):
                yield from _member(member.name, content.read(MEMBER_HEAD), content, deep)
            if count > MOST_MEMBERS:
                break
    yield from _size(count, total, total)


def _member(name: str, head: bytes, content: IO[bytes], deep: int) -> Iterator[Finding]:
    """What one member is; an archive in an archive is looked into as well, twice deep at the most."""
    kind = kind_of(head, name=name)
    if kind not in ("zip", "tar", "npy"):
        yield (name, kind, "")
        return
    if kind == "npy":
        yield (name, kind, "")
        yield from _objects(name, head)
        return
    if deep >= DEEPEST:
        yield (name, kind, f"archives in archives, more than {DEEPEST} deep")
        return
    inner = io.BytesIO(head + content.read(MOST_INSIDE))
    what, found = looked_into(inner, kind, deep=deep + 1)
    yield (name, what, "")
    yield from ((f"{name}/{inside}", found_kind, why) for inside, found_kind, why in found)


def _objects(name: str, head: bytes) -> Iterator[Finding]:
    """An array of Python objects is a pickle with a numpy header."""
    if OBJECTS.search(head[:4096]):
        yield (name, "pickle", "an array of Python objects is a pickle")


def _place(name: str) -> Iterator[Finding]:
    pure = PurePosixPath(name.replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts or re.match(r"^[A-Za-z]:", name) or "\0" in name:
        yield (name, "path", "unpacking it would write outside of its folder")


def _size(members: int, unpacked: int, packed: int) -> Iterator[Finding]:
    if members > MOST_MEMBERS:
        yield ("", "bomb", f"more than {MOST_MEMBERS:,} members")
    if unpacked > MOST_BYTES or (unpacked > SMALL and unpacked > MOST_TIMES * max(1, packed)):
        yield ("", "bomb", f"it unpacks to {unpacked:,} bytes, from {packed:,}")
