"""A release without days that decides, served: ranges are kept, the page says yes or no, and nothing speaks of days."""

from __future__ import annotations

import re
from collections.abc import Iterator

import deciding_release as bank
import pytest
from served_environment import Environment
from test_serving_http import ask

ASKED = {"income": 60.0, "jobs": 2}


@pytest.fixture(scope="module")
def deciding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    folder = tmp_path_factory.mktemp("bank")
    directory, manifest = bank.make(folder)
    made = Environment(folders={manifest.digest: directory}, log=folder / "log")
    assert made.want(manifest.digest)[0] == "healthy"
    yield made
    made.close()


def test_a_decision_with_its_score(deciding: Environment) -> None:
    answer = ask(deciding, "/predict", ASKED).json
    assert answer["output"] == {"score": 0.6, "approve": True}
    assert answer["inputs"] == {"income": 60.0, "jobs": 2, "owner": False, "savings": None}
    assert answer["links"]["page"] == "/?income=60.0&jobs=2&owner=false"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"income": 100.1}, "Income must be from 0 to 100."),
        ({"income": -1}, "Income must be from 0 to 100."),
        ({"jobs": 0}, "Jobs must be 1 or more."),
        ({"owner": "maybe"}, "Owner must be true or false."),
    ],
)
def test_what_is_out_of_range_is_refused_by_name(deciding: Environment, asked: dict[str, object], said: str) -> None:
    refused = ask(deciding, "/predict", ASKED | asked)
    assert refused.status == 422
    assert said in refused.body.decode()


def test_both_ends_of_a_range_are_inside(deciding: Environment) -> None:
    for income in (0, 100):
        assert ask(deciding, "/predict", ASKED | {"income": income}).status == 200


def test_the_page_says_it_in_the_words_of_the_project(deciding: Environment) -> None:
    page = ask(deciding, "/?income=60&jobs=2&owner=true").body.decode()
    assert "<output>lend</output>" in page
    assert "Score: <strong>60%</strong>" in page
    assert "<output>ask a person</output>" in ask(deciding, "/?income=10&jobs=2").body.decode()
    assert '<option value="true" selected>yes</option>' in page
    assert 'min="0" max="100"' in page and "0 to 100." in page
    assert "An income of 60 against 50." in page


def test_nothing_on_the_page_speaks_of_a_forecast_or_of_days_known(deciding: Environment) -> None:
    for path in ("/", "/?income=60&jobs=2"):
        text = re.sub(r"<[^>]*>", " ", ask(deciding, path).body.decode())
        assert "Forecast" not in text and "happened before" not in text and "As of" not in text
        assert "answers the same on every day" in text


def test_the_link_to_the_page_fills_the_form(deciding: Environment) -> None:
    link = ask(deciding, "/predict", ASKED | {"owner": True}).json["links"]["page"]
    page = ask(deciding, link).body.decode()
    assert 'value="60.0"' in page and '<option value="true" selected>yes</option>' in page


def test_a_batch_needs_no_day_and_the_schema_says_the_ranges(deciding: Environment) -> None:
    found = ask(deciding, "/predict", {"requests": [ASKED, ASKED | {"income": 1}]}).json["answers"]
    assert [a["output"]["approve"] for a in found] == [True, False]
    schema = ask(deciding, "/schema").json
    assert (schema["request"][0]["minimum"], schema["request"][0]["maximum"]) == (0, 100)
    assert schema["response"][1]["yes"] == "lend"
