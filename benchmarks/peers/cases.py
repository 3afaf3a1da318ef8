"""One small project per construct, an edit of it, and nothing else: does a tool see it?

The step is `result(text)` in `steps.py`; `text` is what `data/in.txt` holds, a number. Helpers in `steps.py` begin with
an underscore, because Hamilton makes a node of every other function. Nobody writes down here whether an edit changes the
result: `soundness.py` runs the plain function before and after.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["CASES", "RATE", "Case"]

RATE = "SOUND_RATE"
STEPS, HELPER, LIBRARY, DATA = "steps.py", "pkg/helper.py", "site-packages/soundlib.py", "data/in.txt"
PLAIN = "#STEP\ndef result(text: bytes) -> str:\n    number = %s\n    return f'result-{number:06d}'\n"


@dataclass(frozen=True)
class Case:
    """A project as files, and what happens to it. `edit`: file, old text, new text. `act`: anything else, in its folder.

    `stored` says what happens to the files in which a tool keeps results: they go, or a byte of them is another.
    """

    name: str
    steps: str
    edit: tuple[str, str, str] | None = None
    files: dict[str, str] = field(default_factory=dict)
    act: Callable[[Path], None] | None = None
    environment: str = "2"
    stored: str = ""
    group: str = "construct"

    def lay_out(self, root: Path) -> None:
        """Write everything but `steps.py`, which each tool writes in its own way."""
        library = {"site-packages/soundlib.py": "def times():\n    return 3\n", **_metadata("soundlib", "1.0", "sounddep"),
                   "site-packages/sounddep.py": "RATE = 4\n", **_metadata("sounddep", "1.0")}  # fmt: skip
        for name, text in {**library, "pkg/__init__.py": "", DATA: "7\n", **self.files}.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def change(self, root: Path) -> None:
        """What somebody does between two runs, but for `steps.py`."""
        if self.edit and self.edit[0] != STEPS:
            path = root / self.edit[0]
            path.write_text(_replaced(path.read_text(), self.edit))
        if self.act:
            self.act(root)

    def edited(self, steps: str) -> str:
        """`steps.py` after the edit."""
        return _replaced(steps, self.edit) if self.edit and self.edit[0] == STEPS else steps


def _replaced(text: str, edit: tuple[str, str, str]) -> str:
    if edit[1] not in text:
        raise ValueError(f"{edit[1]!r} is not in {edit[0]}")
    return text.replace(edit[1], edit[2], 1)


def _metadata(name: str, version: str, requires: str = "") -> dict[str, str]:
    folder = f"site-packages/{name}-{version}.dist-info"
    more = f"Requires-Dist: {requires}\n" if requires else ""
    return {
        f"{folder}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}",
        f"{folder}/RECORD": f"{name}.py,,\n{name}-{version}.dist-info/METADATA,,\n",
    }


def _upgrade(name: str, old: str, new: str, requires: str = "") -> Callable[[Path], None]:
    """A package becomes version 2.0 with other code, as an installer would do it."""

    def act(root: Path) -> None:
        path = root / "site-packages" / f"{name}.py"
        path.write_text(path.read_text().replace(old, new))
        shutil.rmtree(root / "site-packages" / f"{name}-1.0.dist-info")
        for file, text in _metadata(name, "2.0", requires).items():
            (root / file).parent.mkdir(exist_ok=True)
            (root / file).write_text(text)

    return act


def _same_stamp(root: Path) -> None:
    path = root / DATA
    state = path.stat()
    path.write_text("8\n")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def _steps(before: str, value: str = "int(text)") -> str:
    return before + PLAIN % value


THIRTEEN = [
    Case("nothing", _steps("")),
    Case("a comment", _steps("# one\n"), (STEPS, "# one", "# two")),
    Case("the body", _steps("", "int(text) + 1"), (STEPS, "+ 1", "+ 2")),
    Case("a helper in the same module", _steps("def _more():\n    return 1\n", "int(text) + _more()"), (STEPS, "return 1", "return 2")),
    Case("a constant of the module", _steps("K = 1\n", "int(text) + K"), (STEPS, "K = 1", "K = 2")),
    Case("another module of the project", _steps("from pkg.helper import more\n", "int(text) + more()"), (HELPER, "return 1", "return 2"),
         {HELPER: "def more():\n    return 1\n"}),
    Case("a library's version", _steps("import soundlib\n", "int(text) * soundlib.times()"), act=_upgrade("soundlib", "return 3", "return 5", "sounddep")),
    Case("an environment variable", _steps("import os\n", f"int(text) * int(os.environ[{RATE!r}])"), environment="3"),
    Case("the input's bytes", _steps(""), (DATA, "7", "15")),
    Case("the input's bytes, same size and time", _steps(""), act=_same_stamp),
    Case("the input is touched", _steps(""), act=lambda root: os.utime(root / DATA)),
    Case("the stored result is deleted", _steps(""), stored="deleted"),
    Case("the stored result is tampered with", _steps(""), stored="tampered"),
]  # fmt: skip

A = "pkg/a.py"

CONSTRUCTS = [
    Case("a method", _steps("from pkg.a import C\n", "int(text) + C().go()"), (A, "return self.N", "return -self.N"), {A: "class C:\n    N = 1\n    def go(self):\n        return self.N\n"}),
    Case("an inherited method", _steps("from pkg.a import Base\nclass C(Base):\n    pass\n", "int(text) + C().go()"), (A, "return 1", "return 2"), {A: "class Base:\n    def go(self):\n        return 1\n"}),
    Case("a decorator", "from pkg.a import plus\n@plus(1)\ndef _get(n):\n    return n\n" + PLAIN % "_get(int(text))", (A, "g(n) + by", "g(n) - by"),
         {A: "def plus(by):\n    def around(g):\n        return lambda n: g(n) + by\n    return around\n"}),
    Case("a default", _steps("from pkg.a import more\n", "more(int(text))"), (A, "by=1", "by=2"), {A: "def more(n, by=1):\n    return n + by\n"}),
    Case("a closure", _steps("def _make(n):\n    def _inner(x):\n        return x + n\n    return _inner\n_add = _make(1)\n", "_add(int(text))"), (STEPS, "_make(1)", "_make(2)")),
    Case("a lambda", _steps("_BY = {'one': lambda x: x + 1}\n", "_BY['one'](int(text))"), (STEPS, "x + 1", "x + 2")),
    Case("a default of a dataclass", _steps("from pkg.a import S\n", "int(text) + S().n"), (A, "n: int = 1", "n: int = 2"), {A: "from dataclasses import dataclass\n@dataclass\nclass S:\n    n: int = 1\n"}),
    Case("a global in a comprehension", _steps("K = 1\n", "sum([K + x for x in range(int(text))])"), (STEPS, "K = 1", "K = 2")),
    Case("import pkg.a; pkg.a.f()", _steps("import pkg.a\n", "int(text) + pkg.a.more()"), (A, "return 1", "return 2"), {A: "def more():\n    return 1\n"}),
    Case("a lazy import", "def _late():\n    from pkg.a import more\n    return more()\n" + PLAIN % "int(text) + _late()", (A, "return 1", "return 2"), {A: "def more():\n    return 1\n"}),
    Case("a relative import", _steps("from pkg.b import more\n", "int(text) + more()"), (A, "return 1", "return 2"), {A: "def one():\n    return 1\n", "pkg/b.py": "from .a import one\ndef more():\n    return one()\n"}),
    Case("a re-export", _steps("from pkg import more\n", "int(text) + more()"), (A, "return 1", "return 2"), {A: "def more():\n    return 1\n", "pkg/__init__.py": "from pkg.a import more\n"}),
    Case("a star import", _steps("from pkg.a import *\n", "int(text) + K"), (A, "K = 1", "K = 2"), {A: "K = 1\n"}),
    Case("getattr on a module", _steps("from pkg import a\n", "int(text) + getattr(a, 'mo' + 're')()"), (A, "return 1", "return 2"), {A: "def more():\n    return 1\n"}),
    Case("exec", _steps("from pkg.a import TEXT\n_space = {}\nexec(TEXT, _space)\n", "int(text) + _space['K']"), (A, "K = 1", "K = 2"), {A: "TEXT = 'K = 1'\n"}),
    Case("a computed import", _steps("import importlib\n_tools = importlib.import_module('.'.join(['pkg', 'a']))\n", "int(text) + _tools.more()"), (A, "return 1", "return 2"), {A: "def more():\n    return 1\n"}),
    Case("a patch from another module", _steps("from pkg import a, b\n", "int(text) + a.more()"), ("pkg/b.py", "1 + 0", "1 + 1"), {A: "def more():\n    return 0\n", "pkg/b.py": "from pkg import a\na.more = lambda: 1 + 0\n"}),
    Case("a registering decorator", _steps("from pkg import b\nfrom pkg.a import TABLE\n", "int(text) + sum(g() for g in TABLE)"), ("pkg/b.py", "return 1", "return 2"),
         {A: "TABLE = []\ndef keep(g):\n    TABLE.append(g)\n    return g\n", "pkg/b.py": "from pkg.a import keep\n@keep\ndef one():\n    return 1\n"}),
    Case("what a library requires", _steps("import soundlib\n", "int(text) * soundlib.times()"), act=_upgrade("sounddep", "RATE = 4", "RATE = 5"),
         files={LIBRARY: "import sounddep\ndef times():\n    return sounddep.RATE\n"}),
    Case("a docstring", _steps("def _more():\n    '''One.'''\n    return 1\n", "int(text) + _more()"), (STEPS, "One.", "Two.")),
    Case("the layout of the code", _steps("def _more():\n    return 1\n", "int(text) + _more()"), (STEPS, "return 1\n", "return  1\n\n\n")),
    Case("another function of the same module", _steps("def _other():\n    return 1\n", "int(text)"), (STEPS, "return 1", "return 2")),
    Case("another function of an imported module", _steps("from pkg.a import more\n", "int(text) + more()"), (A, "return 5", "return 6"), {A: "def more():\n    return 1\ndef other():\n    return 5\n"}),
]  # fmt: skip

CASES = [*(Case(**{**vars(c), "group": "peers' 13"}) for c in THIRTEEN), *CONSTRUCTS]
