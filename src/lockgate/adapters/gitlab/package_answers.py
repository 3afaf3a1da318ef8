"""What GitLab says when a file of a store is put: which bytes it took, or why it took none and who can change that."""

from __future__ import annotations

import json
from typing import Final

from lockgate.adapters.gitlab.api import GitlabRefuses
from lockgate.adapters.gitlab.package_list import PACKAGE

__all__ = ["refused", "says_duplicate", "taken"]

TOO_LARGE: Final = 413


def says_duplicate(error: GitlabRefuses) -> bool:
    """Whether the group forbids a second file of one name."""
    return "uplicate" in error.value


def taken(answer: bytes) -> str:
    """The sha256 of what GitLab took; empty where it does not say."""
    try:
        said = json.loads(answer)
    except ValueError:
        return ""
    found = said.get("file_sha256") if isinstance(said, dict) else None
    return found if isinstance(found, str) else ""


def refused(error: GitlabRefuses) -> GitlabRefuses:
    """With what to do about it."""
    next = ""
    if says_duplicate(error):
        next = (
            f"the group's Settings › Packages and registries › Generic: allow duplicates, or an exception for {PACKAGE}"
        )
    elif error.code == TOO_LARGE or "too large" in error.value:
        next = 'ask who runs the instance for a larger generic_packages_max_file_size, or keep the store in a bucket: [store] url = "s3://BUCKET/PREFIX"'
    found = GitlabRefuses(error.what, value=error.value, allowed=error.allowed, next=next)
    found.code = error.code
    return found
