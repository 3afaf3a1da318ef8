"""The note under a merge request: what would change for users, what the reviewer decides, and everything to decide it by.

Pure: the same records give the same text, so that a pipeline that runs again changes nothing. What the first screen shows is chosen;
long lists are folded, and cut with a count of what was left out, far below the million characters that GitLab takes.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from lockgate.forge.markdown import code, details, table, text
from lockgate.forge.note_answers import answers
from lockgate.forge.note_head import GateSaid, Noted, head, linked
from lockgate.forge.note_numbers import changed, compared, not_assessed, worst
from lockgate.release.headline import mark
from lockgate.release.wording import count, decimal_of, sentence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockgate.records.pack import Pack

__all__ = ["MARKER", "MOST", "GateSaid", "Noted", "nothing_proposed", "render_note"]

MARKER: Final = "report"
"""By which the note is found again."""

MOST: Final = 200_000
"""Characters. GitLab takes 1,000,000; a page with more than this is slow to read, too."""

GATES: Final = 60


def nothing_proposed(project: str, links: Mapping[str, str], *, in_pipeline: bool = True) -> str:
    """The note where there is no release: this pipeline made none, or, on a desk, nobody has made one yet."""
    if not in_pipeline:
        return f"### {text(project, 80)}: nobody has proposed a release yet\n\n{code('lockgate propose')} makes one.\n"
    look = f": {linked(links)}" if links else ""
    return (
        f"### {text(project, 80)}: this pipeline proposed no release\n\n"
        f"A job before {code('report')} failed, or was never started; the red one says why{look}. Nothing is to be decided here until "
        "it is mended: the pipeline of the next push writes over this note. What is live stays live.\n"
    )


def render_note(noted: Noted) -> str:
    """The whole text."""
    blocks = [*head(noted), *answers(noted.difference, noted.decides, _prominent(noted.pack))]
    if noted.pack:
        blocks += compared(noted.pack, noted.difference)
    blocks += [_gates(noted)]
    if noted.pack:
        blocks += [
            *worst(noted.pack),
            *noted.plots,
            *([] if noted.serves else changed(noted.pack, noted.difference)),
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


def _gates(noted: Noted) -> str:
    rows = [_gate(g) for g in noted.gates]
    left = len(rows) - GATES
    more = f"\n\nand {count(left, 'gate')} more" if left > 0 else ""
    told = table(["gate", "says", "in one sentence"], rows[:GATES])
    return f"#### Gates\n\n{told}{more}" if told else ""


def _gate(said: GateSaid) -> list[str]:
    if said.verdict is None:
        why = (
            f"It asks what {text(said.after, 80)} serves, after the merge."
            if said.after
            else "No result is in the ledger: look at its job."
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
        f"Release {code(noted.release)}{made}. Written by {code('lockgate gitlab report')}; the next pipeline writes over it. "
        "This note decides nothing: the signed ledger does."
    )
