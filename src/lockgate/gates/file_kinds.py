"""What a file really is: by its first bytes, never by its name alone, and without loading anything in it.

Unknown is an answer, and whoever asks must refuse it. A pickle runs code when it is loaded, so it is looked for
everywhere: whatever the file is called, compressed or not, and in protocol 0, which has no magic bytes.
"""

from __future__ import annotations

import bz2
import json
import lzma
import re
import zlib
from collections.abc import Callable, Mapping
from pickletools import genops
from typing import Final

__all__ = ["DANGEROUS", "HEAD", "PACKED", "SAFE", "UNKNOWN", "kind_of", "promised"]

HEAD: Final = 1 << 20
"""Bytes of a file's beginning that are looked at."""

UNKNOWN: Final = "unknown"

SAFE: Final = (
    "arrow", "empty", "html", "json", "lightgbm", "npy", "npz", "onnx", "parquet", "python", "safetensors", "svg", "tar",
    "text", "ubj",
)  # fmt: skip
"""Formats that are data, or code that the release declares; everything else must be allowed by name."""

DANGEROUS: Final = ("executable", "pickle")
"""Nobody can allow these."""

PACKED: Final = ("bzip2", "gzip", "xz", "zlib")

MAGIC: Mapping[str, tuple[bytes, ...]] = {
    "executable": (
        b"\x7fELF", b"MZ", b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe",
        b"\xca\xfe\xba\xbe", b"\x00asm", b"dex\n",
    ),
    "arrow": (b"ARROW1\x00\x00",), "parquet": (b"PAR1",), "npy": (b"\x93NUMPY",), "zip": (b"PK\x03\x04", b"PK\x05\x06"),
    "gzip": (b"\x1f\x8b",), "bzip2": (b"BZh",), "xz": (b"\xfd7zXZ\x00",), "zstd": (b"\x28\xb5\x2f\xfd",),
    "7z": (b"7z\xbc\xaf\x27\x1c",), "hdf5": (b"\x89HDF\r\n\x1a\n",), "sqlite": (b"SQLite format 3\x00",),
    "lightgbm": (b"tree\nversion=",),
}  # fmt: skip

EXTENSIONS: Mapping[str, tuple[str, ...]] = {
    ".arrow": ("arrow",), ".csv": ("text", "empty"), ".html": ("html",), ".json": ("json",), ".md": ("text", "html"),
    ".npy": ("npy",), ".npz": ("npz",), ".onnx": ("onnx",), ".parquet": ("parquet",), ".py": ("python", "text", "empty"),
    ".safetensors": ("safetensors",), ".skops": ("skops",), ".svg": ("svg",), ".tar": ("tar",), ".toml": ("text",),
    ".txt": ("text", "lightgbm", "json", "empty"), ".ubj": ("ubj",), ".zip": ("zip",),
}  # fmt: skip
NAMED: Mapping[str, tuple[str, ...]] = {"SHA256SUMS": ("text",)}

LOADS = {"GLOBAL", "STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4"}
"""The only ways in which a pickle reaches code; a stream without any of these is a text that looks like one, or plain data."""

PYC = re.compile(rb"^..\r\n", re.DOTALL)
ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
UNPACK: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: zlib.decompressobj(31).decompress(data, HEAD),
    "zlib": lambda data: zlib.decompressobj().decompress(data, HEAD),
    "bzip2": lambda data: bz2.BZ2Decompressor().decompress(data, HEAD),
    "xz": lambda data: lzma.LZMADecompressor().decompress(data, HEAD),
}


def promised(name: str) -> tuple[str, ...]:
    """The kinds that a file's name promises; empty: the name promises nothing, and only the bytes count.

    >>> promised("state/history.arrow"), promised("inputs/scaler")
    (('arrow',), ())
    """
    base = name.rpartition("/")[2]
    dot = base.rfind(".")
    return NAMED.get(base, EXTENSIONS.get(base[dot:].lower(), ("?",)) if dot > 0 else ())


def kind_of(head: bytes, *, name: str = "") -> str:
    """Name the format that these first bytes are of. Archives are told as what they are; look inside yourself.

    >>> kind_of(b"\\x80\\x04\\x95", name="model.txt"), kind_of(b"ARROW1\\x00\\x00\\x04"), kind_of(b"\\x00\\x01\\x02")
    ('pickle', 'arrow', 'unknown')
    """
    if not head:
        return "empty"
    if _is_pickle(head):
        return "pickle"
    for kind, beginnings in MAGIC.items():
        if head.startswith(beginnings):
            return _hidden(kind, head) if kind in UNPACK else kind
    if head.startswith(ZLIB) and (kind := _hidden("zlib", head)):
        return kind
    if head[257:262] == b"ustar":
        return "tar"
    return _binary(head, name) or _text(head, name)


def _hidden(kind: str, head: bytes) -> str:
    """A compressed file is its compression, unless a pickle or a program is in it."""
    try:
        inside = UNPACK[kind](head)
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError):
        return "" if kind == "zlib" else kind
    found = kind_of(inside)
    return found if found in DANGEROUS else kind


def _binary(head: bytes, name: str) -> str:
    """Formats that have no magic bytes of their own."""
    if PYC.match(head) and name.endswith((".pyc", ".pyo")):
        return "executable"
    length = int.from_bytes(head[:8], "little")
    if len(head) > 8 and head[8:9] == b"{" and 2 <= length <= 100_000_000 and b"\0" in head[:8]:
        return "safetensors"
    if head[:1] == b"{" and head[1:2] in b"LSNUil" and b"\0" in head[:64]:
        return "ubj"
    return "onnx" if head[:1] == b"\x08" and name.endswith(".onnx") else ""


def _text(head: bytes, name: str) -> str:
    """Text is UTF-8 without NUL; a cut through the last letter does not matter."""
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if len(head) < HEAD or error.start < len(head) - 4:
            return UNKNOWN
        text = head[: error.start].decode("utf-8-sig")
    if "\0" in text:
        return UNKNOWN
    begins = text.lstrip()[:200].lower()
    if begins.startswith("#!") and not name.endswith(".py"):
        return "executable"
    if begins.startswith(("<!doctype html", "<html")):
        return "html"
    if begins.startswith("<svg") or (begins.startswith("<?xml") and "<svg" in text):
        return "svg"
    if name.endswith(".py"):
        return "python"
    return "json" if _is_json(text, whole=len(head) < HEAD) else "text"


def _is_json(text: str, *, whole: bool) -> bool:
    if not whole:
        return text.lstrip()[:1] in ("{", "[")
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_pickle(head: bytes) -> bool:
    """Protocol 2 and later by its first byte; 0 and 1 by reading the operations, which runs none of them."""
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05":
        return True
    reached: set[str] = set()
    try:
        for operation, _, _ in genops(head):
            reached.add(operation.name)
    except Exception:  # whatever is no pickle may fail anywhere in it
        return "STOP" in reached and bool(reached & LOADS)
    return bool(reached & LOADS)
