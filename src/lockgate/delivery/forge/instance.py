"""Which GitLab this project believes: one of which the signed register has accounts, whatever a job's variables say (ADR 37)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.delivery.identity import read_ledger
from lockgate.forge.pressed import pinned
from lockgate.records.forge_job import instance_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockgate.project import Project

__all__ = ["has_instance", "instance_for"]


def instance_for(project: Project, variables: Mapping[str, str]) -> str:
    """The GitLab whose word may be asked, as the register names it. PermissionRefused where the job's variables name another."""
    return pinned(_aliases(project), server=variables.get("CI_SERVER_URL", ""), api=variables.get("CI_API_V4_URL", ""))


def has_instance(project: Project) -> bool:
    """Whether the register names any: a person in it has an account there."""
    return any(instance_of(alias, "gitlab") for alias in _aliases(project))


def _aliases(project: Project) -> list[str]:
    people = read_ledger(project).people.people
    return [alias for person in people if person.kind == "person" for alias in person.aliases]
