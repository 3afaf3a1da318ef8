"""What is signed beside the rule: waivers, conditions, revocation, broken glass. Each through the command line, to the end."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from journeys.walking import FAILED, GOOD, HUMAN, REFUSED, USAGE, Done, Lockgate, both, copy, edit, until

pytestmark = pytest.mark.sampled(2)

Copier = Callable[[Lockgate], Lockgate]

POLICY = """
[waivers]
need = { risk = 1, product-owner = 1 }
max = "30d"
never = ["no_leak"]

[break_glass]
roles = ["product-owner"]
review = ["risk"]

[revocation]
roles = ["risk"]
"""
WHY = ("--reason", "the old rows are there", "--control", "a weekly look", "--owner", "bob", "--until", "14d")


@pytest.fixture(scope="session")
def ruled(ran: Lockgate, tmp_path_factory: pytest.TempPathFactory) -> Lockgate:
    """Rik looks at risks; the policy says what may be signed beside the rule."""
    lockgate = copy(ran, tmp_path_factory.mktemp("ruled") / "shop")
    lockgate("people", "add", "rik", "--role", "risk", "--new-key", ".lockgate/rik")
    with (lockgate.root / "policy.toml").open("a") as policy:
        policy.write(POLICY)
    return lockgate


def spoil(lockgate: Lockgate, gate: str = "enough_good_data") -> None:
    """Ask for more than there is, so that a gate fails."""
    old, new = {
        "enough_good_data": ("min_rows=10,", "min_rows=100_000,"),
        "beats_baseline": (
            'metric="wape"),\n        gates.champion',
            'metric="wape", margin=0.99),\n        gates.champion',
        ),
    }[gate]
    edit(lockgate.root, "shop/delivery.py", old, new)


def sign(lockgate: Lockgate, who: str, *arguments: str, expect: int | None = GOOD) -> Done:
    return lockgate(*arguments, "--key", f".lockgate/{who}", expect=expect)


def waive(
    lockgate: Lockgate, who: str, role: str, *words: str, gate: str = "enough_good_data", expect: int = GOOD
) -> Done:
    return sign(lockgate, who, "waive", gate, "latest", "--role", role, *words, expect=expect)


def words_to_second(said: str) -> tuple[str, str]:
    """`--second ENTRY`, as the command is printed for the next person."""
    (entry,) = re.findall(r"lockgate waive .* --second ([0-9a-f]{12})$", said, flags=re.M)
    return "--second", entry


def number(lockgate: Lockgate, what: str) -> str:
    """The newest entry of a kind."""
    return str([e["seq"] for e in lockgate.ledger() if e["what"] == what][-1])


def test_a_failed_gate_passes_only_while_its_waiver_stands(ruled: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(ruled)
    spoil(lockgate)
    with both(lockgate) as (staging, production):
        stopped = lockgate("deliver", expect=FAILED)
        assert "lockgate waive enough_good_data" in stopped.err
        unseen = waive(lockgate, "rik", "risk", *WHY, expect=REFUSED)
        assert "not shown here yet" in unseen.err
        lockgate("evidence")
        assert "--control" in waive(lockgate, "rik", "risk", "--reason", "x", expect=USAGE).err
        assert "30d at most" in waive(lockgate, "rik", "risk", *WHY[:-1], "31d", expect=USAGE).err
        assert "bob?" in waive(lockgate, "rik", "risk", *WHY[:5], "bobb", *WHY[6:], expect=USAGE).err
        assert "was not run" in waive(lockgate, "rik", "risk", *WHY, gate="integration", expect=USAGE).err
        assert "only a failed gate" in waive(lockgate, "rik", "risk", *WHY, gate="slices", expect=USAGE).err, (
            "it was judged"
        )
        assert "enough_good_data?" in waive(lockgate, "rik", "risk", *WHY, gate="enough_data", expect=USAGE).err
        assert "lets nobody waive this gate" in waive(lockgate, "rik", "risk", *WHY, gate="no_leak", expect=REFUSED).err
        first = waive(lockgate, "rik", "risk", *WHY).out
        assert "1 more product-owner" in first
        second = words_to_second(first)
        assert "enough_good_data failed" in lockgate("deliver", expect=FAILED).err, "one signature is not enough"
        assert "1 more product-owner" in waive(lockgate, "rik", "risk", *second).out, "twice the same person is one"
        assert "it stands" in waive(lockgate, "bob", "product-owner", *second).out
        assert "it stands already" in waive(lockgate, "bob", "product-owner", *second, expect=REFUSED).err
        went = lockgate("deliver", expect=HUMAN)
        assert "waived" in went.out
        assert "The gate itself failed" in went.out.replace("\n" + " " * 39, " ")
        assert "only a failed gate" in waive(lockgate, "rik", "risk", *WHY, gate="slices", expect=USAGE).err
        lockgate.approve()
        lockgate("deliver")
        assert lockgate.live() == lockgate.release()
        production.answers(lockgate.release())
    assert [r["state"] for r in lockgate.json("releases")] == ["live"]
    (waiver,) = lockgate.json("waivers")["waivers"]
    assert (waiver["gate"], waiver["owner"], waiver["signers"]) == (
        "enough_good_data", "bob", [["risk", "rik"], ["product-owner", "bob"]],
    )  # fmt: skip
    assert "enough_good_data is waived until" in lockgate("status").out
    assert "gate fail" in {e["what"] for e in lockgate.ledger()}, "no waiver edits the result"
    sign(lockgate, "rik", "revoke", number(lockgate, "waive"), "--reason", "bob left", "--role", "risk")
    assert lockgate.json("waivers")["waivers"] == []
    with both(lockgate) as (_, production):
        until(lambda: "is refused" in production.said, what=lambda: production.said)
        assert "a gate was not passed" in production.said


def test_who_seconds_signs_the_words_that_they_read_and_no_newer_ones(ruled: Lockgate, fresh: Copier) -> None:
    """Between the look and the signature somebody writes a longer waiver of the same gate, with another owner."""
    lockgate = fresh(ruled)
    lockgate("people", "add", "max", "--role", "risk", "--new-key", ".lockgate/max")
    spoil(lockgate)
    lockgate("deliver", expect=FAILED)
    lockgate("evidence")
    read = words_to_second(waive(lockgate, "rik", "risk", *WHY).out)
    assert read == words_to_second(lockgate("waivers").out)
    slipped_in = ("--reason", "trust me", "--control", "none", "--owner", "max", "--until", "30d")
    waive(lockgate, "max", "risk", *slipped_in)
    silent = waive(lockgate, "bob", "product-owner", expect=USAGE).err
    assert "trust me" in silent and "the old rows are there" in silent and silent.count("--second") == 3
    mixed = waive(lockgate, "bob", "product-owner", *WHY[2:6], "--until", "3d", expect=USAGE).err
    assert "a waiver needs --reason" in mixed, "words without a reason are not dropped silently"
    for word in ("--control", "--until", "--owner", "--env"):
        value = {"--until": "3d", "--owner": "bob", "--env": "staging"}.get(word, "x")
        assert word in waive(lockgate, "bob", "product-owner", *read, word, value, expect=USAGE).err
    assert "--second" in waive(lockgate, "bob", "product-owner", "--second", "ab", expect=USAGE).err
    assert "no such entry" in waive(lockgate, "bob", "product-owner", "--second", "0" * 12, expect=USAGE).err
    assert "the old rows are there" in waive(lockgate, "bob", "product-owner", *read).out
    (stands,) = lockgate.json("waivers")["waivers"]
    assert (stands["owner"], stands["reason"]) == ("bob", "the old rows are there")
    assert [w["owner"] for w in lockgate.json("waivers")["pending"]] == ["max"]


def test_conditions_hold_an_approval_back_until_they_are_met(ruled: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(ruled)
    with both(lockgate):
        lockgate("deliver", expect=HUMAN)
        lockgate("evidence")
        approve = ("approve", "latest", "--role", "product-owner", "--reason", "fit")
        done = sign(lockgate, "bob", *approve, "--condition", "the shop's staff was told")
        entry = number(lockgate, "approve")
        assert f"lockgate meet {entry}" in done.out
        waits = lockgate("deliver", expect=HUMAN)
        assert "not met yet: the shop's staff was told" in waits.err
        assert "the shop's staff was told" in lockgate("waivers").out
        assert (
            "cannot say that this condition is met"
            in sign(lockgate, "rik", "meet", entry, "--how", "x", expect=REFUSED).err
        )
        sign(lockgate, "bob", "meet", entry, "--how", "e-mail of Monday")
        lockgate("deliver")
    assert lockgate.live() == lockgate.release()
    (condition,) = lockgate.json("waivers")["conditions"]
    assert (condition["text"], condition["met_by"], condition["how"]) == (
        "the shop's staff was told", "bob", "e-mail of Monday",
    )  # fmt: skip


def test_a_revoked_approval_counts_no_more(ruled: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(ruled)
    with both(lockgate):
        lockgate("deliver", expect=HUMAN)
        lockgate.approve()
        entry = number(lockgate, "approve")
        assert "may not revoke it" in sign(lockgate, "rik", "revoke", entry, "--reason", "x", expect=REFUSED).err
        sign(lockgate, "bob", "revoke", entry, "--reason", "I had not seen the weekend")
        waits = lockgate("deliver", expect=HUMAN)
        assert "it was revoked" in waits.err
        lockgate.approve()
        sign(
            lockgate, "rik", "revoke", number(lockgate, "approve"), "--reason", "not before the audit", "--role", "risk"
        )
        assert "it was revoked" in lockgate("deliver", expect=HUMAN).err
        lockgate.approve()
        lockgate("deliver")
        assert lockgate.live() == lockgate.release()
        sign(lockgate, "bob", "revoke", number(lockgate, "approve"), "--reason", "not this week")
        lockgate.approve()
    with both(lockgate) as (_, production):
        until(lambda: "is refused" in production.said, what=lambda: production.said)
        assert "nobody who may has authorised this deployment" in production.said
        assert "it was revoked" in production.said
    with both(lockgate) as (_, production):
        lockgate("deliver")  # the approval that was given since carries a new wish
        production.answers(lockgate.release())
    with both(lockgate) as (_, production):
        production.answers(lockgate.release())


def test_broken_glass_lets_in_and_stays_flagged(ruled: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(ruled)
    spoil(lockgate, "beats_baseline")
    hammer = (
        "deliver",
        "--break-glass",
        "production",
        "--role",
        "product-owner",
        "--reason",
        "the old one answers nonsense",
    )
    with both(lockgate) as (_, production):
        assert "may not break the glass" in sign(lockgate, "rik", *hammer[:4], "risk", *hammer[5:], expect=REFUSED).err
        assert "does not hold this role" in lockgate(*hammer, expect=REFUSED).err
        assert "needs a reason" in sign(lockgate, "bob", *hammer[:-1], "", expect=USAGE).err
        done = sign(lockgate, "bob", *hammer)
        assert "flagged" in done.out and "broken by bob" in done.out
        production.answers(lockgate.release())
    assert lockgate.live() == lockgate.release()
    status = lockgate("status").out
    assert status.count("review open: bob broke the glass") == 2  # staging and production
    entries = [str(e["seq"]) for e in lockgate.ledger() if e["what"] == "break glass"]
    for entry in entries:
        review = ("review", entry, "--role", "risk", "--finding", "it was right; the gate is mended")
        assert "does not hold this role" in sign(lockgate, "bob", *review, expect=REFUSED).err
        sign(lockgate, "rik", *review)
    assert "review open" not in lockgate("status").out
    found = lockgate.json("waivers")
    assert found["reviews"] == []
    assert [(g["by"], g["reviewed_by"]) for g in found["glass"]] == [("bob", "rik")], "on record for ever"


def test_without_a_word_in_the_policy_nothing_is_beside_the_rule(waiting: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(waiting)
    hammer = ("deliver", "--break-glass", "production", "--role", "product-owner", "--reason", "x")
    assert "lets nobody break the glass" in sign(lockgate, "bob", *hammer, expect=REFUSED).err
    assert "lets nobody waive a gate" in waive(lockgate, "bob", "product-owner", *WHY, expect=REFUSED).err
    assert "--break-glass ENV" in lockgate("deliver", "--reason", "x", expect=USAGE).err
