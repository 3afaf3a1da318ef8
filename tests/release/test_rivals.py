"""In words: for whom the release is better than something else, for whom that is not shown, and for whom it is worse."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest

from lockgate.delivery.evidence.cautions import cautions_beside
from lockgate.records.evidence import Estimate
from lockgate.records.findings import BesideRival
from lockgate.records.pack import Decided, Metric, Pack
from lockgate.release.minute import alike
from lockgate.release.rivals import better_for, in_words, is_no_better, rival_table, same_answer, standing

ACCURACY = Metric(name="accuracy", lower_is_better=False)
WAPE, MAE = Metric(name="wape"), Metric(name="mae", unit="units")
SIMPLE, SAME = "the best simple method", "the same answer for everybody (yes)"


def row(
    low: str | None,
    high: str | None,
    *,
    group: str = "all rows",
    words: str = SAME,
    unit: str = "share",
    **changes: Any,
) -> BesideRival:
    apart = Estimate(
        name="difference",
        value="0",
        low=low,
        high=high,
        n=1330,
        unit=unit,
        why="" if low else "too few days (3) to say how sure",
    )
    fields: dict[str, Any] = {"rival": "same" if words == SAME else "simple", "own": "0.892", "theirs": "0.88"}
    return BesideRival(
        **fields | changes, words=words, by="all" if group == "all rows" else "race", group=group, difference=apart
    )


@pytest.mark.parametrize(
    ("low", "high", "metric", "stands", "words"),
    [
        ("0.003", "0.02", ACCURACY, "better", "better by 0.3 to 2.0 points"),
        ("-0.02", "-0.003", ACCURACY, "worse", "worse by 0.3 to 2.0 points"),
        ("-0.02", "-0.003", WAPE, "better", "better by 0.3 to 2.0 points"),
        ("-0.003", "0.02", WAPE, "not shown", "not shown: −2.0 to +0.3 points"),
        ("0", "0.02", ACCURACY, "not shown", "not shown: 0 to +2.0 points"),
        ("0", "0", ACCURACY, "not shown", "no difference"),
        (None, None, ACCURACY, "not measured", "not measured: too few days (3) to say how sure"),
    ],
)  # fmt: skip
def test_the_whole_interval_decides(low: str, high: str, metric: Metric, stands: str, words: str) -> None:
    assert (standing(row(low, high), metric), in_words(row(low, high), metric)) == (stands, words)


def test_numbers_that_are_no_shares_keep_their_unit() -> None:
    assert in_words(row("-1.5", "-0.25", unit="units"), MAE) == "better by 0.25 to 1.50 units"


def test_the_same_answer_for_everybody_in_a_sentence() -> None:
    said = "The same answer for everybody (yes) would be right for 88.0% of the 1,330 rows; this release is right for 89.2%: "
    assert same_answer(row("0.003", "0.02"), ACCURACY) == said + "better by 0.3 to 2.0 points."
    assert same_answer(row("-0.01", "0.02"), ACCURACY) == said + "not shown to be better, −1.0 to +2.0 points."


def test_no_gain_over_the_same_answer_is_a_caution_and_so_is_a_group_that_something_else_answers_better() -> None:
    assert cautions_beside([row("0.003", "0.02")], ACCURACY) == ()
    assert is_no_better(row("-0.01", "0.02"), ACCURACY) and not is_no_better(
        row("-0.01", "0.02", words=SIMPLE), ACCURACY
    )
    assert len(cautions_beside([row("-0.01", "0.02")], ACCURACY)) == 1
    worse = [row("-0.2", "-0.1", group=g, words=SIMPLE) for g in "abcdef"]
    assert cautions_beside(worse, ACCURACY) == (
        "The best simple method answers better than this release for race: a, race: b, race: c, race: d and 2 more (95% intervals, 1 group at once).",
    )


def test_by_another_metric_the_page_still_says_what_one_answer_for_all_would_reach() -> None:
    lent = Decided(by="all", group="all rows", right_yes=1164, wrong_yes=137, right_no=22, wrong_no=7)
    pack = Pack(
        project="p",
        release="sha256:1",
        as_of=dt.date(2026, 1, 1),
        environment="e",
        metric=Metric(name="brier"),
        decided=(lent,),
    )
    assert alike(pack) == ("The same answer for everybody (yes) would be right for 88.0% of the 1,330 rows.",)
    beside = dataclasses.replace(pack, metric=ACCURACY, rivals=(row("0.003", "0.02"),))
    assert alike(beside) == (same_answer(row("0.003", "0.02"), ACCURACY),)
    assert alike(dataclasses.replace(pack, decided=())) == ()


def test_without_groups_worse_for_all_rows_is_the_caution() -> None:
    assert cautions_beside([row("-0.2", "-0.1", words=SIMPLE)], ACCURACY) == (
        "The best simple method answers better than this release for all rows (95% intervals, 1 group at once).",
    )


def test_for_whom() -> None:
    rows = [row("0.1", "0.2", words=SIMPLE), row("0.1", "0.2", group="a", words=SIMPLE), row("0.1", "0.2", group="b", words=SIMPLE),
            row("0.1", "0.2"), row("0.1", "0.2", group="a"), row("-0.1", "0.2", group="b"), row(None, None, group="c")]  # fmt: skip
    assert better_for(rows, ACCURACY) == (
        "Than the best simple method: shown to be better for each of the 2 groups compared.",
        "Than the same answer for everybody (yes): shown to be better for race: a; not shown for race: b; not measured for race: c.",
    )
    assert better_for(rows[3:4], ACCURACY) == (
        "Than the same answer for everybody (yes): shown to be better for all rows.",
    )
    assert better_for((), ACCURACY) == ()


def test_a_table_has_a_line_per_group_and_a_column_per_rival() -> None:
    rows = [row("0.1", "0.2", words=SIMPLE), row("0.1", "0.2"), row("-0.1", "0.2", group="b", at_once=3)]
    table = rival_table(rows, ACCURACY)
    assert table is not None
    assert (table.rivals, table.at_once) == ((SIMPLE, "the same answer for everybody"), 3)
    assert [line[0] for line in table.rows] == ["all rows", "race: b"]
    assert table.rows[1][3] == (("–", "not compared"), ("88.0%", "not shown: −10.0 to +20.0 points"))
    assert rival_table((), ACCURACY) is None


def test_a_live_release_that_was_asked_fewer_rows_has_them_beside_its_number() -> None:
    few = row("0.1", "0.2", words="the live release", rival="live", own="0")
    few = dataclasses.replace(few, difference=dataclasses.replace(few.difference, n=40))
    late = row("0.1", "0.2", group="b", words="the live release", rival="live")
    table = rival_table([few, late, *(row("0.1", "0.2", group=g) for g in ("all rows", "a", "b"))], ACCURACY)
    assert table is not None
    assert table.rows[0][1:3] == (1330, "89.2%")
    assert table.rows[0][3][0] == ("88.0%", "on 40 rows, this release 0%: better by 10.0 to 20.0 points")
    assert [line[0] for line in table.rows] == ["all rows", "race: a", "race: b"]
