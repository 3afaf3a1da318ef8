"""The least that keeping data needs: a copy, a hash, a look, each by a program that does only that."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from pathlib import Path

from peers.places import Cost, least, timed

__all__ = ["floor"]

PACK = """
import os, sys
from blake3 import blake3
with open("pack", "wb") as pack:
    for folder, _, names in os.walk(sys.argv[1]):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                data = file.read()
            blake3(data).digest()
            pack.write(data)
"""
HASH = "import sys; from blake3 import blake3; blake3(max_threads=blake3.AUTO).update_mmap(sys.argv[1]).digest()"


def floor(data: Path, rounds: int) -> dict[str, Cost]:
    """The least that the work needs, each part by a program that does only that."""
    python, size = shlex.quote(sys.executable), (data / "big").stat().st_size
    works = {
        "cp": (f"cp {data}/big .",), "cp and sync": (f"cp {data}/big .", "sync big"),
        "blake3": (f"{python} -c {shlex.quote(HASH)} {data}/big",),
        "cp -r": (f"cp -r {data}/many .",), "cp -al": (f"cp -al {data}/many .",),
        "read, blake3, one pack": (f"{python} -c {shlex.quote(PACK)} {data}/many",),
        "find -printf %s": (f"find {data}/many -printf %s",), "cp of 100 files": (f"cp -r {data}/changed .",),
    }  # fmt: skip
    found: dict[str, list[Cost]] = {}
    for _ in range(rounds):
        for what, lines in works.items():
            with tempfile.TemporaryDirectory(prefix="floor-", dir=data.parent) as folder:
                found.setdefault(what, []).append(timed(lines, Path(folder), {"PATH": os.environ["PATH"]}, size)[0])
    return {what: least(costs) for what, costs in found.items()}
