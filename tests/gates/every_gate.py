"""One declared gate for each that there is, and what it is given in tests: a good release, of any number of rows.

A new gate without a line here fails `test_every_gate.py`.
"""

from __future__ import annotations

import datetime as dt
import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gates.inspecting import CARD, WEIGHED, manifest
from lockgate import gates
from lockgate.declare import Gate
from lockgate.evaluation.metrics import METRICS
from lockgate.evaluation.scored import Scored
from lockgate.gates.history import History, Measured, definition
from lockgate.gates.measure import INPUTS, evidence_function
from lockgate.gates.rows import FEATURE, Rows
from lockgate.gates.served import Served

FIRST_DAY = np.datetime64("2011-10-12")
DAYS = 28
GROUPS = np.array(["north", "south", "west"])
CONTRACT = (
    '{"consumer": "planner", "requests": [{"product": "p1", "date": {"days_after_as_of": 3}}], '
    '"response": {"units": {"type": "number"}}}'
)


def missed_by_far(scored: Scored, *, pieces: float = 5.0) -> object:
    """Share of answers that miss by more than so many pieces."""
    from lockgate.evaluation.intervals import wilson

    scored.require("truth", "answer")
    far = np.abs(scored.role("truth") - scored.role("answer")) > pieces
    return wilson(int(far.sum()), len(scored))


EVERY: Mapping[str, Gate] = {
    "beats_baseline": gates.beats_baseline(),
    "bounded_loss": gates.bounded_loss("mae", ["region"], 9),
    "budget": gates.budget(p95_ms=50, p99_ms=50, cold_start_s=2, memory_mb=500, artifact_mb=10),
    "calibration": gates.calibration(0.1, min_slope=0.6, max_slope=1.5, by=["region"]),
    "champion": gates.champion(margin=0.05),
    "champion_slices": gates.champion_slices(by=["region"], margin=0.05),
    "compatibility": gates.compatibility(),
    "custom": gates.custom(missed_by_far, at_most=0.9),
    "documentation": gates.documentation(),
    "enough_good_data": gates.enough_good_data(min_rows=20, per="region", min_days=14),
    "error_parity": gates.error_parity("mae", ["region"], 2),
    "export": gates.export(),
    "fairness": gates.fairness("selection_rate", ["region"], 0.2),
    "formats": gates.formats(),
    "group_bias": gates.group_bias(["region"], 0.5),
    "integration": gates.integration(None),
    "interval_coverage": gates.interval_coverage(0.8, 0.15, by=["region"]),
    "leakage": gates.leakage(content=["product", "date", "mean_28"], target="actual"),
    "no_leak": gates.no_leak(),
    "quality": gates.quality("wape", at_most=0.9),
    "ratchet": gates.ratchet(),
    "representation": gates.representation("region", dict.fromkeys(GROUPS.tolist(), "0.3333333")),
    "skew": gates.skew(),
    "slices": gates.slices(by=["region"]),
    "split": gates.split(day="date", apart=["shop"]),
    "staleness": gates.staleness(day="date", max_data_days=2, max_model_days=60, max_holdout_days=30),
}
"""Constructor → a gate that `good_inputs` passes."""

OF_PEOPLE = ("calibration", "fairness", "representation")
"""Judged on yes-or-no answers without days; all others on sales by day."""

Inputs = dict[str, Any]


def sales(rows: int, *, seed: int = 0) -> Scored:
    """Sales of `rows / DAYS` products over `DAYS` days, asked a week before."""
    chance = np.random.default_rng(seed)
    at = np.arange(rows)
    day = FIRST_DAY + at % DAYS
    truth = chance.poisson(5, rows).astype(float)
    mean = truth + chance.normal(0, 2, rows)
    answer = truth + chance.normal(0, 1.0, rows)
    columns = {
        "product": _names("P", at // DAYS), "date": day, "as_of": day - 7, "actual": truth, "units": answer,
        "low": answer - 1.3, "high": answer + 1.3, "best_simple": mean, "mean_28": mean,
        "region": GROUPS[chance.integers(0, 3, rows)], "shop": _names("s", at % 5_000),
    }  # fmt: skip
    return Scored(columns=columns, truth="actual", answer="units", day="date", low="low", high="high", keys=("product", "date"))  # fmt: skip


def people(rows: int, *, seed: int = 0) -> Scored:
    """Yes-or-no answers with their probability; groups are treated alike."""
    chance = np.random.default_rng(seed)
    score = chance.uniform(0.02, 0.98, rows)
    columns = {
        "id": _names("p", np.arange(rows)), "worthy": (chance.random(rows) < score).astype(float),
        "answer": (score > 0.5).astype(float), "score": score, "region": GROUPS[np.arange(rows) % 3],
    }  # fmt: skip
    return Scored(columns=columns, truth="worthy", answer="answer", score="score", keys=("id",))


def _names(letter: str, numbers: np.ndarray) -> np.ndarray:
    return np.char.add(letter, numbers.astype("U8"))


def learned(rows: int) -> Rows:
    """The training table: the weeks before the holdout's first question."""
    chance = np.random.default_rng(5)
    at = np.arange(rows)
    truth = chance.poisson(5, rows).astype(float)
    columns = {
        "product": _names("P", at // DAYS), "date": FIRST_DAY - 8 - at % DAYS, "actual": truth,
        "mean_28": truth + chance.normal(0, 2, rows), "weekday": (at % 7).astype(float),
        "region": GROUPS[chance.integers(0, 3, rows)], "shop": _names("t", at % 5_000),
    }  # fmt: skip
    return Rows(columns=columns)


def replayed(rows: int) -> Scored:
    """Training rows asked again, with the feature as both sides have it."""
    scored = sales(rows)
    again = scored.replacing(prediction=scored.column("units"), **{FEATURE + "mean_28": scored.column("mean_28")})
    return replace(again, truth="prediction")


def approved() -> History:
    """One release that a person approved, with its number."""
    one = Measured(
        release="sha256:" + "a" * 64, approved=dt.date(2011, 9, 1), metric="wape", value="0.9",
        definition=definition(METRICS["wape"]), holdout="h",
    )  # fmt: skip
    return History(measured=(one,))


def served(rows: int) -> Served:
    """What came back over HTTP, equal to the bit."""
    requests = tuple({"product": f"P{n}"} for n in range(rows))
    answers = tuple({"units": n / 7} for n in range(rows))
    return Served(requests=requests, evaluated=answers, answered=answers)


def bundle(folder: Path, rows: int) -> Path:
    """A release's folder with a table of so many numbers, and a text."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "state.npy", np.random.default_rng(0).normal(size=rows))
    (folder / "release.json").write_text('{"release": 1}\n')
    return folder


def needs(name: str) -> tuple[str, ...]:
    """What a gate asks for, by parameter name."""
    return tuple(n for n in inspect.signature(evidence_function(EVERY[name])).parameters if n in INPUTS)


def good_inputs(name: str, rows: int, folder: Path, *, asked: int = 200) -> Inputs:
    """What a gate asks for, and nothing else: ten million rows of all would not fit. `asked`: rows asked over HTTP."""
    makes: Mapping[str, Callable[[], object]] = {
        "scored": lambda: (people if name in OF_PEOPLE else sales)(rows),
        "replayed": lambda: people(rows) if name in OF_PEOPLE else replayed(rows),
        "training_table": lambda: learned(rows), "served": lambda: served(asked), "release": manifest, "live": manifest,
        "history": approved, "bundle": lambda: bundle(folder, rows), "contracts": lambda: {"planner.json": CONTRACT},
        "card": lambda: dict(CARD), "weighed": lambda: dict(WEIGHED), "repeated": lambda: {"rows": 240, "differ": []},
        "known_days": lambda: {"history": "2011-11-08"},
    }  # fmt: skip
    given = {needed: makes[needed]() for needed in needs(name) if needed != "champion"}
    return {**given, "champion": given["scored"]} if "champion" in needs(name) else given
