"""This Lockgate as a wheel: what a project's jobs install, so that no package index has to hold it.

Made of the files that run here and of the metadata that they were installed with, so it is the same program; the same files
give the same bytes. The format: packaging.python.org/en/latest/specifications/binary-distribution-format.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from importlib import metadata, resources
from typing import TYPE_CHECKING, Final

from lockgate import __version__
from lockgate.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

__all__ = ["own_wheel"]

NAME: Final = f"lockgate-{__version__}-py3-none-any.whl"
INFO: Final = f"lockgate-{__version__}.dist-info"
TAGS: Final = "Wheel-Version: 1.0\nGenerator: lockgate\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
COPIED: Final = ("METADATA", "entry_points.txt", "licenses/LICENSE", "licenses/NOTICE")
FIRST_DAY: Final = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold, so that none of ours is in it


def own_wheel() -> tuple[str, bytes]:
    """Its file name and its bytes. Raises NotFound where Lockgate runs without having been installed."""
    files = dict(sorted(_files(resources.files("lockgate"), "lockgate/"))) | _metadata()
    files[f"{INFO}/WHEEL"] = TAGS.encode()
    record = "".join(f"{path},sha256={_digest(data)},{len(data)}\n" for path, data in files.items())
    files[f"{INFO}/RECORD"] = f"{record}{INFO}/RECORD,,\n".encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(zipfile.ZipInfo(path, FIRST_DAY), data, zipfile.ZIP_DEFLATED)
    return NAME, packed.getvalue()


def _files(folder: Traversable, above: str) -> Iterator[tuple[str, bytes]]:
    for item in folder.iterdir():
        if item.is_dir() and item.name != "__pycache__":
            yield from _files(item, f"{above}{item.name}/")
        elif item.is_file() and not item.name.endswith(".pyc"):
            yield above + item.name, item.read_bytes()


def _metadata() -> dict[str, bytes]:
    """What pip was told of this Lockgate when it was installed: its dependencies, its commands."""
    try:
        told = metadata.distribution("lockgate")
    except metadata.PackageNotFoundError as error:
        raise NotFound(
            "this Lockgate was not installed, so nobody knows what it needs", value="no metadata of lockgate",
            allowed="an installed one", next="pip install lockgate",
        ) from error  # fmt: skip
    texts = {name: told.read_text(name) for name in COPIED}
    return {f"{INFO}/{name}": text.encode() for name, text in texts.items() if text}


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
