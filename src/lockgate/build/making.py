"""What a call of one of our functions does, as questions: often it only makes a value, like a decorator that wraps."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from lockgate.build.calls import Acts, Asker, Question
from lockgate.build.scopes import arguments, own_statements, stored

__all__ = ["Making", "makings"]


@dataclass(frozen=True, slots=True)
class Making:
    """A function that a statement defines, or a name that it binds in another way.

    Attributes:
        called: what must be harmless for a call to do nothing but make a value; None when it does more, or nobody knows.
        result: the same for a call of what a call answers, when that is a function written inside.
    """

    name: str
    called: tuple[Question, ...] | None = None
    result: tuple[Question, ...] | None = None


def makings(node: ast.stmt) -> tuple[Making, ...]:
    """The functions of a statement, also those in its branches."""
    match node:
        case ast.FunctionDef():
            return (Making(node.name, _call_of(node), _result_of(node)),)
        case ast.If() | ast.Try():
            handled = [s for h in getattr(node, "handlers", ()) for s in h.body]
            inner = (*node.body, *handled, *node.orelse, *getattr(node, "finalbody", ()))
            return tuple(m for statement in inner for m in makings(statement))
        case ast.Import() | ast.ImportFrom():
            return ()
        case _:
            return tuple(Making(n) for n in sorted(stored([node])))


def _call_of(node: ast.FunctionDef, around: frozenset[str] = frozenset()) -> tuple[Question, ...] | None:
    """Only the plainest: it binds local names and returns. What a parameter is asked for is not known to be harmless."""
    if node.decorator_list:
        return None
    asker = Asker(text_annotations=True)
    asker.own = {a.arg for a in arguments(node.args)} | stored(node.body) | around
    asker.given = {a.arg for a in arguments(node.args)} - stored(node.body)
    asker.local = set(asker.own)
    try:
        for statement in node.body:
            if any(isinstance(n, ast.Import | ast.ImportFrom) for n in own_statements([statement])):
                return None
            asker.inner(statement)
    except Acts:
        return None
    return tuple(dict.fromkeys(asker.found))


def _result_of(node: ast.FunctionDef) -> tuple[Question, ...] | None:
    """Of a function that answers a function it defines, and nothing else."""
    returned = [n.value for n in own_statements(node.body) if isinstance(n, ast.Return)]
    names = {v.id if isinstance(v, ast.Name) else None for v in returned}
    inner = [n for n in node.body if isinstance(n, ast.FunctionDef) and names == {n.name}]
    if node.decorator_list or len(inner) != 1 or _binds_twice(node, inner[0]):
        return None
    return _call_of(inner[0], frozenset({a.arg for a in arguments(node.args)} | stored(node.body)))


def _binds_twice(node: ast.FunctionDef, inner: ast.FunctionDef) -> bool:
    return inner.name in stored([s for s in node.body if s is not inner])
