"""What the gates on a release as a thing are given in tests: a good release, and tables that fit it."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np

from lockgate.declare import Gate
from lockgate.evaluation.scored import Scored
from lockgate.gates.rows import FEATURE, Rows
from lockgate.records.evidence import Evidence, Verdict
from lockgate.records.wire import from_json, to_json
from lockgate.testing.gates import measure, verdict
from lockgate.testing.scored import scored_table

AS_OF = "2011-11-09"

FIELDS: dict[str, Any] = {
    "request": [
        {"name": "product", "type": "string", "required": True, "default": None, "unit": "", "horizon": None,
         "choices": {"state": "history", "column": "product", "label": None}},
        {"name": "date", "type": "date", "required": True, "default": None, "unit": "", "choices": None,
         "horizon": {"days": 28, "closed": None}},
        {"name": "price", "type": "number", "required": False, "default": 1.0, "unit": "GBP", "choices": None, "horizon": None},
    ],
    "response": [
        {"name": "units", "type": "number", "required": True, "unit": "pieces"},
        {"name": "note", "type": "string", "required": False, "unit": ""},
    ],
}  # fmt: skip

CONTRACT: dict[str, Any] = {
    "name": "history", "key": ["date", "product"], "min_rows": 100, "open": False, "days": "date",
    "columns": {
        "date": {"type": "date", "unit": "", "nullable": False, "one_of": [], "matches": "", "low": "2009-12-01", "high": None},
        "units": {"type": "number", "unit": "pieces", "nullable": False, "one_of": [], "matches": "", "low": "0", "high": "24"},
        "kind": {"type": "text", "unit": "", "nullable": False, "one_of": ["a", "b"], "matches": "", "low": None, "high": None},
    },
    "rules": {"free": {"when": "price = 0", "action": "drop", "at_most": "0.01"}},
}  # fmt: skip

CARD = {"intended": "how much to order for the next four weeks", "limits": ["wholesale is not in it"], "owner": "the stock team",
        "review_by": "2012-01-31"}  # fmt: skip

WEIGHED: dict[str, Any] = {
    "bytes": 3 << 20, "files": 12, "latency_ms": [f"{10 + n / 100:.4g}" for n in range(600)],
    "cold_start_s": ["0.8", "0.82", "0.85", "0.86", "0.9", "1.1"], "memory_mb": ["180", "181", "181", "182", "183", "190"],
    "machine": {"cpu": "some processor", "cores": 2, "system": "Linux x86_64", "python": "3.11.7", "load": "0.4"},
}  # fmt: skip


def manifest() -> dict[str, Any]:
    return copy.deepcopy({"as_of": AS_OF, "predictor": FIELDS, "lineage": {"contracts": {"sales.history": CONTRACT}}})


def learned(scored: Scored, *, weeks: int = 8) -> Rows:
    """Rows from before the holdout's first as-of day, with features that hold some of the truth."""
    chance = np.random.default_rng(5)
    n = 60 * 7 * weeks
    last = scored.column("as_of").min() - 1
    day = last - (np.arange(n) // 60)
    truth = chance.poisson(5, n).astype(float)
    return Rows(columns={
        "product": np.tile(np.array([f"P{i}" for i in range(60)]), n // 60), "date": day, "units_sold": truth,
        "mean_28": truth + chance.normal(0, 2, n), "weekday": (day.astype(int) % 7).astype(float),
    })  # fmt: skip


def predictable() -> Scored:
    """A holdout with features, of which the model makes something."""
    chance = np.random.default_rng(3)
    scored = scored_table()
    truth = scored.role("truth")
    n = len(scored)
    return scored.replacing(
        units=truth + chance.normal(0, 0.5, n), mean_28=truth + chance.normal(0, 2, n),
        weekday=(scored.column("date").astype(int) % 7).astype(float),
    )  # fmt: skip


def replay() -> Scored:
    """Training rows asked again: what training held, beside what the release host computed."""
    scored = scored_table()
    n = len(scored)
    chance = np.random.default_rng(4)
    mean, band = chance.normal(5, 1, n), scored.labels("volume_band")
    mean[:40] = np.nan
    again = scored.replacing(**{
        "prediction": scored.column("units"), "mean_28": mean, FEATURE + "mean_28": mean, "band": band, FEATURE + "band": band,
    })  # fmt: skip
    return replace(again, truth="prediction")


def inputs() -> dict[str, Any]:
    scored = predictable()
    return {
        "scored": scored, "release": manifest(), "live": manifest(), "training_table": learned(scored), "contracts": {},
        "card": dict(CARD), "weighed": copy.deepcopy(WEIGHED), "repeated": {"rows": 240, "differ": []}, "replayed": replay(),
        "known_days": {"history": "2011-11-08"},
    }  # fmt: skip


def decide(gate: Gate, **given: Any) -> Verdict:
    """Measure and judge with good inputs but for those given; whatever they are, a sentence comes back."""
    evidence = measure(gate, {**inputs(), **given})
    assert evidence.gate == gate.name
    assert from_json(Evidence, to_json(evidence)) == evidence
    found = verdict(gate, evidence)
    assert found.reason.endswith("."), found.reason
    assert "\n" not in found.reason
    assert "nan" not in found.reason.lower().split(), found.reason
    assert "cannot be read" not in found.reason, found.reason
    assert (found.settles != "") == (found.outcome == "uncertain")
    return found
