"""The evidence page of a release for one environment: made once, kept by what it shows, signed, the same for everybody."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lockgate.delivery.approval.editors import COMMIT, editors_of
from lockgate.delivery.claims import show, shown
from lockgate.delivery.evidence.measured import look_closer
from lockgate.delivery.evidence.pack import make_pack
from lockgate.delivery.put import keep_bytes
from lockgate.delivery.releases import naming
from lockgate.errors import IntegrityError
from lockgate.gates.authors import UNKNOWN_EDITORS
from lockgate.gates.binding import evidence_root, results
from lockgate.gates.what_stands import page_marks
from lockgate.records.decisions import Shown
from lockgate.records.digest import digest, sha256_bytes, short
from lockgate.records.wire import to_json
from lockgate.release.card import render_card
from lockgate.release.evidence_page import encoded, render

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from lockgate.build.execute import Event
    from lockgate.delivery.judging.judge import Judged
    from lockgate.delivery.walk import Walk
    from lockgate.gates.binding import Ask
    from lockgate.project import Project
    from lockgate.records.graph import Trace
    from lockgate.records.trust import Trusted

__all__ = ["Kept", "as_shown", "card_of", "keep_page", "pack_of", "page_of", "page_with"]


def keep_page(
    project: Project, walk: Walk, trust: Trusted, judged: Judged, *,
    release: str, live: str | None, environment: str, ask: Ask, trace: Trace, now: dt.datetime,
    tell: Callable[[Event], None] = lambda _: None,
) -> str:  # fmt: skip
    """Render the page of this release, evidence, policy and environment, unless it is kept already; its sha256.

    The page, the same as JSON, and the card are kept in the store, and signed in the ledger as what was shown.
    """
    if kept := page_of(project, walk, trust, release=release, environment=environment):
        return kept.sha256
    key = _key(project, walk, trust, release, environment)
    looked = look_closer(
        project, walk, trust, judged, release=release, live=live, environment=environment, trace=trace, tell=tell
    )
    editors = editors_of(project.root, walk, trust, environment)
    pack = make_pack(
        project, walk, trust, judged, looked=looked, release=release, live=live, environment=environment, ask=ask,
        editors_unknown=editors.unknown,
    )  # fmt: skip
    made = {"page": render(pack).encode(), "card": render_card(pack).encode(), "pack": encoded(pack)}
    project.results("pages").put(key, {what: keep_bytes(project, data) for what, data in made.items()})
    sums = {what: sha256_bytes(data) for what, data in made.items()}
    questions = tuple(q.text for q in pack.questions)
    extra = {COMMIT: editors.commit} if editors.commit else {}
    extra |= {UNKNOWN_EDITORS: editors.unknown} if editors.unknown else {}
    show(
        project, release, environment, shows=key, **sums, questions=questions, policy_editors=editors.names, extra=extra, now=now
    )  # fmt: skip
    return sums["page"]


@dataclass(frozen=True, slots=True)
class Kept:
    """A page, its JSON or a card as it was signed: where it lies, its sha256, and the very bytes that were checked."""

    path: Path
    sha256: str
    data: bytes


def page_of(project: Project, walk: Walk, trust: Trusted, *, release: str, environment: str) -> Kept | None:
    """The kept page, or None when nothing was judged for this environment yet. IntegrityError names it."""
    return _kept(project, walk, trust, "page", release=release, environment=environment)


def page_with(project: Project, trust: Trusted, page: str) -> Kept | None:
    """The kept page with this sha256, if a deliverer signed it; None when its bytes are gone."""
    claims = (s.claim for s in trust.said if s.person and isinstance(s.claim, Shown))
    signed = next((c for c in claims if c.page == page), None)
    stored = _stored(project, signed.shows, "page") if signed else None
    if signed is None or stored is None:
        return None
    return _checked(project, stored, page, f"the evidence page of release {short(signed.release)}")


def as_shown(project: Project, claim: Shown) -> tuple[bytes, bytes] | None:
    """Page and card of one signed showing; None when the bytes of either are gone."""
    stored = {what: _stored(project, claim.shows, what) for what in ("page", "card")}
    if not (stored["page"] and stored["card"]):
        return None
    thing = f"the evidence page of release {short(claim.release)} for {claim.environment}"
    page = _checked(project, stored["page"], claim.page, thing)
    return page.data, _checked(project, stored["card"], claim.card, f"the card beside {thing}").data


def card_of(project: Project, walk: Walk, trust: Trusted, *, release: str, environment: str) -> Kept | None:
    """The model card that tells the same story in Markdown, or None when there is no page."""
    return _kept(project, walk, trust, "card", release=release, environment=environment)


def pack_of(project: Project, walk: Walk, trust: Trusted, *, release: str, environment: str) -> Kept | None:
    """The page's content as canonical JSON, or None when there is no page, or one of an older Lockgate."""
    return _kept(project, walk, trust, "pack", release=release, environment=environment)


def _kept(
    project: Project,
    walk: Walk,
    trust: Trusted,
    what: Literal["page", "card", "pack"],
    *,
    release: str,
    environment: str,
) -> Kept | None:
    """What is kept, if it is what a deliverer signed: the store is only where its bytes lie."""
    key = _key(project, walk, trust, release, environment)
    signed, stored = shown(trust, key), _stored(project, key, what)
    if signed is None or stored is None:
        return None
    expected = {"page": signed.page, "card": signed.card, "pack": signed.pack}[what]
    if not expected:
        return None
    thing = f"the evidence {what} of release {short(release)} for {environment}"
    return _checked(project, stored, expected, thing)


def _stored(project: Project, key: str, what: str) -> str | None:
    """The object that the store keeps under a page's key; a record that is none of ours is as good as none."""
    known = (project.results("pages").get(key) or {}).get(what)
    return known if isinstance(known, str) and project.store.has(known) else None


def _checked(project: Project, stored: str, expected: str, thing: str) -> Kept:
    """Read once: whoever writes to the store may change the file after it was checked."""
    with naming(thing):
        path = project.store.get(stored)
        data = path.read_bytes()
        if (actual := sha256_bytes(data)) != expected:
            raise IntegrityError(
                "it is not what was signed", value=actual, allowed=expected, next="lockgate ledger verify"
            )
        return Kept(path, expected, data)


def _key(project: Project, walk: Walk, trust: Trusted, release: str, environment: str) -> str:
    """A page is determined by what an approval binds, by the words of `lockgate.toml` on it, and by waivers and broken glass."""
    root = evidence_root(results(trust.said, release=release, policy=walk.digest).values())
    said = project.settings
    words = [said.name, said.banner, said.target, list(said.credit), dict(said.groups), to_json(said.card)]
    words += [dict(walk.policy.reasons)] if walk.policy.reasons else []
    marks = page_marks(trust, release=release, policy=walk.digest, ask=walk.ask(trust, release, environment))
    bound = [release, environment, root, walk.digest, trust.people.digest, words]
    return digest("page", [*bound, marks] if marks else bound)
