"""Which installed distributions an import reaches, with versions and with what they require in turn.

`importlib.metadata` costs 60 ms, so only the capture child comes here; planning trusts the trace.
"""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.records.digest import digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Installed", "site_folders"]

NAME = re.compile(r"^[A-Za-z0-9._-]+")


class Installed:
    """A look at what is installed, taken once."""

    def __init__(self) -> None:
        self._distributions: Mapping[str, Sequence[str]] = metadata.packages_distributions()
        self._versions: dict[str, str] = {}

    def reached(self, modules: Iterable[str]) -> tuple[str, ...]:
        """`name==version` of every distribution behind these dotted names, and what they require, sorted."""
        found: dict[str, str] = {}
        todo = [d for m in modules for d in self.distributions(m)]
        while todo:
            name = _normal(todo.pop())
            if name not in found and (version := self.version(name)) is not None:
                found[name] = version
                todo.extend(_required(name))
        return tuple(f"{n}=={v}" for n, v in sorted(found.items()))

    def distributions(self, module: str) -> Sequence[str]:
        """The distributions that provide a module; none for the standard library."""
        top = module.partition(".")[0]
        if top in sys.stdlib_module_names or top == "__future__":
            return ()
        return self._distributions.get(top, ())

    def version(self, name: str) -> str | None:
        """The version; for an editable install the digest of its files, since its version says nothing."""
        if name not in self._versions:
            try:
                distribution = metadata.distribution(name)
            except metadata.PackageNotFoundError:
                return None
            self._versions[name] = distribution.version + _editable_suffix(distribution)
        return self._versions[name]


def site_folders() -> dict[str, int]:
    """The folders that hold packages → mtime; installing or removing a distribution changes it."""
    return {p: Path(p).stat().st_mtime_ns for p in sys.path if p.endswith(("site-packages", "dist-packages")) and Path(p).is_dir()}


def _editable_suffix(distribution: metadata.Distribution) -> str:
    text = distribution.read_text("direct_url.json")
    if text is None or '"editable"' not in text:
        return ""
    folder = editable_folder(distribution)
    return "" if folder is None else f"+{tree_digest(folder).rpartition(':')[2][:16]}"


def editable_folder(distribution: metadata.Distribution) -> Path | None:
    """Where an editable distribution's package lives."""
    name = distribution.name.replace("-", "_")
    for place in sys.path:
        folder = Path(place) / name
        if (folder / "__init__.py").is_file():
            return folder
    return None


def tree_digest(folder: Path) -> str:
    """Digest of the Python files below a folder."""
    files = sorted(folder.rglob("*.py"))
    return digest("tree", [[f.relative_to(folder).as_posix(), f.read_text(encoding="utf-8")] for f in files])


def _required(name: str) -> list[str]:
    requires = metadata.distribution(name).requires or []
    return [m.group(0) for r in requires if "extra ==" not in r and (m := NAME.match(r))]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
