"""`lockgate`: find the command, parse its arguments, turn errors into one message and an exit code.

Only the module of the command that was asked for is imported.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import sys
from typing import TYPE_CHECKING

from lockgate.cli.parser import Parser
from lockgate.errors import LockgateError, UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

__all__ = ["COMMANDS", "main"]

# command → (module below lockgate.cli, one line of help); headings as in the help.
COMMANDS = {
    "Every day": {
        "init": ("start", "make a project, your key and the trust root"),
        "plan": ("build", "what would run, and why"),
        "run": ("build", "run what is missing"),
        "why": ("build", "why a step runs, in one line per reason"),
        "diff": ("diff", "what changes for users between two releases, and why"),
        "deliver": ("deliver", "bundle a release and walk its stages as far as they go"),
        "approve": ("decide", "sign for a release"),
        "serve": ("operate", "serve an environment"),
        "status": ("state", "what is live where, and what could go live now"),
        "rollback": ("operate", "go back to a release this environment has served"),
    },
    "Looking": {
        "data": ("data", "what sources hold and held: list | add | log | diff | checkout | forget"),
        "show": ("show", "an artifact: what it is, where it lies"),
        "runs": ("show", "past runs"),
        "graph": ("graph", "what is made of what, how fresh it is and what it cost"),
        "releases": ("evidence", "releases and their state"),
        "gate": ("gate", "judge | plan | backtest: one gate on a release; what gates can tell, or would have said"),
        "evidence": ("evidence", "the evidence page of a release"),
        "reproduce": ("reproduce", "make a release again from its lineage and compare"),
    },
    "Deciding": {
        "reject": ("decide", "sign against a release"),
        "waive": ("waive", "sign that a failed gate may pass for a while; it stays failed"),
        "waivers": ("waive", "what stands beside the rule: waivers, conditions, broken glass"),
        "meet": ("revoke", "sign that a condition of an approval is met"),
        "revoke": ("revoke", "take back an approval, a waiver or broken glass"),
        "review": ("revoke", "close the review of broken glass"),
        "accept": ("accept", "let the old result of a step stand after a change of its code"),
        "people": ("people", "who may decide what"),
        "ledger": ("ledger", "log | verify | anchor | bundle: what was decided, and proof of it for others"),
    },
    "Operating": {
        "propose": ("jobs", "run what is missing, bundle a release, and say in the ledger that it exists"),
        "approvals": ("jobs", "whether everybody has signed before an environment; who is missing, and how they sign"),
        "preview": ("preview", "serve | wait: the app of a proposed release, beside what is live"),
        "adopt": ("adopt", "make a project of a dvc.yaml, and show what its stages read undeclared"),
        "stream": ("stream", "run a pipeline whenever its sources have something new; write its sinks"),
        "store": ("store", "how large it is; check | gc: find and heal damage, collect garbage"),
        "gitlab": ("gitlab", "render | check | report | attest | publish: the pipeline in GitLab"),
        "feedback": ("operate", "import: join what happened to what was predicted"),
    },
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; answer the exit code (0 good, 1 failed, 2 usage, 3 human, 4 integrity, 5 outside)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _dispatch(given)
    except LockgateError as error:
        _complain(error)
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except UnicodeDecodeError as error:
        _complain(UsageError("a file is not UTF-8 text", value=str(error), next="save it as UTF-8"))
        return 2
    except OSError as error:
        from lockgate.errors import ServiceUnavailable

        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        _complain(ServiceUnavailable("the system refused", value=what, next="mend it and try again"))
        return 5
    except KeyboardInterrupt:
        print("stopped; everything finished is kept", file=sys.stderr)
        return 130


def _complain(error: LockgateError) -> None:
    from lockgate.cli.wrapping import told

    print(told(str(error)), file=sys.stderr)


def _dispatch(given: list[str]) -> int:
    if not given or given[0] in ("-h", "--help", "help"):
        print(_help())
        return 0
    if given[0] == "--version":
        from lockgate import __version__

        print(f"lockgate {__version__}")
        return 0
    name = given[0]
    known = {n: place for group in COMMANDS.values() for n, place in group.items()}
    if name not in known:
        raise UsageError("no such command", value=name, allowed=did_you_mean(name, known), next="lockgate --help")
    module = _load(f"lockgate.cli.{known[name][0]}")
    width = None if {"-h", "--help"} & {*given} else 98  # to ask the terminal loads three compression libraries
    parser = Parser(
        prog=f"lockgate {name}", description=known[name][1][:1].upper() + known[name][1][1:] + ".",
        formatter_class=lambda prog: argparse.HelpFormatter(prog, width=width),
    )  # fmt: skip
    getattr(module, f"{name}_arguments")(parser)
    return getattr(module, name)(parser.parse_args(given[1:]))


def _load(name: str) -> ModuleType:
    """Import a module. What it brings in stays: looking for garbage among it, and again at exit, costs a tenth of a short run."""
    if name in sys.modules:
        return sys.modules[name]
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        gc.freeze()
        gc.enable()


def _help() -> str:
    lines = [
        "lockgate — continuous delivery for machine learning",
        "",
        "usage: lockgate COMMAND [ARGUMENTS]   (COMMAND --help tells more)",
    ]
    for heading, commands in COMMANDS.items():
        lines += ["", heading]
        lines += [f"  {name:<10} {text}" for name, (_, text) in commands.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
