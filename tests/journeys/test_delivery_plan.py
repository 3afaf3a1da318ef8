"""`deliver --plan`, `--planned`, and approvals that bind a plan: from an empty ledger to production and on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from lockgate.delivery.delivery_plan.users import NOT_BUILT, NOT_COMPARED

from journeys.walking import FAILED, GOOD, HUMAN, USAGE, WIDTH, DAYS, Lockgate, both, commit, edit, write_sales

pytestmark = pytest.mark.sampled(4)

Copier = Callable[[Lockgate], Lockgate]


def everything(root: Path) -> dict[str, str]:
    """Every file of the project by its digest, but the notes by which the next command is faster."""
    quick = {"graph.json", "seen"}
    files = (p for p in root.rglob("*") if p.is_file() and not quick & set(p.parts))
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def approve(lockgate: Lockgate, plan: str) -> None:
    lockgate("evidence", "latest")
    lockgate(
        "approve",
        "latest",
        "--role",
        "product-owner",
        "--reason",
        "as planned",
        "--key",
        ".lockgate/bob",
        "--plan",
        plan,
    )


def test_planning_writes_nothing_and_runs_nothing(founded: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(founded)
    lockgate("deliver", "--plan")
    before = everything(lockgate.root)
    found = lockgate.json("deliver", "--plan")
    assert everything(lockgate.root) == before
    assert {s["action"] for s in found["steps"]} == {"run"}
    assert found["live"] == {"staging": "", "production": ""}
    assert found["contract"] is None
    assert [b["why"] for b in found["back"]] == ["it has served no release yet"] * 2
    assert [(a["environment"], a["may"]) for a in found["approvals"]] == [("production", ["bob"])]
    assert "shop.model" in found["unknown"]


def test_a_plan_is_carried_out_over_several_calls_and_its_approval_counts_for_it_alone(
    founded: Lockgate, fresh: Copier
) -> None:
    lockgate = fresh(founded)
    said = lockgate("deliver", "--plan", "--save", "plan.json").out
    digest = next(line.split()[1] for line in said.splitlines() if line.startswith("plan sha256:"))
    with both(lockgate) as (staging, production):
        lockgate("deliver", "--planned", "plan.json", expect=HUMAN)
        staging.answers()
        approve(lockgate, "plan.json")
        refused = lockgate("deliver", expect=HUMAN)
        assert "bob's approval does not count: it is for delivery plan" in refused.err
        assert lockgate.live() is None
        lockgate("deliver", "--planned", "plan.json")
        production.answers(lockgate.release())
    wanted = [e for e in lockgate.ledger() if e["what"] == "wanted"]
    assert len(wanted) == 2
    assert lockgate.live() == lockgate.release()
    assert digest.startswith("sha256:")
    again = lockgate("deliver", "--plan").out
    assert "is live in production already" in again
    assert "request and response as the live release has them" in again
    assert [line for line in again.splitlines() if len(line) > WIDTH] == []


def test_an_approval_by_digest_counts_too(waiting: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(waiting)
    digest = lockgate.json("deliver", "--plan", "--save", "plan.json")["digest"]
    approve(lockgate, digest)
    with both(lockgate) as (staging, _):
        staging.answers()
        lockgate("deliver", "--planned", "plan.json")
    assert lockgate.live() == lockgate.release()


def test_what_moved_is_named_and_nothing_runs(delivered: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(delivered)
    lockgate("deliver", "--plan", "--save", "plan.json")
    ledger, runs = lockgate.ledger(), lockgate.json("runs")
    moves: list[tuple[str, str, str]] = [
        ("shop/pipelines.py", "factor: float = 1.0", "factor: float = 1.001"),
        ("shop/pipelines.py", "low=pl.col", "low=1 * pl.col"),
        ("shop/delivery.py", "min_rows=10", "min_rows=11"),
    ]
    named = ("parameter factor 1.0 → 1.001", "shop/pipelines.py changed", "policy ")
    for (file, old, new), words in zip(moves, named, strict=True):
        kept = (lockgate.root / file).read_text()
        edit(lockgate.root, file, old, new)
        done = lockgate("deliver", "--planned", "plan.json", expect=USAGE)
        assert "so nothing ran" in done.err
        assert words in done.err, done.err
        (lockgate.root / file).write_text(kept)
    write_sales(lockgate.root, days=DAYS + 1)
    done = lockgate("deliver", "--planned", "plan.json", expect=USAGE)
    assert "as-of 2020-04-30 → 2020-05-01" in done.err
    assert "input sales" in done.err
    write_sales(lockgate.root, days=DAYS)
    lockgate("people", "add", "eve", "--role", "product-owner", "--new-key", ".lockgate/eve")
    assert "people " in lockgate("deliver", "--planned", "plan.json", expect=USAGE).err
    assert lockgate.ledger()[: len(ledger)] == ledger
    assert len(lockgate.ledger()) == len(ledger) + 1
    assert lockgate.json("runs") == runs


def test_another_release_that_went_live_meanwhile_is_named(delivered: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(delivered)
    edit(lockgate.root, "shop/pipelines.py", "factor: float = 1.0", "factor: float = 1.001")
    commit(lockgate.root, "more")
    lockgate("deliver", "--plan", "--save", "plan.json")
    edit(lockgate.root, "shop/pipelines.py", "factor: float = 1.001", "factor: float = 1.002")
    with both(lockgate) as (staging, production):
        staging.answers()
        production.answers()
        lockgate("deliver", expect=HUMAN)
        lockgate.approve()
        lockgate("deliver")
        edit(lockgate.root, "shop/pipelines.py", "factor: float = 1.002", "factor: float = 1.001")
        done = lockgate("deliver", "--planned", "plan.json", expect=USAGE)
    assert "production: " in done.err
    assert "was live →" in done.err


def test_a_change_of_contract_and_the_way_back_are_told_before(delivered: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(delivered)
    edit(lockgate.root, "shop/pipelines.py", "    note: str\n", "")
    edit(lockgate.root, "shop/pipelines.py", ', note=pl.lit("")', "")
    found = lockgate.json("deliver", "--plan")
    assert found["contract"] == [{"where": "response field note", "what": "is gone", "effect": "breaks"}]
    assert [(b["environment"], b["release"], b["stands"]) for b in found["back"]] == [
        ("staging", lockgate.release(), True),
        ("production", lockgate.release(), True),
    ]
    gates = {g["name"]: g for g in found["gates"]}
    assert (gates["beats_baseline"]["n"], gates["beats_baseline"]["days"]) == (78, 13)
    assert float(gates["beats_baseline"]["resolves"]) > 0
    assert gates["slices"]["groups"] == 2
    lockgate.reject(lockgate.release())
    back = lockgate.json("deliver", "--plan")["back"]
    assert (back[1]["stands"], back[1]["why"]) == (False, "every release that it has served was rejected or revoked")


def test_what_users_see_change_comes_from_the_last_diff(delivered: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(delivered)
    edit(lockgate.root, "shop/pipelines.py", "factor: float = 1.0", "factor: float = 1.2")
    commit(lockgate.root, "a fifth more")
    assert lockgate.json("deliver", "--plan")["users"] == {
        "says": [NOT_BUILT], "next": "lockgate deliver --to staging, then lockgate diff production latest",
    }  # fmt: skip
    with both(lockgate) as (staging, _):
        staging.answers()
        lockgate("deliver", "--to", "staging", expect=None)
    new = lockgate.release()
    asked = lockgate.json("deliver", "--plan")["users"]
    assert asked == {"says": [NOT_COMPARED], "next": f"lockgate diff production {new[7:19]}"}
    lockgate("diff", "production", "latest", "--quick")
    says = lockgate.json("deliver", "--plan")["users"]["says"]
    assert says[0].startswith("78 of 78 answers change")


def test_past_runs_say_what_it_costs(ran: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(ran)
    edit(lockgate.root, "shop/pipelines.py", "factor: float = 1.0", "factor: float = 1.5")
    found = lockgate.json("deliver", "--plan", "--to", "staging")
    steps = {s["name"]: (s["action"], s["seconds"]) for s in found["steps"]}
    assert steps["shop.history"] == ("reuse", None)
    assert steps["shop.model"][0] == "run"
    assert float(steps["shop.model"][1]) > 0  # to 10 ms
    known = sum(float(seconds) for _, seconds in steps.values() if seconds)
    assert float(found["seconds"]) == pytest.approx(known, abs=0.051)  # to 100 ms
    assert found["approvals"] == []
    assert [s["stage"] for s in found["stages"]][-1] == "deploy staging"


def test_a_plan_and_its_options_exclude_each_other(ran: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(ran)
    assert "--save without --plan" in lockgate("deliver", "--save", "x", expect=USAGE).err
    lockgate("deliver", "--plan", "--save", "plan.json", expect=GOOD)
    refused = lockgate("deliver", "--planned", "plan.json", "--to", "staging", expect=USAGE)
    assert "--planned with --to or --param" in refused.err
    (lockgate.root / "plan.json").write_text("{}")
    assert "not a saved delivery plan" in lockgate("deliver", "--planned", "plan.json", expect=USAGE).err
    for given in ("nowhere.json", "sha256:12", "latest"):
        done = lockgate("approve", "latest", "--role", "product-owner", "--reason", "r", "--plan", given, expect=USAGE)
        assert "no such plan" in done.err


def test_a_gate_that_fails_fails_a_planned_delivery_too(founded: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(founded)
    edit(lockgate.root, "shop/delivery.py", "min_rows=10,", "min_rows=10_000,")
    lockgate("deliver", "--plan", "--save", "plan.json")
    lockgate("deliver", "--planned", "plan.json", expect=FAILED)
