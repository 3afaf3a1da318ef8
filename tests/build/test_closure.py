"""Law 1, construct by construct: an edit that can change the result changes the key; one that cannot does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from build.small_project import REFUSED, key_of, result_of, write


@dataclass(frozen=True)
class Case:
    """A project, the function `p.m:f` in it, edits `(file, old, new)` that change what it returns, and edits that cannot."""

    name: str
    files: dict[str, str]
    changes: list[tuple[str, str, str]]
    same: list[tuple[str, str, str]] = field(default_factory=list)


M = "p/m.py"
A = "p/a.py"
B = "p/b.py"
INIT = "p/__init__.py"


def case(
    name: str,
    m: str,
    *,
    changes: list[tuple[str, str, str]],
    same: list[tuple[str, str, str]] | None = None,
    **others: str,
) -> Case:
    files = {INIT: "", M: m, **{_file(n): t for n, t in others.items()}}
    return Case(name, files, changes, same or [])


def _file(name: str) -> str:
    """`a` is p/a.py, `init` p/__init__.py, `p__q__c` p/q/c.py, `p__q__init` p/q/__init__.py."""
    parts = ["p", name] if "__" not in name else name.split("__")
    return "/".join([*parts[:-1], "__init__" if parts[-1] == "init" else parts[-1]]) + ".py"


CASES = [
    case("the function itself", "def f():\n    '''Doc.'''\n    return 1  # one\n",
         changes=[(M, "return 1", "return 2")],
         same=[(M, "# one", "# two"), (M, "Doc.", "Another."), (M, "return 1", "return  1"), (M, "def f", "\n\n\ndef f")]),
    case("a called function", "def g():\n    return 1\ndef h():\n    return 5\ndef f():\n    return g()\n",
         changes=[(M, "return 1", "return 2")], same=[(M, "return 5", "return 6"), (M, "def h", "# c\ndef h")]),
    case("a constant", "K = 1\nOTHER = 5\ndef f():\n    return K\n", changes=[(M, "K = 1", "K = 2")], same=[(M, "= 5", "= 6")]),
    case("two on one line", "A = 1; K = 2\ndef f():\n    return K + A\n", changes=[(M, "A = 1", "A = 3"), (M, "K = 2", "K = 3")]),
    case("a class and its attribute", "class C:\n    N = 1\n    def go(self):\n        return self.N\nclass D:\n    N = 5\ndef f():\n    return C().go()\n",
         changes=[(M, "N = 1", "N = 2"), (M, "self.N", "-self.N")], same=[(M, "N = 5", "N = 6")]),
    case("an inherited method", "from p.a import Base\nclass C(Base):\n    pass\ndef f():\n    return C().go()\n",
         a="class Base:\n    def go(self):\n        return 1\nclass Other:\n    X = 5\n",
         changes=[(A, "return 1", "return 2")], same=[(A, "X = 5", "X = 6")]),
    case("a decorator", "def twice(g):\n    return lambda: 2 * g()\n@twice\ndef f():\n    return 1\n",
         changes=[(M, "2 * g()", "3 * g()"), (M, "@twice\n", "")]),
    case("a decorator with arguments", "N = 2\ndef times(n):\n    return lambda g: lambda: n * g()\n@times(N)\ndef f():\n    return 1\n",
         changes=[(M, "N = 2", "N = 3"), (M, "n * g()", "n + g()")]),
    case("a default", "K = 1\ndef f(x=K):\n    return x\n", changes=[(M, "K = 1", "K = 2")]),
    case("a default between two bindings", "K = 1\ndef f(x=K):\n    return x\nK = 2\n",
         changes=[(M, "def f(x=K):\n    return x\nK = 2\n", "K = 2\ndef f(x=K):\n    return x\n")]),
    case("a lambda's parameter is not the function's", "K = 1\ndef f(g=lambda K: K + 1):\n    return g(1) * K\n", changes=[(M, "K = 1", "K = 2")]),
    case("a closure variable", "def make(n):\n    def inner():\n        return n\n    return inner\nf = make(3)\n",
         changes=[(M, "make(3)", "make(4)"), (M, "return n", "return -n")]),
    case("a lambda", "K = 1\nf = lambda: K\n", changes=[(M, "K = 1", "K = 2"), (M, ": K", ": -K")]),
    case("a dataclass default", "from dataclasses import dataclass\nK = 1\n@dataclass\nclass S:\n    a: int = K\nOTHER = 5\ndef f():\n    return S().a\n",
         changes=[(M, "K = 1", "K = 2"), (M, "= K\n", "= -K\n")], same=[(M, "= 5", "= 6")]),
    case("a global in a comprehension", "K = 1\ndef f():\n    return [K + x for x in range(2)]\n", changes=[(M, "K = 1", "K = 2")]),
    case("a first iterable shadowed by its target", "x = [1]\ndef f():\n    return [x for x in x]\n", changes=[(M, "[1]", "[2]")]),
    case("a name bound by a walrus in a comprehension", "XS = [last := n for n in range(3)]\ndef f():\n    return last\n", changes=[(M, "range(3)", "range(4)")]),
    case("a walrus in a lambda binds nothing outside", "K = 1\ndef f():\n    g = lambda: (K := 5)\n    return K + g()\n", changes=[(M, "K = 1", "K = 2")]),
    case("a walrus in a condition", "if (n := 3) > 2:\n    pass\ndef f():\n    return n\n", changes=[(M, "n := 3", "n := 4")]),
    case("import pkg, then pkg.f()", "import p.a\ndef f():\n    return p.a.g()\n", a="def g():\n    return 1\ndef h():\n    return 5\n",
         changes=[(A, "return 1", "return 2")], same=[(A, "return 5", "return 6")]),
    case("import pkg.mod as m", "import p.a as a\ndef f():\n    return a.g()\n", a="def g():\n    return 1\ndef h():\n    return 5\n",
         changes=[(A, "return 1", "return 2")], same=[(A, "return 5", "return 6")]),
    case("from . import mod", "from . import a\ndef f():\n    return a.g()\n", a="def g():\n    return 1\n", changes=[(A, "return 1", "return 2")]),
    case("from .mod import name", "from .a import g\ndef f():\n    return g()\n", a="def g():\n    return 1\ndef h():\n    return 5\n",
         changes=[(A, "return 1", "return 2")], same=[(A, "return 5", "return 6")]),
    case("a relative import two levels up", "from p.q.c import g\ndef f():\n    return g()\n", p__q__init="", p__q__c="from ..a import g\n",
         a="def g():\n    return 1\n", changes=[(A, "return 1", "return 2")]),
    case("a lazy import", "def f():\n    from p.a import g\n    return g()\n", a="def g():\n    return 1\ndef h():\n    return 5\n",
         changes=[(A, "return 1", "return 2")], same=[(A, "return 5", "return 6")]),
    case("a lazy import into a parameter's name", "def f(g=None):\n    if g is None:\n        from p.a import g\n    return g()\n",
         a="def g():\n    return 1\n", changes=[(A, "return 1", "return 2")]),
    case("a lazy import beside a module's import of the same name",
         "from p import a as x\nclass C:\n    def one(self):\n        from p import b as x\n        return x.g()\n    def two(self):\n        return x.g()\ndef f():\n    return C().one(), C().two()\n",
         a="def g():\n    return 1\n", b="def g():\n    return 2\n", changes=[(A, "return 1", "return 3"), (B, "return 2", "return 3")]),
    case("a lazy import through global", "def load():\n    global h\n    from p.a import g as h\nload()\ndef f():\n    return h()\n",
         a="def g():\n    return 1\n", changes=[(A, "return 1", "return 2")]),
    case("another function of a library under the same name", "from statistics import mean as middle\ndef f():\n    return middle([1, 2, 9])\n",
         changes=[(M, "mean as", "median as")], same=[(M, "import mean as middle", "import mean as middle, fmean")]),
    case("another module under the same name", "from p.a import g\ndef f():\n    return g()\n", a="def g():\n    return 1\n", b="def g():\n    return 2\n",
         changes=[(M, "from p.a", "from p.b")]),
    case("a re-export through __init__", "from p import g\ndef f():\n    return g()\n", init="from p.a import g\n", a="def g():\n    return 1\ndef h():\n    return 5\n",
         changes=[(A, "return 1", "return 2")], same=[(A, "return 5", "return 6")]),
    case("a re-export that hides a module of its name", "from p import clean\ndef f():\n    return clean()\n", init="from p.a import clean\n",
         a="def clean():\n    return 1\n", p__clean="X = 1\n", changes=[(A, "return 1", "return 2")]),
    case("a re-exported module", "import p\ndef f():\n    return p.tools.g()\n", init="import p.a as tools\n", a="def g():\n    return 1\n",
         changes=[(A, "return 1", "return 2")]),
    case("a patched module", "from p import a, b\ndef f():\n    return a.g()\n", a="def g():\n    return 1\n", b="from p import a\na.g = lambda: 7\n",
         changes=[(B, "7", "8"), (B, "a.g = lambda: 7", "pass")]),
    case("a patch two imports away", "from p import b\nfrom p.a import g\ndef f():\n    return b.X + g()\n", b="import p.c\nX = 0\n", p__c="import p.d\n",
         p__d="import p.a\np.a.g = lambda: 7\n", a="def g():\n    return 1\n", changes=[("p/d.py", "7", "8")]),
    case("the order of two patches", "from p import a\na.K = 1\na.K = 2\ndef f():\n    return a.K\n", a="K = 0\n",
         changes=[(M, "a.K = 1\na.K = 2", "a.K = 2\na.K = 1")]),
    case("the order of two imports that patch", "import p.b\nimport p.c\nfrom p import a\ndef f():\n    return a.K\n", a="K = 0\n", b="import p.a\np.a.K = 1\n",
         p__c="import p.a\np.a.K = 2\n", changes=[(M, "import p.b\nimport p.c", "import p.c\nimport p.b")]),
    case("a registering call", "from p.a import TABLE, register\nregister('x', 1)\ndef f():\n    return TABLE\n", a="TABLE = {}\ndef register(n, v):\n    TABLE[n] = v\n",
         changes=[(M, "'x', 1", "'x', 2"), (A, "TABLE[n] = v", "TABLE[n] = -v")]),
    case("a registering call whose result has a name", "TABLE = {}\ndef register(v):\n    TABLE['x'] = v\n    return v\nDONE = register(1)\ndef f():\n    return TABLE\n",
         changes=[(M, "register(1)", "register(2)")]),
    case("a mutating method whose result has a name", "ROWS = [1, 2]\nLAST = ROWS.pop()\ndef f():\n    return ROWS\n", changes=[(M, "ROWS.pop()", "len(ROWS)")]),
    case("a registering decorator", "HANDLERS = {}\ndef handler(g):\n    HANDLERS[g.__name__] = g\n    return g\n@handler\ndef one():\n    return 1\ndef f():\n    return {n: g() for n, g in HANDLERS.items()}\n",
         changes=[(M, "return 1", "return 2"), (M, "@handler\n", "")]),
    case("a registering decorator of another module", "from p import b\nfrom p.a import HANDLERS\ndef f():\n    return {n: g() for n, g in HANDLERS.items()}\n",
         a="HANDLERS = {}\ndef handler(g):\n    HANDLERS[g.__name__] = g\n    return g\n", b="from p.a import handler\n@handler\ndef one():\n    return 1\n",
         changes=[(B, "return 1", "return 2")]),
    case("a registering base class", "KINDS = []\nclass Base:\n    def __init_subclass__(cls):\n        KINDS.append(cls)\nclass One(Base):\n    N = 1\ndef f():\n    return [k.N for k in KINDS]\n",
         changes=[(M, "N = 1", "N = 2")]),
    case("a metaclass", "KINDS = []\nclass Meta(type):\n    def __init__(cls, *a):\n        KINDS.append(cls)\nclass One(metaclass=Meta):\n    N = 1\ndef f():\n    return [k.N for k in KINDS]\n",
         changes=[(M, "N = 1", "N = 2")]),
    case("__subclasses__", "from p import b\nfrom p.a import Base\ndef f():\n    return [k.N for k in Base.__subclasses__()]\n", a="class Base:\n    pass\n",
         b="from p.a import Base\nclass One(Base):\n    N = 1\n", changes=[(B, "N = 1", "N = 2")]),
    case("single dispatch", "import functools\n@functools.singledispatch\ndef g(x):\n    return 0\n@g.register\ndef _(x: int):\n    return 1\ndef f():\n    return g(1)\n",
         changes=[(M, "return 1", "return 2")]),
    case("an in-place addition through another name", "XS = [1]\nALIAS = XS\nALIAS += [2]\ndef f():\n    return XS\n", changes=[(M, "[2]", "[3]")]),
    case("an operator of our own", "LINKS = []\nclass Task:\n    def __init__(self, n):\n        self.n = n\n    def __rshift__(self, o):\n        LINKS.append((self.n, o.n))\n        return o\nA = Task(1)\nB = Task(2)\nC = A >> B\ndef f():\n    return LINKS\n",
         changes=[(M, "A >> B", "B >> A")]),
    case("a loop over a module's table", "T = {}\nfor n in range(2):\n    T[n] = n\ndef f():\n    return T\n", changes=[(M, "= n\ndef", "= -n\ndef")]),
    case("a star import", "from p.a import *\ndef f():\n    return g()\n", a="def g():\n    return 1\ndef h():\n    return 5\n",
         changes=[(A, "return 1", "return 2")], same=[(A, "return 5", "return 6")]),
    case("which star wins", "from p.a import *\nfrom p.b import *\ndef f():\n    return g()\n", a="def g():\n    return 1\n", b="def g():\n    return 2\n",
         changes=[(M, "from p.a import *\nfrom p.b import *", "from p.b import *\nfrom p.a import *")]),
    case("what a star brings", "from p.a import *\nfrom p.b import *\ndef f():\n    return g()\n", a="def g():\n    return 1\n", b="__all__ = ['h']\ndef g():\n    return 2\nh = 1\n",
         changes=[(B, "['h']", "['h', 'g']")]),
    case("a star over a definition", "def g():\n    return 1\nfrom p.a import *\ndef f():\n    return g()\n", a="def g():\n    return 2\n", changes=[(A, "return 2", "return 3")]),
    case("a star behind a condition", "if True:\n    from p.a import *\ndef f():\n    return g()\n", a="def g():\n    return 1\n", changes=[(A, "return 1", "return 2")]),
    case("getattr on a module", "import p.a\ndef f(n='g'):\n    return getattr(p.a, n)()\n", a="def g():\n    return 1\n", changes=[(A, "return 1", "return 2")]),
    case("getattr on a package that re-exports", "import p.q as q\ndef f(n='g'):\n    return getattr(q, n)()\n", p__q__init="from p.a import g\n",
         a="def g():\n    return 1\n", changes=[(A, "return 1", "return 2")]),
    case("a module as a value", "from p import a\ndef call(m):\n    return m.g()\ndef f():\n    return call(a)\n", a="def g():\n    return 1\n", changes=[(A, "return 1", "return 2")]),
    case("globals", "def g():\n    return 1\ndef f():\n    return globals()['g']()\n", changes=[(M, "return 1", "return 2")]),
    case("globals with an import", "from p.a import g\ndef f():\n    return globals()['g']()\n", a="def g():\n    return 1\n", changes=[(A, "return 1", "return 2")]),
    case("exec", "def g():\n    return 1\ndef f():\n    out = {}\n    exec('from p.a import g; x = g()', out)\n    return out['x']\n", a="def g():\n    return 1\n",
         changes=[(A, "return 1", "return 2")]),
    case("eval", "K = 1\ndef f():\n    return eval('K')\n", changes=[(M, "K = 1", "K = 2")]),
    case("import_module", "from importlib import import_module as im\ndef f():\n    return im('p.' + 'a').g()\n", a="def g():\n    return 1\n", changes=[(A, "return 1", "return 2")]),
    case("importlib under another name", "import importlib as il\ndef f():\n    return il.import_module('p.a').g()\n", a="def g():\n    return 1\n", changes=[(A, "return 1", "return 2")]),
    case("__import__", "def f():\n    return __import__('p.a').a.g()\n", a="def g():\n    return 1\n", changes=[(A, "return 1", "return 2")]),
    case("sys.modules", "import sys\ndef g():\n    return 1\ndef f():\n    return getattr(sys.modules[__name__], 'g')()\n", changes=[(M, "return 1", "return 2")]),
    case("sys.modules under another name", "from sys import modules as loaded\nimport p.b\ndef f():\n    return loaded['p.a'].g()\n", b="import p.a\n", a="def g():\n    return 1\n",
         changes=[(A, "return 1", "return 2")]),
    case("pickle", "import pickle\nDATA = b'cp.a\\ng\\n.'\ndef f():\n    return pickle.loads(DATA)()\n", a="def g():\n    return 1\n", changes=[(A, "return 1", "return 2")]),
    case("a name in text", "import pkgutil\ndef f(name='p.a:g'):\n    return pkgutil.resolve_name(name)()\n", a="def g():\n    return 1\n", changes=[(A, "return 1", "return 2")]),
    case("a module's __getattr__", "from p import a\ndef f():\n    return a.anything\n", a="K = 1\ndef __getattr__(n):\n    return K\n", changes=[(A, "K = 1", "K = 2")]),
    case("a conditional definition", "DEEP = True\nif DEEP:\n    def g():\n        return 1\nelse:\n    def g():\n        return 2\ndef f():\n    return g()\n",
         changes=[(M, "return 1", "return 3"), (M, "DEEP = True", "DEEP = False")]),
    case("a conditional import", "FAST = True\nif FAST:\n    from p.a import g\nelse:\n    from p.b import g\ndef f():\n    return g()\n", a="def g():\n    return 1\n", b="def g():\n    return 2\n",
         changes=[(A, "return 1", "return 3"), (M, "FAST = True", "FAST = False")]),
    case("the other branch of a conditional import", "FAST = False\nif FAST:\n    from p.a import g\nelse:\n    from p.b import g\ndef f():\n    return g()\n", a="def g():\n    return 1\n",
         b="def g():\n    return 2\n", changes=[(B, "return 2", "return 3")]),
    case("an import that may fail", "try:\n    from p.nothing import g\nexcept ImportError:\n    from p.a import g\ndef f():\n    return g()\n", a="def g():\n    return 1\n",
         changes=[(A, "return 1", "return 2")]),
    case("an import that may fail, and a definition", "try:\n    from p.a import g\nexcept ImportError:\n    def g():\n        return 9\ndef f():\n    return g()\n", a="def g():\n    return 1\n",
         changes=[(A, "return 1", "return 2")], same=[]),
    case("a definition made twice", "def g():\n    return 1\ndef g():\n    return 2\ndef f():\n    return g()\n",
         changes=[(M, "return 2", "return 3"), (M, "def g():\n    return 1\ndef g():\n    return 2\n", "def g():\n    return 2\ndef g():\n    return 1\n")]),
    case("an annotation as text", "from dataclasses import dataclass\nimport typing\n@dataclass\nclass S:\n    a: 'Inner | None' = None\nclass Inner:\n    N = 1\ndef f():\n    return typing.get_args(typing.get_type_hints(S)['a'])[0].N\n",
         changes=[(M, "N = 1", "N = 2")]),
    case("an annotation in brackets as text", "import typing\nclass Inner:\n    N = 1\nAlias = list['Inner']\ndef g(x: Alias): ...\ndef f():\n    return typing.get_args(typing.get_type_hints(g)['x'])[0].N\n",
         changes=[(M, "N = 1", "N = 2")]),
    case("a text that is a name of something else", "def units():\n    return 1\ndef f():\n    return {'units': 3}['units']\n", changes=[(M, "3}", "4}")], same=[(M, "return 1", "return 2")]),
    case("nested functions", "K = 1\ndef f():\n    def g():\n        def h():\n            return K\n        return h()\n    return g()\n", changes=[(M, "K = 1", "K = 2")]),
    case("a global statement", "K = 1\ndef bump():\n    global K\n    K = K + 1\ndef f():\n    bump()\n    return K\n", changes=[(M, "K = 1", "K = 5"), (M, "K + 1", "K + 2")]),
    case("a global statement under a local of that name", "K = 1\ndef f():\n    K = 5\n    def g():\n        global K\n        return K\n    return g() + K\n", changes=[(M, "K = 1", "K = 2")]),
    case("a match statement", "LIMIT = 3\nclass P:\n    LOW = 1\ndef f(x=1):\n    match x:\n        case P.LOW:\n            return LIMIT\n        case other:\n            return other\n",
         changes=[(M, "LIMIT = 3", "LIMIT = 4"), (M, "LOW = 1", "LOW = 2")]),
    case("a name bound by a match", "match {'k': 3}:\n    case {'k': K}:\n        pass\ndef f():\n    return K\n", changes=[(M, "'k': 3", "'k': 4")]),
    case("a name shadowed by a parameter", "K = 1\ndef f(K=3):\n    return K\n", changes=[(M, "K=3", "K=4")], same=[(M, "K = 1", "K = 2")]),
    case("a name shadowed by a local", "K = 1\ndef f():\n    K = 3\n    return K\n", changes=[(M, "K = 3", "K = 4")], same=[(M, "K = 1", "K = 2")]),
    case("a name shadowed by a loop, a with, an except", "a = b = c = 1\ndef f():\n    for a in [2]:\n        pass\n    try:\n        1 / 0\n    except ZeroDivisionError as b:\n        n = 1\n    return a, n\n",
         changes=[(M, "[2]", "[3]")], same=[(M, "a = b = c = 1", "a = b = c = 2")]),
    case("a class body in a function reads the module", "x = 1\ndef f():\n    x = 5\n    class C:\n        x = x\n    return C.x\n", changes=[(M, "x = 1\n", "x = 2\n")]),
    case("a builtin that becomes ours", "def f():\n    return len([1])\n", changes=[(M, "def f", "def len(x):\n    return 7\ndef f")]),
    case("a class decorator", "def mark(c):\n    c.N = 1\n    return c\n@mark\nclass C:\n    pass\ndef f():\n    return C.N\n", changes=[(M, "c.N = 1", "c.N = 2")]),
    case("an attribute set on a class", "class C:\n    N = 1\nC.N = 2\ndef f():\n    return C.N\n", changes=[(M, "C.N = 2", "C.N = 3")]),
    case("a descriptor that is told its name", "SEEN = []\nclass D:\n    def __set_name__(self, o, n):\n        SEEN.append(n)\nclass C:\n    one = D()\ndef f():\n    return SEEN\n",
         changes=[(M, "one = D()", "two = D()")]),
    case("an enum with its own init", "LOG = []\nimport enum\nclass E(enum.Enum):\n    A = 1\n    def __init__(self, v):\n        LOG.append(v)\ndef f():\n    return LOG\n", changes=[(M, "A = 1", "A = 2")]),
    case("the main guard is not run", "def f():\n    return 1\nif __name__ == '__main__':\n    print(2)\n", changes=[], same=[(M, "print(2)", "print(3)")]),
    case("the opposite of a main guard runs", "K = [1]\nif __name__ != '__main__':\n    K.append(2)\ndef f():\n    return K\n", changes=[(M, "append(2)", "append(3)")]),
    case("the else of a main guard runs", "K = [1]\nif __name__ == '__main__':\n    pass\nelse:\n    K.append(2)\ndef f():\n    return K\n", changes=[(M, "append(2)", "append(3)")]),
    case("type checking is not run", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from p.a import T\ndef f(x: 'T' = 1):\n    return x\n", a="class T:\n    N = 1\n",
         changes=[(M, "= 1)", "= 2)")], same=[(A, "N = 1", "N = 2")]),
    case("the opposite of type checking runs", "from typing import TYPE_CHECKING\nK = [1]\nif not TYPE_CHECKING:\n    K.append(2)\ndef f():\n    return K\n", changes=[(M, "append(2)", "append(3)")]),
    case("a type checking of our own", "TYPE_CHECKING = True\nK = [1]\nif TYPE_CHECKING:\n    K.append(2)\ndef f():\n    return K\n", changes=[(M, "append(2)", "append(3)")]),
    case("docstrings that are read", "from p.a import g\ndef f():\n    return g.__doc__\n", a="def g():\n    '''One.'''\n", changes=[(A, "One.", "Two.")]),
    case("source that is read", "import inspect\nfrom p.a import g\ndef f():\n    return inspect.getsource(g)\n", a="def g():\n    return 1  # one\n", changes=[(A, "# one", "# two")]),
    case("a comment above statements that act", "T = {}\n# a\nT['x'] = 1\ndef f():\n    return T\n", changes=[(M, "= 1", "= 2")], same=[(M, "# a\n", "# a\n# b\n\n")]),
    case("a namespace package", "import q.c\ndef f():\n    return q.c.g()\n", q__c="def g():\n    return 1\n", changes=[("q/c.py", "return 1", "return 2")]),
    case("a function in an instance's table", "import functools\ndef g():\n    return 1\nT = {'g': functools.partial(g)}\ndef f():\n    return T['g']()\n", changes=[(M, "return 1", "return 2")]),
    case("a property and its setter", "class C:\n    @property\n    def n(self):\n        return self._n\n    @n.setter\n    def n(self, v):\n        self._n = v\nOTHER = 5\ndef f():\n    c = C()\n    c.n = 1\n    return c.n\n",
         changes=[(M, "self._n = v", "self._n = -v")], same=[(M, "= 5", "= 6")]),
    case("async and generators", "K = 1\ndef g():\n    yield K\nasync def h():\n    return K\ndef f():\n    import asyncio\n    return [*g(), asyncio.run(h())]\n", changes=[(M, "K = 1", "K = 2"), (M, "yield K", "yield -K"), (M, "return K", "return -K")]),
    case("a registering base class of another module", "from p import b\nfrom p.a import KINDS\ndef f():\n    return [k.N for k in KINDS]\n",
         a="KINDS = []\nclass Base:\n    def __init_subclass__(cls):\n        KINDS.append(cls)\n", b="from p.a import Base\nclass One(Base):\n    N = 1\n", changes=[(B, "N = 1", "N = 2")]),
    case("a class made by a call", "KINDS = []\nclass Base:\n    def __init_subclass__(cls):\n        KINDS.append(cls)\nOne = type('One', (Base,), {'N': 1})\ndef f():\n    return [k.N for k in KINDS]\n",
         changes=[(M, "'N': 1", "'N': 2")]),
    case("a function given to a library's method", "import re\nSEEN = []\ndef g(m):\n    SEEN.append(m.group())\n    return ''\nX = re.compile('a.').sub(g, 'abac')\ndef f():\n    return SEEN\n",
         changes=[(M, "'abac'", "'abad'"), (M, "append(m.group())", "append(1)")]),
    case("a function given to a library", "import re\nSEEN = []\ndef g(m):\n    SEEN.append(m.group())\n    return ''\nX = re.sub('a.', g, 'abac')\ndef f():\n    return SEEN\n", changes=[(M, "'abac'", "'abad'")]),
    case("a key function", "SEEN = []\ndef g(x):\n    SEEN.append(x)\n    return x\nX = sorted([2, 1], key=g)\ndef f():\n    return SEEN\n", changes=[(M, "[2, 1]", "[3, 1]")]),
    case("a lambda as a key function", "SEEN = []\nX = sorted([2, 1], key=lambda x: SEEN.append(x) or x)\ndef f():\n    return SEEN\n", changes=[(M, "[2, 1]", "[3, 1]")]),
    case("a mapped function", "SEEN = []\ndef g(x):\n    SEEN.append(x)\nX = list(map(g, [1, 2]))\ndef f():\n    return SEEN\n", changes=[(M, "[1, 2]", "[1, 3]")]),
    case("a loaded module of a relative package", "from p import g\ndef f():\n    return g()\n", init="from .a import g\nfrom . import b as other\n", a="def g():\n    return 1\n", b="X = 1\n",
         changes=[(A, "return 1", "return 2")], same=[(B, "X = 1", "X = 2")]),
    case("a setting made by a dataclass", "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass S:\n    a: int = 1\nONE = S()\nTWO = S(5)\ndef f():\n    return ONE.a\n",
         changes=[(M, "a: int = 1", "a: int = 2")], same=[(M, "S(5)", "S(6)")]),
    case("library values that do nothing", "import datetime as dt\nimport re\nfrom pathlib import Path\nDAY = dt.date(2020, 1, 1)\nWORD = re.compile('x')\nHERE = Path(__file__).parent / 'x'\nNAMES = ['a']\nUPPER = {n: [n, 2] for n in NAMES}\ndef f():\n    return 1\n",
         changes=[(M, "return 1", "return 2")], same=[(M, "2020", "2021"), (M, "'x')\nHERE", "'y')\nHERE"), (M, "/ 'x'", "/ 'y'"), (M, "[n, 2]", "[n, 3]")]),
    case("a setting of a library", "import decimal\nOLD = decimal.setcontext(decimal.Context(prec=3))\ndef f():\n    return decimal.Decimal(1) / 3\n", changes=[(M, "prec=3", "prec=4")]),
    case("a future import", "def g(x: 1 + 1): ...\ndef f():\n    return g.__annotations__\n", changes=[(M, "def g", "from __future__ import annotations\ndef g")]),
    case("getattr on the module that inspect finds", "import inspect\nK = 1\ndef f():\n    return getattr(inspect.getmodule(f), 'K')\n", changes=[(M, "K = 1", "K = 2")]),
    case("a name that pydoc locates", "import pydoc\ndef f():\n    return pydoc.locate('.'.join(['p', 'a', 'g']))()\n", a="def g():\n    return 1\n",
         changes=[(A, "return 1", "return 2")]),
    case("another Python of a module of ours",
         "import os, subprocess, sys\ndef f():\n    root = os.path.dirname(os.path.dirname(__file__))\n    return subprocess.run([sys.executable, '-m', 'p.a'], cwd=root, capture_output=True).stdout\n",
         a="print(1)\n", changes=[(A, "print(1)", "print(2)")]),
    case("a comparison that acts", "class R:\n    def __lt__(s, o):\n        o.v = 1\n        return True\nclass O:\n    v = 0\nr = R()\no = O()\nx = r < o\ndef f():\n    return o.v\n",
         changes=[(M, "o.v = 1", "o.v = 2")]),
    case("a subscript that acts", "class R:\n    def __getitem__(s, o):\n        o.v = 1\nclass O:\n    v = 0\nr = R()\no = O()\nx = r[o]\ndef f():\n    return o.v\n",
         changes=[(M, "o.v = 1", "o.v = 2")]),
    case("a property that acts", "class R:\n    @property\n    def p(s):\n        O.v = 1\nclass O:\n    v = 0\nr = R()\nx = r.p\ndef f():\n    return O.v\n",
         changes=[(M, "O.v = 1", "O.v = 2")]),
    case("a property of an imported object that acts", "from p.b import r\nfrom p import a\nx = r.p\ndef f():\n    return a.v\n", a="v = 0\n",
         b="from p import a\nclass R:\n    @property\n    def p(s):\n        a.v = 1\nr = R()\n", changes=[(B, "a.v = 1", "a.v = 2"), (M, "x = r.p\n", "")]),
    case("a property of a fresh object that acts", "class R:\n    @property\n    def p(s):\n        O.v = 1\nclass O:\n    v = 0\nx = R().p\ndef f():\n    return O.v\n",
         changes=[(M, "O.v = 1", "O.v = 2")]),
    case("a sign and a loop that act", "class R:\n    def __neg__(s):\n        O.v = 1\n    def __iter__(s):\n        O.w = 1\n        return iter(())\nclass O:\n    v = w = 0\nr = R()\nx = -r\ny = [z for z in r]\ndef f():\n    return O.v, O.w\n",
         changes=[(M, "O.v = 1", "O.v = 2"), (M, "O.w = 1", "O.w = 2")]),
    case("attributes of plain records act on nothing",
         "from dataclasses import dataclass, field\n@dataclass(frozen=True)\nclass S:\n    a: int = 1\n    b: tuple = field(default=())\n    def half(self):\n        return self.a / 2\nONE = S()\nALL = {'one': ONE, 'two': S(2)}\nX = ALL['one'].a\nNAMES = [n for s in ALL.values() for n in s.b]\nLOW = ONE.a < 5\nK = 3\ndef f():\n    return K\n",
         changes=[(M, "K = 3", "K = 4")], same=[(M, "S(2)", "S(3)"), (M, "ALL['one'].a", "ALL['two'].a"), (M, "< 5", "< 6")]),
    case("another main", "__name__ = '__main__'\nK = 1\nif __name__ == '__main__':\n    K = 2\ndef f():\n    return K\n", changes=[(M, "K = 2", "K = 3")]),
    case("a decorator of our own that only wraps", "import functools\ndef timed(g):\n    @functools.wraps(g)\n    def inner(*a):\n        return g(*a)\n    return inner\n@timed\ndef other():\n    return 5\n@timed\ndef f():\n    return 1\n",
         changes=[(M, "return 1", "return 2"), (M, "return g(*a)", "return -g(*a)")], same=[(M, "return 5", "return 6")]),
    case("a decorator of our own that remembers", "SEEN = []\ndef mark(g):\n    n = SEEN\n    n.append(g)\n    return g\n@mark\ndef one():\n    return 1\ndef f():\n    return [g() for g in SEEN]\n",
         changes=[(M, "return 1", "return 2")]),
    case("a decorator that asks an object it made", "class O:\n    v = 0\nclass R:\n    @property\n    def p(self):\n        O.v += 1\ndef mark(g):\n    r = R()\n    x = r.p\n    return g\n@mark\ndef one():\n    return 1\ndef f():\n    return O.v\n",
         changes=[(M, "@mark\n", "")]),
    case("a function that asks its argument", "class O:\n    v = 0\nclass R:\n    @property\n    def p(self):\n        O.v += 1\ndef mark(r):\n    x = r.p\n    return x\nX = mark(R())\ndef f():\n    return O.v\n",
         changes=[(M, "X = mark(R())", "X = 1")]),
    case("a decorator that calls what it is given", "SEEN = []\ndef now(g):\n    x = g()\n    return g\n@now\ndef one():\n    SEEN.append(1)\ndef f():\n    return SEEN\n",
         changes=[(M, "append(1)", "append(2)")]),
    case("a pure call beside another", "def make(n):\n    if n is None:\n        return 0\n    return [n, n]\nA = make(1)\nB = make(5)\ndef f():\n    return A\n",
         changes=[(M, "make(1)", "make(2)"), (M, "[n, n]", "[n]")], same=[(M, "make(5)", "make(6)")]),
    case("a call that binds a global", "K = 1\ndef load():\n    global K\n    K = 2\n    return K\nB = load()\ndef f():\n    return K\n", changes=[(M, "B = load()", "B = 0"), (M, "K = 2", "K = 3")]),
    case("a call that imports what acts", "from p import a\ndef load():\n    import p.b\n    return 1\nX = load()\ndef f():\n    return a.K\n", a="K = 0\n", b="from p import a\na.K = 1\n",
         changes=[(M, "X = load()", "X = 1"), (B, "a.K = 1", "a.K = 2")]),
    case("a call that calls itself", "def down(n):\n    return 0 if n is None else down(None)\nA = down(1)\ndef f():\n    return A\n", changes=[(M, "else down(None)", "else 7")]),
    case("two that call each other, one acts", "SEEN = []\ndef one(n):\n    return two(n)\ndef two(n):\n    return SEEN.append(n) or one\nA = one(1)\ndef f():\n    return SEEN\n", changes=[(M, "one(1)", "one(2)")]),
    case("a choice of imports", "try:\n    from p.a import g\nexcept ImportError:\n    g = None\ntry:\n    from p.b import h\nexcept ImportError:\n    h = None\ndef f():\n    return g()\n", a="def g():\n    return 1\n", b="def h():\n    return 5\n",
         changes=[(A, "return 1", "return 2")], same=[(B, "return 5", "return 6"), (M, "    h = None", "    h = 0")]),
    case("a choice that imports what acts", "try:\n    import p.b\nexcept ImportError:\n    pass\nfrom p import a\ndef f():\n    return a.K\n", a="K = 0\n", b="import p.a\np.a.K = 1\n", changes=[(B, "p.a.K = 1", "p.a.K = 2"), (M, "    import p.b", "    pass")]),
    case("a choice that acts", "T = {}\nif len(T) is not None:\n    T['x'] = 1\ndef f():\n    return T\n", changes=[(M, "= 1", "= 2")]),
    case("a choice whose test acts", "T = [1, 2]\nif T.pop():\n    X = 1\ndef f():\n    return T\n", changes=[(M, "if T.pop():", "if T:")]),
    case("a test of an object that acts", "class O:\n    v = 0\nclass R:\n    def __bool__(self):\n        O.v += 1\n        return True\nr = R()\nif r:\n    X = 1\nY = r or 2\nZ = 1 if r else 2\ndef f():\n    return O.v\n",
         changes=[(M, "Y = r or 2\n", ""), (M, "Z = 1 if r else 2\n", ""), (M, "if r:\n    X = 1\n", "")]),
    case("an operator on an object out of a choice", "try:\n    from p.a import r\nexcept ImportError:\n    r = None\nx = r + 1\nfrom p import b\ndef f():\n    return b.v\n", b="v = 0\n",
         a="from p import b\nclass R:\n    def __add__(s, o):\n        b.v = o\nr = R()\n", changes=[(M, "x = r + 1", "x = r + 2")]),
    case("a function out of a choice is called on import", "SEEN = []\nif len(SEEN) is not None:\n    def keep(n):\n        SEEN.append(n)\n        return n\nelse:\n    keep = None\nX = keep(1)\ndef f():\n    return SEEN\n", changes=[(M, "keep(1)", "keep(2)")]),
    case("a class in a choice", "KINDS = []\nclass Base:\n    def __init_subclass__(cls):\n        KINDS.append(cls)\nif len(KINDS) is not None:\n    class One(Base):\n        N = 1\ndef f():\n    return [k.N for k in KINDS]\n", changes=[(M, "N = 1", "N = 2")]),
    case("__import__ of a name spelled out", "def f():\n    return __import__('p.a').a.g()\n", a="def g():\n    return 1\n", changes=[(A, "return 1", "return 2")]),
    case("import_module of a name spelled out", "import importlib\nfrom q.b import X\ndef f():\n    return importlib.import_module('p.a').g()\n", a="def g():\n    return 1\n", q__init="", q__b="X = 0\nY = 5\n",
         changes=[(A, "return 1", "return 2")], same=[("q/b.py", "Y = 5", "Y = 6")]),
    case("import_module of a name that is computed", "import importlib\ndef f():\n    importlib.import_module('p')\n    return importlib.import_module('.'.join(['p', 'a'])).g()\n", a="def g():\n    return 1\n", changes=[(A, "return 1", "return 2")]),
    case("import_module under another name", "from importlib import import_module as load\ndef f():\n    return load('p.a').g()\n", a="def g():\n    return 1\n", changes=[(A, "return 1", "return 2")]),
    case("an own function called import_module", "def import_module(n):\n    return 1\ndef f():\n    return import_module('p.a')\n", changes=[(M, "return 1", "return 2")], a=""),
    case("modules that import each other by one name", "from p.a import g\ndef f():\n    return g()\n", a="import p.b\nK = 1\ndef g():\n    return p.b.h()\n", b="import p.a as x\ndef h():\n    return x.K\n", changes=[(A, "K = 1", "K = 2")]),
    case("docstrings that are set", "def g():\n    '''One.'''\n    return 1\ng.__doc__ = 'Two.'\ndef f():\n    return g()\n", changes=[(M, "return 1", "return 2")], same=[(M, "One.", "Three.")]),
    case("docstrings that are added to", "SEEN = {}\nclass G:\n    '''One.'''\ng = G()\ng.__doc__ += 'Two.'\ndef f():\n    return [getattr(g, n) for n in ['__do' + 'c__']]\n", changes=[(M, "One.", "Three.")]),
    case("docstrings by getattr", "def g():\n    '''One.'''\ndef h():\n    return 5  # c\ndef f():\n    return getattr(g, '__doc__')\n", changes=[(M, "One.", "Two.")], same=[(M, "# c", "# d"), (M, "return 5", "return 6")]),
    case("the docstring of a module", "'''One.'''\nK = 5\ndef f():\n    return __doc__\n", changes=[(M, "One.", "Two.")], same=[(M, "K = 5", "K = 6")]),
    case("annotations that are text", "from __future__ import annotations\nSEEN = []\ndef keep(n):\n    SEEN.append(n)\ndef g(x: keep(1)):\n    return 5\ndef f():\n    return SEEN\n",
         changes=[(M, "from __future__ import annotations\n", "")], same=[(M, "return 5", "return 6")]),
    case("annotations that run", "SEEN = []\ndef keep(n):\n    SEEN.append(n)\ndef g(x: keep(1)):\n    return 5\ndef f():\n    return SEEN\n", changes=[(M, "keep(1)", "keep(2)")]),
    case("a decorator made by a call that registers", "T = {}\ndef reader(kind):\n    def keep(g):\n        T[kind] = g\n        return g\n    return keep\n@reader('csv')\ndef one():\n    return 1\ndef f():\n    return {k: g() for k, g in T.items()}\n",
         changes=[(M, "return 1", "return 2"), (M, "@reader('csv')\n", ""), (M, "'csv'", "'tsv'")]),
    case("a decorator made by a call that only wraps", "import functools\ndef times(n):\n    def around(g):\n        def inner():\n            return n * g()\n        return inner\n    return around\n@times(2)\ndef other():\n    return 5\n@times(3)\ndef f():\n    return 1\n",
         changes=[(M, "times(3)", "times(4)"), (M, "n * g()", "n + g()")], same=[(M, "return 5", "return 6"), (M, "times(2)", "times(7)")]),
    case("a made function that is mapped on import", "SEEN = []\ndef make(n):\n    def keep(x):\n        SEEN.append(n)\n    return keep\nX = list(map(make(1), [0]))\ndef f():\n    return SEEN\n", changes=[(M, "make(1)", "make(2)")]),
    case("a made function that is a key on import", "SEEN = []\ndef make(n):\n    def keep(x):\n        return SEEN.append(n) or x\n    return keep\nX = sorted([1], key=make(1))\ndef f():\n    return SEEN\n", changes=[(M, "make(1)", "make(2)")]),
    case("a made lambda that is called on import", "SEEN = []\ndef make(n):\n    return lambda x: SEEN.append(n)\nX = list(map(make(1), [0]))\ndef f():\n    return SEEN\n", changes=[(M, "make(1)", "make(2)")]),
    case("a made function given to a library's method", "import re\nSEEN = []\ndef make(n):\n    def keep(m):\n        SEEN.append(n)\n        return ''\n    return keep\nX = re.compile('a').sub(make(1), 'ab')\ndef f():\n    return SEEN\n", changes=[(M, "make(1)", "make(2)")]),
    case("one of two functions is returned", "SEEN = []\ndef make(n):\n    def good(x):\n        return x\n    def bad(x):\n        SEEN.append(n)\n    good = bad\n    return good\n@make(1)\ndef one():\n    return 1\ndef f():\n    return SEEN\n", changes=[(M, "make(1)", "make(2)")]),
    case("a made object that is measured on import", "SEEN = []\nclass R:\n    def __len__(self):\n        SEEN.append(1)\n        return 0\ndef make():\n    return R()\nX = len(make())\ndef f():\n    return SEEN\n", changes=[(M, "X = len(make())", "X = 0")]),
    case('a getter of a registry', 'class Reg:\n    rows = []\n    def getter(self, g):\n        self.rows.append(g())\n        return g\nREG = Reg()\n@REG.getter\ndef one():\n    return 1\ndef f():\n    return REG.rows\n',
         changes=[(M, 'return 1', 'return 2'), (M, '@REG.getter\n', '')]),
    case('a setter of an object in a class', 'class Reg:\n    rows = []\n    def setter(self, g):\n        self.rows.append(g(0))\n        return g\nREG = Reg()\nclass C:\n    p = REG\n    @p.setter\n    def one(self):\n        return 1\ndef f():\n    return REG.rows\n',
         changes=[(M, 'return 1', 'return 2')]),
    case('a setter of a property that is bound again', 'class Reg:\n    rows = []\n    def setter(self, g):\n        self.rows.append(g(0))\n        return g\nREG = Reg()\nclass C:\n    @property\n    def p(self):\n        return 5\n    p = REG\n    @p.setter\n    def one(self):\n        return 1\ndef f():\n    return REG.rows\n',
         changes=[(M, 'return 1', 'return 2')]),
    case('a property with all its accessors acts on nothing', 'class C:\n    @property\n    def n(self):\n        return 5\n    @n.setter\n    def n(self, v):\n        self._n = 6\n    @n.deleter\n    def n(self):\n        self._n = 7\ndef f():\n    return 1\n',
         changes=[(M, 'return 1', 'return 2')], same=[(M, 'return 5', 'return 8'), (M, '_n = 6', '_n = 8'), (M, '_n = 7', '_n = 8')]),
    case('a length that acts', 'SEEN = []\nclass R:\n    def __len__(self, *a):\n        SEEN.append(1)\n        return 0\nX = len(R())\ndef f():\n    return SEEN\n',
         changes=[(M, 'append(1)', 'append(2)'), (M, 'X = len(R())\n', '')]),
    case('a length of a bound object that acts', 'SEEN = []\nclass R:\n    def __len__(self, *a):\n        SEEN.append(1)\n        return 0\nOWN = R()\nX = len(OWN)\ndef f():\n    return SEEN\n',
         changes=[(M, 'append(1)', 'append(2)'), (M, 'X = len(OWN)\n', '')]),
    case('an iteration by a builtin that acts', 'SEEN = []\nclass R:\n    def __iter__(self, *a):\n        SEEN.append(1)\n        return iter(())\nX = list(R())\ndef f():\n    return SEEN\n',
         changes=[(M, 'append(1)', 'append(2)'), (M, 'X = list(R())\n', '')]),
    case('a text that acts', "SEEN = []\nclass R:\n    def __str__(self, *a):\n        SEEN.append(1)\n        return ''\nX = str(R())\ndef f():\n    return SEEN\n",
         changes=[(M, 'append(1)', 'append(2)'), (M, 'X = str(R())\n', '')]),
    case('a text of what is spelled out that acts', "SEEN = []\nclass R:\n    def __repr__(self, *a):\n        SEEN.append(1)\n        return ''\nX = str([R()])\ndef f():\n    return SEEN\n",
         changes=[(M, 'append(1)', 'append(2)'), (M, 'X = str([R()])\n', '')]),
    case('a text of what is bound in a list that acts', "SEEN = []\nclass R:\n    def __repr__(self, *a):\n        SEEN.append(1)\n        return ''\nROWS = [R()]\nX = str(ROWS)\ndef f():\n    return SEEN\n",
         changes=[(M, 'append(1)', 'append(2)'), (M, 'X = str(ROWS)\n', '')]),
    case('a hash of a key that acts', 'SEEN = []\nclass R:\n    def __hash__(self, *a):\n        SEEN.append(1)\n        return 1\nX = {R(): 1}\ndef f():\n    return SEEN\n',
         changes=[(M, 'append(1)', 'append(2)'), (M, 'X = {R(): 1}\n', '')]),
    case('a hash of an element that acts', 'SEEN = []\nclass R:\n    def __hash__(self, *a):\n        SEEN.append(1)\n        return 1\nX = {R()}\ndef f():\n    return SEEN\n',
         changes=[(M, 'append(1)', 'append(2)'), (M, 'X = {R()}\n', '')]),
    case('a hash of a made element that acts', 'SEEN = []\nclass R:\n    def __hash__(self, *a):\n        SEEN.append(1)\n        return 1\nX = {R() for _ in range(1)}\ndef f():\n    return SEEN\n',
         changes=[(M, 'append(1)', 'append(2)'), (M, 'X = {R() for _ in range(1)}\n', '')]),
    case('a hash of an asked key that acts', 'SEEN = []\nclass R:\n    def __hash__(self, *a):\n        SEEN.append(1)\n        return 1\nX = {}.get(R())\ndef f():\n    return SEEN\n',
         changes=[(M, 'append(1)', 'append(2)'), (M, 'X = {}.get(R())\n', '')]),
    case('a hash of a subscript that acts', 'SEEN = []\nclass R:\n    def __hash__(self, *a):\n        SEEN.append(1)\n        return 1\nOWN = R()\nT = {1: 1, 2: 2}\nX = T[R()] if T is None else {1: 1}.get(OWN)\ndef f():\n    return SEEN\n',
         changes=[(M, 'append(1)', 'append(2)'), (M, 'T = {1: 1, 2: 2}\nX = T[R()] if T is None else {1: 1}.get(OWN)\n', '')]),
    case('a copy that acts', 'SEEN = []\nclass R:\n    def __deepcopy__(self, *a):\n        SEEN.append(1)\n        return self\nimport copy\nX = copy.deepcopy(R())\ndef f():\n    return SEEN\n',
         changes=[(M, 'append(1)', 'append(2)'), (M, 'X = copy.deepcopy(R())\n', '')]),
    case('a reduction that acts', 'SEEN = []\nclass R:\n    def __reduce__(self, *a):\n        SEEN.append(1)\n        return (R, ())\nimport copy\nOWN = R()\nX = copy.copy(OWN)\ndef f():\n    return SEEN\n',
         changes=[(M, 'append(1)', 'append(2)'), (M, 'X = copy.copy(OWN)\n', '')]),
    case('a comparison by a builtin that acts', 'SEEN = []\nclass R:\n    def __lt__(self, *a):\n        SEEN.append(1)\n        return True\nX = sorted([R(), R()])\ndef f():\n    return SEEN\n',
         changes=[(M, 'append(1)', 'append(2)'), (M, 'X = sorted([R(), R()])\n', '')]),
    case('a comparison of mapped objects that acts', 'SEEN = []\nclass R:\n    def __lt__(self, *a):\n        SEEN.append(1)\n        return True\nclass Made(R):\n    def __init__(self, n): ...\nX = sorted(map(Made, [1, 2]))\ndef f():\n    return SEEN\n',
         changes=[(M, 'append(1)', 'append(2)'), (M, 'X = sorted(map(Made, [1, 2]))\n', '')]),
    case('a length in a function of ours that acts', 'SEEN = []\nclass R:\n    def __len__(self, *a):\n        SEEN.append(1)\n        return 0\ndef size():\n    r = R()\n    return len(r)\nX = size()\ndef f():\n    return SEEN\n',
         changes=[(M, 'append(1)', 'append(2)'), (M, 'X = size()\n', '')]),
    case('a length of what a function of ours is given', 'SEEN = []\nclass R:\n    def __len__(self, *a):\n        SEEN.append(1)\n        return 0\nOWN = R()\ndef size(r):\n    return len(r)\nX = size(OWN)\ndef f():\n    return SEEN\n',
         changes=[(M, 'append(1)', 'append(2)'), (M, 'X = size(OWN)\n', '')]),
    case('a name given by keyword that acts', "SEEN = []\nclass R:\n    def __index__(self, *a):\n        SEEN.append(1)\n        return 1\nOWN = R()\nX = int('1', base=OWN) if SEEN else round(1.5, ndigits=OWN)\ndef f():\n    return SEEN\n",
         changes=[(M, 'append(1)', 'append(2)'), (M, "X = int('1', base=OWN) if SEEN else round(1.5, ndigits=OWN)\n", '')]),
    case('an inherited method of making', 'SEEN = []\nclass R:\n    def __init__(self, *a):\n        SEEN.append(1)\n        return None\nclass C(R):\n    pass\nX = C()\ndef f():\n    return SEEN\n',
         changes=[(M, 'append(1)', 'append(2)'), (M, 'X = C()\n', '')]),
    case('a loader that fills a table', "STATS = {}\nclass Loader:\n    def __iter__(self):\n        STATS['n'] = 1\n        return iter(())\nROWS = list(Loader())\ndef f():\n    return STATS\n",
         changes=[(M, '= 1', '= 2')]),
    case('a loader of another module', 'from p import b\nfrom p.a import STATS\ndef f():\n    return STATS\n',
         a="STATS = {}\nclass Loader:\n    def __iter__(self):\n        STATS['n'] = 1\n        return iter(())\n", b='from p.a import Loader\nROWS = list(Loader())\n', changes=[(A, '= 1', '= 2'), (B, 'Loader()', '()')]),
    case('a function that iter calls', 'SEEN = []\ndef pop():\n    SEEN.append(1)\nX = list(iter(pop, None))\ndef f():\n    return SEEN\n',
         changes=[(M, 'append(1)', 'append(2)')]),
    case('a function for json: object_pairs_hook', 'SEEN = []\nimport json\ndef g(x):\n    SEEN.append(1)\n    return x\nX = json.loads(\'{"a": 1}\', object_pairs_hook=g)\ndef f():\n    return SEEN\n',
         changes=[(M, 'append(1)', 'append(2)')]),
    case('a function for json: object_hook', 'SEEN = []\nimport json\ndef g(x):\n    SEEN.append(1)\n    return x\nX = json.loads(\'{"a": 1}\', object_hook=g)\ndef f():\n    return SEEN\n',
         changes=[(M, 'append(1)', 'append(2)')]),
    case('a function for json: parse_int', 'SEEN = []\nimport json\ndef g(x):\n    SEEN.append(1)\n    return x\nX = json.loads(\'{"a": 1}\', parse_int=g)\ndef f():\n    return SEEN\n',
         changes=[(M, 'append(1)', 'append(2)')]),
    case('a class for json', 'SEEN = []\nimport json\nclass E(json.JSONEncoder):\n    def default(self, x):\n        SEEN.append(1)\n        return 1\nX = json.dumps({1: ...}, cls=E)\ndef f():\n    return SEEN\n',
         changes=[(M, 'append(1)', 'append(2)')]),
    case('an enum that answers for what is missing', 'SEEN = []\nimport enum\nclass Color(enum.Enum):\n    RED = 1\n    @classmethod\n    def _missing_(cls, v):\n        SEEN.append(1)\n        return cls.RED\nX = Color(5)\ndef f():\n    return SEEN\n',
         changes=[(M, 'append(1)', 'append(2)')]),
    case('an enum that makes its values', 'SEEN = []\nimport enum\nclass Base(enum.Enum):\n    def _generate_next_value_(name, *a):\n        SEEN.append(name)\n        return name\nclass Color(Base):\n    RED = enum.auto()\ndef f():\n    return SEEN\n',
         changes=[(M, 'append(name)', 'append(1)'), (M, 'RED =', 'BLUE =')]),
    case('builtins of plain records act on nothing', 'from dataclasses import dataclass, field\nimport copy\nimport enum\nimport json\n@dataclass(frozen=True)\nclass S:\n    a: int = 1\n    def half(self):\n        return self.a / 2\n@dataclass\nclass T:\n    rows: list = field(default_factory=list)\n    @property\n    def size(self):\n        return len(self.rows)\nclass Color(enum.Enum):\n    RED = 1\n    BLUE = enum.auto()\nONE = S(10)\nROWS = [S(11), S(12)]\nX = sorted([3, 13], key=lambda n: -n)\nN = len(ROWS)\nD = copy.deepcopy(S(14))\nBY = {S(15): 1, Color.RED: 16, Color(1): 17}\nC = str(Color.BLUE)\nW = T(rows=[T(), S(18)])\nJ = json.loads(\'{"a": 19}\', parse_int=int)\nALL = frozenset({*(\'a\', \'b\'), \'c20\'})\ndef f():\n    return 1\n',
         changes=[(M, 'return 1', 'return 2')], same=[(M, '10', '109'), (M, '11', '119'), (M, '12', '129'), (M, '13', '139'), (M, '14', '149'), (M, '15', '159'), (M, '16', '169'), (M, '18', '189'), (M, '19', '199'), (M, 'c20', 'c209')]),
    case('a subscripted base class of ours that acts', "SEEN = []\nclass Table:\n    def __class_getitem__(cls, n):\n        SEEN.append(n)\n        return cls\nclass Sales(Table['sales']):\n    N = 1\ndef f():\n    return SEEN\n",
         changes=[(M, "['sales']", "['costs']"), (M, 'append(n)', 'append(-1)')]),
    case('a subscripted class whose parent acts', "SEEN = []\nclass Base:\n    def __class_getitem__(cls, n):\n        SEEN.append(n)\n        return cls\nclass Table(Base):\n    pass\nX = Table['sales']\ndef f():\n    return SEEN\n",
         changes=[(M, "['sales']", "['costs']")]),
    case('a subscripted class of another module', 'from p import b\nfrom p.a import SEEN\ndef f():\n    return SEEN\n',
         a='SEEN = []\nclass Table:\n    def __class_getitem__(cls, n):\n        SEEN.append(n)\n        return cls\n', b="from p.a import Table\nclass Sales(Table['sales']):\n    pass\n", changes=[(B, "'sales'", "'costs'")]),
    case('a generic class of ours acts on nothing', "from typing import Generic, TypeVar\nT = TypeVar('T')\nclass Table(Generic[T]):\n    N = 1\n    def __len__(self):\n        return 0\nclass Sales(Table[int]):\n    N = 5\ndef f():\n    return 1\n",
         changes=[(M, 'return 1', 'return 2')], same=[(M, 'N = 5', 'N = 6'), (M, '[int]', '[str]')]),
    case('a method of a builtin type that changes', 'REG = []\nX = [list.append(REG, x) for x in (1, 2)]\ndef f():\n    return REG\n',
         changes=[(M, '(1, 2)', '(1, 3)')]),
    case("a method of a library's type that changes", 'import collections\nREG = collections.deque()\nX = collections.deque.append(REG, 1)\ndef f():\n    return list(REG)\n',
         changes=[(M, 'REG, 1', 'REG, 2')]),
    case('a class registered with an abstract one', 'from collections.abc import Mapping\nclass Row:\n    pass\nX = Mapping.register(Row)\ndef f():\n    return isinstance(Row(), Mapping)\n',
         changes=[(M, 'X = Mapping.register(Row)\n', '')]),
    case('a decorator that registers with an abstract class', 'import numbers\n@numbers.Number.register\nclass Row:\n    pass\ndef f():\n    return isinstance(Row(), numbers.Number)\n',
         changes=[(M, '@numbers.Number.register\n', '')]),
    case('a chained setting of a logger', "import logging\nX = logging.getLogger('p.x').setLevel(20)\ndef f():\n    return logging.getLogger('p.x').level\n",
         changes=[(M, '(20)', '(30)')]),
    case('a method called by name', "import operator\nLOG = []\nX = list(map(operator.methodcaller('append', 1), [LOG]))\ndef f():\n    return LOG\n",
         changes=[(M, "'append', 1", "'append', 2")]),
    case('a bound method in a partial', 'import functools\nclass O:\n    n = 0\n    def add(self, x):\n        O.n += x\no = O()\nX = list(map(functools.partial(o.add), [1]))\ndef f():\n    return O.n\n',
         changes=[(M, '[1]', '[2]'), (M, 'O.n += x', 'O.n -= x')]),
    case('a partial of our own that acts', 'SEEN = []\ndef partial(g):\n    def inner(x):\n        SEEN.append(x)\n    return inner\nX = list(map(partial(str), [1]))\ndef f():\n    return SEEN\n',
         changes=[(M, '[1]', '[2]')]),
    case('an item of a table that fills itself', "import collections\nD = collections.defaultdict(list)\nX = D['x']\ndef f():\n    return dict(D)\n",
         changes=[(M, "D['x']", "D['y']")]),
    case('an item of a table of another module that fills itself', 'from p import b\nfrom p.a import D\ndef f():\n    return dict(D)\n',
         a='from collections import defaultdict as table\nD = table(list)\n', b="from p.a import D\nX = D['x']\n", changes=[(B, "D['x']", "D['y']")]),
    case('library values that are read act on nothing', "import functools\nimport logging\nimport operator\nfrom collections import OrderedDict\nLOG = logging.getLogger('p.one')\nT = OrderedDict([('a', 1), ('b', 2)])\nX = T['a']\nLOW = list(map(operator.methodcaller('lower'), ['A3']))\nTEN = list(map(functools.partial(int, base=10), ['14']))\nW = [str.upper('x5')]\nD = dict.fromkeys(['y6'])\ndef f():\n    return 1\n",
         changes=[(M, 'return 1', 'return 2')], same=[(M, 'p.one', 'p.two'), (M, "T['a']", "T['b']"), (M, 'A3', 'A4'), (M, "'14'", "'15'"), (M, 'x5', 'x6'), (M, 'y6', 'y7')]),
]  # fmt: skip


def _edited(case: Case, edit: tuple[str, str, str]) -> dict[str, str]:
    name, old, new = edit
    assert case.files[name].count(old) >= 1, f"{case.name}: {old!r} is not in {name}"
    return {**case.files, name: case.files[name].replace(old, new, 1)}


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_what_can_change_the_result_changes_the_key(case: Case, tmp_path: Path) -> None:
    root = write(tmp_path / "was", case.files)
    key, result = key_of(root, "p.m:f"), result_of(root, "p.m:f")
    assert not result.startswith(REFUSED), result
    assert "Error" not in result, result
    for number, edit in enumerate(case.changes):
        edited = write(tmp_path / f"change{number}", _edited(case, edit))
        assert result_of(edited, "p.m:f") != result, f"the edit {edit} changes nothing: a poor case"
        assert key_of(edited, "p.m:f") != key, f"{edit} changes the result and not the key"
    for number, edit in enumerate(case.same):
        edited = write(tmp_path / f"same{number}", _edited(case, edit))
        assert result_of(edited, "p.m:f") == result
        assert key_of(edited, "p.m:f") == key, f"{edit} changes the key and cannot change the result"


def test_a_key_does_not_depend_on_what_else_was_asked(tmp_path: Path) -> None:
    """One project object serves every step: the order of asking leaves no trace."""
    from lockgate.build.acting import Effects
    from lockgate.build.closure import closure
    from lockgate.build.modules import Project

    root = write(
        tmp_path,
        {
            "a.py": "import b\nX = 1\ndef f(): return b.g()\n",
            "b.py": "import a\nb_ = {}\nb_['x'] = 1\ndef g(): return a.X\n",
        },
    )
    targets = [("a", "f"), ("b", "g"), ("a", "X")]
    answers = []
    for order in (targets, targets[::-1]):
        project = Project(root)
        effects = Effects(project)
        found = {t: closure(project, [t], effects=effects) for t in order}
        answers.append([found[t] for t in targets])
    assert answers[0] == answers[1]


def test_a_file_that_is_not_python_is_named(tmp_path: Path) -> None:
    from lockgate.errors import UsageError

    root = write(tmp_path, {"p/__init__.py": "", "p/m.py": "import p.bad\ndef f(): return 1\n", "p/bad.py": "def (:\n"})
    with pytest.raises(UsageError, match=r"p/bad\.py:1"):
        key_of(root, "p.m:f")


def test_a_file_that_is_not_python_and_not_imported_does_no_harm(tmp_path: Path) -> None:
    """Widening to everything meets templates and scripts of other worlds: their bytes count, their grammar does not."""
    root = write(tmp_path, {"p/__init__.py": "", "p/m.py": "def f(): return eval('1')\n", "p/bad.py": "print 'two'\n"})
    key = key_of(root, "p.m:f")
    (root / "p/bad.py").write_text("print 'three'\n")
    assert key_of(root, "p.m:f") != key


def test_other_encodings_are_read(tmp_path: Path) -> None:
    root = write(tmp_path, {"p/__init__.py": ""})
    (root / "p/m.py").write_bytes("# -*- coding: latin-1 -*-\ndef f(): return 'é'\n".encode("latin-1"))
    assert result_of(root, "p.m:f") == "'é'"
    assert key_of(root, "p.m:f")
