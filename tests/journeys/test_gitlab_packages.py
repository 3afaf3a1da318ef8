"""The template's delivery, job by job in fresh clones, with nothing between them but the project's packages and the ledger's branch."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from journeys.walking import GOOD, HUMAN, OUTSIDE, REFUSED, Done, Lockgate, Server, git
from lockgate.testing.gitlab import DEVELOPER, MAINTAINER, REPORTER, Fault, GitLab

pytestmark = pytest.mark.sampled(3)

GATES = ("enough_good_data", "beats_baseline", "champion", "slices")
MOST_REQUESTS = {"check": 5, "run": 60, "gate": 100, "propose": 100, "deliver": 100, "approvals": 250}
"""What a job may ask of GitLab, and beside it the servers that follow. A limit of 2,000 requests a minute, as gitlab.com has it, is far."""


@dataclass
class Project:
    """A GitLab with a project: its packages are the double's, its git repository is a bare one on this disk."""

    gitlab: GitLab
    folder: Path
    token: str
    jobs: int = 0

    @property
    def remote(self) -> Path:
        return self.folder / "remote.git"

    def variables(self, token: str) -> dict[str, str]:
        """Those of a person or a server outside of a pipeline. The remote's path names no project, so the API's two do."""
        return {**CLEAN, "LOCKGATE_GITLAB_TOKEN": token, "CI_API_V4_URL": self.gitlab.api, "CI_PROJECT_ID": str(self.gitlab.project.id)}  # fmt: skip

    def clone(self, name: str, token: str) -> Lockgate:
        git(self.folder, "clone", "--quiet", str(self.remote), name)
        git(self.folder / name, "config", "user.email", "dev@example.org")
        git(self.folder / name, "config", "user.name", "Dev")
        return Lockgate(self.folder / name, self.variables(token))

    def job(self, pipeline: int, *command: str, expect: int = GOOD) -> Done:
        """One job: a fresh clone, the job's own token, and nothing of it left behind."""
        self.jobs += 1
        root = self.folder / f"job-{self.jobs}"
        git(self.folder, "clone", "--quiet", str(self.remote), root.name)
        job = self.gitlab.job(command[0], pipeline=pipeline, user="dev", role=DEVELOPER)
        env = {**CLEAN, **self.gitlab.variables(job), "LOCKGATE_KEY": str(self.folder / "pipeline-key")}
        before, began = len(self.gitlab.requests), time.monotonic()
        done = Lockgate(root, env)(*command, expect=expect)
        asked = len(self.gitlab.requests) - before
        print(f"{' '.join(command)}: {time.monotonic() - began:.2f} s, {asked} requests")
        assert asked <= MOST_REQUESTS[command[0] if command[0] != "gitlab" else command[1]]
        assert not re.search("glpat-|glcbt-", done.out + done.err)
        job["status"] = "success"
        shutil.rmtree(root)
        return done


CLEAN = dict.fromkeys(("CI", "CI_API_V4_URL", "CI_PROJECT_ID", "CI_JOB_TOKEN", "LOCKGATE_GITLAB_TOKEN"), "")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """The template, pushed; the ledger founded; a person who decides, and the pipeline's key."""
    with GitLab(live=True) as gitlab:
        token = gitlab.person("ada", role=MAINTAINER)
        Lockgate(tmp_path, dict(CLEAN))("init", "--template", "gitlab", "desk")
        git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(tmp_path / "remote.git"))
        made = Project(gitlab, tmp_path, token)
        desk = Lockgate(tmp_path / "desk", made.variables(token))
        for command in ("init --initial-branch=main", "config user.email ada@example.org", "config user.name Ada", f"remote add origin {made.remote}", "add --all", "commit --message template", "push origin main"):  # fmt: skip
            git(desk.root, *command.split())
        desk("init", "--person", "ada")
        desk("people", "add", "ann", "--role", "product-owner", "--new-key", str(tmp_path / "ann"))
        desk("people", "add", "pipeline", "--machine", "--role", "deliverer", "--role", "operator", "--new-key", str(tmp_path / "pipeline-key"))  # fmt: skip
        yield made


def test_from_data_to_production_through_packages_and_a_branch(project: Project) -> None:
    desk = Lockgate(project.folder / "desk", project.variables(project.token))
    [add] = re.findall(r"`lockgate (people add server .*?)`", (desk.root / "README.md").read_text())
    desk(*add.split())
    server = project.clone("server", project.gitlab.project_token(role=DEVELOPER))
    server.env["LOCKGATE_KEY"] = str(desk.root / "server-key")
    sha = git(desk.root, "rev-parse", "HEAD").strip()
    number = project.gitlab.pipeline(sha=sha)
    with Server(server, "staging") as staging, Server(server, "production") as production:
        project.job(number, "gitlab", "check")
        assert project.job(number, "run", "sales").out.startswith("done  1 run")
        assert project.job(number, "run", "demand").out.startswith("done  3 run, 1 reused")
        project.job(number, "propose")
        for gate in GATES:
            project.job(number, "gate", "judge", gate)
        project.job(number, "deliver", "--to", "staging", "--here")
        release = desk.release()
        staging.answers(release)
        project.job(number, "gate", "judge", "integration")
        assert "0 of 1" in project.job(number, "approvals", "production", expect=HUMAN).out
        uncertain = desk("approvals", "production", "--json", expect=HUMAN).json()["uncertain"]
        accept = [part for gate in uncertain for part in ("--accept", gate)]
        desk("evidence", "latest")
        desk("approve", "latest", "--role", "product-owner", "--reason", "fine", *accept, "--key", str(project.folder / "ann"))  # fmt: skip
        project.job(number, "approvals", "production")
        project.job(number, "deliver", "--to", "production", "--here")
        production.answers(release)
    again = project.job(project.gitlab.pipeline(sha=sha), "run", "demand")
    assert again.out.startswith("done  0 run, 4 reused"), "the next pipeline finds everything"
    check = desk("store", "check")
    assert "whole" in check.out or "good" in check.out, check.out
    assert {p.version.partition("-")[0] for p in project.gitlab.project.packages} >= {"objects", "results", "releases"}
    desk("store", "gc", "--keep", "0")
    kept = [f.content for p in project.gitlab.project.packages for f in p.files]
    kept += [p.read_bytes() for p in project.folder.rglob("*") if p.is_file()]
    assert not any(b"glpat-" in data or b"glcbt-" in data for data in kept), "a token is written nowhere"


def test_other_bytes_under_the_name_of_a_releases_file_are_seen_by_who_proposes_next(project: Project) -> None:
    """Somebody with write access to the packages exchanged them. The twin: what nobody touched is not sent again."""
    number = project.gitlab.pipeline(sha=git(project.folder / "desk", "rev-parse", "HEAD").strip())
    project.job(number, "propose")
    desk = Lockgate(project.folder / "desk", project.variables(project.token))
    files = {f["path"]: f["blake3"].removeprefix("blake3:") for f in desk.json("show", desk.release())["files"]}
    code, model = (next(name for path, name in files.items() if part in path) for part in ("code/", "model"))
    states = lambda name: [f for p in project.gitlab.project.packages for f in p.files if f.name == name]
    [kept] = states(code)
    good = kept.content
    project.job(number, "propose")
    assert len(states(code)) == 1
    kept.content = b"x" * len(good)
    project.job(number, "propose")
    assert states(code)[-1].content == good, "what the bundle made is made again"
    [kept] = states(model)
    kept.content = b"x" * len(kept.content)
    said = project.job(number, "propose", expect=REFUSED)
    assert "the result of demand.model is damaged in the store" in said.err, (
        "what a step made is named, before anybody judges it"
    )


def test_without_a_token_a_job_stops_and_a_laptop_is_on_its_own(project: Project) -> None:
    """In a pipeline there is no second store to fall back to; on a laptop nothing is written that others could not read."""
    desk = Lockgate(project.folder / "desk", dict(CLEAN))
    job = Lockgate(desk.root, {**CLEAN, "CI": "true", "CI_API_V4_URL": project.gitlab.api, "CI_PROJECT_ID": "42"})
    done = job("run", expect=OUTSIDE)
    assert "there is no token for the store on GitLab's packages" in done.err
    assert "LOCKGATE_GITLAB_TOKEN" in done.err
    alone = desk("run")
    assert alone.out.startswith("done  4 run")
    assert "no LOCKGATE_GITLAB_TOKEN: this working copy's own store is used" in alone.err
    before = desk.ledger()
    refused = desk("people", "add", "bob", "--role", "product-owner", "--new-key", str(project.folder / "bob"), expect=OUTSIDE)  # fmt: skip
    assert "nothing is written to the shared ledger" in refused.err
    assert len(before) == len(desk.ledger()) == 3
    assert project.gitlab.project.packages == [] or all(
        p.version == "policies" for p in project.gitlab.project.packages
    )


def test_gitlab_that_refuses_is_exit_4_and_the_next_run_goes_on(project: Project) -> None:
    """In the middle of a run: what was finished is there, the rest is made by the next job."""
    number = project.gitlab.pipeline()
    project.gitlab.faults.add(Fault(status=403, method="PUT", skip=6, times=999))
    done = project.job(number, "run", expect=REFUSED)
    assert "does not allow this" in done.err
    assert "Job token permissions" in done.err
    project.gitlab.faults.clear()
    assert project.job(number, "run").out.startswith("done")
    assert project.job(number, "run").out.startswith("done  0 run, 4 reused")
    desk = Lockgate(project.folder / "desk", project.variables(project.token))
    desk("store", "check")


def test_a_reporter_may_look(project: Project) -> None:
    project.job(project.gitlab.pipeline(), "run")
    reader = project.clone("reader", project.gitlab.person("eve", role=REPORTER, scopes=("read_api",)))
    steps = json.loads(reader("plan", "--json").out)["steps"]
    assert {s["action"] for s in steps} == {"reuse"}
    reader("store", "check")


def test_garbage_goes_with_a_maintainers_token(project: Project) -> None:
    """A collection names the role where the token lacks it; nothing that is needed goes."""
    number = project.gitlab.pipeline()
    project.job(number, "run")
    gitlab = project.gitlab
    for package in gitlab.project.packages:
        for file in package.files:
            file.created_at = "2026-01-05T09:00:00.000Z"
    desk = Lockgate(project.folder / "desk", project.variables(project.token))
    (desk.root / "shop" / "pipelines.py").write_text(
        (desk.root / "shop" / "pipelines.py").read_text().replace("weeks: int = 12", "weeks: int = 6")
    )
    desk("run")
    dev = Lockgate(desk.root, project.variables(gitlab.person("dev", role=DEVELOPER)))
    refused = dev("store", "gc", "--keep", "0", "--yes", expect=REFUSED)
    assert "Maintainer" in refused.err
    before = sum(len(p.files) for p in gitlab.project.packages)
    desk("store", "gc", "--keep", "0", "--yes")
    assert sum(len(p.files) for p in gitlab.project.packages) < before
    desk("store", "check")
    assert desk("run").out.startswith("done  0 run, 4 reused")


def test_two_machines_that_run_the_same_at_once_agree(project: Project) -> None:
    """Nobody waits for the other one: some steps run twice, and both end with the same results."""
    token = project.gitlab.project_token(role=DEVELOPER)
    both = [project.clone(name, token) for name in ("one", "two")]
    begun = [machine.start("run", "--json") for machine in both]
    done = [machine.end(process, "run --json") for machine, process in zip(both, begun, strict=True)]
    assert [d.code for d in done] == [GOOD, GOOD], [d.text for d in done]
    made = [{s["name"]: s["digest"] for s in d.json()["steps"]} for d in done]
    assert made[0] == made[1]
    assert project.job(project.gitlab.pipeline(), "run").out.startswith("done  0 run, 4 reused")
    assert Lockgate(project.folder / "desk", project.variables(project.token))("store", "check").code == GOOD


def test_a_run_killed_at_any_moment_is_gone_on_with(project: Project) -> None:
    """Whatever it had put is whole, and the next machine makes the rest."""
    token = project.gitlab.project_token(role=DEVELOPER)
    for number, wait_s in enumerate((0.9, 1.8)):
        machine = project.clone(f"dies-{number}", token)
        process = machine.start("run", "--param", f"model.weeks={number + 3}")
        time.sleep(wait_s)
        process.kill()
        process.communicate()
        desk = Lockgate(project.folder / "desk", project.variables(project.token))
        desk("store", "check")
        again = project.clone(f"goes-on-{number}", token)("run", "--param", f"model.weeks={number + 3}")
        assert again.out.startswith("done")


def test_packages_that_somebody_deleted_are_missed_by_name(project: Project) -> None:
    """Results are made again; `store check` names what a release has lost."""
    number = project.gitlab.pipeline()
    for command in ("run", "propose"):
        project.job(number, command)
    project.gitlab.project.packages[:] = [p for p in project.gitlab.project.packages if not p.version.startswith("objects")]  # fmt: skip
    fresh = project.clone("fresh", project.token)
    said = fresh("store", "check", expect=REFUSED)
    assert "release" in said.out + said.err
    assert fresh("run").out.startswith("done  4 run")
    project.job(number, "gate", "judge", "champion", expect=None)
