"""What differs between two releases' files, in words; and what is no difference at all."""

from __future__ import annotations

import pytest

from lockgate.delivery.comparison.composition import _code, _versions, same_code

STEP = '"""A shop."""\nRATE = 1.0\n\n\ndef model(x):\n    """Fit."""\n    return x * RATE\n\n\ndef tidy(x):\n    return x\n'


def words(before: str, after: str, path: str = "shop/steps.py") -> list[str]:
    return list(_code({path: before}, {path: after}))


@pytest.mark.parametrize(
    "after",
    [
        STEP.replace('"""Fit."""', '"""Fit it well."""'),
        STEP.replace('    """Fit."""\n', ""),
        STEP.replace("return x\n", "return x  # as it is\n"),
        STEP.replace("return x * RATE", "return (x\n        * RATE)"),
        "# mine\n" + STEP.replace('"""A shop."""\n', ""),
    ],
)
def test_comments_docstrings_and_layout_are_no_code(after: str) -> None:
    assert same_code({"a.py": STEP}, {"a.py": after})
    (said,) = words(STEP, after)
    assert said.startswith("shop/steps.py: comments and layout only (")


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("x * RATE", "x + RATE", "model"),
        ("RATE = 1.0", "RATE = 2.0", "lines outside of functions"),
        ("def tidy(x):\n    return x", "def neat(x):\n    return x", "neat (new), tidy (gone)"),
        ("def tidy(x)", "def tidy(x, y=1)", "tidy"),
        ("def tidy(x)", "async def tidy(x)", "tidy"),
        ("return x\n", "return (\n", "its text"),
    ],
)
def test_what_an_interpreter_would_see_is_named(old: str, new: str, named: str) -> None:
    after = STEP.replace(old, new)
    assert not same_code({"a.py": STEP}, {"a.py": after})
    (said,) = words(STEP, after)
    assert said.startswith(f"shop/steps.py: {named} (1 line") or said.startswith(f"shop/steps.py: {named} (")


def test_files_that_came_and_went() -> None:
    assert list(_code({"a.py": "x = 1"}, {"b.py": "x = 1"})) == ["a.py is gone", "b.py is new"]
    assert not same_code({"a.py": ""}, {})
    assert not same_code({"rules.json": "{}"}, {"rules.json": "{ }"})  # whoever reads it decides what its layout means
    assert words("{}", "{ }", "rules.json") == ["rules.json: its text (1 line added, 1 removed)"]


def test_packages_by_version_and_by_their_files() -> None:
    before = {"polars": "1.0  # files aa", "gone": "1", "rate": "1.0  # files aa"}
    after = {"polars": "1.1  # files bb", "new": "2", "rate": "1.0  # files bb"}
    assert list(_versions(before, after)) == [
        "gone is gone (it was 1)", "new is new: 2", "polars 1.0 → 1.1", "rate 1.0: the same version, but other files",
    ]  # fmt: skip
