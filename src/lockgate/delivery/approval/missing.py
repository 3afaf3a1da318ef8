"""Where a release waits for people: who is missing, and the very command that they sign with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.declare import Approval
from lockgate.errors import StepFailed, WaitingForHuman
from lockgate.records.digest import short

if TYPE_CHECKING:
    from lockgate.delivery.walk import Walk
    from lockgate.gates.approvals import Standing
    from lockgate.gates.binding import Ask

__all__ = ["check_somebody_is_asked", "how_to_sign", "stopped"]


def stopped(walk: Walk, release: str, ask: Ask, stands: Standing) -> StepFailed | WaitingForHuman:
    """Why a release may not enter `ask.environment` yet: somebody rejected it, or signatures are missing."""
    if stands.rejected_by:
        return StepFailed("a person rejected this release", value=stands.missing, next="lockgate releases --rejected")
    return WaitingForHuman(
        f"release {short(release)} waits for a person before {ask.environment}", value=stands.missing,
        next=f"lockgate evidence {short(release)}\n           " + how_to_sign(walk, release, ask, stands),
    )  # fmt: skip


def how_to_sign(walk: Walk, release: str, ask: Ask, stands: Standing) -> str:
    """The command for the first role in which somebody is missing; others may have signed."""
    role = next((r.role for r in stands.roles if len(r.people) < r.need), stands.roles[0].role)
    accept = "".join(f" --accept {gate}" for gate in ask.uncertain)
    several = sum(isinstance(s, Approval) and s.role == role for s in walk.stages) > 1
    where = f" --env {ask.environment}" if several else ""
    return f'lockgate approve {short(release)} --role {role} --reason "…"{accept}{where}'


def check_somebody_is_asked(walk: Walk, ask: Ask, stands: Standing) -> None:
    """Raise WaitingForHuman where an uncertain gate leads into a protected environment and nobody is there to accept it."""
    protected = walk.policy.environment(ask.environment).protected
    if ask.uncertain and not ask.roles and protected and not stands.glass:
        raise WaitingForHuman(
            f"{ask.environment} is protected and nobody is asked before it", value="uncertain: " + ", ".join(ask.uncertain),
            allowed="an approval stage before it, or `protected = false` in policy.toml",
        )  # fmt: skip
