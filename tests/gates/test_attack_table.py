"""Every attack, with a legitimate twin that differs in one field and passes; the refusal names that field.

The attacks are those of approval records in the literature and in practice (replay, self-approval, sock puppets, stale
evidence, weakened policy, a rewritten log, forged keys), and those on everything that is signed beside the rule. The table in
docs/trust.md is this one.
"""

from __future__ import annotations

import re
import subprocess
from base64 import b64decode as unbase64
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from gates.desk import OWNER, PAGE, POLICY, WEEK, Desk

from lockgate.delivery.approval.editors import edited_since
from lockgate.delivery.judging.history import history_of
from lockgate.delivery.walk import Walk
from lockgate.deploy.environments import fold
from lockgate.errors import IntegrityError, PermissionRefused, UsageError
from lockgate.gates.approvals import Standing, authorised
from lockgate.gates.binding import Ask, RoleAsked, evidence_root, results
from lockgate.gates.exceptions import BreakGlassRules, Exceptions, WaiverRules
from lockgate.gates.glass import against_glass, broken_glass
from lockgate.gates.history import Measured
from lockgate.gates.policy import parse_policy
from lockgate.gates.remeasured import unconfirmed
from lockgate.gates.seconding import check_waits, waiver_named
from lockgate.gates.waivers import waivers
from lockgate.gates.what_stands import passed_over
from lockgate.records.checkpoint import contradiction, read_checkpoint, sign_checkpoint
from lockgate.records.decisions import Decision, GateResult, PeopleSet, Proposed, read_claim, result_digest
from lockgate.records.digest import canonical, sha256_bytes
from lockgate.records.evidence import Verdict
from lockgate.records.graph import FileState, Graph, PipelineInfo, Trace
from lockgate.records.ledger import EMPTY, Entry, Head, decode_line, encode_line
from lockgate.records.people import People, Person, check_people
from lockgate.records.statement import Envelope, pae
from lockgate.records.waivers import BrokeGlass, Condition, Met, Reviewed, Revoked, Waived
from lockgate.testing.ledger import MemoryLedger, MemorySigner
from lockgate.testing.scene import CAST, Scene, person, release

DAY = timedelta(days=1)
RULES = Exceptions(
    waivers=WaiverRules(need={"risk": 1, "product-owner": 1}, longest="30d", never=("no_leak",)),
    break_glass=BreakGlassRules(roles=("product-owner",), review=("risk",)),
    revokers=("risk",),
)
BOTH = tuple(RoleAsked(role=r, need=1, valid_for=WEEK) for r in ("product-owner", "risk"))


def ruled(**changes: Any) -> Ask:
    return replace(OWNER, exceptions=RULES, environment="production", onward=("production",), **changes)


def named(now: Standing) -> str:
    """The field that a refusal names; empty when it is granted."""
    if now.granted:
        return ""
    if now.rejected_by:
        return "reject"
    return now.not_counted[-1].field if now.not_counted else "missing"


Scenario = Callable[[bool], str]
"""Given whether it is the honest twin, the field that was named; empty: it passed."""
ATTACKS: dict[str, tuple[str, Scenario]] = {}


def attack(words: str, field: str) -> Callable[[Scenario], Scenario]:
    def keep(scenario: Scenario) -> Scenario:
        assert words not in ATTACKS
        ATTACKS[words] = (field, scenario)
        return scenario

    return keep


# ── what an approval binds ──────────────────────────────────────────────────


def bound(field: str, other: Any, words: str) -> None:
    @attack(words, field)
    def scenario(honest: bool) -> str:
        desk = Desk()
        desk.decides("pat", **({} if honest else {field: other}))
        return named(desk.standing())


bound("release", release("r2"), "an approval of one release, replayed for another")
bound("environment", "staging", "an approval for staging, used for production")
bound("policy", release("weaker policy"), "an approval given under another policy")
bound("people", release("other people"), "an approval given under another register of people")
bound("page", release("another page"), "a display that showed other content than what is signed for")


@attack("an approval in a role that its signer does not hold", "role")
def role_not_held(honest: bool) -> str:
    desk = Desk()
    desk.decides("pat" if honest else "rik", role="product-owner")
    return named(desk.standing())


@attack("an approval in a role that nobody asks", "role")
def role_not_asked(honest: bool) -> str:
    desk = Desk()
    desk.decides("rik", role="risk")
    return named(desk.standing(replace(OWNER, roles=BOTH[1:]) if honest else None))


@attack("an approval of a release that nobody registered, so that its authors are unknown", "author")
def unregistered(honest: bool) -> str:
    desk = Desk()
    if not honest:
        desk.release = release("r9")
    desk.measured("slices")
    desk.shows()
    desk.decides("pat")
    return named(desk.standing())


@attack("a gate that ran again, with another result, after the approval", "evidence")
def stale_evidence(honest: bool) -> str:
    desk = Desk()
    desk.decides("pat")
    desk.measured("slices", evidence="e" if honest else "e2")
    return named(desk.standing())


@attack("a true gate on the wrong data: another holdout, the same verdict", "evidence")
def wrong_data(honest: bool) -> str:
    desk = Desk()
    verdict = Verdict(gate="slices", kind="k", outcome="pass", reason="r", evidence=release("e"))

    def measured(holdout: str) -> None:
        inputs = {"@holdout": release(holdout)}
        desk.scene.say("bot", GateResult, release=desk.release, verdict=verdict, policy=POLICY, inputs=inputs)

    measured("of the policy")
    desk.decides("pat")
    measured("of the policy" if honest else "an easier one")
    return named(desk.standing())


@attack("a policy that was weakened after the approval", "policy")
def weakened(honest: bool) -> str:
    desk = Desk()
    desk.decides("pat")
    return named(desk.standing(policy=POLICY if honest else release("policy 2")))


@attack("a policy that was tightened after the approval, and brought back", "policy")
def brought_back(honest: bool) -> str:
    desk = Desk()
    if honest:
        desk.measured("slices", "fail", policy=release("policy 2"))  # the signer saw that it was judged so, too
    desk.decides("pat")
    if not honest:
        desk.measured("slices", "fail", policy=release("policy 2"))
    return named(desk.standing())


@attack(
    "a result that the pipeline's key invented, once somebody else with a deliverer's key has measured again",
    "evidence",
)
def invented(honest: bool) -> str:
    desk = Desk()
    desk.decides("pat")
    desk.measured(
        "slices", "pass" if honest else "fail", by="sam"
    )  # the same inputs give the same digest, or they do not
    return named(desk.standing())


class Again:
    """A release that only its pipeline's key has measured; `val` and `vic` measure again, where the policy asks for one."""

    def __init__(self, *more: Person, need: int = 1) -> None:
        self.desk = Desk(
            (*CAST, *more, person("val", "deliverer", "validator"), person("vic", "deliverer", "validator"))
        )
        self.need = need

    def field(self) -> str:
        """`remeasured` where the gate is not confirmed; the approvals stand beside it."""
        trusted, gates = self.desk.scene.trusted(), ["slices"]
        lacks = unconfirmed(trusted, release=self.desk.release, policy=POLICY, gates=gates, need=self.need)
        return "remeasured" if lacks else ""


@attack("a result that the pipeline's key invented, and nobody measured again where the policy wants it", "remeasured")
def nobody_measured_again(honest: bool) -> str:
    case = Again()
    if honest:
        case.desk.measured("slices", by="val")
    return case.field()


@attack("a release measured again by another deliverer, who is no validator", "remeasured")
def measured_by_no_validator(honest: bool) -> str:
    case = Again(person("dan", "deliverer"))
    case.desk.measured("slices", by="val" if honest else "dan")
    return case.field()


@attack("a release measured again by its own author, who is a validator", "remeasured")
def measured_by_the_author(honest: bool) -> str:
    case = Again()
    if not honest:
        fields = {"name": "demand", "authors": ("val",), "started_by": "sam", "lineage": ""}
        case.desk.scene.say("sam", Proposed, release=case.desk.release, **fields)
    case.desk.measured("slices", by="val")
    return case.field()


@attack("a result that was invented again, once the validator had measured", "remeasured")
def invented_again(honest: bool) -> str:
    case = Again()
    case.desk.measured("slices", by="val", evidence="e" if honest else "e2")
    case.desk.measured("slices")
    return case.field()


@attack("a validator who found another verdict, beside one who found the same", "remeasured")
def validators_disagree(honest: bool) -> str:
    case = Again(need=2)
    case.desk.measured("slices", by="val", outcome="pass" if honest else "fail")
    case.desk.measured("slices", by="vic")
    return case.field()


@attack("one validator who measured twice, where two must", "remeasured")
def one_validator_twice(honest: bool) -> str:
    case = Again(need=2)
    case.desk.measured("slices", by="vic")
    case.desk.measured("slices", by="val" if honest else "vic")
    return case.field()


@attack("a release measured again under another policy", "remeasured")
def measured_under_another_policy(honest: bool) -> str:
    case = Again()
    case.desk.measured("slices", by="val", policy=POLICY if honest else release("policy 2"))
    return case.field()


@attack("a release measured again with a key that was stolen, and is taken out of the register since", "remeasured")
def measured_with_a_stolen_key(honest: bool) -> str:
    case = Again()
    case.desk.measured("slices", by="val")
    if not honest:
        case.desk.scene.change_people(*(p for p in case.desk.scene.people.people if p.name != "val"))
    return case.field()


@attack("a tightened policy that said so on the way, beside one that a merge request only proposed", "policy")
def tightened_in_a_merge_request(honest: bool) -> str:
    desk = Desk()
    desk.decides("pat")
    desk.measured("slices", "fail", policy=release("policy 2"), **({"change": "7"} if honest else {}))
    return named(desk.standing())


@attack("a gate that said something else after the approval, and then the same again", "evidence")
def said_otherwise(honest: bool) -> str:
    desk = Desk()
    desk.decides("pat")
    desk.measured("slices", evidence="e" if honest else "e2")
    desk.measured("slices")
    return named(desk.standing())


@attack("an approval used thirty days later", "not_after")
def expired(honest: bool) -> str:
    desk = Desk()
    desk.decides("pat")
    return named(desk.standing(after=timedelta(days=6 if honest else 30)))


@attack("an approval that gives itself more time than the policy", "not_after")
def long_lived(honest: bool) -> str:
    desk = Desk()
    desk.decides("pat", not_after=desk.scene.now + timedelta(days=6 if honest else 3650))
    return named(desk.standing())


@attack("a clock that was turned back to revive an approval", "clock")
def turned_back(honest: bool) -> str:
    desk = Desk()
    desk.decides("pat")
    if not honest:
        desk.scene.now += timedelta(days=30)
    desk.measured("slices")
    desk.scene.propose("r2")
    return named(desk.standing(after=timedelta(0) if honest else timedelta(days=-29)))


@attack("an uncertain gate accepted by a blanket word instead of its name", "accepted")
def blanket(honest: bool) -> str:
    desk = Desk(ask=replace(OWNER, uncertain=("slices",)), outcome="uncertain")
    desk.decides("pat", accepted=("slices" if honest else "all",))
    return named(desk.standing())


@attack("a page whose questions the policy wants answered, and are not", "answers")
def silent(honest: bool) -> str:
    desk = Desk(ask=replace(OWNER, answers=True))
    desk.shows(questions=("Is it fit?",))
    desk.decides("pat", answers={"Is it fit?": "yes" if honest else "  "})
    return named(desk.standing())


@attack("a page that was said again without its questions", "answers")
def questions_dropped(honest: bool) -> str:
    desk = Desk(ask=replace(OWNER, answers=True))
    desk.shows(questions=("Is it fit?",))
    desk.shows(questions=("Is it fit?",) if honest else ())
    desk.decides("pat", answers={"Is it fit?": "yes"} if honest else {})
    return named(desk.standing())


@attack("an approval under a page that no deliverer ever showed", "page")
def never_shown(honest: bool) -> str:
    return served(by="bot" if honest else "pia")


@attack("an approval under a page that was shown before another environment", "page")
def shown_elsewhere(honest: bool) -> str:
    return served(environment="production" if honest else "staging")


def served(**shown: Any) -> str:
    """What a server says to an approval of this page; the deliverer asks it to follow."""
    desk, page = Desk(), release("a page of one's own")
    desk.shows(page, **shown)
    desk.decides("pat", page=page)
    return followed(desk)


def followed(desk: Desk, *, after: timedelta = timedelta(0), **wish: Any) -> str:
    """The deliverer cites the newest entry; a server looks at it some time `after`."""
    cited = desk.scene.ledger.read()[-1].digest
    want = desk.scene.want(desk.release, "production", authorised_by=(cited,), **wish)
    return named(authorised(desk.scene.trusted(), want.digest, ask=desk.ask, now=desk.scene.now + after))


@attack("an approval that is for one delivery plan, used for another", "plan")
def another_plan(honest: bool) -> str:
    desk = Desk()
    desk.decides("pat", extra={"plan": release("plan")})
    return followed(desk, extra={"plan": release("plan" if honest else "plan 2")})


@attack("an approval that is for a delivery plan, used where none is carried out", "plan")
def no_plan(honest: bool) -> str:
    desk = Desk()
    desk.decides("pat", extra={"plan": release("plan")})
    return followed(desk, extra={"plan": release("plan")} if honest else {})


@attack("an approval signed under a clock that is ahead, so that it counts longer", "not_after")
def clock_ahead(honest: bool) -> str:
    """Its time in the ledger is that of its signer's machine, and so is the time it gives itself."""
    desk = Desk()
    now = desk.scene.now
    desk.scene.now += timedelta(0) if honest else timedelta(days=365)
    desk.decides("pat")
    desk.scene.now = now + DAY
    return named(desk.standing())


@attack("a server that says `healthy` by a clock that is behind, once the approval has expired", "clock")
def healthy_back_dated(honest: bool) -> str:
    """A restart judges as of that moment, so the moment must fit what others signed before it."""
    desk = Desk()
    desk.decides("pat")
    cited = desk.scene.ledger.read()[-1].digest
    want = desk.scene.want(desk.release, "production", authorised_by=(cited,))
    said_at = desk.scene.now + DAY
    desk.scene.now += timedelta(days=1 if honest else 30)
    desk.measured("champion", policy=release("a later policy"))
    desk.scene.propose("r2")
    return named(authorised(desk.scene.trusted(), want.digest, ask=desk.ask, now=said_at))


# ── who signs ───────────────────────────────────────────────────────────────


@attack("an approval with a key that nobody registered", "key")
def stranger(honest: bool) -> str:
    desk = Desk()
    desk.decides("pat" if honest else "mallory")
    return named(desk.standing())


@attack("a forged signature under a registered key's name", "signature")
def forged(honest: bool) -> str:
    desk = Desk()
    envelope = desk.scene.signed("pat" if honest else "mallory", Decision, **desk.decision())
    desk.scene.append(replace(envelope, keyid=MemorySigner("pat").identity()))
    return named(desk.standing())


@attack("a release approved by its own author", "author")
def own_work(honest: bool) -> str:
    desk = Desk((*CAST[:1], person("sam", "deliverer", "product-owner"), *CAST[2:]))
    desk.decides("pat" if honest else "sam")
    return named(desk.standing())


@attack("a release approved by its author, whose name is written with the accent apart", "author")
def accent_apart(honest: bool) -> str:
    desk = Desk((*CAST, person("Zo\u00eb", "product-owner")))
    author = "Zora" if honest else "Zoe\u0308"
    desk.scene.say(
        "bot", Proposed, release=desk.release, name="d", authors=(f"{author} <z@home>",), started_by="bot", lineage=""
    )
    desk.decides("Zo\u00eb")
    return named(desk.standing())


@attack("two people whose names look the same", "name")
def lookalikes(honest: bool) -> str:
    return registered(person("zoe"), person("zora" if honest else "Zoe\u200b"))


@attack("one key under two names, once as a point in its short form", "key")
def short_form(honest: bool) -> str:
    return registered(
        person("one", keys=(p256(short=False),)), person("two", keys=(p256(short=not honest, word=2 - honest),))
    )


@attack("one key under two names, once with something behind it", "key")
def something_behind(honest: bool) -> str:
    mine = MemorySigner("one").public_key()
    behind = wire("ssh-ed25519", unbase64(mine.split(" ")[1])[-32:], b"behind")
    return registered(person("one"), person("two", **({} if honest else {"keys": (behind,)})))


@attack("one key under two names, once as a hardware key", "key")
def said_to_be_hardware(honest: bool) -> str:
    raw = unbase64(MemorySigner("two" if honest else "one").public_key().split(" ")[1])[-32:]
    return registered(person("one"), person("two", keys=(wire("sk-ssh-ed25519@openssh.com", raw, b"ssh:"),)))


def registered(*more: Person) -> str:
    """What a register with these people in it is refused for."""
    try:
        check_people(People(version=1, people=(*CAST, *more)))
    except UsageError as error:
        return "key" if "key" in error.what else "name"
    return ""


def wire(kind: str, *parts: bytes) -> str:
    """A public key line of these strings in SSH's wire form."""
    blob = b"".join(len(p).to_bytes(4, "big") + p for p in (kind.encode(), *parts))
    return f"{kind} {b64encode(blob).decode()}"


def p256(*, short: bool, word: int = 2) -> str:
    public = ec.derive_private_key(word, ec.SECP256R1()).public_key()
    form = PublicFormat.CompressedPoint if short else PublicFormat.UncompressedPoint
    return wire("ecdsa-sha2-nistp256", b"nistp256", public.public_bytes(Encoding.X962, form))


@attack("a release approved by who started its run as somebody else's robot", "author")
def run_starter(honest: bool) -> str:
    desk = Desk()
    started = "rik" if honest else "pat"
    desk.scene.say("bot", Proposed, release=desk.release, name="d", authors=(), started_by=started, lineage="")
    desk.decides("pat")
    return named(desk.standing())


@attack("an approval by who edited the policy", "policy_editor")
def editor(honest: bool) -> str:
    desk = Desk()
    desk.shows(policy_editors=("ada" if honest else "pat",))
    desk.decides("pat")
    return named(desk.standing())


def in_git(honest: bool, *edits: tuple[str, str], files: tuple[str, ...]) -> str:
    """Pat approves after edits by (who, file); of the twin, rik made those that pat made."""
    with TemporaryDirectory() as folder:
        for who, file in edits:
            committed(Path(folder), "rik" if honest and who == "pat" else who, file)
        desk = Desk()
        desk.shows(policy_editors=edited_since(Path(folder), files).names)
    desk.decides("pat")
    return named(desk.standing())


def committed(root: Path, who: str, file: str) -> None:
    if not (root / ".git").exists():
        subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    with (root / file).open("a") as open_file:
        open_file.write("another line\n")
    subprocess.run(["git", "add", "--all"], cwd=root, check=True)
    author = ["-c", f"user.name={who}", "-c", f"user.email={who}@example.org"]
    subprocess.run(["git", *author, "commit", "--quiet", "-m", f"by {who}"], cwd=root, check=True)


@attack("an approval by who edited the policy, behind somebody else's later commit", "policy_editor")
def edited_before_the_last(honest: bool) -> str:
    return in_git(honest, ("pat", "policy.toml"), ("ada", "policy.toml"), files=("policy.toml",))


@attack(
    "an approval by who edited a file beside the policy: limits in another module, a gate's code, a reference population",
    "policy_editor",
)
def edited_beside(honest: bool) -> str:
    walk = walk_reading("policy.toml", "shop/limits.py", "population.json")
    return in_git(honest, ("pat", "population.json"), ("ada", "policy.toml"), files=walk.policy_files)


def walk_reading(*files: str) -> Walk:
    """A delivery pipeline whose declaration read these files."""
    seen = tuple(FileState(f, (0, 0, 0, 0, 0), 0, "") for f in files)
    trace = Trace(interpreter="", files=seen, listings={}, environment={}, packages={}, preload=())
    pipeline = PipelineInfo(name="d", kind="delivery", module="shop.delivery", nodes=())
    graph = Graph(nodes={}, order=(), pipelines={}, trace=trace)
    return Walk(pipeline, pipeline, (), {}, parse_policy(""), "", graph)


@attack("one person with two keys, where two people must sign", "person")
def two_keys(honest: bool) -> str:
    keys = tuple(MemorySigner(k).public_key() for k in ("pat", "pat-2"))
    two = Person(name="pat", roles=("product-owner",), keys=keys)
    cast = tuple(two if p.name == "pat" else p for p in CAST)
    desk = Desk(cast, ask=Ask(roles=(RoleAsked(role="product-owner", need=2, valid_for=WEEK),)))
    desk.decides("pat")
    desk.decides("pia" if honest else "pat-2")
    return named(desk.standing())


@attack("one person in two roles, where two people must sign", "person")
def two_roles(honest: bool) -> str:
    cast = tuple(person("pat", "product-owner", "risk") if p.name == "pat" else p for p in CAST)
    desk = Desk(cast, ask=Ask(roles=BOTH))
    desk.decides("pat", role="product-owner")
    desk.decides("rik" if honest else "pat", role="risk")
    return named(desk.standing())


@attack("the pipeline's key in a role that a person must fill", "kind")
def machine(honest: bool) -> str:
    desk = Desk((*CAST, person("oracle", "product-owner", kind="person" if honest else "machine")))
    desk.decides("oracle")
    return named(desk.standing())


@attack("a copy of an old approval, after its signer rejected", "reject")
def copied(honest: bool) -> str:
    desk = Desk()
    desk.decides("pat")
    old = desk.scene.ledger.read()[-1].envelope
    if not honest:
        desk.decides("pat", decision="reject")
    desk.scene.append(old)
    return named(desk.standing())


@attack("an approval from before its signer's reject, kept back until after it", "reject")
def kept_back(honest: bool) -> str:
    """Whoever carries envelopes to the ledger can keep one back; the twin is signed after the reject, by who knows of it."""
    desk = Desk()
    before = desk.scene.signed("pat", Decision, **desk.decision())
    desk.decides("pat", decision="reject")
    desk.scene.append(desk.scene.signed("pat", Decision, **desk.decision()) if honest else before)
    return named(desk.standing())


@attack("a reject that a carrier puts behind an approval signed beside it, as if it had been held back", "reject")
def swapped(honest: bool) -> str:
    """Both were signed upon the same head, because the first seemed not to have arrived. The twin never rejected."""
    desk = Desk()
    word = "approve" if honest else "reject"
    second = desk.scene.signed("pat", Decision, **desk.decision(decision=word, reason="the second try"))
    desk.decides("pat")
    desk.scene.append(second)
    return named(desk.standing())


@attack("a second approval from before a revocation, kept back until after it", "log")
def kept_back_twice(honest: bool) -> str:
    desk = Desk()
    before = desk.scene.signed("pat", Decision, **desk.decision(reason="the first try"))
    desk.decides("pat")
    entry = desk.scene.ledger.read()[-1].digest
    desk.scene.say(
        "pat", Revoked, release=desk.release, environment="production", entry=entry, role="", reason="an error"
    )
    desk.scene.append(desk.scene.signed("pat", Decision, **desk.decision()) if honest else before)
    return named(desk.standing())


@attack("an approval from before a rollback, kept back until after it", "withdrawn")
def kept_back_from_a_rollback(honest: bool) -> str:
    """What a rollback took away comes back by the word of somebody who knew of it."""
    desk = Desk()
    first = desk.scene.propose("before")
    old = desk.scene.want(first, "production")
    desk.scene.healthy(old)
    desk.scene.healthy(desk.scene.want(desk.release, "production"))
    before = desk.scene.signed("pat", Decision, **desk.decision())
    desk.scene.want(first, "production", by="bot", because="rolled-back", authorised_by=(old.digest,))
    approval = desk.scene.append(desk.scene.signed("pat", Decision, **desk.decision()) if honest else before)
    again = desk.scene.want(desk.release, "production", authorised_by=(approval.digest,))
    wanted = fold(desk.scene.trusted(), approved_only=()).of("production").wanted
    return "" if wanted and wanted.entry == again.digest else "withdrawn"


@attack("a wish that cites the approval of a key that was stolen, and is taken out of the register since", "left")
def stolen(honest: bool) -> str:
    desk = Desk()
    desk.decides("pat")
    want = desk.scene.want(desk.release, "production", authorised_by=tuple(e.digest for e in desk.scene.ledger.read()))
    desk.scene.change_people(*(p for p in CAST if honest or p.name != "pat"), person("zoe"))
    return named(authorised(desk.scene.trusted(), want.digest, ask=desk.ask, now=desk.scene.now))


@attack("a gate result by somebody who does not deliver", "evidence")
def forged_result(honest: bool) -> str:
    """A stranger's result is no evidence: an approval that binds it binds something else than what was measured."""
    desk = Desk()
    desk.measured("champion", "pass", by="bot" if honest else "rik")
    desk.decides("pat", **({} if honest else {"evidence": honest_root(desk)}))
    return named(desk.standing())


def honest_root(desk: Desk) -> str:
    """The evidence root as it would be if the stranger's result counted."""
    claims = [read_claim(e.envelope.statement()) for e in desk.scene.ledger.read()]
    return evidence_root(c for c in claims if isinstance(c, GateResult))


@attack("one trustee changes the people where two must", "people")
def root_compromise(honest: bool) -> str:
    scene = Scene((person("eve", "trustee"), *CAST), quorum=2)
    scene.say("eve", PeopleSet, people=scene.people)
    scene.change_people(
        person("eve", "trustee"), *CAST, person("mal", "product-owner"), by=("ada", "eve") if honest else ("ada", "ada")
    )
    return "" if scene.trusted().people.named("mal") else "people"


# ── the ledger ──────────────────────────────────────────────────────────────


def lines(desk: Desk) -> list[bytes]:
    return [encode_line(e).rstrip(b"\n") for e in desk.scene.ledger.read()]


def read_back(every: list[bytes]) -> str:
    head = EMPTY
    try:
        for line in every:
            head = decode_line(line, after=head).head
    except IntegrityError as error:
        return re.sub(r"\d+", "N", error.what)
    return ""


@attack("an entry of the ledger that was edited", "ledger entry N was changed")
def edited(honest: bool) -> str:
    desk = Desk()
    desk.decides("pat")
    every = lines(desk)
    every[1] = every[1] if honest else every[1].replace(b'"seq":1', b'"seq":1 ')
    return read_back(every)


@attack(
    "an entry of the ledger that was deleted",
    "ledger entry N does not follow entry N: an entry was removed, added or moved",
)
def deleted(honest: bool) -> str:
    desk = Desk()
    desk.decides("pat")
    every = lines(desk)
    return read_back(every if honest else [*every[:1], *every[2:]])


@attack("a reject, and then a friendlier approver", "reject")
def friendlier(honest: bool) -> str:
    desk = Desk()
    desk.decides("pat", decision="approve" if honest else "reject")
    desk.decides("pia")
    return named(desk.standing())


@attack("a ledger rebuilt by its operator without the reject; an approval came after it", "log")
def rebuilt_before_an_approval(honest: bool) -> str:
    """The twin: nobody ever rejected."""
    desk = Desk()
    before = len(desk.scene.ledger.read())
    if not honest:
        desk.decides("pat", decision="reject")
    desk.decides("pia")
    rebuild(desk, without=None if honest else before)
    return named(desk.standing())


@attack("a ledger rebuilt by its operator without the reject; nothing came after it but an anchor", "head")
def rebuilt_before_an_anchor(honest: bool) -> str:
    desk = Desk()
    desk.decides("pat", decision="reject")
    data = sign_checkpoint(desk.scene.trusted(), MemorySigner("bot"))
    rebuild(desk, without=None if honest else len(desk.scene.ledger.read()) - 1)
    desk.scene.propose("r2")
    against = contradiction(read_checkpoint(data), desk.scene.trusted())
    return against.field if against else ""


def rebuild(desk: Desk, *, without: int | None) -> None:
    entries = desk.scene.ledger.read()
    desk.scene.ledger = MemoryLedger()
    for number, entry in enumerate(entries):
        if number != without:
            desk.scene.ledger.append(entry.envelope, after=desk.scene.ledger.head(), time=entry.time)


@attack("an approval revoked by who signed it", "revoked")
def revoked_by_signer(honest: bool) -> str:
    return revocation(honest, by="pat", role="")


@attack("an approval revoked by a role that may", "revoked")
def revoked_by_role(honest: bool) -> str:
    return revocation(honest, by="rik", role="risk")


def revocation(honest: bool, *, by: str, role: str) -> str:
    """The twin: somebody without the right says the same, and it stops nobody."""
    desk = Desk(ask=ruled())
    desk.decides("pat")
    entry = desk.scene.ledger.read()[-1].digest
    who = "pia" if honest else by
    desk.scene.say(
        who,
        Revoked,
        release=desk.release,
        environment="production",
        entry=entry,
        role="" if honest else role,
        reason="r",
    )
    return named(desk.standing())


# ── conditions ──────────────────────────────────────────────────────────────


@attack("an approval whose condition nobody met", "conditions")
def unmet(honest: bool) -> str:
    return condition(met="pat" if honest else "")


@attack("a condition said to be met by an author of the release", "conditions")
def met_by_author(honest: bool) -> str:
    return condition(met="pat" if honest else "sam")


@attack("a condition said to be met by somebody in another role", "conditions")
def met_by_stranger(honest: bool) -> str:
    return condition(met="pia" if honest else "rik")


@attack("an approval whose condition is past its day", "conditions")
def overdue(honest: bool) -> str:
    return condition(met="", days=3 if honest else 1)


@attack("an approval whose condition's day came before a server took the release", "conditions")
def due_on_the_way(honest: bool) -> str:
    desk = Desk()
    desk.decides("pat", conditions=(Condition(text="tell the shops", due=desk.scene.now + DAY),))
    return followed(desk, after=timedelta(hours=1 if honest else 40))


def condition(*, met: str, days: int = 0) -> str:
    cast = tuple(person("sam", "deliverer", "product-owner") if p.name == "sam" else p for p in CAST)
    desk = Desk(cast)
    asked = Condition(text="tell the shops", due=desk.scene.now + days * DAY if days else None)
    desk.decides("pat", conditions=(asked,))
    entry = desk.scene.ledger.read()[-1].digest
    if met:
        role = "risk" if met == "rik" else "product-owner"
        desk.scene.say(
            met,
            Met,
            release=desk.release,
            environment="production",
            entry=entry,
            condition=asked.text,
            role=role,
            how="mail",
        )
    return named(desk.standing(after=timedelta(days=2)))


# ── waivers ─────────────────────────────────────────────────────────────────


class Waiving:
    """A release whose gate failed, and two people who waive that; `changes` by signer."""

    def __init__(self, *, gate: str = "slices", cast: tuple[Person, ...] = CAST, ask: Ask | None = None) -> None:
        self.desk = Desk(cast, ask=ask or ruled())
        self.gate = gate
        self.desk.measured(gate, "fail")
        self.words: dict[str, Any] = {"not_after": self.desk.scene.now + 14 * DAY}

    def signs(self, who: str, role: str, **changes: Any) -> None:
        found = results(self.desk.scene.trusted().said, release=self.desk.release, policy=POLICY)[self.gate]
        said = {
            "release": self.desk.release, "gate": self.gate, "environment": "production", "result": result_digest(found),
            "role": role, "reason": "few rows", "control": "a weekly look", "owner": "pia", "page": PAGE, **self.words,
            **changes,
        }  # fmt: skip
        self.desk.scene.say(who, Waived, **said)

    def field(self, *, after: timedelta = timedelta(0), ask: Ask | None = None) -> str:
        """What keeps the newest waiver from standing; and the gate passes just then."""
        at, ask, trusted = self.desk.scene.now + after, ask or self.desk.ask, self.desk.scene.trusted()
        found = waivers(trusted, release=self.desk.release, policy=POLICY, ask=ask, now=at)
        passed = passed_over(trusted, release=self.desk.release, policy=POLICY, ask=ask, now=at)
        assert (self.gate in passed) == any(w.stands for w in found)
        return "" if self.gate in passed else found[-1].field


@attack("a waiver with one signer", "signers")
def one_signer(honest: bool) -> str:
    case = Waiving()
    case.signs("rik", "risk")
    if honest:
        case.signs("pat", "product-owner")
    return case.field()


@attack("a waiver that one person signs in both roles", "signers")
def one_waiver_person(honest: bool) -> str:
    case = Waiving(cast=tuple(person("rik", "risk", "product-owner") if p.name == "rik" else p for p in CAST))
    case.signs("rik", "risk")
    case.signs("pat" if honest else "rik", "product-owner")
    return case.field()


@attack("a waiver whose second signer signs other words", "signers")
def other_words(honest: bool) -> str:
    case = Waiving()
    case.signs("rik", "risk")
    case.signs("pat", "product-owner", **({} if honest else {"control": "none"}))
    return case.field()


def second(case: Waiving, entry: str) -> str:
    """Pat signs the words of an entry, as `waive --second` finds them; what the refusal names, or what keeps it from standing."""
    trusted, at = case.desk.scene.trusted(), case.desk.scene.now
    found = waivers(trusted, release=case.desk.release, policy=POLICY, ask=case.desk.ask, now=at)
    try:
        said = waiver_named(trusted, entry, release=case.desk.release, gate=case.gate)
        check_waits(said, found)
    except (UsageError, PermissionRefused) as refused:
        assert "--second" in refused.value
        return "second"
    assert isinstance(said.claim, Waived)
    case.signs(
        "pat", "product-owner", **{n: getattr(said.claim, n) for n in ("reason", "control", "owner", "not_after")}
    )
    made = waivers(case.desk.scene.trusted(), release=case.desk.release, policy=POLICY, ask=case.desk.ask, now=at)
    return next(w.field for w in made if entry in w.entries)


@attack(
    "a waiver that was taken back, and written anew with more time, before the second person signs what they read",
    "second",
)
def slipped_in(honest: bool) -> str:
    case = Waiving()
    case.signs("rik", "risk")
    read = case.desk.scene.trusted().said[-1].entry.digest
    if not honest:
        fields = {"release": case.desk.release, "environment": "production", "entry": read, "role": "", "reason": "r"}
        case.desk.scene.say("rik", Revoked, **fields)
    case.signs("rik", "risk", owner="rik", not_after=case.desk.scene.now + 30 * DAY)
    return second(case, read)


@attack("a waiver seconded by whichever entry came last, not by the one that was read", "second")
def whichever(honest: bool) -> str:
    case = Waiving()
    case.signs("rik", "risk")
    read = case.desk.scene.trusted().said[-1].entry.digest
    return second(case, read if honest else "")


def both(case: Waiving, **changes: Any) -> Waiving:
    case.signs("rik", "risk", **changes)
    case.signs("pat", "product-owner", **changes)
    return case


@attack("a waiver signed by an author of the release", "author")
def waived_by_author(honest: bool) -> str:
    cast = tuple(person("sam", "deliverer", "product-owner") if p.name == "sam" else p for p in CAST)
    case = Waiving(cast=cast)
    case.signs("rik", "risk")
    case.signs("pat" if honest else "sam", "product-owner")
    return case.field()


@attack("a waiver signed by a machine", "kind")
def waived_by_machine(honest: bool) -> str:
    case = Waiving(cast=(*CAST, person("oracle", "product-owner", kind="person" if honest else "machine")))
    case.signs("rik", "risk")
    case.signs("oracle", "product-owner")
    return case.field()


@attack("a waiver in a role that its signer does not hold", "role")
def waived_without_role(honest: bool) -> str:
    case = Waiving()
    case.signs("rik", "risk")
    case.signs("pat" if honest else "ada", "product-owner")
    return case.field()


@attack("a waiver of a gate that the policy lets nobody waive", "never")
def never(honest: bool) -> str:
    return both(Waiving(gate="slices" if honest else "no_leak")).field()


@attack("a waiver of a gate that did not fail, to be had in store", "outcome")
def in_store(honest: bool) -> str:
    case = Waiving()
    if not honest:
        case.desk.measured("slices", "uncertain")
    return both(case).field()


@attack("a waiver of an earlier, milder failure", "result")
def another_failure(honest: bool) -> str:
    case = both(Waiving())
    case.desk.measured("slices", "fail", evidence="e" if honest else "worse")
    return case.field()


@attack("a waiver of a failure that was otherwise since, and is the same again", "result")
def failure_came_back(honest: bool) -> str:
    case = both(Waiving())
    case.desk.measured("slices", "fail", evidence="e" if honest else "worse")
    case.desk.measured("slices", "fail")
    return case.field()


@attack("a waiver from before the policy was tightened, and brought back", "result")
def waived_before_tightened(honest: bool) -> str:
    case = both(Waiving())
    case.desk.measured("slices", "fail", policy=release("policy 2"), **({"change": "7"} if honest else {}))
    return case.field()


@attack("a waiver whose first signature is from before the gate said something else", "result")
def half_a_waiver_came_back(honest: bool) -> str:
    case = Waiving()
    case.signs("rik", "risk")
    case.desk.measured("slices", "fail", evidence="e" if honest else "worse")
    case.desk.measured("slices", "fail")
    case.signs("pat", "product-owner")
    return case.field()


@attack("a waiver that was for staging", "environment")
def for_staging(honest: bool) -> str:
    case = Waiving()
    both(case, environment="production" if honest else "staging")
    return case.field()


@attack("a waiver that is over", "not_after")
def over(honest: bool) -> str:
    return both(Waiving()).field(after=timedelta(days=13 if honest else 15))


@attack("a waiver that gives itself more time than the policy", "not_after")
def too_long(honest: bool) -> str:
    case = Waiving()
    case.words = {"not_after": case.desk.scene.now + timedelta(days=29 if honest else 365)}
    return both(case).field()


@attack("a waiver that one of its signers took back", "revoked")
def waiver_revoked(honest: bool) -> str:
    case = both(Waiving())
    entry = case.desk.scene.ledger.read()[-1].digest
    who = "pia" if honest else "pat"
    case.desk.scene.say(
        who, Revoked, release=case.desk.release, environment="production", entry=entry, role="", reason="r"
    )
    return case.field()


@attack("a waiver one of whose signers left", "left")
def waiver_left(honest: bool) -> str:
    case = both(Waiving())
    case.desk.scene.change_people(*(p for p in CAST if honest or p.name != "pat"), person("zoe"))
    return case.field()


@attack("a waiver that one person signs under two names, with one key, having been renamed between", "left")
def renamed(honest: bool) -> str:
    old = person("rik", "risk", "product-owner")
    new = replace(old, name="rick") if not honest else person("rick", "risk", "product-owner")
    case = Waiving(cast=tuple(old if p.name == "rik" else p for p in CAST))
    case.signs("rik", "risk")
    case.desk.scene.change_people(*(p for p in CAST if p.name != "rik"), *([old] if honest else []), new)
    case.signs("rick" if honest else "rik", "product-owner")
    return case.field()


@attack("a waiver signed under a clock that is ahead, so that it stands longer", "not_after")
def waiver_clock_ahead(honest: bool) -> str:
    case = Waiving()
    now = case.desk.scene.now
    case.words = {"not_after": now + (29 if honest else 300) * DAY}
    case.desk.scene.now += timedelta(0) if honest else 290 * DAY
    both(case)
    return case.field(after=now + DAY - case.desk.scene.now)


@attack("a waiver where the policy has no word on waivers", "role")
def no_waivers(honest: bool) -> str:
    case = both(Waiving())
    return case.field(ask=case.desk.ask if honest else replace(case.desk.ask, exceptions=Exceptions()))


@attack("an approval by who wrote the waiver that it needs", "waiver_author")
def waiver_author(honest: bool) -> str:
    case = Waiving()
    for who, role in (("rik", "risk"), ("pat", "product-owner"))[:: 1 if honest else -1]:
        case.signs(who, role)
    case.desk.decides("pat")
    return named(case.desk.standing())


@attack("an approval by who wrote the waiver, and signed it once more behind the second person", "waiver_author")
def waiver_author_hides(honest: bool) -> str:
    """The first signature is in a role that does not count, so that the second person's seems to be the first."""
    case = Waiving()
    if not honest:
        case.signs("pat", "risk")
    case.signs("rik", "risk")
    case.signs("pat", "product-owner")
    case.desk.decides("pat")
    return named(case.desk.standing())


# ── broken glass ────────────────────────────────────────────────────────────


class Emergency:
    """A release that fails a gate and that nobody approved; `pat` may break the glass."""

    def __init__(self, *, outcome: str = "fail", gate: str = "slices", cast: tuple[Person, ...] = CAST) -> None:
        uncertain = (gate,) if outcome == "uncertain" else ()
        self.desk = Desk(cast, ask=ruled(uncertain=uncertain))
        self.gate = gate
        self.desk.measured(gate, outcome)

    def breaks(self, who: str = "pat", **changes: Any) -> None:
        trusted = self.desk.scene.trusted()
        found = results(trusted.said, release=self.desk.release, policy=POLICY)
        said = {
            "release": self.desk.release, "environment": "production", "role": "product-owner", "reason": "nonsense is live",
            "results": {g: result_digest(r) for g, r in found.items() if r.verdict.outcome != "pass"}, "policy": POLICY,
            "people": trusted.people.digest, "not_after": self.desk.scene.now + DAY, **changes,
        }  # fmt: skip
        self.desk.scene.say(who, BrokeGlass, **said)

    def field(self, *, after: timedelta = timedelta(0)) -> str:
        trusted, at = self.desk.scene.trusted(), self.desk.scene.now + after
        now = self.desk.standing(after=after)
        last = [s for s in trusted.said if isinstance(s.claim, BrokeGlass)][-1]
        against = against_glass(last, trusted, self.desk.release, POLICY, self.desk.ask, at)
        assert now.granted == (against is None and not now.rejected_by)
        assert not now.four_eyes, "one person is never four eyes"
        passed = passed_over(trusted, release=self.desk.release, policy=POLICY, ask=self.desk.ask, now=at)
        if now.granted and self.desk.ask.uncertain == () and self.gate not in passed:
            return "never" if self.gate in RULES.waivers.never else "results"
        return named(now) if now.rejected_by else against[0] if against else ""


def glass(
    words: str,
    field: str,
    attacked: dict[str, Any],
    *,
    honest: dict[str, Any] | None = None,
    by: str = "pat",
    outcome: str = "fail",
) -> None:
    @attack(words, field)
    def scenario(legitimate: bool) -> str:
        case = Emergency(outcome=outcome)
        case.breaks("pat" if legitimate else by, **((honest or {}) if legitimate else attacked))
        return case.field()


glass("glass broken for another environment", "environment", {"environment": "staging"})
glass("glass broken for another release", "release", {"release": release("r2")})
glass("glass broken under another policy", "policy", {"policy": release("policy 2")})
glass("glass broken under another register of people", "people", {"people": release("others")})
glass("glass broken in a role that may not", "role", {"role": "risk"}, by="rik")
glass("glass broken with a key that nobody registered", "key", {}, by="mallory")
glass("glass broken without a reason", "reason", {"reason": " "})
glass("glass broken over a failed gate that it does not name", "results", {"results": {}})
glass("glass broken over an uncertain gate that it does not name", "results", {"results": {}}, outcome="uncertain")
glass("glass broken over another result than the present one", "results", {"results": {"slices": release("x")}})


@attack("glass broken over a failure that was otherwise since, and is the same again", "results")
def glass_over_what_came_back(honest: bool) -> str:
    case = Emergency()
    case.breaks()
    case.desk.measured("slices", "fail", evidence="e" if honest else "worse")
    case.desk.measured("slices", "fail")
    return case.field()


@attack("glass broken over an uncertain result that was otherwise since, and is the same again", "results")
def glass_over_doubt_that_came_back(honest: bool) -> str:
    case = Emergency(outcome="uncertain")
    case.breaks()
    case.desk.measured("slices", "uncertain", evidence="e" if honest else "worse")
    case.desk.measured("slices", "uncertain")
    return case.field()


@attack("glass broken under a policy that was tightened since, and brought back", "policy")
def glass_under_a_policy_brought_back(honest: bool) -> str:
    case = Emergency()
    case.breaks()
    case.desk.measured("champion", policy=release("policy 2"), **({"change": "7"} if honest else {}))
    return case.field()


@attack("glass broken by a machine", "kind")
def glass_by_machine(honest: bool) -> str:
    case = Emergency(cast=(*CAST, person("oracle", "product-owner", kind="person" if honest else "machine")))
    case.breaks("oracle")
    return case.field()


@attack("broken glass used after a day", "not_after")
def glass_over(honest: bool) -> str:
    case = Emergency()
    case.breaks()
    return case.field(after=timedelta(hours=23 if honest else 25))


@attack("broken glass that gives itself more than a day", "not_after")
def glass_too_long(honest: bool) -> str:
    case = Emergency()
    case.breaks(not_after=case.desk.scene.now + timedelta(days=1 if honest else 2))
    return case.field()


@attack("broken glass that was taken back", "revoked")
def glass_revoked(honest: bool) -> str:
    case = Emergency()
    case.breaks()
    entry = case.desk.scene.ledger.read()[-1].digest
    who, role = ("pia", "") if honest else ("rik", "risk")
    case.desk.scene.say(
        who, Revoked, release=case.desk.release, environment="production", entry=entry, role=role, reason="r"
    )
    return case.field()


@attack("glass broken over another uncertain result than the present one", "results")
def glass_over_an_older_doubt(honest: bool) -> str:
    case = Emergency(outcome="uncertain")
    case.breaks()
    case.desk.measured("slices", "uncertain", evidence="e" if honest else "worse")
    return case.field()


@attack("glass broken under a clock that is ahead, so that it lasts longer", "not_after")
def glass_clock_ahead(honest: bool) -> str:
    case = Emergency()
    now = case.desk.scene.now
    case.desk.scene.now += timedelta(0) if honest else 30 * DAY
    case.breaks()
    return case.field(after=now + timedelta(hours=1) - case.desk.scene.now)


@attack("glass broken over a gate that the policy lets nobody pass over", "never")
def glass_never(honest: bool) -> str:
    case = Emergency(gate="slices" if honest else "no_leak")
    case.breaks()
    return case.field()


@attack("glass broken over a person's reject", "reject")
def glass_over_reject(honest: bool) -> str:
    case = Emergency()
    if not honest:
        case.desk.decides("pia", decision="reject")
    case.breaks()
    return case.field()


# ── what a ratchet is held against ──────────────────────────────────────────


def worse_is_stopped(desk: Desk) -> str:
    """Whether a release that measures 0.4 falls behind the best that the ledger has signed."""
    best = min(float(m.value) for m in history_of(desk.scene.trusted(), release=release("new")).measured or (NO_BAR,))
    return "ratchet" if best < 0.4 else ""


NO_BAR = Measured(
    release="", approved=datetime(2026, 1, 1, tzinfo=UTC).date(), metric="", value="9", definition="", holdout=""
)


def weighed(desk: Desk, value: str) -> None:
    extra = {"statistic": {"name": "wape", "value": value}, "definition": "d"}
    verdict = Verdict(gate="slices", kind="ratchet", outcome="pass", reason="r", evidence=release("e"), extra=extra)
    desk.scene.say("bot", GateResult, release=desk.release, verdict=verdict, policy=POLICY)


def goes_live(desk: Desk) -> None:
    said = next(
        s
        for s in reversed(desk.scene.trusted().said)
        if isinstance(s.claim, Decision) and s.claim.decision == "approve"
    )
    desk.scene.healthy(desk.scene.want(desk.release, "production", authorised_by=(said.entry.digest,)))


@attack("a result that came after the approval, to lower what a ratchet asks", "ratchet")
def lowered_by_a_late_result(honest: bool) -> str:
    desk = Desk()
    weighed(desk, "0.2")
    if honest:  # what people signed for is the second number
        weighed(desk, "0.4")
    desk.decides("pat")
    goes_live(desk)
    weighed(desk, "0.4")
    return worse_is_stopped(desk)


@attack("a reject of a release that was live, to lower what a ratchet asks", "ratchet")
def lowered_by_a_reject(honest: bool) -> str:
    desk = Desk()
    weighed(desk, "0.2")
    desk.decides("pat")
    if honest:  # it was never live
        desk.decides("pat", decision="reject")
    goes_live(desk)
    desk.decides("ada", decision="reject", role="trustee")
    return worse_is_stopped(desk)


def reviewing(words: str, *, by: str, role: str, finding: str = "it was right") -> None:
    """The attack leaves the review open; the twin closes it."""

    @attack(words, "review")
    def scenario(honest: bool) -> str:
        cast = tuple(person("pat", "product-owner", "risk") if p.name == "pat" else p for p in CAST)
        case = Emergency(cast=cast)
        case.breaks()
        entry = case.desk.scene.ledger.read()[-1].digest
        who, as_, text = ("rik", "risk", "it was right") if honest else (by, role, finding)
        case.desk.scene.say(
            who, Reviewed, release=case.desk.release, environment="production", entry=entry, role=as_, finding=text
        )
        (found,) = broken_glass(case.desk.scene.trusted(), ask=case.desk.ask)
        return "review" if found.open else ""


reviewing("a review closed by who broke the glass", by="pat", role="risk")
reviewing("a review closed in a role that does not review", by="pia", role="product-owner")
reviewing("a review closed without a finding", by="rik", role="risk", finding="")


def test_the_policy_may_let_the_editor_and_the_waivers_author_sign() -> None:
    desk = Desk(ask=replace(OWNER, exclude=()))
    desk.shows(policy_editors=("pat",))
    desk.decides("pat")
    assert desk.standing().granted
    assert named(desk.standing(OWNER)) == "policy_editor"


def test_a_time_at_the_end_of_all_times_stops_nobody() -> None:
    """Whoever carries an entry writes its time; none makes a sum run over."""
    case = Waiving()
    now, case.desk.scene.now = case.desk.scene.now, datetime(9999, 12, 31, 23, 50, tzinfo=UTC)
    both(case)
    case.desk.scene.now = now
    found = waivers(case.desk.scene.trusted(), release=case.desk.release, policy=POLICY, ask=case.desk.ask, now=None)
    assert len(found) == 1


RUBBISH = {
    "half a character": '"x": "\\ud800"', "no number": '"x": NaN', "no end": '"x": 1e999', "minus no end": '"x": [-Infinity]',
}  # fmt: skip


@pytest.mark.parametrize("rubbish", RUBBISH.values(), ids=RUBBISH.keys())
@pytest.mark.parametrize("who", ["mallory", "pia", "bot"])
def test_a_line_that_has_no_canonical_form_stops_nobody(rubbish: str, who: str) -> None:
    """Whoever can append a line, even without a key, must not stop the house by one that cannot be digested."""
    case = Emergency()
    case.desk.measured("slices")
    case.desk.decides("pat")
    for kind, said in (
        (Waived, {"gate": "slices", "environment": "production", "result": "r", "role": "risk", "reason": "r", "control": "c",
                  "owner": "o", "page": PAGE, "not_after": case.desk.scene.now + DAY}),
        (GateResult, {"verdict": Verdict(gate="zz", kind="k", outcome="pass", reason="r", evidence="e"), "policy": POLICY}),
    ):  # fmt: skip
        sealed = case.desk.scene.signed(who, kind, release=case.desk.release, **said)
        payload = sealed.payload.replace(b'"predicate":{', b'"predicate":{' + rubbish.encode() + b",")
        signature = MemorySigner(who).sign(pae(sealed.payload_type, payload))
        chained = replace(sealed, payload=payload, signature=signature)
        head = case.desk.scene.ledger.head()
        case.desk.scene.ledger.entries.append(entry_without_a_look(chained, head, case.desk.scene.now))  # type: ignore[attr-defined]
    assert case.desk.standing().granted
    assert (
        waivers(case.desk.scene.trusted(), release=case.desk.release, policy=POLICY, ask=case.desk.ask, now=None) == ()
    )


def entry_without_a_look(envelope: Envelope, after: Head, time: datetime) -> Entry:
    """The line that somebody writes who does not use our code."""
    body = {"envelope": envelope.to_json(), "prev": after.digest, "seq": after.size, "time": time.isoformat()}
    digest = sha256_bytes(canonical(body))
    return decode_line(canonical({"digest": digest, **body}), after=after)


# ── the table ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize("honest", [True, False], ids=["twin", "attack"])
@pytest.mark.parametrize("words", ATTACKS)
def test_the_refusal_names_the_field_in_which_the_twin_differs(words: str, honest: bool) -> None:
    field, scenario = ATTACKS[words]
    assert scenario(honest) == ("" if honest else field)


def test_the_page_lists_every_attack_and_no_other() -> None:
    page = (Path(__file__).parents[2] / "docs" / "trust.md").read_text()
    rows = re.findall(r"^\| (.+?) \| `(.+?)` \|$", page.partition("## Attacks")[2], flags=re.M)
    assert rows == [(words, field) for words, (field, _) in ATTACKS.items()]
