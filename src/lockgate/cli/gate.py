"""`gate judge`, `gate plan`, `gate backtest`: what a gate says, what gates can tell, and would have said on past days."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.backtest import backtest, backtest_arguments
from lockgate.cli.judge import judge, judge_arguments
from lockgate.cli.render import now, plain, print_json, table
from lockgate.errors import UsageError
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from lockgate.gates.planning import GatePlan

NO_EVIDENCE = "no evidence yet"
STATED = ("rows", "rate", "limit", "groups", "discordance", "accuracy", "spread")


def gate_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    judge_arguments(actions.add_parser("judge", help="one gate on one release: measure, decide, sign"))
    one = actions.add_parser(
        "plan", help="how likely each gate passes, stays uncertain or fails, before anybody trains"
    )
    one.add_argument("gate", nargs="?", help="only this gate (default: all that are declared)")
    one.add_argument("--metric", metavar="NAME", help="only gates that judge by this metric")
    one.add_argument("--rows", type=int, metavar="N", help="without any evidence: so many rows in the holdout")
    one.add_argument("--rate", type=float, metavar="P", help="… a share of them around P")
    one.add_argument("--groups", type=int, metavar="G", help="… compared between G groups of equal size")
    one.add_argument("--discordance", type=float, metavar="P", help="… share right in only one of two releases")
    one.add_argument("--accuracy", type=float, metavar="A", help="… share that the live one of the two gets right")
    one.add_argument("--spread", type=float, metavar="S", help="… standard deviation of what is averaged")
    one.add_argument("--limit", type=float, metavar="D", help="… and the limit")
    backtest_arguments(
        actions.add_parser(
            "backtest", help="past days through today's policy: what would have shipped, and what followed"
        )
    )
    for each in actions.choices.values():
        each.add_argument("--json", action="store_true", help="for machines")


def gate(arguments: argparse.Namespace) -> int:
    """One of the actions."""
    return {"judge": judge, "plan": _plan, "backtest": backtest}[arguments.action](arguments)


def _plan(arguments: argparse.Namespace) -> int:
    if any(getattr(arguments, name) is not None for name in STATED):
        plans: Sequence[GatePlan] = [_stated(arguments)]
    else:
        from lockgate.delivery.judging.gate_plan import gate_plans
        from lockgate.project import open_project

        plans = gate_plans(open_project(Path.cwd()), now=now(), gate=arguments.gate, metric=arguments.metric)
    if arguments.json:
        print_json([to_json(p) for p in plans])
        return 0
    blank = [p for p in plans if not p.rows]
    parts = [_lines(p) for p in plans if p.rows]
    if blank:
        parts.append(table([[p.gate, p.asks, p.why] for p in blank], header=["no plan", "asks", "why"]))
    print("\n\n".join(parts))
    if any(p.why == NO_EVIDENCE for p in blank):
        print(
            "next: lockgate deliver, or state numbers: lockgate gate plan --rows 2000 --rate 0.3 --groups 2 --limit 0.1"
        )
    return 0


def _stated(arguments: argparse.Namespace) -> GatePlan:
    """A plan from numbers alone; it needs no project."""
    from lockgate.gates.planning import of_numbers

    named = {name: getattr(arguments, name) for name in STATED}
    if arguments.gate or arguments.metric:
        what = "stated numbers are a plan of their own"
        raise UsageError(what, value=arguments.gate or arguments.metric, allowed="a gate's name or numbers, not both")
    return of_numbers(**named)


def _lines(plan: GatePlan) -> str:
    rows = [
        [
            f"  {_value(r.true, plan)}",
            r.where,
            *(_share(s) for s in (r.chances.passes, r.chances.uncertain, r.chances.fails)),
        ]
        for r in plan.rows
    ]
    grid = table(rows, header=["  if the truth is", "", "pass", "uncertain", "fail"])
    return f"{plain(plan.gate)}: {plain(plan.asks)}; {plain(plan.basis)}\n{grid}\n{_resolves(plan)}"


def _resolves(plan: GatePlan) -> str:
    """What it can tell apart, and from how many rows on an easy truth passes."""
    apart = (
        f"{plan.resolves or 0.0:.2g}"
        if plan.reads in ("number", "times")
        else f"{100 * (plan.resolves or 0.0):.2g} points"
    )
    tells = f"  Decided four times in five when the truth lies {apart} or more away from the limit."
    at = _value(plan.needed_at or 0.0, plan)
    if plan.needed is None:
        return f"{tells}\n  No number of {plan.unit} lets a truth of {at} pass four times in five."
    return f"{tells}\n  A truth of {at} passes four times in five from {plan.needed:,} {plan.unit} on."


def _value(value: float, plan: GatePlan) -> str:
    """A true value as the gate's limit is written."""
    if plan.reads == "harm":
        side = "" if not value else " worse" if value > 0 else " better"
        return f"{100 * abs(value):.3g}%{side}"
    if plan.reads == "percent":
        return f"{100 * value:.3g}%"
    return f"{value:.3g}" + (" times" if plan.reads == "times" else "")


def _share(share: float) -> str:
    """A chance in per cent, as far as it means something.

    >>> _share(0.0004), _share(0.025), _share(0.354), _share(0.9999)
    ('<1%', '2.5%', '35%', '>99%')
    """
    if share < 0.005:
        return "<1%"
    return ">99%" if share >= 0.995 else f"{share:.1%}" if share < 0.0995 else f"{share:.0%}"
