"""Long lines for people: broken between words, so that they fit a terminal, and commands left whole, so that they can be copied."""

from __future__ import annotations

import os
import textwrap
from typing import Final

from lockgate.cli.render import plain

__all__ = ["beside", "columns", "told"]

USUAL: Final = 100
LEAST: Final = 40
NARROW: Final = 24
LABELS: Final = ("  allowed: ", "  next:    ")
COMMANDS: Final = ("lockgate ", "git ", "export ", "pip ", "python ", "uv ", "cd ", "rm ", "chmod ", "ssh-keygen ")


def columns() -> int:
    """How wide a line may be: as `COLUMNS` says, else 100."""
    said = os.environ.get("COLUMNS", "")
    return max(int(said), LEAST) if said.isascii() and said.isdigit() else USUAL


def told(message: str, width: int | None = None) -> str:
    """An error's message in lines that fit, and nothing in it steers a terminal; what stands behind a command goes below it.

    >>> print(told("unknown step: modle\\n  allowed: clean, features, model", 28))
    unknown step: modle
      allowed: clean, features,
                   model
    >>> print(told("no key\\n  next:    lockgate people add NAME --role ROLE   (as a trustee)", 40))
    no key
      next:    lockgate people add NAME --role ROLE
                   (as a trustee)
    """
    room = width or columns()
    return "\n".join(part for line in plain(message).split("\n") for part in _fitted(line, room))


def _fitted(line: str, room: int) -> list[str]:
    if len(line) <= room:
        return [line]
    label = next((text for text in LABELS if line.startswith(text)), "")
    start = label or line[: len(line) - len(line.lstrip())]
    said, rest = line[len(start) :], " " * (len(start) + 4 if start else 6)
    if said.startswith(COMMANDS):
        command, behind, why = said.partition("   (")
        about = textwrap.wrap(
            f"({why}", room, initial_indent=rest, subsequent_indent=rest, break_on_hyphens=False, break_long_words=False
        )
        return [start + command, *(about if behind else [])]
    return textwrap.wrap(
        said, room, initial_indent=start, subsequent_indent=rest, break_on_hyphens=False, break_long_words=False
    )


def beside(start: str, text: str, *, indent: int) -> list[str]:
    """A text in the column behind `start`, `indent` wide, as many lines as it takes; below it where little room is left.

    >>> beside("job  ", "a, b", indent=5)
    ['job  a, b']
    """
    below = USUAL - indent < NARROW
    parts = textwrap.wrap(text, USUAL - 4 if below else USUAL - indent, break_on_hyphens=False)
    if below or not parts:
        return [start.rstrip(), *(f"    {part}" for part in parts)]
    return [start + parts[0], *(" " * indent + part for part in parts[1:])]
