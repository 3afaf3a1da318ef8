"""`ledger log | verify | bundle`: what was decided, whether it holds, and all of it for somebody else to check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.render import now, plain, print_json, table
from lockgate.errors import UsageError
from lockgate.project import open_project
from lockgate.records.digest import short
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    import argparse

    from lockgate.delivery.audit.bundle import Bundled


def ledger_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["log", "verify", "bundle"])
    parser.add_argument("release", nargs="?", help="bundle: latest, an environment, or the start of a digest")
    parser.add_argument("--env", help="bundle: for which environment (default: RELEASE if it is one, else the last)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="bundle: the zip to write")
    parser.add_argument(
        "--no-files", action="store_true", help="bundle: leave the release's files out, and keep the list of them"
    )
    parser.add_argument("--json", action="store_true", help="for machines")


def ledger(arguments: argparse.Namespace) -> int:
    """What was decided; `verify` checks chain, signatures and what this copy saw before; `bundle` is for auditors."""
    if arguments.action != "bundle" and (arguments.release or arguments.env or arguments.out or arguments.no_files):
        raise UsageError(
            f"`ledger {arguments.action}` takes no release, --env, --out or --no-files", next="lockgate ledger --help"
        )
    return {"log": _log, "verify": _verify, "bundle": _bundle}[arguments.action](arguments)


def _verify(arguments: argparse.Namespace) -> int:
    from lockgate.delivery.ledger import verified

    report = verified(open_project(Path.cwd()))
    if arguments.json:
        print_json(report)
    else:
        print(f"good  {report['entries']} entries, {report['set_aside']} set aside, head {report['head']}")
    return 0


def _log(arguments: argparse.Namespace) -> int:
    from lockgate.delivery.ledger import lines

    found = lines(open_project(Path.cwd()))
    if arguments.json:
        print_json(found)
        return 0
    rows = [[str(e["seq"]), e["time"][:19], e["who"], e["what"], e["about"]] for e in found]
    print(table(rows, header=["#", "time (UTC)", "who", "what", "about"]))
    return 0


def _bundle(arguments: argparse.Namespace) -> int:
    from lockgate.delivery.audit.bundle import bundle

    made = bundle(
        open_project(Path.cwd()), arguments.release or "latest", environment=arguments.env, to=arguments.out,
        with_files=not arguments.no_files, now=now(),
    )  # fmt: skip
    if arguments.json:
        print_json({**to_json(made), "path": str(made.path)})
    else:
        print("\n".join(_told(made)))
    return 0


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
