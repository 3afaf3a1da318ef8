"""What a release says of itself beside its steps' results, held against the one that was made again."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from lockgate import codecs
from lockgate.errors import LockgateError
from lockgate.records.digest import Json, sha256_file
from lockgate.release.lockfile import OURS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lockgate.project import Project
    from lockgate.records.release import Manifest

__all__ = ["claims", "held_values", "lock_lines"]

ELSEWHERE = ("definitions",)
"""Parts of a lineage that are compared one by one, with words of their own."""


def claims(release: Manifest, again: Manifest, *, same_lockgate: bool) -> Iterator[str]:
    """What does not come out again. What another Lockgate may describe otherwise is compared only for the same one."""
    theirs, ours = release.lineage, again.lineage
    for name in sorted(set(theirs.sources) - set(ours.sources)):
        yield f"source {name}: the lineage names it, no step reads it"
    for name in sorted(set(theirs.parameters) - set(ours.parameters)):
        yield f"parameters of {name}: the lineage names some, the code has none"
    for name, values in ours.parameters.items():
        for parameter in sorted(set(values) - set(theirs.parameters.get(name, {}))):
            yield f"parameter {name}.{parameter}: not recorded, the code ran with {json.dumps(values[parameter])}"
    for name in sorted({*theirs.datasets, *ours.datasets}):
        if theirs.datasets.get(name) not in _recorded(release, again, ours.datasets.get(name)):
            yield f"dataset {name} is not what the lineage says"
    for field in ("code", "holdout", "lock"):
        if getattr(release, field) != getattr(again, field):
            yield f"{field} of the release is not what the manifest says"
    if same_lockgate:
        yield from _described(release, again)


def _described(release: Manifest, again: Manifest) -> Iterator[str]:
    theirs, ours = release.lineage, again.lineage
    for name, step in ours.steps.items():
        if name in theirs.steps and theirs.steps[name].get("code") != step["code"]:
            yield f"code of step {name} is not what the lineage says"
    if release.predictor != again.predictor:
        yield "the predictor is not what the manifest says"
    for which, one, other in (("manifest", release.extra, again.extra), ("lineage", theirs.extra, ours.extra)):
        for name in sorted({*one, *other} - {*ELSEWHERE}):
            if one.get(name) != other.get(name):
                yield f"{name} is not what the {which} says"


def held_values(project: Project, release: Manifest, again: Manifest) -> Iterator[str]:
    """The predictor's values: each is what its step is recorded to have made, and its file holds that."""
    theirs, ours = ({**m.inputs, **m.state} for m in (release, again))
    for name in sorted({*theirs, *ours}):
        if name not in theirs or name not in ours:
            yield f"value {name} of the release: {'only recorded' if name in theirs else 'not recorded'}"
            continue
        said, made = theirs[name], ours[name]
        if said.digest not in _recorded(release, again, made.digest) or replace(made, digest=said.digest) != said:
            yield f"value {name} of the release is not what its step is recorded to have made"
        before, after = ([f for f in m.files if f.path == v.path] for m, v in ((release, said), (again, made)))
        if [f.sha256 for f in before] == [f.sha256 for f in after]:
            continue
        if len(before) != 1 or not _holds(
            project.store.get(before[0].blake3), said.codec, said.digest, before[0].sha256
        ):
            yield f"file {said.path} of the release does not hold the value that the manifest names"


def _recorded(release: Manifest, again: Manifest, digest: str | None) -> set[Json]:
    """What is recorded of the steps that make this now: a step that differs makes what follows differ, too."""
    made = (n for n, s in again.lineage.steps.items() if s["artifact"] == digest)
    return {release.lineage.steps[n]["artifact"] for n in made if n in release.lineage.steps}


def _holds(path: Path, codec: str, digest: str, sha256: str) -> bool:
    """Whether other bytes are the same value; read without the release's own types, so not of every kind."""
    if sha256_file(path) != sha256:
        return False
    try:
        if codec == "file":
            return codecs.identity(codec, path) == digest
        if codec == "json":
            return codecs.identity(codec, json.loads(path.read_bytes())) == digest
        if codec == "lightgbm.txt":
            from lockgate.codecs.lightgbm_booster import identity_of_text

            return identity_of_text(path.read_bytes().decode()) == digest
        if codec == "polars.ipc":
            return codecs.identity(codec, codecs.load(codec, path, object)) == digest
    except (ImportError, LockgateError, OSError, ValueError, RecursionError):
        return False
    except Exception as error:  # it has errors of its own for bytes that are no table
        if type(error).__module__.partition(".")[0] == "polars":
            return False
        raise
    return False


def lock_lines(text: str) -> list[str]:
    """A release's lock file but for Lockgate, which whoever rebuilds brings: every line, also one that is no package.

    >>> lock_lines("a==1\\nlockgate==2\\n--index-url x\\n")
    ['a==1', '--index-url x']
    """
    return [line for line in text.splitlines() if not line.startswith(f"{OURS}==")]
