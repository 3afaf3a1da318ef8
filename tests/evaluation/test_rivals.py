"""The release beside what else answers the same rows: paired, in every group, and all groups at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.evaluation.mcnemar import paired_shares
from lockgate.evaluation.rivals import MOST_GROUPS, method_in_words, rivals
from lockgate.evaluation.scored import Scored
from lockgate.records.findings import BesideRival
from lockgate.records.wire import from_json


def decisions(n: int = 400, seed: int = 1, **columns: object) -> Scored:
    """Three of four come out as yes; the release is right for nine of ten, a rule for seven of ten."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < 0.75).astype(float)

    def answers(right: float) -> np.ndarray:
        return np.where(rng.random(n) < right, truth, 1 - truth)

    made = {
        "y": truth, "ours": answers(0.9), "rule": answers(0.7), "best_simple": answers(0.7),
        "best_simple_method": np.full(n, "debts of at most 36 %"), "race": np.where(np.arange(n) % 4 == 0, "b", "a"),
    }  # fmt: skip
    return Scored(columns={**made, **columns}, truth="y", answer="ours")  # type: ignore[arg-type]


def forecasts(days: int = 40, **columns: object) -> Scored:
    rng = np.random.default_rng(3)
    day = np.repeat(np.arange("2011-10-01", days, dtype="datetime64[D]")[:1], 1)
    day = np.repeat(np.datetime64("2011-10-01") + np.arange(days), 10)
    truth = rng.integers(5, 30, days * 10).astype(float)
    made = {
        "day": day, "y": truth, "ours": truth + rng.normal(0, 2, len(truth)),
        "best_simple": truth + rng.normal(0, 5, len(truth)), "store": np.tile(np.repeat(["n", "s"], 5), days),
    }  # fmt: skip
    return Scored(columns={**made, **columns}, truth="y", answer="ours", day="day")  # type: ignore[arg-type]


def beside(
    scored: Scored, champion: Scored | None = None, by: tuple[str, ...] = (), metric: str = "accuracy"
) -> dict[str, BesideRival]:
    found = rivals(scored, champion, by, metric=metric)
    return {f"{r.rival} {r.group}": r for r in (from_json(BesideRival, row) for row in found["rows"])}


def test_three_rivals_all_rows_first_then_each_group() -> None:
    scored = decisions()
    found = beside(scored, scored.answering("rule"), ("race",))
    assert list(found) == [f"{kind} {group}" for kind in ("live", "simple", "same") for group in ("all rows", "a", "b")]
    assert found["simple a"].words == "the best simple method (debts of at most 36 %)"
    assert found["same a"].words == "the same answer for everybody (yes)"
    assert [found[f"live {g}"].at_once for g in ("all rows", "a", "b")] == [1, 2, 2]
    assert found["live all rows"].difference.level == "0.95" and found["live a"].difference.level == "0.975"


def test_a_difference_is_paired_and_not_that_of_two_intervals() -> None:
    """22 of the 29 rows in which the lending example's third release differs from “yes for all” are right: it is better, by a little."""
    truth = np.r_[np.ones(1164), np.zeros(137), np.zeros(22), np.ones(7)]
    answer = np.r_[np.ones(1301), np.zeros(29)]
    every = beside(Scored(columns={"y": truth, "ours": answer}, truth="y", answer="ours"))["same all rows"]
    expected = paired_shares(1164, 22, 7, 137)
    assert (every.own, every.theirs, every.difference.n) == ("0.891729", "0.880451", 1330)
    assert every.difference.low == f"{expected.low:.6g}" and float(every.difference.low) > 0


@pytest.mark.parametrize(("yes", "word"), [(0.75, "yes"), (0.2, "no")])
def test_the_commoner_answer_is_the_one_for_everybody(yes: float, word: str) -> None:
    truth = (np.arange(200) < 200 * yes).astype(float)
    row = beside(Scored(columns={"y": truth, "ours": truth}, truth="y", answer="ours"))["same all rows"]
    assert row.words == f"the same answer for everybody ({word})"
    assert float(row.theirs or "nan") == pytest.approx(max(yes, 1 - yes))


@pytest.mark.parametrize("answer", [0.3, 2.0])
def test_only_yes_and_no_can_be_answered_alike_to_everybody(answer: float) -> None:
    scored = decisions(ours=np.full(400, answer))
    assert not any(name.startswith("same") for name in beside(scored))


def test_forecasts_are_compared_over_whole_days() -> None:
    found = beside(forecasts(), by=("store",), metric="wape")
    assert list(found) == ["simple all rows", "simple n", "simple s"]
    every = found["simple all rows"].difference
    assert every.blocks == 40 and float(every.high or "nan") < 0
    own, theirs = (float(v or "nan") for v in (found["simple n"].own, found["simple n"].theirs))
    assert float(found["simple n"].difference.value or "nan") == pytest.approx(own - theirs, abs=1e-5)


def test_on_few_days_a_difference_has_no_interval_and_says_why() -> None:
    found = beside(forecasts(days=3), metric="wape")["simple all rows"].difference
    assert found.low is None and found.why == "too few days (3) to say how sure"


def test_a_live_release_that_was_asked_fewer_rows_is_held_against_these() -> None:
    scored = decisions(id=np.arange(400))
    keyed = Scored(columns=scored.columns, truth="y", answer="ours", keys=("id",))
    found = beside(keyed, keyed.answering("rule").subset(np.arange(300)))
    assert (found["live all rows"].difference.n, found["simple all rows"].difference.n) == (300, 400)


def test_what_cannot_be_compared_is_named() -> None:
    broken = decisions().columns["best_simple"].copy()
    broken[0] = np.nan
    found = rivals(decisions(best_simple=broken), None, metric="accuracy")
    assert found["not_assessed"][0].startswith("the best simple method (debts of at most 36 %): ")
    assert {r["rival"] for r in found["rows"]} == {"same"}
    nothing = rivals(decisions(ours=np.full(400, np.nan)), None, metric="accuracy")
    assert nothing["rows"] == [] and nothing["not_assessed"][0].startswith("any other answer: ")


def test_a_live_release_that_answered_a_row_twice_is_named_and_the_others_are_still_compared() -> None:
    keyed = Scored(columns=decisions(id=np.arange(400)).columns, truth="y", answer="ours", keys=("id",))
    found = rivals(keyed, keyed.subset(np.r_[0, np.arange(399)]), metric="accuracy")
    assert found["not_assessed"] == ["the live release: two scored rows have the same key"]
    assert {r["rival"] for r in found["rows"]} == {"simple", "same"}
    twice = Scored(columns=decisions(id=np.zeros(400)).columns, truth="y", answer="ours", keys=("id",))
    found = rivals(twice, twice.answering("rule"), metric="accuracy")
    assert {r["rival"] for r in found["rows"]} == {"simple", "same"}


def test_small_groups_and_more_than_anybody_reads_are_left_out() -> None:
    scored = decisions(
        30 * (MOST_GROUPS + 2) + 5, shop=np.r_[np.repeat(np.arange(MOST_GROUPS + 2), 30), [99] * 5].astype(str)
    )
    found = rivals(scored, None, ("shop", "unknown"), metric="accuracy")
    assert sum(r["rival"] == "same" for r in found["rows"]) == MOST_GROUPS + 1
    assert "99" not in {r["group"] for r in found["rows"]}
    same = [line.partition(": ")[2] for line in found["not_assessed"] if line.startswith("the same answer")]
    assert same == ["1 group of shop with fewer than 30 rows", "2 groups of shop beyond the 40 largest"]


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.sampled_from([30, 31, 90]))
def test_a_release_is_no_better_than_itself_and_a_swap_turns_the_sign(seed: int, n: int) -> None:
    scored = decisions(n, seed)
    itself = beside(scored, scored)["live all rows"].difference
    assert float(itself.value or "nan") == 0 and float(itself.low or "nan") <= 0 <= float(itself.high or "nan")
    one, other = (
        beside(a, b)["live all rows"].difference
        for a, b in [(scored, scored.answering("rule")), (scored.answering("rule"), scored)]
    )
    assert float(one.low or "nan") == pytest.approx(-float(other.high or "nan"), abs=1e-5)


def test_no_column_starves_another_and_one_named_all_is_none() -> None:
    n = 30 * 60
    scored = decisions(n, shop=np.repeat(np.arange(60), 30).astype(str), all=np.full(n, "all rows"))
    found = [
        r for r in rivals(scored, None, ("shop", "race", "all"), metric="accuracy")["rows"] if r["rival"] == "same"
    ]
    assert [sum(r["by"] == by for r in found) for by in ("all", "shop", "race")] == [1, MOST_GROUPS // 2, 2]


def test_a_baseline_of_words_is_named_and_not_compared() -> None:
    found = rivals(decisions(best_simple=np.full(400, "yes")), None, metric="accuracy")
    assert found["not_assessed"] and {r["rival"] for r in found["rows"]} == {"same"}


def test_days_that_all_differ_by_the_same_prove_nothing() -> None:
    day = np.repeat(np.datetime64("2011-10-01") + np.arange(20), 10)
    truth = np.ones(200)
    columns = {
        "day": day,
        "y": truth,
        "ours": np.tile([1.0] * 8 + [0.0] * 2, 20),
        "best_simple": np.tile([1.0] * 6 + [0.0] * 4, 20),
    }
    found = beside(Scored(columns=columns, truth="y", answer="ours", day="day"))["simple all rows"].difference
    assert (found.value, found.low) == ("0.2", None)
    assert found.why == "every day differs by the same, so nothing says how sure that is"


def test_a_rate_that_rests_on_few_rows_of_either_side_has_no_interval() -> None:
    rare = np.zeros(400)
    rare[:2] = 1
    found = beside(decisions(best_simple=rare), metric="ppv")["simple all rows"].difference
    assert (found.n, found.low, found.why) == (2, None, "2 rows behind it, fewer than 30")


def test_a_rule_that_answers_neither_yes_nor_no_is_not_counted_as_wrong() -> None:
    found = rivals(decisions(best_simple=np.full(400, 0.88)), None, metric="accuracy")
    assert found["not_assessed"][0].endswith("it answers something else than yes or no")
    assert {r["rival"] for r in found["rows"]} == {"same"}


def test_scores_of_the_release_are_not_those_of_a_rule() -> None:
    """By a metric of scores a rule without any cannot be held against a release: it would be held by the release's own."""
    table = decisions()
    scored = Scored(columns={**table.columns, "p": np.full(400, 0.7)}, truth="y", answer="ours", score="p")
    found = rivals(scored, None, metric="brier")
    assert found["rows"] == []
    assert found["not_assessed"][0].startswith("the best simple method (debts of at most 36 %): ")


@pytest.mark.parametrize(("days", "groups"), [(14, 20), (28, 5)])
def test_intervals_of_all_groups_hold_at_once(days: int, groups: int) -> None:
    """Of two answers that are equally good, any group is told to be better or worse in 5 of 100 tables, within Monte-Carlo error."""
    rng, tables, told = np.random.default_rng(11), 200, 0
    day = np.repeat(np.datetime64("2011-10-01") + np.arange(days), groups * 4)
    shop = np.tile(np.repeat(np.arange(groups).astype(str), 4), days)
    for _ in range(tables):
        truth = rng.normal(50, 5, len(day))
        ours, rule = (truth + rng.normal(0, 2, len(day)) for _ in range(2))
        columns = {"day": day, "shop": shop, "y": truth, "ours": ours, "best_simple": rule}
        scored = Scored(columns=columns, truth="y", answer="ours", day="day")
        found = rivals(scored, None, ("shop",), metric="mae")["rows"][1:]
        ends = [from_json(BesideRival, r).difference for r in found]
        told += any(float(e.low or "nan") > 0 or float(e.high or "nan") < 0 for e in ends)
    assert told / tables <= 0.05 + 3 * (0.05 * 0.95 / tables) ** 0.5


def test_a_baseline_is_named_by_its_methods() -> None:
    scored = decisions()
    assert method_in_words(scored, "best_simple") == "the best simple method (debts of at most 36 %)"
    assert method_in_words(scored, "last_year") == "the baseline last year"
    long = decisions(best_simple_method=np.full(400, "m" * 900))
    assert len(method_in_words(long, "best_simple")) < 120
    many = decisions(best_simple_method=np.array([f"m{i % 4}" for i in range(400)]))
    assert method_in_words(many, "best_simple") == "the best simple method"
