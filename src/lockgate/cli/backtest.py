"""`gate backtest`."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.build import parameters, watched
from lockgate.cli.cells import PARAM
from lockgate.cli.render import WIDTH, now, plain, print_json, table
from lockgate.errors import UsageError
from lockgate.project import open_project
from lockgate.records.day import read_day
from lockgate.records.digest import short
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    import argparse
    import datetime as dt

    from lockgate.records.backtest import Backtest, ReplayedDay
    from lockgate.records.evidence import Estimate

HEADER = ("day", "verdict", "first gate", "predicted", "followed", "without it", "worse")


def backtest_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--since", required=True, type=_day, metavar="DATE", help="the first day to replay")
    parser.add_argument("--until", type=_day, metavar="DATE", help="the last one (default: the project's day)")
    parser.add_argument(
        "--every", default="week", metavar="PERIOD", help="day, week, or days such as 28d (default: week)"
    )
    parser.add_argument(
        "--follow", type=int, metavar="DAYS", help="look at so many days after each (default: until the next)"
    )
    parser.add_argument("--accept-uncertain", action="store_true", help="as if people accepted every uncertain gate")
    parser.add_argument("--param", action="append", default=[], metavar="STEP.NAME=VALUE", help=PARAM)


def backtest(arguments: argparse.Namespace) -> int:
    """Print the table and what came of it. Exit 0 whatever the policy would have done."""
    from lockgate.delivery.backtest.backtest import BacktestDays
    from lockgate.delivery.backtest.backtest import backtest as replay
    from lockgate.delivery.backtest.days import every_days

    if arguments.follow is not None and arguments.follow < 1:
        raise UsageError("nothing to follow", value=f"--follow {arguments.follow}", allowed="1 or more days")
    wish = BacktestDays(
        since=arguments.since, until=arguments.until, every_days=every_days(arguments.every), follow_days=arguments.follow,
        accepted=arguments.accept_uncertain, params=parameters(arguments.param),
    )  # fmt: skip
    found = watched(lambda tell: replay(open_project(Path.cwd()), wish, now=now(), tell=tell))
    print_json(to_json(found)) if arguments.json else print(text(found))
    return 0


def text(found: Backtest) -> str:
    """The page: what was asked, a line per day, notes on what is missing, one sentence."""
    from lockgate.gates.replay import in_a_sentence

    words = found.metric.get("words") or "error"
    head = (
        f"{found.project}: policy {short(found.policy)} on {len(found.days)} past days, {words}; "
        f"looked at {found.follow_days} days after each"
    )
    said = [_wrapped(head), "", table([_row(d) for d in found.days], header=HEADER), ""]
    return "\n".join([*said, *map(_wrapped, _notes(found)), _wrapped(in_a_sentence(found))])


def _row(day: ReplayedDay) -> list[str]:
    after = day.followed
    other = _number(after.theirs) + (" *" if after.against == "baseline" else "") if after and after.theirs else "–"
    worse = "?" if day.worse is None else ("yes" if day.worse else "no") + ("" if day.clear else " ~")
    return [
        str(day.day), day.outcome, day.gate or "–", _number(day.predicted), _number(after.ours) if after else "–", other,
        worse if after and after.relative else "–",
    ]  # fmt: skip


def _number(estimate: Estimate | None) -> str:
    if estimate is None or estimate.value is None:
        return "–"
    value = float(estimate.value)
    return f"{value:.1%}" if estimate.unit == "share" else f"{value:.4g}"


def _notes(found: Backtest) -> list[str]:
    """What the table cannot say."""
    days = found.days
    notes = [f"source {name}: {how}" for name, how in found.shown.items()]
    if any(d.worse is not None and not d.clear for d in days):
        notes.append("~ by less than chance explains, or on too few days to tell (--follow looks at more)")
    if any(d.followed and d.followed.against == "baseline" for d in days):
        notes.append("* nothing was live: the simple method that the policy names")
    if found.not_judged:
        notes.append(f"not judged, as nothing is deployed: {', '.join(found.not_judged)}")
    if any(d.outcome == "asked" for d in days):
        notes.append("asked: a person must weigh it; taken as not shipped (--accept-uncertain takes it as shipped)")
    notes += [f"{d.day} not made: {plain(d.reason)}" for d in days if d.outcome == "not made"]
    unknown = {d.unknown for d in days if d.unknown and d.release}
    notes += [
        f"{', '.join(str(d.day) for d in days if d.unknown == why and d.release)}: {plain(why)}"
        for why in sorted(unknown)
    ]
    return notes


def _wrapped(line: str) -> str:
    return textwrap.fill(line, WIDTH, subsequent_indent="  ")


def _day(text: str) -> dt.date:
    """A date argument; ValueError would be reported with the function's name."""
    try:
        return read_day(text)
    except ValueError:
        raise UsageError("not a day", value=text, allowed="YYYY-MM-DD") from None
