"""The synthetic oracle: rows with a known truth, and how often a gate says what about them.

A gate that keeps its promise errs, at its limit, no more often than its level allows. Draw rows where the truth is known, ask
the gate, count. `benchmarks/operating_characteristics.py` does it for the gates of this package.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from lockgate.errors import UsageError
from lockgate.evaluation.scored import Scored

__all__ = ["equal_groups", "shares", "two_classifiers", "two_groups"]

T = TypeVar("T")


def two_groups(rows: int, *, rate: float, gap: float, seed: int) -> Scored:
    """Answers to `rows` people in each of two groups `a` and `b`: yes with probability `rate`, and `rate + gap`."""
    return _answered([rate, rate + gap], rows, seed)


def equal_groups(rows: int, groups: int, *, rate: float, seed: int) -> Scored:
    """Answers to `rows` people in each of several groups that are treated alike."""
    return _answered([rate] * groups, rows, seed)


def _answered(rates: Sequence[float], rows: int, seed: int) -> Scored:
    if not all(0 <= rate <= 1 for rate in rates) or rows < 1:
        raise UsageError("no such groups", value=f"{rows} rows, rates {list(rates)}", allowed="rates between 0 and 1")
    random = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(rates)), rows)
    answer = (random.random(len(group)) < np.array(rates)[group]).astype(float)
    name = np.array([chr(ord("a") + at) for at in range(len(rates))])[group]
    return Scored(columns={"truth": answer, "answer": answer, "group": name}, truth="truth", answer="answer")


def two_classifiers(rows: int, *, accuracy: float, discordant: float, gain: float, seed: int) -> tuple[Scored, Scored]:
    """A release and the live one on the same rows: on a share `discordant` only one is right, and the release is right
    more often by `gain`. `accuracy` is that of the live one.
    """
    only_first, only_second = (discordant + gain) / 2, (discordant - gain) / 2
    both = accuracy - only_second
    shares = [both, only_first, only_second, 1 - both - discordant]
    if min(shares) < 0:
        raise UsageError("no such classifiers", value=f"{shares}", allowed="shares of rows that are not below 0")
    random = np.random.default_rng(seed)
    kind = random.choice(4, rows, p=shares)
    truth = (random.random(rows) < 0.5).astype(float)
    columns = {"row": np.arange(rows), "truth": truth}
    for name, kinds in (("release", (0, 1)), ("live", (0, 2))):
        columns[name] = np.where(np.isin(kind, kinds), truth, 1 - truth)
    release = Scored(columns=columns, truth="truth", answer="release", keys=("row",))
    return release, replace(release, answer="live")


def shares(says: Callable[[int], T], runs: int, *, first: int = 0) -> dict[T, float]:
    """How often `says(seed)` gives what, over so many seeds from `first` on.

    >>> shares(lambda seed: "pass" if seed % 4 else "fail", 100)
    {'fail': 0.25, 'pass': 0.75}
    """
    return {said: number / runs for said, number in Counter(says(seed) for seed in range(first, first + runs)).items()}
