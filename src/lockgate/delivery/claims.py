"""What `deliver` says in the ledger: this release exists, this holdout was looked at, this gate decided so, this was shown.

Each is said once: saying it again would only make the ledger longer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.delivery.identity import append, who
from lockgate.delivery.judging.check_recorded import is_stale, newest_results
from lockgate.delivery.lineage import code_authors
from lockgate.errors import UsageError
from lockgate.gates.remeasured import words_on
from lockgate.records.decisions import (
    CHANGE,
    GateResult,
    Looked,
    Proposed,
    Shown,
    result_digest,
)
from lockgate.records.digest import digest, short
from lockgate.records.forge_job import FORGE, job_of
from lockgate.records.people import VALIDATOR
from lockgate.records.proposals import LONGEST_NOTE, NOTE, TITLE, proposals, words_of
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from lockgate.delivery.walk import Walk
    from lockgate.project import Project
    from lockgate.records.digest import Json
    from lockgate.records.evidence import Verdict
    from lockgate.records.forge_job import ForgeJob
    from lockgate.records.people import Person
    from lockgate.records.release import Manifest
    from lockgate.records.trust import Trusted

__all__ = ["check_text", "look", "propose", "record", "show", "shown"]


def propose(
    project: Project, walk: Walk, manifest: Manifest, starter: Person, files: Sequence[str], *, now: dt.datetime,
    job: ForgeJob | None = None, note: str = "", title: str = "",
) -> bool:  # fmt: skip
    """Register a release with who started the run and everybody who committed to `files`: all code it comes from.

    `note`: why it was made, in the words of who started the run; it is kept with the first proposal and not changed later.
    `title`: of the commit, where a job proposes; it is said with the first proposal, too, and left out of others.
    `job`: of a forge's pipeline. Another pipeline that makes the same release says so again: whose own work it is, is
    then everybody whom either names. Answers whether anything was said.
    """
    words: dict[str, Json] = {name: text for name, text in ((NOTE, note), (TITLE, title)) if text}

    def claim(trust: Trusted) -> Proposed | None:
        known = [p.claim for p in proposals(trust.said) if p.claim.release == manifest.digest]
        if known:
            _check_note(note, manifest.digest, known)
        if known and (job is None or any(job.is_of_the_pipeline(job_of(c.extra)) for c in known)):
            return None
        return Proposed(
            release=manifest.digest, name=walk.training.name, authors=_authors(project, files, job),
            started_by=starter.name, lineage=digest("lineage", to_json(manifest.lineage)), log=trust.head,
            extra=({FORGE: to_json(job)} if job else {}) | ({} if known else words),
        )  # fmt: skip

    return append(project, claim, now=now) is not None


def check_text(note: str) -> str:
    """The note without spaces around it. Raises UsageError for one that nobody would read, or that could rearrange what stands around it."""
    if len(note) > LONGEST_NOTE:
        what = "a note is read by who decides, so it is short"
        raise UsageError(what, value=f"{len(note):,} characters", allowed=f"{LONGEST_NOTE:,} characters at most")
    if note and not note.strip():
        raise UsageError("a note says something", value=repr(note), allowed="words, or no --note")
    if not note.isprintable():
        at = next(c for c in note if not c.isprintable())
        raise UsageError(
            "a note is one line of text", value=f"U+{ord(at):04X} in it", allowed="letters, digits, signs and spaces"
        )
    return note.strip()


def _check_note(note: str, release: str, known: Sequence[Proposed]) -> None:
    """Pages show the note that was signed first; another one would be said to nobody."""
    said = words_of(known[0], NOTE)
    if note and note != said:
        raise UsageError(
            f"release {short(release)} was proposed before, and its note stays as it was then", value=note,
            allowed=f"{said!r}, or no note" if said else "no note: it was proposed without one",
        )  # fmt: skip


def _authors(project: Project, files: Sequence[str], job: ForgeJob | None) -> tuple[str, ...]:
    """Everybody who committed to the files, and at a forge the account that started the pipeline."""
    found = code_authors(project.root, files)
    return (*found, job.account) if job and job.account and job.account not in found else found


def look(project: Project, release: str, holdout: str, *, now: dt.datetime) -> None:
    """Write down that a release is about to be scored on a holdout, before anybody sees a number."""

    def claim(trust: Trusted) -> Looked | None:
        seen = (s.claim for s in trust.said if s.person and isinstance(s.claim, Looked))
        if any((c.holdout, c.release) == (holdout, release) for c in seen):
            return None
        return Looked(holdout=holdout, release=release, reason="deliver", log=trust.head)

    append(project, claim, now=now)


def record(
    project: Project, walk: Walk, release: str, verdict: Verdict, inputs: Mapping[str, str], *,
    evidence_sha256: str = "", change: str = "", now: dt.datetime,
) -> None:  # fmt: skip
    """Sign what a gate said under the present policy, unless exactly this stands there already, of the same live release.

    `evidence_sha256` is of the evidence's bytes: `verdict.evidence` is a digest of the house, which no auditor can compute.
    `change`: the merge request in whose pipeline it was measured; what only such a one said is said again by the first other.
    """
    extra: dict[str, Json] = {"evidence_sha256": evidence_sha256} if evidence_sha256 else {}
    extra |= {CHANGE: change} if change else {}

    def claim(trust: Trusted) -> GateResult | None:
        made = GateResult(
            release=release, verdict=verdict, policy=walk.digest, inputs=inputs, log=trust.head, extra=extra
        )
        said, known = newest_results(walk, trust, release).get(verdict.gate, (None, None))
        only_proposed = known is not None and bool(known.extra.get(CHANGE)) and not change
        same = known is not None and result_digest(known) == result_digest(made) and not only_proposed
        if (
            same
            and said
            and not is_stale(walk, trust, said, made)
            and not _is_needed_of(who(project, trust), made, trust)
        ):
            return None
        return made

    append(project, claim, now=now)


def _is_needed_of(me: Person, made: GateResult, trust: Trusted) -> bool:
    """A validator says it also where others did: their own word counts."""
    mine = words_on(trust, made).get(me.name)
    return VALIDATOR in me.roles and (mine is None or result_digest(mine) != result_digest(made))


def show(
    project: Project, release: str, environment: str, *, shows: str, page: str, card: str, pack: str,
    questions: Sequence[str] = (), policy_editors: Sequence[str] = (),
    extra: Mapping[str, Json] | None = None, now: dt.datetime,
) -> None:  # fmt: skip
    """Sign the evidence page that was made, so that nobody who can only write to the store can show another one."""

    def claim(trust: Trusted) -> Shown | None:
        made = Shown(
            release=release, environment=environment, shows=shows, page=page, card=card, pack=pack,
            questions=tuple(questions), policy_editors=tuple(policy_editors), log=trust.head,
            extra=dict(extra or {}),
        )  # fmt: skip
        known = shown(trust, shows)
        return None if known and (known.page, known.card, known.pack) == (page, card, pack) else made

    append(project, claim, now=now)


def shown(trust: Trusted, shows: str) -> Shown | None:
    """What a deliverer last signed as the page made from exactly this, or None."""
    found = (s.claim for s in reversed(trust.said) if s.person and isinstance(s.claim, Shown))
    return next((c for c in found if c.shows == shows), None)
