"""What a merge request's note is about, gathered: gates as the ledger has them, the page, the difference, who signs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.build.execute import Event
from lockgate.declare import DeployTo, Gate
from lockgate.delivery.approval.approvals import stands_now
from lockgate.delivery.approval.missing import how_to_sign
from lockgate.delivery.comparison.difference import difference
from lockgate.delivery.evidence.page import pack_of, page_of
from lockgate.delivery.evidence.recorded_page import keep_recorded_page
from lockgate.delivery.identity import read_ledger, who
from lockgate.delivery.judging.check_recorded import is_stale, newest_results
from lockgate.delivery.judging.material import judged_on
from lockgate.delivery.releases import manifest_of
from lockgate.deploy.environments import fold
from lockgate.errors import LockgateError, NotFound, PermissionRefused
from lockgate.forge.note import GateSaid, Noted
from lockgate.gates.what_stands import passed_over
from lockgate.records.movement import ReleaseDifference
from lockgate.records.pack import Pack
from lockgate.records.people import DELIVERER
from lockgate.records.release import roles_of
from lockgate.records.wire import from_json

if TYPE_CHECKING:
    import datetime as dt

    from lockgate.delivery.walk import Walk
    from lockgate.deploy.environments import Environment
    from lockgate.gates.binding import Ask
    from lockgate.project import Project
    from lockgate.records.release import Manifest
    from lockgate.records.trust import Trusted

__all__ = ["Page", "Place", "noted_of", "page_for"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A release on its way. `may_make_a_page`: else only one that is there is shown."""

    walk: Walk
    trust: Trusted
    release: str
    may_make_a_page: bool

    @property
    def environment(self) -> str:
        """Where users are: the last environment that people are asked for, else the last one."""
        places = self.walk.environments
        asked = [e for e in places if self.walk.ask(self.trust, self.release, e).roles]
        return [*places, *asked][-1]

    @property
    def ask(self) -> Ask:
        """What people are asked there."""
        return self.walk.ask(self.trust, self.release, self.environment)

    @property
    def live(self) -> str | None:
        """The release that it would replace there."""
        return self._there.opponent(self.release)

    @property
    def serves(self) -> bool:
        """Whether it is live there itself."""
        return self._there.live is not None and self._there.live.release == self.release

    @property
    def _there(self) -> Environment:
        return fold(self.trust, approved_only=self.walk.approved_only).of(self.environment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """An evidence page as it was signed, and what it shows."""

    sha256: str
    html: bytes
    pack: Pack | None


def page_for(
    project: Project, place: Place, *, clock: Callable[[], dt.datetime], tell: Callable[[Event], None]
) -> Page | None:
    """The page before the environment where users are; None where there is none and none can be made here."""
    about = {"release": place.release, "environment": place.environment}
    kept = page_of(project, place.walk, place.trust, **about)
    if kept is None and place.may_make_a_page and _delivers(project, place.trust) and _has_results(place):
        on = judged_on(project, place.walk, place.release)
        keep_recorded_page(project, place.walk, place.release, place.environment, on, now=clock(), tell=tell)
        kept = page_of(project, place.walk, read_ledger(project), **about)
    if kept is None:
        return None
    told = pack_of(project, place.walk, read_ledger(project), **about)
    return Page(sha256=kept.sha256, html=kept.data, pack=from_json(Pack, json.loads(told.data)) if told else None)


def noted_of(
    project: Project, place: Place, page: Page | None, *, links: Mapping[str, str], quick: bool,
    clock: Callable[[], dt.datetime], tell: Callable[[Event], None],
) -> Noted:  # fmt: skip
    """Everything that the note says, without pictures."""
    manifest = manifest_of(project, place.release)
    ask, now = place.ask, clock()
    trust = read_ledger(project)
    stands = stands_now(place.walk, trust, place.release, ask, page=page.sha256 if page else "", now=now)
    return Noted(
        project=project.settings.name, release=place.release, environment=place.environment, commit=manifest.lineage.commit,
        live=place.live, serves=place.serves, gates=tuple(_gates(place, now)), pack=page.pack if page else None,
        difference=_difference(project, place, quick=quick, now=now, tell=tell), decides=_decides(manifest),
        asked=tuple((r.role, r.need) for r in ask.roles),
        sign=how_to_sign(place.walk, place.release, ask, stands) if ask.roles else "", links=links,
    )  # fmt: skip


def _difference(
    project: Project, place: Place, *, quick: bool, now: dt.datetime, tell: Callable[[Event], None]
) -> ReleaseDifference | None:
    """What `lockgate diff` says; that it could not say anything is part of the note. Nothing where the release is live itself."""
    if place.live is None or place.serves:
        return None
    try:
        return difference(project, place.live, place.release, now=now, quick=quick, tell=tell)
    except LockgateError as error:
        why = " ".join(str(error).split())
        return ReleaseDifference(before=place.live, after=place.release, unanswered=why)


def _gates(place: Place, now: dt.datetime) -> list[GateSaid]:
    """Each declared gate before the environment, with its result, or why there is none yet."""
    known = newest_results(place.walk, place.trust, place.release)
    passed = passed_over(place.trust, release=place.release, policy=place.walk.digest, ask=place.ask, now=now)
    found: list[GateSaid] = []
    entered = ""
    for stage in place.walk.stages_before(place.environment):
        if isinstance(stage, DeployTo):
            entered = stage.environment
        if not isinstance(stage, Gate):
            continue
        if stage.name not in known:
            found.append(GateSaid(gate=stage.name, after=entered))
            continue
        said, result = known[stage.name]
        waived = f"waived: {passed[stage.name]}" if result.verdict.outcome == "fail" and stage.name in passed else ""
        stale = "stale: another release is live now" if is_stale(place.walk, place.trust, said, result) else ""
        found.append(GateSaid(gate=stage.name, verdict=result.verdict, beside=waived or stale))
    return found


def _decides(manifest: Manifest) -> dict[str, str]:
    """What the two answers of a release that decides mean, in the words of its schema."""
    answer = roles_of(manifest.predictor.response).answer
    if answer is None or answer.type != "boolean":
        return {}
    return {"1": str(answer.extra.get("yes") or "yes"), "0": str(answer.extra.get("no") or "no")}


def _has_results(place: Place) -> bool:
    return bool(newest_results(place.walk, place.trust, place.release))


def _delivers(project: Project, trust: Trusted) -> bool:
    """Whether this copy's key may sign a page; who only looks has none, or another role."""
    try:
        return DELIVERER in who(project, trust).roles
    except (NotFound, PermissionRefused):
        return False
