"""Check a Lockgate bundle offline: was this release let into this environment by the people who may decide that?

    python3 verify.py --trust sha256:…        in the folder that the bundle was unpacked into

Needs Python 3.11 and the package `cryptography`; nothing of Lockgate and no network. It stands alone on purpose: read
it, it is short. Nothing in the bundle is believed because it is there. Belief starts with the digest that you give:

    --trust → the first register of people (its sha256) → keys → signatures in ledger.jsonl → digests of everything else

What cannot be checked fails. Exit 0: let in rightly; 4: not, or not provably; 2: wrong usage.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

Json = Any
ZEROS = "sha256:" + "0" * 64
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
OURS = "https://lockgate.dev/attestation/"
SUMMARY_TYPE = "https://slsa.dev/verification_summary/v1"
SKEW = timedelta(minutes=5)  # how far clocks of honest machines may lie apart
DEEPEST = 64
UNVOUCHED = ("README.txt", "SHA256SUMS", "bundle.json", "verify.py")


class Refused(Exception):
    """A check that did not hold; its text is for people."""


# ── bytes and signatures ─────────────────────────────────────────────────────


def canonical(value: Json) -> bytes:
    """JSON with sorted keys and no spaces, in UTF-8: equal values are equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def short(digest: str) -> str:
    return digest.rpartition(":")[2][:12]


@dataclass(frozen=True)
class Envelope:
    """DSSE: a payload and one signature over its pre-authentication encoding (PAE)."""

    payload: bytes
    payload_type: str
    keyid: str
    signature: bytes

    @classmethod
    def read(cls, data: Json) -> Envelope:
        (one,) = data["signatures"]
        payload, signature = (base64.b64decode(text, validate=True) for text in (data["payload"], one["sig"]))
        if not (isinstance(one["keyid"], str) and isinstance(data["payloadType"], str)):
            raise Refused("an envelope's keyid and payloadType are text")
        return cls(payload, data["payloadType"], one["keyid"], signature)

    def encoded(self) -> bytes:
        payload, signature = (base64.b64encode(raw).decode() for raw in (self.payload, self.signature))
        signatures = [{"keyid": self.keyid, "sig": signature}]
        return canonical({"payload": payload, "payloadType": self.payload_type, "signatures": signatures})

    def pae(self) -> bytes:
        kind = self.payload_type.encode()
        return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(self.payload), self.payload)

    def holds(self, key: str) -> bool:
        """Whether this OpenSSH public key made the signature: raw ed25519, or ECDSA P-256 over sha256 in DER."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519

        try:
            public = load_key(key)
            if isinstance(public, ed25519.Ed25519PublicKey):
                public.verify(self.signature, self.pae())
            else:
                public.verify(self.signature, self.pae(), ec.ECDSA(hashes.SHA256()))
        except (InvalidSignature, ValueError, Refused):
            return False
        return True

    def statement(self) -> tuple[str, str, dict[str, Json]]:
        """Predicate type, subject's digest, predicate. The payload is in-toto Statement v1 about one subject."""
        data = json.loads(self.payload)
        (subject,) = data["subject"]
        ((algorithm, value),) = subject["digest"].items()
        kind, predicate = data["predicateType"], data["predicate"]
        texts = (subject["name"], kind, algorithm, value)
        if self.payload_type != PAYLOAD_TYPE or data["_type"] != STATEMENT_TYPE or not is_object(predicate):
            raise Refused("not an in-toto Statement v1")
        if not all(isinstance(text, str) for text in texts) or is_deeper(data, DEEPEST):
            raise Refused("not an in-toto Statement v1")
        return kind, f"{algorithm}:{value}", predicate


def load_key(line: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    public = load_ssh_public_key(plain_key(line).encode())
    if isinstance(public, ec.EllipticCurvePublicKey) and not isinstance(public.curve, ec.SECP256R1):
        raise Refused("a key on another curve than P-256")
    return public


def plain_key(line: str) -> str:
    """An OpenSSH public key line without its comment."""
    kind, _, rest = line.strip().partition(" ")
    blob = rest.split(" ")[0]
    if kind not in ("ssh-ed25519", "ecdsa-sha2-nistp256"):
        raise Refused(f"a key of the kind {kind!r} cannot sign here")
    if base64.b64decode(blob, validate=True)[4 : 4 + len(kind)] != kind.encode():
        raise Refused("a public key that cannot be read")
    return f"{kind} {blob}"


def fingerprint(line: str) -> str:
    """As `ssh-keygen -l` prints it."""
    blob = base64.b64decode(plain_key(line).split(" ")[1], validate=True)
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def is_object(value: Json) -> bool:
    return isinstance(value, dict)


def is_deeper(value: Json, levels: int) -> bool:
    """Whether lists and objects lie in each other more often than so."""
    found = [value]
    for _ in range(levels):
        found = [i for v in found if isinstance(v, dict | list) for i in (v.values() if isinstance(v, dict) else v)]
    return any(isinstance(v, dict | list) for v in found)


# ── what a statement may say ─────────────────────────────────────────────────

# Field → kind. `?` may be missing. Whatever else a statement holds is kept and goes into its digest.
KINDS: Mapping[str, Mapping[str, str]] = {
    "release/v1": {"name": "text", "authors": "texts", "started_by": "text", "lineage": "text"},
    "gate-result/v1": {"verdict": "verdict", "policy": "text", "inputs?": "map"},
    "approval/v1": {
        **dict.fromkeys(("decision", "role", "reason", "environment", "evidence", "policy", "people", "page"), "text"),
        "accepted": "texts", "not_after": "time",
    },
    "wanted/v1": {"environment": "text", "because": "text", "authorised_by?": "texts", "reason?": "text"},
    "healthy/v1": {"environment": "text", "wanted": "text"},
    "refused/v1": {"environment": "text", "wanted": "text", "reason": "text"},
    "look/v1": {"reason": "text", "release?": "text"},
    "page/v1": dict.fromkeys(("environment", "shows", "page", "card"), "text"),
    "accepted-change/v1": {
        **dict.fromkeys(("before", "artifact", "step", "reason"), "text"), "changed": "texts", "decision?": "text",
    },
    "people/v1": {"people": "people"},
}  # fmt: skip
VERDICT = {
    **dict.fromkeys(("gate", "kind", "outcome", "reason", "settles?", "evidence?"), "text"),
    "threshold?": "object",
}
PERSON = {"name": "text", "roles?": "texts", "keys?": "texts", "kind?": "text", "aliases?": "texts"}
REGISTER = {"version": "number", "people": "persons", "quorum?": "number", "previous?": "text"}
HEAD = {"size": "number", "digest": "text"}
ROLES = {"wanted/v1": "deliverer", "healthy/v1": "operator", "refused/v1": "operator"} | dict.fromkeys(
    ("release/v1", "gate-result/v1", "look/v1", "page/v1", "accepted-change/v1"), "deliverer"
)
EMPTY = {"text": "", "texts": (), "map": {}, "object": {}, "number": 1}


def shaped(record: Json, shape: Mapping[str, str]) -> dict[str, Json]:
    """The record with what is missing filled in. Refuses a field that is missing or of another kind."""
    if not is_object(record):
        raise Refused("not a record")
    filled = dict(record)
    for key, kind in shape.items():
        name = key.rstrip("?")
        if name not in filled and key.endswith("?"):
            filled[name] = "person" if (name, shape) == ("kind", PERSON) else EMPTY[kind]
        filled[name] = of_kind(filled.get(name), kind, name)
    return filled


def of_kind(value: Json, kind: str, name: str) -> Json:
    nested = {"verdict": VERDICT, "people": REGISTER, "head": HEAD}
    if kind in nested:
        return shaped(value, nested[kind])
    if kind == "persons" and isinstance(value, list):
        return [shaped(person, PERSON) for person in value]
    match kind:
        case "text":
            good = isinstance(value, str)
        case "number":
            good = type(value) is int
        case "object":
            good = isinstance(value, dict)
        case "map":
            good = isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
        case "texts":
            good = isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)
        case _:
            good = kind == "time" and datetime.fromisoformat(value).utcoffset() == timedelta(0)
    if not good:
        raise Refused(f"{name} is not {kind}")
    return list(value) if kind == "texts" else value


def register_digest(register: Mapping[str, Json]) -> str:
    return sha256(canonical(register))


def check_register(register: Mapping[str, Json]) -> None:
    """Names, aliases and keys belong to one each; a machine is no trustee; the quorum can be reached."""
    people = register["people"]
    names = [plain_name(n) for p in people for n in {p["name"], *p["aliases"]}]
    keys = [fingerprint(k) for p in people for k in p["keys"]]
    if any(count > 1 for found in (names, keys) for count in Counter(found).values()):
        raise Refused("a name or a key belongs to two")
    if any(p["kind"] == "machine" and "trustee" in p["roles"] for p in people):
        raise Refused("a machine is a trustee")
    if not 1 <= register["quorum"] <= len(trustees(register)):
        raise Refused("too few trustees for the quorum")


def trustees(register: Mapping[str, Json]) -> list[str]:
    return [p["name"] for p in register["people"] if "trustee" in p["roles"] and p["kind"] == "person"]


def plain_name(name: str) -> str:
    return name.strip().casefold()


# ── the log: who said what ───────────────────────────────────────────────────


@dataclass
class Said:
    """One entry. `person` is who said it, with the roles held then; None: it counts for nothing, and `why`."""

    seq: int
    digest: str
    time: datetime
    envelope: Envelope
    kind: str = ""
    about: str = ""
    says: dict[str, Json] = field(default_factory=dict[str, Json])
    person: dict[str, Json] | None = None
    people: str = ""  # digest of the register in force before this entry
    why: str = ""

    @property
    def is_known(self) -> bool:
        return self.kind in KINDS

    @property
    def name(self) -> str:
        """What kind of statement it is, as a file may be called."""
        return self.kind.removesuffix("/v1") if self.is_known else "unknown"


class Log:
    """Every entry of ledger.jsonl, chained, and attributed by the register of people in force at that point."""

    def __init__(self, data: bytes) -> None:
        self.said: list[Said] = []
        self.registers: dict[str, dict[str, Json]] = {}
        self.root = self.now = ""
        self._keys: dict[str, tuple[dict[str, Json], str]] = {}
        self._seconds: dict[str, set[str]] = {}
        self._copies: set[tuple[str, bytes]] = set()
        for line in data.split(b"\n")[:-1]:
            self._take(self._chained(line))
        if not data.endswith(b"\n"):
            raise Refused("the log does not end with a whole line")

    @property
    def head(self) -> str:
        return self.said[-1].digest if self.said else ZEROS

    def _chained(self, line: bytes) -> Said:
        """Check that a line is what its digest says, and follows the line before."""
        seq, begins = len(self.said), b'{"digest":"sha256:'
        written = line[len(begins) : len(begins) + 64].decode("ascii", "replace")
        body = line[len(begins) + 66 :]
        if line[: len(begins)] != begins or line[len(begins) + 64 :][:2] != b'",':
            raise Refused(f"log entry {seq} cannot be read")
        if hashlib.sha256(b"{" + body).hexdigest() != written:
            raise Refused(f"log entry {seq} was changed")
        data = json.loads(line)
        if (data["seq"], data["prev"]) != (seq, self.head):
            raise Refused(f"log entry {seq} does not follow the one before it")
        if not data["time"].endswith("+00:00"):
            raise Refused(f"log entry {seq} has a time that is not UTC")
        time = datetime.fromisoformat(data["time"])
        return Said(seq, "sha256:" + written, time, Envelope.read(data["envelope"]), people=self.now)

    def _take(self, said: Said) -> None:
        self.said.append(said)
        try:
            kind, said.about, predicate = said.envelope.statement()
            said.kind = kind.removeprefix(OURS)
            known = KINDS.get(said.kind) if kind.startswith(OURS) else None
            said.kind = said.kind if known else kind
            said.says = shaped(predicate, {**known, "log": "head"}) if known else predicate
            if said.kind == "people/v1" and known:
                self._take_people(said)
            else:
                said.person = self._signer(said, self._keys, log=known is not None)
        except (
            Refused,
            ValueError,
            TypeError,
            KeyError,
            AttributeError,
            IndexError,
            RecursionError,
            OverflowError,
        ) as error:
            said.why, said.person = str(error) or type(error).__name__, None

    def _signer(self, said: Said, keys: Mapping[str, tuple[dict[str, Json], str]], *, log: bool) -> dict[str, Json]:
        owner = keys.get(said.envelope.keyid)
        if owner is None:
            raise Refused(f"key {said.envelope.keyid} was not registered at that point")
        if log and not self._grew_from(said.says["log"], said.seq):
            raise Refused("its signer saw another log than this one")
        person, key = owner
        role = ROLES.get(said.kind) if log else None
        if said.kind == "wanted/v1" and log and said.says["because"] == "rolled-back":
            role = "operator"
        if role and role not in person["roles"]:
            raise Refused(f"{person['name']} did not hold the role {role!r}")
        if said.kind == "accepted-change/v1" and log and person["kind"] != "person":
            raise Refused(f"{person['name']} is a machine")
        if not said.envelope.holds(key):
            raise Refused("the signature does not hold")
        if said.kind != "people/v1":
            self._no_copy(said)
        return person

    def _no_copy(self, said: Said) -> None:
        copy = (said.envelope.keyid, said.envelope.payload)
        if copy in self._copies:
            raise Refused("a copy of an earlier entry")
        self._copies.add(copy)

    def _grew_from(self, head: Mapping[str, Json], seq: int) -> bool:
        if head["size"] == 0:
            return head["digest"] == ZEROS
        return 0 < head["size"] <= seq and self.said[head["size"] - 1].digest == head["digest"]

    def _take_people(self, said: Said) -> None:
        """The first register speaks for itself; a later one needs the quorum of trustees of the one before."""
        after, before = said.says["people"], self.registers.get(self.now)
        digest = register_digest(after)
        check_register(after)
        if digest != said.about:
            raise Refused("the register is not the one that its statement names")
        said.person = self._signer(said, self._keys if self.root else keys_of(after), log=True)
        if said.person["name"] not in trustees(before or after):
            raise Refused(f"{said.person['name']} is no trustee")
        if (after["version"], after["previous"]) != ((before["version"] if before else 0) + 1, self.now):
            raise Refused("it does not follow the register in force")
        seconds = self._seconds.setdefault(digest, set())
        seconds.add(said.person["name"])
        if len(seconds) >= (before["quorum"] if before else 1):
            self.root, self.now, self._seconds = self.root or digest, digest, {}
            self.registers[digest], self._keys = after, keys_of(after)
        self._no_copy(said)

    def before(self, seq: int) -> tuple[list[Said], dict[str, Json], str]:
        """What counted before an entry, with the register in force then and its digest."""
        digest = self.said[seq].people if seq < len(self.said) else self.now
        return [s for s in self.said[:seq] if s.person], self.registers.get(digest, {"people": []}), digest

    def at(self, digest: str) -> Said | None:
        return next((s for s in self.said if s.digest == digest and s.person), None)


def keys_of(register: Mapping[str, Json]) -> dict[str, tuple[dict[str, Json], str]]:
    return {fingerprint(key): (person, key) for person in register["people"] for key in person["keys"]}


# ── what was decided ─────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Rules:
    """What policy.json asks before an environment: gates by name, and role → (people, how long a signature counts)."""

    gates: tuple[str, ...]
    roles: Mapping[str, tuple[int, timedelta]]
    self_approval: str
    protected: bool


def rules_for(environment: str, policy: Json) -> Rules:
    """Read the declaration up to the deployment. A stage that is not understood refuses."""
    rules, gates, roles = policy["policy"], list[str](), dict[str, tuple[int, timedelta]]()
    for stage in policy["declaration"]["stages"]:
        if "gate" in stage:
            gates.append(stage["gate"])
        elif "approval" in stage:
            if stage["approval"] in roles:
                raise Refused(f"policy.json asks the role {stage['approval']} twice before one deployment")
            roles[stage["approval"]] = (rules["need"].get(stage["approval"], 1), duration(stage["valid_for"]))
        elif stage["deploy_to"] == environment:
            protected = rules["environments"].get(environment, {}).get("protected", True)
            return Rules(tuple(gates), roles, rules["self_approval"], protected)
        else:
            roles = {}
    raise Refused(f"policy.json does not deploy to {environment}")


def duration(text: str) -> timedelta:
    found = re.fullmatch(r"([1-9][0-9]{0,3})([mhdw])", text)
    if not found:
        raise Refused(f"policy.json: {text!r} is no duration")
    return timedelta(**{{"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}[found[2]]: int(found[1])})


def newest_results(said: Iterable[Said], release: str, policy: str) -> dict[str, Said]:
    """Gate → its newest result on this release under this policy."""
    found = (s for s in said if s.kind == "gate-result/v1" and (s.about, s.says["policy"]) == (release, policy))
    return {s.says["verdict"]["gate"]: s for s in found}


def evidence_root(results: Iterable[Said]) -> str:
    """sha256 over the sorted digests of gate results, each without the log position."""
    records = ({**{n: v for n, v in s.says.items() if n != "log"}, "release": s.about} for s in results)
    return sha256(canonical(["evidence", sorted(sha256(canonical(record)) for record in records)]))


def standing_rejects(said: Iterable[Said], release: str, environment: str) -> list[str]:
    """People whose last word on this release here, in a role then held, is no approval."""
    last: dict[str, str] = {}
    for s in decisions(said, release, environment):
        role, person = s.says["role"], s.person or {}
        if person["kind"] == "person" and role in person["roles"] and role not in ("deliverer", "operator"):
            last[person["name"]] = s.says["decision"]
    return [name for name, decision in last.items() if decision != "approve"]


def decisions(said: Iterable[Said], release: str, environment: str) -> Iterator[Said]:
    return (s for s in said if s.kind == "approval/v1" and s.about == release and s.says["environment"] == environment)


def own_people(said: Iterable[Said], register: Mapping[str, Json], release: str) -> set[str]:
    """Whose own work it is: authors, who started the run, and who registered the release."""
    names: set[str] = set()
    for s in said:
        if s.kind == "release/v1" and s.about == release and s.person:
            names |= {*s.says["authors"], s.says["started_by"], s.person["name"]}
    return names | {p["name"] for p in register["people"] if any(is_called(p, n) for n in names)}


def is_called(person: Mapping[str, Json], name: str) -> bool:
    """By name or alias; git's `Name <e-mail>` is two names."""
    known = {plain_name(n) for n in (person["name"], *person["aliases"])}
    full, _, mail = name.partition("<")
    return not known.isdisjoint({plain_name(part) for part in (name, full, mail.rstrip("> "))} - {""})


def agreed_time(said: Iterable[Said], otherwise: datetime) -> datetime:
    """The newest time that two signers agree has come."""
    newest: dict[str, datetime] = {}
    for s in said:
        if s.person:
            newest[s.person["name"]] = max(s.time, newest.get(s.person["name"], s.time))
    times = sorted(newest.values(), reverse=True)
    return times[1] if len(times) > 1 else next(iter(times), otherwise)


@dataclass(frozen=True)
class Case:
    """One question: may `release` enter `environment` at `time`, by what counted until then?"""

    said: Sequence[Said]
    register: Mapping[str, Json]
    people: str
    release: str
    environment: str
    policy: str
    page: str
    rules: Rules
    time: datetime

    @property
    def results(self) -> dict[str, Said]:
        return newest_results(self.said, self.release, self.policy)

    @property
    def uncertain(self) -> list[str]:
        return sorted(g for g, s in self.results.items() if s.says["verdict"]["outcome"] == "uncertain")

    def objection(self, approval: Said) -> str:
        """The first reason why an approval does not count; empty when it does."""
        says, person = approval.says, approval.person or {}
        bound = {"policy": self.policy, "people": self.people, "page": self.page,
                 "evidence": evidence_root(self.results.values())}  # fmt: skip
        until = datetime.fromisoformat(says["not_after"])
        _, valid_for = self.rules.roles.get(says["role"], (0, timedelta()))
        moved = next((n for n, digest in bound.items() if says[n] != digest), "")
        checks = (
            (says["decision"] != "approve", f"it says {says['decision']!r}"),
            (person["kind"] != "person", "only a person fills a role"),
            (says["role"] not in person["roles"], f"the role {says['role']} was not held"),
            (says["role"] not in self.rules.roles, f"nobody is asked as {says['role']}"),
            (bool(moved), f"it binds another {moved}"),
            (agreed_time(self.said, self.time) > self.time + SKEW, "the clock is behind that of the log"),
            (self.time >= until, f"it expired at {until:%F %T} UTC"),
            (until > approval.time + valid_for + SKEW, "it claims to count longer than the policy allows"),
            (says["accepted"] != self.uncertain, f"uncertain gates are {', '.join(self.uncertain) or 'none'}, accepted others"),
            (not is_proposed(self.said, self.release), "nobody registered this release"),
            (self.rules.self_approval == "refused" and person["name"] in self.own, "it is their own work"),
            (bool(says.get("conditions")), "it has conditions, which this verifier does not know"),
        )  # fmt: skip
        return next((why for holds, why in checks if holds), "")

    @property
    def own(self) -> set[str]:
        return own_people(self.said, self.register, self.release)

    def seats(self) -> dict[str, list[Said]]:
        """Role → approvals that count, one person in one role, as many roles filled as can be."""
        offers: dict[str, dict[str, Said]] = {}
        for s in decisions(self.said, self.release, self.environment):
            if s.person and not self.objection(s):
                offers.setdefault(s.person["name"], {})[s.says["role"]] = s
        chairs = [(role, n) for role, (need, _) in self.rules.roles.items() for n in range(need)]
        seated: dict[tuple[str, int], str] = {}

        def seat(name: str, tried: set[tuple[str, int]]) -> bool:
            for chair in (c for c in chairs if c[0] in offers[name] and c not in tried):
                tried.add(chair)
                if chair not in seated or seat(seated[chair], tried):
                    seated[chair] = name
                    return True
            return False

        own = self.own
        left = [name for name in sorted(offers, key=lambda n: n in own) if not seat(name, set())]
        found = {role: [offers[n][role] for (r, _), n in seated.items() if r == role] for role in self.rules.roles}
        for name in (n for n in left if n not in own):  # more people than needed; each of them must still count
            found[min(offers[name])].append(offers[name][min(offers[name])])
        return found


def served_in(environment: str, said: Sequence[Said], *, asks: bool) -> tuple[list[Said], set[str]]:
    """The wishes that a server answered with "healthy", in order, and those that nobody should have followed.

    A wish is not followed while a reject stands; a rollback goes back to what was served here; what a rollback left comes
    back only by an approval given since. `asks`: a delivery must cite an approval.
    """
    wanted: Said | None = None
    ignored, withdrawn, served = dict[str, Said](), dict[str, int](), list[Said]()
    for at, s in enumerate(said):
        if s.kind not in ("wanted/v1", "healthy/v1") or s.says["environment"] != environment:
            continue
        if s.kind == "healthy/v1":
            late = ignored.get(s.says["wanted"])
            answered = late if late and (wanted is None or late.seq > wanted.seq) else wanted
            if answered and (s.says["wanted"], s.about) == (answered.digest, answered.about):
                wanted = answered
                served += [] if served and served[-1] is answered else [answered]
        elif standing_rejects(said[:at], s.about, environment):
            continue
        elif s.says["because"] == "rolled-back":
            if s.says["authorised_by"] in [[w.digest] for w in served if w.about == s.about]:
                withdrawn |= {w.about: s.seq for w in (wanted, served[-1]) if w}
                wanted = s
                withdrawn.pop(s.about, None)
        elif s.says["because"] == "delivered" and is_proposed(said[:at], s.about):
            approvals = [
                a.seq
                for a in decisions(said[:at], s.about, environment)
                if a.digest in s.says["authorised_by"] and approves(a, s.time)
            ]
            if (asks and not approvals) or max(approvals, default=-1) < withdrawn.get(s.about, -1):
                ignored[s.digest] = s
            else:
                wanted = s
                withdrawn.pop(s.about, None)
    return served, set(ignored)


def approves(said: Said, time: datetime) -> bool:
    """Whether a person approved in a role then held, and not too long ago."""
    person, says = said.person or {}, said.says
    holds = person["kind"] == "person" and says["role"] in person["roles"]
    return holds and says["decision"] == "approve" and time < datetime.fromisoformat(says["not_after"])


def is_proposed(said: Iterable[Said], release: str) -> bool:
    return any(s.kind == "release/v1" and s.about == release for s in said)


# ── the bundle ───────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Asked:
    """What the auditor says; everything else comes from the bundle. Empty: not said."""

    trust: str
    release: str = ""
    environment: str = ""
    policy: str = ""
    head: str = ""
    files: Path | None = None
    decision_only: bool = False


@dataclass
class Report:
    """What was checked, in order, and how it ended. The step that failed is the last row."""

    rows: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    step: str = "bundle"
    passed: bool = False
    sentence: str = ""

    def good(self, step: str, detail: str, word: str = "good") -> None:
        self.rows.append((word, step, detail))

    def bad(self, why: str) -> None:
        self.rows.append(("BAD", self.step, why))
        self.sentence = f"REFUSED  {self.step}: {why}"


def verify(folder: Path, asked: Asked, *, now: datetime) -> Report:
    """Check a bundle. `now` matters only for a release that was not let in yet."""
    report = Report()
    try:
        _Check(folder, asked, now, report).run()
    except Refused as error:
        report.bad(str(error))
    except Exception as error:  # whatever it is: what cannot be checked fails
        report.bad(f"it cannot be read ({type(error).__name__}: {error})")
    return report


class _Check:
    """The steps, in the order of belief."""

    def __init__(self, folder: Path, asked: Asked, now: datetime, report: Report) -> None:
        self.folder, self.asked, self.now, self.report = folder, asked, now, report

    def run(self) -> None:
        self._step("log", self._read_log)
        self._step("trust root", self._trust_root)
        self._step("question", self._question)
        self._step("bundle", self._whole)
        self._step("moment", self._moment)
        self._step("policy", self._policy)
        self._step("gates", self._gates)
        self._step("page", self._page)
        self._step("approvals", self._approvals)
        self._step("rejects", self._rejects)
        self._step("release", self._release)
        self._step("summary", self._summary)
        self.report.passed, self.report.sentence = True, "PASSED  " + self._sentence()

    def _step(self, name: str, check: Any) -> None:
        self.report.step = name
        detail = check()
        if detail:
            self.report.good(name, detail)

    def _read(self, path: str) -> bytes:
        file = self.folder / path
        if file.is_symlink() or not file.is_file():
            raise Refused(f"{path} is not in the bundle")
        return file.read_bytes()

    def _need(self, path: str, digest: str) -> bytes:
        data = self._read(path)
        if sha256(data) != digest:
            raise Refused(f"{path} is {sha256(data)}, and not {digest}, which was signed")
        return data

    def _read_log(self) -> str:
        self.log = log = Log(self._read("ledger.jsonl"))
        aside = [s for s in log.said if s.person is None]
        for s in aside:
            self.report.good(f"entry {s.seq}", f"counts for nothing: {s.why}", "note")
        if self.asked.head and self.asked.head not in {ZEROS, *(s.digest for s in log.said)}:
            raise Refused(f"it does not contain {self.asked.head}: it was cut or rewritten behind that")
        known = f", and grew out of {short(self.asked.head)}" if self.asked.head else ""
        return (
            f"{len(log.said)} entries, each follows the one before; {len(log.said) - len(aside)} signatures hold{known}"
        )

    def _trust_root(self) -> str:
        if self.log.root != self.asked.trust:
            raise Refused(f"this log was founded by {self.log.root or 'nobody'}, and not by {self.asked.trust}")
        return f"{self.log.root}, the first of {len(self.log.registers)} registers of people"

    def _question(self) -> str:
        claims = json.loads(self._read("bundle.json"))
        self.release, self.environment = claims["release"], claims["environment"]
        for name in ("release", "environment"):
            if getattr(self.asked, name) not in ("", claims[name]):
                raise Refused(f"the bundle is about {name} {claims[name]}, and not {getattr(self.asked, name)}")
        self.trusted = [s for s in self.log.said if s.person]
        for s in (s for s in self.trusted if not s.is_known):
            self.report.good(f"entry {s.seq}", f"a statement of the unknown kind {s.kind}", "note")
            if self.release.rpartition(":")[2].encode() in s.envelope.payload:
                raise Refused(f"entry {s.seq} says about this release what this verifier cannot read; take a newer one")
        return f"may release {short(self.release)} be in {self.environment}?"

    def _whole(self) -> str:
        """Every file is listed, and what only repeats the log for people repeats it to the byte."""
        found = sorted(p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*") if not p.is_dir())
        sums = sums_of(self.folder, [path for path in found if path != "SHA256SUMS"])
        if self._read("SHA256SUMS") != sums:
            raise Refused("SHA256SUMS does not list exactly the files that are here: sha256sum -c SHA256SUMS")
        copies = copies_in(self.log)
        for path in found:
            top, _, rest = path.partition("/")
            if top in ("people", "keys", "statements") and self._read(path) != copies.get(path):
                raise Refused(f"{path} is not what the log says")
            if not (rest or path in TOP) or (rest and top not in FOLDERS):
                raise Refused(f"{path} does not belong here")
        return f"{len(found)} files, all listed; nobody vouches for {', '.join(UNVOUCHED)}"

    def _moment(self) -> str:
        """When it was let in: the delivery behind what was served last. Never served: the question is of now."""
        self.wish = self.healthy = None
        self.rules = rules_for(self.environment, json.loads(self._read("policy.json")))
        served, ignored = served_in(self.environment, self.trusted, asks=bool(self.rules.roles))
        served = [wish for wish in served if wish.about == self.release]
        if not served:
            return f"it was never served in {self.environment}; asked is about {self.now:%F %T} UTC"
        wish = self.log.at(served[-1].digest)
        while wish and wish.says["because"] != "delivered":  # a rollback rests on the delivery that it cites
            wish = self.log.at(wish.says["authorised_by"][0])
        answers = (s for s in self.trusted if s.kind == "healthy/v1" and s.about == self.release)
        self.healthy = next((s for s in answers if wish and s.says["wanted"] == wish.digest), None)
        if wish is None or self.healthy is None:
            raise Refused("what is served rests on no delivery of this release to this environment")
        if wish.digest in ignored:
            raise Refused("it was served without an approval, or after it was rolled back and nobody approved it since")
        self.wish = wish
        return f"wanted at {wish.time:%F %T}, served from {self.healthy.time:%F %T} UTC on"

    def _policy(self) -> str:
        """The rules of that moment: those that the cited approvals bind. Where nobody signs, the auditor must name them."""
        data = self._read("policy.json")
        digest, upto = sha256(data), self.wish.seq if self.wish else len(self.log.said)
        said, register, people = self.log.before(upto)
        cited = [
            s for s in said if self.wish and s.kind == "approval/v1" and s.digest in self.wish.says["authorised_by"]
        ]
        bound = {s.says["policy"] for s in cited}
        if bound - {digest} or self.asked.policy not in ("", digest):
            raise Refused(f"policy.json is {digest}, and not {self.asked.policy or min(bound - {digest})}")
        rules = self.rules
        pages = [
            s
            for s in said
            if s.kind == "page/v1" and s.about == self.release and s.says["environment"] == self.environment
        ]
        page = (
            cited[0].says["page"]
            if cited
            else pages[-1].says["page"]
            if pages and rules.roles and not self.wish
            else ""
        )
        self.shown = next((s for s in reversed(pages) if page in ("", s.says["page"])), None)
        self.case = Case(
            said,
            register,
            people,
            self.release,
            self.environment,
            digest,
            page,
            rules,
            self.wish.time if self.wish else self.now,
        )
        if not (rules.roles or self.asked.policy):
            raise Refused(
                f"it asks nobody to sign, so nobody vouches for it; if it is the right one: --policy {digest}"
            )
        roles = ", ".join(f"{need} {role}" for role, (need, _) in rules.roles.items()) or "nobody"
        return f"{digest}: {len(rules.gates)} gates, then {roles}"

    def _gates(self) -> str:
        case = self.case
        if not is_proposed(case.said, self.release):
            raise Refused("nobody registered this release")
        found = case.results
        for gate in case.rules.gates:
            if gate not in found:
                raise Refused(f"{gate} was not run on this release under this policy")
            verdict = found[gate].says["verdict"]
            allowed = verdict["outcome"] in ("pass", "not_applicable") or (
                verdict["outcome"] == "uncertain" and (case.rules.roles or not case.rules.protected)
            )
            if not allowed:
                raise Refused(f"{gate} says {verdict['outcome']}: {verdict['reason']}")
            self._need(f"evidence/{quote(gate, safe='')}.json", found[gate].says.get("evidence_sha256", "no sha256"))
            self.report.good(f"gate {gate}", f"{verdict['reason']}", verdict["outcome"])
        later = self.log.before(self.healthy.seq)[0] if self.healthy else ()
        failed = [
            g
            for g, s in newest_results(later, self.release, case.policy).items()
            if s.says["verdict"]["outcome"] == "fail"
        ]
        if failed:
            raise Refused(f"{', '.join(failed)} failed before it was served")
        return f"{len(case.rules.gates)} results, the newest of each; every evidence file is the one that was judged"

    def _page(self) -> str:
        """The page that people signed under, and the card beside it, as a deliverer signed them."""
        if self.shown is None:
            if self.case.rules.roles:
                raise Refused("nobody signed which page was shown")
            return ""
        self._need("page.html", self.shown.says["page"])
        self._need("card.md", self.shown.says["card"])
        return f"{self.shown.says['page']}, and the card, as {(self.shown.person or {})['name']} signed them"

    def _approvals(self) -> str:
        case, seats = self.case, self.case.seats()
        missing = [
            f"{need - len(seats[role])} more {role}"
            for role, (need, _) in case.rules.roles.items()
            if len(seats[role]) < need
        ]
        others = [s for s in decisions(case.said, self.release, self.environment) if s.says["decision"] != "reject"]
        why = [f"{(s.person or {})['name']}'s does not count: {w}" for s in others if (w := case.objection(s))]
        if missing:
            raise Refused("; ".join([", ".join(missing), *why]))
        self.counted = [s for found in seats.values() for s in found]
        if self.healthy:
            _, register, _ = self.log.before(self.healthy.seq)
            keys = keys_of(register)
            for s in self.counted:
                person, _ = keys.get(s.envelope.keyid, ({"roles": ()}, ""))
                if s.says["role"] not in person["roles"] or self.healthy.time >= datetime.fromisoformat(
                    s.says["not_after"]
                ):
                    raise Refused(f"{(s.person or {})['name']}'s counted no more when it was served")
        for s in self.counted:
            self.report.good(
                f"approval {s.says['role']}", f"{(s.person or {})['name']}, {s.time:%F %T} UTC: {s.says['reason']}"
            )
        self.own_work = sorted({(s.person or {})["name"] for s in self.counted} & case.own)
        flagged = f"; own work of {', '.join(self.own_work)}, which is no four eyes" if self.own_work else ""
        return f"{len(self.counted)} people, each bound to this release, evidence, policy, people and page{flagged}"

    def _rejects(self) -> str:
        points = {len(self.log.said), *(s.seq for s in (self.wish, self.healthy) if s)}
        names = {n for p in points for n in standing_rejects(self.log.before(p)[0], self.release, self.environment)}
        if names:
            raise Refused(f"{', '.join(sorted(names))} rejected it")
        return f"none stands, up to the end of the log ({self.log.said[-1].time:%F %T} UTC)"

    def _release(self) -> str:
        """Every byte of the release, from the bytes themselves."""
        folder = self.asked.files or self.folder / "release"
        manifest = folder / "manifest.json"
        data = (manifest if manifest.is_file() else self.folder / "release" / "manifest.json").read_bytes()
        if sha256(data) != self.release:
            raise Refused(f"manifest.json is {sha256(data)}, and not the release")
        listed = {entry["path"]: entry["sha256"] for entry in json.loads(data)["files"]}
        present = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()} - {
            "manifest.json",
            "SHA256SUMS",
        }
        if self.asked.decision_only and not present & set(listed):
            return "only the list of its files was checked, as you asked: no byte of them"
        if strangers := sorted(present ^ set(listed)):
            what = "is missing" if strangers[0] in listed else "is not listed"
            raise Refused(f"{strangers[0]} {what}; where are its files? --files FOLDER, or --decision-only")
        for path, digest in listed.items():
            pure = PurePosixPath(path)
            if (
                pure.is_absolute()
                or ".." in pure.parts
                or (folder / path).is_symlink()
                or sha256_file(folder / path) != digest
            ):
                raise Refused(f"{path} is not what the release lists")
        return f"{self.release}: {len(listed)} files, each recomputed from its bytes"

    def _summary(self) -> str:
        """The steps of a consumer of SLSA's verification summary. It decides nothing here: what it sums up was checked."""
        if not (self.folder / "vsa.json").exists():
            return ""
        data = self._read("vsa.json")
        envelope = Envelope.read(json.loads(data))
        kind, about, says = envelope.statement()
        if self.healthy is None or envelope.encoded() != data:
            raise Refused("vsa.json sums up a deployment that the log does not have")
        _, register, _ = self.log.before(self.healthy.seq)
        person, key = keys_of(register).get(envelope.keyid, ({"name": "", "roles": ()}, ""))
        signed = {s.digest: sha256(s.envelope.encoded()) for s in self.log.said}
        inputs = {(e["uri"].rpartition("/")[2], e["digest"]["sha256"]) for e in says["inputAttestations"]}
        known = {(d.rpartition(":")[2], e.rpartition(":")[2]) for d, e in signed.items()}
        checks = (
            ("signature", bool(key) and "operator" in person["roles"] and envelope.holds(key)),
            ("subject", about == self.release),
            ("predicateType", kind == SUMMARY_TYPE),
            ("verifier", says["verifier"]["id"] == verifier_uri(self.log.root, person["name"])),
            ("resourceUri", says["resourceUri"] == resource_uri(self.log.root, self.environment)),
            ("policy", says["policy"]["digest"] == {"sha256": self.case.policy.rpartition(":")[2]}),
            ("verificationResult", says["verificationResult"] == "PASSED"),
            ("verifiedLevels", says["verifiedLevels"] == [level(self.counted, self.own_work)]),
            ("inputAttestations", inputs <= known and {s.digest.rpartition(":")[2] for s in self.counted} <= {e for e, _ in inputs}),
        )  # fmt: skip
        if wrong := [name for name, holds in checks if not holds]:
            raise Refused(f"vsa.json: {', '.join(wrong)}")
        return f"SLSA VSA v1, signed by {person['name']}: {says['verifiedLevels'][0]}"

    def _sentence(self) -> str:
        who = ", ".join(f"{(s.person or {})['name']} ({s.says['role']})" for s in self.counted) or "nobody"
        when = (
            f"was let into {self.environment} at {self.wish.time:%F %T} UTC"
            if self.wish
            else f"may enter {self.environment} now"
        )
        gates, files = len(self.case.rules.gates), " Its files were not looked at." if self.asked.decision_only else ""
        return (
            f"Release {short(self.release)} {when}: {gates} gates passed or were accepted by name, signed by {who}, "
            f"under policy {short(self.case.policy)} and the people of {short(self.log.root)}; no reject stands.{files}"
        )


TOP = {*UNVOUCHED, "ledger.jsonl", "policy.json", "page.html", "card.md", "vsa.json"}
FOLDERS = {"people", "keys", "statements", "evidence", "release"}


def sums_of(folder: Path, paths: Iterable[str]) -> bytes:
    """What `sha256sum -c SHA256SUMS` reads."""
    return "".join(f"{sha256_file(folder / p).rpartition(':')[2]}  {p}\n" for p in sorted(paths)).encode()


def sha256_file(path: Path) -> str:
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def copies_in(log: Log) -> dict[str, bytes]:
    """The log once more in small files, for people who check by hand: registers, keys, statements."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    copies: dict[str, bytes] = {}
    for register in log.registers.values():
        copies[f"people/{register['version']:04}.json"] = canonical(register)
        for person in register["people"]:
            for line in person["keys"]:
                name = f"keys/{quote(person['name'], safe='')}-{fingerprint(line)[7:15].replace('/', '_')}"
                pem = load_key(line).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
                copies |= {name + ".pub": plain_key(line).encode() + b"\n", name + ".pem": pem}
    return copies | {f"statements/{s.seq:04}-{s.name}.json": s.envelope.encoded() for s in log.said}


def verifier_uri(root: str, name: str) -> str:
    return f"https://lockgate.dev/verifier/{root.rpartition(':')[2]}/{quote(name, safe='')}"


def resource_uri(root: str, environment: str) -> str:
    return f"https://lockgate.dev/environment/{root.rpartition(':')[2]}/{quote(environment, safe='')}"


def level(counted: Sequence[Said], own_work: Sequence[str]) -> str:
    return "LOCKGATE_GATES" if not counted else "LOCKGATE_APPROVED" if own_work else "LOCKGATE_FOUR_EYES"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Was this release let into this environment by the people who may?")
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path(__file__).resolve().parent, help="the unpacked bundle"
    )
    parser.add_argument(
        "--trust", required=True, metavar="SHA256", help="the trust root: who founded the ledger told you"
    )
    parser.add_argument("--release", default="", metavar="SHA256", help="refuse a bundle about another release")
    parser.add_argument("--env", default="", help="refuse a bundle about another environment")
    parser.add_argument("--policy", default="", metavar="SHA256", help="refuse other rules than these")
    parser.add_argument(
        "--head", default="", metavar="SHA256", help="an entry that the log must contain, known from elsewhere"
    )
    parser.add_argument(
        "--files", type=Path, metavar="FOLDER", help="where the release's files are, if not in the bundle"
    )
    parser.add_argument("--decision-only", action="store_true", help="do without the release's files")
    said = parser.parse_args(arguments)
    asked = Asked(said.trust, said.release, said.env, said.policy, said.head, said.files, said.decision_only)
    report = verify(said.folder, asked, now=datetime.now(UTC))
    for word, step, detail in report.rows:
        print(printable(f"{word:<14} {step:<24} {detail}"))
    print("\n" + printable(report.sentence))
    return 0 if report.passed else 4


def printable(text: str) -> str:
    """Text of strangers must not steer a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


if __name__ == "__main__":
    sys.exit(main())
