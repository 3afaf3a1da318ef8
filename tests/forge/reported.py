"""One merge request to report on, put together by hand: a pack, a difference of two releases, gates of every kind."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

from lockgate.forge.note import GateSaid, Noted
from lockgate.records.evidence import Estimate, Evidence, GroupEstimate, Outcome, Verdict
from lockgate.records.findings import Importance
from lockgate.records.movement import Attribution, Effect, Moved, MovedAnswer, Movement, ReleaseDifference, Unbuilt
from lockgate.records.pack import Change, Day, Holdout, Metric, Pack, Question

LIVE, PROPOSED = "sha256:" + "a1" * 32, "sha256:" + "b2" * 32


def share(name: str, value: str, low: str | None = None, high: str | None = None, **more: Any) -> Estimate:
    return Estimate(name=name, value=value, low=low, high=high, n=4312, blocks=28, unit="share", **more)


def group(by: str, name: str, value: str) -> GroupEstimate:
    return GroupEstimate(
        by=by, group=name, estimate=share("wape", value, f"{float(value) - 0.05:.2f}", f"{float(value) + 0.06:.2f}")
    )


def judged(
    gate: str, outcome: Outcome, kind: str = "", *, reason: str = "It is so.", **more: Any
) -> tuple[Verdict, Evidence]:
    kind = kind or gate
    evidence = Evidence(
        gate=gate, kind=kind, statistic=more.pop("statistic", share("late", "0.1", "0.08", "0.13")), **more
    )
    settles = "About 200 more days would settle it as a pass." if outcome == "uncertain" else ""
    return Verdict(gate=gate, kind=kind, outcome=outcome, reason=reason, settles=settles), evidence


JUDGED = (
    judged("enough_good_data", "pass", not_assessed=("volume_band=rare: n 40 < 200",)),
    judged("no_leak", "fail", reason="3 of 300 training answers cannot be had from what was known on their day."),
    judged(
        "champion", "uncertain", reason="Forecast error (WAPE) is 0.3% higher than the live release; 95% interval 0.4% lower to 0.9% higher.",
        statistic=share("relative_difference", "0.003", "-0.004", "0.009"),
        also=(share("wape", "0.391", "0.37", "0.42"), share("wape_of_champion", "0.39", "0.36", "0.42")),
    ),
    judged("slices", "pass", groups=(group("volume_band", "low", "0.61"), group("new", "True", "0.52"))),
)  # fmt: skip


def answer(position: int, before: str, after: str, **parts: str) -> MovedAnswer:
    change = f"{float(after) - float(before):.6g}"
    return MovedAnswer(
        position=position, request={"product": f"{22000 + position}", "date": "2011-10-03"}, as_of="2011-09-28", before=before, after=after,
        change=change, relative=None, actual="31", labels={"product": f"{22000 + position}" if position % 3 else "CHILLI LIGHTS"},
        parts=parts, reasons_before=("It sold 12 a day.",), reasons_after=("It sold 12 a day.", "Prices fell by 8 %."),
    )  # fmt: skip


def difference() -> ReleaseDifference:
    moved = Movement(
        rows=4312, days=28, first="2011-09-17", last="2011-10-14", same=1078, same_bounds=1078, widths=("14.2", "13.9"),
        overall=Moved(by="all", group="all answers", rows=4312, shares={"0.05": "0.5", "0.1": "0.269", "0.25": "0.02"}, before="11.4", after="11.0"),
        groups=tuple(
            Moved(by="volume_band", group=f"band {n}", rows=100, shares={"0.05": "0.5", "0.1": f"0.{50 - n}", "0.25": "0.1"}, before="4.5", after="4.3")
            for n in range(10)
        ),
        largest=tuple(answer(n, f"{54 - n}", f"{48 - n / 2}", code="-5.5", data=f"{n / 2 - 0.5:.6g}") for n in range(20)),
        metric={"name": "wape", "words": "forecast error (WAPE)", "unit": "share", "better": "lower"},
        before=share("wape", "0.39", "0.36", "0.42"), after=share("wape", "0.391", "0.37", "0.42"),
        relative=share("relative_difference", "0.003", "-0.004", "0.009"), difference=share("difference", "0.001", "-0.002", "0.004"),
    )  # fmt: skip
    shares = {"0.05": "0.4", "0.1": "0.21", "0.25": "0.01"}
    effects = (
        Effect(name="code", metric=share("code", "0.002", "0.001", "0.003"), answers=Estimate(name="code", value="-0.41", low="-0.6", high="-0.2"), shares=shares),
        Effect(name="data", metric=share("data", "-0.001", "-0.002", "0"), answers=Estimate(name="data", value="0.01", low="-0.1", high="0.1"), shares=shares),
        Effect(name="together", metric=share("together", "0"), answers=Estimate(name="together", value="0"), includes=("packages",)),
    )  # fmt: skip
    split = Attribution(
        factors=("code", "data", "packages"), rows=4312, metric=share("difference", "0.001", "-0.002", "0.004"),
        answers=Estimate(name="mean_answer", value="-0.4", low="-0.6", high="-0.1"), effects=effects,
    )  # fmt: skip
    return ReleaseDifference(
        before=LIVE, after=PROPOSED, movement=moved, attribution=split, unbuilt=(Unbuilt(factor="packages", why="scipy 1.17 is in no registry here"),),
        words=(("code", "demand/features.py: describe"), ("data", "a week more: known up to 14 October 2011 instead of 7 October 2011")),
    )  # fmt: skip


def pack() -> Pack:
    return Pack(
        project="demand", release=PROPOSED, as_of=dt.date(2011, 10, 15), environment="production", live=LIVE,
        metric=Metric(name="wape", title="Forecast error (WAPE)", meaning="all misses added up, as a share of the sum of what really happened"),
        holdout=Holdout(rows=4312, days=28, first=dt.date(2011, 9, 17), last=dt.date(2011, 10, 14), origins=4),
        verdicts=tuple(v for v, _ in JUDGED), evidence=tuple(e for _, e in JUDGED), overall=share("wape", "0.391", "0.37", "0.42"),
        groups=tuple(group("volume_band", name, value) for name, value in (("low", "0.61"), ("middle", "0.45"), ("high", "0.31"))),
        changes=(Change(kind="features", what="field price", before="number", after="number, may be missing"),
                 Change(kind="data", what="source sales", before="aa", after="bb", is_digest=True)),
        days=tuple(Day(date=dt.date(2011, 10, n), actual=90.0 + n, forecast=88.0 + n, low=80.0, high=101.0) for n in range(1, 9)),
        cautions=("the test has few rows of new products",), missing=("how the requests of today are spread: this machine has served none",),
        questions=(Question(text="Who is worst off, and can you live with how they are served?"),),
        importances=(Importance(name="history.units", harm=share("harm", "0.2", "0.1", "0.3")),),
    )  # fmt: skip


def noted(**changed: Any) -> Noted:
    """A release that may be signed for; its failed gate is waived."""
    gates = [
        GateSaid(gate=v.gate, verdict=v, beside="waived: Frank (risk) until Monday" if v.gate == "no_leak" else "")
        for v, _ in JUDGED
    ]
    said = Noted(
        project="demand", release=PROPOSED, environment="production", commit="c0ffee" * 6 + "abcd", live=LIVE,
        gates=(*gates, GateSaid(gate="integration", after="staging")), pack=pack(), difference=difference(),
        asked=(("product-owner", 1),), sign='lockgate approve b2b2b2b2b2b2 --role product-owner --reason "…" --accept champion',
        links={"evidence page": "https://gitlab.example.org/g/p/-/jobs/9/artifacts/file/lockgate-reports/evidence.html"},
        plots=("![WAPE per group](/uploads/0123456789abcdef0123456789abcdef/groups-1a2b3c4d5e6f.svg)",),
    )  # fmt: skip
    return replace(said, **changed)
