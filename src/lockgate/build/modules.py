"""One Python module as analysis sees it: top-level units, the names each binds, the names each reads.

A unit is one top-level statement. Definitions and assignments are reached by name; statements that act
(calls, attribute assignments, loops) are *effects*: they belong to everything in the module.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from lockgate.records.digest import digest

__all__ = ["Import", "Module", "Unit", "parse"]

OPAQUE = frozenset({"exec", "eval", "globals", "locals", "vars", "__import__", "importlib", "getattr", "setattr"})
"""Names through which code reaches what its text does not name."""


@dataclass(frozen=True, slots=True)
class Import:
    """`import a.b as x` is (module "a.b", attribute None); `from a import b` is (module "a", attribute "b")."""

    module: str
    attribute: str | None
    level: int = 0


@dataclass(frozen=True, slots=True)
class Unit:
    """One top-level statement.

    Attributes:
        name: what `why` prints.
        digest: of the syntax tree without comments, docstrings and positions.
        reads: dotted names it loads, longest attribute chain first (`("pl", "col")`).
        imports: imports inside it (lazy ones), by the name they bind.
        opaque: the constructs that analysis cannot see through.
    """

    name: str
    line: int
    digest: str
    reads: frozenset[tuple[str, ...]]
    imports: tuple[tuple[str, Import], ...]
    opaque: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Module:
    """A parsed module: which units bind a name, which act, what is imported, which modules are starred."""

    name: str
    file: str
    bound: dict[str, list[Unit]]
    effects: tuple[Unit, ...]
    imports: dict[str, Import]
    stars: tuple[Import, ...]

    def units(self) -> list[Unit]:
        """Every unit once, in order."""
        found = {id(u): u for units in self.bound.values() for u in units} | {id(u): u for u in self.effects}
        return sorted(found.values(), key=lambda u: u.line)


def parse(name: str, file: str, source: str) -> Module:
    """Read a module's text. `file` is relative to the project, for messages."""
    tree = ast.parse(source, filename=file)
    keeps_docstrings = "__doc__" in source
    bound: dict[str, list[Unit]] = {}
    effects: list[Unit] = []
    imports: dict[str, Import] = {}
    stars: list[Import] = []
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            _add_imports(node, imports, stars)
        elif not _is_inert(node):
            unit = _unit(node, keeps_docstrings=keeps_docstrings)
            names = _bound_names(node)
            for bound_name in names:
                bound.setdefault(bound_name, []).append(unit)
            imports.update(unit.imports if not isinstance(node, _DEFINITIONS) else ())
            if _acts(node):
                effects.append(unit)
    return Module(name, file, bound, tuple(effects), imports, tuple(stars))


_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _is_inert(node: ast.stmt) -> bool:
    """A docstring, a bare constant, or the `if __name__ == "__main__"` block, which importing never runs."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, ast.If) and "__name__" in ast.dump(node.test) and "__main__" in ast.dump(node.test)


def _acts(node: ast.stmt) -> bool:
    """Whether importing the module does more here than bind plain names."""
    if isinstance(node, _DEFINITIONS):
        return False
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
        return False
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return any(isinstance(t, ast.Attribute | ast.Subscript) for t in targets)
    return True


def _unit(node: ast.stmt, *, keeps_docstrings: bool) -> Unit:
    reads, imports, stars = _reads(node)
    text = ast.dump(node if keeps_docstrings else _without_docstrings(node))
    opaque = sorted({r[0] for r in reads if r[0] in OPAQUE} | {"import *" for _ in stars})
    return Unit(_label(node), node.lineno, digest("definition", text), reads, tuple(imports.items()), tuple(opaque))


def _label(node: ast.stmt) -> str:
    if isinstance(node, _DEFINITIONS):
        return node.name
    names = _bound_names(node)
    return ", ".join(sorted(names)) if names else f"statement at line {node.lineno}"


def _reads(node: ast.AST) -> tuple[frozenset[tuple[str, ...]], dict[str, Import], list[Import]]:
    """Dotted names loaded anywhere inside that are not local there, and the imports inside."""
    reader = _Reader()
    reader.visit(node, frozenset())
    return frozenset(reader.reads), reader.imports, reader.stars


class _Reader:
    """Walks a statement with the names that are local where it stands."""

    def __init__(self) -> None:
        self.reads: set[tuple[str, ...]] = set()
        self.imports: dict[str, Import] = {}
        self.stars: list[Import] = []

    def visit(self, item: ast.AST, local: frozenset[str]) -> None:
        if isinstance(item, ast.Attribute) and (chain := _chain(item)):
            self._read(chain, local)
        elif isinstance(item, ast.Name):
            self._read((item.id,), local)
        elif isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            self._function(item, local)
        elif isinstance(item, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            bound = {n.id for g in item.generators for n in ast.walk(g.target) if isinstance(n, ast.Name)}
            self._children(item, local | bound)
            self.visit(item.generators[0].iter, local)
        elif isinstance(item, ast.Import | ast.ImportFrom):
            _add_imports(item, self.imports, self.stars)
        else:
            if isinstance(item, ast.Constant) and isinstance(item.value, str):
                if (expression := _forward_reference(item.value)) is not None:
                    self.visit(expression, local)
            self._children(item, local)

    def _function(self, item: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, local: frozenset[str]) -> None:
        """Defaults, decorators and annotations are read outside; the body sees the parameters and its own names."""
        body = item.body if isinstance(item.body, list) else [item.body]
        self._children(item.args, local)
        if not isinstance(item, ast.Lambda):
            for outside in (*item.decorator_list, *([item.returns] if item.returns else [])):
                self.visit(outside, local)
        inside = local | _local_names(item)
        for statement in body:
            self.visit(statement, inside)

    def _children(self, item: ast.AST, local: frozenset[str]) -> None:
        for child in ast.iter_child_nodes(item):
            self.visit(child, local)

    def _read(self, chain: tuple[str, ...], local: frozenset[str]) -> None:
        if chain[0] not in local:
            self.reads.add(chain)


def _local_names(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> frozenset[str]:
    """Parameters and names assigned in the body, except those declared global. Names of imports stay visible."""
    names = {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}
    shared: set[str] = set()
    stack: list[ast.AST] = list(function.body) if isinstance(function.body, list) else []
    while stack:
        item = stack.pop()
        if isinstance(item, _DEFINITIONS):
            names.add(item.name)
            continue
        if isinstance(item, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            stack.extend(n for n in ast.walk(item) if isinstance(n, ast.NamedExpr))
            continue
        if isinstance(item, ast.Global):
            shared.update(item.names)
        if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store):
            names.add(item.id)
        stack.extend(ast.iter_child_nodes(item))
    return frozenset(names - shared)


def _forward_reference(text: str) -> ast.expr | None:
    """A string may be an annotation (`"Model"`): its names count as read. Ordinary text names nothing known."""
    if len(text) > 200 or not text.replace(".", "").replace("[", "").replace("]", "").isidentifier():
        return None
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        return None


def _chain(node: ast.Attribute) -> tuple[str, ...] | None:
    parts = [node.attr]
    value = node.value
    while isinstance(value, ast.Attribute):
        parts.append(value.attr)
        value = value.value
    return (value.id, *reversed(parts)) if isinstance(value, ast.Name) else None


def _add_imports(node: ast.Import | ast.ImportFrom, imports: dict[str, Import], stars: list[Import]) -> None:
    if isinstance(node, ast.Import):
        for alias in node.names:
            target = alias.name if alias.asname else alias.name.partition(".")[0]
            imports[alias.asname or target] = Import(target, None)
            if not alias.asname and "." in alias.name:
                imports[f"{target}:{alias.name}"] = Import(alias.name, None)
        return
    for alias in node.names:
        if alias.name == "*":
            stars.append(Import(node.module or "", None, node.level))
        else:
            imports[alias.asname or alias.name] = Import(node.module or "", alias.name, node.level)


def _bound_names(node: ast.stmt) -> set[str]:
    """Names that this statement binds at module level (not inside functions)."""
    if isinstance(node, _DEFINITIONS):
        return {node.name}
    names: set[str] = set()
    stack: list[ast.AST] = [node]
    while stack:
        item = stack.pop()
        if isinstance(item, _DEFINITIONS):
            names.add(item.name)
            continue
        if isinstance(item, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            continue
        if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store):
            names.add(item.id)
        stack.extend(ast.iter_child_nodes(item))
    return names


def _without_docstrings(node: ast.stmt) -> ast.stmt:
    """Take the docstrings out of a tree; the tree is ours, parsed for this purpose."""
    for item in ast.walk(node):
        if isinstance(item, _DEFINITIONS) and ast.get_docstring(item, clean=False) is not None:
            item.body = item.body[1:] or [ast.Pass()]
    return node
