"""One Python module as analysis sees it: top-level units, the names each binds, the names each reads.

A unit is one top-level statement, or one name of an import. Definitions and assignments are reached by name;
statements that act on import belong to everything in the module (`acting.py` tells which).
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lockgate.build.calls import Question, is_plain, questions
from lockgate.build.hooks import hooks
from lockgate.build.making import Making, makings
from lockgate.build.names import Reading, read
from lockgate.build.scopes import DEFINITIONS, imports_of, stored
from lockgate.errors import UsageError
from lockgate.records.digest import digest, digest_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Module", "Project", "Unit", "parse"]

LIMITS = ("memory_mb", "timeout_s", "retries")
NOTHING = Reading(frozenset(), (), (), frozenset(), frozenset(), frozenset())


@dataclass(frozen=True, slots=True)
class Unit:
    """One top-level statement, or one name that an import binds.

    Attributes:
        name: what `why` prints; never a line number, which a comment would move.
        place: line and column, by which a module's units are told apart and ordered.
        digest: of the syntax tree without comments, docstrings and positions.
        reading: what it takes from around it.
        questions: what must be harmless for it to do nothing but bind names; None when it acts in any case.
        hooks: for a class, through what calling it or inheriting from it runs its own code.
        makes: functions it defines, and what a call of them does.
        doc: its docstrings, and those of what is in it.
        kind: `import`, `class`, `function`, `plain` (a value spelled out), `choice` (if, try) or `other`.
    """

    name: str
    place: tuple[int, int]
    digest: str
    reading: Reading
    questions: tuple[Question, ...] | None = ()
    hooks: frozenset[str] = frozenset()
    kind: str = "other"
    makes: tuple[Making, ...] = ()
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Module:
    """A parsed module.

    `bound`: name → the units that bind it; `rebound`: those of names that several bind; `stars`: units of `from x import *`, in order.
    """

    name: str
    file: str
    units: tuple[Unit, ...]
    bound: dict[str, list[Unit]]
    stars: tuple[Unit, ...]
    text: str
    doc: str = ""
    rebound: tuple[tuple[Unit, ...], ...] = ()

    @property
    def package(self) -> str:
        """What relative imports start from."""
        return _package(self.name, self.file)


def parse(name: str, file: str, source: bytes) -> Module:
    """Read a module's bytes. `file` is relative to the project, for messages."""
    package = _package(name, file)
    tree = ast.parse(source, filename=file)
    for_types = _names_of_type_checking(tree)
    _drop_limits(tree)
    text_annotations = any(
        isinstance(n, ast.ImportFrom) and n.module == "__future__" and any(a.name == "annotations" for a in n.names)
        for n in tree.body
    )
    units: list[Unit] = []
    bound: dict[str, list[Unit]] = {}
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found = [(u, [u.name]) for u in _import_units(node, package)]
        elif _is_inert(node, for_types):
            found = []
        else:
            unit = _unit(node, package, text_annotations=text_annotations)
            found = [(unit, sorted(_names(node, unit)))]
        for unit, names in found:
            units.append(unit)
            for bound_name in names:
                bound.setdefault(bound_name, []).append(unit)
    stars = tuple(u for u in units if u.reading.stars)
    return Module(
        name, file, tuple(units), bound, stars, digest_bytes(source), ast.get_docstring(tree, clean=False) or "",
        tuple(tuple(us) for us in bound.values() if len(us) > 1),
    )  # fmt: skip


@dataclass
class Project:
    """The modules under one root, parsed on demand. A module outside the root is third party."""

    root: Path
    modules: dict[str, Module | None] = field(default_factory=dict[str, "Module | None"])
    files: dict[str, Path | None] = field(default_factory=dict[str, "Path | None"])
    folders: dict[str, bool] = field(default_factory=dict[str, bool])

    def module(self, name: str) -> Module | None:
        """The parsed module, or None when it is not a file of this project."""
        if name not in self.modules:
            self.modules[name] = self._parse(name)
        return self.modules[name]

    def file(self, name: str) -> Path | None:
        """The module's source file, or None when it is not ours."""
        if name not in self.files:
            stem = self.root.joinpath(*name.split(".")) if name else self.root
            candidates = (stem / "__init__.py", stem.with_name(stem.name + ".py"))
            self.files[name] = next((c for c in candidates if name and c.is_file()), None)
        return self.files[name]

    def is_folder(self, name: str) -> bool:
        """Whether `name` is a folder of the project that holds modules, with `__init__.py` or without."""
        if name not in self.folders:
            self.folders[name] = bool(name) and any(self.root.joinpath(*name.split(".")).rglob("*.py"))
        return self.folders[name]

    def below(self, name: str) -> Iterator[str]:
        """Every module below a package, or of the whole project for the empty name."""
        folder = self.root.joinpath(*name.split(".")) if name else self.root
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(self.root).with_suffix("").parts
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            if parts and all(p.isidentifier() for p in parts) and "site_packages" not in parts:
                yield ".".join(parts)

    def _parse(self, name: str) -> Module | None:
        path = self.file(name)
        if path is None:
            return None
        relative = path.relative_to(self.root).as_posix()
        try:
            return parse(name, relative, path.read_bytes())
        except (SyntaxError, ValueError) as error:
            place = (
                f"{relative}:{error.lineno}: {error.msg}" if isinstance(error, SyntaxError) else f"{relative}: {error}"
            )
            raise UsageError(
                "a project file is not valid Python", value=place, next=f"python -m py_compile {relative}"
            ) from error


def _package(name: str, file: str) -> str:
    return name if file.endswith("__init__.py") else name.rpartition(".")[0]


def _import_units(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[Unit]:
    """One unit per bound name, so that another name in the same line is another matter."""
    means = imports_of(node, package=package)
    for index, (name, what) in enumerate(means):
        if name.endswith(":"):
            continue
        inner = [(n, i) for n, i in means[index + 1 : index + 2] if n.endswith(":")]
        star = what.attribute == "*"
        content = [[i.module, i.attribute] for _, i in ((name, what), *inner)]
        reading = Reading(
            frozenset(), () if star else ((name, what), *inner), (what.module,) if star else (),
            frozenset({what.attribute or ""}), frozenset(), frozenset(),
        )  # fmt: skip
        yield Unit(name, (node.lineno, node.col_offset + index), digest("import", content), reading, kind="import")


def _unit(node: ast.stmt, package: str, *, text_annotations: bool) -> Unit:
    place = (node.lineno, node.col_offset)
    node, doc = _without_text(node)
    reading, label = read(node, package=package), _label(node)
    asked = questions(node, text_annotations=text_annotations)
    kind = "class" if isinstance(node, ast.ClassDef) else "function" if isinstance(node, DEFINITIONS) else "other"
    kind = "plain" if is_plain(node) else kind
    makes = makings(node) if isinstance(node, ast.FunctionDef | ast.If | ast.Try) else ()
    kind = "choice" if isinstance(node, ast.If | ast.Try) else kind
    return Unit(label, place, digest("definition", ast.dump(node)), reading, asked, hooks(node), kind, makes, doc)


def _names(node: ast.stmt, unit: Unit) -> set[str]:
    """The module's names that a statement binds, and those that a function in it binds through `global`."""
    imported = set[str]() if isinstance(node, DEFINITIONS) else {n for n, _ in unit.reading.imports}
    return stored([node]) | imported | {n for g in ast.walk(node) if isinstance(g, ast.Global) for n in g.names}


def _label(node: ast.stmt) -> str:
    if isinstance(node, DEFINITIONS):
        return node.name
    if isinstance(node, ast.Assign | ast.AnnAssign) and (names := stored([node])):
        return ", ".join(sorted(names))
    return ast.unparse(node).partition("\n")[0][:60]


def _is_inert(node: ast.stmt, for_types: frozenset[str]) -> bool:
    """What importing never runs: a docstring, `if __name__ == "__main__"`, `if TYPE_CHECKING`; neither with an `else`."""
    if isinstance(node, ast.If) and not node.orelse:
        return ast.unparse(node.test) in for_types
    return _does_nothing(node)


def _names_of_type_checking(tree: ast.Module) -> frozenset[str]:
    """The tests that are false on import; `TYPE_CHECKING` only when it is the one from `typing`."""
    tests = {"__name__ == '__main__'", "'__main__' == __name__"}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module in ("typing", "typing_extensions"):
            tests |= {a.asname or a.name for a in node.names if a.name == "TYPE_CHECKING"}
        elif isinstance(node, ast.Import):
            tests |= {f"{a.asname or a.name}.TYPE_CHECKING" for a in node.names if a.name == "typing"}
    bound = stored(tree.body)
    return frozenset(t for t in tests - bound if "__name__" not in t or "__name__" not in bound)


def _drop_limits(tree: ast.Module) -> None:
    """Take out of `@step(…)` what says how long or how often it may run: it changes no result."""
    steps = {"lockgate.step"} | {
        a.asname or a.name
        for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "lockgate"
        for a in node.names if a.name == "step"
    }  # fmt: skip
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            node.decorator_list[:] = [
                _without_limits(d) if isinstance(d, ast.Call) and ast.unparse(d.func) in steps else d
                for d in node.decorator_list
            ]


def _without_limits(call: ast.Call) -> ast.expr:
    call.keywords[:] = [k for k in call.keywords if k.arg not in LIMITS]
    return call if call.keywords or call.args else call.func


def _without_text(node: ast.stmt) -> tuple[ast.stmt, str]:
    """Take docstrings and whatever else does nothing out of a tree; the tree is ours, parsed for this purpose."""
    docs: list[str] = []
    for item in ast.walk(node):
        if isinstance(item, DEFINITIONS):
            docs += [doc] if (doc := ast.get_docstring(item, clean=False)) else []
        for body in (getattr(item, "body", None), getattr(item, "orelse", None), getattr(item, "finalbody", None)):
            if isinstance(body, list):
                body[:] = [s for s in body if not _does_nothing(s)]
    return node, "\0".join(docs)


def _does_nothing(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
