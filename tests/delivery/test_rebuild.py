"""The process that rebuilds: what it sees of its caller, and what its caller makes of whatever it says."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest

from lockgate.build.execute import Event
from lockgate.delivery.reproduction import interpreter, rebuild, reproduce
from lockgate.delivery.reproduction.rebuild import _ask, environment_for
from lockgate.errors import IntegrityError, LockgateError, NotFound, StepFailed
from lockgate.records.digest import digest
from lockgate.records.plan import StepRecord

SECRETS = {"LOCKGATE_KEY": "k", "AWS_SECRET_ACCESS_KEY": "s", "GITHUB_TOKEN": "t", "DATABASE_URL": "pg://a:b@h/d"}


def test_no_secret_reaches_the_packages_of_a_release() -> None:
    plain = {"PATH": "/bin", "PYTHONPATH": "/src"}
    assert environment_for({**plain, **SECRETS}, own=True, shared=False) == plain
    assert environment_for({**plain, **SECRETS}, own=False, shared=False) == {"PATH": "/bin"}
    shared = environment_for({**plain, **SECRETS}, own=False, shared=True)
    assert shared == {"PATH": "/bin", "AWS_SECRET_ACCESS_KEY": "s"}


def test_an_installer_sees_its_own_secrets_and_takes_wheels_only(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = interpreter._for_installers({"UV_INDEX_URL": "https://a:b@h", **SECRETS})
    assert seen == {"UV_INDEX_URL": "https://a:b@h"}
    assert interpreter.WHEELS == ("--only-binary", ":all:")


def ask(program: str, order: object = None) -> tuple[object, list[Event]]:
    told: list[Event] = []
    return _ask([sys.executable, "-c", program], {"order": order}, {}, told.append), told


def test_lines_that_are_none_are_not_heard() -> None:
    lines = (
        "not json",
        "[1]",
        "3",
        '{"event": 5}',
        '{"event": {"node": "a", "state": "begin"}}',
        '{"done": {"x": 1}}',
        "[]",
    )
    done, told = ask(f"import sys; sys.stdin.read(); [print(l) for l in {lines!r}]")
    assert (done, [e.node for e in told]) == ({"x": 1}, ["a"])


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import os; os.close(0); raise RuntimeError('no stdin')", "RuntimeError: no stdin"),
        ("import sys; sys.stdin.read(); print('{\"done'); 1 / 0", "ZeroDivisionError"),
        ("import sys; sys.stdin.read(); print('{\"error\": 3}'); sys.exit('odd')", "odd"),
        ("import sys; sys.stdin.read(); sys.exit(7)", "exit 7"),
    ],
)  # fmt: skip
def test_a_process_that_dies_is_a_failed_step_with_its_last_words(program: str, said: str) -> None:
    with pytest.raises(StepFailed) as caught:
        ask(program, "x" * 1_000_000)
    assert said in caught.value.value


def test_its_own_error_is_said_again() -> None:
    error = '{"error": {"kind": "IntegrityError", "what": "w", "value": "v", "allowed": "a", "next": "n"}}'
    with pytest.raises(LockgateError, match="w") as caught:
        ask(f"import sys; sys.stdin.read(); print({error!r})")
    assert isinstance(caught.value, IntegrityError)


def test_a_source_that_the_store_has_is_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []

    def see(_project: object, *, now_ns: int, wanted: object) -> dict[str, object]:
        looked.append(now_ns)
        return {}

    monkeypatch.setattr(rebuild, "see", see)
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    files = [["a.csv", "blake3:a"]]
    identity = digest("source", files)

    def project(kind: str, *held: str) -> Any:
        known = {identity: {"files": files, "single": True}}
        store = SimpleNamespace(has=lambda d: d in held, get=Path)
        settings = SimpleNamespace(sources=(SimpleNamespace(name="sales", kind=kind),))
        return SimpleNamespace(results=lambda _: known, store=store, settings=settings)

    whole = project("file", "blake3:a")
    assert rebuild._source(whole, whole, "sales", identity, now=now)["single"]
    assert looked == []
    for kind, times in (("sqlite", 0), ("file", 1)):
        with pytest.raises(NotFound, match="source sales"):
            rebuild._source(project(kind), project(kind), "sales", identity, now=now)
        assert looked == [int(now.timestamp() * 1e9)] * times


def test_a_step_that_did_not_run_in_an_empty_store_is_a_difference() -> None:
    def step(name: str, action: Literal["run", "reuse"], made: str) -> StepRecord:
        return StepRecord(name=name, action=action, reason="", digest=made)

    lineage = SimpleNamespace(parameters={}, extra={})
    steps = (step("a", "run", "1"), step("twin", "reuse", "1"), step("planted", "reuse", "2"))
    rebuilt: Any = SimpleNamespace(steps=steps, packages=(), parameters={}, error=StepFailed("x"))
    release: Any = SimpleNamespace(lineage=lineage)
    nothing: Any = None
    (said,) = reproduce._differences(nothing, release, rebuilt, None)
    assert said.startswith("step planted did not run")
