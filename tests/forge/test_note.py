"""The note under a merge request: the golden text, what stands first, hostile names, sizes.

Rewrite the golden text after a change that was meant: `LOCKGATE_GOLDEN=write pytest tests/forge/test_note.py`.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from forge.reported import LIVE, difference, noted, pack
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from lockgate.errors import NotFound
from lockgate.forge.markdown import JOINER, code, link, table, text
from lockgate.forge.note import MOST, GateSaid, nothing_proposed, render_note
from lockgate.records.evidence import Estimate, GroupEstimate, Verdict
from lockgate.records.movement import ReleaseDifference
from lockgate.testing.gitlab import DEVELOPER, GitLab

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "gitlab"
HOSTILE = (
    "@all", "/merge", "\n/approve\n", "<img src=x onerror=alert(1)>", "![x](https://evil.example/p.png)", "[click](javascript:alert(1))", "|a|b|\n|-|-|",
    "`@all`", "``` \n/close", "<!-- lockgate:report -->", "</details></td>", "#12 !7 %v1 ~bug &4 $5 ^alert#1", "https://evil.example", "www.evil.example",
    "a\\", "a\\|b", ":smile:", "[[_TOC_]]", "{+ins+} [-del-]", "**bold** _it_", "\u202eevil\u0000", "%{project_name}", "$`x`$", "<script>", "# heading", "",
    "GROUP/project@all", "*[x]", "[^1]", "~~s~~", "&lt;b&gt;", "[vulnerability:3]", "evil@example.org",
)  # fmt: skip


class Seen(HTMLParser):
    """The tags of a page, and its text outside of code."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.plain: list[str] = []
        self.comments: list[str] = []
        self._code = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._code += tag in ("code", "pre")

    def handle_endtag(self, tag: str) -> None:
        self._code -= tag in ("code", "pre")

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def handle_data(self, data: str) -> None:
        if not self._code:
            self.plain.append(data)


def rendered(markdown: str) -> Seen:
    """As CommonMark with GitHub's tables shows it."""
    return Seen(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown))


def test_the_note_is_the_golden_one() -> None:
    said, golden = render_note(noted()), GOLDEN / "note.md"
    if os.environ.get("LOCKGATE_GOLDEN") == "write":
        golden.write_text(said)
    assert said == golden.read_text()
    assert render_note(noted()) == said


def test_the_first_lines_say_what_changes_and_what_to_decide() -> None:
    top = "\n".join(render_note(noted()).splitlines()[:20])
    for words in (
        "### demand: release b2b2b2b2b2b2 would replace a1a1a1a1a1a1 in production", "1 is uncertain and needs your acceptance by name",
        "75.0% of 4,312 answers move, 26.9% by more than 10%", "39.0% → 39.1%, 0.4% better to 0.9% worse", "**You decide now**: merge this, or not",
        '`lockgate approve b2b2b2b2b2b2 --role product-owner --reason "…" --accept champion`', "| asked | live `a1a1a1a1a1a1` | proposed `b2b2b2b2b2b2` |",
        "| `22000` CHILLI LIGHTS, 3 October 2011 | 54.0 | 48.0 | −6.00 | code −5.50, data −0.50 | 31.0 |",
    ):  # fmt: skip
        assert words in top, words
    first = render_note(noted()).index("\n|")
    assert render_note(noted())[first:].startswith("\n| asked |"), "the difference is the first table"


def test_nobody_signs_for_what_a_gate_stops() -> None:
    failed = [replace(g, beside="") for g in noted().gates]
    said = render_note(noted(gates=tuple(failed)))
    assert "✗ Not ready: 1 check fails (no\\_leak)" in said
    assert "**Nobody can sign** for it" in said
    assert "lockgate approve" not in said
    assert "**You decide now**: how to mend this." in said


def test_a_release_with_a_gate_that_said_nothing_is_not_ready() -> None:
    said = render_note(noted(gates=(GateSaid(gate="slices"), noted().gates[0])))
    assert "**✗ Not ready: 1 check passes, none fails, none is uncertain. Not judged: `slices`.**" in said
    assert "**Nobody can sign** for it yet" in said
    assert "lockgate approve" not in said


def test_a_release_that_is_live_already_asks_nobody() -> None:
    """A merge request that changes only words proposes the very release that serves."""
    said = render_note(noted(serves=True, live=None, difference=None))
    assert "### demand: release b2b2b2b2b2b2 is live in production already" in said
    assert "**What would change**: nothing: production serves this very release." in said
    for false in ("would be the first", "serves nothing yet", "Nothing is live yet", "lockgate approve", "needs your acceptance"):  # fmt: skip
        assert false not in said, false


def test_where_there_is_no_release_it_says_what_comes_next() -> None:
    link = {"pipeline": "https://gitlab.example.org/g/p/-/pipelines/9"}
    failed, desk = nothing_proposed("demand", link), nothing_proposed("demand", {}, in_pipeline=False)
    assert "the red one says why: [pipeline](<https://gitlab.example.org/g/p/-/pipelines/9>)" in failed
    assert "`lockgate propose` makes one" in desk
    assert "pipeline" not in desk


def test_names_that_our_sentences_mark_as_code_are_shown_as_code() -> None:
    seen = rendered(render_note(noted(pack=replace(pack(), missing=("the pipeline names no `trained_rows`",)))))
    assert "`" not in "".join(seen.plain)
    for beside in ("$`x`$", "``a`", "`a``", "`@all`", "`a|b`", "a`b`c"):
        assert "code" not in {tag for tag, _ in rendered(text(beside)).tags}, beside


def test_of_each_product_the_largest_change_stands_first() -> None:
    """And the sentence above the table says no more than that: the same product comes again further down."""
    moved = difference().movement
    assert moved
    rows = tuple(replace(r, request={**r.request, "product": f"{n % 3}"}) for n, r in enumerate(moved.largest))
    several = tuple(sorted(rows, key=lambda r: r.request["product"]))
    said = render_note(noted(difference=replace(difference(), movement=replace(moved, largest=several))))
    assert "The largest changes, of each product the largest first, of the 4,312 requests" in said
    assert "once" not in said.partition("\n| asked")[0].partition("both answers")[2]


def test_what_is_missing_is_said() -> None:
    unjudged = render_note(noted(gates=(GateSaid(gate="slices"), *noted().gates[:1])))
    assert "Not judged: `slices`." in unjudged
    assert render_note(noted(gates=())).splitlines()[2] == "**✗ No gate was judged.**"
    alone = render_note(noted(live=None, difference=None, asked=()))
    assert "would be the first in production" in alone
    assert "serves nothing yet" in alone
    assert "**Nobody signs** before production" in alone
    bare = render_note(
        noted(pack=None, difference=ReleaseDifference(before=LIVE, after=LIVE, unanswered="polars is missing"))
    )
    assert "They cannot be compared: Polars is missing." in bare
    assert "packages alone: scipy 1.17 is in no registry here" in render_note(noted())
    stale = replace(noted().gates[2], beside="stale: another release is live now")
    assert "**Stale: another release is live now.**" in render_note(noted(gates=(stale,)))


def test_a_release_that_decides_is_told_in_its_own_words() -> None:
    moved = difference().movement
    assert moved
    row = replace(moved.largest[0], before="1", after="0", change="-1", actual="1", parts={})
    said = render_note(
        noted(
            decides={"1": "Approve", "0": "A person has to look"},
            difference=replace(difference(), movement=replace(moved, largest=(row,))),
        )
    )
    assert "| Approve | A person has to look | turns |" in said
    assert "share of “Approve”" in said


def everywhere(bad: str) -> Any:
    """A note in which every text of users is this one."""
    moved = difference().movement
    assert moved
    rows = tuple(
        replace(
            r,
            request={bad or "f": bad},
            labels={bad or "f": bad + "x"},
            reasons_before=(bad,),
            reasons_after=(bad, bad),
            as_of=bad,
        )
        for r in moved.largest
    )
    groups = tuple(replace(g, by=bad, group=bad) for g in moved.groups)
    found = replace(
        difference(), words=((bad, bad), ("code", bad)),
        movement=replace(moved, largest=rows, groups=groups, left_out=(bad,), metric={**moved.metric, "words": bad}, first=bad, last=bad),
        unbuilt=tuple(replace(u, why=bad) for u in difference().unbuilt),
    )  # fmt: skip
    shown = pack()
    verdicts = tuple(
        Verdict(gate=bad or "g", kind=bad, outcome=o, reason=bad, settles=bad)
        for o in ("pass", "uncertain", "not_applicable")
    )
    shown = replace(
        shown, metric=replace(shown.metric, title=bad, meaning=bad), missing=(bad, f"x: {bad}"), cautions=(bad, bad, bad), verdicts=verdicts,
        groups=tuple(GroupEstimate(by=bad, group=bad, estimate=replace(g.estimate, why=bad)) for g in shown.groups),
        evidence=tuple(replace(e, gate=bad, not_assessed=(bad,), also=tuple(replace(a, name=bad or "n") for a in e.also)) for e in shown.evidence),
        questions=tuple(replace(q, text=bad) for q in shown.questions), changes=tuple(replace(c, what=bad, before=bad, after=bad) for c in shown.changes),
    )  # fmt: skip
    gates = tuple(GateSaid(gate=v.gate, verdict=v, beside=bad) for v in verdicts) + (
        GateSaid(gate=bad or "g", after=bad or "e"),
        GateSaid(gate=bad or "g"),
    )
    return noted(
        project=bad, environment=bad, gates=gates, pack=shown, difference=found, asked=((bad, 2),), sign=f"lockgate approve {bad}", commit=bad,
        links={"page": bad}, decides={},
    )  # fmt: skip


PLAIN_TAGS = {
    "h3",
    "h4",
    "p",
    "strong",
    "ul",
    "li",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "code",
    "details",
    "summary",
    "sub",
    "a",
    "img",
    "ol",
    "em",
}


@pytest.mark.parametrize("bad", HOSTILE)
def test_no_name_does_anything(bad: str) -> None:
    said = render_note(everywhere(bad))
    seen, fair = rendered(said), rendered(render_note(everywhere("fair")))
    built, wanted = ([t for t, _ in s.tags if t not in ("code", "strong", "a")] for s in (seen, fair))
    assert not bad or built == wanted, "nothing is built but what we build"
    assert {t for t, _ in seen.tags} <= PLAIN_TAGS
    for tag, attributes in seen.tags:
        address = attributes.get("src") or attributes.get("href") or ""
        assert (
            address == ""
            or address.startswith("/uploads/0123")
            or (tag == "a" and address == bad == "https://evil.example")
        ), address
        assert not any(name.startswith("on") for name in attributes)
    outside = "".join(seen.plain)
    assert not re.search(r"[@#!$%~&^][\w\"{\[(]", outside), "a reference or a mention"
    assert not re.search(r"https?://|www\.\w|:\w+:|\[\[|\{[+-]", outside)
    assert not re.search(r"^\s*/\w", said, re.MULTILINE), "a command of GitLab stands at the start of a line"
    assert not seen.comments


@pytest.mark.parametrize("bad", HOSTILE)
def test_gitlab_does_nothing_with_it(bad: str) -> None:
    """Through the port: the note is written, found again and changed in place, and no quick action is done."""
    from gitlab.test_forge import forge_on

    with GitLab() as running:
        running.merge_request(7)
        forge = forge_on(running, role=DEVELOPER)
        first = forge.say("7", "report", render_note(everywhere(bad)))
        assert forge.say("7", "report", render_note(noted())) == first
        assert (len(running.project.notes[7]), running.project.executed) == (1, [])


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_is_one_cell(said: str) -> None:
    for cell in (text(said), code(said)):
        seen = rendered(table(["a", "b"], [[cell, "last"]]))
        assert [t for t, _ in seen.tags if t != "code"] == [
            "table",
            "thead",
            "tr",
            "th",
            "th",
            "tbody",
            "tr",
            "td",
            "td",
        ]
        assert "".join(seen.plain).rstrip().endswith("last")


def test_text_reads_as_it_was_written() -> None:
    for said in ("a|b <i> [x](y)", "ask @all in #12", "50% of $3 & more", "a_b*c~d", "x\\y"):
        assert "".join(rendered(text(said)).plain).strip().replace(JOINER, "") == said


def test_only_web_addresses_are_linked() -> None:
    assert link("a", "javascript:alert(1)") == "a"
    assert link("a", "https://x.example/)[b](https://evil.example") == "a"


def test_long_lists_are_cut_with_a_count_and_the_note_stays_small() -> None:
    many = [
        GroupEstimate(
            by="shop", group=f"shop {n} {'x' * 300}", estimate=Estimate(name="wape", value="0.4", n=9, unit="share")
        )
        for n in range(5_000)
    ]
    moved = difference().movement
    assert moved
    wide = replace(moved, groups=tuple(replace(moved.groups[0], by="shop", group=f"shop {n}") for n in range(5_000)))
    lines = tuple(("code", f"file_{n}.py: {'f' * 500}") for n in range(5_000))
    gates = tuple(
        GateSaid(gate=f"gate_{n}", verdict=Verdict(gate=f"gate_{n}", kind="slices", outcome="pass", reason="y" * 5_000))
        for n in range(500)
    )
    shown = replace(pack(), groups=tuple(many), missing=tuple(f"thing {n}: {'z' * 900}" for n in range(5_000)))
    said = render_note(noted(pack=shown, difference=replace(difference(), movement=wide, words=lines), gates=gates))
    assert len(said) < MOST + 1_000
    for words in (
        "4,960 more groups were left out.",
        "4,961 more groups were left out.",
        "and 440 gates more",
        "5,001 things that were not assessed, or on too few rows",
    ):
        assert words in said, words


def test_a_note_that_is_still_too_long_loses_what_is_folded_first() -> None:
    gates = tuple(GateSaid(gate=f"gate_{n}", verdict=noted().gates[0].verdict) for n in range(60))
    huge = replace(pack(), questions=tuple(replace(pack().questions[0], text="q" * 390) for _ in range(2_000)))
    said = render_note(noted(pack=huge, gates=gates))
    assert len(said) <= MOST
    assert "qqqq" not in said
    assert "This note decides nothing" in said


def test_a_change_request_that_is_gone_is_not_found() -> None:
    from gitlab.test_forge import forge_on

    with GitLab() as running, pytest.raises(NotFound):
        forge_on(running).say("7", "report", render_note(noted()))


def test_intervals_that_move_alone_are_no_nothing() -> None:
    """Every answer is the same, and twice as unsure: users see that."""
    found = difference()
    assert found.movement is not None
    moved = replace(found.movement, same=found.movement.rows, same_bounds=0, widths=("8.71", "11.4"))
    said = render_note(noted(difference=replace(found, movement=moved)))
    assert (
        "all 4,312 answers stay the same to the last digit, but not the intervals around them: mean width 8.71 → 11.4"
        in said
    )
    assert "nothing that users see" not in said
    nothing = render_note(noted(difference=replace(found, movement=replace(moved, same_bounds=moved.rows))))
    assert "nothing that users see: all 4,312 answers" in nothing


def test_an_interval_that_only_goes_along_is_not_told() -> None:
    found = difference()
    assert found.movement is not None
    along = replace(found.movement, same_bounds=found.movement.same, widths=("14.2", "14.2"))
    assert "intervals around them" not in render_note(noted(difference=replace(found, movement=along)))
    assert "intervals around them: mean width 14.2 → 13.9" in render_note(noted(difference=found))
