"""Random small projects in all the ways modules get at each other, and random edits of them."""

from __future__ import annotations

import ast
import random

MODULES = 4


class Writer:
    """Writes the modules of one project; a later module may use what earlier ones define."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.defined: list[list[tuple[str, str]]] = []  # per module: (kind, name)

    def project(self) -> dict[str, str]:
        """Files of a project whose entry is `p.entry:f`."""
        files = {"p/__init__.py": self._package()}
        for number in range(MODULES):
            files[f"p/m{number}.py"] = self._module(number)
        files["p/entry.py"] = self._entry()
        return files

    def _package(self) -> str:
        return self.chance.choice(["", "LEVEL = 3\n", "import p.m0\nLEVEL = 2\n"])

    def _module(self, number: int) -> str:
        self.defined.append([])
        lines: list[str] = []
        expressions = self._imports(number, lines)
        for index in range(self.chance.randint(3, 6)):
            self._definition(number, index, lines, expressions)
        return "\n".join(lines) + "\n"

    def _imports(self, number: int, lines: list[str]) -> list[str]:
        """Import a few earlier things in some style; answer expressions that use them."""
        found: list[str] = []
        for other in self.chance.sample(range(number), k=min(number, self.chance.randint(0, 2))):
            if not self.defined[other]:
                continue
            kind, name = self.chance.choice(self.defined[other])
            style = self.chance.randrange(7)
            alias = f"{name}_{number}"
            if style == 0:
                lines.append(f"from p.m{other} import {name} as {alias}")
                found.append(_use(kind, alias))
            elif style == 1:
                lines.append(f"import p.m{other}")
                found.append(_use(kind, f"p.m{other}.{name}"))
            elif style == 2:
                lines.append(f"from . import m{other} as o{other}")
                found.append(_use(kind, f"o{other}.{name}"))
            elif style == 3:
                lines.append(f"from p.m{other} import *")
                found.append(_use(kind, name))
            elif style == 4:
                lines.append(f"from p import m{other} as o{other}")
                found.append(_use(kind, f"getattr(o{other}, {name!r})"))
            elif style == 5:
                lines.append(
                    f"try:\n    from p.m{other} import {name} as {alias}\nexcept ImportError:\n    {alias} = None"
                )
                found.append(_use(kind, alias))
            else:
                lines.append(
                    f"def lazy{number}{other}():\n    from p.m{other} import {name}\n    return {_use(kind, name)}"
                )
                found.append(f"lazy{number}{other}()")
            if self.chance.random() < 0.15 and kind == "constant":
                lines.append(f"import p.m{other}\np.m{other}.{name} = {self.chance.randint(1, 9)}")
        return found

    def _definition(self, number: int, index: int, lines: list[str], expressions: list[str]) -> None:
        name = f"v{number}{index}"
        value = self._expression(expressions)
        kind = "constant"
        match self.chance.randrange(12):
            case 0 | 1:
                lines.append(f"{name} = {value}")
            case 2 | 3:
                kind = "function"
                lines.append(f"def {name}(x=1):\n    '''Doc {index}.'''\n    y = {value}\n    return x + y")
            case 4:
                kind = "class"
                lines.append(
                    f"class {name}:\n    N = {self.chance.randint(1, 9)}\n    def go(self):\n        return self.N + {value}"
                )
            case 5:
                kind = "class"
                lines.append(
                    f"from dataclasses import dataclass\n@dataclass\nclass {name}:\n    n: int = {self.chance.randint(1, 9)}\n    def go(self):\n        return self.n * 2"
                )
            case 6:
                lines.append(f"TABLE{name} = {{}}\ndef put{name}(g):\n    TABLE{name}[g.__name__] = g\n    return g\n@put{name}\ndef reg{name}():\n    return {value}\n"
                             f"def {name}(x=0):\n    return sum(g() for g in TABLE{name}.values()) + x")  # fmt: skip
                kind = "function"
            case 7:
                lines.append(f"if {self.chance.randint(0, 2)} > 1:\n    {name} = {value}\nelse:\n    {name} = 4")
            case 8:
                lines.append(f"{name} = [n * 2 for n in range({self.chance.randint(2, 4)})][-1] + {value}")
            case 9:
                lines.append(f"LIST{name} = [1]\nLAST{name} = LIST{name}.append({value})\n{name} = sum(LIST{name})")
            case 10:
                lines.append(
                    f"def make{name}(k):\n    def inner(x=1):\n        return k * x\n    return inner\n{name} = make{name}({value})"
                )
                kind = "function"
            case _:
                lines.append(
                    f"def {name}(x=1):\n    match x:\n        case 1:\n            return {value}\n        case other:\n            return other"
                )
                kind = "function"
        self.defined[number].append((kind, name))
        expressions.append(_use(kind, name))

    def _expression(self, expressions: list[str]) -> str:
        number = str(self.chance.randint(1, 9))
        if not expressions or self.chance.random() < 0.2:
            return number
        used = self.chance.choice(expressions)
        return self.chance.choice([f"{used} + {number}", f"{number} * {used}", used, f"max({used}, {number})"])

    def _entry(self) -> str:
        lines: list[str] = []
        self.defined.append([])
        expressions = self._imports(MODULES, lines) + self._imports(MODULES, lines) or ["1"]
        return "\n".join(lines) + f"\ndef f():\n    return {' + '.join(expressions)}\n"


def _use(kind: str, name: str) -> str:
    return {"constant": name, "function": f"{name}()", "class": f"{name}().go()"}[kind]


def mutate(files: dict[str, str], chance: random.Random) -> tuple[str, dict[str, str]]:
    """One edit somewhere: another number, another operator, a statement gone, two statements swapped."""
    name = chance.choice(sorted(n for n, text in files.items() if text.strip()))
    tree = ast.parse(files[name])
    numbers = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, int)]
    operators = [n for n in ast.walk(tree) if isinstance(n, ast.BinOp)]
    what = chance.randrange(6)
    if what < 3 and numbers:
        node = chance.choice(numbers)
        said = f"{node.value} → {node.value + 1} in line {node.lineno}"
        node.value += 1
    elif what == 3 and operators:
        node = chance.choice(operators)
        node.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        said = f"an operator in line {node.lineno}"
    elif what == 4 and len(tree.body) > 1:
        gone = tree.body.pop(chance.randrange(len(tree.body)))
        said = f"without {ast.unparse(gone)[:40]!r}"
    else:
        place = chance.randrange(max(1, len(tree.body) - 1))
        tree.body[place : place + 2] = tree.body[place : place + 2][::-1]
        said = f"statements {place} and {place + 1} swapped"
    return f"{name}: {said}", {**files, name: ast.unparse(tree) + "\n"}
