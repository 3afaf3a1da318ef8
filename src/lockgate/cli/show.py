"""`show`, `runs`: what exists."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.build import parameters
from lockgate.cli.render import now, plain, print_json, table
from lockgate.errors import NotFound
from lockgate.project import open_project
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    import argparse


def show_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ref", help="a step, or a release (latest, an environment, the start of a digest)")
    parser.add_argument(
        "--to",
        type=Path,
        metavar="FILE",
        help="write it there; a table in the form of the suffix: .csv, .parquet, .ndjson, or .arrow as it is stored",
    )
    parser.add_argument("--param", action="append", default=[], metavar="STEP.NAME=VALUE", help="as it was run with")
    _json_flag(parser)


def runs_arguments(parser: argparse.ArgumentParser) -> None:
    _json_flag(parser)


def show(arguments: argparse.Namespace) -> int:
    """An artifact of a step, or a release's manifest."""
    from lockgate import codecs
    from lockgate.delivery import show as delivery

    project = open_project(Path.cwd())
    try:
        shown = delivery.show(project, arguments.ref, now=now(), params=parameters(arguments.param))
    except NotFound as error:
        return _show_release(arguments, error)
    artifact = shown.artifact
    if arguments.to:
        codecs.write_as(artifact.codec, shown.path, arguments.to)
    if arguments.json:
        print_json({"name": shown.name, "type": artifact.type, "digest": artifact.digest, "size_bytes": artifact.size_bytes,
                    "path": str(shown.path), "value": shown.value})  # fmt: skip
    else:
        rows = [["type", artifact.type], ["digest", artifact.digest], ["size", f"{artifact.size_bytes:,} bytes"]]
        print(
            f"{shown.name}\n{table(rows)}\npath    {shown.path}"
            + (f"\nvalue   {plain(_cut(str(shown.value)))}" if shown.value is not None else "")
        )
        if begins := delivery.first_rows(shown):
            print("\n" + "\n".join(plain(line) for line in begins.splitlines()))
    return 0


def _show_release(arguments: argparse.Namespace, error: NotFound) -> int:
    from lockgate.delivery.refs import resolve
    from lockgate.delivery.releases import manifest_of

    project = open_project(Path.cwd())
    try:
        manifest = manifest_of(project, resolve(project, arguments.ref, now=now()))
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


def runs(arguments: argparse.Namespace) -> int:
    """Past runs of this working copy."""
    from lockgate.delivery import show as delivery

    found = delivery.runs(open_project(Path.cwd()))
    if arguments.json:
        print_json(found)
        return 0
    rows = [[r["run"], r["as_of"], r["pipeline"], f"{sum(s['action'] == 'run' for s in r['steps'])} run",
             f"{sum(s['seconds'] for s in r['steps']):.1f} s", r["error"] or "done"] for r in found]  # fmt: skip
    print(
        table(rows, header=["run", "as-of", "pipeline", "steps", "time", "end"]) if rows else "no run yet: lockgate run"
    )
    return 0


def _json_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for machines")


def _cut(text: str) -> str:
    return text if len(text) < 400 else text[:400] + "…"
