"""git is started in one place, and a project's files cannot decide what it runs there."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lockgate.adapters.git_branch.address import address_of
from lockgate.adapters.git_ref import GitRef
from lockgate.adapters.gitlab.place import missing
from lockgate.delivery.approval.editors import edited_since
from lockgate.delivery.forge.render import yaml_files
from lockgate.delivery.lineage import check_whole_history, code_authors, commit_of

HOUSE = Path(__file__).resolve().parents[2] / "src" / "lockgate"
THE_PLACE = "git_calls.py"
STARTING = {"run", "Popen", "call", "check_call", "check_output", "create_subprocess_exec", "create_subprocess_shell", "execvp", "execvpe", "execlp", "posix_spawnp", "spawnvp"}  # fmt: skip


def starts_of_git(source: bytes) -> Iterator[int]:
    """Lines that start a program, and commands, whose first word is git, however its path is written."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.List | ast.Tuple) and len(node.elts) > 1 and _is_git(node.elts[0]):
            yield node.lineno
        if isinstance(node, ast.Call) and node.args and _is_git(node.args[0]):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in STARTING:
                yield node.lineno


def _is_git(node: ast.AST) -> bool:
    text = node.value if isinstance(node, ast.Constant) else None
    return isinstance(text, str) and (text.split() or [""])[0].rpartition("/")[2] == "git"


def test_git_is_started_in_one_place() -> None:
    found = {p.relative_to(HOUSE).as_posix() for p in HOUSE.rglob("*.py") if [*starts_of_git(p.read_bytes())]}
    assert found == {THE_PLACE}


@pytest.mark.parametrize(
    "line", ["subprocess.run(['git', *rest])", "command = ('/usr/bin/git', 'log')", "subprocess.Popen('git log')", "os.execvp('git', rest)"]
)  # fmt: skip
def test_another_start_would_be_found(line: str) -> None:
    assert [*starts_of_git(line.encode())] == [1]


READS: dict[str, Callable[[Path], object]] = {
    "commit": lambda root: commit_of(root, ["policy.toml"]),
    "authors": lambda root: code_authors(root, ["policy.toml"]),
    "history": check_whole_history,
    "editors": lambda root: edited_since(root, ["policy.toml"]),
    "remote of a store": lambda root: missing("gitlab:", root),
    "remote of a ledger": lambda root: address_of("origin", root),
    "files of a pipeline": yaml_files,
    "anchors": lambda root: GitRef(root, "shop").every(),
}


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    top = tmp_path / "clone"
    git(tmp_path, "init", "--quiet", "--initial-branch=main", "clone")
    git(top, "config", "user.name", "ann")
    git(top, "config", "user.email", "ann@example.org")
    (top / "shop").mkdir()
    (top / "shop" / "policy.toml").write_text("")
    git(top, "add", "--all")
    git(top, "commit", "--quiet", "--message", "first")
    return top


def program(path: Path, ran: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho \"$0\" >> '{ran}'\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("read", READS)
def test_a_folder_that_looks_like_a_repository_runs_nothing(
    repository: Path, read: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files are the project's, settings and hooks among them; git would take the project's root for a bare repository."""
    root, ran = repository / "shop", repository.parent / "ran"
    git(root, "init", "--quiet", "--bare", "--template=", ".")
    git(root, "config", "core.bare", "false")
    git(root, "config", "core.worktree", str(root))
    armed(root, ran, at=root)
    monkeypatch.delenv("CI", raising=False)
    READS[read](root)
    assert not ran.exists()


@pytest.mark.parametrize("read", READS)
def test_what_is_set_in_the_clone_runs_nothing_where_we_only_read(repository: Path, read: str) -> None:
    """A watcher of files that a colleague recommends may lie in the project's tree."""
    ran = repository.parent / "ran"
    armed(repository, ran, at=repository / ".git")
    READS[read](repository / "shop")
    assert not ran.exists()


def armed(root: Path, ran: Path, *, at: Path) -> None:
    """Settings and hooks that run a program of the tree when git looks, or notes down what it saw."""
    git(root, "config", "core.fsmonitor", str(program(root / "watch", ran)))
    git(root, "config", "core.hooksPath", str(at / "hooks"))
    for name in ("post-index-change", "reference-transaction", "fsmonitor-watchman"):
        program(at / "hooks" / name, ran)


def test_the_twin_an_ordinary_clone_says_what_it_knows(repository: Path) -> None:
    root = repository / "shop"
    git(root, "remote", "add", "origin", "git@gitlab.example.org:group/shop.git")
    (root / "ci.yml").write_text("")
    commit, differs = commit_of(root, ["policy.toml"])
    assert (commit, differs) == (git(root, "rev-parse", "HEAD"), False)
    assert code_authors(root, ["policy.toml"]) == ("ann", "ann@example.org")
    assert edited_since(root, ["policy.toml"]).names == ("ann", "ann@example.org")
    assert address_of("origin", root) == "git@gitlab.example.org:group/shop.git"
    assert yaml_files(root) == ["ci.yml"]


def test_variables_of_a_hook_and_secrets_stay_with_us(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Called from a hook of another repository, git is asked about the project's own; a setting of the environment counts on."""
    seen = repository.parent / "seen"
    wrapper = repository.parent / "bin" / "git"
    wrapper.parent.mkdir()
    real = subprocess.run(["which", "git"], check=True, capture_output=True, text=True).stdout.strip()
    wrapper.write_text(f"#!/bin/sh\nenv >> '{seen}'\nexec {real} \"$@\"\n")
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:/usr/bin:/bin")
    monkeypatch.setenv("GIT_DIR", str(repository.parent / "nowhere"))
    monkeypatch.setenv("LOCKGATE_KEY", "glpat-secret")
    monkeypatch.setenv("CI_JOB_TOKEN", "glpat-secret")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "log.showRoot")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "true")
    assert commit_of(repository / "shop", ["policy.toml"])[0]
    assert "glpat-secret" not in seen.read_text()
    assert "GIT_CONFIG_KEY_0=log.showRoot" in seen.read_text()
