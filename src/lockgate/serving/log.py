"""The prediction log: an answer is in the file before its first byte leaves.

One line per answer, `crc32 json`, one `os.write` per request into a segment of this process's own, so that a
kill -9 loses nothing a client has received and tears at most the last line. (Power loss may take what the
kernel had not yet written; an answer is not a decision.)
"""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from lockgate.durable import make_folder, sync_directory
from lockgate.errors import IntegrityError, ServiceUnavailable
from lockgate.records.digest import canonical
from lockgate.records.prediction import Prediction
from lockgate.records.wire import from_json, to_json

__all__ = ["PredictionLog", "decode_segment", "encode_line", "read_log"]

SUFFIX = ".jsonl"


class PredictionLog:
    """The segment that one process appends to. It is made at the first answer."""

    def __init__(self, folder: Path, segment: str) -> None:
        self.path = folder / f"{segment}{SUFFIX}"
        self._descriptor: int | None = None

    def append(self, predictions: Sequence[Prediction]) -> None:
        """Write the answers of one request, all or none. Raises ServiceUnavailable when the disk will not take them."""
        data = b"".join(encode_line(p) for p in predictions)
        try:
            descriptor = self._open()
            before = os.fstat(descriptor).st_size
            written = os.write(descriptor, data)
        except OSError as error:
            raise self._unwritten(error.strerror or str(error)) from error
        if written < len(data):
            os.ftruncate(descriptor, before)
            raise self._unwritten(f"{written} of {len(data)} bytes were written")

    def close(self) -> None:
        """Wait until all is on disk."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.fsync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        if self._descriptor is None:
            make_folder(self.path.parent)
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            sync_directory(self.path.parent)
        return self._descriptor

    def _unwritten(self, why: str) -> ServiceUnavailable:
        return ServiceUnavailable(
            "the answer could not be written down, so it is not given", value=f"{self.path.name}: {why}", next="df -h"
        )


def encode_line(prediction: Prediction) -> bytes:
    """One line of a segment: eight hex digits of the JSON's CRC-32, a space, the JSON."""
    data = canonical(to_json(prediction))
    return b"%08x %s\n" % (zlib.crc32(data), data)


def read_log(folder: Path) -> Iterator[Prediction]:
    """Every answer in a log folder, segment by segment in order of their names; an absent folder is empty."""
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        yield from decode_segment(path.read_bytes(), name=path.name)


def decode_segment(data: bytes, *, name: str) -> Iterator[Prediction]:
    """Decode a segment. A last line without its end was never answered and is dropped.

    Raises IntegrityError naming segment and line when a whole line does not have its checksum.
    """
    *whole, _torn = data.split(b"\n")
    for number, line in enumerate(whole, start=1):
        yield _decode_line(line, f"{name}:{number}")


def _decode_line(line: bytes, where: str) -> Prediction:
    checksum, space, data = line.partition(b" ")
    if not space or checksum != b"%08x" % zlib.crc32(data):
        raise IntegrityError("a line of the prediction log is damaged", value=where, allowed="the checksum of its text")
    return from_json(Prediction, json.loads(data))
