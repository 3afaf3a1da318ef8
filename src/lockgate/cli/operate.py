"""`serve`, `rollback`, `feedback`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.cli.render import now, plain, print_json, table
from lockgate.project import open_project
from lockgate.records.digest import short

if TYPE_CHECKING:
    import argparse

    from lockgate.monitoring.feedback import Joined, Score

WORST = 10


def serve_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("environment", metavar="ENV")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, help="default: [environments.ENV] port, else any free one")
    parser.add_argument("--trust", metavar="sha256:…", help="the trust root to believe; another one is refused")
    parser.add_argument(
        "--name",
        metavar="HOST",
        action="append",
        default=[],
        help="a host name that clients may call this server by",
    )


def rollback_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("environment", metavar="ENV")
    parser.add_argument("--to", metavar="RELEASE", help="default: the one served before")
    parser.add_argument("--reason", default="")


def feedback_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["import"])
    parser.add_argument("file", type=Path)
    parser.add_argument("--env", default="production")
    parser.add_argument(
        "--answer", default=None, help="the response field to hold against `actual` (default: its answer)"
    )
    parser.add_argument("--json", action="store_true")


def serve(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM, then drain."""
    from lockgate.delivery.serve import serve as open_server

    project = open_project(Path.cwd())
    port = (
        arguments.port if arguments.port is not None else (project.settings.ports or {}).get(arguments.environment, 0)
    )
    serving = open_server(
        project, arguments.environment, host=arguments.host, port=port, trust=arguments.trust,
        clock=now, say=_say, names=tuple(arguments.name),
    )  # fmt: skip
    _say(f"{arguments.environment} listens on {serving.address}")
    serving.run()
    return 0


def rollback(arguments: argparse.Namespace) -> int:
    """Ask for an earlier release; the servers follow."""
    from lockgate.delivery.rollback import rollback as roll_back

    release, entry = roll_back(
        open_project(Path.cwd()), arguments.environment, to=arguments.to, reason=arguments.reason, now=now()
    )
    print(
        f"done  {arguments.environment} goes back to {short(release)} (ledger entry {entry.seq}); watch: lockgate status"
    )
    return 0


def feedback(arguments: argparse.Namespace) -> int:
    """Join what happened to what was predicted."""
    from lockgate.delivery.feedback import import_feedback

    score, joined, field = import_feedback(
        open_project(Path.cwd()), arguments.file, environment=arguments.env, answer=arguments.answer
    )
    if arguments.json:
        print_json(
            {
                "answers": score.answers,
                "labelled": score.labelled,
                "answer": field,
                "wape": score.wape,
                "coverage": score.coverage,
            }
        )
    else:
        _print_feedback(score, joined, field)
    return 0


def _print_feedback(score: Score, joined: list[Joined], field: str) -> None:
    if joined:
        names = [field, *(n for n in ("low", "high") if n in joined[0].prediction.output)]
        worst = sorted(joined, key=lambda j: -abs(float(j.prediction.output[field]) - j.actual))[:WORST]
        rows = [
            [
                " ".join(str(v) for v in j.prediction.inputs.values()),
                *(f"{j.prediction.output[n]:g}" for n in names),
                f"{j.actual:g}",
            ]
            for j in worst
        ]
        print(f"the {len(rows)} largest misses\n" + table(rows, header=["asked", *names, "happened"]))
    print(f"{score.labelled} of {score.answers} answers have a label")
    if joined and isinstance(joined[0].prediction.output[field], bool):
        print(f"{score.absolute_error:.0f} of {score.labelled} decisions are not what happened")
        return
    if score.wape is not None:
        inside = "" if score.coverage is None else f", truth inside the interval {score.coverage:.0%}"
        print(f"error (WAPE) {score.wape:.1%}{inside}")


def _say(line: str) -> None:
    print(f"{now():%H:%M:%S}  {plain(line)}", flush=True)
