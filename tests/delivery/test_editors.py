"""Who edited what a release is judged by, as git has it; real repositories."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lockgate.delivery.approval.editors import edited_since

SHOP = Path(__file__).parents[1] / "projects" / "shop"
FILES = ("policy.toml", "shop/limits.py")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "config", "user.name", "me")
    git(tmp_path, "config", "user.email", "me@example.org")
    (tmp_path / "shop").mkdir()
    write(tmp_path, "ann", "policy.toml", "shop/limits.py", "other.py")
    return tmp_path


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def write(root: Path, who: str, *files: str, text: str = "line\n", more: str = "") -> str:
    """Commit a change of the files as `who`; the commit."""
    for file in files:
        with (root / file).open("a") as open_file:
            open_file.write(text)
    git(root, "add", "--all")
    return signed(root, who, "commit", "--quiet", "--message", f"by {who}{more}")


def signed(root: Path, who: str, *arguments: str) -> str:
    git(root, "-c", f"user.name={who}", "-c", f"user.email={who}@example.org", *arguments)
    return git(root, "rev-parse", "HEAD")


def names(root: Path, since: str = "", files: tuple[str, ...] = FILES) -> list[str]:
    found = edited_since(root, files, since)
    assert found.unknown == ""
    return [n for n in found.names if "@" not in n]


def test_everybody_who_touched_a_file_that_decides_is_named_whoever_came_after(root: Path) -> None:
    write(root, "bob", "policy.toml")
    write(root, "cat", "shop/limits.py", more="\n\nCo-authored-by: dan <dan@example.org>")
    write(root, "eve", "policy.toml")
    write(root, "fay", "other.py")
    assert names(root) == ["ann", "bob", "cat", "eve"]
    assert "dan <dan@example.org>" in edited_since(root, FILES).names


def test_what_was_committed_before_the_policy_in_force_was_signed_is_past(root: Path) -> None:
    since = write(root, "bob", "policy.toml")
    assert names(root, since) == []
    write(root, "cat", "shop/limits.py")
    assert names(root, since) == ["cat"]
    assert edited_since(root, FILES, since).commit == git(root, "rev-parse", "HEAD")


def test_a_commit_that_is_no_ancestor_bounds_nothing(root: Path) -> None:
    """Who goes back to an older, milder policy does not get rid of who wrote it."""
    before = git(root, "rev-parse", "HEAD")
    stricter = write(root, "bob", "policy.toml")
    git(root, "checkout", "--quiet", before)
    assert names(root, stricter) == ["ann"]
    assert names(root, "f" * 40) == ["ann"]


def test_an_edit_on_a_branch_counts_and_so_does_one_in_the_merge(root: Path) -> None:
    since = git(root, "rev-parse", "HEAD")
    git(root, "checkout", "--quiet", "-b", "side")
    write(root, "bob", "policy.toml")
    git(root, "checkout", "--quiet", "main")
    write(root, "cat", "shop/limits.py")
    signed(root, "mia", "merge", "--quiet", "--no-edit", "side")
    assert names(root, since) == ["bob", "cat"], "who only merges edits nothing"
    git(root, "checkout", "--quiet", "-b", "evil", since)
    write(root, "dan", "other.py")
    git(root, "checkout", "--quiet", "main")
    git(root, "merge", "--quiet", "--no-commit", "evil")
    write(root, "eve", "policy.toml")
    assert names(root, since) == ["bob", "cat", "eve"]


@pytest.mark.parametrize("ignored", [True, False])
def test_what_is_not_committed_is_of_whose_copy_it_is(root: Path, ignored: bool) -> None:
    since = git(root, "rev-parse", "HEAD")
    (root / "population.json").write_text("{}")
    (root / ".git/info/exclude").write_text("population.json\n" if ignored else "")
    assert names(root, since, (*FILES, "population.json")) == ["me"]
    (root / "policy.toml").write_text("")
    assert names(root, since) == ["me"]


def test_where_git_cannot_say_it_is_said(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(root.parent))
    (root / "policy.toml").write_text("")
    for key in ("user.name", "user.email"):
        git(root, "config", "--unset", key)
    assert "whose copy" in edited_since(root, FILES).unknown
    (root / ".git").rename(root / "elsewhere")
    assert "no git repository" in edited_since(root, FILES).unknown
    git(root, "init", "--quiet")
    assert "no commit" in edited_since(root, FILES).unknown
    monkeypatch.setenv("PATH", "/nowhere")
    assert "no git repository" in edited_since(root, FILES).unknown


def test_every_file_that_the_declaration_reads_is_a_policy_file(tmp_path: Path) -> None:
    """A reference population, limits in another module, code of an own gate."""
    root = tmp_path / "shop"
    shutil.copytree(SHOP, root, ignore=shutil.ignore_patterns("__pycache__", ".lockgate", "data"))
    (root / "policy.toml").touch()
    (root / "population.json").write_text('{"p1": 0.5}')
    (root / "shop/limits.py").write_text("SHARE = 0.2\n\n\ndef own(scored):\n    return SHARE\n")
    code = root / "shop/delivery.py"
    stages = 'gates.representation("product", "population.json", SHARE),\n        gates.custom(own, at_most=SHARE),'
    text = code.read_text().replace("gates.no_leak(),", stages)
    code.write_text("from shop.limits import SHARE, own\n" + text)
    done = subprocess.run([sys.executable, "-c", ASK], cwd=root, capture_output=True, text=True, check=True)
    files = set(done.stdout.split())
    assert files >= {"policy.toml", "population.json", "shop/limits.py", "shop/delivery.py"}


ASK = """
import datetime as dt
from pathlib import Path
from lockgate.delivery.walk import walk_now
from lockgate.project import open_project
print(*walk_now(open_project(Path.cwd()), now=dt.datetime.now(dt.UTC)).policy_files)
"""


@pytest.mark.parametrize("commit", ["--help", "HEAD", "main", "0" * 40])
def test_what_is_no_commit_of_this_history_hides_nobody(root: Path, commit: str) -> None:
    write(root, "bob", "policy.toml")
    assert names(root, commit) == names(root) == ["ann", "bob"]
