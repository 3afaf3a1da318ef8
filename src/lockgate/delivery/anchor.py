"""`ledger anchor`, and what `ledger verify` and `approve` do with anchors: a signed checkpoint in the code's repository."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lockgate.delivery.identity import read_ledger, signer, who
from lockgate.errors import IntegrityError
from lockgate.project import adapter
from lockgate.records.checkpoint import Contradiction, contradiction, read_checkpoint, sign_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.project import Project
    from lockgate.records.ledger import Head
    from lockgate.records.trust import Trusted

__all__ = ["anchor", "check_anchors"]


def anchor(project: Project, *, push: str | None = None, key: Path | None = None) -> tuple[str, str, Head]:
    """Sign the ledger's head and keep it under a git ref; `push`: the remote to give it to. Ref, commit and head.

    What is kept here already is held against the ledger first: nobody anchors a history that contradicts an earlier anchor.
    """
    trust = read_ledger(project)
    who(project, trust, key)
    place = _place(project)
    check_anchors(project, trust)
    known = place.every()
    if known and read_checkpoint(known[-1][1]).head == trust.head:
        commit = known[-1][0]
    else:
        message = f"ledger: {trust.head.size} entries, {trust.head.digest}"
        commit = place.add(sign_checkpoint(trust, signer(project, key)), message)
    if push:
        place.push(push)
    return place.ref, commit, trust.head


def check_anchors(project: Project, trust: Trusted, *, fetch: str | None = None, strict: bool = True) -> list[Head]:
    """Hold the ledger against every anchor here, oldest first; their heads. `fetch`: the remote to ask first.

    Raises IntegrityError naming the anchor. Not `strict`: only anchors that a registered key signed count, so that who can
    push to the repository stops nobody.
    """
    place = _place(project)
    if fetch:
        place.fetch(fetch)
    heads: list[Head] = []
    for commit, data in place.every():
        try:
            checkpoint = read_checkpoint(data)
        except IntegrityError:
            if strict:
                raise _refused(place.ref, commit, Contradiction(field="statement", why="it is no checkpoint")) from None
            continue
        against = contradiction(checkpoint, trust)
        if against and (strict or against.signer):
            raise _refused(place.ref, commit, against)
        heads += [] if against else [checkpoint.head]
    return heads


def _refused(ref: str, commit: str, against: Contradiction) -> IntegrityError:
    signed = f", signed by {against.signer}" if against.signer else ""
    return IntegrityError(
        f"the ledger contradicts an anchor{signed}: {against.field}", value=against.why,
        allowed=f"the ledger that {commit[:12]} of {ref} was made from", next=f"git log {ref}",
    )  # fmt: skip


def _place(project: Project) -> Any:
    return adapter("git_ref", "GitRef")(project.root, project.settings.name)
