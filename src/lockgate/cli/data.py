"""`data list | add | log | diff | checkout | forget`: what sources hold and held."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.cells import counts, holds, when
from lockgate.cli.render import now, plain, print_json, table
from lockgate.project import open_project
from lockgate.records.digest import short
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    import argparse

NAMED = 20


def data_arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(action="list", json=False)
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    actions.add_parser("list", help="each source: is what it holds now kept? (without an action, too)")
    one = actions.add_parser("add", help="keep what a source holds now as a version, without running anything")
    one.add_argument("source")
    one.add_argument("--note", default="", metavar="TEXT", help="what later readers should know")
    actions.add_parser("log", help="the versions of a source, newest first").add_argument("source")
    two = actions.add_parser("diff", help="which files differ")
    two.add_argument("source")
    two.add_argument("before", nargs="?", help="latest, or the beginning of a digest (default: the newest version)")
    two.add_argument("after", nargs="?", help="the same (default: what the source holds now)")
    back = actions.add_parser("checkout", help="make a source's files those of a version")
    back.add_argument("source")
    back.add_argument("version", help="latest, or the beginning of a digest")
    back.add_argument("--discard", action="store_true", help="lose files that no version has")
    drop = actions.add_parser("forget", help="let `store gc` take a version that was added")
    drop.add_argument("source")
    drop.add_argument("version", help="the beginning of a digest")
    for each in (parser, *actions.choices.values()):
        each.add_argument("--json", action="store_true", help="for machines")


def data(arguments: argparse.Namespace) -> int:
    """One of the actions."""
    actions = {"list": _list, "add": _add, "log": _log, "diff": _diff, "checkout": _checkout, "forget": _forget}
    return actions[arguments.action or "list"](arguments)


def _list(arguments: argparse.Namespace) -> int:
    from lockgate.delivery.data.states import next_after, states

    project = open_project(Path.cwd())
    found = states(project, now=now())
    if arguments.json:
        print_json([to_json(s) for s in found])
        return 0
    rows = [
        [s.source, s.kind, s.state, short(s.version or ""), holds(s.files, s.rows, s.size_bytes), when(s.at), counts(s.since)]
        for s in found
    ]  # fmt: skip
    head = ["source", "kind", "state", "version", "holds", "noted", ""]
    print(table(rows, header=head) if rows else "no source in lockgate.toml")
    if way_on := next_after(project, found):
        print(f"next: {way_on}")
    return 0


def _add(arguments: argparse.Namespace) -> int:
    from lockgate.delivery.data.add import add

    added = add(open_project(Path.cwd()), arguments.source, now=now(), words=arguments.note)
    line = added.line
    if arguments.json:
        print_json({"source": added.source, "is_new": added.is_new, **to_json(line)})
        return 0
    how_much = holds(line.files, line.rows, line.size_bytes)
    print(f"{added.source} {short(line.version)}  {how_much}  {'kept' if added.is_new else 'kept already'}")
    return 0


def _log(arguments: argparse.Namespace) -> int:
    from lockgate.delivery.data.add import source_named
    from lockgate.delivery.sources.history import history_of

    project = open_project(Path.cwd())
    source_named(project, arguments.source)
    lines = history_of(project, arguments.source)[::-1]
    results = project.results("sources")
    gone = {v for v in {line.version for line in lines} if results.get(v) is None}
    if arguments.json:
        print_json([{**to_json(line), "here": line.version not in gone} for line in lines])
        return 0
    rows = [
        [short(line.version), when(line.at), line.by, holds(line.files, line.rows, line.size_bytes),
         "not in the store any more" if line.version in gone else line.note]
        for line in lines
    ]  # fmt: skip
    print(table(rows, header=["version", "noted", "by", "holds", "note"]) if rows else "no version yet")
    return 0


def _diff(arguments: argparse.Namespace) -> int:
    from lockgate.delivery.data.difference import compare

    project = open_project(Path.cwd())
    found = compare(project, arguments.source, arguments.before, arguments.after, now=now())
    if arguments.json:
        print_json(to_json(found))
        return 0
    print(counts(found) or "no difference")
    for mark, names in (("+", found.added), ("~", found.changed), ("-", found.removed)):
        for name in names[:NAMED]:
            print(plain(f"  {mark} {name}").replace("\n", "\\n"))
        if len(names) > NAMED:
            print(f"  {mark} … and {len(names) - NAMED:,} more (--json names all)")
    return 0


def _checkout(arguments: argparse.Namespace) -> int:
    from lockgate.delivery.data.checkout import checkout

    project = open_project(Path.cwd())
    done = checkout(project, arguments.source, arguments.version, now=now(), discard=arguments.discard)
    if arguments.json:
        print_json(to_json(done))
    else:
        print(f"{done.source} {short(done.version)}  {counts(done.done) or 'nothing to do'}")
    return 0


def _forget(arguments: argparse.Namespace) -> int:
    from lockgate.delivery.data.add import source_named
    from lockgate.delivery.sources.history import forget, identity_named

    project = open_project(Path.cwd())
    source_named(project, arguments.source)
    version = identity_named(project, arguments.source, arguments.version)
    forget(project, arguments.source, version)
    if arguments.json:
        print_json({"source": arguments.source, "version": version})
    else:
        print(f"{arguments.source} {short(version)}  forgotten; its bytes go with: lockgate store gc")
    return 0
