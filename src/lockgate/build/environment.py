"""What the caller's environment shows to user code.

On import, everything but what holds secrets, by its name or by its value; in a step, what tells where programs, packages and certificates
lie and how text and time are read, and the names that its code spells out, whose values are part of its key.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["for_steps", "hidden", "hidden_file", "missed", "without_secrets"]

MACHINE = (
    "PATH", "LANG", "LANGUAGE", "TZ", "TZDIR", "PYTHONTZPATH", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "OPENBLAS_CORETYPE", "LOGNAME", "USER",
)  # fmt: skip
# Steps run beside each other; numeric libraries that each take every core slow all of them down, and another thread
# count may round differently: the count is the same for everybody, so it needs no place in the key.
FIXED = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
         "PYTHONHASHSEED": "0"}  # fmt: skip  # a set has one order in every run
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
KEY_FILE = re.compile(
    r"\.(pem|key|p12|pfx|jks|keystore|kdbx|ppk|gpg|asc)$|^id_(rsa|dsa|ecdsa|ed25519)|^htpasswd$|service[-_]?account",
    re.IGNORECASE,
)
"""Names of files that hold keys, whatever their project calls its variables."""
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
    """What to say beside an error of user code: it may lack a package, or a variable that it was not shown.

    >>> missed("KeyError: 'PGPASSWORD'")
    'PGPASSWORD looks like a secret: Lockgate removed it from what the code of a project sees'
    >>> missed("ModuleNotFoundError: No module named 'torch'")[:57]
    'a module of the project, or of a package installed where '
    """
    if error.startswith("ModuleNotFoundError: "):
        return f"a module of the project, or of a package installed where Lockgate runs ({sys.prefix})"
    name = error.strip().removeprefix("KeyError: '").removesuffix("'")
    if not NAME.fullmatch(name) or not (_named_like_one(name) or ADDRESS.search(name)):
        return ""
    return f"{name} looks like a secret: Lockgate removed it from what the code of a project sees"


def hidden_file(path: str) -> bool:
    """Whether a file is hidden, or it or a folder above it is named like something that holds a secret. Python modules are code.

    >>> [hidden_file(p) for p in ("config/secrets.toml", "service-account.json", "tls/site.pem", ".env", "secrets/a.json")]
    [True, True, True, True, True]
    >>> [hidden_file(p) for p in ("shop/token.py", "config/columns.toml", "shop/monkeys.json")]
    [False, False, False]
    """
    parts = path.split("/")
    if any(part.startswith(".") for part in parts):
        return True
    if parts[-1].endswith(".py"):
        return False
    return any(KEY_FILE.search(part) or _named_like_one(re.sub(r"[-. ]", "_", part.split(".")[0])) for part in parts)


def _named_like_one(name: str) -> bool:
    return name not in PLAIN and bool(SECRET.search(name))


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """A person who approves runs the author's modules to read their declarations: they must not see that person's keys.

    >>> without_secrets({"HOME": "/home/ada", "LOCKGATE_KEY": "k", "AWS_SECRET_ACCESS_KEY": "s"})
    {'HOME': '/home/ada'}
    """
    return {name: value for name, value in environment.items() if not hidden(name, value)}


def for_steps(environment: Mapping[str, str]) -> dict[str, str]:
    """What every step sees.

    >>> for_steps({"LANG": "C.UTF-8", "HOME": "/home/ada", "RATE": "3"})["LANG"]
    'C.UTF-8'
    >>> "RATE" in for_steps({"RATE": "3"})
    False
    """
    kept = {n: v for n, v in environment.items() if n in MACHINE or n.startswith("LC_")}
    return {**kept, **FIXED}
