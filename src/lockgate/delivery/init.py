"""`init` and `people`: a project, a key, and the register of who may decide what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.delivery.identity import append, key_path, read_ledger, signer
from lockgate.durable import write_atomic
from lockgate.errors import NotFound, ServiceUnavailable, UsageError
from lockgate.project import Project, adapter, find_root, read_settings
from lockgate.records.decisions import PeopleSet
from lockgate.records.people import DELIVERER, OPERATOR, TRUSTEE, Person, found

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from pathlib import Path

    from lockgate.records.trust import Trusted

__all__ = ["Founded", "init", "make_key", "refuse_nested"]

FILE = "lockgate.toml"
AGAIN = "lockgate init --person YOU"
EXPORT = "export LOCKGATE_GITLAB_TOKEN=… LOCKGATE_GITLAB_HOST=…"
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
    these roles: who is registered stays so; ServiceUnavailable, and nothing is made, where the ledger cannot be reached.
    """
    project_name = name or root.resolve().name.replace("-", "_")
    if (root / FILE).exists():
        _check_ledger(Project(root.resolve(), read_settings((root / FILE).read_text(encoding="utf-8"))))
    made = _make_files(root, project_name)
    project = Project(root.resolve(), read_settings((root / FILE).read_text(encoding="utf-8")))
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


def _check_ledger(project: Project) -> None:
    """A key that no ledger knows would lead in a circle, so the ledger is asked before one is made.

    A push that the remote refuses after that leaves the key: it may have arrived, and the next try goes on with the same one.
    """
    if project.lacking:
        raise ServiceUnavailable(
            "nothing was made: this project's ledger lies in GitLab, and this working copy cannot write there yet",
            value=f"no {' and no '.join(project.lacking)}", next=_two_ways(project),
        )  # fmt: skip
    project.ledger.head()


def _two_ways(project: Project) -> str:
    """On with GitLab, or without one on a laptop: what to type and to edit, line by line."""
    reach = [EXPORT if "TOKEN" in what else "git remote add origin …" for what in reversed(project.lacking)]
    name = project.settings.name
    lines = [
        "where the project is in GitLab:", *(f"  {line}" for line in (*reach, AGAIN)),
        f"to try it on a laptop, without GitLab, change two addresses in {FILE}:",
        f'  [store]   url = "../{name}-store"', f'  [ledger]  url = "../{name}-ledger"', f"  {AGAIN}",
        "from that to GitLab, later: the two addresses as they were, rm -r .lockgate, then as above",
    ]  # fmt: skip
    return "\n           ".join(lines)


def _not_as_asked(me: Person, person: str | None, roles: Sequence[str]) -> str:
    if person not in (None, me.name):
        return f"--person {person}"
    return " ".join(f"--role {role}" for role in roles if role not in me.roles)


def make_key(path: Path, *, comment: str) -> None:
    """Make a key pair that only its owner can read."""
    adapter("keys", "create_key")(path, comment=comment)


def _make_files(root: Path, name: str) -> list[str]:
    """Files that do not exist yet; nothing is overwritten."""
    package = "".join(c if c.isalnum() else "_" for c in name)
    wanted = {"policy.toml": POLICY_TOML}
    if not (root / FILE).exists():
        wanted |= {
            FILE: LOCKGATE_TOML.format(name=name, package=package),
            f"{package}/__init__.py": f'"""{name}."""\n',
            f"{package}/pipelines.py": PIPELINES_PY.format(name=name, package=package),
            ".gitignore": ".lockgate/\n__pycache__/\n",
        }
    made = [path for path in wanted if not (root / path).exists()]
    for path in made:
        write_atomic(root / path, wanted[path].encode())
    return made
