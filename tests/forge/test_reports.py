"""The reports for GitLab's widgets: OpenMetrics, code quality, annotations: golden files, the formats as documented, and any name.

Rewrite the golden files after a change that was meant: `LOCKGATE_GOLDEN=write pytest tests/forge/test_reports.py`.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from forge.reported import JUDGED, judged, pack, share
from forge.test_note import HOSTILE
from jsonschema import Draft7Validator

from lockgate.forge.annotations import annotations
from lockgate.forge.change import change_in, links_in
from lockgate.forge.metrics import MOST, metrics
from lockgate.forge.pictures import pictures
from lockgate.forge.quality import Found, of_gates, quality
from lockgate.records.evidence import Estimate, GroupEstimate

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "gitlab"
DECLARED = "gates = [\n    gates.enough_good_data(),\n    gates.no_leak(),\n]\n"
STALE = Found(
    check="stale",
    about="ci/lockgate.gitlab-ci.yml: gate:slices",
    says="gate:slices is gone",
    severity="major",
    path="ci/lockgate.gitlab-ci.yml",
    line=40,
)

LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
SAMPLE = re.compile(rf"[a-zA-Z_:][a-zA-Z0-9_:]*(?:\{{{LABEL}(?:,{LABEL})*\}})? -?(?:\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)")
QUALITY = {  # https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
    "type": "array",
    "items": {
        "type": "object", "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "description": {"type": "string", "minLength": 1}, "check_name": {"type": "string"}, "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "required": ["path", "lines"],
                "properties": {"path": {"type": "string", "pattern": r"^[^./]"}, "lines": {"required": ["begin"], "properties": {"begin": {"type": "integer", "minimum": 1}}}},
            },
        },
    },
}  # fmt: skip
ANNOTATIONS = {  # https://docs.gitlab.com/ci/yaml/artifacts_reports/#artifactsreportsannotations
    "type": "object",
    "additionalProperties": {
        "type": "array",
        "items": {
            "required": ["external_link"], "additionalProperties": False,
            "properties": {"external_link": {
                "required": ["label", "url"], "additionalProperties": False,
                "properties": {"label": {"type": "string", "maxLength": 255}, "url": {"type": "string", "format": "uri"}},
            }},
        },
    },
}  # fmt: skip


def golden(name: str, said: str) -> None:
    if os.environ.get("LOCKGATE_GOLDEN") == "write":
        (GOLDEN / name).write_text(said)
    assert said == (GOLDEN / name).read_text()


def found() -> str:
    return quality([*of_gates(JUDGED, files={"demand/__init__.py": "", "demand/delivery.py": DECLARED}), STALE])


def series(said: str) -> dict[str, str]:
    """Read as OpenMetrics says: families one after the other, each series once, `# EOF` last."""
    lines = said.splitlines()
    assert lines[-1] == "# EOF" and said.endswith("\n")
    families: list[str] = []
    read: dict[str, str] = {}
    for line in lines[:-1]:
        if line.startswith("# TYPE "):
            name, kind = line.removeprefix("# TYPE ").split(" ")
            assert (kind, name in families) == ("gauge", False)
            families.append(name)
        elif not line.startswith(f"# HELP {families[-1]} "):
            assert SAMPLE.fullmatch(line), line
            name, value = line.rsplit(" ", 1)
            assert name.partition("{")[0] == families[-1] and name not in read, line
            assert len(line.split(" ")) == 2, "who reads by spaces reads it, too"
            read[name] = value
    return read


def test_golden() -> None:
    golden("metrics.txt", metrics(JUDGED))
    golden("quality.json", found())
    golden(
        "links.json", annotations({"evidence page": "https://gitlab.example.org/g/p/-/jobs/9/artifacts/file/e.html"})
    )


def test_metrics_are_openmetrics_and_nothing_is_rounded() -> None:
    said = series(metrics(JUDGED))
    assert said['lockgate_gate_passes{gate="no_leak"}'] == "0"
    assert said['lockgate_gate_uncertain{gate="champion"}'] == "1"
    assert said['lockgate_measured{gate="champion",name="relative_difference"}'] == "0.003"
    assert said['lockgate_group_high{gate="slices",by="volume_band",group="low",name="wape"}'] == "0.67"
    assert series(metrics([])) == {}


@pytest.mark.parametrize("value", ["1e-12", "NaN", "Infinity", "-0.0", "123456789012345678", None, "word"])
def test_odd_numbers_are_written_or_left_out(value: str | None) -> None:
    said = series(metrics([judged("odd", "pass", statistic=Estimate(name="x", value=value, why="no"))]))
    assert ('lockgate_measured{gate="odd",name="x"}' in said) == (value in ("1e-12", "-0.0", "123456789012345678"))


def test_a_gate_that_does_not_apply_has_no_verdict_there() -> None:
    assert not [n for n in series(metrics([judged("idle", "not_applicable")])) if n.startswith("lockgate_gate_")]


@pytest.mark.parametrize("bad", [*HOSTILE, 'a"b', "a\nb", "é{}"])
def test_any_name_is_a_label(bad: str) -> None:
    group = GroupEstimate(by=bad, group=bad, estimate=share(bad, "0.5"))
    assert series(metrics([judged(bad, "pass", "slices", groups=(group,), statistic=share(bad, "0.1"))]))


def test_metrics_stop_somewhere() -> None:
    groups = tuple(GroupEstimate(by="shop", group=str(n), estimate=share("wape", "0.5")) for n in range(5_000))
    assert len(series(metrics([judged("slices", "pass", groups=groups)]))) == MOST


def test_quality_is_what_gitlab_documents() -> None:
    said = json.loads(found())
    Draft7Validator(QUALITY).validate(said)
    assert [(f["check_name"], f["severity"], f["location"]["lines"]["begin"]) for f in said] == [
        ("lockgate/enough_good_data/not-assessed", "info", 2), ("lockgate/no_leak", "critical", 3), ("lockgate/stale", "major", 40),
    ]  # fmt: skip
    assert json.loads(quality([])) == []


def test_a_fingerprint_is_of_what_and_where_not_of_numbers() -> None:
    def prints(pairs: Any) -> list[str]:
        return [f["fingerprint"] for f in json.loads(quality(of_gates(pairs, files={"a.py": ""})))]

    again = [
        (
            replace(v, reason="4 of 300 answers."),
            replace(e, not_assessed=tuple(n.replace("40", "41") for n in e.not_assessed)),
        )
        for v, e in JUDGED
    ]
    assert prints(JUDGED) == prints(again)
    assert len(set(prints(JUDGED))) == 2
    other = [(replace(v, gate=f"{v.gate}_2"), e) for v, e in JUDGED]
    assert not set(prints(other)) & set(prints(JUDGED))


@pytest.mark.parametrize("bad", HOSTILE)
def test_any_text_is_a_finding(bad: str) -> None:
    Draft7Validator(QUALITY).validate(
        json.loads(quality(of_gates([judged(bad or "g", "fail", "no_leak", reason=bad)], files={"a.py": bad})))
    )


def test_annotations_are_what_gitlab_documents() -> None:
    env = {
        "CI_JOB_URL": "https://gitlab.example.org/g/p/-/jobs/9",
        "CI_PIPELINE_URL": "https://gitlab.example.org/g/p/-/pipelines/3",
    }
    said = json.loads(annotations(links_in(env, "out/evidence.html", {"production": "https://shop.example.org"})))
    Draft7Validator(ANNOTATIONS).validate(said)
    assert [link["external_link"]["label"] for link in said["lockgate"]] == ["evidence page", "pipeline", "production"]
    assert json.loads(annotations({"x": "javascript:alert(1)", "long": f"https://a.example/{'x' * 2_000}"})) == {
        "lockgate": []
    }


def test_only_the_projects_own_merge_request_is_written_under() -> None:
    own = {"CI_MERGE_REQUEST_IID": "7", "CI_PROJECT_ID": "42", "CI_MERGE_REQUEST_PROJECT_ID": "42"}
    assert change_in(own).number == "7"
    assert "runs in a fork (project 43)" in change_in({**own, "CI_PROJECT_ID": "43"}).why_not
    assert change_in({}).why_not


def test_pictures_stand_alone() -> None:
    from xml.etree import ElementTree as ET

    drawn = pictures(pack())
    assert [*drawn] == ["groups", "days"]
    for words, svg in drawn.values():
        root = ET.fromstring(svg)
        assert words and root.tag == "{http://www.w3.org/2000/svg}svg"
        assert root.get("width") == "760" and "<style>" in svg
        assert not re.search(r"<script|href=|url\(|@import", svg)
    bad = replace(pack(), groups=tuple(replace(g, group="<script>x</script>&") for g in pack().groups))
    assert "<script>" not in pictures(bad)["groups"][1]
    assert pictures(replace(pack(), groups=(), days=())) == {}
