"""`make lending` as a stranger plays it: two releases are stopped for one group's sake, the third is let in by two people.

One copy of `examples/lending` is played once for the whole session.
"""

from __future__ import annotations

import datetime as dt
import html
import json
import re
import shutil
import subprocess
import sys
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


def test_better_on_average_and_stopped_for_one_group(story: Path) -> None:
    first = scenes(story)[2]
    assert re.search(r"pass beats_baseline Accuracy is \d+\.\d% higher than the best simple method", first)
    assert re.search(
        r"fail four_fifths Share of yes answers: worst served is race: black with 42\.9%, against 81\.0% of the group white, "
        r"a ratio of 0\.53; 95% interval 0\.41 to 0\.66", first,
    )  # fmt: skip
    assert "gates four_fifths, error_gap failed" in first and "deploy staging" not in first


def test_the_third_page_says_that_two_were_stopped_before_it(story: Path) -> None:
    page = words(html.unescape(re.sub(r"<[^>]*>", " ", (story / "pages" / "third.html").read_text())))
    assert "2 releases before this one were stopped." in page
    assert (
        "Whoever started the run, wrote its code, edited the policy since the one in force was signed or wrote a waiver that it needs may not."
        in page
    )
    assert "four_fifths failed: Share of yes answers: worst served is race: black with 42.9%" in page
    assert "No release was stopped before this one." in (story / "pages" / "first.html").read_text()


def test_the_page_says_so_before_any_average(story: Path) -> None:
    page = words(
        html.unescape(
            re.sub(
                r"<style.*?</style>|<svg.*?</svg>|<[^>]*>",
                " ",
                (story / "pages" / "first.html").read_text(),
                flags=re.S,
            )
        )
    )
    assert "Not ready: 2 checks fail (four_fifths, error_gap)." in page
    shortest = page.partition("The page in one minute")[2].partition("What can you decide?")[0]
    assert (
        "Share of yes answers, group “race: black”: 42.9%, between 33.1% and 53.0%, n = 119 rows; 81.0% of white."
        in shortest
    )
    assert "group “race: black”: 44.3%, between 32.4% and 56.8%, n = 79 rows; 15.6% of white." in shortest
    assert "Accuracy is 13.3% higher than the best simple method" in shortest  # better on average, and stopped
    assert "worst served is race: black with 42.9%, against 81.0% of the group white, a ratio of 0.53" in page
    assert page.index("race: black") < page.index("All rows together")


def test_reweighing_alone_is_stopped_too(story: Path) -> None:
    assert "fail four_fifths" in scenes(story)[3] and "a ratio of 0.56" in scenes(story)[3]


def test_both_are_listed_with_the_reason(story: Path) -> None:
    said = words(lockgate(story, "releases", "--rejected").stdout)
    assert said.count("four_fifths") >= 2


def test_the_mended_one_passes_by_shares_and_asks_for_a_person_by_errors(story: Path) -> None:
    third = scenes(story)[4]
    assert "pass four_fifths" in third and "a ratio of 0.89" in third
    assert "uncertain error_gap" in third
    assert "--accept error_gap" in third and "--accept four_fifths" not in third
    assert "the contract of branch office holds" in third


def test_not_the_maker_and_not_one_alone(story: Path) -> None:
    own, two = scenes(story)[5:7]
    assert "Maya cannot approve own work" in own
    assert "One signature of two: 1 more fair-lending-officer" in two
    assert "healthy deploy production" in two


def test_a_decision_over_http_and_no_race_in_it(story: Path) -> None:
    asked = scenes(story)[7]
    assert '{"approve": true, "score": 0.9173}' in asked
    assert (
        "50% or more is needed, because a wrong approval costs as much as a wrong refusal; so it is approved" in asked
    )
    assert "with a race: There is no field “race”." in asked


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


def test_played_again_nothing_is_trained_and_nobody_signs_twice(story: Path) -> None:
    """Only the comparison with what is live by now is new."""
    output = play(story)
    assert "✓ booster" not in output and "✓ holdout" not in output
    assert "$ lockgate approve" not in output
    assert "done  release" in output and '{"approve": true, "score": 0.9173}' in output


def test_the_ledger_holds(story: Path) -> None:
    assert lockgate(story, "ledger", "verify").returncode == 0
    status = json.loads(lockgate(story, "status", "--json").stdout)
    live = {e["environment"]: e["release"] for e in status}
    assert live["production"] == live["staging"] is not None
