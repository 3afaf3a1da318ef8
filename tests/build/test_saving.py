"""Results are stored in groups while steps go on; nobody hears `done` before."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from build.test_plan import CHAIN, World, graph, node
from build.working_copy import HEAD, WorkingCopy
from lockgate.adapters.local import LocalTogether
from lockgate.build.execute import Event, Executed, execute
from lockgate.build.saving import MOST, Saving, Unsaved
from lockgate.errors import ServiceUnavailable
from lockgate.project import open_project
from lockgate.records.graph import Graph

MANY = graph(*(node(f"s{n}", *([f"s{n - 1}"] if n else [])) for n in range(60)))


class Grouped(World):
    """A world that stores in groups, and notes what happened in which order."""

    def __init__(self) -> None:
        super().__init__()
        self.happened: list[str] = []
        self.groups: list[list[str]] = []
        self.fails: ServiceUnavailable | None = None
        self.waits_for = ""

    def let_go(self, objects: Iterable[str]) -> None:
        assert list(objects) == []

    def keep_many(self, group: Sequence[Unsaved]) -> None:
        end = time.monotonic() + 20
        while self.waits_for and self.waits_for not in self.ran:
            assert time.monotonic() < end
            time.sleep(0.001)
        if self.fails:
            raise self.fails
        for unsaved in group:
            self.keep(unsaved.node, unsaved.key, unsaved.result)
        names = [u.node.removeprefix("p.") for u in group]
        self.groups.append(names)
        self.happened += [f"stored {n}" for n in names]

    def tell(self, event: Event) -> None:
        self.happened.append(f"{event.state} {event.node.removeprefix('p.')} {event.left}")

    @contextmanager
    def alone(self, name: str, _: str) -> object:
        yield None
        self.happened.append(f"free {name.removeprefix('p.')}")

    def together(self, nodes: Graph, **more: object) -> Executed:
        return execute(
            nodes, self.plan(nodes), self.known, engine=self, keep=self.keep, keep_many=self.keep_many, tell=self.tell, workers=2,
            alone=self.alone, **more,
        )  # fmt: skip


def test_a_step_is_done_when_it_is_stored_and_others_may_look_only_then() -> None:
    world = Grouped()
    assert world.together(CHAIN).error is None
    for name in "abc":
        stored, free = world.happened.index(f"stored {name}"), world.happened.index(f"free {name}")
        done = next(n for n, h in enumerate(world.happened) if h.startswith(f"done {name}"))
        assert stored < free < done
    assert world.happened[-1] == "done c 0"


def test_a_step_begins_before_what_it_reads_is_stored() -> None:
    world = Grouped()
    world.waits_for = "c"
    assert world.together(CHAIN).error is None
    assert world.ran == ["a", "b", "c"]
    assert [n for group in world.groups for n in group] == ["a", "b", "c"]
    lefts = [int(h.split()[2]) for h in world.happened if h.startswith("done")]
    assert lefts == [2, 1, 0]


def test_many_quick_steps_are_few_groups_and_none_is_late() -> None:
    world = Grouped()
    started = time.monotonic()
    done = world.together(MANY)
    assert time.monotonic() - started < 5
    assert [s.action for s in done.steps] == ["run"] * 60
    assert sum(map(len, world.groups)) == 60
    assert len(world.groups) < 20


def test_what_cannot_be_stored_is_not_done() -> None:
    world = Grouped()
    world.fails, world.waits_for = ServiceUnavailable("the disk is full"), "b"
    done = world.together(CHAIN)
    assert isinstance(done.error, ServiceUnavailable)
    assert {s.name: s.action for s in done.steps}["p.a"] == "failed"
    assert "run" not in {s.action for s in done.steps}
    assert not any(h.startswith("done") for h in world.happened)
    assert done.artifacts == {}
    assert world.stored == {}


def test_groups_have_a_limit_however_slow_the_disk_is() -> None:
    """Each result is an open file or two while it is written."""
    opened, sizes = threading.Event(), []

    def keep(group: Sequence[Unsaved]) -> None:
        opened.wait(20)
        sizes.append(len(group))

    saving = Saving(keep, lambda *_: None)
    for number in range(5 * MOST):
        saving.add(Unsaved(f"s{number}", str(number), None, "", lambda: None))
    opened.set()
    saving.close()
    assert max(sizes) <= MOST
    assert sum(sizes) == 5 * MOST


STORED_LATE = (
    HEAD
    + """
import time
@step
def a() -> int:
    return 1
@step
def b(a: int) -> int:
    time.sleep(0.5)
    return 2
@step
def both(a: int, b: int) -> int:
    return a + b
flow = Pipeline("flow", kind="data", steps=[a, b, both])
"""
)


def test_what_could_not_be_stored_is_read_by_the_steps_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `--keep-going` they run: what they make is right, and only what was lost is made again."""
    copy = WorkingCopy(tmp_path, STORED_LATE)
    real, groups = LocalTogether.put, []

    def put(*given: object) -> None:
        groups.append(given)
        if len(groups) == 1:
            raise ServiceUnavailable("the disk is full")
        real(*given)

    monkeypatch.setattr(LocalTogether, "put", put)
    done = copy.run(keep_going=True)
    assert isinstance(done.error, ServiceUnavailable)
    assert {s.name: s.action for s in done.steps} == {"flow.a": "failed", "flow.b": "run", "flow.both": "run"}
    assert set(done.artifacts) == {"flow.b", "flow.both"}
    assert copy.did() == {"a": "run", "b": "reuse", "both": "reuse"}


def test_what_was_made_is_stored_when_the_run_is_stopped() -> None:
    world = Grouped()

    def tell(event: Event) -> None:
        if event.state == "begin" and event.node == "p.b":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute(
            CHAIN, world.plan(CHAIN), world.known, engine=world, keep=world.keep, keep_many=world.keep_many, tell=tell,
            workers=1,
        )  # fmt: skip
    assert [n for group in world.groups for n in group] == ["a"]


def test_no_thread_is_left() -> None:
    before = threading.active_count()
    Grouped().together(MANY)
    end = time.monotonic() + 10
    while threading.active_count() > before:
        assert time.monotonic() < end
        time.sleep(0.01)


READS = (
    HEAD
    + """
from pathlib import Path
@step
def a() -> dict[str, str]:
    return {"ü": "ß"}
@step
def as_value(a: dict[str, str]) -> str:
    return a["ü"]
@step
def as_file(a: Path) -> str:
    return a.read_text()
@step
def as_bytes(a: bytes) -> int:
    return len(a)
@step
def same() -> dict[str, str]:
    return {"ü": "ß"}
@step
def long() -> str:
    return "x" * 100_000
@step
def of_long(long: str) -> int:
    return len(long)
@step
def total(as_value: str, as_file: str, as_bytes: int, same: dict[str, str], of_long: int) -> list[str]:
    return [as_value, as_file, str(as_bytes), same["ü"], str(of_long)]
flow = Pipeline("flow", kind="data", steps=[a, as_value, as_file, as_bytes, same, long, of_long, total])
"""
)


def test_a_value_that_is_not_stored_yet_is_read_as_its_reader_wants_it(tmp_path: Path) -> None:
    copy = WorkingCopy(tmp_path, READS)
    assert set(copy.did().values()) == {"run"}
    assert copy.value("total") == ["ß", '{"ü":"ß"}', "11", "ß", "100000"]
    assert set(copy.plan().values()) == {"reuse"}
    store = open_project(tmp_path).store
    assert all(store.get(d) for d in store.list())
    assert not list((tmp_path / ".lockgate" / "tmp").iterdir())
