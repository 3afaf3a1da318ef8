"""Import the project's modules from their text, and only the text that was planned.

Python trusts a `.pyc` by the second and the size of its source, so an edit within one second that keeps the length
runs the old code. And a file may change between plan and run: then the result would be stored under a wrong key.
"""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
)
from importlib.util import spec_from_file_location
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from lockgate.errors import StepFailed
from lockgate.records.digest import digest_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import CodeType

__all__ = ["as_planned", "compile_texts", "is_project_path", "load_from_text"]

NOT_OURS = frozenset({".git", ".lockgate", ".venv", "site-packages", "dist-packages"})


def is_project_path(path: str, root: str) -> bool:
    """Whether an absolute path lies in the project, and not in a virtual environment or store inside it."""
    return path == root or (path.startswith(root + os.sep) and NOT_OURS.isdisjoint(path[len(root) + 1 :].split(os.sep)))


def compile_texts(root: str, names: Iterable[str]) -> dict[tuple[str, bytes], CodeType]:
    """Compile modules, for every process that will import them: (path, text) → code. Nothing of them runs."""
    found: dict[tuple[str, bytes], CodeType] = {}
    for path in (p for name in names if is_project_path(p := os.path.join(root, name), root)):
        with contextlib.suppress(Exception), warnings.catch_warnings():  # who imports it will say what is wrong
            warnings.simplefilter("ignore")
            text = Path(path).read_bytes()
            found[path, text] = compile(text, path, "exec", dont_inherit=True)
    return found


def load_from_text(
    root: str,
    check: Callable[[str, bytes], None],
    *,
    listing: bool = True,
    compiled: Mapping[tuple[str, bytes], CodeType] = MappingProxyType({}),
) -> None:
    """From now on, import what lies below `root` from its `.py` files, without bytecode.

    `check` sees the path relative to the root and the bytes of each, before they run. `listing` False: find modules
    by their names, without listing a folder. `compiled`: see `compile_texts`; other texts are compiled here.
    """
    sys.path_hooks.insert(0, _hook(root, check, listing=listing, compiled=compiled))
    for path in [p for p in sys.path_importer_cache if is_project_path(p, root)]:
        del sys.path_importer_cache[path]


def as_planned(planned: Mapping[str, str] | None) -> Callable[[str, bytes], None]:
    """A check against path → digest: another text, or another file, raises StepFailed. None: everything passes."""

    def check(name: str, data: bytes) -> None:
        if planned is None:
            return
        if name not in planned:
            raise StepFailed(
                "a step imports a project file that its plan did not see", value=name,
                allowed="files that the pipelines import, by name", next="import it where the step is defined",
            )  # fmt: skip
        if digest_bytes(data) != planned[name]:
            raise StepFailed("a file changed while its step waited to run", value=name, next="lockgate run")

    return check


def _hook(
    root: str, check: Callable[[str, bytes], None], *, listing: bool, compiled: Mapping[tuple[str, bytes], CodeType]
) -> Callable[[str], FileFinder]:
    class FromText(SourceFileLoader):
        def path_stats(self, path: str) -> Mapping[str, object]:
            raise OSError(path)  # what importlib takes as: there is no bytecode to compare with

        def get_data(self, path: str) -> bytes:
            try:
                data = super().get_data(path)
            except PermissionError:  # the sandbox shut what the plan did not see: say that
                check(os.path.relpath(path, root), b"")
                raise
            if path.endswith(".py"):
                check(os.path.relpath(path, root), data)
            return data

        def source_to_code(self, data: Any, path: Any, **options: Any) -> CodeType:
            return compiled.get((path, data)) or super().source_to_code(data, path, **options)

    details = [(ExtensionFileLoader, EXTENSION_SUFFIXES), (FromText, SOURCE_SUFFIXES)]
    candidates = [(suffix, loader) for loader, suffixes in details for suffix in suffixes]

    class WithoutListing(FileFinder):
        """Asks for each name that a module may have: a step's process cannot list the project's folders."""

        def find_spec(self, fullname: str, target: object = None) -> ModuleSpec | None:  # noqa: ARG002
            place = os.path.join(self.path, fullname.rpartition(".")[2])
            for stem, inside in ((os.path.join(place, "__init__"), [place]), (place, None)):
                for suffix, loader in candidates:
                    if os.path.isfile(stem + suffix):
                        found = loader(fullname, stem + suffix)
                        return spec_from_file_location(
                            fullname, stem + suffix, loader=found, submodule_search_locations=inside
                        )
            if not os.path.isdir(place):
                return None
            spec = ModuleSpec(fullname, None)
            spec.submodule_search_locations = [place]
            return spec

    finder = FileFinder if listing else WithoutListing

    def hook(path: str) -> FileFinder:
        if not is_project_path(os.path.abspath(path), root):
            raise ImportError
        return finder(path, *details)

    return hook
