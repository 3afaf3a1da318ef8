"""A data engineer, a scientist and an approver: three clones of one repository, three keys, one store folder."""

from __future__ import annotations

import datetime as dt
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from journeys.walking import (
    HUMAN,
    OUTSIDE,
    REFUSED,
    Lockgate,
    Server,
    both,
    commit,
    git,
    make_shop,
)

pytestmark = pytest.mark.sampled(3)

FOLLOWS_WITHIN_SECONDS = 5.0
SLACK = 2.0


@dataclass(frozen=True, slots=True)
class Team:
    """Who works where. `imports` has a line for every import of the project's pipelines, with the importing folder."""

    engineer: Lockgate
    scientist: Lockgate
    approver: Lockgate
    imports: Path

    @property
    def everybody(self) -> tuple[Lockgate, ...]:
        return (self.engineer, self.scientist, self.approver)


@pytest.fixture(scope="module")
def founded_team(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the bare repository, the store and the three clones; only the engineer has the data."""
    folder = tmp_path_factory.mktemp("team")
    engineer = make_shop(folder / "engineer")
    with (engineer.root / "lockgate.toml").open("a") as settings:
        settings.write('\n[store]\nurl = "file://../store"\n')
    with (engineer.root / ".gitignore").open("a") as ignored:
        ignored.write("data/*.csv\n")
    module = engineer.root / "shop" / "pipelines.py"
    note = """
import contextlib
with contextlib.suppress(PermissionError), open("../imports", "a") as _file:  # a step's sandbox refuses it
    _file.write(__file__ + "\\n")
"""
    module.write_text(module.read_text() + note)
    engineer("init", "--person", "ada")
    git(engineer.root, "rm", "--quiet", "--cached", "data/sales.csv")
    commit(engineer.root, "shared")
    git(folder, "clone", "--quiet", "--bare", "engineer", "origin.git")
    for clone, person, role in (("scientist", "sam", "deliverer"), ("approver", "bob", "product-owner")):
        git(folder, "clone", "--quiet", "origin.git", clone)
        git(folder / clone, "config", "user.email", f"{person}@example.org")
        assert "not registered yet" in Lockgate(folder / clone)("init", "--person", person).out
        engineer("people", "add", person, "--role", role, "--key", str(folder / clone / ".lockgate" / "key.pub"))
    return folder


@pytest.fixture
def team(founded_team: Path, tmp_path: Path) -> Team:
    folder = tmp_path / "team"
    shutil.copytree(founded_team, folder, symlinks=True)
    return Team(*(Lockgate(folder / name) for name in ("engineer", "scientist", "approver")), folder / "imports")


def test_one_way_through_three_clones(team: Team) -> None:
    # The engineer makes the data; the scientist has no data file and runs only what is missing.
    assert team.engineer.actions("--to", "history") == {"history": "run"}
    assert not (team.scientist.root / "data" / "sales.csv").exists()
    assert team.scientist.actions() == {"history": "reuse", "model": "run", "holdout": "run", "trained_rows": "run"}
    assert set(team.engineer.actions().values()) == {"reuse"}

    # The scientist delivers, the engineer's copy serves; they share the store folder and nothing else.
    with both(team.engineer) as (_, production):
        team.scientist("deliver", expect=HUMAN)
        release = team.scientist.release()
        assert (
            "does not hold this role"
            in team.scientist("approve", "latest", "--role", "product-owner", "--reason", "mine", expect=REFUSED).err
        )
        assert agreed(team)[1]["blocker"].startswith("1 more product-owner")

        # The approver sees the page and signs, without data, without a run, without an import.
        assert not (team.approver.root / "data" / "sales.csv").exists()
        page = Path(team.approver.json("evidence")["path"])
        assert page.read_bytes() == Path(team.engineer.json("evidence")["path"]).read_bytes()
        signed = team.approver("approve", "latest", "--role", "product-owner", "--reason", "fit for its use")
        assert signed.out.endswith("next: lockgate deliver   (that is for who delivers: ada, sam; not for bob)\n")
        assert importers(team) <= {"engineer", "scientist", "store"}
        assert team.approver.json("runs") == []

        team.scientist("deliver")
        assert production.answers(release).predict()["release"] == release
    assert [s["release"] for s in agreed(team)] == [release, release]
    took = follow_seconds(team)
    print("wanted → healthy:", took)
    assert max(took) < FOLLOWS_WITHIN_SECONDS * SLACK


def test_two_proposals_at_once_never_overwrite(team: Team) -> None:
    team.engineer("run")
    commands = [(who, ("deliver", "--wait", "0", "--param", f"model.factor={factor}"))
                for who, factor in ((team.engineer, "1.001"), (team.scientist, "1.002"))]  # fmt: skip
    started = [(who.start(*command), command) for who, command in commands]
    for process, command in started:
        done = Lockgate.end(process, " ".join(command))
        assert done.code == OUTSIDE, done.text
    releases = {r["release"] for r in team.approver.json("releases")}
    assert len(releases) == 2
    factors = {team.approver.json("show", r[7:19])["lineage"]["parameters"]["shop.model"]["factor"] for r in releases}
    assert factors == {1.001, 1.002}
    for who in team.everybody:
        report = who.json("ledger", "verify")
        assert (report["set_aside"], report["entries"]) == (0, len(team.engineer.ledger()))
    assert {e["who"] for e in team.approver.ledger() if e["what"] == "proposed"} == {"ada", "sam"}
    agreed(team)


def test_two_people_at_once_are_both_registered(team: Team) -> None:
    started = [
        team.engineer.start("people", "add", name, "--role", "guest", "--new-key", f".lockgate/{name}")
        for name in ("carol", "dora")
    ]
    for process in started:
        assert Lockgate.end(process, "people add").code == 0
    assert {p["name"] for p in team.approver.json("people")["people"]} == {"ada", "sam", "bob", "carol", "dora"}


def test_a_server_believes_only_the_root_it_was_told(team: Team) -> None:
    root = team.approver.json("ledger", "verify")["trust_root"]
    wrong = "sha256:" + "0" * 64
    done = team.engineer("serve", "staging", "--port", "0", "--trust", wrong, expect=REFUSED)
    assert "trust root" in done.err
    assert wrong in done.err
    with Server(team.engineer, "staging", "--trust", root) as server:
        assert server.code is None


def test_only_an_operator_serves_and_rolls_back(team: Team) -> None:
    for command in (("serve", "staging", "--port", "0"), ("rollback", "staging")):
        assert "operator" in team.scientist(*command, expect=REFUSED).err


def test_a_clone_without_a_registered_key_may_look_and_nothing_else(team: Team) -> None:
    stranger = Lockgate(team.engineer.root.parent / "stranger")
    git(stranger.root.parent, "clone", "--quiet", "origin.git", "stranger")
    assert stranger.json("status") == team.engineer.json("status")
    stranger("init", "--person", "eve")
    before = team.engineer.ledger()
    people = ("people", "add", "eve", "--role", "trustee", "--key", ".lockgate/key.pub")
    for command in (("deliver", "--wait", "0"), ("serve", "staging", "--port", "0"), people):
        assert "belongs to nobody" in stranger(*command, expect=REFUSED).err
    assert "may not change the people" in team.scientist(*people, expect=REFUSED).err
    assert team.engineer.ledger() == before


def agreed(team: Team) -> list[dict[str, str]]:
    """What everybody's `status` says."""
    said = [who.json("status") for who in team.everybody]
    assert said[0] == said[1] == said[2]
    return said[0]


def importers(team: Team) -> set[str]:
    """Folders from which the pipelines were imported."""
    folder = team.imports.parent
    return {
        Path(line).relative_to(folder).parts[0]
        for line in team.imports.read_text().splitlines()
        if Path(line).is_relative_to(folder)
    }


def follow_seconds(team: Team) -> list[float]:
    """From each `wanted` to its `healthy`, by the times in the ledger."""
    wanted, found = dict[str, dt.datetime](), list[float]()
    for entry in team.engineer.ledger():
        place, time = entry["about"].rpartition(" ")[2], dt.datetime.fromisoformat(entry["time"])
        if entry["what"] == "wanted":
            wanted[place] = time
        elif entry["what"] == "healthy" and place in wanted:
            found.append((time - wanted.pop(place)).total_seconds())
    return found
