"""What a statement does when its module is imported, as questions: harmless if every name called is known to be.

Binding a name is all that most statements do. A decorator that registers, a call that patches, an assignment to an
attribute does more, and then everything in the module may depend on it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lockgate.build.hooks import ACCESSORS, properties
from lockgate.build.scopes import COMPREHENSIONS, Chain, arguments, chain_of, spelled_in

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ASKED",
    "READING_METHODS",
    "TEXT_METHODS",
    "UNKNOWN",
    "Acts",
    "Asker",
    "Kind",
    "Question",
    "is_plain",
    "questions",
]

Kind = Literal["call", "outside", "parent", "base", "operand", "given", "touched", "item", "made", "inert", "factory"]

UNKNOWN: Chain = ("",)
"""Stands for a value of which nothing is known."""

ASKED: Chain = ("asked",)
"""With the question for a factory: what its answer calls is asked about already."""

CALLBACKS = frozenset(
    {"key", "default_factory", "factory", "default", "func", "function", "object_hook",
     "object_pairs_hook", "parse_constant", "parse_float", "parse_int"}
)  # fmt: skip
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

KEEPING = frozenset(
    {"ContextVar", "MappingProxyType", "SimpleNamespace", "cache", "callable", "cast", "classmethod", "contextmanager", "dataclass",
     "field", "id", "lru_cache", "partial", "property", "repeat", "singledispatch", "staticmethod", "wraps"}
)  # fmt: skip
"""Calls that ask their arguments for nothing. When one is a function of ours, its own text says what it asks."""


@dataclass(frozen=True, slots=True)
class Question:
    """Is `chain` harmless: to call, to call a method of its result (`outside`), to inherit from, to operate on, to give away?
    `base`: to make an object of a class that inherits from it?

    `touched`: to read an attribute of, to compare, to loop over; `item`: to read an item of, which may fill it. `inert`:
    does calling it make an object that can be touched without running code of ours? `made`: that, or one of others'.
    `by`: who touches it, being given it: a class of ours that only keeps it does not.

    `factory`: to call, and to call what it answers, or to give that away.
    Given to a method of a result, a function of ours may be called there.
    """

    chain: Chain
    kind: Kind = "call"
    by: Chain = ()


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


def is_plain(node: ast.stmt) -> bool:
    """Whether a name is bound to text, a number or a container spelled out, whose reading methods are known."""
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    return isinstance(value, (ast.Constant, ast.JoinedStr, ast.Tuple, ast.List, ast.Dict, ast.Set, *COMPREHENSIONS))


def _called_later(node: ast.Call, name: str) -> Chain | None:
    """What `partial(f)` or `methodcaller("lower")` calls; empty where that is known to be harmless, None where nobody knows."""
    first = node.args[0] if node.args else None
    if name == "partial" and first is not None:
        return chain_of(first)
    if name == "methodcaller" and isinstance(first, ast.Constant) and first.value in READING_METHODS:
        return ()
    return None


class Asker:
    """Walks what is evaluated on import, and gives up at the first thing that acts."""

    def __init__(self, *, text_annotations: bool) -> None:
        self.text_annotations = text_annotations
        self.found: list[Question] = []
        self.local: set[str] = set()
        self.own: set[str] = set()  # of a function: parameters and what it binds, of which nothing is known
        self.given: set[str] = set()  # of a function: parameters, about which is asked where it is called
        self.walked: set[int] = set()
        self.properties: frozenset[str] = frozenset()  # of the class body that is walked

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
        if id(node) not in self.walked:
            self.walked.add(id(node))
            self._expression(node)

    def _expression(self, node: ast.AST) -> None:
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
                if chain := chain_of(node.value):
                    self._ask(chain, "item", known=True)
                self._touch(node.value, node.slice)
            case ast.Dict():
                self._touch(
                    *(k for k in node.keys if k), *(v for k, v in zip(node.keys, node.values, strict=True) if not k)
                )
                self._each(node.values)
            case ast.Set():
                self._touch(*node.elts)
            case ast.Await() | ast.Yield() | ast.YieldFrom():
                raise Acts
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                self._touch(*(g.iter for g in node.generators), *(i for g in node.generators for i in g.ifs))
                self.local |= {n.id for g in node.generators for n in ast.walk(g.target) if isinstance(n, ast.Name)}
                if isinstance(node, ast.SetComp | ast.DictComp):
                    self._touch(node.elt if isinstance(node, ast.SetComp) else node.key)
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

    def _touch(self, *values: ast.expr, by: Chain = ()) -> None:
        """An attribute, an operator, a loop, a call that is given it (`by`): an object of our own may answer by code of ours.

        So may what is spelled out in a value: `str([Own()])`.
        """
        for value in values:
            self.expression(value)  # first: it says which names are elements
            self._touch(*spelled_in(value), by=by)
            chain = chain_of(value)
            made = chain_of(value.func) if isinstance(value, ast.Call) else None
            if made and len(made) > 1 and made[-1] in READING_METHODS:
                chain, made = made[:-1], None  # what it answers was in there
            head = (chain or made or ("",))[0]
            if head in self.own and not by:
                raise Acts
            if head in self.own - self.given:
                self.found.append(Question(UNKNOWN, "touched", by))
            elif head not in self.local and (
                chain or made
            ):  # else an element of what was asked about where the loop begins
                self.found.append(Question(chain or made or (), "touched" if chain else "made", by))

    def _ask(self, chain: Chain, kind: Kind, *, known: bool = False) -> None:
        """`known`: nothing is asked of an element of what was asked about."""
        if chain[0] in self.local:
            if known:
                return
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
        around, self.properties = self.properties, properties(node)
        for statement in node.body:
            self.statement(statement)
        self.properties = around

    def _decorators(self, decorators: list[ast.expr]) -> None:
        for decorator in decorators:
            chain = chain_of(decorator)
            if chain and len(chain) == 2 and chain[0] in self.properties and chain[1] in ACCESSORS:
                continue
            if chain:
                self._ask(chain, "call")
            elif isinstance(decorator, ast.Call):
                self._result(decorator)
                self.expression(decorator)
            else:
                raise Acts

    def _call(self, node: ast.Call) -> None:
        self._called(node.func)
        by = chain_of(node.func) or UNKNOWN
        calls_first = by[-1] in CALL_THEIR_FIRST or (by[-1] == "iter" and len(node.args) == 2)
        for value in (*(node.args[:1] if calls_first else ()), *(k.value for k in node.keywords if k.arg in CALLBACKS)):
            if chain := chain_of(value):
                self._ask(chain, "call")
                if by[-1] in ("map", "reduce"):
                    self._ask(chain, "made")  # what it answers goes on to others
        for keyword in node.keywords:
            if keyword.arg == "cls" and (chain := chain_of(keyword.value)):
                self._ask(chain, "outside")  # its methods are called
        for value in (*node.args, *(k.value for k in node.keywords)):
            if by == UNKNOWN and (chain := chain_of(value)):
                self._ask(chain, "given")
            self._result(value)
            self.expression(value)
            if by[-1] not in KEEPING:
                self._touch(value, by=by)
            if isinstance(value, ast.Lambda):  # whoever gets it may call it
                self.local |= {a.arg for a in ast.walk(value.args) if isinstance(a, ast.arg)}
                self.expression(value.body)

    def _result(self, value: ast.expr) -> None:
        """What a call answers goes to somebody who may call it: `@reader("csv")`, `map(scaled(2), rows)`."""
        if isinstance(value, ast.Call) and (chain := chain_of(value.func)) and chain[0] not in self.local:
            called = _called_later(value, chain[-1])
            if called:
                self._ask(called, "call")
            self.found.append(Question(chain, "factory", () if called is None else ASKED))

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
