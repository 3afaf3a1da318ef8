"""Which files a release carries: what only the delivery imports is no part of it."""

from __future__ import annotations

from pathlib import Path

from lockgate.delivery.snapshot import needed_files, take_snapshot
from lockgate.project import Project, Settings
from lockgate.records.graph import FileState, Graph, Trace

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


def test_what_may_be_secret_large_or_outside_is_named_and_not_kept() -> None:
    files = {"a.py": b"", "token.py": b"", "c.json": b"{}"}
    left = {"config/secrets.toml": b"k", "service-account.json": b"{}", "tls/site.pem": b"", "id_rsa": b"", ".env": b"",
            "big.csv": b"0" * 5_000_001}  # fmt: skip
    there = files | left
    seen = tuple(FileState(p, (0, 0, 0, 0, 0), 0, "") for p in (*there, "/home/ada/rates.csv", "../shared.toml"))
    trace = Trace(interpreter="", files=seen, listings={}, environment={}, packages={}, preload=())
    settings = Settings(name="shop", pipelines=(), sources=(), sinks=(), params={})
    graph = Graph(nodes={}, order=(), pipelines={}, trace=trace)
    found = take_snapshot(Project(Path("/p"), settings), graph, lambda paths: {p: there[p] for p in paths})
    assert set(found.files) == set(files)
    assert set(found.left_out) == {*left, "rates.csv", "shared.toml"}
