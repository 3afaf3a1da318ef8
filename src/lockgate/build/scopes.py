"""Where a name belongs: what a piece of syntax binds, and what an import means. Python's rules, without running anything."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "COMPREHENSIONS",
    "DEFINITIONS",
    "Chain",
    "Import",
    "arguments",
    "chain_of",
    "imports_of",
    "own_statements",
    "spelled_in",
    "stored",
]

Chain = tuple[str, ...]

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True, slots=True)
class Import:
    """`import a.b as x` is (module "a.b", attribute None); `from a import b` is (module "a", attribute "b")."""

    module: str
    attribute: str | None = None


def imports_of(node: ast.Import | ast.ImportFrom, *, package: str) -> list[tuple[str, Import]]:
    """The name each alias binds and what it means; `*` stands for itself. `import a.b` binds `a`, and says so twice."""
    if isinstance(node, ast.Import):
        found: list[tuple[str, Import]] = []
        for alias in node.names:
            top = alias.name.partition(".")[0]
            found += [(alias.asname or top, Import(alias.name if alias.asname else top))]
            found += [] if alias.asname or top == alias.name else [(f"{top}:", Import(alias.name))]
        return found
    module = _absolute(node, package)
    return [(alias.asname or alias.name, Import(module, alias.name)) for alias in node.names]


def chain_of(node: ast.AST) -> Chain | None:
    """`a.b.c` as ("a", "b", "c"); None for anything that does not begin with a name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return (node.id, *reversed(parts)) if isinstance(node, ast.Name) else None


def stored(nodes: Iterable[ast.AST]) -> set[str]:
    """Names that statements bind in their own scope, imports left out: neither inner functions' nor comprehensions'."""
    names: set[str] = set()
    stack = list(nodes)
    while stack:
        item = stack.pop()
        if isinstance(item, DEFINITIONS):
            names.add(item.name)
            stack.extend(_outside_body(item))
        elif isinstance(item, COMPREHENSIONS):
            stack.extend(n for n in own_statements([item]) if isinstance(n, ast.NamedExpr))
        elif isinstance(item, ast.Lambda):
            stack.extend((*item.args.defaults, *(d for d in item.args.kw_defaults if d)))
        else:
            names |= _bound_here(item)
            stack.extend(ast.iter_child_nodes(item))
    return names


def arguments(given: ast.arguments) -> list[ast.arg]:
    """Every parameter of a function."""
    stars = [a for a in (given.vararg, given.kwarg) if a]
    return [*given.posonlyargs, *given.args, *given.kwonlyargs, *stars]


def spelled_in(value: ast.expr) -> list[ast.expr]:
    """The values that a value hands on: elements of a display or a comprehension, sides of a choice."""
    match value:
        case ast.List(elts=inner) | ast.Tuple(elts=inner) | ast.Set(elts=inner) | ast.BoolOp(values=inner):
            return inner
        case ast.Dict(keys=keys, values=values):
            return [v for v in (*keys, *values) if v]
        case ast.Starred(value=one) | ast.NamedExpr(value=one):
            return [one]
        case ast.ListComp(elt=one) | ast.SetComp(elt=one) | ast.GeneratorExp(elt=one):
            return [one]
        case ast.DictComp(key=key, value=one):
            return [key, one]
        case ast.IfExp(body=one, orelse=other):
            return [one, other]
        case _:
            return []


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    base = parts[: len(parts) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def _outside_body(item: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> list[ast.AST]:
    """The expressions of a definition that are evaluated where it stands."""
    if isinstance(item, ast.ClassDef):
        return [*item.decorator_list, *item.bases, *item.keywords]
    return [*item.decorator_list, *item.args.defaults, *(d for d in item.args.kw_defaults if d)]


def own_statements(body: Iterable[ast.AST]) -> list[ast.AST]:
    """Everything in a body that is not inside another function or class."""
    found: list[ast.AST] = []
    stack = list(body)
    while stack:
        item = stack.pop()
        if not isinstance(item, (*DEFINITIONS, ast.Lambda)):
            found.append(item)
            stack.extend(ast.iter_child_nodes(item))
    return found


def _bound_here(item: ast.AST) -> set[str]:
    match item:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return {name}
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            return {name}
        case ast.ExceptHandler(name=str(name)):
            return {name}
        case _:
            return set()
