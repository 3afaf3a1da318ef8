"""Numbers in words, so that a verdict is one sentence a product owner understands. Decimals in, text out."""

from __future__ import annotations

import re
from decimal import Decimal

from lockgate.records.evidence import Estimate

__all__ = ["basis", "capitalized", "group", "higher_or_lower", "more_needed", "number", "percent", "span", "times"]

TENTH, HUNDREDTH, SMALLEST = Decimal("0.1"), Decimal("0.01"), Decimal("1e-9")
LARGEST = Decimal("1e15")  # nobody counts more digits; far more of them are beyond the precision of decimals
SOON = 3  # more than three times the days there are is not "soon"


def percent(share: Decimal) -> str:
    """A share in per cent: one decimal, more where one would hide it.

    >>> percent(Decimal("0.0312")), percent(Decimal("0.00042")), percent(Decimal("0.8")), percent(Decimal(0))
    ('3.1%', '0.042%', '80.0%', '0%')
    """
    return f"{_fine(share * 100) or format((share * 100).quantize(TENTH), ',f')}%"


def number(value: Decimal) -> str:
    """A number with at most two decimals, and two significant digits where these would hide it.

    >>> number(Decimal("1234.5")), number(Decimal("0.0123")), number(Decimal("3.00")), number(Decimal("0.999"))
    ('1,234.5', '0.012', '3', '1')
    >>> number(Decimal("-1e308"))
    '-1.0e+308'
    """
    return _fine(value) or _stripped(format(value.quantize(HUNDREDTH), ",f"))


def _fine(value: Decimal) -> str:
    """Zero, very small and very large numbers; nothing for all others."""
    if value == 0:
        return "0"
    if abs(value) >= LARGEST:
        return f"{value:.1e}"
    if abs(value) >= TENTH:
        return ""
    if abs(value) < SMALLEST:
        return f"{value:.1e}"
    return _stripped(format(value.quantize(Decimal(1).scaleb(value.adjusted() - 1)), "f"))


def _stripped(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def higher_or_lower(change: Decimal) -> str:
    """A relative difference in words.

    >>> higher_or_lower(Decimal("-0.031")), higher_or_lower(Decimal("0.02")), higher_or_lower(Decimal(0))
    ('3.1% lower', '2.0% higher', 'the same')
    """
    if change == 0:
        return "the same"
    return f"{percent(abs(change))} {'lower' if change < 0 else 'higher'}"


def span(low: Decimal, high: Decimal, unit: str = "day") -> str:
    """An interval of a relative difference, the smaller change first. `unit`: what was resampled.

    >>> span(Decimal("-0.05"), Decimal("-0.012")), span(Decimal("-0.02"), Decimal("0.004"))
    ('1.2% to 5.0% lower', '2.0% lower to 0.4% higher')
    """
    if low == high == 0:
        return f"is exactly that, as no {unit} differs"
    if low * high > 0:
        near, far = sorted((abs(low), abs(high)))
        return f"{percent(near)} to {percent(far)} {'lower' if high < 0 else 'higher'}"
    return f"{higher_or_lower(low)} to {higher_or_lower(high)}"


def times(ratio: Decimal) -> str:
    """A ratio in words.

    >>> times(Decimal("1.6234")), times(Decimal("2e200"))
    ('1.62 times', '2.0e+200 times')
    """
    return f"{ratio:.1e} times" if ratio >= LARGEST else f"{ratio.quantize(HUNDREDTH):,f} times"


def group(by: str, name: str) -> str:
    """A group in words; yes-or-no columns read as what they say.

    >>> group("volume_band", "low"), group("new", "yes"), group("new", "no")
    ('volume band: low', 'new', 'not new')
    """
    words = by.replace("_", " ")
    if name in ("yes", "no"):
        return words if name == "yes" else f"not {words}"
    return f"{words}: {name}"


def basis(estimate: Estimate) -> str:
    """What a number rests on.

    >>> basis(Estimate(name="wape", value="0.6", n=26140, blocks=24))
    '26,140 rows over 24 days'
    >>> basis(Estimate(name="tpr", value="0.6", n=1)), basis(Estimate(name="tpr", value="0.6", n=9, blocks=3, extra={"block": "cluster"}))
    ('1 row', '9 rows over 3 clusters')
    """
    rows = f"{estimate.n:,} row{'' if estimate.n == 1 else 's'}"
    over = f" over {estimate.blocks:,} {estimate.block}{'' if estimate.blocks == 1 else 's'}" if estimate.blocks else ""
    return rows + over


IDENTIFIER = re.compile(r"[A-Za-z]\w*(?:[/.]\w|_)")  # its first word is a name that code knows


def capitalized(text: str) -> str:
    """The first letter as a capital, the rest as it is; an identifier, a path or a dotted name stays as it is written.

    >>> capitalized("all misses"), capitalized("demand/features.py changed"), capitalized("model.learning_rate 0.1")
    ('All misses', 'demand/features.py changed', 'model.learning_rate 0.1')
    """
    if IDENTIFIER.match(text):
        return text
    return text[:1].upper() + text[1:]


def more_needed(value: Decimal, bound: Decimal, limit: Decimal, estimate: Estimate, *, passes: bool) -> str:
    """What would move the interval off the limit, if the number stays: its width shrinks with the root of the days.

    Days, clusters or rows: what the estimate resampled. `passes`: the number itself lies on the allowed side of the limit.

    >>> wape = Estimate(name="wape", value="-0.01", n=900, blocks=24)
    >>> more_needed(Decimal("-0.01"), Decimal("0.002"), Decimal(0), wape, passes=True)
    'About 11 more days of the same kind would settle it as a pass, if the number stays where it is.'
    >>> more_needed(Decimal("-0.01"), Decimal("-0.022"), Decimal(0), Estimate(name="wape", value="-0.01", n=900), passes=False)
    'About 396 more rows of the same kind would settle it as a fail, if the number stays where it is.'
    """
    units, noun = estimate.blocks or estimate.n, estimate.block
    gap, reach = abs(value - limit), abs(bound - value)
    ratio = (reach / gap) ** 2 if gap else Decimal("Infinity")
    if not units or ratio > 1 + SOON * 10:
        return f"Even thirty times as many {noun}s might not settle it; a person must weigh it."
    more = max(1, int((units * (ratio - 1)).to_integral_value(rounding="ROUND_CEILING")))
    soon = "" if more <= SOON * units else " That is a long wait; a person must weigh it."
    plural = noun if more == 1 else f"{noun}s"
    return f"About {more:,} more {plural} of the same kind would settle it as a {'pass' if passes else 'fail'}, if the number stays where it is.{soon}"
