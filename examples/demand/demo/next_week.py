"""`make next-week`: seven sealed days become known; forecasts meet the truth; a new release is proposed."""

from __future__ import annotations

import csv
import datetime as dt
import os
import shutil
from pathlib import Path

import polars as pl

from demo import servers
from demo.start import deliver, own_approval, sign
from demo.terminal import Failed, command, note, quiet, title

__all__ = ["play"]

AS_OF = Path("data/as-of")
WEEK = dt.timedelta(days=7)
ASKED_PRODUCTS = 40


def play(*, checking: bool) -> int:
    """One turn of the circle: predict, wait a week, compare, learn, decide."""
    if not AS_OF.exists():
        note("nothing is served yet.\n  next: make demo")
        raise Failed(2)
    as_of = dt.date.fromisoformat(AS_OF.read_text().strip())
    with servers.running() as address:
        servers.wait_until_live(address)
        _ask_for_the_week(address, as_of)
        _reveal(as_of)
        title("What happened, beside what was predicted")
        command("run", "sales")
        truth = _truth(as_of)
        command("feedback", "import", str(truth))
        title("A new release, from a week more of data: only what depends on it runs")
        waiting = deliver()
        if waiting and checking:
            own_approval()
            sign("approve", "demo approval, nobody read the evidence")
            command("deliver")
        elif waiting:
            note("It waits for the product owner: make demo")
        command("status")
    return 0


def _ask_for_the_week(address: str, as_of: dt.date) -> None:
    """The planners ask for the coming week, as they would every week."""
    title(f"As-of {as_of}: {ASKED_PRODUCTS} products are asked for the coming seven days")
    status, found = servers.get(address, "/choices", field="product", limit=str(ASKED_PRODUCTS))
    if status != 200:
        note(f"production does not answer: {found}\n  next: make demo")
        raise Failed(5)
    days = [as_of + dt.timedelta(days=d) for d in range(1, 7)]
    requests = [{"product": c["value"], "date": d.isoformat()} for c in found["choices"] for d in days]  # type: ignore[attr-defined]
    _, answered = servers.post(address, "/predict", {"requests": requests})
    note(f"{len(answered['answers'])} answers served and written to the prediction log")  # type: ignore[arg-type]


def _reveal(as_of: dt.date) -> None:
    """Move the next sealed week into the source's folder, then the clock."""
    sealed = Path("data/sealed") / f"{as_of}.csv"
    if not sealed.exists():
        note(f"the sealed future ends here: no {sealed}\n  next: make clean, then make demo, to begin again")
        raise Failed(2)
    title(f"Seven days pass: {as_of} to {as_of + WEEK - dt.timedelta(days=1)}")
    shutil.copyfile(sealed, Path("data/sales") / f".{sealed.name}.tmp")
    os.replace(Path("data/sales") / f".{sealed.name}.tmp", Path("data/sales") / sealed.name)
    temporary = AS_OF.with_suffix(".tmp")
    temporary.write_text(f"{as_of + WEEK}\n")
    os.replace(temporary, AS_OF)


def _truth(as_of: dt.date) -> Path:
    """What sold in the week, of every product: request fields and `actual`."""
    table = Path(".lockgate/demo/happened.arrow")
    quiet("show", "happened", "--to", str(table))
    week = pl.read_ipc(table).filter(pl.col("date") >= as_of).select("product", "date", "actual")
    path = Path(".lockgate/demo") / f"happened-{as_of}.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([week.columns, *week.iter_rows()])
    return path
