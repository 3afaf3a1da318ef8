"""`gitlab check`: what is stale, and what would let something past a gate, so that somebody who reads it knows what to take out."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lockgate.cli.render import now, plain, print_json
from lockgate.forge.gitlab_yaml import FILE, ROOT
from lockgate.project import open_project

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from lockgate.delivery.forge.render import Checked
    from lockgate.forge.gitlab_checks import Finding
    from lockgate.forge.jobs import Has

__all__ = ["check"]

WIDTH: Final = 100


def check(arguments: argparse.Namespace, *, has: Has) -> int:
    """Exit 1 when something is stale or wrong."""
    from lockgate.delivery.forge.render import check as looked_at

    found = looked_at(open_project(Path.cwd()), now=now(), has=has)
    bad = bool(found.stale or found.findings)
    if arguments.json:
        from lockgate.records.wire import to_json

        print_json(to_json(found))
        return int(bad)
    for line in found.stale:
        print(*_stale(plain(line)), sep="\n")
    for each in found.findings:
        print(*_lines(each), sep="\n")
    if not found.looked:
        print("the structure was not looked at: pip install 'lockgate[gitlab]'", file=sys.stderr)
    if not bad:
        print("fresh  the files are of the present declaration, and let nothing past a gate")
        return 0
    print(*_wrapped("next: ", _next(found), "      "), sep="\n", file=sys.stderr)
    return 1


def _stale(line: str) -> Iterator[str]:
    """What changed, and from what to what where that is known."""
    what, _, change = line.partition(" changed: ")
    there, arrow, now_ = change.partition(" → ")
    if not arrow:
        yield from _wrapped("stale  ", line, "       ")
        return
    yield f"stale  {what}"
    yield from _named({"there": there, "declared": now_})


def _lines(each: Finding) -> Iterator[str]:
    """Job, keyword, file; what is there, what was rendered, why it matters, and where else it can be said."""
    where = plain(" › ".join(p for p in (each.job or "the file", each.key) if p))
    yield f"wrong  {where}{f'  in {plain(each.file)}' if each.file else ''}"
    yield from _named({"there": each.found, "rendered": each.rendered, "why": each.says, "instead": each.instead})


def _named(says: dict[str, str]) -> Iterator[str]:
    for name, text in says.items():
        if text:
            yield from _wrapped(f"       {name:<10}", plain(text), " " * 17)


def _wrapped(first: str, text: str, rest: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False) or [first]


def _next(found: Checked) -> str:
    """Rendering mends what is stale; what a team wrote, only the team can take out, or keep."""
    ours = len(found.stale) > len(found.added)
    keep = f"remove line 1 of {ROOT}, which keeps what was added there, and commit it" if found.added else ""
    files = sorted({f.file or ROOT for f in found.findings if f.file or not ours} - {FILE})
    take = f"take it out of {', '.join(files)}, or say it in lockgate.toml" if files else ""
    render = "" if found.added and not ours else "lockgate gitlab render, look at the change, and commit it"
    return "; then ".join(t for t in (keep, take, render) if t)
