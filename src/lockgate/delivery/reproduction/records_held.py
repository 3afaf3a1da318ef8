"""What the store still knows about how a recorded result was made, held against what a release's lineage says of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.errors import IntegrityError
from lockgate.records.digest import Json, short
from lockgate.records.plan import Result
from lockgate.records.wire import from_json
from lockgate.release.lockfile import OURS

if TYPE_CHECKING:
    from lockgate.delivery.reproduction.rebuild import Rebuilt
    from lockgate.project import Project
    from lockgate.records.release import Manifest

__all__ = ["Made", "contradictions", "made_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One result as it was stored: `machine` is empty where it was stored before machines were recorded."""

    object: str
    inputs: Mapping[str, str]
    parameters: Mapping[str, Json]
    packages: tuple[str, ...]
    machine: Mapping[str, Json]


def made_of(project: Project, digests: Collection[str]) -> dict[str, tuple[Made, ...]]:
    """Identity → every way it was made, of those whose results are still in the store. Reads every result."""
    found: dict[str, tuple[Made, ...]] = {}
    for held in project.results("results").held():
        record = held.record
        if record and record.get("artifact", {}).get("digest") in digests:
            try:
                result = from_json(Result, record)
            except IntegrityError:
                continue
            made = Made(
                object=result.artifact.object, inputs=result.inputs, parameters=result.parameters,
                packages=result.packages, machine=result.extra.get("machine", {}),
            )  # fmt: skip
            found[result.artifact.digest] = (*found.get(result.artifact.digest, ()), made)
    return found


def contradictions(release: Manifest, name: str, made: Sequence[Made], rebuilt: Rebuilt) -> tuple[str, ...]:
    """Where the lineage says another thing than the result's own records: a falsified lineage shows here by name.

    The same result may have been made in several ways. One record that agrees is enough; else the nearest one speaks.
    """
    told = [tuple(_contradicted(release, name, record, rebuilt)) for record in made]
    return min(told, key=len, default=())


def _contradicted(release: Manifest, name: str, made: Made, rebuilt: Rebuilt) -> Iterator[str]:
    for parameter, source in rebuilt.inputs.get(name, {}).items():
        kind, _, rest = source.partition(":")
        said = release.lineage.sources.get(rest) if kind == "source" else None
        if said is not None and made.inputs.get(parameter) not in (None, said):
            yield f"source {rest}: the lineage says {short(said)}, it was made from {short(made.inputs[parameter])}"
    for parameter, value in release.lineage.parameters.get(name, {}).items():
        if parameter in made.parameters and made.parameters[parameter] != value:
            was = json.dumps(made.parameters[parameter])
            yield f"parameter {parameter}: the lineage says {json.dumps(value)}, it was made with {was}"
    locked = {k.name: k.version for k in rebuilt.locked}
    for package in made.packages:
        distribution, _, version = package.partition("==")
        plain = version.partition("+")[0]
        if distribution != OURS and locked.get(distribution, plain).partition("+")[0] != plain:
            yield f"package {distribution}: the lineage says {locked[distribution]}, it was made with {plain}"
