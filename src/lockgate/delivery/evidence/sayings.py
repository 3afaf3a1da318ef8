"""What stands on an evidence page besides measured numbers of gates: purpose, builder, questions, findings, what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lockgate.delivery.comparison.composition import in_words
from lockgate.delivery.releases import manifest_of
from lockgate.errors import LockgateError
from lockgate.gates.glass import broken_glass
from lockgate.records.digest import short
from lockgate.records.findings import (
    BesideRival,
    Builder,
    Dependence,
    Distribution,
    Importance,
    MovedGroup,
    MovedSummary,
    Purpose,
    Reliability,
    Spread,
)
from lockgate.records.movement import Moved, Movement
from lockgate.records.pack import Command, Influence, Question
from lockgate.records.proposals import NOTE, TITLE, first_proposal, words_of
from lockgate.records.wire import from_json, to_json

if TYPE_CHECKING:
    from lockgate.delivery.evidence.measured import Looked
    from lockgate.gates.binding import Ask
    from lockgate.gates.glass import Glass
    from lockgate.gates.waivers import Waiver
    from lockgate.project import Project
    from lockgate.records.evidence import Evidence, Verdict
    from lockgate.records.release import Manifest
    from lockgate.records.trust import Trusted

__all__ = [
    "builder_of", "exceptions_of", "findings_of", "not_assessed", "purpose_of", "questions", "told", "told_since", "verify", "waiver_in_words",
]  # fmt: skip

FAR = "0.1"  # an answer that moved by more than a tenth


def purpose_of(project: Project) -> Purpose | None:
    """What the owner wrote into `[card]`; None when nobody wrote anything."""
    return from_json(Purpose, to_json(project.settings.card)) if project.settings.card else None


def builder_of(trust: Trusted, manifest: Manifest) -> Builder:
    """Who started the run and who wrote the code, as the deliverer signed it; commit, Python and platform from the release."""
    first = first_proposal(trust.said, manifest.digest)
    claim = first.claim if first else None
    return Builder(
        started_by=claim.started_by if claim else "", authors=claim.authors if claim else (), commit=manifest.lineage.commit,
        dirty=manifest.lineage.dirty, python=manifest.python, platform=manifest.platform,
        note=words_of(claim, NOTE) if claim else "", title=words_of(claim, TITLE) if claim else "",
    )  # fmt: skip


def told(project: Project, before: Manifest | None, now: Manifest) -> tuple[tuple[str, str], ...]:
    """What changed since the live release, kind by kind in sentences; nothing when its files are not here any more."""
    if before is None:
        return ()
    try:
        return in_words(project, before, now)
    except LockgateError:
        return ()


def told_since(project: Project, stopped: str, now: Manifest) -> tuple[tuple[str, str], ...]:
    """The same against a release that was stopped; nothing when that one is not in the store any more."""
    try:
        return told(project, manifest_of(project, stopped), now)
    except LockgateError:
        return ()


def questions(
    purpose: Purpose | None, warned: Sequence[str], verdicts: Iterable[Verdict], *, live: str | None
) -> tuple[Question, ...]:
    """What somebody who signs must be able to answer; each is answered by this page, or the page says that it is not."""
    use = "“What is it for?”" + ("" if purpose and purpose.intended else "; nobody wrote it down, so ask the owner")
    back = "“What happens at a rollback?”" + (f": {short(live)}" if live else "; there is no earlier release")
    asked = [
        Question(name="intended_use", text="What will it be used for, and is that what it is meant for?", hint=use),
        Question(
            name="worst_group", text="Who is worst off, and can you live with how they are served?",
            hint="“Which group is worst off?”",
        ),
        Question(name="rollback", text="What will be served if you have to go back?", hint=back),
    ]  # fmt: skip
    if warned:
        asked.append(
            Question(name="cautions", text="Can you live with each caution?", hint="the lines under the verdict")
        )
    if any(v.outcome == "uncertain" for v in verdicts):
        asked.append(
            Question(
                name="uncertain", text="Do you accept each uncertain result, by name?", hint="“What is uncertain?”"
            )
        )
    return tuple(asked)


def findings_of(views: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a pack that its views fill."""
    explained, spread = views.get("explained", {}), views.get("distributions", {})
    moved = views.get("moved")
    own = [Influence(name=n, share=float(s)) for n, s in explained.get("own", {}).items()]
    return {
        "moved": _moved(from_json(Movement, moved)) if moved else None,
        "distributions": tuple(from_json(Distribution, d) for d in spread.get("columns", ())),
        "spreads": tuple(from_json(Spread, s) for s in spread.get("spreads", ())),
        "reliability": tuple(from_json(Reliability, r) for r in views.get("reliability", ())),
        "importances": tuple(from_json(Importance, i) for i in explained.get("importances", ())),
        "rivals": tuple(from_json(BesideRival, r) for r in views.get("rivals", {}).get("rows", ())),
        "probed_rows": explained.get("rows", 0),
        "dependences": tuple(from_json(Dependence, d) for d in explained.get("dependences", ())),
        "influences": tuple(sorted(own, key=lambda i: (-i.share, i.name))),
    }


def _moved(movement: Movement) -> MovedSummary:
    return MovedSummary(
        rows=movement.rows, same=movement.same, overall=_moved_group(movement.overall),
        groups=tuple(_moved_group(g) for g in movement.groups), widths=movement.widths if movement.bounds_move else (None, None),
    )  # fmt: skip


def _moved_group(moved: Moved) -> MovedGroup:
    return MovedGroup(
        by=moved.by, group=moved.group, rows=moved.rows, share=moved.shares[FAR], before=moved.before, after=moved.after
    )


def exceptions_of(trust: Trusted, waived: Iterable[Waiver], *, release: str, ask: Ask) -> tuple[str, ...]:
    """What is let through although the rule would stop it: waivers that stand, and glass that was broken, reviewed or not."""
    waivers = [f"{w.gate} failed and {waiver_in_words(w)}" for w in waived]
    every = broken_glass(trust, ask=ask)
    shown = [g for g in every if g.open or (g.release, g.environment) == (release, ask.environment)]
    return (*waivers, *map(_glass_in_words, shown))


def waiver_in_words(waiver: Waiver) -> str:
    """Who lets it pass until when, why, what is done instead, and who answers for it."""
    signers = " and ".join(f"{person} ({role})" for role, person in waiver.signers)
    return (
        f"is waived by {signers} until {waiver.not_after:%F %H:%M} UTC: {waiver.reason.rstrip('.')}; "
        f"instead: {waiver.control.rstrip('.')}; {waiver.owner} answers for it"
    )


def _glass_in_words(glass: Glass) -> str:
    about = f"{glass.by} ({glass.role}) broke the glass for {short(glass.release)} → {glass.environment} at {glass.at:%F %H:%M} UTC"
    review = f"reviewed by {glass.reviewed_by}: {glass.finding}" if glass.finding else "nobody has reviewed it yet"
    return f"{about}, over {', '.join(glass.gates) or 'missing signatures'}: {glass.reason.rstrip('.')}; {review}"


def not_assessed(looked: Looked, verdicts: Iterable[Verdict], evidence: Iterable[Evidence]) -> tuple[str, ...]:
    """Groups that no check looks at, views that are missing, what they left out, and checks that do not apply.

    What a gate could not judge it says itself.
    """
    spread = looked.views.get("distributions", {})
    lists = {
        "left_out": "there are more columns than anybody reads",
        "names": "it names more things than can be compared",
        "alone": "only the test has this column; a step `trained_rows` with it would show training, too",
    }
    more = [f"how {', '.join(spread[n])} is spread: {why}" for n, why in lists.items() if spread.get(n)]
    small = [f"numbers by group: {line}" for line in looked.views.get("summary", {}).get("not_assessed", ())]
    idle = [f"{v.gate}: {v.reason}" for v in verdicts if v.outcome == "not_applicable"]
    return (
        *_no_group([*spread.get("alone", ()), *_beside(spread)], evidence),
        *idle,
        *small,
        *(f"beside {line}" for line in looked.views.get("rivals", {}).get("not_assessed", ())),
        *_stand_ins(spread),
        *looked.missing,
        *looked.views.get("explained", {}).get("missing", ()),
        *more,
    )


def _stand_ins(spread: Mapping[str, Any]) -> list[str]:
    """Groups may lie apart in a column that is no group itself: people are shown how far, and no check says how far is too far."""
    columns = dict.fromkeys(str(s["by"]) for s in spread.get("spreads", ()))
    return [
        f"whether what the release is asked can stand for {', '.join(columns)}: no check judges it; see “And within each group?”"
    ] * bool(columns)


def _beside(spread: Mapping[str, Any]) -> list[str]:
    """Columns that came with the rows and no request asks for."""
    return [str(c["column"]) for c in spread.get("columns", ()) if c["role"] == "beside"]


def _no_group(alone: Iterable[str], evidence: Iterable[Evidence]) -> list[str]:
    """Columns that no request asks for, so for an audit, by which no check tells groups apart; baselines are none."""
    params = [e.params for e in evidence]
    judged = {str(c) for p in params for c in _names(p.get("by")) + _names(p.get("per"))}
    baselines = tuple(str(p["baseline"]) for p in params if p.get("baseline"))
    left = [c for c in alone if c not in judged and not c.startswith(baselines or ("\0",))]
    return [f"differences by {', '.join(left)}: no check looks at these columns of the test"] if left else []


def _names(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else [value] if value else []


def verify(release: str, environment: str) -> tuple[Command, ...]:
    """How anybody checks what the signature binds, with this tool and without it."""
    page = f"{short(release)}-{environment}.html"
    return (
        Command(line="lockgate ledger verify", meaning="checks every signature and the chain of decisions"),
        Command(
            line=f"lockgate evidence {short(release)} --env {environment} --to {page} && sha256sum {page}",
            meaning="writes this page again as it was signed; its sha256 must be the one that the ledger names",
        ),
        Command(
            line="cd .lockgate/releases/" + release.removeprefix("sha256:") + " && sha256sum -c SHA256SUMS && sha256sum manifest.json",
            meaning="checks every byte of the unpacked release by hand; the last line must be the release’s own digest",
        ),
    )  # fmt: skip
