"""`gate backtest`: past days through today's policy, and the error that followed each.

Every day is trained on what was known then, bundled, and judged by today's gates against the release that would have been
live. What it shipped answers until the next one is shipped. Then what was asked from that day on is looked up in the holdout
of a later day, and answered by the release of the day and by what was live without it. Nothing is said in the ledger and no
environment is asked; what is made is stored under fingerprints, so a second backtest does nothing twice.
"""

from __future__ import annotations

import datetime as dt
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.build.execute import Event
from lockgate.delivery.backtest.aside import set_aside
from lockgate.delivery.backtest.days import grid, later
from lockgate.delivery.backtest.following import Following
from lockgate.delivery.backtest.past import past_of
from lockgate.delivery.backtest.replaying import Replaying
from lockgate.delivery.graph import graph_of
from lockgate.delivery.run import sources_of
from lockgate.delivery.walk import walk_of
from lockgate.gates.replay import counted
from lockgate.records.backtest import Backtest

if TYPE_CHECKING:
    from lockgate.project import Project
    from lockgate.records.digest import Json

__all__ = ["BacktestDays", "backtest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestDays:
    """What to replay.

    Attributes:
        until: the last day; None: the day the project believes it is.
        follow_days: how many days after each are looked at; None: until the next one.
        accepted: people accept every uncertain gate; else such a release waits and what was live stays.
    """

    since: dt.date
    until: dt.date | None = None
    every_days: int = 7
    follow_days: int | None = None
    accepted: bool = False
    params: Mapping[str, Mapping[str, Json]] = field(default_factory=dict[str, "Mapping[str, Json]"])


def backtest(
    project: Project, wish: BacktestDays, *, now: dt.datetime, tell: Callable[[Event], None] = lambda _: None
) -> Backtest:
    """Replay, day by day. A day that cannot be made stands in the answer with its reason.

    Raises:
        UsageError: days that make no sense; a source that does not say what of it was known when.
        NotFound: nothing was known on the first day; no delivery pipeline or policy.
    """
    began, now_ns = time.monotonic(), int(now.timestamp() * 1e9)
    graph = graph_of(project, now_ns=now_ns)
    walk, today = walk_of(project, graph), project.as_of(now.date())
    days = grid(wish.since, wish.until or today, wish.every_days, today=today)
    all_days = (*days, *later(days[-1], wish.every_days, today=today))
    tell(Event("", "note", "looking at what the sources held on each day"))
    times = tuple((walk.training.predictor or {}).get("state", {}).values())
    past = past_of(project, sources_of(graph, walk.training.nodes), all_days, times=times, now_ns=now_ns)
    follow_days, scratch = wish.follow_days or wish.every_days, project.home / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{os.getpid()}-backtest-", dir=scratch) as folder:  # a killed one is swept
        aside = set_aside(project, graph, Path(folder), params=wish.params, now=now)
        replaying = Replaying(project, aside, past, now, tell, accepted=wish.accepted)
        replayed = replaying.go(days)
        following = Following(aside, replaying.run, all_days, follow_days, tell, replaying.metric, replaying.holdouts)
        made = tuple(following.of(day) for day in replayed)
    stops, passes, asked = counted(made)
    return Backtest(
        project=project.settings.name, since=days[0], until=days[-1], every_days=wish.every_days, follow_days=follow_days,
        policy=walk.digest, metric=replaying.metric, days=made, false_stops=stops, false_passes=passes, asked=asked,
        shown=past.shown, accepted=wish.accepted, seconds=round(time.monotonic() - began, 1),
        not_judged=tuple(n for n, g in walk.gates.items() if "served" in g["takes"]),
    )  # fmt: skip
