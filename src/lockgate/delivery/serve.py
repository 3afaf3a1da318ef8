"""`serve ENV`: follow the ledger, keep the wanted release answering, and say so in the ledger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.declare import Gate
from lockgate.delivery.graph import graph_of
from lockgate.delivery.identity import append, read_ledger, who
from lockgate.delivery.page import page_of
from lockgate.delivery.releases import fetch
from lockgate.delivery.walk import walk_of
from lockgate.deploy.environments import fold
from lockgate.errors import IntegrityError, PermissionRefused
from lockgate.gates.approvals import authorised
from lockgate.gates.binding import ask_for, results
from lockgate.records import decisions
from lockgate.records.decisions import Healthy, Refused
from lockgate.records.digest import short
from lockgate.records.people import OPERATOR
from lockgate.serving.follow import Follower, Wanted, listen

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from lockgate.delivery.walk import Walk
    from lockgate.project import Project
    from lockgate.records.trust import Trusted

__all__ = ["Serving", "check_wish", "reachable", "serve"]

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  all interfaces → the one a process on this machine reaches


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that listens: where, and the call that blocks until it is told to stop."""

    address: str
    run: Callable[[], None]


def serve(
    project: Project,
    environment: str,
    *,
    host: str,
    port: int,
    trust: str | None,
    clock: Callable[[], dt.datetime],
    say: Callable[[str], None],
    names: tuple[str, ...] = (),
) -> Serving:
    """Open the socket and answer what will follow the ledger on it.

    Args:
        trust: the digest of the trust root to believe; another one is refused.
        names: hosts by which clients may call a server on a loopback address, besides the loopback ones.

    Raises PermissionRefused when this key may not speak for an environment, NotFound when there is none of this name.
    """
    me = who(project, read_ledger(project, pin=trust))
    if OPERATOR not in me.roles:
        raise PermissionRefused(
            f"{me.name} may not serve an environment",
            value=", ".join(me.roles),
            allowed=OPERATOR,
            next="lockgate people add",
        )
    walk = _walk(project, clock())
    walk.check(environment)
    looked_for = ""
    listener = listen(host, port)
    bound, at = listener.getsockname()[:2]
    address = reachable(bound, at)
    if bound in EVERYWHERE:
        say(f"bound to all interfaces of this machine; the ledger names {address}")

    def wanted() -> Wanted | None:
        nonlocal walk, looked_for
        read = read_ledger(project, pin=trust)
        there = fold(read, approved_only=walk.approved_only).of(environment)
        # What was refused stays refused; a server that starts now goes on with what is live.
        want = there.live.want if there.refused and there.live else there.wanted
        if want is None:
            return None
        if want.entry != looked_for:  # the policy of this working copy may have changed since the last wish
            walk = _walk(project, clock())
            looked_for = want.entry
        try:
            evidence = page(read, want.release)
        except IntegrityError:  # `bring` refuses with it; what is live goes on
            evidence = None
        return Wanted(
            release=want.release, entry=want.entry, banner=project.settings.banner, evidence=evidence, names=names
        )

    def page(read: Trusted, release: str) -> Path | None:
        places = (environment, *reversed(walk.environments))
        found = (page_of(project, walk, read, release=release, environment=e) for e in places)
        return next((p[0] for p in found if p), None)

    def answer(outcome: str, asked: Wanted, reason: str) -> None:
        def claim(read: Trusted) -> Healthy | Refused | None:
            there = fold(read, approved_only=walk.approved_only).of(environment)
            if there.wanted is None or there.wanted.entry != asked.entry:
                return None
            if outcome == "healthy":
                return Healthy(
                    release=asked.release,
                    environment=environment,
                    wanted=asked.entry,
                    log=read.head,
                    extra={"address": address},
                )
            return Refused(
                release=asked.release, environment=environment, wanted=asked.entry, reason=reason, log=read.head
            )

        append(project, claim, now=clock())

    def bring(asked: Wanted) -> Path:
        """This server's own check of who signed, of the page, then every byte. A rollback rests on what was checked then."""
        read = read_ledger(project, pin=trust)
        check_wish(read, asked, walk, environment=environment, now=clock())
        page(read, asked.release)
        return fetch(project, asked.release)

    follower = Follower(
        environment, listener, wanted=wanted, fetch=bring, answer=answer,
        log=project.home / "predictions" / environment, say=say,
    )  # fmt: skip
    return Serving(address, follower.run)


def _walk(project: Project, now: dt.datetime) -> Walk:
    return walk_of(project, graph_of(project, now_ns=int(now.timestamp() * 1e9)))


def check_wish(read: Trusted, asked: Wanted, walk: Walk, *, environment: str, now: dt.datetime) -> None:
    """Raise PermissionRefused unless the very entry asked for is what is wanted or live here, by those who may.

    A rollback rests on the delivery that it cites, which is checked as of its own time. What has never been healthy here
    must still be approved now: a reject or an expiry since then counts.
    """
    there = fold(read, approved_only=walk.approved_only).of(environment)
    said = read.at(asked.entry)
    wish = said.claim if said else None
    known = [w for w in (there.wanted, there.live.want if there.live else None) if w]
    if not isinstance(wish, decisions.Wanted) or (asked.entry, asked.release) not in [
        (w.entry, w.release) for w in known
    ]:
        raise PermissionRefused(
            "this deployment is not wanted here any more", value=short(asked.release), next="lockgate status"
        )
    origin = _delivery_behind(read, asked.entry)
    ask = ask_for(walk.stages, environment, policy=walk.policy)
    was_healthy = any(s.want.entry in (asked.entry, origin) for s in there.history)
    if not was_healthy:  # what was served once was judged by the stages of its time
        _check_gates(read, wish, origin, walk, environment)
    stands = authorised(read, origin, ask=ask, now=None if was_healthy else now)
    if not stands.granted:
        raise PermissionRefused(
            "nobody who may has authorised this deployment", value=stands.missing, next="lockgate status"
        )


def _delivery_behind(read: Trusted, entry: str) -> str:
    """The delivery that a wish rests on: itself, or what a rollback cites, however many rollbacks lie between."""
    for _ in range(len(read.said) + 1):
        said = read.at(entry)
        if said is None or not isinstance(said.claim, decisions.Wanted) or said.claim.because == "delivered":
            return entry
        entry = next(iter(said.claim.authorised_by), "")
    return entry


def _check_gates(read: Trusted, wish: decisions.Wanted, origin: str, walk: Walk, environment: str) -> None:
    """Law 8: a missing gate fails. Judged under the policy that the delivery's approvals name, or today's."""
    said = read.at(origin)
    cited = said.claim.authorised_by if said and isinstance(said.claim, decisions.Wanted) else ()
    approvals = [a.claim for d in cited if (a := read.at(d)) and isinstance(a.claim, decisions.Decision)]
    policy = approvals[0].policy if approvals else walk.digest
    found = results(read.said, release=wish.release, policy=policy)
    gates = [s.name for s in walk.stages_before(environment) if isinstance(s, Gate)]
    if not approvals and wish.because == "rolled-back":
        return
    bad = [g for g in gates if g not in found or found[g].verdict.outcome == "fail"]
    if bad:
        others = {
            s.claim.policy
            for s in read.said
            if isinstance(s.claim, decisions.GateResult) and s.claim.release == wish.release
        }
        elsewhere = "" if found else _judged_elsewhere(others - {policy}, policy)
        raise PermissionRefused(
            "a gate was not passed by this release", value=", ".join(bad) + elsewhere, next="lockgate deliver"
        )


def _judged_elsewhere(others: set[str], policy: str) -> str:
    """A server whose working copy is older or newer than the one that delivered."""
    under = f"; it was judged under policy {', '.join(map(short, sorted(others)))}" if others else ""
    return f" (this server's policy is {short(policy)}{under})"


def reachable(host: str, port: int) -> str:
    """The address to publish for a bound socket.

    >>> reachable("::1", 8000), reachable("0.0.0.0", 80)
    ('http://[::1]:8000', 'http://127.0.0.1:80')
    """
    host = EVERYWHERE.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
