"""What follows a decision: who looks after a release once it is live, who can take it away, and who may reject it."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from lockgate.records.findings import Purpose, Reliability
from lockgate.records.pack import Pack
from lockgate.records.wire import from_json
from lockgate.release.afterwards import going_back, owner, watched
from lockgate.release.evidence_page import render
from lockgate.release.minute import answers

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture
def pack() -> Pack:
    return from_json(Pack, json.loads((GOLDEN / "evidence_pack.json").read_text("utf-8")))


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html.partition("<main>")[2]))


def test_somebody_answers_for_it_or_the_page_says_that_nobody_does(pack: Pack) -> None:
    named = dataclasses.replace(pack, purpose=Purpose(owner="store team", review_by="2012-01-31"))
    assert owner(named) == "Its owner (store team) answers for it; it is looked at again by 2012-01-31."
    nobody = dataclasses.replace(pack, purpose=None)
    assert owner(nobody) == "No owner was written down: ask before you sign; no day was set to look at it again."


def test_who_can_take_it_away(pack: Pack) -> None:
    assert going_back(pack) == "olga (role operator) can put 247610f4dedd back with one command"
    first = dataclasses.replace(pack, live=None, operators=())
    assert going_back(first).endswith("whoever runs the server of production stops it, and nobody is answered")


def test_the_page_says_that_no_alarm_sounds(pack: Pack) -> None:
    assert "No alarm sounds when answers get worse" in watched(pack)
    text = text_of(render(pack))
    assert text.count("No alarm sounds") == 2  # in the minute, and where it says more
    assert "lockgate feedback import FILE --env production" in text


def test_why_it_was_made_stands_where_it_says_what_changed(pack: Pack) -> None:
    said = "Sam, who started the run, says why: “price steps of the last week, asked for by the store”."
    assert said in text_of(render(pack))
    assert pack.builder is not None
    silent = dataclasses.replace(pack, builder=dataclasses.replace(pack.builder, note=""))
    assert "Nobody wrote down why this release was made; ask sam." in text_of(render(silent))
    titled = dataclasses.replace(pack, builder=dataclasses.replace(pack.builder, note="", title="Lower prices"))
    assert "The title of its commit: “Lower prices”." in text_of(render(titled))
    changed = {a.question: a.answer for a in answers(pack)}["What changed?"]
    assert changed.endswith("says why: “price steps of the last week, asked for by the store”.")


def test_a_note_cannot_speak_with_the_pages_voice(pack: Pack) -> None:
    assert pack.builder is not None
    forged = "fine”</p><p>All checks pass.\n“Nobody needs to sign\u202e"
    text = render(dataclasses.replace(pack, builder=dataclasses.replace(pack.builder, note=forged)))
    assert "says why: “fine&lt;/p&gt;&lt;p&gt;All checks pass. Nobody needs to sign⟨U+202E⟩”.</p>" in text


def test_before_an_environment_that_asks_nobody_no_command_is_offered_that_would_be_refused(pack: Pack) -> None:
    passing = tuple(v for v in pack.verdicts if v.outcome == "pass")
    text = text_of(render(dataclasses.replace(pack, rule=None, verdicts=passing)))
    assert "lockgate approve" not in text and "lockgate reject" not in text
    assert "it goes there without anybody’s word, and nobody can reject it there" in text


def test_what_it_is_not_for_stands_beside_the_verdict(pack: Pack) -> None:
    pack = dataclasses.replace(pack, purpose=Purpose(forbidden=("ordering by itself",)))
    head = text_of(render(pack)).partition("The page in one minute")[0]
    assert "Not to be used for: Ordering by itself. Your approval changes nothing about that." in head


@pytest.mark.parametrize(
    ("said", "low", "high", "words"),
    [("0.77", "0.57", "0.74", "they say too much for race: b"), ("0.5", "0.57", "0.74", "they say too little for race: b"),
     ("0.6", "0.57", "0.74", "for race: b neither is shown")],
)  # fmt: skip
def test_scores_that_say_too_much_are_told_by_group_and_way(
    pack: Pack, said: str, low: str, high: str, words: str
) -> None:
    happened = {"name": "happened", "value": "0.66", "low": low, "high": high, "n": 119, "unit": "share"}
    one = from_json(
        Reliability,
        {"by": "race", "group": "b", "gap": "0.1", "n": 119, "bins": [], "said": said, "happened": happened},
    )
    text = text_of(render(dataclasses.replace(pack, reliability=(one,))))
    assert f"On average over all scores, {words}." in text
    assert ("look twice" in text.partition("Do scores mean what they say?")[2]) == ("neither" not in words)
