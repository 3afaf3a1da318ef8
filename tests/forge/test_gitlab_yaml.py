"""Jobs → GitLab's text: read back it is what was meant, and GitLab's published schema takes it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from forge.declared_way import DECLARED, whole
from hypothesis import given
from hypothesis import strategies as st
from lockgate.forge.gitlab_file import merged
from lockgate.forge.gitlab_read import read
from lockgate.forge.gitlab_yaml import RULES, block, render, root_file
from lockgate.forge.declared import Runs
from lockgate.forge.jobs import MOST_NEEDS, child_graph
from lockgate.forge.settings import GitlabSettings, read_gitlab
from lockgate.errors import UsageError
from lockgate.records.jobs import EVENTS
from lockgate.records.tables import Table

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    [
        "yes",
        "0x1",
        "1e3",
        "null",
        "~",
        "- a",
        "a: b",
        "a #b",
        "'",
        '"',
        "",
        " a",
        '$A == "b"',
        "a:",
        "2020-01-01",
        "!x",
        "=",
        "<<",
    ]
)
KEYS = TEXTS.filter(lambda t: t != "<<")  # with quotes, too, GitLab takes it for a merge key
SCALARS = TEXTS | st.integers() | st.booleans() | st.none()
VALUES = st.recursive(
    SCALARS, lambda v: st.lists(SCALARS, max_size=3) | st.dictionaries(KEYS, v, max_size=3) | st.lists(st.dictionaries(KEYS, v, min_size=1, max_size=2), max_size=2), max_leaves=8
)  # fmt: skip


@given(KEYS, VALUES)
def test_what_is_written_is_read_back(name: str, value: object) -> None:
    text = "\n".join(block(name, value))
    assert read(text) == {name: value}
    assert yaml.safe_load(text) == {name: value}


def test_the_same_jobs_give_the_same_bytes() -> None:
    assert render(whole(), GitlabSettings()) == render(whole(), GitlabSettings())


def test_every_event_has_a_condition() -> None:
    assert tuple(RULES) == EVENTS


def test_a_manual_job_blocks_by_its_own_words() -> None:
    rules = read(render(whole(), GitlabSettings()))["approve:production"]["rules"]
    assert len(rules) == 3
    assert all(r["when"] == "manual" and r["allow_failure"] is False for r in rules)


def test_reference_is_read() -> None:
    assert read("a: !reference [.b, script]") == {"a": (".b", "script")}
    with pytest.raises(ValueError, match="line 1"):
        read("a: [")


def test_a_step_that_cannot_name_its_needs_has_none_rather_than_an_empty_list() -> None:
    """`needs: []` starts at once; without the key a job waits for the stages before."""
    first = [Runs(node=f"p.s{n}", reason="run: new") for n in range(MOST_NEEDS + 1)]
    last = Runs(node="p.last", reason="run: new", after=tuple(r.node for r in first))
    content = read(render(child_graph([*first, last], DECLARED, GitlabSettings()), GitlabSettings(), day="2026-01-01"))
    assert "needs" not in content["step:p.last"]
    assert content["step:p.s0"]["needs"] == []
    assert content[".lockgate"]["variables"]["LOCKGATE_AS_OF"] == "2026-01-01"


def test_a_comment_cannot_leave_its_line() -> None:
    runs = [Runs(node="p.a", reason="run: new\nevil:\r  script: [x]\x85evil2: 1\u2028evil3: 1")]
    content = read(render(child_graph(runs, DECLARED, GitlabSettings()), GitlabSettings()))
    assert {n for n in content if "evil" in n} == set()


def test_settings_reach_every_job() -> None:
    settings = GitlabSettings(
        image="registry.example.org/python:3.12", setup=("pip install -r r.txt", "true"), tags=("gpu",), cache=(),
        variables={"PIP_INDEX_URL": "https://pypi.example.org/simple"}, urls={"production": "https://shop.example.org"},
        tiers={"staging": "testing"},
    )  # fmt: skip
    content = read(render(whole(settings=settings), settings))
    template = content[".lockgate"]
    assert template["image"] == settings.image
    assert template["before_script"] == list(settings.setup)
    assert template["variables"]["PIP_INDEX_URL"] == "https://pypi.example.org/simple"
    assert (template["tags"], "cache" in template) == (["gpu"], False)
    assert content["deploy:production"]["environment"]["url"] == "https://shop.example.org"
    assert content["deploy:staging"]["environment"]["deployment_tier"] == "testing"


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({"imge": "x"}, "image"),
        ({"setup": "pip"}, "setup"),
        ({"cache_key": ["a", "b", "c"]}, "cache_key"),
        ({"merge_requests": "all"}, "gates, training"),
        ({"environments": {"production": {"tier": "prod"}}}, "production, staging"),
        ({"child_bytes": 6_000_000}, "child_bytes"),
        ({"variables": {"A": 1}}, "variables.A"),
    ],
)
def test_wrong_settings_are_named(content: dict, named: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_gitlab(Table("lockgate.toml", "gitlab", content))
    assert named in str(caught.value)


def schema_says(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """GitLab's schema, as `check-jsonschema` carries it; nothing is fetched."""
    file = folder / ".gitlab-ci.yml"
    file.write_text(text)
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci", str(file)]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


CHILD = child_graph((Runs(node="shop.model", reason="run: new"), Runs(node="shop.x", reason="maybe: y", after=("shop.model",))), DECLARED, GitlabSettings())  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        render(whole(), GitlabSettings()),
        render(whole(settings=GitlabSettings(steps="child")), GitlabSettings(steps="child", cache=(), setup=())),
        render(CHILD, GitlabSettings()),
        root_file(),
    ],
    ids=["jobs", "child-variant", "child", "root"],
)
def test_the_schema_takes_it(tmp_path: Path, text: str) -> None:
    done = schema_says(tmp_path, text)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_schema_would_not_take_just_anything(tmp_path: Path) -> None:
    text = render(whole(), GitlabSettings()).replace("  interruptible: true\n", "  interuptible: true\n")
    assert schema_says(tmp_path, text).returncode == 1


def test_a_root_file_is_merged_as_gitlab_merges() -> None:
    included = {"a": {"script": ["x"], "rules": [1]}, "stages": ["s"]}
    assert merged({"a": {"script": ["y"]}, "b": {}}, included) == {
        "a": {"script": ["y"], "rules": [1]},
        "stages": ["s"],
        "b": {},
    }
