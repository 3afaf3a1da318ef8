"""The page about statistics: its code runs, and every place that its table names exists."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "statistics.md").read_text()


def test_the_code_runs(capsys):
    exec(re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1], {})
    printed = capsys.readouterr().out
    assert "bootstrap-t over single rows" in printed
    assert "joint over 2 groups" in printed


def test_every_place_exists():
    for module, name in re.findall(r"`(\w+)\.(\w+)`", PAGE.split("| question")[1].split("What cannot")[0]):
        assert hasattr(importlib.import_module(f"lockgate.evaluation.{module}"), name)
