"""What gates said of a release since somebody signed: what was otherwise on the way, and is the same again, is not what they signed for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.records.decisions import CHANGE, GateResult, result_digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lockgate.records.ledger import Head
    from lockgate.records.trust import Trusted

__all__ = ["judged_otherwise", "judged_since", "never_otherwise"]


def judged_since(trusted: Trusted, release: str, log: Head, *, policy: str = "") -> Iterator[GateResult]:
    """Results of a release that count and that the head `log` does not know.

    Of a merge request none, as its policy was never in force; but those by `policy`, which is.
    """
    for since in trusted.said[log.size :]:
        claim = since.claim
        if since.person and isinstance(claim, GateResult) and claim.release == release:
            if not claim.extra.get(CHANGE) or claim.policy == policy:
                yield claim


def judged_otherwise(trusted: Trusted, release: str, log: Head, *, policy: str) -> str:
    """The first other policy by which the release was judged since; empty: none."""
    return next((c.policy for c in judged_since(trusted, release, log) if c.policy != policy), "")


def never_otherwise(trusted: Trusted, release: str, log: Head, results: Mapping[str, str]) -> dict[str, str]:
    """Of gate → digest of its result, those whose gate said nothing else since, by whatever policy."""
    moved = {
        c.verdict.gate
        for c in judged_since(trusted, release, log)
        if result_digest(c) != results.get(c.verdict.gate, "")
    }
    return {gate: digest for gate, digest in results.items() if gate not in moved}
