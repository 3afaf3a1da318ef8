"""`plan`, `run`, `why`."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lockgate.cli.cells import PARAM, left_out, unmoved
from lockgate.cli.progress import Progress
from lockgate.cli.render import now, print_json, table
from lockgate.delivery import run as delivery
from lockgate.errors import UsageError
from lockgate.project import open_project
from lockgate.records.plan import Reuse

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from lockgate.build.execute import Event
    from lockgate.records.digest import Json

T = TypeVar("T")

__all__ = ["parameters", "plan", "run", "watched", "why"]


def plan_arguments(parser: argparse.ArgumentParser) -> None:
    _common(parser)
    parser.add_argument("--save", type=Path, metavar="FILE", help="keep this plan for `run --plan FILE`")


def run_arguments(parser: argparse.ArgumentParser) -> None:
    _common(parser)
    parser.add_argument("--plan", type=Path, metavar="FILE", help="carry out a saved plan or nothing")
    parser.add_argument("--twice", action="store_true", help="run what ran a second time: does it make the same?")
    parser.add_argument("--keep-going", action="store_true", help="after a failure, run what does not depend on it")


def why_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("to", metavar="step", help="a step's name")
    _for_every(parser)


def plan(arguments: argparse.Namespace) -> int:
    """Print the plan; nothing of the project's runs."""
    from lockgate.build.explain import words

    planned = _planned(arguments)
    reuse = {s.node: s.action for s in planned.plan.steps if isinstance(s.action, Reuse)}
    steps = [(s.node, *words(s), a.artifact.digest if (a := reuse.get(s.node)) else None) for s in planned.plan.steps]
    guards = {n: node.guard for n, node in planned.graph.nodes.items()}
    if arguments.json:
        print_json({"run": None, "pipeline": arguments.pipeline or "all", "as_of": planned.as_of.isoformat(),
                    "steps": [{"name": n, "action": a, "reason": reuse[n].accepted if d else r, "digest": d, "seconds": 0.0, "sandbox": guards[n]} for n, a, r, d in steps]})  # fmt: skip
    else:
        shown = [[n, a, r if guards[n] == "on" else f"[sandbox {guards[n]}] {r}"] for n, a, r, _ in steps]
        print(table(shown, header=["step", "action", "reason"]))
    if arguments.save:
        from lockgate.cli.saved import save  # most plans are only looked at

        save(arguments, planned, parameters(arguments.param))
    return 0


def run(arguments: argparse.Namespace) -> int:
    """Run what is missing; exit 1 when a step failed, keeping everything before it."""
    project = open_project(Path.cwd())
    began, agreement = now(), None
    if arguments.plan:
        from lockgate.cli.saved import agreed

        agreement = agreed(arguments, project, began)
    record = watched(lambda tell: delivery.run(
        project, arguments.pipeline, now=began, to=arguments.to, params=parameters(arguments.param), tell=tell,
        keep_going=arguments.keep_going, agreed=agreement))  # fmt: skip
    if arguments.twice and record.error is None:
        from lockgate.cli.twice import twice

        return twice(project, record, json=arguments.json)
    counted = Counter(s.action for s in record.steps)
    if arguments.json:
        from lockgate.records.wire import to_json

        print_json({"run": record.run, "pipeline": record.pipeline, "as_of": record.as_of.isoformat(), "steps": to_json(record.steps)})  # fmt: skip
    else:
        print(f"done  {counted['run']} run, {counted['reuse']} reused{unmoved(arguments.to, counted['run'])}" if record.error is None else
              f"stopped  {counted['run']} run, {counted['reuse']} reused, {counted['failed']} failed, {counted['blocked']} not reached")  # fmt: skip
    for line in left_out(record.planned.sources.values()):
        print(line, file=sys.stderr)
    if record.error is not None:
        raise record.error
    return 0


def why(arguments: argparse.Namespace) -> int:
    """Print why a step would run, one line per reason."""
    from lockgate.delivery.why import why as differences_of

    action, lines = differences_of(_planned(arguments), arguments.to)
    said = "\n".join([f"{arguments.to}: {action}", *(f"  {line}" for line in lines)])
    print_json({"step": arguments.to, "action": action, "reasons": lines}) if arguments.json else print(said)
    return 0


def watched(work: Callable[[Callable[[Event], None]], T]) -> T:
    """Do the work in front of a progress display that speaks at least every two seconds."""
    progress = Progress()
    try:
        return work(progress)
    finally:
        progress.end()


def parameters(given: list[str]) -> dict[str, dict[str, Json]]:
    """`--param step.name=value` as nested mappings; the value is JSON, or text when it is not.

    >>> parameters(["model.learning_rate=0.1"])
    {'model': {'learning_rate': 0.1}}
    """
    import json

    found: dict[str, dict[str, Json]] = {}
    for item in given:
        name, separator, text = item.partition("=")
        step, dot, parameter = name.partition(".")
        if not (separator and dot and parameter):
            raise UsageError("not a parameter", value=item, allowed="STEP.NAME=VALUE, e.g. model.learning_rate=0.1")
        try:
            found.setdefault(step, {})[parameter] = json.loads(text)
        except ValueError:
            found.setdefault(step, {})[parameter] = text
    return found


def _planned(arguments: argparse.Namespace) -> delivery.Planned:
    return delivery.plan_by_partition(open_project(Path.cwd()), getattr(arguments, "pipeline", None), now=now(),
                                      to=getattr(arguments, "to", None), params=parameters(arguments.param))  # fmt: skip


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pipeline", nargs="?", help="a pipeline's name; without it, all")
    parser.add_argument("--to", metavar="STEP", help="only this step and what it needs")
    _for_every(parser)


def _for_every(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--param", action="append", default=[], metavar="STEP.NAME=VALUE", help=PARAM)
    parser.add_argument("--json", action="store_true", help="for machines")
