"""Which applications a model learns from, and which it is judged on: decided by the application's number alone.

A third is learned from, two thirds judge. The smallest question decides how many: of the black applicants a lender approved
there are 133 in all, and a half of them could not tell a gap of ten points from none (README, “What the rows can tell”).
"""

import hashlib

import polars as pl

from lockgate import step

LEARNED = 1 / 3


@step
def training(applications: pl.DataFrame) -> pl.DataFrame:
    """The applications that are learned from; columns as in `applications`."""
    return applications.filter(_learned(applications))


@step
def judging(applications: pl.DataFrame) -> pl.DataFrame:
    """The applications that no model has seen; columns as in `applications`."""
    return applications.filter(~_learned(applications))


def _learned(applications: pl.DataFrame) -> pl.Series:
    return pl.Series([place(number) < LEARNED for number in applications["application"]], dtype=pl.Boolean)


def place(application: int) -> float:
    """Where an application falls between 0 and 1: the same for ever, whatever else is in the table.

    >>> round(place(1), 4), round(place(2), 4)
    (0.3981, 0.5829)
    """
    first = hashlib.sha256(f"loanapp {application}".encode()).digest()[:8]
    return int.from_bytes(first, "big") / 2**64
