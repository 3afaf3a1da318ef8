"""docs/gitlab-api.md lists every route of the double, and no other. Rewrite the table with LOCKGATE_GOLDEN=write."""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase
from pathlib import Path

from lockgate.testing.gitlab import ROUTES, Route

PAGE = Path(__file__).resolve().parents[2] / "docs" / "gitlab-api.md"
TOKENS = {"job": "job", "project": "project", "personal": "person"}
ROLES = {0: "", 10: "guest", 20: "reporter", 30: "developer", 40: "maintainer"}
HEAD = "| method | path | tokens | least role | known | note |\n|---|---|---|---|---|---|\n"


def row(route: Route) -> str:
    tokens = "none" if route.open else ", ".join(TOKENS[t] for t in route.tokens)
    path = route.path.removeprefix("/") if route.path.startswith("//") else route.path
    role = "" if route.open else ROLES[route.role]
    return (
        f"| {route.method} | `{path}` | {tokens} | {role} | {route.seen} | {route.note.replace('|', chr(92) + '|')} |\n"
    )


def table() -> str:
    return HEAD + "".join(map(row, ROUTES))


def test_the_page_lists_what_the_double_answers() -> None:
    text = PAGE.read_text()
    if os.environ.get("LOCKGATE_GOLDEN") == "write":
        text = text[: text.index("| method |")] + table()
        PAGE.write_text(text)
    assert text.endswith(table())


def test_how_a_route_is_known_is_counted_rightly() -> None:
    for known in ("live", "source", "guessed"):
        count = sum(route.seen == known for route in ROUTES)
        [said] = re.findall(rf"\| {known} \| .*? \| (\d+) \|", PAGE.read_text())
        assert int(said) == count, known


def test_no_route_hides_another() -> None:
    assert len({(r.method, re.sub(r"[:*]\w+", ":", r.path)) for r in ROUTES}) == len(ROUTES)


def test_each_route_from_source_names_one_file_of_it() -> None:
    """A row of the table of files is a list of patterns; each has a route, and no route has two."""
    rows = re.findall(
        r"^\| (`[^|]+`) \| `((?:lib|app)/[\w/]+\.rb)` \| `([0-9a-f]{12})` \|$", PAGE.read_text(), re.MULTILINE
    )
    assert len(rows) == PAGE.read_text().count(".rb` | `")
    patterns = {
        p.replace("…", "/projects/:id/ml/mlflow/api/2.0"): file
        for says, file, _ in rows
        for p in re.findall("`([^`]+)`", says)
    }
    used: set[str] = set()
    for route in (r for r in ROUTES if r.seen == "source"):
        path = route.path.removeprefix("/") if route.path.startswith("//") else route.path
        found = [p for p in patterns if fnmatchcase(path, p)]
        assert len({patterns[p] for p in found}) == 1, (path, found)
        used.update(found)
    assert used == set(patterns)
