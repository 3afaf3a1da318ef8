"""What others offer that makes a value and changes nothing: Python's builtins, its library, numpy and polars, by name.

A name that is not here counts as acting. Whether an *argument* may run code of the project is not asked here.
"""

from __future__ import annotations

import builtins
import sys
from typing import TYPE_CHECKING

from lockgate.build.calls import READING_METHODS

if TYPE_CHECKING:
    from lockgate.build.calls import Kind
    from lockgate.build.scopes import Chain

__all__ = ["builtin_is_known", "is_known"]

ACTING_BUILTINS = frozenset(
    {"__import__", "breakpoint", "compile", "delattr", "eval", "exec", "exit", "globals", "input", "locals", "next",
     "open", "quit", "setattr", "type", "vars"}
)  # fmt: skip

FRESH_BUILTINS = frozenset(
    {"abs", "bool", "bytes", "dict", "float", "format", "frozenset", "int", "len", "list", "range", "repr", "round", "set",
     "sorted", "str", "sum", "tuple"}
)  # fmt: skip

ANSWERS_WHAT_IT_FINDS = frozenset({"getattr", "super"})
"""Builtins whose answer was not in their arguments."""

TYPE_METHODS = READING_METHODS | {
    "bit_length", "find", "from_bytes", "fromhex", "fromkeys", "hex", "is_integer", "isalnum", "isalpha", "isdigit", "isdisjoint",
    "isidentifier", "islower", "isspace", "issubset", "issuperset", "istitle", "isupper", "maketrans", "rfind", "rindex", "swapcase",
    "symmetric_difference", "to_bytes", "translate", "zfill",
}  # fmt: skip
"""Methods of builtin types that change nothing: `dict.fromkeys(x)` is here, `list.append(x, 1)` is not."""

CHANGING = frozenset(
    {"add", "append", "appendleft", "clear", "discard", "extend", "extendleft", "insert", "move_to_end", "pop", "popitem", "popleft",
     "remove", "reset", "reverse", "rotate", "set", "setdefault", "sort", "subtract", "update"}
)  # fmt: skip
"""Methods of library types that change the object they are called with: `collections.deque.append(ROWS, 1)`."""

HARMLESS = (
    "abc.", "collections.", "contextlib.asynccontextmanager", "contextlib.contextmanager", "contextlib.nullcontext",
    "contextlib.suppress", "contextvars.ContextVar", "copy.", "dataclasses.dataclass", "dataclasses.field", "datetime.", "decimal.Decimal",
    "enum.", "fractions.", "functools.cache", "functools.cached_property", "functools.lru_cache", "functools.partial",
    "functools.partialmethod", "functools.reduce", "functools.singledispatch", "functools.singledispatchmethod",
    "functools.total_ordering", "functools.wraps", "hashlib.", "html.",
    "itertools.chain", "itertools.combinations", "itertools.combinations_with_replacement", "itertools.count", "itertools.islice",
    "itertools.pairwise", "itertools.permutations", "itertools.product", "itertools.repeat", "itertools.zip_longest",
    "json.dumps", "json.loads", "logging.getLogger", "math.", "numbers.", "operator.attrgetter",
    "operator.itemgetter", "operator.methodcaller", "os.environ.get", "os.fspath",
    "os.getenv", "os.path.", "pathlib.", "platform.", "re.compile", "re.escape", "re.findall", "re.fullmatch",
    "re.match", "re.search", "re.split", "statistics.", "string.", "struct.", "textwrap.", "threading.Lock",
    "threading.RLock", "threading.local", "time.", "types.MappingProxyType", "types.SimpleNamespace", "typing.", "typing_extensions.", "uuid.", "warnings.deprecated",
    "zoneinfo.", "lockgate.",
    *(f"numpy.{n}" for n in ("array", "asarray", "arange", "linspace", "logspace", "geomspace", "zeros", "zeros_like", "ones",
      "ones_like", "full", "full_like", "eye", "float16", "float32", "float64", "int8", "int16", "int32", "int64", "intp", "uint8",
      "uint16", "uint32", "uint64", "bool_", "dtype", "datetime64", "timedelta64", "log", "log1p", "log2", "log10", "exp", "expm1",
      "exp2", "sqrt", "cumsum", "concatenate", "finfo", "iinfo")),
    *(f"polars.{n}" for n in ("all", "all_horizontal", "coalesce", "col", "concat_str", "date", "date_range", "datetime",
      "datetime_range", "duration", "element", "exclude", "format", "len", "lit", "max", "max_horizontal", "mean", "mean_horizontal",
      "min", "min_horizontal", "selectors.", "struct", "sum", "sum_horizontal", "when", "Array", "Binary", "Boolean", "Categorical",
      "DataFrame", "Date", "Datetime", "Decimal", "Duration", "Enum", "Expr", "Field", "Float32", "Float64", "Int8", "Int16", "Int32",
      "Int64", "Int128", "List", "Schema", "Series", "String", "Struct", "Time", "UInt8", "UInt16", "UInt32", "UInt64", "Utf8")),
)  # fmt: skip
"""Whole names, and everything below them; with a dot at the end, everything below. `numpy.random.seed` is not here."""

NOT_HARMLESS = ("abc.update_abstractmethods", "enum.global_enum", "time.tzset")
"""Below a name that is, and yet these change something."""

CALL_WHAT_THEY_WERE_GIVEN = ("functools.partial", "operator.methodcaller")
"""What these answer calls something that only their arguments tell."""

MAY_ANSWER_OURS = ("copy.", "contextlib.", "dataclasses.", "functools.", "itertools.", "operator.", "typing.")
"""Harmless to call, but what they answer may be an object of ours, whose methods may do anything."""

ANSWER_WHAT_IS_SHARED = ("logging.getLogger",)
"""Harmless to call, but what they answer belongs to everybody: `getLogger("x").setLevel(20)`."""

FILLING = ("collections.defaultdict",)
"""Objects that change when an item is read."""


def builtin_is_known(name: str, rest: Chain, kind: Kind) -> bool:
    """Whether a builtin, or what `rest` takes from it, is harmless for what is asked."""
    if not hasattr(builtins, name):
        return False
    if kind == "inert":
        return name not in ANSWERS_WHAT_IT_FINDS
    if kind in ("operand", "parent", "base", "given", "touched", "item"):
        return True
    if name.startswith("__") or name in ACTING_BUILTINS:
        return False
    plain = not rest or (len(rest) == 1 and rest[0] in TYPE_METHODS)
    return plain and (kind != "outside" or name in FRESH_BUILTINS)


def is_known(names: Chain, kind: Kind) -> bool:
    """Whether what a library offers under this dotted name is harmless for what is asked.

    >>> is_known(("polars", "col"), "call"), is_known(("polars", "collect_all"), "call")
    (True, False)
    """
    dotted = ".".join(names)
    if kind == "item":
        return dotted not in FILLING
    if kind in ("operand", "given", "touched") or (
        kind in ("parent", "base", "inert") and names[0] in sys.stdlib_module_names
    ):
        return True
    if names[-1] == "register" or (len(names) > 2 and names[-1] in CHANGING) or dotted in NOT_HARMLESS:
        return False
    if kind == "factory" and dotted in CALL_WHAT_THEY_WERE_GIVEN:
        return False
    if kind == "outside" and (dotted.startswith(MAY_ANSWER_OURS) or dotted in ANSWER_WHAT_IS_SHARED):
        return False
    return any(dotted.startswith(n) if n.endswith(".") else f"{dotted}.".startswith(f"{n}.") for n in HARMLESS)
