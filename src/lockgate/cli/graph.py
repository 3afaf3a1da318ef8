"""`graph`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.render import now, print_json, table
from lockgate.delivery.drawing.survey import survey
from lockgate.project import open_project

if TYPE_CHECKING:
    import argparse


def graph_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pipeline", nargs="?", help="a pipeline's name; without it, all")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--html", type=Path, metavar="FILE", help="one page to look at, with lineage on click")
    form.add_argument("--mermaid", action="store_true", help="Mermaid text, for a README")
    form.add_argument("--json", action="store_true", help="for machines")


def graph(arguments: argparse.Namespace) -> int:
    """Draw the graph; nothing runs."""
    found = survey(open_project(Path.cwd()), arguments.pipeline, now=now())
    if arguments.json:
        from lockgate.records.wire import to_json

        print_json(to_json(found))
    elif arguments.html:
        from lockgate.delivery.drawing.page import render
        from lockgate.durable import write_atomic

        write_atomic(arguments.html.absolute(), render(found).encode())
        print(f"open {arguments.html}")
    else:
        from lockgate.delivery.drawing import text as graph_text

        if arguments.mermaid:
            print(graph_text.mermaid(found), end="")
        else:
            print(graph_text.title(found) + "\n\n" + table(graph_text.rows(found), header=graph_text.HEADER))
    return 0
