"""Which names a piece of syntax reads from around it, without running anything.

Where a scope is hard to tell the name counts as read from the module: more than is true, never less.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.build.opaque import TEXT_WORDS
from lockgate.build.scopes import Chain, Import, arguments, chain_of, imports_of, own_statements, stored

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SPELLED", "Reading", "read"]

TYPE_FORMS = frozenset(
    {"Optional", "Union", "List", "Dict", "Tuple", "Set", "FrozenSet", "Type", "Sequence", "Mapping", "Iterable",
     "Annotated", "ClassVar", "Final", "list", "dict", "tuple", "set", "frozenset", "type"}
)  # fmt: skip
"""What a string in brackets behind these is: a type, spelled out."""

SPELLED = ":"
"""Before the module's name in `("importlib", "import_module", ":json")`: the call of a name with that text and nothing else."""

IMPORTERS = ("__import__", "import_module")

REFERENCE = re.compile(r"[A-Za-z_]\w*([.:][A-Za-z_]\w*)+")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a piece of syntax takes from around it.

    Attributes:
        reads: dotted names, longest attribute chain first (`("pl", "col")`).
        imports: name that is bound → what; also those inside functions.
        stars: modules imported by `*`.
        words: every attribute and name in it, for constructs that are told by a word (`__doc__`).
        references: strings that may name a definition (`"demand.clean:clean"`), with dots.
        environment: names of environment variables that are spelled out.
    """

    reads: frozenset[Chain]
    imports: tuple[tuple[str, Import], ...]
    stars: tuple[str, ...]
    words: frozenset[str]
    references: frozenset[str]
    environment: frozenset[str]


def read(node: ast.AST, *, package: str) -> Reading:
    """Read one top-level statement. `package` is what relative imports start from."""
    reader = _Reader(package)
    reader.visit(node, frozenset())
    return Reading(
        frozenset(reader.reads),
        tuple(reader.imports),
        tuple(reader.stars),
        frozenset(reader.words),
        frozenset(reader.references),
        frozenset(reader.environment),
    )


class _Reader:
    """Walks a statement with the names that are local where it stands."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.reads: set[Chain] = set()
        self.imports: list[tuple[str, Import]] = []
        self.stars: list[str] = []
        self.words: set[str] = set()
        self.references: set[str] = set()
        self.environment: set[str] = set()

    def visit(self, item: ast.AST, local: frozenset[str]) -> None:
        """Note what `item` reads; `local` are the names that are not the module's."""
        match item:
            case ast.Name() | ast.Attribute():
                self._name(item, local)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                self._function(item, local)
            case ast.ClassDef():
                self._class(item, local)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                self._comprehension(item, local)
            case ast.Import() | ast.ImportFrom():
                self._import(item)
            case ast.AnnAssign():
                self.annotation(item.annotation, local)
                self._each((item.target, item.value), local)
            case ast.AugAssign(target=ast.Name(id=name)):
                self._name(ast.Name(name, ast.Load()), local)
                self.visit(item.value, local)
            case ast.Call(func=func, args=[ast.Constant(value=str(name))], keywords=[]) if (chain_of(func) or ("",))[
                -1
            ] in IMPORTERS:
                self._spelled(func, name, local)
            case ast.AugAssign(target=ast.Attribute(attr=attribute)):
                self.words.add(attribute)
                self._each((item.target, item.value), local)
            case ast.Constant(value=str(text)):
                self._text(text)
            case _:
                self._environment(item)
                if isinstance(item, ast.Subscript) and (chain_of(item.value) or ("",))[-1] in TYPE_FORMS:
                    self.annotation(item.slice, local)
                self._each(ast.iter_child_nodes(item), local)

    def annotation(self, item: ast.AST, local: frozenset[str]) -> None:
        """Like `visit`, and text in it is a type that is spelled out: `"Model | None"`."""
        form = (chain_of(item.value) or ("",))[-1] if isinstance(item, ast.Subscript) else ""
        if isinstance(item, ast.Subscript) and form == "Literal":
            self.visit(item.value, local)
        elif isinstance(item, ast.Subscript) and form == "Annotated" and isinstance(item.slice, ast.Tuple):
            self.annotation(item.slice.elts[0], local)
            self._each((item.value, *item.slice.elts[1:]), local)
        elif isinstance(item, ast.Constant) and isinstance(item.value, str):
            try:
                self.annotation(ast.parse(item.value, mode="eval").body, local)
            except SyntaxError:
                self._text(item.value)
        elif isinstance(item, ast.Name | ast.Attribute | ast.Call):
            self.visit(item, local)
        else:
            for child in ast.iter_child_nodes(item):
                self.annotation(child, local)

    def _each(self, items: Iterable[ast.AST | None], local: frozenset[str]) -> None:
        for item in items:
            if item is not None:
                self.visit(item, local)

    def _name(self, item: ast.Name | ast.Attribute, local: frozenset[str]) -> None:
        value: ast.AST = item
        while isinstance(value, ast.Attribute):
            if not isinstance(value.ctx, ast.Store):  # `f.__doc__ = "…"` reads none
                self.words.add(value.attr)
            value = value.value
        if not isinstance(value, ast.Name):
            self.visit(value, local)
            return
        self.words.add(value.id)
        binds = value is item and isinstance(value.ctx, ast.Store)
        if value.id not in local and not binds:
            self.reads.add(chain_of(item) or (value.id,))

    def _function(self, item: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, local: frozenset[str]) -> None:
        """Defaults, decorators and annotations are read outside; the body sees the parameters and its own names."""
        self._each((*item.args.defaults, *item.args.kw_defaults), local)
        for argument in arguments(item.args):
            if argument.annotation:
                self.annotation(argument.annotation, local)
        body: list[ast.AST] = [item.body] if isinstance(item, ast.Lambda) else list(item.body)
        if not isinstance(item, ast.Lambda):
            self._each((*item.decorator_list, *getattr(item, "type_params", ())), local)
            if item.returns:
                self.annotation(item.returns, local)
        own = {a.arg for a in arguments(item.args)} | stored(body)
        # What the body imports or shares stays visible as the module's, so that it is followed.
        shared = {n for b in own_statements(body) if isinstance(b, ast.Global) for n in b.names}
        imported = {
            name
            for b in own_statements(body) if isinstance(b, ast.Import | ast.ImportFrom)
            for name, _ in imports_of(b, package=self.package)
        }  # fmt: skip
        self._each(body, (local | own) - shared - imported)

    def _class(self, item: ast.ClassDef, local: frozenset[str]) -> None:
        self._each((*item.decorator_list, *item.bases, *item.keywords, *getattr(item, "type_params", ())), local)
        # A name that a class body binds is looked up in the class, then in the module: never in a function around it.
        self._each(item.body, local - stored(item.body))

    def _comprehension(
        self, item: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp, local: frozenset[str]
    ) -> None:
        bound = {n.id for g in item.generators for n in ast.walk(g.target) if isinstance(n, ast.Name)}
        first = item.generators[0].iter
        self.visit(first, local)
        parts = [part for g in item.generators for part in (g.target, g.iter, *g.ifs) if part is not first]
        results = [item.key, item.value] if isinstance(item, ast.DictComp) else [item.elt]
        self._each((*parts, *results), local | bound)

    def _import(self, item: ast.Import | ast.ImportFrom) -> None:
        for name, what in imports_of(item, package=self.package):
            self.words.update((what.attribute or "", name))
            if what.attribute == "*":
                self.stars.append(what.module)
            else:
                self.imports.append((name, what))

    def _spelled(self, func: ast.expr, name: str, local: frozenset[str]) -> None:
        """`import_module("p.a")` is an import whose module is used as a value, whatever its function turns out to be."""
        before = set(self.reads)
        self.visit(func, local)
        new = self.reads - before
        self.reads -= new
        self.reads |= {(*chain, SPELLED + name) for chain in new} or {chain_of(func) or ()}
        tops = {name.partition(".")[0]} if (chain_of(func) or ("",))[-1] == "__import__" else set[str]()
        for module in {name} | tops:
            self.imports.append((SPELLED + module, Import(module)))
            self.reads.add((SPELLED + module,))

    def _text(self, text: str) -> None:
        if text.startswith("__") or text in TEXT_WORDS:  # for `getattr`
            self.words.add(text)
        if len(text) < 200 and REFERENCE.fullmatch(text):
            self.references.add(text.replace(":", "."))

    def _environment(self, item: ast.AST) -> None:
        """`os.environ["X"]`, `os.environ.get("X")`, `os.getenv("X")`, however `os` is called."""
        match item:
            case ast.Call(func=func, args=[ast.Constant(value=str(name)), *_]):
                chain = chain_of(func) or ()
                if chain[-1:] == ("getenv",) or chain[-2:-1] == ("environ",):
                    self.environment.add(name)
            case ast.Subscript(value=value, slice=ast.Constant(value=str(name))):
                if (chain_of(value) or ())[-1:] == ("environ",):
                    self.environment.add(name)
            case _:
                pass
