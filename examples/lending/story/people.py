"""The three people of the example: who makes the model may not approve it, and two others must, each by an own key."""

from __future__ import annotations

import json
from pathlib import Path

from story.terminal import command, quiet

__all__ = ["APPROVERS", "approve", "introduce"]

KEYS = Path(".lockgate/story")
APPROVERS = {"credit-officer": "Carol", "fair-lending-officer": "Frank"}
"""Role → who holds it."""


def introduce() -> None:
    """Make all three, once. The modeller holds both roles, too: what forbids signing is that it is own work."""
    if not Path(".lockgate/key").exists():
        roles = [word for role in APPROVERS for word in ("--role", role)]
        command("init", "--person", "Maya", *roles)
    known = [p["name"] for p in json.loads(quiet("people", "--json"))["people"]]
    for role, name in APPROVERS.items():
        if name not in known:
            command("people", "add", name, "--role", role, "--new-key", str(KEYS / name.lower()))


def approve(role: str, reason: str, *accepted: str) -> None:
    """Sign in a role, with every uncertain gate accepted by name."""
    accept = [word for gate in accepted for word in ("--accept", gate)]
    key = str(KEYS / APPROVERS[role].lower())
    command("approve", "latest", "--role", role, "--reason", reason, *accept, "--key", key)
