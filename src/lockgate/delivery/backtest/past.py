"""The sources as they were known on past days: cut to the rows before each, as pieces of what is stored now."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.delivery.backtest.marking import columns_in, marks_of
from lockgate.delivery.put import keep_copy, scratch_file
from lockgate.delivery.sources.keeping import keep
from lockgate.delivery.sources.kept import Kept
from lockgate.delivery.sources.pieces import MOST_PIECES, Pieces, parts_of, stretch_of, whole
from lockgate.delivery.sources.seeing import Seen, see
from lockgate.errors import NotFound, UsageError
from lockgate.records.digest import digest, digest_parts

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from lockgate.delivery.backtest.marking import Marks
    from lockgate.project import Project, SourceSettings

__all__ = ["Past", "past_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """Sources by day.

    Attributes:
        sources: day → source → what was known of it then.
        shown: source → how it was cut, in words.
    """

    sources: Mapping[dt.date, Mapping[str, Seen]]
    shown: Mapping[str, str]


def past_of(
    project: Project, names: Collection[str], days: Sequence[dt.date], *, times: Sequence[str], now_ns: int
) -> Past:
    """Every source as of each day; what it holds now is kept in the store first, as a run would.

    Args:
        days: ascending.
        times: columns by which a release cuts its state tables; a CSV table that has one of them, and declares no other, is cut by it.

    Raises:
        UsageError: a source does not say what of it was known when; the message says what to declare.
        NotFound: a source is not there, or nothing of it was known on the first day.
    """
    settings = {s.name: s for s in project.settings.sources}
    rows = next((s for n, s in settings.items() if n in names and s.kind == "sqlite" and not s.timeless), None)
    if rows:
        raise _undeclared(rows, "rows of a database")
    seen = see(project, now_ns=now_ns, wanted=names)
    found: dict[str, list[Seen]] = {}
    shown: dict[str, str] = {}
    for name in sorted(names):
        if name not in seen:
            raise NotFound("a source is not there", value=f"{name}: {settings[name].path}", next="lockgate data")
        if settings[name].timeless:
            keep(project, seen[name])
            found[name], shown[name] = [seen[name]] * len(days), "the same on every day"
            continue
        cutting = _Cutting(project, settings[name], seen[name], days, times)
        found[name], shown[name] = cutting.by_day(), cutting.words
    by_day = {day: {n: each[number] for n, each in found.items()} for number, day in enumerate(days)}
    return Past(sources=by_day, shown=shown)


class _Cutting:
    """One source, its files cut to the rows that were known on each day."""

    def __init__(
        self, project: Project, source: SourceSettings, seen: Seen, days: Sequence[dt.date], times: Sequence[str]
    ) -> None:
        self._project, self._source, self._seen, self._days = project, source, seen, days
        self._kept = keep(project, seen)
        self._column = self._found_column(times)

    @property
    def words(self) -> str:
        """How it is shown, for the reader."""
        return f"rows before the day, by column {self._column}"

    def by_day(self) -> list[Seen]:
        """The source as of each day, in their order."""
        marks = {n: self._marks(n, d) for n, d in self._seen.files}
        first = min((m.first for m in marks.values() if m.first), default=None)
        if not any(m.known_on(0) for m in marks.values()):
            known = f"a day after {first}, when its first row was" if first else "a source with rows that have a day"
            raise NotFound(
                f"nothing of source {self._source.name} was known yet", value=str(self._days[0]), allowed=known,
                next=f"lockgate gate backtest --since {first or 'DATE'}",
            )  # fmt: skip
        return [self._as_of(number, marks) for number in range(len(self._days))]

    def _as_of(self, number: int, marks: Mapping[str, Marks]) -> Seen:
        files: list[tuple[str, str]] = []
        pieces = dict(self._kept.pieces)
        for name, stored in self._seen.files:
            ranges = marks[name].known_on(number)
            if not ranges:
                continue
            if ranges == ((0, marks[name].size_bytes),):
                files.append((name, stored))
                continue
            made, of = self._cut(stored, ranges)
            pieces |= {made: of} if of else {}
            files.append((name, made))
        held = {d: p for d, p in pieces.items() if d in dict(files).values()}
        identity = digest("source", tuple(files))
        return Seen(
            self._seen.name,
            identity,
            tuple(files),
            self._seen.single,
            recorded=True,
            packs=self._kept.packs,
            pieces=held,
        )

    def _cut(self, stored: str, ranges: Sequence[tuple[int, int]]) -> tuple[str, Pieces]:
        """These bytes of a file: digest, and the pieces they are; no pieces when they are an object of their own."""
        if stored in self._kept.packed.members:
            data = self._kept.read(stored)
            return self._own_object(data[start:end] for start, end in ranges), ()
        base = self._kept.pieces.get(stored) or whole(self._project.store, stored)
        pieces = tuple(p for start, end in ranges for p in stretch_of(base, start, end))
        if len(pieces) > MOST_PIECES:
            return self._own_object(parts_of(self._project.store, pieces)), ()
        return digest_parts(parts_of(self._project.store, pieces)), pieces

    def _own_object(self, parts: Iterator[bytes]) -> str:
        draft = scratch_file(self._project)
        try:
            with draft.open("wb") as file:
                file.writelines(parts)
            return keep_copy(self._project, draft)
        finally:
            draft.unlink(missing_ok=True)

    def _marks(self, name: str, stored: str) -> Marks:
        what = f"{self._source.name}: {name}"
        written = self._source.date_format
        return marks_of(self._content(stored), self._column, self._days, written=written, what=what)

    def _found_column(self, times: Sequence[str]) -> str:
        """The declared column, else one that the release's state is cut by; every file must have it."""
        wanted = (self._source.date,) if self._source.date else tuple(times)
        names = [columns_in(self._content(d)) for _, d in self._seen.files]
        for column in wanted:
            if all(column in n for n in names):
                return column
        lacking = next((f"{f} has the columns {', '.join(n)[:60]}" if n else f"{f} is no CSV table"
                        for (f, _), n in zip(self._seen.files, names, strict=True) if not {*wanted} & {*n}), "no file")  # fmt: skip
        raise _undeclared(self._source, lacking)

    def _content(self, stored: str) -> Iterator[bytes]:
        if stored in self._kept:
            yield from _read_kept(self._project, self._kept, stored)
            return
        with Path(self._project.store.get(stored)).open("rb") as file:
            while block := file.read(1 << 20):
                yield block


def _read_kept(project: Project, kept: Kept, stored: str) -> Iterator[bytes]:
    if stored in kept.pieces:
        return parts_of(project.store, kept.pieces[stored])
    return iter((kept.read(stored),))


def _undeclared(source: SourceSettings, found: str) -> UsageError:
    lacking = f"column {source.date} is in no file" if source.date else "it does not say what of it was known when"
    return UsageError(
        f"source {source.name} cannot be shown as of a past day: {lacking}", value=found,
        allowed=f'in lockgate.toml under [sources.{source.name}]: date = "COLUMN" of a CSV table (a past day is shown the rows before it), '
        "or timeless = true (it is the same on every day, or every step that reads it cuts it at as_of)",
        next="edit lockgate.toml",
    )  # fmt: skip
