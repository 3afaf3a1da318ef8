"""A release that decides about people: groups first, by their own rates; what is waived stays failed and says so."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from lockgate.evaluation.scored import Scored
from lockgate.evaluation.summary import summary
from lockgate.gates.evidence.fairness import evidence as fairness
from lockgate.records.evidence import Estimate, GroupEstimate, Verdict
from lockgate.records.pack import Metric, Pack, SigningRule
from lockgate.release.cases import CLOSE, choose
from lockgate.release.evidence_page import render
from lockgate.release.headline import headline
from lockgate.release.minute import answers
from lockgate.release.rates import rates

N = 900


def decided() -> Scored:
    """Applications: of group b fewer are approved; ten rows of group c are too few for anything."""
    random = np.random.default_rng(2)
    group = np.where(np.arange(N) < 10, "c", np.where(np.arange(N) % 3 == 0, "b", "a"))
    score = np.clip(random.beta(5, 2, N) - np.where(group == "b", 0.2, 0.0), 0.01, 0.99)
    truth = (random.random(N) < score).astype(float)
    table = {"score": score, "approve": score >= 0.6, "actual": truth, "group": group, "income": random.normal(size=N)}
    return Scored(columns=table, truth="actual", answer="approve", score="score", keys=())


@pytest.fixture(scope="module")
def pack() -> Pack:
    scored = decided()
    found = fairness(
        scored, estimand="selection_rate", by=["group"], on="ratio", reference={"group": "a"}, crossed=1, min_n=50
    )
    measured = summary(scored, ["group"], metric="accuracy")
    groups = tuple(
        GroupEstimate(by="group", group=g["group"], estimate=Estimate(name="accuracy", value=g["estimate"]["value"],
                      low=g["estimate"]["low"], high=g["estimate"]["high"], n=g["estimate"]["n"], unit="share"))
        for g in measured["groups"]
    )  # fmt: skip
    verdict = Verdict(gate="shares", kind="fairness", outcome="fail", reason="b is served worse.")
    import dataclasses

    return Pack(
        project="lending", release="sha256:" + "1" * 64, as_of=dt.date(2026, 11, 27), environment="production",
        metric=Metric(name="accuracy", lower_is_better=False), verdicts=(verdict,),
        evidence=(dataclasses.replace(found, gate="shares"),), groups=groups,
    )  # fmt: skip


def test_the_group_of_people_that_is_served_worst_comes_first(pack: Pack) -> None:
    [one] = rates(pack)
    assert [r.name for r in one.rows] == ["group: b"]
    own = decided().columns["approve"][decided().labels("group") == "b"]
    assert float(one.rows[0].own.value or 0) == pytest.approx(own.mean(), abs=1e-5)
    assert one.rows[0].own.n == len(own)
    first = {a.question: a.answer for a in answers(pack)}["Which group is worst off, by how much?"]
    assert first.startswith("Share of yes answers, group “group: b”:") and "% of a." in first
    html = render(pack)
    assert html.index("each group’s rate beside the one it is held against") < html.index("by group, worst first")


def test_a_group_too_small_to_measure_is_named() -> None:
    found = summary(decided(), ["group"], metric="accuracy")
    assert {g["group"] for g in found["groups"]} == {"a", "b"}
    assert found["not_assessed"] == ["group = c: 10 rows, fewer than 30"]


def test_a_row_close_to_the_decision_is_shown() -> None:
    scored = decided()
    close = [row for row, why in choose(scored, None, 5) if why == CLOSE]
    distance = np.abs(scored.role("score") - 0.6)
    assert len(close) == 5 and distance[close].max() < np.quantile(distance, 0.05)


def test_what_is_waived_stays_failed_and_may_be_approved(pack: Pack) -> None:
    import dataclasses

    assert not headline(pack.verdicts).may_approve
    assert headline(pack.verdicts, {"other": ""}).may_approve is False
    passing = (*pack.verdicts, Verdict(gate="leak", kind="k", outcome="pass", reason="r"))
    found = headline(passing, {"shares": "…"})
    assert found.may_approve and found.mark.tone == "uncertain"
    assert found.sentence.endswith("none else fails, none is uncertain. 1 check fails and is waived (shares).")
    html = render(dataclasses.replace(
        pack, verdicts=passing, waived={"shares": "is waived by pat (risk) until tomorrow"}, exceptions=("shares is waived",),
        rule=SigningRule(role="owner"),
    ))  # fmt: skip
    assert "✗</span> fails</span>" in html
    assert "It is waived by pat (risk) until tomorrow." in html
    assert "lockgate approve" in html
