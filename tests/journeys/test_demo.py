"""The demo as a stranger plays it: cold, again, with dirty data, with a damaged model, a week later.

One copy of `examples/demand` is walked once for the whole session; the tests go through it in order, cheap copies
for what breaks things. The data comes as the README says: from the registry, or the cache of an earlier download.
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
EXAMPLE = ROOT / "examples" / "demand"
BIN = Path(sys.executable).parent


def play(folder: Path, *arguments: str, code: int = 0) -> str:
    """Run `python -m demo …` without a terminal; answer everything it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "demo", *arguments], cwd=folder, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == code, done.stdout[-4000:]
    return done.stdout


def lockgate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BIN / "lockgate", *arguments], cwd=folder, capture_output=True, text=True, timeout=600)


def last_json(output: str) -> dict:
    return json.loads(output.strip().splitlines()[-1])


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's project, committed to a repository of its own and played once with nobody there."""
    folder = tmp_path_factory.mktemp("demo") / "demand"
    ignored = shutil.ignore_patterns(".lockgate", "data", "__pycache__")
    shutil.copytree(EXAMPLE, folder, ignore=ignored)
    (folder / ".gitignore").write_text(".lockgate/\ndata/\n__pycache__/\n")
    for command in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)
    (folder / "first.log").write_text(play(folder, "start", "--check"))
    return folder


@pytest.fixture
def copy(demo: Path, tmp_path: Path) -> Path:
    """A copy to break. Links in it point into itself."""
    target = tmp_path / "demand"
    shutil.copytree(demo, target, symlinks=True)
    shutil.rmtree(target / ".lockgate" / "tmp", ignore_errors=True)
    return target


def test_the_demo_refuses_twice_and_ends_with_equal_answers(demo: Path) -> None:
    output = (demo / "first.log").read_text()
    assert re.search(r"gates? no_leak\b.* failed", output)
    assert "scientist cannot approve own work" in output
    assert "DEMO APPROVAL" in output
    answer = last_json(output)
    assert answer["as_of"] == "2011-10-15"
    assert answer["http"] == answer["evaluation"] and len(answer["http"]) == 2
    assert answer["release"].startswith("sha256:") and answer["ledger_head"].startswith("sha256:")


def test_the_second_time_nothing_runs_and_the_page_is_there_within_seconds(demo: Path) -> None:
    began = time.monotonic()
    output = play(demo, "start", "--check")
    seconds = time.monotonic() - began
    assert "✓" not in output, "a step ran"
    assert last_json(output)["release"] == last_json((demo / "first.log").read_text())["release"]
    assert seconds < 60, f"{seconds:.0f} s; the promise is 15 s on a quiet machine"


def test_without_a_terminal_nobody_signs(copy: Path) -> None:
    """A new release, no viewer and no --check: it stops where a person decides."""
    train = copy / "demand" / "train.py"
    text = train.read_text()
    changed = text.replace("rounds: int = 80", "rounds: int = 40")
    assert changed != text
    train.write_text(changed)
    output = play(copy, "start", code=3)
    assert "Only a person may decide" in output or "only a person may decide" in output
    found = json.loads(lockgate(copy, "releases", "--json").stdout)
    assert [f["state"] for f in found[:2]] == ["proposed", "live"]


def test_nothing_changed_nothing_runs(demo: Path) -> None:
    lockgate(demo, "run")  # the pipelines that the demo has no use for until next week
    best = min(_timed(demo) for _ in range(5))
    assert best < 1.5, f"{best:.2f} s; the promise is 0.3 s on a quiet machine"


def _timed(folder: Path) -> float:
    began = time.monotonic()
    done = lockgate(folder, "run", "--json")
    seconds = time.monotonic() - began
    assert {s["action"] for s in json.loads(done.stdout)["steps"]} == {"reuse"}
    return seconds


def test_one_feature_edited_runs_only_what_depends_on_it(copy: Path) -> None:
    features = copy / "demand" / "features.py"
    features.write_text(features.read_text() + "\n# a comment changes nothing\n")
    plan = json.loads(lockgate(copy, "plan", "--json").stdout)
    assert {s["action"] for s in plan["steps"]} == {"reuse"}
    lines = features.read_text()
    edited = lines.replace("@step\ndef features(", "@step\ndef features(", 1)
    head, _, tail = edited.partition("def features(")
    body = tail.index('"""', tail.index('"""') + 3) + 3
    features.write_text(head + "def features(" + tail[:body] + "\n    assert horizons > 0\n" + tail[body:])
    plan = {s["name"]: s["action"] for s in json.loads(lockgate(copy, "plan", "--json").stdout)["steps"]}
    assert all(a == "reuse" for n, a in plan.items() if n.startswith("sales."))
    assert plan["demand.windows"] == "reuse" and plan["demand.features"] == "run"
    why = lockgate(copy, "why", "features").stdout
    assert "demand.features.features changed (demand/features.py:" in why


def _sales(copy: Path) -> Path:
    return next((copy / "data" / "sales").glob("*.csv"))


def _rename_a_column(path: Path) -> None:
    lines = path.read_text().split("\n", 1)
    path.write_text(lines[0].replace("Quantity", "Qty") + "\n" + lines[1])


def _sell_backwards(path: Path) -> None:
    """Ten thousand lines lose the minus's reason: negative pieces without a cancellation."""
    lines = path.read_text().splitlines()
    header = lines[0].split(",")
    at = header.index("Quantity")
    import csv
    import io

    rows = list(csv.reader(io.StringIO("\n".join(lines[-20_000:]))))
    for row in rows[::2]:
        row[at] = f"-{row[at].lstrip('-')}" if not row[0].startswith("C") else row[at]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    path.write_text("\n".join(lines[:-20_000]) + "\n" + out.getvalue())


def _lose_a_day(path: Path) -> None:
    day = "10/13/2011"
    lines = path.read_text().splitlines(keepends=True)
    kept = [line for line in lines if f",{day} " not in line and f",{dt.date(2011, 10, 13)}" not in line]
    assert len(kept) < len(lines), "the day is written otherwise"
    path.write_text("".join(kept))


def _empty(path: Path) -> None:
    path.write_text("")


@pytest.mark.parametrize(
    ("break_it", "named"),
    [(_rename_a_column, "Quantity"), (_sell_backwards, "negative"), (_lose_a_day, "2011-10-13"), (_empty, "no rows")],
)
def test_dirt_stops_the_run_with_one_message_and_the_live_release_goes_on(copy: Path, break_it, named: str) -> None:
    break_it(_sales(copy))
    done = lockgate(copy, "run")
    assert done.returncode in (1, 2), done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    message = done.stderr[done.stderr.rfind("✗") :]
    assert named in message and "next:" in message, message
    status = json.loads(lockgate(copy, "status", "--json").stdout)
    assert [e["health"] for e in status] == ["healthy", "healthy"]


def test_a_damaged_model_is_named_with_exit_4(copy: Path) -> None:
    shown = json.loads(lockgate(copy, "show", "booster", "--json").stdout)
    path = copy / Path(shown["path"]).relative_to(Path(shown["path"]).parents[3])
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    done = lockgate(copy, "deliver")
    assert done.returncode == 4 and "booster" in done.stderr, done.stderr
    assert "damaged" in play(copy, "start", "--check", code=4)


def test_a_week_passes(copy: Path) -> None:
    output = play(copy, "next-week", "--check")
    assert "truth inside the interval" in output
    assert "champion" in output and "is delivered" in output
    assert "2011-10-22" in (copy / "data" / "as-of").read_text()
    if "uncertain" in output:
        assert "--accept" in output
    answer = last_json(play(copy, "start", "--check"))
    assert answer["as_of"] == "2011-10-22"
