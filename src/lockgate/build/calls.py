"""What a statement does when its module is imported, as questions: harmless if every name called is known to be.

Binding a name is all that most statements do. A decorator that registers, a call that patches, an assignment to an
attribute does more, and then everything in the module may depend on it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lockgate.build.scopes import COMPREHENSIONS, Chain, arguments, chain_of, stored

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "READING_METHODS",
    "TEXT_METHODS",
    "TOUCHED",
    "Acts",
    "Asker",
    "Kind",
    "Question",
    "hooks",
    "is_plain",
    "questions",
]

Kind = Literal["call", "outside", "parent", "operand", "given", "touched", "inert", "factory"]

TOUCHED = "touched"
"""The mark of a class whose objects may run code of their own when an attribute is read or an operator meets them."""

CALLBACKS = frozenset({"key", "default_factory", "factory", "default", "func", "function", "object_hook"})
"""Keywords whose value is called by the one it is given to."""

TEXT_METHODS = frozenset(
    {"capitalize", "casefold", "decode", "encode", "endswith", "format", "join", "lower", "lstrip", "partition", "removeprefix",
     "removesuffix", "replace", "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip", "title", "upper"}
)  # fmt: skip
"""Methods of text, which answer text."""

READING_METHODS = TEXT_METHODS | {
    "copy", "count", "difference", "get", "index", "intersection", "items", "keys", "union", "values",
}  # fmt: skip
"""Methods of text and containers that change nothing."""

CALL_THEIR_FIRST = frozenset({"defaultdict", "filter", "map", "reduce"})

HOOKS = frozenset(
    {"__init__", "__new__", "__post_init__", "__init_subclass__", "__set_name__", "__class_getitem__", "__del__"}
)
"""Methods through which making an object, or a subclass, runs code of its class."""


@dataclass(frozen=True, slots=True)
class Question:
    """Is `chain` harmless: to call, to call a method of its result (`outside`), to inherit from, to operate on, to give away?

    `touched`: to read an attribute or an item of, to compare, to loop over. `inert`: does calling it make an object that
    can be touched without running code of ours?

    `factory`: to call, and to call what it answers, or to give that away.
    Given to a method of a result, a function of ours may be called there.
    """

    chain: Chain
    kind: Kind = "call"


class Acts(Exception):
    """The statement does more than bind names, whatever its names mean."""


def questions(node: ast.stmt, *, text_annotations: bool = False) -> tuple[Question, ...] | None:
    """What must be harmless for a statement to do nothing but bind names; None when it does more in any case.

    `text_annotations`: the module imports `annotations` from `__future__`, so nothing evaluates them.
    """
    asker = Asker(text_annotations=text_annotations)
    try:
        asker.statement(node)
    except Acts:
        return None
    return tuple(dict.fromkeys(asker.found))


def hooks(node: ast.stmt) -> frozenset[str]:
    """Through what a class runs code of its own when it is called or inherited from."""
    if not isinstance(node, ast.ClassDef):
        return frozenset()
    own = HOOKS & stored(node.body) | (frozenset() if all(map(_is_inert, node.body)) else {TOUCHED})
    metaclass = [k.value for k in node.keywords if k.arg == "metaclass"]
    plain = all((chain_of(m) or ("",))[-1] in ("ABCMeta", "EnumMeta", "EnumType") for m in metaclass)
    return own if plain else own | {"metaclass"}


def _is_inert(node: ast.stmt) -> bool:
    """A field, a constant or a plain method: no property, no descriptor, no operator."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            plain = all((chain_of(d) or ("",))[-1] in ("classmethod", "staticmethod") for d in node.decorator_list)
            return plain and not (node.name.startswith("__") and node.name not in HOOKS)
        case ast.AnnAssign() | ast.Assign():
            value = node.value
            is_field = isinstance(value, ast.Call) and (chain_of(value.func) or ("",))[-1] == "field"
            return value is None or is_field or isinstance(value, ast.Constant | ast.UnaryOp | ast.Tuple)
        case _:
            return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def is_plain(node: ast.stmt) -> bool:
    """Whether a name is bound to text, a number or a container spelled out, whose reading methods are known."""
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    return isinstance(value, (ast.Constant, ast.JoinedStr, ast.Tuple, ast.List, ast.Dict, ast.Set, *COMPREHENSIONS))


class Asker:
    """Walks what is evaluated on import, and gives up at the first thing that acts."""

    def __init__(self, *, text_annotations: bool) -> None:
        self.text_annotations = text_annotations
        self.found: list[Question] = []
        self.local: set[str] = set()
        self.own: set[str] = set()  # of a function: parameters and what it binds, of which nothing is known

    def statement(self, node: ast.stmt) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._decorators(node.decorator_list)
                self._each((*node.args.defaults, *node.args.kw_defaults))
                self._annotations(node.returns, *(a.annotation for a in arguments(node.args)))
            case ast.ClassDef():
                self._class(node)
            case ast.Assign():
                self._targets(node.targets)
                self.expression(node.value)
            case ast.AnnAssign():
                self._targets([node.target])
                self._annotations(node.annotation)
                self._each((node.value,))
            case ast.If():
                self._touch(node.test)
                self._statements(node.body, node.orelse)
            case ast.Try():
                self._each(h.type for h in node.handlers)
                self._statements(node.body, *(h.body for h in node.handlers), node.orelse, node.finalbody)
            case ast.Raise():
                self._each((node.exc, node.cause))
            case ast.Return():
                self._each((node.value,))
            case ast.Delete():
                self._targets(node.targets)
            case ast.Pass() | ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant()):
                pass
            case _:
                if type(node).__name__ != "TypeAlias":
                    raise Acts

    def expression(self, node: ast.AST) -> None:
        match node:
            case ast.Call():
                self._call(node)
            case ast.Lambda():
                self._each((*node.args.defaults, *node.args.kw_defaults))
            case ast.BinOp():
                for side in (node.left, node.right):
                    if chain := chain_of(side):
                        self._ask(chain, "operand")
                    self._touch(side)
            case ast.Compare() if all(isinstance(o, ast.Is | ast.IsNot) for o in node.ops):
                self._each((node.left, *node.comparators))
            case ast.BoolOp():
                self._touch(*node.values)
            case ast.IfExp():
                self._touch(node.test)
                self._each((node.body, node.orelse))
            case ast.Compare():
                self._touch(node.left, *node.comparators)
            case ast.UnaryOp(operand=value) | ast.Starred(value=value) | ast.FormattedValue(value=value):
                self._touch(value)
            case ast.Attribute(value=ast.Name(), attr="__name__" | "__qualname__" | "__module__"):
                pass  # of functions and classes, which have them without running anything
            case ast.Attribute(value=value):
                self._touch(value)
            case ast.Subscript():
                self._touch(node.value)
                self.expression(node.slice)
            case ast.Await() | ast.Yield() | ast.YieldFrom():
                raise Acts
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                self._touch(*(g.iter for g in node.generators), *(i for g in node.generators for i in g.ifs))
                self.local |= {n.id for g in node.generators for n in ast.walk(g.target) if isinstance(n, ast.Name)}
                self._each(ast.iter_child_nodes(node))
            case _:
                self._each(ast.iter_child_nodes(node))

    def _statements(self, *bodies: list[ast.stmt]) -> None:
        for body in bodies:
            for statement in body:
                self.inner(statement)

    def inner(self, node: ast.stmt) -> None:
        """Below a branch or in a function a class is too much to say: its hooks are known at the top only."""
        if isinstance(node, ast.ClassDef):
            raise Acts
        self.statement(node)

    def _annotations(self, *found: ast.expr | None) -> None:
        if not self.text_annotations:
            self._each(found)

    def _each(self, nodes: Iterable[ast.AST | None]) -> None:
        for node in nodes:
            if node is not None:
                self.expression(node)

    def _touch(self, *values: ast.expr) -> None:
        """An attribute, an operator, a loop: an object of our own may answer it by code of ours."""
        for value in values:
            chain = chain_of(value)
            made = chain_of(value.func) if isinstance(value, ast.Call) else None
            if made and len(made) > 1 and made[-1] in READING_METHODS:
                chain, made = made[:-1], None  # what it answers was in there
            head = (chain or made or ("",))[0]
            if head in self.own:
                raise Acts
            if head in self.local:
                pass  # elements of what was asked about where the loop begins
            elif chain:
                self._ask(chain, "touched")
            elif made:
                self._ask(made, "outside")
            self.expression(value)

    def _ask(self, chain: Chain, kind: Kind) -> None:
        if chain[0] in self.local:
            raise Acts
        self.found.append(Question(chain, kind))

    def _targets(self, targets: list[ast.expr]) -> None:
        for target in targets:
            if any(isinstance(n, ast.Attribute | ast.Subscript) for n in ast.walk(target)):
                raise Acts

    def _class(self, node: ast.ClassDef) -> None:
        self._decorators(node.decorator_list)
        for base in (*node.bases, *(k.value for k in node.keywords if k.arg == "metaclass")):
            chain = chain_of(base.value if isinstance(base, ast.Subscript) else base)
            if chain:
                self._ask(chain, "parent")
            self.expression(base)
        self._each(k.value for k in node.keywords if k.arg != "metaclass")
        for statement in node.body:
            self.statement(statement)

    def _decorators(self, decorators: list[ast.expr]) -> None:
        for decorator in decorators:
            chain = chain_of(decorator)
            if chain and len(chain) == 2 and chain[1] in ("setter", "getter", "deleter"):
                continue  # of a property in the same class
            if chain:
                self._ask(chain, "call")
            elif isinstance(decorator, ast.Call):
                self._result(decorator)
                self.expression(decorator)
            else:
                raise Acts

    def _call(self, node: ast.Call) -> None:
        self._called(node.func)
        first = node.args[:1] if (chain_of(node.func) or ("",))[-1] in CALL_THEIR_FIRST else []
        for value in (*first, *(k.value for k in node.keywords if k.arg in CALLBACKS)):
            if chain := chain_of(value):
                self._ask(chain, "call")
        for value in (*node.args, *(k.value for k in node.keywords)):
            if chain_of(node.func) is None and (chain := chain_of(value)):
                self._ask(chain, "given")
            self._result(value)
            self.expression(value)
            if isinstance(value, ast.Lambda):  # whoever gets it may call it
                self.local |= {a.arg for a in ast.walk(value.args) if isinstance(a, ast.arg)}
                self.expression(value.body)

    def _result(self, value: ast.expr) -> None:
        """What a call answers goes to somebody who may call it: `@reader("csv")`, `map(scaled(2), rows)`."""
        if isinstance(value, ast.Call) and (chain := chain_of(value.func)) and chain[0] not in self.local:
            self._ask(chain, "factory")

    def _called(self, func: ast.expr) -> None:
        if chain := chain_of(func):
            element = chain[0] in self.local - self.own  # the limits of law 1 say so
            if not (element and chain[-1] in TEXT_METHODS):
                self._ask(chain, "call")
            return
        value = func.value if isinstance(func, ast.Attribute) else None
        while isinstance(value, ast.Attribute):
            value = value.value
        if isinstance(value, ast.Call) and (chain := chain_of(value.func)):
            self._ask(chain, "outside")
            self.expression(value)
        elif isinstance(value, ast.Call):
            self._called(value.func)
            self._each((*value.args, *(k.value for k in value.keywords)))
        elif isinstance(value, ast.Constant | ast.JoinedStr | ast.List | ast.Dict | ast.Set | ast.Tuple):
            self.expression(value)
        else:
            raise Acts
