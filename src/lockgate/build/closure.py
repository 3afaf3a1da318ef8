"""Which definitions a function can reach, across the modules of a project, without importing any of them.

Law 1: what analysis cannot see through widens, to the whole module or to the whole project; it never guesses narrow.
Everything a project module does on import, and what the modules it imports do, belongs to each closure.
"""

from __future__ import annotations

import builtins
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.build.acting import Effects
from lockgate.build.modules import Project
from lockgate.build.names import SPELLED
from lockgate.build.opaque import ANYTHING, DOC_WORDS, REACHING_WORDS, TEXT_WORDS, WHOLE_MODULE, reaches_anywhere
from lockgate.errors import UsageError
from lockgate.records.digest import digest, digest_bytes
from lockgate.records.graph import Definition

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockgate.build.modules import Module, Unit
    from lockgate.build.scopes import Chain, Import

__all__ = ["Closure", "closure"]


@dataclass(frozen=True, slots=True)
class Closure:
    """What a function depends on.

    Attributes:
        definitions: by module; in the order of the text where that order can matter, else by name.
        modules: those of the project that are imported on the way.
        third_party: dotted names outside the project.
        environment: names of environment variables that the code spells out.
        widened: which modules count as a whole and why, a sentence each, for people.
    """

    definitions: tuple[Definition, ...]
    modules: tuple[str, ...]
    third_party: tuple[str, ...]
    environment: tuple[str, ...]
    widened: tuple[str, ...]


def closure(project: Project, targets: Iterable[tuple[str, str]], *, effects: Effects | None = None) -> Closure:
    """Walk from `(module, qualified name)` pairs through everything they can reach."""
    walk = _Walk(project, effects or Effects(project))
    for module, qualname in targets:
        names = tuple(qualname.split("."))
        if project.file(module) is None:
            walk.leave(f"{module}.{qualname}")
        elif not walk.member(module, names[0], names[1:]):
            walk.everything(f"{module}.{qualname} is not found in the text")
    return walk.closure()


class _Walk:
    """The state of one walk: what was reached so far."""

    def __init__(self, project: Project, effects: Effects) -> None:
        self.project = project
        self.effects = effects
        self.units: dict[str, dict[tuple[int, int], Unit]] = {}
        self.entered: dict[str, Module] = {}
        self.outside: set[str] = set()
        self.wide: dict[str, str] = {}
        self.at = ""
        self.unreadable: dict[str, Definition] = {}
        self.taken: set[tuple[str, str, Chain]] = set()

    def enter(self, name: str) -> Module | None:
        """Importing a module runs its packages' and its own effects, and those of what it imports."""
        if "." in name:
            self.enter(name.rpartition(".")[0])
        module = self.project.module(name)
        if module is None or name in self.entered:
            return module
        self.entered[name] = module
        for unit, acts in self.effects.on_import(module):
            self._import(unit)
            if acts:
                self.add(module, unit)
        return module

    def add(self, module: Module, unit: Unit) -> None:
        """A unit and what it reads."""
        reached = self.units.setdefault(module.name, {})
        if unit.place in reached:
            return
        reached[unit.place] = unit
        before, self.at = self.at, f"{module.name}.{unit.name}"
        self._reach(module, unit)
        self.at = before

    def _reach(self, module: Module, unit: Unit) -> None:
        self._import(unit)
        for chain in sorted(unit.reading.reads):
            self.read(module, unit, chain)
        for reference in sorted(unit.reading.references):
            self._refer(reference)
        if unit.reading.words & REACHING_WORDS:
            self.everything(f"{min(unit.reading.words & REACHING_WORDS)} in {self.at}")
        if unit.kind in ("import", "choice") and self.effects.acts(module, unit):
            for name, attribute in (
                *((i.module, i.attribute) for _, i in unit.reading.imports),
                *((s, "") for s in unit.reading.stars),
            ):
                if self.project.file(name) is None:
                    self.leave(f"{name}.{attribute}" if attribute else name)

    def read(self, module: Module, unit: Unit, chain: Chain) -> None:
        """A dotted name read in a unit: imported there, bound by the module, out of a star, or a builtin."""
        head, rest = chain[0], chain[1:]
        found = False
        for name, item in unit.reading.imports:
            if name == head:
                self.follow(item, rest)
                found = True
        if not self._bound(module, head, rest) and not found:
            self._builtin(module, head, rest)

    def member(self, base: str, name: str, rest: Chain) -> bool:
        """`base.name`: a submodule, something the module binds, or both; answers whether it is ours."""
        module = self.enter(base)
        submodule = f"{base}.{name}"
        if (base, name, rest) in self.taken:  # modules that import each other by one name, in a circle
            return True
        self.taken.add((base, name, rest))
        found = False
        if (self.project.file(submodule) or self.project.is_folder(submodule)) and not _rebinds(
            module, name, submodule
        ):
            self.attribute(submodule, rest)
            found = True
        if module is None:
            return found
        found = self._bound(module, name, rest) or found
        if not found and "__getattr__" in module.bound:
            self.whole(base, f"its __getattr__ answers for {name}")
            found = True
        if not found:
            self.taken.discard((base, name, rest))
        return found

    def follow(self, item: Import, rest: Chain) -> None:
        """An imported name, with the attributes taken from it."""
        if item.attribute is None:
            self.attribute(item.module, rest)
        else:
            self._take(item.module, item.attribute, rest)

    def attribute(self, name: str, rest: Chain) -> None:
        """A module, and what is taken from it; a module that is used as a value may be taken apart at run time."""
        if rest:
            self._take(name, rest[0], rest[1:])
        else:
            self.whole(name, f"used as a value in {self.at}")
            if self.project.file(name) is None:
                self.leave(name)

    def _take(self, base: str, name: str, rest: Chain) -> None:
        if self.project.file(base) is None:  # somebody else's, or a folder without `__init__.py`
            self.leave(".".join((base, name, *rest)))
            self.member(base, name, rest)
        elif not self.member(base, name, rest):
            self.whole(base, f"{self.at} asks for {name}, which is not found in its text")

    def leave(self, dotted: str) -> None:
        """Something outside the project."""
        self.outside.add(dotted)
        if reaches_anywhere(dotted):
            self.everything(f"{dotted} in {self.at}")

    def whole(self, name: str, reason: str) -> None:
        """Widen to everything a module binds, and everything below a package."""
        if name in self.wide or not self._is_ours(name):
            return
        self.wide[name] = f"all of {name}: {reason}" if reason else ""
        if module := self.enter(name):
            self._all_units(module)
        if self.project.is_folder(name):
            for inner in self.project.below(name):
                if inner != name:
                    self._whole_or_text(inner)

    def _all_units(self, module: Module) -> None:
        for unit in module.units:
            self.add(module, unit)
            if unit.kind not in ("function", "class"):  # what it imports is one of the module's values
                for _, item in unit.reading.imports:
                    self.follow(item, ())
                for star in unit.reading.stars:
                    self.attribute(star, ())

    def everything(self, reason: str) -> None:
        """Widen to the whole project."""
        if "" in self.wide:
            return
        self.wide[""] = f"the whole project: {reason}"
        for name in self.project.below(""):
            self._whole_or_text(name)

    def _whole_or_text(self, name: str) -> None:
        """A file that is no Python for us (a template, another version's) counts by its bytes."""
        try:
            self.whole(name, "")
        except UsageError:
            if (path := self.project.file(name)) is not None:
                file = path.relative_to(self.project.root).as_posix()
                self.unreadable[name] = Definition(f"{name} (text)", file, 1, digest_bytes(path.read_bytes()))

    def closure(self) -> Closure:
        """What was reached, in an order that does not depend on the way."""
        found: list[Definition] = []
        everywhere = [u for units in self.units.values() for u in units.values()]
        shows_text = any(u.reading.words & TEXT_WORDS for u in everywhere)
        shows_docs = any(u.reading.words & DOC_WORDS for u in everywhere)
        for name, module in sorted(self.entered.items()):
            units = sorted(self.units.get(name, {}).values(), key=lambda u: u.place)
            if not self._order_matters(module, units):
                units.sort(key=lambda u: u.name)
            found += [Definition(f"{name}.{u.name}", module.file, u.place[0], u.digest) for u in units]
            found += [Definition(f"{name} (text)", module.file, 1, module.text)] if shows_text else []
            docs = [module.doc, *(u.doc for u in units)] if shows_docs else []
            found += [Definition(f"{name} (docstrings)", module.file, 1, digest("docs", docs))] if any(docs) else []
        found += [d for n, d in sorted(self.unreadable.items()) if n not in self.entered]
        environment = {n for u in everywhere for n in u.reading.environment}
        said = [self.wide[""]] if "" in self.wide else sorted(s for s in self.wide.values() if s)
        return Closure(
            tuple(found),
            tuple(sorted(self.entered)),
            tuple(sorted(self.outside)),
            tuple(sorted(environment)),
            tuple(said),
        )

    def _bound(self, module: Module, head: str, rest: Chain) -> bool:
        """What a module's name means: every unit that binds it, and every star that may."""
        units = module.bound.get(head, [])
        for unit in units:
            self.add(module, unit)
            for name, item in unit.reading.imports:
                if name == head:
                    self.follow(item, rest)
        found = bool(units)
        for star in module.stars:
            for base in star.reading.stars:
                if self._is_ours(base) and self._provides(base, head, set()):
                    for unit in (*module.stars, *self._listed(base)):
                        self.add(module if unit in module.stars else self.entered[base], unit)
                    found = self.member(base, head, rest) or found
        return found

    def _listed(self, base: str) -> list[Unit]:
        """`__all__` decides what a star brings."""
        module = self.enter(base)
        return module.bound.get("__all__", []) if module else []

    def _provides(self, base: str, name: str, asked: set[str]) -> bool:
        if base in asked:
            return False
        asked.add(base)
        module = self.project.module(base)
        if self.project.file(f"{base}.{name}") or (module and name in module.bound):
            return True
        return any(self._provides(b, name, asked) for s in (module.stars if module else ()) for b in s.reading.stars)

    def _builtin(self, module: Module, head: str, rest: Chain) -> None:
        if head in WHOLE_MODULE:
            self.whole(module.name, f"{head}() in {self.at}")
        elif head in ANYTHING and not (head == "__import__" and rest and rest[0].startswith(SPELLED)):
            self.everything(f"{head} in {self.at}")
        elif not hasattr(builtins, head):
            for star in (b for s in module.stars for b in s.reading.stars if not self._is_ours(b)):
                self.leave(f"{star}.{head}")

    def _import(self, unit: Unit) -> None:
        """Everything that an import brings in runs, wherever it stands."""
        for _, item in unit.reading.imports:
            self.enter(item.module)
            if item.attribute:
                self.enter(f"{item.module}.{item.attribute}")
        for star in unit.reading.stars:
            self.enter(star)

    def _refer(self, reference: str) -> None:
        """Text that spells a module of ours and a name in it: somebody may look it up."""
        parts = reference.split(".")
        for size in range(len(parts) - 1, 0, -1):
            module = self.project.module(".".join(parts[:size]))
            if module is not None:
                if parts[size] in module.bound:
                    self.whole(module.name, f"{self.at} has the text {reference!r}")
                return

    def _is_ours(self, name: str) -> bool:
        return self.project.file(name) is not None or self.project.is_folder(name)

    def _order_matters(self, module: Module, units: list[Unit]) -> bool:
        """Statements that act, or a name bound twice: then what stands first counts."""
        reached = {u.place for u in units}
        repeated = (len({u.digest for u in us if u.place in reached}) > 1 for us in module.rebound)
        return any(repeated) or any(self.effects.acts(module, u) for u in units)


def _rebinds(module: Module | None, name: str, submodule: str) -> bool:
    """`from .clean import clean` in a package hides its module `clean`: the name means what was imported last."""
    units = module.bound.get(name, []) if module else []
    return bool(units) and all(i.module == submodule for u in units for n, i in u.reading.imports if n == name)
