"""LightGBM boosters as their own text format: readable, no pickle."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import lightgbm as lgb

from lockgate.records.digest import digest

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["identity", "identity_of_text", "load", "save"]


def save(value: object, path: Path) -> None:
    """Write the model text."""
    path.write_bytes(_text(value).encode())


def load(path: Path, kind: type) -> object:  # noqa: ARG001 — a booster is read as nothing else
    """Read the model text. How many threads predict is for the process to say (OMP_NUM_THREADS): the text cannot."""
    return lgb.Booster(model_str=path.read_bytes().decode())


def identity(value: object) -> str:
    """Digest the model text without the block of training parameters (thread counts and the like)."""
    return identity_of_text(_text(value))


def identity_of_text(text: str) -> str:
    """The same of a model's text, without parsing it: LightGBM ends the whole process over a text that is none."""
    trees, _, rest = text.partition("\nparameters:")
    return digest("lightgbm", [trees, rest.partition("\nend of parameters")[2]])


def _text(value: object) -> str:
    return cast("lgb.Booster", value).model_to_string()
