"""The law of partitions: after any history of edits the result is that of a full run in an empty store, identity for
identity, and exactly the partitions ran whose inputs no run had seen before."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from build.partitioned_flow import Here, Model, Row, State, ran

SEEDS = range(3)
EDITS = 6


def append(chance: random.Random, state: State) -> State:
    """Rows of the next month, or of one a little later: there may be gaps."""
    last = max(int(m[:4]) * 12 + int(m[5:]) - 1 for m in state.months) + chance.choice([1, 1, 1, 2, 4])
    return replace(state, rows=(*state.rows, *rows_of(chance, last)))


def late(chance: random.Random, state: State) -> State:
    """A row of a month that is there, anywhere in the file."""
    day = f"{chance.choice(state.months)}-{chance.randint(1, 28):02}"
    place = chance.randint(0, len(state.rows))
    return replace(state, rows=(*state.rows[:place], (day, chance.randint(0, 90)), *state.rows[place:]))


def before_all(chance: random.Random, state: State) -> State:
    first = min(int(m[:4]) * 12 + int(m[5:]) - 1 for m in state.months) - 1
    return replace(state, rows=(*state.rows, *rows_of(chance, first)))


def without_a_row(chance: random.Random, state: State) -> State:
    gone = chance.randrange(len(state.rows))
    return replace(state, rows=tuple(r for i, r in enumerate(state.rows) if i != gone) or state.rows)


def without_a_month(chance: random.Random, state: State) -> State:
    gone = chance.choice(state.months)
    return replace(state, rows=tuple(r for r in state.rows if not r[0].startswith(gone)) or state.rows)


def small_change(chance: random.Random, state: State) -> State:
    """One unit more is often rounded away: then the step behind must not run."""
    place = chance.randrange(len(state.rows))
    day, units = state.rows[place]
    return replace(state, rows=(*state.rows[:place], (day, units + 1), *state.rows[place + 1 :]))


def months_mixed(chance: random.Random, state: State) -> State:
    """The same months in another order: every partition stays as it is."""
    order = chance.sample(state.months, len(state.months))
    return replace(state, rows=tuple(r for m in order for r in state.rows if r[0].startswith(m)))


def code(chance: random.Random, state: State) -> State:
    return replace(state, shift=chance.randint(0, 3))


def parameter(chance: random.Random, state: State) -> State:
    return replace(state, times=chance.randint(1, 3))


def whole_input(chance: random.Random, state: State) -> State:
    return replace(state, rate=chance.randint(1, 3))


def lookback(chance: random.Random, state: State) -> State:
    return replace(state, lookback=chance.randint(0, 3))


def rows_of(chance: random.Random, number: int) -> list[Row]:
    month = f"{number // 12:04}-{number % 12 + 1:02}"
    return [(f"{month}-{chance.randint(1, 28):02}", chance.randint(0, 90)) for _ in range(chance.randint(1, 4))]


KINDS = (append, append, late, late, before_all, without_a_row, without_a_month, small_change, small_change,
         months_mixed, code, parameter, whole_input, lookback)  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
def test_incremental_is_full(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    here, model = Here(monkeypatch), Model()
    state = State(rows=tuple(r for n in range(5) for r in rows_of(chance, 2011 * 12 + 9 + n)), lookback=seed % 4)
    past = [state]
    for turn in range(EDITS + 1):
        state.write(tmp_path / "kept")
        expected = model.runs(state)
        record = here.run(tmp_path / "kept")
        found = {n: ran(record).get(n, ()) for n in expected}
        assert found == expected, f"seed {seed}, edit {turn}: {state}"
        state.write(tmp_path / f"full{turn}")
        full = here.run(tmp_path / f"full{turn}")
        made = {n: a.digest for n, a in record.artifacts.items()}
        assert made == {n: a.digest for n, a in full.artifacts.items()}, f"seed {seed}, edit {turn}: {state}"
        edit = chance.choice(KINDS)
        state = chance.choice(past) if chance.random() < 0.1 else edit(chance, state)
        past.append(state)
