"""Nothing that a record, a file name or an argument holds steers a terminal."""

from __future__ import annotations

import io

import pytest

from lockgate.build.execute import Event
from lockgate.cli.main import main
from lockgate.cli.progress import Progress
from lockgate.cli.render import plain, table

EVIL = "a\x1b[2J\x1b]0;owned\x07\rb\u202ec\x9bd"


def test_escapes_are_spelled_out() -> None:
    for shown in (plain(EVIL), table([["x", EVIL, "y"], ["x", "z", EVIL]], header=["one", "two", "three"])):
        assert all(c.isprintable() or c == "\n" for c in shown)
        assert "\\x1b[2J" in shown


def test_lines_and_letters_stay() -> None:
    text = "Grün – 10 °C\n\t日本"
    assert plain(text) == text


def test_an_error_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([EVIL]) == 2
    said = capsys.readouterr().err
    assert "\x1b" not in said
    assert "\\x1b[2J" in said


def test_who_only_waits_counts_no_steps() -> None:
    out = io.StringIO()
    progress = Progress(out)
    progress(Event("", "note", "waiting for staging"))
    assert out.getvalue().strip() == "waiting for staging"
    progress(Event("shop.model", "done", "never ran here"))
    assert "1/1  ✓ model" in out.getvalue()
