"""How two releases differ in what they are made of: which factors, and each difference in a sentence."""

from __future__ import annotations

import ast
import difflib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeAlias

from lockgate.delivery.comparison.changes import changes
from lockgate.delivery.sources.kept import Kept
from lockgate.delivery.sources.versions import version_under
from lockgate.errors import LockgateError
from lockgate.records.digest import canonical
from lockgate.release.layout import PROJECT, TRAINING_LOCK
from lockgate.release.wording import count

if TYPE_CHECKING:
    from lockgate.delivery.sources.versions import SourceVersion
    from lockgate.project import Project
    from lockgate.records.digest import Json
    from lockgate.records.release import Manifest

__all__ = ["factors_of", "files_of", "in_words", "same_code"]

ROWS_LIMIT_BYTES = 64 << 20  # larger source files are told by name only
NAMED = 4  # more files than this are counted, not named

Sentences: TypeAlias = "tuple[tuple[str, str], ...]"


def factors_of(project: Project, before: Manifest, after: Manifest) -> tuple[str, ...]:
    """Which of code, data, parameters and packages differ in a way that could change an answer.

    Comments, docstrings and layout are no code. A parameter that only one of them has is code.
    """
    old, new = before.lineage, after.lineage
    files = [files_of(project, m) for m in (before, after)]
    code = old.extra.get("definitions") != new.extra.get("definitions") or not same_code(*files)
    return tuple(
        name
        for name, differs in {
            "code": code,
            "data": (old.sources, before.as_of) != (new.sources, after.as_of),
            "parameters": any(b != a for _, b, a in _parameters(before, after) if None not in (b, a)),
            "packages": _packages(project, before) != _packages(project, after) or before.python != after.python,
        }.items()
        if differs
    )


def in_words(project: Project, before: Manifest, after: Manifest) -> Sentences:
    """(factor, sentence) for each difference, in the order of the factors."""
    files = [files_of(project, m) for m in (before, after)]
    days = [c.words for c in changes(project, after, before, None) if c.kind == "data" and c.words]
    sources = sorted({*before.lineage.sources, *after.lineage.sources})
    differing = [n for n in sources if before.lineage.sources.get(n) != after.lineage.sources.get(n)]
    packages = [_packages(project, m) for m in (before, after)]
    return (
        *(("data", words) for words in days),
        *(("data", _source(project, n, before, after)) for n in differing),
        *(("code", words) for words in _code(*files)),
        *(("parameters", _change(n, b, a)) for n, b, a in _parameters(before, after) if b != a),
        *(("packages", words) for words in _versions(*packages)),
        *([("packages", _change("python", before.python, after.python))] if before.python != after.python else []),
    )


def files_of(project: Project, release: Manifest) -> dict[str, str]:
    """Path → text of the project's files that the release was made with; of an older one, only of the predictor's."""
    listed = {f.path: f.blake3 for f in release.files}
    try:
        if PROJECT in listed:
            return dict(json.loads(project.store.get(listed[PROJECT]).read_bytes())["texts"])
        code = {p: project.store.get(listed[p]).read_bytes() for p in release.code}
    except (LockgateError, OSError, ValueError, KeyError):
        return {}
    return {p.removeprefix("code/"): data.decode(errors="replace") for p, data in code.items()}


def same_code(before: Mapping[str, str], after: Mapping[str, str]) -> bool:
    """Whether all files say the same to an interpreter; a file that is not Python must be the same text."""
    return before.keys() == after.keys() and all(
        before[p] == after[p] or (p.endswith(".py") and not list(_parts_that_differ(before[p], after[p])))
        for p in before
    )


def _parameters(before: Manifest, after: Manifest) -> Iterator[tuple[str, Json, Json]]:
    """(step.name, old, new) of each as canonical text, None where it is absent."""
    sides = [
        {f"{step}.{n}": canonical(v).decode() for step, values in m.lineage.parameters.items() for n, v in values.items()}
        for m in (before, after)
    ]  # fmt: skip
    for name in sorted({*sides[0], *sides[1]}):
        yield name, sides[0].get(name), sides[1].get(name)


def _packages(project: Project, release: Manifest) -> dict[str, str]:
    """Name → version, and the digest of its files where the lock file has one."""
    listed = {f.path: f.blake3 for f in release.files}
    lock = listed.get(TRAINING_LOCK) or listed[release.lock]
    lines = project.store.get(lock).read_text(encoding="utf-8").splitlines()
    found = (line.removeprefix("# not in a registry: ").partition("==") for line in lines if "==" in line)
    return {name.strip(): version.strip() for name, _, version in found if name.strip() != "lockgate"}


def _versions(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*before, *after}):
        old, new = (side.get(name, "").partition("#")[0].strip() or None for side in (before, after))
        if old != new:
            yield _change(name, old, new)
        elif before[name] != after[name]:
            yield f"{name} {new}: the same version, but other files"


def _change(name: str, before: Json, after: Json) -> str:
    if before is None:
        return f"{name} is new: {after}"
    return f"{name} is gone (it was {before})" if after is None else f"{name} {before} → {after}"


# ── code ────────────────────────────────────────────────────────────────────


def _code(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for path in sorted({*before, *after}):
        old, new = before.get(path), after.get(path)
        if old == new:
            continue
        if old is None or new is None:
            yield f"{path} is {'new' if old is None else 'gone'}"
            continue
        lines = list(difflib.ndiff(old.splitlines(), new.splitlines()))
        size = f"{count(sum(x[:2] == '+ ' for x in lines), 'line')} added, {sum(x[:2] == '- ' for x in lines)} removed"
        parts = list(_parts_that_differ(old, new)) if path.endswith(".py") else ["its text"]
        yield f"{path}: {', '.join(parts)} ({size})" if parts else f"{path}: comments and layout only ({size})"


def _parts_that_differ(before: str, after: str) -> Iterator[str]:
    """`model`, `reasons (new)`, `tidy (gone)`; what stands outside of functions and classes is `the module's own lines`."""
    try:
        old, new = _definitions(before), _definitions(after)
    except SyntaxError:
        yield "its text"
        return
    for name in dict.fromkeys([*new, *old]):
        if old.get(name) != new.get(name):
            called = name or "lines outside of functions"
            yield called if name in old and name in new else f"{called} ({'new' if name in new else 'gone'})"


def _definitions(text: str) -> dict[str, str]:
    """Name → structure, without docstrings; the rest of the module under the empty name."""
    tree = ast.parse(text)
    found: dict[str, str] = {"": ""}
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            del body[0]
    for node in tree.body:
        name = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) else ""
        found[name] = found.get(name, "") + ast.dump(node)
    return found


def _is_docstring(node: object) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


# ── sources ─────────────────────────────────────────────────────────────────


def _source(project: Project, name: str, before: Manifest, after: Manifest) -> str:
    """What came and what went: rows of text files, else files."""
    identities = [m.lineage.sources.get(name) for m in (before, after)]
    if None in identities:
        return f"source {name} is {'new' if identities[0] is None else 'gone'}"
    first, second = (version_under(project, str(i)) for i in identities)
    if first is None or second is None:
        return f"source {name}: changed; what it was is not in the store any more"
    old, new = first.by_name, second.by_name
    came, went = ([f for f in a if f not in b] for a, b in ((new, old), (old, new)))
    altered = [f for f in new if f in old and new[f] != old[f]]
    told = [_names(files, verb) for files, verb in ((came, "added"), (went, "removed"), (altered, "changed")) if files]
    rows = _rows(project, (first, second), [old[f] for f in (*went, *altered)], [new[f] for f in (*came, *altered)])
    single = len(new) == len(old) == 1
    return f"source {name}: " + "; ".join([*([] if single and rows else told), *([rows] if rows else [])])


def _unless_large(project: Project, kept: Kept, digest: str) -> bytes | None:
    if digest in kept:
        return kept.read(digest) if kept.size_bytes(digest) <= ROWS_LIMIT_BYTES else None
    path = project.store.get(digest)
    return path.read_bytes() if path.stat().st_size <= ROWS_LIMIT_BYTES else None


def _names(files: list[str], verb: str) -> str:
    named = ", ".join(files[:NAMED])
    return f"{count(len(files), 'file')} {verb}" + (f" ({named})" if len(files) <= NAMED else f" ({named}, …)")


def _rows(project: Project, versions: tuple[SourceVersion, SourceVersion], before: list[str], after: list[str]) -> str:
    """Lines that are only on one side, counted as often as they stand there; "" where files are no text or not here."""
    sides = [Counter[bytes](), Counter[bytes]()]
    try:
        for side, version, digests in zip(sides, versions, (before, after), strict=True):
            kept = Kept(project.store, version.packs, version.pieces)
            for digest in digests:
                data = _unless_large(project, kept, digest)
                if data is None or b"\0" in data[:4096]:
                    return ""
                side.update(data.splitlines())
    except (LockgateError, OSError):
        return ""
    added, removed = (sides[1] - sides[0]).total(), (sides[0] - sides[1]).total()
    return f"{count(added, 'row')} added, {removed or 'none'} removed"
