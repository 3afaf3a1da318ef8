"""A branch of a git remote, through a bare repository of our own: no working tree, no index, and no ref of the user's is touched.

Credentials never stand in arguments, which everybody on a machine can read: the remote's address and a token travel in git's
environment. `LOCKGATE_LEDGER_TOKEN` is used for https remotes (http on this machine itself), in place of whatever the address says:
for the host of the job's own instance or of `LOCKGATE_LEDGER_HOST`, and nowhere that a redirect leads to.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

from lockgate.adapters.git_branch.address import address_of
from lockgate.adapters.git_branch.calls import cleaned, environment, need_untracked
from lockgate.durable import locked
from lockgate.errors import IntegrityError, ServiceUnavailable
from lockgate.git_calls import PASSWORD, git, why
from lockgate.records.forge_job import NEAR
from lockgate.records.token_host import LEDGER_TOKEN, need_host

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

__all__ = ["BranchCopy"]

REDIRECTED: Final = re.compile(r"\b30[1278]\b|redirect")
FETCHED: Final = "refs/lockgate/fetched"
MADE: Final = "refs/lockgate/made"
WHO: Final = "lockgate <lockgate@localhost>"
REACHING: Final = ("ls-remote", "fetch", "push")


class BranchCopy:
    """What a branch holds, and commits behind it. `files` and `contents` are of a commit that `newest` answered."""

    def __init__(self, remote: str, branch: str, *, root: Path, folder: Path) -> None:
        self.branch = branch
        self._remote, self._root, self._folder = remote, root, folder
        self._address, self._is_checked = "", False

    def newest(self, known: str) -> str:
        """The branch's commit now, fetched if it is not the `known` one; empty where there is no such branch."""
        name = f"refs/heads/{self.branch}"
        lines = (line.split("\t") for line in self._need("ls-remote", "origin", name).splitlines())
        # git answers every ref that ends so: `a/refs/heads/lockgate/ledger` is anybody's, and sorts first
        commit = next((found for found, *ref in lines if ref == [name]), "")
        if commit in ("", known):
            return commit
        with locked(self._folder / "lockgate-fetch.lock"):
            self._need(
                "fetch",
                "--quiet",
                "--no-tags",
                "--no-write-fetch-head",
                "origin",
                f"+refs/heads/{self.branch}:{FETCHED}",
            )
            return self._need("rev-parse", FETCHED)

    def files(self, commit: str) -> tuple[tuple[str, str], ...]:
        """Path and blob of each file, by path."""
        listed = self._need("ls-tree", "-r", "-z", "--full-tree", commit)
        lines = (line.partition("\t") for line in listed.split("\0") if line)
        return tuple(sorted((path, facts.split()[2]) for facts, _, path in lines))

    def contents(self, files: Sequence[tuple[str, str]]) -> Iterator[bytes]:
        """The bytes of these files in their order, by one process for all."""
        asked = "".join(f"{blob}\n" for _, blob in files).encode()
        answer = self._run("cat-file", "--batch", given=asked).stdout if files else b""
        start = 0
        for path, _ in files:
            end = answer.find(b"\n", start)
            facts = answer[start:end].split()
            if len(facts) != 3 or facts[1] != b"blob":
                raise IntegrityError(
                    "a file of the ledger's branch cannot be read", value=path, next="lockgate ledger verify"
                )
            start = end + 1 + int(facts[2])
            yield answer[end + 1 : start]
            start += 1

    @staticmethod
    def has(files: Sequence[tuple[str, str]], expected: Sequence[tuple[str, bytes]]) -> bool:
        """Say whether each of these files has exactly these bytes, by git's own name for them."""
        there = dict(files)
        return all(there.get(path) == _blob(data) for path, data in expected)

    def commit(self, path: str, data: bytes, *, behind: str, message: str, time: datetime) -> str:
        """Make a commit that adds one file; it is nowhere but here yet."""
        who = f"{WHO} {int(time.timestamp())} +0000"
        text = message.encode()
        parts = [
            f"commit {MADE}\ncommitter {who}\ndata {len(text)}\n".encode(), text, b"\n",
            f"from {behind}\n".encode() if behind else b"",
            f"M 100644 inline {path}\ndata {len(data)}\n".encode(), data, b"\ndone\n",
        ]  # fmt: skip
        with locked(self._folder / "lockgate-made.lock"):
            if not behind:
                self._run("update-ref", "-d", MADE)
            self._need("fast-import", "--quiet", "--done", "--force", given=b"".join(parts))
            return self._need("rev-parse", MADE)

    def push(self, commit: str) -> str:
        """Give it to the branch, never by force; empty, or why the remote did not take it."""
        done = self._run("push", "--porcelain", "--quiet", "origin", f"{commit}:refs/heads/{self.branch}")
        return "" if done.returncode == 0 else why(done)

    def _need(self, *arguments: str, given: bytes | None = None) -> str:
        done = self._run(*arguments, given=given)
        if done.returncode:
            said, shown = why(done), PASSWORD.sub("", self._remote)
            moved = bool(os.environ.get(LEDGER_TOKEN)) and bool(REDIRECTED.search(said))
            raise ServiceUnavailable(
                "the ledger's branch cannot be reached", value=f"{shown}, {self.branch}: {said}",
                allowed="an address that leads nowhere else: a token follows no redirect" if moved else "a git remote that answers",
                next="git remote -v   (GitLab's addresses end in .git)" if moved else f"git ls-remote {shown}   (with a token: {LEDGER_TOKEN})",
            )  # fmt: skip
        return done.stdout.decode("utf-8", "surrogateescape").rstrip("\n")

    def _run(self, *arguments: str, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        if not self._is_checked:
            need_untracked(self._root)
            self._is_checked = True
        cleaned(self._folder)
        settings = {"gc.autoDetach": "false", **(self._with_remote() if arguments[0] in REACHING else {})}
        return git(["--git-dir", str(self._folder), *arguments], environment(settings), given=given)

    def _with_remote(self) -> dict[str, str]:
        self._address = self._address or address_of(self._remote, self._root)
        return _reached(self._address, os.environ)


def _reached(address: str, known: Mapping[str, str]) -> dict[str, str]:
    """Settings of git for reaching the remote: with a token, the address's own user is left out, and so is what git has stored."""
    token = known.get(LEDGER_TOKEN, "")
    settings = {"remote.origin.url": address}
    parts = urlsplit(address)
    if token and parts.scheme in ("http", "https"):
        _check_token_for(parts, known)
        bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        basic = base64.b64encode(f"oauth2:{token}".encode()).decode()
        settings |= {"remote.origin.url": bare, f"http.{bare}.extraHeader": f"Authorization: Basic {basic}"}
        # git sends the header again to wherever a first answer has led it
        settings |= {"http.followRedirects": "false", "credential.helper": ""}
    return settings


def _check_token_for(parts: SplitResult, known: Mapping[str, str]) -> None:
    """A repository names its ledger's remote: the token goes there over TLS, and if who set it, or the job, names that host."""
    host = parts.netloc.rpartition("@")[2]
    if parts.scheme != "https" and parts.hostname not in NEAR:
        raise ServiceUnavailable(
            f"{LEDGER_TOKEN} was not sent: it would travel without TLS", value=f"http://{host}{parts.path}",
            allowed="https, or http on this machine itself", next=f"edit [ledger] url or the git remote: https://{host}{parts.path}",
        )  # fmt: skip
    need_host(LEDGER_TOKEN, host, known)


def _blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
