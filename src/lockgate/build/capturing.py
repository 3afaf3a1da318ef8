"""The capture child: `python -P -m lockgate.build.capturing ROOT '[[modules], [sources]]' SHIFT`.

Imports the pipeline modules with hooks that note what they look at, lowers every pipeline to nodes, and
prints one JSON object. Nothing else of the user's code runs.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__: list[str] = []


class Looking:
    """Notes the project files opened, folders listed and environment names asked for while modules import."""

    def __init__(self, root: Path) -> None:
        self.root = str(root) + os.sep
        self.files: set[str] = set()
        self.listings: set[str] = set()
        self.environment: set[str] = set()

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        """An audit hook: `open` and `os.listdir` / `os.scandir` below the project's root."""
        if event == "open" and isinstance(arguments[0], str):
            self._note(arguments[0], self.files)
        elif event in ("os.listdir", "os.scandir") and isinstance(arguments[0], str):
            self._note(arguments[0], self.listings)

    def _note(self, path: str, into: set[str]) -> None:
        full = os.path.abspath(path)
        if (full + os.sep).startswith(self.root) and "__pycache__" not in full:
            relative = os.path.relpath(full, self.root)
            if not relative.startswith((".venv", ".lockgate", ".git")):
                into.add(relative)

    def watch_environment(self) -> None:
        """Replace the class of `os.environ` by one that notes the names read."""
        looking = self
        plain = type(os.environ)

        class Watched(plain):  # type: ignore[misc, valid-type]
            def __getitem__(self, key: str) -> str:
                looking.environment.add(key)
                return super().__getitem__(key)

        os.environ.__class__ = Watched


def main(arguments: Sequence[str]) -> None:
    """Capture and print. A user's mistake is printed as an `error` object; anything else is a traceback, exit 1."""
    root, names, shift = Path(arguments[0]), json.loads(arguments[1]), int(arguments[2])
    modules, sources = names
    sys.path.insert(0, str(root))
    _shift_clock(shift)
    looking = Looking(root)
    before = set(sys.modules)
    before_names = set(os.environ)
    looking.watch_environment()
    sys.addaudithook(looking.hook)
    out, sys.stdout = sys.stdout, sys.stderr
    for module in modules:
        importlib.import_module(module)
    from lockgate.build.lower import lower
    from lockgate.errors import LockgateError

    environment = sorted(n for n in looking.environment if _is_theirs(n))
    files = sorted(f for f in looking.files if (root / f).is_file())
    answer: dict[str, Any]
    try:
        answer = lower(root, modules, sources)
    except LockgateError as error:
        answer = {"error": {"what": error.what, "value": error.value, "allowed": error.allowed, "next": error.next}}
    del before_names
    answer["looked_at"] = {
        "files": sorted({*files, *answer.pop("editable", [])}),
        "listings": sorted({os.path.dirname(f) or "." for f in files} | looking.listings),
        "environment": environment,
        "packages": answer.pop("packages", {}),
        "preload": _preload(before, root),
    }
    out.write(json.dumps(answer))


def _shift_clock(seconds: int) -> None:
    """Modules that put the time into a declaration are found by the difference."""
    real = time.time
    time.time = lambda: real() + seconds


def _is_theirs(name: str) -> bool:
    """Names that packages and the interpreter ask for on import are not inputs of the project."""
    return not name.startswith(("PYTHON", "POLARS", "LC_", "LANG", "OMP", "OPENBLAS", "MKL", "NUMPY", "NPY", "PATH", "HOME", "_"))


def _preload(before: set[str], root: Path) -> list[str]:
    """Third-party top-level modules that the project imported: the worker template loads them once."""
    found: set[str] = set()
    for name in set(sys.modules) - before:
        top = name.partition(".")[0]
        file = getattr(sys.modules.get(top), "__file__", None)
        if file and "site-packages" in file and top != "lockgate" and not file.startswith(str(root / top)):
            found.add(top)
    return sorted(n for n in found if not n.startswith("_"))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Exception:
        traceback.print_exc()
        sys.exit(1)
