"""`ledger`: what was decided, whether all of it still holds, and a witness outside."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.render import plain, print_json, table
from lockgate.errors import UsageError
from lockgate.project import open_project

if TYPE_CHECKING:
    import argparse

    from lockgate.project import Project


def ledger_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["log", "verify", "anchor"])
    parser.add_argument("--push", metavar="REMOTE", help="anchor: give it to this git remote, too")
    parser.add_argument("--fetch", metavar="REMOTE", help="verify: hold it against the anchors of this git remote, too")
    parser.add_argument("--key", type=Path, metavar="FILE", help="anchor: the key to sign with (default: this copy's)")
    parser.add_argument("--json", action="store_true", help="for machines")


def ledger(arguments: argparse.Namespace) -> int:
    """What was decided; `verify` checks chain, signatures, anchors and what this copy saw before; `anchor` makes one."""
    for option, action in (("push", "anchor"), ("fetch", "verify"), ("key", "anchor")):
        if getattr(arguments, option) and arguments.action != action:
            raise UsageError(
                f"--{option} is for `ledger {action}`", value=arguments.action, next="lockgate ledger --help"
            )
    project = open_project(Path.cwd())
    {"log": _log, "verify": _verify, "anchor": _anchor}[arguments.action](project, arguments)
    return 0


def _log(project: Project, arguments: argparse.Namespace) -> None:
    from lockgate.delivery.ledger import lines

    found = lines(project)
    if arguments.json:
        print_json(found)
        return
    rows = [[str(e["seq"]), e["time"][:19], e["who"], e["what"], e["about"]] for e in found]
    print(table(rows, header=["#", "time (UTC)", "who", "what", "about"]))


def _verify(project: Project, arguments: argparse.Namespace) -> None:
    from lockgate.delivery.ledger import verified

    report = verified(project, fetch=arguments.fetch)
    if arguments.json:
        print_json(report)
        return
    print(f"good  {report['entries']} entries, {report['set_aside']} set aside, head {report['head']}")
    if report["anchors"]:
        anchors = "1 anchor" if report["anchors"] == 1 else f"{report['anchors']} anchors"
        print(f"good  {anchors} in git, the newest behind entry {report['anchored'] - 1}")
    else:
        print(
            "no anchor in git: who runs the ledger could rewrite it for who has not seen it yet (lockgate ledger anchor)"
        )


def _anchor(project: Project, arguments: argparse.Namespace) -> None:
    from lockgate.delivery.anchor import anchor

    ref, commit, head = anchor(project, push=arguments.push, key=arguments.key)
    if arguments.json:
        print_json({"ref": ref, "commit": commit, "size": head.size, "head": head.digest, "pushed": arguments.push})
        return
    print(plain(f"done  {head.size} entries are anchored by {commit[:12]} of {ref}"))
    print(
        f"it is at {arguments.push}, too" if arguments.push else f"next: git push origin {ref}   (where others keep it)"
    )
