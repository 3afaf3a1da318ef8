"""Commands → nodes. A command's key holds its words, where it reads and writes, its files' bytes, and its program.

Of `python` the key knows the interpreter, and the distributions that its files import; of another program the bytes of
its file. What that program starts or loads from the system is the machine's part, as for a library of a Python step.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.build.loading import NOT_OURS
from lockgate.build.trace import listing_digest
from lockgate.build.wiring import limits_of
from lockgate.errors import UsageError
from lockgate.records.digest import digest, digest_bytes, digest_file
from lockgate.records.graph import Definition, Node

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lockgate.build.looking import Looking
    from lockgate.build.packages import Installed
    from lockgate.declare_command import Command
    from lockgate.records.digest import Json

__all__ = ["Commands", "find_program", "is_left_out", "own_program"]

PATH_TYPE = "pathlib:Path"
PYTHON = re.compile(r"python(3(\.\d+)?)?")
COMPUTED = re.compile(rb"\bimport_module\b|\b__import__\b|\brunpy\b|\bexec\s*\(|\beval\s*\(|\bentry_points\b")
"""Where this stands in a text, it may import what no import statement names."""
STARTS_PYTHON = re.compile(rb"(?<![\w./-])(\S*/)?python[\d.]*(?![\w.-])")
"""A program that is no Python of ours, but starts it: what is imported there is not seen."""


class Commands:
    """Makes nodes of commands. `looking` learns which files belong to them."""

    def __init__(self, root: Path, looking: Looking, installed: Installed) -> None:
        self._root, self._looking, self._installed = root, looking, installed

    def nodes(self, pipeline: str, command: Command, inputs: Mapping[str, str]) -> tuple[Node, ...]:
        """The node that starts the program, and one for each output when it has several."""
        several = "" not in command.writes
        name, files = f"{pipeline}.{command.name}", self._files(command)
        program = self._program(command, files)
        packages, widened = self._packages(command, files, program)
        made = Node(
            name=name,
            target="lockgate.build.program:run",
            inputs=inputs,
            input_types=dict.fromkeys(inputs, PATH_TYPE),
            parameters={},
            type=PATH_TYPE,
            codec="tree" if several else _codec(command.writes[""]),
            definitions=self._definitions(command, files, program),
            packages=packages,
            widened=widened,
            doc=" ".join(command.words)[:200],
            command={
                "words": list(command.words), "folder": command.folder, "program": digest_file(program) if program else "",
                "reads": dict(command.reads), "writes": dict(command.writes), "files": {p: digest_bytes(t) for p, t in files},
            },
            **limits_of(command),
        )  # fmt: skip
        return (made, *(_output(pipeline, made, n, p) for n, p in command.writes.items() if n))

    def _files(self, command: Command) -> list[tuple[str, bytes]]:
        """(path, bytes) of each declared file, sorted; the trace knows them from now on."""
        found: dict[str, bytes] = {}
        for name in command.files:
            place = self._root / name
            if name.endswith("/") or place.is_dir():
                paths = [os.path.relpath(p, self._root) for p in self._listed(place)]
            else:
                paths = [name]
            if not paths or not all((self._root / p).is_file() for p in paths):
                raise UsageError(
                    "a command names a file that is not there", value=f"{command.name}: {name}",
                    allowed="files and folders of the project", next="correct files=[…]",
                )  # fmt: skip
            for path in paths:
                found[path] = (self._root / path).read_bytes()
                self._looking.note_file(path, digest_bytes(found[path]))
        return sorted(found.items())

    def _listed(self, top: Path) -> Iterator[str]:
        """All files below a folder; a name that appears there or goes is noticed."""
        for folder, folders, files in os.walk(top):
            folders[:] = sorted(f for f in folders if not is_left_out(f))
            name = os.path.relpath(folder, self._root)
            self._looking.listings[f"{name}/*"] = listing_digest(folder, every_name=True)
            yield from (os.path.join(folder, f) for f in files if not is_left_out(f))

    def _program(self, command: Command, files: list[tuple[str, bytes]]) -> Path | None:
        """The file of the program; None of this interpreter, and of one of the project's own files."""
        word = command.words[0]
        if PYTHON.fullmatch(word) or own_program(word, command.folder, dict(files)):
            return None
        if "/" in word and not os.path.isabs(word):
            raise UsageError(
                "a command starts a program of the project that it does not declare", value=f"{command.name}: {word}",
                allowed=f"files=[{os.path.normpath(os.path.join(command.folder, word))!r}]",
            )  # fmt: skip
        self._looking.environment.add("PATH")
        found = find_program(word)
        if found is None:
            raise UsageError(
                "a command's program is not found", value=f"{command.name}: {word}", allowed="a program on PATH",
                next=f"install {word}",
            )  # fmt: skip
        self._looking.note_file(str(found), digest_bytes(found.read_bytes()))
        return found

    def _definitions(
        self, command: Command, files: list[tuple[str, bytes]], program: Path | None
    ) -> tuple[Definition, ...]:
        """Everything but inputs and packages; `file …` opens the file in the sandbox, too."""
        from lockgate.build.trace import environment_digest

        self._looking.environment.update(command.limits.environment)
        parts: dict[str, Json] = {
            "words": list(command.words), "folder": command.folder, "reads": dict(command.reads), "writes": dict(command.writes),
        }  # fmt: skip
        said = [Definition(f"{k} of the command", "", 0, digest("command", v)) for k, v in parts.items()]
        if program:
            said.append(Definition(f"program {program.name}", "", 0, digest_file(program)))
        said += [Definition(f"file {path}", path, 0, digest_bytes(text)) for path, text in files]
        return (
            *said,
            *(
                Definition(f"environment {n}", "", 0, environment_digest(n) or "absent")
                for n in sorted(command.limits.environment)
            ),
        )

    def _packages(
        self, command: Command, files: list[tuple[str, bytes]], program: Path | None
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The distributions that Python texts import, and why it is all of them when it is."""
        pairs = list(zip(command.words, command.words[1:], strict=False))
        texts = [*files, *(("-c.py", w.encode()) for before, w in pairs if before == "-c")]
        if program and (text := _script(program)):
            texts.append((f"{program.name}.py", text))
        names = [w for before, w in pairs if before == "-m"]
        wide = [f"{w!r} among its words" for before, w in pairs if before != "-c" and STARTS_PYTHON.search(w.encode())]
        for path, text in texts:
            found, unseen = _imports(path, text)
            names += found
            wide += [unseen] if unseen else []
        if wide:
            return self._installed.everything(), (f"every installed package: {wide[0]}",)
        return self._installed.reached(names), ()


def own_program(word: str, folder: str, files: Mapping[str, object]) -> str:
    """The declared file that a word starts, as seen from a folder; empty when it is none."""
    path = os.path.normpath(os.path.join(folder, word))
    return path if "/" in word and path in files else ""


def find_program(word: str) -> Path | None:
    """The file that a word starts: beside this interpreter, else on PATH; None when there is none."""
    beside = os.path.dirname(sys.executable)
    found = shutil.which(word, path=os.pathsep.join([beside, os.environ.get("PATH", os.defpath)]))
    return Path(found).resolve() if found else None


def is_left_out(name: str) -> bool:
    """Whether a file or folder is none of the project's own: hidden, or bytecode."""
    return name.startswith(".") or name in NOT_OURS or name == "__pycache__" or name.endswith(".pyc")


def _imports(path: str, text: bytes) -> tuple[list[str], str]:
    """Every module that a text imports, wherever the statement stands; and what cannot be seen through, if anything."""
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError):
        if path.endswith((".py", ".ipynb")):
            return [], f"{path} cannot be read as Python {sys.version_info[0]}.{sys.version_info[1]}"
        return [], f"{path} starts Python" if STARTS_PYTHON.search(text) else ""
    if found := COMPUTED.search(text):
        return [], f"{found[0].decode().rstrip('( ')} in {path}"
    names = [a.name for n in nodes if isinstance(n, ast.Import) for a in n.names]
    return names + [n.module for n in nodes if isinstance(n, ast.ImportFrom) and n.module and not n.level], ""


def _script(program: Path) -> bytes | None:
    """The text of a program that Python runs."""
    with program.open("rb") as file:
        first = file.readline(200)
    return program.read_bytes() if first.startswith(b"#!") and b"python" in first else None


def _codec(path: str) -> str:
    return "tree" if path.endswith("/") else "file"


def _output(pipeline: str, made: Node, name: str, path: str) -> Node:
    """A node that takes one thing out of all that a command made."""
    return Node(
        name=f"{pipeline}.{name}", target="lockgate.build.program:take", inputs={"made": made.name},
        input_types={"made": PATH_TYPE}, parameters={}, type=PATH_TYPE, codec=_codec(path), packages=(),
        definitions=(Definition("output", "", 0, digest("output", path)),), doc=f"{path} of {made.doc}"[:200],
        command={"take": path},
    )  # fmt: skip
