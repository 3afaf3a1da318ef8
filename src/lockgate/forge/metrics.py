"""What gates measured as an OpenMetrics text, which GitLab compares with the target branch's (Premium; else it is a file).

Only of gates, so that a merge request and its target branch report the same families. Fixed names, and names of data in labels: every
text is valid, whatever a group is called. A number that could not be had has no line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from lockgate.release.wording import decimal_of, visible

if TYPE_CHECKING:
    from lockgate.records.evidence import Estimate, Evidence, Verdict

__all__ = ["metrics"]

HELP: Final = {
    "lockgate_gate_passes": "1: the gate passes; 0: it fails or is uncertain",
    "lockgate_gate_uncertain": "1: the interval straddles the limit",
    "lockgate_measured": "what a gate measured; the first of a gate decides",
    "lockgate_measured_low": "lower end of its interval",
    "lockgate_measured_high": "upper end of its interval",
    "lockgate_group": "the same for one group",
    "lockgate_group_low": "lower end of its interval",
    "lockgate_group_high": "upper end of its interval",
}
APPLIES: Final = ("pass", "fail", "uncertain")
MOST: Final = 2_000
"""Lines; GitLab draws each as a row."""

Line = tuple[str, dict[str, str], str]


def metrics(judged: Iterable[tuple[Verdict, Evidence]]) -> str:
    """The whole text, family by family, in the order of the gates.

    >>> from lockgate.records.evidence import Estimate, Evidence, Verdict
    >>> said = Verdict(gate="late", kind="late", outcome="fail", reason="")
    >>> share = Estimate(name="late", value="0.3", low="0.2", high="0.4", n=900)
    >>> print(metrics([(said, Evidence(gate="late", kind="late", statistic=share))]), end="")
    # TYPE lockgate_gate_passes gauge
    # HELP lockgate_gate_passes 1: the gate passes; 0: it fails or is uncertain
    lockgate_gate_passes{gate="late"} 0
    # TYPE lockgate_gate_uncertain gauge
    # HELP lockgate_gate_uncertain 1: the interval straddles the limit
    lockgate_gate_uncertain{gate="late"} 0
    # TYPE lockgate_measured gauge
    # HELP lockgate_measured what a gate measured; the first of a gate decides
    lockgate_measured{gate="late",name="late"} 0.3
    # TYPE lockgate_measured_low gauge
    # HELP lockgate_measured_low lower end of its interval
    lockgate_measured_low{gate="late",name="late"} 0.2
    # TYPE lockgate_measured_high gauge
    # HELP lockgate_measured_high upper end of its interval
    lockgate_measured_high{gate="late",name="late"} 0.4
    # EOF
    """
    families: dict[str, dict[str, str]] = {name: {} for name in HELP}
    for name, labels, value in (line for pair in judged for line in _lines(*pair)):
        if sum(map(len, families.values())) < MOST:
            families[name].setdefault(_labels(labels), value)  # a series has one value
    lines: list[str] = []
    for name, series in families.items():
        if series:
            lines += [
                f"# TYPE {name} gauge",
                f"# HELP {name} {HELP[name]}",
                *(f"{name}{s} {v}" for s, v in series.items()),
            ]
    return "\n".join([*lines, "# EOF"]) + "\n"


def _lines(verdict: Verdict, evidence: Evidence) -> Iterator[Line]:
    gate = {"gate": verdict.gate}
    if verdict.outcome in APPLIES:
        yield "lockgate_gate_passes", gate, str(int(verdict.outcome == "pass"))
        yield "lockgate_gate_uncertain", gate, str(int(verdict.outcome == "uncertain"))
    for estimate in (evidence.statistic, *evidence.also):
        yield from _numbers("lockgate_measured", {**gate, "name": estimate.name}, estimate)
    for group in evidence.groups:
        labels = {**gate, "by": group.by, "group": group.group, "name": group.estimate.name}
        yield from _numbers("lockgate_group", labels, group.estimate)


def _numbers(family: str, labels: dict[str, str], estimate: Estimate) -> Iterator[Line]:
    ends = {"": estimate.value, "_low": estimate.low, "_high": estimate.high}
    for suffix, said in ends.items():
        if (value := decimal_of(said)) is not None:
            yield f"{family}{suffix}", labels, _written(value)


def _written(value: Decimal) -> str:
    return f"{value.normalize():f}" if -9 < value.adjusted() < 15 else str(value)


def _labels(labels: dict[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    r"""As OpenMetrics wants it: backslash, quote and line end. A brace or a space may confuse readers by lines: none is left.

    >>> print(_escaped('a"b {c}'))
    a\"b_(c)
    """
    plain = visible("_".join(value.split())).replace("{", "(").replace("}", ")")
    return plain.replace("\\", "\\\\").replace('"', '\\"')
