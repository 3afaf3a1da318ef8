"""Who may decide: people with roles and keys, and machines that act for the pipeline.

The first valid `people/v1` statement of a ledger is its trust root. Every later version is signed by a quorum of
the trustees of the version before it: people are counted, never keys, and a machine is never a person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

from lockgate.errors import PermissionRefused, UsageError
from lockgate.records.digest import Json, canonical, sha256_bytes
from lockgate.records.statement import fingerprint, material, plain_key
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ATTESTER",
    "DELIVERER",
    "NOBODY",
    "OPERATOR",
    "TRUSTEE",
    "VALIDATOR",
    "People",
    "Person",
    "check_people",
    "found",
    "plain_name",
    "succeed",
]

TRUSTEE: Final = "trustee"  # may sign a change of people
DELIVERER: Final = "deliverer"  # may register releases and gate results, and ask for a deployment
ATTESTER: Final = "attester"  # a machine that may say what a forge says a person decided
VALIDATOR: Final = "validator"  # beside deliverer: measures again what others measured
OPERATOR: Final = "operator"  # may roll back, and say what an environment serves


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody, or something, whose keys are known.

    Attributes:
        name: unique. roles: what it may do. keys: OpenSSH public key lines.
        kind: a machine may deliver and operate; it never fills a role that a person must fill.
        aliases: other names in records of authors, such as the e-mail address in commits.

    """

    name: str
    roles: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    kind: Literal["person", "machine"] = "person"
    aliases: tuple[str, ...] = ()
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json])

    def is_called(self, name: str) -> bool:
        """Say whether a record of authors means this person; git's `Name <e-mail>` is two names.

        >>> Person(name="ann", aliases=("ann@example.org",)).is_called("Ann B. <Ann@Example.org>")
        True
        """
        known = {plain_name(n) for n in (self.name, *self.aliases)}
        full, _, mail = name.partition("<")
        return not known.isdisjoint({plain_name(part) for part in (name, full, mail.rstrip("> "))} - {""})


def plain_name(name: str) -> str:
    """A name as it is compared: case, spacing, the two ways to write an accent, and signs nobody sees make no other name.

    >>> plain_name("Zoe\\u0308  Ka\\u200by ") == plain_name("zo\\u00eb kay")
    True
    """
    if name.isascii():
        return " ".join(name.casefold().split())
    import unicodedata

    seen = "".join(c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) != "Cf")
    return " ".join(unicodedata.normalize("NFKC", seen.casefold()).split())


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """One version of the register. `quorum` trustees must sign the next one; `previous` is the digest before."""

    version: int
    people: tuple[Person, ...]
    quorum: int = 1
    previous: str = ""
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json])

    @property
    def digest(self) -> str:
        """sha256 of the canonical record: what approvals bind and `--trust` pins."""
        return sha256_bytes(canonical(to_json(self)))

    @property
    def trustees(self) -> tuple[Person, ...]:
        """The people whose signatures change the register."""
        return tuple(p for p in self.people if TRUSTEE in p.roles and p.kind == "person")

    def by_key(self) -> dict[str, tuple[Person, str]]:
        """Fingerprint → whose it is, and the key."""
        return {fingerprint(key): (person, key) for person in self.people for key in person.keys}

    def named(self, name: str) -> Person | None:
        """The one who is called so, by name or alias."""
        return next((p for p in self.people if p.is_called(name)), None)

    def behind(self, account: str) -> Person | None:
        """The person, never a machine, whose account at a forge this is, letter by letter."""
        return next((p for p in self.people if p.kind == "person" and account in p.aliases), None)


NOBODY: Final = People(version=0, people=())


def found(people: Iterable[Person], *, quorum: int = 1) -> People:
    """Make the first register; its digest is the trust root."""
    return check_people(People(version=1, people=_plain(people), quorum=quorum))


def succeed(before: People, people: Iterable[Person], *, quorum: int | None = None) -> People:
    """Make the register that follows `before`."""
    after = People(
        version=before.version + 1,
        people=_plain(people),
        quorum=before.quorum if quorum is None else quorum,
        previous=before.digest,
    )
    return check_people(after)


def _plain(people: Iterable[Person]) -> tuple[Person, ...]:
    return tuple(replace(p, keys=tuple(plain_key(k) for k in p.keys)) for p in people)


def check_people(people: People) -> People:
    """Answer the register unchanged, or raise: a name or key given twice, a machine as trustee, too few trustees."""
    names = [n for p in people.people for n in {plain_name(n) for n in (p.name, *p.aliases)}]
    _refuse_twice("a name or alias belongs to two", names)
    _refuse_twice("a key belongs to two, so nobody could tell who signed", _bare_keys(people))
    for person in people.people:
        if person.kind == "machine" and TRUSTEE in person.roles:
            raise PermissionRefused("a machine cannot be a trustee", value=person.name, allowed="kind = person")
    if not 1 <= people.quorum <= len(people.trustees):
        raise UsageError(
            "too few trustees for the quorum: nobody could ever change the people",
            value=f"quorum {people.quorum}, trustees {len(people.trustees)}",
            allowed=f"give the role {TRUSTEE!r} to at least `quorum` people; quorum is at least 1",
        )
    return people


def _bare_keys(people: People) -> list[str]:
    """Each key as its first fingerprint, also where it is registered as another kind of key."""
    known: dict[bytes, str] = {}
    every = [key for person in people.people for key in person.keys]
    return [known.setdefault(material(key), fingerprint(key)) for key in every]


def _refuse_twice(what: str, values: list[str]) -> None:
    twice = sorted(value for value, count in Counter(values).items() if count > 1)
    if twice:
        raise UsageError(what, value=", ".join(twice), allowed="each once in the register of people")
