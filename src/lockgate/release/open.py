"""An open release: the predictor with its values and state, in the one process that may hold it.

`open_release` verifies every byte first, then compares the installed packages with the lock file, and only then
imports the predictor's code, from the release folder and nowhere else. One process opens one release.
"""

from __future__ import annotations

import datetime as dt
import functools
import importlib
import json
import math
import os
import site
import sys
import sysconfig
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType

from lockgate import codecs
from lockgate.declare import Predictor
from lockgate.declare_reason import Reason
from lockgate.errors import IntegrityError, StepFailed, UsageError
from lockgate.records.digest import Json, short
from lockgate.records.release import FieldSchema, Manifest
from lockgate.records.wire import to_json
from lockgate.release.layout import CODE, verify
from lockgate.release.lockfile import check_installed
from lockgate.release.schema import DateRange, date_range

if typing.TYPE_CHECKING:
    from lockgate.release.frames import Table

__all__ = ["OpenRelease", "import_code", "one_thread", "open_release"]

Closed = Callable[[dt.date], str | None]


class OpenRelease:
    """A release that answers. Values and state are loaded; every call says which day it is by `as_of`."""

    def __init__(
        self,
        manifest: Manifest,
        *,
        digest: str,
        predictor: Predictor,
        values: Mapping[str, object],
        state: Mapping[str, Table],
    ) -> None:
        self.manifest = manifest
        self.digest = digest
        self._predictor = predictor
        self._values = values
        self._state = state
        self._change: Callable[[str, Table], Table] = _as_it_is
        # The last cut is kept: serving asks for one day again and again, evaluation goes day by day.
        self._cut = functools.lru_cache(maxsize=1)(self._cut_state)

    @property
    def as_of(self) -> dt.date:
        """The day this release believes it is."""
        return dt.date.fromisoformat(self.manifest.as_of)

    @functools.cached_property
    def state_begins(self) -> dt.date | None:
        """The first day of the state table that begins last; None without a known day. Until then one is empty."""
        from lockgate.release import frames

        times = self.manifest.predictor.state
        days = [frames.first_day(table, times[name]) for name, table in self._state.items()]
        return max((day for day in days if day), default=None)

    @property
    def request(self) -> tuple[FieldSchema, ...]:
        return self.manifest.predictor.request

    @property
    def response(self) -> tuple[FieldSchema, ...]:
        return self.manifest.predictor.response

    @property
    def dated(self) -> bool:
        """Whether an answer depends on the day it is asked."""
        return self.manifest.predictor.dated

    def predict(self, requests: Table, as_of: dt.date) -> Table:
        """Answer a table of requests, in order. A closed day is zero with the reason and is not predicted.

        Raises StepFailed when the predictor raises, ContractBroken when it returns something else than declared.
        """
        from lockgate.release import frames

        asked = frames.typed(requests, self.request, what="the request table")
        closed = self._closed_rows(asked)
        opened = asked if not closed else asked[[row for row in range(asked.height) if row not in closed]]
        if opened.height or not closed:
            returned = self._call(self._predictor.function, opened, as_of)
            answered = frames.answers(returned, self.response, rows=opened.height)
        else:
            answered = frames.request_frame([], self.response)
        return frames.scatter(answered, closed, self.response, rows=asked.height) if closed else answered

    def answer(self, requests: Sequence[Mapping[str, object]], as_of: dt.date) -> list[dict[str, Json]]:
        """Answer requests as plain JSON objects. Raises StepFailed when a number is not finite."""
        from lockgate.release import frames

        table = self.predict(frames.request_frame(requests, self.request), as_of)
        return [_finite(to_json(row)) for row in frames.rows(table)]

    def explain(self, requests: Sequence[Mapping[str, object]], as_of: dt.date) -> list[list[str]]:
        """Sentences per request that say why; empty when the project declares no `explain`."""
        return [[str(s) for s in given if s] for given in self._reasons(requests, as_of)]

    def contributions(self, requests: Sequence[Mapping[str, object]], as_of: dt.date) -> list[dict[str, float]]:
        """Input → how far it moves the answer, per request, as far as `explain` says it with `Reason`s."""
        found: list[dict[str, float]] = []
        for given in self._reasons(requests, as_of):
            sums: dict[str, float] = {}
            for reason in given:
                if isinstance(reason, Reason):
                    sums[reason.of] = sums.get(reason.of, 0.0) + reason.by
            found.append(sums)
        return found

    def _reasons(self, requests: Sequence[Mapping[str, object]], as_of: dt.date) -> list[list[str]]:
        from lockgate.release import frames

        if self._predictor.explain is None:
            return [[] for _ in requests]
        table = frames.request_frame(requests, self.request)
        returned = self._call(self._predictor.explain, table, as_of)
        return [[given] if isinstance(given, str) else list(given) for given in _iterable(returned)]

    def columns(self, state: str) -> list[str]:
        """The columns of a state table."""
        return list(self._state[state].columns)

    def seeing(self, change: Callable[[str, Table], Table]) -> OpenRelease:
        """The same release, which is shown each state table through `change` after the cut: what if it knew otherwise?"""
        other = OpenRelease(
            self.manifest, digest=self.digest, predictor=self._predictor, values=self._values, state=self._state
        )
        other._change = change
        return other

    def features(self, requests: Table, as_of: dt.date) -> Table | None:
        """What the model sees of each request, as it is computed here; None when the project declares no `features`.

        A row of a closed day is not predicted, and has nothing but nulls.
        """
        from lockgate.release import frames

        if self._predictor.features is None:
            return None
        asked = frames.typed(requests, self.request, what="the request table")
        closed = self._closed_rows(asked)
        opened = asked[[row for row in range(asked.height) if row not in closed]] if closed else asked
        seen = frames.seen(self._call(self._predictor.features, opened, as_of), rows=opened.height)
        return frames.with_gaps(seen, closed, rows=asked.height) if closed else seen

    def choices(self, field: str, as_of: dt.date) -> list[tuple[str, str]]:
        """(value, label) of every value a field may take; only what was known before `as_of`."""
        from lockgate.release import frames

        schema = next((f.choices for f in self.request if f.name == field), None)
        if schema is None:
            return []
        return frames.choices(self._cut(as_of)[schema.state], schema)

    def dates(self, field: str, as_of: dt.date) -> DateRange | None:
        """The days a field may take and the closed ones among them, or None when any day may be asked."""
        horizon = next((f.horizon for f in self.request if f.name == field), None)
        if horizon is None:
            return None
        return date_range(as_of, days=horizon.days, closed=self._closed.get(field))

    def history(self, request: Mapping[str, object], as_of: dt.date, *, days: int) -> list[tuple[dt.date, float]]:
        """What happened on the last `days` days before `as_of`, for the chart; empty without a chart."""
        from lockgate.release import frames

        chart = self.manifest.predictor.chart
        if chart is None:
            return []
        since = as_of - dt.timedelta(days=days)
        return frames.history(self._cut(as_of)[chart.state], chart, request, since=since)

    @functools.cached_property
    def _closed(self) -> dict[str, Closed]:
        horizons = {f.name: f.horizon.closed for f in self.request if f.horizon and f.horizon.closed}
        return {name: typing.cast("Closed", codecs.resolve(reference)) for name, reference in horizons.items()}

    def _closed_rows(self, asked: Table) -> dict[int, str]:
        reasons = dict[int, str]()
        for field, closed in self._closed.items():
            known = {day: closed(day) for day in asked[field].unique().to_list()}
            if any(known.values()):
                reasons |= {row: why for row, day in enumerate(asked[field].to_list()) if (why := known[day])}
        return reasons

    def _cut_state(self, as_of: dt.date) -> dict[str, Table]:
        from lockgate.release import frames

        times = self.manifest.predictor.state
        cut = {name: frames.cut(table, times[name], as_of) for name, table in self._state.items()}
        return {name: self._change(name, table) for name, table in cut.items()}

    def _call(self, function: Callable[..., object], requests: Table, as_of: dt.date) -> object:
        spec = self.manifest.predictor
        given: dict[str, object] = {**self._values, **self._cut(as_of), spec.requests: requests, "as_of": as_of}
        try:
            return function(**{name: given[name] for name in spec.parameters})
        except Exception as error:
            where = _last_line(error, self.manifest.code)
            message = f"the predictor of release {short(self.digest)} raised {type(error).__name__}"
            raise StepFailed(message, value=str(error).partition("\n")[0][:300], allowed=where) from error


def open_release(directory: Path, expected: str) -> OpenRelease:
    """Verify, check packages, import, load. Call once per process, in a process of its own.

    Raises IntegrityError before anything is imported or decoded when a byte or a package differs.
    """
    manifest = verify(directory, expected)
    check_installed(directory / CODE, directory / manifest.lock)
    one_thread()
    module = import_code(directory / CODE, manifest.predictor.module)
    predictor = functools.reduce(getattr, manifest.predictor.qualname.split("."), typing.cast("object", module))
    if not isinstance(predictor, Predictor):
        raise UsageError("not a predictor", value=f"{manifest.predictor.module}:{manifest.predictor.qualname}")
    hints = typing.get_type_hints(predictor.function)
    entries = {**manifest.inputs, **manifest.state}
    loaded = {
        n: codecs.load(e.codec, directory / e.path, hints.get(n) or codecs.resolve(e.type)) for n, e in entries.items()
    }
    for name, entry in entries.items():
        value = directory / entry.path if entry.codec == "file" else loaded[name]  # a file may have been parsed
        if (actual := codecs.identity(entry.codec, value)) != entry.digest:
            raise IntegrityError(
                f"{entry.path} is not the value that the manifest names", value=actual, allowed=entry.digest
            )
    state = {name: typing.cast("Table", loaded[name]) for name in manifest.state}
    values = {name: loaded[name] for name in manifest.inputs}
    return OpenRelease(manifest, digest=expected, predictor=predictor, values=values, state=state)


def one_thread() -> None:
    """One computing thread, set before any library is imported: sums have one order, answers one set of bits."""
    for name in ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"


def import_code(code: Path, module: str) -> ModuleType:
    """Import a module from a folder of packaged code, and prove that no file of a working tree came along.

    Raises IntegrityError naming a module that was loaded from anywhere but the folder, Lockgate and the packages.
    """
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(code))
    before = set(sys.modules)
    try:
        loaded = importlib.import_module(module)
    except ImportError as error:
        raise IntegrityError(
            "the packaged code cannot be imported",
            value=str(error),
            allowed=f"the files under {CODE}/ and the locked packages",
        ) from error
    for name in sorted(set(sys.modules) - before):
        origin = getattr(sys.modules[name], "__file__", None)
        if origin and not _belongs(Path(origin).resolve(), code):
            raise IntegrityError(
                "code from outside the release was imported", value=f"{name} ({origin})", allowed=f"{CODE}/"
            )
    return loaded


def _belongs(origin: Path, code: Path) -> bool:
    return any(origin.is_relative_to(root) for root in (code.resolve(), *_trusted_roots()))


@functools.cache
def _trusted_roots() -> tuple[Path, ...]:
    ours = Path(__file__).resolve().parents[1]
    library = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    return (ours, *(Path(p).resolve() for p in (*library, *site.getsitepackages())))


def _as_it_is(_: str, table: Table) -> Table:
    return table


def _finite(row: dict[str, Json]) -> dict[str, Json]:
    for name, value in row.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise StepFailed("the predictor answered a number that is not finite", value=f"{name}: {value}")
    return row


def _iterable(returned: object) -> Sequence[str | Sequence[str]]:
    if hasattr(returned, "to_list"):
        return typing.cast("Sequence[str]", typing.cast("typing.Any", returned).to_list())
    return typing.cast("Sequence[str | Sequence[str]]", returned)


def _last_line(error: BaseException, code: Sequence[str]) -> str:
    """Where in the packaged code it happened, as `file:line`, for the person who wrote it."""
    import traceback

    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        for path in code:
            if frame.filename.endswith(path):
                return f"raised at {path}:{frame.lineno}: {frame.line}"
    return ""


def read_holdout(directory: Path, manifest: Manifest) -> list[dict[str, Json]]:
    """The recorded requests and answers: [{"as_of", "request", "answer"}]."""
    return json.loads((directory / manifest.holdout).read_bytes())
