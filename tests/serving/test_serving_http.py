"""The HTTP face, over a real socket."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from lockgate.release.client import ReleaseHost
from lockgate.serving.log import read_log

if TYPE_CHECKING:
    from pathlib import Path

    from served_environment import Environment

    from lockgate.records.release import Manifest

    Releases = dict[str, tuple[Path, Manifest]]

THURSDAY = {"product": "A1", "date": "2011-10-20"}


class Reply:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    site: Environment,
    path: str,
    body: Any = None,
    *,
    method: str = "",
    accept: str = "application/json",
    kind: str = "application/json",
) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    connection.request(
        method or ("GET" if body is None else "POST"), path, data, {"Accept": accept, "Content-Type": kind}
    )
    try:
        return Reply(connection.getresponse())
    finally:
        connection.close()


def test_both_ways_of_asking_answer_what_the_release_answers(site: Environment, releases: Releases) -> None:
    directory, manifest = releases["one"]
    posted = ask(site, "/predict", THURSDAY).json
    got = ask(site, "/predict?" + urlencode(THURSDAY)).json
    with ReleaseHost(directory, manifest.digest) as host:
        (offline,) = host.answer([THURSDAY])
    del offline["note"]
    assert posted["output"] == got["output"] == offline
    assert posted["release"] == manifest.digest
    assert posted["as_of"] == "2011-10-15"
    assert posted["inputs"] == THURSDAY
    assert posted["request_id"] != got["request_id"]
    assert "note" not in posted


def test_a_batch_is_answered_in_order_and_all_or_nothing(site: Environment) -> None:
    asked = [THURSDAY | {"product": p} for p in ("C3", "A1", "B2")]
    batch = ask(site, "/predict", {"requests": asked}).json
    assert [a["inputs"]["product"] for a in batch["answers"]] == ["C3", "A1", "B2"]
    assert [a["output"] for a in batch["answers"]] == [ask(site, "/predict", one).json["output"] for one in asked]
    before = len(list(read_log(site.log)))
    wrong = ask(site, "/predict", {"requests": [THURSDAY, {"product": "A1"}]})
    assert wrong.status == 422
    assert len(list(read_log(site.log))) == before
    assert ask(site, "/predict", {"requests": []}).json["answers"] == []
    assert ask(site, "/predict", {"requests": [THURSDAY] * 1001}).status == 422


def test_every_answer_is_in_the_log(site: Environment) -> None:
    answer = ask(site, "/predict", THURSDAY).json
    (logged,) = [p for p in read_log(site.log) if p.request_id == answer["request_id"]]
    assert dict(logged.output) == answer["output"]
    assert dict(logged.inputs) == answer["inputs"]
    assert logged.release == answer["release"]
    assert logged.environment == "staging"


def test_a_closed_day_answers_zero_with_the_reason(site: Environment) -> None:
    answer = ask(site, "/predict", THURSDAY | {"date": "2011-10-16"}).json
    assert answer["output"] == {"units": 0.0, "low": 0.0, "high": 0.0}
    assert answer["note"] == "The shop is closed on Sundays."


@pytest.mark.parametrize(
    ("body", "status", "field", "allowed"),
    [
        ({"product": "A1", "date": "2012-01-01"}, 422, "date", "2011-10-16 to 2011-11-17"),
        ({"product": "Z9", "date": "2011-10-20"}, 422, "product", "one of 3 values"),
        ({"product": "A1"}, 422, "date", "2011-10-16 to"),
        (THURSDAY | {"colour": "red"}, 422, "colour", "product, date"),
    ],
)
def test_bad_input_names_field_value_and_allowed(
    site: Environment, body: dict[str, str], status: int, field: str, allowed: str
) -> None:
    reply = ask(site, "/predict", body)
    (error,) = reply.json["errors"]
    assert reply.status == status
    assert error["field"] == field
    assert error["value"] == body.get(field)
    assert allowed in error["allowed"]
    assert reply.json["release"]


@pytest.mark.parametrize(
    ("path", "body", "method", "status"),
    [
        ("/predict", b"{", "POST", 400),
        ("/predict", b"[" * 100_000, "POST", 400),
        ("/predict", b"\xff\xfe", "POST", 400),
        ("/predict", b'{"requests": 1}', "POST", 400),
        ("/predict", b"[]", "POST", 422),
        ("/predict", b'{"product": "A1", "date": NaN}', "POST", 400),
        ("/predict", b'{"product": "\\ud800", "date": "2011-10-20"}', "POST", 400),
        ("/predict", b'{"product": 1e999, "date": "2011-10-20"}', "POST", 400),
        ("/predict", b" " * (1 << 20) + b"{}", "POST", 413),
        ("/predict?product=" + "x" * 9000, None, "GET", 413),
        ("/predict?product=%ff%fe", None, "GET", 400),
        ("/predict", b"{}", "PUT", 405),
        ("/schema", b"{}", "POST", 405),
        ("/../etc/passwd", None, "GET", 404),
        ("/static/../app.py", None, "GET", 404),
        ("/choices?field=date", None, "GET", 404),
        ("/choices?field=product&limit=x", None, "GET", 400),
        ("/choices?field=product&limit=%C2%B2", None, "GET", 400),
        ("/choices?field=product&limit=" + "9" * 5000, None, "GET", 400),
        ("/explain?request_id=nobody", None, "GET", 404),
    ],
)
def test_what_cannot_be_answered_is_a_4xx_with_words(
    site: Environment, path: str, body: bytes | None, method: str, status: int
) -> None:
    reply = ask(site, path, body, method=method)
    assert reply.status == status
    assert reply.json["error"]


def test_schema_says_what_today_allows(site: Environment) -> None:
    product, date = ask(site, "/schema").json["request"]
    assert (product["total_choices"], product["choices_link"]) == (3, "/choices?field=product")
    assert (date["first"], date["last"]) == ("2011-10-16", "2011-11-17")
    assert date["closed"][0] == {"date": "2011-10-16", "reason": "The shop is closed on Sundays."}


def test_choices_reasons_health_release_and_evidence(site: Environment, releases: Releases) -> None:
    assert ask(site, "/choices?field=product&q=jam").json["choices"] == [{"value": "B2", "label": "Jam making set"}]
    answer = ask(site, "/predict", THURSDAY).json
    by_id = ask(site, answer["links"]["explain"]).json["reasons"]
    assert by_id == ask(site, "/explain?" + urlencode(THURSDAY)).json["reasons"]
    assert by_id[0].startswith("A1 sold on")
    health = ask(site, "/health").json
    assert health == {
        "release": releases["one"][1].digest,
        "environment": "staging",
        "as_of": "2011-10-15",
        "ready": True,
    }
    assert ask(site, "/release").json["lineage"]["commit"] == "c0ffee"
    assert b"<h1>Evidence" in ask(site, "/evidence").body


def test_every_page_has_its_security_headers_and_release(site: Environment, releases: Releases) -> None:
    for path in ("/", "/?product=A1&date=2011-10-20", "/predict?x=1", "/nothing", "/static/app.css", "/evidence"):
        for accept in ("text/html", "application/json"):
            headers = ask(site, path, accept=accept).headers
            assert headers["x-content-type-options"] == "nosniff"
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            script = policy.partition("script-src")[2].partition(";")[0]
            assert "unsafe" not in script
            assert headers["lockgate-release"] == releases["one"][1].digest


def test_head_has_no_body(site: Environment) -> None:
    reply = ask(site, "/health", method="HEAD")
    assert (reply.status, reply.body) == (200, b"")
    assert int(reply.headers["content-length"]) > 0


def test_what_a_person_types_is_text_in_the_page(site: Environment) -> None:
    evil = '"><script>alert(1)</script>'
    for path in (f"/?{urlencode({'product': evil, 'date': evil})}", "/" + evil.replace(" ", "")):
        page = ask(site, path.replace("<", "%3C").replace(">", "%3E").replace('"', "%22"), accept="text/html")
        assert page.status in (404, 422)
        assert b"<script>alert" not in page.body


def test_an_error_page_is_for_people(site: Environment) -> None:
    page = ask(site, "/nothing", accept="text/html").body.decode()
    assert "No such page" in page
    assert "DEMO APPROVAL" in page


def test_an_answer_of_an_earlier_day_is_explained_with_that_day(site: Environment) -> None:
    """Two days of history are two other reasons: what the answer rested on, not what is known now."""
    asked = {"as_of": "2011-07-04", "requests": [{"product": "A1", "date": "2011-07-05"}]}
    (answer,) = ask(site, "/predict", asked).json["answers"]
    explained = ask(site, answer["links"]["explain"]).json
    assert explained["as_of"] == "2011-07-04"
    assert explained["reasons"][0] == "A1 sold on 2 days."


@pytest.mark.parametrize("day", ["0001-01-01", "2011-06-30", "2011-07-01", "2011-10-16", "9999-12-31"])
def test_a_day_without_state_names_as_of_or_the_field(site: Environment, day: str) -> None:
    reply = ask(site, "/predict", {"as_of": day, "requests": [THURSDAY]})
    assert reply.status == 422
    assert {e["field"] for e in reply.json["errors"]} <= {"as_of", "product", "date"}
    assert ask(site, "/predict", {"as_of": day, "requests": []}).status < 500


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:1", 200), ("LOCALHOST", 200), ("[::1]:80", 200), ("evil.example", 421), ("127.0.0.1.evil.example", 421),
     ("[x", 421), ("", 200)],
)  # fmt: skip
def test_on_loopback_another_name_is_turned_away(site: Environment, host: str, status: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
    connection.request("GET", "/health", headers={"Host": host})
    assert connection.getresponse().status == status
    connection.close()


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
def test_a_form_on_another_site_cannot_ask(site: Environment, kind: str) -> None:
    """What a browser sends to another site without asking it first is refused; the same body as JSON is read."""
    assert ask(site, "/predict", b"{", kind=kind).status == 415
    assert ask(site, "/predict", b"{", kind="Application/JSON; charset=utf-8").status == 400
