"""How git is called on our copy of the ledger's branch: nothing that lies in the copy, or came with the project, decides what runs.

A repository can bring files for `.lockgate/`, where the copy lies; git would run the hooks and the settings that it finds there. So
the copy's settings are ours and written anew, hooks are off, and what git and its children inherit holds no secret: the ledger's
token stands in the settings of those calls that reach the remote.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING, Final

from lockgate.durable import write_atomic
from lockgate.errors import IntegrityError
from lockgate.git_calls import OURS, git, inherited

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["cleaned", "environment", "need_untracked"]

CONFIG: Final = b"[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n"
NOT_OURS: Final = (
    "hooks",
    "info",
    "commondir",
    "config.worktree",
    "objects/info/alternates",
    "objects/info/http-alternates",
)
"""What git would take programs, settings or objects from; a copy needs none of them."""
HOME: Final = ".lockgate"


def need_untracked(root: Path) -> None:
    """Raises IntegrityError when the project's own git tracks something where only this working copy's own files belong."""
    found = git(["-C", str(root), "ls-files", "-z", "--", f":(icase){HOME}"], environment({}))
    tracked = [os.fsdecode(path) for path in found.stdout.split(b"\0") if path] if found.returncode == 0 else []
    if tracked:
        more = f" and {len(tracked) - 1} more" if len(tracked) > 1 else ""
        raise IntegrityError(
            f"the project's git tracks what lies below {HOME}, so whoever wrote the project would write what is kept there",
            value=f"{tracked[0]}{more}", allowed=f"nothing below {HOME} in git (a line {HOME}/ in .gitignore)",
            next=f"git rm -r --cached {HOME}   (look first who added it: git log -- {HOME})",
        )  # fmt: skip


def cleaned(folder: Path) -> None:
    """Make the copy if there is none, and give it our settings and nothing else that git would obey."""
    if not (folder / "HEAD").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        git(["init", "--quiet", "--bare", "--template=", str(folder)], environment({}))
    for part in ("objects", "objects/info"):
        if (folder / part).is_symlink():
            raise IntegrityError(
                "the ledger's copy leads elsewhere",
                value=str(folder / part),
                allowed="a folder",
                next=f"rm -r {folder}",
            )
    for name in NOT_OURS:
        _remove(folder / name)
    config = folder / "config"
    if config.is_symlink() or not config.is_file() or config.read_bytes() != CONFIG:
        write_atomic(config, CONFIG)


def _remove(path: Path) -> None:
    """A link goes, and not what it leads to; another process may be first."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Ours without secrets, a hook's GIT_DIR and anybody's settings, never asking anybody anything."""
    kept = {n: v for n, v in inherited().items() if not n.startswith("GIT_CONFIG_")}
    numbered = {
        f"GIT_CONFIG_{part}_{n}": text
        for n, pair in enumerate({**OURS, **settings}.items())
        for part, text in zip(("KEY", "VALUE"), pair, strict=True)
    }
    fixed = {"GIT_DEFAULT_HASH": "sha1", "GIT_DEFAULT_REF_FORMAT": "files", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    return {**kept, **numbered, **fixed, "GIT_CONFIG_COUNT": str(len(numbered) // 2)}
