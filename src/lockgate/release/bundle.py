"""Make a release, once: write its files, let a release host record the holdout answers, name it by its digest.

The same inputs give the same digest: the manifest holds no time and no path of the machine.
"""

from __future__ import annotations

import dataclasses
import platform
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lockgate import codecs
from lockgate.durable import replace_tree
from lockgate.errors import UsageError
from lockgate.records.artifact import Artifact
from lockgate.records.release import (
    FORMAT,
    FileEntry,
    Lineage,
    Manifest,
    PredictorSpec,
    StateEntry,
    ValueEntry,
)
from lockgate.release.client import ReleaseHost
from lockgate.release.layout import (
    CODE,
    HOLDOUT,
    LOCK,
    MANIFEST,
    SUMS,
    file_entry,
    release_path,
    safe_path,
    sums,
    verify,
)

__all__ = ["SAMPLE_ROWS", "bundle"]

SAMPLE_ROWS = 240

Stored = tuple[Path, Artifact]


def bundle(
    directory: Path,
    *,
    project: str,
    name: str,
    as_of: str,
    predictor: PredictorSpec,
    code: Mapping[str, bytes],
    inputs: Mapping[str, Stored],
    state: Mapping[str, Stored],
    holdout: Stored,
    lock: str,
    lineage: Lineage,
    beside: Mapping[str, bytes] | None = None,
) -> Manifest:
    """Write a release to `directory/<sha256 hex>` and answer its manifest; an equal one that exists is kept.

    Args:
        as_of: ISO date; the day the release believes it is.
        predictor: from `describe_code`. code: path relative to the import root → bytes.
        inputs, state: parameter → stored bytes and their artifact; exactly the parameters of the predictor.
        holdout: a table with the request fields and `as_of` per row; up to 240 rows of it are answered by the
            new release and recorded, and every host must repeat these answers bit by bit.
        lock: `name==version` lines.
        beside: more files that the release carries, by path: what it was made with.

    Raises UsageError when a parameter has no value; StepFailed when the release cannot answer.
    """
    _check_parameters(predictor, inputs=inputs, state=state)
    directory.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".bundle-", dir=directory))
    try:
        _write_code(draft, code)
        (draft / LOCK).write_text(lock, encoding="utf-8")
        for path, data in (beside or {}).items():
            (draft / safe_path(path)).write_bytes(data)
        manifest = Manifest(
            format=FORMAT,
            project=project,
            name=name,
            as_of=as_of,
            predictor=predictor,
            inputs={p: _value(draft, "inputs", p, stored) for p, stored in inputs.items()},
            state={p: _state(draft, p, stored, predictor.state[p]) for p, stored in state.items()},
            holdout=HOLDOUT,
            lock=LOCK,
            lineage=lineage,
            python=platform.python_version(),
            platform=f"{sys.platform}-{platform.machine()}",
            code=tuple(f"{CODE}/{path}" for path in sorted(code)),
            files=(),
        )
        return _seal(draft, manifest, holdout=holdout[0])
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _seal(draft: Path, manifest: Manifest, *, holdout: Path) -> Manifest:
    """Record the answers through a host that opens the draft, then list the files and give the final name."""
    (draft / HOLDOUT).write_text("[]", encoding="utf-8")
    unanswered = _write_manifest(draft, manifest)
    with ReleaseHost(draft, unanswered.digest) as host:
        answered = host.record(holdout, rows=SAMPLE_ROWS)
    (draft / HOLDOUT).write_bytes(answered)
    final = _write_manifest(draft, manifest)
    target = release_path(draft.parent, final.digest)
    if target.exists():
        return verify(target, final.digest)
    draft.chmod(0o755)
    replace_tree(draft, target)
    return final


def _write_manifest(draft: Path, manifest: Manifest) -> Manifest:
    full = _with_files(manifest, tuple(file_entry(draft, path) for path in _listing(draft)))
    (draft / MANIFEST).write_bytes(full.encoded())
    (draft / SUMS).write_bytes(sums(full))
    return full


def _with_files(manifest: Manifest, files: tuple[FileEntry, ...]) -> Manifest:
    return dataclasses.replace(manifest, files=files)


def _listing(draft: Path) -> list[str]:
    found = (file.relative_to(draft).as_posix() for file in draft.rglob("*") if file.is_file())
    return sorted(path for path in found if path not in (MANIFEST, SUMS))


def _write_code(draft: Path, code: Mapping[str, bytes]) -> None:
    for path, data in code.items():
        target = draft / CODE / safe_path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def _value(draft: Path, folder: str, parameter: str, stored: Stored) -> ValueEntry:
    source, artifact = stored
    path = f"{folder}/{parameter}{codecs.SUFFIXES.get(artifact.codec, '')}"
    (draft / folder).mkdir(exist_ok=True)
    shutil.copyfile(source, draft / path)
    return ValueEntry(path=path, codec=artifact.codec, type=artifact.type, digest=artifact.digest)


def _state(draft: Path, table: str, stored: Stored, time_column: str) -> StateEntry:
    value = _value(draft, "state", table, stored)
    return StateEntry(path=value.path, codec=value.codec, type=value.type, digest=value.digest, time_column=time_column)


def _check_parameters(predictor: PredictorSpec, *, inputs: Mapping[str, Stored], state: Mapping[str, Stored]) -> None:
    for kind, wanted, given in (("input", predictor.inputs, inputs), ("state table", predictor.state, state)):
        if set(wanted) != set(given):
            raise UsageError(
                f"the release needs exactly one value per {kind} of its predictor",
                value=", ".join(sorted(given)) or "none",
                allowed=", ".join(sorted(wanted)) or "none",
            )
