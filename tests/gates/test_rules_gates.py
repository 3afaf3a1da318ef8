"""Every built-in gate from declaration to verdict: good and hostile inputs, each a sentence, never a traceback."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys

import numpy as np
import pytest

from lockgate import gates
from lockgate.declare import Gate
from lockgate.errors import UsageError
from lockgate.evaluation.metrics import METRICS
from lockgate.evaluation.resampling import single
from lockgate.evaluation.scored import Scored
from lockgate.gates.history import History, Measured, definition
from lockgate.gates.measure import INPUTS, evidence_function
from lockgate.gates.stage import run_gate
from lockgate.records.digest import canonical
from lockgate.records.evidence import Estimate, Evidence, Verdict
from lockgate.records.wire import from_json, to_json
from lockgate.testing.gates import measure, verdict
from lockgate.testing.scored import scored_table

ALL = (
    gates.enough_good_data(min_rows=100, per="volume_band", min_days=14),
    gates.beats_baseline(),
    gates.champion(),
    gates.slices(by=["volume_band", "new"]),
    gates.no_leak(),
    gates.interval_coverage(nominal="0.8", tolerance="0.15"),
    gates.quality("wape", at_most=0.9),
    gates.ratchet(),
    gates.champion_slices(by=["volume_band", "new"], margin=0.01),
    gates.representation("volume_band", {"low": "0.33", "mid": "0.33", "high": "0.34"}, tolerance="0.1"),
)


def decide(gate: Gate, scored: Scored | None = None, **inputs: object) -> Verdict:
    scored = scored_table() if scored is None else scored
    wired = {
        "scored": scored,
        "champion": scored,
        "replayed": twice(scored),
        "served": None,
        "release": {},
        "history": approved("wape", "0.9"),
        **inputs,
    }
    evidence = measure(gate, wired)
    assert evidence.gate == gate.name
    assert from_json(Evidence, to_json(evidence)) == evidence
    found = verdict(gate, evidence)
    assert found.reason.endswith(".")
    assert "\n" not in found.reason
    assert (found.settles != "") == (found.outcome == "uncertain")
    return found


def approved(metric: str, value: str) -> History:
    """One release that a person approved, with its number."""
    same = definition(METRICS[metric])
    day = dt.date(2011, 9, 1)
    return History(
        measured=(
            Measured(
                release="sha256:" + "a" * 64, approved=day, metric=metric, value=value, definition=same, holdout="h"
            ),
        )
    )


def twice(scored: Scored) -> Scored:
    """Training rows whose replay gives the same answers."""
    from dataclasses import replace

    return replace(scored.replacing(prediction=scored.column("units")), truth="prediction")


@pytest.mark.parametrize("gate", ALL, ids=lambda gate: gate.name)
def test_a_good_release_passes_every_gate(gate):
    assert decide(gate).outcome == "pass"


@pytest.mark.parametrize("gate", ALL, ids=lambda gate: gate.name)
def test_the_same_inputs_give_the_same_bytes_in_any_row_order(gate):
    scored = scored_table()
    order = np.random.default_rng(1).permutation(len(scored))
    inputs = [{"scored": s, "champion": s, "replayed": twice(s)} for s in (scored, scored, scored.subset(order))]
    first, again, shuffled = (canonical(to_json(measure(gate, given))) for given in inputs)
    assert first == again
    assert first == shuffled


def hostile() -> dict[str, Scored]:
    good = scored_table()
    n = len(good)
    return {
        "no rows": good.subset(np.zeros(n, bool)),
        "one row": good.subset(np.arange(1)),
        "one day": good.subset(np.arange(60)),
        "two days": good.subset(np.arange(120)),
        "NaN answer": good.replacing(units=np.where(np.arange(n) == 7, np.nan, good.role("answer"))),
        "all NaN answers": good.replacing(units=np.full(n, np.nan), low=np.full(n, np.nan), high=np.full(n, np.nan)),
        "infinite answer": good.replacing(units=np.where(np.arange(n) == 7, np.inf, good.role("answer"))),
        "NaN truth": good.replacing(actual=np.where(np.arange(n) == 7, np.nan, good.role("truth"))),
        "no date": good.replacing(date=np.where(np.arange(n) == 7, np.datetime64("NaT"), good.column("date"))),
        "nothing sold": good.replacing(actual=np.zeros(n)),
        "constant": good.replacing(actual=np.ones(n), units=np.ones(n), best_simple=np.ones(n)),
        "flawless": good.replacing(units=good.role("truth"), low=good.role("truth"), high=good.role("truth")),
        "one group": good.replacing(volume_band=np.full(n, "all"), new=np.zeros(n, bool)),
        "own group each": good.replacing(volume_band=np.arange(n).astype(str)),
        "text answers": good.replacing(units=np.full(n, "many")),
        "huge numbers": good.replacing(actual=good.role("truth") * 1e200),
        "unicode": good.replacing(
            volume_band=np.where(good.column("new"), "Größe ‮中文", "🛒"), product=np.full(n, "é")
        ),
    }


@pytest.mark.parametrize("name", sorted(hostile()))
@pytest.mark.parametrize("gate", ALL, ids=lambda gate: gate.name)
def test_hostile_tables_get_a_verdict_and_never_a_traceback(gate, name):
    found = decide(gate, hostile()[name])
    assert found.outcome in ("pass", "fail", "uncertain")
    assert "Traceback" not in found.reason


@pytest.mark.parametrize("name", ["no rows", "NaN answer", "all NaN answers", "no date", "nothing sold"])
def test_what_cannot_be_measured_fails(name):
    for gate in (gates.beats_baseline(), gates.slices(by=["volume_band"]), gates.champion()):
        assert decide(gate, hostile()[name]).outcome == "fail"


def test_a_null_is_named_with_its_row():
    reason = decide(gates.beats_baseline(), hostile()["NaN answer"]).reason
    assert "1 of 1,440 rows has no number in 'units' (first: product P7, date 2011-10-16, as_of 2011-10-09)" in reason


def test_baseline_is_named_when_the_table_says_which_it_is():
    scored = scored_table()
    named = scored.replacing(best_simple_method=np.full(len(scored), "day-of-week median"))
    assert "than the best simple method (day-of-week median), " in decide(gates.beats_baseline(), named).reason


def test_no_champion_yet_does_not_apply():
    found = decide(gates.champion(), champion=None)
    assert found.outcome == "not_applicable"
    assert found.reason == "Nothing to compare with: there is no live release yet."


def test_champion_without_common_rows_fails():
    scored = scored_table()
    far = scored.replacing(date=scored.column("date") + 1000)
    assert decide(gates.champion(), scored, champion=far).outcome == "fail"


def test_champion_names_the_rows_it_left_out():
    scored = scored_table()
    evidence = measure(gates.champion(), {"scored": scored, "champion": scored.subset(np.arange(1200))})
    assert evidence.not_assessed == ("240 rows that the live release was not asked",)
    assert "Not judged: 240 rows" in verdict(gates.champion(), evidence).reason


def test_slices_names_worst_best_and_what_is_too_small():
    scored = scored_table()
    band = scored.labels("volume_band").astype("U9")
    band[:9] = "rare"
    worse = np.where(band == "low", scored.role("answer") + 9, scored.role("answer"))
    found = decide(gates.slices(by=["volume_band", "new"]), scored.replacing(volume_band=band, units=worse))
    assert found.outcome == "fail"
    assert "worst group (volume band: low)" in found.reason
    assert "at most 1.50 times is allowed" in found.reason
    assert "Not judged: volume band: rare (9 rows, fewer than 200)." in found.reason


def test_no_leak_counts_and_shows_the_worst_row():
    replayed = twice(scored_table())
    answer = replayed.role("answer").copy()
    answer[:412] += np.linspace(0.1, 1, 412)
    answer[500] = np.nan
    evidence = measure(gates.no_leak(), {"replayed": replayed.replacing(units=answer)})
    assert evidence.statistic.value == "413"
    assert set(evidence.rows[0]) == {"product", "date", "as_of", "trained", "replayed"}
    assert evidence.rows[0]["replayed"] is None
    found = verdict(gates.no_leak(), evidence)
    assert found.outcome == "fail"
    assert found.reason.startswith("413 of 1,440 training answers cannot be had from what was known on their day")
    tiny = replayed.replacing(units=replayed.role("answer") * (1 + 1e-9))
    assert decide(gates.no_leak(), replayed=tiny).outcome == "pass"


def test_intervals_that_end_before_they_start_fail():
    scored = scored_table()
    crossed = scored.replacing(low=scored.role("high"), high=scored.role("low"))
    assert "end before they start" in decide(gates.interval_coverage(), crossed).reason


def test_duplicates_are_not_good_data():
    scored = scored_table()
    again = scored.subset(np.r_[np.arange(len(scored)), [3]])
    found = decide(gates.enough_good_data(min_rows=100), again)
    assert found.outcome == "fail"
    assert "not good" in found.reason
    assert decide(gates.enough_good_data(min_rows=100, max_bad_share=0.01), again).outcome == "pass"


def far_off(scored: Scored, pieces: float = 5.0) -> Estimate:
    """Share of answers that miss by more than five pieces."""
    scored.require("truth", "answer")
    missed = abs(scored.role("answer") - scored.role("truth")) > pieces
    hit = scored.replacing(hit=missed, yes=np.ones(len(scored)))
    from dataclasses import replace

    return single(METRICS["accuracy"], replace(hit, truth="yes", answer="hit")).estimate("far_off", "share")


def test_an_own_gate_is_a_plain_function():
    gate = gates.custom(far_off, at_most=0.2)
    assert (gate.name, gate.limits) == ("far_off", {"at_most": "0.2"})
    found = decide(gate)
    assert found.outcome == "pass"
    assert found.reason.startswith("Share of answers that miss by more than five pieces is ")
    assert decide(gates.custom(far_off, at_most=0.2, pieces=0.5)).outcome == "fail"


@pytest.mark.parametrize("function", [lambda scored: 1 / 0, lambda scored: "fine", lambda nonsense: 1])
def test_an_own_gate_that_breaks_fails(function):
    found = decide(gates.custom(function, at_most=1, name="own"))
    assert found.outcome == "fail"


def test_limits_are_decimal_strings_and_only_what_was_given():
    assert gates.champion().limits == {}
    assert gates.champion(margin=0.01).limits == {"margin": "0.01"}
    assert gates.slices(by=["a"], worst_over_best=1.5).limits == {"worst_over_best": "1.5"}
    assert gates.champion(name="against-live").name == "against-live"


@pytest.mark.parametrize(
    "declare",
    [
        lambda: gates.champion(margin=float("nan")),
        lambda: gates.champion(margin="much"),
        lambda: gates.slices(),
        lambda: gates.slices(by="volume_band"),
        lambda: gates.custom(far_off),
        lambda: gates.custom(far_off, at_most=1, at_least=0),
    ],
)
def test_a_wrong_declaration_is_told_at_once(declare):
    with pytest.raises(UsageError):
        declare()


def test_a_limit_in_two_places_is_an_error():
    gate = gates.champion(margin=0.01)
    evidence = measure(gate, {"scored": scored_table(), "champion": None})
    with pytest.raises(UsageError, match=r"policy\.toml"):
        verdict(gate, evidence, {"margin": "0.5"})
    assert verdict(gates.champion(), evidence, {"margin": "0.5"}).threshold == {"margin": "0.5"}


def test_declaring_gates_loads_no_numpy_and_constructors_survive_measuring():
    code = "import sys; from lockgate import gates; gates.slices(by=['a']); assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    for gate in ALL:
        evidence_function(gate)
    assert all(callable(getattr(gates, name)) for name in gates.__all__)


def test_a_missing_answer_fails_an_own_gate_that_requires_numbers():
    found = decide(gates.custom(far_off, at_most=0.2), hostile()["all NaN answers"])
    assert found.outcome == "fail"
    assert "have no number in 'units'" in found.reason


def test_many_small_groups_are_counted_in_the_sentence_and_listed_in_the_evidence():
    scored = hostile()["own group each"]
    gate = gates.slices(by=["volume_band", "new"])
    evidence = measure(gate, {"scored": scored})
    assert len(evidence.not_assessed) == len(scored) + 1
    reason = verdict(gate, evidence).reason
    assert reason.endswith("and 1,435 more, listed in the evidence.")
    assert "volume band: 0 (1 row, fewer than 200)" in reason


def test_what_a_gate_may_ask_for_is_said_once():
    hints = {n: t for n, t in run_gate.__annotations__.items() if n not in ("gate", "return")}
    assert tuple(hints) == tuple(INPUTS)
