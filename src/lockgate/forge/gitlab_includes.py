"""What a GitLab CI file includes: files of the project, which are read here too, and files of others, which are not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

from lockgate.forge.gitlab_read import CiText, plain, read_text
from lockgate.records.frozen import frozen

if TYPE_CHECKING:
    from lockgate.records.digest import Json

__all__ = [
    "ABSENT",
    "NONE_FOUND",
    "NOT_PLAIN",
    "TOO_MANY",
    "Include",
    "Names",
    "Read",
    "Sources",
    "as_pinned",
    "exact",
    "gathered",
    "include_of",
    "unpinned",
]

Read = Callable[[str], str | None]
"""A path in the project → the text of the file; None: it is not there."""

Names = Callable[[], Iterable[str]]
"""All files of the project, asked for only where an include has a `*`."""

COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
VARIABLE: Final = re.compile(r"\$")
KINDS: Final = {
    "project": "it is another project's",
    "component": "it is a component of a catalog",
    "remote": "it lies on another server",
    "template": "it is a template of the GitLab instance",
    "local": "it is a file of this project",
}
ABSENT: Final = "it is not there, and GitLab makes no pipeline without it"
"""Why a file of the project is not read."""

MOST: Final = 150
TOO_MANY: Final = f"more than {MOST} includes, each counted as often as it is said: GitLab makes no pipeline"
NONE_FOUND: Final = (
    "no file of this project is called so: what is named so later would count, and nobody here sees it now"
)
NOT_PLAIN: Final = "GitLab writes its inputs into the text before it reads it: here they may only be words and numbers"


@frozen(kw_only=True)
class Include:
    """One item of `include`. `by`: the file that says it; `why`: of a file that is not read, the reason."""

    by: str
    item: Mapping[str, Any]
    why: str


@frozen(kw_only=True)
class Sources:
    """The files that make a pipeline.

    Attributes:
        files: name → file, in the order in which GitLab merges them: the later one counts.
        foreign: includes that nobody here can read.
        conditions: project's file → what else than its path stands beside it where it is included, such as `rules`,
            or where a file above it is.
        above: project's file → those through which it is included.
    """

    files: Mapping[str, CiText]
    foreign: tuple[Include, ...] = ()
    conditions: Mapping[str, tuple[str, ...]]
    above: Mapping[str, frozenset[str]]


def gathered(root: str, read: Read, names: Names) -> Sources:
    """Read a file and what it includes. `names`: files of the project, for `*`. Raises ValueError, with the file's name, where one is no YAML."""
    at = _Gathering(read, names)
    at.take(root, (root,), ())
    return Sources(files=at.files, foreign=tuple(at.foreign), conditions=at.conditions, above=at.above)


class _Gathering:
    """Each file is read once, and what it includes is gone through as often as it is included, as GitLab does."""

    def __init__(self, read: Read, names: Names) -> None:
        self.read = cache(read)
        self.names = cache(lambda: tuple(names()))
        self.text = cache(self._text)
        self.said = 0
        self.files: dict[str, CiText] = {}
        self.foreign: list[Include] = []
        self.conditions: dict[str, tuple[str, ...]] = {}
        self.above: dict[str, frozenset[str]] = {}

    def take(self, name: str, above: tuple[str, ...], under: tuple[str, ...]) -> None:
        """`above`: the files from the root down to this one. `under`: conditions on which it is there at all."""
        text = self.text(name)
        for item in _items(text.content):
            found, why = _found(item, self.read, self.names, interpolated=text.inputs)
            if why or not plain(item.get("inputs")):
                self._not_read(Include(by=name, item=item, why=why or NOT_PLAIN))
            on = tuple(dict.fromkeys((*under, *(k for k in item if k != "local"))))
            for each in found:
                self._below(name, item, each, above, on)
        self.files.pop(name, None)  # what is included twice counts where it comes last
        self.files[name] = text

    def _below(self, name: str, item: dict[str, Any], each: str, above: tuple[str, ...], on: tuple[str, ...]) -> None:
        self.conditions[each] = tuple(dict.fromkeys((*self.conditions.get(each, ()), *on)))
        self.above[each] = self.above.get(each, frozenset()) | frozenset(above)
        self.said += 1
        if self.said == MOST + 1:
            self._not_read(Include(by=name, item=item, why=TOO_MANY))
        if self.said <= MOST and each not in above:
            self.take(each, (*above, each), on)

    def _not_read(self, each: Include) -> None:
        if each not in self.foreign:
            self.foreign.append(each)

    def _text(self, name: str) -> CiText:
        try:
            return read_text(self.read(name) or "")
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error


def include_of(given: Json) -> dict[str, Any]:
    """An item in its long form.

    >>> include_of("/ci/lint.yml"), include_of("https://ci.example.org/a.yml")
    ({'local': '/ci/lint.yml'}, {'remote': 'https://ci.example.org/a.yml'})
    """
    if isinstance(given, dict):
        return cast("dict[str, Any]", given)
    return {"remote" if re.match("https?://", str(given)) else "local": given}


def exact(item: Mapping[str, Any]) -> str:
    """One text for what is included, to compare."""
    return json.dumps(item, sort_keys=True, default=str, ensure_ascii=False)


def unpinned(item: Mapping[str, Any]) -> str:
    """What is missing so that nobody else can change what is included; empty: nothing."""
    if "project" in item and not COMMIT.fullmatch(str(item.get("ref", ""))):
        return "the commit's 40 hex digits as `ref`"
    if "component" in item and not COMMIT.fullmatch(str(item["component"]).rpartition("@")[2]):
        return "the commit's 40 hex digits behind its @"
    if "remote" in item and not str(item.get("integrity", "")).startswith("sha256-"):
        return "its `integrity`, sha256-…"
    return ""


def as_pinned(item: Mapping[str, Any]) -> dict[str, Any]:
    """How it would be written so that it is pinned, with COMMIT for what somebody has to look up."""
    if not unpinned(item):
        return dict(item)
    if "component" in item:
        return {**item, "component": f"{str(item['component']).rpartition('@')[0]}@COMMIT"}
    return {**item, **({"ref": "COMMIT"} if "project" in item else {"integrity": "sha256-…"})}


def _items(content: Json) -> list[dict[str, Any]]:
    given: Any = cast("Any", content).get("include") if isinstance(content, dict) else None
    if given is None:
        return []
    return [include_of(i) for i in (cast("list[Json]", given) if isinstance(given, list) else [given])]


def _found(item: Mapping[str, Any], read: Read, names: Names, *, interpolated: bool) -> tuple[list[str], str]:
    """Files of the project that an item names; and why not, where it names none."""
    kind = next((k for k in KINDS if k in item), "")
    if kind != "local":
        return [], KINDS.get(kind, "it is of a kind that is not known here")
    path = str(item["local"]).lstrip("/")
    if VARIABLE.search(path) or (interpolated and "$[[" in path):
        return [], "a variable decides which file it is"
    if ".." in path.split("/"):
        return [], "its path leads out of the project"
    if "*" in path:
        pattern = _pattern(path)
        found = sorted(n for n in names() if pattern.fullmatch(n))
        return found, "" if found else NONE_FOUND
    return ([path], "") if read(path) is not None else ([], ABSENT)


def _pattern(path: str) -> re.Pattern[str]:
    """GitLab's `*`, within a folder, and `**`, through all of them, also hidden ones; `.YML` is YAML, too."""
    parts = (re.escape(p) for p in re.split(r"\*\*|\*", path))
    stars: Iterator[str] = iter(re.findall(r"\*\*|\*", path))
    kinds = {"**": ".*", "*": "[^/]*"}
    return re.compile("(?=.*[.](?i:ya?ml)$)" + "".join(p + kinds.get(next(stars, ""), "") for p in parts))
