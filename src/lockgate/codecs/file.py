"""Files as they are: sources, and steps that return `Path` or `bytes`. A consumer with another type gets them parsed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from lockgate.errors import StepFailed
from lockgate.records.digest import digest_bytes, digest_file

__all__ = ["identity", "load", "save"]


def save(value: object, path: Path) -> None:
    """Copy the file, or write the bytes."""
    if isinstance(value, bytes):
        path.write_bytes(value)
        return
    source = Path(str(value))
    if not source.is_file():
        raise StepFailed("a step returned a path that is not a file", value=str(source), allowed="one regular file")
    shutil.copyfile(source, path)


def load(path: Path, kind: type) -> object:
    """Parse by the file's suffix (`codecs.load` answers `Path` and `bytes` consumers before it comes here).

    Frames from csv, parquet, arrow and ndjson, or from a folder of these; text from anything, JSON values from json.
    """
    from lockgate import codecs
    from lockgate.codecs import json_value
    from lockgate.declare import Html, Svg

    suffix = path.suffix.lower()
    if codecs.type_name(kind) in ("polars.dataframe.frame:DataFrame", "polars.lazyframe.frame:LazyFrame"):
        from lockgate.codecs import polars_frame

        if path.is_dir():
            from lockgate.codecs import rows

            return rows.parse_folder(path, kind)
        if suffix in polars_frame.READERS:
            return polars_frame.parse(path, kind)
    elif path.is_file() and kind in (str, Html, Svg):
        return kind(path.read_bytes().decode())
    elif path.is_file() and suffix == ".json" and json_value.can_write(kind):
        return json_value.decode(kind, json.loads(path.read_bytes()))
    raise StepFailed(
        "a file cannot be read as this type", value=f"{path.name} as {codecs.type_name(kind)}",
        allowed="pathlib.Path or bytes as it is; a frame from .csv, .parquet, .arrow or .ndjson, or a folder of one of these; str; JSON values from .json",
        next="annotate the input with pathlib.Path",
    )  # fmt: skip


def identity(value: object) -> str:
    """Digest the bytes."""
    return digest_bytes(value) if isinstance(value, bytes) else digest_file(Path(str(value)))
