"""Read a project of DVC: `dvc.yaml`, `params.yaml`, `dvc.lock`. Stages as plain records, and what could not be taken over.

DVC itself is not needed. `${…}` is filled in from `params.yaml` and `vars`; `foreach` over a list or a table is unrolled.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lockgate.errors import NotFound, ServiceUnavailable, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lockgate.records.digest import Json

__all__ = ["DvcProject", "DvcStage", "Left", "md5_of", "read_dvc"]

PARAMS = "params.yaml"
KNOWN = {"cmd", "wdir", "deps", "params", "outs", "metrics", "plots", "desc", "meta", "frozen", "always_changed"}
TEMPLATE = re.compile(r"\$\{\s*([\w.\-]+)\s*\}")
BY_HAND = 'write the step by hand: a function with @step, or command("…", reads=…, writes=…)'


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Something that was not taken over, or not as it was: where it stands, and what a person does about it."""

    stage: str
    line: int
    what: str
    do: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DvcStage:
    """One stage. All paths are relative to the project, in one spelling.

    Attributes:
        params: the files that its parameters stand in.
    """

    name: str
    line: int
    cmd: str
    folder: str
    deps: tuple[str, ...]
    params: tuple[str, ...]
    outs: tuple[str, ...]
    doc: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DvcProject:
    """All that was read. `recorded`: output → its md5 in `dvc.lock`, which of a folder ends in `.dir`."""

    stages: tuple[DvcStage, ...]
    left: tuple[Left, ...]
    recorded: Mapping[str, str]


class _CannotTake(Exception):
    """What of a stage, and what to do."""

    def __init__(self, what: str, do: str = BY_HAND) -> None:
        super().__init__(what)
        self.what, self.do = what, do


def read_dvc(file: Path, prefix: str = ".") -> DvcProject:
    """Read `dvc.yaml` and what lies beside it. `prefix`: its folder, which goes before every path.

    Raises:
        NotFound, UsageError: it is not there, or no YAML with `stages`.
        ServiceUnavailable: the library that reads YAML is not installed.
    """
    content, lines = _load(file)
    root = file.parent / posixpath.relpath(".", prefix)
    stages, left = content.get("stages"), list[Left]()
    if not isinstance(stages, Mapping):
        raise UsageError("no stages in this file", value=str(file), allowed="a dvc.yaml")
    for key in sorted(set(content) - {"stages", "vars"}):
        left.append(
            Left(stage="", line=lines.get(str(key), 0), what=f"{key}:", do="nothing to do for a run; DVC's own view")
        )
    values = _values(file, content, left)
    found: list[DvcStage] = []
    for name, given in stages.items():
        line = lines.get(f"stages.{name}", 0)
        try:
            for full, filled, text in _unrolled(str(name), given, values):
                found.append(_stage(full, line, _filled(text, filled), left, prefix, root))
        except _CannotTake as error:
            left.append(Left(stage=str(name), line=line, what=error.what, do=error.do))
    return DvcProject(stages=tuple(found), left=tuple(left), recorded=_recorded(file.with_name("dvc.lock"), prefix))


def _unrolled(name: str, given: Any, values: Mapping[str, Json]) -> Iterator[tuple[str, Mapping[str, Json], Any]]:
    """(name, what `${…}` means, text) of a stage, or of each that a `foreach` stands for."""
    if not isinstance(given, Mapping):
        raise _CannotTake("not a table")
    if "matrix" in given:
        raise _CannotTake("matrix")
    if "foreach" not in given:
        yield name, values, given
        return
    items = _fill_one(given["foreach"], values) if isinstance(given["foreach"], str) else given["foreach"]
    if isinstance(items, list):
        for number, item in enumerate(items):
            label = number if isinstance(item, Mapping | list) else item
            yield f"{name}@{label}", {**values, "item": item}, given.get("do")
    elif isinstance(items, Mapping):
        for key, item in items.items():
            yield f"{name}@{key}", {**values, "key": key, "item": item}, given.get("do")
    else:
        raise _CannotTake("foreach over neither a list nor a table")


def _stage(name: str, line: int, given: Any, left: list[Left], prefix: str, root: Path) -> DvcStage:
    if not isinstance(given, Mapping):
        raise _CannotTake("not a table")
    if unknown := sorted(set(given) - KNOWN):
        raise _CannotTake(f"{unknown[0]}:")
    cmd = given.get("cmd")
    if not isinstance(cmd, str):
        raise _CannotTake("several commands in one stage", "one stage per command, or one script that is called")
    folder = _path(given.get("wdir", "."), prefix)
    for key, do in (
        ("frozen", "runs when an input changes, as every step"),
        ("always_changed", "runs when an input changes; name what it reads as a source"),
    ):
        if given.get(key):
            left.append(Left(stage=name, line=line, what=f"{key}: true", do=do))
    outs: list[str] = []
    for key in ("outs", "metrics", "plots"):
        for path, options in _entries(given.get(key)):
            outs.append(_path(path, folder))
            if options.get("persist"):
                left.append(Left(stage=name, line=line, what=f"persist: {path}", do="every run begins without it"))
    if not outs:
        raise _CannotTake("it has no outputs", "let it write a file, and name that under outs")
    deps = tuple(_path(p, folder) for p, _ in _entries(given.get("deps")))
    return DvcStage(
        name=name, line=line, cmd=cmd.strip(), folder=folder, deps=deps, params=tuple(_params(given.get("params"), folder, prefix, root)),
        outs=tuple(dict.fromkeys(outs)), doc=str(given.get("desc") or ""),
    )  # fmt: skip


def _entries(given: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """`- path` or `- path: {options}`."""
    for entry in given or ():
        if isinstance(entry, Mapping):
            yield from ((str(p), o if isinstance(o, Mapping) else {}) for p, o in entry.items())
        else:
            yield str(entry), {}


def _params(given: Any, folder: str, prefix: str, root: Path) -> list[str]:
    """The files, each once: `- key` stands in params.yaml, `- file: [keys]` in the file; beside the work, or `dvc.yaml`."""
    found: list[str] = []
    for name in dict.fromkeys(f for e in given or () for f in (e if isinstance(e, Mapping) else (PARAMS,))):
        places = [_path(name, folder), _path(name, prefix)]
        there = [p for p in places if (root / p).is_file()]
        if not there:
            raise _CannotTake(f"{places[0]} is not there", "write it, or take it out of params")
        found.append(there[0])
    return found


def _path(path: Any, folder: str) -> str:
    text = str(path)
    if "://" in text or text.startswith("/"):
        raise _CannotTake(f"{text} lies outside", "bring it into the project as a file")
    found = posixpath.normpath(posixpath.join(folder, text))
    if found.startswith(".."):
        raise _CannotTake(f"{text} lies outside", "adopt from the folder above: lockgate adopt dvc.yaml DIR")
    return found


def _filled(given: Any, values: Mapping[str, Json]) -> Any:
    """The same with every `${…}` replaced."""
    if isinstance(given, str):
        return _fill_one(given, values)
    if isinstance(given, Mapping):
        return {_filled(k, values): _filled(v, values) for k, v in given.items()}
    return [_filled(v, values) for v in given] if isinstance(given, list) else given


def _fill_one(text: str, values: Mapping[str, Json]) -> Any:
    """A text that is one `${…}` becomes the value itself."""
    if whole := TEMPLATE.fullmatch(text):
        return _value(whole[1], values)

    def written(match: re.Match[str]) -> str:
        value = _value(match[1], values)
        if isinstance(value, Mapping | list):
            raise _CannotTake(f"${{{match[1]}}} is no single value")
        return str(value).lower() if isinstance(value, bool) else str(value)

    filled = TEMPLATE.sub(written, text)
    if "${" in filled:
        raise _CannotTake(f"{filled[filled.index('${') :][:40]} is more than a name")
    return filled


def _value(name: str, values: Mapping[str, Json]) -> Any:
    found: Any = values
    for part in name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            raise _CannotTake(f"${{{name}}} stands in neither {PARAMS} nor vars")
        found = found[part]
    return found


def _values(file: Path, content: Mapping[str, Any], left: list[Left]) -> dict[str, Json]:
    """What `${…}` means: `params.yaml`, then `vars`."""
    beside = file.with_name(PARAMS)
    values: dict[str, Json] = dict(_load(beside)[0]) if beside.is_file() else {}
    for entry in content.get("vars") or ():
        if isinstance(entry, Mapping):
            values |= entry
        elif other := _beside(file, str(entry)):
            values |= _load(other)[0]
        else:
            left.append(Left(stage="", line=0, what=f"vars: {entry}", do="write its values into params.yaml"))
    return values


def _beside(file: Path, name: str) -> Path | None:
    """A YAML file below the folder of `dvc.yaml`: what lies outside of the project is not read into it."""
    try:
        other = file.parent / _path(name, "")
    except _CannotTake:
        return None
    inside = other.resolve().is_relative_to(file.parent.resolve())
    return other if inside and other.is_file() and other.suffix in (".yaml", ".yml") else None


def _recorded(file: Path, prefix: str) -> dict[str, str]:
    if not file.is_file():
        return {}
    stages = _load(file)[0].get("stages") or {}
    return {
        posixpath.normpath(posixpath.join(prefix, str(s.get("wdir", ".")), str(o["path"]))): str(o["md5"])
        for s in stages.values() for o in s.get("outs") or () if "md5" in o
    }  # fmt: skip


def _load(file: Path) -> tuple[Mapping[str, Any], Mapping[str, int]]:
    """The content of a YAML file, and the line of each key of its first two levels."""
    try:
        yaml: Any = importlib.import_module("yaml")
    except ImportError as error:
        raise ServiceUnavailable(
            "reading YAML needs a library that is not installed", value="PyYAML", next='pip install "lockgate[adopt]"'
        ) from error
    try:
        text = file.read_text(encoding="utf-8")
        content, node = yaml.safe_load(text), yaml.compose(text, Loader=yaml.SafeLoader)
    except FileNotFoundError as error:
        raise NotFound("no such file", value=str(file), allowed="a dvc.yaml") from error
    except yaml.YAMLError as error:
        raise UsageError("not YAML", value=f"{file}: {' '.join(str(error).split())}"[:300]) from error
    if content is None:
        return {}, {}
    if not isinstance(content, Mapping):
        raise UsageError("not a table", value=str(file), allowed="keys and values")
    lines = {str(k.value): k.start_mark.line + 1 for k, _ in node.value}
    for key, value in node.value:
        if isinstance(value.value, list) and value.id == "mapping":
            lines |= {f"{key.value}.{k.value}": k.start_mark.line + 1 for k, _ in value.value}
    return content, lines


def md5_of(place: Path, *, unix: bool = False) -> str:
    """The md5 that DVC records of a file, or of a folder (it ends in `.dir`). `unix`: of text, as DVC 2 did."""
    if place.is_dir():
        files = sorted(p for p in place.rglob("*") if p.is_file())
        entries = [{"md5": md5_of(p, unix=unix), "relpath": p.relative_to(place).as_posix()} for p in files]
        text = json.dumps(sorted(entries, key=lambda e: e["relpath"]), sort_keys=True)
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() + ".dir"
    data = place.read_bytes()
    if unix and b"\0" not in data[:512]:
        data = data.replace(b"\r\n", b"\n")
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
