"""The sandbox of a step's process (law 6): Landlock, seccomp and audit hooks under one set of rules.

A process goes in before the project is imported. What its modules look at on import is part of its key, so it stays
reachable.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lockgate.build.audit import NETWORK, Audit, denied_names
from lockgate.build.landlock import apartness, deny_sockets, drop_capabilities, landlock_version, restrict, set_apart
from lockgate.build.reach import Reach, devices, machine_reads, within

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lockgate.build.protocol import Code, Job
    from lockgate.errors import LockgateError

__all__ = ["ALLOWED", "HOOKS_ONLY", "Machine", "Sandbox", "refused", "undeclared"]

COMMAND_READS = "a command reads what it does not declare, so a change there would go unnoticed"
HOOKS_ONLY, OFF = "audit hooks only", "off"
ALLOWED = "read: its inputs, packages, TMPDIR; write: TMPDIR"
NO_SECCOMP = "files only (no seccomp: other sockets than TCP are open)"


class Machine:
    """What every step may read, found once in the template: interpreter, packages and system, and the project's code.

    The former are also opened there, which saves each step a millisecond. The project's files are not: there may be more of them
    than descriptors, and they may be replaced or removed while the run goes on.
    """

    def __init__(self, code: Code) -> None:
        self.reads = machine_reads(code.root)
        own = _not_granted((os.path.join(code.root, name) for name in code.files), frozenset(self.reads))
        self.code = tuple(dict.fromkeys(os.path.realpath(p) for p in own))
        self.writes = devices()
        self.opened = [os.open(p, os.O_PATH | os.O_CLOEXEC) for p in self.reads] if landlock_version() else []
        self.apartness = apartness()


class Sandbox:
    """The sandbox around one job. `level` says what holds: the job's guard, or how far it holds."""

    def __init__(self, job: Job, machine: Machine) -> None:
        self._job, self._machine = job, machine
        self.level, self._is_of_kernel = OFF, False

    def enter(self) -> None:
        """Shut everything that is not declared. There is no way back."""
        job = self._job
        if not job.sandbox:
            return
        reach = self._reach()
        own = reach.reads[len(self._machine.reads) :]
        drop_capabilities()
        files = restrict([*self._machine.opened, *own], reach.writes, network=reach.network)
        sockets = reach.network or deny_sockets()
        Audit(job.root, reach, job.denied).listen()
        self._is_of_kernel = files
        self.level = HOOKS_ONLY if not files else job.guard if sockets else NO_SECCOMP

    def set_apart(self) -> bool:
        """In a process that was forked inside: shut the one it was forked from, too. Answers whether that is so."""
        return not self._is_of_kernel or set_apart(self._machine.apartness)

    def denied(self) -> tuple[str, ...]:
        """What was refused so far."""
        return denied_names(self._job.denied) if self._job.sandbox and os.path.exists(self._job.denied) else ()

    def _reach(self) -> Reach:
        job = self._job
        given = (p for i in job.inputs.values() for p in (i.path, *i.parts) if p)
        own = {os.path.realpath(p): None for top in (*given, *job.reads) for p in _with_targets(top)}
        reads = (*self._machine.reads, *self._machine.code, *own)
        writes = (os.path.realpath(os.path.dirname(job.output)), os.path.realpath(job.scratch), *self._machine.writes)
        return Reach(reads=reads, writes=writes, network=job.network)


def _not_granted(modules: Iterable[str], granted: frozenset[str]) -> Iterable[str]:
    """Modules but for those below what is granted: of packages in a working copy of their own, often hundreds."""
    inside: dict[str, bool] = {}
    for module in modules:
        folder = os.path.dirname(module)
        if folder not in inside:
            inside[folder] = within(os.path.realpath(folder), granted)
        if not inside[folder] or os.path.islink(module):
            yield module


def _with_targets(path: str) -> Iterable[str]:
    """A path, and what the links in a folder point to: a source's view is a folder of links into the store."""
    yield path
    if os.path.isdir(path):
        for folder, _, files in os.walk(path):
            yield from (p for name in files if os.path.islink(p := os.path.join(folder, name)))


def undeclared(error: LockgateError) -> tuple[str, tuple[str, ...]] | None:
    """The node and the names in the error of a command that read what it does not declare; None for other errors."""
    if error.what != COMMAND_READS:
        return None
    node, _, names = error.value.partition(": ")
    return node, tuple(names.partition(" (")[0].split(", "))


def refused(node: str, names: Sequence[str], also: str = "", *, command: bool = False) -> dict[str, str]:
    """The error for a step that was refused something: which names, and what to do about the first."""
    first = names[0]
    shown = ", ".join(n.removeprefix(NETWORK) for n in names[:5]) + (
        f" and {len(names) - 5} more" if len(names) > 5 else ""
    )
    if command and not first.startswith(NETWORK):
        return {
            "what": COMMAND_READS,
            "value": f"{node}: {', '.join(names)}" + (f" ({also})" if also else ""),
            "allowed": "what reads=… and files=… name, packages, TMPDIR",
            "next": f'add "{first}" to files=[…]; or, if it is data, declare [sources.NAME] path = "{first}" in lockgate.toml '
            f'and add NAME = "{first}" to reads',
        }
    if first.startswith(NETWORK):
        what, allowed = "a step uses the network, which its key cannot see", "its inputs, by name"
        next_ = 'bring the data in as a source, or write @step(allow=("network",))'
    else:
        what = "a step reads what it does not declare, so a change there would go unnoticed"
        allowed = ALLOWED
        next_ = f'declare [sources.NAME] path = "{first}" in lockgate.toml and take NAME as a parameter, or write @step(sandbox=False)'
    return {
        "what": what,
        "value": f"{node}: {shown}" + (f" ({also})" if also else ""),
        "allowed": allowed,
        "next": next_,
    }
