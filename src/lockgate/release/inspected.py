"""What the gates on a release as a thing demanded, in words: one phrase per limit, and one for those that have none."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from lockgate.gates.rules.sentences import number
from lockgate.release.wording import count, round_percent

__all__ = ["demanded"]

NO_LIMIT = {
    "formats": "allowed formats only, no pickle, no program", "documentation": "every required field of the card",
    "export": "no answer may differ", "integration": "none may differ, no contract may break",
}  # fmt: skip
NONE = {
    "max_breaking": "change that breaks callers", "max_shared_keys": "row in both tables", "max_future_rows": "row of the future",
    "max_shared_groups": "group on both sides",
}  # fmt: skip
SHARES = {
    "max_near_share": "nearly the same rows: at most",
    "max_skill_share": "a single feature's share of the skill: below",
}
MOST = {
    "p50_ms": ("half of all answers in", "ms"), "p95_ms": ("95% of all answers in", "ms"), "p99_ms": ("99% of all answers in", "ms"),
    "cold_start_s": ("first answer in", "s"), "memory_mb": ("memory", "MiB"), "artifact_mb": ("files", "MiB"),
    "max_data_days": ("data", "days old"), "max_model_days": ("model", "days old"), "max_holdout_days": ("test data", "days old"),
}  # fmt: skip


def demanded(held: Mapping[str, Decimal], *, kind: str) -> str:
    """The demand in words; "" when it is not one of these gates'.

    >>> demanded({"p95_ms": Decimal(50), "memory_mb": Decimal(500)}, kind="budget")
    '95% of all answers in at most 50 ms, memory at most 500 MiB'
    """
    if not held:
        return NO_LIMIT.get(kind, "")
    phrases = [_phrase(name, limit) for name, limit in held.items()]
    return ", ".join(phrases) if all(phrases) else ""


def _phrase(name: str, limit: Decimal) -> str:
    if name in NONE:
        return f"no {NONE[name]}" if not limit else f"at most {count(int(limit), NONE[name].split()[0])} ({NONE[name]})"
    if name in SHARES:
        return f"{SHARES[name]} {round_percent(str(limit))}"
    if name in MOST:
        what, unit = MOST[name]
        return f"{what} at most {number(limit)} {unit}"
    if name == "max_share":
        return "none may differ" if not limit else f"at most {round_percent(str(limit))} may differ"
    return f"at least {count(int(limit), 'day')} between" if name == "min_gap_days" else ""
