"""`gitlab attest ENV --deployment`: what people said about this job's deployment, each as an approval of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lockgate.delivery.chosen import chosen
from lockgate.delivery.deliver_here import goes_back
from lockgate.delivery.forge.attest import Attestation, attest
from lockgate.delivery.identity import read_ledger
from lockgate.delivery.walk import walk_now
from lockgate.deploy.environments import fold
from lockgate.errors import NotFound, PermissionRefused
from lockgate.forge.approved import BUTTON, words_on

if TYPE_CHECKING:
    import datetime as dt

    from lockgate.delivery.forge.attest import Pressed
    from lockgate.forge.approved import Word
    from lockgate.ports import Forge
    from lockgate.project import Project
    from lockgate.records.forge_job import ForgeJob

__all__ = ["attest_words", "needs_nobody", "words_of"]


def needs_nobody(project: Project, environment: str, pressed: Pressed, *, now: dt.datetime) -> bool:
    """Whether this job only goes back to what served here: an earlier deployment authorises that, and no approval."""
    walk, trust = walk_now(project, now=now), read_ledger(project)
    walk.check(environment)
    there = fold(trust, approved_only=walk.approved_only).of(environment)
    return goes_back(there, chosen(walk, trust, None, pressed.job))


def words_of(forge: Forge, environment: str, job: ForgeJob) -> tuple[Word, ...]:
    """Who approved the deployment of this job. Raises what `words_on` raises; PermissionRefused where we may not look.

    A forge that does not let us look may well ask people: who starts the job must not stand in for them.
    """
    try:
        deployments = forge.deployments(environment)
    except (NotFound, PermissionRefused) as error:
        raise PermissionRefused(
            "nobody can see who approved this deployment", value=error.value,
            allowed="a job token that may read deployments (Settings › CI/CD › Job token permissions)", next=BUTTON,
        ) from error  # fmt: skip
    return words_on(deployments, job)


def attest_words(
    project: Project, environment: str, pressed: Pressed, words: Sequence[Word], *, clock: Callable[[], dt.datetime]
) -> tuple[Attestation, ...]:
    """One approval for each person. Raises what `attest` raises; who was written down before stays written down."""
    return tuple(
        attest(
            project,
            environment,
            replace(pressed, word=w, role=w.role, reason=w.reason, accepted=w.accepted),
            clock=clock,
        )
        for w in words
    )
