"""Somebody presses Play: what the forge's API and the job's ID token say becomes an approval, or is refused by name."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from lockgate.delivery.forge.attest import Attestation, Pressed, attest
from lockgate.errors import NotFound, PermissionRefused, StepFailed
from lockgate.forge.pressed import ToldJob
from lockgate.project import open_project
from lockgate.records.forge_job import ForgeJob
from lockgate.testing.gitlab import MAINTAINER, GitLab

from journeys.test_bundle import bundled, root_of, verified
from journeys.test_pipeline_jobs import BEFORE_STAGING, Forge, Pipeline, found
from journeys.walking import GOOD, HUMAN, REFUSED, USAGE, Server, commit, git

pytestmark = pytest.mark.sampled(4)

BOB, EVE = "gitlab:gitlab.example.org/42", "gitlab:gitlab.example.org/66"
ATTESTED = '\n[environments.production]\ngrade = "attested"\n'


@dataclass(frozen=True)
class Waiting:
    """A pipeline whose release waits before production; `play` is what its manual job does once somebody started it."""

    forge: Forge
    pipeline: Pipeline
    release: str

    def pressed(self, **changes: Any) -> Pressed:
        job = ForgeJob(
            kind="gitlab",
            pipeline=self.pipeline.id,
            commit=self.pipeline.commit,
            job="900",
            project="group/shop",
            address="https://gitlab.example.org",
            user="42",
        )
        claims = {
            "iss": "https://gitlab.example.org", "job_id": "900", "pipeline_id": job.pipeline, "sha": job.commit, "user_id": "42",
            "user_login": "bob", "ref_protected": "true", "environment": "production", "project_id": "7", "project_path": "group/shop",
        }  # fmt: skip
        told = ToldJob(
            job="900",
            name="approve:production",
            project="7",
            pipeline=job.pipeline,
            commit=job.commit,
            ref="main",
            status="running",
            user="42",
            login="bob",
        )
        return replace(Pressed(job=job, claims=claims, told=told), **changes)

    def play(self, *, key: str = "runner", **changes: Any) -> Attestation:
        clone = self.pipeline.clone()
        with environment({"LOCKGATE_KEY": str(self.forge.folder / key)}):
            return attest(
                open_project(clone.root), "production", self.pressed(**changes), clock=lambda: datetime.now(UTC)
            )


class environment:
    """Variables of the process for the length of a block."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def __enter__(self) -> None:
        self._before = {n: os.environ.get(n) for n in self._names}
        os.environ.update(self._names)

    def __exit__(self, *_: object) -> None:
        for name, value in self._before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


def waiting(
    folder: Path, *, policy: str = ATTESTED, account: str = BOB, commit_in: GitLab | None = None, judged: bool = True
) -> Iterator[Waiting]:
    """`judged`: whether the last gate has run and the job has said whom it waits for."""
    forge = found(folder)
    desk = forge.desk
    with (desk.root / "policy.toml").open("a") as file:
        file.write(policy)
    git(desk.root, "add", "-A")
    commit(desk.root, "grade")
    key = lambda name: ("--key", str(forge.folder / f"{name}.pub"))
    desk("people", "add", "bob", "--role", "product-owner", "--alias", account, *key("bob"))
    desk("people", "add", "eve", "--role", "guest", "--alias", EVE, *key("eve"))
    desk("people", "add", "runner", "--machine", "--role", "attester", "--role", "deliverer", *key("runner"))
    number = 70 if commit_in is None else commit_in.pipeline(sha=git(desk.root, "rev-parse", "HEAD").strip())
    pipeline = forge.pipeline(number)
    with Server(desk, "staging"), Server(desk, "production"):
        release = pipeline.propose()
        pipeline.judge(*BEFORE_STAGING)
        pipeline.job("deliver", "--to", "staging", "--here")
        if judged:
            pipeline.judge("integration")
            pipeline.job("approvals", "production", expect=HUMAN)
        yield Waiting(forge, pipeline, release)


@pytest.fixture(scope="module")
def waits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Waiting]:
    yield from waiting(tmp_path_factory.mktemp("attested"))


def changed(field: str, **changes: Any) -> Callable[[Waiting], dict[str, Any]]:
    """One part of what token, API or variables say is another."""

    def change(waits: Waiting) -> dict[str, Any]:
        now = getattr(waits.pressed(), field)
        return {field: {**now, **changes} if isinstance(now, dict) else replace(now, **changes)}

    return change


WRONG: dict[str, tuple[str, Callable[[Waiting], dict[str, Any]]]] = {
    "the token is of another job": ("job", changed("claims", job_id="901")),
    "the API tells of another job": ("job", changed("told", job="901")),
    "the process runs in another job": ("job", changed("job", job="901")),
    "the token is of another pipeline": ("pipeline", changed("claims", pipeline_id="71")),
    "the token is of another commit": ("commit", changed("claims", sha="b" * 40)),
    "the token is of another project": ("project", changed("claims", project_id="8")),
    "the API tells of another project": ("project", changed("told", project="8")),
    "the token names another project": ("project", changed("claims", project_path="mallory/shop")),
    "the process runs in another project": ("project", changed("job", project="mallory/shop")),
    "the token names no project": ("project", changed("claims", project_id="", project_path="")),
    "all of it is of another project than the proposal": ("project", lambda w: {
        **changed("claims", project_id="8", project_path="mallory/shop")(w), **changed("told", project="8")(w), **changed("job", project="mallory/shop")(w),
    }),
    "another job was started again": ("name", changed("told", name="data:sales")),
    "token and API name two people": ("user", changed("told", user="66", login="eve")),
    "the job is over": ("status", changed("told", status="success")),
    "the branch is not protected": ("ref_protected", changed("claims", ref_protected="false")),
    "the token is for another environment": ("environment", changed("claims", environment="staging")),
    "the token is for no environment": ("environment", changed("claims", environment="")),
    "a file on the same host": ("belongs to nobody", changed("claims", iss="https://gitlab.example.org/mallory/pub/-/raw/main/x")),
    "nobody has this account": ("belongs to nobody", lambda w: {**changed("claims", user_id="43")(w), **changed("told", user="43")(w)}),
    "who pressed does not hold the role": ("does not hold a role", lambda w: {**changed("claims", user_id="66")(w), **changed("told", user="66", login="eve")(w)}),
    "the key is no attester's": ("may not say what a forge says", lambda _: {"key": "bot"}),
    "the pipeline proposed nothing": ("proposed no release", changed("job", pipeline="99")),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_does_not_hold_together_is_named(waits: Waiting, what: str) -> None:
    words, change = WRONG[what]
    before = len(waits.forge.desk.ledger())
    with pytest.raises((PermissionRefused, NotFound)) as refused:
        waits.play(**change(waits))
    assert words in str(refused.value)
    assert len(waits.forge.desk.ledger()) == before


def test_a_button_before_every_gate_has_spoken_is_no_approval(tmp_path: Path) -> None:
    for waits in waiting(tmp_path, judged=False):
        before = len(waits.forge.desk.ledger())
        with pytest.raises(StepFailed, match="integration"):
            waits.play()
        assert len(waits.forge.desk.ledger()) == before


def test_a_button_takes_a_release_to_production_and_everybody_sees_that_it_was_a_button(waits: Waiting) -> None:
    desk = waits.forge.desk
    said = waits.play(reason="looks fit")
    assert (said.person, said.role, said.release) == ("bob", "product-owner", waits.release)
    assert waits.play().entry == ""  # pressed again: it stands there already
    told = waits.pipeline.job("approvals", "production")
    assert "by a button at the forge: bob" in told.out
    waits.pipeline.job("deliver", "--to", "production", "--here")
    assert desk.live() == waits.release
    assert any(e["what"] == "attested approve" and e["who"] == "bob" for e in desk.ledger())
    page = waits.forge.folder / "page.html"
    desk("evidence", "production", "--to", str(page))
    assert "a forge says who pressed the button" in page.read_text()
    folder = bundled(desk, waits.forge.folder, "production")
    code, told_there = verified(folder, root_of(desk))
    last = told_there.splitlines()[-1]
    assert (code, "signed by" in last) == (0, False)
    assert "attested and not signed, a forge says that they pressed a button: bob (product-owner)" in last
    levels = json.loads((folder / "vsa.json").read_text())["payload"]
    assert json.loads(base64.b64decode(levels))["predicate"]["verifiedLevels"] == ["LOCKGATE_ATTESTED"]
    assert "Grade: attested" in (folder / "card.md").read_text()


def test_the_job_itself_asks_the_api_and_checks_the_token(tmp_path: Path) -> None:
    """`lockgate gitlab attest`, as the manual job calls it, against a double of GitLab; a second one is told apart from the first."""
    with GitLab() as gitlab:
        maintainers = [{"access_level": MAINTAINER}]
        gitlab.project.protected_branches["main"] = {
            "name": "main",
            "push_access_levels": maintainers,
            "merge_access_levels": maintainers,
        }
        bob = gitlab.user("bob")
        steps = waiting(tmp_path, account=f"gitlab:{urlsplit(gitlab.url).netloc}/{bob.id}", commit_in=gitlab)
        waits = next(steps)
        job = gitlab.job(
            "approve:production", pipeline=int(waits.pipeline.id), user="bob", role=MAINTAINER, environment="production"
        )
        names = {
            **gitlab.variables(job), "GITLAB_USER_ID": str(bob.id), "LOCKGATE_KEY": str(waits.forge.folder / "runner"),
            "LOCKGATE_ID_TOKEN": gitlab.id_token(job, aud="lockgate", now=datetime.now(UTC)), "LOCKGATE_REASON": "looks fit",
        }  # fmt: skip
        clone = waits.pipeline.clone()

        def attests(expect: int, **changes: str) -> str:
            done = replace(clone, env={**clone.env, **names, **changes})(
                "gitlab", "attest", "production", expect=expect
            )
            assert not any(secret in done.text for secret in (names["LOCKGATE_ID_TOKEN"], names["CI_JOB_TOKEN"]))
            return done.text

        assert "exp" in attests(
            REFUSED, LOCKGATE_ID_TOKEN=gitlab.id_token(job, aud="lockgate", now=datetime(2020, 1, 1, tzinfo=UTC))
        )
        assert "aud" in attests(REFUSED, LOCKGATE_ID_TOKEN=gitlab.id_token(job, aud="vault", now=datetime.now(UTC)))
        assert "CI_JOB_TOKEN" in attests(REFUSED, CI_JOB_TOKEN="glcbt-wrong")
        assert "LOCKGATE_ID_TOKEN" in attests(USAGE, LOCKGATE_ID_TOKEN="")
        before = len(gitlab.requests)
        for name, value in (
            ("CI_SERVER_URL", f"{gitlab.url}/mallory/pub/-/raw/main/x"),
            ("CI_SERVER_URL", "https://evil.example"),
            ("CI_API_V4_URL", f"{gitlab.url}/mallory/pub/-/raw/main/x/api/v4"),
            ("CI_API_V4_URL", "http://127.0.0.1:9/api/v4"),
        ):
            assert f"whose word counts here: {name}" in attests(REFUSED, **{name: value})
        assert len(gitlab.requests) == before, "nothing was sent to anybody"
        assert "said so" in attests(GOOD)
        assert "stood in the ledger before" in attests(GOOD)
        said = next(e for e in waits.forge.desk.ledger() if e["what"] == "attested approve")
        assert (said["who"], "looks fit" in said["about"]) == ("bob", True)
        steps.close()


@pytest.mark.parametrize("grade", ["signed", pytest.param("", marks=pytest.mark.soak)])
def test_where_the_policy_asks_for_signatures_a_button_is_refused(tmp_path: Path, grade: str) -> None:
    text = f'\n[environments.production]\ngrade = "{grade}"\n' if grade else "\n"
    steps = waiting(tmp_path, policy=text)
    waits = next(steps)
    with pytest.raises(PermissionRefused, match="takes only what people sign with their own keys"):
        waits.play()
    steps.close()
