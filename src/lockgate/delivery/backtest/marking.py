"""Where in a CSV table the rows of past days lie: byte ranges, so that a table as of a day is pieces of the stored one."""

from __future__ import annotations

import csv
import datetime as dt
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = ["Marks", "columns_in", "marks_of"]

DELIMITERS = ",;\t|"


@dataclass(frozen=True, slots=True)
class Marks:
    """The rows of one table.

    Attributes:
        header: how many bytes come before the rows.
        ranges: (start, end, n): these bytes are rows that are known from the n-th day on; n == number of days: on none.
        first: the earliest day of a row; None without rows that have one.
    """

    header: int
    ranges: tuple[tuple[int, int, int], ...]
    first: dt.date | None

    @property
    def size_bytes(self) -> int:
        """Of the whole table."""
        return self.ranges[-1][1] if self.ranges else self.header

    def known_on(self, number: int) -> tuple[tuple[int, int], ...]:
        """The byte ranges of the table as of a day, the header included; nothing when no row was known."""
        rows = [(start, end) for start, end, known in self.ranges if known <= number]
        return tuple(_joined([(0, self.header), *rows])) if rows else ()


def columns_in(blocks: Iterable[bytes]) -> tuple[str, ...]:
    """The names in a table's first line; nothing when it is no line of text."""
    line = next(_lines(blocks), b"")
    names, _ = _header(line)
    return names


def marks_of(blocks: Iterable[bytes], column: str, days: Sequence[dt.date], *, written: str, what: str) -> Marks:
    """Go through a table once.

    Args:
        column: which one holds the day. written: its format for `strptime`; empty: it begins like 2011-10-15.
        days: ascending; a row is known on those after its own day. A row without a day is known on none.
        what: the table's name for messages.

    Raises UsageError for a date that cannot be read, and for what is no CSV.
    """
    counting = _Counting(_lines(blocks))
    names, delimiter = _header(next(counting.lines, b""))
    header, at = counting.taken, names.index(column)
    known = _Known(days, _reader(written))
    ranges: list[tuple[int, int, int]] = []
    start, number = header, 1
    try:
        for row in csv.reader(counting.text(), delimiter=delimiter):
            number += 1
            if row:
                bucket = known.from_day(row[at] if at < len(row) else "", where=f"{what}, row {number}", column=column)
                _add(ranges, start, counting.taken, bucket)
            else:
                _add(ranges, start, counting.taken, ranges[-1][2] if ranges else len(days))
            start = counting.taken
    except csv.Error as error:
        raise UsageError("a table is no CSV", value=f"{what}, row {number}: {error}") from error
    return Marks(header, tuple(ranges), known.first)


class _Counting:
    """Lines, and how many bytes of them were taken."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self.taken = 0
        self.lines = self._counted(lines)

    def text(self) -> Iterator[str]:
        """Each as text; what is no UTF-8 stands for itself."""
        return (line.decode("utf-8", "surrogateescape") for line in self.lines)

    def _counted(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        for line in lines:
            self.taken += len(line)
            yield line


class _Known:
    """From which of the days on a written date is known; each text is read once."""

    def __init__(self, days: Sequence[dt.date], read: Callable[[str], dt.date]) -> None:
        self._days, self._read = days, read
        self._memory: dict[str, int] = {}
        self.first: dt.date | None = None

    def from_day(self, text: str, *, where: str, column: str) -> int:
        """The number of the first day that is after it."""
        known = self._memory.get(text)
        if known is None:
            known = self._memory[text] = self._new(text.strip(), where, column)
        return known

    def _new(self, text: str, where: str, column: str) -> int:
        if not text:
            return len(self._days)
        try:
            day = self._read(text)
        except ValueError:
            raise UsageError(
                f"column {column} holds something that is no date as it is declared", value=f"{where}: {text[:40]!r}",
                allowed="2011-10-15 at its beginning, or as `date_format` of the source says",
                next='declare it in lockgate.toml, e.g. date_format = "%m/%d/%Y %H:%M"',
            ) from None  # fmt: skip
        self.first = min(self.first or day, day)
        return bisect_right(self._days, day)


def _reader(written: str) -> Callable[[str], dt.date]:
    if written:
        return lambda text: dt.datetime.strptime(text, written).date()  # noqa: DTZ007  a day, in nobody's zone
    return lambda text: dt.date.fromisoformat(text[:10])


def _header(line: bytes) -> tuple[tuple[str, ...], str]:
    """Names and delimiter: the one that gives most names."""
    try:
        text = line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        return (), ","
    if not text or not text.replace("\t", " ").isprintable():
        return (), ","
    found = {d: next(csv.reader([text], delimiter=d), []) for d in DELIMITERS}
    delimiter = max(found, key=lambda d: len(found[d]))
    return tuple(n.strip() for n in found[delimiter]), delimiter


def _lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a file that comes in blocks, ends kept."""
    rest = b""
    for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        yield from (line + b"\n" for line in lines)
    if rest:
        yield rest


def _add(ranges: list[tuple[int, int, int]], start: int, end: int, known: int) -> None:
    if ranges and ranges[-1][2] == known and ranges[-1][1] == start:
        ranges[-1] = (ranges[-1][0], end, known)
    elif end > start:
        ranges.append((start, end, known))


def _joined(ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Neighbours as one."""
    held: tuple[int, int] | None = None
    for start, end in ranges:
        if held and held[1] == start:
            held = (held[0], end)
            continue
        if held and held[1] > held[0]:
            yield held
        held = (start, end)
    if held and held[1] > held[0]:
        yield held
