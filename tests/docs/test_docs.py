"""Docs that cannot lie: the README's tour is executed, the command page is what `--help` says, links lead somewhere."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from lockgate.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
LOCKGATE = Path(sys.executable).parent / "lockgate"
PAGE = ROOT / "docs" / "cli.md"
NAMES = [name for group in COMMANDS.values() for name in group]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}
    return subprocess.run([LOCKGATE, *arguments], cwd=folder, capture_output=True, text=True, env=environment)


def test_the_five_minute_tour_works_as_written(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text()
    block = text.partition("## Five minutes")[2].partition("```console")[2].partition("```")[0]
    folder = tmp_path
    commands = [
        line.partition("#")[0].removeprefix("$ ").strip() for line in block.splitlines() if line.startswith("$ ")
    ]
    assert len(commands) >= 6
    for command in commands:
        words = shlex.split(command)
        if words[0] == "cd":
            folder = folder / words[1]
            continue
        assert words[0] == "lockgate"
        done = run(folder, *words[1:])
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    assert "0 run, 2 reused" in run(folder, "run").stdout


def test_the_command_page_is_what_help_says(tmp_path: Path) -> None:
    """Rewrite it with LOCKGATE_GOLDEN=write."""
    parts = [
        "# The command line\n\nWritten by the tests from `--help`; exit codes are in [design.md](design.md) §4.3.\n"
    ]
    parts += [f"```text\n{run(tmp_path, '--help').stdout.rstrip()}\n```\n"]
    for name in NAMES:
        parts.append(f"## {name}\n\n```text\n{run(tmp_path, name, '--help').stdout.rstrip()}\n```\n")
    page = "\n".join(parts)
    if os.environ.get("LOCKGATE_GOLDEN") == "write":
        PAGE.write_text(page)
    if sys.version_info[:2] == (3, 11):  # argparse lays its help out a little differently from version to version
        assert PAGE.read_text() == page


def test_every_command_in_the_readme_exists() -> None:
    text = (ROOT / "README.md").read_text()
    table = text.partition("| you are |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`([a-z]+)", table))
    assert named <= set(NAMES)
    assert set(NAMES) - named <= {"init", "people", "why"}


@pytest.mark.parametrize(
    "page",
    sorted(
        p.relative_to(ROOT).as_posix()
        for p in [*ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md"), *ROOT.glob("examples/*/README.md")]
    ),
)
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", path.read_text()):
        if not target.startswith(("http:", "https:")):
            assert (path.parent / target).exists(), f"{page}: {target}"


def test_no_tracked_file_names_a_machine_or_a_registry() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    hosts = re.compile(r"https?://[^ ]*(pypi\.org/simple|files\.pythonhosted|registry\.npmjs|deb\.debian)")
    for name in listed:
        path = ROOT / name
        if (
            path.suffix in {".py", ".md", ".toml", ".txt", ".in", ".html", ".css", ""}
            and path.is_file()
            and name != "tests/docs/test_docs.py"
        ):
            assert not hosts.search(path.read_text(errors="replace")), name


def test_no_message_points_at_a_page_that_users_do_not_have() -> None:
    """Whoever installed the package has no `docs/`; what a message has to say, it says itself."""
    for path in sorted((ROOT / "src").rglob("*.py")):
        tree = ast.parse(path.read_text())
        prose = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
        texts = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
        named = [n.value for n in texts if id(n) not in prose and re.search(r"docs/[\w-]+\.md", n.value)]
        assert not named, f"{path.relative_to(ROOT)}: {named}"


@pytest.mark.parametrize("page", ["README.md", "docs/design.md"])
def test_python_on_a_page_is_python(page: str) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        compile(block, page, "exec")
