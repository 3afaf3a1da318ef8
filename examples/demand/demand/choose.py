"""Deciding on the windows before the test: every candidate and baseline forecasts them, the least error wins."""

import numpy as np
import polars as pl

from demand.baselines import BASELINES, simple
from demand.features import KEYS
from demand.line import fit_line, on_line
from demand.train import LEAVES, Choice, Settings, grow, on_trees
from demand.windows import Windows, examples_before, examples_in
from lockgate import step

LINE = "line"
CANDIDATES = {
    LINE: (LEAVES[0], 0.0),
    **{f"trees of {leaves}": (leaves, 1.0) for leaves in LEAVES},
    **{f"line and trees of {leaves}": (leaves, 0.5) for leaves in LEAVES},
}  # name → (leaves, share of the trees)


@step
def trials(features: pl.DataFrame, windows: Windows, settings: Settings) -> pl.DataFrame:
    """What each candidate and baseline answers in each window, having learned only from the days before it.

    Rows: one per example of the windows. Columns: product, date, as_of, window (its first day), actual, spread (what
    errors are measured in), and one per candidate and baseline, in pieces.
    """
    return pl.concat([_window(features, windows, settings, number) for number in range(len(windows.chosen))])


def _window(features: pl.DataFrame, windows: Windows, settings: Settings, number: int) -> pl.DataFrame:
    start = windows.chosen[number]
    known, asked = examples_before(features, start), examples_in(features, start, windows.end(start))
    straight = on_line(fit_line(known, known["units"].to_numpy()), asked)
    grown = {leaves: on_trees(grow(known, settings, leaves), asked) for leaves in LEAVES}
    answers = {
        name: np.round(np.maximum(share * grown[leaves] + (1 - share) * straight, 0.0), 2)
        for name, (leaves, share) in CANDIDATES.items()
    }
    return asked.select(*KEYS, window=pl.lit(start), actual="units", spread="spread_28").with_columns(
        *(pl.Series(name, values) for name, values in answers.items()),
        *(simple(asked, name) for name in BASELINES),
    )


@step
def scores(trials: pl.DataFrame) -> pl.DataFrame:
    """How each did. Rows: one per candidate or baseline and window, and one for all windows together, best first.

    Columns: name, kind ("candidate", "baseline"), window ("all" or its first day), wape (absolute errors over pieces),
    bias (errors over pieces; above 0: too much was forecast), examples.
    """
    each = [
        _score(part, name, str(window))
        for (window,), part in [(("all",), trials), *trials.group_by("window", maintain_order=True)]
        for name in [*CANDIDATES, *BASELINES]
    ]
    return pl.DataFrame(each).sort("window", "wape", "name", descending=[True, False, False])


def _score(part: pl.DataFrame, name: str, window: str) -> dict[str, object]:
    error = part[name] - part["actual"]
    pieces = float(part["actual"].abs().sum())
    return {
        "name": name,
        "kind": "candidate" if name in CANDIDATES else "baseline",
        "window": window,
        "wape": float(error.abs().sum()) / pieces,
        "bias": float(error.sum()) / pieces,
        "examples": part.height,
    }


@step
def choice(scores: pl.DataFrame, windows: Windows) -> Choice:
    """The candidate and the baseline with the least error on all windows before the test."""
    best = {kind: _best(scores, kind) for kind in ("candidate", "baseline")}
    leaves, trees = CANDIDATES[best["candidate"]]
    return Choice(best["candidate"], leaves, trees, best["baseline"], windows.shop)


def _best(scores: pl.DataFrame, kind: str) -> str:
    """Equal errors are decided by the alphabet, so that the choice never depends on the order of rows."""
    overall = scores.filter((pl.col("kind") == kind) & (pl.col("window") == "all"))
    return str(overall.sort("wape", "name")["name"][0])
