"""How a release goes on, told to whoever asks: a job of its pipeline, a command of theirs, or somebody else's."""

from __future__ import annotations

from typing import Any

import pytest
from lockgate.declare import Approval, DeployTo, Gate, Stage
from lockgate.delivery.judging.signing import accepted_before
from lockgate.delivery.onward import onward
from lockgate.delivery.walk import Walk
from lockgate.gates.policy import parse_policy
from lockgate.records.decisions import Proposed
from lockgate.records.forge_job import FORGE
from lockgate.testing.scene import Scene, release

JOB = {"kind": "gitlab", "pipeline": "12", "commit": "0123456789ab"}
NAMED = {**JOB, "address": "https://gitlab.example.org", "project": "g/shop"}


def said(reader: str = "", *jobs: dict[str, Any], hand: bool = True, command: str = "lockgate deliver") -> str:
    """What `reader` is told about a release that Sam's hand, and then jobs, have proposed."""
    scene = Scene()
    for job in (*([None] if hand else []), *jobs):
        scene.say(
            "bot", Proposed, release=release("r1"), name="demand", authors=("sam",), started_by="sam",
            lineage=release("lineage"), extra={FORGE: job} if job else {},
        )  # fmt: skip
    trust = scene.trusted()
    return onward(trust, release("r1"), "approve:production", me=trust.people.named(reader), command=command)


def test_who_may_deliver_is_told_the_command_and_others_who_may() -> None:
    assert said("sam") == said() == "lockgate deliver"
    assert said("sam", command="lockgate deliver --planned p.json") == "lockgate deliver --planned p.json"
    assert said("pat") == "lockgate deliver   (that is for who delivers: sam, bot; not for pat)"


@pytest.mark.parametrize("reader", ["sam", "pat"])
def test_a_release_of_a_pipeline_goes_on_there_whoever_reads(reader: str) -> None:
    retry = "press retry of approve:production in pipeline 12 of commit 01234567"
    assert said(reader, JOB) == retry
    assert said(reader, NAMED) == f"{retry}: https://gitlab.example.org/g/shop/-/pipelines/12"
    assert said(reader, NAMED, JOB) == retry, "the newest one"


def test_a_merge_request_s_pipeline_deploys_nothing() -> None:
    request = {**JOB, "pipeline": "13", "change": "7"}
    assert said("sam", request, hand=False) == "merge !7: the pipeline behind it goes on"
    assert "in pipeline 12 of" in said("sam", JOB, request, hand=False), "it proposed what another one waits with"
    assert said("sam", request) == "lockgate deliver"


WAY = (DeployTo("staging"), Approval("owner", "7d"), DeployTo("production"))
OPEN = "[environments.staging]\nprotected = false\n"


@pytest.mark.parametrize(
    ("policy", "way", "place"),
    [
        (OPEN, WAY, "production"),
        (OPEN, WAY[1:], "production"),
        ("", WAY, ""),  # staging is protected, and nobody is asked before it
        (OPEN, WAY[:1], ""),
        (OPEN, (), ""),
    ],
)
def test_an_uncertain_result_is_accepted_where_somebody_is_asked(
    policy: str, way: tuple[Stage, ...], place: str
) -> None:
    gate = Gate("slices", "slices", "slices", {}, {})
    fields: Any = dict.fromkeys(("delivery", "training", "gates", "digest", "graph"))
    assert accepted_before(Walk(**fields, stages=(gate, *way), policy=parse_policy(policy)), gate) == place
