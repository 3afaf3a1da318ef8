"""The demand example, on the real sales, in its rendered pipeline: from data to production, one week later, and back.

The servers were started before any pipeline, outside of it: when they answer with a new release, every process of every job
has ended (`GitlabProject.pipeline` looks). Refusals are read from the commands' own exit codes, because the runner takes some
failures for warnings.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from journeys.gitlab_local import IGNORED, GitlabProject, needs_runner, on_gitlab, push
from journeys.walking import COMMAND, FAILED, GOOD, HUMAN, Lockgate, both, commit, edit, git

pytestmark = (
    pytest.mark.soak
)  # the real table, three pipelines; the toy shop goes the same way in test_gitlab_pipeline.py

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "demand"
BEFORE = ("enough_good_data", "no_leak", "beats_baseline", "champion", "slices", "interval_coverage")
JUDGED = ("check", "data:sales", "train:demand", "release", *(f"gate:{g}" for g in BEFORE))
KEY = ".lockgate/pipeline"


@pytest.fixture
def project(tmp_path: Path) -> GitlabProject:
    """The example as a repository of its own, its data with it."""
    needs_runner()
    root = tmp_path / "demand"
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns(".lockgate", "data", "__pycache__"))
    done = subprocess.run([sys.executable, "-m", "demand.fetch"], cwd=root, capture_output=True, text=True, timeout=300)
    if done.returncode:
        pytest.skip(f"no sales data: {done.stderr[-200:]}")
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "config", "user.email", "dev@example.org")
    git(root, "config", "user.name", "Dev")
    commit(root, "the example")
    demand = Lockgate(root)
    demand("init", "--person", "ada")
    demand("people", "add", "bob", "--role", "product-owner", "--new-key", ".lockgate/bob")
    demand("people", "add", "pipeline", "--machine", "--role", "deliverer", "--role", "operator", "--new-key", KEY)
    made = on_gitlab(demand, tmp_path, ignored=(*IGNORED, "data/sealed/"))
    made.variables["LOCKGATE_KEY"] = str(root / KEY)
    return made


def exit_of(project: GitlabProject, number: int, *arguments: str) -> int:
    """Of a command as a job of a pipeline would see it."""
    root = project.lockgate.root
    names = {
        "CI_PIPELINE_ID": str(number),
        "CI_COMMIT_SHA": git(root, "rev-parse", "HEAD").strip(),
        "LOCKGATE_KEY": str(root / KEY),
    }
    return subprocess.run(
        [COMMAND, *arguments], cwd=root, env={**os.environ, **names}, capture_output=True, timeout=300
    ).returncode


def signed(project: GitlabProject, number: int) -> None:
    """Bob reads the page and signs, and accepts what is uncertain by name."""
    demand = project.lockgate
    uncertain = demand("approvals", "production", "--json", expect=HUMAN).json()["uncertain"]
    accept = [part for gate in uncertain for part in ("--accept", gate)]
    demand("evidence", "latest", expect=None)
    said = ("--role", "product-owner", "--reason", "fit for its use", "--key", str(demand.root / ".lockgate" / "bob"))
    demand("approve", "latest", *said, *accept)
    assert project.pipeline(number, "approve:production").jobs == {"approve:production": "PASS"}


def test_the_demand_pipeline_from_data_to_production_and_back(project: GitlabProject) -> None:
    demand = project.lockgate
    with both(demand) as (staging, production):
        first = project.pipeline(1, *JUDGED, needs=True, within=900.0)
        assert set(first.jobs) == set(JUDGED)
        assert not [j for j, outcome in first.jobs.items() if outcome == "FAIL"], first.out
        one = demand.release()
        assert project.pipeline(1, "deploy:staging").jobs == {"deploy:staging": "PASS"}
        staging.answers(one)
        assert project.pipeline(1, "gate:integration").jobs == {"gate:integration": "PASS"}
        assert project.pipeline(1, "approve:production").jobs == {"approve:production": "FAIL"}
        assert exit_of(project, 1, "approvals", "production") == HUMAN
        assert project.pipeline(1, "deploy:production").jobs == {"deploy:production": "FAIL"}
        assert exit_of(project, 1, "deliver", "--to", "production", "--here") == HUMAN
        assert demand.live() is None
        signed(project, 1)
        assert project.pipeline(1, "deploy:production").jobs == {"deploy:production": "PASS"}
        production.answers(one)

        project.forget()
        old = git(demand.root, "rev-parse", "HEAD").strip()
        edit(demand.root, "demand/features.py", "seed: int = 7, peek: bool = False", "seed: int = 7, peek: bool = True")
        push(demand.root, "a feature that sees the future")
        peeks = project.pipeline(2, *JUDGED, needs=True, within=900.0)
        assert "gate no_leak failed" in peeks.out
        assert exit_of(project, 2, "gate", "judge", "no_leak") == FAILED
        assert exit_of(project, 2, "deliver", "--to", "staging", "--here") == FAILED
        assert demand.live("staging") == demand.live() == one

        project.forget()
        git(demand.root, "checkout", "--quiet", old, "--", "demand/features.py")
        edit(demand.root, "demand/train.py", "rounds: int = 80, seed", "rounds: int = 78, seed")
        push(demand.root, "fewer rounds")
        third = project.pipeline(3, *JUDGED, needs=True, within=900.0)
        assert "FAIL" not in third.jobs.values(), third.out
        three = demand.release()
        for job in ("deploy:staging", "gate:integration"):
            assert project.pipeline(3, job).code == GOOD
        signed(project, 3)
        assert project.pipeline(3, "deploy:production").code == GOOD
        production.answers(three)

        project.forget()  # the rollback button: the first pipeline's job again, on its own commit
        git(demand.root, "checkout", "--quiet", old)
        back = project.pipeline(1, "deploy:production")
        assert back.jobs == {"deploy:production": "PASS"}, back.out
        assert "rolled back" in back.out
        production.answers(one)
