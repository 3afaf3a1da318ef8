"""`preview serve`: on a host outside of the pipeline, the app of what is proposed, beside the answers of what is live.

The ledger says what a branch proposed last, and what was proposed by hand; nothing is written into it, so the host needs no key. An app is started when
somebody asks for it, follows its branch, and is ended when nobody asks any more. Nobody has reviewed what it runs: its process is
confined, and this one's memory is shut.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from lockgate.delivery.confined import Confined, close_memory, what_holds
from lockgate.delivery.identity import LedgerReader
from lockgate.delivery.refs import live_of
from lockgate.delivery.releases import fetch
from lockgate.delivery.walk import walk_now
from lockgate.errors import UsageError
from lockgate.records.digest import short
from lockgate.records.forge_job import job_of, slug_of
from lockgate.records.proposals import proposals
from lockgate.serving.child import Wanted, listen
from lockgate.serving.follow import Answer, Follower
from lockgate.serving.relay import Full, Relay
from lockgate.serving.retry import Retry
from lockgate.stores import adapter, remote_of, scheme_of

if TYPE_CHECKING:
    import datetime as dt
    import socket

    from lockgate.delivery.confined import Owner
    from lockgate.delivery.walk import Walk
    from lockgate.project import Project
    from lockgate.records.ledger import Head
    from lockgate.records.proposals import Proposal
    from lockgate.records.trust import Trusted

__all__ = ["Previews", "newest_by_name", "previews", "why_none"]

LIVE: Final = ""
START_SECONDS: Final = 120.0
MOST: Final = 8
"""Apps that run at one time, beside the live one; the one that was asked for longest ago makes room."""
KEPT_SECONDS: Final = 20.0
"""An app that was asked for so lately makes no room: whoever wants another one waits."""
ROOM_SECONDS: Final = 15.0
"""How long an asker waits for an app to end before it is told to come again."""


def newest_by_name(trust: Trusted, *, name: str, since: dt.datetime) -> Mapping[str, Proposal]:
    """Name in a host's address → the entry by which it proposed a release of pipeline `name` last.

    A branch is called as it stands in a host name; what no pipeline's job proposed has no branch, and is called by the start of
    its digest. No branch takes the place of such a one.
    """
    branches: dict[str, Proposal] = {}
    by_hand: dict[str, Proposal] = {}
    for proposal in proposals(trust.said):
        if proposal.claim.name == name and proposal.entry.time >= since:
            job = job_of(proposal.claim.extra)
            if branch := slug_of(job.ref) if job else "":
                branches[branch] = proposal
            else:
                by_hand[short(proposal.claim.release)] = proposal
    return {**branches, **by_hand}


def why_none(proposed: Mapping[str, Proposal], *, days: int) -> str:
    """For people who find nothing to look at: why, and what to do. Empty where something is proposed."""
    if proposed:
        return ""
    return (
        f"nobody proposed a release in {days} days; `lockgate propose` does: in a pipeline's job its branch is the name to ask for, "
        "elsewhere the start of the release's digest"
    )


def previews(
    project: Project, *, host: str, port: int, domain: str, trust: str | None, clock: Callable[[], dt.datetime],
    say: Callable[[str], None], days: int, idle_seconds: float, owner: Owner | None = None,
) -> Previews:  # fmt: skip
    """Open the socket. `owner`: the user whom apps run as, if not this one.

    Raises UsageError where nothing is delivered, so that nothing can be proposed; PermissionRefused for a token that may write.
    """
    close_memory()
    if text := what_holds():
        say(text)
    store = project.settings.store
    packages = store if scheme_of(store) == "gitlab" else ""
    adapter("gitlab.reading", "need_reading")(
        packages, project.root, ledger=remote_of(project.ledger_url, project.root)
    )
    walk = walk_now(project, now=clock())
    if not walk.environments:
        raise UsageError("there is no environment to show proposals beside", value=walk.delivery.name)
    ledger = _Proposed(project, walk, LedgerReader(project, pin=trust), clock, timedelta(days=days))
    ledger.look()
    return Previews(project, ledger, listen(host, port), domain=domain, say=say, idle_seconds=idle_seconds, owner=owner)


@dataclass(slots=True)
class _Proposed:
    """What the ledger says, looked up when it has grown."""

    project: Project
    walk: Walk
    reader: LedgerReader
    clock: Callable[[], dt.datetime]
    days: timedelta
    names: Mapping[str, Proposal] = field(default_factory=dict[str, "Proposal"])
    live: str = ""
    head: Head | None = None

    @property
    def environment(self) -> str:
        """The one that proposals stand beside: the last of the way."""
        return self.walk.environments[-1]

    @property
    def why_none(self) -> str:
        """Empty where something is proposed."""
        return why_none(self.names, days=self.days.days)

    def look(self) -> None:
        """What fails leaves everything as it was; the follower that asked says so."""
        read = self.reader.read()
        self.names = newest_by_name(read, name=self.walk.training.name, since=self.clock() - self.days)
        if read.head != self.head:
            self.live, self.head = live_of(self.walk, read).get(self.environment, ""), read.head

    def wanted(self, branch: str, beside: tuple[str, str] | None) -> Wanted | None:
        """What an app shall serve now."""
        self.look()
        if branch == LIVE:
            return Wanted(release=self.live, entry=self.live) if self.live else None
        said = self.names.get(branch)
        if said is None:
            return None
        is_live = said.claim.release == self.live
        stands = f"live in {self.environment}" if is_live else "proposed, nobody has approved it"
        return Wanted(
            release=said.claim.release, entry=said.entry.digest, beside=beside, banner=f"REVIEW of {branch}: {stands}"
        )


@dataclass(slots=True)
class _App:
    """One release that answers on loopback, behind its sandbox. `asked`: when somebody did, last."""

    follower: Follower
    place: tuple[str, int]
    asked: float
    warm: threading.Event
    confined: Confined

    def end(self) -> None:
        self.warm.set()  # whoever waits for it goes on, and meets nobody
        self.follower.end()
        self.confined.close()


class Previews:
    """The host: `address` is where it listens; `run` blocks until `stop`."""

    def __init__(
        self, project: Project, ledger: _Proposed, listener: socket.socket, *, domain: str, say: Callable[[str], None],
        idle_seconds: float, owner: Owner | None = None,
    ) -> None:  # fmt: skip
        self._project, self._ledger, self._listener, self._owner = project, ledger, listener, owner
        self._domain, self._say, self._idle = domain, say, idle_seconds
        self._apps: dict[str, _App] = {}
        self._leaving: set[str] = set()
        self._turn = threading.Condition()
        self._stop = False
        self._retry = Retry()
        host, port = listener.getsockname()[:2]
        self.address = f"http://{domain if host.startswith('127.') else host}:{port}"

    def stop(self, *_: object) -> None:
        """End; a signal handler."""
        self._stop = True

    @property
    def why_none(self) -> str:
        """Why there is nothing to show now, and what to do; empty where there is something."""
        return self._ledger.why_none

    @property
    def shown(self) -> tuple[str, ...]:
        """The addresses of what is proposed now, as this host answers to them without a proxy."""
        port = self._listener.getsockname()[1]
        return tuple(f"http://{name}.{self._domain}:{port}" for name in sorted(self._ledger.names))

    def run(self) -> None:
        """Serve until told to stop; no process is left behind."""
        Relay(
            self._listener, find=self._find, names=lambda: self._ledger.names, domain=self._domain,
            why_none=lambda: self._ledger.why_none,
        ).start()  # fmt: skip
        try:
            while not self._stop:
                self._once()
        finally:
            self._stop = True  # whoever waits for room gets none
            self._listener.close()
            with self._turn:
                for branch in [*self._apps]:
                    self._apps.pop(branch).end()

    def _once(self) -> None:
        """Move each app on; end those that nobody asks for, and those that make room. This thread alone does."""
        with self._turn:
            apps = {**self._apps}
            now = time.monotonic()
            self._leaving |= {b for b, app in apps.items() if b != LIVE and now - app.asked > self._idle}
            if set(apps) == {LIVE}:
                self._leaving.add(LIVE)
            ending = [*self._leaving]
            self._turn.notify_all()  # time alone may have made room
        for branch in ending:
            if branch != LIVE:
                why = "was not asked for" if now - apps[branch].asked > self._idle else "makes room for another one"
                self._say(f"{branch} {why}; its app ends")
            apps.pop(branch).end()  # it still counts: there is room when its process is gone
            with self._turn:
                del self._apps[branch]
                self._leaving.remove(branch)
                self._turn.notify_all()
        for app in apps.values():
            app.follower.turn()
        if not apps:
            self._look()
            time.sleep(0.2)

    def _look(self) -> None:
        """While no app runs: each of them looks by itself."""
        try:
            self._ledger.look()
            self._retry.worked()
        except Exception as error:  # whatever it is, the host goes on with what it knows
            if text := self._retry.failed(error):
                self._say(f"cannot see what is proposed: {text}")
            time.sleep(self._retry.pause_s)

    def _find(self, branch: str) -> tuple[str, int] | None:
        """Where a branch's app listens, started if it is not there; called by a connection's thread. Raises Full."""
        if branch not in self._ledger.names:
            return None
        with self._turn:
            if not self._turn.wait_for(lambda: self._stop or self._has_room(branch), ROOM_SECONDS) or self._stop:
                raise Full(branch)
            app = self._apps.get(branch) or self._start(branch)
            app.asked = time.monotonic()
        app.warm.wait(START_SECONDS)  # a release that cannot start answers 503 by itself
        return app.place

    def _has_room(self, branch: str) -> bool:
        """Whether a branch's app runs, or may start; where not, the one that was asked for longest ago is sent away, unless that was just now."""
        if branch in self._apps or LIVE in self._leaving:
            return branch not in self._leaving and LIVE not in self._leaving
        others = [b for b in self._apps if b != LIVE]
        if len(others) < MOST:
            return True
        oldest = min(others, key=lambda b: self._apps[b].asked)
        if not self._leaving and time.monotonic() - self._apps[oldest].asked > KEPT_SECONDS:
            self._leaving.add(oldest)
        return False

    def _start(self, branch: str) -> _App:
        """It, and the live release beside it."""
        beside = None
        if branch != LIVE:
            live = self._apps.get(LIVE) or self._start(LIVE)
            beside = (self._ledger.environment, f"http://{live.place[0]}:{live.place[1]}")
        listener = listen()
        names = (f"{branch}.{self._domain}",) if branch else ()
        warm = threading.Event()
        confined = Confined(self._project.root, owner=self._owner)

        def answered(outcome: Answer, wanted: Wanted, reason: str) -> None:
            warm.set()
            self._say(f"{branch or 'what is live'}: {outcome} {short(wanted.release)} {reason}".rstrip())

        follower = Follower(
            f"review/{branch}" if branch else self._ledger.environment, listener,
            wanted=lambda: _named(self._ledger.wanted(branch, beside), names),
            fetch=lambda wanted: fetch(self._project, wanted.release), spawn=confined,
            answer=answered, log=confined.folder, say=self._say,
        )  # fmt: skip
        app = self._apps[branch] = _App(follower, listener.getsockname()[:2], time.monotonic(), warm, confined)
        return app


def _named(wanted: Wanted | None, names: tuple[str, ...]) -> Wanted | None:
    return replace(wanted, names=names) if wanted else None
