"""The first screen of a merge request's note: what would change for users, what the gates say, and who decides what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lockgate.forge.markdown import code, cut, link, text
from lockgate.forge.note_answers import in_brief
from lockgate.records.digest import short
from lockgate.release.headline import READY, headline
from lockgate.release.minute import tried
from lockgate.release.wording import count, sentence

if TYPE_CHECKING:
    from lockgate.records.evidence import Verdict
    from lockgate.records.movement import ReleaseDifference
    from lockgate.records.pack import Pack
    from lockgate.release.headline import Headline

__all__ = ["GateSaid", "Noted", "head", "linked"]

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
        environment: where users are, and people are asked. live: the release that it would replace there.
        serves: it is live there itself, so that nothing would change.
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
    serves: bool = False
    gates: tuple[GateSaid, ...] = ()
    pack: Pack | None = None
    difference: ReleaseDifference | None = None
    decides: Mapping[str, str] = field(default_factory=dict[str, str])
    asked: tuple[tuple[str, int], ...] = ()
    sign: str = ""
    links: Mapping[str, str] = field(default_factory=dict[str, str])
    plots: tuple[str, ...] = ()


def head(noted: Noted) -> list[str]:
    """The title, the verdict, and what there is to know and to decide, as blocks of Markdown."""
    lines = [
        f"- **What would change**: {_change(noted)}.",
        f"- **You decide now**: {_deciding(noted)}",
        *([] if noted.serves else _signing(noted)),
        *(_warned(noted.pack) if noted.pack else []),
        *([f"- **Look at**: {linked(noted.links)}"] if noted.links else []),
    ]
    return [f"### {text(noted.project, 80)}: {_title(noted)}", f"**{_verdict(noted)}**", "\n".join(lines)]


def _title(noted: Noted) -> str:
    release, place = f"release {short(noted.release)}", text(noted.environment, 80)
    if noted.serves:
        return f"{release} is live in {place} already"
    return f"{release} would {f'replace {short(noted.live)}' if noted.live else 'be the first'} in {place}"


def _deciding(noted: Noted) -> str:
    if noted.serves:
        return "merge this, or not. No answer changes by it."
    if not _missing(noted) and _headline(noted).may_approve:
        return "merge this, or not. Merging alone puts nothing live."
    return "how to mend this. Merging it would put nothing live."


def _warned(pack: Pack) -> list[str]:
    """What no gate fails on and somebody should know: cautions, and that others were stopped before it."""
    lines = [f"- **Caution**: {text(sentence(line))}" for line in pack.cautions[:CAUTIONS]]
    left = len(pack.cautions) - len(lines)
    lines += [f"- {count(left, 'more caution')} on the evidence page"] if left > 0 else []
    return [*lines, *([f"- **Before this one**: {text(tried(pack))}"] if pack.attempts else [])]


def _change(noted: Noted) -> str:
    if noted.serves:
        return f"nothing: {text(noted.environment, 80)} serves this very release"
    if noted.live is None:
        return f"{text(noted.environment, 80)} serves nothing yet, so there is no answer to compare with"
    brief = in_brief(noted.difference, noted.decides)
    return brief or "the two releases could not be compared; see below"


def _missing(noted: Noted) -> list[str]:
    """Gates that should have been judged before the first environment, and were not."""
    return [g.gate for g in noted.gates if g.verdict is None and not g.after]


def _headline(noted: Noted) -> Headline:
    waived = [g.gate for g in noted.gates if g.beside.startswith("waived")]
    return headline([g.verdict for g in noted.gates if g.verdict], waived)


def _verdict(noted: Noted) -> str:
    """The gates in one sentence; those that are judged later, and those that should have been and were not."""
    if noted.serves:
        return "✓ Nothing is to be decided about this release: it is live."
    judged, missing = [g for g in noted.gates if g.verdict], _missing(noted)
    later = [g.gate for g in noted.gates if g.verdict is None and g.after]
    found = _headline(noted)
    words = found.sentence.replace(READY, "Not ready:", 1) if missing else found.sentence
    said = [text(words)] if judged else []
    said += [f"Not judged: {', '.join(code(g) for g in missing)}."] if missing else []
    said += [f"Judged after the merge: {', '.join(code(g) for g in later)}."] if later else []
    symbol = "✗" if missing or not judged else found.mark.symbol
    return " ".join([symbol, *(said or ["No gate was judged."])])


def _signing(noted: Noted) -> list[str]:
    """Who signs later, and with which command; only a release that no gate stops can be signed for."""
    if not noted.asked:
        return [f"- **Nobody signs** before {text(noted.environment, 80)}: gates alone decide there."]
    if missing := _missing(noted):
        gates = ", ".join(code(g) for g in missing)
        return [
            f"- **Nobody can sign** for it yet, as a gate was not judged ({gates}). The next pipeline writes over this note."
        ]
    if not _headline(noted).may_approve:
        return ["- **Nobody can sign** for it: a gate stops it. The next pipeline writes over this note."]
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


def linked(links: Mapping[str, str]) -> str:
    """Words that lead to addresses, in one line."""
    return " · ".join(link(words, address) for words, address in links.items())
