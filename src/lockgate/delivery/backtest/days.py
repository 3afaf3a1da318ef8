"""Which past days are replayed, and on which later ones what followed is known."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence

from lockgate.errors import UsageError

__all__ = ["every_days", "grid", "later", "soonest"]

PERIODS = {"day": 1, "week": 7}
MOST = 1_000
"""Days to replay; a slip of the pen should not start a thousand trainings."""


def every_days(text: str) -> int:
    """How many days lie between two replayed ones.

    >>> every_days("week"), every_days("28d")
    (7, 28)
    """
    found = PERIODS.get(text) or (int(m[1]) if (m := re.fullmatch(r"(\d{1,4})d", text)) else 0)
    if not found:
        raise UsageError("not a period", value=text, allowed="day, week, or days such as 28d", next="--every week")
    return found


def grid(since: dt.date, until: dt.date, step: int, *, today: dt.date) -> tuple[dt.date, ...]:
    """The days to replay, ascending, both ends included.

    >>> [str(d) for d in grid(dt.date(2011, 10, 1), dt.date(2011, 10, 10), 7, today=dt.date(2011, 10, 15))]
    ['2011-10-01', '2011-10-08']
    """
    if until > today:
        raise UsageError(
            "a backtest replays the past", value=f"until {until}", allowed=f"the project believes it is {today}"
        )
    if since > until:
        raise UsageError(
            "nothing lies between these days", value=f"{since} to {until}", allowed="--since before --until"
        )
    count = (until - since).days // step + 1
    if count > MOST:
        raise UsageError(
            "that is a long backtest", value=f"{count:,} days", allowed=f"at most {MOST:,}", next="--every 28d"
        )
    return tuple(since + dt.timedelta(days=step * number) for number in range(count))


def later(last: dt.date, step: int, *, today: dt.date) -> tuple[dt.date, ...]:
    """The days after the last replayed one on which more is known of what followed; today is one of them."""
    count = max(0, (today - last).days // step)
    days = [last + dt.timedelta(days=step * number) for number in range(1, count + 1)]
    return tuple(days if today in (last, *days) else [*days, today])


def soonest(
    day: dt.date, later_days: Sequence[dt.date], asked: Callable[[dt.date], Sequence[dt.date]], *, days: int
) -> tuple[dt.date, dt.date] | None:
    """The later day whose holdout asks soonest after `day` and knows all of the `days` days that follow; and since when it asks.

    Where none knows all of them, the one that knows most. None: no holdout asks from `day` on.

    Args:
        asked: later day → the days on which its holdout asks; called in order, and no more than is needed.
    """
    best: tuple[dt.date, dt.date] | None = None
    for seen in later_days:
        since = min((d for d in asked(seen) if d >= day), default=None)
        if since is None or (best and since > best[1]):
            continue
        best = (seen, since)
        if since + dt.timedelta(days=days) <= seen:
            break
    return best
