"""The ledger file: nothing acknowledged is lost, nothing forks, and damage names its entry."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import lockgate
from lockgate.adapters import ledger_file
from lockgate.adapters.ledger_file import FileLedger
from lockgate.errors import IntegrityError, MovedOn, ServiceUnavailable, UsageError
from lockgate.records.digest import canonical, sha256_bytes
from lockgate.records.ledger import EMPTY, Entry, Head
from lockgate.records.statement import PREDICATES, Envelope, Statement, seal
from lockgate.records.trust import trusted
from lockgate.testing.ledger import LEDGER_CHECKS, MemoryLedger, MemorySigner

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockgate.ports import Ledger

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
ANN = MemorySigner("ann")


def envelope(word: str) -> Envelope:
    statement = Statement(
        predicate_type=PREDICATES + "exam/v1", subject_name="exam", subject="sha256:" + "00" * 32,
        predicate={"word": word},
    )  # fmt: skip
    return seal(statement, ANN)


def filled(folder: Path, count: int = 3) -> list[Entry]:
    ledger = FileLedger(folder)
    for number in range(count):
        ledger.append(envelope(f"word {number}"), after=ledger.head(), time=NOON)
    return list(ledger.read())


def words(ledger: Ledger) -> list[str]:
    return [entry.envelope.statement().predicate["word"] for entry in ledger.read()]


@pytest.mark.parametrize("check", LEDGER_CHECKS, ids=lambda c: c.__name__.strip("_"))
@pytest.mark.parametrize("kind", ["file", "file with seen head", "memory"])
def test_every_ledger_passes_the_same_exam(tmp_path: Path, kind: str, check: Callable[..., None]) -> None:
    makers: dict[str, Callable[[], Ledger]] = {
        "file": lambda: FileLedger(tmp_path / "ledger"),
        "file with seen head": lambda: FileLedger(tmp_path / "ledger", seen=tmp_path / "mine" / "seen"),
        "memory": MemoryLedger,
    }
    check(makers[kind])


def test_another_process_reads_the_same(tmp_path: Path) -> None:
    entries = filled(tmp_path)
    assert list(FileLedger(tmp_path).read()) == entries


def test_a_line_can_be_checked_by_hand(tmp_path: Path) -> None:
    import hashlib

    entries = filled(tmp_path)
    previous = EMPTY.digest
    for entry, line in zip(entries, (tmp_path / "ledger.jsonl").read_text().splitlines(), strict=True):
        data = json.loads(line)
        digest = data.pop("digest")
        assert set(data) == {"seq", "prev", "time", "envelope"}
        canonical = json.dumps(data, sort_keys=True, separators=(",", ":"))
        assert digest == "sha256:" + hashlib.sha256(canonical.encode()).hexdigest() == entry.digest
        assert data["prev"] == previous
        previous = digest


def test_a_torn_last_line_is_skipped_and_then_removed_at_every_offset(tmp_path: Path) -> None:
    """A writer died after any number of bytes of the line: it was not acknowledged, and the ledger goes on."""
    filled(tmp_path)
    path = tmp_path / "ledger.jsonl"
    whole = path.read_bytes()
    start = whole.rindex(b"\n", 0, len(whole) - 1) + 1
    for length in range(start, len(whole)):
        path.write_bytes(whole[:length])
        ledger = FileLedger(tmp_path)
        assert words(ledger) == ["word 0", "word 1"]
        if length % 10 == start % 10 or length == len(whole) - 1:
            ledger.append(envelope("after"), after=ledger.head(), time=NOON)
            assert words(FileLedger(tmp_path)) == ["word 0", "word 1", "after"]


def test_a_flipped_bit_anywhere_is_found_and_its_entry_named(tmp_path: Path) -> None:
    filled(tmp_path)
    path = tmp_path / "ledger.jsonl"
    whole = path.read_bytes()
    ends = [i for i, byte in enumerate(whole) if byte == ord("\n")]
    chosen = random.Random(7).sample(range(len(whole)), 400)
    for offset in sorted({*chosen, *ends, 0, len(whole) - 2}):
        for bit in (0, 3, 5):
            damaged = bytearray(whole)
            damaged[offset] ^= 1 << bit
            path.write_bytes(damaged)
            with pytest.raises(IntegrityError, match=rf"entry {sum(end < offset for end in ends)} ") as caught:
                FileLedger(tmp_path).read()
            assert caught.value.next == "lockgate ledger verify"


def lines_of(folder: Path) -> list[bytes]:
    return (folder / "ledger.jsonl").read_bytes().splitlines(keepends=True)


@pytest.mark.parametrize(
    ("attack", "entry"),
    [
        (lambda lines: lines[1:], 0),
        (lambda lines: [lines[0], *lines[2:]], 1),
        (lambda lines: [lines[1], lines[0], *lines[2:]], 0),
        (lambda lines: [lines[0], lines[0], *lines[1:]], 1),
        (lambda lines: [lines[0], b"rubbish\n", *lines[1:]], 1),
        (lambda lines: [lines[0], b"\n", *lines[1:]], 1),
    ],
    ids=["first deleted", "middle deleted", "swapped", "doubled", "rubbish inserted", "blank line inserted"],
)
def test_deleted_moved_and_inserted_rows_break_the_chain(
    tmp_path: Path, attack: Callable[[list[bytes]], list[bytes]], entry: int
) -> None:
    filled(tmp_path, 4)
    (tmp_path / "ledger.jsonl").write_bytes(b"".join(attack(lines_of(tmp_path))))
    with pytest.raises(IntegrityError, match=f"entry {entry} "):
        FileLedger(tmp_path).read()


def test_an_edit_with_a_recomputed_digest_breaks_the_next_link(tmp_path: Path) -> None:
    from lockgate.records.ledger import chain, encode_line

    first, *_ = filled(tmp_path)
    forged = chain(envelope("forged"), after=EMPTY, time=NOON)
    assert forged.digest != first.digest
    (tmp_path / "ledger.jsonl").write_bytes(b"".join([encode_line(forged), *lines_of(tmp_path)[1:]]))
    with pytest.raises(IntegrityError, match="entry 1 does not follow entry 0"):
        FileLedger(tmp_path).read()


class TestSeenHead:
    """A chain alone cannot stop who owns the file; what a working copy saw can."""

    def test_growth_is_followed(self, tmp_path: Path) -> None:
        filled(tmp_path)
        mine = FileLedger(tmp_path, seen=tmp_path / "seen")
        assert len(mine.read()) == 3
        filled(tmp_path, 2)
        again = FileLedger(tmp_path, seen=tmp_path / "seen")
        assert json.loads((tmp_path / "seen").read_text())["size"] == 3
        assert len(again.read()) == 5
        assert json.loads((tmp_path / "seen").read_text())["size"] == 5

    @pytest.mark.parametrize("keep", [0, 1, 2])
    def test_a_shortened_ledger_is_an_integrity_error(self, tmp_path: Path, keep: int) -> None:
        filled(tmp_path)
        FileLedger(tmp_path, seen=tmp_path / "seen").read()
        (tmp_path / "ledger.jsonl").write_bytes(b"".join(lines_of(tmp_path)[:keep]))
        assert len(FileLedger(tmp_path).read()) == keep  # nobody who saw nothing can tell
        with pytest.raises(IntegrityError, match="cut or rewritten"):
            FileLedger(tmp_path, seen=tmp_path / "seen").read()

    def test_a_deleted_ledger_is_an_integrity_error(self, tmp_path: Path) -> None:
        filled(tmp_path)
        FileLedger(tmp_path, seen=tmp_path / "seen").read()
        (tmp_path / "ledger.jsonl").unlink()
        with pytest.raises(IntegrityError, match="cut or rewritten"):
            FileLedger(tmp_path, seen=tmp_path / "seen").head()

    def test_a_ledger_rebuilt_without_one_entry_is_an_integrity_error(self, tmp_path: Path) -> None:
        entries = filled(tmp_path)
        FileLedger(tmp_path, seen=tmp_path / "seen").read()
        (tmp_path / "ledger.jsonl").unlink()
        rebuilt = FileLedger(tmp_path)
        for entry in (entries[0], entries[2], entries[2], entries[2]):
            rebuilt.append(entry.envelope, after=rebuilt.head(), time=entry.time)
        with pytest.raises(IntegrityError, match="cut or rewritten"):
            FileLedger(tmp_path, seen=tmp_path / "seen").append(envelope("x"), after=rebuilt.head(), time=NOON)

    def test_a_head_that_cannot_be_noted_fails_neither_append_nor_read(self, tmp_path: Path) -> None:
        (tmp_path / "seen.lock").mkdir()
        ledger = FileLedger(tmp_path / "shared", seen=tmp_path / "seen")
        for word in ("a", "b"):
            ledger.append(envelope(word), after=ledger.head(), time=NOON)
        assert words(ledger) == words(FileLedger(tmp_path / "shared", seen=tmp_path / "seen")) == ["a", "b"]
        assert not (tmp_path / "seen").exists()

    def test_a_history_that_was_cut_is_not_appended_to(self, tmp_path: Path) -> None:
        first, *_ = filled(tmp_path)
        FileLedger(tmp_path, seen=tmp_path / "seen").read()
        (tmp_path / "ledger.jsonl").write_bytes(cut := lines_of(tmp_path)[0])
        with pytest.raises(IntegrityError, match="cut or rewritten"):
            FileLedger(tmp_path, seen=tmp_path / "seen").append(envelope("x"), after=first.head, time=NOON)
        assert (tmp_path / "ledger.jsonl").read_bytes() == cut

    def test_a_slow_reader_neither_takes_the_head_back_nor_cries_wolf(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Between a reader's look at the ledger and its note, somebody else appends and notes a newer head."""
        filled(tmp_path)
        slow, fast = (FileLedger(tmp_path, seen=tmp_path / "seen") for _ in range(2))
        look = ledger_file._read_from  # pyright: ignore[reportPrivateUsage]

        def look_slowly(path: Path, offset: int) -> bytes:
            data = look(path, offset)
            monkeypatch.setattr(ledger_file, "_read_from", look)
            fast.append(envelope("newer"), after=fast.head(), time=NOON)
            return data

        monkeypatch.setattr(ledger_file, "_read_from", look_slowly)
        assert len(slow.read()) == 3
        assert json.loads((tmp_path / "seen").read_text())["size"] == 4
        assert len(slow.read()) == 4

    def test_a_damaged_seen_file_is_not_taken_for_none(self, tmp_path: Path) -> None:
        filled(tmp_path)
        (tmp_path / "seen").write_bytes(b"")
        with pytest.raises(IntegrityError, match="damaged"):
            FileLedger(tmp_path, seen=tmp_path / "seen").read()


def test_a_running_reader_notices_a_rewritten_ledger(tmp_path: Path) -> None:
    entries = filled(tmp_path)
    reader = FileLedger(tmp_path)
    reader.read()
    (tmp_path / "ledger.jsonl").unlink()
    other = FileLedger(tmp_path)
    for entry in reversed(entries):
        other.append(entry.envelope, after=other.head(), time=entry.time)
    with pytest.raises(IntegrityError, match="rewritten while we read it"):
        reader.read()


def test_a_folder_that_cannot_be_written_is_a_service_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ServiceUnavailable):
        FileLedger(tmp_path / "file").append(envelope("x"), after=EMPTY, time=NOON)


WRITER = textwrap.dedent("""
    import sys
    from datetime import UTC, datetime
    from pathlib import Path
    from lockgate.adapters.ledger_file import FileLedger
    from lockgate.errors import MovedOn
    from lockgate.records.statement import PREDICATES, Statement, seal
    from lockgate.testing.ledger import MemorySigner

    name, folder, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    ledger, signer = FileLedger(folder, seen=folder / f"seen-{name}"), MemorySigner(name)
    for number in range(count):
        statement = Statement(predicate_type=PREDICATES + "exam/v1", subject_name="exam", subject="sha256:" + "00" * 32,
                              predicate={"word": f"{name} {number}"})
        envelope = seal(statement, signer)
        while True:
            try:
                ledger.append(envelope, after=ledger.head(), time=datetime.now(UTC))
                break
            except MovedOn:
                continue
        print(f"{name} {number}", flush=True)
""")


def start(name: str, folder: Path, count: int) -> subprocess.Popen[str]:
    source = str(Path(lockgate.__file__).parent.parent)
    command = [sys.executable, "-c", WRITER, name, str(folder), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": source})


def test_two_processes_lose_nothing_and_fork_nothing(tmp_path: Path) -> None:
    writers = [start(name, tmp_path, 40) for name in ("ann", "ben")]
    acknowledged = [line for w in writers for line in w.communicate(timeout=60)[0].splitlines()]
    assert [w.returncode for w in writers] == [0, 0]
    written = words(FileLedger(tmp_path))
    assert sorted(written) == sorted(acknowledged)
    assert len(set(written)) == len(written) == 80
    for name in ("ann", "ben"):
        assert [w for w in written if w.startswith(name)] == [f"{name} {n}" for n in range(40)]


@pytest.mark.parametrize("seed", range(5))
def test_kill_minus_nine_loses_nothing_acknowledged(tmp_path: Path, seed: int) -> None:
    with start("ann", tmp_path, 10_000) as writer:
        assert writer.stdout is not None
        acknowledged = [writer.stdout.readline().strip() for _ in range(random.Random(seed).randrange(1, 30))]
        writer.send_signal(signal.SIGKILL)
        acknowledged += writer.stdout.read().splitlines()
    ledger = FileLedger(tmp_path, seen=tmp_path / "seen-ann")
    written = words(ledger)
    assert written[: len(acknowledged)] == acknowledged
    assert len(written) <= len(acknowledged) + 1
    ledger.append(envelope("after"), after=ledger.head(), time=NOON)
    assert words(FileLedger(tmp_path)) == [*written, "after"]


@pytest.mark.parametrize("site", ["write", "fsync", "replace"])
@pytest.mark.parametrize("nth", range(3))
def test_a_writer_that_dies_before_any_call_leaves_a_usable_ledger(tmp_path: Path, site: str, nth: int) -> None:
    filled(tmp_path, 1)
    die = textwrap.dedent(f"""
        import os
        real, left = os.{site}, [{nth}]
        def dying(*args, **kwargs):
            if left[0] == 0:
                if {site!r} == "write":
                    real(args[0], bytes(args[1])[: len(args[1]) // 2])
                os.kill(os.getpid(), 9)
            left[0] -= 1
            return real(*args, **kwargs)
        os.{site} = dying
    """)
    source = str(Path(lockgate.__file__).parent.parent)
    writer = WRITER.replace(", flush=True", "") + "sys.stdout.flush()"
    died = subprocess.run(
        [sys.executable, "-c", die + writer, "ann", str(tmp_path), "3"],
        env={**os.environ, "PYTHONPATH": source}, capture_output=True, check=False,
    )  # fmt: skip
    assert died.returncode == -signal.SIGKILL
    ledger = FileLedger(tmp_path, seen=tmp_path / "seen-ann")
    assert words(ledger)[0] == "word 0"
    ledger.append(envelope("after"), after=ledger.head(), time=NOON)
    assert words(FileLedger(tmp_path))[-1] == "after"


def test_the_fake_fails_when_told() -> None:
    ledger = MemoryLedger(unavailable=1, lost_answers=1, rivals=[envelope("rival")])
    with pytest.raises(ServiceUnavailable):
        ledger.head()
    with pytest.raises(MovedOn):
        ledger.append(envelope("mine"), after=EMPTY, time=NOON)
    with pytest.raises(ServiceUnavailable):
        ledger.append(envelope("mine"), after=ledger.head(), time=NOON)
    assert words(ledger) == ["rival", "mine"]
    assert ledger.head() == Head(size=2, digest=ledger.entries[1].digest)


def line(data: dict[str, object], *, after: Head) -> bytes:
    """What a stranger may write: chained rightly, whatever it holds."""
    body = canonical({"prev": after.digest, "seq": after.size, **data})
    return canonical({"digest": sha256_bytes(body)})[:-1] + b"," + body[1:] + b"\n"


def stranger(payload: bytes, **more: object) -> dict[str, object]:
    sealed = Envelope(payload=payload, keyid="nobody", signature=b"x")
    return {"envelope": sealed.to_json(), "time": NOON.isoformat(), **more}


def nested(depth: int) -> bytes:
    deep = b"[" * depth + b"]" * depth
    start = b'{"_type":"https://in-toto.io/Statement/v1","predicateType":"' + PREDICATES.encode() + b'decision/v1",'
    return start + b'"subject":[{"digest":{"sha256":"00"},"name":"x"}],"predicate":{"deep":' + deep + b"}}"


@pytest.mark.parametrize("depth", [100, 900, 100_000])
def test_a_strangers_deep_line_is_set_aside(tmp_path: Path, depth: int) -> None:
    entries = filled(tmp_path)
    with (tmp_path / "ledger.jsonl").open("ab") as file:
        file.write(line(stranger(nested(depth)), after=entries[-1].head))
    read = FileLedger(tmp_path).read()
    assert len(read) == 4
    assert trusted(read).said[-1].field == "statement"
    with pytest.raises(IntegrityError):
        FileLedger(tmp_path).append(read[-1].envelope, after=read[-1].head, time=NOON)


@pytest.mark.parametrize(
    "time",
    [
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "2026-01-05T12:00:00+01:00",
        "2026-01-05T12:00:00",
        7,
    ],
)
def test_a_time_that_is_not_utc_is_refused(tmp_path: Path, time: object) -> None:
    entries = filled(tmp_path)
    with (tmp_path / "ledger.jsonl").open("ab") as file:
        file.write(line(stranger(nested(1), time=time), after=entries[-1].head))
    with pytest.raises(IntegrityError, match="entry 3 cannot be read"):
        FileLedger(tmp_path).read()


def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    entries = filled(tmp_path)
    with (tmp_path / "ledger.jsonl").open("ab") as file:
        file.write(line(stranger(nested(1), more="x" * (4 << 20)), after=entries[-1].head))
    with pytest.raises(IntegrityError, match="entry 3 is too long"):
        FileLedger(tmp_path).read()
    with pytest.raises(UsageError, match="too much"):
        FileLedger(tmp_path / "other").append(envelope("x" * (4 << 20)), after=EMPTY, time=NOON)
