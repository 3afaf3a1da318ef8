"""LightGBM boosters as their own text format: readable, no pickle."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import lightgbm as lgb

from lockgate.records.digest import digest

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["identity", "load", "save"]


def save(value: object, path: Path) -> None:
    """Write the model text."""
    path.write_text(_text(value))


def load(path: Path, kind: type) -> object:
    """Read the model text; one thread per prediction, so that single rows do not pay for a pool."""
    return lgb.Booster(params={"num_threads": 1}, model_str=path.read_text())


def identity(value: object) -> str:
    """Digest the model text without the block of training parameters (thread counts and the like)."""
    trees, _, _ = _text(value).partition("\nparameters:")
    return digest("lightgbm", trees)


def _text(value: object) -> str:
    return cast("lgb.Booster", value).model_to_string()
