"""What gates said as JUnit's XML, which forges show beside a change: a suite per gate, a case for the gate and per check."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockgate.records.evidence import Estimate, Evidence, Verdict

__all__ = ["junit"]


def junit(release: str, judged: Iterable[tuple[Verdict, Evidence]]) -> str:
    """One document. A failed gate is a failed case; an uncertain one, and what could not be assessed, is a skipped case.

    Only gates are judged. The other cases of a suite show what the evidence holds about single groups and numbers: they
    never fail, and are there to be looked at.

    >>> from lockgate.records.evidence import Estimate, Evidence, Verdict
    >>> said = Verdict(gate="late", kind="late", outcome="fail", reason="Too many are late.")
    >>> share = Estimate(name="late", value="0.3", low="0.2", high="0.4", n=900)
    >>> print(junit("sha256:ab", [(said, Evidence(gate="late", kind="late", statistic=share))]))
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites>
      <testsuite name="gate late" tests="1" failures="1" errors="0" skipped="0">
        <properties>
          <property name="release" value="sha256:ab" />
        </properties>
        <testcase classname="gate late" name="late" time="0">
          <failure message="Too many are late." type="fail" />
          <system-out>late 0.3; 95% interval 0.2 to 0.4; n 900</system-out>
        </testcase>
      </testsuite>
    </testsuites>
    <BLANKLINE>
    """
    root = ET.Element("testsuites")
    for verdict, evidence in judged:
        root.append(_suite(release, verdict, evidence))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(release: str, verdict: Verdict, evidence: Evidence) -> ET.Element:
    name = _clean(f"gate {verdict.gate}")
    cases = [_gate(name, verdict, evidence)]
    cases += [_case(name, e.name.replace("_", " "), _number(e)) for e in evidence.also]
    cases += [_case(name, f"{g.by}={g.group}", _number(g.estimate)) for g in evidence.groups]
    for what in evidence.not_assessed:
        group, _, why = what.partition(": ")
        cases.append(_case(name, group, "", skipped=why or "not assessed"))
    counts = {
        "tests": len(cases), "failures": sum(c.find("failure") is not None for c in cases), "errors": 0,
        "skipped": sum(c.find("skipped") is not None for c in cases),
    }  # fmt: skip
    suite = ET.Element("testsuite", {"name": name, **{n: str(v) for n, v in counts.items()}})
    properties = ET.SubElement(suite, "properties")
    told = {
        "release": release,
        "evidence": verdict.evidence,
        **{f"limit {n}": str(v) for n, v in verdict.threshold.items()},
    }
    for key, value in told.items():
        if value:
            ET.SubElement(properties, "property", {"name": _clean(key), "value": _clean(value)})
    suite.extend(cases)
    return suite


def _gate(suite: str, verdict: Verdict, evidence: Evidence) -> ET.Element:
    """The case that is judged."""
    if verdict.outcome == "fail":
        return _case(suite, verdict.gate, _number(evidence.statistic), failure=verdict.reason)
    if verdict.outcome == "pass":
        return _case(suite, verdict.gate, f"{verdict.reason}\n{_number(evidence.statistic)}")
    words = f"{verdict.outcome.replace('_', ' ')}: {verdict.reason} {verdict.settles}".rstrip()
    return _case(suite, verdict.gate, _number(evidence.statistic), skipped=words)


def _case(suite: str, name: str, says: str, *, failure: str = "", skipped: str = "") -> ET.Element:
    case = ET.Element("testcase", {"classname": suite, "name": _clean(name), "time": "0"})
    if failure:
        ET.SubElement(case, "failure", {"message": _clean(failure), "type": "fail"})
    if skipped:
        ET.SubElement(case, "skipped", {"message": _clean(skipped)})
    if says:
        ET.SubElement(case, "system-out").text = _clean(says)
    return case


def _number(estimate: Estimate) -> str:
    """A number with its interval and how much it rests on."""
    name = estimate.name.replace("_", " ")
    if estimate.value is None:
        return f"{name} could not be measured: {estimate.why or 'no reason recorded'}"
    parts = [f"{name} {estimate.value} {estimate.unit}".rstrip()]
    if estimate.low is not None and estimate.high is not None:
        parts.append(f"{float(estimate.level):.0%} interval {estimate.low} to {estimate.high}")
    return "; ".join([*parts, *([f"n {estimate.n}"] if estimate.n else [])])


def _clean(text: str) -> str:
    """Without the characters that XML cannot hold, in whatever data they came."""
    return "".join(
        c if c in "\t\n" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff" else "?" for c in text
    )
