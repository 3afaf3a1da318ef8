"""Who said what: a fold over the ledger that gives every entry its person, or the reason why it counts for nothing.

Whoever can append a line can write rubbish, so rubbish is set aside with a reason instead of stopping everybody.
An entry counts when its key was registered *at that point* of the ledger, the signature holds, its `log` is an
ancestor, it is no copy of an earlier entry, and its signer's role may say such a thing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from lockgate.errors import IntegrityError, LockgateError, PermissionRefused
from lockgate.records.decisions import (
    AcceptedChange,
    Attested,
    Claim,
    Decision,
    GateResult,
    Healthy,
    Looked,
    PeopleSet,
    Proposed,
    Refused,
    Shown,
    Wanted,
    read_claim,
)
from lockgate.records.ledger import EMPTY, Entry, Head
from lockgate.records.people import (
    ATTESTER,
    DELIVERER,
    NOBODY,
    OPERATOR,
    People,
    Person,
    check_people,
)
from lockgate.records.statement import Envelope, signature_holds
from lockgate.records.waivers import Revoked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Said", "Trusted", "trusted"]

THREADED_FROM: Final = 256  # signatures; below this a thread pool costs more than it saves
THREADS: Final = 4  # OpenSSL works outside the interpreter lock
HELD_BACK: Final = "its signer has said something since, which it does not know: it was held back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One entry with its meaning.

    Attributes:
        claim: what it says; None when it cannot be read.
        person: who said it, with the roles held then; None when it counts for nothing.
        attester: the machine that signed for this person what a forge told; None: the person's own key did.
        people: digest of the register in force before this entry.
        field, why: what failed first (`statement`, `key`, `signature`, `log`, `replay`, `role`) and the sentence.

    """

    entry: Entry
    claim: Claim | None
    person: Person | None
    people: str
    field: str = ""
    why: str = ""
    attester: Person | None = None

    @property
    def signer(self) -> str:
        """Whose key signed, by name; empty when it counts for nothing."""
        by = self.attester or self.person
        return by.name if by else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """A whole ledger, attributed. `root` is the digest of the first register, `people` the register now."""

    said: tuple[Said, ...]
    people: People
    root: str
    head: Head

    @property
    def set_aside(self) -> tuple[Said, ...]:
        """Entries that count for nothing."""
        return tuple(s for s in self.said if s.person is None)

    def before(self, seq: int) -> Trusted:
        """The ledger as it was before entry `seq`; nothing is checked again."""
        said = self.said[:seq]
        digest = self.said[seq].people if seq < len(self.said) else self.people.digest
        sets = (s.claim.people for s in reversed(said) if isinstance(s.claim, PeopleSet))
        people = next((p for p in sets if p.digest == digest), NOBODY)
        root = self.root if people is not NOBODY else ""
        return Trusted(said=said, people=people, root=root, head=said[-1].entry.head if said else EMPTY)

    def at(self, digest: str) -> Said | None:
        """The trusted entry with this digest."""
        return next((s for s in self.said if s.entry.digest == digest and s.person), None)


def trusted(entries: Sequence[Entry], *, pin: str | None = None) -> Trusted:
    """Attribute all entries of a ledger, from position 0.

    `pin` is the trust root that this machine was told to believe; another one raises PermissionRefused.
    """
    fold = _Fold(entries)
    for entry in entries:
        fold.take(entry)
    if pin is not None and fold.root != pin:
        raise PermissionRefused(
            "this ledger has another trust root than the pinned one",
            value=fold.root or "no people yet",
            allowed=pin,
            next=f"ask who began the ledger, with the first lockgate init; if {fold.root or 'its root'} is right: lockgate serve ENV --trust DIGEST",
        )
    return Trusted(said=fold.checked(), people=fold.people, root=fold.root, head=entries[-1].head if entries else EMPTY)


class _Fold:
    """The running state of `trusted`: the register in force, proposals for the next one, payloads seen."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self.people = NOBODY
        self.keys = NOBODY.by_key()
        self.digest = NOBODY.digest
        self.root = ""
        self.seconds: dict[str, set[str]] = {}
        self.said: list[Said] = []
        self.unchecked: list[tuple[int, str]] = []  # position in `said`, the key that must have signed

    def take(self, entry: Entry) -> None:
        try:
            claim = read_claim(entry.envelope.statement())
            if isinstance(claim, PeopleSet):
                return self._take_people(entry, claim)
        except IntegrityError as error:
            return self._aside(entry, None, "statement", error.what)
        except (
            UnicodeError, ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError
        ) as error:  # fmt: skip
            # Anybody may append a line; one that cannot even be digested counts for nothing and stops nobody.
            self.keys = self.keys if self.root else {}
            return self._aside(entry, None, "statement", f"it cannot be read: {type(error).__name__}")
        if (owner := self._owner(entry, claim)) is None:
            return None
        person, key = owner
        if claim is not None and (why := _not_entitled(claim, person)):
            return self._aside(entry, claim, "role", why)
        if not isinstance(claim, Attested):
            return self._keep(entry, claim, person, key)
        if (by := self.people.behind(claim.account)) is None:
            return self._aside(entry, claim, "account", f"no person in the register is known as {claim.account}")
        return self._keep(entry, claim, by, key, attester=person)

    def _owner(self, entry: Entry, claim: Claim | None) -> tuple[Person, str] | None:
        """Whose key it claims to be, when everything but the signature is in order."""
        owner = self.keys.get(entry.envelope.keyid)
        if owner is None:
            self._aside(entry, claim, "key", f"key {entry.envelope.keyid} was not registered at entry {entry.seq}")
        elif claim is not None and not self._grew_from(claim.log, entry):
            self._aside(entry, claim, "log", f"its signer saw another ledger: {claim.log.size} {claim.log.digest}")
        else:
            return owner
        return None

    def _grew_from(self, log: Head, entry: Entry) -> bool:
        if log.size == 0:
            return log == EMPTY
        return 0 < log.size <= entry.seq and self.entries[log.size - 1].digest == log.digest

    def _take_people(self, entry: Entry, claim: PeopleSet) -> None:
        """A register takes effect when a quorum of the trustees before it has signed the same digest."""
        after = claim.people
        try:
            check_people(after)
        except LockgateError as error:
            return self._aside(entry, claim, "statement", str(error))
        if not self.root:
            self.keys = after.by_key()  # the first register speaks for itself
        owner = self._owner(entry, claim)
        why = self._unfit(entry, after, owner) if owner else ""
        if owner is None or why:
            self.keys = self.keys if self.root else {}
            return self._aside(entry, claim, "people", why) if owner else None
        self._keep(entry, claim, *owner)
        seconds = self.seconds.setdefault(after.digest, set())
        seconds.add(owner[0].name)
        if len(seconds) >= self.people.quorum:
            self._install(after)
        return None

    def _unfit(self, entry: Entry, after: People, owner: tuple[Person, str]) -> str:
        if not signature_holds(entry.envelope, owner[1]):
            return "the signature does not hold"
        trustees = self.people.trustees if self.root else after.trustees
        if owner[0] not in trustees:
            return f"{owner[0].name} is no trustee"
        expected = (self.people.version + 1, self.digest if self.root else "")
        if (after.version, after.previous) != expected:
            return f"version {after.version} does not follow the register in force, version {self.people.version}"
        return ""

    def _install(self, after: People) -> None:
        self.people, self.keys, self.digest = after, after.by_key(), after.digest
        self.root = self.root or after.digest
        self.seconds = {}

    def _keep(
        self, entry: Entry, claim: Claim | None, person: Person, key: str, *, attester: Person | None = None
    ) -> None:
        self.unchecked.append((len(self.said), key))
        self.said.append(Said(entry=entry, claim=claim, person=person, people=self.digest, attester=attester))

    def _aside(self, entry: Entry, claim: Claim | None, field: str, why: str) -> None:
        self.said.append(Said(entry=entry, claim=claim, person=None, people=self.digest, field=field, why=why))

    def checked(self) -> tuple[Said, ...]:
        """All entries; set aside are a signature that does not hold, the second copy of one that does, and what was held back."""
        copies: set[tuple[str, bytes]] = set()
        words: dict[str, int] = {}  # person → position of their newest entry
        for (index, _), holds in zip(self.unchecked, self._signatures(), strict=True):
            said = self.said[index]
            copy = (said.entry.envelope.keyid, said.entry.envelope.payload)
            if not holds:
                said = replace(said, person=None, field="signature", why="the signature does not hold")
            elif copy in copies:
                said = replace(said, person=None, field="replay", why="a copy of an earlier entry")
            elif _held_back(said, words):
                said = replace(said, person=None, field="log", why=HELD_BACK)
            else:
                copies.add(copy)
                words[said.signer] = said.entry.seq
            self.said[index] = said
        return tuple(self.said)

    def _signatures(self) -> list[bool]:
        """Verified together at the end, so that many share the processors."""
        jobs = [(self.said[index].entry.envelope, key) for index, key in self.unchecked]
        if len(jobs) < THREADED_FROM:
            return [signature_holds(*job) for job in jobs]
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(THREADS) as pool:
            return [holds for part in pool.map(_verify, _parts(jobs)) for holds in part]


def _held_back(said: Said, words: Mapping[str, int]) -> bool:
    """Whether its signer had said something since. Whoever keeps a signed word back could else bring it after a reject.

    A reject and a revocation count all the same: a carrier who swaps two words must not lose the stricter one. A register
    of people needs no such rule: it follows the one before it by version and digest.
    """
    claim, person = said.claim, said.person
    if claim is None or person is None or isinstance(claim, PeopleSet | Revoked):
        return False
    if isinstance(claim, Decision) and claim.decision != "approve":
        return False
    return words.get(said.signer, -1) >= claim.log.size


def _parts(jobs: list[tuple[Envelope, str]], size: int = 256) -> list[list[tuple[Envelope, str]]]:
    return [jobs[start : start + size] for start in range(0, len(jobs), size)]


def _verify(jobs: list[tuple[Envelope, str]]) -> list[bool]:
    return [signature_holds(*job) for job in jobs]


def _not_entitled(claim: Claim, person: Person) -> str:
    """Why this person or machine may not say such a thing; empty when it may. Decisions are judged by `gates`."""
    match claim:
        case AcceptedChange() if person.kind != "person":
            return f"{person.name} is a machine, and only a person may accept a change of code"
        case Attested() if claim.decision != "approve":
            return "only an approval can be attested; who rejects signs"
        case Attested() if person.kind != "machine":
            return f"{person.name} is no machine; a person signs with a key of their own"
        case Attested():
            role = ATTESTER
        case AcceptedChange() | Proposed() | GateResult() | Looked() | Shown():
            role = DELIVERER
        case Wanted(because="rolled-back") | Healthy() | Refused():
            role = OPERATOR
        case Wanted():
            role = DELIVERER
        case _:
            return ""
    return "" if role in person.roles else f"{person.name} did not hold the role {role!r}"
