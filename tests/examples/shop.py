"""A made-up gift shop in the layout of Online Retail II, for tests only; and where the real tables may lie."""

from __future__ import annotations

import csv
import datetime as dt
import inspect
import json
import os
from pathlib import Path

import numpy as np
from demand import pipelines
from demand.calendar import open_days

AS_OF = dt.date(2011, 10, 15)
FIRST = dt.date(2010, 6, 1)
HEADER = ["Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country"]
NEWCOMER = "22110"  # first sold 30 days before the test window
REPO = Path(__file__).parents[2]


def shared(name: str) -> Path | None:
    """A folder of real tables, if this machine has it."""
    places = [os.environ.get("LOCKGATE_TEST_DATA"), REPO.parent / "shared" / "data"]
    found = [Path(place) / name for place in places if place and (Path(place) / name).is_dir()]
    return found[0] if found else None


def invoices(until: dt.date = AS_OF, products: int = 11, seed: int = 3) -> list[list[object]]:
    """Lines of a shop that sells more on some weekdays, with returns, wholesale, copies and lost stock."""
    draw = np.random.default_rng(seed)
    rows: list[list[object]] = []
    for number, day in enumerate(open_days(FIRST, until)):
        for product in range(products):
            code = f"{22100 + product}"
            if code == NEWCOMER and day < AS_OF - dt.timedelta(days=65):
                continue
            for line in range(draw.poisson(0.6 + product / 4 + 0.5 * (day.weekday() == 3))):
                invoice, when = 500_000 + number, f"{day.month}/{day.day}/{day.year} 9:{line:02d}"
                price = 1.25 + product
                rows.append([invoice, code, f"THING {product}", 1 + draw.integers(12), when, price, "12345", "France"])
    return rows + dirt(rows)


def dirt(rows: list[list[object]]) -> list[list[object]]:
    """A little of each kind that is declared."""
    some = rows[:: len(rows) // 40]
    returned = [[f"C{r[0]}", r[1], r[2], -1, *r[4:]] for r in some[:12]]
    wholesale = [[*r[:3], 480, *r[4:]] for r in some[12:24]]
    lost = [[r[0], r[1], "", -3, r[4], 0, "", r[7]] for r in some[24:28]]
    postage = [[r[0], "POST", "POSTAGE", 1, *r[4:]] for r in some[28:34]]
    return returned + wholesale + lost + postage + [list(r) for r in some[34:]]


def write(file: Path, rows: list[list[object]], header: list[str] = HEADER) -> Path:
    """A file as it is published."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="") as out:
        csv.writer(out).writerows([header, *rows])
    return file


def publication(folder: Path) -> Path:
    """What `demand.fetch` would have written down."""
    facts = {
        "name": "made up",
        "rows": 1,
        "first": "",
        "last": "",
        "credit": "",
        "licence": "",
        "sha256": "",
        "dirt": {},
    }
    (folder / "source.json").write_text(json.dumps(facts))
    return folder / "source.json"


def run(steps, have, **params):
    """Call steps in the order their names wire them; the arguments and every result, by name."""
    have, left = dict(have), list(steps)
    while left:
        step = next(s for s in left if all(name in have for name in _needs(s, params)))
        wanted = {name: have[name] for name in _needs(step, params)}
        have[step.name] = step(**wanted, **params.get(step.name, {}))
        left.remove(step)
    return have


def run_all(sales: Path, as_of: dt.date, source: Path, **params):
    """Both pipelines of the example."""
    steps = [*pipelines.sales.steps, *pipelines.demand.steps]
    return run(steps, {"sales": sales, "as_of": as_of, "publication": source}, **params)


def _needs(step, params):
    given = params.get(step.name, {})
    named = inspect.signature(step.function).parameters.values()
    return [p.name for p in named if p.default is p.empty and p.name not in given]


def state(made):
    """What a release carries of the models."""
    return [made[name] for name in ("booster", "line", "choice", "interval")]
