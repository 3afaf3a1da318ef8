"""Every gate on a release as a thing: a good one passes, a twin that differs in one thing does not and the sentence names it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gates.inspecting import AS_OF, CARD, CONTRACT, WEIGHED, decide, inputs, learned, manifest, predictable, replay
from lockgate import gates
from lockgate.declare import Gate
from lockgate.errors import UsageError
from lockgate.evaluation.scored import Scored
from lockgate.gates.evidence.budget import quantile
from lockgate.gates.rows import FEATURE, Rows
from lockgate.gates.skill import alone, skill
from lockgate.records.digest import canonical
from lockgate.records.wire import to_json
from lockgate.testing.gates import measure

PLANNER = '{"consumer": "planner", "requests": [{"product": "p1", "date": {"days_after_as_of": 3}}], "response": {"units": {"type": "number"}, "note": {"type": "string"}}}'

ALL = (
    gates.compatibility(consumers=None),
    gates.leakage(content=["product", "date", "mean_28"], target="units_sold"),
    gates.split(day="date"),
    gates.skew(),
    gates.export(),
    gates.budget(p95_ms=50, p99_ms=50, cold_start_s=2, memory_mb=500, artifact_mb=10),
    gates.documentation(),
    gates.staleness(day="date", max_data_days=2, max_model_days=60, max_holdout_days=30),
)
"""`formats` has a file of its own."""


@pytest.mark.parametrize("gate", ALL, ids=lambda gate: gate.name)
def test_a_good_release_passes(gate: Gate) -> None:
    assert decide(gate).outcome == "pass", decide(gate).reason


@pytest.mark.parametrize("gate", ALL, ids=lambda gate: gate.name)
def test_the_same_inputs_give_the_same_bytes(gate: Gate) -> None:
    first, second = (canonical(to_json(measure(gate, inputs()))) for _ in range(2))
    assert first == second


def hostile() -> dict[str, dict[str, Any]]:
    scored, table, again = predictable(), learned(predictable()), replay()
    n, rows, empty = len(scored), len(table), np.zeros(len(scored), bool)
    few = Rows(columns={name: c[:1] for name, c in table.columns.items()})
    none = Rows(columns={name: c[:0] for name, c in table.columns.items()})
    nothing = {"predictor": {"request": [], "response": []}, "as_of": AS_OF, "lineage": {}}
    return {
        "nothing wired": dict.fromkeys(("training_table", "live", "contracts", "card")),
        "no rows": {"scored": scored.subset(empty), "training_table": none, "replayed": again.subset(empty)},
        "one row": {"scored": scored.subset(np.arange(1)), "training_table": few, "replayed": again.subset(np.arange(1))},
        "no columns": {"training_table": Rows(columns={})},
        "NaN everywhere": {
            "scored": scored.replacing(units=np.full(n, np.nan), actual=np.full(n, np.nan), mean_28=np.full(n, np.nan)),
            "training_table": Rows(columns={**table.columns, "units_sold": np.full(rows, np.nan), "mean_28": np.full(rows, np.nan)}),
            "replayed": again.replacing(units=np.full(n, np.nan)),
        },
        "infinite": {"scored": scored.replacing(units=np.full(n, np.inf)), "replayed": again.replacing(units=np.full(n, np.inf))},
        "constant": {"scored": scored.replacing(units=np.ones(n), actual=np.ones(n)), "training_table": Rows(columns={**table.columns, "units_sold": np.ones(rows)})},
        "no days": {
            "training_table": Rows(columns={**table.columns, "date": np.full(rows, "NaT", "datetime64[D]")}), "known_days": {"history": None},
            "scored": scored.replacing(date=np.full(n, "NaT", "datetime64[D]")),
        },
        "days are texts": {"training_table": Rows(columns={**table.columns, "date": np.full(rows, "soon")})},
        "ids twice": {"scored": scored.subset(np.r_[np.arange(n), np.arange(n)]), "training_table": Rows(columns={c: np.r_[v, v] for c, v in table.columns.items()})},
        "unicode": {
            "scored": scored.replacing(product=np.full(n, "Größe ‮中文🛒")), "training_table": Rows(columns={**table.columns, "product": np.full(rows, "é")}),
            "card": {**CARD, "owner": "Größe ‮中文🛒"}, "known_days": {"Größe 🛒": "2011-11-08"},
        },
        "empty release": {"release": nothing, "live": nothing, "repeated": {"rows": 0, "differ": []}, "known_days": {},
                          "weighed": {**WEIGHED, "bytes": 0, "files": 0, "latency_ms": [], "cold_start_s": [], "memory_mb": []}},
        "one answer": {"weighed": {**WEIGHED, "latency_ms": ["3"], "cold_start_s": ["1"], "memory_mb": ["9"]}},
        "empty card": {"card": {}},
        "rows without a day": {"scored": replace(scored, day=None), "replayed": replace(again, day=None)},
        "contract is no JSON": {"contracts": {"planner.json": "{"}},
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(hostile()))
@pytest.mark.parametrize("gate", ALL, ids=lambda gate: gate.name)
def test_hostile_inputs_get_a_verdict_and_never_a_traceback(gate: Gate, name: str) -> None:
    found = decide(gate, **hostile()[name])
    assert found.outcome in ("pass", "fail", "uncertain", "not_applicable")
    assert "Traceback" not in found.reason


# ── compatibility ───────────────────────────────────────────────────────────


def changed(edit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    new = manifest()
    edit(new)
    return new


def field(name: str, side: str = "request", **values: Any) -> Callable[[dict[str, Any]], None]:
    def edit(release: dict[str, Any]) -> None:
        next(f for f in release["predictor"][side] if f["name"] == name).update(values)

    return edit


def new_field(side: str, **values: Any) -> Callable[[dict[str, Any]], None]:
    full = {
        "name": "store",
        "type": "string",
        "required": True,
        "default": None,
        "unit": "",
        "choices": None,
        "horizon": None,
        **values,
    }
    return lambda release: release["predictor"][side].append(full)


def gone(name: str, side: str) -> Callable[[dict[str, Any]], None]:
    def edit(release: dict[str, Any]) -> None:
        release["predictor"][side] = [f for f in release["predictor"][side] if f["name"] != name]

    return edit


BREAKING: list[tuple[Callable[[dict[str, Any]], None], str]] = [
    (gone("price", "request"), "request field price is gone"),
    (gone("units", "response"), "response field units is gone"),
    (new_field("request"), "request field store is new and must be given"),
    (field("price", required=True), "request field price must be given now"),
    (field("price", type="integer"), "request field price was number and is integer"),
    (field("product", type="integer"), "request field product was string and is integer"),
    (field("units", "response", type="string"), "response field units was number and is string"),
    (field("units", "response", required=False), "response field units may be empty now"),
    (field("units", "response", unit="kg"), "response field units was in pieces and is in kg"),
    (field("date", horizon={"days": 14, "closed": None}), "request field date reaches 14 open days ahead, and reached 28"),
    (field("price", choices={"state": "history", "column": "price"}), "request field price must be one of history.price, and could be anything"),
    (field("product", choices={"state": "shop", "column": "id"}), "request field product must be one of shop.id, and could be one of history.product"),
]  # fmt: skip

FITTING: list[tuple[Callable[[dict[str, Any]], None], int]] = [
    (lambda release: None, 0),
    (new_field("request", required=False), 1),
    (new_field("response"), 1),
    (field("product", required=False), 1),
    (field("price", default=2.0), 1),
    (field("note", "response", required=True), 1),
    (field("date", horizon={"days": 56, "closed": None}), 1),
    (field("product", choices=None), 1),
    (field("units", "response", type="integer"), 1),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "said"), BREAKING, ids=lambda v: v if isinstance(v, str) else "")
def test_a_breaking_change_of_the_schema_fails_and_is_named(edit: Any, said: str) -> None:
    found = decide(gates.compatibility(consumers=None), release=changed(edit))
    assert found.outcome == "fail"
    assert found.reason.startswith(f"1 change breaks who uses the live release: {said}"), found.reason
    back = decide(gates.compatibility(consumers=None), release=manifest(), live=manifest())
    assert back.outcome == "pass"


@pytest.mark.parametrize(("edit", "changes"), FITTING)
def test_a_change_that_asks_less_or_answers_more_passes(edit: Any, changes: int) -> None:
    gate = gates.compatibility(consumers=None)
    assert decide(gate, release=changed(edit)).outcome == "pass"
    evidence = measure(gate, {"release": changed(edit), "live": manifest(), "contracts": None})
    assert next(e.value for e in evidence.also if e.name == "other_changes") == str(changes)


def test_an_intended_break_is_allowed_by_number() -> None:
    release = changed(field("price", required=True))
    assert decide(gates.compatibility(consumers=None, max_breaking=1), release=release).outcome == "pass"


def consumed(edit: Callable[[dict[str, Any]], None], contract: str = PLANNER) -> str:
    gate = gates.compatibility(consumers="consumers", max_breaking=9)
    found = decide(gate, release=changed(edit), contracts={"planner.json": contract})
    return f"{found.outcome}: {found.reason}"


def test_the_consumer_whose_contract_breaks_is_named() -> None:
    assert consumed(lambda _: None).startswith("pass: Nothing that the live release promises is gone")
    assert "the contract of planner fits" in consumed(lambda _: None)
    for edit, said in (
        (new_field("request"), "planner does not send store"),
        (gone("product", "request"), "planner sends product, which nobody asks for"),
        (field("product", type="integer"), "planner sends product as 'p1', not integer"),
        (gone("units", "response"), "planner expects units, which is not answered"),
        (field("units", "response", type="string"), "planner expects units as number, not string"),
        (field("units", "response", required=False), "planner expects units always, and it may be empty"),
        (field("date", horizon={"days": 2, "closed": None}), "planner sends date 3 days ahead, beyond 2"),
    ):
        assert consumed(edit).startswith(f"fail: 1 of 1 consumers' contracts break: {said}"), consumed(edit)
    assert consumed(gone("price", "request")).startswith("pass"), "nobody sends it"


def test_without_a_live_release_only_consumers_are_asked() -> None:
    alone = decide(gates.compatibility(consumers=None), live=None)
    assert alone.outcome == "not_applicable"
    assert alone.reason == "Nothing to compare with: there is no live release yet, and nobody consumes it."
    gate = gates.compatibility()
    assert decide(gate, live=None, contracts={"planner.json": PLANNER}).reason == "The contract of planner fits."
    assert decide(gate, live=None, contracts={}).reason == "No consumer contract was found in 'consumers'."
    broken = decide(gate, contracts={"planner.json": "{"})
    assert "a consumer contract is not JSON: consumers/planner.json" in broken.reason


def contract(**values: Any) -> dict[str, Any]:
    new = manifest()
    new["lineage"]["contracts"]["sales.history"] = {**copy.deepcopy(CONTRACT), **values}
    return new


def column(name: str, **values: Any) -> dict[str, Any]:
    columns = copy.deepcopy(CONTRACT["columns"])
    columns[name].update(values)
    return contract(columns=columns)


@pytest.mark.parametrize(
    ("release", "said"),
    [
        (column("units", nullable=True), "data contract of history column units may be empty now"),
        (column("units", high=None), "column units may be higher now (without limit, was 24)"),
        (column("units", high="48"), "column units may be higher now (48, was 24)"),
        (column("units", low="-1"), "column units may be lower now (-1, was 0)"),
        (column("date", low="2008-01-01"), "column date may be lower now (2008-01-01, was 2009-12-01)"),
        (column("kind", one_of=["a", "b", "c"]), "column kind may be c too"),
        (column("kind", one_of=[]), "column kind may be anything too"),
        (contract(columns={n: c for n, c in CONTRACT["columns"].items() if n != "kind"}), "column kind is gone"),
        (contract(key=["date", "product", "kind"]), "rows are named by date, product, kind, and were by date, product"),
        (contract(rules={"free": {**CONTRACT["rules"]["free"], "at_most": "0.05"}}), "up to 0.05 of 'free' may come, and 0.01 might"),
        (contract(rules={**CONTRACT["rules"], "odd": CONTRACT["rules"]["free"]}), "dirt 'odd' is expected now"),
        (contract(min_rows=1), "1 rows are enough, and 100 were"),
        ({**manifest(), "lineage": {}}, "data contract of history is gone"),
    ],
)  # fmt: skip
def test_data_that_promise_less_are_weighed_by_a_person(release: Any, said: str) -> None:
    found = decide(gates.compatibility(consumers=None), release=release)
    assert found.outcome == "uncertain"
    assert said in found.reason, found.reason
    assert decide(gates.compatibility(consumers=None), release=manifest(), live=release).outcome == "pass", (
        "more is fine"
    )


@pytest.mark.parametrize(
    "release",
    [column("units", type="integer"), contract(key=["date"]), column("units", high="12"), column("units", unit="kg")],
)
def test_narrower_promises_fit_and_another_unit_never_does(release: Any) -> None:
    kilos = release["lineage"]["contracts"]["sales.history"]["columns"]["units"]["unit"] == "kg"
    assert decide(gates.compatibility(consumers=None), release=release).outcome == ("uncertain" if kilos else "pass")
    back = decide(gates.compatibility(consumers=None), release=manifest(), live=release)
    assert back.outcome == "uncertain"


# ── leakage and split ───────────────────────────────────────────────────────


def joined(table: Rows, scored: Scored, rows: int, **columns: Any) -> Rows:
    """The training table with some of the holdout's rows in it."""
    more = {n: scored.columns[{"units_sold": "actual"}.get(n, n)][:rows] for n in table.columns} | columns
    return Rows(columns={n: np.concatenate([c, more[n]]) for n, c in table.columns.items()})


LEAK = gates.leakage(content=["product", "date", "mean_28"], target="units_sold")


def test_a_holdout_row_in_training_fails_and_the_first_is_shown() -> None:
    scored = predictable()
    found = decide(LEAK, training_table=joined(learned(scored), scored, 2), times=["date"])
    assert found.outcome == "fail"
    assert (
        "2 of 1,440 holdout rows are in the training table, too, by product and date (first: product P0, date 2011-10-16)"
        in found.reason
    )


def test_an_as_of_of_training_is_part_of_the_key_where_there_is_one() -> None:
    """The same product and day, asked from another day, is another question."""
    scored = predictable()
    table = joined(learned(scored), scored, 2)
    asked = Rows(columns={**table.columns, "as_of": table.columns["date"] - 9})
    assert "by product and date and as of" in decide(LEAK, training_table=asked).reason
    assert decide(LEAK, training_table=asked).outcome == "pass"
    assert decide(gates.leakage(keys=["product", "date"]), training_table=asked).outcome == "fail"


def test_near_duplicates_are_looked_at_by_a_person() -> None:
    """The same row under another spelling and rounding is found; only the spelling makes it another key."""
    scored = predictable()
    twins = joined(learned(scored), scored, 200, product=np.char.add(" ", np.char.lower(scored.column("product")[:200])),
                   mean_28=scored.column("mean_28")[:200] * 1.00001)  # fmt: skip
    found = decide(LEAK, training_table=twins)
    assert found.outcome == "uncertain"
    assert found.reason.startswith("200 holdout rows (13.9%) are nearly the same as a training row"), found.reason
    apart = joined(learned(scored), scored, 200, product=np.char.add("x", scored.column("product")[:200]))
    assert decide(LEAK, training_table=apart).outcome == "pass"
    allowed = gates.leakage(content=["product", "date", "mean_28"], max_near_share=0.2)
    assert decide(allowed, training_table=twins).outcome == "pass"


def test_days_that_nobody_can_know_fail() -> None:
    table = learned(predictable())
    late = np.array(table.columns["date"])
    late[:3] = np.datetime64(AS_OF)
    found = decide(LEAK, training_table=Rows(columns={**table.columns, "checked": late}))
    assert found.outcome == "fail"
    assert "3 training rows hold a day on or after 2011-11-09, which nobody can know yet (checked 3)" in found.reason
    late[:3] = np.datetime64(AS_OF) - 1
    assert decide(LEAK, training_table=Rows(columns={**table.columns, "checked": late})).outcome == "pass"
    late[:3] = np.datetime64(AS_OF)
    only = gates.leakage(times=["date"], target="units_sold")
    assert decide(only, training_table=Rows(columns={**table.columns, "due": late})).outcome == "pass"


def test_the_answer_in_disguise_is_found_and_named() -> None:
    scored, table = predictable(), learned(predictable())
    chance = np.random.default_rng(1)
    disguised = Rows(
        columns={**table.columns, "basket": 3 * table.columns["units_sold"] + chance.normal(0, 0.01, len(table))}
    )
    found = decide(LEAK, scored=scored.replacing(basket=3 * scored.role("truth")), training_table=disguised)
    assert found.outcome == "uncertain"
    assert "basket alone has 10" in found.reason, found.reason
    assert "of the model's skill: is it the answer in disguise?" in found.reason
    honest = decide(LEAK, scored=scored.replacing(basket=chance.normal(0, 1, len(scored))), training_table=disguised)
    assert honest.outcome == "pass"
    assert "the best single feature (mean_28) has " in honest.reason


def test_what_the_release_host_saw_counts_as_the_holdouts_feature() -> None:
    scored, table = predictable(), learned(predictable())
    seen = scored.replacing(**{FEATURE + "basket": scored.role("truth")})
    disguised = Rows(columns={**table.columns, "basket": table.columns["units_sold"]})
    assert "basket alone has" in decide(LEAK, scored=seen, training_table=disguised).reason
    missing = decide(gates.leakage(target="units_sold", features=["baskte"]), training_table=disguised, scored=seen)
    assert missing.outcome == "fail"
    assert "baskte" in missing.reason


def test_without_a_training_table_it_fails_and_says_what_to_declare() -> None:
    for gate in (LEAK, gates.split(day="date")):
        found = decide(gate, training_table=None)
        assert found.outcome == "fail"
        assert "the training pipeline names no training_table" in found.reason


def test_skill_is_r_squared_or_gini() -> None:
    truth = np.array([1.0, 2.0, 3.0, 4.0])
    assert skill(truth, np.array([1.0, 2.0, 3.0, 5.0])) == pytest.approx(1 - 1 / 5)
    two = np.array([0.0, 0.0, 1.0, 1.0])
    assert skill(two, np.array([0.1, 0.4, 0.35, 0.8])) == pytest.approx(2 * 0.75 - 1)
    """AUC 0.75: the example of scikit-learn's roc_auc_score documentation."""
    assert np.isnan(skill(np.ones(4), truth))


def test_a_text_feature_predicts_by_its_own_mean() -> None:
    found = alone(np.array(["a", "a", "b"]), np.array([1.0, 3.0, 10.0]), np.array(["b", "a", "c"]))
    assert found.tolist() == [10.0, 2.0, pytest.approx(14 / 3)]


def test_the_gap_in_time() -> None:
    scored, table = predictable(), learned(predictable())
    assert "1 day before the first question" in decide(gates.split(day="date")).reason
    late = Rows(columns={**table.columns, "date": table.columns["date"] + 1})
    found = decide(gates.split(day="date"), training_table=late)
    assert found.outcome == "fail"
    assert (
        "training knows truths up to 0 days after the first question of the holdout was asked" in found.reason.lower()
    )
    assert decide(gates.split(day="date", label_days=28)).outcome == "fail"
    early = Rows(columns={**table.columns, "date": table.columns["date"] - 28})
    assert decide(gates.split(day="date", label_days=28), training_table=early).outcome == "pass"
    assert decide(gates.split(day="date", min_gap_days=30), training_table=early, scored=scored).outcome == "fail"


def test_groups_must_be_on_one_side() -> None:
    scored, table = predictable(), learned(predictable())
    found = decide(gates.split(apart=["product"]))
    assert found.outcome == "fail"
    assert "60 of 60 values of product are in training and holdout (such as P0, P1, P10)" in found.reason
    others = Rows(columns={**table.columns, "product": np.char.add("T", table.columns["product"])})
    assert decide(gates.split(apart=["product"]), training_table=others).outcome == "pass"
    assert decide(gates.split(apart=["product"], max_shared_groups=60), scored=scored).outcome == "pass"


# ── skew and export ─────────────────────────────────────────────────────────


def test_a_feature_that_serving_computes_otherwise_fails_and_is_named() -> None:
    again = replay()
    other = again.columns[FEATURE + "mean_28"].copy()
    other[100:130] += 0.01
    found = decide(gates.skew(), replayed=again.replacing(**{FEATURE + "mean_28": other}))
    assert found.outcome == "fail"
    assert found.reason.startswith("Training and the release host differ in mean_28 in 30 of 1,440 rows (first: "), (
        found.reason
    )
    assert decide(gates.skew(tolerance=0.1), replayed=again.replacing(**{FEATURE + "mean_28": other})).outcome == "pass"
    assert decide(gates.skew(max_share=0.1), replayed=again.replacing(**{FEATURE + "mean_28": other})).outcome == "pass"
    assert (
        decide(gates.skew(max_share=0.02), replayed=again.replacing(**{FEATURE + "mean_28": other})).outcome
        == "uncertain"
    )


def test_a_missing_value_on_one_side_and_another_text_differ() -> None:
    again = replay()
    gap = again.columns[FEATURE + "mean_28"].copy()
    gap[200] = np.nan
    text = again.columns[FEATURE + "band"].copy()
    text[7] = "odd"
    found = decide(gates.skew(), replayed=again.replacing(**{FEATURE + "mean_28": gap, FEATURE + "band": text}))
    assert "differ in band in 1; mean_28 in 1 of 1,440 rows" in found.reason


def test_an_answer_that_differs_and_features_that_nobody_tells() -> None:
    again = replay()
    answer = again.role("answer").copy()
    answer[5] += 1
    assert (
        "differ in prediction in 1 of 1,440 rows" in decide(gates.skew(), replayed=again.replacing(units=answer)).reason
    )
    bare = Scored(
        columns={n: c for n, c in again.columns.items() if not n.startswith(FEATURE)},
        truth="prediction",
        answer="units",
        day="date",
    )
    found = decide(gates.skew(), replayed=bare)
    assert found.outcome == "pass"
    assert "have the same for the answer in 1,440 rows" in found.reason
    assert "Not judged: features: the predictor declares no features=…" in found.reason


def test_the_packaged_model_that_answers_otherwise_fails() -> None:
    again = replay()
    answer = again.role("answer").copy()
    answer[:3] += 0.5
    found = decide(gates.export(), replayed=again.replacing(units=answer))
    assert found.outcome == "fail"
    assert found.reason.startswith(
        "The packaged model answers 3 of 1,440 training rows otherwise than the trained model did (first: "
    )
    assert decide(gates.export(tolerance=1.0), replayed=again.replacing(units=answer)).outcome == "pass"


def test_rows_whose_features_differ_are_skew_and_no_export() -> None:
    """The same three rows differ, but because of what the model was given: the file is not to blame."""
    again = replay()
    answer, mean = again.role("answer").copy(), again.columns[FEATURE + "mean_28"].copy()
    answer[100:103] += 0.5
    mean[100:103] += 1
    changed_rows = again.replacing(**{"units": answer, FEATURE + "mean_28": mean})
    found = decide(gates.export(), replayed=changed_rows)
    assert found.outcome == "pass"
    assert "Not judged: 3 rows whose features differ already." in found.reason
    assert decide(gates.skew(), replayed=changed_rows).outcome == "fail"


def test_another_form_of_the_model_is_held_to_the_same() -> None:
    again = replay()
    onnx = again.role("truth") * (1 + 1e-9)
    gate = gates.export(columns=["prediction_onnx"])
    assert decide(gate, replayed=again.replacing(prediction_onnx=onnx)).outcome == "pass"
    onnx[9] += 1
    found = decide(gate, replayed=again.replacing(prediction_onnx=onnx))
    assert found.reason.startswith("Column prediction_onnx answers 1 of 1,440 training rows otherwise")
    assert decide(gate).outcome == "fail", "a column that is not there"


def test_recorded_answers_are_repeated_to_the_bit() -> None:
    differ = [{"product": "p1", "as_of": AS_OF, "recorded": {"units": 1.0}, "again": {"units": 1.0000001}}]
    found = decide(gates.export(), repeated={"rows": 240, "differ": differ})
    assert found.outcome == "fail"
    assert "1 of 240 recorded answers are other bits now" in found.reason
    assert "no answer that could be repeated" in decide(gates.export(), repeated={"rows": 0, "differ": []}).reason


# ── budget ──────────────────────────────────────────────────────────────────


def test_a_quantile_is_held_by_its_order_statistics() -> None:
    """Coverage of the interval of a median of 11: ranks 2 and 10, 98.8 % (binomial; Conover 1999, §3.2)."""
    found = quantile([float(n) for n in range(1, 12)], 0.5)
    assert (found.value, found.low, found.high) == (6.0, 2.0, 10.0)
    assert not quantile([1.0] * 100, 0.99).known, (
        "a hundred timings say nothing about the upper end of the 99th percentile"
    )
    assert quantile([1.0] * 368, 0.99).known


def test_intervals_of_a_quantile_hold_the_truth_as_often_as_they_say() -> None:
    chance = np.random.default_rng(11)
    true95 = float(np.log(20))  # of the exponential distribution
    hits = sum(
        (i := quantile(sorted(chance.exponential(1, 300).tolist()), 0.95)).low <= true95 <= i.high for _ in range(2000)
    )
    assert 0.945 <= hits / 2000 <= 0.985


def test_a_slow_release_fails_a_fast_one_passes_and_between_nobody_knows() -> None:
    for limit, outcome in ((20, "pass"), (15.7, "uncertain"), (15, "fail")):
        found = decide(gates.budget(p95_ms=limit))
        assert found.outcome == outcome, found.reason
    assert "95% of all answers take at most 15.69 ms" in found.reason
    assert "at most 15 ms is allowed" in found.reason
    assert found.reason.endswith("Measured on 2 cores of some processor, load 0.4 before.")


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (
            {"cold_start_s": 0.5},
            "the first answer comes after 0.85 s (0.8 to 1.1; 6 measured); at most 0.5 s is allowed",
        ),
        ({"memory_mb": 100}, "memory of a release host is 181 MiB"),
        ({"artifact_mb": 2}, "the release's files are 3 MiB; at most 2 MiB is allowed"),
        ({"p50_ms": 1}, "half of all answers take at most 12.99 ms"),
    ],
)
def test_each_limit_is_held_alone(limit: dict[str, float], said: str) -> None:
    found = decide(gates.budget(p95_ms=99, **limit))
    assert found.outcome == "fail"
    assert said in found.reason.lower().replace("mib", "MiB"), found.reason


def test_too_few_timings_are_no_pass() -> None:
    few = {**WEIGHED, "latency_ms": ["1"] * 50}
    found = decide(gates.budget(p99_ms=1000), weighed=few)
    assert found.outcome == "uncertain"
    assert "50 numbers are too few" in found.reason
    assert decide(gates.budget()).reason.startswith("No limit is set")


# ── documentation and staleness ─────────────────────────────────────────────


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ({**CARD, "owner": ""}, "owner (says nothing)"),
        ({**CARD, "owner": " TODO: "}, "owner (says nothing)"),
        ({n: t for n, t in CARD.items() if n != "limits"}, "limits (not there)"),
        ({**CARD, "review_by": "next year"}, "review_by ('next year' is not a day (YYYY-MM-DD))"),
        ({**CARD, "review_by": AS_OF}, "review_by (was due on 2011-11-09)"),
        (None, "intended (not there), limits (not there), owner (not there), review_by (not there)"),
    ],
)
def test_what_the_card_lacks_is_named_and_where_to_write_it(card: Any, said: str) -> None:
    found = decide(gates.documentation(), card=card)
    assert found.outcome == "fail"
    assert said in found.reason
    assert found.reason.endswith("Write them in lockgate.toml, under [card].")


def test_a_project_may_require_other_fields() -> None:
    gate = gates.documentation(required=["owner", "forbidden"])
    assert "lacks 1 of 2 required fields: forbidden (not there)" in decide(gate).reason
    assert decide(gate, card={**CARD, "forbidden": "prices"}).outcome == "pass"
    assert "ownr" in decide(gates.documentation(required=["ownr"])).reason


def test_ages_are_counted_to_the_as_of_day() -> None:
    gate = gates.staleness(day="date", max_data_days=7)
    assert decide(gate).reason.startswith(
        "The newest data that it answers from are 1 day old; at most 7 is allowed; as of 2011-11-09."
    )
    old = decide(gate, known_days={"history": "2011-11-01", "prices": "2011-11-08"})
    assert old.outcome == "fail"
    assert "8 days old" in old.reason
    assert decide(gate, known_days={"history": AS_OF}).outcome == "fail", "nobody knows the day itself yet"
    later = {**manifest(), "as_of": "2012-03-01"}
    assert decide(gates.staleness(day="date", max_model_days=60), release=later).outcome == "fail"
    assert decide(gates.staleness(max_holdout_days=60), release=later).outcome == "fail"


def test_an_age_with_a_limit_that_cannot_be_had_fails() -> None:
    found = decide(gates.staleness(max_model_days=60))
    assert found.outcome == "fail"
    assert "names no column `day`" in found.reason
    assert decide(gates.staleness(day="date")).reason.startswith("No limit is set")
    assert (
        "holds no row with a day before as-of"
        in decide(gates.staleness(max_data_days=9), known_days={"history": None}).reason
    )


@pytest.mark.parametrize(
    "declare",
    [
        lambda: gates.split(),
        lambda: gates.split(apart="customer"),
        lambda: gates.leakage(keys="id"),
        lambda: gates.formats(allow="json"),
        lambda: gates.documentation(required="owner"),
        lambda: gates.budget(p95_ms="fast"),
        lambda: gates.export(columns="onnx"),
    ],
)
def test_a_wrong_declaration_is_told_at_once(declare: Callable[[], Gate]) -> None:
    with pytest.raises(UsageError):
        declare()
