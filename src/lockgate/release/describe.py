"""`python -I -m lockgate.release.describe CODE module:qualname`: print a predictor's description as JSON."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from lockgate.declare import Predictor
from lockgate.errors import LockgateError, UsageError
from lockgate.records.wire import to_json
from lockgate.release.open import import_code, one_thread
from lockgate.release.schema import describe

__all__ = ["main"]


def main(arguments: Sequence[str]) -> int:
    """Import the code from its folder and describe the predictor in one JSON line."""
    code, (module, _, qualname) = Path(arguments[0]), arguments[1].partition(":")
    one_thread()
    try:
        found = functools.reduce(getattr, qualname.split("."), import_code(code, module))
        if not isinstance(found, Predictor):
            raise UsageError("not a predictor", value=arguments[1], next="decorate it with @predictor(…)")
        reply = {"spec": to_json(describe(found, qualname=qualname))}
    except LockgateError as error:
        parts = {"kind": type(error).__name__, "what": error.what, "value": error.value}
        reply = {"error": {**parts, "allowed": error.allowed, "next": error.next}}
    sys.stdout.write("\n" + json.dumps(reply) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
