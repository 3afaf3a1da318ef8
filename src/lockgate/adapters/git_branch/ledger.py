"""The ledger on a branch of a git remote: one commit and one file per entry.

A push that is no fast-forward is refused by the remote: that is the compare-and-swap. Nobody needs a server of ours for it,
and every clone of the branch is an anchor that the operator of the ledger cannot take back. Entries never change, so the
newest commit has all of them, and what was read once is only held against what its branch says now.
"""

from __future__ import annotations

import contextlib
import json
import threading
from typing import TYPE_CHECKING, Final

from lockgate.adapters.git_branch.branch import BranchCopy
from lockgate.durable import locked, write_atomic
from lockgate.errors import IntegrityError, MovedOn, ServiceUnavailable
from lockgate.records.digest import canonical, short
from lockgate.records.ledger import EMPTY, VERIFY, Entry, Head, chain, decode_line, encode_line, is_ancestor
from lockgate.records.statement import PREDICATES
from lockgate.records.wire import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from lockgate.records.statement import Envelope

__all__ = ["BranchLedger"]

PER_FOLDER: Final = 1000


class BranchLedger:
    """A `Ledger` on `branch` of `remote`, a remote's name in `root`'s repository or an address.

    `copy`: a bare repository of ours, where commits are made and what was fetched is kept. `seen`: where this working copy
    keeps the last head it saw.
    """

    def __init__(self, remote: str, branch: str, *, root: Path, copy: Path, seen: Path) -> None:
        self._copy = BranchCopy(remote, branch, root=root, folder=copy)
        self._seen = seen
        self._one_at_a_time = threading.RLock()
        self._entries: list[Entry] = []
        self._commit = ""

    def head(self) -> Head:
        """How many entries there are and the digest of the last one."""
        return _head(self._current())

    def read(self, start: int = 0) -> Sequence[Entry]:
        """The entries from position `start`, chain checked."""
        return tuple(self._current()[start:])

    def append(self, envelope: Envelope, *, after: Head, time: datetime) -> Entry:
        """Add one signed statement behind `after`. Of two at the same time the remote lets one through."""
        entry = chain(envelope, after=after, time=time)
        with self._one_at_a_time:
            if (head := self.head()) != after:
                raise _moved_on(after, head)
            commit = self._copy.commit(
                _name(entry.seq), encode_line(entry), behind=self._commit, message=_message(entry), time=entry.time
            )
            refused = self._copy.push(commit)
            if refused:
                self._need_there(entry, refused)
            else:
                self._keep(commit, [*self._entries, entry])
        return entry

    def _need_there(self, entry: Entry, refused: str) -> None:
        """An answer may be lost after the push took effect; else somebody was first, or nobody may push."""
        found = self._current()
        if len(found) > entry.seq and found[entry.seq] == entry:
            return
        if _head(found).size > entry.seq:
            raise _moved_on(Head(size=entry.seq, digest=entry.prev), _head(found))
        raise ServiceUnavailable(
            "the remote does not take a ledger entry", value=refused,
            allowed=f"a token or key that may push to {self._copy.branch}, and nobody who may force it",
            next="in a pipeline: Settings › CI/CD › Job token permissions › Allow Git push requests, or a token in LOCKGATE_LEDGER_TOKEN "
            "(role as the branch's protection says, scope write_repository); elsewhere: who may push to the branch",
        )  # fmt: skip

    def _current(self) -> list[Entry]:
        with self._one_at_a_time:
            seen = self._read_seen()
            commit = self._copy.newest(self._commit)
            found = self._entries if commit == self._commit else self._all_of(commit)
            if not is_ancestor(seen, found):
                raise IntegrityError(
                    "the ledger was cut or rewritten behind what this working copy has seen",
                    value=f"{len(found)} entries, head {short(_head(found).digest)}",
                    allowed=f"a ledger that contains entry {seen.size - 1}, {seen.digest}",
                    next=VERIFY,
                )
            if found is not self._entries:
                self._keep(commit, found)
            return found

    def _all_of(self, commit: str) -> list[Entry]:
        """The entries of a commit: those known if it still has them, and what came since."""
        files = self._copy.files(commit) if commit else ()
        names = [name for name, _ in files]
        if names != [_name(seq) for seq in range(len(names))]:
            lacking = next(seq for seq in range(len(names) + 1) if _name(seq) not in names)
            raise IntegrityError(f"ledger entry {lacking} is missing", value=f"commit {commit[:12]}", next=VERIFY)
        known = (
            self._entries if self._copy.has(files, [(_name(e.seq), encode_line(e)) for e in self._entries[-1:]]) else []
        )
        found, head = list(known), _head(known)
        for line in self._copy.contents(files[len(known) :]):
            entry = decode_line(line.removesuffix(b"\n"), after=head)
            found.append(entry)
            head = entry.head
        return found

    def _keep(self, commit: str, entries: list[Entry]) -> None:
        """Note entries and head. A note that cannot be written costs protection, never the work itself."""
        self._commit, self._entries = commit, entries
        with contextlib.suppress(OSError, IntegrityError), locked(self._seen.with_name(self._seen.name + ".lock")):
            newest = self._read_seen()
            if len(entries) > newest.size and is_ancestor(newest, entries):
                write_atomic(self._seen, canonical(to_json(_head(entries))))

    def _read_seen(self) -> Head:
        try:
            return from_json(Head, json.loads(self._seen.read_bytes()))
        except FileNotFoundError:
            return EMPTY
        except ValueError as error:
            raise IntegrityError("the last seen ledger head is damaged", value=str(self._seen), next=VERIFY) from error


def _head(entries: Sequence[Entry]) -> Head:
    return entries[-1].head if entries else EMPTY


def _name(seq: int) -> str:
    return f"{seq // PER_FOLDER:06d}/{seq:09d}.json"


def _message(entry: Entry) -> str:
    return f"{entry.seq} {entry.envelope.statement().predicate_type.removeprefix(PREDICATES)}\n\n{entry.digest}\n"


def _moved_on(after: Head, head: Head) -> MovedOn:
    return MovedOn(
        "somebody else appended to the ledger first",
        value=f"head {head.size} {short(head.digest)}",
        allowed=f"head {after.size} {short(after.digest)}",
        next="run the command again",
    )
