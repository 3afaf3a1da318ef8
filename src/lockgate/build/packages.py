"""Which installed distributions an import reaches, with versions and with what they require in turn.

A version says what the code is, except where it does not: an editable install, one from a folder or a repository,
and a module that no distribution owns (found through PYTHONPATH) are known by a digest of their files.
`importlib.metadata` costs 60 ms, so only the capture child comes here; planning trusts the trace.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.build.trace import site_folders
from lockgate.records.digest import digest, digest_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.metadata import Distribution

__all__ = ["Installed"]

REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)\s*(?:\[([^\]]*)\])?")
EXTRA = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")
CODE = (".py", ".so", ".pyd")


class Installed:
    """A look at what is installed. `root` is the project, whose own modules no package owns."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._records: dict[str, str] | None = None
        self._owners: dict[str, list[str]] = {}
        self._versions: dict[str, str | None] = {}
        self._unowned: dict[str, str | None] = {}
        self._files: dict[str, str] = {}

    def reached(self, modules: Iterable[str]) -> tuple[str, ...]:
        """`name==version` of every distribution behind these dotted names, and what they require, sorted."""
        found: dict[str, str] = {}
        tops = sorted({t for m in modules if (t := m.partition(".")[0]) not in sys.stdlib_module_names})
        todo = [(d, "") for t in tops for d in self.owners(t)]
        asked: set[tuple[str, str]] = set()
        while todo:
            name, extra = todo.pop()
            name = _normal(name)
            if (name, extra) not in asked and (version := self.version(name)) is not None:
                asked.add((name, extra))
                found[name] = version
                todo.extend(_required(name, extra))
        for top in tops:
            if not self.owners(top) and (version := self.unowned(top)):
                found[top] = version
        return tuple(f"{n}=={v}" for n, v in sorted(found.items()))

    def everything(self) -> tuple[str, ...]:
        """`name==version` of all that is installed."""
        from importlib import metadata

        names = {_normal(d.name) for d in metadata.distributions()}
        return tuple(f"{n}=={v}" for n in sorted(names) if (v := self.version(n)) is not None)

    def owners(self, top: str) -> list[str]:
        """The distributions that provide a top-level module. Asking `importlib.metadata` for all costs 150 ms."""
        if top not in self._owners:
            self._records = _records() if self._records is None else self._records
            starts = re.compile(rf"^{re.escape(top)}(/|\.py,|\.[^/,\n]*(so|pyd),)", re.MULTILINE)
            found = [name for name, record in self._records.items() if starts.search(record)]
            self._owners[top] = found or ([top] if self.version(_normal(top)) else [])
        return self._owners[top]

    def version(self, name: str) -> str | None:
        """The version, with a digest of the files where the version does not say what they are."""
        from importlib import metadata

        if name not in self._versions:
            try:
                distribution = metadata.distribution(name)
            except metadata.PackageNotFoundError:
                self._versions[name] = None
            else:
                self._versions[name] = distribution.version + self._suffix(distribution)
        return self._versions[name]

    def unowned(self, top: str) -> str | None:
        """A module that no distribution owns, by the digest of its files; None for one of the project or of nobody."""
        if top not in self._unowned:
            place = self._place(top)
            self._unowned[top] = f"0+{self._digest(place)}" if place else None
        return self._unowned[top]

    def files(self) -> dict[str, str]:
        """Files whose bytes stand for a version → digest: of Lockgate and of everything reached, where they are editable."""
        own = Path(__file__).parents[1]
        if own.parent.name not in ("site-packages", "dist-packages"):
            self._digest(own)
        return self._files

    def _suffix(self, distribution: Distribution) -> str:
        from urllib.parse import unquote, urlparse

        text = distribution.read_text("direct_url.json")
        if text is None:
            return ""
        origin = json.loads(text)
        if not origin.get("dir_info", {}).get("editable"):
            return "+" + _tail(digest_bytes((distribution.read_text("RECORD") or text).encode()))
        place = self._place(distribution.name.replace("-", "_")) or Path(unquote(urlparse(origin.get("url", "")).path))
        return f"+{self._digest(place)}"

    def _digest(self, place: Path) -> str:
        top = place if place.is_dir() else place.parent
        files = {str(f): digest_bytes(f.read_bytes()) for f in _code(place) if str(f) not in self._files}
        self._files |= files
        return _tail(digest("tree", [[f.relative_to(top).as_posix(), self._files[str(f)]] for f in _code(place)]))

    def _place(self, top: str) -> Path | None:
        """The folder or file of a top-level module, without importing it."""
        try:
            spec = importlib.util.find_spec(top)
        except (ImportError, ValueError):
            return None
        if spec is None or spec.origin in ("built-in", "frozen"):
            return None
        places = [Path(p) for p in spec.submodule_search_locations or ()] or [Path(spec.origin or "")]
        outside = [p for p in places if p.exists() and not self._is_own(p, spec.origin)]
        return outside[0] if outside else None

    def _is_own(self, place: Path, origin: str | None) -> bool:
        """Whether it is a top-level module of the project; an environment may lie in the project's folder, too."""
        return place.is_relative_to(self._root) and (origin is None or place.parent == self._root)


def _code(place: Path) -> list[Path]:
    if not place.is_dir():
        return [place]
    files = (f for f in place.rglob("*") if f.suffix in CODE and f.is_file())
    return sorted(f for f in files if not any(p.startswith(".") for p in f.relative_to(place).parts))


def _records() -> dict[str, str]:
    """Distribution name → the list of its files, as text."""
    found: dict[str, str] = {}
    for folder in site_folders():
        for entry in os.scandir(folder):
            name, suffix = os.path.splitext(entry.name)
            record = os.path.join(entry.path, "RECORD" if suffix == ".dist-info" else "top_level.txt")
            if suffix in (".dist-info", ".egg-info") and os.path.isfile(record):
                text = Path(record).read_text(encoding="utf-8", errors="replace")
                found[name.partition("-")[0]] = text if suffix == ".dist-info" else text.replace("\n", "/\n")
    return found


def _required(name: str, extra: str) -> list[tuple[str, str]]:
    """What a distribution requires, and what it requires for one of its extras when that was asked for."""
    from importlib import metadata

    found: list[tuple[str, str]] = []
    for requirement in metadata.distribution(name).requires or []:
        match, only_for = REQUIREMENT.match(requirement), EXTRA.findall(requirement.partition(";")[2])
        if match and (not only_for or extra in only_for):
            extras = [e.strip() for e in (match[2] or "").split(",") if e.strip()]
            found += [(match[1], e) for e in ("", *extras)]
    return found


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _tail(digest: str) -> str:
    return digest.rpartition(":")[2][:16]
