"""Who approved a deployment at a forge that asks for approvals: of this job, of this commit, all that are asked, nobody against."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from lockgate.errors import PermissionRefused, WaitingForHuman
from lockgate.records.frozen import frozen

if TYPE_CHECKING:
    from lockgate.records.forge_job import ForgeJob
    from lockgate.records.publication import Agreed, Deployed

__all__ = ["BUTTON", "Word", "words_on"]

BUTTON: Final = (
    'if a button shall do: approvals = "button" under [gitlab] in lockgate.toml, then lockgate gitlab render'
)
"""The choice that is open where a forge asks nobody; it is made in the declaration, never by what the forge happens to answer."""

LINE: Final = re.compile(r"^[ \t]*(accept|role)[ \t]*:[ \t]*(.*?)[ \t]*$", re.MULTILINE | re.IGNORECASE)


@frozen(kw_only=True)
class Word:
    """One person's approval of a deployment.

    Attributes:
        deployment: which one. user: number of their account; login: its name today. time: when they said so.
        role, accepted: lines `role: ROLE` and `accept: GATE, GATE` of their comment; reason: what else it says.
    """

    deployment: str
    user: str
    login: str
    time: datetime
    role: str = ""
    accepted: tuple[str, ...] = ()
    reason: str = ""


def words_on(deployments: Iterable[Deployed], job: ForgeJob) -> tuple[Word, ...]:
    """The approvals of what this job deploys, at least one.

    What was said about another deployment, also an earlier one of the same release, is not looked at.

    Raises:
        PermissionRefused: the forge knows no deployment of this job; it is of another commit, or not running; somebody is
            against; nobody is asked: without a licence or rules a forge lets everything through, and that is nobody's approval.
        WaitingForHuman: somebody has not approved yet.
    """
    found = next((d for d in deployments if d.job and d.job == job.job), None)
    if found is None:
        raise _refused("job", "no deployment", f"one by job {job.job or 'with a number'}")
    if found.commit != job.commit:
        raise _refused("commit", found.commit, job.commit)
    if found.status != "running":
        raise _refused("status", found.status, "running: this job is at it now")
    if against := sorted({a.login for a in found.approvals if a.said == "rejected"}):
        raise _refused("rejected", ", ".join(against), "nobody against it")
    given = {a.user: a for a in found.approvals if a.said == "approved"}
    if not (found.asked or found.pending):
        raise PermissionRefused(
            "the forge asks nobody to approve this deployment", value="no approval rules, or no licence for them",
            allowed="rules for this environment (Settings › CI/CD › Protected environments)", next=BUTTON,
        )  # fmt: skip
    if found.pending or not given:
        raise WaitingForHuman(
            "the deployment is not approved yet",
            value=f"{len(given)} of {found.asked or len(given) + found.pending}, {found.pending} still asked",
            next="approve it on the environment's page, then start the job",
        )  # fmt: skip
    return tuple(_word(found.id, a) for a in given.values())


def _word(deployment: str, said: Agreed) -> Word:
    lines = {name.lower(): value for name, value in LINE.findall(said.comment)}
    return Word(
        deployment=deployment, user=said.user, login=said.login, time=_time(said.time), role=lines.get("role", ""),
        accepted=tuple(g.strip() for g in lines.get("accept", "").split(",") if g.strip()),
        reason=" ".join(LINE.sub("", said.comment).split()),
    )  # fmt: skip


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise _refused("created_at", text, "a time") from None
    if found.utcoffset() is None:
        raise _refused("created_at", text, "a time with its zone")
    return found


def _refused(what: str, value: str, allowed: str) -> PermissionRefused:
    return PermissionRefused(
        f"the approvals of this deployment do not count: {what}", value=value, allowed=allowed,
        next="start a new deployment: a pipeline of the default branch, or retry of its deploy job; then approve that one",
    )  # fmt: skip
