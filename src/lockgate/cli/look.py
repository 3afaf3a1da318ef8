"""`show`, `diff`, `runs`, `releases`, `evidence`, `status`, `ledger`."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.render import print_json, table
from lockgate.errors import NotFound
from lockgate.project import open_project
from lockgate.records.digest import short
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    import argparse


def _json_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for machines")


def show_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ref", help="a step, or a release (latest, an environment, the start of a digest)")
    parser.add_argument("--to", type=Path, metavar="FILE", help="copy the bytes there")
    _json_flag(parser)


def diff_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("before", help="latest, an environment, or the start of a digest")
    parser.add_argument("after")
    _json_flag(parser)


def runs_arguments(parser: argparse.ArgumentParser) -> None:
    _json_flag(parser)


def releases_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rejected", action="store_true", help="only those that were stopped, with the reason")
    _json_flag(parser)


def evidence_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ref", nargs="?", default="latest")
    parser.add_argument("--env", help="for which environment (default: the last one)")
    parser.add_argument("--to", type=Path, metavar="FILE", help="copy the page there")
    _json_flag(parser)


def status_arguments(parser: argparse.ArgumentParser) -> None:
    _json_flag(parser)


def ledger_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["log", "verify"])
    _json_flag(parser)


def show(arguments: argparse.Namespace) -> int:
    """An artifact of a step, or a release's manifest."""
    from lockgate.delivery import look

    project = open_project(Path.cwd())
    try:
        shown = look.show(project, arguments.ref, now=_now())
    except NotFound as error:
        return _show_release(arguments, error)
    artifact = shown.artifact
    if arguments.to:
        shutil.copyfile(shown.path, arguments.to)
    if arguments.json:
        print_json({"name": shown.name, "type": artifact.type, "digest": artifact.digest, "size_bytes": artifact.size_bytes,
                    "path": str(shown.path), "value": shown.value})  # fmt: skip
    else:
        rows = [["type", artifact.type], ["digest", artifact.digest], ["size", f"{artifact.size_bytes:,} bytes"]]
        print(f"{shown.name}\n{table(rows)}\npath    {shown.path}" + (f"\nvalue  {_cut(str(shown.value))}" if shown.value is not None else ""))
    return 0


def _show_release(arguments: argparse.Namespace, error: NotFound) -> int:
    from lockgate.delivery.releases import manifest_of

    project = open_project(Path.cwd())
    try:
        manifest = manifest_of(project, _release(arguments.ref))
    except NotFound:
        raise error from None
    if arguments.json:
        print_json({**to_json(manifest), "release": manifest.digest})
        return 0
    lineage = manifest.lineage
    rows = [["release", manifest.digest], ["as-of", manifest.as_of], ["commit", (lineage.commit or "none") + (" (changed)" if lineage.dirty else "")],
            *[[f"source {n}", d] for n, d in lineage.sources.items()], ["files", str(len(manifest.files))],
            ["size", f"{sum(f.size_bytes for f in manifest.files):,} bytes"], ["python", f"{manifest.python} {manifest.platform}"]]  # fmt: skip
    print(table(rows))
    return 0


def diff(arguments: argparse.Namespace) -> int:
    """What two releases were made of, side by side."""
    from lockgate.delivery import look
    from lockgate.delivery.releases import manifest_of

    project = open_project(Path.cwd())
    before, after = (manifest_of(project, _release(r)) for r in (arguments.before, arguments.after))
    found = look.diff(before, after)
    if arguments.json:
        print_json({"before": before.digest, "after": after.digest, "differences": [to_json(d) for d in found]})
    else:
        rows = [[d.kind, _name(d.before), _name(d.after), d.what] for d in found]
        print(table(rows, header=["kind", short(before.digest), short(after.digest), "what"]) if rows else "the two releases are the same")
    return 0


def runs(arguments: argparse.Namespace) -> int:
    """Past runs of this working copy."""
    from lockgate.delivery import look

    found = look.runs(open_project(Path.cwd()))
    if arguments.json:
        print_json(found)
        return 0
    rows = [[r["run"], r["as_of"], r["pipeline"], f"{sum(s['action'] == 'run' for s in r['steps'])} run",
             f"{sum(s['seconds'] for s in r['steps']):.1f} s", r["error"] or "done"] for r in found]  # fmt: skip
    print(table(rows, header=["run", "as-of", "pipeline", "steps", "time", "end"]) if rows else "no run yet: lockgate run")
    return 0


def releases(arguments: argparse.Namespace) -> int:
    """Releases and where they stand."""
    from lockgate.delivery import status as delivery

    found = delivery.releases(open_project(Path.cwd()), now=_now(), rejected=arguments.rejected)
    if arguments.json:
        print_json([to_json(s) for s in found])
    else:
        rows = [[short(s.release), s.state, f"{s.proposed:%F %H:%M}", s.why] for s in found]
        print(table(rows, header=["release", "state", "proposed", "why"]) if rows else "no release yet: lockgate deliver")
    return 0


def evidence(arguments: argparse.Namespace) -> int:
    """Where the evidence page lies; `--to` copies it."""
    from lockgate.delivery.decide import evidence_page

    release, environment, path = evidence_page(open_project(Path.cwd()), arguments.ref, environment=arguments.env, now=_now())
    place = arguments.to or Path.cwd() / ".lockgate" / "evidence" / f"{short(release)}-{environment}.html"
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, place)
    if arguments.json:
        print_json({"release": release, "environment": environment, "path": str(place)})
    else:
        print(f"evidence for release {short(release)} → {environment}\nopen {place}")
    return 0


def status(arguments: argparse.Namespace) -> int:
    """What is live where, and what could go live now."""
    from lockgate.delivery import status as delivery

    found = delivery.status(open_project(Path.cwd()), now=_now())
    if arguments.json:
        print_json([to_json(s) for s in found])
        return 0
    rows = [[s.environment, short(s.release) if s.release else "–", f"{s.since:%F %H:%M}" if s.since else "–", s.health,
             "this one" if s.newest and s.newest == s.release else f"{short(s.newest) if s.newest else ''} {s.blocker}".strip()]
            for s in found]  # fmt: skip
    print(table(rows, header=["environment", "release", "since (UTC)", "health", "newest release, and what is before it"]))
    return 0


def ledger(arguments: argparse.Namespace) -> int:
    """What was decided; `verify` checks chain, signatures and what this copy saw before."""
    from lockgate.delivery.ledger import lines, verified

    project = open_project(Path.cwd())
    if arguments.action == "verify":
        report = verified(project)
        if arguments.json:
            print_json(report)
        else:
            print(f"good  {report['entries']} entries, {report['set_aside']} set aside, head {report['head']}")
        return 0
    found = lines(project)
    if arguments.json:
        print_json(found)
    else:
        print(table([[str(e["seq"]), e["time"][:19], e["who"], e["what"], e["about"]] for e in found], header=["#", "time (UTC)", "who", "what", "about"]))
    return 0


def _release(ref: str) -> str:
    from lockgate.delivery.decide import live_of
    from lockgate.delivery.graph import graph_of
    from lockgate.delivery.identity import read_ledger
    from lockgate.delivery.releases import named
    from lockgate.delivery.walk import walk_of

    project = open_project(Path.cwd())
    walk = walk_of(project, graph_of(project, now_ns=int(_now().timestamp() * 1e9)))
    trust = read_ledger(project)
    return named(trust, ref, live_of(walk, trust))




def _name(value: str | None) -> str:
    return "–" if value is None else short(value) if ":" in value else value


def _cut(text: str) -> str:
    return text if len(text) < 400 else text[:400] + "…"


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
