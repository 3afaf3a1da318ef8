"""Can everybody who uses the live release use this one, unchanged?

The schemas are held against each other, and every consumer's contract against the new one, before anything is deployed;
`integration` asks the deployed release afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping

from lockgate.gates.evidence import EXAMPLES, unmeasured
from lockgate.gates.promises import Change, consumer_problems, data_changes, schema_changes
from lockgate.gates.served import read_contract
from lockgate.records.digest import Json
from lockgate.records.evidence import Estimate, Evidence

__all__ = ["evidence"]

KIND = "compatibility"
NAME = "breaking_changes"


def evidence(
    release: Mapping[str, Json], live: Mapping[str, Json] | None, contracts: Mapping[str, Json] | None,
    *, consumers: str | None = None,
) -> Evidence:  # fmt: skip
    """Count changes that break callers, consumers whose contract does not fit, and promises of data that got weaker.

    Args:
        contracts: the consumers' contract files in the folder `consumers`, file name → text.
    """
    if live is None and consumers is None:
        why = "there is no live release yet, and nobody consumes it"
        return unmeasured(KIND, NAME, why, applicable=False, folder=consumers)
    read = [read_contract(str(t), where=f"{consumers}/{n}") for n, t in sorted((contracts or {}).items())]
    broken = [(c.consumer, found) for c in read if (found := consumer_problems(c, release["predictor"]))]
    changes = () if live is None else _changes(live, release)
    counts = {effect: sum(c.effect == effect for c in changes) for effect in ("breaks", "weakens", "fits")}
    rows: list[Mapping[str, Json]] = [{"consumer": name, "problems": list(found)} for name, found in broken]
    rows += [{"where": c.where, "what": c.what, "effect": c.effect} for c in sorted(changes, key=lambda c: c.effect)]
    return Evidence(
        gate=KIND, kind=KIND, rows=tuple(rows[:EXAMPLES]), statistic=_count(NAME, counts["breaks"], len(changes)),
        also=(
            _count("weaker_promises", counts["weakens"], len(changes)), _count("other_changes", counts["fits"], len(changes)),
            _count("consumers_that_break", len(broken), len(read)),
        ),
        params={"consumers": sorted(c.consumer for c in read), "folder": consumers, "live": live is not None},
    )  # fmt: skip


def _changes(live: Mapping[str, Json], release: Mapping[str, Json]) -> tuple[Change, ...]:
    before, after = (m.get("lineage", {}).get("contracts", {}) for m in (live, release))
    return (*schema_changes(live["predictor"], release["predictor"]), *data_changes(before, after))


def _count(name: str, value: int, n: int) -> Estimate:
    return Estimate(name=name, value=str(value), n=n, method="every field compared", unit="changes")
