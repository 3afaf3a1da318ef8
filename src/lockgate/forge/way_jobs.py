"""The jobs of a release's way: proposed, judged gate by gate, and into one environment after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.declare import Approval, DeployTo, Gate
from lockgate.forge.environment_jobs import UNCERTAIN, environment_of, rise
from lockgate.forge.side_jobs import REPORTS, downstream_jobs, handing, publish_jobs, report_jobs, review_jobs
from lockgate.records.frozen import frozen
from lockgate.records.jobs import JUDGED, RISING, Event, Job

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lockgate.declare import Stage
    from lockgate.forge.declared import Declared
    from lockgate.forge.settings import GitlabSettings

__all__ = ["carried", "way_jobs"]


def carried(stages: Sequence[Stage], position: int, unprotected: Iterable[str]) -> bool:
    """Whether an uncertain gate lets the way go on: somebody is asked behind it, and no protected environment lies between."""
    for stage in stages[position + 1 :]:
        if isinstance(stage, Approval):
            return True
        if isinstance(stage, DeployTo) and stage.environment not in unprotected:
            return False
    return False


def way_jobs(declared: Declared, settings: GitlabSettings) -> list[Job]:
    """From the proposed release to the last environment."""
    if declared.delivers is None:
        return []
    made = "steps" if settings.steps == "child" else f"train:{declared.delivers}"
    first = JUDGED if settings.merge_requests == "gates" else RISING
    jobs = [Job(name="release", stage="release", commands=(("lockgate", "propose"),), needs=("check", made), events=first,
                interruptible=True, says="bundle the release and write into the ledger that this pipeline proposes it")]  # fmt: skip
    jobs += review_jobs(settings) if "merge_request" in first else []
    environments = [s.environment for s in declared.stages if isinstance(s, DeployTo)]
    here, before = "", ("release",)
    for stretch in _stretches(declared.stages):
        softly = [carried(declared.stages, position, declared.unprotected) for position, _ in stretch.gates]
        gates = [
            _gate(gate, before, here, RISING if here else first, soft=soft)
            for (_, gate), soft in zip(stretch.gates, softly, strict=True)
        ]
        jobs += gates + ([] if here else report_jobs(gates, first))
        ahead = tuple(g.name for g in gates) or before
        if stretch.environment:
            last = stretch.environment == environments[-1]
            environment = environment_of(stretch.environment, settings, last=last)
            attested = settings.approvals if stretch.environment in declared.attested else ""
            rising = rise(environment, ahead, asked=stretch.asked, attested=attested)
            if last and settings.downstream:
                rising = [*rising[:-1], handing(rising[-1])]
            jobs += rising
            here, before = stretch.environment, (rising[-1].name,)
    jobs += publish_jobs(environments) if settings.publish else []
    return [*jobs, *downstream_jobs(environments, settings, RISING)]


@frozen
class _Stretch:
    """What stands before one environment; `asked`: people too. The stretch behind the last environment leads to none."""

    gates: tuple[tuple[int, Gate], ...]
    asked: bool
    environment: str


def _stretches(stages: Sequence[Stage]) -> list[_Stretch]:
    found: list[_Stretch] = []
    gates: list[tuple[int, Gate]] = []
    asked = False
    for position, stage in enumerate(stages):
        match stage:
            case Gate():
                gates.append((position, stage))
            case Approval():
                asked = True
            case DeployTo():
                found.append(_Stretch(tuple(gates), asked, stage.environment))
                gates, asked = [], False
    return [*found, _Stretch(tuple(gates), asked, "")]


def _gate(gate: Gate, needs: tuple[str, ...], here: str, events: tuple[Event, ...], *, soft: bool) -> Job:
    file = f"{REPORTS}/gate-{gate.name}.xml"
    return Job(
        name=f"gate:{gate.name}", stage=f"test-{here}" if here else "evaluation", needs=needs, events=events,
        commands=(("lockgate", "gate", "judge", gate.name, "--junit", file),), soft=UNCERTAIN if soft else None,
        interruptible=not here, reports={"junit": file}, keep=(file,),
        says="uncertain goes on: an approval behind it has to accept it by name" if soft else "uncertain stops here",
    )  # fmt: skip
