"""The two demo people: a scientist, who works here, and a product owner, whose key the demo holds for the viewer."""

from __future__ import annotations

import json
from pathlib import Path

from demo.terminal import command, quiet

__all__ = ["OWNER", "OWNER_KEY", "introduce"]

OWNER = "demo owner"
OWNER_KEY = Path(".lockgate/demo/product-owner")


def introduce() -> None:
    """Make both, once. The scientist holds the owner's role too: what forbids signing is that it is own work."""
    if not Path(".lockgate/key").exists():
        command("init", "--person", "scientist", "--role", "product-owner")
    if OWNER not in [p["name"] for p in json.loads(quiet("people", "--json"))["people"]]:
        command("people", "add", OWNER, "--role", "product-owner", "--new-key", str(OWNER_KEY))
