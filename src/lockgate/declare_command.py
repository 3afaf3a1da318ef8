"""`command(…)`: any program as a step. A value, like a step; standard library only."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lockgate.declare import Limits
from lockgate.errors import UsageError

__all__ = ["Command", "command"]

OPERATORS = frozenset("();<>|&")
FOR_A_SHELL = re.compile(r"[$`*?\[]|^~|^[A-Za-z_]\w*=")
"""In a word without quotes, a shell would put something else there."""
NAME = re.compile(r"[A-Za-z_]\w*")
PLAIN = "a list of words, or a string without |, >, <, &, ;, $, *, ? and the like: no shell reads it"


@dataclass(frozen=True)
class Command:
    """A program with declared inputs and outputs; see `command`.

    Attributes:
        writes: output → path; the output `""` is the step's own value.
    """

    name: str
    words: tuple[str, ...]
    reads: Mapping[str, str]
    files: tuple[str, ...]
    writes: Mapping[str, str]
    folder: str
    limits: Limits
    partitioned: None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What other steps may name: itself, and its outputs when it has several."""
        return (self.name, *(n for n in self.writes if n))


def command(
    words: str | Sequence[str],
    *,
    name: str,
    writes: str | Mapping[str, str],
    reads: Mapping[str, str] | None = None,
    files: Sequence[str] = (),
    folder: str = ".",
    memory_mb: int | None = None,
    timeout_s: float | None = None,
    retries: int = 0,
    sandbox: bool = True,
    allow: Sequence[str] = (),
    environment: Sequence[str] = (),
) -> Command:
    """Make any program a step. It starts in a new folder that holds what it declares, at the paths it expects.

    All paths are relative to that folder, which is laid out like the project. A path that ends in `/` is a folder.
    `python` is the interpreter that runs Lockgate. Its output goes to the step's log, and another exit code than 0
    fails the step. The other arguments are those of `step`.

    Args:
        words: program and arguments. No shell reads them: a string is only split at spaces, quotes respected.
        name: of the step.
        writes: the path of the one thing it makes, which is the step's value; or name → path of several things, each of
            which is a step of that name to whoever reads it.
        reads: step or source → the path where the program finds it, as it is stored: a file, a folder, a table as Arrow IPC.
        files: the project's own files that it needs: scripts, modules, configuration. A folder stands for all in it.
        folder: where it starts, relative to the project.

    Raises:
        UsageError: words for a shell, a path that leads out of the project, or two things at one path.

    >>> command("python train.py --rate 0.1", name="model", reads={"sales": "sales.csv"}, writes="model.txt").words
    ('python', 'train.py', '--rate', '0.1')
    """
    outputs = {"": writes} if isinstance(writes, str) else dict(writes)
    made = Command(
        name=name, words=_words(words, name), reads={n: _path(p, name) for n, p in (reads or {}).items()},
        files=_texts(files, name), writes={n: _path(p, name) for n, p in outputs.items()},
        folder=_path(folder, name), limits=Limits(memory_mb, timeout_s, retries, sandbox, tuple(allow), tuple(environment)),
    )  # fmt: skip
    _check(made)
    return made


def _words(words: str | Sequence[str], name: str) -> tuple[str, ...]:
    """Split a string as a shell would, and refuse what only a shell can do."""
    if not isinstance(words, str):
        found = tuple(words)
        if not found or not all(type(w) is str and "\0" not in w for w in found):
            raise _wrong(name, repr(words)[:80], PLAIN)
        return found
    try:
        quoted = _split(words, posix=False)
        for word in quoted:
            if {*word} <= OPERATORS or (not {*word} & {"'", '"'} and FOR_A_SHELL.search(word)):
                raise _wrong(name, f"{word!r} in {words!r}"[:120], PLAIN)
        plain = _split(words, posix=True)
    except ValueError as error:
        raise _wrong(name, f"{words!r}: {error}"[:120], PLAIN) from error
    if not plain or "\n" in words.strip():
        raise _wrong(name, repr(words)[:80], f"one program; {PLAIN}")
    return tuple(plain)


def _split(words: str, *, posix: bool) -> list[str]:
    found = shlex.shlex(words, posix=posix, punctuation_chars="".join(sorted(OPERATORS)))
    found.whitespace_split, found.commenters = True, ""
    return list(found)


def _texts(files: Sequence[str], name: str) -> tuple[str, ...]:
    if isinstance(files, str):
        raise _wrong(name, f"files={files!r}", f"a list, files=[{files!r}]")
    return tuple(_path(f, name) for f in files)


def _path(path: str, name: str) -> str:
    """A path below the project, in one spelling; the `/` at its end is kept."""
    parts = [p for p in path.split("/") if p not in ("", ".")]
    if ".." in parts or path.startswith("/"):
        raise _wrong(name, repr(path), "a path relative to the project, inside it")
    return "/".join(parts) + ("/" if path.endswith("/") and parts else "") or "."


def _check(made: Command) -> None:
    names = [made.name, *(n for n in made.writes if n), *made.reads]
    for name in names:
        if not NAME.fullmatch(name):
            raise _wrong(made.name, f"the name {name!r}", "letters, digits and _, as of a function")
    if not made.writes:
        raise _wrong(made.name, "it writes nothing", "writes=…, the path of what it makes")
    if len(set(made.names)) < len(made.names) or made.name in made.writes:
        raise _wrong(made.name, "an output with the command's own name", "another name for one of them")
    places: dict[str, str] = {}
    for path in (*made.reads.values(), *made.files, *made.writes.values()):
        place = path.rstrip("/")
        if place == "." or place in places:
            raise _wrong(made.name, f"two things at {path!r}", "a path of its own for everything it reads and writes")
        places[place] = path
    outputs = [p.rstrip("/") for p in made.writes.values()]
    for path in outputs:
        if inside := [o for o in outputs if o.startswith(f"{path}/")]:
            raise _wrong(made.name, f"{inside[0]} lies in {path}, which is an output, too", "one of the two")


def _wrong(name: str, value: str, allowed: str) -> UsageError:
    return UsageError("a command is declared wrongly", value=f"{name}: {value}", allowed=allowed)
