"""Build a release from a run, keep it in the store, and bring it back anywhere."""

from __future__ import annotations

import contextlib
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.delivery.lineage import Origin, lineage_of
from lockgate.delivery.put import keep_copy
from lockgate.delivery.reproduction.snapshot import take_snapshot
from lockgate.errors import IntegrityError, NotFound, StepFailed, UsageError
from lockgate.records.digest import digest, digest_bytes, short
from lockgate.records.graph import AS_OF
from lockgate.records.proposals import proposals
from lockgate.records.release import FileEntry, Manifest
from lockgate.records.wire import to_json
from lockgate.release.bundle import bundle
from lockgate.release.client import describe_code
from lockgate.release.layout import PROJECT, TRAINING_LOCK, read_manifest, release_path
from lockgate.release.training_lock import training_lock
from lockgate.release.transfer import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Mapping

    from lockgate.delivery.run import Planned, RunRecord
    from lockgate.project import Project
    from lockgate.records.artifact import Artifact
    from lockgate.records.graph import PipelineInfo
    from lockgate.records.trust import Trusted

__all__ = ["build_release", "fetch", "file_of", "manifest_of", "named", "naming"]

PACKAGES = ("packages", "imports", "measured_with")
"""Where a captured predictor names packages."""


def build_release(
    project: Project, pipeline: PipelineInfo, record: RunRecord, *, origin: Origin | None = None
) -> Manifest:
    """Bundle what a run made; the same artifacts, code and lineage give the same release.

    `origin`: the commit to write into the lineage, where the project's folder is no repository.
    """
    predictor = pipeline.predictor
    if predictor is None or pipeline.holdout is None:
        raise UsageError("a pipeline without predictor and holdout cannot be released", value=pipeline.name)
    files: list[str] = predictor["files"]
    code = _planned_code(project, record.planned, files)
    values = {p: _stored(project, n, record.artifacts[n]) for p, n in predictor["inputs"].items()}
    beside = _made_with(project, record.planned, {p for kind in PACKAGES for p in predictor.get(kind, ())})
    lineage = lineage_of(project, pipeline, record, project_files=digest_bytes(beside[PROJECT]), origin=origin)
    made_of = [
        project.settings.name, _day_that_matters(record, pipeline), pipeline.holdout and record.artifacts[pipeline.holdout].digest,
        {p: a.digest for p, (_, a) in values.items()}, {f: digest_bytes(c) for f, c in code.items()}, predictor, to_json(lineage), digest_bytes(beside[TRAINING_LOCK]),
    ]  # fmt: skip
    key = digest("bundle", made_of)
    known = project.results("bundles").get(key)
    if known is not None and (whole := _whole(project, known["release"])):
        return whole
    module = predictor["target"].partition(":")[0]
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), code)
        described = describe_code(Path(folder), f"{module}:{predictor['variable']}")
    state = set(predictor["state"])
    manifest = bundle(
        project.home / "releases",
        project=project.settings.name,
        name=pipeline.name,
        as_of=record.as_of.isoformat(),
        predictor=described,
        code=code,
        inputs={p: v for p, v in values.items() if p not in state},
        state={p: v for p, v in values.items() if p in state},
        holdout=_stored(project, pipeline.holdout, record.artifacts[pipeline.holdout]),
        lock="".join(f"{_plain(p)}\n" for p in sorted({*predictor["packages"], *predictor.get("imports", ())})),
        lineage=lineage,
        beside=beside,
    )
    _keep(project, manifest)
    project.results("bundles").put(key, {"release": manifest.digest})
    return manifest


def _day_that_matters(record: RunRecord, pipeline: PipelineInfo) -> str:
    """The day, if an answer or a step depends on it. Else a release that is made again tomorrow is the one of today (ADR 29)."""
    predictor = pipeline.predictor or {}
    nodes = record.planned.graph.nodes
    asked = predictor.get("dated", True) or any(
        AS_OF in nodes[n].inputs.values() for n in record.artifacts if n in nodes
    )
    return record.as_of.isoformat() if asked else ""


def _whole(project: Project, release: str) -> Manifest | None:
    """The manifest of a release whose every object is in the store; else it has to be bundled again."""
    record = project.results("releases").get(release)
    if record is None or not project.store.has(record["manifest"], sha256=release):
        return None
    manifest = manifest_of(project, release)
    return manifest if all(_is_kept(project, f) for f in manifest.files) else None


def fetch(project: Project, release: str) -> Path:
    """The unpacked, verified folder of a release, from the shared store.

    The store's own bytes are checked even when the folder is already here. IntegrityError names a damaged file.
    """
    manifest = manifest_of(project, release)
    for entry in manifest.files:
        with naming(f"{entry.path} of release {short(release)}"):
            project.store.get(entry.blake3)
    return unpack(manifest, project.store.get, into=project.home / "releases")


def file_of(project: Project, release: Manifest, path: str) -> Path:
    """One file of a release, from the store, whole. IntegrityError when it is damaged or the manifest lists none."""
    entry = next((f for f in release.files if f.path == path), None)
    if entry is None:
        raise IntegrityError(
            "a release names a file that it does not list", value=f"{path} of {short(release.digest)}",
            next="lockgate deliver",
        )  # fmt: skip
    with naming(f"{path} of release {short(release.digest)}"):
        return project.store.get(entry.blake3)


@contextlib.contextmanager
def naming(thing: str) -> Generator[None]:
    """A damaged or lost object gets the name that people know it by."""
    try:
        yield
    except NotFound as error:
        raise NotFound(f"{thing} is not in the store", value=error.value, next=error.next) from error
    except IntegrityError as error:
        message = f"{thing} is damaged in the store"
        raise IntegrityError(message, value=error.value, allowed=error.allowed, next=error.next) from error


def manifest_of(project: Project, release: str) -> Manifest:
    """A release's manifest, checked against its name."""
    record = project.results("releases").get(release)
    if record is None:
        raise NotFound("no such release in the store", value=short(release), next="lockgate releases")
    with naming(f"the manifest of release {short(release)}"):
        return read_manifest(project.store.get(record["manifest"]).read_bytes(), expected=release)


def named(trust: Trusted, ref: str, live: Mapping[str, str]) -> str:
    """A release by `latest`, an environment's name, or the start of its digest."""
    known = [p.claim.release for p in proposals(trust.said)]
    if ref == "latest" and known:
        return known[-1]
    if ref in live:
        return live[ref]
    hits = sorted({r for r in known if r.removeprefix("sha256:").startswith(ref.removeprefix("sha256:"))})
    if len(hits) == 1:
        return hits[0]
    allowed = ", ".join(["latest", *live, *(short(r) for r in hits or known[-5:])]) if known else "none yet"
    raise NotFound(
        "no such release" if not hits else "more than one release starts so",
        value=ref,
        allowed=allowed,
        next="lockgate releases" if known else "lockgate deliver",
    )


def _keep(project: Project, manifest: Manifest) -> None:
    """Every file into the store, then the record that names the manifest."""
    directory = release_path(project.home / "releases", manifest.digest)
    entries = pack(directory, manifest.digest)
    for entry in entries:
        if not _is_kept(project, entry):
            keep_copy(project, directory / entry.path)
    record = {"manifest": entries[0].blake3, "release": manifest.digest}
    if project.results("releases").get(manifest.digest) != record:
        project.results("releases").put(manifest.digest, record)


def _is_kept(project: Project, entry: FileEntry) -> bool:
    """Whether the store has it, and says nothing else of its bytes: somebody may have put others under its name."""
    return project.store.has(entry.blake3, sha256=entry.sha256, size_bytes=entry.size_bytes)


def _stored(project: Project, name: str, artifact: Artifact) -> tuple[Path, Artifact]:
    with naming(f"the result of {name}"):
        return project.store.get(artifact.object), artifact


def _made_with(project: Project, planned: Planned, also: Collection[str]) -> dict[str, bytes]:
    """What it takes to make the release again, beside its sources: the project's files, and the packages.

    `also`: packages beside those of the steps: what serving takes, and what Lockgate reads tables and measures with.
    """
    nodes = planned.graph.nodes.values()
    reached = {p for n in nodes for p in n.packages}
    packages = reached | {*planned.graph.extra.get("packages", ()), *also}
    snapshot = take_snapshot(project, planned.graph, lambda files: _planned_code(project, planned, files))
    return {PROJECT: snapshot.encoded(), TRAINING_LOCK: training_lock(packages).encode()}


def _planned_code(project: Project, planned: Planned, files: list[str]) -> dict[str, bytes]:
    """These files as they were when the run was planned; one that changed since stops the release."""
    expected = {f.path: f.digest for f in planned.graph.trace.files}
    if unseen := sorted(set(files) - set(expected)):
        raise IntegrityError(
            "the plan did not see a file of the release", value=", ".join(unseen),
            next=f"remove {project.home / 'graph.json'} and run the command again",
        )  # fmt: skip
    code = {f: (project.root / f).read_bytes() for f in files if (project.root / f).is_file()}
    moved = sorted(f for f in files if f not in code or digest_bytes(code[f]) != expected[f])
    if moved:
        raise StepFailed("code changed while the run was going on", value=", ".join(moved), next="lockgate deliver")
    return code


def _plain(package: str) -> str:
    """`name==version` without the digest that an editable install carries behind it.

    >>> _plain("torch==2.1+cu118"), _plain("lockgate==0.1.0+0123456789abcdef")
    ('torch==2.1+cu118', 'lockgate==0.1.0')
    """
    return re.sub(r"\+[0-9a-f]{16}$", "", package)


def _write(folder: Path, code: Mapping[str, bytes]) -> None:
    for name, data in code.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
