"""The policy wants every gate measured again before production: by a validator, whose key believes nothing that the store has."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from journeys.test_bundle import bundled, root_of, verified
from journeys.test_free_tier import QUIET
from journeys.test_pipeline_jobs import BEFORE_STAGING, GATES, Forge, Pipeline, found
from journeys.walking import HUMAN, REFUSED, Done, Lockgate, Server, commit

from lockgate import codecs
from lockgate.adapters.keys import FileSigner
from lockgate.delivery.put import keep_value
from lockgate.project import open_project
from lockgate.records.decisions import Wanted, state
from lockgate.records.statement import seal
from lockgate.records.wire import to_json

pytestmark = pytest.mark.sampled(3)

POLICY = "[environments.production]\nremeasured = 1\n"


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    forge = found(tmp_path_factory.mktemp("remeasured"))
    with (forge.desk.root / "policy.toml").open("a") as file:
        file.write(POLICY)
    roles = ("--machine", "--role", "deliverer", "--role", "validator")
    forge.desk("people", "add", "val", *roles, "--new-key", "../val")
    commit(forge.desk.root, "somebody measures again")
    return forge.folder


@pytest.fixture
def waits(founded: Path, tmp_path: Path) -> Iterator[Pipeline]:
    """A pipeline whose release serves staging and waits before production."""
    shutil.copytree(founded, tmp_path / "forge", symlinks=True)
    forge = Forge(tmp_path / "forge")
    pipeline = forge.pipeline(1)
    with Server(forge.desk, "staging"), Server(forge.desk, "production"):
        pipeline.propose()
        yield pipeline


def to_staging(pipeline: Pipeline) -> str:
    """As far as people are asked; the release."""
    pipeline.judge(*BEFORE_STAGING)
    pipeline.job("deliver", "--to", "staging", "--here")
    pipeline.judge("integration")
    pipeline.job("approvals", "production", expect=HUMAN)
    return pipeline.forge.desk.release()


def validator(pipeline: Pipeline) -> Lockgate:
    """Outside of the pipeline, in a clone of their own."""
    clone = replace(pipeline, key="val").clone()
    return Lockgate(clone.root, {"LOCKGATE_KEY": clone.env["LOCKGATE_KEY"]})


def results(pipeline: Pipeline) -> list[tuple[str, str]]:
    return [(e["who"], e["about"]) for e in pipeline.forge.desk.ledger() if e["what"].startswith("gate")]


def refused(pipeline: Pipeline, gates: tuple[str, ...]) -> None:
    """By the command that asks, and by the one that deploys; both name the gates, who may, and how."""
    for job in (("approvals", "production"), ("deliver", "--to", "production", "--here")):
        said: Done = pipeline.job(*job, expect=HUMAN)
        assert "waits for 1 validator before production" in said.err
        assert "allowed: val" in said.err
        for gate in gates:
            assert f"lockgate gate judge {gate} " in said.err
        assert [g for g in GATES if f"gate judge {g} " in said.err] == [g for g in GATES if g in gates]


def test_a_release_goes_on_once_a_validator_found_the_same(waits: Pipeline, tmp_path: Path) -> None:
    desk = waits.forge.desk
    release = to_staging(waits)
    waits.forge.approve(release)
    refused(waits, GATES)
    assert "waits for 1 validator" in waits.job("deliver", "--to", "production", expect=HUMAN).err
    assert "measured again by 1 validator: val" in desk("deliver", "--plan").out
    for gate in GATES[:-1]:
        validator(waits)("gate", "judge", gate, release)
    refused(waits, GATES[-1:])
    validator(waits)("gate", "judge", GATES[-1], release)
    before = len(results(waits))
    validator(waits)("gate", "judge", GATES[0], release)
    assert len(results(waits)) == before == 2 * len(GATES), "each said it once"
    assert "everybody has agreed" in waits.job("approvals", "production").out, "what people signed still counts"
    waits.job("deliver", "--to", "production", "--here")
    assert desk.live() == release
    code, proof = verified(bundled(desk, tmp_path / "audit", "production"), root_of(desk))
    assert code == 0, proof
    assert "measured again by val" in " ".join(proof.split())


def test_what_was_invented_under_a_steps_key_is_found_and_ends_what_was_signed_for_it(waits: Pipeline) -> None:
    """Somebody who can write to the store put other evidence there before the gate was judged; the pipeline believes it."""
    waits.judge("slices")
    invent(waits, "slices")
    release = to_staging(waits)
    waits.forge.approve(release)
    for gate in GATES:
        validator(waits)("gate", "judge", gate, release)
    said = waits.job("approvals", "production", expect=HUMAN)
    assert "0 of 1" in said.out
    assert "bob's approval does not count: it binds evidence" in said.err
    waits.job("deliver", "--to", "production", "--here", expect=HUMAN)
    waits.forge.approve(release)
    waits.job("deliver", "--to", "production", "--here")


def invent(pipeline: Pipeline, gate: str) -> None:
    """Other evidence for a gate, under the very key that its step has."""
    project = open_project(pipeline.forge.desk.root)
    kept = project.results("results")
    for held in kept.held():
        record = held.record
        if record and record.get("node") == f"gate.{gate}":
            evidence = json.loads(project.store.get(record["artifact"]["object"]).read_bytes())
            evidence["unknown"] = "invented"
            artifact = to_json(keep_value(project, evidence, dict))
            kept.put(held.key, {**record, "artifact": {**artifact, "type": record["artifact"]["type"]}})


def test_another_holdout_under_the_name_of_the_releases_own_is_found(waits: Pipeline) -> None:
    """A record says which object holds the holdout. The pipeline's key measures on it; the twin is in the first test."""
    project, release = open_project(waits.forge.desk.root), waits.forge.desk.release()
    kept = project.results("material")
    record = dict(kept.get(release) or {})
    easier = waits.forge.folder / "easier.arrow"
    table = codecs.load("polars.ipc", project.store.get(record["holdout"]["object"]), pl.DataFrame)
    assert isinstance(table, pl.DataFrame)
    codecs.save("polars.ipc", table.head(20), easier)
    kept.put(release, {**record, "holdout": {**record["holdout"], "object": project.store.put(easier)}})
    waits.job("gate", "judge", "enough_good_data", expect=None)
    said = validator(waits)("gate", "judge", "enough_good_data", release, expect=REFUSED)
    assert "the holdout that the store gives for this release is not the one that it names" in said.err
    assert "val" not in [who for who, _ in results(waits)]


def test_a_validator_delivers_nothing(waits: Pipeline) -> None:
    """What `deliver` finds in the store would be said in a validator's name. The twin is in every other test."""
    said = validator(waits)("deliver", "--to", "staging", expect=REFUSED)
    assert "val measures again what others deliver" in said.err


def test_a_server_asks_by_its_own_policy(waits: Pipeline) -> None:
    """A wish past the command, with the pipeline's key, is not followed. The twin goes on in the first test."""
    release = to_staging(waits)
    waits.forge.approve(release)
    project = open_project(waits.forge.desk.root)
    approval = project.ledger.read()[-1]
    assert approval.envelope.statement().predicate_type.endswith("approval/v1")
    wish = Wanted(
        release=release, environment="production", because="delivered", authorised_by=(approval.digest,),
        log=project.ledger.head(),
    )  # fmt: skip
    envelope = seal(state(wish), FileSigner(waits.forge.folder / "bot"))
    project.ledger.append(envelope, after=project.ledger.head(), time=datetime.now(UTC))
    time.sleep(QUIET)
    desk = waits.forge.desk
    assert desk.live() is None
    said = [e for e in desk.ledger() if e["what"].startswith("refused")]
    assert "nobody independent measured again" in str(said)
