"""`reproduce`: a release made again, step by step beside what was recorded."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.build import watched
from lockgate.cli.render import WIDTH, now, plain, print_json, table
from lockgate.project import open_project
from lockgate.records.digest import short
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from lockgate.delivery.reproduction.reproduce import Compared, Reproduced
    from lockgate.records.digest import Json


def reproduce_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("release", help="latest, an environment, the start of a digest, or a whole digest")
    parser.add_argument("--json", action="store_true", help="for machines")


def reproduce(arguments: argparse.Namespace) -> int:
    """Exit 0: the same, digest by digest; 1: something differs, named; 4: the release itself is damaged."""
    from lockgate.delivery.reproduction.reproduce import reproduce as reproduce_release

    project, began = open_project(Path.cwd()), now()
    found = watched(lambda tell: reproduce_release(project, arguments.release, now=began, tell=tell))
    if arguments.json:
        _print_json(found)
    else:
        rows = [[s.step, short(s.recorded or "–"), short(s.rebuilt or "–"), _result(s)] for s in found.steps]
        print(table(rows, header=["step", "recorded", "rebuilt", ""]))
        for line in _lines(found):
            print(line)
    return 0 if found.same else 1


def _result(step: Compared) -> str:
    if step.same:
        return "same"
    if step.rebuilt is None:
        return "not made"
    return "differs" if step.begins else "differs, as what it reads does"


def _lines(found: Reproduced) -> Iterator[str]:
    """What differs and why, wrapped; the verdict last."""
    for step in found.steps:
        if step.same:
            continue
        if step.how_far:
            yield from _wrapped(step.step, step.how_far.words)
        elif step.rebuilt is not None:
            yield from _wrapped(step.step, "the recorded value is not in the store any more: no telling how far")
        for words in step.suspected:
            yield from _wrapped("", f"suspected: {words}")
    if found.answers:
        yield from _wrapped("answers", found.answers.words)
    for words in found.differences:
        yield from _wrapped("lineage", words)
    if not found.same:
        yield from _machines(found)
    for words in found.notes:
        yield from _wrapped("note", words)
    if found.error:
        yield from _wrapped("stopped", f"{found.error.what}: {found.error.value}")
    if found.same and found.rebuilt == found.release:
        yield f"same  release {short(found.release)}, digest by digest"
    elif found.same:
        yield f"same  every step and file of release {short(found.release)}; as a whole it is {short(found.rebuilt or '')}"
    else:
        yield f"different  release {short(found.release)} is not what its lineage makes"


def _machines(found: Reproduced) -> Iterator[str]:
    there, here = found.machines
    names = [n for n in here if there.get(n) != here[n]] if there else []
    if names:
        said = ", ".join(f"{n}: {there.get(n, 'unknown')} → {here[n]}" for n in names)
        yield from _wrapped("machine", f"another one than it was made on: {said}")
    else:
        said = ", ".join(f"{n} {v}" for n, v in here.items() if v is not None)
        yield from _wrapped("machine", said if not there else f"like the one it was made on: {said}")


def _wrapped(head: str, words: str) -> list[str]:
    first = f"{plain(head)}  " if head else "    "
    return textwrap.wrap(plain(words), WIDTH, initial_indent=first, subsequent_indent="    ") or [first.rstrip()]


def _rest(step: Compared) -> dict[str, Json]:
    return {name: value for name, value in to_json(step).items() if name != "step"}


def _print_json(found: Reproduced) -> None:
    there, here = found.machines
    print_json({
        "release": found.release, "rebuilt": found.rebuilt, "same": found.same,
        "steps": [{"name": s.step, **_rest(s), "same": s.same} for s in found.steps],
        "differences": list(found.differences), "answers": to_json(found.answers), "notes": list(found.notes),
        "machine": {"recorded": dict(there), "here": dict(here)},
        "error": str(found.error) if found.error else None,
    })  # fmt: skip
