"""Ask a release in the packages that it was made with, where this interpreter has others.

The engine's steps run in this interpreter; a release that other packages locked is asked by its host alone, question by question, and
its answers are kept like those of a step. The host needs nothing but what the release itself needs.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from lockgate import __version__
from lockgate.build.execute import Event
from lockgate.delivery.judging.measuring import load_json
from lockgate.delivery.known import stored_result
from lockgate.delivery.put import keep_copy, keep_value
from lockgate.delivery.releases import fetch, file_of
from lockgate.delivery.reproduction.interpreter import interpreter_for, python_for
from lockgate.delivery.reproduction.rebuild import locked_packages
from lockgate.errors import IntegrityError
from lockgate.gates.measure import INPUTS
from lockgate.records.artifact import Artifact
from lockgate.records.digest import Json, digest, short
from lockgate.records.plan import Result
from lockgate.records.wire import to_json
from lockgate.release.client import ReleaseHost
from lockgate.release.layout import CODE, LOCK
from lockgate.release.lockfile import OURS, check_installed, mismatches, parse

if TYPE_CHECKING:
    from lockgate.project import Project
    from lockgate.records.release import FieldSchema, Manifest
    from lockgate.release.frames import Table

__all__ = ["answers_elsewhere", "needs_other_packages", "reasons_elsewhere"]


def needs_other_packages(project: Project, release: Manifest) -> bool:
    """Whether a host of the release would refuse to open it here: a package that its code reaches is another one."""
    locked = parse(file_of(project, release, release.lock).read_text(encoding="utf-8"))
    if not mismatches(set(locked) - {OURS}, locked=locked, version=_version):
        return False
    folder = fetch(project, release.digest)
    try:
        check_installed(folder / CODE, folder / LOCK)
    except IntegrityError:
        return True
    return False


def answers_elsewhere(
    project: Project, release: Manifest, holdout: Artifact, *, tell: Callable[[Event], None]
) -> Artifact:
    """The stored table of answers to every row of the holdout, each at its own as-of.

    Raises StepFailed when the packages cannot be installed or the release cannot answer, ServiceUnavailable when no
    registry answers, NotFound when the release does not say what it was made with.
    """

    def ask(host: ReleaseHost) -> Artifact:
        from lockgate import codecs
        from lockgate.release.frames import Table
        from lockgate.release.host import score

        table = cast("Table", codecs.load(holdout.codec, project.store.get(holdout.object), Table))
        scored = score(_Asked(host, release), table, truth="actual")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "scored.npz"
            codecs.save("columns.npz", scored, path)
            return Artifact(
                type=INPUTS["scored"], codec="columns.npz", digest=codecs.identity("columns.npz", scored),
                object=keep_copy(project, path), size_bytes=path.stat().st_size,
            )  # fmt: skip

    return _once(project, release, ["answers", holdout.digest], ask, tell)


def reasons_elsewhere(
    project: Project, release: Manifest, movement: Artifact, *, tell: Callable[[Event], None]
) -> Artifact:
    """What the release says about each of the largest changes of a stored `Movement`, as a stored list."""

    def ask(host: ReleaseHost) -> Artifact:
        from lockgate.release.explaining import ask_why

        return keep_value(project, ask_why(host, release, load_json(project, movement)), list)

    return _once(project, release, ["reasons", movement.digest], ask, tell)


def _once(
    project: Project, release: Manifest, asked: list[str], ask: Callable[[ReleaseHost], Artifact],
    tell: Callable[[Event], None],
) -> Artifact:  # fmt: skip
    key = digest("elsewhere", [release.digest, *asked, __version__, python_for(release.python)])
    known = stored_result(project, key)
    if known is not None and project.store.has(known.artifact.object):
        return known.artifact
    tell(Event("", "note", f"asking {short(release.digest)} in the packages that it was made with"))
    interpreter = interpreter_for(project, locked_packages(project, release), python=release.python)
    with ReleaseHost(fetch(project, release.digest), release.digest, python=interpreter.executable) as host:
        made = ask(host)
    result = Result(artifact=made, inputs={}, parameters={}, definitions=(), packages=(), seconds=0.0)
    project.results("results").put(key, {**to_json(result), "node": f"{asked[0]} of release {short(release.digest)}"})
    return made


class _Asked:
    """An open release, as `score` wants one, that is in another process."""

    def __init__(self, host: ReleaseHost, release: Manifest) -> None:
        self._host = host
        self.request: tuple[FieldSchema, ...] = release.predictor.request
        self.response: tuple[FieldSchema, ...] = release.predictor.response
        self.dated = release.predictor.dated
        self.as_of = dt.date.fromisoformat(release.as_of)

    def predict(self, requests: Table, as_of: dt.date) -> Table:
        """Answer a table of requests, in order."""
        from lockgate.release import frames

        asked = frames.rows(frames.typed(requests, self.request, what="the request table"))
        answers = self._host.answer(cast("list[Mapping[str, Json]]", to_json(asked)), as_of=as_of.isoformat())
        return frames.request_frame(cast("list[Mapping[str, Any]]", answers), self.response)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
