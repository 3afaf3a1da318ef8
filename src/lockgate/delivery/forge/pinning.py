"""Pictures of a note as attachments of the project, each content once: uploading is the one call that a forge would do twice."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lockgate.errors import ServiceUnavailable
from lockgate.forge.markdown import text
from lockgate.records.digest import digest, sha256_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockgate.ports import Forge
    from lockgate.project import Project

__all__ = ["pinned"]

ADDRESS: Final = re.compile(r"!?\[[^\]\n]*\]\(([^\s()<>]+)\)(?:\{[^}\n]*\})?")
"""A link or a picture, and GitLab's size behind it."""


def pinned(project: Project, forge: Forge, path: Path, words: str, *, where: Mapping[str, str]) -> str:
    """Markdown that shows a file: by the address that the same content has already in this project, else by a new one."""
    content = sha256_bytes(path.read_bytes())
    key = digest("attachment", [where.get("CI_API_V4_URL", ""), where.get("CI_PROJECT_ID", ""), content])
    kept = project.results("attachments")
    record = kept.get(key) or {}
    address = _address(record.get("markdown"))
    if address is None:
        said = _attach(forge, path, content)
        address = _address(said)
        if address is None:
            raise ServiceUnavailable("the forge answers no picture", value=said[:80], next="run the job again")
        kept.put(key, {"markdown": said})
    return f"![{text(words, 200)}]({address})"


def _attach(forge: Forge, path: Path, content: str) -> str:
    """Under a name that says which content it is."""
    with tempfile.TemporaryDirectory() as folder:
        named = Path(folder) / f"{path.stem}-{content.removeprefix('sha256:')[:12]}{path.suffix}"
        shutil.copyfile(path, named)
        return forge.attach(named)


def _address(markdown: object) -> str | None:
    """Where a forge says that it is; None for what is no such saying, whoever wrote it into the store."""
    found = ADDRESS.fullmatch(markdown) if isinstance(markdown, str) else None
    return found[1] if found else None
