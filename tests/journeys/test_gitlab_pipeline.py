"""The shop's rendered pipeline from data to production, as GitLab would run it: stops where it must, and goes on after a signature.

Every job runs in a clone of its own; the servers were started before, outside of it. Each refusal is read from the command's
exit code, because the local runner takes some failures for warnings.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from journeys.conftest import Copier
from journeys.gitlab_local import MERGE_REQUEST, GitlabProject, Ran, needs_runner, on_gitlab, push
from journeys.walking import COMMAND, DAYS, FAILED, GATES, GOOD, HUMAN, Lockgate, Server, both, edit, git, write_sales

BEFORE = ("check", "train:shop", "release", *(f"gate:{g}" for g in GATES if g != "integration"))
STAGING = ("deploy:staging", "gate:integration")
PIPELINE_KEY = ".lockgate/pipeline"
TOLD = """
told:
  stage: downstream
  needs: [deploy:production]
  rules:
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH && $CI_PIPELINE_SOURCE =~ /^(push|web|api)$/
  script:
    - echo it is $LOCKGATE_RELEASE in $LOCKGATE_ENVIRONMENT
"""


@pytest.fixture
def project(fresh: Copier, founded: Lockgate, tmp_path: Path) -> GitlabProject:
    """The shop in GitLab: Ada works on it, Bob decides, the pipeline has a key of its own."""
    needs_runner()
    shop = fresh(founded)
    shop(
        "people", "add", "pipeline", "--machine", "--role", "deliverer", "--role", "operator", "--new-key", PIPELINE_KEY
    )
    made = on_gitlab(shop, tmp_path, toml='\n[gitlab.downstream]\nproject = "group/app"\n')
    made.variables["LOCKGATE_KEY"] = str(shop.root / PIPELINE_KEY)
    return made


@pytest.fixture
def served(project: GitlabProject) -> Iterator[tuple[Server, Server]]:
    with both(project.lockgate) as servers:
        yield servers


def tells(project: GitlabProject) -> None:
    """The team's own job beside ours: it reads what a downstream project would be handed (the runner starts none)."""
    root = project.lockgate.root / ".gitlab-ci.yml"
    ours = root.read_text().partition("\n")[2]
    root.write_text(ours + TOLD)
    push(project.lockgate.root, "a job of our own")


def asked(project: GitlabProject, number: int, *arguments: str) -> int:
    """The exit code of a command as a job of pipeline `number` would see it."""
    commit = git(project.lockgate.root, "rev-parse", "HEAD").strip()
    environment = {
        **os.environ, "CI_PIPELINE_ID": str(number), "CI_COMMIT_SHA": commit,
        "LOCKGATE_KEY": str(project.lockgate.root / PIPELINE_KEY),
    }  # fmt: skip
    return subprocess.run(
        [COMMAND, *arguments], cwd=project.lockgate.root, env=environment, capture_output=True, timeout=120
    ).returncode


def risen(project: GitlabProject, number: int) -> None:
    """Everything up to the approval; both jobs that a person waits for are refused."""
    first = project.pipeline(number, *BEFORE, needs=True)
    assert first.code == GOOD, first.out
    assert set(first.jobs) == set(BEFORE)
    staged = project.pipeline(number, "deploy:staging")
    tested = project.pipeline(number, "gate:integration")
    assert (staged.code, tested.code) == (GOOD, GOOD), staged.out + tested.out


def test_from_data_to_production_and_back(project: GitlabProject, served: tuple[Server, Server]) -> None:
    shop, (staging, production) = project.lockgate, served
    tells(project)
    risen(project, 1)
    first = shop.release()
    staging.answers(first)
    waiting = project.pipeline(1, "approve:production")
    assert "lockgate approve" in waiting.out
    assert waiting.jobs == {"approve:production": "FAIL"}
    assert asked(project, 1, "approvals", "production") == HUMAN
    refused = project.pipeline(1, "deploy:production")
    assert refused.jobs == {"deploy:production": "FAIL"}
    assert asked(project, 1, "deliver", "--to", "production", "--here") == HUMAN
    assert shop.live() is None
    shop.approve()
    assert project.pipeline(1, "approve:production").jobs == {"approve:production": "PASS"}
    assert project.pipeline(1, "deploy:production").jobs == {"deploy:production": "PASS"}
    production.answers(first)
    assert production.predict()["release"] == first
    assert f"it is {first} in production" in project.pipeline(1, "told").out
    assert "downstream" in project.listed(source="push")

    project.forget()
    old = git(shop.root, "rev-parse", "HEAD").strip()
    edit(shop.root, "shop/pipelines.py", "factor: float = 1.0", "factor: float = 1.001")
    write_sales(shop.root, days=DAYS + 1)
    push(shop.root, "a little more of everything")
    risen(project, 2)
    second = shop.release()
    assert second != first
    assert project.pipeline(2, "approve:production").jobs == {"approve:production": "FAIL"}, (
        "nobody signed for this one"
    )
    assert production.predict()["release"] == first
    shop.approve()
    both_jobs = project.pipeline(
        2, "--manual", "approve:production", "approve:production", "deploy:production", needs=False
    )
    assert both_jobs.code == GOOD, both_jobs.out
    production.answers(second)

    project.forget()  # GitLab's rollback button: the deploy job of the first pipeline runs again, on its own commit
    git(shop.root, "checkout", "--quiet", old)
    back = project.pipeline(1, "deploy:production")
    assert back.jobs == {"deploy:production": "PASS"}, back.out
    assert "rolled back" in back.out
    production.answers(first)
    assert production.predict()["release"] == first


def test_a_failing_gate_stops_the_pipeline(project: GitlabProject, served: tuple[Server, Server]) -> None:
    """The runner lets later jobs start; the commands do not let them do anything."""
    shop = project.lockgate
    edit(shop.root, "shop/pipelines.py", "factor: float = 1.0", "factor: float = 9.0")
    push(shop.root, "nine times too much")
    done = project.pipeline(1, *BEFORE, needs=True)
    assert "gate beats_baseline failed" in done.out
    assert done.jobs["gate:beats_baseline"] in ("FAIL", "WARN")
    assert asked(project, 1, "gate", "judge", "beats_baseline") == FAILED
    staged = project.pipeline(1, "deploy:staging")
    assert staged.jobs == {"deploy:staging": "FAIL"}
    assert asked(project, 1, "deliver", "--to", "staging", "--here") == FAILED
    assert asked(project, 1, "approvals", "production") == FAILED
    assert (shop.live("staging"), shop.live("production")) == (None, None)


def test_a_stale_file_stops_before_anything_is_released(project: GitlabProject) -> None:
    shop = project.lockgate
    edit(shop.root, "shop/delivery.py", "        gates.no_leak(),\n", "")
    push(shop.root, "one gate less, and nothing rendered")
    done = project.pipeline(1, "check", "train:shop", "release", needs=True)
    assert (done.code, done.jobs["check"]) == (1, "FAIL")
    assert "gate:no_leak is not in the declaration" in done.out
    assert "release" not in done.jobs


def test_a_merge_request_is_judged_and_deploys_nothing(project: GitlabProject) -> None:
    done = project.pipeline(
        1,
        source=MERGE_REQUEST,
        CI_MERGE_REQUEST_IID="7",
        CI_API_V4_URL="https://gitlab.example.org/api/v4",
        CI_PROJECT_ID="42",
    )
    assert done.code == GOOD, done.out
    assert set(done.jobs) >= set(BEFORE)
    assert not [j for j in done.jobs if j.startswith(("deploy", "approve", "monitor"))]
    assert done.jobs["report"] == "PASS", done.out
    assert "no note: no token for what a job's own token may not do: LOCKGATE_NOTE_TOKEN is not set" in done.out
    page = project.lockgate.root / ".gitlab-ci-local" / "artifacts" / "report" / "lockgate-reports" / "evidence.html"
    assert page.read_text().startswith("<!doctype html>")


def test_a_schedule_may_only_look(project: GitlabProject) -> None:
    done = project.pipeline(1, source="schedule", LOCKGATE_SCHEDULE="monitor")
    assert (done.code, done.jobs) == (GOOD, {"monitor": "PASS"}), done.out
    names = project.listed(source="schedule")
    assert {"train:shop", "deploy:production"} <= names
    assert "monitor" not in names


def test_the_approval_is_needed_by_structure_too(project: GitlabProject) -> None:
    """The runner refuses a run in which a job needs a manual one that nobody plays."""
    done: Ran = project.pipeline(1)
    assert done.code == 1
    assert "approve:production" in done.out
    assert "when:manual" in done.out
