"""A tiny release that decides, on any day alike: yes when income is above the bar, with a score; no state, no day."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
from toyshop_release import lock, stored

from lockgate.records.release import Lineage, Manifest
from lockgate.release.bundle import bundle
from lockgate.release.client import describe_code

AS_OF = dt.date(2011, 10, 15)
FRAME = "polars.dataframe.frame:DataFrame"

PIPELINES = '''
"""What the toy lender decides."""

from dataclasses import dataclass, field
from typing import Annotated

import polars as pl

from lockgate import Range, predictor


@dataclass
class Request:
    """Shall the toy lender lend?"""

    income: Annotated[float, Range(0, 100)] = field(metadata={"unit": "$1000"})
    jobs: Annotated[int, Range(low=1)]
    owner: bool = False
    savings: float | None = None


@dataclass
class Decision:
    RESPONSE


def reasons(requests: pl.DataFrame, bar: float) -> list[list[str]]:
    return [[f"An income of {income:g} against {bar:g}."] for income in requests["income"]]


def features(requests: pl.DataFrame, bar: float) -> pl.DataFrame:
    return requests.select(above_bar=pl.col("income") - bar, savings=pl.col("savings").fill_null(-1.0))


@predictor(request=Request, response=Decision, explain=reasonsFEATURES)
def decide(requests: pl.DataFrame, bar: float) -> pl.DataFrame:
    return requests.select(
        score=(pl.col("income") / 100), approve=pl.col("income") >= bar, note=pl.lit("a word")
    ).select(ANSWERED)
'''
YES_AND_SCORE = 'score: float\n    approve: bool = field(metadata={"yes": "lend", "no": "ask a person"})'


def code(
    *, response: str = YES_AND_SCORE, answered: str = '"score", "approve"', features: str = ""
) -> dict[str, bytes]:
    """`features`: what the predictor declares, such as ", features=features"."""
    text = PIPELINES.replace("RESPONSE", response).replace("ANSWERED", answered).replace("FEATURES", features)
    return {"toybank/__init__.py": b"", "toybank/pipelines.py": text.encode()}


def holdout(rows: int = 400) -> pl.DataFrame:
    """Incomes from 0 to 99, each four times by the same words: equal requests of different people."""
    return pl.DataFrame(
        {
            "income": [float(row % 100) for row in range(rows)],
            "jobs": [1 + row % 3 % 2 for row in range(rows)],
            "owner": [row % 2 == 0 for row in range(rows)],
            "savings": [None if row % 5 == 0 else float(row % 7) for row in range(rows)],
            "actual": [float(row % 100 >= 40) for row in range(rows)],
            "group": ["a" if row % 3 else "b" for row in range(rows)],
        }
    )


def make(
    folder: Path, *, table: pl.DataFrame | None = None, bar: float = 50.0, **of_code: str
) -> tuple[Path, Manifest]:
    """Bundle one; answers its folder and manifest."""
    work = folder / f"work-{len(list(folder.glob('work-*')))}"
    work.mkdir(parents=True)
    files = code(**of_code)
    for path, data in files.items():
        (work / "described" / path).parent.mkdir(parents=True, exist_ok=True)
        (work / "described" / path).write_bytes(data)
    manifest = bundle(
        folder / "releases", project="toybank", name="toy", as_of=AS_OF.isoformat(),
        predictor=describe_code(work / "described", "toybank.pipelines:decide"), code=files,
        inputs={"bar": stored(work, "bar", "json", bar, "builtins:float")}, state={},
        holdout=stored(work, "holdout", "polars.ipc", holdout() if table is None else table, FRAME),
        lock=lock(), lineage=Lineage(commit="c0ffee", dirty=False),
    )  # fmt: skip
    return folder / "releases" / manifest.digest.removeprefix("sha256:"), manifest
