"""How long it takes to read, chain-check and verify a ledger. Usage: python benchmarks/ledger.py [ENTRIES]

CPU and wall seconds of a fresh process' work: file → entries (hash chain), entries → who said what (signatures),
who said what → environments. The bare floor is the signature check alone.
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.adapters.ledger_file import FileLedger
from lockgate.deploy.environments import fold
from lockgate.records.ledger import encode_line
from lockgate.records.statement import signature_holds
from lockgate.records.trust import trusted
from lockgate.testing.ledger import MemorySigner
from lockgate.testing.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Generator

    from lockgate.records.ledger import Entry


GOAL_S = 1.0


def story(count: int) -> list[Entry]:
    """A ledger in which releases are proposed, wanted and served, over and over."""
    scene = Scene()
    for number in range(count // 3):
        scene.healthy(scene.want(scene.propose(f"r{number % 50}"), "production"))
    return list(scene.ledger.read())


@contextmanager
def timed(what: str) -> Generator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    print(f"{what:<44} {time.perf_counter() - wall:7.3f} s wall {time.process_time() - cpu:7.3f} s CPU")


def main(count: int) -> None:
    entries = story(count)
    keys = {MemorySigner(name).identity(): MemorySigner(name).public_key() for name in ("ada", "sam", "bot")}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.jsonl"
        path.write_bytes(b"".join(encode_line(entry) for entry in entries))
        print(f"{len(entries)} entries, {path.stat().st_size / 1e6:.1f} MB")
        with timed("floor: signatures only, one thread"):
            assert all(signature_holds(e.envelope, keys[e.envelope.keyid]) for e in entries)
        began = time.perf_counter()
        with timed("read: hash chain"):
            read = FileLedger(Path(folder)).read()
        with timed("trust: statements, roles, signatures"):
            said = trusted(read)
        verified = time.perf_counter() - began
        print(
            f"{'verified':<44} {verified:7.3f} s wall; goal {GOAL_S} s for 10,000: {'met' if verified <= GOAL_S * count / 10_000 else 'NOT met'}"
        )
        with timed("fold: environments"):
            fold(said, approved_only=())
        assert not said.set_aside


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
