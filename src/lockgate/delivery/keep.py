"""Put a copy of a file into the store: the store takes files over, so what must stay is copied first."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.project import Project

__all__ = ["keep_copy"]


def keep_copy(project: Project, path: Path) -> str:
    """Answer the digest of the copy in the store."""
    scratch = project.store_folder / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    copy = scratch / f"{os.getpid()}-{os.urandom(4).hex()}"
    shutil.copyfile(path, copy)
    return project.store.put(copy)
