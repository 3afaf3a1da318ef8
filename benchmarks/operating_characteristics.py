"""How often do the champion gate and the fairness gate pass, stay uncertain and fail when the truth is known?

    python benchmarks/operating_characteristics.py [--runs 1000]

Rows with a known truth are drawn and judged by the code of the gates. Beside each share stands what 100,000 runs of another
program gave (`table`), and what two common rules do on the same rows: `point`, which compares the estimate with the limit,
and `overlap`, which sees a difference only where two separate 95% intervals do not overlap. A number is marked `!` when it is
more than three Monte-Carlo standard errors (and the rounding of the table) from that table. The exit code is then 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from decimal import Decimal
from math import sqrt

from lockgate.evaluation.comparison import compare
from lockgate.evaluation.groups import group_gaps
from lockgate.evaluation.intervals import wilson
from lockgate.evaluation.mcnemar import discordant
from lockgate.evaluation.metrics import METRICS
from lockgate.evaluation.verdict_chances import Asked, chances, rate_gap
from lockgate.gates.evidence import champion
from lockgate.gates.rules import judge, three_way
from lockgate.testing.oracle import equal_groups, shares, two_classifiers, two_groups

RATE, LIMIT = 0.4, 0.10
ACCURACY, DISCORDANT, MARGIN = 0.85, 0.08, 0.01
OUTCOMES = ("pass", "uncertain", "fail")

GAPS = {  # rows per group, true gap → pass, uncertain, fail, point estimate says fail
    (100, 0.00): (0.000, 0.999, 0.001, 0.143), (100, 0.10): (0.000, 0.976, 0.024, 0.497), (100, 0.20): (0.000, 0.696, 0.304, 0.924),
    (400, 0.00): (0.655, 0.345, 0.000, 0.004), (400, 0.05): (0.300, 0.699, 0.000, 0.074), (400, 0.10): (0.025, 0.951, 0.024, 0.499),
    (400, 0.15): (0.000, 0.698, 0.302, 0.927), (400, 0.20): (0.000, 0.172, 0.828, 0.999), (1600, 0.00): (1.000, 0.000, 0.000, 0.000),
    (1600, 0.05): (0.828, 0.172, 0.000, 0.002), (1600, 0.10): (0.026, 0.950, 0.024, 0.500), (1600, 0.15): (0.000, 0.174, 0.826, 0.998),
    (1600, 0.20): (0.000, 0.000, 1.000, 1.000),
}  # fmt: skip
GAINS = {  # rows, true gain → pass, uncertain, fail
    (1000, 0.00): (0.206, 0.792, 0.001), (1000, -0.01): (0.027, 0.949, 0.024), (1000, -0.02): (0.001, 0.803, 0.195), (1000, 0.01): (0.614, 0.386, 0.000),
    (2000, 0.00): (0.352, 0.647, 0.000), (2000, -0.01): (0.025, 0.951, 0.024), (2000, -0.02): (0.000, 0.645, 0.355), (2000, 0.01): (0.887, 0.113, 0.000),
    (5000, 0.00): (0.708, 0.292, 0.000), (5000, -0.01): (0.025, 0.952, 0.023), (5000, -0.02): (0.000, 0.288, 0.712), (5000, 0.01): (0.999, 0.001, 0.000),
    (10000, 0.00): (0.943, 0.057, 0.000), (10000, -0.01): (0.027, 0.949, 0.024), (10000, -0.02): (0.000, 0.055, 0.945), (10000, 0.01): (1.000, 0.000, 0.000),
}  # fmt: skip
DIFFERS = (0.01, 0.02)
"""How far our interval's own approximation may move a share beside the table's: at nominal 5%, and in the middle."""


def main() -> int:
    asked = argparse.ArgumentParser()
    asked.add_argument("--runs", type=int, default=1000)
    runs = asked.parse_args().runs
    print(
        f"{runs:,} runs each; Monte-Carlo standard error {sqrt(0.025 * 0.975 / runs):.3f} at .025, {sqrt(0.25 / runs):.3f} at .5"
    )
    bad = fairness(runs) + champions(runs)
    superiority(runs)
    many_groups(runs)
    print(
        f"\n{bad} of {3 * (len(GAPS) + len(GAINS))} shares lie outside of Monte-Carlo error"
        if bad
        else "\nall shares lie within Monte-Carlo error"
    )
    return int(bad > 0)


def fairness(runs: int) -> int:
    """The gap of two groups' rates against a limit."""
    print(f"\nfairness: gap of two groups' rates ({RATE} and {RATE} + gap), at most {LIMIT} allowed; 95% interval")
    print(
        "rows per group   gap    pass uncertain  fail    table                planned              point fails  no overlap"
    )
    bad = 0
    for (rows, gap), (*table, table_point) in GAPS.items():
        seen = shares(
            lambda seed: fair(two_groups(rows, rate=RATE, gap=gap, seed=seed)),
            runs,
            first=rows * 1_000_000 + round(gap * 100) * 10_000,
        )
        found, marks = held(seen, table, runs)
        bad += marks.count("!")
        plan = chances(Asked(limit=LIMIT, error=rate_gap(RATE, 2 * rows, 2)[0], both_sides=True), gap)
        point, overlap = (sum(share for said, share in seen.items() if said[at]) for at in (1, 2))
        print(
            f"{rows:14,}  {gap:.2f}   {shown(found)}{marks}  {shown(table)}    {shown([plan.passes, plan.uncertain, plan.fails])}    {point:.3f} ({table_point:.3f})   {overlap:.3f}"
        )
    return bad


def fair(scored) -> tuple[str, bool, bool]:
    """What the three-way rule says, whether the point estimate is beyond the limit, whether two intervals do not overlap."""
    found = group_gaps(scored, ["group"], metric=METRICS["selection_rate"], reference={"group": "a"}, replicates=100)
    gap, largest = found.groups[0], found.largest
    one, other = (wilson(i.value * i.n, i.n) for i in (gap.value, gap.other))
    said = three_way(Decimal(repr(largest.low)), Decimal(repr(largest.high)), Decimal(str(LIMIT)))
    return said, largest.value > LIMIT, one.low > other.high or other.low > one.high


def champions(runs: int) -> int:
    """The release against the live one, not inferior by more than a margin on accuracy."""
    relative = MARGIN / ACCURACY
    print(
        f"\nchampion: accuracy {ACCURACY}, only one is right on {DISCORDANT:.0%} of rows; a loss of {MARGIN} allowed (relative {relative:.5f})"
    )
    print(
        "rows             gain    pass uncertain  fail    table                planned              point fails  no overlap"
    )
    bad = 0
    for (rows, gain), table in GAINS.items():
        seen = shares(
            lambda seed: good(rows, gain, seed, relative),
            runs,
            first=rows * 1_000_000 + round((gain + 1) * 100) * 10_000,
        )
        found, marks = held(seen, table, runs)
        bad += marks.count("!")
        plan = chances(Asked(limit=MARGIN, error=sqrt((DISCORDANT - gain * gain) / rows)), -gain)
        point, overlap = (sum(share for said, share in seen.items() if said[at]) for at in (1, 2))
        print(
            f"{rows:14,}  {gain:+.2f}   {shown(found)}{marks}  {shown(table)}    {shown([plan.passes, plan.uncertain, plan.fails])}    {point:.3f}          {overlap:.3f}"
        )
    return bad


def good(rows: int, gain: float, seed: int, relative: float) -> tuple[str, bool, bool]:
    release, live = two_classifiers(rows, accuracy=ACCURACY, discordant=DISCORDANT, gain=gain, seed=seed)
    evidence = champion.evidence(release, live, metric="accuracy", seed=seed)
    said = judge(evidence, "not_worse", {"margin": f"{relative:.6f}"}).outcome
    ours, theirs = (METRICS["accuracy"].value(each) for each in (release, live))
    one, other = (wilson(share * rows, rows) for share in (ours, theirs))
    return said, ours < theirs - MARGIN, one.high < other.low


def superiority(runs: int) -> None:
    """Is the release better at all? Two thousand rows, one of ten discordant."""
    print(
        "\nis it better? accuracy .85, 2,000 rows, discordant 10%      says so when it is not   when it is by .015   published"
    )
    rules: dict[str, tuple[Callable[..., bool], str]] = {
        "challenger higher": (lambda a, b: METRICS["accuracy"].value(a) > METRICS["accuracy"].value(b), ".485"),
        "McNemar mid-p below .05": (lambda a, b: discordant(a, b)[0].mid_p < 0.05, ".053, .56"),
        "paired bootstrap, 95%": (
            lambda a, b: (i := compare(a, b, metric=METRICS["accuracy"]).relative).low > 0 or i.high < 0,
            ".049",
        ),
        "two 95% intervals do not overlap": (lambda a, b: apart(a, b), ".000, .0095"),
    }
    for name, (rule, published) in rules.items():
        said = [
            shares(
                lambda seed, gain=gain: rule(
                    *two_classifiers(2000, accuracy=ACCURACY, discordant=0.1, gain=gain, seed=seed)
                ),
                runs,
            ).get(True, 0.0)
            for gain in (0.0, 0.015)
        ]
        print(f"  {name:55s} {said[0]:.3f}                    {said[1]:.3f}                {published}")


def apart(first, second) -> bool:
    one, other = (wilson(METRICS["accuracy"].value(each) * len(each), len(each)) for each in (first, second))
    return one.low > other.high or other.low > one.high


def many_groups(runs: int) -> None:
    """Equal groups: how often is a gap seen that is none?"""
    print("\nequal groups: how often is a gap seen that is none?")
    for groups, rows, rate in ((10, 100, 0.7), (10, 50, 0.05), (20, 200, 0.4)):
        seen = shares(lambda seed: alarms(equal_groups(rows, groups, rate=rate, seed=seed)), runs)
        single, joint = (sum(share for said, share in seen.items() if said[at]) for at in (0, 1))
        print(
            f"  {groups} groups of {rows}, rate {rate}: one 95% interval each {single:.3f}; joint, as the gate {joint:.3f} (at most .050 is promised)"
        )
    for rows in (50, 100, 400):
        seen = shares(lambda seed: four_fifths(equal_groups(rows, 2, rate=0.3, seed=seed)), runs)
        point, gate = (sum(share for said, share in seen.items() if said[at]) for at in (0, 1))
        published = {50: 0.468, 100: 0.305, 400: 0.039}[rows]
        print(
            f"  four-fifths of two equal groups of {rows}, rate .3: point estimate below .8 {point:.3f} (published {published}); the gate fails {gate:.3f}"
        )


def alarms(scored) -> tuple[bool, bool]:
    found = group_gaps(scored, ["group"], metric=METRICS["selection_rate"], min_n=10, replicates=100)
    single = [group_gaps_alone(g.value, g.other) for g in found.groups]
    return any(single), found.largest.low > 0


def group_gaps_alone(value, other) -> bool:
    from lockgate.evaluation.intervals import newcombe

    gap = newcombe((round(value.value * value.n), value.n), (round(other.value * other.n), other.n))
    return gap.low > 0 or gap.high < 0


def four_fifths(scored) -> tuple[bool, bool]:
    found = group_gaps(scored, ["group"], metric=METRICS["selection_rate"], replicates=100).least_parity
    return found.value < 0.8, found.high < 0.8


def held(seen, table, runs: int) -> tuple[list[float], str]:
    """Shares of pass, uncertain and fail, each marked when it is not what the table says."""
    found = [sum(share for said, share in seen.items() if said[0] == outcome) for outcome in OUTCOMES]
    marks = ""
    for share, expected in zip(found, table, strict=True):
        error = sqrt(max(expected * (1 - expected), 0.5 / runs) / runs)
        near = DIFFERS[0] if min(expected, 1 - expected) < 0.06 else DIFFERS[1]
        marks += "!" if abs(share - expected) > 3 * error + near else " "
    return found, marks


def shown(numbers) -> str:
    return " ".join(f"{number:.3f}" for number in numbers)


if __name__ == "__main__":
    sys.exit(main())
