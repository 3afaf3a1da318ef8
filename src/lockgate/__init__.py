"""Lockgate: continuous delivery for machine learning.

The facade: what a project imports. Every name is loaded on first use, so that `lockgate --help` pays for none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lockgate import gates
    from lockgate.declare import (
        Choices,
        Horizon,
        Html,
        Pipeline,
        Range,
        Svg,
        approval,
        deploy_to,
        predictor,
        step,
    )
    from lockgate.declare_command import command
    from lockgate.declare_reason import Reason

__version__ = "0.1.0"

__all__ = [
    "Choices",
    "Horizon",
    "Html",
    "Pipeline",
    "Range",
    "Reason",
    "Svg",
    "approval",
    "command",
    "deploy_to",
    "gates",
    "predictor",
    "step",
]


def __getattr__(name: str) -> object:
    import importlib

    if name == "gates":
        return importlib.import_module("lockgate.gates")
    if name in __all__:
        module = {"command": "lockgate.declare_command", "Reason": "lockgate.declare_reason"}.get(
            name, "lockgate.declare"
        )
        return getattr(importlib.import_module(module), name)
    message = f"module 'lockgate' has no attribute {name!r}"
    raise AttributeError(message)
