"""`serve ENV`: follow the ledger, keep the wanted release answering, and say so in the ledger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.delivery.graph import graph_of
from lockgate.delivery.identity import append, read_ledger, who
from lockgate.delivery.page import page_of, page_with
from lockgate.delivery.releases import fetch
from lockgate.delivery.walk import walk_of
from lockgate.delivery.wish import approvals_behind, check_wish, delivery_behind
from lockgate.deploy.environments import fold
from lockgate.errors import IntegrityError, PermissionRefused
from lockgate.records import decisions
from lockgate.records.decisions import Healthy, Refused
from lockgate.records.people import OPERATOR
from lockgate.serving.child import rebinding_warning
from lockgate.serving.follow import Follower, Wanted, listen

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from lockgate.delivery.walk import Walk
    from lockgate.deploy.environments import Want
    from lockgate.project import Project
    from lockgate.records.trust import Trusted

__all__ = ["Serving", "reachable", "serve"]

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
        names: hosts by which clients may call, besides loopback names and addresses; elsewhere than on loopback: any if none is given.

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
    if warning := rebinding_warning(bound, names):
        say(warning)

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
            evidence = page(read, want)
        except IntegrityError:  # `bring` refuses with it; what is live goes on
            evidence = None
        return Wanted(
            release=want.release, entry=want.entry, banner=project.settings.banner, evidence=evidence,
            decided=_decided(read, want.entry), names=names,
        )  # fmt: skip

    def page(read: Trusted, want: Wanted | Want) -> tuple[Path, str] | None:
        """The page as it was shown to who approved; where nobody was asked, that of today."""
        if cited := approvals_behind(read, want.entry):
            return next(((p, d.page) for d in cited if (p := page_with(project, read, d.page))), None)
        places = (environment, *reversed(walk.environments))
        found = (page_of(project, walk, read, release=want.release, environment=e) for e in places)
        return next((p for p in found if p), None)

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
        page(read, asked)
        return fetch(project, asked.release)

    follower = Follower(
        environment, listener, wanted=wanted, fetch=bring, answer=answer,
        log=project.home / "predictions" / environment, say=say,
    )  # fmt: skip
    return Serving(address, follower.run)


def _decided(read: Trusted, entry: str) -> tuple[str, ...]:
    """Who let this release in, one sentence each; for the people who use it."""
    said = read.at(delivery_behind(read, entry))
    cited = said.claim.authorised_by if said and isinstance(said.claim, decisions.Wanted) else ()
    found = [(a, a.claim) for d in cited if (a := read.at(d)) and isinstance(a.claim, decisions.Decision)]
    return tuple(
        f"approved by {a.person.name if a.person else '?'} as {c.role}, {a.entry.time:%F %H:%M} UTC: {c.reason}"
        for a, c in found
    )


def _walk(project: Project, now: dt.datetime) -> Walk:
    return walk_of(project, graph_of(project, now_ns=int(now.timestamp() * 1e9)))


def reachable(host: str, port: int) -> str:
    """The address to publish for a bound socket.

    >>> reachable("::1", 8000), reachable("0.0.0.0", 80)
    ('http://[::1]:8000', 'http://127.0.0.1:80')
    """
    host = EVERYWHERE.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
