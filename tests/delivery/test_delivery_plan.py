"""A delivery plan as a file, who must agree, and how users' changes are said: pure rules on records."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lockgate.cli.deliver_plan import text
from lockgate.declare import Gate, approval, deploy_to
from lockgate.delivery.delivery_plan.agreed import read_plan, save_plan
from lockgate.delivery.delivery_plan.people import asked_of
from lockgate.delivery.delivery_plan.users import movement_in_words
from lockgate.delivery.walk import Walk
from lockgate.errors import UsageError
from lockgate.gates.policy import EnvironmentRules, Policy
from lockgate.records.delivery_plan import (
    FORMAT,
    ApprovalAhead,
    DeliveryPlan,
    FieldChange,
    GateAhead,
    StepAhead,
    UsersAhead,
    WayBack,
)
from lockgate.records.evidence import Estimate
from lockgate.records.movement import Moved, Movement
from lockgate.testing.scene import CAST, person, release

PLAN = DeliveryPlan(
    format=FORMAT, project="demand", pipeline="demand-delivery", to=None, params={"model": {"rate": 0.1}}, as_of="2011-10-15",
    policy=release("policy"), people=release("people"), live={"staging": "", "production": release("r1")},
    made_of={"demand.model": {"inputs": {}, "parameters": {}, "packages": [], "definitions": [["model", "m.py", 3, "blake3:1"]]}},
    code={"predict.py": "blake3:2"}, steps=(StepAhead(name="demand.model", action="run", reason="never ran here", seconds="12.50"),),
    stages=(("gate slices", "worst_over_best 1.5"), ("deploy production", "protected")),
    gates=(GateAhead(name="champion", asks="at most 2.0% higher", rests_on="26,140 rows over 24 days", n=26140, days=24, resolves="0.013", unit="harm"),
           GateAhead(name="no_leak", asks="max_rows 0", rests_on="1,000 rows", why="a count is exact")),
    approvals=(ApprovalAhead(environment="production", role="product-owner", need=2, valid_for="7d", may=("pat",), excluded=("pia",)),),
    contract=(FieldChange(where="response field note", what="is gone", effect="breaks"),), users=UsersAhead(next="lockgate diff production latest"),
    back=(WayBack(environment="production", release=release("r1"), stands=True),), seconds="12.5", unknown=("bundling", "gates"),
)  # fmt: skip


def test_a_plan_is_read_back_as_it_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    save_plan(path, PLAN)
    found = read_plan(path)
    assert found == PLAN
    assert found.digest == PLAN.digest == json.loads(path.read_bytes())["digest"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("7d", "8d"),
        ('"stands": true', '"stands": false'),
        ("12.5", "1.5"),
        ("2011-10-15", "2011-10-16"),
        ("pia", "pie"),
    ],
)
def test_any_line_that_is_changed_is_noticed(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "plan.json"
    save_plan(path, PLAN)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(UsageError, match="was changed after it was saved"):
        read_plan(path)


def test_a_plan_whose_digest_is_changed_with_it_is_another_plan(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    other = replace(PLAN, as_of="2011-10-16")
    save_plan(path, other)
    assert read_plan(path).digest != PLAN.digest


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"7", b"\xff\xfe", b"{}", b'{"format": "lockgate-plan/1"}', b'{"format": "lockgate-delivery-plan/1"}', b"[" * 100_000]
)  # fmt: skip
def test_what_is_no_plan_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="not a saved delivery plan"):
        read_plan(path)
    with pytest.raises(UsageError, match="not a saved delivery plan"):
        read_plan(tmp_path / "nowhere")


def test_fields_that_a_newer_version_wrote_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    newer = replace(PLAN, extra={"carbon": "0.3 kg"})
    save_plan(path, newer)
    assert read_plan(path).extra == {"carbon": "0.3 kg"}
    assert read_plan(path).digest == newer.digest


def walk(policy: Policy) -> Walk:
    stages = (Gate("g", "m:f", "holds", {}, {}), deploy_to("staging"), approval("product-owner", valid_for="7d"),
              approval("risk", valid_for="1d"), deploy_to("production"))  # fmt: skip
    return Walk(None, None, stages, {}, policy, release("policy"), None)  # type: ignore[arg-type]


def test_who_may_agree_and_who_is_left_out_for_own_work() -> None:
    assert asked_of(walk(Policy()), CAST, "staging", own=()) == ()
    owner, risk = asked_of(walk(Policy(need={"product-owner": 2})), CAST, "production", own={"pat"})
    assert (owner.role, owner.need, owner.valid_for, owner.may, owner.excluded) == (
        "product-owner",
        2,
        "7d",
        ("pia",),
        ("pat",),
    )
    assert not owner.possible
    assert (risk.role, risk.need, risk.valid_for, risk.may, risk.possible) == ("risk", 1, "1d", ("rik",), True)


def test_who_measures_again_holds_both_roles_and_is_not_whose_work_it_is() -> None:
    again = Policy(environments={"production": EnvironmentRules(remeasured=2)})
    more = (("val", "deliverer", "validator"), ("vic", "validator"), ("sue", "deliverer", "validator"))
    *_, measuring = asked_of(walk(again), [*CAST, *(person(*p) for p in more)], "production", own={"sue"})
    assert (measuring.role, measuring.need, measuring.may, measuring.excluded) == ("validator", 2, ("val",), ("sue",))
    assert not measuring.possible
    said = " ".join(text(replace(PLAN, approvals=(measuring,))).split())
    assert (
        "before production: every gate is measured again by 2 validators: val; not sue: own work; "
        "too few hold the role: lockgate people add"
    ) in said
    assert all(a.role != "validator" for a in asked_of(walk(again), CAST, "staging", own=()))


def test_own_work_that_is_flagged_leaves_nobody_out() -> None:
    owner, _ = asked_of(walk(Policy(self_approval="flagged")), CAST, "production", own={"pat", "pia"})
    assert (owner.may, owner.excluded, owner.flagged) == (("pat", "pia"), (), True)


def test_a_machine_never_fills_a_role() -> None:
    (owner, _) = asked_of(walk(Policy()), [replace(CAST[-1], roles=("product-owner",))], "production", own=())
    assert (owner.may, owner.possible) == ((), False)


def test_the_page_says_what_there_is_in_a_hundred_columns() -> None:
    said = text(PLAN)
    assert [line for line in said.splitlines() if len(line) > 100] == []
    for words in (
        "demand-delivery, as of 2011-10-15, up to production",
        "champion  26,140 rows, 24 days  ± 1.3 points  at most 2.0% higher",
        "before production: 2 people as product-owner, for 7d: pat; not pia: own work; too few hold the role",
        "response field note is gone: breaks",
        "next: lockgate diff production latest",
        "which stands",
        "12.5 s for what runs, by past runs; not known: bundling, gates",
    ):
        assert words in " ".join(said.split()) or words in said


def test_no_limit_is_cut() -> None:
    long = "min_rows 1000, min_days 1, max_bad_share 0, and much more that somebody should read before they agree"
    said = text(replace(PLAN, gates=(replace(PLAN.gates[0], asks=long), PLAN.gates[1])))
    assert [line for line in said.splitlines() if len(line) > 100] == []
    assert "…" not in said
    assert all(word in said for word in long.split())
    assert "somebody should" in " ".join(said.split())


def moved(value: str, low: str, high: str, *, better: str = "lower") -> Movement:
    def number(v: str) -> Estimate:
        return Estimate(name="wape", value=v, unit="share")

    overall = Moved(
        by="all",
        group="all answers",
        rows=1000,
        shares={"0.05": "0.4", "0.1": "0.25", "0.25": "0.1"},
        before="3",
        after="3.1",
    )
    return Movement(
        rows=1000, days=24, first="2011-10-01", last="2011-10-24", same=400, same_bounds=0, widths=("1", "1"), overall=overall,
        groups=(), largest=(), metric={"words": "forecast error (WAPE)", "better": better}, before=number("0.61"), after=number("0.59"),
        relative=Estimate(name="r", value=value, low=low, high=high, unit="share"), difference=number("-0.02"),
    )  # fmt: skip


def test_what_users_see_change_is_two_sentences() -> None:
    answers, metric = movement_in_words(moved("-0.03", "-0.05", "-0.01"))
    assert answers == "600 of 1,000 answers change; 25.0% by more than 10%"
    assert metric.startswith("forecast error (WAPE) 61")
    assert "better" in metric


def test_more_of_what_is_better_higher_is_better() -> None:
    _, metric = movement_in_words(moved("-0.03", "-0.05", "-0.01", better="higher"))
    assert metric.endswith(": 1.0% to 5.0% worse")
