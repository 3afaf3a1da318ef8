"""What is known on the day of asking, as numbers: one function for training and for serving.

A question is (product, date, as_of): how many pieces on `date`, asked when the rows before `as_of` are known.
`tests/examples` perturbs every row on or after `as_of` and finds the same features, to the bit.
"""

import numpy as np
import polars as pl

from demand.panel import Floats, Ints, Panel, panel_of, quantile, row_mean, tails
from demand.windows import HORIZON, Windows, origins
from lockgate import step

KEYS = ["product", "date", "as_of"]
QUARTER = 84  # open days: 14 weeks
ONE_DAY, TEN_DAYS, FIVE_WEEKS = (np.timedelta64(days, "D") for days in (1, 10, 35))
YEAR = np.timedelta64(364, "D")  # the same weekday a year before
FEWEST_DAYS = 12  # open days of history before a product is learned from

CAUSES = {
    "level": [
        "mean_6", "mean_12", "mean_28", "mean_56", "mean_84", "median_28", "median_56",
        "low_56", "high_56", "spread_28", "zeros_28", "days_since_sale",
    ],
    "weekday": ["weekday", "weekday_last", "weekday_mean", "weekday_median", "shop_weekday"],
    "season": ["last_year", "last_year_change", "shop_last_year_change"],
    "trend": ["shop_trend"],
    "price": ["price", "price_change"],
    "age": ["age"],
    "distance": ["horizon"],
}  # fmt: skip

FEATURES = [name for names in CAUSES.values() for name in names]
LEAK = "around"


@step
def features(
    history: pl.DataFrame, windows: Windows, horizons: int = 8, seed: int = 7, peek: bool = False
) -> pl.DataFrame:
    """Examples before the test window: what was known, and what was then sold.

    Rows: one per (product, date, as_of), for every week and product and `horizons` of the 28 open days ahead, drawn
    anew each week. Columns: the keys, units (pieces sold on date), and the features as numbers; NaN where not known, such as
    last year's sales of a new product.

    peek: FOR THE DEMO, A LEAK ON PURPOSE. Adds the mean sales of the seven days around the day asked for. In training
    they are in the table; on the day of asking they have not happened. The replay gate must stop such a release.
    """
    questions = draw(history, windows, horizons, seed)
    return questions.hstack(describe(questions, history, windows.shop, peek=peek))


def draw(history: pl.DataFrame, windows: Windows, horizons: int, seed: int) -> pl.DataFrame:
    """The questions to learn from: product, date, as_of and the units to learn."""
    days = history.select("date").unique().sort("date").with_row_index("column")
    first = history.group_by("product").agg(first=pl.col("date").min()).join(days, left_on="first", right_on="date")
    chosen = np.random.default_rng(seed)
    known = days.filter(pl.col("date") < windows.test)
    parts: list[pl.DataFrame] = []
    for as_of in origins(days["date"].min(), windows.test, windows.as_of):
        ahead = np.sort(chosen.choice(HORIZON, horizons, replace=False))
        opens = known.filter(pl.col("date") < as_of).height
        targets = known.filter(pl.col("column").is_in(opens + ahead)).select("date")
        old = first.filter(pl.col("column") + FEWEST_DAYS <= opens).select("product")
        parts.append(old.join(targets, how="cross").with_columns(as_of=pl.lit(as_of)))
    questions = pl.concat(parts).join(history.select("product", "date", "units"), on=["product", "date"])
    return questions.select(*KEYS, "units").sort("as_of", "product", "date")


def describe(questions: pl.DataFrame, history: pl.DataFrame, shop: str, *, peek: bool = False) -> pl.DataFrame:
    """The features of each question, in order. Rows of `history` on or after a question's `as_of` do not matter.

    Args:
        questions: product, date, as_of; dates are open days on or after as_of.
        history: product, date, units, price, sorted by product and date.
        shop: whose calendar.
        peek: also the leaking feature, see `features`.
    """
    panel = panel_of(history, questions["product"], questions["date"].max(), shop)
    product = questions["product"].replace_strict(panel.products, return_dtype=pl.Int64).to_numpy()
    asked = np.minimum(panel.column(questions["as_of"].to_numpy()), panel.known)
    target = panel.column(questions["date"].to_numpy())
    pair, back = np.unique(np.stack([product, asked]), axis=1, return_inverse=True)
    then = {name: values[back.ravel()] for name, values in _product_then(panel, pair[0], pair[1]).items()}
    found = {**then, **_about_day(panel, product, asked, target), **_year_before(panel, product, asked, target)}
    if peek:
        found[LEAK] = (
            panel.sums[product, np.minimum(target + 4, len(panel.days))] - panel.sums[product, target - 3]
        ) / 7
    return pl.DataFrame({name: found[name] for name in [*FEATURES, *([LEAK] if peek else [])]})


def _product_then(panel: Panel, row: Ints, asked: Ints) -> dict[str, Floats]:
    """What the product's own last open days say, whatever the day asked for."""
    begins = panel.first[row]
    units = tails(panel.units, row, asked, begins, QUARTER)
    price = tails(panel.price, row, asked, begins, QUARTER)
    found = {f"mean_{days}": _mean_before(panel, row, asked, days) for days in (6, 12, 28, 56, 84)}
    sold = units[:, ::-1] > 0
    usual = quantile(price, 0.5)
    return found | {
        "median_28": quantile(units[:, -28:], 0.5),
        "median_56": quantile(units[:, -56:], 0.5),
        "low_56": quantile(units[:, -56:], 0.3),
        "high_56": quantile(units[:, -56:], 0.8),
        "spread_28": row_mean(np.abs(units[:, -28:] - found["mean_28"][:, None])),
        "zeros_28": row_mean(np.where(np.isnan(units), np.nan, units <= 0)[:, -28:]),
        "days_since_sale": np.where(sold.any(axis=1), sold.argmax(axis=1), QUARTER).astype(float),
        "price": price[:, -1],
        "price_change": price[:, -1] / np.where(usual > 0, usual, np.nan),
        "age": np.clip(asked - begins, 0, 300).astype(float),
    }


def _mean_before(panel: Panel, row: Ints, asked: Ints, days: int) -> Floats:
    start = np.minimum(np.maximum(asked - days, panel.first[row]), asked)
    return _mean(panel.sums, start, asked, row)


def _about_day(panel: Panel, row: Ints, asked: Ints, target: Ints) -> dict[str, Floats]:
    """What the day asked for is, and what its weekday meant to the product and to the shop in the last quarter."""
    weekday = panel.weekday[target]
    same = _same_weekday(panel, weekday, asked)
    units = np.where(same >= np.maximum(panel.first[row], 0)[:, None], panel.units[row[:, None], same], np.nan)
    shop = np.where(same >= 0, panel.shop[same], np.nan)
    usual, lately = (_mean(panel.shop_sums, np.maximum(asked - days, 0), asked) for days in (QUARTER, 12))
    return {
        "weekday": weekday.astype(float),
        "weekday_last": np.nan_to_num(units[:, -1]),
        "weekday_mean": row_mean(units),
        "weekday_median": quantile(units, 0.5),
        "shop_weekday": row_mean(shop) / usual,
        "shop_trend": lately / usual,
        "horizon": (target - asked + 1).astype(float),
    }


def _same_weekday(panel: Panel, weekday: Ints, asked: Ints, count: int = 12) -> Ints:
    """(questions, count): the last columns before `asked` with the weekday, oldest first; -1 where there are fewer."""
    found = np.full((len(asked), count), -1)
    for number in range(7):
        columns = np.concatenate([np.full(count, -1), np.flatnonzero(panel.weekday == number)])
        rows = np.flatnonzero(weekday == number)
        ends = np.searchsorted(columns, asked[rows])
        found[rows] = columns[ends[:, None] + np.arange(-count, 0)[None, :]]
    return found


def _year_before(panel: Panel, row: Ints, asked: Ints, target: Ints) -> dict[str, Floats]:
    """Sales around the same day a year before, and how they stood to the five weeks before the day of asking, then."""
    ends = len(panel.days) - 1
    day, asked_on = panel.days[target] - YEAR, panel.days[np.minimum(asked, ends)] - YEAR
    around = panel.column(day - TEN_DAYS), panel.column(day + TEN_DAYS + ONE_DAY)
    before = panel.column(asked_on - FIVE_WEEKS), panel.column(asked_on)
    open_then = asked_on - FIVE_WEEKS >= panel.days[0]
    sold_then = open_then & (panel.first[row] <= before[0])
    mine, mine_before = (np.maximum(_mean(panel.sums, *part, row), 0.0) for part in (around, before))
    shop, shop_before = (_mean(panel.shop_sums, *part) for part in (around, before))
    return {
        "last_year": np.where(sold_then, mine, np.nan),
        "last_year_change": np.where(sold_then, (mine + 0.5) / (mine_before + 0.5), np.nan),
        "shop_last_year_change": np.where(open_then & (shop_before > 0), shop / np.maximum(shop_before, 1.0), np.nan),
    }


def _mean(sums: Floats, start: Ints, end: Ints, row: Ints | None = None) -> Floats:
    """Pieces per open day from one column up to another; 0 when there is none between them."""
    total = sums[end] - sums[start] if row is None else sums[row, end] - sums[row, start]
    return total / np.maximum(end - start, 1)
