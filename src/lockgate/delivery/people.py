"""`people`: who may decide what. Every change is a register of its own, signed by a quorum of the trustees before it.

A new key for the same person, a lost key, a leaver, other trustees: the trust root stays, and so does what was signed before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lockgate.delivery.identity import append, read_ledger, who
from lockgate.errors import NotFound, PermissionRefused, UsageError, did_you_mean
from lockgate.records.decisions import PeopleSet
from lockgate.records.digest import short
from lockgate.records.in_force import pending_people
from lockgate.records.people import TRUSTEE, succeed
from lockgate.records.statement import fingerprint, plain_key

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from pathlib import Path

    from lockgate.project import Project
    from lockgate.records.ledger import Entry
    from lockgate.records.people import People, Person
    from lockgate.records.trust import Trusted

__all__ = ["Changed", "add_person", "check_may_change", "register", "remove_person", "set_quorum", "sign_people"]


@dataclass(frozen=True, slots=True)
class Changed:
    """The register in force. `waiting`: digest of a register that is wanted next → the trustees who have signed it."""

    people: People
    waiting: Mapping[str, tuple[str, ...]]


def check_may_change(project: Project, key: Path | None = None) -> None:
    """Raise PermissionRefused where this key's owner may not change the register: before anything is made for it."""
    _may(project, read_ledger(project), key)


def add_person(project: Project, person: Person, *, now: dt.datetime, key: Path | None = None) -> Changed:
    """Register somebody, or give a known name more keys and other roles; signed by a trustee."""
    keys = tuple(plain_key(k) for k in person.keys)

    def claim(trust: Trusted) -> PeopleSet | None:
        _may(project, trust, key)
        known = trust.people.named(person.name)
        others = [p for p in trust.people.people if p is not known]
        merged = person if known is None else replace(
            known, roles=person.roles or known.roles, keys=tuple(dict.fromkeys([*known.keys, *keys])),
            aliases=tuple(dict.fromkeys([*known.aliases, *person.aliases])))  # fmt: skip
        # Saying the same again would be a new register, which voids every approval.
        return None if merged == known else PeopleSet(people=succeed(trust.people, [*others, merged]), log=trust.head)

    return _changed(project, append(project, claim, now=now, key=key))


def remove_person(
    project: Project, name: str, *, keys: Sequence[str] = (), now: dt.datetime, key: Path | None = None
) -> Changed:
    """Take somebody, or only some of their keys, out of the register; what they signed before keeps its author."""
    lost = {plain_key(k) for k in keys}

    def claim(trust: Trusted) -> PeopleSet:
        _may(project, trust, key)
        known = trust.people.named(name)
        if known is None:
            raise NotFound(
                "nobody is called so", value=name, allowed=did_you_mean(name, [p.name for p in trust.people.people])
            )
        if unknown := sorted(lost - set(known.keys)):
            held = ", ".join(fingerprint(k) for k in known.keys)
            raise NotFound(f"{known.name} has no such key", value=fingerprint(unknown[0]), allowed=held)
        kept = [replace(known, keys=tuple(k for k in known.keys if k not in lost))] if lost else []
        people = [*(p for p in trust.people.people if p is not known), *kept]
        return PeopleSet(people=succeed(trust.people, people), log=trust.head)

    return _changed(project, append(project, claim, now=now, key=key))


def set_quorum(project: Project, quorum: int, *, now: dt.datetime, key: Path | None = None) -> Changed:
    """How many trustees must sign the next change of people; this change still needs as many as before."""

    def claim(trust: Trusted) -> PeopleSet | None:
        _may(project, trust, key)
        if quorum == trust.people.quorum:
            return None
        return PeopleSet(people=succeed(trust.people, trust.people.people, quorum=quorum), log=trust.head)

    return _changed(project, append(project, claim, now=now, key=key))


def sign_people(project: Project, ref: str | None, *, now: dt.datetime, key: Path | None = None) -> Changed:
    """Sign the change of people that waits for the quorum; `ref`: the start of its digest, where several wait."""

    def claim(trust: Trusted) -> PeopleSet:
        _may(project, trust, key)
        waiting = pending_people(trust)
        digits = (ref or "").removeprefix("sha256:")
        found = [p for d, (p, _) in waiting.items() if d.removeprefix("sha256:").startswith(digits)]
        if len(found) != 1:
            listed = ", ".join(f"{short(d)} (signed by {', '.join(by)})" for d, (_, by) in waiting.items())
            raise NotFound(
                "several changes of people wait" if found else "no such change of people waits for a signature",
                value=ref or "", allowed=listed or "none waits", next="lockgate people",
            )  # fmt: skip
        return PeopleSet(people=found[0], log=trust.head)

    return _changed(project, append(project, claim, now=now, key=key))


def _may(project: Project, trust: Trusted, key: Path | None) -> None:
    """Refuse now what would not count later; an entry that cannot count helps nobody."""
    me = who(project, trust, key)
    if TRUSTEE not in me.roles:
        raise PermissionRefused(
            f"{me.name} may not change the people", value=", ".join(me.roles), allowed=TRUSTEE, next="lockgate people"
        )


def register(project: Project) -> Changed:
    """The people now, and the changes that wait for more signatures."""
    trust = read_ledger(project)
    return Changed(trust.people, {d: by for d, (_, by) in pending_people(trust).items()})


def _changed(project: Project, entry: Entry | None) -> Changed:
    """The register after a change. Raises UsageError when the change was set aside."""
    trust = read_ledger(project)
    aside = next((s for s in trust.set_aside if entry and s.entry.digest == entry.digest), None)
    if aside:
        raise UsageError(
            "the change of people does not count", value=aside.why, next="lockgate people   (who are the trustees?)"
        )
    return register(project)
