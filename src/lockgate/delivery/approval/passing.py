"""What lets a walk go on where a gate failed or people are missing: a waiver that stands, or broken glass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lockgate.declare import Gate
from lockgate.delivery.approval.break_glass import break_glass
from lockgate.delivery.identity import read_ledger
from lockgate.errors import StepFailed
from lockgate.gates.what_stands import passed_over
from lockgate.records.digest import short

if TYPE_CHECKING:
    import datetime as dt

    from lockgate.delivery.approval.break_glass import Hammer
    from lockgate.delivery.walk import Walk
    from lockgate.project import Project
    from lockgate.records.evidence import Verdict

__all__ = ["Passing"]


@dataclass(slots=True)
class Passing:
    """For one walk of one release. `hammer`: who breaks the glass if it comes to that; `done` tells of it.

    The glass is broken at most once for an environment, and never when a waiver or earlier broken glass will do.
    """

    project: Project
    walk: Walk
    release: str
    clock: Callable[[], dt.datetime]
    done: Callable[[str, str, str], None]
    hammer: Hammer | None = None
    broken: set[str] = field(default_factory=set[str])

    def over(self, gate: Gate, environment: str, *, may_break: bool = True) -> str:
        """Why a failed gate does not stop the release before this environment; empty when it does.

        `may_break`: whether the glass may be broken for it: not for a release that another gate stops anyway.
        """
        trust = read_ledger(self.project)
        ask = self.walk.ask(trust, self.release, environment)
        passed = passed_over(trust, release=self.release, policy=self.walk.digest, ask=ask, now=self.clock())
        if gate.name in passed or gate.name in self.walk.policy.exceptions.waivers.never:
            return passed.get(gate.name, "")
        return self.over(gate, environment) if may_break and self.break_for(environment) else ""

    def break_for(self, environment: str) -> bool:
        """Break the glass for this environment, if that was asked and did not happen yet; whether it did."""
        places = self.walk.environments
        if self.hammer is None or environment in self.broken:
            return False
        if places.index(environment) > places.index(self.hammer.environment):
            return False
        self.broken.add(environment)
        who = break_glass(self.project, self.walk, self.release, environment, self.hammer, now=self.clock())
        self.done(f"glass {environment}", "flagged", f"broken by {who}; its review is open until somebody closes it")
        return True

    def check(self, environment: str, verdicts: Mapping[str, Verdict]) -> None:
        """What let a failed gate pass on the way to an earlier environment need not do so here."""
        for gate in (s for s in self.walk.stages_before(environment) if isinstance(s, Gate)):
            if verdicts[gate.name].outcome == "fail" and not self.over(gate, environment):
                raise StepFailed(
                    f"gate {gate.name} failed, and nothing lets it pass as far as {environment}",
                    value=verdicts[gate.name].reason, next=f"lockgate evidence {short(self.release)}{self.how(gate)}",
                )  # fmt: skip

    def how(self, gate: Gate) -> str:
        """The next command for a failed gate that the policy lets people waive."""
        rules = self.walk.policy.exceptions.waivers
        if not rules.need or gate.name in rules.never:
            return ""
        return f"\n           lockgate waive {gate.name} {short(self.release)} …   ({', '.join(rules.need)} sign)"
