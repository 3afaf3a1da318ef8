"""`deliver --plan`: a delivery that has not begun, on one page."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.build import parameters
from lockgate.cli.render import WIDTH, now, plain, print_json, table
from lockgate.delivery.delivery_plan.make import delivery_plan
from lockgate.errors import UsageError
from lockgate.project import open_project
from lockgate.records.digest import short
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from lockgate.records.delivery_plan import ApprovalAhead, DeliveryPlan, GateAhead, WayBack

INDENT = " " * 10
GATES = ["gate", "rests on", "tells apart", "asks"]
NAMED = 6


def show(arguments: argparse.Namespace) -> int:
    """Print the plan; with `--save` keep it. Exit 0 whatever it says."""
    if not arguments.plan or arguments.planned:
        raise UsageError("--save keeps a plan", value="--save without --plan", allowed="--plan --save FILE")
    found = delivery_plan(open_project(Path.cwd()), now=now(), to=arguments.to, params=parameters(arguments.param))
    if arguments.save:
        from lockgate.delivery.delivery_plan.agreed import save_plan

        save_plan(arguments.save, found)
    if arguments.json:
        print_json(_json(found))
        return 0
    print(text(found))
    if arguments.save:
        print(f"\nplan {found.digest}\nnext: lockgate deliver --planned {arguments.save}")
    return 0


def _json(found: DeliveryPlan) -> object:
    """All but what decides about each step, which only the file needs; the digest is of the whole."""
    stages = [{"stage": n, "asks": t} for n, t in found.stages]
    return {
        "digest": found.digest,
        **{k: v for k, v in to_json(found).items() if k not in ("made_of", "code")},
        "stages": stages,
    }


def text(found: DeliveryPlan) -> str:
    """The page, no line longer than 100 columns."""
    last = found.to or (list(found.live) or [""])[-1]
    steps = [[s.name, s.action, f"{float(s.seconds):.1f} s" if s.seconds else "", s.reason] for s in found.steps]
    parts = [
        f"{found.pipeline}, as of {found.as_of}, up to {last}: plan {short(found.digest)}", "",
        table(steps, header=["step", "action", "took", "reason"]), "",
        table([_gate(g) for g in found.gates], header=GATES, whole=True), "",
        *_said("approval", _approvals(found.approvals) or ["nobody is asked"]),
        *_said("contract", _contract(found)),
        *_said("users", [*found.users.says, *([f"next: {found.users.next}"] if found.users.next else [])]),
        *_said("rollback", [_back(b) for b in found.back]),
        *_said("cost", [_cost(found)]),
    ]  # fmt: skip
    return "\n".join(parts)


def _gate(gate: GateAhead) -> list[str]:
    counts = ((gate.n, "row"), (gate.days, "day"), (gate.groups, "group"))
    rests_on = ", ".join(f"{n:,} {noun}{'s' * (n != 1)}" for n, noun in counts if n) or gate.rests_on
    return [gate.name, rests_on, _tells_apart(gate), gate.asks]


def _tells_apart(gate: GateAhead) -> str:
    if gate.resolves is None:
        return "–"
    size = float(gate.resolves)
    return f"± {100 * size:.2g} points" if gate.unit in ("percent", "harm") else f"± {size:.2g}"


def _approvals(asked: Iterable[ApprovalAhead]) -> Iterator[str] | list[str]:
    found: list[str] = []
    for each in asked:
        people = f"{each.need} {'person' if each.need == 1 else 'people'} as {each.role}, for {each.valid_for}"
        if not each.valid_for:
            people = f"every gate is measured again by {each.need} {each.role}{'s' * (each.need > 1)}"
        own = " (own work counts, flagged)" if each.flagged else ""
        out = f"; not {', '.join(each.excluded)}: own work" if each.excluded else ""
        enough = "" if each.possible else "; too few hold the role: lockgate people add"
        who = ", ".join(each.may) or "nobody"
        found.append(f"before {each.environment}: {people}: {who}{own}{out}{enough}")
    return found


def _contract(found: DeliveryPlan) -> list[str]:
    if found.contract is None:
        return [found.contract_unknown]
    said = [f"{c.where} {c.what}: {c.effect}" for c in found.contract]
    return said or ["request and response as the live release has them"]


def _back(back: WayBack) -> str:
    if back.release is None:
        return f"{back.environment}: none, {back.why}"
    stands = "stands" if back.stands else f"does not stand: {back.why}"
    return f"{back.environment}: back to {short(back.release)}, which {stands}"


def _cost(found: DeliveryPlan) -> str:
    unknown = found.unknown[:NAMED]
    more = f" and {len(found.unknown) - NAMED} more" if len(found.unknown) > NAMED else ""
    timed = any(s.seconds for s in found.steps)
    known = f"{found.seconds} s for what runs, by past runs" if timed else "0 s of steps that were timed"
    return f"{known}; not known: {', '.join(unknown)}{more}"


def _said(head: str, lines: Iterable[str]) -> Iterator[str]:
    """Lines behind a word, wrapped."""
    for line in lines:
        first = f"{head:<10}"
        yield textwrap.fill(plain(line), WIDTH, initial_indent=first, subsequent_indent=INDENT, break_on_hyphens=False)
        head = ""
