"""What a project declares, as far as it decides about a forge's jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.records.digest import Json
from lockgate.records.frozen import frozen

if TYPE_CHECKING:
    from lockgate.declare import Stage

__all__ = ["Declared", "Made", "Runs"]


@frozen(kw_only=True)
class Made:
    """A data or training pipeline. `needs`: pipelines whose results its steps read."""

    name: str
    kind: str
    needs: tuple[str, ...] = ()


@frozen(kw_only=True)
class Declared:
    """All that decides about the jobs of a project.

    Attributes:
        pipelines: data and training pipelines, each behind those it needs.
        delivers: the training pipeline that is released; None: nothing is.
        stages: of the delivery pipeline.
        unprotected: environments that a release may enter while a gate is uncertain.
        attested: environments that take the forge's word for who pressed a button.
        says: the declaration as JSON; its digest stands in the rendered file.
    """

    pipelines: tuple[Made, ...]
    delivers: str | None = None
    stages: tuple[Stage, ...] = ()
    unprotected: tuple[str, ...] = ()
    attested: tuple[str, ...] = ()
    says: Json = None


@frozen(kw_only=True)
class Runs:
    """A step that a plan says runs, or may run. `after`: the steps of this kind that it waits for."""

    node: str
    reason: str
    after: tuple[str, ...] = ()
