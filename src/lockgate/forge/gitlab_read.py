"""The text of a GitLab CI file as GitLab's Ruby reads it, and what in it is written so that two readers see two files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, cast

from lockgate.records.frozen import frozen

if TYPE_CHECKING:
    from lockgate.records.digest import Json

__all__ = ["CiText", "plain", "read", "read_text"]

MERGE: Final = "<<"
REFERENCE: Final = "!reference"
WORDS: Final = re.compile(r"[\w./@+ -]*")
"""What can be put into a text anywhere without making another one of it."""


@frozen
class CiText:
    """One file.

    Attributes:
        content: what GitLab reads; `!reference` is a tuple, which equals no list.
        inputs: a header `spec` stands before it, so GitLab writes values for `$[[ … ]]`.
        plain: all default values in that header are words and numbers.
        odd: what is written so that not every reader sees what GitLab does, one sentence each.
    """

    content: Json
    inputs: bool = False
    odd: tuple[str, ...] = ()
    plain: bool = True


def read(text: str) -> Json:
    """Only the content."""
    return read_text(text).content


def read_text(text: str) -> CiText:
    """Parse a file. Raises ValueError where it is no YAML.

    Needs the extra `gitlab`: ImportError says that it is not installed.
    """
    import yaml

    documents: list[Json] = []
    odd: list[str] = []
    try:
        loader = _loader(yaml)(text)
        while loader.check_node():
            node = loader.get_node()
            odd += _odd(loader, node, set())
            documents.append(loader.construct_document(node))
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(" ".join(str(error).split())) from error
    header = len(documents) > 1 and isinstance(documents[0], dict) and "spec" in documents[0]
    if len(documents) > 1 + header:
        odd.append(f"{len(documents)} documents in one file: GitLab takes one of them, others another")
    return CiText(
        documents[header] if documents else None,
        inputs=header,
        odd=tuple(odd),
        plain=not header or _plain_header(documents[0]),
    )


def plain(given: Any) -> bool:
    """Whether values of inputs, also in lists and mappings, are nothing but words and numbers.

    >>> plain({"stage": "test", "tags": ["a-b", 3]}), plain("a: b"), plain("two\\nlines")
    (True, False, False)
    """
    if isinstance(given, dict):
        return all(plain(each) for pair in cast("dict[Any, Any]", given).items() for each in pair)
    if isinstance(given, list | tuple):
        return all(map(plain, cast("list[Any]", given)))
    return WORDS.fullmatch(str(given)) is not None


def _plain_header(header: Any) -> bool:
    """Also in a `spec` of which only `inputs` is known here."""
    spec = header["spec"] or {}
    inputs = spec.get("inputs") or {} if isinstance(spec, dict) and set(cast("Any", spec)) <= {"inputs"} else None
    if not isinstance(inputs, dict):
        return False
    return all(plain(cast("Any", i).get("default")) for i in cast("Any", inputs).values() if isinstance(i, dict))


def _loader(yaml: Any) -> Any:
    """A safe loader that does as Ruby's: keys in their order, also `<<`, which others let every other key win over."""

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[str, Any]:  # noqa: ARG002 - the loader says it
            found: dict[str, Any] = {}
            for key, value in node.value:
                read = self.construct_object(value, deep=True)
                if key.value == MERGE and (given := _maps(read)) is not None:
                    for each in given:
                        found |= each
                else:
                    found[_name(key, self)] = read
            return found

    def reference(loader: Any, node: Any) -> tuple[Any, ...]:
        return tuple(loader.construct_sequence(node, deep=True))

    cast("Any", Loader).add_constructor(REFERENCE, reference)
    return Loader


def _maps(read: Any) -> list[dict[str, Any]] | None:
    """What `<<` brings in: the first of several counts most, so it comes last."""
    if isinstance(read, dict):
        return [cast("dict[str, Any]", read)]
    several = cast("list[Any]", read) if isinstance(read, list) else []
    return [*reversed(several)] if several and all(isinstance(m, dict) for m in several) else None


def _name(key: Any, loader: Any) -> str:
    found = key.value if key.value == MERGE else loader.construct_object(key, deep=True)
    return found if isinstance(found, str) else str(found)


def _odd(loader: Any, node: Any, seen: set[int]) -> Iterator[str]:
    """What is written so that not every reader reads it as GitLab does, down from one place."""
    if id(node) in seen:
        return
    seen.add(id(node))
    yield from _tagged(loader, node)
    if isinstance(node.value, str):
        if node.style is None and node.value.startswith(":") and len(node.value) > 1:
            yield f"`{node.value}` in line {_line(node)} is a symbol of Ruby: GitLab reads `{node.value[1:]}`"
        return
    pairs = [item if isinstance(item, tuple) else (item,) for item in node.value]
    yield from _twice(pair[0] for pair in pairs if len(pair) == 2)
    for each in (part for pair in pairs for part in pair):
        yield from _odd(loader, each, seen)


def _tagged(loader: Any, node: Any) -> Iterator[str]:
    """`!!binary` and others make a name that is not the one that is read."""
    plain = getattr(node, "style", None) is None
    usual = (
        loader.resolve(type(node), node.value, (plain, not plain))
        if isinstance(node.value, str)
        else loader.resolve(type(node), None, True)
    )
    if node.tag not in (usual, REFERENCE):
        name = node.tag.replace("tag:yaml.org,2002:", "!!")
        yield f"the tag {name} in line {_line(node)}: GitLab may read another text than the one there"


def _twice(keys: Iterable[Any]) -> Iterator[str]:
    lines: dict[str, int] = {}
    for key in keys:
        if isinstance(key.value, str) and key.value != MERGE:
            if key.value in lines:
                yield f"`{key.value}` stands twice, in lines {lines[key.value]} and {_line(key)}: GitLab takes the last, others the first"
            lines[key.value] = _line(key)


def _line(node: Any) -> int:
    return node.start_mark.line + 1
