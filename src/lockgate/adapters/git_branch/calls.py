"""How git is called on our copy of the ledger's branch: nothing that lies in the copy, or came with the project, decides what runs.

A repository can bring files for `.lockgate/`, where the copy lies; git would run the hooks and the settings that it finds there. So
the copy's settings are ours and written anew, hooks are off, and what git and its children inherit holds no secret: the ledger's
token stands in the settings of those calls that reach the remote.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Final

from lockgate.durable import write_atomic
from lockgate.errors import IntegrityError, NotFound, ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["PASSWORD", "cleaned", "environment", "git", "need_untracked", "why"]

PATIENCE_SECONDS: Final = 120.0
PASSWORD: Final = re.compile(r"(?<=://)[^/@\s]+@")
SECRET: Final = re.compile(
    r"LOCKGATE_.*|CI_JOB_JWT.*|(?!GIT_SSL_)(.*_)?(TOKEN|PASSWORD|PASSWD|PASSPHRASE|SECRET|KEY)", re.IGNORECASE
)
OF_A_HOOK: Final = ("GIT_DIR", "GIT_WORK", "GIT_INDEX", "GIT_CONFIG_", "GIT_OBJECT", "GIT_ALTERNATE", "GIT_COMMON")
OURS: Final = {"core.hooksPath": "/dev/null", "core.fsmonitor": "false", "safe.bareRepository": "explicit"}
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
    found = git(["-C", str(root), "ls-files", "-z", "--", f":(icase){HOME}"], environment({}), None)
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
        git(["init", "--quiet", "--bare", "--template=", str(folder)], environment({}), None)
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
    """Ours without secrets, and without a hook's GIT_DIR and its like, never asking anybody anything."""
    kept = {n: v for n, v in os.environ.items() if not (n.startswith(OF_A_HOOK) or SECRET.fullmatch(n))}
    numbered = {
        f"GIT_CONFIG_{part}_{n}": text
        for n, pair in enumerate({**OURS, **settings}.items())
        for part, text in zip(("KEY", "VALUE"), pair, strict=True)
    }
    fixed = {"GIT_DEFAULT_HASH": "sha1", "GIT_DEFAULT_REF_FORMAT": "files", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    return {**kept, **numbered, **fixed, "GIT_CONFIG_COUNT": str(len(numbered) // 2)}


def git(
    arguments: Sequence[str], environment: Mapping[str, str], given: bytes | None
) -> subprocess.CompletedProcess[bytes]:
    """What git answered. Raises NotFound without git, ServiceUnavailable when it does not end."""
    try:
        return subprocess.run(
            ["git", *arguments],
            env=environment,
            input=given,
            capture_output=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )
    except FileNotFoundError as error:
        raise NotFound("a ledger on a branch needs git, which is not here", value="git", next="install git") from error
    except subprocess.TimeoutExpired as error:
        raise ServiceUnavailable(
            "git does not come to an end", value=f"{PATIENCE_SECONDS:.0f} s", next="try again"
        ) from error


def why(done: subprocess.CompletedProcess[bytes]) -> str:
    """What git said, on one line and without anybody's password."""
    said = " ".join((done.stderr + b" " + done.stdout).decode("utf-8", "replace").split())
    return PASSWORD.sub("", said)[:400]
