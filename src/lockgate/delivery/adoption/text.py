"""Stages of DVC → the text of a project: `lockgate.toml` and a module of command steps."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lockgate.declare_command import Command, command
from lockgate.delivery.adoption.dvc import Left
from lockgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lockgate.delivery.adoption.dvc import DvcProject, DvcStage

__all__ = ["MODULE", "Draft", "draft"]

MODULE = "pipelines"
CODE = {
    ".py", ".pyx", ".ipynb", ".sh", ".bash", ".r", ".jl", ".pl", ".rb", ".js", ".ts", ".lua", ".sql",
    ".toml", ".ini", ".cfg", ".conf", ".yaml", ".yml", ".mk", ".md", ".j2",
}  # fmt: skip
TAKEN = {"as_of", "command", "pipeline", "Pipeline"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A project to be written.

    Attributes:
        commands: with the text of each; in the order of the stages.
        stages: step → stage of DVC.
        outputs: path of an output → the step that makes it.
        sources: name → path.
        left: what was not taken over.
        added: step → files it needs that DVC did not know of.
    """

    name: str
    commands: tuple[Command, ...]
    texts: Mapping[str, str]
    stages: Mapping[str, str]
    outputs: Mapping[str, str]
    sources: Mapping[str, str]
    left: tuple[Left, ...]
    added: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    @property
    def files(self) -> dict[str, str]:
        """What will be written: path → text."""
        return {"lockgate.toml": _settings(self), f"{MODULE}.py": _module(self)}


def draft(root: Path, dvc: DvcProject, added: Mapping[str, tuple[str, ...]]) -> Draft:
    """Decide what every stage reads and where it comes from. `added`: step → paths that running it has shown."""
    names, left = _Names(), list(dvc.left)
    steps = {stage.name: names.new(stage.name) for stage in dvc.stages}
    usable = [s for s in dvc.stages if _is_usable(s, left)]
    outputs, writes = dict[str, str](), dict[str, dict[str, str]]()
    for stage in usable:
        step = steps[stage.name]
        single = len(stage.outs) == 1
        writes[step] = {
            "" if single else names.new(_stem(o), o): _as_made(root, o, stage, dvc, left) for o in stage.outs
        }
        outputs |= {path.rstrip("/"): name or step for name, path in writes[step].items()}
    sources, commands, texts = dict[str, str](), list[Command](), dict[str, str]()
    for stage in usable:
        step = steps[stage.name]
        reads, files = dict[str, str](), set(stage.params)
        others = {o: n for o, n in outputs.items() if o not in stage.outs}
        for path in _outermost((*stage.deps, *added.get(step, ()))):
            made = {n: o for o, n in others.items() if _touch(path, o)}
            if made:
                reads |= made
            elif _is_code(root, path):
                files.add(path)
            else:
                reads[_source(path, sources, names)] = path
        kept = sorted(f for f in files if not any(_inside(f, r) for r in reads.values()))
        given = {
            "name": step,
            "reads": reads,
            "files": kept,
            "writes": writes[step].get("", writes[step]),
            "folder": stage.folder,
        }
        commands.append(command(stage.cmd, **given))  # pyright: ignore[reportArgumentType]
        texts[step] = _text(stage, given, added.get(step, ()))
    return Draft(
        name=_plain(root.resolve().name), commands=tuple(commands), texts=texts, stages={steps[s.name]: s.name for s in usable},
        outputs=outputs, sources=sources, left=tuple(sorted(left, key=lambda x: x.line)), added=added,
    )  # fmt: skip


class _Names:
    """One name for one thing, also of Python."""

    def __init__(self) -> None:
        self._given = set(TAKEN)

    def new(self, text: str, longer: str = "") -> str:
        tries = [_plain(text), *([_plain(longer)] if longer else [])]
        tries += [f"{tries[-1]}_{n}" for n in range(2, 1000)]
        found = next(t for t in tries if t not in self._given)
        self._given.add(found)
        return found


def _is_usable(stage: DvcStage, left: list[Left]) -> bool:
    """Whether its command needs no shell and its places are sound."""
    try:
        command(stage.cmd, name="x", writes={f"o{n}": p for n, p in enumerate(stage.outs)})
    except UsageError as error:
        value = error.value.removeprefix("x: ")
        left.append(
            Left(stage=stage.name, line=stage.line, what=value, do="put it into a script, or write the step by hand")
        )
        return False
    return True


def _as_made(root: Path, out: str, stage: DvcStage, dvc: DvcProject, left: list[Left]) -> str:
    """The path of an output, with `/` at its end when it is a folder."""
    recorded = dvc.recorded.get(out)
    if recorded is not None:
        return f"{out}/" if recorded.endswith(".dir") else out
    if (root / out).exists():
        return f"{out}/" if (root / out).is_dir() else out
    guess = "a file" if "." in out.rpartition("/")[2] else "a folder"
    left.append(
        Left(
            stage=stage.name,
            line=stage.line,
            what=f"{out} was never made; taken for {guess}",
            do="a / at its end means a folder",
        )
    )
    return out if guess == "a file" else f"{out}/"


def _is_code(root: Path, path: str) -> bool:
    """Project files rather than data: by the suffix, or for a folder by what lies in it; never what DVC tracks."""
    place = root / path
    if (root / f"{path}.dvc").exists() or not place.exists():
        return False
    if place.is_dir():
        return any(p.suffix.lower() in (".py", ".r", ".sh", ".jl") for p in place.iterdir())
    return place.suffix.lower() in CODE or (not place.suffix and place.stat().st_mode & 0o100 != 0)


def _source(path: str, sources: dict[str, str], names: _Names) -> str:
    known = {p: n for n, p in sources.items()}
    if path not in known:
        sources[known.setdefault(path, names.new(_stem(path), path))] = path
    return known[path]


def _outermost(paths: Iterable[str]) -> list[str]:
    """Each path once, without those that lie in another."""
    found = list(dict.fromkeys(paths))
    return [p for p in found if not any(p != q and _inside(p, q) for q in found)]


def _touch(path: str, out: str) -> bool:
    return _inside(path, out) or _inside(out, path)


def _inside(path: str, folder: str) -> bool:
    return path == folder.rstrip("/") or path.startswith(folder.rstrip("/") + "/")


def _stem(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2].partition(".")[0]


def _plain(text: str) -> str:
    found = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_") or "unnamed"
    return f"_{found}" if found[0].isdigit() else f"{found}_" if keyword.iskeyword(found) else found


def _text(stage: DvcStage, given: Mapping[str, object], added: tuple[str, ...]) -> str:
    lines = [f"# {line}" for line in stage.doc.splitlines()]
    lines += [f"# not declared in dvc.yaml, found by running it: {', '.join(added)}"] if added else []
    lines += [f"{given['name']} = command(", f"    {json.dumps(stage.cmd, ensure_ascii=False)},"]
    for key, value in given.items():
        if value and (key, value) != ("folder", "."):
            lines.append(f"    {key}={json.dumps(value, ensure_ascii=False)},")
    return "\n".join([*lines, ")"])


def _module(made: Draft) -> str:
    steps = ", ".join(c.name for c in made.commands)
    return "\n\n".join([
        '"""The steps of dvc.yaml, taken over by `lockgate adopt`; yours to edit."""',
        "from lockgate import Pipeline, command",
        *made.texts.values(),
        f'pipeline = Pipeline("{made.name}", kind="data", steps=[{steps}])\n',
    ])  # fmt: skip


def _settings(made: Draft) -> str:
    lines = ["[project]", f'name = "{made.name}"', f'pipelines = ["{MODULE}"]']
    for name, path in made.sources.items():
        lines += ["", f"[sources.{name}]", 'kind = "file"', f"path = {json.dumps(path, ensure_ascii=False)}"]
    return "\n".join([*lines, ""])
