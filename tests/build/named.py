"""What a step names: an answer that owes nothing to `lockgate.build`, to measure its analysis against.

It works on a loaded project, from the compiler's own account of names and from real objects: a statement's code names
globals, globals have values, modules have attributes, functions and classes know where they were defined. Nothing is
widened here: what no name leads to is not in the answer, so this is a lower bound that a careful reader would find.
"""

from __future__ import annotations

import ast
import dis
import importlib.util
import sys
import types
from collections.abc import Iterator

__all__ = ["named"]

Place = tuple[str, int]
"""File, and number of a top-level statement in it."""


def named(root: str, target: str) -> set[Place]:
    """Every top-level statement that names lead to from `module:function`."""
    walk = _Walk(root)
    module, _, name = target.partition(":")
    walk.note(sys.modules[module], name)
    return walk.found


class _Walk:
    def __init__(self, root: str) -> None:
        self.root = root
        self.found: set[Place] = set()
        self.asked: set[tuple[str, str]] = set()
        self.values: dict[int, object] = {}
        self.statements: dict[str, list[tuple[ast.stmt, set[str]]]] = {}

    def note(self, module: object, name: str) -> None:
        """A global of a module: the statements that bind it, what they name, and what its value tells."""
        file = getattr(module, "__file__", None) or ""
        if not isinstance(module, types.ModuleType) or not file.startswith(self.root + "/"):
            return
        if (file, name) in self.asked:
            return
        self.asked.add((file, name))
        for number, (statement, names) in enumerate(self._of(file)):
            if name in names:
                self.found.add((file, number))
                self._import(module, statement, name)
                code = compile(
                    ast.Module([statement], []), file, "exec", flags=_flags(self._of(file)), dont_inherit=True
                )
                self.code(module, code)
        self.value(getattr(module, name, None))

    def code(self, module: types.ModuleType, code: types.CodeType) -> None:
        """The globals that code names, and the attributes it takes from modules."""
        attributes: set[str] = set()
        modules: list[object] = []
        for step in dis.get_instructions(code):
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL", "STORE_NAME") and step.argval in vars(
                module
            ):
                self.note(module, step.argval)
                modules.append(vars(module)[step.argval])
            elif step.opname in ("LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM"):
                attributes.add(step.argval)
            elif step.opname == "IMPORT_NAME":
                modules += [
                    m for n, m in list(sys.modules.items()) if n == step.argval or n.endswith("." + step.argval)
                ]
        while modules:
            found = modules.pop()
            if isinstance(found, types.ModuleType) and id(found) not in map(id, modules):
                for name in attributes & set(vars(found)):
                    inner = vars(found)[name]
                    if isinstance(inner, types.ModuleType) and inner.__name__ == f"{found.__name__}.{name}":
                        modules.append(inner)
                    self.note(found, name)
        for inner in code.co_consts:
            if isinstance(inner, types.CodeType):
                self.code(module, inner)

    def value(self, value: object) -> None:
        """Functions and classes know where they are from, containers what is in them."""
        if id(value) in self.values:
            return
        self.values[id(value)] = value
        if isinstance(value, type | types.FunctionType):
            self.note(sys.modules.get(value.__module__ or ""), value.__qualname__.partition(".")[0])
            for base in getattr(value, "__mro__", ()):
                self.value(base)
        elif isinstance(value, dict):
            for item in (*value.keys(), *value.values()):
                self.value(item)
        elif isinstance(value, list | tuple | set | frozenset):
            for item in value:
                self.value(item)
        elif getattr(sys.modules.get(type(value).__module__), "__file__", None):
            self.value(type(value))
            self.value(getattr(value, "__dict__", None))

    def _import(self, module: types.ModuleType, statement: ast.stmt, name: str) -> None:
        """Where `from x import name` took it."""
        for node in _outside_functions(statement):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if name == (alias.asname or alias.name):
                        package = module.__package__ or ""
                        origin = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
                        self.note(sys.modules.get(origin), alias.name)

    def _of(self, file: str) -> list[tuple[ast.stmt, set[str]]]:
        if file not in self.statements:
            with open(file, "rb") as source:
                self.statements[file] = [(s, set(_binds(s))) for s in ast.parse(source.read()).body]
        return self.statements[file]


def _binds(statement: ast.stmt) -> Iterator[str]:
    """The module's names that a statement binds."""
    for node in _outside_functions(statement):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                yield name
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                yield from (a.asname or a.name.partition(".")[0] for a in names)
            case _:
                pass
    yield from (n for g in ast.walk(statement) if isinstance(g, ast.Global) for n in g.names)


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
        for child in ast.iter_child_nodes(node):
            yield from _outside_functions(child)


def _flags(statements: list[tuple[ast.stmt, set[str]]]) -> int:
    import __future__

    return __future__.annotations.compiler_flag if any("annotations" in names for _, names in statements[:2]) else 0
