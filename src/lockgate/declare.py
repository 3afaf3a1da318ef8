"""What users write: steps, predictors, pipelines, stages. Values that hold functions, nothing more.

No registration and no global state: a pipeline is a value in a user's module, and a decorated step
is still the plain function in a unit test. Standard library only.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Literal, ParamSpec, Protocol, TypeVar, overload

from lockgate.declare_fields import Choices, Horizon, Range

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lockgate.declare_command import Command

__all__ = [
    "Approval",
    "Choices",
    "DeployTo",
    "Gate",
    "Horizon",
    "Html",
    "Partitioned",
    "Pipeline",
    "Predictor",
    "Range",
    "Step",
    "Svg",
    "approval",
    "deploy_to",
    "predictor",
    "step",
]

P = ParamSpec("P")
R = TypeVar("R")

PipelineKind = Literal["data", "training", "delivery"]
Period = Literal["day", "week", "month", "year"]
PERIODS = ("day", "week", "month", "year")


class Html(str):
    """A page as a step's output: stored as `.html`, opened by `lockgate show`."""

    __slots__ = ()


class Svg(str):
    """A figure as a step's output: stored as `.svg`."""

    __slots__ = ()


class Contract(Protocol):
    """What a table promises; `lockgate.data.contracts.Contract` is one."""

    def check(self, table: object, /) -> None:
        """Raise ContractBroken when the promise is not kept."""
        ...


@dataclass(frozen=True)
class Partitioned:
    """A step that runs once per partition: the arguments of `step` of the same names, `each` as `period`."""

    period: Period
    lookback: int
    by: str
    whole: tuple[str, ...]


@dataclass(frozen=True)
class Limits:
    """Under which conditions a step runs; see `step`. None of them is an input."""

    memory_mb: int | None = None
    timeout_s: float | None = None
    retries: int = 0
    sandbox: bool = True
    allow: Sequence[str] = ()
    environment: Sequence[str] = ()


class Step(Generic[P, R]):
    """A plain function with declared inputs and one typed output; calling it calls the function."""

    def __init__(
        self, function: Callable[P, R], *, contract: Contract | None, partitioned: Partitioned | None = None,
        limits: Limits = Limits(),
    ) -> None:  # fmt: skip
        functools.update_wrapper(self, function)
        self.function = function
        self.contract = contract
        self.partitioned = partitioned
        self.limits = limits

    @property
    def name(self) -> str:
        """The name that other steps use as a parameter."""
        return self.function.__name__

    @property
    def names(self) -> tuple[str, ...]:
        """What other steps may name."""
        return (self.name,)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)


@overload
def step(function: Callable[P, R], /) -> Step[P, R]: ...
@overload
def step(
    *,
    contract: Contract | None = None,
    each: Period | None = None,
    lookback: int = 0,
    by: str = "date",
    whole: Sequence[str] = (),
    memory_mb: int | None = None,
    timeout_s: float | None = None,
    retries: int = 0,
    sandbox: bool = True,
    allow: Sequence[str] = (),
    environment: Sequence[str] = (),
) -> Callable[[Callable[P, R]], Step[P, R]]: ...
def step(
    function: Callable[P, R] | None = None,
    /,
    *,
    contract: Contract | None = None,
    each: Period | None = None,
    lookback: int = 0,
    by: str = "date",
    whole: Sequence[str] = (),
    memory_mb: int | None = None,
    timeout_s: float | None = None,
    retries: int = 0,
    sandbox: bool = True,
    allow: Sequence[str] = (),
    environment: Sequence[str] = (),
) -> Step[P, R] | Callable[[Callable[P, R]], Step[P, R]]:
    """Declare a function as a step. Its parameters' names wire the graph, its return type picks the codec.

    Args:
        contract: anything with `check(value)`, such as `lockgate.data.contracts.Contract`; it raises before a broken
            value is stored.
        each: run once per `day`, `week` (ISO), `month` or `year`, and only for those whose rows changed. Every input
            that is a table is cut to the rows of that period and of the `lookback` periods before it; what the step
            returns is cut to the rows of the period itself. Both need the date column `by`, without nulls.
        lookback: how many calendar periods before its own a run sees; the first ones see as many as there are.
        by: the column of dates (or of times, by their local day) that says where a row belongs.
        whole: inputs that are tables but are read whole; when one changes, every partition runs. Inputs of other types
            (`Path`, a model, numbers) are whole anyway.
        memory_mb: more than this, over all processes of the step, ends it. In MiB of anonymous and shared memory.
        timeout_s: more wall-clock time than this ends it, with everything it started.
        retries: how often it runs again after an error that is marked retryable: `lockgate.errors.ServiceUnavailable`,
            or an exception whose class has `retryable = True`. Other errors are not tried again.
        sandbox: False lets it read, write and reach what you can; nothing undeclared is found then. Shown in plan and record.
        allow: what stays open beside its inputs: `"network"`, or paths to read, relative to the project. What is read
            there is in no key: a change goes unnoticed.
        environment: names of environment variables that it needs without its code spelling them out; values are part
            of its key. `os.environ["NAME"]` in the code declares NAME by itself.

    Raises:
        UsageError: `each` is no period, `lookback` is negative, or they are there without `each`.

    >>> @step
    ... def double(number: int) -> int:
    ...     return 2 * number
    >>> double(21), double.name
    (42, 'double')
    """
    if function is not None:
        return Step(function, contract=None)
    partitioned = _partitioned(each, lookback, by, whole)
    limits = Limits(memory_mb, timeout_s, retries, sandbox, tuple(allow), tuple(environment))
    return lambda f: Step(f, contract=contract, partitioned=partitioned, limits=limits)


def _partitioned(each: Period | None, lookback: int, by: str, whole: Sequence[str]) -> Partitioned | None:
    """Check what was declared, where it was declared."""
    from lockgate.errors import UsageError

    what = "a step's partitions are declared wrongly"
    if each is None and (lookback, by, tuple(whole)) != (0, "date", ()):
        raise UsageError(what, value="lookback, by or whole without each", allowed=f"each = {', '.join(PERIODS)}")
    if each is None:
        return None
    if each not in PERIODS:
        raise UsageError(what, value=f"each={each!r}", allowed=", ".join(PERIODS))
    if type(lookback) is not int or lookback < 0:
        raise UsageError(what, value=f"lookback={lookback!r}", allowed="a whole number, 0 or more")
    if type(by) is not str or not by:
        raise UsageError(what, value=f"by={by!r}", allowed="the name of a column of dates")
    if isinstance(whole, str):
        raise UsageError(what, value=f"whole={whole!r}", allowed=f"a list of inputs, whole=[{whole!r}]")
    return Partitioned(each, lookback, by, tuple(whole))


@dataclass(frozen=True)
class Predictor:
    """The one function that answers a request, with everything needed to package it."""

    function: Callable[..., object]
    request: type
    response: type
    state: Mapping[str, str]
    explain: Callable[..., object] | None = None
    chart: str | None = None
    features: Callable[..., object] | None = None

    @property
    def name(self) -> str:
        return self.function.__name__

    def __call__(self, *args: object, **kwargs: object) -> object:
        return self.function(*args, **kwargs)


def predictor(
    *,
    request: type,
    response: type,
    state: Mapping[str, str] | None = None,
    explain: Callable[..., object] | None = None,
    chart: str | None = None,
    features: Callable[..., object] | None = None,
) -> Callable[[Callable[..., object]], Predictor]:
    """Declare the function that answers requests.

    Args:
        request: a dataclass; fields, types and ranges are the contract, and the web form is drawn from them.
        response: a dataclass; one per request, in the same order. Its first number, or without one its first boolean,
            is the answer. Numbers named `low` and `high` are its interval, one named `score` is how sure a yes is (a
            probability, for a release that decides); a text field `note` is a sentence that belongs to the answer.
        state: table name → its time column; cut to rows before `as_of`. Without it, without a parameter `as_of` and
            without a `Horizon` an answer is the same on every day, and nothing needs days.
        explain: same arguments as the function; answers sentences per request, after the number.
        chart: the column of the first state table that the web app draws as recent history.
        features: same arguments as the function; answers the table of what the model sees, one row per request, under the
            names of the training table. Gates compare the two; serving never calls it.
    """
    return lambda f: Predictor(f, request, response, dict(state or {}), explain, chart, features)


@dataclass(frozen=True)
class Gate:
    """An automated check in a delivery pipeline.

    Attributes:
        name: unique in its pipeline; `policy.toml` sets limits by it.
        evidence: `module:function` (or the function itself) that measures. Its parameters are wired by name:
            those of `lockgate.gates.measure.INPUTS`, such as `scored` and `release`; the others come from `params`.
        rule: the name of the rule in `lockgate.gates.rules` that judges the evidence.
        params: for the evidence function.
        limits: for the rule; a limit set here and in `policy.toml` is an error.
    """

    name: str
    evidence: str | Callable[..., object]
    rule: str
    params: Mapping[str, object] = field(default_factory=dict[str, object])
    limits: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True)
class Approval:
    """A person in this role must sign before the walk goes on."""

    role: str
    valid_for: str


@dataclass(frozen=True)
class DeployTo:
    """Write the wanted release of an environment to the ledger and wait for its answer."""

    environment: str


Stage = Gate | Approval | DeployTo


def approval(role: str, *, valid_for: str = "7d") -> Approval:
    """Stop until a person in `role` decides. `valid_for`: how long the signature counts, e.g. `7d`, `12h`."""
    return Approval(role, valid_for)


def deploy_to(environment: str) -> DeployTo:
    """Make the release the wanted one of `environment`; every `lockgate serve` there follows."""
    return DeployTo(environment)


@dataclass(frozen=True)
class Pipeline:
    """A graph of steps: `data`, `training`, or `delivery` (then `delivers` names what, and `stages` how).

    Attributes:
        steps: in any order; parameters' names wire them.
        publishes: steps whose tables other pipelines may name as inputs.
        predictor: the function that is packaged; its parameters are wired like a step's.
        holdout: the step with the rows a release is judged on: the request's fields, `as_of` (each row's own day,
            where an answer depends on the day), `actual`, columns to slice by, and columns with simple methods' answers.
            A column `cluster` says whose rows err together (a customer with several rows).
        trained_rows: the step with training rows to replay: the request's fields, `as_of` as above, and `prediction`,
            the answer computed from the training table.
        training_table: the step with all rows that the model was fitted on, for the gates on leaks and on the split.
        delivers: the training pipeline that a delivery pipeline releases.
    """

    name: str
    kind: PipelineKind
    steps: Sequence[Step[..., object] | Command] = ()
    publishes: Sequence[str] = ()
    predictor: Predictor | None = None
    holdout: str | None = None
    trained_rows: str | None = None
    delivers: Pipeline | None = None
    stages: Sequence[Stage] = ()
    training_table: str | None = None
