"""Which files a release carries: what only the delivery imports is no part of it."""

from __future__ import annotations

from pathlib import Path

from lockgate.delivery.reproduction.snapshot import needed_files, take_snapshot
from lockgate.project import Project, Settings
from lockgate.records.graph import Definition, FileState, Graph, Node, PipelineInfo, Trace

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


def test_what_training_imports_by_text_or_its_steps_use_stays() -> None:
    files = {
        "p.py": b"import importlib\nrules = importlib.import_module('rules')\nother = __import__('deep.other')\n",
        "rules.py": b"", "deep/__init__.py": b"", "deep/other.py": b"", "computed.py": b"", "limits.py": b"",
        "d.py": b"import p, rules, deep.other, computed, limits",
    }  # fmt: skip
    found = needed_files(files, modules=["p"], delivery_only=["d"], named={"computed.py"})
    assert set(files) - set(found) == {"d.py", "limits.py"}


def test_what_may_be_secret_large_or_outside_is_named_and_not_kept() -> None:
    files = {"a.py": b"", "token.py": b"", "c.json": b"{}"}
    left = {"config/secrets.toml": b"k", "service-account.json": b"{}", "tls/site.pem": b"", "id_rsa": b"", ".env": b"",
            "big.csv": b"0" * 5_000_001}  # fmt: skip
    there = files | left
    seen = tuple(FileState(p, (0, 0, 0, 0, 0), 0, "") for p in (*there, "/home/ada/rates.csv", "/venv/polars.py"))
    trace = Trace(interpreter="", files=seen, listings={}, environment={}, packages={}, preload=())
    settings = Settings(name="shop", pipelines=(), sources=(), sinks=(), params={})
    read = (Definition("file c.json", "c.json", 0, ""), Definition("file rates.csv", "", 0, ""))
    node = Node(
        name="shop.a", target="a:a", inputs={}, input_types={}, parameters={}, type="", codec="", definitions=read, packages=(),
    )  # fmt: skip
    info = PipelineInfo(name="shop", kind="training", module="a", nodes=("shop.a",))
    graph = Graph(nodes={"shop.a": node}, order=("shop.a",), pipelines={"shop": info}, trace=trace)
    found = take_snapshot(Project(Path("/p"), settings), graph, lambda paths: {p: there[p] for p in paths})
    assert set(found.files) == set(files)
    assert set(found.left_out) == {*left, "rates.csv"}
