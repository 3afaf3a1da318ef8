"""A folder as one value: what commands make that write a folder, or several files.

Stored as a tar file of plain entries, in the order of their names, without times and owners. Identity goes by names
and bytes. Links count as what they point to; an empty folder counts.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from pathlib import Path

from lockgate.errors import IntegrityError, StepFailed
from lockgate.records.digest import digest, digest_file

__all__ = ["identity", "load", "preview", "save", "unpack"]


def save(value: object, path: Path) -> None:
    """Write the folder into one file."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as packed:
        for name, place in _entries(Path(str(value))):
            entry = tarfile.TarInfo(name)
            if name.endswith("/"):
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                packed.addfile(entry)
                continue
            with place.open("rb") as file:
                entry.size, entry.mode = os.fstat(file.fileno()).st_size, 0o644
                packed.addfile(entry, file)


def load(path: Path, kind: type) -> object:
    """Unpack into a new temporary folder, and answer it (`Path`) or what its files hold (a frame)."""
    from lockgate import codecs
    from lockgate.codecs import file

    folder = Path(tempfile.mkdtemp(prefix="tree-"))
    unpack(path, folder)
    return folder if codecs.type_name(kind) == "pathlib:Path" else file.load(folder, kind)


def unpack(path: Path, folder: Path) -> None:
    """Put everything below `folder`, which may hold other files."""
    with tarfile.open(path, "r:") as packed:
        for entry in packed:
            place = folder / entry.name
            if entry.name.startswith("/") or ".." in entry.name.split("/") or not (entry.isreg() or entry.isdir()):
                raise IntegrityError("a stored folder holds what no step stored", value=entry.name)
            (place if entry.isdir() else place.parent).mkdir(parents=True, exist_ok=True)
            if entry.isreg() and (content := packed.extractfile(entry)):
                with place.open("xb") as file:
                    shutil.copyfileobj(content, file, 1 << 20)


def preview(path: Path, *, rows: int = 5, width: int = 100) -> str:
    """The first names, with sizes."""
    with tarfile.open(path, "r:") as packed:
        entries = packed.getmembers()
    lines = [f"{e.size:>15,}  {e.name}"[:width] for e in entries[:rows]]
    return "\n".join([*lines, *([f"{'':15}  and {len(entries) - rows} more"] if len(entries) > rows else [])])


def identity(value: object) -> str:
    """Digest names and bytes."""
    entries = _entries(Path(str(value)))
    return digest("tree", [[n, "" if n.endswith("/") else digest_file(p)] for n, p in entries])


def _entries(top: Path) -> list[tuple[str, Path]]:
    """(name, place) of each file, and of each empty folder with `/` at its end; sorted."""
    if not top.is_dir():
        raise StepFailed("a step returned a path that is not a folder", value=str(top), allowed="one folder")
    found: list[tuple[str, Path]] = []
    for folder, folders, files in os.walk(top):
        above = Path(folder)
        if not folders and not files and above != top:
            found.append((f"{above.relative_to(top).as_posix()}/", above))
        for name in (*files, *(n for n in folders if (above / n).is_symlink())):
            place = above / name
            if not place.is_file():
                raise StepFailed(
                    "a folder that was made holds what is not a file", value=place.relative_to(top).as_posix(),
                    allowed="files, folders, and links to files",
                )  # fmt: skip
            found.append((place.relative_to(top).as_posix(), place))
    return sorted(found)
