"""`lockgate serve ENV`: keep the wanted release answering on one socket, whatever happens to the next one.

The parent opens the listening socket once and never touches a request. For every release that is wanted it
fetches and verifies, starts a worker on the same socket, waits until it is warm, lets it accept, and only then
tells the old one to drain. What fails before that leaves the live worker alone.
"""

from __future__ import annotations

import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import FrameType
from typing import Literal

from lockgate.errors import IntegrityError, LockgateError, ServiceUnavailable, StepFailed
from lockgate.records.digest import canonical, short
from lockgate.serving.child import Wanted, Worker, listen
from lockgate.serving.retry import Retry

__all__ = ["Answer", "Follower", "Wanted", "listen"]

LOOK_SECONDS = 0.5
WARM_SECONDS = 120.0
DRAIN_SECONDS = 30.0
END_SECONDS = 1.0  # at the very end nobody else will serve an idle connection: do not wait for it
LONGEST_PAUSE_SECONDS = 10.0
STEADY_SECONDS = 60.0  # a worker that lived this long did not die of its start

Answer = Literal["healthy", "refused"]
Spawn = Callable[..., Worker]
"""As `Worker` itself."""


class Follower:
    """Follows what is wanted in one environment.

    Args:
        wanted: what the ledger wants now, or None; asked every 0.5 s. What it raises leaves everything as it is, and is asked more slowly.
        fetch: brings a release here, verified, and answers its folder; called in a thread of its own.
        answer: told once per wanted entry: `healthy`, or `refused` with the reason.
        log: folder of the prediction log.
        say: one line for the operator.
        spawn: starts a worker; one with more around it than a server's own, where the release is not approved.
    """

    def __init__(
        self,
        environment: str,
        listener: socket.socket,
        *,
        wanted: Callable[[], Wanted | None],
        fetch: Callable[[Wanted], Path],
        answer: Callable[[Answer, Wanted, str], None],
        log: Path,
        say: Callable[[str], None],
        spawn: Spawn = Worker,
    ) -> None:
        self._environment, self._listener, self._log = environment, listener, log
        self._wanted, self._fetch, self._answer, self._say, self._spawn_worker = wanted, fetch, answer, say, spawn
        self._live: Worker | None = None
        self._next: Worker | None = None
        self._draining: list[Worker] = []
        self._decided: str | None = None
        self._settled: str | None = None
        self._fetching: tuple[Wanted, Future[Path]] | None = None
        self._restore: tuple[Wanted, Path] | None = None  # the live release while its worker is being restarted
        self._deaths = 0
        self._not_before = 0.0
        self._look_at = 0.0
        self._stop = False
        self._failure: LockgateError | None = None
        self._looking, self._settling = Retry(), Retry()
        self._one_fetch = threading.Lock()

    @property
    def live(self) -> str | None:
        """The digest of the release that answers now."""
        return self._live.wanted.release if self._live else None

    def stop(self, *_: int | FrameType | None) -> None:
        """Drain and end; a signal handler."""
        self._stop = True

    def run(self) -> None:
        """Follow until SIGTERM or SIGINT, then drain.

        Raises IntegrityError when the first wanted release is damaged: there is nothing to go on answering with.
        """
        before = {number: signal.signal(number, self.stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            while not self._stop:
                self.turn()
                if self._failure:
                    raise self._failure
        finally:
            self.end()
            for number, handler in before.items():
                signal.signal(number, handler)

    def turn(self) -> None:
        """One turn: hear the workers, notice deaths, look what is wanted, move on."""
        self._hear()
        now = time.monotonic()
        if now >= self._look_at:
            self._look()
            self._look_at = now + max(LOOK_SECONDS, self._looking.pause_s, self._settling.pause_s)
        self._live_worker(now)
        self._next_worker(now)
        self._fetched()
        self._draining = [w for w in self._draining if not self._gone(w)]

    def _hear(self) -> None:
        workers = [w for w in (self._live, self._next, *self._draining) if w]
        opening = self._next is not None and self._next.opening  # it answers whoever comes from now on
        turn_away = self._live is None and self._restore is None and not opening
        listening = [self._listener] if turn_away else []
        readable, _, _ = select.select([*(w.control for w in workers), *listening], [], [], 0.05)
        for worker in workers:
            if worker.control in readable:
                worker.hear()
            if worker.note:
                self._say(f"{short(worker.wanted.release)} is served without its evidence: {worker.note}")
                worker.note = ""
        if self._listener in readable:
            self._turn_away()

    def _look(self) -> None:
        try:
            wanted = self._wanted()
        except Exception as error:  # whatever it is, the live release goes on
            if text := self._looking.failed(error):
                self._say(f"cannot see what is wanted; the live release goes on: {text}")
            return
        self._looking.worked()
        if wanted is None or wanted.entry == self._decided:
            return
        self._decided = wanted.entry
        if self._next and not self._restoring(self._next.wanted):
            self._drop_next()
        if self._live and self._live.wanted.release == wanted.release:
            self._settle("healthy", wanted, "")
            return
        self._say(f"{short(wanted.release)} is wanted: fetching and verifying")
        self._fetching = (wanted, self._in_background(wanted))

    def _in_background(self, wanted: Wanted) -> Future[Path]:
        """Fetch in a thread that the end of this process does not wait for, one at a time."""
        future = Future[Path]()

        def fetch() -> None:
            try:
                with self._one_fetch:
                    future.set_result(self._fetch(wanted))
            except BaseException as error:  # raised again where the result is asked for
                future.set_exception(error)

        threading.Thread(target=fetch, name="fetch", daemon=True).start()
        return future

    def _fetched(self) -> None:
        if self._next or self._fetching is None or not self._fetching[1].done():
            return
        (wanted, future), self._fetching = self._fetching, None
        if wanted.entry != self._decided:
            return
        self._start(wanted, future.result)

    def _start(self, wanted: Wanted, directory: Callable[[], Path]) -> None:
        """Start a worker, or refuse with whatever went wrong: the parent outlives it."""
        try:
            self._next = self._spawn(wanted, directory())
        except LockgateError as error:
            self._refuse(wanted, error)
        except OSError as error:
            self._refuse(wanted, ServiceUnavailable("the release could not be brought here", value=str(error)))
        except Exception as error:  # its words are not ours to publish in the ledger, its type is
            self._refuse(wanted, StepFailed("the release could not be brought here", value=type(error).__name__))

    def _next_worker(self, now: float) -> None:
        worker = self._next
        if worker is None:
            return
        if worker.accepting:
            self._promote(worker)
        elif worker.failure or worker.dead() or now - worker.started > WARM_SECONDS:
            self._next = None
            worker.hear()
            worker.end()
            code = worker.process.returncode
            died = StepFailed("the worker ended before it was warm", value=f"exit {code}")
            self._refuse(worker.wanted, worker.failure or died)
        elif worker.ready:
            worker.ready, worker.opening = False, True
            worker.tell("accept")

    def _promote(self, worker: Worker) -> None:
        old, self._live, self._next, self._restore = self._live, worker, None, None
        if old:
            old.tell(f"drain {DRAIN_SECONDS}")
            self._draining.append(old)
        self._say(f"{short(worker.wanted.release)} answers in {self._environment}")
        if worker.wanted.entry == self._decided != self._settled:
            self._settle("healthy", worker.wanted, "")

    def _live_worker(self, now: float) -> None:
        """Restart a live worker that died; the socket's queue waits meanwhile."""
        if self._live and self._live.dead():
            worker, self._live = self._live, None
            worker.end()
            self._restore = (worker.wanted, worker.directory)
            self._deaths = 1 if now - worker.started > STEADY_SECONDS else self._deaths + 1
            self._not_before = now + _pause(self._deaths - 1)
            code = worker.process.returncode
            self._say(f"{short(worker.wanted.release)} died (exit {code}); starting it again")
        if self._restore and not self._next and now >= self._not_before:
            wanted, directory = self._restore
            self._start(wanted, lambda: directory)

    def _refuse(self, wanted: Wanted, error: LockgateError) -> None:
        if self._restoring(wanted):
            # The release that was live cannot start again: its refusal is no news for the ledger, only for people.
            self._deaths += 1
            self._not_before = time.monotonic() + _pause(self._deaths)
            self._say(f"{short(wanted.release)} does not start: {error}")
            return
        self._say(f"{short(wanted.release)} is refused: {error}")
        self._settle("refused", wanted, " ".join(part for part in (error.what + ":", error.value) if part))
        if isinstance(error, IntegrityError) and self._live is None and self._restore is None:
            self._failure = error

    def _restoring(self, wanted: Wanted) -> bool:
        return self._restore is not None and self._restore[0].entry == wanted.entry

    def _settle(self, answer: Answer, wanted: Wanted, reason: str) -> None:
        try:
            self._answer(answer, wanted, reason)
            self._settled = wanted.entry
            self._settling.worked()
        except Exception as error:  # whatever it is, the live release goes on
            if text := self._settling.failed(error):
                self._say(f"{answer} could not be written to the ledger; trying again: {text}")
            self._look_at = time.monotonic() + self._settling.pause_s
            self._decided = None  # look again: the wanted entry is settled then

    def _spawn(self, wanted: Wanted, directory: Path) -> Worker:
        return self._spawn_worker(
            wanted, directory, environment=self._environment, listener=self._listener, log=self._log
        )

    def _drop_next(self) -> None:
        if self._next:
            self._next.end()
            self._next = None

    def _gone(self, worker: Worker) -> bool:
        if worker.dead():
            worker.control.close()
            return True
        return False

    def _turn_away(self) -> None:
        """Nothing was ever live here: say so, rather than let a client wait."""
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        body = (
            canonical({"error": f"no release answers in {self._environment} yet", "next": "lockgate deliver"}) + b"\n"
        )
        head = f"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        with connection:
            connection.settimeout(0.2)
            try:
                connection.recv(65536)
                connection.sendall(head.encode() + b"Retry-After: 1\r\nConnection: close\r\n\r\n" + body)
            except OSError:
                return

    def end(self) -> None:
        """Stop listening, let every worker finish what it holds, and leave no process behind."""
        self._drop_next()
        workers = [w for w in (self._live, *self._draining) if w]
        for worker in workers:
            worker.tell(f"drain {END_SECONDS}")
            worker.process.send_signal(signal.SIGTERM) if not worker.dead() else None
        deadline = time.monotonic() + END_SECONDS + 10
        for worker in workers:
            try:
                worker.process.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._say(f"{short(worker.wanted.release)} did not end in time")
            worker.end()
        self._listener.close()


def _pause(deaths: int) -> float:
    """Seconds before the next start: twice as long each time, up to the longest."""
    return min(0.1 * 2 ** min(deaths, 10), LONGEST_PAUSE_SECONDS)
