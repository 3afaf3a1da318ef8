"""Applicants made of chance, and real ones: yes-or-no answers beside what happened, with groups of people."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from lockgate.evaluation.scored import Scored


def applicants(n: int = 4_000, *, gap: float = 0.0, seed: int = 0) -> Scored:
    """Half of all are worthy; 70% of these and 20% of the others get a yes, women `gap` less often.

    The score is the share of the worthy among those who were answered alike.
    """
    random = np.random.default_rng(seed)
    sex = np.where(random.random(n) < 0.5, "woman", "man")
    worthy = (random.random(n) < 0.5).astype(float)
    chance = np.where(worthy == 1, 0.7, 0.2) - gap * (sex == "woman")
    answer = (random.random(n) < chance).astype(float)
    columns = {
        "id": np.arange(n).astype(str),
        "sex": sex,
        "region": random.choice(["north", "south", "west"], n),
        "worthy": worthy,
        "answer": answer,
        "score": np.clip(np.where(answer == 1, 7 / 9, 3 / 11) + random.normal(0, 0.02, n), 0.01, 0.99),
    }
    return Scored(columns=columns, truth="worthy", answer="answer", score="score", keys=("id",))


def folder(name: str) -> Path:
    """Real tables, or a skipped test."""
    places = [os.environ.get("LOCKGATE_TEST_DATA"), Path(__file__).parents[3] / "shared" / "data"]
    found = next((Path(p) / name for p in places if p and (Path(p) / name).is_dir()), None)
    if found is None:
        pytest.skip(f"no {name}: set LOCKGATE_TEST_DATA to a folder that holds it")
    return found


def compas() -> Scored:
    """ProPublica's 7,214 rows: medium or high risk is the answer, a new offence within two years what happened.

    `screened`: the 6,172 rows that ProPublica's analysis keeps: screened within thirty days of the arrest, a charge that is a
    crime, a score. `score`: the decile's middle; it was never meant as a probability.
    """
    with (folder("compas") / "compas-scores-two-years.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    kept = [
        abs(float(r["days_b_screening_arrest"] or "nan")) <= 30 and r["is_recid"] != "-1"
        and r["c_charge_degree"] != "O" and r["score_text"] != "N/A" for r in rows
    ]  # fmt: skip
    columns = {
        "race": np.array([r["race"] for r in rows]),
        "sex": np.array([r["sex"] for r in rows]),
        "screened": np.array(kept),
        "again": np.array([float(r["two_year_recid"]) for r in rows]),
        "risk": np.array([float(r["score_text"] != "Low") for r in rows]),
        "score": np.array([(float(r["decile_score"]) - 0.5) / 10 for r in rows]),
    }
    return Scored(columns=columns, truth="again", answer="risk", score="score")


ADULT = (
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship", "race", "sex",
    "capital-gain", "capital-loss", "hours-per-week", "native-country",
)  # fmt: skip
NUMBERS = ("age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week")


def adult(*files: str) -> Scored:
    """UCI Adult: who earns more than 50,000. What happened stands as the answer, too. `complete`: nothing is missing."""
    lines = [line for name in files or ("adult.data",) for line in (folder("adult") / name).read_text().splitlines()]
    rows = [[cell.strip() for cell in line.split(",")] for line in lines if line.count(",") == len(ADULT)]
    rich = np.array([float(r[-1].startswith(">50K")) for r in rows])
    cells = {name: np.array([r[at] for r in rows]) for at, name in enumerate(ADULT)}
    columns = {
        **{name: c.astype(float) if name in NUMBERS else c for name, c in cells.items()},
        "complete": np.array(["?" not in r for r in rows]),
        "rich": rich,
        "answer": rich,
    }
    return Scored(columns=columns, truth="rich", answer="answer")


def german() -> Scored:
    """German credit, 1,000 rows: a good risk is the answer."""
    rows = [line.split() for line in (folder("german_credit") / "german.data").read_text().splitlines() if line]
    good = np.array([float(r[20] == "1") for r in rows])
    old = np.array([int(r[12]) > 25 for r in rows])
    columns = {"over_25": old, "female": np.array([r[8] in ("A92", "A95") for r in rows]), "good": good, "answer": good}
    return Scored(columns=columns, truth="good", answer="answer")
