"""Check a Lockgate bundle offline: was this release let into this environment by the people who may decide that?

    python3 verify.py --trust sha256:…        in the folder that the bundle was unpacked into

Needs Python 3.11 and the package `cryptography`; nothing of Lockgate and no network. It stands alone on purpose: read it.
Nothing in the bundle is believed because it is there. Belief starts with the digest that you give:

    --trust → the first register of people (its sha256) → keys → signatures in ledger.jsonl → digests of everything else

What cannot be checked fails. Exit 0: let in rightly; 4: not, or not provably; 2: wrong usage.
"""

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    del sys.path[
        0
    ]  # this file's folder, which may hold a `json.py` of whoever made the bundle; hence no `__future__` either

import argparse
import base64
import hashlib
import json
import re
import textwrap
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

Json = Any
ZEROS = "sha256:" + "0" * 64
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
OURS = "https://lockgate.dev/attestation/"
SUMMARY_TYPE = "https://slsa.dev/verification_summary/v1"
NAMESPACE = b"dsse@lockgate.dev"  # of SSHSIG signatures
KEY_KINDS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com")
SKEW = timedelta(minutes=5)  # how far clocks of honest machines may lie apart
DEEPEST = 64
DIGEST = re.compile("sha256:[0-9a-f]{64}")
UNVOUCHED = ("README.txt", "SHA256SUMS", "bundle.json", "verify.py")
TOP = {*UNVOUCHED, "ledger.jsonl", "policy.json", "page.html", "card.md", "vsa.json"}
FOLDERS = {"people", "keys", "statements", "evidence", "release"}


class Refused(Exception):
    """A check that did not hold; its text is for people."""


# ── bytes, keys, signatures ──────────────────────────────────────────────────


def canonical(value: Json) -> bytes:
    """JSON with sorted keys and no spaces, in UTF-8: equal values are equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def hex_of(digest: str) -> str:
    return digest.rpartition(":")[2]


def short(digest: str) -> str:
    return hex_of(digest)[:12]


def unbase64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def plain_key(line: str) -> str:
    """An OpenSSH public key line without its comment."""
    kind, _, rest = line.strip().partition(" ")
    blob = rest.split(" ")[0]
    bare_key(kind, unbase64(blob))
    return f"{kind} {blob}"


def bare_key(kind: str, blob: bytes) -> bytes:
    """The key itself, of a blob that holds exactly one, packed as OpenSSH does: nobody has one key under two fingerprints."""
    first, *parts = strings(blob)
    on_curve, hardware = "nistp256" in kind, kind.startswith("sk-")
    if kind not in KEY_KINDS or first != kind.encode() or len(parts) != 1 + on_curve + hardware:
        raise Refused(f"a key of the kind {kind!r} cannot sign here")
    raw = parts[1] if on_curve else parts[0]
    if on_curve and (parts[0] != b"nistp256" or len(raw) != 65 or raw[0] != 4):
        raise Refused("a key on another curve than P-256, or a point that is packed in another way")
    if not on_curve and len(raw) != 32:
        raise Refused("a key that is not as long as ed25519's")
    return raw


def fingerprint(line: str) -> str:
    """As `ssh-keygen -l` prints it."""
    blob = unbase64(plain_key(line).split(" ")[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def strings(data: bytes) -> list[bytes]:
    """The strings of SSH's wire form that the data is made of."""
    found: list[bytes] = []
    while data:
        size = int.from_bytes(data[:4], "big")
        if len(data) < 4 + size:
            raise Refused("a key or signature is cut short")
        found.append(data[4 : 4 + size])
        data = data[4 + size :]
    return found


def load_key(line: str) -> tuple[Any, bytes]:
    """A public key, and the application of a hardware key (else empty)."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    kind, blob = plain_key(line).split(" ")
    raw, application = bare_key(kind, unbase64(blob)), strings(unbase64(blob))[-1] if kind.startswith("sk-") else b""
    if "nistp256" in kind:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw), application
    return ed25519.Ed25519PublicKey.from_public_bytes(raw), application


def check_raw(key: Any, signature: bytes, message: bytes) -> bool:
    """Raw ed25519, or ECDSA over sha256 in DER."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        key.verify(signature, message, *([ec.ECDSA(hashes.SHA256())] if hasattr(key, "curve") else []))
    except InvalidSignature:
        return False
    return True


def check_sshsig(blob: bytes, message: bytes, line: str) -> bool:
    """SSHSIG as `ssh-keygen -Y verify` checks it, in our namespace; a hardware key must say that somebody touched it."""
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    kind_of_key, key_blob = plain_key(line).split(" ")
    key, namespace, reserved, hashed, signature = strings(blob[10:])
    if blob[:10] != b"SSHSIG\0\0\0\1" or (key, namespace, reserved) != (unbase64(key_blob), NAMESPACE, b""):
        return False
    if hashed not in (b"sha256", b"sha512"):
        return False
    parts = (namespace, b"", hashed, hashlib.new(hashed.decode(), message).digest())
    signed = b"SSHSIG" + b"".join(len(p).to_bytes(4, "big") + p for p in parts)
    extra = b""
    if kind_of_key.startswith("sk-"):
        signature, extra = signature[:-5], signature[-5:]  # flags, counter
    kind, raw = strings(signature)
    public, application = load_key(line)
    if extra:
        signed = hashlib.sha256(application).digest() + extra + hashlib.sha256(signed).digest()
    if kind != kind_of_key.encode() or (extra and not extra[0] & 1):
        return False
    if hasattr(public, "curve"):
        r, s = (int.from_bytes(part, "big") for part in strings(raw))
        raw = encode_dss_signature(r, s)
    return check_raw(public, raw, signed)


@dataclass(frozen=True)
class Envelope:
    """DSSE: a payload and one signature over its pre-authentication encoding (PAE)."""

    payload: bytes
    payload_type: str
    keyid: str
    signature: bytes
    scheme: str = ""

    @classmethod
    def read(cls, data: Json) -> "Envelope":
        (one,) = data["signatures"]
        texts = (data["payloadType"], one["keyid"], one.get("scheme", ""))
        if not all(isinstance(text, str) for text in texts):
            raise Refused("an envelope's keyid, payloadType and scheme are text")
        return cls(unbase64(data["payload"]), texts[0], texts[1], unbase64(one["sig"]), texts[2])

    def encoded(self) -> bytes:
        payload, sig = (base64.b64encode(raw).decode() for raw in (self.payload, self.signature))
        one = {"keyid": self.keyid, "sig": sig} | ({"scheme": self.scheme} if self.scheme else {})
        return canonical({"payload": payload, "payloadType": self.payload_type, "signatures": [one]})

    def holds(self, line: str) -> bool:
        """Whether this OpenSSH public key made the signature."""
        kind = self.payload_type.encode()
        pae = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(self.payload), self.payload)
        try:
            if self.scheme == "sshsig":
                return check_sshsig(self.signature, pae, line)
            return not self.scheme and not line.startswith("sk-") and check_raw(load_key(line)[0], self.signature, pae)
        except (ValueError, Refused):
            return False

    def statement(self) -> tuple[str, str, dict[str, Json]]:
        """Predicate type, subject's digest, predicate. The payload is in-toto Statement v1 about one subject."""
        data = json.loads(self.payload)
        (subject,) = data["subject"]
        ((algorithm, value),) = subject["digest"].items()
        kind, predicate = data["predicateType"], data["predicate"]
        ours = self.payload_type == PAYLOAD_TYPE and data["_type"] == STATEMENT_TYPE and isinstance(predicate, dict)
        if not ours or not all(isinstance(text, str) for text in (subject["name"], kind, algorithm, value)):
            raise Refused("not an in-toto Statement v1 about one subject")
        if is_deeper(data, DEEPEST):
            raise Refused("nested too deeply")
        canonical(data)  # raises for what has no canonical form
        return kind, f"{algorithm}:{value}", predicate


def is_deeper(value: Json, levels: int) -> bool:
    """Whether lists and objects lie in each other more often than so."""
    found = [value]
    for _ in range(levels):
        found = [i for v in found if isinstance(v, dict | list) for i in (v.values() if isinstance(v, dict) else v)]
    return any(isinstance(v, dict | list) for v in found)


# ── what a statement may say ─────────────────────────────────────────────────


def texts(names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), "text")


# Field → kind; a name with `?` may be missing. Whatever else a statement holds is kept, and part of its digest.
SHAPES: Mapping[str, Mapping[str, str]] = {
    "release/v1": texts("name started_by lineage") | {"authors": "texts"},
    "gate-result/v1": {"verdict": "verdict", "policy": "text", "inputs?": "map"},
    "approval/v1": texts("decision role reason environment evidence policy people page")
    | {"accepted": "texts", "not_after": "time", "conditions?": "conditions", "answers?": "map"},
    "attested-approval/v1": texts("decision role reason environment evidence policy people page account")
    | {"accepted": "texts", "not_after": "time", "forge": "map", "conditions?": "conditions", "answers?": "map"},
    "waiver/v1": texts("gate environment result role reason control owner page") | {"not_after": "time"},
    "revocation/v1": texts("environment entry role reason"),
    "condition-met/v1": texts("environment entry condition role how"),
    "break-glass/v1": texts("environment role reason policy people") | {"results": "map", "not_after": "time"},
    "review/v1": texts("environment entry role finding"),
    "wanted/v1": texts("environment because reason?") | {"authorised_by?": "texts"},
    "healthy/v1": texts("environment wanted"),
    "refused/v1": texts("environment wanted reason"),
    "look/v1": texts("reason release?"),
    "page/v1": texts("environment shows page card") | {"questions?": "texts", "policy_editors?": "texts"},
    "accepted-change/v1": texts("before artifact step reason decision?") | {"changed": "texts"},
    "people/v1": {"people": "register"},
}
NESTED: Mapping[str, Mapping[str, str]] = {
    "head": {"size": "number", "digest": "text"},
    "verdict": texts("gate kind outcome reason settles? evidence?") | {"threshold?": "object"},
    "condition": {"text": "text", "due?": "maybe time"},
    "register": {"version": "number", "people": "persons", "quorum?": "number", "previous?": "text"},
    "person": texts("name kind?") | dict.fromkeys(("roles?", "keys?", "aliases?"), "texts"),
}
MISSING: Mapping[str, Json] = {
    "text": "",
    "texts": [],
    "map": {},
    "object": {},
    "number": 1,
    "conditions": [],
    "maybe time": None,
}
ROLES = {"healthy/v1": "operator", "refused/v1": "operator", "attested-approval/v1": "attester"} | dict.fromkeys(
    ("release/v1", "gate-result/v1", "look/v1", "page/v1", "accepted-change/v1", "wanted/v1"), "deliverer"
)  # who may say it at all; what people decide is judged by the policy


def shaped(record: Json, shape: Mapping[str, str]) -> dict[str, Json]:
    """The record with what is missing filled in. Refuses a field that is missing or of another kind."""
    if not isinstance(record, dict):
        raise Refused("not a record")
    filled = dict(record)
    for key, kind in shape.items():
        name = key.rstrip("?")
        if name != key and name not in filled:
            filled[name] = "person" if (name, shape) == ("kind", NESTED["person"]) else MISSING[kind]
        filled[name] = of_kind(filled.get(name), kind, name)
    return filled


def of_kind(value: Json, kind: str, name: str) -> Json:
    if kind in NESTED:
        return shaped(value, NESTED[kind])
    if kind in ("persons", "conditions") and isinstance(value, list):
        return [shaped(v, NESTED[kind[:-1]]) for v in value]
    match kind:
        case "text" | "object" | "number":
            good = type(value) is {"text": str, "object": dict, "number": int}[kind]
        case "map":
            good = isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
        case "texts":
            good = isinstance(value, list) and all(isinstance(v, str) for v in value)
        case _:
            good = (kind == "maybe time" and value is None) or datetime.fromisoformat(value).utcoffset() == timedelta(0)
    if not good:
        raise Refused(f"{name} is not of the kind {kind!r}")
    return value


def check_register(register: Mapping[str, Json]) -> None:
    """Names, aliases and keys belong to one each; a machine is no trustee; the quorum can be reached."""
    people = register["people"]
    names = [n for p in people for n in {plain_name(n) for n in (p["name"], *p["aliases"])}]
    lines = [plain_key(k).split(" ") for p in people for k in p["keys"]]
    keys = [bare_key(kind, unbase64(blob)).hex() for kind, blob in lines]
    if any(count > 1 for found in (names, keys) for count in Counter(found).values()):
        raise Refused("a name or a key belongs to two")
    if any(p["kind"] == "machine" and "trustee" in p["roles"] for p in people):
        raise Refused("a machine is a trustee")
    if not 1 <= register["quorum"] <= len(trustees(register)):
        raise Refused("too few trustees for the quorum")


def trustees(register: Mapping[str, Json]) -> list[str]:
    return [p["name"] for p in register["people"] if "trustee" in p["roles"] and p["kind"] == "person"]


def plain_name(name: str) -> str:
    """Case, spacing, the two ways to write an accent, and signs nobody sees make no other name."""
    seen = "".join(c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) != "Cf")
    return " ".join(unicodedata.normalize("NFKC", seen.casefold()).split())


def keys_of(register: Mapping[str, Json]) -> dict[str, tuple[dict[str, Json], str]]:
    """Fingerprint → whose key it is, and the key."""
    return {fingerprint(key): (person, key) for person in register["people"] for key in person["keys"]}


# ── the log: who said what ───────────────────────────────────────────────────


@dataclass
class Said:
    """One entry. `person` is who said it, with the roles held then; None: it counts for nothing, and `why`."""

    seq: int
    digest: str
    time: datetime
    envelope: Envelope
    people: str  # digest of the register in force before this entry
    kind: str = ""
    about: str = ""
    says: dict[str, Json] = field(default_factory=dict[str, Json])
    person: dict[str, Json] | None = None
    why: str = ""
    attester: dict[str, Json] | None = None  # the machine that signed for the person what a forge told

    @property
    def who(self) -> str:
        return self.person["name"] if self.person else ""

    @property
    def signer(self) -> str:
        """Whose key signed."""
        return self.attester["name"] if self.attester else self.who

    @property
    def is_persons(self) -> bool:
        """A person, not a machine, said it in a role held then."""
        return bool(self.person) and self.person["kind"] == "person" and self.says.get("role") in self.person["roles"]

    @property
    def until(self) -> datetime:
        return datetime.fromisoformat(self.says["not_after"])

    @property
    def result(self) -> str:
        """Digest of a gate result without its log position: measuring the same again gives the same."""
        return sha256(
            canonical({**{n: v for n, v in self.says.items() if n not in ("log", "change")}, "release": self.about})
        )


class Log:
    """Every entry of ledger.jsonl, chained, and attributed by the register of people in force at that point."""

    def __init__(self, data: bytes) -> None:
        self.said: list[Said] = []
        self.registers: dict[str, dict[str, Json]] = {}
        self.root = self.now = ""  # digests of the first register and of the present one
        self._keys: dict[str, tuple[dict[str, Json], str]] = {}
        self._seconds: dict[str, set[str]] = {}
        self._copies: set[tuple[str, bytes]] = set()
        self._words: dict[str, int] = {}  # person → their newest entry
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._take(self._chained(line))
        if rest or not lines:
            raise Refused("the log does not end with a whole line")

    def _chained(self, line: bytes) -> Said:
        """Check that a line is what its digest says, and follows the line before."""
        seq, prev = len(self.said), self.said[-1].digest if self.said else ZEROS
        found = re.match(rb'\{"digest":"(sha256:[0-9a-f]{64})",', line)
        if not found or sha256(b"{" + line[found.end() :]) != found[1].decode():
            raise Refused(f"log entry {seq} was changed")
        data = json.loads(line)
        if (data["seq"], data["prev"]) != (seq, prev):
            raise Refused(f"log entry {seq} does not follow the one before it")
        if not data["time"].endswith("+00:00"):
            raise Refused(f"log entry {seq} has a time that is not UTC")
        time = datetime.fromisoformat(data["time"])
        return Said(seq, found[1].decode(), time, Envelope.read(data["envelope"]), self.now)

    def _take(self, said: Said) -> None:
        """Attribute an entry. Whoever can append can write rubbish: it counts for nothing, and stops nobody."""
        self.said.append(said)
        try:
            kind, said.about, said.says = said.envelope.statement()
            known = kind.startswith(OURS) and kind.removeprefix(OURS) in SHAPES
            said.kind = kind.removeprefix(OURS) if known else f"unknown {kind}"
            if known:
                said.says = shaped(said.says, {**SHAPES[said.kind], "log": "head"})
            if said.kind == "people/v1":
                self._take_people(said)
            else:
                said.person = self._signer(said, self._keys)
            if said.kind == "attested-approval/v1":
                said.attester, said.person = said.person, self._owner_of(said.says["account"])
                said.kind = "approval/v1"
        except Exception as error:
            said.why, said.person, said.attester = str(error) or type(error).__name__, None, None
        self._no_copy(said)
        self._not_held_back(said)

    def _signer(self, said: Said, keys: Mapping[str, tuple[dict[str, Json], str]]) -> dict[str, Json]:
        """Who said it: the key was registered, its log is an ancestor, the role was held, the signature holds."""
        person, key = keys.get(said.envelope.keyid, ({}, ""))
        if not key:
            raise Refused(f"key {said.envelope.keyid} was not registered at that point")
        if said.kind in SHAPES and not self._grew_from(said.says["log"], said.seq):
            raise Refused("its signer saw another log than this one")
        back = said.kind == "wanted/v1" and said.says["because"] == "rolled-back"
        role = "operator" if back else ROLES.get(said.kind)
        if role and role not in person["roles"]:
            raise Refused(f"{person['name']} did not hold the role {role!r}")
        if said.kind == "accepted-change/v1" and person["kind"] != "person":
            raise Refused(f"{person['name']} is a machine")
        if said.kind == "attested-approval/v1" and (person["kind"], said.says["decision"]) != ("machine", "approve"):
            raise Refused("only a machine attests, and only an approval")
        if not said.envelope.holds(key):
            raise Refused("the signature does not hold")
        return person

    def _owner_of(self, account: str) -> dict[str, Json]:
        """The person whose account at a forge this is, letter by letter."""
        for person in self.registers.get(self.now, {"people": []})["people"]:
            if person["kind"] == "person" and account in person["aliases"]:
                return person
        raise Refused(f"no person in the register is known as {account}")

    def _no_copy(self, said: Said) -> None:
        copy = (said.envelope.keyid, said.envelope.payload)
        if said.person and copy in self._copies:
            said.why, said.person = "a copy of an earlier entry", None
        elif said.person:
            self._copies.add(copy)

    def _not_held_back(self, said: Said) -> None:
        """Whoever keeps a signed word back could bring it after its signer said the contrary. Rejects and revocations count."""
        judged = bool(said.person) and said.kind in SHAPES and said.kind not in ("people/v1", "revocation/v1")
        if (
            judged
            and said.says.get("decision", "approve") in ("approve", "accept", "withdraw")
            and self._words.get(said.signer, -1) >= said.says["log"]["size"]
        ):
            said.why, said.person = (
                "its signer has said something since, which it does not know: it was held back",
                None,
            )
        elif said.person:
            self._words[said.signer] = said.seq

    def _grew_from(self, head: Mapping[str, Json], seq: int) -> bool:
        if head["size"] == 0:
            return head["digest"] == ZEROS
        return 0 < head["size"] <= seq and self.said[head["size"] - 1].digest == head["digest"]

    def _take_people(self, said: Said) -> None:
        """The first register speaks for itself; a later one needs the quorum of trustees of the one before."""
        after, before = said.says["people"], self.registers.get(self.now)
        digest = sha256(canonical(after))
        check_register(after)
        if digest != said.about:
            raise Refused("the register is not the one that its statement names")
        person = self._signer(said, self._keys if self.root else keys_of(after))
        if person["name"] not in trustees(before or after):
            raise Refused(f"{person['name']} is no trustee")
        if (after["version"], after["previous"]) != ((before["version"] if before else 0) + 1, self.now):
            raise Refused("it does not follow the register in force")
        said.person = person
        self._seconds.setdefault(digest, set()).add(person["name"])
        if len(self._seconds[digest]) >= (before["quorum"] if before else 1):
            self.root, self.now, self._seconds = self.root or digest, digest, {}
            self.registers[digest], self._keys = after, keys_of(after)

    def before(self, seq: int) -> "View":
        """What counted before an entry, with the register in force then."""
        digest = self.said[seq].people if seq < len(self.said) else self.now
        return View([s for s in self.said[:seq] if s.person], self.registers.get(digest, {"people": []}), digest)

    def at(self, digest: str) -> Said | None:
        return next((s for s in self.said if s.digest == digest and s.person), None)


@dataclass(frozen=True)
class View:
    """The log as it was at one point: what counted, who the people were, the digest of their register."""

    said: list[Said]
    register: Mapping[str, Json]
    people: str

    def of(self, kind: str, release: str, environment: str | None = None) -> Iterator[Said]:
        """Statements of a kind about a release and, if one is given, an environment."""
        for s in self.said:
            if (s.kind, s.about) == (kind, release) and environment in (None, s.says.get("environment")):
                yield s

    def still_holds(self, said: Said) -> bool:
        """Whether who signed an entry has that key and that role by the register of this point."""
        person, _ = keys_of(self.register).get(said.envelope.keyid, ({"name": None, "roles": ()}, ""))
        if said.attester:
            same = [p for p in self.register["people"] if p["name"] == said.who and p["kind"] == "person"]
            held = any(said.says["account"] in p["aliases"] and said.says["role"] in p["roles"] for p in same)
            return held and person["name"] == said.signer and "attester" in person["roles"]
        return person["name"] == said.who and said.says["role"] in person["roles"]

    def agreed_time(self, now: datetime) -> datetime:
        """The newest time that two signers agree has come."""
        newest: dict[str, datetime] = {}
        for s in self.said:
            newest[s.signer] = max(s.time, newest.get(s.signer, s.time))
        times = sorted(newest.values(), reverse=True)
        return times[1] if len(times) > 1 else next(iter(times), now)

    def known_as(self, names: Collection[str]) -> set[str]:
        """The names, and those under which the register knows the same people."""
        return {*names} | {p["name"] for p in self.register["people"] if any(is_called(p, n) for n in names)}


def is_called(person: Mapping[str, Json], name: str) -> bool:
    """By name or alias; git's `Name <e-mail>` is two names."""
    known = {plain_name(n) for n in (person["name"], *person["aliases"])}
    full, _, mail = name.partition("<")
    return not known.isdisjoint({plain_name(part) for part in (name, full, mail.rstrip("> "))} - {""})


# ── the rules ────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Rules:
    """What policy.json asks before an environment."""

    environment: str
    onward: tuple[str, ...]  # the environment, and all that come after it
    gates: tuple[str, ...]
    roles: Mapping[str, int]  # role → how many people
    valid_for: Mapping[str, timedelta]  # role → how long a signature counts
    policy: Mapping[str, Json]

    @property
    def refuses_own_work(self) -> bool:
        return self.policy["self_approval"] == "refused"

    @property
    def grade(self) -> str:
        """`signed`: only people's own signatures count here; `attested`: also a forge's word."""
        return self.policy["environments"].get(self.environment, {}).get("grade", self.policy.get("grade", "signed"))

    @property
    def remeasured(self) -> int:
        """How many validators must have measured every gate again."""
        return self.policy["environments"].get(self.environment, {}).get("remeasured", 0)

    @property
    def is_protected(self) -> bool:
        return self.policy["environments"].get(self.environment, {}).get("protected", True)

    @property
    def excluded(self) -> Sequence[str]:
        return self.policy.get("exclude", ("policy_editor", "waiver_author"))

    def exception(self, table: str, key: str, default: Json) -> Json:
        """What the tables on waivers, break_glass and revocation say; what they do not say is not allowed."""
        exceptions = self.policy.get("exceptions", {})
        return exceptions.get(key, default) if not table else exceptions.get(table, {}).get(key, default)

    @property
    def revokers(self) -> Sequence[str]:
        return self.exception("", "revokers", ("trustee",))


def rules_for(environment: str, declared: Json) -> Rules:
    """Read the declaration up to the deployment. A stage that is not understood refuses."""
    stages, policy = declared["declaration"]["stages"], declared["policy"]
    gates, roles, valid_for = list[str](), dict[str, int](), dict[str, timedelta]()
    places = [stage["deploy_to"] for stage in stages if "deploy_to" in stage]
    for stage in stages:
        if "gate" in stage:
            gates.append(stage["gate"])
        elif "approval" in stage:
            if (role := stage["approval"]) in roles:
                raise Refused(f"it asks the role {role} twice before one deployment")
            roles[role], valid_for[role] = policy["need"].get(role, 1), duration(stage["valid_for"])
        elif stage["deploy_to"] == environment:
            onward = tuple(places[places.index(environment) :])
            return Rules(environment, onward, tuple(gates), roles, valid_for, policy)
        else:
            roles, valid_for = {}, {}
    raise Refused(f"it does not deploy to {environment}")


def duration(text: str) -> timedelta:
    found = re.fullmatch(r"([1-9][0-9]{0,3})([mhdw])", text)
    if not found:
        raise Refused(f"{text!r} is no duration")
    return timedelta(**{{"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}[found[2]]: int(found[1])})


def seats(
    offers: Mapping[str, Collection[str]], need: Mapping[str, int], last: Collection[str] = ()
) -> dict[str, list[str]]:
    """Role → people, each in one role, as many chairs filled as can be; `last`: who sits only where nobody else can."""
    chairs = [(role, number) for role, count in need.items() for number in range(count)]
    seated: dict[tuple[str, int], str] = {}

    def seat(name: str, tried: set[tuple[str, int]]) -> bool:
        for chair in chairs:
            if chair[0] in offers[name] and chair not in tried:
                tried.add(chair)
                if chair not in seated or seat(seated[chair], tried):
                    seated[chair] = name
                    return True
        return False

    left = [name for name in sorted(offers, key=lambda n: n in last) if not seat(name, set())]
    found = {role: [seated[c] for c in chairs if c[0] == role and c in seated] for role in need}
    for name in (n for n in left if n not in last):
        found[min(offers[name])].append(name)
    return found


# ── what was decided ─────────────────────────────────────────────────────────


def is_proposed(said: Iterable[Said], release: str) -> bool:
    return any((s.kind, s.about) == ("release/v1", release) for s in said)


def standing_rejects(view: View, release: str, environment: str) -> list[str]:
    """People whose last word on this release here, in a role then held, is no approval."""
    decided = view.of("approval/v1", release, environment)
    last = {
        s.who: s.says["decision"]
        for s in decided
        if s.is_persons and not s.attester and s.says["role"] not in ("deliverer", "operator")
    }
    return [name for name, decision in last.items() if decision != "approve"]


def revoked(said: Iterable[Said], revokers: Collection[str]) -> set[str]:
    """Entries that count no more: by their own signer's word, or by a person's in a role that the policy lets revoke."""
    said = list(said)
    signers = {s.digest: s.who for s in said}
    words = (s for s in said if s.kind == "revocation/v1" and s.person and s.person["kind"] == "person")
    return {
        s.says["entry"]
        for s in words
        if (s.is_persons and s.says["role"] in revokers) or signers.get(s.says["entry"]) == s.who
    }


def approves(said: Said, time: datetime) -> bool:
    """Whether a person approved, or broke the glass, in a role then held and not too long ago."""
    word = said.kind == "break-glass/v1" or said.says["decision"] == "approve"
    return said.is_persons and word and time < said.until


def served_in(environment: str, said: Sequence[Said], *, asks: bool) -> tuple[list[Said], set[str]]:
    """The wishes that a server answered with "healthy", in order, and those that nobody should have followed.

    A wish is not followed while a reject stands; a rollback goes back to what was served here; what a rollback left
    comes back only by an approval given since. `asks`: a delivery must cite an approval.
    """
    wanted: Said | None = None
    ignored, withdrawn, served = dict[str, Said](), dict[str, int](), list[Said]()
    for at, s in enumerate(said):
        if s.kind not in ("wanted/v1", "healthy/v1") or s.says["environment"] != environment:
            continue
        past = View(list(said[:at]) if s.kind == "wanted/v1" else [], {}, "")
        if s.kind == "healthy/v1":
            late = ignored.get(s.says["wanted"])
            answered = late if late and (wanted is None or late.seq > wanted.seq) else wanted
            if answered and (s.says["wanted"], s.about) == (answered.digest, answered.about):
                wanted = answered
                served += [] if served and served[-1] is answered else [answered]
        elif standing_rejects(past, s.about, environment):
            continue
        elif s.says["because"] == "rolled-back":
            if s.says["authorised_by"] in [[w.digest] for w in served if w.about == s.about]:
                withdrawn |= {w.about: s.seq for w in (wanted, served[-1]) if w}
                wanted = s
                withdrawn.pop(s.about, None)
        elif s.says["because"] == "delivered" and is_proposed(past.said, s.about):
            words = [*past.of("approval/v1", s.about, environment), *past.of("break-glass/v1", s.about, environment)]
            cited = [a for a in words if a.digest in s.says["authorised_by"] and approves(a, s.time)]
            newest = max((a.says["log"]["size"] for a in cited), default=-1)  # what the last signer knew of
            if (asks and not cited) or (s.about in withdrawn and newest <= withdrawn[s.about]):
                ignored[s.digest] = s
            else:
                wanted = s
                withdrawn.pop(s.about, None)
    return served, {*ignored}


@dataclass(frozen=True)
class Case:
    """One question: may `release` enter the environment of `rules` at `time`, by what counted until then?

    `policy` and `page` are the digests that must be bound; `gone` are entries that were revoked, also later.
    """

    view: View
    release: str
    policy: str
    page: str
    rules: Rules
    time: datetime
    gone: Collection[str]
    plan: str = ""  # the delivery plan that was carried out

    @cached_property
    def results(self) -> dict[str, Said]:
        """Gate → its newest result on this release under this policy."""
        found = (s for s in self.view.of("gate-result/v1", self.release) if s.says["policy"] == self.policy)
        return {s.says["verdict"]["gate"]: s for s in found}

    def with_outcome(self, outcome: str) -> list[str]:
        return sorted(g for g, s in self.results.items() if s.says["verdict"]["outcome"] == outcome)

    @cached_property
    def evidence(self) -> str:
        """The evidence root: sha256 over the sorted digests of gate results."""
        return sha256(canonical(["evidence", sorted(s.result for s in self.results.values())]))

    def confirmed(self, gate: str) -> tuple[list[str], bool]:
        """The validators whose newest word on a gate has its outcome, and whether one of them said this very result."""
        words, counts, keys = dict[str, Said](), self.results[gate], keys_of(self.view.register)
        for s in self.view.of("gate-result/v1", self.release):
            person = s.person or {"roles": ()}
            now, _ = keys.get(s.envelope.keyid, ({"name": None, "roles": ()}, ""))
            holds = "validator" in person["roles"] and now["name"] == s.who and "validator" in now["roles"]
            same = (s.says["verdict"]["gate"], s.says["policy"]) == (gate, self.policy)
            if holds and same and s.who not in self.own:
                words[s.who] = s
        outcome = counts.says["verdict"]["outcome"]
        agree = {name: s for name, s in words.items() if s.says["verdict"]["outcome"] == outcome}
        return sorted(agree), any(s.result == counts.result for s in agree.values())

    @cached_property
    def own(self) -> set[str]:
        """Whose own work it is: authors, who started the run, and who registered the release."""
        said = [*self.view.of("release/v1", self.release)]
        return self.view.known_as({n for s in said for n in (*s.says["authors"], s.says["started_by"], s.who)})

    @property
    def refused_authors(self) -> set[str]:
        return self.own if self.rules.refuses_own_work else set()

    @property
    def here(self) -> str:
        return self.rules.environment

    @cached_property
    def pages(self) -> list[Said]:
        """Who signed that this page was shown."""
        return [s for s in self.view.said if s.kind == "page/v1" and s.says["page"] == self.page]

    @property
    def clock_is_behind(self) -> bool:
        return self.view.agreed_time(self.time) > self.time + SKEW

    def objection(self, approval: Said) -> str:
        """The first reason why an approval does not count; empty when it does."""
        says, rules, name = approval.says, self.rules, approval.who
        bound = {"policy": self.policy, "people": self.view.people, "evidence": self.evidence, "page": self.page}
        moved = next((field for field, digest in bound.items() if says[field] != digest), "")
        longest = min(approval.time, self.time) + rules.valid_for.get(says["role"], timedelta()) + SKEW
        editors = {n for s in self.pages for n in s.says["policy_editors"]}
        excluded = rules.excluded if rules.refuses_own_work else ()
        waived = self.waived(revoked(self.view.said, rules.revokers))
        wrote = [g for g, signed in waived.items() if self.wrote(signed[0]) == name]
        questions = [q for s in self.pages for q in s.says["questions"]] if rules.policy.get("answers") else []
        unmet = self.unmet(approval)
        checks = (
            (says["decision"] != "approve", f"it says {says['decision']!r}"),
            (not approval.is_persons, f"{name} is no person who held the role {says['role']}"),
            (approval.attester and rules.grade != "attested", "a forge says it, and only a signature counts here"),
            (says["role"] not in rules.roles, f"nobody is asked as {says['role']}"),
            (moved, f"it binds another {moved}"),
            (self.brought_back(approval), "what it binds was otherwise since, and was brought back"),
            (self.plan_of(approval) not in ("", self.plan), f"it is for delivery plan {self.plan_of(approval)}; carried out was {self.plan or 'none'}"),
            (self.clock_is_behind, "the clock is behind that of the log"),
            (self.time >= approval.until, f"it expired at {approval.until:%F %T} UTC"),
            (approval.until > longest, "it claims to count longer than the policy allows"),
            (says["accepted"] != self.with_outcome("uncertain"), f"uncertain are {listed(self.with_outcome('uncertain'))}, it accepts {listed(says['accepted'])}"),
            (not is_proposed(self.view.said, self.release), "nobody registered this release"),
            (name in self.refused_authors, "it is their own work"),
            (not any((s.about, s.says["environment"]) == (self.release, self.here) for s in self.pages), "nobody signed that its page was shown"),
            ("policy_editor" in excluded and name in self.view.known_as(editors), "they edited the policy it is judged by"),
            ("waiver_author" in excluded and wrote, f"they wrote the waiver of {listed(wrote)}"),
            (any(not says["answers"].get(q, "").strip() for q in questions), "it leaves questions of the page open"),
            (approval.digest in self.gone, "it was revoked"),
            (unmet, f"its condition is not met: {listed(unmet)}"),
        )  # fmt: skip
        return next((why for holds, why in checks if holds), "")

    def brought_back(self, approval: Said) -> bool:
        """Whether the release was judged by another policy, or by a gate with another result, since the approval was signed.

        What was judged for a proposed change is about a policy that was never in force.
        """
        bound = {s.result for s in self.results.values()}
        return any(s.result not in bound for s in self._judged_since(approval, policy=self.policy))

    def _judged_since(self, signed: Said, *, policy: str = "") -> list[Said]:
        """Results of the release that who signed did not know of; for a proposed change only those by `policy`, which is in force."""
        known, later = signed.says["log"]["size"], self.view.of("gate-result/v1", self.release)
        return [s for s in later if s.seq >= known and (not s.says.get("change") or s.says["policy"] == policy)]

    def never_otherwise(self, signed: Said, results: Mapping[str, str]) -> dict[str, str]:
        """Of gate → result, those whose gate said nothing else since somebody signed, by whatever policy."""
        since = ((s.says["verdict"]["gate"], s.result) for s in self._judged_since(signed))
        moved = {gate for gate, result in since if result != results.get(gate, "")}
        return {gate: result for gate, result in results.items() if gate not in moved}

    @staticmethod
    def plan_of(said: Said) -> Json:
        """The delivery plan that an approval is for, or a deployment carries out; empty: none."""
        return said.says.get("plan", "")

    def unmet(self, approval: Said) -> list[str]:
        return [c["text"] for c in approval.says.get("conditions", ()) if not self._met(approval, c)]

    def _met(self, approval: Said, condition: Mapping[str, Json]) -> bool:
        """Met by who set it, or by another person in the same role, never by an author; or not due yet."""
        for s in self.view.said:
            if s.kind == "condition-met/v1" and s.person and s.person["kind"] == "person" and s.says["how"].strip():
                may = s.who == approval.who or (s.is_persons and s.says["role"] == approval.says["role"])
                it = (s.says["entry"], s.says["condition"]) == (approval.digest, condition["text"])
                if may and it and s.who not in self.refused_authors:
                    return True
        return condition["due"] is not None and self.time < datetime.fromisoformat(condition["due"])

    @staticmethod
    def words_of(waiver: Said) -> bytes:
        """What every signer of the same waiver says alike."""
        said = {n: v for n, v in waiver.says.items() if n not in ("role", "page", "log")}
        return canonical({**said, "not_after": waiver.until.isoformat()})

    def wrote(self, waiver: Said) -> str:
        """Who said the words of a waiver first, whether or not that signature counts."""
        same = self.words_of(waiver)
        return next(s.who for s in self.view.of("waiver/v1", self.release) if self.words_of(s) == same)

    def waived(self, gone: Collection[str]) -> dict[str, list[Said]]:
        """Gate → who signed the waiver that lets its failed result pass."""
        same: dict[bytes, list[Said]] = {}
        for s in self.view.of("waiver/v1", self.release):
            same.setdefault(self.words_of(s), []).append(s)
        need = self.rules.exception("waivers", "need", {})
        found: dict[str, list[Said]] = {}
        for group in same.values():
            signed = [s for s in group if self._may_waive(s, need) and s.digest not in gone]
            gate, result = group[0].says["gate"], self.results.get(group[0].says["gate"])
            offers = {s.who: {o.says["role"] for o in signed if o.who == s.who} for s in signed}
            seated = seats(offers, need)
            if (
                need and all(len(seated[role]) >= count for role, count in need.items())
                and gate not in self.rules.exception("waivers", "never", ())
                and group[0].says["environment"] in self.rules.onward
                and result and result.result == group[0].says["result"] and gate in self.with_outcome("fail")
                and self.time < group[0].until
            ):  # fmt: skip
                found[gate] = signed
        return found

    def _may_waive(self, said: Said, need: Mapping[str, int]) -> bool:
        longest = min(said.time, self.time) + duration(self.rules.exception("waivers", "longest", "30d")) + SKEW
        may = said.is_persons and said.says["role"] in need and said.who not in self.refused_authors
        same = self.never_otherwise(said, {said.says["gate"]: said.says["result"]})
        return may and bool(same) and said.until <= longest and self.view.still_holds(said)

    def glass(self, uncertain: Collection[str]) -> Said | None:
        """The newest broken glass that lets the release in; it must name the uncertain gates."""
        lasts = duration(self.rules.exception("break_glass", "lasts", "24h"))
        roles, gone = self.rules.exception("break_glass", "roles", ()), revoked(self.view.said, self.rules.revokers)
        for s in reversed([*self.view.of("break-glass/v1", self.release, self.here)]):
            bound = (s.says["policy"], s.says["people"]) == (self.policy, self.view.people)
            bound = bound and all(r.says["policy"] == self.policy for r in self._judged_since(s))
            in_time = self.time < s.until <= min(s.time, self.time) + lasts + SKEW
            if bound and in_time and s.is_persons and s.says["role"] in roles and s.says["reason"].strip():
                present = {g: self.results[g].result for g in uncertain}
                if s.digest not in gone and present.items() <= self.never_otherwise(s, s.says["results"]).items():
                    return s if s.digest not in self.gone else None
        return None

    @cached_property
    def passed_over(self) -> dict[str, str]:
        """Gate → in words why its failed result does not stop this release here."""
        found = {g: f"waived by {listed(s.who for s in signed)}" for g, signed in self.waived(self.gone).items()}
        if glass := self.glass(()):
            never = self.rules.exception("waivers", "never", ())
            named = self.never_otherwise(glass, glass.says["results"])
            same = {g for g, r in named.items() if g in self.results and self.results[g].result == r}
            found |= dict.fromkeys(same - {*never, *found}, f"{glass.who} broke the glass: {glass.says['reason']}")
        return found

    @cached_property
    def approvals(self) -> list[Said]:
        """The approvals of the release here that count, and those of nobody more than once per role."""
        found = [s for s in self.view.of("approval/v1", self.release, self.here) if not self.objection(s)]
        roles = {s.who: {o.says["role"] for o in found if o.who == s.who} for s in found}
        seated = seats(roles, self.rules.roles, self.own)
        return [s for s in found if s.who in seated[s.says["role"]]]

    @property
    def missing(self) -> list[str]:
        """Who must still agree."""
        sitting = {(s.says["role"], s.who) for s in self.approvals}
        short_of = {role: need - sum(r == role for r, _ in sitting) for role, need in self.rules.roles.items()}
        return [f"{count} more {role}" for role, count in short_of.items() if count > 0]


def listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


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
    anchors: Path | None = None


@dataclass
class Report:
    """What was checked, in order: word, step, detail. A step that failed is the last row."""

    rows: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    passed: bool = False
    sentence: str = ""

    def add(self, word: str, step: str, detail: str) -> None:
        self.rows.append((word, step, detail))


def verify(folder: Path, asked: Asked, *, now: datetime) -> Report:
    """Check a bundle. `now` matters only for a release that was not let in yet. Never raises: what cannot be checked fails."""
    report = Report()
    check = _Check(folder, asked, now, report)
    steps: dict[str, Callable[[], str]] = {
        "log": check.log_holds, "trust root": check.root_is_pinned, "anchors": check.anchors_hold, "question": check.question,
        "bundle": check.is_whole,
        "moment": check.moment, "policy": check.policy_is_vouched_for, "gates": check.gates, "page": check.page,
        "approvals": check.approvals, "rejects": check.rejects, "release": check.release_bytes, "summary": check.summary,
    }  # fmt: skip
    for step, run in steps.items():
        try:
            detail = run()
        except Exception as error:
            why = str(error) if isinstance(error, Refused) else f"it cannot be read ({type(error).__name__}: {error})"
            report.add("BAD", step, why)
            report.sentence = f"REFUSED  {step}: {why}"
            return report
        if detail:
            report.add("good", step, detail)
    report.passed, report.sentence = True, "PASSED  " + check.sentence()
    return report


class _Check:
    """The steps, in the order of belief. Each answers what it found, or raises Refused."""

    log: Log
    release: str
    case: Case
    later: Case
    counted: list[Said]
    wish: Said | None = None  # the delivery that let it in
    healthy: Said | None = None  # the first answer that it was served
    glass: Said | None = None

    def __init__(self, folder: Path, asked: Asked, now: datetime, report: Report) -> None:
        self.folder, self.asked, self.now, self.report = folder, asked, now, report

    def _read(self, path: str, digest: str = "") -> bytes:
        """A file of the bundle; with the digest that somebody signed for it, these very bytes."""
        file = self.folder / path
        if file.is_symlink() or not file.is_file():
            raise Refused(f"{path} is not in the bundle")
        data = file.read_bytes()
        if digest and sha256(data) != digest:
            raise Refused(f"{path} is {sha256(data)}, and not {digest}, which was signed")
        return data

    def log_holds(self) -> str:
        self.log = log = Log(self._read("ledger.jsonl"))
        aside = [s for s in log.said if s.person is None]
        for s in aside:
            self.report.add("note", f"entry {s.seq}", f"counts for nothing: {s.why}")
        head = self.asked.head
        if head and head not in {s.digest for s in log.said}:
            raise Refused(f"it does not contain {head}: it was cut or rewritten since")
        known = f", and grew out of {short(head)}" if head else ""
        return (
            f"{len(log.said)} entries, each follows the one before; {len(log.said) - len(aside)} signatures hold{known}"
        )

    def root_is_pinned(self) -> str:
        if self.log.root != self.asked.trust:
            raise Refused(f"this log was founded by {self.log.root or 'nobody'}, and not by {self.asked.trust}")
        return f"{short(self.log.root)}, the first of {len(self.log.registers)} registers of people"

    def anchors_hold(self) -> str:
        """The log grew out of every head that was signed and kept outside: cut or rebuilt, it contradicts one of them."""
        if self.asked.anchors is None:
            return ""
        lines = [line for line in self.asked.anchors.read_bytes().splitlines() if line.strip()]
        newest = max((self._anchored(number, line) for number, line in enumerate(lines, 1)), default=0)
        if not newest:
            raise Refused(f"{self.asked.anchors} holds no anchor")
        return f"{len(lines)} fit, the newest after {newest} entries; {len(self.log.said) - newest} came since"

    def _anchored(self, number: int, line: bytes) -> int:
        """How many entries the log had at this anchor, a checkpoint signed with a key that was registered then."""
        envelope = Envelope.read(json.loads(line))
        kind, head, says = envelope.statement()
        size, said = says.get("size"), self.log.said
        if kind != f"{OURS}checkpoint/v1" or type(size) is not int or size < 1:
            raise Refused(f"anchor {number} is no checkpoint")
        if says["trust_root"] != self.log.root:
            raise Refused(f"anchor {number} is of a log that was founded by {says['trust_root']}")
        if size > len(said):
            raise Refused(f"anchor {number} saw {size} entries, here are {len(said)}: the log was cut")
        if said[size - 1].digest != head:
            raise Refused(f"anchor {number} saw another entry {size - 1}: the log was rewritten")
        _, key = keys_of(self.log.before(size).register).get(envelope.keyid, ({}, ""))
        if not key or not envelope.holds(key):
            raise Refused(f"anchor {number} is not signed with a key that was registered after {size} entries")
        return size

    def question(self) -> str:
        claims = json.loads(self._read("bundle.json"))
        for name in ("release", "environment"):
            if getattr(self.asked, name) not in ("", claims[name]):
                raise Refused(f"the bundle is about {name} {claims[name]}, and not {getattr(self.asked, name)}")
        self.release = claims["release"]
        self.rules = rules_for(claims["environment"], json.loads(self._read("policy.json")))
        self.end = self.log.before(len(self.log.said))
        for s in (s for s in self.end.said if s.kind not in SHAPES):
            self.report.add("note", f"entry {s.seq}", f"a statement of an {s.kind}")
            if hex_of(self.release).encode() in s.envelope.payload:
                raise Refused(f"entry {s.seq} says about this release what this verifier cannot read; take a newer one")
        return f"may release {short(self.release)} be in {self.rules.environment}?"

    def is_whole(self) -> str:
        """Every file is listed, and what only repeats the log for people repeats it to the byte."""
        every = [*self.folder.rglob("*")]
        if odd := [p for p in every if p.is_symlink() or not (p.is_file() or p.is_dir())]:
            raise Refused(f"{odd[0].relative_to(self.folder)} is neither a file nor a folder")
        found = sorted(p.relative_to(self.folder).as_posix() for p in every if not p.is_dir())
        listed_there = (f"{hex_of(sha256_file(self.folder / p))}  {p}\n" for p in found if p != "SHA256SUMS")
        if self._read("SHA256SUMS") != "".join(listed_there).encode():
            raise Refused("SHA256SUMS does not list exactly the files that are here: sha256sum -c SHA256SUMS")
        copies = copies_in(self.log)
        for path in found:
            top, _, rest = path.partition("/")
            if (rest and top not in FOLDERS) or not (rest or path in TOP):
                raise Refused(f"{path} does not belong here")
            if top in ("people", "keys", "statements") and self._read(path) != copies.get(path):
                raise Refused(f"{path} is not what the log says")
        return f"{len(found)} files, all listed; nobody vouches for {', '.join(UNVOUCHED)}"

    def moment(self) -> str:
        """When it was let in: the delivery behind what was served last. Never served: the question is of now."""
        served, ignored = served_in(self.rules.environment, self.end.said, asks=bool(self.rules.roles))
        wish = next((w for w in reversed(served) if w.about == self.release), None)
        if wish is None:
            return f"it was never served in {self.rules.environment}; asked is about {self.now:%F %T} UTC"
        while wish and wish.says["because"] != "delivered":  # a rollback rests on the delivery that it cites
            wish = self.log.at(wish.says["authorised_by"][0])
        answers = self.end.of("healthy/v1", self.release)
        self.healthy = next((s for s in answers if wish and s.says["wanted"] == wish.digest), None)
        if wish is None or self.healthy is None:
            raise Refused("what is served rests on no delivery of this release to this environment")
        if wish.digest in ignored:
            raise Refused("it was served without an approval, or after it was rolled back and nobody approved it since")
        self.wish = wish
        return f"wanted at {wish.time:%F %T}, served from {self.healthy.time:%F %T} UTC on"

    def policy_is_vouched_for(self) -> str:
        """The rules of that moment are those that people signed under. Where nobody signs, the auditor must name them."""
        digest, rules, wish = sha256(self._read("policy.json")), self.rules, self.wish
        view = self.log.before(wish.seq) if wish else self.end
        words = ("approval/v1", "break-glass/v1")
        cited = [s for s in view.said if wish and s.kind in words and s.digest in wish.says["authorised_by"]]
        known = {s.says["policy"] for s in cited[:1]} | ({self.asked.policy} if self.asked.policy else set())
        if known - {digest}:
            raise Refused(f"policy.json is {digest}, and not {min(known - {digest})}")
        if not (rules.roles or self.asked.policy):
            raise Refused(
                f"it asks nobody to sign, so nobody vouches for it; if it is the right one: --policy {digest}"
            )
        pages = [*view.of("page/v1", self.release, rules.environment)]
        page = next((s.says["page"] for s in cited if s.kind == "approval/v1"), "")
        if pages and rules.roles and not wish:
            page = pages[-1].says["page"]
        self.shown = next((s for s in reversed(pages) if page in ("", s.says["page"])), None)
        gone = revoked(self.end.said, rules.revokers)
        plan = Case.plan_of(wish) if wish else ""
        time, plan = wish.time if wish else self.now, plan if isinstance(plan, str) else ""
        self.case = Case(view, self.release, digest, page, rules, time, gone, plan)
        at = self.healthy
        self.later = replace(self.case, view=self.log.before(at.seq), time=at.time) if at else self.case
        roles = ", ".join(f"{need} {role}" for role, need in rules.roles.items()) or "nobody"
        return f"{short(digest)}: {len(rules.gates)} gates, then {roles}"

    def gates(self) -> str:
        case, rules = self.case, self.rules
        if not is_proposed(case.view.said, self.release):
            raise Refused("nobody registered this release")
        for gate in rules.gates:
            if gate not in case.results:
                raise Refused(f"{gate} was not run on this release under this policy")
            verdict, passed_over = case.results[gate].says["verdict"], self.later.passed_over.get(gate, "")
            if verdict["outcome"] == "uncertain":
                good = bool(rules.roles) or not rules.is_protected
            else:
                good = verdict["outcome"] in ("pass", "not_applicable") or bool(passed_over)
            if not good:
                raise Refused(f"{gate} says {verdict['outcome']}: {verdict['reason']}")
            digest = case.results[gate].says.get("evidence_sha256", "")
            self._read(f"evidence/{quote(gate, safe='')}.json", digest or "a file: its sha256 was not recorded")
            words = f"{verdict['reason']} {passed_over and f'[{passed_over}]'}"
            self.report.add(verdict["outcome"], f"gate {gate}", words.strip())
        if failed := [g for g in self.later.with_outcome("fail") if g not in self.later.passed_over]:
            raise Refused(f"{listed(failed)} failed before it was served")
        self._evidence_was_judged()
        again = self._measured_again()
        return f"{len(rules.gates)} results, the newest of each; every evidence file is the one that was judged{again}"

    def _measured_again(self) -> str:
        """As many validators as the policy asks for found what every gate says, before it was served."""
        need, names = self.rules.remeasured, set[str]()
        for gate in self.rules.gates if need else ():
            by, is_same = self.later.confirmed(gate) if gate in self.later.results else ([], False)
            if len(by) < need or not is_same:
                raise Refused(f"{gate} was measured again by {len(by)} of {need}, or said something else after that")
            names.update(by)
        return f"; measured again by {listed(sorted(names))}" if names else ""

    def _evidence_was_judged(self) -> None:
        """Nothing lies in evidence/ that a reader could take for what was judged."""
        judged = {f"{quote(g, safe='')}.json": s.says.get("evidence_sha256") for g, s in self.case.results.items()}
        for file in sorted(p for p in (self.folder / "evidence").rglob("*") if not p.is_dir()):
            name = file.relative_to(self.folder / "evidence").as_posix()
            if judged.get(name) != sha256_file(file):
                raise Refused(f"evidence/{name} is not what a gate judged")

    def page(self) -> str:
        """The page that people signed under, and the card beside it, as a deliverer signed them."""
        self.glass = self.case.glass(self.case.with_outcome("uncertain"))
        if self.shown is None:
            if (self.case.page or (self.rules.roles and not self.wish)) and not self.glass:
                raise Refused("nobody signed that this page was shown")
            if there := [name for name in ("page.html", "card.md") if (self.folder / name).exists()]:
                raise Refused(f"nobody signed that {there[0]} was shown")
            return ""
        self._read("page.html", self.shown.says["page"])
        self._read("card.md", self.shown.says["card"])
        return f"{short(self.shown.says['page'])}, and the card, as {self.shown.who} signed them"

    def approvals(self) -> str:
        case = self.case
        if case.missing and not self.glass:
            others = [s for s in case.view.of("approval/v1", self.release, case.here) if s.says["decision"] != "reject"]
            why = [f"{s.who}'s does not count: {w}" for s in others if (w := case.objection(s))]
            raise Refused("; ".join([", ".join(case.missing), *why]))
        self.counted = [*case.approvals, *([self.glass] if self.glass else [])]
        for s in self.counted:
            holds = self.later.view.still_holds(s) and not self.later.unmet(s) and not self.later.clock_is_behind
            if self.healthy and not (holds and self.healthy.time < s.until):
                raise Refused(f"{s.who}'s signature counted no more when it was served")
            self.report.add(
                "good",
                f"{'attested ' if s.attester else ''}{s.kind.partition('/')[0]} {s.says['role']}",
                f"{s.who}, {s.time:%F %T} UTC: {s.says['reason']}{self._attested(s)}",
            )
        self.own_work = sorted({s.who for s in case.approvals} & case.own)
        flagged = f"; own work of {listed(self.own_work)}, which is no four eyes" if self.own_work else ""
        if self.glass and case.missing:
            flagged = f"; {self.glass.who} broke the glass: {listed(case.missing)} did not agree"
        return f"{len(case.approvals)} counted, each bound to this release, evidence, policy, people and page{flagged}"

    @staticmethod
    def _attested(said: Said) -> str:
        """By whose word it counts, where the person's own key did not sign."""
        return f" [{said.says['account']} at the forge, said {said.signer}]" if said.attester else ""

    def rejects(self) -> str:
        points = (self.end, self.case.view, self.later.view)
        if names := {n for view in points for n in standing_rejects(view, self.release, self.rules.environment)}:
            raise Refused(f"{listed(sorted(names))} rejected it")
        return f"none stands, up to the end of the log ({self.log.said[-1].time:%F %T} UTC)"

    def release_bytes(self) -> str:
        """Every byte of the release, from the bytes themselves."""
        folder, own = self.asked.files or self.folder / "release", self.folder / "release"
        home = folder if (folder / "manifest.json").is_file() else self.folder / "release"
        data = (home / "manifest.json").read_bytes()
        if sha256(data) != self.release:
            raise Refused(f"manifest.json is {sha256(data)}, and not the release")
        entries = {entry["path"]: entry["sha256"] for entry in json.loads(data)["files"]}
        self._own_copy(own, entries)
        there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}
        there -= {"manifest.json", "SHA256SUMS"}
        if self.asked.decision_only and not there:
            return "only the list of its files was checked, as you asked: no byte of them"
        if strangers := sorted(there ^ entries.keys()):
            what = "is missing" if strangers[0] in entries else "is not listed"
            raise Refused(f"{strangers[0]} {what}; where are its files? --files FOLDER, or --decision-only")
        for path, digest in entries.items():
            pure, file = PurePosixPath(path), folder / path
            inside = not pure.is_absolute() and ".." not in pure.parts and file.is_file() and not file.is_symlink()
            if not inside or sha256_file(file) != digest:
                raise Refused(f"{path} is not what the release lists")
        return f"{short(self.release)}: {len(entries)} files, each recomputed from its bytes"

    def _own_copy(self, own: Path, entries: Mapping[str, str]) -> None:
        """What lies in release/ is the release's, also when the auditor takes its files from elsewhere."""
        every = {"manifest.json": self.release, **entries}
        sums = "".join(f"{hex_of(digest)}  {path}\n" for path, digest in sorted(every.items()))
        every["SHA256SUMS"] = sha256(sums.encode())
        for file in sorted(p for p in own.rglob("*") if not p.is_dir()):
            path = file.relative_to(own).as_posix()
            if path not in every:
                raise Refused(f"{path} is not listed in the release")
            if sha256_file(file) != every[path]:
                raise Refused(f"{path} is not what the release lists")

    def summary(self) -> str:
        """The steps of a consumer of SLSA's verification summary. It decides nothing here: what it sums up was checked."""
        if not (self.folder / "vsa.json").exists():
            return ""
        data = self._read("vsa.json")
        envelope = Envelope.read(json.loads(data))
        kind, about, says = envelope.statement()
        if self.healthy is None or envelope.encoded() != data:
            raise Refused("vsa.json sums up a deployment that the log does not have")
        person, key = keys_of(self.later.view.register).get(envelope.keyid, ({"name": "", "roles": ()}, ""))
        known = {(hex_of(s.digest), hex_of(sha256(s.envelope.encoded()))) for s in self.log.said}
        inputs = {(e["uri"].rpartition("/")[2], e["digest"]["sha256"]) for e in says["inputAttestations"]}
        checks = {
            "signature": bool(key) and "operator" in person["roles"] and envelope.holds(key),
            "subject": about == self.release,
            "predicateType": kind == SUMMARY_TYPE,
            "verifier": says["verifier"]["id"] == verifier_uri(self.log.root, person["name"]),
            "resourceUri": says["resourceUri"] == resource_uri(self.log.root, self.rules.environment),
            "policy": says["policy"]["digest"] == {"sha256": hex_of(self.case.policy)},
            "verificationResult": says["verificationResult"] == "PASSED",
            "verifiedLevels": says["verifiedLevels"] in ([self.level], [self.level_before]),
            "inputAttestations": inputs <= known and {hex_of(s.digest) for s in self.counted} <= {e for e, _ in inputs},
        }
        if wrong := [name for name, holds in checks.items() if not holds]:
            raise Refused(f"vsa.json: {listed(wrong)}")
        return f"SLSA VSA v1, signed by {person['name']}: {self.level}"

    @property
    def level(self) -> str:
        """What people did for it, as the summary's one level."""
        if self.glass and self.case.missing:
            return "LOCKGATE_BROKEN_GLASS"
        if self.later.with_outcome("fail"):
            return "LOCKGATE_WAIVED"
        if not self.counted:
            return "LOCKGATE_GATES"
        if self.own_work:
            return "LOCKGATE_APPROVED"
        return "LOCKGATE_ATTESTED" if any(s.attester for s in self.counted) else "LOCKGATE_FOUR_EYES"

    @property
    def level_before(self) -> str:
        """What servers signed while no level told a forge's word from a signature."""
        return "LOCKGATE_FOUR_EYES" if self.level == "LOCKGATE_ATTESTED" else self.level

    def _agreed(self) -> str:
        """Who agreed, each by what: their own signature, or what a forge says; the two are never one."""
        by = {
            grade: [f"{s.who} ({s.says['role']})" for s in self.counted if bool(s.attester) == grade]
            for grade in (False, True)
        }
        signed = [f"signed by {listed(by[False])}"] if by[False] else []
        told = (
            [f"attested and not signed, a forge says that they pressed a button: {listed(by[True])}"]
            if by[True]
            else []
        )
        return "; ".join(signed + told) or "signed by nobody"

    def sentence(self) -> str:
        place, gates = self.rules.environment, [self.case.results[g] for g in self.rules.gates]
        when = f"was let into {place} at {self.wish.time:%F %T} UTC" if self.wish else f"may enter {place} now"
        count = Counter(s.says["verdict"]["outcome"] for s in gates)
        failed = f", {count['fail']} failed and passed over" if count["fail"] else ""
        unsure = f", {count['uncertain']} uncertain and accepted" if count["uncertain"] else ""
        files = " Its files were not looked at." if self.asked.decision_only else ""
        return (
            f"Release {short(self.release)} {when}: {len(gates)} gates{unsure}{failed}, {self._agreed()}, "
            f"under policy {short(self.case.policy)} and the people of {short(self.log.root)}; no reject stands.{files}"
        )


def copies_in(log: Log) -> dict[str, bytes]:
    """The log once more in small files, for people who check by hand: registers, keys, statements."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    copies: dict[str, bytes] = {}
    for register in log.registers.values():
        copies[f"people/{register['version']:04}.json"] = canonical(register)
        for person in register["people"]:
            for line in person["keys"]:
                name = f"keys/{quote(person['name'], safe='')[:120]}-{fingerprint(line)[7:15].replace('/', '_')}"
                pem = load_key(line)[0].public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
                copies |= {f"{name}.pub": plain_key(line).encode() + b"\n", f"{name}.pem": pem}
    for s in log.said:
        name = s.kind.partition("/")[0] if s.kind in SHAPES else "unknown"
        copies[f"statements/{s.seq:04}-{name}.json"] = s.envelope.encoded()
    return copies


def verifier_uri(root: str, name: str) -> str:
    return f"https://lockgate.dev/verifier/{hex_of(root)}/{quote(name, safe='')}"


def resource_uri(root: str, environment: str) -> str:
    return f"https://lockgate.dev/environment/{hex_of(root)}/{quote(environment, safe='')}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Was this release let into this environment by the people who may?")
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path(__file__).resolve().parent, help="the unpacked bundle"
    )
    parser.add_argument("--trust", required=True, metavar="SHA256", help="the trust root, as the people told you")
    parser.add_argument("--release", default="", metavar="SHA256", help="refuse a bundle about another release")
    parser.add_argument("--env", default="", help="refuse a bundle about another environment")
    parser.add_argument("--policy", default="", metavar="SHA256", help="refuse other rules than these")
    parser.add_argument(
        "--head", default="", metavar="SHA256", help="refuse a log without this entry, known from elsewhere"
    )
    parser.add_argument(
        "--anchors", type=Path, metavar="FILE", help="refuse a log that contradicts a checkpoint in it, one a line"
    )
    parser.add_argument(
        "--files", type=Path, metavar="FOLDER", help="where the release's files are, if not in the bundle"
    )
    parser.add_argument("--decision-only", action="store_true", help="do without the release's files")
    said = parser.parse_args(arguments)
    if wrong := wrong_usage(said):
        parser.error(wrong)  # exit 2: nothing was checked, so nothing was refused
    asked = Asked(
        said.trust, said.release, said.env, said.policy, said.head, said.files, said.decision_only, said.anchors
    )
    report = verify(said.folder, asked, now=datetime.now(UTC))
    for word, step, detail in report.rows:
        lines = textwrap.wrap(
            printable(f"{word:<14} {step:<24} {detail}"), 100, subsequent_indent=" " * 40,
            drop_whitespace=True, break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
        print("\n".join(lines))
    print("\n" + printable(report.sentence))
    return 0 if report.passed else 4


def wrong_usage(said: argparse.Namespace) -> str:
    """What was typed and cannot be meant, in one sentence; nothing when all of it can be looked at."""
    for option in ("trust", "release", "policy", "head"):
        value = getattr(said, option)
        if (value or option == "trust") and not DIGEST.fullmatch(value):
            return f"--{option} {printable(value)!r} is no digest: sha256: and 64 digits of 0-9 and a-f"
    for words, path, is_there, kind in (
        ("", said.folder, Path.is_dir, "folder"),
        ("--files ", said.files, Path.is_dir, "folder"),
        ("--anchors ", said.anchors, Path.is_file, "file"),
    ):
        if path is not None and not is_there(path):
            return f"{words}{printable(str(path))}: there is no such {kind}"
    return ""


def printable(text: str) -> str:
    """Text of strangers must not steer a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


if __name__ == "__main__":
    sys.exit(main())
