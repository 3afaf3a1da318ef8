"""The release host: `python -I -m lockgate.release.host DIR SHA256` answers JSON lines on its standard input.

    {"op": "score", "table": path, "out": path, "truth": column}   each row at its own as_of, if it has one → columns.npz
    {"op": "answer" | "explain", "requests": [...], "as_of": day | null}
    {"op": "record", "table": path, "rows": n}                     answers to a sample, for the bundle
    {"op": "check"}                                                are the recorded answers repeated bit by bit?
    {"op": "memory"}                                               bytes that this process holds
    {"op": "probe", "table": path, "rows": n, "truth": column, "seed": k, "folder": path}   what if an input were shuffled?
    {"op": "vary", "table": path, "rows": n}                       what if a field of the request were another?
    {"op": "contribute", "table": path, "rows": n}                 what the release itself says it looks at

Isolated mode: no working folder and no PYTHONPATH on the import path. Libraries are loaded only here.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from lockgate.errors import (
    ContractBroken,
    IntegrityError,
    LockgateError,
    StepFailed,
    UsageError,
)
from lockgate.records.digest import Json, canonical, short
from lockgate.records.release import FieldSchema, Roles, roles_of
from lockgate.release.open import OpenRelease, open_release, read_holdout

if TYPE_CHECKING:
    from lockgate.release.frames import Table

__all__ = ["Answering", "check_holdout", "main", "record_holdout", "score", "typed_requests"]

ORIGINS = 6  # days of the sample: each costs a host one cut of the state when it warms


class Answering(Protocol):
    """What answers tables of requests: an open release, or one in another process."""

    @property
    def request(self) -> tuple[FieldSchema, ...]: ...

    @property
    def response(self) -> tuple[FieldSchema, ...]: ...

    @property
    def dated(self) -> bool: ...

    @property
    def as_of(self) -> dt.date: ...

    def predict(self, requests: Table, as_of: dt.date) -> Table: ...


def score(release: Answering, table: Table, *, truth: str) -> object:
    """Answer each row, at its own `as_of` if answers depend on the day; the rows come back in their order, the response added.

    So are the columns of what the model sees, as `feature:NAME`, when the predictor declares `features`.
    """
    from lockgate.evaluation.scored import Scored
    from lockgate.release import frames

    names = [f.name for f in release.response]
    if clash := sorted(set(names) & set(table.columns)):
        raise UsageError("the table already has a column of the response", value=", ".join(clash))
    scored = _answer_all(release, table.with_row_index("@row"), seen=isinstance(release, OpenRelease))
    columns = frames.columns(scored.sort("@row").drop("@row"))
    roles = roles_of(release.response)
    return Scored(
        columns=columns,
        truth=truth,
        answer=_need_answer(roles).name,
        score=roles.score and roles.score.name,
        keys=_row_names(release, table),
        low=roles.low and roles.low.name,
        high=roles.high and roles.high.name,
        day=_day_column(release, table),
        cluster="cluster" if "cluster" in table.columns else None,
    )


def record_holdout(release: OpenRelease, table: Table, *, rows: int) -> bytes:
    """Answer a sample of the holdout, as the bytes of `holdout.json`.

    Raises ContractBroken when a row of the whole table asks for a number out of its range, or for a day that no user
    could ask for at its `as_of`.
    """
    from lockgate.records.wire import to_json
    from lockgate.release import frames

    if release.dated:
        _need_as_of(table)
        _need_served_days(release, table)
    _need_served_numbers(release, table)
    asked = [f.name for f in release.request]
    answered = _answer_all(release, frames.spread(table, rows=rows, origins=ORIGINS if release.dated else None))
    kept = cast("list[dict[str, Json]]", to_json(frames.rows(answered)))
    records = [
        {
            "as_of": row["as_of"] if release.dated else None,
            "request": {name: row[name] for name in asked},
            "answer": {f.name: row[f.name] for f in release.response},
        }
        for row in kept
    ]
    return canonical(records)


def check_holdout(release: OpenRelease, recorded: Sequence[Mapping[str, Json]]) -> int:
    """Repeat every recorded answer; all bits must be equal. Answers how many; raises IntegrityError for the first."""
    by_day = dict[str | None, list[Mapping[str, Json]]]()
    for record in recorded:
        by_day.setdefault(record["as_of"], []).append(record)
    for day, records in by_day.items():
        requests = typed_requests([r["request"] for r in records], release.request)
        now = release.answer(requests, dt.date.fromisoformat(day) if day else release.as_of)
        for record, answer in zip(records, now, strict=True):
            if canonical(answer) != canonical(record["answer"]):
                raise IntegrityError(
                    f"release {short(release.digest)} does not repeat its recorded answers here",
                    value=f"{record['request']}{f' as of {day}' if day else ''}: {answer}",
                    allowed=str(record["answer"]),
                    next="serve it on the processor and packages it was made with",
                )
    return len(recorded)


def typed_requests(requests: Sequence[Mapping[str, Json]], fields: Sequence[FieldSchema]) -> list[dict[str, object]]:
    """JSON values → the values a predictor takes: ISO text becomes a date."""
    days = {f.name for f in fields if f.type == "date"}
    return [
        {n: dt.date.fromisoformat(v) if n in days and isinstance(v, str) else v for n, v in request.items()}
        for request in requests
    ]


def main(arguments: Sequence[str]) -> int:
    """Open the release, say that it is open, then answer lines until the input ends."""
    replies = _private_stdout()
    try:
        directory, expected = Path(arguments[0]), arguments[1]
        release = open_release(directory, expected)
    except LockgateError as error:
        _reply(replies, _failure(error))
        return error.exit_code
    operations = _operations(release, directory)
    _reply(replies, {"ok": True, "release": expected, "as_of": release.manifest.as_of})
    for line in sys.stdin.buffer:
        _reply(replies, _answer_line(operations, line))
    return 0


Operation = Callable[[dict[str, Any]], dict[str, Json]]


def _operations(release: OpenRelease, directory: Path) -> dict[str, Operation]:
    from lockgate import codecs
    from lockgate.release import probing
    from lockgate.release.frames import Table

    def table(path: str) -> Table:
        return cast("Table", codecs.load("polars.ipc", Path(path), Table))

    def day(line: dict[str, Any]) -> dt.date:
        return dt.date.fromisoformat(line["as_of"]) if line.get("as_of") else release.as_of

    def run_score(line: dict[str, Any]) -> dict[str, Json]:
        codecs.save("columns.npz", score(release, table(line["table"]), truth=line["truth"]), Path(line["out"]))
        return {"out": line["out"]}

    def run_answer(line: dict[str, Any]) -> dict[str, Json]:
        return {"answers": release.answer(typed_requests(line["requests"], release.request), day(line))}

    def run_explain(line: dict[str, Any]) -> dict[str, Json]:
        return {"reasons": release.explain(typed_requests(line["requests"], release.request), day(line))}

    def run_record(line: dict[str, Any]) -> dict[str, Json]:
        return {"holdout": record_holdout(release, table(line["table"]), rows=line["rows"]).decode()}

    def run_check(_: dict[str, Any]) -> dict[str, Json]:
        return {"rows": check_holdout(release, read_holdout(directory, release.manifest))}

    def run_memory(_: dict[str, Any]) -> dict[str, Json]:
        return {"bytes": resident_bytes()}

    def run_probe(line: dict[str, Any]) -> dict[str, Json]:
        sample = probing.sample_of(release, table(line["table"]), rows=line["rows"])
        return probing.probe(release, sample, truth=line["truth"], seed=line["seed"], folder=Path(line["folder"]))

    def run_vary(line: dict[str, Any]) -> dict[str, Json]:
        return {"fields": probing.vary(release, probing.sample_of(release, table(line["table"]), rows=line["rows"]))}

    def run_contribute(line: dict[str, Any]) -> dict[str, Json]:
        return {"own": probing.contribute(release, probing.sample_of(release, table(line["table"]), rows=line["rows"]))}

    return {
        "score": run_score, "answer": run_answer, "explain": run_explain, "record": run_record, "check": run_check,
        "memory": run_memory, "probe": run_probe, "vary": run_vary, "contribute": run_contribute,
    }  # fmt: skip


def resident_bytes() -> int:
    """What this process holds in memory; where the system does not say, the most that it ever held."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return pages * os.sysconf("SC_PAGE_SIZE")


def _answer_line(operations: Mapping[str, Operation], line: bytes) -> dict[str, Json]:
    try:
        asked = json.loads(line)
        operation = operations.get(asked.get("op"))
        if operation is None:
            error = UsageError("unknown operation", value=str(asked.get("op")), allowed=", ".join(operations))
            return _failure(error)
        return {"ok": True, **operation(asked)}
    except LockgateError as error:
        return _failure(error)
    except Exception as error:
        return _failure(StepFailed(f"the release host raised {type(error).__name__}", value=str(error)[:500]))


def _failure(error: LockgateError) -> dict[str, Json]:
    parts = {"kind": type(error).__name__, "what": error.what, "value": error.value}
    return {"ok": False, "error": {**parts, "allowed": error.allowed, "next": error.next}}


def _answer_all(release: Answering, table: Table, *, seen: bool = False) -> Table:
    import polars as pl

    from lockgate.release import frames

    if release.dated:
        _need_as_of(table)
    parts = frames.parts(table) if release.dated else [(release.as_of, table)]
    answered = [(as_of, part.hstack(release.predict(part, as_of))) for as_of, part in parts]
    if seen:
        answered = [(as_of, _with_features(cast("OpenRelease", release), part, as_of)) for as_of, part in answered]
    return (
        pl.concat(part for _, part in answered)
        if answered
        else table.hstack(frames.request_frame([], release.response))
    )


def _with_features(release: OpenRelease, answered: Table, as_of: dt.date) -> Table:
    """Rows that were answered as of one day, with what the model sees of them."""
    from lockgate.records.findings import FEATURE

    seen = release.features(answered, as_of)
    return answered if seen is None else answered.hstack(seen.rename(lambda name: FEATURE + name))


def _need_as_of(table: Table) -> None:
    if "as_of" not in table.columns or table["as_of"].null_count():
        raise ContractBroken(
            "answers depend on the day, so a scored table has it in every row", value="as_of",
            allowed="a date column `as_of`, or a predictor without state, `as_of` and Horizon",
        )  # fmt: skip


def _need_answer(roles: Roles) -> FieldSchema:
    if roles.answer is None:
        raise UsageError(
            "a release that is judged answers a number, or yes or no",
            allowed="a response with a field of type float, int or bool that is not called score, low or high",
        )
    return roles.answer


def _row_names(release: Answering, table: Table) -> tuple[str, ...]:
    """The request names a row; not where two people ask the same and no day tells them apart."""
    asked = tuple(f.name for f in release.request)
    return () if not release.dated and table.select(asked).is_duplicated().any() else asked


def _day_column(release: Answering, table: Table) -> str | None:
    """The day that a row is about: the date that is asked for, or the day of asking; rows of a table may have none."""
    asked = next((f.name for f in release.request if f.horizon or f.type == "date"), None)
    return asked or ("as_of" if "as_of" in table.columns else None)


def _need_served_days(release: OpenRelease, table: Table) -> None:
    """A release is judged by what will be asked of it: every date of the holdout is one that serving takes."""
    from lockgate.release import frames

    for field in (f.name for f in release.request if f.horizon and f.name in table.columns):
        for as_of, part in frames.parts(table):
            days, allowed = frames.span(part, field), release.dates(field, as_of)
            if days and allowed and (outside := [d for d in days if not allowed.first <= d <= allowed.last]):
                raise ContractBroken(
                    "the holdout asks for a day that nobody could ask for", value=f"{field} {outside[0]} as of {as_of}",
                    allowed=f"{allowed.first} to {allowed.last}: as-of + 1 up to the horizon",
                )  # fmt: skip


def _need_served_numbers(release: OpenRelease, table: Table) -> None:
    """The same for numbers: nobody could ask for one that is out of its range."""
    from lockgate.release import frames

    for field in (f for f in release.request if f.range_words and f.name in table.columns):
        if outside := [n for n in frames.ends(table, field.name) if not field.takes(n)]:
            raise ContractBroken(
                "the holdout asks for a number that nobody could ask for", value=f"{field.name} {outside[0]:g}",
                allowed=field.range_words,
            )  # fmt: skip


def _private_stdout() -> int:
    """Keep the real standard output for replies; what a predictor prints goes to standard error."""
    private = os.dup(1)
    os.dup2(2, 1)
    return private


def _reply(descriptor: int, value: dict[str, Json]) -> None:
    data = memoryview(json.dumps(value).encode() + b"\n")
    while data:
        data = data[os.write(descriptor, data) :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
