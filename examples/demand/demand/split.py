"""Cut a published table in time: what was known before the as-of day, and the sealed weeks after it.

Every value stays as it was published. While the rows pass, the dirt of the whole file is counted: facts about the
publication for the data card, which no step learns from.
"""

import csv
import datetime as dt
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO

AS_OF = dt.date(2011, 10, 15)  # of Online Retail II: eight weeks before its end, as the season begins
SEALED_DAYS = 55  # of another file: about as many
WEEK = dt.timedelta(days=7)
SATURDAY = 5
ONLINE_RETAIL = ["Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country"]

Open = Callable[[], IO[str]]
Say = Callable[[str], None]


def split_in_time(open_table: Open, dest: Path, about: dict[str, str], say: Say) -> dict[str, object]:
    """Write `sales/until-AS_OF.csv`, a `sealed/WEEK.csv` per week after it, `source.json` and, last of all, `as-of`.

    Files of an earlier split are removed first. Answers what `source.json` holds: `about`, rows, first and last day,
    as_of, and `dirt`: rows of the whole file by the rule they look like. Raises ValueError for a table without dates.
    """
    as_of = as_of_of(open_table, say)
    clear(dest)
    seen = Publication()
    with ExitStack() as stack:
        parts = Parts(dest, as_of, stack)
        for header, row, day in dated_rows(open_table, say):
            parts.write(header, row, day)
            seen.count(header, row, day)
        parts.finish()
    facts = {**about, **seen.facts(), "as_of": str(as_of)}
    write_whole(dest / "source.json", json.dumps(facts, indent=2).encode())
    write_whole(dest / "as-of", f"{as_of}\n".encode())
    return facts


def dated_rows(open_table: Open, say: Say) -> Iterator[tuple[list[str], list[str], dt.date]]:
    """(header, row, its day) of each row; says how far it is about once a second."""
    days: dict[str, dt.date] = {}
    with open_table() as text:
        rows = csv.reader(text)
        header = next(rows, [])
        column = date_column(header)
        spoken = time.monotonic()
        for number, row in enumerate(rows, start=1):
            written = row[column].split(" ", 1)[0]
            if written not in days:
                days[written] = read_day(written, number)
            yield header, row, days[written]
            if number % 20_000 == 0 and time.monotonic() - spoken > 1:
                say(f"  {number:,} rows")
                spoken = time.monotonic()


def date_column(header: list[str]) -> int:
    """Where the date stands. Raises ValueError when no column is one."""
    for name in ("InvoiceDate", "date"):
        if name in header:
            return header.index(name)
    message = f"no column InvoiceDate or date, only: {', '.join(header) or 'nothing, the file is empty'}"
    raise ValueError(message)


def read_day(text: str, row: int) -> dt.date:
    """A day written 2011-10-15 or 10/15/2011."""
    try:
        return dt.date.fromisoformat(text) if "-" in text else dt.datetime.strptime(text, "%m/%d/%Y").date()  # noqa: DTZ007
    except ValueError:
        message = f"row {row}: {text!r} is not a date such as 2011-10-15 or 10/15/2011"
        raise ValueError(message) from None


def as_of_of(open_table: Open, say: Say) -> dt.date:
    """The day that the project believes it is: fixed for the published file, else a Saturday 8 weeks before the end."""
    with open_table() as text:
        if next(csv.reader(text), []) == ONLINE_RETAIL:
            return AS_OF
    day = max(day for _, _, day in dated_rows(open_table, say)) - dt.timedelta(days=SEALED_DAYS)
    return day - dt.timedelta(days=(day.weekday() - SATURDAY) % 7)


class Parts:
    """The files of a split, written under temporary names and renamed together at the end."""

    def __init__(self, dest: Path, as_of: dt.date, stack: ExitStack) -> None:
        self.dest, self.as_of, self.stack = dest, as_of, stack
        self.files: dict[Path, IO[str]] = {}
        self.writers: dict[dt.date, Callable[[list[str]], object]] = {}

    def write(self, header: list[str], row: list[str], day: dt.date) -> None:
        """Add a row to the file it belongs to."""
        if day not in self.writers:
            target = self.target(day)
            self.writers[day] = csv.writer(self.open(target, header), lineterminator="\n").writerow
        self.writers[day](row)

    def open(self, target: Path, header: list[str]) -> IO[str]:
        """The file under its temporary name, begun with a header."""
        if target not in self.files:
            target.parent.mkdir(parents=True, exist_ok=True)
            self.files[target] = self.stack.enter_context(target.with_suffix(".part").open("w", newline=""))
            csv.writer(self.files[target], lineterminator="\n").writerow(header)
        return self.files[target]

    def target(self, day: dt.date) -> Path:
        """Known days go into one file, the others into one per week, named by its first day."""
        if day < self.as_of:
            return self.dest / "sales" / f"until-{self.as_of}.csv"
        return self.dest / "sealed" / f"{self.as_of + (day - self.as_of) // WEEK * WEEK}.csv"

    def finish(self) -> None:
        """Bring all of them to disk, then give them their names."""
        for file in self.files.values():
            file.flush()
            os.fsync(file.fileno())
        for target in self.files:
            target.with_suffix(".part").replace(target)


class Publication:
    """Counts over the whole file as published. Dirt is counted for Online Retail II only; the names are its rules'."""

    def __init__(self) -> None:
        self.rows = 0
        self.days: set[dt.date] = set()
        self.lines: set[int] = set()
        self.cancelled = self.negative = self.free = self.nobody = self.nameless = 0

    def count(self, header: list[str], row: list[str], day: dt.date) -> None:
        """Take one row in."""
        self.rows += 1
        self.days.add(day)
        if header != ONLINE_RETAIL:
            return
        invoice, _, description, quantity, _, price, customer, _ = row
        self.lines.add(hash(tuple(row)))
        self.cancelled += invoice[:1] == "C"
        self.negative += quantity[:1] == "-"
        self.free += price[:1] == "-" or not price.strip("0.")
        self.nobody += not customer
        self.nameless += not description

    def facts(self) -> dict[str, object]:
        """As `source.json` holds them."""
        dirt = {
            "duplicate": self.rows - len(self.lines),
            "cancellation": self.cancelled,
            "negative quantity": self.negative,
            "no price": self.free,
            "no customer": self.nobody,
            "no description": self.nameless,
        }
        span = {"first": str(min(self.days, default="")), "last": str(max(self.days, default=""))}
        return {"rows": self.rows, **span, "dirt": dirt if self.lines else {}}


def clear(dest: Path) -> None:
    """Remove an earlier split, the mark that it was whole first."""
    (dest / "as-of").unlink(missing_ok=True)
    for folder in ("sales", "sealed"):
        for file in (dest / folder).glob("*.*"):
            file.unlink()


def write_whole(target: Path, content: bytes) -> None:
    """Write a file so that it is either there whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as partial:
        partial.write(content)
        partial.flush()
        os.fsync(partial.fileno())
    Path(partial.name).chmod(0o644)
    Path(partial.name).replace(target)
