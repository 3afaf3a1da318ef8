"""`init` and `people`: a project, a key, and the register of who may decide what."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lockgate.delivery.identity import append, key_path, read_ledger, signer, who
from lockgate.durable import write_atomic
from lockgate.errors import NotFound, PermissionRefused, UsageError, did_you_mean
from lockgate.project import Project, adapter, find_root, read_settings
from lockgate.records.decisions import PeopleSet
from lockgate.records.people import DELIVERER, OPERATOR, TRUSTEE, Person, found, succeed
from lockgate.records.statement import plain_key

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from pathlib import Path

    from lockgate.records.ledger import Entry
    from lockgate.records.people import People
    from lockgate.records.trust import Trusted

__all__ = ["Founded", "add_person", "init", "make_key", "refuse_nested", "remove_person"]

LOCKGATE_TOML = """\
[project]
name = "{name}"
pipelines = ["{package}.pipelines"]     # modules whose Pipeline values are ours

# [sources.sales]
# kind = "file"
# path = "data/sales.csv"
"""

POLICY_TOML = """\
[approval]
self_approval = "refused"     # or "flagged" for a one-person team

[environments.staging]
protected = false
"""

PIPELINES_PY = '''\
"""The steps of {name}: plain functions; names wire them, types choose how results are stored."""

from lockgate import Pipeline, step


@step
def numbers(count: int = 10) -> list[int]:
    """The first whole numbers."""
    return list(range(count))


@step
def total(numbers: list[int]) -> int:
    """Their sum."""
    return sum(numbers)


{package} = Pipeline("{name}", kind="data", steps=[numbers, total], publishes=["total"])
'''


@dataclass(frozen=True, slots=True)
class Founded:
    """What `init` made or found: files, the key's fingerprint, its owner with their roles, and the trust root to pin."""

    root: Path
    made: tuple[str, ...]
    key: str
    trust_root: str
    person: str
    roles: tuple[str, ...]


def init(
    root: Path, *, name: str | None, person: str | None, login: str, roles: Sequence[str], now: dt.datetime
) -> Founded:
    """Make what is missing: the project's files, this copy's key, and the trust root of an empty ledger.

    `person` is called by `login` unless named. UsageError when the copy's key belongs to another one, or to one without
    these roles: who is registered stays so.
    """
    project_name = name or root.resolve().name.replace("-", "_")
    made = _make_files(root, project_name)
    project = Project(root.resolve(), read_settings((root / "lockgate.toml").read_text(encoding="utf-8")))
    hidden = project.home / ".gitignore"
    if not hidden.exists():  # whatever the project ignores: keys and caches are never tracked
        write_atomic(hidden, b"*\n")
    key = key_path(project)
    if not key.exists():
        make_key(key, comment=person or login)
        made.append(str(key.relative_to(project.root) if key.is_relative_to(project.root) else key))
    mine = signer(project)
    everything = tuple(dict.fromkeys([TRUSTEE, DELIVERER, OPERATOR, *roles]))

    def claim(trust: Trusted) -> PeopleSet | None:
        if trust.root:
            return None
        return PeopleSet(
            people=found([Person(name=person or login, roles=everything, keys=(mine.public_key(),))]), log=trust.head
        )

    append(project, claim, now=now)
    trust = read_ledger(project)
    owner = trust.people.by_key().get(mine.identity())
    me = owner[0] if owner else Person(name="", roles=(), keys=())
    if owner and (lacking := _not_as_asked(me, person, roles)):
        raise UsageError(
            "this working copy has its person already", value=f"{me.name}: {', '.join(me.roles)}",
            allowed=f"the same; {lacking} was not changed", next="lockgate people add NAME --role ROLE",
        )  # fmt: skip
    return Founded(project.root, tuple(made), mine.identity(), trust.root, me.name, me.roles)


def refuse_nested(root: Path) -> None:
    """A folder inside a project is hardly meant to become another one, unless somebody names it. Raises UsageError."""
    here = root.resolve()
    try:
        above = find_root(here)
    except NotFound:
        return
    if above != here:
        raise UsageError(
            "this folder belongs to a project already", value=str(above), allowed="a folder outside, or one that is named",
            next=f"cd {above} && lockgate init   (or, for a project of its own: lockgate init {here})",
        )  # fmt: skip


def _not_as_asked(me: Person, person: str | None, roles: Sequence[str]) -> str:
    if person not in (None, me.name):
        return f"--person {person}"
    return " ".join(f"--role {role}" for role in roles if role not in me.roles)


def make_key(path: Path, *, comment: str) -> None:
    """Make a key pair that only its owner can read."""
    adapter("keys", "create_key")(path, comment=comment)


def add_person(project: Project, person: Person, *, now: dt.datetime, key: Path | None = None) -> People:
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

    entry = append(project, claim, now=now, key=key)
    return _changed(project, entry)


def remove_person(project: Project, name: str, *, now: dt.datetime, key: Path | None = None) -> People:
    """Take somebody out of the register; what they signed before keeps its author."""

    def claim(trust: Trusted) -> PeopleSet:
        _may(project, trust, key)
        known = trust.people.named(name)
        if known is None:
            raise NotFound(
                "nobody is called so", value=name, allowed=did_you_mean(name, [p.name for p in trust.people.people])
            )
        return PeopleSet(
            people=succeed(trust.people, [p for p in trust.people.people if p is not known]), log=trust.head
        )

    append(project, claim, now=now, key=key)
    return read_ledger(project).people


def _may(project: Project, trust: Trusted, key: Path | None) -> None:
    """Refuse now what would not count later; an entry that cannot count helps nobody."""
    me = who(project, trust, key)
    if TRUSTEE not in me.roles:
        raise PermissionRefused(
            f"{me.name} may not change the people", value=", ".join(me.roles), allowed=TRUSTEE, next="lockgate people"
        )


def _changed(project: Project, entry: Entry | None) -> People:
    """The register after a change. Raises UsageError when the change was set aside."""
    trust = read_ledger(project)
    aside = next((s for s in trust.set_aside if entry and s.entry.digest == entry.digest), None)
    if aside:
        raise UsageError(
            "the change of people does not count", value=aside.why, next="lockgate people   (who are the trustees?)"
        )
    return trust.people


def _make_files(root: Path, name: str) -> list[str]:
    """Files that do not exist yet; nothing is overwritten."""
    package = "".join(c if c.isalnum() else "_" for c in name)
    wanted = {"policy.toml": POLICY_TOML}
    if not (root / "lockgate.toml").exists():
        wanted |= {
            "lockgate.toml": LOCKGATE_TOML.format(name=name, package=package),
            f"{package}/__init__.py": f'"""{name}."""\n',
            f"{package}/pipelines.py": PIPELINES_PY.format(name=name, package=package),
            ".gitignore": ".lockgate/\n__pycache__/\n",
        }
    made = [path for path in wanted if not (root / path).exists()]
    for path in made:
        write_atomic(root / path, wanted[path].encode())
    return made
