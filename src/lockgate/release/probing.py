"""What if? The packaged release answers a sample of its test once more, with one input shuffled or set to another value.

Loaded only inside a release host: the numbers are those of the code, packages and state that will be served. Shuffling
breaks what an input tells while keeping its values (permutation importance: Breiman 2001; Fisher, Rudin and Dominici 2019).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

import polars as pl

from lockgate.errors import LockgateError, UsageError
from lockgate.records.digest import Json
from lockgate.records.release import FieldSchema, roles_of
from lockgate.release import frames
from lockgate.release.frames import Table
from lockgate.release.open import OpenRelease

__all__ = ["contribute", "inputs_of", "probe", "sample_of", "vary"]

ORIGINS = 4  # days of asking, where requests ask for days of their own: each costs a cut of the state, per input
ASKING_DAYS = 24  # where the day of asking is the only day: it is what intervals rest on
INPUTS = 16
POINTS = 8
KINDS = 12  # a field with more kinds of text than this is a name, and another name is another thing


def sample_of(release: OpenRelease, table: Table, *, rows: int) -> Table:
    """Up to `rows` rows of a test, evenly spaced, from a few of its days of asking."""
    asks_for_days = any(f.type == "date" for f in release.request)
    origins = (ORIGINS if asks_for_days else ASKING_DAYS) if release.dated else None
    return frames.spread(table, rows=rows, origins=origins)


def inputs_of(release: OpenRelease) -> list[str]:
    """Everything that can be shuffled: fields of the request, and columns of state that tell neither time nor which row is meant."""
    spec = release.manifest.predictor
    fields = [f.name for f in release.request]
    meant = {(c.state, name) for f in release.request if (c := f.choices) for name in (c.column, c.label)}
    found = list(fields)
    for state, time_column in spec.state.items():
        found += [
            f"{state}.{c}"
            for c in release.columns(state)
            if c != time_column and (state, c) not in meant and c not in fields
        ]
    return found[:INPUTS]


def probe(release: OpenRelease, sample: Table, *, truth: str, seed: int, folder: Path) -> dict[str, Json]:
    """Score the sample as it is and with each input shuffled; every table of answers becomes a file."""
    from lockgate import codecs
    from lockgate.release.host import score

    codecs.save("columns.npz", score(release, sample, truth=truth), folder / "as_it_is.npz")
    files: dict[str, Json] = {}
    failed: dict[str, Json] = {}
    for number, name in enumerate(inputs_of(release)):
        try:
            codecs.save(
                "columns.npz", score(_Shuffled(release, name, seed), sample, truth=truth), folder / f"{number}.npz"
            )
            files[name] = f"{number}.npz"
        except LockgateError as error:
            failed[name] = f"{error.what}: {error.value}" if error.value else error.what
    return {"inputs": files, "failed": failed}


class _Shuffled:
    """A release whose one input was shuffled among the rows of one day of asking."""

    def __init__(self, release: OpenRelease, name: str, seed: int) -> None:
        self._field = name if name in {f.name for f in release.request} else ""
        self._seed = seed
        state, _, column = name.partition(".")
        self._release = (
            release
            if self._field
            else release.seeing(lambda table_name, table: self._mixed(table, column) if table_name == state else table)
        )

    @property
    def request(self) -> tuple[FieldSchema, ...]:
        return self._release.request

    @property
    def response(self) -> tuple[FieldSchema, ...]:
        return self._release.response

    @property
    def dated(self) -> bool:
        return self._release.dated

    @property
    def as_of(self) -> dt.date:
        return self._release.as_of

    def predict(self, requests: Table, as_of: dt.date) -> Table:
        asked = self._mixed(requests, self._field) if self._field else requests
        return self._release.predict(asked, as_of)

    def _mixed(self, table: Table, column: str) -> Table:
        return table.with_columns(table[column].shuffle(seed=self._seed))


def vary(release: OpenRelease, sample: Table) -> list[dict[str, Json]]:
    """For each field of the request: the answers of the whole sample when it takes each of a few values."""
    return [_varied(release, sample, field) for field in release.request]


def _varied(release: OpenRelease, sample: Table, field: FieldSchema) -> dict[str, Json]:
    if why := _not_varied(sample, field):
        return {"name": field.name, "rows": sample.height, "points": [], "why": why}
    points: list[Json] = []
    try:
        for value in _values(sample[field.name], field):
            changed = sample.with_columns(pl.lit(value, dtype=sample.schema[field.name]).alias(field.name))
            points.append({"value": _text(value), **_middle(release, changed)})
    except LockgateError as error:
        return {"name": field.name, "rows": sample.height, "points": [], "why": f"{error.what}: {error.value}"}
    return {"name": field.name, "rows": sample.height, "points": points, "why": ""}


def _not_varied(sample: Table, field: FieldSchema) -> str:
    if field.type == "date":
        return "a date tells which day is meant"
    if field.type == "string" and sample[field.name].n_unique() > KINDS:
        return f"it has more than {KINDS} kinds"
    return "" if sample[field.name].drop_nulls().n_unique() > 1 else "it has one value only"


def _values(column: pl.Series, field: FieldSchema) -> Sequence[object]:
    """A number's quantiles from the 5th to the 95th; everything else as it occurs, the most frequent first."""
    known = column.drop_nulls()
    if field.type in ("number", "integer") and known.n_unique() > POINTS:
        ranked = known.sort()
        at = [round((0.05 + 0.9 * i / (POINTS - 1)) * (len(ranked) - 1)) for i in range(POINTS)]
        return list(dict.fromkeys(ranked.gather(at).to_list()))
    found = known.unique().sort().to_list()
    return found[:KINDS]


def _middle(release: OpenRelease, table: Table) -> dict[str, Json]:
    """Mean and quartiles of the point answers, or of the scores where there are some: a share moves where a decision does not."""
    roles = roles_of(release.response)
    field = roles.score or roles.answer
    if field is None:
        raise UsageError("the release answers neither a number nor yes or no")
    answers = pl.concat(
        [release.predict(part, day)[field.name].cast(pl.Float64) for day, part in _parts(release, table)]
    )
    quartiles = [answers.quantile(q, interpolation="linear") for q in (0.25, 0.75)]
    return {"mean": answers.mean(), "low": quartiles[0], "high": quartiles[1]}  # type: ignore[dict-item]


def _parts(release: OpenRelease, table: Table) -> Iterable[tuple[dt.date, Table]]:
    """Rows by their day of asking, or all at once where answers do not depend on it."""
    return frames.parts(table) if release.dated else [(release.as_of, table)]


def contribute(release: OpenRelease, sample: Table) -> dict[str, Json]:
    """Input → mean size of its contributions, by the release's own reasons."""
    sums: dict[str, float] = {}
    names = [f.name for f in release.request]
    for as_of, part in _parts(release, sample):
        asked = cast(
            "list[dict[str, object]]", frames.typed(part.select(names), release.request, what="sample").to_dicts()
        )
        for moved in release.contributions(asked, as_of):
            for name, by in moved.items():
                sums[name] = sums.get(name, 0.0) + abs(by)
    return {name: total / max(1, sample.height) for name, total in sorted(sums.items())}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
