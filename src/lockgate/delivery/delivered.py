"""What a delivery answers: how each stage ended, and how far the release came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lockgate.errors import LockgateError
    from lockgate.records.evidence import Evidence, Verdict

__all__ = ["Delivered", "StageRecord"]


@dataclass(frozen=True, slots=True)
class StageRecord:
    """One stage of the walk and how it ended."""

    stage: str
    outcome: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """How far a release came. `evidence` is what each verdict judged; `error` says why it stopped, None: the whole way."""

    release: str
    run: str
    stages: tuple[StageRecord, ...]
    verdicts: tuple[Verdict, ...]
    evidence: tuple[Evidence, ...] = ()
    page: str = ""
    error: LockgateError | None = None
