"""The verdict on a whole release, in one sentence."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from lockgate.records.evidence import Verdict

__all__ = ["READY", "Headline", "Mark", "headline", "mark"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A verdict for people: a symbol and a word, so that colour is never alone."""

    symbol: str
    word: str
    tone: str


MARKS: Mapping[str, Mark] = {
    "pass": Mark(symbol="✓", word="passes", tone="pass"),
    "fail": Mark(symbol="✗", word="fails", tone="fail"),
    "uncertain": Mark(symbol="?", word="uncertain", tone="uncertain"),
    "not_applicable": Mark(symbol="–", word="does not apply", tone="none"),
}


READY = "Ready for your decision:"
"""How the sentence of a release begins that a person may sign for."""


def mark(outcome: str) -> Mark:
    """The mark of a verdict; a verdict nobody knows counts as a fail.

    >>> mark("pass").word, mark("brilliant").tone
    ('passes', 'fail')
    """
    return MARKS.get(outcome) or Mark(symbol="✗", word=f"fails (unknown verdict {outcome})", tone="fail")


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """What may happen next, and why. `may_approve` is False when there is nothing a person could sign."""

    mark: Mark
    sentence: str
    may_approve: bool


def headline(verdicts: Sequence[Verdict], waived: Collection[str] = ()) -> Headline:
    """Fold verdicts into one sentence. No verdict at all is not ready: an empty list of checks proves nothing.

    Args:
        waived: failed gates that people let pass by a signed waiver; they stay failed.

    >>> headline([]).sentence
    'Not ready: no check could judge this release.'
    """
    passed, failed, unsure, idle = (_gates(verdicts, tone) for tone in ("pass", "fail", "uncertain", "none"))
    excused = [gate for gate in failed if gate in waived]
    failed = [gate for gate in failed if gate not in waived]
    rest = f" {_many(excused, 'fails and is waived', 'fail and are waived')} ({', '.join(excused)})." if excused else ""
    rest += f" {_many(idle, 'does not apply', 'do not apply')} ({', '.join(idle)})." if idle else ""
    if failed:
        what = f"Not ready: {_many(failed, 'fails', 'fail')} ({', '.join(failed)}). There is nothing to approve."
        return Headline(mark=MARKS["fail"], sentence=what + rest, may_approve=False)
    if unsure:
        return Headline(mark=MARKS["uncertain"], sentence=_unsure(passed, unsure) + rest, may_approve=True)
    if passed:
        what = f"{READY} {_many(passed, 'passes', 'pass')}, none {'else ' if excused else ''}fails, none is uncertain."
        return Headline(mark=MARKS["uncertain" if excused else "pass"], sentence=what + rest, may_approve=True)
    return Headline(
        mark=MARKS["fail"], sentence="Not ready: no check could judge this release." + rest, may_approve=False
    )


def _unsure(passed: Sequence[str], unsure: Sequence[str]) -> str:
    first = f"{_many(passed, 'passes', 'pass')}, " if passed else ""
    verb = "is uncertain and needs" if len(unsure) == 1 else "are uncertain and need"
    what = str(len(unsure)) if passed else _many(unsure, "", "").strip()
    return f"{READY} {first}{what} {verb} your acceptance by name ({', '.join(unsure)})."


def _gates(verdicts: Sequence[Verdict], tone: str) -> list[str]:
    return [v.gate for v in verdicts if mark(v.outcome).tone == tone]


def _many(names: Sequence[str], one: str, several: str) -> str:
    return f"1 check {one}" if len(names) == 1 else f"{len(names)} checks {several}"
