"""Small projects on disk: what a function returns, and what its key would hold."""

from __future__ import annotations

import contextlib
import decimal
import importlib
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from lockgate.build.closure import closure
from lockgate.build.loading import load_from_text
from lockgate.build.modules import Project

REFUSED = "refused"
"""A project that does not import is refused when its graph is captured: no key is asked for."""


def write(root: Path, files: dict[str, str]) -> Path:
    """Lay out files; a package gets its `__init__.py` when the files name none."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return root


def key_of(root: Path, target: str) -> tuple[tuple[str, str], ...]:
    """What the closure of `module:name` puts into a fingerprint."""
    module, _, name = target.partition(":")
    found = closure(Project(root), [(module, name)])
    return tuple((d.name, d.digest) for d in found.definitions) + tuple((m, "") for m in found.third_party)


@contextlib.contextmanager
def imported_from(root: Path) -> Iterator[None]:
    """Import from this folder, and forget all of it afterwards."""
    before, hooks = set(sys.modules), list(sys.path_hooks)
    load_from_text(str(root), lambda _, __: None)
    sys.path.insert(0, str(root))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(root))
        sys.path_hooks[:] = hooks
        for path in [p for p in sys.path_importer_cache if p.startswith(str(root))]:
            del sys.path_importer_cache[path]
        for loaded in set(sys.modules) - before:
            file = getattr(sys.modules[loaded], "__file__", None) or ""
            if file.startswith(str(root)) or not file:
                del sys.modules[loaded]


def result_of(root: Path, target: str, *arguments: object) -> str:
    """Import the project freshly and call the function; an exception of the call is a result too, one of the import REFUSED."""
    module, _, name = target.partition(":")
    with imported_from(root), decimal.localcontext():  # some projects set how decimals are rounded
        try:
            function = getattr(importlib.import_module(module), name)
        except Exception as error:
            return f"{REFUSED}: {type(error).__name__}: {error}"
        try:
            return repr(function(*arguments))
        except Exception as error:
            return f"{type(error).__name__}: {error}"
