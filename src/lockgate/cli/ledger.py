"""`ledger`: what was decided, whether all of it still holds, a witness outside, and all of it for somebody else to check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.render import now, plain, print_json, table
from lockgate.errors import UsageError
from lockgate.project import open_project
from lockgate.records.digest import short
from lockgate.records.wire import to_json
from lockgate.stores import scheme_of

if TYPE_CHECKING:
    import argparse

    from lockgate.delivery.audit.bundle import Bundled
    from lockgate.project import Project


OPTIONS = {
    "push": "anchor", "key": "anchor", "fetch": "verify",
    "release": "bundle", "env": "bundle", "out": "bundle", "no_files": "bundle",
}  # fmt: skip
"""What may be given for which action only."""


def ledger_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["log", "verify", "anchor", "bundle"])
    parser.add_argument("release", nargs="?", help="bundle: latest, an environment, or the start of a digest")
    parser.add_argument("--push", metavar="REMOTE", help="anchor: give it to this git remote, too")
    parser.add_argument("--fetch", metavar="REMOTE", help="verify: hold it against the anchors of this git remote, too")
    parser.add_argument("--key", type=Path, metavar="FILE", help="anchor: the key to sign with (default: this copy's)")
    parser.add_argument("--env", help="bundle: for which environment (default: RELEASE if it is one, else the last)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="bundle: the zip to write")
    parser.add_argument("--no-files", action="store_true", help="bundle: only the list of the release's files")
    parser.add_argument("--json", action="store_true", help="for machines")


def ledger(arguments: argparse.Namespace) -> int:
    """What was decided; `verify` checks chain, signatures, anchors and what this copy saw before; `anchor` makes one; `bundle` is for auditors."""
    for option, action in OPTIONS.items():
        if getattr(arguments, option) and arguments.action != action:
            called = option if option == "release" else f"--{option.replace('_', '-')}"
            raise UsageError(
                f"{called} is for `ledger {action}`", value=arguments.action, next="lockgate ledger --help"
            )
    project = open_project(Path.cwd())
    {"log": _log, "verify": _verify, "anchor": _anchor, "bundle": _bundle}[arguments.action](project, arguments)
    return 0


def _log(project: Project, arguments: argparse.Namespace) -> None:
    from lockgate.delivery.ledger import lines

    found = lines(project)
    if arguments.json:
        print_json(found)
        return
    rows = [[str(e["seq"]), e["time"][:19], e["who"], e["what"], e["about"]] for e in found]
    print(table(rows, header=["#", "time (UTC)", "who", "what", "about"], whole=True))


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
    elif scheme_of(project.ledger_url) == "git":
        print("good  the ledger is a branch of git: every clone of it is an anchor, and this one saw no other history")
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


def _bundle(project: Project, arguments: argparse.Namespace) -> None:
    from lockgate.delivery.audit.bundle import bundle

    made = bundle(
        project, arguments.release or "latest", environment=arguments.env, to=arguments.out,
        with_files=not arguments.no_files, now=now(),
    )  # fmt: skip
    if arguments.json:
        print_json({**to_json(made), "path": str(made.path)})
    else:
        print("\n".join(_told(made)))


def _told(made: Bundled) -> list[str]:
    rows = [
        ["trust root", made.root],
        ["policy", made.policy],
        ["ledger head", made.head],
        ["verify.py", made.verifier],
    ]
    size = f"{made.files} files, {made.size_bytes:,} bytes"
    return [
        f"wrote {plain(str(made.path))}: release {short(made.release)} for {made.environment}, {size}",
        "",
        "tell the auditor these on another way than the file, which proves nothing without them:",
        table(rows),
        "",
        "they unpack it and run",
        f"  python3 verify.py --trust {made.root}",
    ]
