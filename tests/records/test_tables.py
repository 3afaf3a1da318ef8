"""A settings file read strictly: each mistake names the file, the key, the value and what is allowed."""

from __future__ import annotations

import pytest

from lockgate.errors import UsageError
from lockgate.project import read_settings

GOOD = '[project]\nname = "shop"\npipelines = ["shop.pipelines"]\n'


def test_the_good_twin() -> None:
    found = read_settings(
        GOOD + "[run]\nworkers = 3\n[environments.staging]\nport = 8801\n[params.model]\nrate = 0.1\n"
    )
    assert (found.name, found.pipelines, found.workers) == ("shop", ("shop.pipelines",), 3)
    assert (dict(found.ports), dict(found.params["model"])) == ({"staging": 8801}, {"rate": 0.1})


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("[runs]\nworkers = 3", ["runs", "run?"]),
        ("[run]\nworker = 3", ["[run]", "workers?"]),
        ("[run]\nworkers = '3'", ["run.workers", "'3'", "a whole number, at least 1"]),
        ("[run]\nworkers = true", ["run.workers", "True"]),
        ("[run]\nworkers = 0", ["run.workers", "at least 1"]),
        ("run = 3", ["project.run"]),  # still inside [project]
        ("[environments.staging]\nport = 70000", ["environments.staging.port", "at most 65535"]),
        ("[environments.staging]\nprot = 1", ["[environments.staging]", "port?"]),
        ("[environments]\nstaging = 1", ["environments.staging", "a table"]),
        ("[sources.sales]\nkind = 'file'", ["sales.path"]),
        ("[sources.sales]\nkind = 'fil'\npath = 'x'", ["sources.sales.kind", "'fil'", "file"]),
        ("[sources.sales]\nkind = 'file'\npath = 'x'\nglob = 'y'", ["[sources.sales]", "glob"]),
        ("[store]\nurl = 3", ["store.url", "a text"]),
        ("[groups]\nnew = 3", ["groups.new", "a text"]),
        ("[params]\nmodel = 3", ["params.model", "a table"]),
        ("[project]\nname = 'twice'", ["not valid TOML"]),
    ],
)
def test_a_mistake_is_named(more: str, says: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        read_settings(GOOD + more + "\n")
    for word in says:
        assert word.removeprefix("project.") in str(caught.value)
    assert "edit lockgate.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "project.name"),
        ("[project]\nname = 'shop'", "project.pipelines"),
        ("[project]\nname = 3\npipelines = []", "project.name"),
        ("[project]\nname = 'shop'\npipelines = 'shop.pipelines'", "project.pipelines"),
        ("[project]\nname = 'shop'\npipelines = [1]", "project.pipelines"),
    ],
)
def test_what_must_be_there(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_settings(text)
