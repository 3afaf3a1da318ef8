"""Whose key this working copy signs with, and appending a signed claim behind the ledger's head."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.durable import write_atomic
from lockgate.errors import MovedOn, NotFound, PermissionRefused
from lockgate.project import adapter
from lockgate.records.decisions import Claim, state
from lockgate.records.sshsig import needs_sshsig
from lockgate.records.statement import seal
from lockgate.records.trust import Trusted, trusted

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from lockgate.ports import Signer
    from lockgate.project import Project
    from lockgate.records.ledger import Entry
    from lockgate.records.people import Person

__all__ = ["LedgerReader", "append", "holder", "key_path", "read_ledger", "signer", "who"]

TRIES = 20


def key_path(project: Project) -> Path:
    """The private key of this working copy: `LOCKGATE_KEY`, else `.lockgate/key`."""
    return Path(os.environ.get("LOCKGATE_KEY") or project.home / "key")


def signer(project: Project, key: Path | None = None) -> Signer:
    """Open the key: a private file; a public one (`.pub`), whose private half ssh-agent holds; or a hardware key's.

    Raises NotFound with the next command when there is none.
    """
    path = key or key_path(project)
    if not path.exists():
        raise NotFound(
            "no key to sign with", value=str(path), allowed="an OpenSSH ed25519 or P-256 key", next="lockgate init"
        )
    if path.suffix == ".pub":
        return adapter("ssh_agent", "AgentSigner")(path)
    beside = path.with_name(path.name + ".pub")
    if beside.is_file() and needs_sshsig(beside.read_text(encoding="utf-8")):
        return adapter("ssh_keygen", "KeygenSigner")(path)
    return adapter("keys", "FileSigner")(path)


def who(project: Project, trust: Trusted, key: Path | None = None) -> Person:
    """The registered owner of the key. Raises PermissionRefused when the ledger does not know it."""
    mine = signer(project, key)
    found = trust.people.by_key().get(mine.identity())
    if found is None and not trust.root:
        raise PermissionRefused(
            "nobody is registered yet: this project's ledger is empty", value=mine.identity(),
            allowed="the first person, who registers all others", next="lockgate init --person YOU",
        )  # fmt: skip
    if found is None:
        raise PermissionRefused(
            "this key belongs to nobody the ledger knows",
            value=mine.identity(),
            allowed=", ".join(p.name for p in trust.people.people) or "nobody yet",
            next=f"lockgate people add NAME --key '{mine.public_key()}' --role ROLE   (as a trustee)",
        )
    return found[0]


def holder(project: Project, trust: Trusted, role: str, key: Path | None = None) -> Person:
    """The key's owner, who must be a person in this role. Raises PermissionRefused."""
    me = who(project, trust, key)
    if role not in me.roles or me.kind != "person":
        held = ", ".join(me.roles) or "no role"
        raise PermissionRefused(f"{me.name} does not hold this role", value=role, allowed=held, next="lockgate people")
    return me


def read_ledger(project: Project, *, pin: str | None = None) -> Trusted:
    """The whole ledger with every entry's author, chain and signatures checked.

    The first trust root that this working copy saw is its pin from then on; `pin` says it beforehand.
    """
    known = project.home / "trust-root"
    remembered = known.read_text(encoding="ascii").strip() if known.is_file() else None
    trust = trusted(project.ledger.read(), pin=pin or remembered)
    if remembered is None and trust.root:
        write_atomic(known, trust.root.encode() + b"\n")
    return trust


class LedgerReader:
    """Reads one ledger again and again, and checks signatures only when it has grown."""

    def __init__(self, project: Project, *, pin: str | None = None) -> None:
        self._project, self._pin = project, pin
        self._last: Trusted | None = None

    def read(self) -> Trusted:
        """As `read_ledger`."""
        if self._last is None or self._project.ledger.head() != self._last.head:
            self._last = read_ledger(self._project, pin=self._pin)
        return self._last


def append(
    project: Project, make: Callable[[Trusted], Claim | None], *, now: dt.datetime, key: Path | None = None
) -> Entry | None:
    """Decide on what the ledger says now and append; when somebody was faster, decide again.

    `make` gets the ledger as it is and answers the claim, or None when nothing needs to be said any more.
    """
    mine = signer(project, key)
    for _ in range(TRIES):
        trust = read_ledger(project)
        claim = make(trust)
        if claim is None:
            return None
        try:
            return project.ledger.append(seal(state(claim), mine), after=trust.head, time=now)
        except MovedOn:
            continue
    raise MovedOn("the ledger's head kept moving", value=f"{TRIES} tries", next="try again")
