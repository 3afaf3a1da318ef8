"""Ten questions of a risk officer with ten minutes: each is answered under a heading of its own, and nowhere else has to be looked.

And in which order: who is worst off stands before any average, evidence before what is only nice to know.
"""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from lockgate.records.evidence import Estimate, Evidence
from lockgate.records.findings import Purpose
from lockgate.records.pack import Pack
from lockgate.records.wire import from_json
from lockgate.release.evidence_page import encoded, render
from lockgate.release.minute import answers

GOLDEN = Path(__file__).parents[1] / "golden"
TEN = [
    ("Which group is worst off, by how much, and on how many rows?", ["new", "86.4%", "± 9.8 points", "n = 308"]),
    (
        "Is it better than the live release, and how sure is that?",
        ["WAPE 55.1% → 53.8%", "a paired comparison says 1.0% to 3.5% better", "champion: Forecast error"],
    ),
    (
        "What changed since the live release?",
        ["2,506 rows added", "describe (9 lines added, 2 removed)", "lightgbm 4.6.0 4.7.0", "11,020 answers differ", "51.9%"],
    ),
    ("What is uncertain, and what would settle it?", ["1.67 times that of the best", "About 20 more days"]),
    ("What was not assessed?", ["How answers move with product: it has more than 12 kinds", "this machine has served none"]),
    ("What is it for, and what must it not be used for?", ["Planning how many pieces", "Ordering stock by the sum"]),
    ("Who built it, and from what?", ["started by sam", "Sam Scientist", "48cef9d56f6bd0cf09cd685868e6772eb8a91640"]),
    ("What happens at a rollback?", ["lockgate rollback production --to sha256:247610f4", "builds nothing"]),
    ("Until when does an approval count?", ["For 7 days from the moment it is signed", "when anything that it binds changes"]),
    ("How do you check the bytes?", ["lockgate ledger verify", "sha256sum evidence.html", "sha256:"]),
]  # fmt: skip


@pytest.fixture(scope="module")
def pack() -> Pack:
    return from_json(Pack, json.loads((GOLDEN / "evidence_pack.json").read_text("utf-8")))


def text_of(html: str) -> str:
    """What is read: without markup, styles and text alternatives."""
    bare = re.sub(r"<style>.*?</style>|<svg.*?</svg>|<[^>]+>", " ", html, flags=re.DOTALL)
    return re.sub(
        r"\s+(?=[\s:,.;])", "", bare.replace("\N{NO-BREAK SPACE}", " ").replace("&nbsp;", " ").replace("&#34;", '"')
    ).replace("\n", " ")


def under(html: str, heading: str) -> str:
    """The text from a heading to the next one of the same or a higher level."""
    found = re.search(rf"<h(\d)[^>]*>{re.escape(heading)}</h\1>(.*)", html, re.DOTALL)
    assert found, heading
    return text_of(re.split(rf"<h[1-{found[1]}][ >]", found[2])[0])


@pytest.mark.parametrize(("heading", "answer"), TEN)
def test_each_of_ten_questions_has_its_answer_under_its_heading(pack: Pack, heading: str, answer: list[str]) -> None:
    section = under(render(pack), heading)
    for words in answer:
        assert words in section, section


def test_the_first_screen_answers_them_too(pack: Pack) -> None:
    asked = {a.question: a.answer for a in answers(pack)}
    assert asked["Is it better than the live release?"].startswith("Forecast error (WAPE) is 2.2% lower")
    assert asked["Who built it?"] == "Sam started the run; code by Sam Scientist."
    assert asked["What must it not be used for?"].startswith("Ordering stock by the sum of many forecasts.")
    assert asked["Until when does it count?"].startswith("For 7 days from the moment")
    assert asked["What was not assessed?"].endswith("how the requests of today are spread; volume band = very high.")
    ids = set(re.findall(r' id="([a-z]+)"', render(pack)))
    assert {a.anchor for a in answers(pack)} <= ids


def test_what_nobody_wrote_down_is_said_and_not_left_out(pack: Pack) -> None:
    html = render(dataclasses.replace(pack, purpose=None, builder=None, exceptions=(), missing=()))
    assert under(html, "What is it for, and what must it not be used for?").count("Nobody wrote it down") == 2
    assert "It was not recorded." in under(html, "Who built it, and from what?")
    assert "No waiver and no emergency decision" in html
    half = Purpose(intended="Planning")
    section = under(
        render(dataclasses.replace(pack, purpose=half)), "What is it for, and what must it not be used for?"
    )
    assert "Planning." in section and section.count("Nobody wrote it down") == 1


def test_no_average_stands_before_the_groups(pack: Pack) -> None:
    text = text_of(render(pack))
    average = text.index("53.8%")
    last_group = min(float(g.estimate.value or 0) for g in pack.groups)
    assert average > text.index(f"{last_group:.1%}", text.index("by group, worst first"))
    assert "All rows together" in text[average - 40 : average]


def test_sections_come_in_the_order_of_a_decision(pack: Pack) -> None:
    headings = re.findall(r'<h2 id="(\w+)"', render(pack))
    assert headings[:8] == ["minute", "decide", "changed", "worst", "uncertain", "checks", "better", "close"]
    assert headings[8:12] == ["alike", "looks", "cases", "honest"]
    assert headings[12:18] == ["purpose", "missing", "built", "binds", "check", "undo"]


def test_what_gates_could_not_judge_stands_with_what_else_is_missing(pack: Pack) -> None:
    small = Evidence(
        gate="fair",
        kind="slices",
        statistic=Estimate(name="x", value=None, why="few"),
        not_assessed=("sex = x: 7 rows",),
    )
    section = under(render(dataclasses.replace(pack, evidence=(*pack.evidence, small))), "What was not assessed?")
    assert "Fair: sex = x: 7 rows." in section
    assert "a good verdict above says nothing about them" in section


def test_where_views_disagree_it_is_said(pack: Pack) -> None:
    section = under(render(pack), "What does the release look at?")
    assert "the views disagree Product: shuffling ranks it 1 of 4, the model itself 4." in section
    assert "Shuffling these changes nothing: is new of history." in section
    figure = render(pack).partition('id="looks"')[2].partition("</section>")[0]
    assert "27.3 points worse ± 4.2 points" in figure
    assert "0.06 points better" in figure or "0.060 points better" in figure
    assert "not measured: the predictor raised ValueError" in figure


def test_what_is_drawn_is_said(pack: Pack) -> None:
    section = render(pack).partition('id="alike"')[2].partition("</section>")[0]
    figures = re.findall(r'<svg class="pl" role="img" aria-label="([^"]+)"', section)
    assert len(figures) == len(pack.distributions) + 2
    age = next(f for f in figures if f.startswith("How age is spread"))
    assert "Training: 1,000 rows, middle 236" in age and "32% lie in other places than in training" in age
    assert section.count("look twice") == 1  # age; the others differ by less than a tenth beyond chance


def test_scores_that_cannot_be_judged_say_why(pack: Pack) -> None:
    section = under(render(pack), "Are its intervals honest, for every group?")
    assert "Not assessed: 12 rows, fewer than 20." in section
    assert "1 of 3 bins lie off the line" in section


def test_without_interval_or_score_nothing_is_promised(pack: Pack) -> None:
    mute = dataclasses.replace(pack, coverage=(), reliability=())
    assert "it does not say how sure it is" in under(render(mute), "Does it say how sure it is?")


def test_the_json_is_bound_by_the_page(pack: Pack) -> None:
    import hashlib

    data = encoded(pack)
    assert "sha256:" + hashlib.sha256(data).hexdigest() in render(pack)
    assert from_json(Pack, json.loads(data)) == pack


def test_what_was_tried_before_and_why_it_was_stopped(pack: Pack) -> None:
    text = text_of(render(pack))
    assert "1 release before this one was stopped. It, 5f0be9d2c1a8 of 13 October 2011: slices failed; Pat" in text
    assert "new products are still guesses" in text
    none = text_of(render(dataclasses.replace(pack, attempts=())))
    assert "None was stopped since the live one was proposed." in none


def test_a_reason_stands_with_its_limit_and_a_reject_is_explained(pack: Pack) -> None:
    text = text_of(render(pack))
    assert "at most 1.5 times Before the test, what sells little was 1.4 times as hard" in text
    assert "No approval of anybody else lifts your reject; only your own does, later." in text
