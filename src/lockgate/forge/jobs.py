"""What is declared → jobs. Stages come from the declaration alone; a job is there only when the command it calls exists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lockgate.forge.way_jobs import way_jobs
from lockgate.records.digest import canonical, sha256_bytes
from lockgate.records.jobs import JUDGED, Event, Job, JobGraph
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    from lockgate.forge.declared import Declared, Made, Runs
    from lockgate.forge.settings import GitlabSettings

__all__ = ["CHILD_FILE", "MOST_NEEDS", "NEEDED", "Has", "child_graph", "job_graph", "pipelines_graph"]

CHILD_FILE: Final = "lockgate-child.yml"
MOST_NEEDS: Final = 50
"""GitLab refuses a job that needs more (its `ci_needs_size_limit`); a job without `needs` waits for all stages before."""

NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "check": ("gitlab", "check"),
    "plan": ("gitlab", "render", "--child"),
    "data": ("run",),
    "train": ("run",),
    "release": ("propose",),
    "gate": ("gate", "judge"),
    "report": ("gitlab", "report"),
    "ask": ("approvals",),
    "approve": ("approvals",),
    "deploy": ("deliver", "--here"),
    "review": ("preview", "wait"),
    "downstream": ("deliver", "--dotenv"),
    "publish": ("gitlab", "publish"),
    "monitor": ("status",),
}
"""First word of a job's name → the command that it calls. A job whose command this Lockgate does not have is left out."""

Has = Callable[[tuple[str, ...]], bool]


def job_graph(declared: Declared, settings: GitlabSettings, *, has: Has) -> JobGraph:
    """The jobs of a whole project. `has`: whether a command exists, such as `("gate", "judge")`."""
    jobs = [
        Job(name="check", stage="verify", commands=(("lockgate", "gitlab", "check"),), events=JUDGED, interruptible=True,
            says="this file is of the present declaration"),
        *(_in_child() if settings.steps == "child" else _pipelines(declared.pipelines, JUDGED)),
        *way_jobs(declared, settings),
        Job(name="monitor", stage="monitoring", commands=(("lockgate", "status", "--check"),), events=("monitor",), interruptible=True,
            says="what is live where, red where that is not what is wanted or nobody answers; by a schedule with LOCKGATE_SCHEDULE=monitor"),
    ]  # fmt: skip
    left = _existing(jobs, has)
    return JobGraph(stages=tuple(dict.fromkeys(j.stage for j in left)), jobs=left, digest=_digest(declared, settings))


def child_graph(runs: Sequence[Runs], declared: Declared, settings: GitlabSettings) -> JobGraph:
    """One job for each step that runs or may run; a step that is reused has none."""
    depth: dict[str, int] = {}
    for step in runs:
        depth[step.node] = 1 + max((depth[n] for n in step.after), default=0)
    jobs = [
        Job(
            name=f"step:{s.node}", stage=f"steps-{depth[s.node]}", commands=(("lockgate", "run", "--to", s.node),), says=s.reason,
            needs=tuple(f"step:{n}" for n in s.after), events=("child",), interruptible=True,
        )
        for s in sorted(runs, key=lambda s: depth[s.node])
    ]  # fmt: skip
    if not jobs:  # a pipeline without jobs is an error in GitLab
        jobs = [Job(name="unchanged", stage="steps-1", commands=(("lockgate", "run"),), events=("child",), interruptible=True,
                    says="every step is reused: nothing runs")]  # fmt: skip
    return _as_child(jobs, declared, settings)


def pipelines_graph(declared: Declared, settings: GitlabSettings) -> JobGraph:
    """The same as one job for each pipeline: for a plan of more steps than a child pipeline can hold."""
    return _as_child(_pipelines(declared.pipelines, ("child",)), declared, settings)


def _as_child(jobs: Iterable[Job], declared: Declared, settings: GitlabSettings) -> JobGraph:
    kept = tuple(replace(j, needs=j.needs if len(j.needs) <= MOST_NEEDS else ()) for j in jobs)
    return JobGraph(stages=tuple(dict.fromkeys(j.stage for j in kept)), jobs=kept, digest=_digest(declared, settings))


def _pipelines(pipelines: Iterable[Made], events: tuple[Event, ...]) -> list[Job]:
    """Data pipelines side by side where they can be, then training."""
    names = {p.name: f"{'train' if p.kind == 'training' else 'data'}:{p.name}" for p in pipelines}
    return [
        Job(name=names[p.name], stage="training" if p.kind == "training" else "data", commands=(("lockgate", "run", p.name),),
            needs=tuple(names[n] for n in p.needs), events=events, interruptible=True, says="what is known already is reused")
        for p in pipelines
    ]  # fmt: skip


def _in_child() -> list[Job]:
    command = ("lockgate", "gitlab", "render", "--child", "--out", CHILD_FILE)
    return [
        Job(name="plan", stage="plan", commands=(command,), events=JUDGED, interruptible=True, keep=(CHILD_FILE,),
            says="which steps have to run"),
        Job(name="steps", stage="steps", needs=("plan",), events=JUDGED, interruptible=True, spawns=("plan", CHILD_FILE),
            retries=False, says="one job for each step that runs or may run"),
    ]  # fmt: skip


def _existing(jobs: Iterable[Job], has: Has) -> tuple[Job, ...]:
    """Leave out what cannot be called; who needed it needs what it needed."""
    kept: dict[str, Job] = {}
    gone: dict[str, tuple[str, ...]] = {}
    for job in jobs:
        needs = tuple(dict.fromkeys(n for need in job.needs for n in gone.get(need, (need,))))
        command = NEEDED.get(job.name.partition(":")[0], NEEDED["plan"] if job.spawns else ())
        if has(command):
            kept[job.name] = replace(job, needs=needs)
        else:
            gone[job.name] = needs
    return tuple(kept.values())


def _digest(declared: Declared, settings: GitlabSettings) -> str:
    made = {
        "declaration": declared.says,
        "pipelines": to_json(declared.pipelines),
        "unprotected": list(declared.unprotected),
        **({"attested": list(declared.attested)} if declared.attested else {}),
    }
    return sha256_bytes(canonical({**made, "gitlab": to_json(settings)}))
