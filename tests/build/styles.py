"""Small projects in the styles people write: each has a step `entry:f` and helpers of which it uses some."""

from __future__ import annotations

import textwrap
from pathlib import Path

__all__ = ["STYLES", "lay_out"]

FUNCTIONS = {
    "shop/__init__.py": "",
    "shop/prices.py": '''
        VAT = 0.2
        ROUNDING = 2
        SHIPPING = {"small": 3, "large": 9}

        def net(price, *, rate=VAT):
            """Price without tax."""
            return round(price / (1 + rate), ROUNDING)

        def gross(price, *, rate=VAT):
            return round(price * (1 + rate), ROUNDING)

        def shipping(weight, free_from=100):
            if weight > free_from or weight == 0:
                return 0
            return SHIPPING["small"] if weight < 5 else SHIPPING["large"]
        ''',
    "shop/rows.py": """
        from shop.prices import gross, net, shipping

        def by_key(rows, key):
            found = {}
            for row in rows:
                if row.get(key) is None:
                    continue
                found.setdefault(row[key], []).append(row)
            return found

        def totals(rows, *, least=1):
            sums = {}
            for key, members in sorted(by_key(rows, "product").items()):
                sums[key] = sum(net(m["price"]) * m["count"] + shipping(m["count"]) for m in members)
            return {k: v for k, v in sums.items() if v >= least and not k.startswith("_")}

        def invoice(rows):
            return [f"{r['product']}: {gross(r['price'])}" for r in rows]

        def spread(values):
            low, high = min(values), max(values)
            return high - low
        """,
    "entry.py": """
        from shop.rows import totals
        ROWS = [{"product": p, "price": 10 + i, "count": i % 7} for i, p in enumerate(["a", "b", None, "_c", "a", "b", "d", "a"])]
        def f():
            return totals(ROWS)
        """,
}

CLASSES = {
    "flow/__init__.py": "from .shapes import Circle, Square\nfrom .units import metres\n",
    "flow/units.py": """
        FACTORS = {"m": 1, "cm": 0.01, "in": 0.0254}
        PRECISION = 3

        def metres(value, unit="m"):
            return round(value * FACTORS[unit], PRECISION)

        def feet(value):
            return value / 0.3048
        """,
    "flow/shapes.py": """
        from __future__ import annotations
        import math
        from abc import ABC, abstractmethod
        from dataclasses import dataclass, field
        from .units import feet, metres

        class Shape(ABC):
            sides = 0

            @abstractmethod
            def area(self) -> float: ...

            def price(self, per_area: float = 2.0) -> float:
                return round(self.area() * per_area + self.sides, 2)

            @property
            def label(self) -> str:
                return f"{type(self).__name__.lower()}-{self.sides}"

            def __lt__(self, other):
                return self.area() < other.area()

        @dataclass
        class Circle(Shape):
            radius: float = 1.0

            def area(self) -> float:
                return math.pi * self.radius ** 2

        @dataclass
        class Square(Shape):
            side: float = 2.0
            tags: list[str] = field(default_factory=list)
            sides = 4

            def area(self) -> float:
                return metres(self.side * self.side)

        @dataclass
        class Triangle(Shape):
            base: float = 1.0
            sides = 3

            def area(self) -> float:
                return feet(self.base) / 2

        class Stock:
            limit = 10

            def __init__(self):
                self.items = []

            def take(self, shape):
                if len(self.items) < self.limit:
                    self.items.append(shape)
                return self

            def worth(self):
                return sum(s.price() for s in self.items)
        """,
    "entry.py": """
        import flow
        def f():
            shapes = sorted([flow.Square(3), flow.Circle(), flow.Square()])
            return [(s.label, s.price(), s.price(3)) for s in shapes], flow.metres(12, "in")
        """,
}

REGISTRY = {
    "plug/__init__.py": "",
    "plug/registry.py": """
        READERS = {}
        CHECKS = []

        def reader(kind):
            def keep(function):
                READERS[kind] = function
                return function
            return keep

        def check(function):
            CHECKS.append(function)
            return function

        def read(kind, text):
            if kind not in READERS:
                raise KeyError(kind)
            return READERS[kind](text)

        def valid(rows):
            return [c.__name__ for c in CHECKS if not c(rows)]
        """,
    "plug/readers.py": """
        from plug.registry import check, reader

        SEPARATOR = ";"
        MOST = 100

        @reader("csv")
        def csv(text):
            return [line.split(SEPARATOR) for line in text.strip().split("\\n")]

        @reader("words")
        def words(text):
            return [[w] for w in text.split() if len(w) > 1]

        @check
        def not_empty(rows):
            return len(rows) > 0

        @check
        def few(rows):
            return len(rows) <= MOST and all(len(r) < 5 for r in rows)

        def columns(rows):
            return len(rows[0]) if rows else 0
        """,
    "entry.py": """
        import plug.readers
        from plug import registry
        def f():
            rows = registry.read("csv", "a;b\\nc;d"), registry.read("words", "one a two")
            return [(r, registry.valid(r)) for r in rows]
        """,
}

SETTINGS = {
    "conf/__init__.py": "",
    "conf/defaults.py": """
        __all__ = ["HORIZON", "LAGS", "NAME", "PARAMETERS", "Mode", "scaled"]
        import enum

        HORIZON = 7
        LAGS = [1, HORIZON, 2 * HORIZON]
        NAME = "demand".upper()
        PARAMETERS = {"rate": 0.1, "depth": HORIZON - 1, "names": [f"lag{n}" for n in LAGS]}
        UNUSED = {"a": 1}
        _scale = 10

        class Mode(enum.Enum):
            FAST = 1
            EXACT = 2

        def scaled(n, by=_scale):
            return n * by
        """,
    "conf/features.py": """
        from conf.defaults import *

        def window(values, size=HORIZON):
            return [sum(values[max(0, i - size):i]) for i in range(len(values))]

        def lagged(values):
            return {n: [None] * n + values[:-n] for n in LAGS if n < len(values)}

        def mode(exact=False):
            return Mode.EXACT if exact else Mode.FAST

        def smoothed(values, alpha=0.5):
            state, found = values[0], []
            for value in values:
                state = alpha * value + (1 - alpha) * state
                found.append(state)
            return found
        """,
    "entry.py": """
        from conf import defaults
        from conf.features import lagged, mode, window
        def f():
            return window(list(range(12))), lagged(list(range(9))), mode(), defaults.PARAMETERS, defaults.scaled(2)
        """,
}

LAZY = {
    "deep/__init__.py": "",
    "deep/inner/__init__.py": "from ..text import clean as tidy\n",
    "deep/text.py": """
        import re
        WORD = re.compile(r"[a-z]+")
        STOP = frozenset({"the", "a"})

        def clean(text):
            return [w for w in WORD.findall(text.lower()) if w not in STOP]

        def shout(text):
            return text.upper() + "!"
        """,
    "deep/inner/stats.py": """
        def counts(words):
            from ..text import STOP
            found = {}
            for word in words:
                found[word] = found.get(word, 0) + (2 if word in STOP else 1)
            return found

        def top(words, n=2):
            from . import ranks
            return ranks.best(counts(words), n)

        def longest(words):
            from deep.text import shout
            return shout(max(words, key=len))
        """,
    "deep/inner/ranks.py": """
        try:
            from nowhere import fast
        except ImportError:
            fast = None

        def best(found, n):
            if fast is not None:
                return fast(found, n)
            return sorted(found, key=lambda w: (-found[w], w))[:n]

        def worst(found, n):
            return sorted(found, key=found.get)[:n]
        """,
    "entry.py": """
        def f():
            from deep.inner import stats, tidy
            words = tidy("The cat and the dog and a bird, and the cat")
            return stats.top(words), stats.top(words, n=3), len(words)
        """,
}

CLOSURES = {
    "fun/__init__.py": "",
    "fun/make.py": """
        import functools

        BASE = 3

        def power(n):
            def inner(x, plus=BASE):
                return x ** n + plus
            return inner

        def counted(function):
            @functools.wraps(function)
            def inner(*args):
                inner.calls += 1
                return function(*args)
            inner.calls = 0
            return inner

        def composed(*functions):
            return lambda x: functools.reduce(lambda value, g: g(value), functions, x)

        square, cube = power(2), power(3)
        half = functools.partial(lambda x, by: x // by, by=2)

        @functools.lru_cache(maxsize=None)
        def fib(n):
            return n if n < 2 else fib(n - 1) + fib(n - 2)

        @counted
        def twice(x):
            return x * 2

        @counted
        def thrice(x):
            return x * 3

        def stepping(limit, step=2):
            at = 0
            while True:
                at += step
                if at >= limit:
                    break
                if at % 3 == 0:
                    continue
                yield at
        """,
    "entry.py": """
        from fun.make import composed, fib, half, square, stepping, twice
        def f():
            both = composed(square, twice, half)
            return [both(n) for n in range(4)], fib(9), twice.calls, list(stepping(15)), square(2, plus=0)
        """,
}

STYLES = {
    "functions": FUNCTIONS, "classes": CLASSES, "registry": REGISTRY,
    "settings and stars": SETTINGS, "lazy and relative": LAZY, "closures": CLOSURES,
}  # fmt: skip


def lay_out(name: str, root: Path) -> Path:
    """Write a style's files."""
    for file, text in STYLES[name].items():
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return root
