"""The standard mutation operators, as edits of a file's text: everything else in it stays as it was written.

Arithmetic, comparison and boolean operators, negated conditions, constants, defaults, returned values, statements and
decorators that go, `break` for `continue`. Text of f-strings and annotations is left alone, docstrings too.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Edit", "edits", "is_python", "poisoned"]

SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
    ast.Pow: ast.Mult, ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitAnd,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
POISON = "raise RuntimeError('poison')"


@dataclass(frozen=True, slots=True)
class Edit:
    """Bytes `start` to `end` of a file become `text`. `top`: number of the top-level statement that they are in."""

    operator: str
    line: int
    start: int
    end: int
    text: str
    top: int

    def applied(self, source: bytes) -> bytes:
        """The file with the edit."""
        return source[: self.start] + self.text.encode() + source[self.end :]


class _Text:
    """Where a node stands in the bytes of a file."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.starts = [0]
        for line in source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def start(self, node: ast.AST) -> int:
        return self.starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]

    def end(self, node: ast.AST) -> int:
        return self.starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]

    def before(self, node: ast.stmt) -> tuple[int, str | None]:
        """Where a statement may be put before this one, and its indentation; None behind a colon."""
        first = min([node, *getattr(node, "decorator_list", ())], key=lambda n: n.lineno)
        begin = self.starts[first.lineno - 1]
        line = self.source[begin : self.source.find(b"\n", begin)]
        indent = line[: len(line) - len(line.lstrip())].decode()
        behind_colon = bool(self.source[begin : self.start(first)].strip(b" \t\f@"))
        return (self.start(first), None) if behind_colon else (begin + len(indent), indent)


def edits(source: bytes) -> list[Edit]:
    """Every edit of a file that the operators know; a few leave no Python behind (`is_python`)."""
    text, tree = _Text(source), ast.parse(source)
    found: list[Edit] = []
    for top, statement in enumerate(tree.body):
        for node, role in _walk(statement, "statement"):
            for operator, old, new in _changes(node, role):
                found.append(Edit(operator, old.lineno, text.start(old), text.end(old), new, top))
    return found


def is_python(source: bytes) -> bool:
    """Whether an edited file still parses."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `is` with a literal is what an operator made
            compile(source, "edited", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


def _walk(node: ast.AST, role: str) -> Iterator[tuple[ast.AST, str]]:
    """Every node with the role it plays; without annotations, f-strings and docstrings."""
    yield node, role
    if isinstance(node, ast.JoinedStr):
        return
    for name, value in ast.iter_fields(node):
        inner = value if isinstance(value, list) else [value]
        for index, child in enumerate(inner):
            if not isinstance(child, ast.AST) or name in ("annotation", "returns"):
                continue
            is_text = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
            if not is_text:
                yield from _walk(child, _role(node, name, index))


def _role(node: ast.AST, name: str, index: int) -> str:
    if name in ("defaults", "kw_defaults"):
        return "default"
    if name == "decorator_list":
        return "decorator"
    if name == "test":
        return "condition"
    if name in ("body", "orelse", "finalbody") and not isinstance(node, ast.Lambda | ast.IfExp):
        return "statement"
    return "pattern" if isinstance(node, ast.MatchValue | ast.MatchMapping) else name


def _changes(node: ast.AST, role: str) -> Iterator[tuple[str, ast.expr | ast.stmt, str]]:
    """Operator, the node to replace, and by what."""
    match node:
        case ast.BinOp(left=left, op=op, right=right) if type(op) in SWAPPED:
            yield "arithmetic", node, _code(ast.BinOp(left, SWAPPED[type(op)](), right))
        case ast.AugAssign(target=target, op=op, value=value) if type(op) in SWAPPED:
            yield "arithmetic", node, ast.unparse(ast.AugAssign(target, SWAPPED[type(op)](), value))
        case ast.Compare(left=left, ops=[op, *more], comparators=comparators):
            yield "comparison", node, _code(ast.Compare(left, [SWAPPED[type(op)](), *more], comparators))
        case ast.BoolOp(op=op, values=values):
            yield "boolean", node, _code(ast.BoolOp(SWAPPED[type(op)](), values))
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield "sign", node, _code(operand)
        case ast.Constant(value=value) if role != "pattern" and value is not Ellipsis:
            yield "default" if role == "default" else "constant", node, f"({_other(value)!r})"
        case ast.Return(value=value):
            empty = value is None or (isinstance(value, ast.Constant) and value.value is None)
            yield "return", node, "return 0" if empty else "return None"
        case ast.Break():
            yield "loop", node, "continue"
        case ast.Continue():
            yield "loop", node, "break"
        case _:
            pass
    if role == "condition" and isinstance(node, ast.expr):
        yield "negation", node, f"(not {_code(node)})"
    if role == "decorator" and isinstance(node, ast.expr):
        yield "decorator", node, "(lambda decorated: decorated)"
    if isinstance(
        node, ast.Assign | ast.AugAssign | ast.Expr | ast.Raise | ast.Assert | ast.Delete | ast.Import | ast.ImportFrom
    ):
        yield "deletion", node, "pass"


def _code(node: ast.expr) -> str:
    return f"({ast.unparse(ast.fix_missing_locations(node))})"


def _other(value: object) -> object:
    """Another constant of the same type, or of the type that `None` stands in for."""
    match value:
        case bool():
            return not value
        case int() | float() | complex():
            return value + 1
        case str():
            return value + "X"
        case bytes():
            return value + b"X"
        case _:
            return 1


def poisoned(source: bytes, top: int) -> bytes:
    """The file when nothing may use its top-level statement `top`.

    A function raises when it is called, a class when any of its functions is; what a class or a module binds to a
    value is an object that can do nothing; any other statement goes.
    """
    text, statement = _Text(source), ast.parse(source).body[top]
    found: list[tuple[int, int, str]] = []
    if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
        found = list(_inner(statement, text))
    elif isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value and _binds_names(statement):
        found = [(text.start(statement.value), text.end(statement.value), "object()")]
    else:
        found = [(text.start(statement), text.end(statement), "pass")]
    for start, end, new in sorted(found, reverse=True):
        source = source[:start] + new.encode() + source[end:]
    return source


def _binds_names(node: ast.Assign | ast.AnnAssign) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return all(isinstance(t, ast.Name) for t in targets)


def _inner(node: ast.stmt, text: _Text) -> Iterator[tuple[int, int, str]]:
    if isinstance(node, FUNCTIONS):
        place, indent = text.before(node.body[0])
        yield place, place, f"{POISON}\n{indent}" if indent is not None else f"{POISON}; "
    elif isinstance(node, ast.ClassDef):
        for inner in node.body:
            yield from _inner(inner, text)
    elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value and _binds_names(node):
        yield text.start(node.value), text.end(node.value), "object()"
