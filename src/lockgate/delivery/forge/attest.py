"""`gitlab attest`: a machine's key says that the forge says that a person approved. It counts where the policy takes that grade."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from lockgate.delivery.approval.approvals import stands_now
from lockgate.delivery.chosen import chosen
from lockgate.delivery.evidence.page import page_of
from lockgate.delivery.identity import append, read_ledger, who
from lockgate.delivery.judging.check_recorded import check_recorded
from lockgate.delivery.walk import walk_now
from lockgate.errors import NotFound, PermissionRefused, UsageError, WaitingForHuman
from lockgate.forge.pressed import ToldJob, pressed_by
from lockgate.gates.authors import shown_since
from lockgate.gates.binding import Ask, binding, decide
from lockgate.gates.objections import objection
from lockgate.gates.waivers import SKEW
from lockgate.records.decisions import Attested, Decision
from lockgate.records.digest import short
from lockgate.records.forge_job import account_of, job_of
from lockgate.records.people import ATTESTER

if TYPE_CHECKING:
    import datetime as dt

    from lockgate.delivery.walk import Walk
    from lockgate.forge.approved import Word
    from lockgate.project import Project
    from lockgate.records.digest import Json
    from lockgate.records.forge_job import ForgeJob
    from lockgate.records.people import Person
    from lockgate.records.trust import Trusted

__all__ = ["Attestation", "Pressed", "attest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """What a person did at the forge, and who says so.

    Attributes:
        job: what this process was told. claims: of the job's ID token, checked. told: what the forge's API says.
        role: the one they decide in; empty: the only one that is asked of them and still open.
        reason, accepted: what they gave the job along.
        word: what one person said about this job's deployment; None: who started the job approves.
    """

    job: ForgeJob
    claims: Mapping[str, str]
    told: ToldJob
    role: str = ""
    reason: str = ""
    accepted: tuple[str, ...] = ()
    word: Word | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """What was said: this person approves this release there. `entry`: digest of the ledger entry; empty: it stood there."""

    release: str
    environment: str
    person: str
    role: str
    entry: str


def attest(project: Project, environment: str, pressed: Pressed, *, clock: Callable[[], dt.datetime]) -> Attestation:
    """Write the approval into the ledger, bound as a signed one is: release, evidence, policy, people, page, expiry.

    Raises:
        PermissionRefused: the policy takes signatures only; token, API and variables do not agree; the account belongs to
            nobody with the role; it is own work; this copy's key is no attester's.
        WaitingForHuman: an uncertain gate was not accepted by name.
    """
    now = clock()
    walk, trust = walk_now(project, now=now), read_ledger(project)
    walk.check(environment)
    found = chosen(walk, trust, None, pressed.job)
    release = found.release
    _check_grade(walk.ask(trust, release, environment))
    check_recorded(walk, trust, release, environment, now=now)
    _check_attester(who(project, trust))
    word = pressed.word
    proposed = job_of(found.said.claim.extra) if found.said else None
    account = pressed_by(
        pressed.claims, pressed.told, pressed.job, proposed=proposed, environment=environment, deploys=word is not None
    )
    if word is not None:
        account = account_of(pressed.job.kind, pressed.claims.get("iss", ""), word.user)
    made: list[tuple[Person, str]] = []

    def claim(trust: Trusted) -> Attested | None:
        ask = walk.ask(trust, release, environment)
        person = _person(trust, account, pressed)
        page = page_of(project, walk, trust, release=release, environment=environment)
        if page is None:
            raise NotFound(
                "there is no evidence page to approve under",
                value=short(release),
                next=f"lockgate approvals {environment}",
            )
        if word is not None:
            _check_seen(trust, release, environment, page.sha256, word)
        said = _decision(walk, trust, release, ask, person, pressed, page=page.sha256, now=now)
        made[:] = [(person, said.role)]
        if _stands_already(walk, trust, release, ask, person, said.role, page=page.sha256, now=now):
            return None
        forge: dict[str, Json] = {**pressed.claims, "started": pressed.told.started, "job_name": pressed.told.name}
        if word is not None:  # the claims are then of who started the job
            forge |= {"deployment": word.deployment, "approved": word.time.isoformat(), "approved_by": word.login}
        return Attested(**{f.name: getattr(said, f.name) for f in fields(said)}, account=account, forge=forge)

    entry = append(project, claim, now=now)
    person, role = made[0]
    return Attestation(
        release=release, environment=environment, person=person.name, role=role, entry=entry.digest if entry else ""
    )


def _decision(
    walk: Walk, trust: Trusted, release: str, ask: Ask, person: Person, pressed: Pressed, *, page: str, now: dt.datetime
) -> Decision:
    if missing := sorted({*ask.uncertain} - {*pressed.accepted}):
        gates = ",".join(ask.uncertain)
        how = (
            f"approve again with the line “accept: {gates}” in the comment"
            if pressed.word
            else f"start the job again with the variable LOCKGATE_ACCEPT={gates}"
        )
        raise WaitingForHuman("an uncertain gate has to be accepted by name", value=", ".join(missing), next=how)
    role = pressed.role or _open_role(walk, trust, release, ask, person, page=page, now=now)
    current = binding(trust, release=release, environment=ask.environment, policy=walk.digest, page=page)
    done = f"approved deployment {pressed.word.deployment} of" if pressed.word else "started"
    reason = pressed.reason.strip() or f"{done} {pressed.told.name} ({pressed.told.job})"
    said = decide(
        "approve",
        role=role,
        reason=reason,
        current=current,
        ask=ask,
        accepted=pressed.accepted,
        log=trust.head,
        now=pressed.word.time if pressed.word else now,
    )
    against = objection(said, person, trusted=trust, current=current, ask=ask, time=now, now=now)
    if against:
        raise PermissionRefused(
            "this approval would not count", value=f"{against.field}: {against.why}", next="lockgate people"
        )
    return said


def _open_role(
    walk: Walk, trust: Trusted, release: str, ask: Ask, person: Person, *, page: str, now: dt.datetime
) -> str:
    """The role in which somebody is missing and this person could help."""
    stands = stands_now(walk, trust, release, ask, page=page, now=now)
    theirs = [r.role for r in stands.roles if r.role in person.roles]
    still = [r.role for r in stands.roles if r.role in theirs and (len(r.people) < r.need or person.name in r.people)]
    if len(still or theirs) == 1:
        return (still or theirs)[0]
    if not theirs:
        asked = ", ".join(r.role for r in ask.roles) or "nobody"
        held = ", ".join(person.roles) or "no role"
        raise PermissionRefused(
            f"{person.name} does not hold a role that is asked here", value=held, allowed=asked, next="lockgate people"
        )
    raise UsageError(
        "more than one role is asked",
        value=", ".join(still),
        next="a line “role: ROLE” in the comment of the approval, or start the job again with LOCKGATE_ROLE=ROLE",
    )


def _stands_already(
    walk: Walk, trust: Trusted, release: str, ask: Ask, person: Person, role: str, *, page: str, now: dt.datetime
) -> bool:
    stands = stands_now(walk, trust, release, ask, page=page, now=now)
    return any(r.role == role and person.name in r.people for r in stands.roles)


def _check_seen(trust: Trusted, release: str, environment: str, page: str, word: Word) -> None:
    """Somebody who approved before this page was there approved something else."""
    shown = shown_since(trust, page, release=release, environment=environment)
    if shown is None or word.time < shown - SKEW:
        when = f"the page is of {shown:%F %T} UTC" if shown else "no page was shown"
        raise PermissionRefused(
            f"{word.login} approved before what they would agree to was shown", value=f"{word.time:%F %T} UTC", allowed=when,
            next="approve the deployment again, under the present page",
        )  # fmt: skip


def _check_attester(me: Person) -> None:
    if ATTESTER not in me.roles or me.kind != "machine":
        held = f"{me.kind}, {', '.join(me.roles) or 'no role'}"
        raise PermissionRefused(
            f"{me.name} may not say what a forge says", value=held, allowed=f"a machine with the role {ATTESTER}",
            next=f"lockgate people add {me.name} --machine --role {ATTESTER} …   (as a trustee)",
        )  # fmt: skip


def _check_grade(ask: Ask) -> None:
    if ask.grade != "attested":
        raise PermissionRefused(
            f"{ask.environment} takes only what people sign with their own keys", value="a button at a forge",
            allowed=f'[environments.{ask.environment}] grade = "attested" in policy.toml',
            next=f"lockgate approvals {ask.environment}   (it says how to sign)",
        )  # fmt: skip


def _person(trust: Trusted, account: str, pressed: Pressed) -> Person:
    person = trust.people.behind(account)
    if person is None:
        raise PermissionRefused(
            f"the account of {pressed.word.login if pressed.word else pressed.told.login} belongs to nobody the ledger knows", value=account,
            allowed="an alias of a person", next=f"lockgate people add NAME --alias {account}   (as a trustee)",
        )  # fmt: skip
    return person
