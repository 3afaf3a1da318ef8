"""One tool in an empty project beside its data: what its commands cost, and how many bytes its store holds."""

from __future__ import annotations

import os
import re
import resource
import shlex
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from peers.versioning import Versioner
from soundness import CACHE, program

__all__ = ["SETTLED_S", "Cost", "Failed", "Place", "installed", "least", "timed", "version"]

TIMEOUT_S = 900
SETTLED_S = 2.1
"""A file that was written just now is looked at twice by every tool that knows files by their times."""
WARM_BYTES = 128 << 20
ZEROS = bytes(1 << 24)
PATH = "/usr/local/bin:/usr/bin:/bin"
FORGETTABLE = ("tmp", "seen")
"""Folders of `.lockgate`: scratch, and what is remembered of the working tree."""


@dataclass(frozen=True)
class Cost:
    """Seconds, and for a version of a table the store's growth as a share of the table."""

    cpu_s: float
    wall_s: float
    share: float | None = None


class Failed(Exception):
    """A tool that ended with an error, or gave back other bytes; the text says what."""


class Place:
    """A tool's project in `work`, its home beside it. `what` is the file or folder that is kept, of `size` bytes."""

    def __init__(self, tool: Versioner, bin_: Path, folder: Path, what: str, size: int) -> None:
        self.tool, self.root, self.home, self.what, self.size = tool, folder / "work", folder / "home", what, size
        self.names: dict[str, str] = {}
        for path in (self.root, self.home):
            path.mkdir()
        self.environment = {
            "PATH": f"{bin_}:{PATH}", "HOME": str(self.home), "LC_ALL": "C.UTF-8", "TZ": "UTC",
            **{name: self._filled(value) for name, value in tool.environment.items()},
        }  # fmt: skip
        for name, text in tool.files.items():
            (self.root / name).write_text(text.replace("{what}", what))
        for line in tool.make:
            _said(shlex.split(self._filled(line)), self.root, self.environment)

    def add(self, version: str) -> Cost:
        """Keep what is there now. Raises Failed, as the others do."""
        time.sleep(SETTLED_S)
        cost, said = self._run(self.tool.add, version)
        if self.tool.named:
            self.names[version] = self.tool.named(said)
        return cost

    def look(self) -> Cost:
        return self._run((self.tool.status,))[0]

    def switch(self, version: str) -> Cost:
        return self._run(self.tool.switch, version)[0]

    def stored(self) -> int:
        """Bytes of all files in the store."""
        store = (self.root / self.tool.store).resolve()
        below = [p for p in store.rglob("*") if p.is_file() and not p.is_symlink()]
        return sum(p.stat().st_size for p in below if p.relative_to(store).parts[0] not in FORGETTABLE)

    def _run(self, lines: tuple[str, ...], version: str = "") -> tuple[Cost, str]:
        return timed(tuple(self._filled(line, version) for line in lines), self.root, self.environment, self.size)

    def _filled(self, line: str, version: str = "") -> str:
        options = self.tool.options.get("table" if self.what.startswith("table") else "random", "")
        words = {
            "what": self.what,
            "version": self.names.get(version, version),
            "home": str(self.home),
            "options": options,
        }
        for word, value in words.items():
            line = line.replace(f"{{{word}}}", value)
        return line


def timed(lines: tuple[str, ...], cwd: Path, environment: dict[str, str], size: int) -> tuple[Cost, str]:
    """What lines without a shell cost together, with all their processes, and what they said. Raises Failed."""
    os.sync()  # what was written before is not charged to whoever comes next
    _warm(cwd / "warm", size)
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    said = "".join(_said(shlex.split(line), cwd, environment) for line in lines)
    wall_s, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, wall_s), said


def _warm(path: Path, size: int) -> None:
    """Have the memory that a copy will take: a virtual machine gave what is free back to its host, and pays dear to take it again.

    Without it a copy of 2 GiB costs between 0.5 and 5 CPU seconds, by chance.
    """
    with path.open("wb") as file:
        for _ in range(0, WARM_BYTES + size * 3 // 2, len(ZEROS)):
            file.write(ZEROS)
    path.unlink()


def _said(words: list[str], cwd: Path, environment: dict[str, str]) -> str:
    try:
        done = subprocess.run(
            [shutil.which(words[0], path=environment["PATH"]) or words[0], *words[1:]],
            cwd=cwd, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Failed(f"{words[0]}: no end in {TIMEOUT_S} s") from None
    if done.returncode:
        why = (done.stderr or done.stdout).replace(str(cwd.parent), "FOLDER").strip().splitlines() or [
            "no reason given"
        ]
        raise Failed(f"{Path(words[0]).name} ended with {done.returncode}: {why[-1][:200]}")
    return done.stdout


def least(costs: list[Cost]) -> Cost:
    """CPU and wall each by itself; the share of bytes is the same in each round."""
    return Cost(min(c.cpu_s for c in costs), min(c.wall_s for c in costs), costs[0].share)


def installed(tool: Versioner) -> Path | str:
    """The folder of a tool's programs; text when it cannot be installed, saying why."""
    own = str(CACHE / tool.package.name.lower() / "bin") if tool.package else None
    if tool.debian and not shutil.which(tool.program, path=own):
        _install(tool.debian)
    if tool.package:
        return program(tool.package)
    there = shutil.which(tool.program)
    return Path(there).parent if there else f"no {tool.program}, and no Debian package {' '.join(tool.debian)}"


def _install(packages: tuple[str, ...]) -> None:
    """By Debian's client when we may; whoever needs them says so when they are missing."""
    if os.geteuid() or not shutil.which("apt-get"):
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
        subprocess.run(["apt-get", *words], env=environment, capture_output=True, check=False)


def version(tool: Versioner, bin_: Path) -> str:
    """As the program itself says."""
    said = _said(shlex.split(tool.told), Path.cwd(), {"PATH": f"{bin_}:{PATH}", "HOME": str(Path.home())})
    found = re.search(r"\d+(\.\d+)+", said)
    return found.group() if found else said.strip()
