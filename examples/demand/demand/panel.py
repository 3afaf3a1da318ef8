"""The history as a grid, products down and open days across, for arithmetic on many questions at once.

Every sum here runs along the days from the first one on, column after column. So a number depends neither on how many
questions are asked together nor on what comes after it, to the last bit: one answer equals its row in a batch.
"""

import datetime as dt
from dataclasses import dataclass
from functools import cache, cached_property, reduce

import numpy as np
import polars as pl
from numpy.typing import NDArray

from demand.calendar import open_days

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Panel:
    """Pieces and prices on the grid. `days` may go on after the last known day: there, units are 0 and mean nothing.

    units, price: (products, days), price NaN where unknown; first: each product's first column with a row;
    shop: pieces of all products per day; known: the number of days with rows.
    """

    products: dict[str, int]
    days: NDArray[np.datetime64]
    units: Floats
    price: Floats
    first: Ints
    shop: Floats
    known: int

    @cached_property
    def weekday(self) -> Ints:
        """Monday 0 … Sunday 6, per column."""
        return (self.days.astype(np.int64) + 3) % 7

    @cached_property
    def sums(self) -> Floats:
        """(products, days + 1): pieces before each column."""
        return _running(self.units)

    @cached_property
    def shop_sums(self) -> Floats:
        """(days + 1,): pieces of the whole shop before each column."""
        return _running(self.shop)

    def column(self, day: NDArray[np.datetime64]) -> Ints:
        """The first column on or after each day."""
        return np.searchsorted(self.days, day).astype(np.int64)


def panel_of(history: pl.DataFrame, products: pl.Series, until: dt.date, shop: str) -> Panel:
    """The grid of these products, with columns for the shop's open days through `until`."""
    dates = history["date"]
    first, last = dates.min(), dates.max()
    axis = _axis(first, max(last, until), shop)
    column = _lookup(axis)
    every = column[_days_since(dates, axis)]
    kept = history.filter(pl.col("product").is_in(products.unique().to_list()))
    names = kept["product"].unique(maintain_order=True).to_list()
    rows = kept["product"].rle_id().to_numpy()
    columns = column[_days_since(kept["date"], axis)]
    units, price = np.zeros((len(names), len(axis))), np.full((len(names), len(axis)), np.nan)
    units[rows, columns] = kept["units"].to_numpy()
    price[rows, columns] = kept["price"].to_numpy()
    begins = np.full(len(names), len(axis))
    np.minimum.at(begins, rows, columns)
    total = np.bincount(every, weights=history["units"].to_numpy(), minlength=len(axis))
    known = int(every.max()) + 1
    return Panel({name: row for row, name in enumerate(names)}, axis, units, price, begins, total, known)


@cache
def _axis(first: dt.date, last: dt.date, shop: str) -> NDArray[np.datetime64]:
    return np.array(open_days(first, last + dt.timedelta(days=1), shop), dtype="datetime64[D]")


def _days_since(dates: pl.Series, axis: NDArray[np.datetime64]) -> Ints:
    return dates.to_physical().to_numpy().astype(np.int64) - axis[0].astype(np.int64)


def _lookup(axis: NDArray[np.datetime64]) -> Ints:
    """Column by days since the first; a closed day has none (-1)."""
    since = (axis - axis[0]).astype(np.int64)
    column = np.full(since[-1] + 1, -1)
    column[since] = np.arange(len(axis))
    return column


def _running(values: Floats) -> Floats:
    """Sums before each column, with a column of zeros in front."""
    return np.concatenate([np.zeros((*values.shape[:-1], 1)), values.cumsum(axis=-1)], axis=-1)


def tails(grid: Floats, rows: Ints, ends: Ints, begins: Ints, width: int) -> Floats:
    """(questions, width): the columns before each end, NaN before the product began."""
    columns = ends[:, None] + np.arange(-width, 0)[None, :]
    values = grid[rows[:, None], np.maximum(columns, 0)]
    return np.where(columns >= np.maximum(begins, 0)[:, None], values, np.nan)


def quantile(values: Floats, share: float) -> Floats:
    """Per row, ignoring NaN: the value below which this share lies, the lower of two (the median: their mean). 0 if none."""
    ordered = np.sort(values, axis=1)
    count = (~np.isnan(values)).sum(axis=1)
    place = share * np.maximum(count - 1, 0)
    low = np.floor(place).astype(np.int64)
    high = np.ceil(place).astype(np.int64) if share == 0.5 else low
    row = np.arange(len(values))
    return np.where(count > 0, np.nan_to_num((ordered[row, low] + ordered[row, high]) / 2), 0.0)


def row_mean(values: Floats) -> Floats:
    """Per row, ignoring NaN; 0 if none. Adds left to right."""
    count = (~np.isnan(values)).sum(axis=1)
    return reduce(np.add, np.nan_to_num(values).T) / np.maximum(count, 1)
