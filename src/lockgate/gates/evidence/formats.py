"""Is every file of the release what its name says, of a format that is allowed, and free of code that nobody declared?

Read as bytes, in a process that decodes none of it. A pickle runs code when it is loaded, so it is refused under any
name, compressed or inside an archive; so are programs, archives that unpack to too much or out of their folder, and
whatever cannot be told.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from lockgate.errors import UsageError, did_you_mean
from lockgate.gates.archives import Finding, looked_into
from lockgate.gates.evidence import EXAMPLES, unmeasured
from lockgate.gates.file_kinds import DANGEROUS, HEAD, PACKED, SAFE, UNKNOWN, kind_of, promised
from lockgate.records.digest import Json
from lockgate.records.evidence import Estimate, Evidence

__all__ = ["evidence"]

KIND = "formats"
NAME = "files_refused"
ARCHIVES = ("zip", "tar", "npy")
MORE = ("skops", "zip", "hdf5", "sqlite", "zstd", "7z", *PACKED)


def evidence(bundle: Path, *, allow: Sequence[str] = SAFE) -> Evidence:
    """Look at every file below `bundle`. `allow`: the formats that may be there, by the names of `file_kinds`.

    Raises UsageError for a format that is unknown, or that nobody may allow.
    """
    _check(allow)
    files = [f for f in sorted(bundle.rglob("*")) if f.is_symlink() or not f.is_dir()]
    if not files:
        return unmeasured(KIND, NAME, "the release holds no file", allow=list(allow))
    kinds: dict[str, int] = {}
    refused: list[dict[str, Json]] = []
    for file in files:
        name = file.relative_to(bundle).as_posix()
        kind, whys = _judged(file, name, allow)
        kinds[kind] = kinds.get(kind, 0) + 1
        if whys:
            refused.append({"file": name, "found": kind, "why": whys[0], "more": len(whys) - 1})
    return Evidence(
        gate=KIND, kind=KIND, rows=tuple(refused[:EXAMPLES]), params={"allow": list(allow), "kinds": dict(sorted(kinds.items()))},
        statistic=Estimate(name=NAME, value=str(len(refused)), n=len(files), method="every file looked into", unit="files"),
    )  # fmt: skip


def _check(allow: Sequence[str]) -> None:
    known = (*SAFE, *MORE)
    for name in allow:
        if name in DANGEROUS:
            raise UsageError("a format that nobody may allow", value=name, allowed=", ".join(known))
        if name not in known:
            raise UsageError("unknown format", value=name, allowed=did_you_mean(name, known))


def _judged(file: Path, name: str, allow: Sequence[str]) -> tuple[str, list[str]]:
    """What a file is, and every reason why it must not be there."""
    if file.is_symlink() or not file.is_file():
        return "link", ["no plain file"]
    with file.open("rb") as content:
        kind = kind_of(content.read(HEAD), name=name)
        findings: list[Finding] = []
        if kind in ARCHIVES:
            content.seek(0)
            kind, findings = looked_into(content, kind)
        elif zipfile.is_zipfile(content):
            findings = [("", "zip", "an archive hides behind its beginning")]
    return kind, [*_harm(findings), *_itself(name, kind, allow), *_strangers(kind, findings, allow)]


def _itself(name: str, kind: str, allow: Sequence[str]) -> Iterator[str]:
    wanted = promised(name)
    if kind == "pickle":
        yield "it is a pickle, which runs code when it is loaded"
    elif kind in DANGEROUS:
        yield "it is a program"
    elif kind == UNKNOWN:
        yield "its format is unknown"
    elif wanted == ("?",):
        yield f"its name ends in no known format (its bytes are {kind})"
    elif wanted and kind not in wanted:
        yield f"it is {'empty' if kind == 'empty' else kind}, not {wanted[0]} as its name says"
    elif kind not in allow:
        yield f"{kind} is not allowed here"


def _harm(findings: Sequence[Finding]) -> Iterator[str]:
    """Members that could do harm, whatever is allowed; they are what the sentence names."""
    for name, found, why in findings:
        at = f"{name}: " if name else ""
        if why:
            yield at + why
        elif found == "pickle":
            yield f"{at}a pickle, which runs code when it is loaded"
        elif found in DANGEROUS or found == UNKNOWN:
            yield f"{at}{'a program' if found in DANGEROUS else 'of unknown format'}"


def _strangers(kind: str, findings: Sequence[Finding], allow: Sequence[str]) -> Iterator[str]:
    """Members are held to the same list as files."""
    for name, found, why in findings:
        known = found in (*allow, "empty", UNKNOWN, *DANGEROUS) or (kind == "npz" and found == "npy")
        if not (why or known):
            yield f"{name}: {found} is not allowed here"
