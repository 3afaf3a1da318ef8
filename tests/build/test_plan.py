"""Planning and executing, decided without a process: a scripted engine stands for the steps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lockgate.build.engine import Ran
from lockgate.build.execute import Executed, execute
from lockgate.build.explain import differences, words
from lockgate.build.fingerprint import fingerprint
from lockgate.build.plan import Known, make_plan, needed
from lockgate.errors import ServiceUnavailable, StepFailed, UsageError
from lockgate.records.artifact import Artifact
from lockgate.records.graph import Definition, Graph, Node, Trace
from lockgate.records.plan import Blocked, Maybe, Plan, Result, Reuse, Run

NO_TRACE = Trace(interpreter="", files=(), listings={}, environment={}, packages={}, preload=())


def node(name: str, /, *inputs: str, code: str = "1", **more: object) -> Node:
    values: dict[str, object] = {
        "name": f"p.{name}", "target": f"m:{name}", "inputs": {i.rpartition(":")[2]: i if ":" in i else f"p.{i}" for i in inputs},
        "input_types": {i.rpartition(":")[2]: "builtins:int" for i in inputs}, "parameters": {}, "type": "builtins:int", "codec": "json",
        "definitions": (Definition(f"m.{name}", "m.py", 1, code),), "packages": (),
    }  # fmt: skip
    return Node(**{**values, **more})


def graph(*nodes: Node) -> Graph:
    return Graph(nodes={n.name: n for n in nodes}, order=tuple(n.name for n in nodes), pipelines={}, trace=NO_TRACE)


class World:
    """Stored results, and an engine whose steps answer what `values` says: an identity, an error, or a function."""

    def __init__(
        self, externals: Mapping[str, str] | None = None, parameters: Mapping[str, Mapping[str, object]] | None = None
    ) -> None:
        self.stored: dict[str, Result] = {}
        self.last: dict[str, str] = {}
        self.values: dict[str, object] = {}
        self.ran: list[str] = []
        self.attempts: dict[str, int] = {}
        self.at_once = self.most = 0
        self.lock = threading.Lock()
        self.known = Known(
            externals or {}, self._result, lambda n: self.stored.get(self.last.get(n, "")), parameters or {}, "python"
        )

    def _result(self, key: str) -> Artifact | None:
        return self.stored[key].artifact if key in self.stored else None

    def keep(self, name: str, key: str, result: Result) -> None:
        self.stored[key] = result
        self.last[name] = key

    def run(self, node: Node, artifacts: Mapping[str, Artifact], parameters: Mapping[str, object]) -> Ran:
        step = node.name.removeprefix("p.")
        with self.lock:
            self.ran.append(step)
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        value = self.values.get(step, step)
        try:
            value = value() if callable(value) else value
            if isinstance(value, Exception):
                raise value
        finally:
            with self.lock:
                self.at_once -= 1
        made = Artifact(type="builtins:int", codec="json", digest=f"blake3:{value}", object="blake3:0", size_bytes=1)
        return Ran(artifact=made, seconds=0.1, attempts=1, sandbox="")

    def plan(self, graph: Graph, *targets: str) -> Plan:
        return make_plan(graph, [f"p.{t}" for t in targets] or list(graph.nodes), self.known)

    def do(self, graph: Graph, plan: Plan | None = None, *, workers: int = 2, **more: object) -> Executed:
        return execute(
            graph,
            plan or self.plan(graph),
            self.known,
            engine=self,
            keep=self.keep,
            tell=lambda _: None,
            workers=workers,
            **more,
        )


def said(plan: Plan) -> dict[str, str]:
    return {s.node.removeprefix("p."): words(s)[0] for s in plan.steps}


CHAIN = graph(node("a"), node("b", "a"), node("c", "b"))
DIAMOND = graph(node("a"), node("b", "a"), node("c", "a"), node("d", "b", "c"))


def test_a_plan_of_a_plan_reuses_everything() -> None:
    world = World()
    assert said(world.plan(DIAMOND)) == dict.fromkeys("abcd", "run")
    done = world.do(DIAMOND)
    assert done.error is None
    assert {s.name for s in done.steps} == set(DIAMOND.nodes)
    assert said(world.plan(DIAMOND)) == dict.fromkeys("abcd", "reuse")
    world.ran.clear()
    assert {s.action for s in world.do(DIAMOND).steps} == {"reuse"}
    assert world.ran == []


def test_early_cutoff() -> None:
    world = World()
    world.do(CHAIN)
    edited = graph(node("a", code="2"), *list(CHAIN.nodes.values())[1:])
    assert said(world.plan(edited)) == {"a": "run", "b": "maybe", "c": "maybe"}
    world.ran.clear()
    world.do(edited)
    assert world.ran == ["a"]
    world.values["a"] = "other"
    again = graph(node("a", code="3"), *list(CHAIN.nodes.values())[1:])
    world.ran.clear()
    world.do(again)
    assert world.ran == ["a", "b"]  # b made what it made before, so c sleeps on


def test_a_failing_step_keeps_the_rest() -> None:
    world = World()
    world.values["b"] = StepFailed("no")
    done = world.do(DIAMOND, workers=1)
    assert {s.name: s.action for s in done.steps}["p.b"] == "failed"
    assert isinstance(done.error, StepFailed)
    world.values.clear()
    assert said(world.plan(DIAMOND))["a"] == "reuse"


def test_keep_going_runs_what_does_not_depend_on_the_failure() -> None:
    nodes = graph(node("bad"), node("after", "bad"), node("x"), node("y", "x"))
    for keep_going, ran in ((False, {"bad"}), (True, {"bad", "x", "y"})):
        world = World()
        world.values["bad"] = StepFailed("no")
        done = world.do(nodes, workers=1, keep_going=keep_going)
        assert set(world.ran) == ran
        assert {s.name: s.action for s in done.steps}["p.after"] == "blocked"


def test_what_is_known_is_said_to_be_reused_though_an_earlier_step_failed() -> None:
    nodes = graph(node("bad"), node("x"), node("y", "x"))
    world = World()
    world.do(graph(node("x"), node("y", "x")))
    world.values["bad"] = StepFailed("no")
    assert [s.action for s in world.do(nodes, workers=1).steps] == ["failed", "reuse", "reuse"]


def test_an_unforeseen_error_of_the_engine_ends_the_run() -> None:
    world = World()
    world.values["a"] = RuntimeError("engine")
    done = world.do(CHAIN)
    assert "RuntimeError: engine" in str(done.error)
    assert [s.action for s in done.steps] == ["failed", "blocked", "blocked"]


def test_a_result_that_cannot_be_kept_is_not_done() -> None:
    world = World()

    def full(*_: object) -> None:
        raise ServiceUnavailable("the disk is full")

    done = execute(CHAIN, world.plan(CHAIN), world.known, engine=world, keep=full, tell=lambda _: None, workers=1)
    assert isinstance(done.error, ServiceUnavailable)
    assert world.ran == ["a"]
    assert [s.action for s in done.steps] == ["failed", "blocked", "blocked"]


def test_nothing_runs_that_the_plan_did_not_name() -> None:
    world = World()
    world.do(CHAIN)
    plan = world.plan(CHAIN)
    assert said(plan) == dict.fromkeys("abc", "reuse")
    gone = world.last["p.b"]
    del world.stored[gone]
    world.ran.clear()
    done = world.do(CHAIN, plan)
    assert world.ran == []
    assert "the world moved since the plan was made: p.b" in str(done.error)
    assert done.error is not None
    assert done.error.next == "lockgate plan"


def test_a_plan_for_one_target_runs_no_other() -> None:
    world = World()
    world.do(DIAMOND, world.plan(DIAMOND, "b"))
    assert world.ran == ["a", "b"]
    assert needed(DIAMOND, ["p.c"]) == ["p.a", "p.c"]


def test_blocked_by_a_source() -> None:
    nodes = graph(node("a", "source:sales"), node("b", "a"), node("c"))
    world = World()
    plan = world.plan(nodes)
    assert said(plan) == {"a": "blocked", "b": "blocked", "c": "run"}
    assert plan.steps[0].action == Blocked("source sales is neither at its path nor in a shared store")
    assert plan.steps[1].action == Blocked("p.a is blocked")
    done = world.do(nodes, plan, keep_going=True)
    assert world.ran == ["c"]
    assert "source sales" in str(done.error)


def test_independent_steps_run_at_once_and_no_more_than_workers() -> None:
    nodes = graph(*(node(f"s{n}") for n in range(6)))
    for workers in (1, 3):
        world = World()
        world.values = {f"s{n}": lambda: time.sleep(0.02) or "x" for n in range(6)}
        world.do(nodes, workers=workers)
        assert world.most == workers


def test_no_more_is_started_after_a_failure() -> None:
    world = World()
    world.values = {"s0": lambda: _raise(StepFailed("no")), "s1": lambda: time.sleep(0.05) or "x"}
    done = world.do(graph(*(node(f"s{n}") for n in range(5))), workers=2)
    assert set(world.ran) == {"s0", "s1"}
    assert [s.action for s in done.steps] == ["failed", "run", "blocked", "blocked", "blocked"]


def _raise(error: Exception) -> str:
    raise error


@given(st.data())
def test_any_graph_is_executed_in_order_and_then_reused(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 7))
    inputs = [
        data.draw(st.sets(st.sampled_from([f"s{m}" for m in range(n)]), max_size=3) if n else st.just(set()))
        for n in range(size)
    ]
    nodes = graph(*(node(f"s{n}", *sorted(i)) for n, i in enumerate(inputs)))
    world = World()
    bad = data.draw(st.none() | st.integers(0, size - 1))
    if bad is not None:
        world.values[f"s{bad}"] = StepFailed("no")
    done = world.do(nodes, workers=data.draw(st.integers(1, 3)), keep_going=True)
    place = {s: i for i, s in enumerate(world.ran)}
    assert all(place[i] < place[f"s{n}"] for n, needs in enumerate(inputs) for i in needs if f"s{n}" in place)
    after = {s.node for s in world.plan(nodes).steps if not isinstance(s.action, Reuse)}
    assert after == {s.name for s in done.steps if s.action in ("failed", "blocked")}


def test_why_in_one_line_each() -> None:
    then = node("a", "x", code="1", parameters={"rate": 1}, packages=("polars==1.0", "gone==1"))
    now = node("a", "x", code="2", parameters={"rate": 2}, packages=("polars==2.0", "new==1"))
    last = Result(
        artifact=Artifact(type="", codec="", digest="", object="", size_bytes=0), inputs={"x": "blake3:aaaaaaaaaaaaaaaa"}, parameters={"rate": 1},
        definitions=tuple((d.name, d.file, d.line, d.digest) for d in (*then.definitions, Definition("m.helper", "m.py", 9, "3"))), packages=then.packages,
        seconds=1.0,
    )  # fmt: skip
    assert list(differences(now, last, {"x": "blake3:bbbbbbbbbbbbbbbb"}, {"rate": 2})) == [
        "m.a changed (m.py:1)", "m.helper is gone", "parameter rate 1 → 2", "input x aaaaaaaaaaaa → bbbbbbbbbbbb",
        "package gone 1 → absent", "package new absent → 1", "package polars 1.0 → 2.0",
    ]  # fmt: skip
    assert list(differences(then, last, None, {"rate": 1})) == ["m.helper is gone"]


def test_statements_of_one_name_are_compared_in_order() -> None:
    one, two = Definition("m.T", "m.py", 1, "1"), Definition("m.T", "m.py", 2, "2")
    last = Result(
        artifact=Artifact(type="", codec="", digest="", object="", size_bytes=0), inputs={}, parameters={}, packages=(), seconds=0.0,
        definitions=tuple((d.name, d.file, d.line, d.digest) for d in (one, two)),
    )  # fmt: skip
    assert list(differences(node("a", definitions=(one, two)), last, {}, {})) == []
    assert list(differences(node("a", definitions=(two, one)), last, {}, {})) == ["m.T changed (m.py:2)"]


CHANGES: dict[str, Callable[[Node], Node]] = {
    "code": lambda n: node("a", "x", code="2"),
    "another definition": lambda n: node("a", "x", definitions=(*n.definitions, *n.definitions)),
    "the name of a definition": lambda n: node("a", "x", definitions=(Definition("m.b", "m.py", 1, "1"),)),
    "packages": lambda n: node("a", "x", packages=("polars==2",)),
    "an input's type": lambda n: node("a", "x", input_types={"x": "builtins:str"}),
    "the output's type": lambda n: node("a", "x", type="builtins:str"),
    "the codec": lambda n: node("a", "x", codec="file"),
    "the function": lambda n: node("a", "x", target="m:other"),
}
FREE: dict[str, Callable[[Node], Node]] = {
    "the name": lambda n: node("a", "x", name="q.b"),
    "the file and line of a definition": lambda n: node("a", "x", definitions=(Definition("m.a", "other.py", 7, "1"),)),
    "the module of the function": lambda n: node("a", "x", target="n:a"),
    "where an input comes from": lambda n: node("a", "x", inputs={"x": "source:x"}),
}


@pytest.mark.parametrize("what", [*CHANGES, *FREE])
def test_what_is_part_of_a_key(what: str) -> None:
    plain = node("a", "x")
    key = fingerprint(plain, {"x": "blake3:1"}, {}, interpreter="python")
    changed = (CHANGES | FREE)[what](plain)
    assert (fingerprint(changed, {"x": "blake3:1"}, {}, interpreter="python") == key) == (what in FREE)
    assert fingerprint(plain, {"x": "blake3:2"}, {}, interpreter="python") != key
    assert fingerprint(plain, {"x": "blake3:1"}, {"p": 1}, interpreter="python") != key
    assert fingerprint(plain, {"x": "blake3:1"}, {}, interpreter="pypy") != key


def test_parameters_are_checked_for_every_step_even_one_that_is_not_asked_for() -> None:
    nodes = graph(node("a", parameters={"rate": 0.5}), node("b", parameters={"on": True}))
    for parameters, says in (
        ({"c": {"x": 1}}, "a step that does not exist: c"), ({"a": {"rat": 1}}, "no such parameter: a.rat"), ({"a": {"rate": "x"}}, "another kind: a.rate"),
        ({"b": {"on": 1}}, "another kind: b.on"), ({"a": {"rate": float("nan")}}, "JSON cannot hold: a.rate"), ({"a": {"rate": None}}, "another kind"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=says):
            World(parameters=parameters).plan(nodes, "b")
    assert (
        World(parameters={"a": {"rate": 1}}).plan(nodes).steps[0].fingerprint
        == World(parameters={"a": {"rate": 1.0}}).plan(nodes).steps[0].fingerprint
    )


def test_one_step_name_in_two_pipelines() -> None:
    nodes = graph(node("a", name="p.a", parameters={"rate": 1}), node("a", name="q.a"))
    assert (
        World(parameters={"a": {"rate": 2}}).plan(nodes).steps[1].fingerprint
        == World().plan(nodes).steps[1].fingerprint
    )


def test_a_maybe_names_who_decides() -> None:
    world = World()
    world.do(CHAIN)
    edited = graph(node("a", code="2"), *list(CHAIN.nodes.values())[1:])
    plan = world.plan(edited)
    assert plan.steps[1].action == Maybe(("p.a",))
    assert isinstance(plan.steps[0].action, Run)
    assert plan.steps[0].action.reason == "m.a changed (m.py:1)"


def test_a_new_algorithm_recognises_old_results(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version 2 for this test: other names for the same things; no result of version 1 is made again."""
    from lockgate.build import fingerprint as module
    from lockgate.records.digest import digest

    def version_2(node, inputs, parameters, interpreter) -> str:
        return digest("lockgate-fingerprint/2", module._version_1(node, inputs, parameters, interpreter))

    world = World()
    world.do(DIAMOND)
    first = dict(world.last)
    monkeypatch.setattr(module, "ALGORITHMS", (version_2, *module.ALGORITHMS))
    plan = world.plan(DIAMOND)
    assert said(plan) == dict.fromkeys("abcd", "reuse")
    assert {s.node: s.action.under for s in plan.steps if isinstance(s.action, Reuse)} == first
    assert not {s.fingerprint for s in plan.steps} & {*first.values()}
    assert said(world.plan(graph(node("a", code="2"), *list(DIAMOND.nodes.values())[1:])))["a"] == "run"
    monkeypatch.setattr(module, "ALGORITHMS", (version_2,))  # version 1 missed something: it is believed no more
    assert said(world.plan(DIAMOND))["a"] == "run"


def test_what_is_stored_under_the_new_name_is_not_looked_for_under_old_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    from lockgate.build import fingerprint as module

    def never(*_: object) -> str:
        raise AssertionError("asked an old algorithm")

    world = World()
    world.do(DIAMOND)
    monkeypatch.setattr(module, "ALGORITHMS", (*module.ALGORITHMS, never))
    assert said(world.plan(DIAMOND)) == dict.fromkeys("abcd", "reuse")
