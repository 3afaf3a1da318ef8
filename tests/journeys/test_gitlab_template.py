"""`init --template gitlab`: a repository that works as it is, on a laptop and in GitLab."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import subprocess
import sys
import venv
from importlib import metadata
from pathlib import Path

import pytest
from journeys.gitlab_local import LINE, RUNNER, GitlabProject, needs_runner, push
from journeys.walking import GOOD, HUMAN, REFUSED, USAGE, Lockgate, Server, git
from packaging.requirements import Requirement
import lockgate
from lockgate.project import read_settings
from lockgate.testing.gitlab import DEVELOPER, MAINTAINER, GitLab

FILES = {
    ".gitignore", ".gitlab-ci.yml", "README.md", "ci/lockgate.gitlab-ci.yml", "data/sales.csv", "lockgate.toml", "policy.toml",
    "lockgate.txt", "requirements.in", "requirements.txt", "shop/__init__.py", "shop/delivery.py", "shop/pipelines.py",
    f"wheels/lockgate-{metadata.version('lockgate')}-py3-none-any.whl",
}  # fmt: skip
GATES = ("enough_good_data", "beats_baseline", "champion", "slices")


@pytest.fixture
def written(tmp_path: Path) -> Lockgate:
    """What the template writes."""
    done = Lockgate(tmp_path)("init", "--template", "gitlab", "forecast")
    assert "next: cd forecast && lockgate run" in done.out
    return Lockgate(tmp_path / "forecast", dict.fromkeys(("CI", "CI_API_V4_URL", "LOCKGATE_GITLAB_TOKEN"), ""))


def test_what_it_writes_works_as_it_is(written: Lockgate) -> None:
    root = written.root
    assert {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file() and ".lockgate" not in p.parts and "__pycache__" not in p.parts} == FILES  # fmt: skip
    assert "PROJECT" not in (root / "README.md").read_text() + (root / "lockgate.toml").read_text()
    first = written("run")
    assert first.out.startswith("done  4 run")
    assert first.err.count("this working copy's own store is used") == 1
    assert "no LOCKGATE_GITLAB_TOKEN and no git remote origin" in first.err
    assert written("gitlab", "check").code == GOOD
    for name, ignored in (
        ("pipeline-key", True),
        ("server-key", True),
        ("ann-key", True),
        ("ann-key.pub", False),
        ("ann.pub", False),
    ):
        assert (name in git_ignores(root, name)) == ignored, name


def git_ignores(root: Path, name: str) -> str:
    done = subprocess.run(
        ["git", "-c", "core.excludesFile=", "ls-files", "--others", "--ignored", "--exclude-from=.gitignore", name],
        cwd=initialised(root, name), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def initialised(root: Path, name: str) -> Path:
    """A repository with one file more."""
    (root / name).write_text("")
    git(root, "init", "--quiet")
    return root


def test_one_line_switches_the_report_of_merge_requests_on(written: Lockgate) -> None:
    settings, jobs = written.root / "lockgate.toml", written.root / "ci" / "lockgate.gitlab-ci.yml"
    assert "lockgate gitlab report" not in jobs.read_text()
    settings.write_text(settings.read_text().replace('merge_requests = "training"', 'merge_requests = "gates"'))
    assert written("gitlab", "render").code == GOOD
    assert "lockgate gitlab report" in jobs.read_text()


def test_what_it_installs_is_pinned(written: Lockgate) -> None:
    """Each package by version and hash, no index named; Lockgate by the version that wrote it."""
    root, text = written.root, (written.root / "requirements.txt").read_text()
    entries = re.split(r"\n(?=\S)", text.strip())
    locked = {Requirement(e.partition(" \\")[0]).name: e for e in entries}
    assert all(re.search(r"^[a-z0-9-]+==[0-9.]+ ", e) and "--hash=sha256:" in e for e in entries)
    assert not re.search(r"://|--index|--find-links", text)
    needs = [Requirement(r) for r in metadata.requires("lockgate") or ()]
    extras = [
        r
        for r in needs
        if r.marker is None or any(r.marker.evaluate({"extra": e}) for e in ("gates", "serve", "gitlab"))
    ]
    asked = [
        Requirement(line) for line in (root / "requirements.in").read_text().splitlines() if line and line[0] != "#"
    ]
    assert {(r.name, str(r.specifier)) for r in extras} | {("polars", "<3,>=2.1")} == {
        (r.name, str(r.specifier)) for r in asked
    }
    for r in asked:
        versions = [
            Requirement(e.partition(" \\")[0]) for e in entries if Requirement(e.partition(" \\")[0]).name == r.name
        ]
        assert versions, r.name
        assert all(r.specifier.contains(str(v.specifier).removeprefix("==")) for v in versions), r.name
    assert len(locked) > len(asked), "what packages need is locked, too"
    own = [line for line in (root / "lockgate.txt").read_text().splitlines() if line[0] != "#"]
    wheel = root / "wheels" / f"lockgate-{metadata.version('lockgate')}-py3-none-any.whl"
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert own == [f"lockgate=={metadata.version('lockgate')} --hash=sha256:{digest}"]


def test_its_wheel_is_the_lockgate_that_wrote_it(written: Lockgate, tmp_path: Path) -> None:
    """The line that each job runs, with pip itself; then file by file."""
    line = read_settings((written.root / "lockgate.toml").read_text()).gitlab.setup[1]
    python, *pip = shlex.split(line)
    assert python == "python"
    put = [sys.executable, *pip, "--target", str(tmp_path / "site")]
    subprocess.run(put, cwd=written.root, check=True, capture_output=True)
    here, there = Path(lockgate.__file__).parent, tmp_path / "site" / "lockgate"
    for root in (here, there):
        assert (root / "records" / "digest.py").is_file()
    assert files_of(there) == files_of(here)
    env = {"PYTHONPATH": str(tmp_path / "site"), "PATH": os.environ["PATH"]}
    code = "import lockgate; print(lockgate.__file__)"
    ran = subprocess.run([sys.executable, "-c", code], env=env, check=True, capture_output=True, text=True)
    assert ran.stdout.strip() == str(there / "__init__.py")
    wheel = next((written.root / "wheels").iterdir())
    wheel.write_bytes(wheel.read_bytes() + b" ")
    other = subprocess.run(put, cwd=written.root, check=False, capture_output=True, text=True)
    assert other.returncode and "DO NOT MATCH THE HASHES" in other.stderr


def files_of(folder: Path) -> dict[str, bytes]:
    kept = (p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return {str(p.relative_to(folder)): p.read_bytes() for p in kept}


@pytest.mark.soak  # every package is downloaded
def test_its_jobs_begin_on_a_bare_image(written: Lockgate, tmp_path: Path) -> None:
    """Both lines of `setup` in an environment with nothing in it, then the first job's command."""
    venv.create(tmp_path / "bare", with_pip=True)
    env = {"PATH": f"{tmp_path / 'bare' / 'bin'}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    for line in (*read_settings((written.root / "lockgate.toml").read_text()).gitlab.setup, "lockgate run"):
        subprocess.run(shlex.split(line), cwd=written.root, env=env, check=True)


def test_its_jobs_install_what_is_pinned_and_nothing_else(written: Lockgate) -> None:
    """And its README the same; without a lock, rendering says what is missing."""
    setup = read_settings((written.root / "lockgate.toml").read_text()).gitlab.setup
    hashed, own = setup
    assert "--require-hashes" in hashed and hashed.endswith("--requirement requirements.txt")
    assert "--no-deps" in own and own.endswith("--requirement lockgate.txt")
    readme = (written.root / "README.md").read_text()
    assert all(f"    {line.replace('--quiet ', '')}\n" in readme for line in setup)
    assert all(
        f"    - {line}\n" in (written.root / "ci" / "lockgate.gitlab-ci.yml").read_text().replace('"', "")
        for line in setup
    )
    (written.root / "lockgate.txt").unlink()
    assert "lockgate.txt is not there, and each job installs from it" in written("gitlab", "render").err


def test_a_note_that_is_asked_for_outside_of_a_merge_request_is_a_wrong_command(written: Lockgate) -> None:
    """The files are there all the same; without `--note`, or by the setting alone, nothing is wrong."""
    asked = written("gitlab", "report", "--note", expect=USAGE)
    assert "no merge request that a note could be written under: this is no pipeline of a merge request" in asked.err
    assert (written.root / "lockgate-reports" / "note.md").is_file()
    assert "no note: " in written("gitlab", "report").out
    settings = written.root / "lockgate.toml"
    settings.write_text(settings.read_text().replace("[gitlab]\n", '[gitlab]\nnote = "require"\n'))
    assert "no note: " in written("gitlab", "report").out


def test_what_is_wrong_is_said_before_gitlab_is_asked(written: Lockgate) -> None:
    slip = written("gitlab", "attest", "prod", expect=USAGE)
    assert "does not deploy there: prod\n  allowed: production, staging\n  next:    lockgate status" in slip.err  # fmt: skip
    nowhere = {"CI_API_V4_URL": "http://127.0.0.1:9/api/v4", "CI_PROJECT_ID": "42", "CI_JOB_TOKEN": "x"}
    bare = Lockgate(written.root, {**written.env, **nowhere})("gitlab", "publish", expect=REFUSED)
    assert "LOCKGATE_GITLAB_TOKEN is not set" in bare.err


def test_it_overwrites_nothing_and_founds_nothing(written: Lockgate) -> None:
    (written.root / "README.md").write_text("# mine\n")
    again = written("init", "--template", "gitlab")
    assert "made" not in again.out
    assert (written.root / "README.md").read_text() == "# mine\n"
    assert not (written.root / ".lockgate" / "key").exists()
    refused = written("init", "--template", "gitlab", "--person", "ada", expect=USAGE)
    assert "registered after" in refused.err


@pytest.mark.soak  # the shop goes the same way in test_gitlab_pipeline.py
def test_its_readme_leads_to_production(written: Lockgate, tmp_path: Path) -> None:
    """The commands of the README, in its order; what people click in GitLab is done by the local runner."""
    needs_runner()
    with GitLab(live=True) as server:
        ada = server.person("ada", role=MAINTAINER)
        known = {"LOCKGATE_GITLAB_TOKEN": ada, "CI_API_V4_URL": server.api, "CI_PROJECT_ID": str(server.project.id)}
        job = server.job("all", pipeline=server.pipeline(), user="dev", role=DEVELOPER)
        names = ("CI_API_V4_URL", "CI_PROJECT_ID", "CI_PROJECT_PATH", "CI_JOB_TOKEN")
        leads_to_production(
            Lockgate(written.root, {**written.env, **known}), tmp_path, {n: server.variables(job)[n] for n in names}
        )
        kinds = {p.version.partition("-")[0] for p in server.project.packages}
        assert {"objects", "results", "releases", "measured"} <= kinds


def leads_to_production(written: Lockgate, tmp_path: Path, variables: dict[str, str]) -> None:
    """As the README has it, with the template's own store and ledger: packages and a branch, as they are written."""
    root = written.root
    settings = root / "lockgate.toml"
    text, once = re.subn(r"^setup = \[.*?^\]$", "setup = []", settings.read_text(), flags=re.DOTALL | re.MULTILINE)
    assert once == 1, "packages are installed already"
    settings.write_text(text)
    written("gitlab", "render")
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "config", "user.email", "dev@example.org")
    git(root, "config", "user.name", "Dev")
    git(tmp_path, "init", "--quiet", "--bare", str(tmp_path / "remote.git"))
    git(root, "remote", "add", "origin", str(tmp_path / "remote.git"))
    push(root, "the template")
    git(root, "remote", "set-head", "origin", "main")
    readme = (root / "README.md").read_text()
    for command in ("init --person YOU", "people add ANN --role product-owner --key ann.pub"):
        assert f"lockgate {command}" in readme
    [add] = re.findall(r"`lockgate (people add pipeline .*?)`", readme)
    written("init", "--person", "ada")
    written("people", "add", "ann", "--role", "product-owner", "--new-key", str(tmp_path / "ann"))
    written(*add.split())
    (tmp_path / "home").mkdir()
    key = (root / "pipeline-key").rename(tmp_path / "pipeline-key")
    (root / "pipeline-key.pub").unlink()
    assert git(root, "status", "--porcelain") == "", "the pipeline's key is ignored"
    gitlab = GitlabProject(written, tmp_path / "home", {"LOCKGATE_KEY": str(key), **variables})
    with Server(written, "staging") as staging, Server(written, "production") as production:
        done = gitlab.pipeline(
            1, "check", "data:sales", "train:demand", "release", *(f"gate:{g}" for g in GATES), needs=True
        )
        assert done.code == GOOD, done.out
        assert list(root.glob(".gitlab-ci-local/artifacts/*champion*/lockgate-reports/gate-champion.xml"))
        for job in ("deploy:staging", "gate:integration"):
            assert gitlab.pipeline(1, job).code == GOOD
        staging.answers(written.release())
        assert gitlab.pipeline(1, "approve:production").jobs == {"approve:production": "FAIL"}
        uncertain = written("approvals", "production", "--json", expect=HUMAN).json()["uncertain"]
        written("evidence", "latest", expect=None)
        accept = [part for gate in uncertain for part in ("--accept", gate)]
        written(
            "approve", "latest", "--role", "product-owner", "--reason", "fine", *accept, "--key", str(tmp_path / "ann")
        )
        for job in ("approve:production", "deploy:production"):
            assert gitlab.pipeline(1, job).code == GOOD
        production.answers(written.release())


def test_a_process_that_a_job_leaves_behind_is_noticed(tmp_path: Path) -> None:
    """What the pipeline tests rest on."""
    needs_runner()
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    (tmp_path / ".gitlab-ci.yml").write_text(
        "leaves:\n  script:\n    - setsid sleep 20 > /dev/null 2>&1 < /dev/null & \n"
    )
    (tmp_path / "home").mkdir()
    gitlab = GitlabProject(Lockgate(tmp_path), tmp_path / "home")
    with pytest.raises(AssertionError, match="outlive"):
        gitlab.pipeline(1, "leaves")
    assert gitlab.left() == ["sleep 20 "]
    gitlab.end_left()
    assert gitlab.left() == []


def test_the_runner_is_the_one_that_was_measured() -> None:
    needs_runner()
    assert '"version": "4.73.0"' in (RUNNER.parents[1] / "package.json").read_text()
    assert LINE.findall(" PASS  a:b \n") == [("PASS", "a:b")]
