"""What a rule demanded, as a product owner says it: no names of settings, no signs, per cent where shares are meant."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from lockgate.gates.rules import sentences
from lockgate.records.digest import Json
from lockgate.records.evidence import Evidence, Verdict
from lockgate.release.inspected import demanded
from lockgate.release.wording import SHARE, count, decimal_of, number, plain, round_percent

__all__ = ["limits"]


def limits(verdict: Verdict, evidence: Evidence | None = None) -> str:
    """What a rule demanded, in words; a rule of somebody's own as its limits are named.

    >>> limits(Verdict(gate="champion", kind="champion", outcome="pass", reason="", threshold={"margin": "0.02"}))
    'may be at most 2% worse'
    """
    of = verdict.threshold
    params = evidence.params if evidence else {}
    numbers = {name: decimal_of(str(value)) for name, value in of.items()}
    if any(value is None for value in numbers.values()):
        return _named(of)
    held = {name: value for name, value in numbers.items() if value is not None}
    unit = evidence.statistic.unit if evidence else ""
    match sorted(held):
        case ["margin"] if verdict.kind in COMPARED:
            strict = COMPARED[verdict.kind]
            return _compared(-held["margin"] if strict else held["margin"], strict=strict)
        case ["nominal", "tolerance"]:
            low, high = (str(held["nominal"] + sign * held["tolerance"]) for sign in (-1, 1))
            return (
                f"{round_percent(str(held['nominal']))} promised, {round_percent(low)} to {round_percent(high)} allowed"
            )
        case ["tolerance"] if verdict.kind == "representation":
            return f"at most {round_percent(str(held['tolerance'])).removesuffix('%')} points off"
        case ["worst_over_best"]:
            return f"at most {sentences.number(held['worst_over_best'])} times"
        case ["max_bad_share", "min_days", "min_rows"]:
            return _enough(held, str(params.get("per") or ""))
        case ["min_ratio"]:
            return f"at least {sentences.number(held['min_ratio'])} times"
        case ["max_difference"]:
            return f"at most {round_percent(str(held['max_difference'])).removesuffix('%')} points apart"
        case ["max_rows"]:
            return (
                "none may differ"
                if not held["max_rows"]
                else f"at most {sentences.number(held['max_rows'])} may differ"
            )
        case ["at_most" | "at_least" as side]:
            bound = str(held[side])
            return f"{plain(side)} {round_percent(bound) if unit == SHARE else number(bound, unit)}"
        case []:
            return demanded({}, kind=verdict.kind) or "none"
        case _:
            return demanded(held, kind=verdict.kind) or _named(of)


COMPARED: Mapping[str, bool] = {"beats_baseline": True, "champion": False}  # kind → whether equal is too little


def _compared(harm: Decimal, *, strict: bool) -> str:
    """The largest harm that is allowed; below zero a gain is demanded."""
    size = round_percent(str(abs(harm)))
    if harm < 0:
        return f"must be {'more than' if strict else 'at least'} {size} better"
    if harm > 0:
        return f"{'must be less than' if strict else 'may be at most'} {size} worse"
    return "must be better at all" if strict else "must not be worse"


def _enough(held: Mapping[str, Decimal], per: str) -> str:
    rows = f"at least {count(int(held['min_rows']), 'row')}" + (f" in each {plain(per)}" if per else "")
    days = f", on at least {count(int(held['min_days']), 'day')}" if held["min_days"] > 1 else ""
    bad = f"at most {round_percent(str(held['max_bad_share']))} bad" if held["max_bad_share"] else "none bad"
    return f"{rows}{days}, {bad}"


def _named(threshold: Mapping[str, Json]) -> str:
    return ", ".join(f"{plain(name)} {_value(value)}" for name, value in threshold.items()) or "none"


def _value(value: Json) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(str(v) for v in value)
    return f"{value:,}" if isinstance(value, int) else str(value)
