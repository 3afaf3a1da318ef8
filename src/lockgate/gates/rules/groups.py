"""Rules on groups: every group within the limit, by intervals that hold for all groups at once. Never a raw max-min.

The evidence lists each group with its own number and interval, worst first; which group decides depends on the limit, so
that it is found here: one that fails, else one that is uncertain, else the one that comes nearest to the limit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from lockgate.errors import UsageError
from lockgate.evaluation.rows_to_pass import rows_to_pass
from lockgate.gates.rules.ruling import Limits, Ruling, finite, left_out, level, three_way, within_range, worst
from lockgate.gates.rules.sentences import basis, capitalized, group, higher_or_lower, number, percent, span
from lockgate.records.digest import Json
from lockgate.records.evidence import Estimate, Evidence, GroupEstimate, Outcome

__all__ = [
    "RANK", "Held", "bounded", "decided", "gap_within", "hold", "no_slice_worse", "points", "ratio_within", "represented", "settled", "unbiased",
]  # fmt: skip

RANK: Mapping[Outcome, int] = {"fail": 0, "uncertain": 1, "pass": 2, "not_applicable": 3}
MANY_TIMES = 30  # so many times the rows are no plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One group held against the range it must lie in. `near` is the end of the range that its number is nearest to."""

    group: GroupEstimate
    value: Decimal
    low: Decimal
    high: Decimal
    outcome: Outcome
    near: Decimal
    is_floor: bool

    @property
    def name(self) -> str:
        return group(self.group.by, self.group.group)

    @property
    def estimate(self) -> Estimate:
        return self.group.estimate

    @property
    def room(self) -> Decimal:
        """How far the interval's worse end is from the limit, as a share of the interval; negative when beyond."""
        beyond = self.near - self.low if self.is_floor else self.high - self.near
        return -beyond / (self.high - self.low) if self.high > self.low else -beyond


def points(share: Decimal) -> str:
    """A difference of two shares.

    >>> points(Decimal("0.1234")), points(Decimal("-0.01"))
    ('12.3 points', '1.0 points')
    """
    return f"{percent(abs(share)).removesuffix('%')} points"


def decided(evidence: Evidence, floor: Decimal | None, ceiling: Decimal | None) -> list[Held]:
    """Every group held against the range, the one that decides first. Raises UsageError when there is none."""
    if not evidence.groups:
        raise UsageError("this cannot be decided", value="no group is large enough to be judged")
    held = [hold(g, floor, ceiling) for g in evidence.groups]
    return sorted(held, key=lambda h: (RANK[h.outcome], h.room))


def hold(found: GroupEstimate, floor: Decimal | None, ceiling: Decimal | None) -> Held:
    """One group held against the range. Raises UsageError when it has no interval."""
    e = found.estimate
    named = f"{found.by} = {found.group}"
    if e.value is None or e.low is None or e.high is None:
        raise UsageError(f"{named} cannot be decided", value=e.why or "no interval was recorded")
    value, low, high = Decimal(e.value), finite(f"low of {named}", e.low), finite(f"high of {named}", e.high)
    outcomes = within_range(low, high, floor, ceiling)
    limits = [limit for limit in (floor, ceiling) if limit is not None]
    near = min(limits, key=lambda limit: abs(value - limit))
    return Held(group=found, value=value, low=low, high=high, outcome=outcomes, near=near, is_floor=near == floor)


def gap_within(evidence: Evidence, limits: Limits) -> Ruling:
    """The difference between each group and whom it is held against, either way."""
    limit = limits["max_difference"]
    held = decided(evidence, -limit, limit)

    def shown(value: Decimal) -> str:
        return f"{points(value)} {'lower' if value < 0 else 'higher'}" if value else "the same"

    return _fair(evidence, held, shown, f"{points(limit)} either way are allowed", limit)


def ratio_within(evidence: Evidence, limits: Limits) -> Ruling:
    """The smaller of two rates over the larger: four-fifths asks for 0.8 (29 CFR 1607.4 D, here with its interval)."""
    limit = limits["min_ratio"]
    if not 0 < limit <= 1:
        raise UsageError(
            "a smallest ratio lies between 0 and 1", value=str(limit), allowed="0.8 is the four-fifths rule"
        )
    held = decided(evidence, limit, None)
    return _fair(evidence, held, lambda v: f"a ratio of {number(v)}", f"at least {number(limit)} is needed", None)


def _fair(
    evidence: Evidence, held: list[Held], shown: Callable[[Decimal], str], allowed: str, limit: Decimal | None
) -> Ruling:
    """One sentence: who is served worst, by how much, how sure, and what is allowed."""
    params = evidence.params
    first = min(
        held, key=lambda h: (RANK[h.outcome], not _is_worse(h, params))
    )  # of equal verdicts, who is served worse
    e, extra = first.estimate, first.estimate.extra
    own, against = (Decimal(str(extra[name])) for name in ("own", "against"))
    is_worse = _is_worse(first, params)
    who = "like the others" if own == against else f"{'worst' if is_worse else 'best'} served"
    low, high = (shown(bound).removeprefix("a ratio of ") for bound in (first.low, first.high))
    reason = (
        f"{capitalized(str(params['words']))}: {who} is {first.name} with {percent(own)}, against {percent(against)} of "
        f"{_whom(first.group.by, str(extra['whom']))}, {shown(first.value)}; {level(e)} {_reach(low, high)}{_at_once(held)}; {allowed}{_others(held)}; "
        f"{extra['rows']:,} and {e.n - int(extra['rows']):,} rows.{left_out(evidence)}"
    )
    settles = settled(first)
    if settles and limit is not None and Decimal(str(extra["reach"] or "NaN")) > limit:
        settles = _hopeless(first, limit)
    return Ruling(outcome=first.outcome, reason=reason, settles=settles)


def _is_worse(held: Held, params: Mapping[str, Json]) -> bool:
    """Whether this group is served worse than those it is held against."""
    own, against = (Decimal(str(held.estimate.extra[name])) for name in ("own", "against"))
    return own != against and (own < against) == (params.get("better") != "lower")


def _whom(by: str, name: str) -> str:
    if name in ("yes", "no"):
        return group(by, name)
    return name if name.startswith("the ") else f"the group {name}"


def _reach(low: str, high: str) -> str:
    """Two ends, the word they share said once."""
    number_low, _, side = low.partition(" points ")
    number_high, _, other = high.partition(" points ")
    if not side or side != other:
        return f"{low} to {high}"
    near, far = (number_high, number_low) if side == "lower" else (number_low, number_high)
    return f"{near} to {far} points {side}"


def _hopeless(held: Held, limit: Decimal) -> str:
    """So few rows that even a group that is treated alike could not pass: how many it takes, four times in five."""
    extra = held.estimate.extra
    reach, detectable, rows = (Decimal(str(extra[name])) for name in ("reach", "detectable", "rows"))
    needed = rows_to_pass(int(rows), limit, reach=reach, detectable=detectable)
    return (
        f"{rows:,} rows of {held.name} are too few to pass at all: even a group that is treated alike needs about {needed:,}, "
        f"and as many times more of the others."
    )


def bounded(evidence: Evidence, limits: Limits) -> Ruling:
    """Bounded group loss: in no group may the loss be higher (Agarwal, Dudik and Wu 2019)."""
    limit = limits["at_most"]
    held = decided(evidence, None, limit)
    first = held[0]
    shown = percent if first.estimate.unit == "share" else number
    who = "the worst group" if first.value == max(h.value for h in held) else "the group that decides"
    reason = (
        f"{capitalized(str(evidence.params['words']))} of {who} ({first.name}) is {shown(first.value)}; "
        f"{level(first.estimate)} {shown(first.low)} to {shown(first.high)}{_at_once(held)}; at most {shown(limit)} is allowed "
        f"in every group{_others(held)}; {basis(first.estimate)}.{left_out(evidence)}"
    )
    return Ruling(outcome=first.outcome, reason=reason, settles=settled(first))


def unbiased(evidence: Evidence, limits: Limits) -> Ruling:
    """Signed bias of every group inside ± the limit: nobody is always given too much or too little."""
    limit = limits["max_bias"]
    held = decided(evidence, -limit, limit)
    first = held[0]
    shown = percent if first.estimate.unit == "share" else number

    def off(value: Decimal) -> str:
        return f"{shown(abs(value))} too {'high' if value > 0 else 'low'}"

    reason = (
        f"Answers for {first.name} are {off(first.value)} on average; {level(first.estimate)} {off(first.low)} to "
        f"{off(first.high)}{_at_once(held)}; {shown(limit)} either way is allowed in every group{_others(held)}; "
        f"{basis(first.estimate)}.{left_out(evidence)}"
    )
    return Ruling(outcome=first.outcome, reason=reason, settles=settled(first))


def no_slice_worse(evidence: Evidence, limits: Limits) -> Ruling:
    """No group worse than with the live release by more than the margin.

    It passes when every group's own interval ends within the margin: all must, so that no correction is due (Berger 1982).
    It fails when some group is surely worse, after Holm's correction (1979) for having looked at all of them.
    """
    margin = limits["margin"]
    if not evidence.groups:
        raise UsageError("this cannot be decided", value="no group is large enough to be judged")
    flip = evidence.params.get("better") == "higher"
    harms = [_harm(g, flip=flip) for g in evidence.groups]
    worse = _holm(evidence.extra["holm"], margin)
    outcome: Outcome = "fail" if worse else worst(three_way(h.low, h.high, margin) for h in harms)
    outcome = "uncertain" if outcome == "fail" and not worse else outcome
    at = min(worse, key=lambda i: -harms[i].value) if worse else max(range(len(harms)), key=lambda i: harms[i].high)
    return _slices_compared(evidence, harms[at], margin=margin, worse=len(worse), outcome=outcome)


def _harm(found: GroupEstimate, *, flip: bool) -> Held:
    """A group's relative difference as a harm: above zero is worse."""
    held = hold(found, None, Decimal(0))
    return replace(held, value=-held.value, low=-held.high, high=-held.low) if flip else held


def _holm(bounds: Sequence[Sequence[str]], margin: Decimal) -> list[int]:
    """Which groups are surely worse. `bounds`: per group the lower end of its harm, as for one hypothesis, for two, and so on."""
    left = list(range(len(bounds)))
    found: list[int] = []
    while left:
        now = [i for i in left if Decimal(bounds[i][len(left) - 1]) > margin]
        if not now:
            break
        found += now
        left = [i for i in left if i not in now]
    return found


def _slices_compared(evidence: Evidence, first: Held, *, margin: Decimal, worse: int, outcome: Outcome) -> Ruling:
    e, number_of = first.estimate, len(evidence.groups)
    bad = "lower" if evidence.params.get("better") == "higher" else "higher"
    value, low, high = (Decimal(str(v)) for v in (e.value, e.low, e.high))
    wanted = f"at most {percent(margin)} {bad}" if margin else f"no {bad}"
    proof = {
        "pass": "",
        "fail": f"; {worse} of {number_of} groups {'is' if worse == 1 else 'are'} surely worse, corrected for all {number_of}",
    }
    reason = (
        f"{capitalized(str(evidence.params['words']))} in the worst of {number_of} groups ({first.name}) is "
        f"{higher_or_lower(value)}{' as' if value == 0 else ' than'} with {evidence.params['against']}; {level(e)} {span(low, high, e.block)}; "
        f"{basis(e)}. It must be {wanted} in every group{proof.get(outcome, ', which this does not prove')}.{left_out(evidence)}"
    )
    held = replace(first, outcome=outcome, near=margin)
    return Ruling(outcome=outcome, reason=reason, settles=settled(held))


def represented(evidence: Evidence, limits: Limits) -> Ruling:
    """Each group's share of the rows minus its share of the reference population, either way."""
    limit = limits["tolerance"]
    held = decided(evidence, -limit, limit)
    held.sort(
        key=lambda h: (RANK[h.outcome], -abs(h.value))
    )  # of equal verdicts the largest, which is the evidence's number
    first = held[0]
    extra = first.estimate.extra
    own, wanted = (percent(Decimal(str(extra[name]))) for name in ("own", "against"))
    gap = "as many" if first.value == 0 else f"{points(first.value)} {'fewer' if first.value < 0 else 'more'}"
    reason = (
        f"{capitalized(first.name)} makes up {own} of {extra.get('of', 'the rows')} and {wanted} of the reference population, {gap}; "
        f"{level(first.estimate)} {_signed(first.low)} to {_signed(first.high)} points{_at_once(held)}; "
        f"{points(limit)} either way are allowed{_others(held)}; {basis(first.estimate)}.{left_out(evidence)}"
    )
    return Ruling(outcome=first.outcome, reason=reason, settles=settled(first))


def _signed(share: Decimal) -> str:
    text = percent(abs(share)).removesuffix("%")
    return f"-{text}" if share < 0 else f"+{text}"


def _at_once(held: list[Held]) -> str:
    return f", for {len(held)} groups at once" if len(held) > 1 else ""


def _others(held: list[Held]) -> str:
    """How many more groups have the same outcome, when it is no good one."""
    same = sum(h.outcome == held[0].outcome for h in held)
    if held[0].outcome == "pass" or same == 1:
        return ""
    return f" ({same} of {len(held)} groups {'fail' if held[0].outcome == 'fail' else 'are uncertain'})"


def settled(held: Held) -> str:
    """What would settle an uncertain group: rows of that group, if its number stays; or that no number of rows will.

    The reach of an interval shrinks with the root of what it rests on.
    """
    if held.outcome != "uncertain":
        return ""
    e = held.estimate
    have, noun = (e.blocks, e.block) if e.blocks else (int(e.extra.get("rows") or e.n), "row")
    gap = abs(held.value - held.near)
    reach = abs((held.high if held.value <= held.near else held.low) - held.value)
    growth = (reach / gap) ** 2 if gap else Decimal("Infinity")
    where = f" of {held.name}" if noun == "row" else ""
    if not have or growth > MANY_TIMES:
        return f"Even {MANY_TIMES} times as many {noun}s{where} might not settle it; a person must weigh it."
    needed = max(have + 1, int((have * growth).to_integral_value(rounding="ROUND_CEILING")))
    others = ", and as many times more of the others," if where and "rows" in e.extra else ""
    passes = held.value >= held.near if held.is_floor else held.value <= held.near
    way = "pass" if passes else "fail"
    return f"About {needed:,} {noun}s{where} instead of {have:,}{others} would settle it as a {way}, if the number stays where it is."
