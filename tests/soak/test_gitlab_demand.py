"""The demand example's rendered pipeline, with real invoices: from data to production in clones that hold no data, and back.

The sales are not in the repository: `data add` puts their version into the shared store, and the jobs take it from there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from journeys.gitlab_local import GitlabProject, needs_runner, on_gitlab, push
from journeys.walking import FAILED, GOOD, HUMAN, Lockgate, Server, edit, git

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "demand"
IGNORED = (".lockgate/", "data/", "__pycache__/", ".gitlab-ci-local/")
LONGEST = 3600.0
GATES = ("enough_good_data", "no_leak", "beats_baseline", "champion", "slices", "interval_coverage")

pytestmark = [pytest.mark.soak, pytest.mark.timeout(4 * LONGEST)]


@pytest.fixture
def project(tmp_path: Path) -> GitlabProject:
    """The example with its data, founded by Ada; Bob is its product owner, the pipeline has a key."""
    needs_runner()
    root = tmp_path / "demand"
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns("__pycache__", ".lockgate", "data"))
    subprocess.run([sys.executable, "-m", "demand.fetch"], cwd=root, check=True, timeout=LONGEST)
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "config", "user.email", "dev@example.org")
    git(root, "config", "user.name", "Dev")
    demand = Lockgate(root)
    made = on_gitlab(demand, tmp_path, ignored=IGNORED, tracked=("data/as-of",))
    demand("init", "--person", "ada")
    demand("people", "add", "bob", "--role", "product-owner", "--new-key", ".lockgate/bob")
    demand(
        "people",
        "add",
        "pipeline",
        "--machine",
        "--role",
        "deliverer",
        "--role",
        "operator",
        "--new-key",
        ".lockgate/pipeline",
    )
    for source in ("sales", "publication"):
        demand("data", "add", source, within=LONGEST)
    made.variables["LOCKGATE_KEY"] = str(root / ".lockgate" / "pipeline")
    return made


def test_from_invoices_to_production_and_back(project: GitlabProject) -> None:
    began, demand = time.monotonic(), project.lockgate
    with Server(demand, "staging") as staging, Server(demand, "production") as production:
        first = risen(project, 1, staging)
        signed(project, 1)
        production.answers(first)
        print(f"first release in production after {time.monotonic() - began:.0f} s")

        old = git(demand.root, "rev-parse", "HEAD").strip()
        stopped_by_a_leak(project, 7)
        assert (demand.live("staging"), demand.live()) == (first, first)
        git(demand.root, "checkout", "--quiet", old, "--", "demand/features.py")
        print(f"a leak was stopped after {time.monotonic() - began:.0f} s")

        project.forget()
        edit(demand.root, "demand/features.py", "quantile(units[:, -56:], 0.8)", "quantile(units[:, -56:], 0.75)")
        push(demand.root, "another feature")
        child = demand("gitlab", "render", "--child", "--out", "child.yml", "--json", within=LONGEST).json()
        (demand.root / "child.yml").unlink()
        jobs = {j["name"] for j in child["graph"]["jobs"]}
        assert jobs >= {"step:demand.features", "step:demand.booster"}
        assert not [j for j in jobs if j.startswith("step:sales.") or j == "step:demand.windows"], jobs
        second = risen(project, 2, staging)
        assert second != first
        signed(project, 2)
        production.answers(second)

        project.forget()
        git(demand.root, "checkout", "--quiet", old)
        back = project.pipeline(1, "deploy:production", within=LONGEST)
        assert back.jobs == {"deploy:production": "PASS"}, back.out
        production.answers(first)
        print(
            f"{len(jobs)} steps of {len(jobs) + child['reused']} had a job; back again after {time.monotonic() - began:.0f} s"
        )


def risen(project: GitlabProject, number: int, staging: Server) -> str:
    """Up to the approval, which waits."""
    done = project.pipeline(number, "check", "data:sales", "train:demand", "release", *(f"gate:{g}" for g in GATES), needs=True, within=LONGEST)  # fmt: skip
    assert done.code == GOOD, done.out
    assert set(done.jobs.values()) <= {"PASS", "WARN"}, done.jobs
    staged = project.pipeline(number, "deploy:staging", within=LONGEST)
    assert staged.jobs == {"deploy:staging": "PASS"}, staged.out
    release = project.lockgate.release()
    staging.answers(release)
    tested = project.pipeline(number, "gate:integration", within=LONGEST)
    assert tested.jobs == {"gate:integration": "PASS"}, tested.out
    waiting = project.pipeline(number, "approve:production", within=LONGEST)
    assert waiting.jobs == {"approve:production": "FAIL"}, waiting.out
    assert exit_of(project, number, "approvals", "production") == HUMAN
    assert exit_of(project, number, "deliver", "--to", "production", "--here") == HUMAN
    return release


def stopped_by_a_leak(project: GitlabProject, number: int) -> None:
    """A feature that sees the future: the runner may take the gate's failure for a warning, the commands do not."""
    edit(
        project.lockgate.root,
        "demand/features.py",
        "seed: int = 7, peek: bool = False",
        "seed: int = 7, peek: bool = True",
    )
    push(project.lockgate.root, "a feature that sees the future")
    project.forget()
    done = project.pipeline(
        number, "check", "data:sales", "train:demand", "release", "gate:no_leak", needs=True, within=LONGEST
    )
    assert "gate no_leak failed" in done.out, done.out
    assert exit_of(project, number, "gate", "judge", "no_leak") == FAILED
    assert exit_of(project, number, "deliver", "--to", "staging", "--here") == FAILED


def exit_of(project: GitlabProject, number: int, *arguments: str) -> int:
    """Of a command as a job of a pipeline would see it: not the runner's, which takes some failures for warnings."""
    root = project.lockgate.root
    names = {"CI_PIPELINE_ID": str(number), "CI_COMMIT_SHA": git(root, "rev-parse", "HEAD").strip()}
    as_job = Lockgate(root, {**names, "LOCKGATE_KEY": project.variables["LOCKGATE_KEY"]})
    return as_job(*arguments, expect=None, within=LONGEST).code


def signed(project: GitlabProject, number: int) -> None:
    """Bob accepts by name what is uncertain, and the pipeline goes on."""
    demand = project.lockgate
    found = demand("approvals", "production", "--json", expect=HUMAN, within=LONGEST).json()
    accept = [part for gate in found["uncertain"] for part in ("--accept", gate)]
    demand("evidence", "latest", expect=None, within=LONGEST)
    demand("approve", "latest", "--role", "product-owner", "--reason", "fit for its use", *accept, "--key", ".lockgate/bob", within=LONGEST)  # fmt: skip
    for job in ("approve:production", "deploy:production"):
        done = project.pipeline(number, job, within=LONGEST)
        assert done.jobs == {job: "PASS"}, done.out
