"""Where the ledger's remote is; a folder of the project's own tree is none.

A push to a folder on this machine starts git there, which runs the hooks that lie in it and programs that its `config` names
(`core.alternateRefsCommand`): nothing that the pushing side sets reaches it. In the project's tree both came with the project. Elsewhere
they are the owner's, who may want them.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote

from lockgate.adapters.git_branch.calls import environment
from lockgate.errors import IntegrityError
from lockgate.git_calls import git

__all__ = ["address_of"]


def address_of(remote: str, root: Path) -> str:
    """The address of a remote of `root`'s repository; what is no remote's name is an address itself, a path relative to the project.

    Raises IntegrityError for a folder of the project's own tree.
    """
    named = _said(root, "remote", "get-url", remote)
    address = named or remote
    top = Path(_said(root, "rev-parse", "--show-toplevel") or root).resolve()
    path = _folder(address)
    if path is None:
        return address
    there = (Path(top if named else root) / path).resolve()
    if not any(os.path.lexists(f"{there}{ending}") for ending in ("", ".git")):
        return address  # a name that no remote has: git says so
    if there.is_relative_to(top) and not _is_the_clone(there, top):
        raise IntegrityError(
            "a git repository in the project's own tree is no place for the ledger: its hooks are the project's", value=str(path),
            allowed="a remote elsewhere, whose hooks are its owner's", next="edit [ledger] url in lockgate.toml, or git remote set-url",
        )  # fmt: skip
    return str(there)


def _is_the_clone(there: Path, top: Path) -> bool:
    """Whether it means the working copy's own repository, in which git tracks nothing."""
    return there in (top, top / ".git") and (top / ".git").is_dir()


def _folder(address: str) -> Path | None:
    """The folder that git takes an address for; None for one that names a host or a helper of git's.

    git decodes a whole address before it looks for the path, and which part of `file://HOST/PATH` that is differs between its
    versions: so only `file:///PATH` is taken.

    >>> [str(_folder(a)) for a in ("../r.git", "file:///srv/r.git", "https://example.org/r.git", "git@example.org:r.git", "./a:b")]
    ['../r.git', '/srv/r.git', 'None', 'None', 'a:b']
    """
    scheme, is_url, rest = address.partition("://")
    if is_url and scheme.isalnum():
        return _of_file(unquote(rest)) if scheme.lower() == "file" else None
    colon, slash = address.find(":"), address.find("/")
    if colon >= 0 and not 0 <= slash < colon:
        return None
    return Path(os.path.expanduser(address))


def _of_file(rest: str) -> Path:
    """What stands behind `file://`, decoded."""
    if not rest.startswith("/"):
        raise IntegrityError(
            "an address of a folder names a host", value=f"file://{rest}", allowed="file:///PATH, or the path itself",
            next="edit [ledger] url in lockgate.toml, or git remote set-url",
        )  # fmt: skip
    return Path("/" + rest.lstrip("/"))


def _said(root: Path, *arguments: str) -> str:
    done = git(["-C", str(root), *arguments], environment({}))
    return done.stdout.decode("utf-8", "surrogateescape").strip() if done.returncode == 0 else ""
