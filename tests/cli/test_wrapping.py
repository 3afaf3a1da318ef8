"""What is printed fits a terminal: errors break between words, commands stay whole, a table's last column goes on below."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journeys.walking import OUTSIDE, Lockgate

from lockgate.cli.main import main
from lockgate.cli.render import table
from lockgate.cli.wrapping import columns, told
from lockgate.errors import UsageError

COMMAND = (
    'lockgate approve 3f9a1c20be47 --role product-owner --reason "…" --accept champion --accept slices --env production'
)
LONG = "a sentence that goes on for much longer than any terminal is wide, " * 3


def test_no_line_is_longer_but_a_command() -> None:
    error = UsageError(
        LONG.strip(), value="x" * 30, allowed=LONG, next=f"lockgate evidence 3f9a\n           {COMMAND}   ({LONG})"
    )
    lines = told(str(error), 100).splitlines()
    assert [line.strip() for line in lines if len(line) > 100] == [COMMAND]
    assert [line[:11] for line in lines if line.startswith(("  allowed: ", "  next:    "))] == [
        "  allowed: ",
        "  next:    ",
    ]
    assert " ".join(told(str(error), 100).split()) == " ".join(str(error).split()), "no word is lost"


def test_a_command_can_be_copied() -> None:
    lines = told(f"waits\n  next:    {COMMAND}   (as a trustee)", 100).splitlines()
    assert lines[1:] == [f"  next:    {COMMAND}", f"{' ' * 15}(as a trustee)"]
    assert shlex.split(lines[1].removeprefix("  next:    "))[0] == "lockgate"


@given(st.text(), st.integers(40, 200))
def test_whatever_it_says_every_word_is_there(said: str, width: int) -> None:
    error = str(UsageError("wrong", value=said, allowed=said, next=said))
    assert "".join(told(error, width).split()) == "".join(told(error, 10**6).split())


@pytest.mark.parametrize(("said", "wide"), [("", 100), ("72", 72), ("3", 40), ("many", 100), ("-5", 100)])
def test_the_width_is_what_the_terminal_says(monkeypatch: pytest.MonkeyPatch, said: str, wide: int) -> None:
    monkeypatch.setenv("COLUMNS", said)
    assert columns() == wide


def test_an_error_on_stderr_fits(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert main(["no-such-command"]) == 2
    assert all(len(line) <= 60 for line in capsys.readouterr().err.splitlines())


def test_a_refusal_in_a_terminal(tmp_path: Path) -> None:
    Lockgate(tmp_path)("init", "--template", "gitlab", "shop")
    env = dict.fromkeys(("CI", "CI_API_V4_URL", "LOCKGATE_GITLAB_TOKEN", "COLUMNS"), "")
    refused = Lockgate(tmp_path / "shop", env)("init", "--person", "ada", expect=OUTSIDE)
    assert all(len(line) <= 100 for line in refused.err.splitlines()), refused.err


def test_the_last_column_goes_on_below() -> None:
    needs = ", ".join(f"gate:number_{n}" for n in range(12))
    lines = table([["evaluation", "report", needs]], whole=True).splitlines()
    assert len(lines) > 1
    assert all(len(line) <= 100 for line in lines)
    assert {line[: len("evaluation  report  ")] for line in lines[1:]} == {" " * len("evaluation  report  ")}
    assert " ".join(" ".join(lines).split()) == f"evaluation report {needs}"
    narrow = table([["s", "x" * 90, needs]], whole=True).splitlines()
    assert narrow[0] == f"s  {'x' * 90}"
    assert all(line.startswith("    gate:") and len(line) <= 100 for line in narrow[1:])
    assert table([["s", "job", ""]], whole=True) == "s  job"
    assert table([["s", "job", needs]]).endswith("…"), "elsewhere it is cut"
