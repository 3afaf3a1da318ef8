"""`serve ENV`: follow the ledger, keep the wanted release answering, and say so in the ledger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.delivery.audit.summary import sum_up
from lockgate.delivery.evidence.page import page_of, page_with
from lockgate.delivery.identity import LedgerReader, append, read_ledger, who
from lockgate.delivery.releases import fetch
from lockgate.delivery.walk import walk_now
from lockgate.delivery.wish import approvals_behind, check_wish
from lockgate.deploy.environments import fold
from lockgate.errors import IntegrityError, LockgateError, PermissionRefused
from lockgate.project import open_project
from lockgate.records.decisions import Decision, Healthy, Refused
from lockgate.records.people import OPERATOR
from lockgate.records.waivers import BrokeGlass
from lockgate.serving.child import rebinding_warning
from lockgate.serving.follow import Answer, Follower, Wanted, listen

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from lockgate.delivery.walk import Walk
    from lockgate.project import Project
    from lockgate.records.ledger import Head
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
    place = _Environment(project, environment, LedgerReader(project, pin=trust), clock, names, say)
    listener = listen(host, port)
    bound, at = listener.getsockname()[:2]
    address = reachable(bound, at)
    if bound in EVERYWHERE:
        say(f"bound to all interfaces of this machine; the ledger names {address}")
    if warning := rebinding_warning(bound, names):
        say(warning)
    follower = Follower(
        environment, listener, wanted=place.wanted, fetch=place.bring,
        answer=lambda outcome, asked, reason: place.answer(outcome, asked, reason, address=address),
        log=project.home / "predictions" / environment, say=say,
    )  # fmt: skip
    return Serving(address, follower.run)


class _Environment:
    """What one environment wants, as this server sees it: by the working copy and the ledger of now, not of its start."""

    def __init__(
        self,
        project: Project,
        name: str,
        ledger: LedgerReader,
        clock: Callable[[], dt.datetime],
        names: tuple[str, ...],
        say: Callable[[str], None],
    ) -> None:
        self.project, self.name, self.clock, self.names, self.say = project, name, clock, names, say
        self._ledger = ledger
        self._head: Head | None = None
        self._walk = self._walk_now()
        self._walk.check(name)

    def wanted(self) -> Wanted | None:
        """The wish to follow; looked up when the ledger has grown."""
        read = self._ledger.read()
        if read.head != self._head:  # policy, declaration and settings of this working copy may have changed, too
            self._walk = self._walk_now()
        there = fold(read, approved_only=self._walk.approved_only).of(self.name)
        # What was refused stays refused; a server that starts now goes on with what is live.
        want = there.live.want if there.refused and there.live else there.wanted
        self._head = read.head
        if want is None:
            return None
        try:
            evidence = self._page(read, want.entry, want.release)
        except IntegrityError:  # `bring` refuses with it; what is live goes on
            evidence = None
        return Wanted(
            release=want.release, entry=want.entry, banner=self.project.settings.banner, evidence=evidence,
            decided=_decided(read, want.entry), names=self.names,
        )  # fmt: skip

    def bring(self, asked: Wanted) -> Path:
        """This server's own check of who signed, of the page, then every byte; in a thread of its own."""
        read = self._ledger.read()
        check_wish(read, asked, self._walk, environment=self.name, now=self.clock())
        self._page(read, asked.entry, asked.release)
        return fetch(self.project, asked.release)

    def answer(self, outcome: Answer, asked: Wanted, reason: str, *, address: str) -> None:
        """Say in the ledger what became of a wish, unless another one came meanwhile."""

        def claim(read: Trusted) -> Healthy | Refused | None:
            there = fold(read, approved_only=self._walk.approved_only).of(self.name)
            if there.wanted is None or there.wanted.entry != asked.entry:
                return None
            release, place, wish, log = asked.release, self.name, asked.entry, read.head
            if outcome == "healthy":
                return Healthy(release=release, environment=place, wanted=wish, log=log, extra={"address": address})
            return Refused(release=release, environment=place, wanted=wish, reason=reason, log=log)

        if outcome == "healthy":  # first: who hears that it is healthy finds the summary
            self._sum_up(asked)
        append(self.project, claim, now=self.clock())

    def _sum_up(self, asked: Wanted) -> None:
        """A summary that cannot be kept stops nobody: the statements that it sums up stand. The next start tries again."""
        try:
            sum_up(self.project, self._ledger.read(), asked, self._walk, environment=self.name, now=self.clock())
        except (LockgateError, OSError) as error:
            self.say(f"no verification summary was kept: {str(error).splitlines()[0]}")

    def _walk_now(self) -> Walk:
        self.project = open_project(self.project.root)
        return walk_now(self.project, now=self.clock(), own=True)

    def _page(self, read: Trusted, entry: str, release: str) -> tuple[Path, str] | None:
        """The page as it was shown to who approved; where nobody was asked, that of today."""
        if cited := approvals_behind(read, entry):
            pages = [a.claim.page for a in cited if isinstance(a.claim, Decision)]
            found = (page_with(self.project, read, sha256) for sha256 in pages)
            if pages:
                return next(((p.path, p.sha256) for p in found if p), None)
        places = (self.name, *reversed(self._walk.environments))
        found = (page_of(self.project, self._walk, read, release=release, environment=e) for e in places)
        return next(((p.path, p.sha256) for p in found if p), None)


def _decided(read: Trusted, entry: str) -> tuple[str, ...]:
    """Who let this release in, one sentence each; for the people who use it."""
    return tuple(
        f"{_done(a.claim)} by {a.person.name} as {a.claim.role}, {a.entry.time:%F %H:%M} UTC: {a.claim.reason}"
        for a in approvals_behind(read, entry)
        if a.person and isinstance(a.claim, Decision | BrokeGlass)
    )


def _done(claim: Decision | BrokeGlass) -> str:
    return "approved" if isinstance(claim, Decision) else "let in without the approvals it needs (broken glass)"


def reachable(host: str, port: int) -> str:
    """The address to publish for a bound socket.

    >>> reachable("::1", 8000), reachable("0.0.0.0", 80)
    ('http://[::1]:8000', 'http://127.0.0.1:80')
    """
    host = EVERYWHERE.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
