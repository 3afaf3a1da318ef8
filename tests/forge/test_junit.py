"""Gates as JUnit: what is judged fails or is skipped, what is only shown never does, and any text is XML."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from lockgate.forge.junit import junit
from lockgate.records.evidence import Estimate, Evidence, GroupEstimate, Outcome, Verdict

SHARE = Estimate(name="worst_over_best", value="1.6", low="1.4", high="1.9", n=200, unit="times")


def judged(outcome: Outcome, *, reason: str = "1.6 times.", group: str = "large") -> tuple[Verdict, Evidence]:
    verdict = Verdict(
        gate="slices", kind="slices", outcome=outcome, reason=reason, settles="More rows.", threshold={"max": "1.5"}
    )
    groups = (GroupEstimate(by="band", group=group, estimate=Estimate(name="wape", value="0.1", n=200)),)
    nothing = Estimate(name="late", value=None, why="no row has a time")
    left = ("band=rare: n 40 < 200", "band=odd")
    return verdict, Evidence(
        gate="slices", kind="slices", statistic=SHARE, also=(nothing,), groups=groups, not_assessed=left
    )


def suite(*pairs: tuple[Verdict, Evidence]) -> ET.Element:
    return ET.fromstring(junit("sha256:ab", pairs))


@pytest.mark.parametrize(
    ("outcome", "failures", "skipped"), [("pass", 0, 2), ("fail", 1, 2), ("uncertain", 0, 3), ("not_applicable", 0, 3)]
)
def test_only_the_gate_is_judged(outcome: Outcome, failures: int, skipped: int) -> None:
    (found,) = suite(judged(outcome))
    assert {n: found.get(n) for n in ("tests", "failures", "errors", "skipped")} == {
        "tests": "5", "failures": str(failures), "errors": "0", "skipped": str(skipped),
    }  # fmt: skip
    cases = [*found.iter("testcase")]
    assert [c.get("name") for c in cases] == ["slices", "late", "band=large", "band=rare", "band=odd"]
    assert [c.find("failure") is not None for c in cases] == [failures == 1, False, False, False, False]
    assert [(s.get("message") or "").partition(":")[0] for s in found.iter("skipped")][-2:] == [
        "n 40 < 200",
        "not assessed",
    ]


def test_why_and_how_much_stand_beside_it() -> None:
    (found,) = suite(judged("fail"))
    case = found.find("testcase")
    assert case is not None
    assert case.find("failure") is not None and case.findtext("system-out") == (
        "worst over best 1.6 times; 95% interval 1.4 to 1.9; n 200"
    )
    assert [c.findtext("system-out") for c in found.iter("testcase")][1] == (
        "late could not be measured: no row has a time"
    )
    (found,) = suite(judged("uncertain"))
    assert [s.get("message") for s in found.iter("skipped")][0] == "uncertain: 1.6 times. More rows."
    assert {p.get("name"): p.get("value") for p in found.iter("property")} == {
        "release": "sha256:ab",
        "limit max": "1.5",
    }


def test_a_suite_for_each_gate_and_the_same_bytes_again() -> None:
    pairs = (judged("pass"), judged("fail"))
    assert len(suite(*pairs)) == 2
    assert junit("sha256:ab", pairs) == junit("sha256:ab", pairs)


def test_any_text_of_the_data_is_xml() -> None:
    odd = 'a<b>&"\x00\x1b\ud800\uffff\U0001f600'
    (found,) = suite(judged("fail", reason=odd, group=odd))
    failure = found.find("testcase/failure")
    assert failure is not None and failure.get("message") == 'a<b>&"????\U0001f600'
    assert 'band=a<b>&"????\U0001f600' in [c.get("name") for c in found.iter("testcase")]
