"""`releases`, `evidence`: what exists, what was stopped and why, and the page by which people decide."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.render import WIDTH, now, plain, print_json, table
from lockgate.project import open_project
from lockgate.records.digest import short
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    import argparse

    from lockgate.deploy.releases import ReleaseState

FORMAT = "lockgate.evidence/1"


def releases_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rejected", action="store_true", help="only those that were stopped: which gate, who, when, why"
    )
    parser.add_argument("--json", action="store_true", help="for machines")


def evidence_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ref", nargs="?", default="latest")
    parser.add_argument("--env", help="for which environment (default: the last one)")
    parser.add_argument("--to", type=Path, metavar="FILE", help="write the page there; its JSON and card beside it")
    parser.add_argument("--card", type=Path, metavar="FILE", help="write the model card (Markdown) there instead")
    parser.add_argument("--json", action="store_true", help="for machines")


def releases(arguments: argparse.Namespace) -> int:
    """Releases and where they stand."""
    from lockgate.delivery import status as delivery

    found = delivery.releases(open_project(Path.cwd()), now=now(), rejected=arguments.rejected)
    if arguments.json:
        print_json([to_json(s) for s in found])
    elif not found:
        print("no release was stopped" if arguments.rejected else "no release yet: lockgate deliver")
    elif arguments.rejected:
        print("\n\n".join(_stopped(s) for s in found))
    else:
        rows = [[short(s.release), s.state, f"{s.proposed:%F %H:%M}", s.why] for s in found]
        print(table(rows, header=["release", "state", "proposed", "why"]))
    return 0


def _stopped(state: ReleaseState) -> str:
    """A release, and below it in whole sentences what stopped it, who signed that, and when."""
    live = "; it is live all the same: lockgate rollback" if state.state == "live" else ""
    lines = [f"{short(state.release)}  {state.name}, proposed {state.proposed:%F %H:%M} UTC{live}"]
    for stop in state.stopped:
        who = (
            f"gate {stop.name} failed, signed by {stop.who}"
            if stop.what == "gate"
            else f"{stop.who} ({stop.name}) rejected it"
        )
        said = f"{stop.when:%F %H:%M}  {who}: {stop.reason}"
        lines += textwrap.wrap(plain(said), WIDTH - 2, initial_indent="  ", subsequent_indent=" " * 20)
        lines += textwrap.wrap(
            f"goes on when: {plain(stop.lifted_by)}", WIDTH - 2, initial_indent=" " * 20, subsequent_indent=" " * 20
        )
    return "\n".join([*lines, f"  evidence: lockgate evidence {short(state.release)}"])


def evidence(arguments: argparse.Namespace) -> int:
    """Where the evidence page lies, with its JSON and the model card beside it; `--to` and `--card` choose other places."""
    from lockgate.delivery.approval.decide import evidence_page

    project = open_project(Path.cwd())
    found = evidence_page(project, arguments.ref, environment=arguments.env, now=now())
    page = arguments.to or project.home / "evidence" / f"{short(found.release)}-{found.environment}.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    places = {"page": page, "card": arguments.card or page.with_suffix(".md"), "pack": page.with_suffix(".json")}
    kept = {"page": found.page, "card": found.card, "pack": found.pack}
    written = {what: places[what] for what, one in kept.items() if one is not None}
    for what, place in written.items():
        place.write_bytes(kept[what].data)  # type: ignore[union-attr]
    if arguments.json:
        pack = json.loads(found.pack.data) if found.pack else None
        print_json({
            "format": FORMAT, "release": found.release, "environment": found.environment, "path": str(page),
            "sha256": found.page.sha256, "evidence_sha256": found.pack.sha256 if found.pack else None,
            "card": str(written["card"]) if "card" in written else None, "questions": list(found.questions), "evidence": pack,
        })  # fmt: skip
    else:
        print(f"evidence for release {short(found.release)} → {found.environment}\nopen {page}")
        for what, words in (("card", "model card"), ("pack", "same as JSON")):
            if what in written:
                print(f"{words:<12} {written[what]}")
        for number, text in enumerate(found.questions, 1):
            print(plain(f"  {number}  {text}"))
    return 0
