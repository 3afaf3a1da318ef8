"""A git ref as a place for anchors: each is a commit with one file, behind the one before it.

The ref is no branch: it touches no working tree and no index. Pushed, it lies where others keep it, and a remote that
refuses what is no fast-forward keeps it from being rewritten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lockgate.errors import NotFound, ServiceUnavailable
from lockgate.git_calls import careful

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["GitRef"]

FILE: Final = "checkpoint.json"


class GitRef:
    """Anchors under `refs/lockgate/NAME`, and what was fetched of it under `refs/lockgate-fetched/REMOTE/NAME`."""

    def __init__(self, root: Path, name: str) -> None:
        self._root = root
        self._name = "".join(c if c.isalnum() or c in "_-" else "-" for c in name)
        self.ref = f"refs/lockgate/{self._name}"

    def add(self, data: bytes, message: str) -> str:
        """Keep one more; the commit. NotFound without a repository, ServiceUnavailable when git refuses."""
        before = self._try("rev-parse", "--verify", "--quiet", self.ref) or ""
        blob = self._git("hash-object", "-w", "--stdin", given=data)
        tree = self._git("mktree", given=f"100644 blob {blob}\t{FILE}\n".encode())
        parents = ["-p", before] if before else []
        commit = self._git("commit-tree", tree, *parents, "-m", message)
        self._git("update-ref", self.ref, commit, before)
        return commit

    def every(self) -> list[tuple[str, bytes]]:
        """Commit and content of every anchor here, own and fetched, oldest first; empty where there is no repository."""
        listed = self._try("for-each-ref", "--format=%(refname)", self.ref, f"refs/lockgate-fetched/**/{self._name}")
        refs = (listed or "").split()
        commits = (self._git("rev-list", "--reverse", *refs) if refs else "").split()
        return list(zip(commits, self._files(commits), strict=True))

    def push(self, remote: str) -> None:
        """Give them to a remote; never by force."""
        self._git("push", "--quiet", remote, f"{self.ref}:{self.ref}")

    def fetch(self, remote: str) -> None:
        """Take those of a remote, to hold the ledger against them; none there is no error."""
        if self._git("ls-remote", remote, self.ref):
            self._git("fetch", "--quiet", remote, f"+{self.ref}:refs/lockgate-fetched/{remote}/{self._name}")

    def _files(self, commits: list[str]) -> Iterator[bytes]:
        """The file of each commit, by one process for all; empty where a commit has none."""
        asked = "".join(f"{commit}:{FILE}\n" for commit in commits).encode()
        answer = self._run("cat-file", "--batch", given=asked).stdout if commits else b""
        for _ in commits:
            head, _, answer = answer.partition(b"\n")
            *_, kind, size = (b"", *head.split())
            length = int(size) if kind == b"blob" else 0
            yield answer[:length]
            answer = answer[length + 1 :] if kind == b"blob" else answer

    def _git(self, *arguments: str, given: bytes | None = None) -> str:
        done = self._run(*arguments, given=given)
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip()
            raise ServiceUnavailable(
                f"git {arguments[0]} failed", value=" ".join(said.split()), allowed=f"a repository with {self.ref}",
                next=f"git log {self.ref}",
            )  # fmt: skip
        return done.stdout.decode("utf-8", "replace").strip()

    def _try(self, *arguments: str) -> str | None:
        try:
            done = self._run(*arguments)
        except NotFound:
            return None
        return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else None

    def _run(self, *arguments: str, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        try:
            return careful(self._root, *arguments, given=given)
        except NotFound as error:
            raise NotFound(
                "anchors are kept in git, which is not here", value=str(self._root), next="install git"
            ) from error
