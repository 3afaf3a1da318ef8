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


@pytest.mark.parametrize("is_evil", [True, False])
def test_a_projects_files_are_no_repository_with_hooks(
    repository: Path, is_evil: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of a repository can hold what looks like a bare one. The twin: the folder's own repository runs its owner's hooks."""
    root, seen = repository / "project", repository.parent / "seen"
    root.mkdir()
    if is_evil:
        git(root, "init", "--quiet", "--bare", "--template=", ".")
    hook = (root if is_evil else repository / ".git") / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\necho ran; env >> '{seen}'\n")
    hook.chmod(0o755)
    monkeypatch.setenv("LOCKGATE_LEDGER_TOKEN", "glpat-secret")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Dev")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "dev@example.org")
    if is_evil:
        with pytest.raises(ServiceUnavailable, match="bare repository"):
            GitRef(root, "shop").add(b"one\n", "an anchor")
        assert not seen.exists()
    else:
        GitRef(root, "shop").add(b"one\n", "an anchor")
        assert "PATH=" in seen.read_text()
        assert "glpat-secret" not in seen.read_text()
