"""What the example projects are rendered to. Rewrite the golden files with LOCKGATE_GOLDEN=write, and look at the difference."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from forge.test_gitlab_yaml import schema_says
from lockgate.forge.gitlab_yaml import FILE, ROOT

HERE = Path(__file__).resolve().parents[1]
GOLDEN = HERE / "golden" / "gitlab"
PROJECTS = {
    "shop": HERE / "projects" / "shop",
    "demand": HERE.parent / "examples" / "demand",
    "lending": HERE.parent / "examples" / "lending",
}
POLICY = "[environments.staging]\nprotected = false\n"
LOCKGATE = Path(sys.executable).with_name("lockgate")


def lockgate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([LOCKGATE, *arguments], cwd=folder, capture_output=True, text=True, timeout=120)


def rendered(name: str, folder: Path) -> Path:
    """A copy of a project with its pipeline rendered."""
    root = folder / name
    shutil.copytree(PROJECTS[name], root, ignore=shutil.ignore_patterns("__pycache__", ".lockgate", "data"))
    if not (root / "policy.toml").exists():
        (root / "policy.toml").write_text(POLICY)
    done = lockgate(root, "gitlab", "render")
    assert done.returncode == 0, done.stdout + done.stderr
    return root


@pytest.mark.parametrize("name", PROJECTS)
def test_the_rendered_pipeline_is_the_golden_one(name: str, tmp_path: Path) -> None:
    root = rendered(name, tmp_path)
    text, golden = (root / FILE).read_text(), GOLDEN / f"{name}.yml"
    if os.environ.get("LOCKGATE_GOLDEN") == "write":
        golden.write_text(text)
    assert text == golden.read_text()
    assert (root / ROOT).read_text() == (GOLDEN / "root.yml").read_text()
    done = schema_says(tmp_path, text)
    assert done.returncode == 0, done.stdout + done.stderr
    assert lockgate(root, "gitlab", "check").returncode == 0


EVERYTHING = """
[gitlab]
publish = true
approvals = "deployment"

[gitlab.review]
url = "https://{branch}.review.example.org"
days = 7

[gitlab.downstream]
project = "group/app"
branch = "main"
"""


def test_all_that_can_be_asked_for_is_the_golden_one(tmp_path: Path) -> None:
    """Review app, a downstream project, approvals of deployments, publishing."""
    root = rendered("shop", tmp_path)
    with (root / "lockgate.toml").open("a") as settings, (root / "policy.toml").open("a") as policy:
        settings.write(EVERYTHING)
        policy.write('\n[environments.production]\ngrade = "attested"\n')
    assert lockgate(root, "gitlab", "render").returncode == 0
    text, golden = (root / FILE).read_text(), GOLDEN / "everything.yml"
    if os.environ.get("LOCKGATE_GOLDEN") == "write":
        golden.write_text(text)
    assert text == golden.read_text()
    assert schema_says(tmp_path, text).returncode == 0
    done = lockgate(root, "gitlab", "check")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ('[gitlab.review]\nurl = "https://review.example.org"', "{branch}"),
        ("[gitlab.review]\ndays = 3", "gitlab.review.url"),
        ('[gitlab.downstream]\nbranch = "main"', "gitlab.downstream.project"),
        ('[gitlab]\napprovals = "both"', "button, deployment"),
    ],
)
def test_half_a_setting_is_named(tmp_path: Path, said: str, words: str) -> None:
    root = rendered("shop", tmp_path)
    with (root / "lockgate.toml").open("a") as settings:
        settings.write(f"\n{said}\n")
    done = lockgate(root, "gitlab", "render")
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr


def test_check_names_what_is_stale(tmp_path: Path) -> None:
    root = rendered("shop", tmp_path)
    way = root / "shop" / "delivery.py"
    way.write_text(way.read_text().replace("        gates.no_leak(),\n", ""))
    done = lockgate(root, "gitlab", "check")
    assert done.returncode == 1
    assert "gate:no_leak is not in the declaration" in done.stdout
    assert f"stale  {FILE}: its head\n       there     # Declaration\n                 sha256:" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert (root / FILE).read_text() != "", "check writes nothing"


def test_a_block_that_is_declared_and_not_committed_is_missing(tmp_path: Path) -> None:
    root = rendered("shop", tmp_path)
    file = root / FILE
    file.write_text("\n\n".join(p for p in file.read_text().split("\n\n") if "\ngate:no_leak:" not in f"\n{p}"))
    done = lockgate(root, "gitlab", "check")
    assert "gate:no_leak is missing here" in done.stdout


@pytest.mark.parametrize(
    ("added", "name"),
    [
        ("\nlint:\n  stage: verify\n  script: [make]\n", "lint"),
        ("  - local: ci/mine.yml\n", "include of local: ci/mine.yml"),
    ],
)
def test_what_a_colleague_added_to_our_root_file_is_kept(tmp_path: Path, added: str, name: str) -> None:
    root = rendered("shop", tmp_path)
    (root / "ci" / "mine.yml").write_text("")
    file = root / ROOT
    ours = file.read_text()
    file.write_text(
        ours + added if added.startswith("\n") else ours.replace(f"- local: {FILE}\n", f"- local: {FILE}\n{added}")
    )
    mine = file.read_text()
    assert mine != ours
    done = lockgate(root, "gitlab", "check")
    assert done.returncode == 1
    says = " ".join(done.stdout.split())
    assert f"stale {ROOT}: {name} is not in the declaration: an addition of yours; remove line 1 to keep it" in says
    assert "next: remove line 1 of .gitlab-ci.yml" in done.stderr
    assert "render" not in done.stderr
    done = lockgate(root, "gitlab", "render")
    assert (done.returncode, name in done.stderr, "--force" in done.stderr) == (2, True, True)
    assert file.read_text() == mine
    file.write_text(mine.partition("\n")[2])
    assert lockgate(root, "gitlab", "check").returncode == 0
    assert lockgate(root, "gitlab", "render").returncode == 0
    assert file.read_text() == mine.partition("\n")[2]
    file.write_text(mine)
    assert lockgate(root, "gitlab", "render", "--force").returncode == 0
    assert file.read_text() == ours


@pytest.mark.parametrize("tracked", [True, False])
def test_a_star_finds_what_gitlab_finds_and_no_ignored_cache(tmp_path: Path, tracked: bool) -> None:
    root = rendered("shop", tmp_path)
    text = (
        (root / ROOT)
        .read_text()
        .partition("\n")[2]
        .replace(f"- local: {FILE}\n", f"- local: {FILE}\n  - local: '**/x.Y*'\n")
    )
    (root / ROOT).write_text(text)
    for folder in (".ci", ".cache"):
        (root / folder).mkdir()
        (root / folder / "x.YML").write_text("gate:champion: {script: [exit 0]}\n")
    if tracked:
        (root / ".gitignore").write_text(".cache/\n")
        subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    done = lockgate(root, "gitlab", "check")
    assert done.returncode == 1
    assert "in .ci/x.YML" in done.stdout
    assert ("in .cache/x.YML" in done.stdout) != tracked


def test_an_edited_file_is_stale_and_wrong(tmp_path: Path) -> None:
    root = rendered("shop", tmp_path)
    file = root / FILE
    file.write_text(file.read_text().replace("    - approve:production\n", "    - gate:integration\n"))
    done = lockgate(root, "gitlab", "check")
    assert done.returncode == 1
    assert (
        f"{FILE}: deploy:production\n       there     - gate:integration\n       declared  - approve:production"
        in done.stdout
    )
    assert "[way-kept]" in done.stdout
    assert lockgate(root, "gitlab", "render").returncode == 0
    assert lockgate(root, "gitlab", "check").returncode == 0


def test_somebody_elses_root_file_is_left_alone(tmp_path: Path) -> None:
    root = rendered("shop", tmp_path)
    own = "stages: [mine]\nbuild:\n  stage: mine\n  script: [make]\n"
    (root / ROOT).write_text(own)
    done = lockgate(root, "gitlab", "render")
    assert (root / ROOT).read_text() == own
    assert f"include:\n  - local: {FILE}\nstages:\n  - verify\n" in done.stdout
    stale = lockgate(root, "gitlab", "check")
    assert stale.returncode == 1
    assert f"{ROOT} does not include {FILE}" in stale.stdout
    stages = [
        "mine",
        *(line[4:] for line in (root / FILE).read_text().partition("stages:\n")[2].partition("\n\n")[0].splitlines()),
    ]
    own = own.replace("[mine]", f"[{', '.join(stages)}]")
    (root / ROOT).write_text(f"include:\n  - local: {FILE}\n{own}")
    assert lockgate(root, "gitlab", "check").returncode == 0
    (root / ROOT).write_text(f"include:\n  - local: {FILE}\n{own}release:\n  allow_failure: true\n")
    wrong = lockgate(root, "gitlab", "check")
    assert wrong.returncode == 1
    assert (
        "wrong  release › allow_failure  in .gitlab-ci.yml\n       there     true\n       rendered  nothing"
        in wrong.stdout
    )
    assert "next: take it out of .gitlab-ci.yml" in wrong.stderr


def test_pipelines_that_read_from_each_other_are_no_jobs(tmp_path: Path) -> None:
    root = rendered("shop", tmp_path)
    (root / "shop" / "pipelines.py").write_text(CIRCLE)
    (root / "lockgate.toml").write_text('[project]\nname = "shop"\npipelines = ["shop.pipelines"]\n')
    done = lockgate(root, "gitlab", "render")
    assert (done.returncode, "first → second → first" in done.stderr) == (2, True), done.stderr


CIRCLE = """
from lockgate import Pipeline, step

@step
def a() -> int:
    return 1

@step
def b(a: int) -> int:
    return a

@step
def c(b: int) -> int:
    return b

first = Pipeline("first", kind="data", steps=[a, c], publishes=["a"])
second = Pipeline("second", kind="data", steps=[b], publishes=["b"])
"""
