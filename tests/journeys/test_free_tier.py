"""A Maintainer on GitLab's free tier may rewrite everything in the project. Production still loads nothing that nobody approved.

What they hold: the repository with its pipeline file and policy, the CI variables with the pipeline's key, the branch of the ledger, the
store. What they do not hold: the server with its own clone and the trust root that it was started with, and the keys of people.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import pytest

from lockgate.delivery.evidence.page import page_of
from lockgate.delivery.identity import read_ledger
from lockgate.delivery.walk import walk_now
from lockgate.errors import MovedOn
from lockgate.gates.binding import binding, decide
from lockgate.project import open_project
from lockgate.records.decisions import Attested
from lockgate.records.decisions import Wanted, state
from lockgate.records.people import Person
from lockgate.records.people import found as founding
from lockgate.records.decisions import PeopleSet
from lockgate.records.statement import seal
from lockgate.adapters.keys import FileSigner
from lockgate.testing.gitlab import GitLab
from datetime import UTC, datetime

from journeys.test_pipeline_jobs import BEFORE_STAGING, PREDICT, Forge, found
from journeys.walking import (
    FAILED,
    GOOD,
    HUMAN,
    OUTSIDE,
    REFUSED,
    Lockgate,
    Server,
    commit,
    edit,
    git,
    make_shop,
    until,
)

pytestmark = pytest.mark.sampled(3)

BOB = "gitlab:gitlab.example.org/42"
QUIET = 3.0
"""A server follows within a second or two; so long nothing may have happened."""


@dataclass(frozen=True)
class Team:
    """`forge.desk` is where a Maintainer works; `operations` is the server's own clone, which nobody else can write to."""

    forge: Forge
    operations: Lockgate
    production: Server
    remote: Path
    good: str

    def change(self, number: int) -> None:
        file = self.forge.desk.root / "shop/pipelines.py"
        file.write_text(re.sub(r"factor: float = [0-9.]+", f"factor: float = 1.000{number}", file.read_text()))
        commit(self.forge.desk.root, f"change {number}")

    def new_release(self, number: int) -> str:
        """A change that a pipeline proposes and judges as far as staging; nobody has signed for it."""
        self.change(number)
        pipeline = self.forge.pipeline(number)
        release = pipeline.propose()
        pipeline.judge(*BEFORE_STAGING)
        pipeline.job("deliver", "--to", "staging", "--here")
        pipeline.judge("integration")
        pipeline.job("approvals", "production", expect=HUMAN)  # makes the page that people sign under
        return release

    def as_before(self) -> None:
        """The rules of the repository as they were when the server was set up."""
        git(self.forge.desk.root, "checkout", "--quiet", "founded", "--", "policy.toml", "shop/delivery.py")
        git(self.forge.desk.root, "commit", "--quiet", "--allow-empty", "-m", "as before")

    def says(self, make: Callable[[], object], *, key: str = "bot") -> None:
        """Append whatever the pipeline's key can sign, past every command."""
        project = open_project(self.forge.desk.root)
        project.ledger.append(
            seal(state(make()), FileSigner(self.forge.folder / key)),
            after=project.ledger.head(),
            time=datetime.now(UTC),
        )


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """Release `good` is live in production, approved; the same server stands through all attacks."""
    folder = tmp_path_factory.mktemp("free-tier")
    remote = folder / "remote.git"
    subprocess.run(["git", "init", "--quiet", "--bare", remote], check=True)
    forge = found(folder, settings=f'\n[ledger]\nurl = "git:{remote}"\n')
    git(forge.desk.root, "tag", "founded")
    forge.desk("people", "add", "bob", "--alias", BOB)
    forge.desk("people", "add", "runner", "--machine", "--role", "attester")
    root = (forge.desk.root / ".lockgate" / "trust-root").read_text().strip()
    git(folder, "clone", "--quiet", "desk", "operations")
    operations = Lockgate(folder / "operations", {"LOCKGATE_KEY": str(folder / "bot")})
    with (
        Server(operations, "staging", "--trust", root),
        Server(operations, "production", "--trust", root) as production,
    ):
        good = forge.pipeline(1).to_production()
        production.answers(good)
        yield Team(forge, operations, production, remote, good)


@pytest.fixture(autouse=True)
def production_serves_what_was_approved(team: Team) -> Iterator[None]:
    yield
    assert team.production.answers().predict(*PREDICT)["release"] == team.good
    team.as_before()


def refused(team: Team, release: str) -> None:
    """The server had time, and serves what it did."""
    time.sleep(QUIET)
    assert team.operations.live() == team.good != release


def test_a_pipeline_file_without_gates_and_approval(team: Team) -> None:
    """Whatever jobs there are, the command asks the ledger."""
    team.change(2)
    pipeline = team.forge.pipeline(2)
    release = pipeline.propose()
    pipeline.job("deliver", "--to", "production", "--here", expect=FAILED)
    pipeline.judge(*BEFORE_STAGING)
    pipeline.job("deliver", "--to", "staging", "--here")
    pipeline.judge("integration")
    pipeline.job("deliver", "--to", "production", "--here", expect=HUMAN)
    refused(team, release)


@pytest.mark.parametrize("how", ["nobody is asked", pytest.param("a button counts", marks=pytest.mark.soak)])
def test_a_policy_that_asks_less(team: Team, how: str) -> None:
    """The Maintainer's commit decides what their pipeline asks; the server asks by its own clone."""
    desk = team.forge.desk.root
    if how == "nobody is asked":
        edit(desk, "shop/delivery.py", '        approval("product-owner", valid_for="7d"),\n', "")
        policy = (desk / "policy.toml").read_text().replace("[roles.product-owner]\nneed = 1\n", "")
        (desk / "policy.toml").write_text(policy + "\n[environments.production]\nprotected = false\n")
    else:
        with (desk / "policy.toml").open("a") as file:
            file.write('\n[environments.production]\ngrade = "attested"\n')
    number = 30 if how == "a button counts" else 31
    team.change(number)
    pipeline = team.forge.pipeline(number)
    release = pipeline.propose()
    pipeline.judge(*BEFORE_STAGING)
    said = pipeline.job("deliver", "--to", "staging", "--here", expect=FAILED)
    assert "this server's policy is" in said.err
    project = open_project(team.forge.desk.root)
    team.says(lambda: Wanted(release=release, environment="production", because="delivered", log=project.ledger.head()))
    refused(team, release)


def test_the_pipelines_key_wishes_for_itself(team: Team) -> None:
    """The variable with the key is the Maintainer's to read: it can wish, and a wish alone is ignored."""
    release = team.new_release(4)
    project = open_project(team.forge.desk.root)
    team.says(lambda: Wanted(release=release, environment="production", because="delivered", log=project.ledger.head()))
    refused(team, release)


@pytest.mark.soak
def test_the_pipelines_key_signs_as_a_person(team: Team) -> None:
    """`approve` with the machine's key, and people added by who is no trustee."""
    release = team.new_release(5)
    team.forge.desk("evidence", release)
    key = ("--key", str(team.forge.folder / "bot"))
    assert (
        team.forge.desk("approve", release, "--role", "product-owner", "--reason", "me", *key, expect=None).code != GOOD
    )
    shutil.copy(team.forge.folder / "bot", team.forge.folder / "mallory")
    project = open_project(team.forge.desk.root)
    people = founding(
        [
            Person(
                name="mallory",
                roles=("trustee", "product-owner"),
                keys=(FileSigner(team.forge.folder / "mallory").public_key(),),
            )
        ]
    )
    team.says(lambda: PeopleSet(people=people, log=project.ledger.head()), key="mallory")
    team.says(lambda: Wanted(release=release, environment="production", because="delivered", log=project.ledger.head()))
    refused(team, release)


@pytest.mark.parametrize(
    "how", ["founded anew", *(pytest.param(h, marks=pytest.mark.soak) for h in ("cut", "deleted"))]
)
def test_a_ledger_branch_that_is_forced(team: Team, how: str, tmp_path: Path) -> None:
    """Free tier lets a Maintainer unprotect the branch and push what they like."""
    number = 60 + ["founded anew", "cut", "deleted"].index(how)
    release = team.new_release(number)
    branch = "refs/heads/lockgate/ledger"
    before = git(team.remote, "rev-parse", branch).strip()
    if how == "founded anew":
        other = make_shop(tmp_path / "other")
        with (other.root / "lockgate.toml").open("a") as settings:
            settings.write(f'\n[store]\nurl = "file://../store"\n\n[ledger]\nurl = "git:{team.remote}#mine"\n')
        other("init", "--person", "mallory", "--role", "product-owner")
        git(team.remote, "update-ref", branch, "refs/heads/mine")
    elif how == "cut":
        git(team.remote, "update-ref", branch, f"{branch}~4")
    else:
        git(team.remote, "update-ref", "-d", branch)
    done = team.operations("status", expect=None)
    assert done.code != GOOD, done.text
    assert "ledger" in done.err
    assert team.forge.pipeline(number).clone()("deliver", "--to", "production", "--here", expect=None).code != GOOD
    git(team.remote, "update-ref", branch, before)
    refused(team, release)


@pytest.mark.soak
def test_other_bytes_in_the_store(team: Team) -> None:
    """What was approved is loaded by digest: another model under the same name is refused, and what serves goes on."""
    release = team.new_release(7)
    team.forge.approve(release)
    model = next(f for f in team.forge.desk.json("show", release)["files"] if "model" in f["path"])
    path = next((team.forge.folder / "store").rglob(model["blake3"].removeprefix("blake3:")))
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b" ")
    done = team.forge.pipeline(7).job("deliver", "--to", "production", "--here", expect=None)
    assert done.code in (FAILED, OUTSIDE, REFUSED), done.text
    refused(team, release)


def attested_by_bob(team: Team, release: str) -> Attested:
    """As if Bob had pressed *play*, at an instance that is anybody's."""
    project, now = open_project(team.forge.desk.root), datetime.now(UTC)
    walk, trust = walk_now(project, now=now), read_ledger(project)
    ask = walk.ask(trust, release, "production")
    page = page_of(project, walk, trust, release=release, environment="production")
    assert page is not None
    current = binding(trust, release=release, environment="production", policy=walk.digest, page=page.sha256)
    said = decide(
        "approve", role="product-owner", reason="me", current=current, ask=ask, accepted=(), log=trust.head, now=now
    )
    return Attested(
        **{f.name: getattr(said, f.name) for f in fields(said)}, account=BOB, forge={"iss": "https://evil.example"}
    )


def test_the_variables_of_a_job_name_another_gitlab(team: Team) -> None:
    """Mallory's own instance says that Bob pressed; then the attester's key says so past the command."""
    release = team.new_release(10)
    pipeline = team.forge.pipeline(10)
    with GitLab() as evil:
        job = evil.job("approve:production", pipeline=evil.pipeline(), user="bob", environment="production")
        names = {
            **evil.variables(job), "CI_PIPELINE_ID": pipeline.id, "CI_COMMIT_SHA": pipeline.commit, "GITLAB_USER_ID": "42",
            "LOCKGATE_ID_TOKEN": evil.id_token(job, aud="lockgate", now=datetime.now(UTC)),
            "LOCKGATE_KEY": str(team.forge.folder / "runner"),
        }  # fmt: skip
        clone, real = pipeline.clone(), "https://gitlab.example.org"
        for changes, field in (
            ({}, "CI_SERVER_URL"),
            ({"CI_SERVER_URL": f"{real}/mallory/pub/-/raw/main/x"}, "CI_SERVER_URL"),
            ({"CI_SERVER_URL": real}, "CI_API_V4_URL"),
        ):
            job_here = replace(clone, env={**clone.env, **names, **changes})
            said = job_here("gitlab", "attest", "production", expect=REFUSED)
            assert f"whose word counts here: {field}" in said.err
        assert evil.requests == []
    team.says(lambda: attested_by_bob(team, release), key="runner")
    pipeline.job("approvals", "production", expect=HUMAN)
    project = open_project(team.forge.desk.root)
    team.says(lambda: Wanted(release=release, environment="production", because="delivered", log=project.ledger.head()))
    refused(team, release)


def test_a_decoy_of_the_ledgers_branch(team: Team) -> None:
    """Git lists it first for the same name, and anybody who may push a branch may push it."""
    decoy = "refs/heads/a/refs/heads/lockgate/ledger"
    git(team.remote, "update-ref", decoy, "refs/heads/lockgate/ledger~4")
    before = len(team.operations.ledger())
    release = team.new_release(11)
    assert len(team.operations.ledger()) > before
    refused(team, release)
    git(team.remote, "update-ref", "-d", decoy)


def test_a_push_that_races_a_server(team: Team) -> None:
    """While a server writes down what it does, a Maintainer pushes wishes: nothing gets lost, and no wish of theirs counts."""
    unapproved, release = team.new_release(12), team.new_release(13)
    team.forge.approve(release)
    process = team.forge.pipeline(13).clone().start("deliver", "--to", "production", "--here")
    project, pushed = open_project(team.forge.desk.root), 0
    while process.poll() is None or pushed < 3:
        try:
            team.says(
                lambda: Wanted(
                    release=unapproved, environment="production", because="delivered", log=project.ledger.head()
                )
            )
            pushed += 1
        except MovedOn:
            pass
    assert Lockgate.end(process, "deliver").code == GOOD
    until(lambda: team.operations.live() == release)
    assert "every clone of it is an anchor" in team.operations("ledger", "verify").out
    wishes = [e for e in team.operations.ledger() if e["what"].startswith("wanted") and unapproved[7:15] in str(e)]
    assert len(wishes) >= pushed
    team.operations("rollback", "production", "--reason", "back to where the others begin")
    until(lambda: team.operations.live() == team.good)


def test_and_with_a_signature_it_goes_up(team: Team) -> None:
    """The honest twin of all of them: the same pipeline, and a person who signs."""
    release = team.new_release(8)
    team.forge.approve(release)
    team.forge.pipeline(8).job("deliver", "--to", "production", "--here")
    until(lambda: team.operations.live() == release)
    team.operations("rollback", "production", "--reason", "back to where the others begin")
    until(lambda: team.operations.live() == team.good)
