"""What the caller's environment shows to user code: everything but the names that hold secrets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["without_secrets"]

SECRET = re.compile(
    r"(^|_)(KEY|KEYS|SECRET|SECRETS|TOKEN|PASSWORD|PASSWD|CREDENTIALS?)(_|$)|^SSH_AUTH_SOCK$|^LOCKGATE_KEY$",
    re.IGNORECASE,
)


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """A person who approves runs the author's modules to read their declarations: they must not see that person's keys.

    >>> without_secrets({"HOME": "/home/ada", "LOCKGATE_KEY": "k", "AWS_SECRET_ACCESS_KEY": "s"})
    {'HOME': '/home/ada'}
    """
    return {name: value for name, value in environment.items() if not SECRET.search(name)}
