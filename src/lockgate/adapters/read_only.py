"""A ledger that is read here and not written: for a working copy whose store nobody else can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.errors import ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from lockgate.ports import Ledger
    from lockgate.records.ledger import Entry, Head
    from lockgate.records.statement import Envelope

__all__ = ["ReadOnlyLedger"]


class ReadOnlyLedger:
    """Another ledger, as it is; `append` raises ServiceUnavailable and says what is `lacking`."""

    def __init__(self, ledger: Ledger, *, lacking: tuple[str, ...]) -> None:
        self._ledger, self._lacking = ledger, lacking

    def head(self) -> Head:
        """As the other one has it."""
        return self._ledger.head()

    def read(self, start: int = 0) -> Sequence[Entry]:
        """As the other one has them."""
        return self._ledger.read(start)

    def append(self, envelope: Envelope, *, after: Head, time: datetime) -> Entry:
        """Never: others could not read what the entry names."""
        del envelope, after, time
        raise ServiceUnavailable(
            "nothing is written to the shared ledger, as nobody could read what it names in this working copy's own store",
            value=f"no {' and no '.join(self._lacking)}",
            allowed="an access token (role Developer, scope api) and a git remote origin, by which the packages of the project are reached",
            next="git remote add origin …   and   export LOCKGATE_GITLAB_TOKEN=… LOCKGATE_GITLAB_HOST=…",
        )  # fmt: skip
