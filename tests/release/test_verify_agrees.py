"""The stand-alone verifier and the main code, over many generated ledgers: what they say about a release is the same."""

from __future__ import annotations

import datetime as dt
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from lockgate.gates.binding import results
from lockgate.records.decisions import Attested, Decision, GateResult, Proposed, result_digest
from lockgate.records.forge_job import FORGE, ForgeJob
from lockgate.records.ledger import Entry, Head
from lockgate.records.statement import PREDICATES, Statement, seal
from lockgate.records.waivers import BrokeGlass, Condition, Met, Reviewed, Revoked, Waived
from lockgate.records.wire import to_json
from lockgate.testing.ledger import MemorySigner
from lockgate.testing.scene import CAST, Scene, person, release

from release.auditing import GATES, WEEK, Office, main_code_says

SEEDS = 400
SIGNERS = ("pat",) * 6 + ("pia",) * 4 + ("rik", "sam", "bot", "ada", "mallory")
FORGE_CAST = (
    *(replace(p, aliases=(f"gitlab:forge.example/{p.name}",)) if p.name in ("pat", "pia") else p for p in CAST),
    person("runner", "attester", kind="machine"),
    person("val", "deliverer", "validator", kind="machine"),
)
FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None
Act = Callable[[Office, random.Random], object]


def approves(office: Office, chance: random.Random) -> object:
    """Mostly honest; sometimes one field is another."""
    changes: dict[str, object] = {}
    if chance.random() < 0.3:
        field = chance.choice(
            [
                "release",
                "environment",
                "policy",
                "people",
                "evidence",
                "page",
                "role",
                "not_after",
                "accepted",
                "decision",
                "log",
                "extra",
            ]
        )
        changes[field] = {
            "environment": "staging", "role": chance.choice(["risk", "deliverer"]), "accepted": ("slices",), "decision": "maybe",
            "extra": {"plan": chance.choice(PLANS)}, "not_after": office.scene.now + chance.choice([-1, 1, 5000]) * dt.timedelta(days=1), "log": Head(size=2, digest=release("rebuilt")),
        }.get(field, release("another"))  # fmt: skip
    return office.decides(chance.choice(SIGNERS), **changes)


def is_attested(office: Office, chance: random.Random) -> object:
    """A forge says that somebody pressed the button; sometimes who says it is no attester, or one field is another."""
    changes: dict[str, object] = {}
    if chance.random() < 0.3:
        field = chance.choice(
            ["release", "environment", "policy", "evidence", "role", "not_after", "decision", "account", "forge"]
        )
        changes[field] = {
            "environment": "staging", "role": "risk", "decision": "reject", "account": chance.choice(["pat", "gitlab:forge.example/rik", ""]),
            "not_after": office.scene.now + 5000 * DAY, "forge": chance.choice([{}, {"job": 7}]),
        }.get(field, release("another"))  # fmt: skip
    facts = {"account": f"gitlab:forge.example/{chance.choice(['pat', 'pat', 'pia'])}", "forge": {"job": "12"}}
    entry = office.scene.say(
        chance.choice(["runner"] * 6 + ["bot", "pat"]), Attested, **{**office.decision(), **facts, **changes}
    )
    return office.served(entry) if chance.random() < 0.4 else None


def rejects(office: Office, chance: random.Random) -> object:
    return office.decides(
        chance.choice(SIGNERS), decision="reject", environment=chance.choice(["production", "production", "staging"])
    )


def judges(office: Office, chance: random.Random) -> object:
    outcome = chance.choice(["pass", "pass", "pass", "fail", "uncertain", "not_applicable"])
    by, word = chance.choice(["bot", "bot", "sam", "mallory"]), chance.choice(["e", "f"])
    return office.measures(chance.choice(GATES), outcome, by=by, word=word)


def wants(office: Office, chance: random.Random) -> object:
    approvals = [e for e in office.scene.ledger.read() if e.envelope.statement().predicate_type.endswith("approval/v1")]
    cited = chance.sample(approvals, min(len(approvals), chance.choice([0, 1, 1, 1, 2])))
    if chance.random() < 0.7 and approvals:
        cited = approvals[-1:]
    wanted = office.delivers(
        *cited,
        by=chance.choice(["sam", "sam", "bot", "pat"]),
        environment=chance.choice(["production"] * 4 + ["staging"]),
        **plan_of_a_wish(office, chance, cited),
    )
    if chance.random() < 0.1:
        office.scene.now += chance.choice([-30, -1, 1, 8]) * dt.timedelta(days=1)
    if chance.random() < 0.8:
        office.scene.healthy(wanted, by=chance.choice(["bot"] * 5 + ["sam"]))
    return wanted


PLANS: tuple[object, ...] = (release("plan"), release("plan 2"), "", 0, None, [release("plan")])


def plan_of_a_wish(office: Office, chance: random.Random, cited: list[Entry]) -> dict[str, dict[str, object]]:
    """Mostly that of the approval, as `deliver --planned` says it; sometimes another, none, or rubbish."""
    signed = [e.envelope.statement().predicate.get("plan") for e in cited]
    plan = next((p for p in signed if p), "") if chance.random() < 0.7 else chance.choice(PLANS)
    return {"extra": {"plan": plan}} if plan or chance.random() < 0.2 else {}


def rolls_back(office: Office, chance: random.Random) -> object:
    entries = [e for e in office.scene.ledger.read() if e.envelope.statement().predicate_type.endswith("wanted/v1")]
    if not entries:
        return None
    target = chance.choice(entries)
    about = target.envelope.statement()
    other = chance.random() < 0.3
    back = office.scene.want(
        release("other") if other else about.subject, about.predicate["environment"], by=chance.choice(["bot", "bot", "sam"]),
        because="rolled-back", authorised_by=(target.digest,),
    )  # fmt: skip
    return office.scene.healthy(back) if chance.random() < 0.7 else back


def people_change(office: Office, chance: random.Random) -> object:
    cast = list(office.scene.people.people)
    match chance.choice(["leaver", "role", "newcomer", "key", "again", "renamed"]):
        case "leaver":
            cast = [p for p in cast if p.name != chance.choice(["pat", "rik"])]
        case "renamed":
            cast = [replace(p, name="rick") if p.name == "rik" else p for p in cast]
        case "role":
            cast = [replace(p, roles=("risk",)) if p.name == "pat" else p for p in cast]
        case "newcomer":
            cast = [*(p for p in cast if p.name != "zoe"), person("zoe", "product-owner")]
        case "key":
            cast = [replace(p, keys=(MemorySigner("pia-2").public_key(),)) if p.name == "pia" else p for p in cast]
        case _:
            cast = list(FORGE_CAST)
    before = office.scene.people
    office.scene.change_people(*cast, by=(chance.choice(["ada", "ada", "ada", "pat"]),))
    if office.scene.trusted().people.digest != office.scene.people.digest:
        office.scene.people = before
    return None


def time_passes(office: Office, chance: random.Random) -> object:
    """Once in a while a machine's clock is behind, or far ahead for one entry."""
    office.scene.now += chance.choice([1, 2, 6, 8, 1, 2, 6, -1]) * dt.timedelta(days=1)
    return None


def a_clock_is_ahead(office: Office, chance: random.Random) -> object:
    now = office.scene.now
    office.scene.now += chance.choice([1, 30, 300]) * dt.timedelta(days=1)
    act = chance.choice([approves, waives, breaks_glass, judges])
    act(office, chance)
    office.scene.now = now + dt.timedelta(minutes=5)
    return None


def approves_for_a_plan(office: Office, chance: random.Random) -> object:
    plan, carried = chance.choice(PLANS), chance.choice(PLANS)
    approval = office.decides(chance.choice(["pat", "pia"]), extra={"plan": plan})
    if chance.random() < 0.3:
        return approval
    wanted = office.delivers(approval, extra={"plan": plan if chance.random() < 0.5 else carried})
    return office.scene.healthy(wanted)


def holds_back(office: Office, chance: random.Random) -> object:
    """Somebody signs, says something else (or is rolled back from), and then the first word comes in."""
    who, word = chance.choice(["pat", "pia"]), chance.choice(["approve", "approve", "reject"])
    envelope = office.scene.signed(who, Decision, **office.decision(reason="the first try", decision=word))
    act = chance.choice([rejects, revokes, rolls_back, approves, judges, time_passes])
    act(office, chance)
    if chance.random() < 0.5:
        office.decides(who, decision=chance.choice(["reject", "approve"]))
    return office.scene.append(envelope)


def forges(office: Office, chance: random.Random) -> object:
    envelope = office.scene.signed("pat", Decision, **office.decision())
    match chance.choice(["signature", "keyid", "copy", "shape"]):
        case "signature":
            envelope = replace(envelope, signature=bytes(64))
        case "keyid":
            envelope = replace(
                office.scene.signed("mallory", Decision, **office.decision()), keyid=MemorySigner("pat").identity()
            )
        case "copy":
            envelope = chance.choice(office.scene.ledger.read()).envelope
        case _:
            said = dict(envelope.statement().predicate)
            said[chance.choice(sorted(said))] = chance.choice([None, 7, ["x"], {"x": "y"}, "x", float(3)])
            statement = Statement(
                predicate_type=PREDICATES + "approval/v1",
                subject_name="release",
                subject=office.release,
                predicate=said,
            )
            envelope = seal(statement, MemorySigner("pat"))
    return office.scene.append(envelope)


def is_registered_again(office: Office, chance: random.Random) -> object:
    author = chance.choice(["pat", "pia@example.org", "zoe"])
    return office.scene.say(
        chance.choice(["sam", "pat"]),
        Proposed,
        release=office.release,
        name="demand",
        authors=(author,),
        started_by="sam",
        lineage="",
        extra={FORGE: to_json(ForgeJob(kind="gitlab", pipeline="2", commit="c"))},
    )


def shows(office: Office, chance: random.Random) -> object:
    by = chance.choice(["bot", "bot", "pat"])
    before, environment = office.page, chance.choice(["production", "production", "production", "staging"])
    office.shows(chance.choice([b"page", b"page 2"]), by=by, environment=environment)
    if (by == "pat" or environment == "staging") and chance.random() < 0.7:
        office.page = before  # who is no deliverer shows nothing; else people sign under it all the same
    return None


EXCEPTIONS = """
[waivers]
need = { risk = 1, product-owner = 1 }
never = ["integration"]
[break_glass]
roles = ["risk"]
"""
DAY = dt.timedelta(days=1)


def results_now(office: Office) -> dict[str, GateResult]:
    return dict(results(office.scene.trusted().said, release=office.release, policy=office.policy_digest))


def waives(office: Office, chance: random.Random) -> object:
    """Two sign the same; sometimes one is missing, or something is wrong with it."""
    failed = [g for g, r in results_now(office).items() if r.verdict.outcome == "fail"]
    gate = chance.choice(failed or ["slices"])
    result = results_now(office).get(gate)
    said = {
        "release": office.release, "gate": gate, "environment": chance.choice(["production"] * 5 + ["staging"]),
        "result": result_digest(result) if result else "", "reason": "known", "control": "watched", "owner": "rik",
        "not_after": office.scene.now + chance.choice([1, 10, 10, 400]) * DAY, "page": release("page"),
    }  # fmt: skip
    signers = [("rik", "risk"), ("pia", "product-owner")] + (
        [("pat", "product-owner")] if chance.random() < 0.2 else []
    )
    chance.shuffle(signers)
    for who, role in signers[: chance.choice([1, 2, 2, 2, 3])]:
        office.scene.say(who, Waived, role=role, **said)
    return None


def revokes(office: Office, chance: random.Random) -> object:
    words = [
        e
        for e in office.scene.ledger.read()
        if e.envelope.statement().predicate_type.endswith(("approval/v1", "waiver/v1", "break-glass/v1"))
    ]
    if not words:
        return None
    who, role = chance.choice([("pat", ""), ("pia", ""), ("ada", "trustee"), ("rik", "risk"), ("sam", "trustee")])
    entry = chance.choice(words).digest
    return office.scene.say(
        who, Revoked, release=office.release, environment="production", entry=entry, role=role, reason="no more"
    )


def approves_on_condition(office: Office, chance: random.Random) -> object:
    due = chance.choice([None, office.scene.now + DAY])
    approval = office.decides("pat", conditions=(Condition(text="watch it", due=due),))
    if chance.random() < 0.5:
        who, role = chance.choice([("pat", ""), ("pia", "product-owner"), ("rik", "product-owner"), ("sam", "")])
        office.scene.say(
            who, Met, release=office.release, environment="production", entry=approval.digest,
            condition=chance.choice(["watch it", "watch it", "else"]), role=role, how=chance.choice(["done", "done", " "]),
        )  # fmt: skip
    return office.served(approval) if chance.random() < 0.4 else None


def breaks_glass(office: Office, chance: random.Random) -> object:
    found = {g: result_digest(r) for g, r in results_now(office).items() if r.verdict.outcome in ("fail", "uncertain")}
    if chance.random() < 0.2:
        found = {}
    trusted = office.scene.trusted()
    glass = office.scene.say(
        chance.choice(["rik"] * 4 + ["pat"]), BrokeGlass, release=office.release, environment="production", role="risk", reason="fire",
        results=found, policy=office.policy_digest, people=trusted.people.digest,
        not_after=office.scene.now + chance.choice([1, 20, 20, 40]) * dt.timedelta(hours=1),
    )  # fmt: skip
    if chance.random() < 0.3:
        office.scene.say(
            "ada",
            Reviewed,
            release=office.release,
            environment="production",
            entry=glass.digest,
            role="trustee",
            finding="fine",
        )
    if chance.random() < 0.2:
        office.scene.say(
            "ada",
            Revoked,
            release=office.release,
            environment="production",
            entry=glass.digest,
            role="trustee",
            reason="no",
        )
    return office.served(glass) if chance.random() < 0.7 else None


def hardware_key(office: Office, chance: random.Random) -> object:
    """What only says that it is an SSHSIG is none."""
    envelope = office.scene.signed("pat", Decision, **office.decision())
    return office.scene.append(replace(envelope, scheme=chance.choice(["sshsig", "other"])))


ACTS: dict[Act, int] = {
    approves: 8, rejects: 1, judges: 2, wants: 4, rolls_back: 2, people_change: 1, time_passes: 1, forges: 2, is_registered_again: 1, shows: 1,
    waives: 2, revokes: 1, approves_on_condition: 2, breaks_glass: 1, hardware_key: 1, approves_for_a_plan: 2, holds_back: 1,
    a_clock_is_ahead: 1, is_attested: 3,
}  # fmt: skip


def comes_back(office: Office, chance: random.Random, gate: str = "") -> object:
    """A gate says something else, by this policy or another, in a merge request or not; mostly it says the same again."""
    now = results_now(office)
    gate = gate or chance.choice(sorted(now))
    before = now[gate]
    extra = {**before.extra, **({"change": "7"} if chance.random() < 0.2 else {})}
    policy = before.policy if chance.random() < 0.5 else release("policy 2")
    inputs = {"@holdout": release("holdout 2")} if chance.random() < 0.7 else dict(before.inputs)
    outcome = before.verdict.outcome
    office.measures(gate, outcome, policy=policy, inputs=inputs, extra=extra)
    if chance.random() < 0.8:
        office.measures(gate, outcome, inputs=dict(before.inputs), extra=dict(before.extra))
    return None


def comes_back_behind_an_exception(office: Office, chance: random.Random) -> object:
    """A waiver or broken glass over a failed or uncertain gate, which then comes back, or another; somebody approves; a delivery."""
    gate = chance.choice(GATES)
    office.measures(gate, chance.choice(["fail", "fail", "uncertain"]))
    entry = None
    if chance.random() < 0.5:
        waives(office, chance)
    else:
        breaks_glass(office, chance)
        entry = office.scene.ledger.read()[-1]
    comes_back(office, chance, chance.choice([gate, gate, gate, chance.choice(GATES)]))
    if entry is None or chance.random() < 0.2:
        entry = office.decides(chance.choice(["pat", "pat", "pia"]))
    return office.served(entry) if chance.random() < 0.8 else None


def is_measured_again(office: Office, chance: random.Random) -> object:
    """By a validator, every gate or some; sometimes otherwise, by somebody else, or not the last."""
    now = results_now(office)
    for gate in sorted(now):
        if chance.random() < 0.1:
            continue
        said, by = now[gate], chance.choice(["val"] * 5 + ["bot", "sam"])
        outcome = said.verdict.outcome if chance.random() < 0.95 else "fail"
        inputs = dict(said.inputs) if chance.random() < 0.95 else {"@holdout": release("holdout 2")}
        office.measures(gate, outcome, by=by, inputs=inputs, extra=dict(said.extra))
    approval = office.decides("pat")
    return office.served(approval) if chance.random() < 0.5 else None


REMEASURED = "[environments.production]\nremeasured = 1\n"
MEASURED_AGAIN: dict[Act, int] = {**ACTS, is_measured_again: 15}
COMING_BACK: dict[Act, int] = {**ACTS, comes_back: 6, comes_back_behind_an_exception: 6}


def story(seed: int, known: Mapping[Act, int] = ACTS) -> Office:
    """A ledger that begins like an honest one and goes on as chance will have it."""
    chance = random.Random(seed)
    toml = chance.choice(["", "", "", "[roles.product-owner]\nneed = 2\n", '[approval]\nself_approval = "flagged"\n'])
    if "[approval]" not in toml and chance.random() < 0.5:
        toml += "[environments.production]\ngrade = 'attested'\n"
    if known is MEASURED_AGAIN:
        toml = REMEASURED
    if chance.random() < 0.6:
        toml += EXCEPTIONS
    if chance.random() < 0.2:
        toml = "[approval]\nanswers = true\n" if not toml else toml
    office = Office(FORGE_CAST, toml=toml).ready(outcome=chance.choice(["pass"] * 5 + ["uncertain", "fail", "fail"]))
    acts = chance.choices([*known], [*known.values()], k=chance.randint(0, 9))
    for act in acts:
        act(office, chance)
    return office


def disagreements(
    seeds: Iterable[int], known: Mapping[Act, int] = ACTS
) -> tuple[list[str], Counter[tuple[bool, bool]]]:
    """What the two say differently; and how often they let in or not, a release that was served or not."""
    found: list[str] = []
    met: Counter[tuple[bool, bool]] = Counter()
    after = dt.timedelta(minutes=1)
    for seed in seeds:
        office = story(seed, known)
        with tempfile.TemporaryDirectory(dir=FAST) as folder:
            report = office.checked(Path(folder), after=after)
        expected = main_code_says(office, after=after)
        met[expected, not any("it was never served" in detail for _, _, detail in report.rows)] += 1
        if report.passed != expected:
            found.append(f"seed {seed}: the main code says {expected}; {report.sentence}")
    return found, met


ONCE_APART = (2070, 5592, 6852, 8753)
"""Ledgers with an attested approval whose claims are no texts: the main code once took it."""


def test_they_agree_on_generated_ledgers() -> None:
    found, met = disagreements([*range(200), *ONCE_APART])
    assert found == []
    assert len(met) == 4 and min(met.values()) >= 5, met  # each of the four cases was really met


@pytest.mark.parametrize("known", [COMING_BACK, MEASURED_AGAIN], ids=["results come back", "measured again"])
def test_they_agree_on_ledgers_in_which(known: dict[Act, int]) -> None:
    found, met = disagreements(range(300), known)
    assert found == []
    assert len(met) == 4 and min(met.values()) >= 5, met


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("start", range(1000, 11000, 2500))
def test_they_agree_on_many_generated_ledgers(start: int, record_property: Callable[[str, object], None]) -> None:
    """`benchmarks/soak.py` adds up what is recorded: first and number of seeds, disagreements, the four cases."""
    found, met = disagreements(range(start, start + 2500))
    record_property("first", start)
    record_property("ledgers", met.total())
    record_property("disagreements", len(found))
    for (let_in, served), count in met.items():
        record_property(f"{'let in' if let_in else 'refused'}, {'served' if served else 'never served'}", count)
    assert found == []
