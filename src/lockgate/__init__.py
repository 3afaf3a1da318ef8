"""Lockgate: continuous delivery for machine learning.

The facade: what a project imports. Loading it loads no third-party package; `gates` is loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.declare import (
    Choices,
    Horizon,
    Html,
    Pipeline,
    Svg,
    approval,
    deploy_to,
    predictor,
    step,
)

if TYPE_CHECKING:
    from lockgate import gates

__version__ = "0.1.0"

__all__ = [
    "Choices",
    "Horizon",
    "Html",
    "Pipeline",
    "Svg",
    "approval",
    "deploy_to",
    "gates",
    "predictor",
    "step",
]


def __getattr__(name: str) -> object:
    if name == "gates":
        import importlib

        return importlib.import_module("lockgate.gates")
    message = f"module 'lockgate' has no attribute {name!r}"
    raise AttributeError(message)
