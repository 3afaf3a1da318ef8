"""`run --twice`: every step that ran runs a second time, under another hash seed and on another day, and must make the same again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.codecs.differences import difference
from lockgate.delivery.reproduction.other_circumstances import ELSEWHEN, attempts_of, deadlines, run_again, suspect
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockgate.build.execute import Event
    from lockgate.delivery.run import RunRecord
    from lockgate.project import Project
    from lockgate.records.artifact import Artifact
    from lockgate.records.difference import Difference

__all__ = ["Second", "second_run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """One step's second run.

    Attributes:
        second: identity of what it made then; None: it failed.
        how_far: how far the two values lie apart; None: they are the same, or there is no second.
        suspected: why they differ, as far as trying tells; or what it failed with.
    """

    name: str
    first: str
    second: str | None
    how_far: Difference | None = None
    suspected: str = ""

    @property
    def same(self) -> bool:
        """It made the same."""
        return self.first == self.second


def second_run(project: Project, record: RunRecord, *, tell: Callable[[Event], None]) -> tuple[Second, ...]:
    """Run again what a run ran, each step from what it read then. What was kept of the first run stays as it is.

    `tell` hears about every step that begins or ends, and what is tried where one differs.
    """
    ran = [s.name for s in record.steps if s.action == "run" and "@" not in s.name]
    if not ran:
        return ()
    again = run_again(
        project, record.planned, record.artifacts, ran, environment=ELSEWHEN, seconds=deadlines(record.steps), tell=tell
    )
    return tuple(_second(project, record, name, again[name], tell) for name in ran)


def _second(
    project: Project, record: RunRecord, name: str, made: Artifact | LockgateError, tell: Callable[[Event], None]
) -> Second:
    first = record.artifacts[name]
    if isinstance(made, LockgateError):
        failed = "it took too long" if "took too long" in made.what else "it failed"
        return Second(name=name, first=first.digest, second=None, suspected=f"{failed}: {made.value or made.what}")
    if made.digest == first.digest:
        return Second(name=name, first=first.digest, second=made.digest)
    apart = difference(first.codec, project.store.get(first.object), project.store.get(made.object))
    attempt = attempts_of(project, record.planned, record.artifacts, name, seconds=deadlines(record.steps), tell=tell)
    why = suspect(first.digest, attempt)
    return Second(name=name, first=first.digest, second=made.digest, how_far=apart, suspected=why)
