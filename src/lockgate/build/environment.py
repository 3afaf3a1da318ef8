"""What the caller's environment shows to user code.

On import, everything but the names that hold secrets; in a step, what tells where programs, packages and certificates
lie and how text and time are read, and the names that its code spells out, whose values are part of its key.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["for_steps", "without_secrets"]

MACHINE = (
    "PATH", "LANG", "LANGUAGE", "TZ", "TZDIR", "PYTHONTZPATH", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "OPENBLAS_CORETYPE", "LOGNAME", "USER",
)  # fmt: skip
# Steps run beside each other; numeric libraries that each take every core slow all of them down, and another thread
# count may round differently: the count is the same for everybody, so it needs no place in the key.
FIXED = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
         "PYTHONHASHSEED": "0"}  # fmt: skip  # a set has one order in every run
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


def for_steps(environment: Mapping[str, str]) -> dict[str, str]:
    """What every step sees.

    >>> for_steps({"LANG": "C.UTF-8", "HOME": "/home/ada", "RATE": "3"})["LANG"]
    'C.UTF-8'
    >>> "RATE" in for_steps({"RATE": "3"})
    False
    """
    kept = {n: v for n, v in environment.items() if n in MACHINE or n.startswith("LC_")}
    return {**kept, **FIXED}
