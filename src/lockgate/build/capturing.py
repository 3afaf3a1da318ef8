"""The capture child: `python -P -m lockgate.build.capturing ROOT '[[modules], [sources]]' SHIFT`.

Imports the pipeline modules while `looking` notes what they look at, lowers every pipeline to nodes, and prints one
JSON object. Nothing else of the user's code runs.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import signal
import sys
import traceback
import types
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.build.clock import shift_clock
from lockgate.build.loading import is_project_path, load_from_text
from lockgate.build.looking import Looking
from lockgate.build.trace import listing_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockgate.records.digest import Json

__all__: list[str] = []


def main(arguments: Sequence[str]) -> None:
    """Capture and print. A user's mistake is printed as an `error` object; anything else is a traceback, exit 1."""
    faulthandler.register(signal.SIGUSR1)  # the parent asks so where we hang
    root, names, shift = Path(arguments[0]), json.loads(arguments[1]), int(arguments[2])
    modules, sources = names
    answer_to = os.dup(1)  # whatever the modules print goes to stderr, also from native code
    os.dup2(2, 1)
    from lockgate.build.lower import lower
    from lockgate.errors import LockgateError

    shift_clock(shift)
    sys.path.insert(0, str(root))
    looking = Looking(str(root))
    load_from_text(str(root), looking.loaded)
    before = set(sys.modules)
    looking.watch()
    for module in modules:
        importlib.import_module(module)
    looking.forget_gone()
    try:
        answer = lower(root, modules, sources, looking=looking, imported=_third_party(before, str(root)))
    except LockgateError as error:
        answer = {"error": {"what": error.what, "value": error.value, "allowed": error.allowed, "next": error.next}}
    answer["looked_at"] = _looked_at(looking, root, before)
    sys.stdout.flush()
    with os.fdopen(answer_to, "w", encoding="utf-8") as out:
        out.write(json.dumps(answer))


def _looked_at(looking: Looking, root: Path, before: set[str]) -> dict[str, Json]:
    folders = {os.path.dirname(f) or "." for f in looking.files if f.endswith(".py")}
    folders |= {parent for f in folders if not os.path.isabs(f) for parent in _parents(f)}
    listings = {f: listing_digest(os.path.join(root, f), every_name=False) for f in sorted(folders)}
    return {
        "files": looking.files,
        "listings": {**listings, **looking.listings},
        "environment": sorted(looking.environment),
        "preload": sorted({*_third_party(before, str(root)), *_named_modules(before, str(root))}),
    }


def _parents(folder: str) -> list[str]:
    """A module that appears in a folder above may hide the one that was imported."""
    parts = [] if folder == "." else folder.split(os.sep)
    return [os.path.join(*parts[:size]) if size else "." for size in range(len(parts))]


def _third_party(before: set[str], root: str) -> list[str]:
    """Third-party top-level modules that the project imported."""
    found: set[str] = set()
    for name in set(sys.modules) - before:
        top = name.partition(".")[0]
        if top != "lockgate" and _is_packaged(top, root):
            found.add(top)
    return sorted(n for n in found if not n.startswith("_"))


def _named_modules(before: set[str], root: str) -> set[str]:
    """Modules of packages and the standard library that the project's modules took names from: `sklearn.tree._classes`.

    Not of a folder that the project puts on the path: the template does not have it there, and may find another of that name.
    """
    own = [
        m for n, m in sys.modules.items() if n not in before and is_project_path(getattr(m, "__file__", "") or "", root)
    ]
    kinds = (types.ModuleType, types.FunctionType, type)
    values = [
        v for m in own for v in vars(m).values() if issubclass(type(v), kinds)
    ]  # isinstance may run a proxy's code
    names = {v.__name__ if isinstance(v, types.ModuleType) else str(v.__module__) for v in values}
    return {n for n in names if n in sys.modules and _is_named(n.partition(".")[0], root)}


def _is_named(top: str, root: str) -> bool:
    if top not in sys.stdlib_module_names:
        return _is_packaged(top, root)
    file = getattr(sys.modules.get(top), "__file__", None)  # built in ones have none
    return not file or os.path.dirname(os.__file__) == os.path.commonpath([file, os.path.dirname(os.__file__)])


def _is_packaged(top: str, root: str) -> bool:
    """Whether a top-level module lies where packages are installed."""
    file = getattr(sys.modules.get(top), "__file__", None)
    return bool(file) and "site-packages" in file and not is_project_path(file, root)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Exception:
        traceback.print_exc()
        sys.exit(1)
