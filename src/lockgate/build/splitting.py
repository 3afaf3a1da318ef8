"""Steps that run once per partition, as nodes: which inputs are cut, and the nodes that split and join tables.

Splitting a table is a step of its own (`flow.clean@month`), made once for all who read that table by that period; so is
joining a dataset for a reader that wants the whole table (`flow.features@whole`). Both are keyed, stored and cut off
early like every step; steps with the same period and date column read each other's partitions without either.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lockgate.build.wiring import where
from lockgate.errors import UsageError, did_you_mean
from lockgate.records.dataset import DATASET
from lockgate.records.digest import digest, short
from lockgate.records.graph import Each, Node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from lockgate.declare import Partitioned, Pipeline, Step

__all__ = ["FRAME", "Splitting"]

FRAME = "polars.dataframe.frame:DataFrame"
TABLES = (FRAME, "polars.lazyframe.frame:LazyFrame")
SPLIT, JOIN = "lockgate.codecs.dataset:split", "lockgate.codecs.dataset:join"
READS = ("lockgate.codecs", "polars")
"""What splitting and joining reach: their keys cover these distributions."""


class Splitting:
    """Finds where a table is split and joined, and holds the nodes that do it.

    Args:
        reached: modules → `distribution==version` of each and of what it requires.
    """

    def __init__(self, pipelines: Iterable[Pipeline], reached: Callable[[Iterable[str]], tuple[str, ...]]) -> None:
        self._reached = reached
        self._declared = {f"{p.name}.{s.name}": s.partitioned for p in pipelines for s in p.steps if s.partitioned}
        self.nodes: dict[str, Node] = {}

    def each(self, step: Step[..., object], types: Mapping[str, str], made: str) -> Each | None:
        """What a step's declaration means for its inputs. Raises UsageError naming what cannot be cut.

        Args:
            types: input → its annotation.
            made: the return annotation.
        """
        declared = step.partitioned
        if declared is None:
            return None
        tables = sorted(n for n, t in types.items() if t in TABLES)
        for name in declared.whole:
            if name not in tables:
                raise _wrong(step, f"whole={name!r}", did_you_mean(name, tables) or "an input that is a table")
        cut = tuple(n for n in tables if n not in declared.whole)
        if not cut:
            raise _wrong(step, "no input is cut", "an input that is a polars.DataFrame and not in whole=")
        if made != FRAME:
            raise _wrong(step, f"it returns {made.replace(':', '.')}", "polars.DataFrame")
        return Each(period=declared.period, by=declared.by, lookback=declared.lookback, cut=cut)

    def wired(self, inputs: Mapping[str, str], each: Each | None) -> dict[str, str]:
        """The same inputs from where a step will read them: a dataset for what is cut, a whole value for the others."""
        cut = each.cut if each else ()
        return {p: self._cut(i, each) if each and p in cut else self.whole(i) for p, i in inputs.items()}

    def whole(self, name: str) -> str:
        """The node that makes a table in one piece."""
        if name not in self._declared:
            return name
        made = self._named(name, "whole")
        if made not in self.nodes:
            self.nodes[made] = self._node(made, JOIN, name, codec="polars.ipc", type=FRAME)
        return made

    def _cut(self, name: str, each: Each) -> str:
        """The node that makes a table in partitions."""
        declared = self._declared.get(name)
        if declared and _same(declared, each):
            return name
        suffix = each.period if each.by == "date" else f"{each.period}-{_plain(each.by)}"
        made = self._named(name, suffix)
        if made not in self.nodes:
            self.nodes[made] = self._node(
                made, SPLIT, self.whole(name), codec=DATASET, type="lockgate.codecs.dataset:Split",
                by=each.by, period=each.period,
            )  # fmt: skip
        return made

    def _named(self, name: str, suffix: str) -> str:
        return f"{name.removeprefix('source:')}@{suffix}"

    def _node(self, name: str, target: str, table: str, *, codec: str, type: str, **parameters: str) -> Node:
        return Node(
            name=name, target=target, inputs={"table": table}, input_types={"table": FRAME}, parameters=parameters,
            type=type, codec=codec, definitions=(), packages=self._reached(READS),
        )  # fmt: skip


def _same(declared: Partitioned, each: Each) -> bool:
    return (declared.period, declared.by) == (each.period, each.by)


def _plain(column: str) -> str:
    """A column's name as a part of a node's name, which is a file's name at times."""
    return column if re.fullmatch(r"\w{1,40}", column) else short(digest("column", column))


def _wrong(step: Step[..., object], value: str, allowed: str) -> UsageError:
    return UsageError(
        "a step's partitions are declared wrongly", value=f"{step.name}: {value}", allowed=allowed,
        next=where(step.function),
    )  # fmt: skip
