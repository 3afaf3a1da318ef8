"""`adopt`: take over a project of DVC."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.build import watched
from lockgate.cli.render import now, table

if TYPE_CHECKING:
    import argparse

    from lockgate.delivery.adoption.adopt import Adopted
    from lockgate.delivery.adoption.text import Draft


def adopt_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="dvc.yaml")
    parser.add_argument("dir", nargs="?", type=Path, metavar="DIR", help="the project's folder (default: the file's)")
    parser.add_argument("--dry-run", action="store_true", help="print what would be written, and run nothing")


def adopt(arguments: argparse.Namespace) -> int:
    """Write the project and run it once; exit 1 when a stage fails or makes something else than DVC recorded."""
    from lockgate.delivery.adoption import adopt as delivery
    from lockgate.delivery.adoption.text import draft

    root, dvc = delivery.read(arguments.file, arguments.dir)
    if arguments.dry_run:
        made = draft(root, dvc, {})
        for name, text in made.files.items():
            print(f"# ── {name}\n{text}")
        _say_left(made)
        return 0
    found = watched(lambda tell: delivery.adopt(root, dvc, now=now(), tell=tell))
    print(
        f"wrote  {', '.join(found.draft.files)}  ({len(found.draft.commands)} steps, {len(found.draft.sources)} sources)"
    )
    _say_left(found.draft)
    _say_found(found)
    if found.error is not None:
        raise found.error
    return 1 if any(o.same is False for o in found.outputs) else 0


def _say_left(made: Draft) -> None:
    if made.left:
        print("\nnot taken over, or not as it was:")
    for x in made.left:
        print(f"  {f'line {x.line}, ' if x.line else ''}{x.stage or 'the file'}: {x.what}\n    {x.do}")


def _say_found(found: Adopted) -> None:
    if added := [[found.draft.stages[s], p, _line(found, s, p)] for s, ps in found.draft.added.items() for p in ps]:
        print("\nread, but not declared in dvc.yaml; declared now:")
        print(table(added, header=["stage", "what it reads", "added to its step"]))
    said = {True: "same as in dvc.lock", False: "differs from dvc.lock", None: "not compared"}
    print()
    print(table([[o.path, o.step, said[o.same]] for o in found.outputs], header=["output", "step", "bytes"]))


def _line(found: Adopted, step: str, path: str) -> str:
    """Where it stands now."""
    made = next(c for c in found.draft.commands if c.name == step)
    name = next((n for n, p in made.reads.items() if path == p or path.startswith(f"{p}/")), None)
    return f'reads={{"{name}": "{made.reads[name]}"}}' if name else f'files=["{path}"]'
