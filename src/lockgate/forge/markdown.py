r"""Text of records in GitLab's Markdown: shown as it is, whatever stands in it.

A name that came from users mentions nobody (`@all`), refers to nothing (`#12`, `!7`), commands nothing (`/merge`), links nowhere, and
brings neither HTML nor an image. Two ways, each enough for most of it: backslashes, which CommonMark and GitLab's own syntax both
take for "this is text"; and an invisible word joiner between a sign and what it would refer to, because GitLab looks for
references in what is left when the backslashes are gone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from lockgate.release.wording import visible

__all__ = ["code", "cut", "details", "link", "table", "text"]

JOINER: Final = "\N{WORD JOINER}"
LONGEST: Final = 400
"""Characters of one text; names and values are cut shorter."""

NAME: Final = 80
MARKUP: Final = re.compile(r"([!#$&*<>@\[\\\]^_`{|}~])")
REFERS: Final = re.compile(r"([@#!$%~&^*])(?=[\w\"'{\[(\\])")
LINKS: Final = re.compile(r":(?=//|[\w+-]+:)|\bwww(?=\.)|\[(?=\[|[a-z]+:)|\{(?=[+-])", re.IGNORECASE)
"""Addresses and `:emoji:`, `[[pages]]` and `[vulnerability:1]`, marks of a change in a line."""

PLAIN_CODE: Final = re.compile(r"[^`|\\]+")
NAMED: Final = re.compile(r"(?<![^\s(])`([\w.,:=/ -]+)`(?![^\s).,;:])", re.ASCII)
"""A name that a sentence of ours marks as code. It stands between spaces: `$` beside it would make it a formula."""


def text(said: str, most: int = LONGEST) -> str:
    r"""Text from data as Markdown shows it literally, on one line, so that nothing in it begins a line.

    >>> print(text("a|b <i> [x](y)"))
    a\|b \<i\> \[x\](y)
    >>> text("ask @all") == "ask \\@" + JOINER + "all"
    True
    >>> print(text("no `trained_rows` here, but `*x*`").replace(JOINER, ""))
    no `trained_rows` here, but \`\*x\*\`
    """
    shown = cut(visible(" ".join(said.split())), most)
    parts = NAMED.split(shown)  # prose, a name, prose, a name, …
    plain = "".join(f"`{part}`" if number % 2 else _literal(part) for number, part in enumerate(parts))
    return f"\\{plain}" if plain.startswith("/") else plain


def _literal(said: str) -> str:
    apart = LINKS.sub(lambda m: m[0] + JOINER, REFERS.sub(lambda m: m[0] + JOINER, said))
    return MARKUP.sub(r"\\\1", apart)


def code(said: str, most: int = NAME) -> str:
    """A name or a value in the type of code, where GitLab looks for nothing at all.

    >>> code("volume_band"), code("@all"), code("a|b")
    ('`volume_band`', '`@all`', 'a\\\\|b')
    """
    shown = cut(visible(" ".join(said.split())), most)
    return f"`{shown}`" if PLAIN_CODE.fullmatch(shown) else text(shown, most)


def cut(said: str, most: int) -> str:
    """No longer than so many characters.

    >>> cut("abcdef", 4)
    'abc…'
    """
    return said if len(said) <= most else said[: most - 1] + "…"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """A table of cells that are Markdown already; columns `right` hold numbers. Nothing without rows.

    >>> print(table(["a", "n"], [["x", "1"]], right=[1]))
    | a | n |
    |---|--:|
    | x | 1 |
    """
    if not rows:
        return ""
    rule = "".join(f"{'--:' if at in right else '---'}|" for at in range(len(header)))
    lines = [f"| {' | '.join(header)} |", f"|{rule}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def details(summary: str, content: str) -> str:
    """Folded content under words of ours; nothing without content. The empty lines make GitLab read Markdown inside."""
    return f"<details><summary>{summary}</summary>\n\n{content}\n\n</details>" if content else ""


def link(words: str, address: str) -> str:
    """A link with words of ours; the words alone where the address is none that a browser should follow.

    >>> link("page", "https://a.example/x"), link("page", "javascript:alert(1)"), link("page", "https://a.example/)[x](y")
    ('[page](<https://a.example/x>)', 'page', 'page')
    """
    is_plain = re.fullmatch(r"https?://[^\s<>()\[\]`\\\"']+", address)
    return f"[{words}](<{address}>)" if is_plain else words
