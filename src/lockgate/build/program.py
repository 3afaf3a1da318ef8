"""The process side of a command: lay out what it declares in a new folder, start the program there, take what it made.

A file of the project that is not declared is not in that folder. When the program asks for one, the name is noted like
every refusal of the sandbox (`audit`), and the step fails with it: what it did without could be another thing.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate.build.commands import PYTHON, find_program, is_left_out, own_program
from lockgate.build.opens import run_heard
from lockgate.errors import StepFailed
from lockgate.records.digest import digest_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockgate.build.protocol import InputFile, Job

__all__ = ["make"]

MACHINE = ("/usr", "/lib", "/bin", "/sbin", "/proc", "/sys", "/dev", "/etc", "/var", "/run", "/nix", "/gnu")
"""Where a program looks for the system's own files; what of it is shut stays shut, without a word."""
NO_MODULE = re.compile(r"No module named '([\w.]+)'")


def make(job: Job) -> Path:
    """Run a job's command, or take one output of another; answer the file or folder that is the value."""
    given: Mapping[str, Any] = job.command or {}
    work = Path(job.scratch, "work")
    work.mkdir()
    if "take" in given:
        _lay(work / "all", job.inputs["made"])
        return work / "all" / given["take"]
    for path, digest in given["files"].items():
        _copy(job, path, digest, work)
    for name, path in given["reads"].items():
        _lay(work / path, job.inputs[name])
    for path in given["writes"].values():
        (work / path if path.endswith("/") else (work / path).parent).mkdir(parents=True, exist_ok=True)
    laid = {p.relative_to(work).as_posix() for p in work.rglob("*")}
    _start(job, given, work)
    return _made(job, given, work, laid)


def _copy(job: Job, path: str, digest: str, work: Path) -> None:
    """One of the project's own files, as the plan saw it; a program of the project can be started."""
    (work / path).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(job.root, path), work / path)
    (work / path).chmod(0o755)
    if digest_file(work / path) != digest:
        raise StepFailed("a file changed while its step waited to run", value=path, next="lockgate run")


def _lay(place: Path, given: InputFile) -> None:
    """An input where the program looks for it: links to the stored bytes, which it cannot change."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if not given.path:
        place.write_text(str(given.value), encoding="utf-8")
    elif given.codec == "tree":
        from lockgate.codecs import tree

        place.mkdir(exist_ok=True)
        tree.unpack(Path(given.path), place)
    elif not os.path.isdir(given.path):
        place.symlink_to(os.path.realpath(given.path))
    else:
        for folder, _, files in os.walk(given.path):
            here = place / os.path.relpath(folder, given.path)
            here.mkdir(parents=True, exist_ok=True)
            for file in files:
                (here / file).symlink_to(os.path.realpath(os.path.join(folder, file)))


def _start(job: Job, given: Mapping[str, Any], work: Path) -> None:
    """Raises StepFailed when it answers anything but 0."""
    words = [_program(job, given, work), *given["words"][1:]]
    start = (work / given["folder"]).resolve()
    start.mkdir(parents=True, exist_ok=True)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    os.environ["PWD"] = str(start)
    undeclared = _Undeclared(job, given, work)
    code = run_heard(words, folder=str(start), hear=undeclared.hear if job.sandbox else None)
    if code == 0:
        return
    from lockgate.build.endings import last_words

    said = last_words(job)
    undeclared.modules(said)
    raise StepFailed(
        f"step {job.node} failed", value=f"{given['words'][0]}: exit code {code}; {said or 'it said nothing'}",
        next=f"its output is in {job.log}",
    )  # fmt: skip


def _program(job: Job, given: Mapping[str, Any], work: Path) -> str:
    word = given["words"][0]
    if PYTHON.fullmatch(word):
        return sys.executable
    if own := own_program(word, given["folder"], given["files"]):
        return str(work / own)
    found = find_program(word)
    if found is None or digest_file(found) != given["program"]:
        raise StepFailed(
            "a command's program is another one than the plan saw", value=f"{job.node}: {word}", next="lockgate run"
        )
    return str(found)


def _made(job: Job, given: Mapping[str, Any], work: Path, laid: set[str]) -> Path:
    """What it wrote, all of it; several things as one folder."""
    writes: Mapping[str, str] = given["writes"]
    for path in writes.values():
        place = work / path
        if not (place.is_dir() if path.endswith("/") else place.is_file()):
            wrong = place.exists()
            new = sorted(p.relative_to(work).as_posix() for p in work.rglob("*") if p.is_file())
            raise StepFailed(
                "a command did not write what it declares", value=f"{job.node}: {path}",
                allowed=f"{path.rstrip('/')}/ for a folder, without the last / for a file" if wrong else
                f"it wrote: {', '.join(n for n in new if n not in laid) or 'nothing'}"[:300],
                next="correct writes=…",
            )  # fmt: skip
    if "" in writes:
        return work / writes[""]
    everything = Path(job.scratch, "made")
    for path in writes.values():
        (everything / path).parent.mkdir(parents=True, exist_ok=True)
        os.rename(work / path, everything / path)
    return everything


class _Undeclared:
    """Notes what the program asks for that it does not declare."""

    def __init__(self, job: Job, given: Mapping[str, Any], work: Path) -> None:
        self._job, self._given = job, given
        self._work, self._root = os.path.realpath(work), job.root
        self._machine = (*MACHINE, sys.prefix, sys.base_prefix, *(p for p in sys.path if p != job.root))
        self._own = tuple(p.rstrip("/") for p in given["writes"].values())
        self._noted: set[str] = set()

    def hear(self, path: str) -> None:
        """A file is about to be opened."""
        if _below(path, self._work):
            name = os.path.relpath(path, self._work)
            if not os.path.lexists(path) and not any(_below(name, o) for o in self._own):
                self._note(name)
        elif not any(_below(path, m) for m in self._machine) and os.path.isfile(path):
            with contextlib.suppress(OSError):  # the sandbox's own rules decide, and note the name
                os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))

    def modules(self, said: str) -> None:
        """Python finds modules by listing folders, so an undeclared one is never asked for; it only says so."""
        folders = {".", self._given["folder"], *(os.path.dirname(f) for f in self._given["files"] if f.endswith(".py"))}
        for name in NO_MODULE.findall(said):
            path = name.replace(".", "/")
            for place in (os.path.normpath(os.path.join(f, path)) for f in sorted(folders)):
                self._note(f"{place}.py")
                self._note(f"{place}/__init__.py")

    def _note(self, name: str) -> None:
        place = os.path.join(self._root, name)
        if name in self._noted or any(is_left_out(p) for p in name.split("/")) or not os.path.exists(place):
            return
        self._noted.add(name)
        with open(self._job.denied, "a", encoding="utf-8") as file:
            file.write(name.replace("\n", "?") + "\n")


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")
