"""Which definitions a function can reach, across the modules of a project, without importing any of them.

Law 1: what analysis cannot see through widens to the whole module; it never guesses narrow. Everything a
project module does on import (its effects, and those of the modules it imports) belongs to each closure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lockgate.build.modules import Import, Module, Unit, parse
from lockgate.errors import UsageError
from lockgate.records.graph import Definition

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["Closure", "Project", "closure"]


@dataclass
class Project:
    """The modules under one root, parsed on demand. A module outside the root is third party."""

    root: Path
    modules: dict[str, Module | None] = field(default_factory=dict[str, "Module | None"])

    def module(self, name: str) -> Module | None:
        """The parsed module, or None when it is not a file of this project."""
        if name not in self.modules:
            self.modules[name] = self._parse(name)
        return self.modules[name]

    def file(self, name: str) -> Path | None:
        """The module's source file, or None when it is not ours."""
        stem = self.root.joinpath(*name.split("."))
        for candidate in (stem / "__init__.py", stem.with_suffix(".py")):
            if candidate.is_file():
                return candidate
        return None

    def _parse(self, name: str) -> Module | None:
        path = self.file(name)
        if path is None:
            return None
        relative = path.relative_to(self.root).as_posix()
        try:
            return parse(name, relative, path.read_text(encoding="utf-8"))
        except SyntaxError as error:
            raise UsageError(
                "a project file is not valid Python",
                value=f"{relative}:{error.lineno}: {error.msg}",
                next=f"python -m py_compile {relative}",
            ) from error


@dataclass(frozen=True, slots=True)
class Closure:
    """What a function depends on: definitions by name, third-party modules, and what made it wide."""

    definitions: tuple[Definition, ...]
    modules: tuple[str, ...]
    third_party: tuple[str, ...]
    widened: tuple[str, ...]


def closure(project: Project, targets: Iterable[tuple[str, str]]) -> Closure:
    """Walk from `(module, name)` pairs through everything they can reach."""
    walk = _Walk(project)
    for module, name in targets:
        walk.reach(module, name)
    definitions = sorted(walk.units.values(), key=lambda d: (d.file, d.line, d.name))
    return Closure(tuple(definitions), tuple(sorted(walk.entered)), tuple(sorted(walk.outside)), tuple(sorted(walk.wide)))


class _Walk:
    """The state of one walk: what was reached so far."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.units: dict[tuple[str, int], Definition] = {}
        self.entered: set[str] = set()
        self.outside: set[str] = set()
        self.wide: set[str] = set()

    def reach(self, module_name: str, name: str) -> None:
        """Everything that `module.name` means."""
        module = self.enter(module_name)
        if module is None:
            self.outside.add(f"{module_name}.{name}")
            return
        if name in module.bound:
            for unit in module.bound[name]:
                self.add(module, unit)
        elif name in module.imports:
            self.follow(module, module.imports[name], ())
        elif self.project.file(f"{module_name}.{name}"):
            self.whole(f"{module_name}.{name}", "used as a value")
        elif module.stars:
            for star in module.stars:
                self.reach(_absolute(module, star), name)
        elif name == "__getattr__" or "__getattr__" in module.bound:
            self.whole(module_name, "module __getattr__")

    def enter(self, name: str) -> Module | None:
        """Importing a module runs its packages' and its own effects, and those of what it imports."""
        module = self.project.module(name)
        if module is None or name in self.entered:
            return module
        self.entered.add(name)
        if "." in name:
            self.enter(name.rpartition(".")[0])
        for unit in module.effects:
            self.add(module, unit)
        for item in (*module.imports.values(), *module.stars):
            base = _absolute(module, item)
            self.enter(base)
            if item.attribute:
                self.enter(f"{base}.{item.attribute}")
        return module

    def add(self, module: Module, unit: Unit) -> None:
        """A unit and what it reads."""
        key = (module.name, unit.line)
        if key in self.units:
            return
        self.units[key] = Definition(f"{module.name}.{unit.name}", module.file, unit.line, unit.digest)
        if unit.opaque and not self._harmless(module, unit):
            self.whole(module.name, f"{unit.opaque[0]} in {unit.name}")
        lazy = dict(unit.imports)
        for chain in unit.reads:
            self.read(module, chain, lazy)
        for item in lazy.values():
            self.follow(module, item, ())

    def read(self, module: Module, chain: tuple[str, ...], lazy: dict[str, Import]) -> None:
        """A dotted name read in a module."""
        head, rest = chain[0], chain[1:]
        if head in lazy:
            self.follow(module, lazy[head], rest)
        elif head in module.bound:
            for unit in module.bound[head]:
                self.add(module, unit)
        elif head in module.imports:
            self.follow(module, module.imports[head], rest)
        else:
            for star in module.stars:
                self.reach(_absolute(module, star), head)

    def follow(self, module: Module, item: Import, rest: tuple[str, ...]) -> None:
        """An imported name, with the attributes taken from it."""
        base = _absolute(module, item)
        if item.attribute is not None:
            submodule = f"{base}.{item.attribute}"
            owner = self.project.module(base)
            if self.project.file(submodule) and not (owner and item.attribute in owner.bound):
                self.attribute(submodule, rest)
            else:
                self.reach(base, item.attribute)
            return
        self.attribute(base, rest)

    def attribute(self, name: str, rest: tuple[str, ...]) -> None:
        """`module.a.b`: descend through submodules, then reach the definition."""
        while rest and self.project.file(f"{name}.{rest[0]}"):
            self.enter(name)
            name, rest = f"{name}.{rest[0]}", rest[1:]
        if self.project.file(name) is None:
            self.outside.add(".".join((name, *rest[:1])))
        elif rest:
            self.reach(name, rest[0])
        else:
            self.whole(name, "used as a value")

    def whole(self, name: str, reason: str) -> None:
        """Widen to everything a module defines."""
        module = self.enter(name)
        if module is None or f"{name}: {reason}" in self.wide:
            return
        self.wide.add(f"{name}: {reason}")
        for unit in module.units():
            self.add(module, unit)

    def _harmless(self, module: Module, unit: Unit) -> bool:
        """`getattr` and `setattr` on values see nothing of ours; on modules or with a module alias they do."""
        if set(unit.opaque) - {"getattr", "setattr"}:
            return False
        return not any(chain[0] in module.imports and len(chain) == 1 for chain in unit.reads)


def _absolute(module: Module, item: Import) -> str:
    """The absolute name of an import's module, relative levels resolved."""
    if not item.level:
        return item.module
    is_package = module.file.endswith("__init__.py")
    parts = module.name.split(".")
    base = parts[: len(parts) - item.level + (1 if is_package else 0)]
    return ".".join([*base, *([item.module] if item.module else [])])
