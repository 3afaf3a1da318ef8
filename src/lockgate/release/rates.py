"""Rates of groups as checks of fairness measured them: who is served worst, beside whom they are held against.

Such a check compares people, so its groups come before the groups of any metric: on average right may be wrong for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.records.evidence import Estimate, Evidence, GroupEstimate, Verdict
from lockgate.records.pack import Pack
from lockgate.release import plots, wording

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["Rate", "Rates", "rates", "worst_rate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """One group: its own rate with interval and rows, whom it is held against, and how far apart both lie."""

    name: str
    own: Estimate
    whom: str
    against: Estimate
    apart: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """One check's groups, worst served first."""

    gate: str
    words: str
    verdict: Verdict | None
    rows: tuple[Rate, ...]
    figure: Markup | None


def rates(pack: Pack) -> tuple[Rates, ...]:
    """Every check that measured groups of people against others, in the order of the checks."""
    verdicts = {v.gate: v for v in pack.verdicts}
    found = ((e, _rows(e)) for e in pack.evidence)
    return tuple(
        Rates(
            gate=e.gate, words=str(e.params.get("words") or e.gate), verdict=verdicts.get(e.gate), rows=rows,
            figure=_figure(str(e.params.get("words") or e.gate), rows),
        )
        for e, rows in found
        if rows
    )  # fmt: skip


def worst_rate(one: Rates) -> str:
    """The worst served group of a check, in a sentence.

    >>> own = Estimate(name="own", value="0.8", low="0.7", high="0.87", n=119, unit="share")
    >>> rate = Rate(name="race: black", own=own, whom="white", against=Estimate(name="against", value="0.97", unit="share"),
    ...             apart=Estimate(name="ratio", value="0.82", unit="times"))
    >>> worst_rate(Rates(gate="g", words="share of yes answers", verdict=None, rows=(rate,), figure=None))
    'Share of yes answers, group “race: black”: 80.0%, between 70.0% and 87.0%, n\xa0=\xa0119 rows; 97.0% of white.'
    """
    worst = one.rows[0]
    own = f"{wording.number(worst.own.value, worst.own.unit)}, {wording.between(worst.own)}, {wording.size(worst.own)}"
    other = f"{wording.number(worst.against.value, worst.against.unit)} of {worst.whom}"
    return f"{wording.capitalized(one.words)}, group “{worst.name}”: {own}; {other}."


def _rows(evidence: Evidence) -> tuple[Rate, ...]:
    return tuple(r for g in evidence.groups if (r := _rate(g)) is not None)


def _rate(group: GroupEstimate) -> Rate | None:
    """None where a check measured something else than a group's own rate beside another's."""
    said = group.estimate.extra
    own, against, low = (wording.decimal_of(_text(said.get(name))) for name in ("own", "against", "own_low"))
    if own is None or against is None or low is None:
        return None
    rows = said.get("rows")
    estimate = Estimate(
        name="own", value=str(own), low=_text(said.get("own_low")), high=_text(said.get("own_high")),
        n=rows if isinstance(rows, int) else group.estimate.n, unit=wording.SHARE, level=group.estimate.level,
    )  # fmt: skip
    return Rate(
        name=wording.group_name(group.by, group.group), own=estimate, whom=_text(said.get("whom")) or "the rest",
        against=Estimate(name="against", value=str(against), unit=wording.SHARE), apart=group.estimate,
    )  # fmt: skip


def _figure(words: str, rows: Sequence[Rate]) -> Markup | None:
    """Each group's rate with its interval; what it is held against stands below, because it need not be the same for all."""
    from markupsafe import Markup

    whiskers = [_whisker(r) for r in rows]
    said = "; ".join(f"{w.label}: {w.text}, {w.note}" for w in whiskers)
    drawn = plots.dot_whisker(
        whiskers, title=f"{wording.capitalized(words)}, worst served first", desc=said, domain=(0.0, 1.0),
        form="{:.0%}".format,
    )  # fmt: skip
    return Markup(drawn) if drawn else None  # noqa: S704 (plots escapes every text it is given)


def _whisker(rate: Rate) -> plots.Whisker:
    value, low, high = (
        None if (d := wording.decimal_of(v)) is None else float(d)
        for v in (rate.own.value, rate.own.low, rate.own.high)
    )
    apart = wording.points(rate.apart) + (" apart" if rate.apart.unit == wording.SHARE else "")
    return plots.Whisker(
        label=rate.name, value=value, low=low, high=high,
        text=f"{wording.number(rate.own.value, wording.SHARE)} ({wording.between(rate.own)})",
        note=f"{wording.size(rate.own)}; {rate.whom}: {wording.number(rate.against.value, wording.SHARE)}; {apart}",
    )  # fmt: skip


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
