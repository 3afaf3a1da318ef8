"""The rules: pure, three-way, closed by default; every verdict is one sentence for people."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.evaluation.intervals import newcombe
from lockgate.gates.rules import LIMITS, judge, three_way
from lockgate.records.evidence import Estimate, Evidence, Verdict, decimal

OUTCOMES = ("pass", "fail", "uncertain", "not_applicable")
ORDER = {"fail": 0, "uncertain": 1, "pass": 2}
PARAMS = {"words": "forecast error (WAPE)", "against": "the best simple method (day-of-week median)", "better": "lower"}

numbers = st.floats(-2, 2).map(lambda x: round(x, 4))


def relative(value: float, low: float, high: float, *, days: int = 24, **params: object) -> Evidence:
    estimate = Estimate(
        name="relative_difference", value=decimal(value), low=decimal(low), high=decimal(high), n=26140, blocks=days,
        unit="share",
    )  # fmt: skip
    return Evidence(gate="beats_baseline", kind="beats_baseline", statistic=estimate, params={**PARAMS, **params})


def verdict(outcome: str) -> Verdict:
    return Verdict(gate="g", kind="k", outcome=outcome, reason="")


def test_the_sentence_a_product_owner_reads():
    found = judge(relative(-0.031, -0.05, -0.012), "better", {})
    assert (found.outcome, found.settles) == ("pass", "")
    assert found.reason == (
        "Forecast error (WAPE) is 3.1% lower than the best simple method (day-of-week median); "
        "95% interval 1.2% to 5.0% lower; 26,140 rows over 24 days."
    )
    assert found.threshold == {"margin": "0"}


def test_uncertain_says_what_would_settle_it():
    found = judge(relative(-0.01, -0.025, 0.005), "better", {})
    assert found.outcome == "uncertain"
    assert "2.5% lower to 0.5% higher" in found.reason
    assert found.settles.startswith("About 30 more days of the same kind would settle it as a pass, if")
    worse = judge(relative(0.01, -0.005, 0.025), "better", {})
    assert worse.settles.startswith("About 30 more days of the same kind would settle it as a fail, if")
    assert "Even thirty times" in judge(relative(0.0, -0.02, 0.02), "better", {}).settles


@pytest.mark.parametrize(
    ("rule", "limits", "value", "low", "high", "outcome"),
    [
        ("better", {}, 0, 0, 0, "fail"),
        ("not_worse", {}, 0, 0, 0, "pass"),
        ("better", {"margin": "0.02"}, -0.031, -0.05, -0.012, "uncertain"),
        ("better", {"margin": 0.01}, -0.031, -0.05, -0.012, "pass"),
        ("not_worse", {"margin": "0.01"}, 0.005, 0.001, 0.01, "pass"),
        ("not_worse", {}, 0.005, 0.001, 0.01, "fail"),
        ("not_worse", {}, -0.005, -0.02, 0.01, "uncertain"),
    ],
)
def test_margins(rule, limits, value, low, high, outcome):
    assert judge(relative(value, low, high), rule, limits).outcome == outcome


def test_where_higher_is_better_the_rule_is_mirrored():
    assert judge(relative(0.03, 0.01, 0.05, better="higher"), "better", {}).outcome == "pass"
    assert judge(relative(-0.03, -0.05, -0.01, better="higher"), "not_worse", {}).outcome == "fail"


@given(numbers, numbers, numbers, numbers, st.booleans())
def test_three_way_is_monotone_in_the_limit(a, b, limit, step, strict):
    low, high = (Decimal(str(x)) for x in sorted((a, b)))
    tight, loose = Decimal(str(limit)), Decimal(str(limit)) + abs(Decimal(str(step)))
    assert ORDER[three_way(low, high, tight, strict=strict)] <= ORDER[three_way(low, high, loose, strict=strict)]
    assert ORDER[three_way(low, high, tight, strict=True)] <= ORDER[three_way(low, high, tight)]


@given(numbers, st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.5), st.floats(0, 0.5))
def test_a_wider_margin_never_turns_a_verdict_worse(value, down, up, margin, more):
    evidence = relative(value, value - down, value + up)
    tight, loose = repr(round(margin, 6)), repr(round(margin + more, 6))
    not_worse = [ORDER[judge(evidence, "not_worse", {"margin": m}).outcome] for m in (tight, loose)]
    better = [ORDER[judge(evidence, "better", {"margin": m}).outcome] for m in (tight, loose)]
    assert not_worse[0] <= not_worse[1]
    assert better[0] >= better[1]


@pytest.mark.parametrize("rule", sorted(LIMITS))
@pytest.mark.parametrize("missing", ["value", "low"])
def test_a_missing_number_fails_with_its_reason(rule, missing):
    have = {"value": "0.5", "low": "0.4", "high": "0.6"}
    have = {**have, missing: None} if missing == "low" else dict.fromkeys(have)
    evidence = Evidence(gate="g", kind="k", statistic=Estimate(name="x", why="group has no positives", **have))
    limits = {name: "1" for name, default in LIMITS[rule].items() if default is None}
    found = judge(evidence, rule, limits)
    assert found.outcome == "fail"
    assert found.reason.endswith(".")
    if missing == "value":
        assert "group has no positives" in found.reason


@pytest.mark.parametrize("text", ["NaN", "Infinity", "abc", "-inf", ""])
def test_a_number_that_is_none_fails(text):
    for field in ("value", "low", "high"):
        have = {"value": "0", "low": "-1", "high": "1", field: text}
        evidence = Evidence(gate="g", kind="k", statistic=Estimate(name="x", **have), params=PARAMS)
        assert judge(evidence, "not_worse", {"margin": "5"}).outcome == "fail"


@pytest.mark.parametrize(
    ("rule", "limits", "says"),
    [
        ("bettter", {}, "better?"),
        ("better", {"margni": "0"}, "margin?"),
        ("better", {"margin": "NaN"}, "not a number"),
        ("better", {"margin": True}, "not a number"),
        ("better", {"margin": None}, "not a number"),
        ("at_most", {}, "not a number"),
    ],
)
def test_a_wrong_rule_or_limit_fails_and_says_so(rule, limits, says):
    found = judge(relative(-0.5, -0.6, -0.4), rule, limits)
    assert found.outcome == "fail"
    assert says in found.reason


def test_only_the_champion_rule_may_not_apply():
    evidence = Evidence(
        gate="g", kind="k", statistic=Estimate(name="x", value=None, why="there is no live release yet"),
        params={"applicable": False},
    )  # fmt: skip
    assert judge(evidence, "not_worse", {}).outcome == "not_applicable"
    assert judge(evidence, "better", {}).outcome == "fail"


@pytest.mark.parametrize(
    ("n", "gap", "expected"),
    [
        (100, 0.00, (0.000, 0.999, 0.001)),
        (400, 0.00, (0.655, 0.345, 0.000)),
        (400, 0.10, (0.025, 0.951, 0.024)),
        (400, 0.15, (0.000, 0.698, 0.302)),
        (1600, 0.05, (0.828, 0.172, 0.000)),
        (1600, 0.10, (0.026, 0.950, 0.024)),
        (1600, 0.15, (0.000, 0.174, 0.826)),
    ],
)
def test_operating_characteristics_of_the_three_way_rule(n, gap, expected):
    """A gap between two rates around 0.4, limit 0.10 either way: 1,500 seeded samples, passed, open and failed."""
    random, runs = np.random.default_rng([n, int(gap * 100)]), 1500
    hits = random.binomial(n, [0.4 + gap / 2, 0.4 - gap / 2], size=(runs, 2))
    found = {"pass": 0, "uncertain": 0, "fail": 0}
    for worse, best in hits.tolist():
        interval = newcombe((worse, n), (best, n))
        evidence = Evidence(gate="gap", kind="gap", statistic=interval.estimate("gap"))
        found[judge(evidence, "nominal", {"nominal": "0", "tolerance": "0.1"}).outcome] += 1
    for outcome, share in zip(found, expected, strict=True):
        assert found[outcome] / runs == pytest.approx(share, abs=max(0.004, 4 * (share * (1 - share) / runs) ** 0.5))


@pytest.mark.parametrize(("value", "low", "high", "more"), [("1.4", "1.3", "1.6", 72), ("1.6", "1.4", "1.7", 72)])
def test_what_settles_looks_at_the_bound_beyond_the_limit(value, low, high, more):
    """Twice as far as the limit is away: four times the days, so three times as many more."""
    statistic = Estimate(name="worst_over_best", value=value, low=low, high=high, n=900, blocks=24)
    ends = {"worst": {"by": "band", "group": "low"}, "best": {"by": "band", "group": "high"}}
    evidence = Evidence(gate="g", kind="k", statistic=statistic, params={**PARAMS, **ends})
    for rule, limits in (("alike", {}), ("at_most", {"at_most": "1.5"}), ("at_least", {"at_least": "1.5"})):
        found = judge(evidence, rule, limits)
        assert found.outcome == "uncertain"
        assert found.settles.startswith(f"About {more} more days")
