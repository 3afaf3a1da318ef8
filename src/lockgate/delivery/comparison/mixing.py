"""Releases that never were: the old one with one thing from the new. Each is built once, and then known to everybody who shares the store."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate import __version__
from lockgate.build.execute import Event
from lockgate.delivery.releases import manifest_of
from lockgate.errors import IntegrityError, LockgateError, NotFound, StepFailed
from lockgate.records.digest import digest
from lockgate.records.movement import Unbuilt

if TYPE_CHECKING:
    import datetime as dt

    from lockgate.project import Project
    from lockgate.records.release import Manifest

__all__ = ["in_one_line", "mix", "mixes"]

KIND = "bundles"


def mixes(
    project: Project, before: Manifest, after: Manifest, factors: Sequence[str], *,
    now: dt.datetime, tell: Callable[[Event], None],
) -> tuple[dict[str, str], tuple[Unbuilt, ...]]:  # fmt: skip
    """For each factor a release that is the old one but for this factor; what cannot be built is answered with the reason.

    Returns:
        factor → digest of the release; and those that could not be built.
    """
    made, lacking = dict[str, str](), list[Unbuilt]()
    for number, factor in enumerate(factors, 1):
        sides = {f: after if f == factor else before for f in ("code", "data", "parameters", "packages")}
        note = f"the old release with the new {factor} ({number} of {len(factors)})"
        try:
            made[factor] = mix(project, sides, now=now, tell=tell, note=note)
        except LockgateError as error:
            lacking.append(Unbuilt(factor=factor, why=in_one_line(error)))
    return made, tuple(lacking)


def mix(
    project: Project, sides: Mapping[str, Manifest], *, now: dt.datetime, tell: Callable[[Event], None], note: str
) -> str:
    """Digest of the release with each factor from the given side; built only when the store does not hold it.

    Raises what building fails with: packages that cannot be installed, old code that does not run on new data.
    """
    from lockgate.delivery.reproduction.interpreter import (
        python_for,  # starts processes, as `rebuild` does: not for those who only look
    )

    wanted = sides["packages"].python
    python = python_for(wanted)
    key = digest("mix", [*([f, m.digest] for f, m in sorted(sides.items())), __version__, python])
    known = (project.results(KIND).get(key) or {}).get("release")
    if isinstance(known, str) and _whole(project, known):
        return known
    if (
        python.split(".")[:2] != wanted.split(".")[:2]
    ):  # what another Python changes must not pass for what a factor does
        raise StepFailed(
            f"it takes Python {wanted}, which is not on this machine",
            value=f"here is {python}",
            next=f"install Python {wanted}",
        )
    from lockgate.delivery.reproduction.rebuild import Recipe, rebuild

    tell(Event("", "note", f"building {note}"))
    with tempfile.TemporaryDirectory(prefix="mix-") as folder:
        recipe = Recipe(**sides)
        rebuilt = rebuild(project, recipe, folder=Path(folder), now=now, release=True, tell=tell)
        if rebuilt.error is not None:
            raise rebuilt.error
        if rebuilt.release is None:
            raise StepFailed("nothing was released of it", value=note)
        project.results(KIND).put(key, {"release": rebuilt.release})
        return rebuilt.release


def in_one_line(error: LockgateError) -> str:
    """An error as one line of a table."""
    parts = (error.what, error.value)
    return ": ".join(" ".join(str(p).split()) for p in parts if p)


def _whole(project: Project, release: str) -> bool:
    try:
        manifest = manifest_of(project, release)
    except (NotFound, IntegrityError):
        return False
    return all(project.store.has(f.blake3) for f in manifest.files)
