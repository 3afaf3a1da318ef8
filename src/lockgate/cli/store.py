"""`store`, `store check`, `store gc`: what lies in the store, whether it is whole, and what can go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.cells import count_bytes
from lockgate.cli.render import now, print_json, table
from lockgate.errors import UsageError
from lockgate.project import open_project
from lockgate.records.digest import short
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    import argparse

    from lockgate.delivery.store.check import Fault
    from lockgate.project import Project

DAMAGED = 4


def store_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=["size", "check", "gc"], default="size", help="without one: size")
    parser.add_argument(
        "--heal", action="store_true", help="check: bring back from a good copy, else forget; says each"
    )
    parser.add_argument("--keep", type=int, default=30, metavar="DAYS", help="gc: keep what is younger (default: 30)")
    parser.add_argument("--yes", action="store_true", help="gc: remove it; without, only say what would go")
    parser.add_argument("--json", action="store_true", help="for machines")


def store(arguments: argparse.Namespace) -> int:
    """Size by kind, or one of the two actions."""
    for flag, action in (("heal", "check"), ("yes", "gc")):
        if getattr(arguments, flag) and arguments.action != action:
            raise UsageError(
                f"--{flag} belongs to another action",
                value=arguments.action,
                allowed=f"lockgate store {action} --{flag}",
            )
    if arguments.keep < 0:
        raise UsageError("not a number of days", value=str(arguments.keep), allowed="0 or more")
    project = open_project(Path.cwd())
    match arguments.action:
        case "check":
            return _check(project, heal=arguments.heal, as_json=arguments.json)
        case "gc":
            return _gc(project, keep_days=arguments.keep, really=arguments.yes, as_json=arguments.json)
        case _:
            return _size(project, as_json=arguments.json)


def _size(project: Project, *, as_json: bool) -> int:
    from lockgate.delivery.store.size import sizes

    parts = sizes(project)
    if as_json:
        print_json([to_json(p) for p in parts])
        return 0
    rows = [
        [p.kind, f"{p.count:,}", count_bytes(p.size_bytes), "this machine" if p.here else "the store"] for p in parts
    ]
    total = sum(p.size_bytes for p in parts if not p.here)
    print(table([*rows, ["in the store", "", count_bytes(total), ""]], header=["what", "how many", "size", "where"]))
    return 0


def _check(project: Project, *, heal: bool, as_json: bool) -> int:
    from lockgate.delivery.store.check import check

    found = check(project, heal=heal, tell=(lambda _: None) if as_json else _tell)
    if as_json:
        print_json({**to_json(found), "good": found.is_good})
    else:
        left = sum(not f.healed for f in found.faults)
        size = f"{found.objects:,} objects ({count_bytes(found.size_bytes)}) and {found.records:,} records read"
        healed = len(found.faults) - left
        state = "all good" if not found.faults else f"{left} damaged" + (f", {healed} healed" if healed else "")
        print(f"{size}: {state}")
        if left and not heal:
            print("next: lockgate store check --heal")
    return 0 if found.is_good else DAMAGED


def _tell(fault: Fault) -> None:
    """Three lines each: what, what it belongs to, and how to get it back or what was done."""
    print(f"{fault.state} {fault.what} {short(fault.key)}  {fault.key}")
    print(f"  belongs to: {'; '.join(fault.words)}")
    print(f"  healed:     {fault.healed}" if fault.healed else f"  next:       {fault.next}")


def _gc(project: Project, *, keep_days: int, really: bool, as_json: bool) -> int:
    from lockgate.delivery.store.gc import collect, find_garbage

    garbage = (collect if really else find_garbage)(project, now=now(), keep_days=keep_days)
    if as_json:
        print_json({"removed": really, "size_bytes": garbage.size_bytes, "kept": garbage.kept,
                    "objects": [h.key for h in garbage.objects],
                    "records": [{"kind": k, "key": key} for k, key, _ in garbage.records]})  # fmt: skip
        return 0
    kinds = [k for k, _, _ in garbage.records]
    rows = [["objects", f"{len(garbage.objects):,}", count_bytes(sum(h.size_bytes for h in garbage.objects))]]
    rows += [[f"records: {k}", f"{kinds.count(k):,}", count_bytes(sum(s for x, _, s in garbage.records if x == k))]
             for k in dict.fromkeys(kinds)]  # fmt: skip
    print(table(rows, header=["removed" if really else "would be removed", "how many", "size"]))
    print(f"kept: {garbage.kept:,} objects ({count_bytes(garbage.kept_bytes)})")
    if not really and (garbage.objects or garbage.records):
        print(f"next: lockgate store gc --keep {keep_days} --yes")
    return 0
