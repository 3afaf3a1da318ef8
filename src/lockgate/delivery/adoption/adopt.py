"""`adopt`: a project of DVC becomes one of Lockgate. Its first run shows what the stages read beside what they declare."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.build.sandbox import undeclared
from lockgate.delivery.adoption.dvc import md5_of, read_dvc
from lockgate.delivery.adoption.text import Draft, draft
from lockgate.delivery.run import run
from lockgate.durable import write_atomic
from lockgate.errors import UsageError
from lockgate.project import open_project

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from lockgate.build.execute import Event
    from lockgate.delivery.adoption.dvc import DvcProject
    from lockgate.delivery.run import RunRecord
    from lockgate.errors import LockgateError
    from lockgate.project import Project

__all__ = ["Adopted", "Compared", "adopt", "read"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One output beside what `dvc.lock` recorded; `same` None: nothing is recorded."""

    path: str
    step: str
    same: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """What was written, and what its first run made. `error`: why that stopped, None: it did not."""

    draft: Draft
    outputs: tuple[Compared, ...]
    error: LockgateError | None


def read(file: Path, folder: Path | None) -> tuple[Path, DvcProject]:
    """The project's folder (that of `dvc.yaml`, or one above it), and what stands in the file."""
    root = Path(os.path.abspath(folder or file.parent))
    inside = Path(os.path.abspath(file.parent))
    if not inside.is_relative_to(root):
        raise UsageError(
            "the project's folder does not hold the file", value=f"{file} in {root}", allowed="its folder, or one above"
        )
    return root, read_dvc(file, inside.relative_to(root).as_posix())


def adopt(root: Path, dvc: DvcProject, *, now: dt.datetime, tell: Callable[[Event], None] = lambda _: None) -> Adopted:
    """Write the project, run it, and add what the sandbox shows until a run needs nothing more.

    Raises:
        UsageError: one of its files is there already; nothing can be taken over.
    """
    made = draft(root, dvc, {})
    if there := [name for name in made.files if (root / name).exists()]:
        raise UsageError(
            "a file is there already", value=there[0], allowed="a folder without it", next=f"move {there[0]} away"
        )
    if not made.commands:
        said = "; ".join(f"{x.stage}: {x.what}" for x in made.left)
        raise UsageError("no stage can be taken over", value=said, allowed="stages with one command and outputs")
    project, record = _run(root, made, now, tell)
    while (more := _shown(root, made, record)) is not None:  # it ends: each round adds a file of the project
        made = draft(root, dvc, more)
        project, record = _run(root, made, now, tell)
    return Adopted(draft=made, outputs=_compared(project, made, dvc, record), error=record.error)


def _run(root: Path, made: Draft, now: dt.datetime, tell: Callable[[Event], None]) -> tuple[Project, RunRecord]:
    _write(root, made)
    project = open_project(root)
    return project, run(project, now=now, tell=tell)


def _write(root: Path, made: Draft) -> None:
    try:
        files = {name: text.encode() for name, text in made.files.items()}
    except UnicodeEncodeError as error:
        raise UsageError("a name or text is not Unicode", value=ascii(error.object[error.start : error.end])) from error
    for name, data in files.items():
        write_atomic(root / name, data)
    hidden = root / ".lockgate" / ".gitignore"
    if not hidden.exists():
        write_atomic(hidden, b"*\n")


def _shown(root: Path, made: Draft, record: RunRecord) -> dict[str, tuple[str, ...]] | None:
    """What is added by now, when the run showed something that was not known; None: it did not."""
    said = undeclared(record.error) if record.error else None
    if said is None:
        return None
    step = said[0].rpartition(".")[2]
    known = made.added.get(step, ())
    new = [n for n in said[1] if n not in known and not os.path.isabs(n) and (root / n).exists()]
    return {**made.added, step: (*known, *new)} if new else None


def _compared(project: Project, made: Draft, dvc: DvcProject, record: RunRecord) -> tuple[Compared, ...]:
    found: list[Compared] = []
    for path, step in made.outputs.items():
        artifact = record.artifacts.get(f"{made.name}.{step}")
        recorded = dvc.recorded.get(path)
        if artifact is None or recorded is None:
            found.append(Compared(path=path, step=step, same=None))
            continue
        place = project.store.get(artifact.object)
        with tempfile.TemporaryDirectory() as folder:
            if artifact.codec == "tree":
                from lockgate.codecs import tree

                place = Path(folder)
                tree.unpack(project.store.get(artifact.object), place)
            same = recorded in {md5_of(place), md5_of(place, unix=True)}
        found.append(Compared(path=path, step=step, same=same))
    return tuple(found)
