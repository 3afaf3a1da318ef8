import datetime as dt
import doctest
import importlib

import pytest
from demand.calendar import closed_reason, next_open_days, open_days


def test_the_calendar_explains_every_gap_in_the_published_file(retail):
    """604 days with invoices, and no other open day between the first and the last."""
    import polars as pl

    stamps = pl.concat([pl.read_csv(f, columns=["InvoiceDate"]) for f in sorted(retail.glob("*.csv"))])
    days = stamps["InvoiceDate"].str.to_datetime("%m/%d/%Y %H:%M").dt.date().unique().sort().to_list()
    assert days == list(open_days(dt.date(2009, 12, 1), dt.date(2011, 12, 10)))
    assert len(days) == 604


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        ("2011-10-15", "closed on Saturdays"),
        ("2011-12-24", "closed on Saturdays"),
        ("2010-12-29", "closed from 24 December to 3 January"),
        ("2011-04-22", "closed on Good Friday"),
        ("2011-04-29", "closed for the royal wedding"),
        ("2011-08-29", "closed on the summer bank holiday"),
        ("2011-10-16", None),
    ],
)
def test_reasons(day, reason):
    assert closed_reason(dt.date.fromisoformat(day)) == reason


def test_28_open_days_ahead_are_33_days():
    assert next_open_days(dt.date(2011, 10, 14), 28)[-1] == dt.date(2011, 11, 16)


@pytest.mark.parametrize("name", ["calendar", "windows", "explain"])
def test_examples_in_docstrings(name):
    found = doctest.testmod(importlib.import_module(f"demand.{name}"))
    assert found.attempted
    assert not found.failed
