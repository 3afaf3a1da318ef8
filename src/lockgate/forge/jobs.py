"""What is declared → jobs. Stages come from the declaration alone; a job is there only when the command it calls exists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lockgate.declare import Approval, DeployTo, Gate
from lockgate.forge.id_token import AUDIENCE
from lockgate.forge.side_jobs import downstream_jobs, handing, review_jobs
from lockgate.records.digest import Json, canonical, sha256_bytes
from lockgate.records.frozen import frozen
from lockgate.records.jobs import Event, Job, JobGraph, Place
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    from lockgate.declare import Stage
    from lockgate.forge.settings import GitlabSettings

__all__ = ["CHILD_FILE", "NEEDED", "Declared", "Made", "Runs", "carried", "child_graph", "job_graph", "pipelines_graph"]

UNCERTAIN: Final = 3
"""The exit code of a gate that could not tell."""

RISING: Final[tuple[Event, ...]] = ("default_branch", "schedule", "trigger")
JUDGED: Final[tuple[Event, ...]] = ("merge_request", *RISING)
CHILD_FILE: Final = "lockgate-child.yml"
REPORTS: Final = "lockgate-reports"
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


@frozen(kw_only=True)
class Made:
    """A data or training pipeline. `needs`: pipelines whose results its steps read."""

    name: str
    kind: str
    needs: tuple[str, ...] = ()


@frozen(kw_only=True)
class Declared:
    """All that decides about the jobs of a project.

    Attributes:
        pipelines: data and training pipelines, each behind those it needs.
        delivers: the training pipeline that is released; None: nothing is.
        stages: of the delivery pipeline.
        unprotected: environments that a release may enter while a gate is uncertain.
        attested: environments that take the forge's word for who pressed a button.
        says: the declaration as JSON; its digest stands in the rendered file.
    """

    pipelines: tuple[Made, ...]
    delivers: str | None = None
    stages: tuple[Stage, ...] = ()
    unprotected: tuple[str, ...] = ()
    attested: tuple[str, ...] = ()
    says: Json = None


@frozen(kw_only=True)
class Runs:
    """A step that a plan says runs, or may run. `after`: the steps of this kind that it waits for."""

    node: str
    reason: str
    after: tuple[str, ...] = ()


def job_graph(declared: Declared, settings: GitlabSettings, *, has: Has) -> JobGraph:
    """The jobs of a whole project. `has`: whether a command exists, such as `("gate", "judge")`."""
    jobs = [
        Job(name="check", stage="verify", commands=(("lockgate", "gitlab", "check"),), events=JUDGED, interruptible=True,
            says="this file is of the present declaration"),
        *(_in_child() if settings.steps == "child" else _pipelines(declared.pipelines, JUDGED)),
        *_way(declared, settings),
        Job(name="monitor", stage="monitoring", commands=(("lockgate", "status"),), events=("monitor",), interruptible=True,
            says="what is live where; by a schedule with LOCKGATE_SCHEDULE=monitor"),
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


def carried(stages: Sequence[Stage], position: int, unprotected: Iterable[str]) -> bool:
    """Whether an uncertain gate lets the way go on: somebody is asked behind it, and no protected environment lies between."""
    for stage in stages[position + 1 :]:
        if isinstance(stage, Approval):
            return True
        if isinstance(stage, DeployTo) and stage.environment not in unprotected:
            return False
    return False


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


def _way(declared: Declared, settings: GitlabSettings) -> list[Job]:
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
        jobs += gates + ([] if here else _report(gates, first))
        ahead = tuple(g.name for g in gates) or before
        if stretch.environment:
            last = stretch.environment == environments[-1]
            place = _place(stretch.environment, settings, last=last)
            attested = settings.approvals if stretch.environment in declared.attested else ""
            rise = _rise(place, ahead, asked=stretch.asked, attested=attested)
            if last and settings.downstream:
                rise = [*rise[:-1], handing(rise[-1])]
            jobs += rise
            here, before = stretch.environment, (rise[-1].name,)
    jobs += _publish(environments) if settings.publish else []
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


def _rise(place: Place, ahead: tuple[str, ...], *, asked: bool, attested: str) -> list[Job]:
    """Ask people, where they are asked, and deploy: people are asked once before an environment, in all roles.

    `attested`: how they agree where the forge's word is taken; empty: they sign.
    """
    if not asked:
        return [_deploy(place, ahead)]
    approve = _approve(place, ahead)
    if not attested:
        return [approve, _deploy(place, (approve.name,))]
    ask = _ask(place, ahead)
    if attested == "deployment":
        return [ask, _approved_deploy(place, (ask.name,))]
    pressed = replace(
        approve, needs=(ask.name,), commands=(("lockgate", "gitlab", "attest", place.name), *approve.commands), audience=AUDIENCE,
        says="who starts it approves what the job before it showed; several people start it one after the other",
    )  # fmt: skip
    return [ask, pressed, _deploy(place, (pressed.name,))]


def _ask(place: Place, needs: tuple[str, ...]) -> Job:
    """The page must be there before somebody can press a button under it."""
    return Job(
        name=f"ask:{place.name}", stage=f"approve-{place.name}", commands=(("lockgate", "approvals", place.name),), needs=needs,
        events=RISING, soft=UNCERTAIN, says="makes the page that people are asked under",
    )  # fmt: skip


def _gate(gate: Gate, needs: tuple[str, ...], here: str, events: tuple[Event, ...], *, soft: bool) -> Job:
    file = f"{REPORTS}/gate-{gate.name}.xml"
    return Job(
        name=f"gate:{gate.name}", stage=f"test-{here}" if here else "evaluation", needs=needs, events=events,
        commands=(("lockgate", "gate", "judge", gate.name, "--junit", file),), soft=UNCERTAIN if soft else None,
        interruptible=not here, reports={"junit": file}, keep=(file,),
        says="uncertain goes on: an approval behind it has to accept it by name" if soft else "uncertain stops here",
    )  # fmt: skip


def _approve(place: Place, needs: tuple[str, ...]) -> Job:
    return Job(
        name=f"approve:{place.name}", stage=f"approve-{place.name}", commands=(("lockgate", "approvals", place.name),),
        needs=needs, when="manual", events=RISING, place=replace(place, deploys=False), retries=False,
        says="green once everybody who is asked has signed; until then it says who is missing, and is started again",
    )  # fmt: skip


def _deploy(place: Place, needs: tuple[str, ...]) -> Job:
    return Job(
        name=f"deploy:{place.name}", stage=f"deploy-{place.name}",
        commands=(("lockgate", "deliver", "--to", place.name, "--here"),), needs=needs, events=RISING, place=place,
        resource=place.name, says="refuses without recorded decisions, whatever this file says; run again later, it rolls back",
    )  # fmt: skip


def _approved_deploy(place: Place, needs: tuple[str, ...]) -> Job:
    """The forge itself asks for approvals of this deployment, and then somebody starts it."""
    deploy = _deploy(place, needs)
    attest = ("lockgate", "gitlab", "attest", place.name, "--deployment")
    return replace(
        deploy, commands=(attest, *deploy.commands), when="manual", audience=AUDIENCE,
        says="people approve this deployment at the forge; where it cannot ask them, who starts the job approves",
    )  # fmt: skip


def _place(environment: str, settings: GitlabSettings, *, last: bool) -> Place:
    url = settings.urls.get(environment, "")
    return Place(name=environment, tier=settings.tier(environment, last=last), url=url)


def _report(gates: Sequence[Job], events: tuple[Event, ...]) -> list[Job]:
    """What a merge request shows; also when a gate failed. Also on the target branch: GitLab compares with what it showed there.

    One path only: with a second one GitLab links to a list of files instead of the page.
    """
    if "merge_request" not in events:
        return []
    needs = tuple(g.name for g in gates) or ("release",)
    files = {"metrics": "metrics.txt", "codequality": "quality.json", "annotations": "links.json"}
    return [
        Job(
            name="report", stage="report", commands=(("lockgate", "gitlab", "report"),), needs=needs, when="always", events=events,
            interruptible=True, reports={kind: f"{REPORTS}/{name}" for kind, name in files.items()}, keep=(f"{REPORTS}/evidence.html",),
            shows="Evidence page", says="what the merge request shows, beside what the target branch last showed; nothing waits for it",
        )
    ]  # fmt: skip


def _publish(environments: Sequence[str]) -> list[Job]:
    if not environments:
        return []
    return [Job(name="publish", stage="publish", commands=(("lockgate", "gitlab", "publish"),), events=RISING,
                needs=(f"deploy:{environments[-1]}",), audience=AUDIENCE, resource="publish",  # two at once would compute one number
                says="release, packages and model version for people to find")]  # fmt: skip


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
