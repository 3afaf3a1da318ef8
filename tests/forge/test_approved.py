"""Approvals of a deployment at a forge: of this job, complete, and nobody against. Each attack beside its honest twin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lockgate.errors import LockgateError, PermissionRefused, WaitingForHuman
from lockgate.forge.approved import words_on
from lockgate.records.forge_job import ForgeJob
from lockgate.records.publication import Agreed, Deployed

JOB = ForgeJob(kind="gitlab", pipeline="7", commit="c" * 40, job="900")
BOB = Agreed(user="42", login="bob", said="approved", time="2026-11-27T10:00:00.000Z", comment="fit for its use")
ANN = replace(BOB, user="43", login="ann", comment="")
DEPLOYED = Deployed(id="5", commit="c" * 40, status="running", login="ada", job="900", asked=2, approvals=(BOB, ANN))


def said(**changes: Any) -> list[str]:
    return [w.login for w in words_on((replace(DEPLOYED, **changes),), JOB)]


ATTACKS: dict[str, tuple[type[LockgateError], str, Callable[[bool], list[str]]]] = {
    "an earlier deployment's approvals": (PermissionRefused, "job", lambda honest: said(job="900" if honest else "899")),
    "approvals that no job deploys": (PermissionRefused, "job", lambda honest: said(job="900" if honest else "")),
    "of another commit": (PermissionRefused, "commit", lambda honest: said(commit=("c" if honest else "d") * 40)),
    "of a deployment that is over": (PermissionRefused, "status", lambda honest: said(status="running" if honest else "success")),
    "of one that still waits": (PermissionRefused, "status", lambda honest: said(status="running" if honest else "blocked")),
    "one of two": (WaitingForHuman, "not approved yet", lambda honest: said(pending=0 if honest else 1)),
    "nobody though somebody is asked": (WaitingForHuman, "not approved yet", lambda honest: said(approvals=(BOB, ANN) if honest else ())),
    "somebody is against it": (PermissionRefused, "rejected", lambda honest: said(approvals=(BOB, ANN if honest else replace(ANN, said="rejected")))),
    "a time that is none": (PermissionRefused, "created_at", lambda honest: said(approvals=(BOB, ANN if honest else replace(ANN, time="soon")))),
    "a time without a zone": (PermissionRefused, "created_at", lambda honest: said(approvals=(BOB, ANN if honest else replace(ANN, time="2026-11-27T10:00:00")))),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_named_and_its_twin_counts(attack: str) -> None:
    kind, words, scenario = ATTACKS[attack]
    assert scenario(True) == ["bob", "ann"]
    with pytest.raises(kind) as refused:
        scenario(False)
    assert words in str(refused.value)


def test_only_the_deployment_of_this_job_is_looked_at() -> None:
    earlier = replace(DEPLOYED, id="4", job="800", approvals=(replace(BOB, login="eve", user="66"),))
    words = words_on((earlier, DEPLOYED, replace(earlier, id="6", job="901")), JOB)
    assert {(w.login, w.deployment) for w in words} == {("bob", "5"), ("ann", "5")}


def test_who_fills_two_rules_is_one_person() -> None:
    assert said(approvals=(BOB, BOB, ANN)) == ["bob", "ann"]


@pytest.mark.parametrize("approvals", [(), (BOB, ANN)], ids=["silence", "words all the same"])
def test_a_forge_that_asks_nobody_has_no_words(approvals: tuple[Agreed, ...]) -> None:
    """No licence, or no rules: that is nobody's approval, and no button either. What somebody said all the same is no complete one."""
    with pytest.raises(PermissionRefused, match="asks nobody") as refused:
        said(asked=0, approvals=approvals)
    assert 'approvals = "button"' in refused.value.next


def test_who_is_against_and_who_is_still_asked_are_looked_at_first() -> None:
    """A rule that GitLab does not show in its summary asks and hears people all the same."""
    with pytest.raises(PermissionRefused, match="rejected: ann"):
        said(asked=0, approvals=(BOB, replace(ANN, said="rejected")))
    with pytest.raises(WaitingForHuman, match="1 of 2, 1 still asked"):
        said(asked=0, pending=1, approvals=(BOB,))


@pytest.mark.parametrize(
    ("comment", "role", "accepted", "reason"),
    [
        ("looks fit", "", (), "looks fit"),
        (
            "looks fit\naccept: champion, slices\nrole: risk-officer",
            "risk-officer",
            ("champion", "slices"),
            "looks fit",
        ),
        ("Accept: champion\r\nfine", "", ("champion",), "fine"),
        ("I accept: nothing by halves", "", (), "I accept: nothing by halves"),
        ("", "", (), ""),
    ],
)
def test_a_comment_may_name_gates_and_a_role(comment: str, role: str, accepted: tuple[str, ...], reason: str) -> None:
    (word,) = words_on((replace(DEPLOYED, asked=1, approvals=(replace(BOB, comment=comment),)),), JOB)
    assert (word.role, word.accepted, word.reason) == (role, accepted, reason)
