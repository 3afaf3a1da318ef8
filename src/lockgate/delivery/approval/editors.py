"""Who edited what a release is judged by, since people last signed under it: they do not let their own rule pass (ADR 36)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.deploy.environments import fold
from lockgate.git_calls import asked
from lockgate.records.decisions import Decision, Shown, Wanted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lockgate.delivery.walk import Walk
    from lockgate.records.decisions import Claim
    from lockgate.records.trust import Trusted

__all__ = ["COMMIT", "Editors", "edited_since", "editors_of", "signed_commit"]

COMMIT = "commit"
"""In `extra` of `Shown`: the commit that the deliverer stood at; what was committed since is what the next page must name."""

HEX = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
LOG = ("-c", "log.showRoot=true", "log", "--full-history", "-c", "--name-only", "--format=%x00%ae%n%an%n%(trailers:key=Co-authored-by,valueonly)%x01")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Editors:
    """Names and addresses, sorted. `commit`: where the working copy stands. `unknown`: why nobody can tell, or empty."""

    names: tuple[str, ...] = ()
    commit: str = ""
    unknown: str = ""


def editors_of(root: Path, walk: Walk, trust: Trusted, environment: str) -> Editors:
    """Who edited a file that decides since the policy of what is live in `environment` was signed; else since the first commit."""
    return edited_since(root, walk.policy_files, signed_commit(trust, walk, environment))


def signed_commit(trust: Trusted, walk: Walk, environment: str) -> str:
    """The commit at which the page was made by which people let in what is live; empty when nothing is, or nobody says."""
    live = fold(trust, approved_only=walk.approved_only).of(environment).live
    cited = _cited(trust, live.want.authorised_by if live else ())
    while wishes := [c for c in cited if isinstance(c, Wanted)]:  # a rollback cites the delivery that it goes back to
        cited = _cited(trust, wishes[0].authorised_by)
    pages = {c.page for c in cited if isinstance(c, Decision) and c.environment == environment}
    shown = [s.claim for s in trust.said if s.person and isinstance(s.claim, Shown) and s.claim.page in pages]
    commits = [c.extra.get(COMMIT) for c in shown]
    return commits[0] if commits and isinstance(commits[0], str) else ""


def _cited(trust: Trusted, entries: Sequence[str]) -> list[Claim | None]:
    return [said.claim for said in map(trust.at, entries) if said]


def edited_since(root: Path, files: Sequence[str], commit: str = "") -> Editors:
    """Authors and co-authors of every commit that touched any of the files after `commit`; uncommitted: whose copy it is.

    A commit that is no ancestor of the present one says nothing: then the whole history counts. Merges count where they
    hold an edit of their own.
    """
    head = asked(root, "rev-parse", "--verify", "--quiet", "HEAD")
    if head is None:
        return Editors(
            unknown="the project is in no git repository"
            if asked(root, "rev-parse") is None
            else "git has no commit yet"
        )
    known = HEX.fullmatch(commit) is not None  # no word of a ledger is an option of git's
    since = commit if known and asked(root, "merge-base", "--is-ancestor", commit, "HEAD") is not None else ""
    log = asked(root, *LOG, f"{since}..HEAD" if since else "HEAD", "--", *files)
    changed = asked(root, "status", "--porcelain", "--ignored", "--untracked-files=all", "--", *files)
    mine = [asked(root, "config", key) or "" for key in ("user.email", "user.name")] if changed else []
    if log is None or changed is None:
        return Editors(commit=head, unknown="git cannot read its history")
    unknown = (
        "files that decide are not committed, and git does not know whose copy this is"
        if changed and not any(mine)
        else ""
    )
    return Editors(names=tuple(sorted({n for n in (*_authors(log), *mine) if n})), commit=head, unknown=unknown)


def _authors(log: str) -> set[str]:
    """Of the commits that list a file: a merge lists those that differ from every parent."""
    found: set[str] = set()
    for record in log.split("\0"):
        who, _, files = record.partition("\1")
        if files.strip():
            found.update(line.strip() for line in who.splitlines())
    return found
