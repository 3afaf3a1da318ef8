"""Whatever a gate is given, it says pass, fail or uncertain in one sentence: every gate that there is, every table that breaks programs.

Ten million rows are in `tests/soak/test_ten_million_rows.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gates.every_gate import EVERY, Inputs, good_inputs, needs, served
from lockgate import gates
from lockgate.declare import Gate
from lockgate.evaluation.scored import Scored
from lockgate.gates.measure import INPUTS
from lockgate.gates.rows import Rows
from lockgate.records.evidence import Evidence, Verdict
from lockgate.records.wire import from_json, to_json
from lockgate.testing.gates import measure, verdict

ROWS = 1_680
CRASH = re.compile(r"\b[A-Z][A-Za-z]*(Error|Exception|Warning)\b|Traceback|cannot be read")
"""What a sentence holds when a program broke instead of judging; a gate that raises by itself is caught, and seen here."""


def test_no_gate_is_forgotten() -> None:
    assert set(EVERY) == set(gates.__all__)


def test_every_input_is_tried() -> None:
    assert {name for gate in EVERY for name in needs(gate)} == set(INPUTS)


def decide(name: str, given: Inputs) -> Verdict:
    gate = EVERY[name]
    evidence = measure(gate, given)
    assert from_json(Evidence, to_json(evidence)) == evidence
    found = verdict(gate, evidence)
    assert found.outcome in ("pass", "fail", "uncertain", "not_applicable")
    assert found.reason.endswith("."), found.reason
    assert "\n" not in found.reason
    assert not CRASH.search(found.reason), found.reason
    assert not re.search(r"\bnan\b", found.reason, re.IGNORECASE), found.reason
    assert (found.settles != "") == (found.outcome == "uncertain"), found
    return found


@pytest.mark.parametrize("name", sorted(EVERY))
def test_a_good_release_passes(name: str, tmp_path: Path) -> None:
    assert decide(name, good_inputs(name, ROWS, tmp_path)).outcome == "pass"


# ── tables that break programs ───────────────────────────────────────────────

Spoil = Callable[[Any], Any]


def cut(rows: int) -> Spoil:
    """Only the first rows, of everything that has rows."""

    def spoil(value: Any) -> Any:
        match value:
            case Scored():
                return value.subset(np.arange(rows))
            case Rows():
                return Rows(columns={n: c[:rows] for n, c in value.columns.items()})
            case {"latency_ms": times, "cold_start_s": starts, "memory_mb": sizes}:
                return {**value, "latency_ms": times[:rows], "cold_start_s": starts[:rows], "memory_mb": sizes[:rows]}
            case {"rows": _, "differ": []}:
                return {"rows": rows, "differ": []}
            case _:
                return served(rows) if type(value).__name__ == "Served" else value

    return spoil


def answered(change: Callable[[np.ndarray], np.ndarray]) -> Spoil:
    """Other answers, probabilities and bounds; of the training table, other numbers."""

    def spoil(value: Any) -> Any:
        if isinstance(value, Rows):
            return Rows(columns={n: change(c) if c.dtype.kind == "f" else c for n, c in value.columns.items()})
        if not isinstance(value, Scored):
            return value
        names = {n for n in (value.answer, value.low, value.high, value.score) if n}
        return value.replacing(**{n: change(value.column(n)) for n in names})

    return spoil


def truths(truth: float) -> Spoil:
    return lambda v: v.replacing(**{v.truth: np.full(len(v), truth)}) if isinstance(v, Scored) else v


def column(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Spoil:
    """One column of every table that has it."""

    def spoil(value: Any) -> Any:
        if isinstance(value, Scored) and name in value.columns:
            return value.replacing(**{name: change(value.column(name))})
        if isinstance(value, Rows) and name in value.columns:
            return Rows(columns={**value.columns, name: change(value.columns[name])})
        return value

    return spoil


def every(*spoils: Spoil) -> Spoil:
    def spoil(value: Any) -> Any:
        for each in spoils:
            value = each(value)
        return value

    return spoil


def at_seventh(values: np.ndarray, value: float) -> np.ndarray:
    return np.where(np.arange(len(values)) == 7, value, values)


STRANGE = np.array(["", "中文 ‮ العربية", "🧑‍🦰 & = <b>\t\u2028", "e\u0301", "é"])
"""Empty, right to left, markup, a line separator, and two spellings of one letter."""


def strange(values: np.ndarray) -> np.ndarray:
    return STRANGE[np.arange(len(values)) % len(STRANGE)]


def days_unknown(value: Any) -> Any:
    names = [n for n in ("date", "as_of") if isinstance(value, Scored | Rows) and n in value.columns]
    return every(*(column(n, lambda c: np.full(len(c), np.datetime64("NaT", "D"))) for n in names))(value)


def without_groups(value: Any) -> Any:
    """Nobody of one group is there."""
    if isinstance(value, Scored) and "region" in value.columns:
        return value.subset(value.labels("region") != "south")
    return value


CASES: Mapping[str, Spoil] = {
    "no rows": cut(0),
    "one row": cut(1),
    "two rows": cut(2),
    "a NaN answer": answered(lambda a: at_seventh(a, np.nan)),
    "an infinite answer": answered(lambda a: at_seventh(a, np.inf)),
    "all answers NaN": answered(lambda a: np.full(len(a), np.nan)),
    "NaN truths": truths(np.nan),
    "one class": truths(1.0),
    "the other class": truths(0.0),
    "constant answer": answered(lambda a: np.full(len(a), 1.0)),
    "constant zero": answered(lambda a: np.zeros(len(a))),
    "huge answers": answered(lambda a: np.full(len(a), 1e308)),
    "tiny answers": answered(lambda a: np.full(len(a), 5e-324)),
    "an empty group": without_groups,
    "one group": column("region", lambda c: np.full(len(c), "north")),
    "a group per row": column("region", lambda c: np.arange(len(c)).astype("U8")),
    "nameless groups": column("region", lambda c: np.full(len(c), "")),
    "strange names": every(column("region", strange), column("product", strange), column("id", strange)),
    "duplicated ids": every(
        *(column(n, lambda c: np.full(len(c), c[0] if len(c) else 0)) for n in ("product", "id", "date", "as_of"))
    ),
    "no days": days_unknown,
    "texts for numbers": every(
        *(column(n, lambda c: np.full(len(c), "perhaps")) for n in ("actual", "units", "answer", "score", "low"))
    ),
    "numbers for names": every(*(column(n, lambda c: np.arange(len(c)) / 3) for n in ("product", "region", "id"))),
}


@pytest.mark.parametrize("case", sorted(CASES))
@pytest.mark.parametrize("name", sorted(EVERY))
def test_whatever_it_is_given_a_gate_gives_a_verdict(name: str, case: str, tmp_path: Path) -> None:
    given = good_inputs(name, ROWS, tmp_path)
    decide(name, {n: CASES[case](value) for n, value in given.items()})


@pytest.mark.parametrize("name", sorted(EVERY))
def test_an_input_that_is_not_there_gives_a_verdict(name: str, tmp_path: Path) -> None:
    """A step that was not declared leaves None: no champion, no training table, no history."""
    given = good_inputs(name, ROWS, tmp_path)
    for absent in ("champion", "training_table", "history", "live", "contracts", "replayed"):
        if absent in given and not (absent == "replayed" and name != "representation"):
            decide(name, {**given, absent: None})


READ_ANSWERS = sorted(
    set(EVERY) - {"budget", "compatibility", "documentation", "formats", "integration", "leakage", "representation",
                  "split", "staleness"}
)  # fmt: skip


@pytest.mark.parametrize("case", ["all answers NaN", "a NaN answer", "an infinite answer"])
@pytest.mark.parametrize("name", READ_ANSWERS)
def test_an_answer_that_is_no_number_never_passes(name: str, case: str, tmp_path: Path) -> None:
    given = good_inputs(name, ROWS, tmp_path)
    assert decide(name, {n: CASES[case](value) for n, value in given.items()}).outcome == "fail"


@pytest.mark.parametrize("name", [n for n in READ_ANSWERS if n != "custom"])
def test_one_row_never_passes_what_rests_on_an_interval(name: str, tmp_path: Path) -> None:
    given = good_inputs(name, ROWS, tmp_path)
    found = decide(name, {n: CASES["one row"](value) for n, value in given.items()})
    exact = ("export", "no_leak", "skew")  # every row compared: one row that is the same is all there is
    assert found.outcome == "pass" if name in exact else found.outcome in ("fail", "uncertain")


# ── many rows, many groups ───────────────────────────────────────────────────

MANY = 100_000
BY_NAME = (
    ("champion_slices", gates.champion_slices(by=["product"], min_n=20)),
    ("enough_good_data", gates.enough_good_data(per="product")),
    ("slices", gates.slices(by=["product"], min_n=20)),
    ("bounded_loss", gates.bounded_loss("mae", ["product"], 9, min_n=20)),
    ("interval_coverage", gates.interval_coverage(by=["product"], min_n=20)),
    ("representation", gates.representation("id", {"p1": 0.5, "p2": 0.5})),
    ("calibration", gates.calibration(by=["id"])),
    ("fairness", gates.fairness("selection_rate", ["id"])),
)


@pytest.mark.parametrize(("name", "gate"), BY_NAME, ids=[name for name, _ in BY_NAME])
def test_a_column_of_ids_costs_no_more_than_rows(name: str, gate: Gate, tmp_path: Path) -> None:
    """Thousands of groups: summed one by one they would take minutes and all memory. What is not judged is listed."""
    given = good_inputs(name, MANY // 4, tmp_path)
    evidence = measure(gate, given)
    found = verdict(gate, evidence)
    assert not CRASH.search(found.reason), found.reason
    assert found.outcome in ("pass", "fail", "uncertain")
    names = len(set(given["scored"].column("id" if "id" in given["scored"].columns else "product").tolist()))
    assert len(evidence.groups) + len(evidence.not_assessed) >= min(names, 100)


@pytest.mark.parametrize("name", ["leakage", "champion", "champion_slices", "enough_good_data", "split"])
def test_rows_are_matched_by_the_hundred_thousand(name: str, tmp_path: Path) -> None:
    assert decide(name, good_inputs(name, MANY, tmp_path)).outcome == "pass"


# ── what is not a table ──────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"consumer": 1}', '{"consumer": "中 ‮", "requests": [], "response": {}}']
)
def test_any_contract_file_gives_a_verdict(text: str, tmp_path: Path) -> None:
    for name in (text[:3] or "empty", "größe ‮.json", "planner.json"):
        assert decide("compatibility", {**good_inputs("compatibility", 1, tmp_path), "contracts": {name: text}}).outcome == "fail"  # fmt: skip


@pytest.mark.parametrize("name", ["модель.npy", "größe & co.json", "🧑.parquet", "a\u202eyp.npy"])
def test_a_file_of_any_name_gives_a_verdict(name: str, tmp_path: Path) -> None:
    given = good_inputs("formats", 3, tmp_path)
    (tmp_path / name).write_bytes(b"")
    assert decide("formats", given).outcome == "fail"


@pytest.mark.parametrize("said", ["", "   ", "中文 ‮", "x" * 100_000, None, 7, ["a", "b"]])
def test_any_card_gives_a_verdict(said: object, tmp_path: Path) -> None:
    card = good_inputs("documentation", 1, tmp_path)["card"]
    for field in ("intended", "limits", "owner", "review_by"):
        decide("documentation", {**good_inputs("documentation", 1, tmp_path), "card": {**card, field: said}})


@pytest.mark.parametrize(
    ("times", "expected"),
    [([], "fail"), (["nan"], "fail"), (["inf"], "fail"), (["1"], "uncertain"), (["0"] * 600, "pass"), (["1e308"] * 600, "fail")],
)  # fmt: skip
def test_any_timings_give_a_verdict(times: list[str], expected: str, tmp_path: Path) -> None:
    weighed = {**good_inputs("budget", 1, tmp_path)["weighed"], "latency_ms": times}
    assert decide("budget", {"weighed": weighed}).outcome == expected


@pytest.mark.parametrize("answer", [None, {}, {"units": float("nan")}, {"units": "7"}, {"größe ‮": 1}])
def test_any_answer_over_http_gives_a_verdict(answer: Any, tmp_path: Path) -> None:
    good = served(5)
    odd = replace(good, answered=(answer, *good.answered[1:]))
    assert decide("integration", {"served": odd}).outcome == "fail"
