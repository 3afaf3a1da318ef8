"""`reproduce`: make a release again from its lineage, in a store that knows nothing, and compare digest by digest."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate import __version__
from lockgate.build.execute import Event
from lockgate.codecs.differences import difference, json_difference
from lockgate.delivery.refs import resolve
from lockgate.delivery.releases import file_of, manifest_of
from lockgate.delivery.reproduction.claims import claims, held_values, lock_lines
from lockgate.delivery.reproduction.rebuild import Rebuilt, Recipe, rebuild
from lockgate.delivery.reproduction.records_held import Made, contradictions, made_of
from lockgate.errors import LockgateError, NotFound
from lockgate.records.difference import Difference
from lockgate.records.digest import Json
from lockgate.records.graph import AS_OF
from lockgate.release.lockfile import OURS, parse

if TYPE_CHECKING:
    import datetime as dt

    from lockgate.project import Project
    from lockgate.records.artifact import Artifact
    from lockgate.records.release import Manifest

__all__ = ["Compared", "Reproduced", "reproduce"]

Known = Mapping[str, tuple[Made, ...]]
"""Identity → every way it was made that the store knows."""

WHOLE = 64
"""Hex digits of a release's whole digest, which needs no ledger to be found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One step, recorded and rebuilt.

    Attributes:
        rebuilt: None: it was not made.
        begins: it differs though everything it read is as recorded.
        how_far: how far the values lie apart; None: they are the same, or the recorded one is nowhere.
        suspected: why, as far as trying it again and the records tell.
    """

    step: str
    recorded: str | None
    rebuilt: str | None
    begins: bool = False
    how_far: Difference | None = None
    suspected: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Digest by digest."""
        return self.recorded == self.rebuilt


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduced:
    """What came of it.

    Attributes:
        rebuilt: digest of the release that was made, None: a step failed.
        differences: what of the lineage and of the release's own files is not as recorded, in words.
        answers: how far the recorded answers lie from those of the rebuilt release; None: they are the same.
        notes: what is worth knowing and is no difference: another Python, a venv, files that were left out.
        machines: what the recorded results were made on, where that is known, and this machine.
        error: why the rebuild stopped, None: it did not.
    """

    release: str
    rebuilt: str | None
    steps: tuple[Compared, ...]
    differences: tuple[str, ...]
    answers: Difference | None
    notes: tuple[str, ...]
    machines: tuple[Mapping[str, Json], Mapping[str, Json]]
    error: LockgateError | None = None

    @property
    def same(self) -> bool:
        """Every step, every file of the release and every fact of the lineage."""
        return self.error is None and not self.differences and self.answers is None and all(s.same for s in self.steps)


def reproduce(
    project: Project, ref: str, *, now: dt.datetime, tell: Callable[[Event], None] = lambda _: None
) -> Reproduced:
    """Rebuild a release and compare. The project's store gives the release and the bytes of its sources, nothing else.

    `ref`: `latest`, an environment, the start of a digest; a whole digest needs no ledger.

    Raises:
        NotFound: no such release, or a source's bytes are gone.
        IntegrityError: the release itself is damaged.
        StepFailed, ServiceUnavailable: the locked packages cannot be installed.
    """
    name = ref.removeprefix("sha256:")
    whole = len(name) == WHOLE and set(name) <= set("0123456789abcdef")
    release = manifest_of(project, f"sha256:{name}" if whole else resolve(project, ref, now=now))
    recorded = {n: str(s["artifact"]) for n, s in release.lineage.steps.items()}
    scratch = project.home / "tmp" / f"{os.getpid()}-rebuild-{os.urandom(3).hex()}"
    scratch.mkdir(parents=True)
    try:
        made = rebuild(
            project, Recipe.of(release), folder=scratch, now=now, empty=True, release=True, expected=recorded, tell=tell
        )
        return _compared(project, release, recorded, made)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _compared(project: Project, release: Manifest, recorded: Mapping[str, str], rebuilt: Rebuilt) -> Reproduced:
    here = {n: a.digest for n, a in rebuilt.artifacts.items()}
    unlike = {n for n in {*recorded, *here} if recorded.get(n) != here.get(n)}
    known = made_of(project, set(recorded.values()))
    again = manifest_of(rebuilt.project, rebuilt.release) if rebuilt.release else None
    order = [*(s.name for s in rebuilt.steps), *(n for n in sorted(recorded) if n not in here)]
    steps = tuple(
        _step(project, release, n, recorded.get(n), rebuilt, known)
        for n in dict.fromkeys(order)
        if "@" not in n or n in unlike
    )
    first = next((m for d in recorded.values() for m in known.get(d, ()) if m.machine), None)
    return Reproduced(
        release=release.digest,
        rebuilt=rebuilt.release,
        steps=steps,
        differences=tuple(
            dict.fromkeys((*_contradicted(release, rebuilt, known), *_differences(project, release, rebuilt, again)))
        ),
        answers=_answers(project, release, rebuilt.project, again) if again else None,
        notes=tuple(_notes(project, release, rebuilt)),
        machines=(first.machine if first else {}, rebuilt.machine),
        error=rebuilt.error,
    )


def _step(
    project: Project, release: Manifest, name: str, recorded: str | None, rebuilt: Rebuilt, known: Known
) -> Compared:
    artifact = rebuilt.artifacts.get(name)
    digest = artifact.digest if artifact else None
    if digest == recorded or artifact is None or recorded is None:
        return Compared(step=name, recorded=recorded, rebuilt=digest)
    begins = name in rebuilt.suspicions
    return Compared(
        step=name, recorded=recorded, rebuilt=digest, begins=begins,
        how_far=_how_far(project, release, recorded, rebuilt, artifact, known),
        suspected=tuple(_suspected(release, name, rebuilt, known.get(recorded, ()))) if begins else (),
    )  # fmt: skip


def _suspected(release: Manifest, name: str, rebuilt: Rebuilt, made: Sequence[Made]) -> Iterator[str]:
    """What trying found; else what the records contradict, or what is left."""
    told = contradictions(release, name, made, rebuilt)
    if tried := rebuilt.suspicions[name]:
        yield tried
    elif told:
        yield from told
    else:
        given = rebuilt.parameters.get(name, {})
        reads = [_input(i) for i in rebuilt.inputs.get(name, {}).values()]
        said = [
            *reads,
            *(f"parameter {p} = {json.dumps(v)}" for p, v in given.items()),
            "its code",
            "a package",
            "the processor",
        ]
        yield f"neither seed, time, set order nor threads; so one of: {', '.join(said)}"


def _input(source: str) -> str:
    """An input as people call it."""
    kind, _, rest = source.partition(":")
    return f"source {rest}" if kind == "source" else "the day" if source == AS_OF else f"step {source}"


def _how_far(
    project: Project, release: Manifest, recorded: str, rebuilt: Rebuilt, artifact: Artifact, known: Known
) -> Difference | None:
    """Against the recorded value, if any copy of it is left: in the store, or in the release."""
    values = (*release.inputs.values(), *release.state.values())
    held = next((f.blake3 for v in values if v.digest == recorded for f in release.files if f.path == v.path), None)
    before = held or next((m.object for m in known.get(recorded, ()) if project.store.has(m.object)), None)
    try:
        return (
            difference(artifact.codec, project.store.get(before), rebuilt.project.store.get(artifact.object))
            if before
            else None
        )
    except NotFound:
        return None


def _answers(project: Project, release: Manifest, rebuilt: Project, again: Manifest) -> Difference | None:
    """The recorded answers on the holdout, which every release carries."""
    before, after = (
        json.loads(file_of(p, m, m.holdout).read_bytes()) for p, m in ((project, release), (rebuilt, again))
    )
    if before == after:
        return None
    if len(before) != len(after):
        return Difference(words=f"{len(before)} answers recorded, {len(after)} rebuilt")
    unlike = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    told = json_difference([a for a, _ in unlike], [b for _, b in unlike])
    apart = (
        "" if told.largest is None else f", numbers by at most {told.largest:.3g} ({(told.relative or 0) * 100:.2g}%)"
    )
    words = f"{len(unlike)} of {len(before)} answers on the holdout differ{apart}"
    return Difference(words=words, rows=len(unlike), largest=told.largest, relative=told.relative)


def _contradicted(release: Manifest, rebuilt: Rebuilt, known: Known) -> Iterator[str]:
    """What the store's own records say against the lineage, whether it made a difference or not."""
    for name, step in release.lineage.steps.items():
        yield from contradictions(release, name, known.get(str(step["artifact"]), ()), rebuilt)


def _differences(project: Project, release: Manifest, rebuilt: Rebuilt, again: Manifest | None) -> Iterator[str]:
    """Facts of the lineage, then files: what is a consequence of a step is said at the step."""
    ran = {s.digest for s in rebuilt.steps if s.action == "run"}
    for step in rebuilt.steps:
        if step.action == "reuse" and step.digest not in ran:  # two steps may share one fingerprint
            yield f"step {step.name} did not run: a result of it was there, where nothing should be"
    yield from (f"package {said}" for said in rebuilt.packages)
    lineage = release.lineage
    for name, values in lineage.parameters.items():
        for parameter, value in values.items():
            if name in rebuilt.parameters and (used := rebuilt.parameters[name].get(parameter)) != value:
                yield f"parameter {name}.{parameter}: recorded {json.dumps(value)}, the code ran with {json.dumps(used)}"
    recorded = {n: str(d) for n, d in lineage.extra.get("definitions", {}).items()}
    if rebuilt.error is None and _ours(project, release) == __version__:  # else code has other digests, see the notes
        for name in sorted({*recorded, *rebuilt.definitions}):
            if recorded.get(name) != rebuilt.definitions.get(name):
                yield f"code of {name} is not what the lineage says"
    if again is not None:
        yield from claims(release, again, same_lockgate=_ours(project, release) == __version__)
        yield from held_values(project, release, again)
        held = {v.path for m in (release, again) for v in (*m.inputs.values(), *m.state.values())}
        before, after = ({f.path: f.sha256 for f in m.files} for m in (release, again))
        if lock_lines(_lock(project, release)) == lock_lines(_lock(rebuilt.project, again)):
            before[release.lock] = after[again.lock] = ""  # but for Lockgate itself
        for path in sorted({*before, *after} - held - {release.holdout}):
            if before.get(path) != after.get(path):
                yield f"file {path} of the release: recorded {_short(before.get(path))}, rebuilt {_short(after.get(path))}"


def _ours(project: Project, release: Manifest) -> str:
    """The Lockgate that a release was made with; this one where it does not say."""
    return parse(_lock(project, release)).get(OURS, __version__)


def _lock(project: Project, release: Manifest) -> str:
    """The text of the packages that a release is served with."""
    return file_of(project, release, release.lock).read_text(encoding="utf-8")


def _notes(project: Project, release: Manifest, rebuilt: Rebuilt) -> Iterator[str]:
    if (ours := _ours(project, release)) != __version__:
        yield f"made with Lockgate {ours}, rebuilt with {__version__}: digests of code are not compared, files and results are"
    if rebuilt.interpreter.version != release.python:
        yield f"made with Python {release.python}, which is not on this machine; rebuilt with {rebuilt.interpreter.version}"
    if not rebuilt.interpreter.own:
        yield "the locked packages are not those of this environment; rebuilt in a venv that has them"
    if unsaid := [k.name for k in rebuilt.locked if not k.files]:
        yield f"the lock does not say which files these packages had: {', '.join(unsaid)}"
    for path in rebuilt.left_out:
        yield f"{path} is not in the release: it is hidden, named like a secret, over 5 MB, or outside of the project"
    for name, step in release.lineage.steps.items():
        if reason := step.get("accepted"):
            yield f"{name}: a person let an older result stand: {reason}"


def _short(digest: str | None) -> str:
    return digest.rpartition(":")[2][:12] if digest else "nothing"
