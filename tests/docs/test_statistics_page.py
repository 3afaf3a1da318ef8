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


USED, OFFERED = PAGE.split("**What gates use:**")[1].split("What cannot be had")[0].split("**What is there for you**")
PLACE = re.compile(r"^\|[^|]*\| `(\w+)\.(\w+)`", re.MULTILINE)


def test_every_place_exists():
    places = PLACE.findall(USED + OFFERED)
    assert len(places) == 17
    for module, name in places:
        assert hasattr(importlib.import_module(f"lockgate.evaluation.{module}"), name)


def test_gates_use_the_first_table_and_nothing_of_the_second():
    source = Path(__file__).parents[2] / "src" / "lockgate"
    gates = "\n".join(path.read_text() for path in (source / "gates").rglob("*.py"))
    by_evaluation = (
        source / "evaluation" / "calibration.py"
    ).read_text()  # through which the calibration gate uses `bca`
    for module, name in PLACE.findall(USED):
        assert imports(gates if module != "bca" else by_evaluation, module, name), f"no gate uses {module}.{name}"
    for module, name in PLACE.findall(OFFERED):
        assert not imports(gates, module, name), f"a gate uses {module}.{name}"


def imports(source: str, module: str, name: str) -> bool:
    """Whether any line (or bracket) of imports from the module has the name."""
    found = re.findall(rf"from lockgate\.evaluation\.{module} import (\([^)]*\)|.*)", source)
    return any(re.search(rf"\b{name}\b", names) for names in found)
