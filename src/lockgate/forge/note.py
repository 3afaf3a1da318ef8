"""The note under a merge request: what would change for users, what the reviewer decides, and everything to decide it by.

Pure: the same records give the same text, so that a pipeline that runs again changes nothing. What the first screen shows is chosen;
long lists are folded, and cut with a count of what was left out, far below the million characters that GitLab takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from lockgate.forge.markdown import code, cut, details, link, table, text
from lockgate.forge.note_answers import answers, in_brief
from lockgate.forge.note_numbers import changed, compared, not_assessed, worst
from lockgate.records.digest import short
from lockgate.release.headline import headline, mark
from lockgate.release.minute import tried
from lockgate.release.wording import count, decimal_of, sentence

if TYPE_CHECKING:
    from lockgate.records.evidence import Verdict
    from lockgate.records.movement import ReleaseDifference
    from lockgate.records.pack import Pack

__all__ = ["MARKER", "MOST", "GateSaid", "Noted", "nothing_proposed", "render_note"]

MARKER: Final = "report"
"""By which the note is found again."""

MOST: Final = 200_000
"""Characters. GitLab takes 1,000,000; a page with more than this is slow to read, too."""

GATES: Final = 60
CAUTIONS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSaid:
    """A declared gate. `verdict` None: it was not judged; `after`: the environment behind which it is; `beside`: waived, stale."""

    gate: str
    verdict: Verdict | None = None
    after: str = ""
    beside: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """Everything that the note says.

    Attributes:
        environment: where users are, and people are asked. live: the release that serves there.
        pack: what the evidence page shows; None: there is none.
        difference: what `lockgate diff` says between the two releases; None: nothing is live.
        decides: of a release that decides, `1` and `0` → what they mean; else empty.
        asked: (role, how many people). sign: the command of the first who is missing; empty: nobody is asked.
        links: words → address. plots: Markdown of attached pictures.
    """

    project: str
    release: str
    environment: str
    commit: str = ""
    live: str | None = None
    gates: tuple[GateSaid, ...] = ()
    pack: Pack | None = None
    difference: ReleaseDifference | None = None
    decides: Mapping[str, str] = field(default_factory=dict[str, str])
    asked: tuple[tuple[str, int], ...] = ()
    sign: str = ""
    links: Mapping[str, str] = field(default_factory=dict[str, str])
    plots: tuple[str, ...] = ()


def nothing_proposed(project: str, links: Mapping[str, str]) -> str:
    """The note of a pipeline that made no release."""
    where = f" {_links(links)}" if links else ""
    return (
        f"### {text(project, 80)}: this pipeline proposed no release\n\n"
        f"A job before `report` failed, so there is nothing to compare and nothing to decide yet.{where}\n"
    )


def render_note(noted: Noted) -> str:
    """The whole text."""
    blocks = [*_head(noted), *answers(noted.difference, noted.decides, _prominent(noted.pack))]
    if noted.pack:
        blocks += compared(noted.pack, noted.difference)
    blocks += [_gates(noted)]
    if noted.pack:
        blocks += [
            *worst(noted.pack),
            *noted.plots,
            *changed(noted.pack, noted.difference),
            not_assessed(noted.pack),
            _questions(noted.pack),
        ]
    return _joined(blocks, _foot(noted))


def _joined(blocks: list[str], foot: str) -> str:
    """Folded parts go first where it is too long, and then the end."""
    kept = [b for b in blocks if b]
    while sum(map(len, kept)) + 2 * len(kept) > MOST and (folded := [b for b in kept if b.startswith("<details>")]):
        kept.remove(max(folded, key=len))
    whole = "\n\n".join(kept)
    if len(whole) > MOST:
        at = whole.rfind("\n\n", 0, MOST)
        whole = whole[:at] + "\n\nThe rest is too long for a note: see the evidence page."
    return f"{whole}\n\n{foot}\n"


def _prominent(pack: Pack | None) -> tuple[str, ...]:
    """The inputs that the release would miss most, the first first: what a long request is told by."""
    harms = [(decimal_of(i.harm.value) or Decimal(0), i.name) for i in pack.importances] if pack else []
    return tuple(name for _, name in sorted(harms, key=lambda h: -h[0]))


# ── the first screen ────────────────────────────────────────────────────────


def _head(noted: Noted) -> list[str]:
    release = f"release {code(short(noted.release))}"
    verb = f"would replace {code(short(noted.live))} in" if noted.live else "would be the first in"
    lines = [
        f"- **What would change**: {_change(noted)}.",
        "- **You decide now**: merge this, or not. Merging alone puts nothing live.",
        *_signing(noted),
        *(_warned(noted.pack) if noted.pack else []),
        *([f"- **Look at**: {_links(noted.links)}"] if noted.links else []),
    ]
    return [
        f"### {text(noted.project, 80)}: {release} {verb} {text(noted.environment, 80)}",
        f"**{_verdict(noted)}**",
        "\n".join(lines),
    ]


def _warned(pack: Pack) -> list[str]:
    """What no gate fails on and somebody should know: cautions, and that others were stopped before it."""
    lines = [f"- **Caution**: {text(sentence(line))}" for line in pack.cautions[:CAUTIONS]]
    left = len(pack.cautions) - len(lines)
    lines += [f"- {count(left, 'more caution')} on the evidence page"] if left > 0 else []
    return [*lines, *([f"- **Before this one**: {text(tried(pack))}"] if pack.attempts else [])]


def _change(noted: Noted) -> str:
    if noted.live is None:
        return f"{text(noted.environment, 80)} serves nothing yet, so there is no answer to compare with"
    brief = in_brief(noted.difference, noted.decides)
    return brief or "the two releases could not be compared; see below"


def _verdict(noted: Noted) -> str:
    """The gates in one sentence; those that are judged later, and those that should have been and were not."""
    judged = [g.verdict for g in noted.gates if g.verdict]
    waived = [g.gate for g in noted.gates if g.beside.startswith("waived")]
    missing = [g.gate for g in noted.gates if g.verdict is None and not g.after]
    later = [g.gate for g in noted.gates if g.verdict is None and g.after]
    said = [text(headline(judged, waived).sentence)] if judged else []
    said += [f"Not judged: {', '.join(code(g) for g in missing)}."] if missing else []
    said += [f"Judged after the merge: {', '.join(code(g) for g in later)}."] if later else []
    symbol = "✗" if missing or not judged else headline(judged, waived).mark.symbol
    return " ".join([symbol, *(said or ["No gate was judged."])])


def _signing(noted: Noted) -> list[str]:
    """Who signs later, and with which command; only a release that no gate stops can be signed for."""
    judged = [g.verdict for g in noted.gates if g.verdict]
    waived = [g.gate for g in noted.gates if g.beside.startswith("waived")]
    if not noted.asked:
        return [f"- **Nobody signs** before {text(noted.environment, 80)}: gates alone decide there."]
    if not headline(judged, waived).may_approve:
        return ["- **Nobody can sign** for it: a gate stops it. Mend it, and the next pipeline writes over this note."]
    who = " and ".join(f"{'a' if need == 1 else need} {text(role, 80)}" for role, need in noted.asked)
    verb = "signs" if len(noted.asked) == 1 and noted.asked[0][1] == 1 else "sign"
    others = " (the other roles likewise, each with its own `--role`)" if len(noted.asked) > 1 else ""
    later = [g for g in noted.gates if g.verdict is None and g.after]
    when = f", once {', '.join(code(g.gate) for g in later)} passed behind {text(later[-1].after, 80)}" if later else ""
    return [
        f"- **After the merge** {who} {verb} for {text(noted.environment, 80)}{when}: {_command(noted.sign)}{others}",
        f"  - A merge that keeps this commit (fast-forward) keeps this release. After any other one {code(f'approve:{noted.environment}')} prints its command.",
    ]


def _command(line: str) -> str:
    return f"`{cut(line, 400)}`" if line and "`" not in line and line.isprintable() else text(line)


def _links(links: Mapping[str, str]) -> str:
    return " · ".join(link(words, address) for words, address in links.items())


# ── gates, questions, foot ──────────────────────────────────────────────────


def _gates(noted: Noted) -> str:
    rows = [_gate(g) for g in noted.gates]
    left = len(rows) - GATES
    more = f"\n\nand {count(left, 'gate')} more" if left > 0 else ""
    told = table(["gate", "says", "in one sentence"], rows[:GATES])
    return f"#### Gates\n\n{told}{more}" if told else ""


def _gate(said: GateSaid) -> list[str]:
    if said.verdict is None:
        why = (
            f"it asks what {text(said.after, 80)} serves, after the merge"
            if said.after
            else "no result is in the ledger: look at its job"
        )
        return [code(said.gate), "–\N{NO-BREAK SPACE}later" if said.after else "✗\N{NO-BREAK SPACE}**not judged**", why]
    shown = mark(said.verdict.outcome)
    words = text(sentence(said.verdict.reason), 600)
    settles = (
        f" {text(sentence(said.verdict.settles), 300)}"
        if said.verdict.outcome == "uncertain" and said.verdict.settles
        else ""
    )
    beside = f" **{text(sentence(said.beside), 600)}**" if said.beside else ""
    word = shown.word if shown.tone in ("pass", "none") else f"**{shown.word}**"
    return [code(said.gate), f"{shown.symbol}\N{NO-BREAK SPACE}{word}", words + settles + beside]


def _questions(pack: Pack) -> str:
    asked = [f"1. {text(q.text)}" for q in pack.questions]
    return (
        details(f"{count(len(asked), 'question')} that who signs must be able to answer", "\n".join(asked))
        if asked
        else ""
    )


def _foot(noted: Noted) -> str:
    made = f", made from commit {code(noted.commit[:12])}" if noted.commit else ""
    return (
        f"<sub>Release {code(noted.release)}{made}. Written by `lockgate gitlab report`; the next pipeline writes over it. "
        "This note decides nothing: the signed ledger does.</sub>"
    )
