"""A survey with one of everything, and large ones."""

from __future__ import annotations

import datetime as dt
import random

from lockgate.delivery.drawing.survey import Box, Survey

NOW = dt.datetime(2030, 1, 15, 12, tzinfo=dt.UTC)
EVIL = "</script><script>alert(1)</script>\"'&\u202e"


def scene() -> Survey:
    """Sources, steps in every state, a published dataset, a predictor, two releases; names and docs that attack."""

    def step(name: str, state: str, why: str = "", **more: object) -> Box:
        return Box(**{"key": f"shop.{name}", "name": name, "kind": "step", "state": state, "why": why, "group": "shop", "holds": "table", **more})  # fmt: skip

    made = {"digest": "blake3:" + "ab" * 32, "size_bytes": 1_250_000, "seconds": 3.25, "computed": NOW - dt.timedelta(hours=3),
            "computed_as_of": "2030-01-15"}  # fmt: skip
    boxes = (
        Box(key="source:sales", name="sales", kind="source", state="here", why="read from its place", holds="3 files", size_bytes=43_000_000,
            digest="blake3:" + "cd" * 32, computed=NOW - dt.timedelta(days=1)),
        Box(key="source:weather", name="weather", kind="source", state="missing", why="neither here nor in the store"),
        step("history", "reuse", published=True, reads_day=True, doc=f"Rows: one per (date, product). {EVIL}", **made),
        step("windows", "reuse", "result of an earlier version of this code, accepted by ada (ledger entry 7) because: only a rename", **{**made, "computed_as_of": "2030-01-08"}),
        step("features", "run", f"parameter lag 1 → 2 {EVIL}", **{**made, "seconds": 75.0}),
        step("model", "maybe", "if the bytes of shop.features change", holds="Model"),
        step("climate", "blocked", "source weather is neither here nor in the store"),
        Box(key="predictor:shop", name="forecast", kind="predictor", state="maybe", group="shop", holds="answers requests"),
        Box(key="release:sha256:1", name="0123456789ab", kind="release", state="live", why="live in production", group="shop", digest="sha256:0123456789ab",
            computed=NOW - dt.timedelta(days=9)),
        Box(key="release:sha256:2", name="ba9876543210", kind="release", state="proposed", why="proposed: no approval yet", group="shop", digest="sha256:ba9876543210",
            computed=NOW - dt.timedelta(minutes=4)),
    )  # fmt: skip
    arrows = (
        ("source:sales", "shop.history"), ("shop.history", "shop.windows"), ("shop.history", "shop.features"), ("shop.windows", "shop.features"),
        ("shop.features", "shop.model"), ("source:weather", "shop.climate"), ("shop.history", "shop.climate"), ("shop.model", "predictor:shop"),
        ("shop.history", "predictor:shop"), ("predictor:shop", "release:sha256:1"), ("predictor:shop", "release:sha256:2"),
    )  # fmt: skip
    return Survey(project="shop", as_of=dt.date(2030, 1, 15), now=NOW, boxes=boxes, arrows=arrows,
                  groups={"shop": "training", "shop-delivery": "delivery"}, banner=f"DEMO {EVIL}")  # fmt: skip


def large(steps: int, *, seed: int = 7, inputs: int = 3) -> Survey:
    """Random steps that read a few of those shortly before them, and now and then one from far up."""
    chance = random.Random(seed)
    names = [f"step_{n}_{'long_' * (n % 4)}name" for n in range(steps)]
    arrows: dict[tuple[str, str], None] = {}
    for n in range(1, steps):
        for _ in range(chance.randint(1, inputs)):
            near = chance.random() < 0.9
            other = chance.randrange(max(0, n - 12), n) if near else chance.randrange(n)
            arrows[names[other], names[n]] = None
    boxes = tuple(
        Box(key=n, name=n, kind="step", state="reuse", group="big", holds="table", seconds=1.0, size_bytes=10,
            digest="blake3:" + "ab" * 32, computed=NOW) for n in names
    )  # fmt: skip
    return Survey(project="big", as_of=dt.date(2030, 1, 15), now=NOW, boxes=boxes, arrows=tuple(arrows), groups={"big": "data"})  # fmt: skip
