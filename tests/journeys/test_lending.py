"""`make lending` as a stranger plays it: two releases are stopped for one group's sake, the third is let in by two people.

One copy of `examples/lending` is played once for the whole session.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "lending"
BIN = Path(sys.executable).parent


def play(folder: Path) -> str:
    """Run the story without a terminal; answer everything it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "story"], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:]
    return done.stdout


def lockgate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BIN / "lockgate", *arguments], cwd=folder, capture_output=True, text=True, timeout=600)


def words(text: str) -> str:
    """Text without line breaks and columns."""
    return re.sub(r"\s+", " ", text)


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("story") / "lending"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(".lockgate", "data", "pages", "__pycache__"))
    (folder / ".gitignore").write_text(".lockgate/\ndata/\npages/\n__pycache__/\n")
    for command in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)
    (folder / "story.log").write_text(play(folder))
    return folder


def scenes(folder: Path) -> list[str]:
    """What was printed, scene by scene, the title first."""
    return [words(scene) for scene in (folder / "story.log").read_text().split("\n── ")[1:]]


def test_a_made_again_release_is_the_same_on_every_day(story: Path) -> None:
    from lockgate.delivery.releases import build_release
    from lockgate.delivery.run import plan, run
    from lockgate.delivery.walk import walk_now
    from lockgate.project import open_project

    project, made = open_project(story), []
    for day in (1, 2):
        now = dt.datetime(2030, 1, day, 12, tzinfo=dt.UTC)
        walk = walk_now(project, now=now)
        planned = plan(project, walk.delivery.name, now=now, graph=walk.graph)
        made.append(build_release(project, walk.training, run(project, walk.delivery.name, now=now, agreed=planned)))
    assert made[0].digest == made[1].digest
    assert made[0].as_of < "2030"


def test_played_again_it_only_repeats_what_is_known(story: Path) -> None:
    began = time.monotonic()
    output = play(story)
    assert "never ran here" not in output
    assert time.monotonic() - began < 60


def test_the_ledger_holds(story: Path) -> None:
    assert lockgate(story, "ledger", "verify").returncode == 0
    status = json.loads(lockgate(story, "status", "--json").stdout)
    live = {e["environment"]: e["release"] for e in status}
    assert live["production"] == live["staging"] is not None
