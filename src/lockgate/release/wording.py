"""Numbers and names in words, the same on the evidence page, the model card and the console.

Decimal strings come in; rounded text for people goes out. Nothing here knows HTML.
"""

from __future__ import annotations

import datetime as dt
import unicodedata
from decimal import Decimal, InvalidOperation

from lockgate.gates.rules import sentences
from lockgate.gates.rules.sentences import capitalized
from lockgate.records.evidence import Estimate
from lockgate.records.pack import Metric

__all__ = [
    "better_or_worse",
    "between",
    "capitalized",
    "count",
    "day",
    "decimal_of",
    "duration",
    "exact",
    "group_name",
    "harm_in_words",
    "metric_name",
    "number",
    "plain",
    "points",
    "quoted",
    "round_percent",
    "sentence",
    "size",
    "spread",
    "valued",
    "visible",
]

MINUS = "\N{MINUS SIGN}"
SHARE = "share"
LOPSIDED = Decimal("0.25")  # of half an interval: a number that lies so far from its middle has no honest ±
RELATIVE = "relative_difference"  # of two metrics: its per cent are no points, and its sign means better or worse


def visible(text: str) -> str:
    r"""Show what would hide: control, bidirectional and zero-width characters become their code points.

    A person signs what they see; a name must not be able to rearrange the line it stands in.

    >>> visible("a\u202eb")
    'a⟨U+202E⟩b'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(f"⟨U+{ord(c):04X}⟩" if unicodedata.category(c) in HIDDEN and c not in "\n\t" else c for c in text)


HIDDEN = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})


def plain(name: str) -> str:
    """An identifier as words.

    >>> plain("volume_band"), plain("wape_of_champion")
    ('volume band', 'WAPE of champion')
    """
    return " ".join(w.upper() if w in ACRONYMS else w for w in name.split("_"))


ACRONYMS = frozenset({"wape", "mae", "mape", "rmse", "auc"})


def group_name(by: str, group: str) -> str:
    """A group as words, as the verdicts name it.

    >>> group_name("volume_band", "low"), group_name("new", "True"), group_name("all", "all answers")
    ('volume band: low', 'new', 'all answers')
    """
    if by == "all":
        return group
    return sentences.group(by, {"true": "yes", "false": "no"}.get(group.lower(), group))


def sentence(text: str) -> str:
    """A text as a sentence: a capital first, a full stop last, unless it ends in a mark already.

    >>> sentence("all misses added up"), sentence("Why?"), sentence("")
    ('All misses added up.', 'Why?', '')
    """
    text = text.strip()
    return capitalized(text) + ("." if text and text[-1] not in ".?!:…" else "")


def decimal_of(text: str | None) -> Decimal | None:
    """Read a decimal string; None when there is no finite number in it."""
    try:
        value = Decimal(text) if text is not None else None
    except InvalidOperation:
        return None
    return value if value is not None and value.is_finite() else None


def number(text: str | None, unit: str = "") -> str:
    """A decimal string as people write it: three significant digits or whole numbers; shares in per cent with a decimal.

    >>> number("0.61234", "share"), number("12345.6", "units"), number("0.0423"), number(None)
    ('61.2%', '12,346 units', '0.042', 'not measured')
    """
    value = decimal_of(text)
    if value is None:
        return "not measured" if text is None else str(text)
    if unit == SHARE:
        return _signed(sentences.percent(value))
    return f"{_rounded(value, _places(value))} {unit}".rstrip()


def _places(value: Decimal) -> int:
    """Two decimals from 1 up to 10, one from 10 to 100, none above; two significant digits below 1."""
    size = abs(value)
    if value == 0:
        return 0
    above = 2 if size < 10 else 1 if size < 100 else 0
    return above if size >= 1 else min(12, 1 - size.adjusted())


def _rounded(value: Decimal, places: int) -> str:
    return _signed(f"{round(value, places):,f}")


def _signed(text: str) -> str:
    return text.replace("-", MINUS)


def round_percent(text: str | None) -> str:
    """A share that somebody chose, so without decimals that nobody wrote.

    >>> round_percent("0.8"), round_percent("0.125"), round_percent("2")
    ('80%', '12.5%', '200%')
    """
    value = decimal_of(text)
    return str(text) if value is None else f"{_signed(sentences.number(value * 100))}%"


APART = frozenset({"difference", "share_difference"})


def valued(estimate: Estimate) -> str:
    """The number of an estimate; a relative difference says which way, two shares lie points apart, a count is whole.

    >>> valued(Estimate(name="relative_difference", value="-0.0160508", unit="share"))
    '1.6% lower'
    >>> valued(Estimate(name="difference", value="0.287", unit="share")), valued(Estimate(name="good", value="76", unit="rows"))
    ('28.7 points', '76 rows')
    """
    value = decimal_of(estimate.value)
    if estimate.name in APART:
        return points(estimate)
    if estimate.unit == "rows" and value is not None and value == value.to_integral_value():
        return count(int(value), "row")
    if estimate.name == RELATIVE and value is not None:
        return sentences.higher_or_lower(value)
    return number(estimate.value, estimate.unit)


def count(n: int, noun: str = "") -> str:
    """A whole number with its noun.

    >>> count(1, "row"), count(4312, "row")
    ('1 row', '4,312 rows')
    """
    return f"{n:,} {noun}{'' if n == 1 else 's'}" if noun else f"{n:,}"


def day(date: dt.date) -> str:
    """A date as people write it, the same in every locale.

    >>> day(dt.date(2011, 10, 15))
    '15 October 2011'
    """
    return f"{date.day} {MONTHS[date.month - 1]} {date.year}"


MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def spread(estimate: Estimate) -> str:
    """How sure a number is: half the width of its interval, as exact as the number; where the two halves differ, the interval.

    >>> spread(Estimate(name="wape", value="0.6", low="0.55", high="0.66", unit="share"))
    '± 5.5 points'
    >>> spread(Estimate(name="difference", value="0.032", low="0.002", high="0.134", unit="share"))
    '(0.2 to 13.4 points)'
    >>> spread(Estimate(name="relative_difference", value="-0.016", low="-0.025", high="-0.007", unit="share"))
    '(0.7% to 2.5% lower)'
    """
    low, high = decimal_of(estimate.low), decimal_of(estimate.high)
    if low is None or high is None:
        return estimate.why or "no interval"
    if estimate.name == RELATIVE:
        return f"({sentences.span(low, high)})"
    half, value = (high - low) / 2, decimal_of(estimate.value)
    if value is not None and abs(value - (low + high) / 2) > half * LOPSIDED:
        return f"({_from_to(estimate, low, high)})"
    if estimate.unit == SHARE:
        return f"± {_signed(sentences.percent(half)).removesuffix('%')} points"
    places = _places(value or Decimal(0))
    return f"± {_rounded(half, places if round(half, places) else _places(half))}"


def points(estimate: Estimate) -> str:
    """A difference of two values of a metric: two shares lie points apart, not per cent.

    >>> points(Estimate(name="wape", value="0.2734", unit="share")), points(Estimate(name="mae", value="1.5", unit="units"))
    ('27.3 points', '1.50 units')
    """
    value = decimal_of(estimate.value)
    if value is None or estimate.unit != SHARE:
        return number(estimate.value, estimate.unit)
    return f"{_signed(sentences.percent(value)).removesuffix('%')} points"


def between(estimate: Estimate) -> str:
    """The interval in words.

    >>> between(Estimate(name="wape", value="0.6", low="0.55", high="0.66", unit="share"))
    'between 55.0% and 66.0%'
    """
    low, high = decimal_of(estimate.low), decimal_of(estimate.high)
    if low is None or high is None:
        return "no interval"
    if estimate.name == RELATIVE:
        return spread(estimate)[1:-1]
    if estimate.name in APART and estimate.unit == SHARE:
        ends = (_signed(sentences.percent(end)).removesuffix("%") for end in (low, high))
        return f"between {' and '.join(ends)} points"
    return f"between {number(estimate.low, estimate.unit)} and {number(estimate.high, estimate.unit)}"


def _from_to(estimate: Estimate, low: Decimal, high: Decimal) -> str:
    """Both ends, with the unit once."""
    if estimate.unit != SHARE:
        return f"{number(str(low))} to {number(str(high), estimate.unit)}"
    ends = [_signed(sentences.percent(end)) for end in (low, high)]
    if estimate.name in APART:
        return f"{ends[0].removesuffix('%')} to {ends[1].removesuffix('%')} points"
    return " to ".join(ends)


def better_or_worse(low: Decimal, high: Decimal) -> str:
    """An interval of a relative harm, in words that need no direction.

    >>> better_or_worse(Decimal("-0.025"), Decimal("-0.007")), better_or_worse(Decimal("-0.02"), Decimal("0.004"))
    ('0.7% to 2.5% better', '2.0% better to 0.4% worse')
    """
    if low == high == 0:
        return "no difference"
    return sentences.span(low, high).replace("lower", "better").replace("higher", "worse")


def harm_in_words(relative: Estimate, better: str) -> str:
    """The interval of a relative difference as better or worse; `better`: which side is, `higher` or `lower`; "" without one."""
    low, high = decimal_of(relative.low), decimal_of(relative.high)
    if low is None or high is None:
        return ""
    flip = Decimal(-1 if better == "higher" else 1)
    return better_or_worse(*sorted((low * flip, high * flip)))


def quoted(text: str) -> str:
    """What a person said, so that no part of it reads as the page's own words: on one line, and its end is where it ends.

    >>> quoted("agreed”. Nobody needs to sign. “Fine")
    '“agreed. Nobody needs to sign. Fine”'
    """
    return f"“{visible(' '.join(text.translate(QUOTES).split()))}”"


QUOTES = dict.fromkeys(map(ord, '"“”„‟«»\uff02\u275d\u275e\u2033\u2036\u301d\u301e\u301f\u02ba\u02ee'))


def size(estimate: Estimate) -> str:
    r"""How much the number rests on.

    >>> size(Estimate(name="wape", value="0.6", n=4312, blocks=28))
    'n\xa0=\xa04,312 rows on 28 days'
    """
    return f"n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{count(estimate.n, 'row')}" + (
        f" on {count(estimate.blocks, estimate.block)}" if estimate.blocks else ""
    )


def exact(estimate: Estimate) -> str:
    """The unrounded record of an estimate, for whoever checks."""
    interval = f" [{estimate.low}, {estimate.high}] at {estimate.level}" if estimate.low is not None else ""
    method = f", {estimate.method}" if estimate.method else ""
    return f"{estimate.name} = {estimate.value}{interval}, n {estimate.n}, blocks {estimate.blocks}{method}"


def duration(text: str) -> str:
    """A declared time in words.

    >>> duration("7d"), duration("1h"), duration("until Monday")
    ('7 days', '1 hour', 'until Monday')
    """
    noun = {"d": "day", "h": "hour", "m": "minute"}.get(text[-1:])
    return count(int(text[:-1]), noun) if noun and text[:-1].isascii() and text[:-1].isdigit() else text


def metric_name(metric: Metric) -> str:
    """What the metric is called in a sentence."""
    return metric.title or plain(metric.name)
