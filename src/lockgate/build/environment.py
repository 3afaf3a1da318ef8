"""What the caller's environment shows to user code: everything but what holds secrets, by its name or by its value."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["hidden", "missed", "without_secrets"]

SECRET = re.compile(
    r"(PASSWORD|PASSWD|PASSPHRASE|PWD|APIKEY|TOKEN|SECRETS?|CREDENTIALS?)$"
    r"|(^|_)(PAT|AUTH|PASS)$|(^|_)(PASSWORD|TOKEN|SECRET|CREDENTIAL)S?_"
    r"|(API|ACCESS|ACCOUNT|AUTH|DEPLOY|ENCRYPTION|LOCKGATE|MASTER|PRIVATE|SECRET|SIGNING|SSH)_?KEYS?(_|$)|^KEYS?$|^SSH_AUTH_SOCK$",
    re.IGNORECASE,
)
PLAIN = frozenset({"PWD", "OLDPWD"})
"""The shell's working folders, not passwords."""

ADDRESS = re.compile(r"(^|_)(URL|URI|DSN)$", re.IGNORECASE)
NAME = re.compile("[A-Z][A-Z0-9_]*")
WITH_PASSWORD = re.compile(r"://[^/@\s]*:[^/@\s]+@")


def hidden(name: str, value: str) -> bool:
    """Whether user code must not see this variable.

    >>> [hidden(n, "x") for n in ("PGPASSWORD", "GITHUB_PAT", "OPENAI_APIKEY", "SORT_KEY", "PWD")]
    [True, True, True, False, False]
    >>> hidden("DATABASE_URL", "postgres://ada:pw@host/db"), hidden("DATABASE_URL", "postgres://host/db")
    (True, False)
    """
    return _named_like_one(name) or bool(ADDRESS.search(name) and WITH_PASSWORD.search(value))


def missed(error: str) -> str:
    """What to say beside an error of user code: it may have looked for a variable that it was not shown.

    >>> missed("KeyError: 'PGPASSWORD'")
    'PGPASSWORD looks like a secret: Lockgate removed it from what the code of a project sees'
    """
    name = error.strip().removeprefix("KeyError: '").removesuffix("'")
    if not NAME.fullmatch(name) or not (_named_like_one(name) or ADDRESS.search(name)):
        return ""
    return f"{name} looks like a secret: Lockgate removed it from what the code of a project sees"


def _named_like_one(name: str) -> bool:
    return name not in PLAIN and bool(SECRET.search(name))


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """A person who approves runs the author's modules to read their declarations: they must not see that person's keys.

    >>> without_secrets({"HOME": "/home/ada", "LOCKGATE_KEY": "k", "AWS_SECRET_ACCESS_KEY": "s"})
    {'HOME': '/home/ada'}
    """
    return {name: value for name, value in environment.items() if not hidden(name, value)}
