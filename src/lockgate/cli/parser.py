"""argparse, whose complaints are errors like every other."""

from __future__ import annotations

import argparse
from typing import NoReturn

from lockgate.errors import UsageError, did_you_mean

__all__ = ["Parser"]


class Parser(argparse.ArgumentParser):
    """Wrong usage is a UsageError like every other mistake."""

    def error(self, message: str) -> NoReturn:
        head, _, known = message.rpartition(" (choose from ")
        _, _, value = head.partition(": invalid choice: ")
        allowed = did_you_mean(value[1:-1], [n.strip("' )") for n in known.split(",")]) if head else ""
        what = head.removesuffix(f": {value}") if value else message
        raise UsageError(what, value=value[1:-1], allowed=allowed, next=f"{self.prog} --help")
