"""Which partitions changed, said before anything of the user's runs: tables whose new values are known are split first.

Splitting is looking, as digesting a source's file is: it reads values that exist, imports nothing of the user's, and what
it finds is stored, so that a run need not look again.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from lockgate.build.plan import make_plan, needed
from lockgate.errors import LockgateError
from lockgate.records.dataset import DATASET
from lockgate.records.plan import Plan, Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockgate.delivery.run import Planned

__all__ = ["looked"]


def looked(planned: Planned, carry_out: Callable[[Planned], object]) -> Planned:
    """The same plan, with partitions in place of `maybe` where a table only had to be split for it.

    A table that cannot be split leaves the plan as it is: the run will say why.

    Args:
        carry_out: executes a plan.
    """
    ready = [
        s.node for s in planned.plan.steps if isinstance(s.action, Run) and s.fingerprint and _splits(planned, s.node)
    ]
    if not ready:
        return planned
    wanted = set(needed(planned.graph, ready))
    part = replace(planned, plan=Plan(tuple(s for s in planned.plan.steps if s.node in wanted)))
    with contextlib.suppress(LockgateError, OSError):  # a store that cannot be written is no reason to say nothing
        carry_out(part)
    return replace(planned, plan=make_plan(planned.graph, planned.targets, planned.known))


def _splits(planned: Planned, name: str) -> bool:
    node = planned.graph.nodes[name]
    return node.codec == DATASET and node.each is None
