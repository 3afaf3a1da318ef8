"""From a node to the job that a step's process is given: inputs, and what it may reach beside them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate.build.environment import without_secrets
from lockgate.build.loading import NOT_OURS
from lockgate.build.places import LOG, OUTPUT
from lockgate.build.protocol import SHORT, Code, InputFile, Job
from lockgate.records.dataset import DATASET
from lockgate.records.graph import AS_OF

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from lockgate.ports import Store
    from lockgate.records.artifact import Artifact
    from lockgate.records.dataset import Part
    from lockgate.records.digest import Json
    from lockgate.records.graph import Node, Trace

__all__ = ["Jobs"]

FILE, FOLDER, VARIABLE = "file ", "folder ", "environment "
"""How the definitions are called that stand for what modules looked at (`build/looking.py`)."""
CODE = (".py", ".so", ".pyd")
NETWORK = "network"
AS_FILE = ("pathlib:Path", "builtins:bytes")
"""Who asks for an input as one of these gets the file."""


class Jobs:
    """Makes jobs for one run. `code` is what they have in common.

    Args:
        root: the project's folder.
        store: where artifacts lie.
        files: `source:NAME` → file or folder; `@as_of` → the day as text.
        trace: what the plan saw.
        held: object → its text, of short values that are not in the store yet.
        kept: puts such a text into the store.
    """

    def __init__(
        self, root: Path, *, store: Store, files: Mapping[str, Path | str], trace: Trace, held: Mapping[str, str],
        kept: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.root, self.store, self.files, self._trace = root, store, files, trace
        self._held, self._kept = held, kept
        self._top = str(root)
        self._known: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {}
        texts = {f.path: f.digest for f in trace.files if f.path.endswith(".py")} or None
        modules = tuple(f.path for f in trace.files if f.path.endswith(CODE)) or tuple(_modules(root))
        self._environment = without_secrets(os.environ)
        self.code = Code(root=self._top, texts=texts, files=modules)
        listed = [n.removesuffix("/*") for n in trace.listings if n.endswith("/*")]
        self._looked = tuple(self._place(n) for n in (*(f.path for f in trace.files if f.path not in modules), *listed))

    def job(
        self,
        node: Node,
        artifacts: Mapping[str, Artifact],
        parameters: Mapping[str, Json],
        *,
        folder: Path,
        scratch: str,
        slices: Mapping[str, Sequence[Part]] | None = None,
    ) -> Job:
        """One job. `folder` receives its output and log; `scratch` is its TMPDIR and HOME.

        `slices`: input → the partitions that it is cut to; other inputs are read whole.
        """
        cut = {p: self._parts(parts, node.input_types[p]) for p, parts in (slices or {}).items()}
        whole = {p: self._input(node, p, artifacts) for p in node.inputs if p not in cut}
        return self._job(
            node, folder, scratch, node=node.name, parameters=parameters, inputs={**whole, **cut}, type=node.type, codec=node.codec,
            checked=node.checked, inline=node.codec == "json" and not node.command, command=node.command,
        )  # fmt: skip

    def base(self, node: Node, folder: Path, scratch: str) -> Job:
        """A job of which only that is said which an import of the step's module sees."""
        return self._job(node, folder, scratch, node="", parameters={}, inputs={}, type="", codec="")

    def _job(self, of: Node, folder: Path, scratch: str, **parts: Any) -> Job:
        reads, environment = self._reached(of)
        own = {"TMPDIR": scratch, "HOME": scratch} if of.sandbox else {}
        return Job(
            target=of.target, root=self._top, output=f"{folder}/{OUTPUT}", log=f"{folder}/{LOG}", denied=f"{folder}/denied",
            scratch=scratch, sandbox=of.sandbox, network=NETWORK in of.allow, guard=of.guard,
            environment={**environment, **own}, reads=reads, **parts,
        )  # fmt: skip

    def kind(self, node: Node, artifacts: Mapping[str, Artifact]) -> Hashable:
        """Everything that an import of the step's module sees; None for a step that has to import it itself.

        That is one without a sandbox, with a limit, or with an input that is a file: a zygote may not read what its steps may.
        """
        is_bound = node.memory_mb is not None or node.timeout_s is not None
        if node.command or not node.sandbox or is_bound or sys.platform != "linux":
            return None
        if not all(i == AS_OF or self._is_short(node, p, artifacts) for p, i in node.inputs.items()):
            return None
        reads, environment = self._reached(node)
        return (node.target.partition(":")[0], node.guard, reads, *environment.items())

    def _reached(self, node: Node) -> tuple[tuple[str, ...], dict[str, str]]:
        """Files and variables that a step may read beside its inputs; found once, and asked for by every partition."""
        if node.name not in self._known:
            self._known[node.name] = (self._reads(node), self._declared(node))
        return self._known[node.name]

    def _is_short(self, node: Node, parameter: str, artifacts: Mapping[str, Artifact]) -> bool:
        """Whether an input travels in the job's message: a JSON value that is not asked for as a file."""
        artifact = artifacts.get(node.inputs[parameter])
        as_file = node.input_types[parameter].partition("|")[0] in AS_FILE
        return artifact is not None and artifact.codec == "json" and artifact.size_bytes <= SHORT and not as_file

    def _input(self, node: Node, parameter: str, artifacts: Mapping[str, Artifact]) -> InputFile:
        source, kind = node.inputs[parameter], node.input_types[parameter]
        if source == AS_OF:
            return InputFile(codec="json", type=kind, value=str(self.files[AS_OF]))
        if source in artifacts:
            artifact = artifacts[source]
            if artifact.codec == DATASET:
                from lockgate.build.parts import read_record

                dataset = read_record(self.store, artifact)
                return self._parts(dataset.parts or (dataset.empty,), kind)
            if not node.command and self._is_short(node, parameter, artifacts):
                return InputFile(codec=artifact.codec, type=kind, text=self._text(artifact.object))
            if text := self._held.get(artifact.object):
                self._kept(text)
            return InputFile(codec=artifact.codec, type=kind, path=str(self.store.get(artifact.object)))
        return InputFile(codec="file", type=kind, path=str(self.files[source]))

    def _text(self, name: str) -> str:
        return self._held.get(name) or self.store.get(name).read_text(encoding="utf-8")

    def _parts(self, parts: Sequence[Part], kind: str) -> InputFile:
        return InputFile(codec=DATASET, type=kind, parts=tuple(str(self.store.get(p.object)) for p in parts))

    def _reads(self, node: Node) -> tuple[str, ...]:
        """What its modules read on import, which is in its key, and what it is allowed by name."""
        found = [self._place(n) for n in node.allow if n != NETWORK]
        for d in node.definitions:
            kind = next((k for k in (FILE, FOLDER) if d.name.startswith(k) and not d.line), None)
            if kind and d.file:
                found.append(self._place(d.file))
            elif kind:  # outside the project: a key holds no absolute path, the trace does
                name = d.name.removeprefix(kind)
                found += [p for p in self._looked if p == name or (kind == FILE and os.path.basename(p) == name)]
        return tuple(dict.fromkeys(found))

    def _declared(self, node: Node) -> dict[str, str]:
        """Without a sandbox, the caller's; else the names that the step's key holds."""
        if not node.sandbox:
            return self._environment
        names = {d.name.removeprefix(VARIABLE) for d in node.definitions if d.name.startswith(VARIABLE) and not d.line}
        return {n: v for n, v in self._environment.items() if n in names}

    def _place(self, name: str) -> str:
        return os.path.join(self._top, name)


def _modules(root: Path) -> list[str]:
    """Every module of the project, for nodes that no capture made (gates)."""
    found: list[str] = []
    for folder, folders, files in os.walk(root):
        folders[:] = [f for f in folders if f not in NOT_OURS and not f.startswith(".")]
        found += [os.path.relpath(os.path.join(folder, f), root) for f in files if f.endswith(CODE)]
    return found
