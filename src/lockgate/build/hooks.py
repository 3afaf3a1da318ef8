"""Through what a class runs code of its own: when it is called, inherited from, or when one of its objects is touched."""

from __future__ import annotations

import ast

from lockgate.build.scopes import chain_of, stored

__all__ = ["ACCESSORS", "TOUCHED", "hooks", "properties"]

TOUCHED = "touched"
"""The mark of a class whose objects may run code of their own when an attribute is read or an operator meets them."""

ACCESSORS = ("setter", "getter", "deleter")

HOOKS = frozenset(
    {"__init__", "__new__", "__post_init__", "__init_subclass__", "__set_name__", "__class_getitem__", "__del__",
     "_generate_next_value_", "_missing_"}
)  # fmt: skip
"""Methods through which making an object, or a subclass, runs code of its class."""


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
            is_field = isinstance(value, ast.Call) and (chain_of(value.func) or ("",))[-1] in ("field", "auto")
            return value is None or is_field or isinstance(value, ast.Constant | ast.UnaryOp | ast.Tuple)
        case _:
            return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def properties(node: ast.ClassDef) -> frozenset[str]:
    """Names that a class body binds to properties of its own and to nothing else: `@size.setter` changes nothing there."""
    functions = [n for n in node.body if isinstance(n, ast.FunctionDef)]
    made = {f.name for f in functions if any((chain_of(d) or ("",))[-1] == "property" for d in f.decorator_list)}
    others = stored([n for n in node.body if n not in functions])
    others |= {f.name for f in functions if not any(_is_of_property(d, f.name) for d in f.decorator_list)}
    return frozenset(made - others)


def _is_of_property(decorator: ast.expr, name: str) -> bool:
    chain = chain_of(decorator) or ("",)
    return chain[-1] == "property" or (chain[0] == name and chain[1:] in {(a,) for a in ACCESSORS})
