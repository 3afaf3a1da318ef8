"""Whether each job of ours, and the template that they extend, is as rendered, key by key, whichever file says something of it.

GitLab merges mappings of the files and replaces everything else, in an order that conditions at an include may change. So each
file is held against the rendered one by itself: where none says something else, all orders make the same jobs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from lockgate.forge.gitlab_checks.why import INSTEAD, WHY
from lockgate.forge.gitlab_file import Config, merged
from lockgate.forge.gitlab_yaml import FILE, TEMPLATE
from lockgate.records.frozen import frozen

if TYPE_CHECKING:
    from lockgate.forge.gitlab_includes import Sources
    from lockgate.records.digest import Json

__all__ = ["Difference", "differences"]

WIDTH: Final = 76
NOTHING: Final = "\0nothing"
"""Stands for a keyword that is not there, and is no text that YAML can hold."""


@frozen(kw_only=True)
class Difference:
    """`key`: of the job; `path`: down to what differs, such as `variables.PATH`. The texts are one line each."""

    file: str
    job: str
    key: str
    path: str
    found: str
    rendered: str

    @property
    def why(self) -> str:
        """Why it matters."""
        return WHY.get(self.key, WHY[""])

    @property
    def instead(self) -> str:
        """Where a team says the same so that it holds."""
        return INSTEAD.get(self.key, "")


def differences(sources: Sources, rendered: Mapping[str, Config]) -> Iterator[Difference]:
    """Everything that a file says of a job of ours and that was not rendered. Our own file must also say all that was."""
    shared = rendered.get(TEMPLATE, {})
    for file, text in sources.files.items():
        content = cast("Config", text.content) if isinstance(text.content, dict) else {}
        for job, wanted in rendered.items():
            its = wanted if file == FILE else _with_template(wanted, shared)
            if isinstance(content.get(job), dict):
                yield from _within(_At(file, job, wanted), content[job], its)
            elif job in content or (file == FILE and job == TEMPLATE):
                yield _At(file, job, wanted).differs(content.get(job, NOTHING), wanted)


def _with_template(wanted: Config, shared: Config) -> Config:
    return cast("Config", merged(dict(wanted), dict(shared))) if wanted.get("extends") == TEMPLATE else wanted


@frozen
class _At:
    """Where in which file: down from a job to a keyword, and to what is in it. `own`: what was rendered for the job alone."""

    file: str
    job: str
    own: Config
    path: tuple[str, ...] = ()

    def down(self, key: str) -> _At:
        return _At(self.file, self.job, self.own, (*self.path, key))

    def differs(self, found: Json, wanted: Json) -> Difference:
        shared = f" ({TEMPLATE})" if self.path and self.path[0] not in self.own and wanted != NOTHING else ""
        return Difference(
            file=self.file, job=self.job, key=self.path[0] if self.path else "", path=".".join(self.path),
            found=_text(found, wanted), rendered=_text(wanted, found) + shared,
        )  # fmt: skip


def _within(at: _At, found: Config, wanted: Config) -> Iterator[Difference]:
    for key in dict.fromkeys([*found, *(wanted if at.file == FILE else ())]):
        here, its, ours = at.down(key), found.get(key, NOTHING), wanted.get(key, NOTHING)
        if isinstance(its, dict) and isinstance(ours, dict):
            yield from _within(here, its, ours)
        elif not _same(its, ours):
            yield here.differs(its, ours)


def _same(a: Any, b: Any) -> bool:
    """Equal in kind, too: `false` is not 0, and a reference is no list."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_same, a, b))
    return a == b


def _text(value: Json, other: Json) -> str:
    """One line; of long lists the first entry that the other one has not."""
    found = _one_line(value)
    if len(found) > WIDTH and isinstance(value, list) and isinstance(other, list):
        entries = cast("list[Json]", value)
        new = next((e for e in entries if not any(_same(e, o) for o in cast("list[Json]", other))), None)
        if new is not None:
            found = f"{len(entries)} entries, among them {_one_line(new)}"
        else:
            found = f"{len(entries)} entries, all of them in the other one, too"
    return found if len(found) <= WIDTH else found[: WIDTH - 1] + "…"


def _one_line(value: Json) -> str:
    if value == NOTHING:
        return "nothing"
    if isinstance(value, tuple):
        return f"!reference {json.dumps(list(value), ensure_ascii=False, default=str)}"
    return json.dumps(value, ensure_ascii=False, default=str)
