"""`approve` and `reject`: a person's signature under exactly what was shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from lockgate.declare import Approval, DeployTo, Gate
from lockgate.delivery.anchor import check_anchors
from lockgate.delivery.delivery_plan.agreed import digest_named
from lockgate.delivery.evidence.page import card_of, pack_of, page_of
from lockgate.delivery.identity import append, holder, read_ledger
from lockgate.delivery.onward import onward
from lockgate.delivery.refs import live_of
from lockgate.delivery.releases import named
from lockgate.delivery.walk import Walk, walk_now
from lockgate.delivery.wish import NO_FAILURE
from lockgate.durable import write_atomic
from lockgate.errors import NotFound, PermissionRefused, UsageError
from lockgate.gates.authors import authors, questions_of
from lockgate.gates.binding import binding, results
from lockgate.gates.binding import decide as decide_purely
from lockgate.gates.objections import objection
from lockgate.gates.what_stands import passed_over
from lockgate.records.digest import short
from lockgate.records.waivers import Condition

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from lockgate.delivery.evidence.page import Kept
    from lockgate.gates.binding import Ask
    from lockgate.project import Project
    from lockgate.records.decisions import Decision
    from lockgate.records.ledger import Entry
    from lockgate.records.people import Person
    from lockgate.records.trust import Trusted

__all__ = ["Evidence", "Signed", "Words", "check_seen", "decide", "evidence_page"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a person says with a decision.

    Attributes:
        accepted: uncertain gates, by name. conditions: what must come true for the approval to count.
        answers: number of a question on the page, from 1 → the answer.
        plan: file or digest of the delivery plan that the approval is for; empty: it counts for any delivery.
    """

    role: str
    reason: str
    accepted: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    answers: Mapping[int, str] = field(default_factory=dict[int, str])
    plan: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A decision in the ledger. `walk`: by what it was decided; `plan`: digest of the plan it is for, empty: any delivery."""

    release: str
    environment: str
    entry: Entry
    walk: Walk
    plan: str


def decide(
    project: Project,
    decision: Literal["approve", "reject"],
    ref: str,
    words: Words,
    *,
    environment: str | None = None,
    key: Path | None = None,
    now: dt.datetime,
) -> Signed:
    """Sign a decision on a release.

    Raises:
        PermissionRefused: the key's owner does not hold the role, or it is their own work.
        NotFound: nothing was judged for that environment, so there is no page to sign under.
        IntegrityError: the ledger contradicts an anchor in git.
    """
    walk = walk_now(project, now=now)
    if environment:
        walk.check(environment)
    target = environment or _asked_in(walk, words.role)
    chosen: list[str] = []
    plan = digest_named(words.plan, walk) if words.plan else ""

    def claim(trust: Trusted) -> Decision:
        release = named(trust, ref, live_of(walk, trust))
        chosen[:] = [release]
        me = _may(project, walk, trust, release, words.role, decision, key)
        check_anchors(project, trust, strict=False)
        ask = walk.ask(trust, release, target)
        if decision == "approve":
            _check_gates(walk, trust, release, ask, me, now)
        page = page_of(project, walk, trust, release=release, environment=target)
        if page is None:
            raise NotFound(
                "there is no evidence page to sign under: none was made since policy, people or gates changed",
                value=f"{short(release)} for {target}",
                next=onward(trust, release, f"approve:{target}", me=me),
            )
        if decision == "approve":
            check_seen(project, release, target, page.sha256)
        current = binding(trust, release=release, environment=target, policy=walk.digest, page=page.sha256, plan=plan)
        made = decide_purely(
            decision, role=words.role, reason=words.reason, current=current, ask=ask, accepted=words.accepted,
            conditions=words.conditions, log=trust.head, now=now,
            answers=_answers(trust, page.sha256, words, ask) if decision == "approve" else None,
        )  # fmt: skip
        against = objection(made, me, trusted=trust, current=current, ask=ask, time=now, now=now)
        if decision == "approve" and against:
            raise PermissionRefused(
                "this approval would not count", value=f"{against.field}: {against.why}", next="lockgate people"
            )
        return made

    entry = append(project, claim, now=now, key=key)
    assert entry is not None
    return Signed(release=chosen[0], environment=target, entry=entry, walk=walk, plan=plan)


def _check_gates(walk: Walk, trust: Trusted, release: str, ask: Ask, me: Person, now: dt.datetime) -> None:
    """Nobody approves over a gate that was not run, or that failed and is not waived."""
    found = results(trust.said, release=release, policy=walk.digest)
    passed = passed_over(trust, release=release, policy=walk.digest, ask=ask, now=now)
    if failed := [n for n, r in found.items() if r.verdict.outcome not in NO_FAILURE and n not in passed]:
        waive = f"\n           lockgate waive {failed[0]} {short(release)} …" if ask.exceptions.waivers.need else ""
        raise PermissionRefused(
            "nobody can approve over a failed gate", value=", ".join(failed),
            next=f"lockgate evidence {short(release)}{waive}",
        )  # fmt: skip
    gates = [s.name for s in walk.stages_before(ask.environment) if isinstance(s, Gate)]
    if found and (missing := [name for name in gates if name not in found]):
        raise PermissionRefused(
            "a gate was not run on this release", value=", ".join(missing),
            next=onward(trust, release, f"gate:{missing[0]}", me=me),
        )  # fmt: skip


def _answers(trust: Trusted, page: str, words: Words, ask: Ask) -> dict[str, str]:
    """Question → answer. UsageError for a number that no question has, or for silence where the policy asks."""
    asked = questions_of(trust, page)
    listed = "; ".join(f"{number} {text}" for number, text in enumerate(asked, 1)) or "the page asks nothing"
    for number in words.answers:
        if not 1 <= number <= len(asked):
            raise UsageError("the page has no such question", value=str(number), allowed=listed)
    silent = [number for number in range(1, len(asked) + 1) if not words.answers.get(number, "").strip()]
    if ask.answers and silent:
        raise UsageError(
            "the policy asks for an answer to each question of the page", value=f"no answer to {silent[0]}",
            allowed=listed, next="lockgate approve … " + " ".join(f'--answer {n}="…"' for n in silent),
        )  # fmt: skip
    return {asked[number - 1]: text for number, text in sorted(words.answers.items())}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a person is shown: the page of a release for an environment, the same as JSON, and the model card beside it."""

    release: str
    environment: str
    page: Kept
    card: Kept | None
    pack: Kept | None
    questions: tuple[str, ...] = ()


def evidence_page(project: Project, ref: str, *, environment: str | None = None, now: dt.datetime) -> Evidence:
    """The page of a release. This working copy notes that it was shown here: only what was shown can be approved."""
    walk = walk_now(project, now=now)
    trust = read_ledger(project)
    release = named(trust, ref, live_of(walk, trust))
    if environment:
        walk.check(environment)
    places = [environment] if environment else list(reversed(walk.environments))
    for place in places:
        if found := page_of(project, walk, trust, release=release, environment=place):
            _note_seen(project, release, place, found.sha256)
            card, pack = (of(project, walk, trust, release=release, environment=place) for of in (card_of, pack_of))
            return Evidence(release, place, found, card, pack, questions_of(trust, found.sha256))
    raise NotFound(
        "no evidence page of this release is kept that shows what holds now: its results, the policy, the people",
        value=f"{short(release)}, before {' or '.join(places)}",
        next=onward(trust, release, f"{'approve' if places[0] in walk.approved_only else 'deploy'}:{places[0]}"),
    )


def _seen_file(project: Project, release: str, environment: str) -> Path:
    return project.home / "shown" / f"{release.removeprefix('sha256:')}-{environment}"


def _note_seen(project: Project, release: str, environment: str, page: str) -> None:
    write_atomic(_seen_file(project, release, environment), page.encode() + b"\n", sync=False)


def check_seen(project: Project, release: str, environment: str, page: str) -> None:
    """What is signed is what was looked at here, not what lies there by now."""
    file = _seen_file(project, release, environment)
    seen = file.read_text(encoding="ascii").strip() if file.is_file() else ""
    if seen != page:
        raise PermissionRefused(
            "the evidence page has changed since it was shown here" if seen else "the evidence page was not shown here yet",
            value=f"{short(release)} for {environment}", next=f"lockgate evidence {short(release)} --env {environment}",
        )  # fmt: skip


def _asked_in(walk: Walk, role: str) -> str:
    """The only environment before which this role is asked."""
    places: list[str] = []
    asked = False
    for stage in walk.stages:
        asked = asked or (isinstance(stage, Approval) and stage.role == role)
        if asked and isinstance(stage, DeployTo):
            places.append(stage.environment)
            asked = False
    if len(places) == 1:
        return places[0]
    if places:
        what = "this role is asked before more than one environment"
        raise UsageError(what, value=role, allowed=", ".join(places), next=f"lockgate approve … --env {places[0]}")
    roles = sorted({s.role for s in walk.stages if isinstance(s, Approval)})
    raise NotFound("nobody is asked in this role", value=role, allowed=", ".join(roles))


def _may(
    project: Project, walk: Walk, trust: Trusted, release: str, role: str, decision: str, key: Path | None
) -> Person:
    """Refuse now what would not count later, naming the reason; an entry that cannot count helps nobody."""
    me = holder(project, trust, role, key)
    own = walk.policy.self_approval == "refused" and me.name in authors(trust, release)
    if decision == "approve" and own:
        raise PermissionRefused(
            f"{me.name} cannot approve own work", value=f"author or run starter of {short(release)}",
            allowed="somebody else who holds the role", next="lockgate people",
        )  # fmt: skip
    return me
