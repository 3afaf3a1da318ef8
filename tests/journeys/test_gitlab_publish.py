"""`gitlab publish` in a pipeline, against the double of GitLab: what was delivered gets a number, files, a model version and a page."""

from __future__ import annotations

import base64
import datetime as dt
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from journeys.test_pipeline_jobs import Forge, Pipeline, change, delivered_forge, founded_forge
from journeys.walking import FAILED, OUTSIDE, REFUSED, USAGE, Done, Server, both, commit, edit

from lockgate.records.statement import Envelope, signature_holds
from lockgate.testing.gitlab import Fault, GitLab
from lockgate.testing.gitlab.packages import keep_file

pytestmark = pytest.mark.sampled(2)

__all__ = ["delivered_forge", "founded_forge"]


@pytest.fixture
def gitlab() -> Iterator[GitLab]:
    with GitLab() as running:
        yield running


@pytest.fixture
def delivered(delivered_forge: Path, tmp_path: Path) -> Forge:
    shutil.copytree(delivered_forge, tmp_path / "forge", symlinks=True)
    return Forge(tmp_path / "forge")


def publish(
    pipeline: Pipeline, gitlab: GitLab, *arguments: str, expect: int = 0, token: bool = True, **more: str
) -> Done:
    """As the job `publish` of a pipeline calls it."""
    running = gitlab.job("publish", pipeline=gitlab.pipeline(sha=pipeline.commit))
    mine = {n: v for n, v in gitlab.variables(running).items() if n not in ("CI", "GITLAB_CI")}
    secrets = {"LOCKGATE_GITLAB_TOKEN": gitlab.project_token()} if token else {}
    clone = pipeline.clone()
    own = {"CI_PIPELINE_ID": pipeline.id, "CI_COMMIT_SHA": pipeline.commit}
    clone.env.update({**mine, **secrets, **own, **more})
    done = clone("gitlab", "publish", *arguments, expect=expect)
    for secret in (*secrets.values(), mine["CI_JOB_TOKEN"]):
        assert secret not in done.text
    return done


def file_of(gitlab: GitLab, part: str) -> bytes:
    return next(f.content for p in gitlab.project.packages if p.kind == "generic" for f in p.files if part in f.name)


def test_a_delivered_release_is_published_once(delivered: Forge, gitlab: GitLab) -> None:
    pipeline = delivered.pipeline(1)
    release = delivered.desk.release()
    said = publish(pipeline, gitlab)
    assert said.out.startswith(f"shop 1.0.0 is release {release[7:19]}\n")
    (package,) = (p for p in gitlab.project.packages if p.kind == "generic")
    assert package.version == f"1.0.0+{release[7:19]}"
    assert "new   release page shop-v1.0.0" in said.out
    (page,) = gitlab.project.releases.values()
    assert release in page["description"]
    names = [link["name"] for link in page["assets"]["links"]]
    assert {"evidence for production", "model card", "manifest", "model version"} <= {*names}
    assert any(name.startswith("slices.") for name in metrics(gitlab))

    again = publish(pipeline, gitlab, "--json").json()
    assert (again["version"], again["step"], again["published"]["made"]) == ("1.0.0", None, [])

    # Everything is found from outside, too, by the newest name; another machine signs nothing anew.
    other = publish(Pipeline(delivered, "1", pipeline.commit, "runner"), gitlab, "--json").json()
    assert other["published"]["made"] == []


def metrics(gitlab: GitLab) -> dict[str, float]:
    return {m["key"]: m["value"] for r in gitlab.project.runs.values() for m in r["data"]["metrics"]}


def test_its_provenance_names_each_file_and_is_signed_by_the_pipeline(delivered: Forge, gitlab: GitLab) -> None:
    publish(delivered.pipeline(1), gitlab)
    envelope = Envelope.from_json(json.loads(file_of(gitlab, "provenance")))
    key = (delivered.folder / "bot.pub").read_text()
    assert signature_holds(envelope, key)
    said = json.loads(base64.b64decode(envelope.to_json()["payload"]))
    assert (said["_type"], said["predicateType"]) == (
        "https://in-toto.io/Statement/v1",
        "https://slsa.dev/provenance/v1",
    )
    manifest = json.loads(file_of(gitlab, "manifest.json"))
    subjects = {s["name"]: s["digest"]["sha256"] for s in said["subject"]}
    assert subjects.pop("manifest.json") == delivered.desk.release().removeprefix("sha256:")
    assert subjects == {f["path"]: f["sha256"].removeprefix("sha256:") for f in manifest["files"]}
    definition = said["predicate"]["buildDefinition"]
    assert definition["resolvedDependencies"][0]["digest"] == {"gitCommit": manifest["lineage"]["commit"]}
    assert said["predicate"]["runDetails"]["metadata"]["invocationId"].endswith("/-/jobs/1")


def test_what_is_wanted_and_never_served_is_not_published(delivered: Forge, gitlab: GitLab) -> None:
    change(delivered)
    second = delivered.pipeline(2)
    with Server(delivered.desk, "staging"):
        second.to_production(expect=OUTSIDE)
    refused = publish(second, gitlab, expect=FAILED)
    assert "has not served production: it is wanted there, and no server has answered yet" in refused.err
    assert "lockgate serve production, then run the job again" in refused.err
    assert gitlab.project.packages == []


def test_new_data_is_a_patch_and_new_code_a_minor_step(delivered: Forge, gitlab: GitLab) -> None:
    publish(delivered.pipeline(1), gitlab)
    change(delivered)
    with both(delivered.desk):
        second = delivered.pipeline(2)
        second.to_production()
        said = publish(second, gitlab)
        assert said.out.startswith("shop 1.1.0 is release ")
        assert "a minor step: other code" in said.out
        grow(delivered)
        third = delivered.pipeline(3)
        third.to_production()
        said = publish(third, gitlab)
    assert said.out.startswith("shop 1.1.1 is release "), said.text
    assert "a patch step: the same code on other data" in said.out
    assert [r["tag_name"] for r in gitlab.project.releases.values()] == ["shop-v1.0.0", "shop-v1.1.0", "shop-v1.1.1"]
    # The first one keeps its number.
    assert publish(delivered.pipeline(1, commit="HEAD~2"), gitlab, "--json").json()["version"] == "1.0.0"


def test_two_releases_that_want_one_number_both_end_well(delivered: Forge, gitlab: GitLab) -> None:
    """As two jobs at once leave it, or one that died: the second release's files lie under the first one's number."""
    publish(delivered.pipeline(1), gitlab)
    change(delivered)
    with both(delivered.desk):
        first = delivered.pipeline(2)
        first.to_production()
        second = change_again(delivered)
        publish(first, gitlab)
        keep_file(
            gitlab.project, kind="generic", name="shop", version=f"1.1.0+{delivered.desk.live()[7:19]}", file="manifest.json",
            content=b"{}", job=None,
        )  # fmt: skip
        said = publish(second, gitlab)
        assert said.out.startswith("shop 1.2.0 is release "), said.text
        assert publish(first, gitlab, "--json").json()["version"] == "1.1.0"
        again = publish(second, gitlab, "--json").json()
    assert (again["version"], again["published"]["made"]) == ("1.2.0", [])
    assert [r["tag_name"] for r in gitlab.project.releases.values()] == ["shop-v1.0.0", "shop-v1.1.0", "shop-v1.2.0"]


def change_again(forge: Forge) -> Pipeline:
    """Other code once more, delivered."""
    edit(forge.desk.root, "shop/pipelines.py", "factor: float = 1.001", "factor: float = 1.002")
    commit(forge.desk.root, "more still")
    pipeline = forge.pipeline(3)
    pipeline.to_production()
    return pipeline


def grow(forge: Forge) -> None:
    """A day more of sales."""
    file = next((forge.desk.root / "data").glob("sales*"))
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines, lines[-1]]) + "\n")
    commit(forge.desk.root, "more sales")


def test_what_was_never_delivered_is_not_published(delivered: Forge, gitlab: GitLab) -> None:
    change(delivered)
    pipeline = delivered.pipeline(2)
    pipeline.propose()
    said = publish(pipeline, gitlab, expect=FAILED)
    assert "was never delivered to production" in said.err
    assert "next:    lockgate deliver --to production" in said.err
    assert gitlab.requests == []


def test_a_missing_token_and_a_forge_that_is_down(delivered: Forge, gitlab: GitLab) -> None:
    pipeline = delivered.pipeline(1)
    said = publish(pipeline, gitlab, token=False, expect=REFUSED)
    assert "LOCKGATE_GITLAB_TOKEN is not set" in said.err
    assert "role Developer or higher and scope api" in said.err
    assert gitlab.requests == [], "said before anybody was asked"
    gitlab.faults.add(Fault(status=401, path="*/releases", times=99))
    said = publish(pipeline, gitlab, expect=REFUSED)
    assert "401 Unauthorized (the token in CI_JOB_TOKEN)" in said.err
    gitlab.faults.clear()
    assert publish(pipeline, gitlab, "--json").json()["published"]["made"] == ["release page shop-v1.0.0"]
    gone = publish(pipeline, gitlab, expect=OUTSIDE, CI_API_V4_URL="http://127.0.0.1:9/api/v4")
    assert "GitLab does not answer" in gone.err
    nowhere = publish(pipeline, gitlab, expect=USAGE, CI_PROJECT_ID="")
    assert "nothing says which GitLab project this is: CI_PROJECT_ID" in nowhere.err


def knows(forge: Forge, gitlab: GitLab) -> None:
    """The register names the instance: a person has an account there."""
    account = f"gitlab:{urlsplit(gitlab.url).netloc}/42"
    forge.desk("people", "add", "uma", "--role", "guest", "--alias", account, "--new-key", str(forge.folder / "uma"))


def id_token(gitlab: GitLab, pipeline: Pipeline, **claims: str) -> str:
    """Of the job `publish` of a pipeline."""
    job = gitlab.job("publish", pipeline=gitlab.pipeline(sha=pipeline.commit))
    return gitlab.id_token(job, aud="lockgate", now=dt.datetime.now(dt.UTC), **{"pipeline_id": pipeline.id, **claims})


def provenance_in(gitlab: GitLab) -> Any:
    """What the published envelope says."""
    return json.loads(base64.b64decode(json.loads(file_of(gitlab, "provenance"))["payload"]))["predicate"]


def test_an_id_token_of_the_pipeline_stands_in_the_provenance(delivered: Forge, gitlab: GitLab) -> None:
    pipeline = delivered.pipeline(1)
    knows(delivered, gitlab)
    said = publish(pipeline, gitlab, expect=REFUSED, LOCKGATE_ID_TOKEN=id_token(gitlab, pipeline, pipeline_id="77"))
    assert "the ID token is not of this job's pipeline: pipeline_id: 77" in said.err
    publish(pipeline, gitlab, LOCKGATE_ID_TOKEN=id_token(gitlab, pipeline))
    details = provenance_in(gitlab)["runDetails"]
    assert details["builder"]["id"] == f"{gitlab.url}/group/shop"
    (claims,) = details["byproducts"]
    assert claims["annotations"]["project_path"] == "group/shop"
    assert claims["annotations"]["iss"] == gitlab.url
    assert "user_login" not in claims["annotations"]
    assert json.loads(base64.b64decode(claims["content"])) == claims["annotations"], (
        "in-toto wants a uri, digest or content"
    )


def test_whoever_starts_the_job_does_not_choose_the_gitlab_that_provenance_names(
    delivered: Forge, gitlab: GitLab
) -> None:
    """Mallory's own instance signs a token of the right pipeline; the job's variables say that it is the instance."""
    pipeline = delivered.pipeline(1)
    knows(delivered, gitlab)
    with GitLab() as evil:
        token = id_token(evil, pipeline, iss=evil.url)
        for changes, field in (
            ({"CI_SERVER_URL": evil.url, "CI_API_V4_URL": evil.api}, "CI_SERVER_URL"),
            ({"CI_SERVER_URL": evil.url}, "CI_SERVER_URL"),
            ({"CI_SERVER_URL": f"{gitlab.url}/mallory/pub/-/raw/main/x"}, "CI_SERVER_URL"),
            ({"CI_API_V4_URL": evil.api}, "CI_API_V4_URL"),
        ):
            said = publish(pipeline, gitlab, expect=REFUSED, LOCKGATE_ID_TOKEN=token, **changes)
            assert f"whose word counts here: {field}" in said.err
        assert (evil.requests, gitlab.requests) == ([], [])


def test_a_register_without_accounts_puts_no_gitlab_into_provenance(delivered: Forge, gitlab: GitLab) -> None:
    """Nothing says which instance is the team's: the provenance names the project and the job, as the proposal does, and says so."""
    pipeline = delivered.pipeline(1)
    said = publish(pipeline, gitlab, LOCKGATE_ID_TOKEN=id_token(gitlab, pipeline))
    assert "the provenance names no GitLab: nobody in the register has an account at one" in said.err
    details = provenance_in(gitlab)["runDetails"]
    assert details["builder"]["id"] == "gitlab/group/shop"
    assert "byproducts" not in details
    assert gitlab.count("GET", "/oauth/discovery/keys") == 0
