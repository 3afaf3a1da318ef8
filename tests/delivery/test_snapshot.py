"""Which files a release carries: what only the delivery imports is no part of it."""

from __future__ import annotations

from lockgate.delivery.snapshot import needed_files

FILES = {
    "shop/__init__.py": b"",
    "shop/pipelines.py": b"from . import prices\nimport shop.deep.rates as r",
    "shop/prices.py": b"def f():\n    from .late import g",
    "shop/late.py": b"",
    "shop/deep/__init__.py": b"",
    "shop/deep/rates.py": b"from ..shared import x",
    "shop/shared.py": b"",
    "shop/delivery.py": b"from shop.pipelines import training\nfrom shop import limits, shared",
    "shop/limits.py": b"",
    "shop/named_by_nobody.py": b"",
    "shop/columns.json": b"{}",
}


def test_limits_of_the_delivery_stay_out() -> None:
    found = needed_files(FILES, modules=["shop.pipelines"], delivery_only=["shop.delivery"])
    assert set(FILES) - set(found) == {"shop/delivery.py", "shop/limits.py"}


def test_without_a_delivery_everything_is_in() -> None:
    assert set(needed_files(FILES, modules=["shop.pipelines"], delivery_only=[])) == set(FILES)
