"""What `run --twice` says: which steps do not make the same again, how far apart, and why."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from lockgate.cli.build import watched
from lockgate.cli.render import WIDTH, plain, print_json, table
from lockgate.delivery.reproduction.twice import Second, second_run
from lockgate.errors import StepFailed
from lockgate.records.digest import short
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockgate.delivery.run import RunRecord
    from lockgate.project import Project

__all__ = ["twice"]


def twice(project: Project, record: RunRecord, *, json: bool) -> int:
    """Run again what a run ran. Raises StepFailed naming the steps that differ."""
    seconds = watched(lambda tell: second_run(project, record, tell=tell))
    if json:
        compared = [{**to_json(s), "same": s.same} for s in seconds]
        print_json({"run": record.run, "pipeline": record.pipeline, "as_of": record.as_of.isoformat(),
                    "steps": to_json(record.steps), "twice": compared})  # fmt: skip
    else:
        _show(seconds)
    if unlike := [s.name for s in seconds if not s.same]:
        raise StepFailed(
            "a step did not make the same twice", value=", ".join(unlike),
            allowed="a result that depends on what the step reads, and on nothing else",
            next="give it a seed, sort what comes out of sets, take the day as `as_of`; then run --twice again",
        )  # fmt: skip
    return 0


def _show(seconds: Sequence[Second]) -> None:
    """A line per step, and below how far apart and why."""
    if seconds:
        rows = [[s.name, short(s.first), short(s.second or "–"), "same" if s.same else "differs"] for s in seconds]
        print(table(rows, header=["step", "first", "second", ""]))
    for second in (s for s in seconds if not s.same):
        words = [second.how_far.words] if second.how_far else []
        for text in (*words, f"suspected: {second.suspected or 'nothing that was tried changes it'}"):
            lines = textwrap.wrap(plain(text), WIDTH, initial_indent=f"{second.name}  ", subsequent_indent="    ")
            print("\n".join(lines))
    same = sum(s.same for s in seconds)
    print(f"done  {len(seconds)} run twice, {same} the same" if seconds else "done  nothing ran, so nothing ran twice")
