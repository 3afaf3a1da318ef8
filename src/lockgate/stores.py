"""Where a store and a ledger lie, by their URLs. What is far away resolves to its adapter by a table."""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING, Any

from lockgate.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.ports import Ledger

__all__ = [
    "adapter",
    "alone",
    "bucket_at",
    "folder_at",
    "is_far",
    "lasting",
    "ledger_at",
    "ledger_of",
    "remote_of",
    "scheme_of",
]

FILE = "lockgate.toml"
LEDGER_BRANCH = "lockgate/ledger"
REMOTE = "origin"
FAR = {"s3": ("s3.bucket", "Bucket"), "gitlab": ("gitlab.packages", "packages_of")}
"""Scheme of a store → what keeps its bytes, made of the URL and the project's root."""


def adapter(module: str, name: str) -> Any:
    """Nobody imports an adapter: it resolves by its name."""
    return getattr(importlib.import_module(f"lockgate.adapters.{module}"), name)


def scheme_of(url: str) -> str:
    """What stands before the colon; empty for a folder.

    >>> [scheme_of(u) for u in ("gitlab:", "s3://models/team", "git:origin#ledger", ".lockgate", "file:///srv/store")]
    ['gitlab', 's3', 'git', '', 'file']
    """
    scheme, colon, _ = url.partition(":")
    return scheme if colon and "/" not in scheme else ""


def is_far(url: str) -> bool:
    """Whether a store is no folder."""
    return scheme_of(url) in FAR


def bucket_at(url: str, root: Path) -> Any:
    """What keeps the bytes of a store that is far."""
    return adapter(*FAR[scheme_of(url)])(url, root)


def lasting(url: str, root: Path) -> str:
    """A store's URL that means the same for every folder: the short form of GitLab's packages names the project."""
    return str(adapter("gitlab.place", "place_of")(url, root)) if scheme_of(url) == "gitlab" else url


def alone(url: str, root: Path) -> tuple[str, ...]:
    """What a store on GitLab's packages lacks outside of a pipeline; while it does, a working copy's own store is meant. Says so, once."""
    if scheme_of(url) != "gitlab":
        return ()
    lacking: tuple[str, ...] = adapter("gitlab.place", "missing")(url, root)
    if lacking:
        _say(f"no {' and no '.join(lacking)}: this working copy's own store is used")
    return lacking


@functools.cache
def _say(text: str) -> None:
    """A line on the standard error stream, once for a process, unless whoever embeds us wants it elsewhere."""
    import logging

    logging.getLogger("lockgate").warning(text)


def ledger_of(store: str) -> str:
    """The ledger of a store that names none: in the same bucket; beside packages, which can hold none, on the branch; empty: in its folder."""
    return {"s3": store, "gitlab": "git:"}.get(scheme_of(store), "")


def ledger_at(url: str, root: Path, *, home: Path, lacking: tuple[str, ...]) -> Ledger:
    """A ledger. `home`: where a working copy keeps what it saw. `lacking`: what keeps its store from being shared; it only reads then."""
    scheme, seen = scheme_of(url), home / "ledger-seen"
    if scheme == "s3":
        found = adapter("s3.ledger", "S3Ledger")(url, seen=seen)
    elif scheme == "git" and not any(REMOTE in what for what in lacking):
        remote, branch = _branch_of(url)
        found = adapter("git_branch.ledger", "BranchLedger")(
            remote, branch, root=root, copy=home / "ledger.git", seen=seen
        )
    else:
        folder = home / "ledger" if scheme == "git" else folder_at(root, url)
        found = adapter("ledger_file", "FileLedger")(folder, seen=seen)
    return adapter("read_only", "ReadOnlyLedger")(found, lacking=lacking) if lacking else found


def remote_of(ledger: str, root: Path) -> str:
    """The address of the git remote that holds a ledger; empty for a ledger elsewhere."""
    return (
        adapter("git_branch.address", "address_of")(_branch_of(ledger)[0], root) if scheme_of(ledger) == "git" else ""
    )


def _branch_of(url: str) -> tuple[str, str]:
    """Remote and branch of a ledger's URL."""
    remote, _, branch = url.removeprefix("git:").partition("#")
    return remote or REMOTE, branch or LEDGER_BRANCH


def folder_at(root: Path, url: str) -> Path:
    """`file://…` or a path, relative to the project."""
    scheme, _, rest = url.partition("://")
    if url.startswith("gitlab:"):
        raise UsageError(
            "packages of GitLab hold no ledger: of two writers the last one would win", value=url,
            allowed='[ledger] url = "git:"', next=f"edit {FILE}",
        )  # fmt: skip
    if ":" not in url.partition("/")[0]:
        return (root / url).resolve()
    if scheme != "file":
        raise UsageError(
            "a place of unknown kind", value=url,
            allowed="file://…, s3://BUCKET/PREFIX, a folder; a store: gitlab:; a ledger: git:REMOTE#BRANCH", next=f"edit {FILE}",
        )  # fmt: skip
    return (root / rest).resolve()
