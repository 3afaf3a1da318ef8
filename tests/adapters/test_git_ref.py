"""Anchors in a git ref: kept in order, beside the branches, never lost to what somebody else pushed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lockgate.adapters.git_ref import GitRef
from lockgate.errors import ServiceUnavailable


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "code"
    root.mkdir()
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "config", "user.name", "Dev")
    git(root, "config", "user.email", "dev@example.org")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "code")
    return root


def test_anchors_come_back_in_their_order_and_touch_nothing_else(repository: Path) -> None:
    place = GitRef(repository, "demand/shop")
    assert place.every() == []
    made = [place.add(data, "an anchor") for data in (b"one\n", b"", b"two\nlines\n")]
    assert place.every() == list(zip(made, (b"one\n", b"", b"two\nlines\n"), strict=True))
    assert place.ref == "refs/lockgate/demand-shop"
    assert git(repository, "log", "--format=%s", "main") == "code"
    assert git(repository, "status", "--porcelain") == ""
    assert GitRef(repository, "other").every() == []


def test_a_commit_without_a_checkpoint_is_there_and_empty(repository: Path) -> None:
    place = GitRef(repository, "shop")
    first = place.add(b"one\n", "an anchor")
    git(
        repository,
        "update-ref",
        place.ref,
        git(repository, "commit-tree", f"{git(repository, 'mktree')}", "-p", first, "-m", "none"),
    )
    last = place.add(b"two\n", "an anchor")
    assert [data for _, data in place.every()] == [b"one\n", b"", b"two\n"]
    assert place.every()[-1][0] == last


def test_what_was_pushed_is_never_overwritten(repository: Path, tmp_path: Path) -> None:
    git(repository, "init", "--quiet", "--bare", str(tmp_path / "origin"))
    git(repository, "remote", "add", "origin", str(tmp_path / "origin"))
    place = GitRef(repository, "shop")
    place.fetch("origin")  # nothing is there yet
    place.add(b"one\n", "an anchor")
    place.push("origin")
    git(repository, "update-ref", "-d", place.ref)
    place.add(b"rewritten\n", "an anchor")
    with pytest.raises(ServiceUnavailable, match="git push failed"):
        place.push("origin")
    place.fetch("origin")
    assert sorted(data for _, data in place.every()) == [b"one\n", b"rewritten\n"]


def test_where_there_is_no_repository_there_is_no_anchor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert GitRef(tmp_path, "shop").every() == []
    with pytest.raises(ServiceUnavailable, match="not a git repository"):
        GitRef(tmp_path, "shop").add(b"one\n", "an anchor")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert GitRef(tmp_path, "shop").every() == []
