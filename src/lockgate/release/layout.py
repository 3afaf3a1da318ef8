"""Where things lie inside a release folder, and the check that every byte is what the manifest says.

    <sha256 of manifest.json>/
      manifest.json   SHA256SUMS   lock.txt   holdout.json   project.json   training-lock.txt
      code/…          inputs/…     state/…

Verification reads bytes only; nothing is imported or decoded before all of them have been checked.
"""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

from lockgate.errors import IntegrityError, NotFound
from lockgate.records.digest import digest_file, sha256_bytes, sha256_file, short
from lockgate.records.release import FORMAT, FileEntry, Manifest
from lockgate.records.wire import from_json

__all__ = [
    "CODE",
    "HOLDOUT",
    "LOCK",
    "MANIFEST",
    "PROJECT",
    "SUMS",
    "TRAINING_LOCK",
    "file_entry",
    "read_manifest",
    "release_path",
    "safe_path",
    "sums",
    "verify",
]

MANIFEST, SUMS, LOCK, HOLDOUT, CODE = "manifest.json", "SHA256SUMS", "lock.txt", "holdout.json", "code"
PROJECT, TRAINING_LOCK = "project.json", "training-lock.txt"
"""What it was made with: the project's files and the packages. Serving opens neither."""


def release_path(directory: Path, digest: str) -> Path:
    """The folder of a release: named by the hex digits of its digest."""
    return directory / digest.removeprefix("sha256:")


def read_manifest(data: bytes, *, expected: str | None = None) -> Manifest:
    """Decode a manifest's bytes after checking them against the release's digest.

    Raises IntegrityError when the digest differs, the bytes are not canonical, or the format is unknown.
    """
    actual = sha256_bytes(data)
    if expected is not None and actual != expected:
        raise IntegrityError(f"{MANIFEST} of release {short(expected)} is damaged", value=actual, allowed=expected)
    try:
        manifest = from_json(Manifest, json.loads(data))
    except (ValueError, TypeError, AttributeError) as error:
        raise IntegrityError(f"{MANIFEST} cannot be read", value=str(error)) from error
    if manifest.format != FORMAT:
        raise IntegrityError("unknown release format", value=str(manifest.format), allowed=FORMAT)
    if manifest.encoded() != data:
        raise IntegrityError(f"{MANIFEST} is not canonical JSON", value=actual)
    return manifest


def verify(directory: Path, expected: str) -> Manifest:
    """Check every byte of a release folder and answer its manifest.

    Raises IntegrityError naming the first file that is damaged, missing or not listed, with both digests.
    """
    path = directory / MANIFEST
    if not path.is_file():
        raise NotFound("no release here", value=str(directory), allowed=f"a folder with {MANIFEST}")
    manifest = read_manifest(path.read_bytes(), expected=expected)
    for entry in manifest.files:
        verify_file(directory / safe_path(entry.path), entry)
    if (directory / SUMS).is_file() and (directory / SUMS).read_bytes() != sums(manifest):
        raise _damaged(SUMS, actual=sha256_file(directory / SUMS), recorded=sha256_bytes(sums(manifest)))
    _nothing_else(directory, {MANIFEST, SUMS, *(e.path for e in manifest.files)})
    return manifest


def verify_file(path: Path, entry: FileEntry) -> None:
    """Check one file against its entry."""
    if path.is_symlink() or not path.is_file():
        raise IntegrityError("a file of the release is missing", value=entry.path, allowed=entry.sha256)
    actual = sha256_file(path)
    if actual != entry.sha256:
        raise _damaged(entry.path, actual=actual, recorded=entry.sha256)


def file_entry(directory: Path, path: str) -> FileEntry:
    """Digest one file of a release folder."""
    file = directory / path
    return FileEntry(path=path, sha256=sha256_file(file), blake3=digest_file(file), size_bytes=file.stat().st_size)


def sums(manifest: Manifest) -> bytes:
    """The text that `sha256sum -c SHA256SUMS` reads: an auditor needs nothing of ours."""
    listed = {MANIFEST: manifest.digest, **{e.path: e.sha256 for e in manifest.files}}
    return "".join(f"{d.removeprefix('sha256:')}  {path}\n" for path, d in sorted(listed.items())).encode()


def safe_path(path: str) -> str:
    """Refuse a path that could leave the release folder.

    >>> safe_path("code/demand/pipelines.py")
    'code/demand/pipelines.py'
    """
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or str(pure) != path or not pure.parts or "\\" in path or "\n" in path:
        raise IntegrityError("a path of the release leaves its folder", value=repr(path), allowed="a relative path")
    return path


def _damaged(path: str, *, actual: str, recorded: str) -> IntegrityError:
    return IntegrityError(
        f"a file of the release is damaged: {path}",
        value=actual,
        allowed=f"{recorded} (as recorded)",
        next="lockgate deliver, which bundles the release again from the results, or restore the file from a copy",
    )


def _nothing_else(directory: Path, listed: set[str]) -> None:
    for file in sorted(directory.rglob("*")):
        name = file.relative_to(directory).as_posix()
        if name not in listed and (file.is_symlink() or not file.is_dir()):
            raise IntegrityError(
                "a file that the release does not list", value=name, allowed="the files of its manifest"
            )
