"""Where GitLab is licensed for it, people approve a deployment on its page; the deploying job says so in the ledger."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from journeys.test_bundle import bundled, root_of, verified
from journeys.test_attested import ATTESTED, BOB, Waiting, waiting
from journeys.walking import GOOD, HUMAN, REFUSED, Lockgate, commit, edit

from lockgate.errors import PermissionRefused
from lockgate.forge.approved import Word
from lockgate.forge.pressed import ToldJob
from lockgate.testing.gitlab import MAINTAINER, Fault, GitLab

pytestmark = pytest.mark.sampled(4)


@dataclass
class Deploying:
    """The deploying job of a pipeline whose release waits before production, in a double of GitLab."""

    gitlab: GitLab
    waits: Waiting
    clone: Lockgate

    def job(self, user: str = "ada") -> dict[str, Any]:
        """A new run of it: a job and a deployment of its own."""
        job = self.gitlab.job(
            "deploy:production",
            pipeline=int(self.waits.pipeline.id),
            user=user,
            role=MAINTAINER,
            environment="production",
        )
        self.deployment = self.gitlab.blocked("production", user=user, job=job)
        return job

    def approves(self, user: str, comment: str = "fit for its use", said: str = "approved") -> None:
        """On the deployment's page, before the job runs."""
        self.deployment["status"] = "blocked"
        at = f"{self.gitlab.api}/projects/{self.gitlab.project.id}/deployments/{self.deployment['id']}/approval"
        headers = {"PRIVATE-TOKEN": self.gitlab.person(user, role=MAINTAINER), "Content-Type": "application/json"}
        data = json.dumps({"status": said, "comment": comment}).encode()
        urllib.request.urlopen(urllib.request.Request(at, data=data, headers=headers, method="POST")).close()
        now = datetime.now(UTC).isoformat()  # the double's clock is its own
        for word in self.deployment["approval_summary"]["rules"][0]["deployment_approvals"]:
            word["created_at"] = now

    def attests(self, job: dict[str, Any], expect: int | None = GOOD, **changes: str) -> str:
        """What the job's first line says."""
        self.deployment["status"] = "running"
        user = self.gitlab.user(job["user"]["username"])
        names = {
            **self.gitlab.variables(job), "GITLAB_USER_ID": str(user.id), "LOCKGATE_KEY": str(self.waits.forge.folder / "runner"),
            "LOCKGATE_ID_TOKEN": self.gitlab.id_token(job, aud="lockgate", now=datetime.now(UTC)),
        }  # fmt: skip
        clone = replace(self.clone, env={**self.clone.env, **names, **changes})
        return clone("gitlab", "attest", "production", "--deployment", expect=expect).text


@pytest.fixture
def deploying(tmp_path: Path) -> Iterator[Deploying]:
    with GitLab(premium=True) as gitlab:
        levels = [{"access_level": MAINTAINER}]
        gitlab.project.protected_branches["main"] = {
            "name": "main",
            "push_access_levels": levels,
            "merge_access_levels": levels,
        }
        account = f"gitlab:{urlsplit(gitlab.url).netloc}/{gitlab.user('bob').id}"
        steps = waiting(tmp_path, account=account, commit_in=gitlab)
        waits = next(steps)
        yield Deploying(gitlab, waits, waits.pipeline.clone())
        steps.close()


def test_an_approved_deployment_goes_live_and_everybody_can_check_who_agreed(
    deploying: Deploying, tmp_path: Path
) -> None:
    desk = deploying.waits.forge.desk
    before = len(desk.ledger())
    job = deploying.job()
    assert "not approved yet" in deploying.attests(job, HUMAN)
    deploying.approves("bob", said="rejected")
    assert "rejected" in deploying.attests(job, REFUSED)
    assert len(desk.ledger()) == before, "nothing was said so far"

    earlier = deploying.deployment
    job = deploying.job()
    deploying.deployment["approval_summary"]["rules"][0]["required_approvals"] = 1
    earlier["approval_summary"]["rules"][0]["deployment_approvals"][0]["status"] = "approved"
    assert "not approved yet" in deploying.attests(job, HUMAN), (
        "what was said of the deployment before is not of this one"
    )
    deploying.approves("bob")
    said = deploying.attests(job)
    assert "bob approves" in said
    assert "said so" in said
    assert "stood in the ledger before" in deploying.attests(job)
    told = deploying.waits.pipeline.job("approvals", "production")
    assert "by a button at the forge: bob" in told.out
    deploying.waits.pipeline.job("deliver", "--to", "production", "--here", "--dotenv", str(tmp_path / "out.env"))
    assert desk.live() == deploying.waits.release
    assert (tmp_path / "out.env").read_text() == f"LOCKGATE_RELEASE={desk.live()}\nLOCKGATE_ENVIRONMENT=production\n"
    (entry,) = [e for e in desk.ledger() if e["what"] == "attested approve"]
    assert (entry["who"], "fit for its use" in entry["about"]) == ("bob", True)

    code, proof = verified(bundled(desk, tmp_path / "audit", "production"), root_of(desk))
    assert code == 0, proof
    assert "attested approval product-owner" in proof
    assert re.search(
        r"bob, [-\d]+ [:\d]+ UTC: fit for its use\s+\[gitlab:127\.0\.0\.1:\d+/1 at the forge, said runner\]", proof
    ), proof


@pytest.mark.parametrize("how", ["no licence", "no rules", "forbidden", "hidden"])
def test_where_gitlab_asks_nobody_or_hides_it_nobody_approves(deploying: Deploying, how: str) -> None:
    """Bob, who would be asked, starts the job: by a button he would approve, but this pipeline is declared to ask at the deployment."""
    before = len(deploying.waits.forge.desk.ledger())
    job = deploying.job("bob")
    if how == "no licence":
        deploying.gitlab.project.premium = False
    elif how == "no rules":
        deploying.deployment["approval_summary"] = {"rules": []}
        deploying.deployment["pending_approval_count"] = 0
    else:
        status = 403 if how == "forbidden" else 404
        deploying.gitlab.faults.add(Fault(method="GET", path="*/deployments", status=status))
    said = deploying.attests(job, REFUSED)
    if how in ("forbidden", "hidden"):
        assert "nobody can see who approved this deployment" in said
        assert ("403 Forbidden (the token in CI_JOB_TOKEN)" in said) is (how == "forbidden")
    else:
        assert "the forge asks nobody to approve this deployment: no approval rules, or no licence for them" in said
    assert 'approvals = "button" under [gitlab] in lockgate.toml, then lockgate gitlab render' in said
    assert len(deploying.waits.forge.desk.ledger()) == before


def test_who_only_starts_an_approved_deployment_approves_nothing(deploying: Deploying) -> None:
    """Bob starts it; whom GitLab says approved it is somebody whom the ledger does not know."""
    job = deploying.job("bob")
    deploying.approves("mallory")
    said = deploying.attests(job, REFUSED)
    assert "mallory belongs to nobody" in said
    assert not [e for e in deploying.waits.forge.desk.ledger() if e["what"] == "attested approve"]


def test_approvals_are_asked_of_the_instance_that_the_token_names(deploying: Deploying) -> None:
    job = deploying.job()
    deploying.approves("bob")
    with GitLab(premium=True) as other:
        assert "asked of the instance" in deploying.attests(job, REFUSED, CI_PROJECT_ID="43")
        refused = deploying.attests(job, REFUSED, CI_API_V4_URL=other.api)
        assert "whose word counts here: CI_API_V4_URL" in refused
        assert other.requests == []
    assert "bob approves" in deploying.attests(job)


def test_an_old_job_that_runs_again_asks_nobody(deploying: Deploying) -> None:
    """A rollback is authorised by the deployment before: approvals were given then."""
    forge, first = deploying.waits.forge, deploying.waits.release
    job = deploying.job()
    deploying.approves("bob")
    deploying.attests(job)
    deploying.waits.pipeline.job("deliver", "--to", "production", "--here")
    assert "stood in the ledger before" in deploying.attests(job), "it is live: nothing goes back"
    edit(forge.desk.root, "shop/pipelines.py", "factor: float = 1.0", "factor: float = 1.001")
    commit(forge.desk.root, "a little more")
    assert forge.pipeline(deploying.gitlab.pipeline()).to_production() == forge.desk.live() != first
    before = len(forge.desk.ledger())
    again = deploying.job("stranger")
    assert "nobody has to approve" in deploying.attests(again)
    assert len(forge.desk.ledger()) == before
    deploying.waits.pipeline.job("deliver", "--to", "production", "--here")
    assert forge.desk.live() == first


@pytest.fixture(scope="module")
def waits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Waiting]:
    yield from waiting(tmp_path_factory.mktemp("approved"), policy=ATTESTED, account=BOB)


def word(**changes: Any) -> Word:
    """What bob said just now, with what is wrong with it."""
    said = Word(deployment="5", user="42", login="bob", time=datetime.now(UTC), reason="fit")
    return replace(said, **changes)


def told_of_a_deployment(waits: Waiting) -> ToldJob:
    """What the forge's API says of the job that deploys: an approved deployment is read back by it, not by a button's job."""
    return replace(waits.pressed().told, name="deploy:production")


WRONG: dict[str, tuple[str, dict[str, Any]]] = {
    "of an account that nobody has": ("belongs to nobody", {"user": "43"}),
    "of somebody without the role": ("does not hold a role", {"user": "66"}),
    "in a role that is not asked": ("nobody is asked in this role", {"role": "risk-officer"}),
    "given before the page was there": ("before what they would agree to was shown", {"time": datetime.now(UTC) - timedelta(days=2)}),
    "given in the future": ("would not count", {"time": datetime.now(UTC) + timedelta(days=2)}),
    "that accepts what is certain": ("every uncertain gate", {"accepted": ("champion",)}),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_a_word_that_does_not_count_is_refused_by_name(waits: Waiting, what: str) -> None:
    words, changes = WRONG[what]
    before = len(waits.forge.desk.ledger())
    with pytest.raises(Exception) as refused:  # noqa: PT011  the words are looked at
        waits.play(
            word=word(**changes),
            told=told_of_a_deployment(waits),
            **{n: changes[n] for n in ("role", "accepted") if n in changes},
        )
    assert words in str(refused.value)
    assert len(waits.forge.desk.ledger()) == before


def test_the_honest_word_counts_and_ends_when_it_was_given_plus_what_the_policy_says(waits: Waiting) -> None:
    given = datetime.now(UTC)
    said = waits.play(word=word(time=given), told=told_of_a_deployment(waits), reason="fit")
    assert (said.person, said.role) == ("bob", "product-owner")
    assert said.entry


def test_the_button_of_who_does_not_hold_the_role_is_no_way_round(waits: Waiting) -> None:
    """A word of bob does not let eve's token or another job's pass: the job itself is checked all the same."""
    with pytest.raises(PermissionRefused, match="job"):
        waits.play(word=word(), claims={**waits.pressed().claims, "job_id": "901"})
