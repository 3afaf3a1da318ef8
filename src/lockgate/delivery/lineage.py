"""Where code comes from: the commit that last touched the files a release is made of, and who wrote them."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["code_authors", "commit_of"]


def commit_of(root: Path, files: Sequence[str]) -> tuple[str, bool]:
    """The last commit that touched these files, and whether any of them differs from it. Without git: ("", True)."""
    commit = _git(root, "log", "-1", "--format=%H", "--", *files)
    changed = _git(root, "status", "--porcelain", "--", *files)
    return (commit or "", not commit or bool(changed))


def code_authors(root: Path, files: Sequence[str]) -> tuple[str, ...]:
    """Names and addresses of everybody who committed to these files."""
    lines = (_git(root, "log", "--format=%ae%n%an", "--", *files) or "").splitlines()
    return tuple(sorted({line.strip() for line in lines if line.strip()}))


def _git(root: Path, *arguments: str) -> str | None:
    """None when there is no git or no repository."""
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
