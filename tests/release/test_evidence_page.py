"""The evidence page: same pack, same bytes; loads nothing; escapes everything; answers the ten questions; never breaks.

Rewrite the golden page after a change that was meant: `LOCKGATE_GOLDEN=write pytest tests/release/test_evidence_page.py`.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.records.evidence import Estimate, Evidence, GroupEstimate, Verdict
from lockgate.records.findings import Purpose
from lockgate.records.pack import Change, Day, Influence, Metric, Pack, SigningRule
from lockgate.records.wire import from_json, to_json
from lockgate.release import beside, demands, plots, wording
from lockgate.release.card import render_card
from lockgate.release.evidence_page import render
from lockgate.release.headline import headline
from lockgate.release.minute import answers

GOLDEN = Path(__file__).parents[1] / "golden"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HEADINGS = {"h1", "h2", "h3", "h4"}
VOID = {"meta", "br", "link", "img", "input", "hr"}
ALLOWED = set(
    "html head meta title style body main header footer section article p h1 h2 h3 h4 strong span code pre a ul ol li dl dt dd div "
    "table caption thead tbody tr th td details summary figure figcaption br "
    "svg desc line circle rect path polygon text".split()
)
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style></title><svg/onload=alert(1)>",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "<!-- -->]]>&lt;&#60;",
    "paid \u202egnp.exe\u0000\u2066",
]


class Page(HTMLParser):
    """What a browser would see: elements balanced, attributes, headings, text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in HEADINGS:
            self.headings.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        self.text += data
        if self.headings and HEADINGS & set(self.open):
            self.headings[-1] += data


@pytest.fixture(scope="module")
def pack() -> Pack:
    return from_json(Pack, json.loads((GOLDEN / "evidence_pack.json").read_text("utf-8")))


def bare(**more: object) -> Pack:
    """As little as a pack can be."""
    fields = {"project": "p", "release": "sha256:" + "0" * 64, "as_of": dt.date(2024, 2, 29), "environment": "staging"}
    return Pack(**{**fields, "metric": Metric(name="wape"), **more})  # type: ignore[arg-type]


def is_safe(html: str) -> Page:
    """No element, attribute or address that could run or load anything."""
    page = Page(html)
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    for tag, attributes in page.elements:
        assert tag in ALLOWED, tag
        assert not [
            a for a in attributes if a.startswith("on") or a in ("src", "srcset", "style", "action", "xlink:href")
        ]
        if "href" in attributes:
            assert tag == "a"
            assert (attributes["href"] or "")[1:] in ids
    styles = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    assert len(styles) == 1
    assert "url(" not in styles[0]
    assert "@import" not in styles[0]
    return page


# --- one page, always the same bytes


def test_golden(pack: Pack) -> None:
    html, golden = render(pack), GOLDEN / "evidence_page.html"
    if os.environ.get("LOCKGATE_GOLDEN") == "write":
        golden.write_bytes(html.encode())
    assert html.encode() == golden.read_bytes()


def test_same_pack_same_bytes_also_after_a_journey_through_json(pack: Pack) -> None:
    again = from_json(Pack, json.loads(json.dumps(to_json(pack))))
    assert again == pack
    assert render(again) == render(pack)
    assert render_card(again) == render_card(pack)


def test_fields_of_newer_records_are_kept(pack: Pack) -> None:
    newer = {**to_json(pack), "fairness": {"by": "region"}}
    assert to_json(from_json(Pack, newer)) == newer


# --- what a reader finds


@pytest.mark.parametrize(
    ("heading", "answer"),
    [
        ("Which group is worst off, by how much, and on how many rows?", "new86.4% ± 9.8 points"),
        ("Which group is worst off, by how much, and on how many rows?", "n\u00a0=\u00a0308"),
        ("What is uncertain, and what would settle it?", "1.67 times that of the best"),
        ("What is uncertain, and what would settle it?", "About 20 more days"),
        ("What changed since the live release?", "adds the median of the last 4 same weekdays"),
        ("What does your signature bind?", "every byte|the bundle of code"),
        ("What happens at a rollback?", "lockgate rollback production --to sha256:247610f4"),
        ("What must you answer before you decide?", "--accept slices --reason"),
    ],
)
def test_each_question_is_a_heading_and_its_section_answers(pack: Pack, heading: str, answer: str) -> None:
    page = Page(render(pack))
    assert heading in page.headings
    section = page.text.rsplit(heading, 1)[1][:6000]
    assert any(a in section for a in answer.split("|"))


def test_the_summary_answers_on_the_first_screen_and_links_down(pack: Pack) -> None:
    asked = {a.question: a.answer for a in answers(pack)}
    assert asked["Which group is worst off, by how much?"].startswith(
        "Group “new”: WAPE 86.4% ± 9.8 points, n\u00a0=\u00a0308 rows on 24 days."
    )
    assert asked["What would settle it?"].startswith("About 20 more days")
    ids = {a.get("id") for _, a in Page(render(pack)).elements}
    assert {a.anchor for a in answers(pack)} <= ids


def test_worst_group_first_and_unmeasured_last(pack: Pack) -> None:
    unknown = GroupEstimate(
        by="volume_band", group="rare", estimate=Estimate(name="wape", value=None, why="no sales", unit="share")
    )
    groups = beside.worst_first((unknown, *pack.groups), pack.metric)
    values = [float(g.estimate.value) for g in groups[:-1] if g.estimate.value]
    assert values == sorted(values, reverse=True)
    assert groups[-1] is unknown
    assert "Not measured: no sales." in Page(render(dataclasses.replace(pack, groups=groups))).text


def test_exact_decimals_stand_beside_rounded_ones(pack: Pack) -> None:
    html = render(pack)
    titles = " ".join(a.get("title") or "" for _, a in Page(html).elements)
    for group in pack.groups:
        assert str(group.estimate.value) in titles
        assert f"<td>{group.estimate.low}</td>" in html


def test_verdicts_never_speak_in_colour_alone(pack: Pack) -> None:
    text = Page(render(pack)).text
    assert "? uncertain" in text
    assert "✓ passes" in text
    assert "– does not apply" in text


def test_every_uncertain_gate_is_accepted_by_its_own_name() -> None:
    verdicts = tuple(Verdict(gate=g, kind="k", outcome="uncertain", reason="r") for g in ("a", "b; rm -rf /"))
    text = Page(render(bare(verdicts=verdicts, rule=SigningRule(role="owner")))).text
    assert "--accept a --accept 'b; rm -rf /' --reason" in text
    assert "2 checks are uncertain and need your acceptance by name" in text


# --- verdict in one sentence


@pytest.mark.parametrize(
    ("outcomes", "sentence", "may"),
    [
        ("", "Not ready: no check could judge this release.", False),
        ("n", "Not ready: no check could judge this release. 1 check does not apply (g0).", False),
        ("p", "Ready for your decision: 1 check passes, none fails, none is uncertain.", True),
        ("ppu", "Ready for your decision: 2 checks pass, 1 is uncertain and needs your acceptance by name (g2).", True),
        ("pfu", "Not ready: 1 check fails (g1). There is nothing to approve.", False),
        ("ff", "Not ready: 2 checks fail (g0, g1). There is nothing to approve.", False),
        ("px", "Not ready: 1 check fails (g1). There is nothing to approve.", False),
    ],
)
def test_headline(outcomes: str, sentence: str, may: bool) -> None:
    words = {"p": "pass", "f": "fail", "u": "uncertain", "n": "not_applicable", "x": "brilliant"}
    found = headline([Verdict(gate=f"g{i}", kind="k", outcome=words[o], reason="r") for i, o in enumerate(outcomes)])  # type: ignore[arg-type]
    assert (found.sentence, found.may_approve) == (sentence, may)
    shown = Page(
        render(
            bare(
                verdicts=tuple(Verdict(gate="g", kind="k", outcome=words[o], reason="r") for o in outcomes),
                rule=SigningRule(role="owner"),
            )
        )
    ).text  # type: ignore[arg-type]
    assert ("lockgate approve" in shown) == may


# --- hostile data


def everywhere(value: object, text: str, keep: str = "") -> object:
    """The pack's JSON with every free text replaced; dates, kinds and switches stay."""
    if isinstance(value, dict):
        return {k: everywhere(v, text, k) for k, v in value.items()}
    if isinstance(value, list):
        return [everywhere(v, text, keep) for v in value]
    fixed = keep in ("as_of", "date", "first", "last", "outcome", "kind", "generated_at", "proposed")
    return text if isinstance(value, str) and not fixed else value


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_everywhere_stays_text(pack: Pack, text: str) -> None:
    hostile = from_json(Pack, everywhere(to_json(pack), text))
    page = is_safe(render(hostile))
    assert wording.visible(text) in page.text
    assert "\u202e" not in page.text
    body = render_card(hostile).split("---\n", 2)[2]
    assert not re.search(r"(?<!\\)<", body)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_beside_true_numbers(pack: Pack, text: str) -> None:
    """The figures draw, too: numbers stay, only names are hostile."""
    groups = tuple(dataclasses.replace(g, group=f"{text}{i}") for i, g in enumerate(pack.groups))
    cases = tuple(dataclasses.replace(c, request={"product": text}) for c in pack.cases)
    influences = (Influence(name=text, share=0.5, meaning=text),)
    hostile = dataclasses.replace(
        pack, groups=groups, coverage=groups, by_horizon=groups, cases=cases, influences=influences
    )
    page = is_safe(render(hostile))
    assert wording.visible(text) in page.text


def test_the_card_says_who_decides_and_what_counts(pack: Pack) -> None:
    rule = SigningRule(role="product-owner", people=2, others=("risk",))
    signed, pressed = (
        render_card(dataclasses.replace(pack, rule=dataclasses.replace(rule, grade=g))) for g in ("signed", "attested")
    )
    assert (
        "Before production 2 different people in the role **product-owner**, and who holds the role **risk**." in signed
    )
    assert "Grade: signed, each with their own key." in signed
    assert "Grade: attested, a forge says who pressed a button" in pressed
    assert "Nobody is asked before production." in render_card(dataclasses.replace(pack, rule=None))


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_is_safe(project: str, reason: str) -> None:
    verdict = Verdict(
        gate=project, kind="k", outcome="uncertain", reason=reason, threshold={reason: project}, settles=reason
    )
    is_safe(render(bare(project=project, banner=reason, verdicts=(verdict,), limits=(reason,))))
    render_card(bare(project=project, banner=reason, verdicts=(verdict,), limits=(reason,)))


def test_nothing_is_loaded_and_nothing_runs(pack: Pack) -> None:
    html = render(pack)
    is_safe(html)
    assert not re.search(r"https?://|<script|<link|<img|<iframe|<object|<form", html)
    assert "default-src 'none'" in html


# --- missing pieces never break it


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(Pack) if f.default is not dataclasses.MISSING])
def test_any_one_piece_may_be_missing(pack: Pack, field: str) -> None:
    default = next(f.default for f in dataclasses.fields(Pack) if f.name == field)
    without = dataclasses.replace(pack, **{field: default})
    is_safe(render(without))
    render_card(without)


def test_almost_nothing() -> None:
    page = is_safe(render(bare()))
    for words in (
        "No group was measured",
        "No check has run",
        "Do not sign",
        "No limit was written down",
        "none to go back to",
    ):
        assert words in page.text
    assert "lockgate approve" not in page.text
    assert render_card(bare()).startswith("---\n")


def test_first_release_has_nothing_to_go_back_to(pack: Pack) -> None:
    text = Page(render(dataclasses.replace(pack, live=None, changes=()))).text
    assert "nothing: the first release" in text
    assert "This would be the first" in text
    assert "puts the live release back" not in text


def test_numbers_that_are_none(pack: Pack) -> None:
    nothing = Estimate(name="wape", value=None, why="no rows", unit="share")
    odd = Estimate(name="wape", value="nan", low="-inf", high="x", unit="share")
    groups = tuple(GroupEstimate(by="b", group=str(i), estimate=e) for i, e in enumerate((nothing, odd)))
    nan = float("nan")
    days = (Day(date=dt.date(2024, 1, 1), actual=nan, forecast=float("inf"), low=nan), Day(date=dt.date(2024, 1, 2)))
    evidence = tuple(
        Evidence(gate=v.gate, kind=v.kind, statistic=e) for v, e in zip(pack.verdicts, (nothing, odd) * 9, strict=False)
    )
    broken = dataclasses.replace(
        pack, overall=odd, groups=groups, by_horizon=groups, coverage=groups, promised_coverage="nan", days=days,
        evidence=evidence, influences=(Influence(name="x", share=nan),),
    )  # fmt: skip
    is_safe(render(broken))
    render_card(broken)


def test_all_fail_one_day_one_group(pack: Pack) -> None:
    verdicts = tuple(dataclasses.replace(v, outcome="fail") for v in pack.verdicts)
    small = dataclasses.replace(
        pack, verdicts=verdicts, groups=pack.groups[:1], days=pack.days[:1], by_horizon=pack.by_horizon[:1]
    )
    text = is_safe(render(small)).text
    assert "Not ready: 6 checks fail" in text
    assert "lockgate approve" not in text


def test_changes_that_came_and_went(pack: Pack) -> None:
    changes = (Change(kind="code", what="step a", before="x"), Change(kind="code", what="step b", after="y"))
    text = Page(render(dataclasses.replace(pack, changes=changes))).text
    assert "step axgone" in re.sub(r"\s+", " ", text).replace("\n", "")
    assert "step bnot therey" in text


def test_digests_are_told_apart_in_the_details_and_named_in_the_sentence(pack: Pack) -> None:
    text = Page(render(pack)).text
    assert "demand.features.describe changed" in text
    assert text.count("9e2c31a1126f") == 1
    changed = next(a.answer for a in answers(pack) if a.question == "What changed?")
    assert "9e2c31a1126f" not in changed
    assert "Data: a week more: known up to 14 October 2011 instead of 7 October 2011;" in changed
    assert (
        "a paired comparison says 1.0% to 3.5% better"
        in text.partition("Is it better than the live release, and how sure")[2]
    )


# --- what a product owner asked


def test_cautions_stand_before_everything_but_the_verdict(pack: Pack) -> None:
    text = Page(render(pack)).text
    assert (
        text.index("Ready for your decision")
        < text.index("in no commit that a colleague")
        < text.index("The page in one minute")
    )
    assert "Caution: Added up over 24 days" in render_card(pack)


def test_with_nothing_uncertain_every_question_is_still_answered(pack: Pack) -> None:
    decided = tuple(dataclasses.replace(v, outcome="pass") for v in pack.verdicts)
    asked = {a.question: a.answer for a in answers(dataclasses.replace(pack, verdicts=decided))}
    assert asked["What is uncertain?"].startswith("Every check came to a decision. How sure each number is")
    assert asked["What would settle it?"] == "No check is undecided. More rows would narrow the ± of each number."
    assert asked["What if you do nothing?"].startswith("Production keeps serving 247610f4dedd.")
    assert "no check has run" in {a.question: a.answer for a in answers(bare())}["What is uncertain?"]


def test_a_relative_difference_has_no_points(pack: Pack) -> None:
    text = re.sub(r"\s+", " ", Page(render(pack)).text)
    assert "2.2% lower (1.0% to 3.5% lower)" in text
    assert not re.search(r"lower ?±", text)


def test_few_days_say_so_and_every_row_counts(pack: Pack) -> None:
    html = render(pack)
    assert "58.1%</text>" in html
    assert "n = 480; too few days (2) to say how sure" in html
    for group in (*pack.coverage, *pack.by_horizon):
        assert f"{group.estimate.n:,}" in html


def test_the_coverage_of_all_answers_is_the_checks_own(pack: Pack) -> None:
    check = next(e.statistic for e in pack.evidence if e.gate == "interval_coverage")
    assert wording.spread(pack.coverage[0].estimate) == wording.spread(check)


@pytest.mark.parametrize(
    ("kind", "threshold", "words"),
    [
        ("champion", {"margin": "0.02"}, "may be at most 2% worse"),
        ("champion", {"margin": "0"}, "must not be worse"),
        ("champion", {"margin": "-0.01"}, "must be at least 1% better"),
        ("beats_baseline", {"margin": "0"}, "must be better at all"),
        ("beats_baseline", {"margin": "0.025"}, "must be more than 2.5% better"),
        ("interval_coverage", {"nominal": "0.8", "tolerance": "0.05"}, "80% promised, 75% to 85% allowed"),
        ("slices", {"worst_over_best": "1.5"}, "at most 1.5 times"),
        (
            "enough",
            {"min_rows": "1000", "min_days": "1", "max_bad_share": "0"},
            "at least 1,000 rows, none bad",
        ),
        ("no_leak", {"max_rows": "0"}, "none may differ"),
        ("integration", {}, "none may differ, no contract may break"),
        ("formats", {}, "allowed formats only, no pickle, no program"),
        ("compatibility", {"max_breaking": "0"}, "no change that breaks callers"),
        (
            "split",
            {"min_gap_days": "1", "max_shared_groups": "2"},
            "at least 1 day between, at most 2 groups (group on both sides)",
        ),
        ("budget", {"p95_ms": "50"}, "95% of all answers in at most 50 ms"),
        ("staleness", {"max_data_days": "3"}, "data at most 3 days old"),
        ("skew", {"max_share": "0"}, "none may differ"),
        (
            "leakage",
            {"max_near_share": "0.01", "max_skill_share": "0.98"},
            "nearly the same rows: at most 1%, a single feature's share of the skill: below 98%",
        ),
        ("own", {"at_most": "0.05"}, "at most 0.050"),
        ("own", {"margin": "lots", "why": True}, "margin lots, why yes"),
    ],
)
def test_limits_in_words(kind: str, threshold: dict[str, object], words: str) -> None:
    assert demands.limits(Verdict(gate="g", kind=kind, outcome="pass", reason="", threshold=threshold)) == words


@settings(max_examples=200, deadline=None)
@given(st.decimals(0, 1, places=6), st.decimals(0, 1, places=6), st.sampled_from(["share", "units", ""]))
def test_half_an_interval_is_off_by_less_than_its_last_digit(low: object, high: object, unit: str) -> None:
    ends = sorted((float(str(low)), float(str(high))))
    e = Estimate(name="m", value=str(sum(ends) / 2), low=str(ends[0]), high=str(ends[1]), unit=unit)
    shown = re.sub(r"[^0-9.]", "", wording.spread(e))
    half = (ends[1] - ends[0]) / 2 * (100 if unit == "share" else 1)
    last = 10.0 ** -len(shown.partition(".")[2])
    assert abs(float(shown) - half) < last


def test_a_number_far_from_the_middle_of_its_interval_has_no_plus_minus() -> None:
    """3.2 ± 6.6 points would reach below zero, where the interval does not."""
    lopsided = Estimate(name="difference", value="0.0322", low="0.0018", high="0.134", unit="share")
    assert wording.spread(lopsided) == "(0.2 to 13.4 points)"
    assert wording.between(lopsided) == "between 0.2 and 13.4 points"
    rate = dataclasses.replace(lopsided, name="rate")
    assert wording.spread(rate) == "(0.2% to 13.4%)"
    assert wording.spread(dataclasses.replace(rate, value="0.07")) == "± 6.6 points"


def test_groups_are_explained_and_cases_stand_under_why_they_were_chosen(pack: Pack) -> None:
    many = tuple(
        dataclasses.replace(
            pack.cases[0], chosen=f"kind {i % 4}", request={"product": f"P{i}"}, labels={"product": "LIGHT"}
        )
        for i in range(20)
    )
    html = render(dataclasses.replace(pack, cases=many))
    assert "first sold less than 60 days before the test began" in html
    section = html.partition('id="cases"')[2].partition("</section>")[0]
    assert re.findall(r"<h3>(.*?)</h3>", section) == ["Kind 0", "Kind 1", "Kind 2", "Kind 3"]
    assert len(set(re.findall(r"<h4>(P\d+) LIGHT</h4>", section))) == 20
    assert "<details" not in section  # on paper nobody can open it
    assert "Asked on 1 October 2011" in section and "live release <strong>36 units" in section


def test_who_may_go_back_and_how_long_an_approval_counts(pack: Pack) -> None:
    text = re.sub(r"\s+", " ", Page(render(pack)).text)
    assert "Whoever has the role operator may give it" in text
    assert "For 7 days from the moment it is signed" in text
    assert "Demand: may this release go to production?" in text
    assert "how the record of decisions ended when you signed" in text


# --- accessible


def test_every_figure_and_table_says_what_it_shows(pack: Pack) -> None:
    html = render(pack)
    figures = re.findall(r'<svg class="pl"[^>]*>.*?</svg>', html, re.DOTALL)
    spoken = [f for f in figures if 'aria-hidden="true"' not in f.split(">")[0]]
    assert len(spoken) >= len(pack.groups) + 4
    for figure in spoken:
        assert 'role="img" aria-label="' in figure
        assert re.search(r"<title>[^<]+</title><desc>[^<]+</desc>", figure)
    assert html.count("<table") == html.count("<caption>")
    assert html.count("<h1") == 1


def test_landmarks_headers_and_language_are_declared(pack: Pack) -> None:
    """What an automated pass (axe-core 4.14: no violation in light and dark) looks for, as far as it can be read off the text."""
    elements = Page(render(pack)).elements
    ids = {a["id"] for _, a in elements if "id" in a}
    assert dict(elements)["html"] == {"lang": "en"}
    assert all("scope" in a for tag, a in elements if tag == "th")
    assert all(a.get("aria-labelledby") in ids or a.get("aria-label") for tag, a in elements if tag == "section")
    assert [tag for tag, _ in elements].count("main") == 1
    assert "a:focus-visible, summary:focus-visible { outline" in render(pack)


def test_heading_levels_never_skip(pack: Pack) -> None:
    levels = [int(tag[1]) for tag, _ in Page(render(pack)).elements if tag in HEADINGS]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in zip(levels, levels[1:], strict=False))


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_contrast_is_at_least_4_5_in_light_and_dark() -> None:
    css = re.search(r"<style>(.*?)</style>", render(bare()), re.DOTALL)
    assert css is not None
    themes = re.findall(r":root \{(.*?)\}", css[1], re.DOTALL)
    assert len(themes) == 3
    for theme in themes:
        colours = {
            n: c if len(c) == 7 else "#" + "".join(2 * x for x in c[1:])
            for n, c in re.findall(r"--(\w+): (#[0-9a-f]{3,6});", theme)
        }
        for name in ("ink", "quiet", "accent", "pass", "fail", "uncertain", "none"):
            for ground in ("paper", "wash"):
                light, dark = sorted((_luminance(colours[name]), _luminance(colours[ground])), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (name, ground)


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")
@pytest.mark.parametrize("hostile", [False, True])
def test_fits_a_phone_and_the_browser_has_no_complaint(pack: Pack, tmp_path: Path, hostile: bool) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
    if hostile:
        groups = tuple(dataclasses.replace(g, group="X" * 90) for g in pack.groups)
        pack = dataclasses.replace(pack, groups=groups, coverage=groups, target="y" * 300)
    (tmp_path / "page.html").write_bytes(render(pack).encode())
    arguments = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking".split()
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*arguments, "--disable-component-update", "--disable-sync"]
        )
        for width in (320, 390, 1280):
            page, complaints = browser.new_page(viewport={"width": width, "height": 800}), list[str]()
            page.on("console", lambda m, c=complaints: c.append(m.text))
            page.on("request", lambda r, c=complaints: None if r.url.startswith("file:") else c.append(r.url))
            page.goto((tmp_path / "page.html").as_uri())
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), width
            assert complaints == []
        browser.close()


# --- the figures' own laws


@settings(max_examples=200, deadline=None)
@given(st.floats(-1e9, 1e9), st.floats(0, 1e9))
def test_ticks_cover_their_range_in_even_steps(low: float, width: float) -> None:
    ticks = plots.nice_ticks(low, low + width)
    assert 2 <= len(ticks) <= 12
    slack = 1e-6 * max(1.0, abs(low), width)
    assert ticks[0] <= low + slack
    assert ticks[-1] >= low + width - slack


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=40))
def test_lines_stay_inside_their_frame(values: list[float | None]) -> None:
    svg = plots.line_band(
        [str(i) for i in range(len(values))], [plots.Line(label="a", values=values, role="actual")], title="t", desc="d"
    )
    if all(v is None for v in values):
        assert svg == ""
        return
    assert svg.count("<circle") == sum(v is not None for v in values)
    assert all(
        0 <= float(x) <= 100 and 0 <= float(y) <= 260 for x, y in re.findall(r'cx="([-\d.]+)%" cy="([-\d.]+)"', svg)
    )


@pytest.mark.parametrize("points", [1, 2, 3, 4, 5, 6, 8, 9, 30, 365])
def test_dates_below_a_chart_never_touch(points: int) -> None:
    line = plots.Line(label="a", values=[1.0] * points, role="actual")
    svg = plots.line_band([f"<{i}>" for i in range(points)], [line], title="t", desc="d")
    at = [float(x) for x in re.findall(r'<text class="pl-tick" x="([\d.]+)%" y="254', svg)]
    assert min(points, 3) <= len(at) <= 4
    assert all(b - a > 25 for a, b in zip(at, at[1:], strict=False))  # per cent of 350 px: twice the width of "28 Oct"


def test_no_line_of_the_scale_runs_through_a_word() -> None:
    row = plots.Whisker(label="a", value=0.5, low=0.4, high=0.6, text="50%", note="n = 9")
    svg = plots.dot_whisker([row, row], title="t", desc="d", reference=0.45, reference_label="limit")
    words = [float(y) for y in re.findall(r'<text [^>]*y="([\d.]+)"', svg)]
    for top, bottom in re.findall(r'<line class="pl-(?:grid|ref)"[^>]*y1="([\d.]+)" y2="([\d.]+)"', svg):
        assert not any(float(top) < y + 2 and y - 9 < float(bottom) for y in words)


def test_empty_figures_are_empty() -> None:
    assert plots.line_band([], [], title="t", desc="") == ""
    assert plots.dot_whisker([], title="t", desc="") == ""
    assert plots.bars([], title="t", desc="") == ""


# --- words


@settings(max_examples=200, deadline=None)
@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=9))
def test_rounded_numbers_are_close_and_short(value: object) -> None:
    text = wording.number(str(value)).replace(",", "").replace("\N{MINUS SIGN}", "-")
    assert abs(float(text) - float(str(value))) <= max(0.5, abs(float(str(value))) * 0.05)
    assert "e" not in text.lower()


def test_compared_in_plain_words(pack: Pack) -> None:
    words = {
        wording.group_name(g.by, g.group): beside.compared(g, pack.groups, pack.overall, pack.metric)
        for g in pack.groups
    }
    assert words["volume band: low"] == "clearly worse: 1.47 times the average; 1.67 times the best (volume band: high)"
    assert words["not new"] == "not clearly different: 0.99 times the average; the best by new"
    assert words["volume band: high"] == "clearly better: 0.88 times the average; the best by volume band"


def test_scores_compare_as_points() -> None:
    score = Metric(name="accuracy", lower_is_better=False)
    low, high = (
        GroupEstimate(by="b", group=g, estimate=Estimate(name="accuracy", value=v, low=v, high=v, unit="share"))
        for g, v in (("l", "0.8"), ("h", "0.95"))
    )
    assert beside.worst_first((high, low), score) == (low, high)
    overall = Estimate(name="accuracy", value="0.9", unit="share")
    assert (
        beside.compared(low, (high, low), overall, score)
        == "clearly worse: 10.0 points below the average; 15.0 points below the best (b: h)"
    )


# --- the card


def test_card_has_front_matter_that_cannot_be_broken_out_of(pack: Pack) -> None:
    front = render_card(dataclasses.replace(pack, project='x"\n---\nlicense: evil')).split("---\n")[1]
    fields = {line.partition(": ")[0]: json.loads(line.partition(": ")[2]) for line in front.splitlines()}
    assert set(fields) == {"library_name", "pipeline_tag", "tags", "metrics", "license", "model-index"}
    assert (fields["license"], fields["metrics"], fields["pipeline_tag"]) == (
        "apache-2.0",
        ["wape"],
        "tabular-classification",
    )
    whole, worst, *_ = fields["model-index"][0]["results"]
    assert whole["metrics"][0]["value"] == pytest.approx(0.53847)
    assert worst["metrics"][0]["value"] == pytest.approx(0.864, abs=0.001) and worst["dataset"]["name"].endswith(
        ", new"
    )


def test_card_calls_a_licence_that_the_hub_does_not_know_other(pack: Pack) -> None:
    own = dataclasses.replace(pack, purpose=Purpose(licence="House rules 1"), reliability=())
    front = render_card(own).split("---\n")[1]
    assert 'license: "other"\nlicense_name: "House rules 1"\n' in front
    assert 'pipeline_tag: "time-series-forecasting"' in front


def test_card_says_what_the_page_says(pack: Pack) -> None:
    card = render_card(pack)
    for words in ("It must not be used for:", "Ordering stock by the sum", "## Not assessed", "has more than 12 kinds",
                  "27.3 points worse without it", "said and happened 4.1% apart", "Run started by sam", "is waived until"):  # fmt: skip
        assert words in card.replace("\\", ""), words


def test_card_puts_the_worst_group_first(pack: Pack) -> None:
    rows = [line for line in render_card(pack).splitlines() if line.startswith("| ")]
    assert rows[1].startswith("| new | 86.4% | ± 9.8 points | 308 |")


# --- what an officer found on it


def _answer(pack: Pack, question: str) -> str:
    return next(a.answer for a in answers(pack) if a.question == question)


def _judged(gate: str, outcome: str, reason: str, kind: str = "champion") -> Verdict:
    return Verdict(gate=gate, kind=kind, outcome=outcome, reason=reason)


def test_a_comparison_of_another_environment_does_not_contradict_the_one_that_was_decided() -> None:
    idle = _judged("champion_staging", "not_applicable", "Nothing is live in staging.")
    won = _judged("champion", "pass", "Better by 2%.")
    both = bare(live="sha256:" + "1" * 64, verdicts=(idle, won))
    assert _answer(both, "Is it better than the live release?") == "Better by 2%."
    section = render(both).partition('<h2 id="better">')[2].partition("</section>")[0]
    assert "Better by 2%." in section
    assert "Nothing is live in staging." not in section
    alone = dataclasses.replace(both, verdicts=(idle,))
    assert _answer(alone, "Is it better than the live release?") == "Nothing is live in staging."


def test_a_waiver_stands_on_the_first_screen_and_in_the_table() -> None:
    fails = _judged("slices", "fail", "New products miss by 80%.", kind="slices")
    waived = bare(verdicts=(fails,), waived={"slices": "is waived by Ada (owner) until 2026-01-01: known"})
    assert _answer(waived, "What is let through by a waiver?") == (
        "Slices fails and is waived by Ada (owner) until 2026-01-01: known."
    )
    assert re.search("fails.{0,20} and is waived", Page(render(waived)).text)
    plain = dataclasses.replace(waived, waived={})
    assert not [a for a in answers(plain) if "waiver" in a.question]


def test_up_to_four_things_that_were_not_assessed_are_named() -> None:
    few = bare(missing=("fairness: no groups", "skew: no log", "size: no limit"))
    assert _answer(few, "What was not assessed?") == "Fairness; skew; size."
    many = bare(missing=tuple(f"{name}: why" for name in "abcdef"))
    assert _answer(many, "What was not assessed?") == "A; b; c; d; and 2 more things."


def test_an_identifier_keeps_its_case() -> None:
    assert wording.sentence("demand/features.py changed") == "demand/features.py changed."
    assert wording.sentence("model.learning_rate 0.1 → 0.05") == "model.learning_rate 0.1 → 0.05."
    assert wording.sentence("all misses. more") == "All misses. more."


def test_a_typical_change_of_an_answer_says_its_number(pack: Pack) -> None:
    assert "Answers: typical change of an answer: 1.3 units" in _answer(pack, "What changed?")
