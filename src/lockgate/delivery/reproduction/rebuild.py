"""Make a release again, or one that never was: the code of one release, the data, parameters and packages of others.

Everything comes out of the store: a release carries the project's files and the lock file it was made with, its
lineage names the bytes of its sources. The work is done by a process of its own, in the locked packages
(`rebuilding`), in a folder that holds nothing else.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate import errors
from lockgate.build.environment import without_secrets
from lockgate.build.execute import Event
from lockgate.delivery.put import keep_copy
from lockgate.delivery.releases import file_of
from lockgate.delivery.reproduction.interpreter import Interpreter, interpreter_for
from lockgate.delivery.sources.kept import kept_here
from lockgate.delivery.sources.seeing import see
from lockgate.delivery.sources.versions import SourceVersion, recorded, version_under
from lockgate.errors import LockgateError, NotFound, StepFailed
from lockgate.project import Project, SourceSettings
from lockgate.records.artifact import Artifact
from lockgate.records.digest import Json, short
from lockgate.records.plan import StepRecord
from lockgate.records.snapshot import read_snapshot
from lockgate.records.wire import from_json, to_json
from lockgate.release.layout import PROJECT, TRAINING_LOCK
from lockgate.release.training_lock import Locked, read_training_lock

if TYPE_CHECKING:
    import datetime as dt

    from lockgate.records.release import Manifest
    from lockgate.records.snapshot import Snapshot

__all__ = ["Rebuilt", "Recipe", "environment_for", "locked_packages", "rebuild", "snapshot_in"]

OF_PYTHON = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
OF_THE_STORE = ("AWS_", "CI_API_V4_URL", "CI_JOB_TOKEN", "CI_PROJECT_", "LOCKGATE_GITLAB_TOKEN", "LOCKGATE_GITLAB_HOST")
"""What the variables start with by which a store in S3, or on GitLab's packages, is opened."""
LAST_LINES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Which release gives what. `data` gives the day, too."""

    code: Manifest
    data: Manifest
    parameters: Manifest
    packages: Manifest

    @staticmethod
    def of(release: Manifest) -> Recipe:
        """Everything from one release: making it again."""
        return Recipe(code=release, data=release, parameters=release, packages=release)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What came out.

    Attributes:
        project: the rebuilt project; its store holds the artifacts.
        artifacts: step → what it made, under the names that lineages use.
        code: step → digest of its code. definitions: name → digest.
        parameters: step → parameter → value it ran with. inputs: step → parameter → step or `source:NAME` it reads.
        left_out: files that the modules read and the snapshot does not have.
        packages: how what was installed differs from the lock, in words.
        release: digest of the release that was bundled of it, when that was asked for; it is in the project's store.
        suspicions: step → why it may differ, of those that were found to differ from `expected`.
        error: why it stopped, None: it did not.
    """

    project: Project
    interpreter: Interpreter
    artifacts: Mapping[str, Artifact]
    steps: tuple[StepRecord, ...]
    code: Mapping[str, str]
    definitions: Mapping[str, str]
    parameters: Mapping[str, Mapping[str, Json]]
    inputs: Mapping[str, Mapping[str, str]]
    locked: tuple[Locked, ...]
    left_out: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    release: str | None = None
    suspicions: Mapping[str, str] = field(default_factory=dict[str, str])
    machine: Mapping[str, Json] = field(default_factory=dict[str, Json])
    error: LockgateError | None = None


def rebuild(
    project: Project,
    recipe: Recipe,
    *,
    folder: Path,
    now: dt.datetime,
    empty: bool = False,
    release: bool = False,
    expected: Mapping[str, str] | None = None,
    tell: Callable[[Event], None] = lambda _: None,
) -> Rebuilt:
    """Set up a project in `folder` and run its training pipeline there. A step that fails stands in the answer.

    Args:
        folder: new or empty; it and what it holds belong to the caller, who removes it.
        empty: with a store of its own in `folder`, in which nothing is known; else the project's store is shared,
            and what is known there is reused.
        release: bundle a release of the result, whether a step differs or not.
        expected: step → identity; where a step differs though its inputs do not, it is tried why.

    Raises:
        NotFound: the release was made before releases carried their project, or a source's bytes are gone.
        StepFailed, ServiceUnavailable: the packages cannot be installed.
        LockgateError: whatever the project's modules are refused with.
    """
    snapshot, locked = snapshot_in(project, recipe.code), locked_packages(project, recipe.packages)
    interpreter = interpreter_for(project, locked, python=recipe.packages.python)
    for path, data in snapshot.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    rebuilt = _project(project, snapshot, folder, empty=empty)
    sources = {n: _source(project, rebuilt, n, d, now=now) for n, d in recipe.data.lineage.sources.items()}
    order = {
        "root": str(folder), "settings": _settings(rebuilt), "now": now.isoformat(), "sources": sources,
        "as_of": recipe.data.as_of, "pipeline": recipe.code.name, "parameters": to_json(recipe.parameters.lineage.parameters),
        "locked": to_json(locked), "release": release, "expected": dict(expected or {}),
        "origin": [recipe.code.lineage.commit, recipe.code.lineage.dirty],
    }  # fmt: skip
    environment = environment_for(os.environ, own=interpreter.own, shared=rebuilt.cache is not None)
    answer = _ask(
        [interpreter.executable, "-P", "-m", "lockgate.delivery.reproduction.rebuilding"], order, environment, tell
    )
    return _rebuilt(rebuilt, interpreter, answer, locked=locked, left_out=snapshot.left_out)


def snapshot_in(project: Project, release: Manifest) -> Snapshot:
    """The project's files that a release carries. Raises NotFound for one that is older than that."""
    return read_snapshot(_beside(project, release, PROJECT))


def locked_packages(project: Project, release: Manifest) -> tuple[Locked, ...]:
    """The packages that a release was made with."""
    return read_training_lock(_beside(project, release, TRAINING_LOCK).decode())


def _beside(project: Project, release: Manifest, path: str) -> bytes:
    if not any(f.path == path for f in release.files):
        raise NotFound(
            f"a release without {path}: it was made by an older Lockgate and cannot be rebuilt",
            value=short(release.digest), allowed="a release of this version", next="lockgate deliver",
        )  # fmt: skip
    return file_of(project, release, path).read_bytes()


def _project(project: Project, snapshot: Snapshot, folder: Path, *, empty: bool) -> Project:
    """A project that says nothing but what the snapshot does; its sources are no files of its own."""
    store = ".lockgate" if empty else project.store_url
    settings = replace(
        project.settings, pipelines=snapshot.modules, params={}, sinks=(), store=store, ledger=None, as_of_file=None,
        sources=tuple(SourceSettings(n, kind, "") for n, kind in snapshot.sources.items()),
    )  # fmt: skip
    return Project(folder, settings)


def _settings(rebuilt: Project) -> dict[str, Json]:
    """What the process needs to know of it."""
    known = rebuilt.settings
    kinds = {s.name: s.kind for s in known.sources}
    return {
        "name": known.name, "pipelines": list(known.pipelines), "store": known.store, "sources": kinds,
        "workers": known.workers, "lease_s": known.lease_s,
    }  # fmt: skip


def _source(project: Project, rebuilt: Project, name: str, identity: str, *, now: dt.datetime) -> dict[str, Json]:
    """A source as the release saw it: its files, by digest, all of them in the store that will be used.

    Nobody looks at the files of today unless the store lacks something.
    """
    version = version_under(project, identity)
    kept = kept_here(project.store, version)
    whole = version is not None and all(
        d in kept or rebuilt.store.has(d) or project.store.has(d) for _, d in version.files
    )
    files = any(s.name == name and s.kind == "file" for s in project.settings.sources)
    here = see(project, now_ns=int(now.timestamp() * 1e9), wanted=(name,)).get(name) if files and not whole else None
    if version is None and here is not None and here.identity == identity:
        version = SourceVersion(source=name, identity=identity, files=here.files, single=here.single)
    if version is None:
        raise _gone(name, identity)
    for held in kept.objects():
        if not rebuilt.store.has(held):
            keep_copy(rebuilt, project.store.get(held))
    places = here.here.places() if here else {}
    for file, digest in version.files:
        if digest in kept or rebuilt.store.has(digest):
            continue
        place = Path(places[file]) if file in places else None
        if project.store.has(digest):
            place = project.store.get(digest)
        if place is None or keep_copy(rebuilt, place) != digest:
            raise _gone(name, f"{file} {digest}")
    return {"identity": identity, **recorded(replace(version, packs=kept.packs, pieces=kept.pieces))}


def _gone(name: str, what: str) -> NotFound:
    return NotFound(
        f"source {name} is neither in the store nor here as the release saw it", value=what,
        next="bring the files of that day to their place, or a store that holds them",
    )  # fmt: skip


def environment_for(environment: Mapping[str, str], *, own: bool, shared: bool) -> dict[str, str]:
    """What a process in the release's packages sees: no secret of whoever rebuilds, but what opens a shared store.

    >>> environment_for({"PATH": "/bin", "LOCKGATE_KEY": "k", "AWS_SECRET_ACCESS_KEY": "s"}, own=True, shared=False)
    {'PATH': '/bin'}
    >>> environment_for({"CI_JOB_TOKEN": "s", "LOCKGATE_KEY": "k"}, own=True, shared=True)
    {'CI_JOB_TOKEN': 's'}
    """
    seen = without_secrets(environment)
    if shared:
        seen |= {n: v for n, v in environment.items() if n.startswith(OF_THE_STORE)}
    return seen if own else {n: v for n, v in seen.items() if n not in OF_PYTHON}


def _ask(
    command: Sequence[str], order: Mapping[str, Json], environment: Mapping[str, str], tell: Callable[[Event], None]
) -> Mapping[str, Json]:
    """Give the order to a process in the locked packages; hear about its steps; answer what it says last."""
    pipe = subprocess.PIPE
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints,
        subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=complaints, env=environment, encoding="utf-8", errors="replace"
        ) as process,
    ):
        assert process.stdin
        assert process.stdout
        with contextlib.suppress(BrokenPipeError):  # it ended before it read everything: its last words say why
            process.stdin.write(json.dumps(order))
            process.stdin.flush()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        said = _heard(process.stdout, tell)
        process.wait()
        complaints.seek(0)
        wrong = complaints.read().strip().splitlines()[-LAST_LINES:]
    try:
        if "error" in said:
            raise _error(said["error"])
        return said["done"]
    except (KeyError, TypeError, AttributeError):
        raise StepFailed(
            "the process that rebuilds ended early", value="\n".join(wrong) or f"exit {process.returncode}",
            next="look at the release's training-lock.txt: it runs in these packages",
        ) from None  # fmt: skip


def _heard(lines: Iterable[str], tell: Callable[[Event], None]) -> dict[str, Json]:
    """What it said last that can be understood; events on the way are passed on. What is none of its lines is not heard."""
    last: dict[str, Json] = {}
    for line in lines:
        try:
            said = json.loads(line)
            if "event" in said:
                tell(from_json(Event, said["event"]))
            elif "done" in said or "error" in said:
                last = said
        except (ValueError, TypeError, LockgateError):
            continue
    return last


def _rebuilt(
    project: Project, interpreter: Interpreter, answer: Mapping[str, Json],
    *, locked: tuple[Locked, ...], left_out: tuple[str, ...],
) -> Rebuilt:  # fmt: skip
    return Rebuilt(
        inputs=answer["inputs"],
        locked=locked,
        left_out=left_out,
        project=project,
        interpreter=interpreter,
        artifacts={n: from_json(Artifact, a) for n, a in answer["artifacts"].items()},
        steps=tuple(from_json(StepRecord, s) for s in answer["steps"]),
        code=answer["code"],
        definitions=answer["definitions"],
        parameters=answer["parameters"],
        packages=tuple(answer["packages"]),
        release=answer["release"],
        suspicions=answer["suspicions"],
        machine=answer["machine"],
        error=_error(answer["error"]) if answer["error"] else None,
    )


def _error(said: Mapping[str, str]) -> LockgateError:
    kind: type[LockgateError] = getattr(errors, said["kind"])
    return kind(said["what"], value=said["value"], allowed=said["allowed"], next=said["next"])
