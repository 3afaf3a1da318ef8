"""A small cast with keys and a ledger in memory, so that a test can say who said what in one line each.

>>> scene = Scene()
>>> _ = scene.say("sam", Proposed, release=release("1"), name="demand", authors=("sam",), started_by="sam", lineage="")
>>> [said.person.name for said in scene.trusted().said if said.person]
['ada', 'sam']
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from lockgate.records.decisions import (
    Claim,
    Healthy,
    PeopleSet,
    Proposed,
    Wanted,
    state,
)
from lockgate.records.people import (
    DELIVERER,
    OPERATOR,
    TRUSTEE,
    People,
    Person,
    found,
    succeed,
)
from lockgate.records.statement import Envelope, seal
from lockgate.records.trust import Trusted, trusted
from lockgate.testing.ledger import MemoryLedger, MemorySigner

if TYPE_CHECKING:
    from lockgate.ports import Ledger
    from lockgate.records.ledger import Entry, Head

__all__ = ["CAST", "Scene", "person", "release"]

START: Final = datetime(2026, 1, 5, 9, tzinfo=UTC)


def person(name: str, *roles: str, **fields: Any) -> Person:
    """Somebody whose one key is made from the name."""
    keys = fields.pop("keys", (MemorySigner(name).public_key(),))
    return Person(name=name, roles=roles, keys=keys, **fields)


CAST: Final = (
    person("ada", TRUSTEE),
    person("sam", "scientist", DELIVERER, aliases=("sam@example.org",)),
    person("pat", "product-owner"),
    person("pia", "product-owner"),
    person("rik", "risk"),
    person("bot", DELIVERER, OPERATOR, kind="machine"),
)


def release(word: str) -> str:
    """A digest that stands for a release, or for anything else."""
    return "sha256:" + hashlib.sha256(word.encode()).hexdigest()


class Scene:
    """People, a ledger and a clock that moves a minute with every entry. `ada` founds the people."""

    def __init__(self, cast: tuple[Person, ...] = CAST, *, quorum: int = 1, ledger: Ledger | None = None) -> None:
        self.ledger: Ledger = MemoryLedger() if ledger is None else ledger
        self.now = START
        self.people = found(cast, quorum=quorum)
        self.say("ada", PeopleSet, people=self.people)

    def say(self, who: str, kind: type[Claim], *, log: Head | None = None, **fields: Any) -> Entry:
        """Sign a claim with the key named `who` and append it; `log` is the present head unless given."""
        return self.append(self.signed(who, kind, log=log, **fields))

    def signed(self, who: str, kind: type[Claim], *, log: Head | None = None, **fields: Any) -> Envelope:
        """The envelope that `say` would append."""
        return seal(state(kind(log=log or self.ledger.head(), **fields)), MemorySigner(who))

    def append(self, envelope: Envelope) -> Entry:
        """Append any envelope, a minute later."""
        self.now += timedelta(minutes=1)
        return self.ledger.append(envelope, after=self.ledger.head(), time=self.now)

    def trusted(self, *, pin: str | None = None) -> Trusted:
        """The ledger, attributed."""
        return trusted(self.ledger.read(), pin=pin)

    def change_people(self, *cast: Person, by: tuple[str, ...] = ("ada",), quorum: int | None = None) -> People:
        """Propose other people; each of `by` signs."""
        self.people = succeed(self.people, cast, quorum=quorum)
        for who in by:
            self.say(who, PeopleSet, people=self.people)
        return self.people

    def propose(self, word: str, *, who: str = "sam") -> str:
        """Register a release as `who`'s own work; answers its digest."""
        self.say(
            who,
            Proposed,
            release=release(word),
            name="demand",
            authors=(who,),
            started_by=who,
            lineage=release("lineage"),
        )
        return release(word)

    def want(self, digest: str, environment: str, *, by: str = "sam", **fields: Any) -> Entry:
        """Ask for a deployment."""
        because = fields.pop("because", "delivered")
        return self.say(by, Wanted, release=digest, environment=environment, because=because, **fields)

    def healthy(self, wanted: Entry, *, by: str = "bot") -> Entry:
        """Answer that an environment serves what `wanted` asked for."""
        statement = wanted.envelope.statement()
        environment = statement.predicate["environment"]
        return self.say(by, Healthy, release=statement.subject, environment=environment, wanted=wanted.digest)
