"""What `deliver` says in the ledger: this release exists, this holdout was looked at, this gate decided so, this was shown.

Each is said once: saying it again would only make the ledger longer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.delivery.identity import append
from lockgate.delivery.lineage import code_authors
from lockgate.gates.binding import results
from lockgate.records.decisions import GateResult, Looked, Proposed, Shown, result_digest
from lockgate.records.digest import digest
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from lockgate.delivery.walk import Walk
    from lockgate.project import Project
    from lockgate.records.evidence import Verdict
    from lockgate.records.people import Person
    from lockgate.records.release import Manifest
    from lockgate.records.trust import Trusted

__all__ = ["look", "propose", "record", "show", "shown"]


def propose(
    project: Project, walk: Walk, manifest: Manifest, starter: Person, files: Sequence[str], *, now: dt.datetime
) -> None:
    """Register a release with who started the run and everybody who committed to `files`: all code it comes from."""

    def claim(trust: Trusted) -> Proposed | None:
        if any(isinstance(s.claim, Proposed) and s.person and s.claim.release == manifest.digest for s in trust.said):
            return None
        return Proposed(
            release=manifest.digest, name=walk.training.name, authors=code_authors(project.root, files),
            started_by=starter.name, lineage=digest("lineage", to_json(manifest.lineage)), log=trust.head,
        )  # fmt: skip

    append(project, claim, now=now)


def look(project: Project, release: str, holdout: str, *, now: dt.datetime) -> None:
    """Write down that a release is about to be scored on a holdout, before anybody sees a number."""

    def claim(trust: Trusted) -> Looked | None:
        seen = (s.claim for s in trust.said if s.person and isinstance(s.claim, Looked))
        if any((c.holdout, c.release) == (holdout, release) for c in seen):
            return None
        return Looked(holdout=holdout, release=release, reason="deliver", log=trust.head)

    append(project, claim, now=now)


def record(
    project: Project, walk: Walk, release: str, verdict: Verdict, inputs: Mapping[str, str], *, now: dt.datetime
) -> None:
    """Sign what a gate said under the present policy, unless exactly this stands there already."""

    def claim(trust: Trusted) -> GateResult | None:
        made = GateResult(release=release, verdict=verdict, policy=walk.digest, inputs=inputs, log=trust.head)
        known = results(trust.said, release=release, policy=walk.digest).get(verdict.gate)
        return None if known and result_digest(known) == result_digest(made) else made

    append(project, claim, now=now)


def show(
    project: Project, release: str, environment: str, *, shows: str, page: str, card: str,
    questions: Sequence[str] = (), policy_editors: Sequence[str] = (), now: dt.datetime,
) -> None:  # fmt: skip
    """Sign the evidence page that was made, so that nobody who can only write to the store can show another one."""

    def claim(trust: Trusted) -> Shown | None:
        made = Shown(
            release=release, environment=environment, shows=shows, page=page, card=card,
            questions=tuple(questions), policy_editors=tuple(policy_editors), log=trust.head,
        )  # fmt: skip
        known = shown(trust, shows)
        return None if known and (known.page, known.card) == (page, card) else made

    append(project, claim, now=now)


def shown(trust: Trusted, shows: str) -> Shown | None:
    """What a deliverer last signed as the page made from exactly this, or None."""
    found = (s.claim for s in reversed(trust.said) if s.person and isinstance(s.claim, Shown))
    return next((c for c in found if c.shows == shows), None)
