"""A step's process that ended without an answer: how, and with which last words."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.build.protocol import RUNNING

if TYPE_CHECKING:
    from lockgate.build.protocol import Job

__all__ = ["died", "last_words"]

LAST_LINES = 8


def died(job: Job, status: int) -> dict[str, str]:
    """A process that ended without an answer: killed by a signal, out of memory, or `os._exit`."""
    said = last_words(job)
    return {
        "what": f"step {job.node} died without an answer",
        "value": f"{_how(status)}; {said or 'it said nothing'}",
        "next": f"its output is in {job.log}" if said else "lockgate run",
    }


def last_words(job: Job) -> str:
    """The end of its output in one line; empty when there is none."""
    lines: list[str] = []
    with contextlib.suppress(OSError):
        text = Path(job.log).read_text(errors="replace").partition("Fatal Python error")[0]  # a stack follows
        lines = text.splitlines()[-LAST_LINES:]
    return f"its last output: {'; '.join(lines)}" if lines else ""


def _how(status: int) -> str:
    if status == RUNNING:
        return "lost"
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        return f"killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    return f"exit code {os.waitstatus_to_exitcode(status)}"
