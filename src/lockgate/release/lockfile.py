"""The lock file: `name==version` lines; a host refuses to open a release in other versions than it was made with.

Only distributions that the predictor's code reaches count: what its files import, and what these require by
installed metadata. The check reads the code without importing it.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from lockgate.errors import IntegrityError, UsageError

__all__ = ["check_installed", "imported_modules", "mismatches", "normal", "parse"]

OURS = "lockgate"


def parse(text: str) -> dict[str, str]:
    r"""Read `name==version` lines; comments, options and hashes are skipped.

    >>> parse("polars==2.1.0  # frames\nNumPy==2.4.6 \\\n    --hash=sha256:00")
    {'polars': '2.1.0', 'numpy': '2.4.6'}
    """
    pinned = dict[str, str]()
    for line in text.splitlines():
        stripped = line.partition("#")[0].partition(";")[0].strip().rstrip("\\").strip()
        if not stripped or stripped.startswith("-"):
            continue
        name, equals, version = stripped.partition("==")
        if not equals:
            raise UsageError("a lock file pins one version per line", value=line, allowed="name==version")
        pinned[normal(name)] = version.split()[0]
    return pinned


def normal(name: str) -> str:
    """The distribution name as registries compare it.

    >>> normal("Scikit_Learn[extra]")
    'scikit-learn'
    """
    return re.sub(r"[-_.]+", "-", name.partition("[")[0].strip()).lower()


def imported_modules(code: Path) -> set[str]:
    """Top-level names that the files under `code` import, without the standard library and the code itself."""
    names = set[str]()
    for file in sorted(code.rglob("*.py")):
        for node in _running(ast.parse(file.read_bytes(), filename=file.name)):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names.add(node.module.partition(".")[0])
    own = {entry.name.removesuffix(".py") for entry in code.iterdir()} if code.is_dir() else set[str]()
    return names - own - set(sys.stdlib_module_names) - {OURS}


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but those under `if TYPE_CHECKING:`, which no interpreter ever runs."""
    yield tree
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue
        yield from _running(child)


def mismatches(
    wanted: Iterable[str], *, locked: Mapping[str, str], version: Callable[[str], str | None]
) -> tuple[str, ...]:
    """Say for each wanted distribution how it differs from the lock.

    >>> mismatches(["a", "b"], locked={"a": "1", "b": "2"}, version={"a": "1", "b": "3"}.get)
    ('b: locked 2, installed 3',)
    """
    found = list[str]()
    for name in sorted(wanted):
        pinned, installed = locked.get(name), version(name)
        if pinned != installed:  # neither locked nor installed: the code can do without it, or its import will say so
            found.append(f"{name}: locked {pinned or 'nothing'}, installed {installed or 'nothing'}")
    return tuple(found)


def check_installed(code: Path, lock: Path) -> None:
    """Compare the installed distributions that the code reaches with the lock file.

    Raises IntegrityError naming each that differs, and how to install what is locked.
    """
    locked = parse(lock.read_text(encoding="utf-8"))
    providers = metadata.packages_distributions()
    direct = {normal(d) for module in imported_modules(code) for d in providers.get(module, [module])}
    differing = mismatches(direct | _required(direct, locked), locked=locked, version=_version)
    if differing:
        raise IntegrityError(
            "the installed packages are not the locked ones",
            value="; ".join(differing),
            allowed="the versions of the release's lock file",
            next=f"{Path(sys.executable).name} -m pip install -r {lock}",
        )


def _required(direct: Iterable[str], locked: Mapping[str, str]) -> set[str]:
    """What the direct ones require in turn, as far as the lock names it (markers and extras decide the rest)."""
    seen, waiting = set[str](), list(direct)
    while waiting:
        for requirement in _requirements(waiting.pop()):
            name = normal(re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0])
            if name in locked and name not in seen:
                seen.add(name)
                waiting.append(name)
    return seen


def _requirements(name: str) -> Sequence[str]:
    try:
        found = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return ()
    return [r for r in found if "extra ==" not in r]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
