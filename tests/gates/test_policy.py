"""The policy file: strict defaults, named mistakes, one digest."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.declare import Gate, Pipeline, approval, deploy_to
from lockgate.errors import UsageError
from lockgate.gates.policy import (
    EnvironmentRules,
    Policy,
    check_policy,
    declaration,
    duration,
    limits_for,
    parse_policy,
    policy_digest,
)

TEXT = """
[approval]
self_approval = "flagged"
grade = "signed"

[roles.product-owner]
need = 2

[limits.slices]
worst_over_best = 1.5

[environments.staging]
protected = false
"""
SLICES = Gate("slices", "lockgate.gates.evidence.slices:measure", "slices", {"by": ["band"]}, {"min_n": 200})
PIPELINE = Pipeline(
    "demand-delivery",
    kind="delivery",
    stages=[SLICES, deploy_to("staging"), approval("product-owner"), deploy_to("production")],
)


def test_the_whole_file() -> None:
    policy = parse_policy(TEXT)
    assert policy == Policy(
        self_approval="flagged", grade="signed", need={"product-owner": 2}, limits={"slices": {"worst_over_best": 1.5}},
        environments={"staging": EnvironmentRules(protected=False)},
    )  # fmt: skip
    check_policy(policy, PIPELINE)
    assert limits_for(policy, SLICES) == {"min_n": 200, "worst_over_best": 1.5}


def test_an_empty_file_is_strict() -> None:
    policy = parse_policy("")
    assert policy == Policy()
    assert (policy.self_approval, policy.environment("anything").protected) == ("refused", True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[aproval]", "approval?"),
        ("[approval]\nself_aproval = 'flagged'", "self_approval?"),
        ("[approval]\nself_approval = 'allowed'", "refused, flagged"),
        ("[approval]\ngrade = 'pressed'", "allowed: signed, attested"),
        ("[environments.production]\nremeasured = -1", "at least 0"),
        ("[environments.production]\nremeasured = true", "at least 0"),
        ("[environments.production]\nremeasure = 1", "remeasured?"),
        ("[roles.owner]\nneeds = 1", "need?"),
        ("[roles.owner]\nneed = 0", "at least 1"),
        ("[roles.owner]\nneed = true", "at least 1"),
        ("[roles]\nowner = 1", "a table"),
        ("[limits.slices]\nx = nan", "finite"),
        ("[limits.slices]\nwhy = 7", "text"),
        ("[limits.slices]\nx = [1]", "finite"),
        ("[environments.production]\nprotect = true", "protected?"),
        ("[environments.production]\nprotected = 'no'", "true or false"),
        ("approval = 3", "a table"),
        ("[approval]\nexclude = ['policy_editors']", "policy_editor?"),
        ("[approval]\nanswers = 'yes'", "true or false"),
        ("[waiver]", "waivers?"),
        ("[waivers]\nneed = { risk = 1, owner = 1 }\nnevr = []", "never?"),
        ("[waivers]\nneed = { risk = 1 }", "two signers or more"),
        ("[waivers]\nmax = '30d'", "two signers or more"),
        ("[waivers]\nneed = { risk = 1, operator = 1 }", "roles of people"),
        ("[waivers]\nneed = { risk = 1, owner = 1 }\nmax = '1y'", "30m, 12h"),
        ("[waivers]\nneed = { risk = 0, owner = 2 }", "at least 1"),
        ("[break_glass]\nrole = ['owner']", "roles?"),
        ("[break_glass]\nroles = ['deliverer']", "roles of people"),
        ("[break_glass]\nroles = ['owner']\nlasts = '2d'", "24h at most"),
        ("[break_glass]\nroles = 'owner'", "a list"),
        ("[revocation]\nrole = ['risk']", "roles?"),
        ("[approval", "not valid TOML"),
    ],
)
def test_a_mistake_names_the_key_and_what_is_allowed(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_policy(text, name="rules.toml")
    assert words in str(caught.value)
    assert "rules.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[limits.slice]\nmin_n = 1", "slices?"),
        ("[roles.product-onwer]\nneed = 1", "product-owner?"),
        ("[environments.prod]\nprotected = true", "production"),
        ("[waivers]\nneed = { risk = 1, owner = 1 }\nnever = ['slice']", "slices?"),
    ],
)
def test_a_name_that_is_in_no_stage_is_an_error(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_policy(parse_policy(text), PIPELINE)
    assert words in str(caught.value)


def test_a_limit_set_twice_is_an_error_that_names_both_places() -> None:
    with pytest.raises(UsageError) as caught:
        check_policy(parse_policy("[limits.slices]\nmin_n = 50"), PIPELINE)
    assert "policy.toml [limits.slices] min_n = 50" in str(caught.value)
    assert "delivery declaration 200" in str(caught.value)


def test_a_reason_is_kept_and_decides_nothing() -> None:
    reasoned = parse_policy(TEXT.replace("worst_over_best = 1.5", 'worst_over_best = 1.5\nwhy = "as it was before"'))
    assert reasoned.reasons == {"slices": "as it was before"}
    assert reasoned.limits == parse_policy(TEXT).limits
    digests = {policy_digest(p, declaration(PIPELINE)) for p in (reasoned, parse_policy(TEXT))}
    assert len(digests) == 1


def test_every_rule_and_every_declared_value_is_in_the_digest() -> None:
    base = policy_digest(parse_policy(TEXT), declaration(PIPELINE))
    changed = [
        policy_digest(parse_policy(TEXT.replace(*change)), declaration(PIPELINE))
        for change in (("flagged", "refused"), ("need = 2", "need = 1"), ("1.5", "1.6"), ("false", "true"))
    ]
    stages = list(PIPELINE.stages)
    pipelines = [
        replace(PIPELINE, stages=[replace(SLICES, limits={"min_n": 199}), *stages[1:]]),
        replace(PIPELINE, stages=[replace(SLICES, params={}), *stages[1:]]),
        replace(PIPELINE, stages=[replace(SLICES, evidence=duration), *stages[1:]]),
        replace(PIPELINE, stages=[*stages[:2], approval("product-owner", valid_for="8d"), stages[3]]),
        replace(PIPELINE, stages=stages[1:]),
        replace(PIPELINE, stages=[stages[1], stages[0], *stages[2:]]),
    ]
    changed += [policy_digest(parse_policy(TEXT), declaration(p)) for p in pipelines]
    assert len({base, *changed}) == 1 + len(changed)


EXCEPTIONS = """
[approval]
exclude = ["policy_editor"]
answers = true

[waivers]
need = { risk = 1, product-owner = 2 }
never = ["slices"]

[break_glass]
roles = ["product-owner"]
lasts = "12h"

[revocation]
roles = ["risk"]
"""


def test_what_is_exceptional_is_in_the_digest_only_where_it_is_said() -> None:
    """An upgrade that brings new tables voids nobody's signature: the digest of a file that does not use them stays."""
    declared = declaration(PIPELINE)
    assert policy_digest(parse_policy(TEXT), declared) == (
        "sha256:5c1159e1474ebd7eceb3705a0a109807b58c9b206c1a2fb53ab083acea443e1f"  # by the code before these tables
    )
    base = policy_digest(parse_policy(EXCEPTIONS), declared)
    changes = [
        ('["policy_editor"]', "[]"), ("answers = true", "answers = false"), ("risk = 1,", "risk = 2,"),
        ('never = ["slices"]', "never = []"), ('roles = ["product-owner"]', "roles = []"), ('"12h"', '"11h"'),
        ('roles = ["risk"]', 'roles = ["trustee"]'),
    ]  # fmt: skip
    changed = [policy_digest(parse_policy(EXCEPTIONS.replace(*c)), declared) for c in changes]
    assert len({base, *changed}) == 1 + len(changed)


def test_measuring_again_is_in_the_digest_only_where_it_is_asked() -> None:
    declared, line = declaration(PIPELINE), "[environments.production]\n"
    base, none, one, two = (
        policy_digest(parse_policy(line + more), declared)
        for more in ("", "remeasured = 0", "remeasured = 1", "remeasured = 2")
    )
    assert base == none
    assert len({base, one, two}) == 3
    assert parse_policy(line + "remeasured = 2").environment("production").remeasured == 2
    assert parse_policy("").environment("production").remeasured == 0


def test_without_a_word_nobody_waives_and_nobody_breaks_the_glass() -> None:
    found = parse_policy("").exceptions
    assert (found.waivers.need, found.break_glass.roles, found.revokers) == ({}, (), ("trustee",))


def test_layout_and_comments_are_not_in_the_digest() -> None:
    turned = "# rules\n" + "\n\n".join(reversed(TEXT.strip().split("\n\n")))
    assert policy_digest(parse_policy(turned), declaration(PIPELINE)) == policy_digest(
        parse_policy(TEXT), declaration(PIPELINE)
    )


@given(st.integers(1, 9999), st.sampled_from("mhdw"))
def test_durations(count: int, unit: str) -> None:
    seconds = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}[unit]
    assert duration(f"{count}{unit}") == timedelta(seconds=count * seconds)


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-1d", "1.5d", "7 d", "7y", "99999d", "7d\n"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError, match="not a duration"):
        duration(text)
