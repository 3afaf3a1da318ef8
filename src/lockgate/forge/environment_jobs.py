"""The jobs around one environment: people are asked, and the release is deployed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lockgate.forge.id_token import AUDIENCE
from lockgate.records.jobs import RISING, Job, JobEnvironment

if TYPE_CHECKING:
    from lockgate.forge.settings import GitlabSettings

__all__ = ["UNCERTAIN", "environment_of", "rise"]

UNCERTAIN: Final = 3
"""The exit code of a gate that could not tell, and of who waits for people."""


def rise(environment: JobEnvironment, ahead: tuple[str, ...], *, asked: bool, attested: str) -> list[Job]:
    """Ask people, where they are asked, and deploy: people are asked once before an environment, in all roles.

    `attested`: how they agree where the forge's word is taken; empty: they sign.
    """
    if not asked:
        return [_deploy(environment, ahead)]
    approve = _approve(environment, ahead)
    if not attested:
        return [approve, _deploy(environment, (approve.name,))]
    ask = _ask(environment, ahead)
    if attested == "deployment":
        return [ask, _approved_deploy(environment, (ask.name,))]
    pressed = replace(
        approve, needs=(ask.name,), commands=(("lockgate", "gitlab", "attest", environment.name), *approve.commands), audience=AUDIENCE,
        says="who starts it approves what the job before it showed; several people start it one after the other",
    )  # fmt: skip
    return [ask, pressed, _deploy(environment, (pressed.name,))]


def _ask(environment: JobEnvironment, needs: tuple[str, ...]) -> Job:
    """The page must be there before somebody can press a button under it."""
    return Job(
        name=f"ask:{environment.name}", stage=f"approve-{environment.name}", commands=(("lockgate", "approvals", environment.name),), needs=needs,
        events=RISING, soft=UNCERTAIN, says="makes the page that people are asked under",
    )  # fmt: skip


def _approve(environment: JobEnvironment, needs: tuple[str, ...]) -> Job:
    return Job(
        name=f"approve:{environment.name}", stage=f"approve-{environment.name}", commands=(("lockgate", "approvals", environment.name),),
        needs=needs, when="manual", events=RISING, environment=replace(environment, deploys=False), retries=False,
        says="green once everybody who is asked has signed; until then it says who is missing, and is started again",
    )  # fmt: skip


def _deploy(environment: JobEnvironment, needs: tuple[str, ...]) -> Job:
    return Job(
        name=f"deploy:{environment.name}", stage=f"deploy-{environment.name}",
        commands=(("lockgate", "deliver", "--to", environment.name, "--here"),), needs=needs, events=RISING, environment=environment,
        resource=environment.name, says="refuses without recorded decisions, whatever this file says; run again later, it rolls back",
    )  # fmt: skip


def _approved_deploy(environment: JobEnvironment, needs: tuple[str, ...]) -> Job:
    """The forge itself asks for approvals of this deployment, and then somebody starts it."""
    deploy = _deploy(environment, needs)
    attest = ("lockgate", "gitlab", "attest", environment.name, "--deployment")
    return replace(
        deploy, commands=(attest, *deploy.commands), when="manual", audience=AUDIENCE,
        says="people approve this deployment at the forge, before this job is started",
    )  # fmt: skip


def environment_of(name: str, settings: GitlabSettings, *, last: bool) -> JobEnvironment:
    """An environment as settings and its name have it."""
    return JobEnvironment(name=name, tier=settings.tier(name, last=last), url=settings.urls.get(name, ""))
