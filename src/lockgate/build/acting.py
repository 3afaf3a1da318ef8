"""Which statements do more on import than bind names: they belong to everything that imports their module.

A statement asks (`calls.py`) what it calls; here the questions are answered from what is known to be
harmless (`harmless.py`), and from the project's own classes. What is not known counts as acting. Operators, attributes and iteration
count as harmless, except on what a call of our own made (`first >> second`, `settings.path` behind a property).
"""

from __future__ import annotations

import builtins
import sys
from typing import TYPE_CHECKING

from lockgate.build.calls import ASKED, READING_METHODS, TEXT_METHODS, UNKNOWN, Question
from lockgate.build.harmless import builtin_is_known, is_known
from lockgate.build.hooks import TOUCHED
from lockgate.build.scopes import Import

if TYPE_CHECKING:
    from lockgate.build.calls import Kind
    from lockgate.build.modules import Module, Project, Unit
    from lockgate.build.scopes import Chain

__all__ = ["Effects"]


class Effects:
    """Answers which units of a project act, and which modules do, themselves or through what they import."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._units: dict[tuple[str, tuple[int, int]], bool] = {}
        self._modules: dict[str, bool] = {}
        self._on_import: dict[str, tuple[tuple[Unit, bool], ...]] = {}
        self._followed: set[tuple[str, ...]] = set()
        self._calling: set[tuple[str, tuple[int, int], str]] = set()

    def on_import(self, module: Module) -> tuple[tuple[Unit, bool], ...]:
        """The units of a module that matter to whoever imports it: those that act (True), and imports."""
        if module.name not in self._on_import:
            each = ((u, self.acts(module, u) or _is_future(u)) for u in module.units)
            self._on_import[module.name] = tuple((u, a) for u, a in each if a or u.kind in ("import", "choice"))
        return self._on_import[module.name]

    def acts(self, module: Module, unit: Unit) -> bool:
        """Whether importing `unit` may do more than bind its names."""
        if self._acts_itself(module, unit):
            return True
        if unit.kind not in ("import", "choice"):
            return False
        names = [n for _, i in unit.reading.imports for n in (i.module, f"{i.module}.{i.attribute or ''}")]
        return any(self._is_ours(n) and self.module_acts(n) for n in (*names, *unit.reading.stars))

    def _acts_itself(self, module: Module, unit: Unit) -> bool:
        """Whether a statement acts, leaving aside what the modules of ours that it imports do."""
        key = (module.name, unit.place)
        if key not in self._units:
            self._units[key] = self._decide(module, unit)
        return self._units[key]

    def module_acts(self, name: str) -> bool:
        """Whether importing a project module acts, by itself or by anything it imports in turn."""
        if name not in self._modules:
            self._modules[name] = any(self._acts_itself(m, u) for m in self._imported_with(name) for u in m.units)
        return self._modules[name]

    def _imported_with(self, name: str) -> list[Module]:
        """The modules of the project that importing one brings in."""
        found: dict[str, Module] = {}
        todo = [name]
        while todo:
            name = todo.pop()
            module = None if name in found else self._project.module(name)
            todo += [name.rpartition(".")[0]] if "." in name and name not in found else []
            if module is not None:
                found[name] = module
                imports = [i for u in module.units if u.kind not in ("class", "function") for _, i in u.reading.imports]
                todo += [n for i in imports for n in (i.module, f"{i.module}.{i.attribute or ''}")]
                todo += [star for u in module.stars for star in u.reading.stars]
        return list(found.values())

    def _is_ours(self, module: str) -> bool:
        return self._project.file(module) is not None or self._project.is_folder(module.partition(".")[0])

    def _decide(self, module: Module, unit: Unit) -> bool:
        if unit.kind in ("import", "choice"):
            acting = any(self._import_acts(module, name, i) for name, i in unit.reading.imports)
            if acting or not all(self._is_ours(star) for star in unit.reading.stars):
                return True
        if "metaclass" in unit.hooks or _makes_members(unit):
            return True
        return unit.questions is None or not all(self._harmless(module, q) for q in unit.questions)

    def _import_acts(self, module: Module, name: str, item: Import) -> bool:
        """A third-party import whose name nobody reads is there for what it does."""
        if self._is_ours(item.module):
            return False
        top = item.module.partition(".")[0]
        read = any(name.rstrip(":") == chain[0] for u in module.units for chain in u.reading.reads)
        return not (read or top in sys.stdlib_module_names or top in ("lockgate", "__future__"))

    def _harmless(self, module: Module, question: Question) -> bool:
        head, rest = question.chain[0], question.chain[1:]
        if question.by and question.kind != "factory" and self._keeps(module, question.by):
            return True
        if question.chain == UNKNOWN:
            return False
        if question.kind == "made":
            return any(self._harmless(module, Question(question.chain, kind)) for kind in ("outside", "inert"))
        units = module.bound.get(head, ())
        if not units:
            return self._builtin(module, question)
        return all(self._bound(module, unit, head, rest, question) for unit in units)

    def _builtin(self, module: Module, question: Question) -> bool:
        """A name that the module does not bind: a builtin, or something out of `from x import *`."""
        head, rest = question.chain[0], question.chain[1:]
        if question.kind == "touched" and not hasattr(builtins, head):  # one for the type checker only
            return not module.stars
        return not (module.stars and question.kind != "touched") and builtin_is_known(head, rest, question.kind)

    def _bound(self, module: Module, unit: Unit, head: str, rest: Chain, question: Question) -> bool:
        if unit.kind == "import":
            return all(self._imported(item, rest, question) for name, item in unit.reading.imports if name == head)
        imports = [i for name, i in unit.reading.imports if name == head] if unit.kind == "choice" else []
        if not all(self._imported(i, rest, question) for i in imports):
            return False
        match question.kind:
            case "operand":
                return unit.kind in ("plain", "function", "class") or not self._makes_own(module, unit)
            case "touched":
                return (
                    self._is_untouched_class(module, unit, rest)
                    if unit.kind == "class"
                    else (unit.kind == "function" or not self._makes_own(module, unit, inert=True))
                )
            case "item":
                asked = [q.chain for q in unit.questions or () if q.kind in ("call", "parent")]
                return unit.kind == "function" or all(self._harmless(module, Question(c, "item")) for c in asked)
            case "inert":
                return unit.kind == "class" and not rest and self._is_inert_class(module, unit)
            case "given":
                return unit.kind not in ("function", "class", "choice")
            case "parent" | "base" if unit.kind == "choice":
                return bool(imports) and not any(m.name == head for m in unit.makes)
            case "parent":
                return unit.kind == "class" and not rest and self._is_quiet_parent(module, unit)
            case "base":
                return unit.kind == "class" and not rest and self._is_quiet_class(module, unit)
            case "call" if unit.kind == "plain":
                return len(rest) == 1 and rest[0] in READING_METHODS
            case "outside" if unit.kind == "plain":
                return len(rest) == 1 and rest[0] in TEXT_METHODS
            case "call" | "factory" if unit.makes or imports:
                return not rest and self._makes(module, unit, head, question, imported=bool(imports))
            case "factory":
                return self._bound(module, unit, head, rest, Question(question.chain, "call"))
            case "call" if unit.kind == "class":
                return not rest and self._is_quiet_class(module, unit)
            case _:
                return False

    def _makes(self, module: Module, unit: Unit, head: str, question: Question, *, imported: bool) -> bool:
        """Whether a call of one of our functions does nothing but make a value; of a choice: whichever is taken."""
        asked = [m.called for m in unit.makes if m.name == head]
        if question.kind == "factory":
            asked += [m.result for m in unit.makes if m.name == head]
        key = (module.name, unit.place, head)
        if key in self._calling or not (asked or imported):
            return False  # it calls itself, or nobody knows what it is
        self._calling.add(key)
        try:
            return all(qs is not None and all(self._harmless(module, q) for q in qs) for qs in asked)
        finally:
            self._calling.discard(key)

    def _imported(self, item: Import, rest: Chain, question: Question) -> bool:
        """Follow an import to where it leads: another module of the project, or somebody else's."""
        names = (*item.module.split("."), *([item.attribute] if item.attribute else ()), *rest)
        if not self._is_ours(item.module):
            return is_known(names, "call" if question.by == ASKED else question.kind)
        key = (question.kind, item.module, item.attribute or "", *rest)
        if key in self._followed:
            return False  # a circle of imports
        self._followed.add(key)
        whole = self._project.module(".".join(names))
        if question.kind == "touched" and whole is not None:  # a module
            self._followed.discard(key)
            return "__getattr__" not in whole.bound
        owners = [(self._project.module(".".join(names[:size])), names[size:]) for size in range(1, len(names))]
        asked = [
            self._harmless(m, Question(r, question.kind))
            for m, r in owners
            if m is not None and r[0] in m.bound and not _only_loads(m, r[0])
        ]
        self._followed.discard(key)
        return bool(asked) and all(asked)

    def _makes_own(self, module: Module, unit: Unit, *, inert: bool = False) -> bool:
        """Whether a value comes from a call of something of ours, whose operators may do anything.

        `inert`: leave out classes of ours whose objects run nothing when they are touched.
        """
        calls = [q.chain for q in unit.questions or () if q.kind == "call"]
        kinds: tuple[Kind, ...] = ("outside", "inert") if inert else ("outside",)
        return unit.questions is None or not all(
            any(self._harmless(module, Question(c, kind)) for kind in kinds) for c in calls
        )

    def _is_inert_class(self, module: Module, unit: Unit) -> bool:
        parents = [q.chain for q in unit.questions or () if q.kind == "parent"]
        quiet = unit.questions is not None and not unit.hooks
        return quiet and all(self._harmless(module, Question(p, "inert")) for p in parents)

    def _is_untouched_class(self, module: Module, unit: Unit, rest: Chain) -> bool:
        """Reading an item of a class, or something bound in it, runs none of our code."""
        loud = {"__class_getitem__", "metaclass", *((TOUCHED,) if rest else ())}
        parents = [q.chain for q in unit.questions or () if q.kind == "parent"]
        return not unit.hooks & loud and all(self._harmless(module, Question(p, "touched")) for p in parents)

    def _keeps(self, module: Module, chain: Chain) -> bool:
        """Whether a class of ours keeps what it is made of, and asks it for nothing: a dataclass."""
        head, rest = chain[0], chain[1:]
        units = module.bound.get(head, ())
        return bool(units) and all(self._unit_keeps(module, u, head, rest) for u in units)

    def _unit_keeps(self, module: Module, unit: Unit, head: str, rest: Chain) -> bool:
        if unit.kind == "class":
            parents = [q.chain for q in unit.questions or () if q.kind == "parent"]
            return not rest and unit.questions is not None and all(self._keeps(module, p) for p in parents)
        if unit.kind != "import":
            return False
        (item,) = [i for name, i in unit.reading.imports if name == head]
        names = (*item.module.split("."), *([item.attribute] if item.attribute else ()), *rest)
        owner = self._project.module(".".join(names[:-1]))
        key = ("keeps", *names)
        if owner is None or owner is module or key in self._followed:
            return False
        self._followed.add(key)
        try:
            return self._keeps(owner, names[-1:])
        finally:
            self._followed.discard(key)

    def _is_quiet_class(self, module: Module, unit: Unit) -> bool:
        """Calling it runs none of our code: a dataclass, an enum, a named tuple."""
        parents = [Question(q.chain, "base") for q in unit.questions or () if q.kind == "parent"]
        quiet = unit.questions is not None and not unit.hooks - {TOUCHED}
        return quiet and all(self._harmless(module, p) for p in parents)

    def _is_quiet_parent(self, module: Module, unit: Unit) -> bool:
        loud = {
            "__init_subclass__",
            "metaclass",
            *({"__init__", "__new__", "_generate_next_value_"} if _is_enum(unit) else ()),
        }
        return not unit.hooks & loud and self._parents(module, unit)

    def _parents(self, module: Module, unit: Unit) -> bool:
        parents = [q for q in unit.questions or () if q.kind == "parent"]
        return unit.questions is not None and all(self._harmless(module, q) for q in parents)


def _only_loads(module: Module, name: str) -> bool:
    """`from . import tools` in a package says no more about `tools` than that it is the module of that name."""
    loads = (Import(module.name, name), Import(f"{module.name}.{name}"))
    return all(u.kind == "import" and all(i in loads for _, i in u.reading.imports) for u in module.bound[name])


def _is_future(unit: Unit) -> bool:
    return any(i.module == "__future__" for _, i in unit.reading.imports)


def _is_enum(unit: Unit) -> bool:
    return any(q.kind == "parent" and q.chain[-1].endswith(("Enum", "Flag")) for q in unit.questions or ())


def _makes_members(unit: Unit) -> bool:
    """An enum runs its `__init__` once per member, where it is defined."""
    return _is_enum(unit) and bool(unit.hooks & {"__init__", "__new__", "_generate_next_value_"})
