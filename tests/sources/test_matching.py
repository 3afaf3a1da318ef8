"""What two versions of a file have in common: what is named is true, in order, and of the usual edits hardly anything is missed."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lockgate.delivery.sources.matching import LEAST_BYTES, Stretch, stretches

ROWS = [f"{n},{n * 7919 % 1000003},product-{n * 31 % 5000},2024-01-{n % 28 + 1:02}\n".encode() for n in range(60_000)]
OLD = b"".join(ROWS)
FEW = ROWS[:60]


def new_bytes(before: bytes, after: bytes) -> int:
    found = list(stretches(before, after))
    end = 0
    for stretch in found:
        assert stretch.size_bytes >= LEAST_BYTES
        assert stretch.start >= end
        assert before[stretch.before : stretch.before + stretch.size_bytes] == after[stretch.start : stretch.end]
        end = stretch.end
    return len(after) - sum(s.size_bytes for s in found)


def changed(rows: list[bytes], count: int, by: Callable[[bytes], bytes]) -> list[bytes]:
    at = set(random.Random(7).sample(range(len(rows)), count))
    return [by(r) if n in at else r for n, r in enumerate(rows)]


def longer(row: bytes) -> bytes:
    return row.replace(b"2024", b"20245")


def other(row: bytes) -> bytes:
    return row.replace(b"2024", b"1999")


@pytest.mark.parametrize(
    ("rows", "most"),
    [
        (ROWS, 0),
        ([*ROWS, *map(other, ROWS[:600])], len(b"".join(ROWS[:600]))),
        ([*map(other, FEW), *ROWS], len(b"".join(FEW))),
        ([*ROWS[:20_000], *map(other, FEW), *ROWS[20_000:]], len(b"".join(FEW))),
        (ROWS[:20_000] + ROWS[20_060:], 0),
        (ROWS[:40_000], 0),
        ([*ROWS[:20_000], *map(other, ROWS[20_000:20_060]), *ROWS[20_060:]], len(b"".join(FEW)) + 100),
        ([*ROWS[:20_000], *map(longer, ROWS[20_000:20_060]), *ROWS[20_060:]], len(b"".join(FEW)) + 200),
        (ROWS[:10_000] + ROWS[10_500:40_000] + ROWS[45_000:], 0),
        (changed(ROWS, 60, other), 60 * LEAST_BYTES // 2),
        (changed(ROWS, 60, longer), 60 * LEAST_BYTES // 2),
    ],
    ids=["same", "appended", "prepended", "inserted", "deleted", "cut off", "edited", "edited longer", "deleted twice",
         "scattered", "scattered longer"],
)  # fmt: skip
def test_of_what_happens_to_tables_only_the_news_are_new(rows: list[bytes], most: int) -> None:
    assert new_bytes(OLD, b"".join(rows)) <= most + LEAST_BYTES


def test_files_that_have_nothing_in_common() -> None:
    assert list(stretches(random.Random(1).randbytes(10**6), random.Random(2).randbytes(10**6))) == []


@pytest.mark.parametrize(("before", "after"), [(b"", b""), (b"", OLD), (OLD, b""), (b"a", b"a")])
def test_files_too_short_to_name_anything(before: bytes, after: bytes) -> None:
    assert list(stretches(before, after)) == []


def test_of_bytes_that_repeat_the_whole_is_found() -> None:
    assert list(stretches(bytes(10**6), bytes(10**6 + 5000))) in (
        [Stretch(0, 0, 10**6)],
        [Stretch(5000, 0, 10**6)],
        [Stretch(0, 0, 5000), Stretch(5000, 0, 10**6)],
    )
    assert new_bytes(b"ab\n" * 10**5, b"abb\n" * 10**5) <= 4 * 10**5


BLOCKS = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9000)), max_size=8)


@given(BLOCKS, BLOCKS)
def test_what_is_named_is_always_true(before: list[tuple[int, int]], after: list[tuple[int, int]]) -> None:
    pool = [random.Random(seed).randbytes(9000) for seed in range(5)] + [bytes(9000)]
    new_bytes(*(b"".join(pool[n][:size] for n, size in blocks) for blocks in (before, after)))
