"""What checks of data and of configuration found, as GitLab's code quality report.

https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format: a list of findings with description, check_name,
fingerprint, severity and location. GitLab shows what the target branch's report does not have, by fingerprint: so it is made
of what was found where, and of no number that moves with each run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, Literal

from lockgate.records.digest import Json, canonical, sha256_bytes
from lockgate.records.frozen import frozen
from lockgate.release.wording import visible

if TYPE_CHECKING:
    from lockgate.records.evidence import Evidence, Verdict

__all__ = ["DATA_GATES", "Found", "of_gates", "quality"]

Severity = Literal["info", "minor", "major", "critical", "blocker"]

DATA_GATES: Final = frozenset(
    {"enough_good_data", "representation", "leakage", "split", "staleness", "no_leak", "documentation", "skew"}
)
"""Kinds of gates that look at data and at what was written down. How good answers are is a test (JUnit)."""

SEVERITY: Final[dict[str, Severity]] = {"fail": "critical", "uncertain": "major"}
LONGEST: Final = 500


@frozen(kw_only=True)
class Found:
    """One finding. `about`: what it is about, the same in each run; it tells findings apart. `path`: from the project's root."""

    check: str
    about: str
    says: str
    severity: Severity
    path: str
    line: int = 1


def quality(found: Iterable[Found]) -> str:
    """The report. Two findings of one check about the same thing are one.

    >>> one = Found(check="stale", about="gate:slices", says="it is gone", severity="major", path="ci/x.yml", line=3)
    >>> print(quality([one, one]).count("fingerprint"), quality([]), end="")
    1 []
    """
    told = {_fingerprint(each): each for each in found}
    said: list[Json] = [
        {
            "description": visible(" ".join(each.says.split()))[:LONGEST], "check_name": f"lockgate/{each.check}",
            "fingerprint": print_, "severity": each.severity,
            "location": {"path": each.path, "lines": {"begin": max(1, each.line)}},
        }
        for print_, each in told.items()
    ]  # fmt: skip
    return json.dumps(said, indent=2, ensure_ascii=False) + "\n"


def of_gates(judged: Iterable[tuple[Verdict, Evidence]], *, files: Mapping[str, str]) -> Iterator[Found]:
    """What gates on data found. `files`: path → text of those in which gates may be declared, the likeliest first."""
    for verdict, evidence in judged:
        if verdict.kind not in DATA_GATES:
            continue
        path, line = _place(files, verdict)
        if severity := SEVERITY.get(verdict.outcome):
            words = f"{verdict.gate} {'fails' if verdict.outcome == 'fail' else 'is uncertain'}: {verdict.reason}"
            yield Found(check=verdict.kind, about=verdict.gate, says=words, severity=severity, path=path, line=line)
        for lacking in evidence.not_assessed:
            name, _, why = lacking.partition(": ")
            yield Found(
                check=f"{verdict.kind}/not-assessed", about=f"{verdict.gate} {name}", severity="info", path=path, line=line,
                says=f"{verdict.gate} could not judge {name}: {why}" if why else f"{verdict.gate}: {name}",
            )  # fmt: skip


def _place(files: Mapping[str, str], verdict: Verdict) -> tuple[str, int]:
    """File and line on which a gate is declared, by its name, else by its kind; the first line of the first file at worst."""
    for word in (f'"{verdict.gate}"', f"gates.{verdict.gate}(", f"gates.{verdict.kind}("):
        for path, text in files.items():
            for number, line in enumerate(text.splitlines(), 1):
                if word in line:
                    return path, number
    return next(iter(files), "policy.toml"), 1


def _fingerprint(found: Found) -> str:
    return sha256_bytes(canonical([found.check, found.path, found.about])).removeprefix("sha256:")[:32]
