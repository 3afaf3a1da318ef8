"""`init --template`: a repository that works as it is, to be changed from there."""

from __future__ import annotations

import hashlib
import random
from importlib import resources
from typing import TYPE_CHECKING, Final

from lockgate import __version__
from lockgate.delivery.own_wheel import own_wheel
from lockgate.durable import write_atomic

if TYPE_CHECKING:
    import datetime as dt
    from importlib.resources.abc import Traversable
    from pathlib import Path

__all__ = ["TEMPLATES", "write_template"]

TEMPLATES: Final = ("gitlab",)
"""Folders of files."""

FOLDER: Final = "templates"
VERSION: Final = (
    "lockgate==VERSION --hash=sha256:WHEEL"  # the one that writes the template is the one that its jobs install
)
SUFFIX: Final = ".txt"  # so that nothing takes a template for code of ours
NAMES: Final = {"gitignore": ".gitignore"}
USUAL: Final = {"rye": 40, "wheat": 90, "walnut": 18}
BUSY: Final = (1.0, 0.9, 0.9, 1.0, 1.3, 1.7, 0.6)  # Monday to Sunday
DAYS: Final = 364


def write_template(root: Path, template: str, *, name: str, today: dt.date) -> tuple[str, ...]:
    """Write the files of a template that do not exist yet, with sales up to yesterday. Answers their names."""
    files = dict(_texts(resources.files("lockgate.delivery") / FOLDER / template, ""))
    wheel, packed = own_wheel()
    ours = f"lockgate=={__version__} --hash=sha256:{hashlib.sha256(packed).hexdigest()}"
    content = {n: t.replace("PROJECT", name).replace(VERSION, ours).encode() for n, t in files.items()}
    content |= {"data/sales.csv": _sales(today).encode(), f"wheels/{wheel}": packed}
    made = tuple(sorted(n for n in content if not (root / n).exists()))
    for path in made:
        write_atomic(root / path, content[path])
    return made


def _texts(folder: Traversable, above: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for item in folder.iterdir():
        if item.is_dir():
            found += _texts(item, f"{above}{item.name}/")
        elif item.name.endswith(SUFFIX):
            name = item.name.removesuffix(SUFFIX)
            found.append((above + NAMES.get(name, name), item.read_text(encoding="utf-8")))
    return found


def _sales(today: dt.date) -> str:
    """What a till would have written. Rows: one per (date, product); the same day gives the same rows."""
    from datetime import timedelta

    chance = random.Random(7)
    lines = ["date,product,units"]
    for number in range(DAYS):
        day = today - timedelta(days=DAYS - number)
        for product, usual in USUAL.items():
            lines.append(f"{day},{product},{max(0, round(chance.gauss(usual * BUSY[day.weekday()], 4)))}")
    return "\n".join(lines) + "\n"
