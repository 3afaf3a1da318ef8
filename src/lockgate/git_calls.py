"""The only way to start git: no watcher of files, no repository that the project's own files look like, no hook where we only read.

git runs programs that a repository's settings name. A folder of the project can look like a bare repository with such settings
(`HEAD`, `config`, `objects`, `refs` are names like others), which git takes for one where it looks for one: git 2.38 and newer do not.
"""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING, Final

from lockgate.errors import NotFound, ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["OURS", "PASSWORD", "asked", "careful", "git", "inherited", "why"]

PATIENCE_SECONDS: Final = 120.0
PASSWORD: Final = re.compile(r"(?<=://)[^/@\s]+@")
SECRET: Final = re.compile(
    r"LOCKGATE_.*|CI_JOB_JWT.*|(?!GIT_SSL_)(.*_)?(TOKEN|PASSWORD|PASSWD|PASSPHRASE|SECRET|KEY)", re.IGNORECASE
)
OF_A_HOOK: Final = ("GIT_DIR", "GIT_WORK", "GIT_INDEX", "GIT_OBJECT", "GIT_ALTERNATE", "GIT_COMMON", "GIT_NAMESPACE")
"""Where git looks, as it tells its hooks: we look where we say."""
OURS: Final = {"core.fsmonitor": "false", "safe.bareRepository": "explicit", "core.hooksPath": "/dev/null"}
SAFE: Final = ("-c", "core.fsmonitor=false", "-c", "safe.bareRepository=explicit")
"""As arguments they count more than any file or variable."""
QUIET: Final = (*SAFE, "-c", "core.hooksPath=/dev/null", "--no-optional-locks", "--literal-pathspecs")


def asked(root: Path, *arguments: str, errors: str = "replace") -> str | None:
    """What git says about the repository that `root` lies in, without the last line break. None without git, or where it says no.

    Paths in `arguments` mean themselves; `errors`: what becomes of bytes that are no UTF-8.
    """
    try:
        done = git([*QUIET, "-C", str(root), *arguments], inherited() | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"})
    except NotFound:
        return None
    return done.stdout.decode("utf-8", errors).rstrip("\n") if done.returncode == 0 else None


def careful(root: Path, *arguments: str, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """The same where git writes or reaches a remote, as the repository's owner: with their hooks and credentials, and asking them."""
    own = inherited(re.compile("LOCKGATE_.*"))
    return git([*SAFE, "-C", str(root), *arguments], own, given=given, patience=None)  # a person may type a passphrase


def inherited(secret: re.Pattern[str] = SECRET) -> dict[str, str]:
    """Our variables without secrets, by their names, and without a hook's `GIT_DIR` and its like."""
    return {n: v for n, v in os.environ.items() if not (n.startswith(OF_A_HOOK) or secret.fullmatch(n))}


def git(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    given: bytes | None = None,
    patience: float | None = PATIENCE_SECONDS,
) -> subprocess.CompletedProcess[bytes]:
    """What git answered, as it is called; `patience` in seconds, None for ever. Raises NotFound without git, ServiceUnavailable when it does not end."""
    try:
        return subprocess.run(
            ["git", *arguments],
            env=environment,
            input=given,
            capture_output=True,
            check=False,
            timeout=patience,
        )
    except FileNotFoundError as error:
        raise NotFound("git is needed, and is not here", value="git", next="install git") from error
    except subprocess.TimeoutExpired as error:
        raise ServiceUnavailable(
            "git does not come to an end", value=f"{PATIENCE_SECONDS:.0f} s", next="try again"
        ) from error


def why(done: subprocess.CompletedProcess[bytes]) -> str:
    """What git said, on one line and without anybody's password."""
    said = " ".join((done.stderr + b" " + done.stdout).decode("utf-8", "replace").split())
    return PASSWORD.sub("", said)[:400]
