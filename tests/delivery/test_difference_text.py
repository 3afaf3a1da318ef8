"""The page for a terminal: users first, lines that fit, nothing in it that could steer the terminal."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

import lockgate.delivery.comparison.difference
from lockgate.cli.render import WIDTH, table
from lockgate.delivery.comparison.difference import _Comparing
from lockgate.delivery.comparison.text import _signed, text
from lockgate.errors import StepFailed
from lockgate.evaluation.movement import attributed, compared
from lockgate.records.movement import Attribution, Movement, ReleaseDifference, Unbuilt
from lockgate.records.wire import from_json
from lockgate.testing.scored import scored_table

OLD, NEW = "sha256:" + "a" * 64, "sha256:" + "b" * 64
NAMES = ("production", "latest")


def difference(*, days: int = 24, factors: tuple[str, ...] = ("code", "data"), built: bool = True) -> ReleaseDifference:
    old = scored_table(days=days, per_day=30)
    random = np.random.default_rng(1)
    code = old.replacing(units=old.role("answer") * random.uniform(0.6, 1.5, len(old)))
    data = old.replacing(units=old.role("answer") * 1.02)
    new = code.replacing(units=code.role("answer") * 1.02)
    split = attributed(old, new, code if built else None, data, None, None, list(factors))
    return ReleaseDifference(
        before=OLD, after=NEW, movement=from_json(Movement, compared(old, new, by=["volume_band", "new"])),
        attribution=from_json(Attribution, split), unbuilt=() if built else (Unbuilt(factor="code", why="no such column"),),
        words=(("data", "a day more"), ("data", "source sales: 6 rows added, none removed"), ("code", "a.py: model")),
    )  # fmt: skip


def lines(found: ReleaseDifference) -> list[str]:
    return text(found, NAMES, table=table).splitlines()


def test_users_come_first_and_every_line_fits() -> None:
    said = lines(difference())
    headings = [line for line in said if line.isupper()]
    assert headings == ["WHAT CHANGES FOR USERS", "WHY", "THE 20 LARGEST CHANGES", "WHAT DIFFERS"]
    assert said[0] == "production aaaaaaaaaaaa → latest bbbbbbbbbbbb"
    assert [line for line in said if len(line) > WIDTH] == []
    assert [line for line in said if line.startswith(("only the code", "only the data", "what they do", "all of it"))]
    assert (
        said[-2:] == ["            source sales: 6 rows added, none removed", "code        a.py: model"][-2:]
        or "code" in said[-1]
    )


def test_what_was_not_built_is_said_with_what_is_known() -> None:
    said = "\n".join(lines(difference(built=False)))
    assert "code and what they do together" in said
    assert "code alone is not known. It could not be built: no such column" in said
    assert "only the code" not in said


def test_one_factor_is_one_line() -> None:
    said = lines(difference(factors=("data",)))
    assert [line.split("  ")[0] for line in said if line.startswith(("the ", "all of it", "only"))] == ["the data"]


def test_few_days_say_so() -> None:
    assert "too few days (5) to say how sure" in "\n".join(lines(difference(days=5)))


def test_nothing_can_steer_the_terminal() -> None:
    found = difference()
    assert found.movement
    bad = "p1\x1b[2J\u202eevil\nnew line"
    row = replace(found.movement.largest[0], request={"product": bad}, labels={"product": bad}, reasons_before=(bad,))
    group = replace(found.movement.groups[0], group=bad, by=bad)
    moved = replace(found.movement, largest=(row,), groups=(group,), left_out=(bad,))
    said = text(replace(found, movement=moved, words=(("code", bad),), unexplained={"after": bad}), NAMES, table=table)
    assert "\x1b" not in said
    assert "\u202e" not in said


def test_the_same_release_and_one_that_cannot_answer() -> None:
    assert lines(ReleaseDifference(before=OLD, after=OLD))[-1] == "the two releases are the same"
    said = lines(
        ReleaseDifference(before=OLD, after=NEW, unanswered="the old release cannot answer: polars is missing")
    )
    assert "The answers cannot be compared: the old release cannot answer: polars is missing" in said
    assert said[-2:] == ["      source sales: 6 rows added, none removed", "code  a.py: model"]


def test_what_was_not_built_is_said_with_what_is_known() -> None:
    said = "\n".join(lines(difference(built=False)))
    assert "code and what they do together" in said
    assert "code alone is not known. It could not be built: no such column" in said
    assert "only the code" not in said


def test_one_factor_is_one_line() -> None:
    said = lines(difference(factors=("data",)))
    assert [line.split("  ")[0] for line in said if line.startswith(("the ", "all of it", "only"))] == ["the data"]


def test_few_days_say_so() -> None:
    assert "too few days (5) to say how sure" in "\n".join(lines(difference(days=5)))


def test_nothing_can_steer_the_terminal() -> None:
    found = difference()
    assert found.movement
    bad = "p1\x1b[2J\u202eevil\nnew line"
    row = replace(found.movement.largest[0], request={"product": bad}, labels={"product": bad}, reasons_before=(bad,))
    group = replace(found.movement.groups[0], group=bad, by=bad)
    moved = replace(found.movement, largest=(row,), groups=(group,), left_out=(bad,))
    said = text(replace(found, movement=moved, words=(("code", bad),), unexplained={"after": bad}), NAMES, table=table)
    assert "\x1b" not in said
    assert "\u202e" not in said


def test_the_same_release_and_one_that_cannot_answer() -> None:
    assert lines(ReleaseDifference(before=OLD, after=OLD))[-1] == "the two releases are the same"
    said = lines(
        ReleaseDifference(before=OLD, after=NEW, unanswered="the old release cannot answer: polars is missing")
    )
    assert "The answers cannot be compared: the old release cannot answer: polars is missing" in said
    assert said[-2:] == ["WHAT DIFFERS", "Nothing that is recorded."]


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        ("-0.0123", "share", "−1.23 points"), ("0.00001", "share", "+0.0010 points"), ("2.5", "", "+2.5"), ("0", "share", "0"),
        ("-1234.5", "", "−1,234.5"), ("0.034", "", "+0.034"), (None, "", "not known"),
    ],
)  # fmt: skip
def test_changes_have_a_sign(value: str | None, unit: str, said: str) -> None:
    assert _signed(value, unit) == said


def test_a_failed_split_keeps_the_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    found, nothing = replace(difference(), attribution=None), cast("Any", None)
    monkeypatch.setattr(lockgate.delivery.comparison.difference, "factors_of", lambda *_: ("data",))

    def failing(*_: object, **__: object) -> None:
        raise StepFailed("no room left", value="/store")

    monkeypatch.setattr(lockgate.delivery.comparison.difference, "measure", failing)
    monkeypatch.setattr(_Comparing, "_packages", ())
    monkeypatch.setattr(_Comparing, "_asked", {})
    monkeypatch.setattr(lockgate.delivery.comparison.difference, "fair_from", lambda *_: "")
    comparing = _Comparing(nothing, nothing, SimpleNamespace(trace=None), nothing, nothing, nothing, nothing)  # type: ignore[arg-type]
    kept = comparing._split(found, nothing, "", {})
    assert kept == replace(found, unbuilt=(Unbuilt(factor="together", why="no room left: /store"),))
    said = lines(kept)
    assert "WHAT CHANGES FOR USERS" in said
    assert [line for line in said if line.startswith("How the change splits is not known.")]
