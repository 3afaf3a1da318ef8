"""What somebody added to a root file of ours, so that rendering does not delete their work."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["additions"]


def additions(root: str, rendered: str) -> tuple[str, ...]:
    """Keys and includes of a root file that the rendered one has not, in their order. Text in, so no YAML reader is needed.

    >>> additions("include:\\n  - local: a\\n  - local: mine\\nlint:\\n  script: [x]\\n", "include:\\n  - local: a\\n")
    ('include of local: mine', 'lint')
    """
    known = set(_names(rendered))
    return tuple(dict.fromkeys(n for n in _names(root) if n not in known))


def _names(text: str) -> Iterator[str]:
    key, item = "", ""
    for line in text.splitlines():
        said = line.partition(" #")[0].rstrip()
        if not said or said.startswith("#"):
            continue
        word = said.strip()
        is_key = said[0] not in " -"
        if item and (is_key or word.startswith("-")):
            yield item
            item = ""
        if is_key:
            key, _, rest = said.partition(":")
            key = key.strip("\"' ")
            yield key
            word = rest.strip()
        if key == "include" and word:
            item = f"{item}, {word}" if item else f"include of {word.removeprefix('-').strip()}"
    if item:
        yield item
