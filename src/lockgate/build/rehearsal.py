"""A step that is ours, run in the template before it forks a zygote.

What a process forked for a step writes to, the kernel copies for it, page by page; that is most of what such a process costs. Code that ran a few times
before writes less: the interpreter has specialised it, caches are filled, symbols are bound.
"""

from __future__ import annotations

from lockgate.build.protocol import InputFile, Job, about, of_step
from lockgate.build.sandbox import Machine, Sandbox
from lockgate.build.worker import run_job

__all__ = ["rehearse"]

ROUNDS = 12
"""CPython 3.11 quickens code at its eighth call."""


def rehearsed(number: int) -> int:
    """The step."""
    return number


def rehearse(machine: Machine) -> None:
    """Run it as a step is run, but for the sandbox."""
    job = Job(
        node="", target=f"{__name__}:{rehearsed.__name__}", root="", inputs={"number": InputFile(codec="json", type="builtins:int", text="1")},
        parameters={}, type="builtins:int", codec="json", output="", log="", denied="\0", inline=True,
    )  # fmt: skip
    sandbox = Sandbox(job, machine)
    for _ in range(ROUNDS):
        run_job(of_step(job, about(job)), sandbox)
