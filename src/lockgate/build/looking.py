"""What the pipeline modules look at while they are imported, and which module looked.

Files read, folders listed and environment variables asked for by a project's own code, or on its behalf by a library
it calls. Not: what the import system and libraries look at for themselves. Existence tests and reads from native
code (a data frame library opening a file) raise no audit event and are not seen.
"""

from __future__ import annotations

import inspect
import os
import sys
from typing import TYPE_CHECKING, Any, cast

from lockgate.build.loading import is_project_path
from lockgate.build.trace import environment_digest, listing_digest
from lockgate.records.digest import digest_bytes
from lockgate.records.graph import Definition

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType

__all__ = ["Looking"]

CHANGED = "changed while it was read"
WRITES = os.O_WRONLY


class Looking:
    """Notes while modules import; use `watch` once, at the beginning.

    Attributes:
        files: path (relative inside the project) → digest of what was read.
        listings: folder → digest; a name that ends in `/*` stands for every name in it, else for its modules.
        environment: names asked for.
        seen: project module → what it saw, as definitions that enter the keys of its steps.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self.files: dict[str, str] = {}
        self.listings: dict[str, str] = {}
        self.environment: set[str] = set()
        self.seen: dict[str, dict[str, Definition]] = {}
        self._made: set[str] = set()
        self._busy = False

    def watch(self) -> None:
        """Begin to notice."""
        self._watch_environment()
        sys.addaudithook(self._hear)

    def loaded(self, name: str, data: bytes) -> None:
        """A module of the project is about to run."""
        self.note_file(name, digest_bytes(data))

    def note_file(self, name: str, digest: str) -> None:
        """A file was read; two readings that differ say that it changed meanwhile."""
        known = self.files.setdefault(name, digest)
        self.files[name] = digest if known == digest else CHANGED

    def forget_gone(self) -> None:
        """What the modules made and removed again was never looked at by anybody else."""
        gone = {os.path.relpath(p, self.root) for p in self._made if not os.path.exists(p)}
        self.files = {n: d for n, d in self.files.items() if n not in gone}
        for seen in self.seen.values():
            for label in [k for k, d in seen.items() if d.file in gone]:
                del seen[label]

    def definitions(self, modules: Iterable[str]) -> list[Definition]:
        """What these modules saw on import, as parts of a key."""
        found = {label: d for m in modules for label, d in self.seen.get(m, {}).items()}
        return [d for _, d in sorted(found.items())]

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """An audit hook. It reads files itself, so it does not listen to itself."""
        if self._busy or event not in ("open", "os.listdir", "os.scandir", "os.mkdir"):
            return
        self._busy = True
        try:
            module = _asked_by(inspect.currentframe(), self.root)
            if module is not None and isinstance(arguments[0] or ".", str):
                path = os.path.abspath(arguments[0] or ".")
                if _makes(event, path, arguments):
                    self._made.add(path)
                elif path not in self._made or is_project_path(path, self.root):  # a scratch file holds what code wrote
                    self._saw(module, event, path, arguments)
        finally:
            self._busy = False

    def _saw(self, module: str, event: str, path: str, arguments: tuple[Any, ...]) -> None:
        name = os.path.relpath(path, self.root) if is_project_path(path, self.root) else path
        if event != "open":
            self.listings[f"{name}/*"] = found = listing_digest(path, every_name=True)
            self._see(module, f"folder {name}", name, found)
        elif (
            _is_reading(arguments[1], arguments[2])
            and os.path.isfile(path)
            and not path.startswith(("/proc/", "/sys/", "/dev/"))
        ):
            with open(path, "rb") as file:
                found = digest_bytes(file.read())
            self.note_file(name, found)
            self._see(module, f"file {name if name != path else os.path.basename(path)}", name, found)

    def _see(self, module: str, label: str, place: str, digest: str) -> None:
        self.seen.setdefault(module, {})[label] = Definition(label, "" if os.path.isabs(place) else place, 0, digest)

    def _watch_environment(self) -> None:
        """Replace the class of `os.environ` by one that notes the names read."""
        looking = self
        plain = type(os.environ)

        class Watched(plain):  # type: ignore[misc, valid-type]
            def __getitem__(self, key: Any) -> Any:
                looking.asked(os.fsdecode(key))
                return super().__getitem__(key)

        for environment in (os.environ, *([os.environb] if os.supports_bytes_environ else [])):
            cast("Any", environment).__class__ = Watched

    def asked(self, name: str) -> None:
        """Somebody asks for an environment variable."""
        if self._busy:
            return
        self._busy = True
        try:
            module = _asked_by(inspect.currentframe(), self.root)
            if module is not None:
                self.environment.add(name)
                self._see(module, f"environment {name}", "/", environment_digest(name) or "absent")
        finally:
            self._busy = False


def _asked_by(frame: FrameType | None, root: str) -> str | None:
    """The project module in whose name something is looked at, None when a library or the import system looks for itself.

    Between a module and the library it imports stands the import system; between it and a function it calls does not.
    """
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith("<frozen importlib") and frame.f_code.co_name != "get_data":
            return None
        if is_project_path(file, root):
            return str(frame.f_globals.get("__name__", ""))
        frame = frame.f_back
    return None


def _makes(event: str, path: str, arguments: tuple[Any, ...]) -> bool:
    """Whether a file or folder is about to appear."""
    return (event == "os.mkdir" or (event == "open" and _is_writing(*arguments[1:3]))) and not os.path.lexists(path)


def _is_writing(mode: object, flags: object) -> bool:
    if isinstance(mode, str):
        return bool({*mode} & {*"wxa+"})
    return isinstance(flags, int) and bool(flags & os.O_CREAT)


def _is_reading(mode: object, flags: object) -> bool:
    """Builtin `open` gives a mode, `os.open` flags."""
    if isinstance(mode, str):
        return "r" in mode
    return not (isinstance(flags, int) and flags & WRITES)
