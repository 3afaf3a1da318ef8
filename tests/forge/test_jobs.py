"""Declared pipelines → jobs: the way is kept, and nothing is there that could not be called."""

from __future__ import annotations

from dataclasses import replace

import pytest
from forge.declared_way import DECLARED, everything, whole
from lockgate import approval, deploy_to, gates
from lockgate.forge.declared import Runs
from lockgate.forge.jobs import MOST_NEEDS, NEEDED, child_graph, job_graph, pipelines_graph
from lockgate.forge.settings import GitlabSettings
from lockgate.forge.way_jobs import carried

GATE, ASK = gates.no_leak(), approval("owner")
STAGING, PRODUCTION = deploy_to("staging"), deploy_to("production")


def test_stages_and_jobs_follow_the_declaration() -> None:
    graph = whole()
    assert graph.stages == (
        "verify", "data", "training", "release", "evaluation", "report", "deploy-staging", "test-staging",
        "approve-production", "deploy-production", "publish", "monitoring",
    )  # fmt: skip
    assert [j.name for j in graph.jobs] == [
        "check", "data:sales", "data:weather", "train:shop", "release", "gate:enough_good_data", "gate:champion", "report",
        "deploy:staging", "gate:integration", "approve:production", "deploy:production", "publish", "monitor",
    ]  # fmt: skip


def test_everything_that_is_declared_before_an_environment_is_before_it() -> None:
    ahead = whole().ahead("deploy:production")
    assert ahead >= {
        "gate:enough_good_data",
        "gate:champion",
        "deploy:staging",
        "gate:integration",
        "approve:production",
    }
    assert ahead >= {"check", "data:sales", "data:weather", "train:shop", "release"}
    assert "approve:production" not in whole().ahead("gate:integration")


def test_people_are_asked_by_one_manual_job_before_an_environment() -> None:
    manual = [j for j in whole().jobs if j.when == "manual"]
    assert [(j.name, j.needs, j.environment and j.environment.deploys) for j in manual] == [
        ("approve:production", ("gate:integration",), False)
    ]


def test_where_nobody_is_asked_gates_lead_to_the_deployment() -> None:
    graph = whole(replace(DECLARED, stages=(GATE, PRODUCTION)))
    jobs = {j.name: j for j in graph.jobs}
    assert jobs["deploy:production"].needs == ("gate:no_leak",)
    assert not any(j.when == "manual" for j in graph.jobs)


def test_a_deployment_without_gates_still_comes_after_the_one_before() -> None:
    jobs = {j.name: j for j in whole(replace(DECLARED, stages=(STAGING, PRODUCTION))).jobs}
    assert jobs["deploy:staging"].needs == ("release",)
    assert jobs["deploy:production"].needs == ("deploy:staging",)


@pytest.mark.parametrize(
    ("stages", "unprotected", "goes_on"),
    [
        ((GATE, ASK, PRODUCTION), (), True),
        ((GATE, PRODUCTION), (), False),
        ((GATE, PRODUCTION), ("production",), False),  # nobody is asked behind it
        ((GATE, STAGING, ASK, PRODUCTION), ("staging",), True),
        ((GATE, STAGING, ASK, PRODUCTION), (), False),
        ((GATE, PRODUCTION, ASK), (), False),
    ],
)
def test_uncertain_goes_on_only_to_an_approval(stages: tuple, unprotected: tuple[str, ...], goes_on: bool) -> None:
    assert carried(stages, 0, unprotected) is goes_on
    [gate] = [j for j in whole(replace(DECLARED, stages=stages, unprotected=unprotected)).jobs if "gate:" in j.name]
    assert gate.soft == (3 if goes_on else None)


def test_only_gates_are_ever_soft() -> None:
    assert {j.name.partition(":")[0] for j in whole().jobs if j.soft is not None} == {"gate"}


@pytest.mark.parametrize("kind", sorted(set(NEEDED) - {"plan"}))
def test_a_job_is_there_only_when_its_command_is(kind: str) -> None:
    graph = job_graph(DECLARED, GitlabSettings(), has=lambda path: path != NEEDED[kind])
    kinds = {j.name.partition(":")[0] for j in graph.jobs}
    assert kind not in kinds
    names = {j.name for j in graph.jobs}
    assert all(n in names for j in graph.jobs for n in j.needs)
    if kind == "approve":
        assert {j.name: j.needs for j in graph.jobs}["deploy:production"] == ("gate:integration",)


def test_merge_requests_see_gates_and_never_deploy() -> None:
    there = {j.name for j in whole().jobs if "merge_request" in j.events}
    assert there == {"check", "data:sales", "data:weather", "train:shop", "release", "gate:enough_good_data", "gate:champion", "report"}  # fmt: skip
    assert "publish" not in {
        j.name for j in whole(settings=GitlabSettings()).jobs
    }  # it needs a token that a team has to make
    quiet = whole(settings=GitlabSettings(merge_requests="training"))
    assert {j.name for j in quiet.jobs if "merge_request" in j.events} == {"check", "data:sales", "data:weather", "train:shop"}  # fmt: skip


def test_what_a_job_needs_is_in_each_of_its_pipelines() -> None:
    for settings in (GitlabSettings(), GitlabSettings(merge_requests="training"), GitlabSettings(steps="child")):
        graph = whole(settings=settings)
        events = {j.name: set(j.events) for j in graph.jobs}
        for job in graph.jobs:
            for need in job.needs:
                assert set(job.events) <= events[need], (job.name, need)


def test_deployments_do_not_overlap_and_are_not_ended_half_way() -> None:
    deploys = [j for j in whole().jobs if j.environment and j.environment.deploys]
    assert [(j.resource, j.interruptible, j.environment and j.environment.tier) for j in deploys] == [
        ("staging", False, "staging"),
        ("production", False, "production"),
    ]


def test_the_digest_is_of_the_declaration_and_the_settings() -> None:
    digests = [
        whole().digest,
        whole(replace(DECLARED, says={"name": "other"})).digest,
        whole(replace(DECLARED, unprotected=())).digest,
        whole(settings=GitlabSettings(image="python:3.13")).digest,
    ]
    assert len(set(digests)) == 4
    assert whole().digest == digests[0]


def test_the_child_variant_replaces_the_jobs_of_data_and_training() -> None:
    graph = whole(settings=GitlabSettings(steps="child"))
    jobs = {j.name: j for j in graph.jobs}
    assert not any(n.startswith(("data:", "train:")) for n in jobs)
    assert jobs["steps"].spawns == ("plan", "lockgate-child.yml")
    assert jobs["release"].needs == ("check", "steps")


def test_a_child_has_one_job_per_step_that_runs() -> None:
    runs = (Runs(node="shop.model", reason="run: new"), Runs(node="shop.holdout", reason="maybe: if model changes", after=("shop.model",)))  # fmt: skip
    graph = child_graph(runs, DECLARED, GitlabSettings())
    assert [(j.name, j.stage, j.needs, j.commands) for j in graph.jobs] == [
        ("step:shop.model", "steps-1", (), (("lockgate", "run", "--to", "shop.model"),)),
        ("step:shop.holdout", "steps-2", ("step:shop.model",), (("lockgate", "run", "--to", "shop.holdout"),)),
    ]
    assert {e for j in graph.jobs for e in j.events} == {"child"}


def test_a_child_without_steps_is_one_green_job() -> None:
    """GitLab refuses a pipeline without jobs."""
    [job] = child_graph((), DECLARED, GitlabSettings()).jobs
    assert (job.name, job.commands) == ("unchanged", (("lockgate", "run"),))


def test_a_step_with_too_many_needs_waits_for_stages() -> None:
    first = [Runs(node=f"p.s{n}", reason="run: new") for n in range(MOST_NEEDS + 1)]
    last = Runs(node="p.last", reason="run: new", after=tuple(r.node for r in first))
    enough = Runs(node="p.enough", reason="run: new", after=tuple(r.node for r in first[1:]))
    jobs = {j.name: j for j in child_graph([*first, last, enough], DECLARED, GitlabSettings()).jobs}
    assert (jobs["step:p.last"].stage, jobs["step:p.last"].needs) == ("steps-2", ())
    assert len(jobs["step:p.enough"].needs) == MOST_NEEDS


def test_too_large_a_child_has_one_job_per_pipeline() -> None:
    graph = pipelines_graph(DECLARED, GitlabSettings())
    assert [(j.name, j.needs) for j in graph.jobs] == [
        ("data:sales", ()), ("data:weather", ()), ("train:shop", ("data:sales", "data:weather")),
    ]  # fmt: skip
    assert {e for j in graph.jobs for e in j.events} == {"child"}


def test_a_project_that_delivers_nothing_has_no_release() -> None:
    graph = job_graph(replace(DECLARED, delivers=None, stages=()), GitlabSettings(), has=everything)
    assert [j.name for j in graph.jobs] == ["check", "data:sales", "data:weather", "train:shop", "monitor"]


def test_an_environment_that_takes_a_button_has_a_page_before_it_and_a_token_for_it() -> None:
    signed, attested = whole(DECLARED), whole(replace(DECLARED, attested=("production",)))
    ask, approve = (next(j for j in attested.jobs if j.name == f"{n}:production") for n in ("ask", "approve"))
    assert (ask.when, ask.soft, approve.when, approve.needs) == ("on_success", 3, "manual", ("ask:production",))
    assert [c[1:3] for c in approve.commands] == [("gitlab", "attest"), ("approvals", "production")]
    assert approve.audience == "lockgate"
    assert next(j for j in attested.jobs if j.name == "deploy:production").needs == ("approve:production",)
    assert {j.name for j in signed.jobs if j.audience} == {"publish"}  # its token stands in the provenance
    assert not any(j.name.startswith("ask:") for j in signed.jobs)
    assert signed.digest != attested.digest


def test_a_merge_request_may_open_a_review_app_that_decides_nothing() -> None:
    settings = GitlabSettings(review="https://{branch}.review.example.org", review_days=3)
    graph = whole(settings=settings)
    opens, ends = (next(j for j in graph.jobs if j.name == n) for n in ("review", "review:stop"))
    assert (opens.events, opens.needs, opens.commands) == (
        ("merge_request",),
        ("release",),
        (("lockgate", "preview", "wait"),),
    )
    assert opens.environment
    assert (opens.environment.per_branch, opens.environment.ended_by, opens.environment.days) == (
        True,
        "review:stop",
        3,
    )
    assert opens.soft == 5
    assert ends.environment
    assert (ends.when, ends.checkout, ends.environment.ends, ends.environment.deploys) == ("manual", False, True, False)
    assert not any("review" in need for j in graph.jobs for need in j.needs if j is not ends), "nothing waits for it"
    assert not any(j.name.startswith("review") for j in whole().jobs)
    quiet = GitlabSettings(review="https://{branch}.review.example.org", merge_requests="training")
    assert not any(j.name.startswith("review") for j in whole(settings=quiet).jobs), "no release is proposed there"


def test_a_downstream_pipeline_is_handed_what_the_last_deployment_wrote_down() -> None:
    graph = whole(settings=GitlabSettings(downstream="group/app", downstream_branch="live"))
    jobs = {j.name: j for j in graph.jobs}
    starts = jobs["downstream"].starts
    assert starts
    assert (starts.project, starts.branch, starts.hands) == (
        "group/app",
        "live",
        ("LOCKGATE_RELEASE", "LOCKGATE_ENVIRONMENT"),
    )
    assert (jobs["downstream"].needs, jobs["downstream"].commands) == (("deploy:production",), ())
    assert jobs["deploy:production"].commands[-1][-2:] == ("--dotenv", "lockgate-delivered.env")
    assert jobs["deploy:production"].reports == {"dotenv": "lockgate-delivered.env"}
    assert not jobs["deploy:staging"].reports
    assert "merge_request" not in jobs["downstream"].events


def test_approvals_of_the_deployment_take_the_place_of_the_manual_job_before_it() -> None:
    attested = replace(DECLARED, attested=("production",))
    jobs = {j.name: j for j in whole(attested, GitlabSettings(approvals="deployment")).jobs}
    deploy = jobs["deploy:production"]
    assert "approve:production" not in jobs
    assert (deploy.when, deploy.needs, deploy.audience) == ("manual", ("ask:production",), "lockgate")
    assert deploy.commands == (
        ("lockgate", "gitlab", "attest", "production", "--deployment"), ("lockgate", "deliver", "--to", "production", "--here"),
    )  # fmt: skip
    signed = whole(settings=GitlabSettings(approvals="deployment"))
    assert "approve:production" in {j.name for j in signed.jobs}, "where people sign, the forge's word is not asked"
