"""The plan as a child pipeline: only what runs or may run has a job, and what need not run says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from journeys.conftest import Copier
from journeys.gitlab_local import MERGE_REQUEST, GitlabProject, needs_runner, on_gitlab, push
from journeys.walking import Lockgate, edit

CHILD = "child.yml"


@pytest.fixture
def project(fresh: Copier, ran: Lockgate, tmp_path: Path) -> GitlabProject:
    """The shop with everything run, its steps in child pipelines."""
    needs_runner()
    return on_gitlab(fresh(ran), tmp_path, toml='steps = "child"\nmerge_requests = "training"\n')


def jobs(lockgate: Lockgate) -> list[str]:
    found = lockgate("gitlab", "render", "--child", "--out", CHILD, "--json").json()
    (lockgate.root / CHILD).unlink()
    return [j["name"] for j in found["graph"]["jobs"]]


def test_a_change_of_one_step_has_only_the_jobs_behind_it(project: GitlabProject) -> None:
    shop = project.lockgate
    assert jobs(shop) == ["unchanged"]
    edit(shop.root, "shop/pipelines.py", "return Model(factor)", "return Model(2 * factor)")
    assert jobs(shop) == ["step:shop.model", "step:shop.trained_rows"]
    push(shop.root, "twice as much")
    done = project.pipeline(1, source=MERGE_REQUEST)
    assert done.code == 0, done.out
    assert {n.rpartition(" -> ")[2]: o for n, o in done.jobs.items() if "step:" in n} == {
        "step:shop.model": "PASS",
        "step:shop.trained_rows": "PASS",
    }
    assert jobs(shop) == ["unchanged"]


def test_a_step_whose_input_came_out_the_same_ends_at_once_and_says_so(project: GitlabProject) -> None:
    shop = project.lockgate
    edit(shop.root, "shop/pipelines.py", '.sort("date", "product")', '.sort("date", "product").head(1_000_000)')
    assert jobs(shop) == ["step:shop.history", "step:shop.model", "step:shop.holdout", "step:shop.trained_rows"]
    push(shop.root, "the same rows by another way")
    done = project.pipeline(1, source=MERGE_REQUEST)
    assert done.code == 0, done.out
    assert done.out.count("made from changed, so nothing ran") == 3, done.out
    assert "nothing that shop.model is made from changed, so nothing ran" in done.out


def test_a_plan_with_a_blocked_step_is_not_rendered(project: GitlabProject) -> None:
    """Without its job the pipeline would be green."""
    edit(
        project.lockgate.root,
        "shop/pipelines.py",
        "def model(history: pl.DataFrame,",
        "def model(history: pl.DataFrame, prices: Path,",
    )
    settings = project.lockgate.root / "lockgate.toml"
    settings.write_text(settings.read_text() + '[sources.prices]\nkind = "file"\npath = "data/prices.csv"\n')
    done = project.lockgate("gitlab", "render", "--child", "--out", CHILD, expect=1)
    assert "a step cannot run: shop.model" in done.err
    assert not (project.lockgate.root / CHILD).exists()


def test_too_many_steps_become_one_job_per_pipeline(project: GitlabProject) -> None:
    shop = project.lockgate
    shop.end(shop.start("gitlab", "render", "--child", "--out", CHILD), "render")
    edit(shop.root, "lockgate.toml", 'steps = "child"', 'steps = "child"\nchild_bytes = 10000')
    steps = "".join(f"\n\n@step\ndef s{n}(model: Model) -> int:\n    return {n}\n" for n in range(80))
    edit(shop.root, "shop/pipelines.py", "\n\ndef reasons(", f"{steps}\n\ndef reasons(")
    edit(shop.root, "shop/pipelines.py", "trained_rows],", f"trained_rows, {', '.join(f's{n}' for n in range(80))}],")
    done = shop("gitlab", "render", "--child", "--out", CHILD)
    assert "one job for each pipeline" in done.err
    assert (shop.root / CHILD).stat().st_size < 10_000
    assert jobs(shop) == ["train:shop"]
