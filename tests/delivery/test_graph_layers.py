"""Laws of the drawing: boxes and lanes never overlap, arrows go down, everything is inside, the same input draws the same."""

from __future__ import annotations

import time
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lockgate.delivery.drawing.svg import NARROW, WIDE
from lockgate.delivery.drawing.page import render
from lockgate.delivery.drawing.layers import Drawing, Size, arrange

from delivery.graph_scene import large

GRAPHS = st.integers(1, 14).flatmap(
    lambda n: st.tuples(
        st.just([f"s{i}" for i in range(n)]),
        st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda p: p[0] < p[1])),
    )
)


def check(found: Drawing, arrows: list[tuple[str, str]], size: Size, columns: int) -> None:
    slack = 0.11  # places are rounded to tenths
    for (ax, ay), (bx, by) in combinations(found.boxes.values(), 2):
        assert abs(ax - bx) >= size.width - slack or abs(ay - by) >= size.height, "two boxes overlap"
    tops = [y for _, y in found.boxes.values()]
    assert max(tops.count(y) for y in tops) <= columns
    for x, y in found.boxes.values():
        assert -slack <= x <= found.width - size.width + slack
        assert 0 <= y <= found.height - size.height + slack
    assert set(found.arrows) == set(arrows)
    for (a, b), points in found.arrows.items():
        assert points[0][2] == found.boxes[a][1] + size.height
        assert points[-1][1] == found.boxes[b][1]
        assert all(upper[2] < lower[1] for upper, lower in pairwise(points)), "an arrow goes up"
        for x, top, _ in points[1:-1]:
            for bx, by in found.boxes.values():
                assert by != top or not bx - slack < x < bx + size.width + slack, "an arrow passes through a box"


@settings(max_examples=150, deadline=None)
@given(graph=GRAPHS, columns=st.integers(1, 5))
def test_nothing_overlaps(graph: tuple[list[str], set[tuple[int, int]]], columns: int) -> None:
    names, pairs = graph
    arrows = [(names[a], names[b]) for a, b in sorted(pairs)]
    for size in (WIDE, NARROW):
        found = arrange(names, arrows, columns=columns, size=size)
        check(found, arrows, size, columns)
        assert found == arrange(names, arrows, columns=columns, size=size)


def test_a_chain_is_straight_and_a_fork_is_even() -> None:
    chain = arrange(["a", "b", "c"], [("a", "b"), ("b", "c")], columns=5, size=WIDE)
    assert len({x for x, _ in chain.boxes.values()}) == 1
    fork = arrange(["a", "b", "c"], [("a", "b"), ("a", "c")], columns=5, size=WIDE)
    assert fork.boxes["a"][0] * 2 == fork.boxes["b"][0] + fork.boxes["c"][0]


def test_two_that_could_cross_do_not() -> None:
    found = arrange(["a", "b", "x", "y"], [("a", "y"), ("b", "x")], columns=5, size=WIDE)
    assert (found.boxes["a"][0] < found.boxes["b"][0]) == (found.boxes["y"][0] < found.boxes["x"][0])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_three_hundred_steps_draw_in_two_seconds(seed: int) -> None:
    survey = large(300, seed=seed)
    names = [b.key for b in survey.boxes]
    began = time.perf_counter()
    page = render(survey)
    took = time.perf_counter() - began
    print(f"300 steps, {len(survey.arrows)} arrows: {took:.2f} s, {len(page):,} characters")
    assert took < 2.0
    check(arrange(names, survey.arrows, columns=8, size=WIDE), list(survey.arrows), WIDE, 8)
