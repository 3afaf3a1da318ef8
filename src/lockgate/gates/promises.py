"""What changes for those who call a release, and for those whose data it takes: two descriptions held against each other.

Pure: fields and contracts as the manifest lists them, in; changes with a word on each, out. A request may ask for less
than before and a response may promise more; the other way round breaks somebody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lockgate.gates.served import AFTER, Contract
from lockgate.records.digest import Json

__all__ = ["Change", "consumer_problems", "data_changes", "schema_changes"]

Effect = Literal["breaks", "weakens", "fits"]
Fields = Sequence[Mapping[str, Json]]

PROMISED_BY: Mapping[str, tuple[str, ...]] = {
    "number": ("number", "integer"), "integer": ("integer",), "string": ("string", "date"), "boolean": ("boolean",),
    "date": ("date",),
}  # fmt: skip
"""A consumer's type → the types of a response field that keep it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference. `breaks`: somebody's program; `weakens`: what the data promised; `fits`: nobody notices."""

    where: str
    what: str
    effect: Effect


def schema_changes(before: Mapping[str, Json], after: Mapping[str, Json]) -> tuple[Change, ...]:
    """Hold two predictors' request and response fields against each other; both as in the manifest's `predictor`."""
    found: list[Change] = []
    for side in ("request", "response"):
        old, new = ({f["name"]: f for f in p[side]} for p in (before, after))
        asks = side == "request"
        for name in [*old, *(n for n in new if n not in old)]:
            where = f"{side} field {name}"
            if name not in new:
                found.append(Change(where=where, what="is gone", effect="breaks"))
            elif name not in old:
                found.append(_added(where, new[name], asks=asks))
            else:
                found += [Change(where=where, what=w, effect=e) for w, e in _field(old[name], new[name], asks=asks)]
    return tuple(found)


def _added(where: str, field: Mapping[str, Json], *, asks: bool) -> Change:
    if asks and field["required"]:
        return Change(where=where, what="is new and must be given", effect="breaks")
    return Change(where=where, what="is new" + (" and may be left out" if asks else ""), effect="fits")


def _field(old: Mapping[str, Json], new: Mapping[str, Json], *, asks: bool) -> Iterator[tuple[str, Effect]]:
    wide = ("integer", "number") if asks else ("number", "integer")
    if old["type"] != new["type"]:
        fits = (old["type"], new["type"]) == wide
        yield f"was {old['type']} and is {new['type']}", "fits" if fits else "breaks"
    if old["required"] != new["required"]:
        if asks:
            yield ("must be given now", "breaks") if new["required"] else ("may be left out now", "fits")
        else:
            yield ("always has a value now", "fits") if new["required"] else ("may be empty now", "breaks")
    if (old.get("unit") or "") != (new.get("unit") or ""):
        yield f"was in {old.get('unit') or 'no unit'} and is in {new.get('unit') or 'no unit'}", "breaks"
    if asks:
        yield from _range(old, new)
        if old.get("default") != new.get("default") and not new["required"]:
            yield f"is {new.get('default')} when it is left out, and was {old.get('default')}", "fits"


def _range(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[tuple[str, Effect]]:
    """Which values may be asked for."""
    before, after = ((f.get("horizon") or {}).get("days") for f in (old, new))
    if before != after:
        if after is not None and (before is None or after < before):
            yield f"reaches {after} open days ahead, and reached {before or 'without end'}", "breaks"
        else:
            yield f"reaches {after or 'without end'}, and reached {before} open days ahead", "fits"
    source, target = ((c["state"], c["column"]) if (c := f.get("choices")) else None for f in (old, new))
    if source != target:
        if target is None:
            yield "may be anything now", "fits"
        else:
            was = "anything" if source is None else ".".join(source)
            yield (
                f"must be one of {'.'.join(target)}, and could be {was if source is None else 'one of ' + was}",
                "breaks",
            )


def consumer_problems(contract: Contract, predictor: Mapping[str, Json]) -> tuple[str, ...]:
    """What a consumer asks or expects that this predictor's schema does not hold; empty when all fits."""
    asked, answered = ({f["name"]: f for f in predictor[side]} for side in ("request", "response"))
    found: list[str] = []
    for request in contract.requests:
        found += [f"does not send {n}" for n, f in asked.items() if f["required"] and n not in request]
        found += [f"sends {n}, which nobody asks for" for n in request if n not in asked]
        found += [
            f"sends {n} as {_said(v)}, not {asked[n]['type']}" for n, v in request.items() if _unlike(v, asked.get(n))
        ]
        found += [
            f"sends {n} {_days(v)} days ahead, beyond {r}"
            for n, v in request.items()
            if (r := _beyond(v, asked.get(n)))
        ]
    for name, promise in contract.response.items():
        if name != "note":  # every answer over HTTP has one, which may be null
            found += [f"expects {name}{why}" for why in _expected(promise, answered.get(name))]
    return tuple(dict.fromkeys(found))


def _expected(promise: Mapping[str, Json], field: Mapping[str, Json] | None) -> Iterator[str]:
    if field is None:
        yield ", which is not answered"
        return
    if field["type"] not in PROMISED_BY.get(str(promise.get("type")), ()):
        yield f" as {promise.get('type')}, not {field['type']}"
    if not field["required"] and not promise.get("nullable"):
        yield " always, and it may be empty"


def _unlike(value: Json, field: Mapping[str, Json] | None) -> bool:
    """Whether an example value cannot be one of the field's type."""
    if field is None or (value is None and not field["required"]):
        return False
    if isinstance(value, Mapping) and AFTER in value:
        return field["type"] != "date"
    kinds: dict[str, tuple[type, ...]] = {
        "string": (str,), "date": (str,), "boolean": (bool,), "integer": (int,), "number": (int, float),
    }  # fmt: skip
    wanted = kinds[str(field["type"])]
    return not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted)


def _days(value: Json) -> int:
    return int(value[AFTER]) if isinstance(value, Mapping) and AFTER in value else 0


def _beyond(value: Json, field: Mapping[str, Json] | None) -> int:
    """The horizon that a day lies beyond for certain, or 0: with closed days, more calendar days than its own fit in it."""
    horizon = (field or {}).get("horizon") or {}
    days = int(horizon.get("days") or 0)
    return days if days and not horizon.get("closed") and _days(value) > days else 0


def _said(value: Json) -> str:
    return "a day" if isinstance(value, Mapping) else repr(value)[:40]


def data_changes(before: Mapping[str, Json], after: Mapping[str, Json]) -> tuple[Change, ...]:
    """Hold what two releases' data contracts promise against each other: step → contract as it describes itself.

    The data at hand keep the new promise, or the run had failed. So a stricter promise fits; a weaker one is what
    readers of the table must know, and a person weighs it.
    """
    found: list[Change] = []
    for step in [*before, *(n for n in after if n not in before)]:
        where = f"data contract of {step.rpartition('.')[2]}"
        if step not in after:
            found.append(Change(where=where, what="is gone", effect="weakens"))
        elif step not in before:
            found.append(Change(where=where, what="is new", effect="fits"))
        else:
            found += [Change(where=where, what=w, effect=e) for w, e in _promise(before[step], after[step])]
    return tuple(found)


def _promise(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[tuple[str, Effect]]:
    if set(old["key"]) != set(new["key"]):
        named = (
            f"rows are named by {', '.join(new['key']) or 'nothing'}, and were by {', '.join(old['key']) or 'nothing'}"
        )
        yield named, "fits" if (new["key"] and set(new["key"]) < set(old["key"])) or not old["key"] else "weakens"
    for name, column in old["columns"].items():
        if name not in new["columns"]:
            yield f"column {name} is gone", "weakens"
        else:
            for what, effect in _column(column, new["columns"][name]):
                yield f"column {name} {what}", effect
    for name in (n for n in new["columns"] if n not in old["columns"]):
        yield f"column {name} is new", "fits"
    for name, rule in new["rules"].items():
        was = old["rules"].get(name)
        if was is None:
            yield f"dirt '{name}' is expected now", "weakens"
        elif float(rule["at_most"]) > float(was["at_most"]):
            yield f"up to {rule['at_most']} of '{name}' may come, and {was['at_most']} might", "weakens"
    if new["min_rows"] < old["min_rows"]:
        yield f"{new['min_rows']:,} rows are enough, and {old['min_rows']:,} were", "weakens"


def _column(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[tuple[str, Effect]]:
    for what in ("type", "unit"):
        if old[what] != new[what]:
            narrower = (old[what], new[what]) == ("number", "integer")
            yield f"has {what} {new[what] or 'none'}, and had {old[what] or 'none'}", "fits" if narrower else "weakens"
    if new["nullable"] and not old["nullable"]:
        yield "may be empty now", "weakens"
    for end, worse in (("low", "lower"), ("high", "higher")):
        if old[end] is not None and old[end] != new[end] and _wider(old[end], new[end], end):
            yield (
                f"may be {worse} now ({new[end] if new[end] is not None else 'without limit'}, was {old[end]})",
                "weakens",
            )
    if old["one_of"] and (not new["one_of"] or set(new["one_of"]) - set(old["one_of"])):
        more = sorted(set(new["one_of"]) - set(old["one_of"]))
        yield f"may be {', '.join(more) if more else 'anything'} too", "weakens"
    if old["matches"] and new["matches"] != old["matches"]:
        yield "follows another pattern", "weakens"


def _wider(old: Json, new: Json, end: str) -> bool:
    if new is None:
        return True
    try:
        more = float(new) - float(old)
    except ValueError:  # days, as ISO texts
        more = (str(new) > str(old)) - (str(new) < str(old))
    return more < 0 if end == "low" else more > 0
