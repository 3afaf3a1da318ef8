"""What an attacker tried on a server that serves: each try, and beside it what an honest person does."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
import test_serving_http as http_tests

from lockgate.errors import IntegrityError, ServiceUnavailable, UsageError
from lockgate.project import Project
from lockgate.records.day import read_day
from lockgate.records.digest import sha256_bytes
from lockgate.serving import evidence, worker
from lockgate.serving.chart import Forecast, draw
from lockgate.serving.child import Wanted, Worker, listen, rebinding_warning
from lockgate.serving.follow import Follower
from lockgate.serving.http import DISCONNECTED, _body  # pyright: ignore[reportPrivateUsage]
from lockgate.serving.log import read_log
from lockgate.serving.validate import ChoiceIndex

if TYPE_CHECKING:
    from served_environment import Environment
    from test_serving_http import Releases

ASKED = "?product=A1&date=2011-10-20"
PAGE = b"<h1>as signed</h1>"


@pytest.mark.parametrize("attack", ["none", "other bytes", "a link", "a pipe", "too large", "gone"])
def test_only_the_signed_page_is_read(attack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, signed = tmp_path / "page", sha256_bytes(PAGE)
    path.write_bytes(PAGE)
    if attack == "none":
        assert evidence.read_evidence(path, signed) == PAGE
        return
    if attack == "too large":
        monkeypatch.setattr(evidence, "LARGEST_PAGE_BYTES", len(PAGE) - 1)
    else:
        path.rename(tmp_path / "elsewhere")
    if attack == "other bytes":
        path.write_bytes(b"<h1>All is well</h1>")
    if attack == "a link":
        path.symlink_to(tmp_path / "elsewhere")
    if attack == "a pipe":
        os.mkfifo(path)
    with pytest.raises(IntegrityError, match="not the one that was signed"):
        evidence.read_evidence(path, signed)


def test_a_page_swapped_in_the_store_is_never_served(
    environment: Environment, releases: Releases, tmp_path: Path
) -> None:
    page, key = tmp_path / "page.html", tmp_path / "key"
    page.write_bytes(PAGE)
    key.write_text("private")
    one, two = (manifest.digest for _, manifest in releases.values())
    assert environment.want(one, evidence=page)[0] == "healthy"
    page.unlink()
    page.symlink_to(key)  # while it is served
    assert http_tests.ask(environment, "/evidence").body == PAGE
    environment.wanted = Wanted(release=two, entry="next", evidence=(page, sha256_bytes(PAGE)))  # before it is
    deadline = time.monotonic() + 30
    while (reply := http_tests.ask(environment, "/evidence")).headers["lockgate-release"] != two:
        assert (reply.status, reply.body) == (200, PAGE)  # the one before goes on with its own page
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert reply.status == 404
    # Both workers take connections for a moment: a page counts when the release asked for wrote it.
    while (front := http_tests.ask(environment, "/", accept="text/html")).headers["lockgate-release"] != two:
        assert time.monotonic() < deadline
    assert b"/evidence" not in front.body
    assert any("served without its evidence" in line for line in environment.said)


@pytest.mark.parametrize("query", ["e " * 4000, "w h i t e a n g r l o d -", "heart " * 1000, "zzz" * 3000])
def test_a_search_costs_little_whatever_is_searched(query: str) -> None:
    index = ChoiceIndex([(f"{10000 + n}A", f"WHITE HANGING HEART T-LIGHT HOLDER {n}") for n in range(4000)])
    index.nearest("warm")  # the first mistake makes the index of letters
    spent = min(_seconds(lambda: index.search(query, 20)) for _ in range(3))
    assert spent < 0.02  # 5 ms where the test was written
    assert min(_seconds(lambda: index.nearest(query)) for _ in range(3)) < 0.2
    assert [c.value for c in index.search("heart 17 white", 1)] == ["10017A"]
    assert index.nearest("wihte hanging haert t-ligth holdr 12")[0].endswith("A")
    assert "10012A" in index.nearest("10012B")


def _seconds(call: Any) -> float:
    started = time.thread_time()
    call()
    return time.thread_time() - started


@pytest.mark.parametrize("path", ["/predict" + ASKED, "/" + ASKED])
def test_another_web_site_writes_nothing_into_the_log(site: Environment, path: str) -> None:
    def status(fetch_site: str | None) -> int:
        headers = [("Sec-Fetch-Site", fetch_site)] if fetch_site else []
        return raw(site, "GET", path, [("Host", "localhost"), *headers])

    before = len(list(read_log(site.log)))
    assert status("cross-site") == 403
    assert len(list(read_log(site.log))) == before
    assert [status(s) for s in ("same-origin", "none", None)] == [200, 200, 200]
    assert len(list(read_log(site.log))) == before + 3


def test_another_web_site_may_link_here(site: Environment) -> None:
    for path in ("/", "/?utm=1", "/release", "/health"):
        assert raw(site, "GET", path, [("Host", "localhost"), ("Sec-Fetch-Site", "cross-site")]) == 200


def test_one_host_is_named(site: Environment) -> None:
    assert raw(site, "GET", "/health", [("Host", "evil.example"), ("Host", "localhost")]) == 400
    assert raw(site, "GET", "/health", [("Host", "localhost"), ("Host", "localhost")]) == 400
    assert raw(site, "GET", "/health", [("Host", "localhost")]) == 200
    assert raw(site, "GET", "/health", [("Host", "10.0.0.7:8000")]) == 200  # an address is no name to rebind


def raw(site: Environment, method: str, path: str, headers: list[tuple[str, str]]) -> int:
    lines = [f"{method} {path} HTTP/1.1", *(f"{n}: {v}" for n, v in headers), "Connection: close", "", ""]
    with socket.create_connection(("127.0.0.1", site.port), timeout=20) as connection:
        connection.sendall("\r\n".join(lines).encode())
        return int(connection.makefile("rb").readline().split()[1])


def test_half_a_body_is_no_request() -> None:
    def body(*messages: dict[str, Any]) -> object:
        waiting = iter(messages)

        async def receive() -> dict[str, Any]:
            return next(waiting)

        return asyncio.run(_body(receive))

    half = {"type": "http.request", "body": b'{"product": "A1"}', "more_body": True}
    assert body(half, {"type": "http.disconnect"}) is DISCONNECTED
    assert body(half, {"type": "http.request", "body": b" "}) == b'{"product": "A1"} '


def test_who_leaves_before_the_body_is_whole_is_not_answered(site: Environment) -> None:
    body = b'{"product": "A1", "date": "2011-10-20"}'
    head = f"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body) + 9}"
    before = len(list(read_log(site.log)))
    with socket.create_connection(("127.0.0.1", site.port), timeout=20) as connection:
        connection.sendall(head.encode() + b"\r\n\r\n" + body)
        time.sleep(0.2)
    http_tests.ask(site, "/health")
    assert len(list(read_log(site.log))) == before


@pytest.mark.parametrize("text", ["20111015", "2011-W41-6", "2011-10-15 ", "2011-10-32", "", 20111015, 1.5, True, []])
def test_a_day_is_written_one_way(text: Any, site: Environment, tmp_path: Path) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  its words are the caller's
        read_day(text)
    reply = http_tests.ask(site, "/predict", {"as_of": text, "requests": []})
    assert (reply.status, reply.json["allowed"]) == (400, "YYYY-MM-DD")
    if isinstance(text, str) and text.strip() == text:
        (tmp_path / "day").write_text(text)
        project = Project(tmp_path, cast("Any", SimpleNamespace(as_of_file="day")))
        with pytest.raises(UsageError, match="not a day"):
            project.as_of(dt.date.min)
        (tmp_path / "day").write_text("2011-10-15\n")
        assert project.as_of(dt.date.min) == dt.date(2011, 10, 15)


@pytest.mark.parametrize(
    "line", [b"{", b"\xff", b"[" * 50_000, b"7", b'{"ready": 1}', b'{"no_evidence": 1}', b'{"accepting": "yes"}']
)
def test_what_a_worker_says_without_sense_is_passed_over(line: bytes) -> None:
    hearing = hearer(line + b"\n")
    assert (hearing.ready, hearing.accepting, hearing.failure, hearing.note) == (False, False, None, "")
    assert hearer(line + b'\n{"ready": true}\n').ready


@pytest.mark.parametrize("error", ["null", "7", "{}", '{"kind": "TYPE_CHECKING", "what": "x"}', '{"kind": "Iterable"}'])
def test_a_failure_told_wrongly_is_a_failure(error: str) -> None:
    assert hearer(b'{"ready": false, "error": %s}\n' % error.encode()).failure


def hearer(said: bytes) -> Worker:
    """A worker's parent that has just heard this."""
    ours, theirs = socket.socketpair()
    hearing = Worker.__new__(Worker)
    hearing.control, hearing._buffer = ours, b""  # pyright: ignore[reportPrivateUsage]
    hearing.ready, hearing.accepting, hearing.failure, hearing.note = False, False, None, ""
    ours.setblocking(False)
    with ours, theirs:
        theirs.sendall(said)
        hearing.hear()
    return hearing


@pytest.mark.parametrize(("said", "drained"), [(b"accept\ndrain 3\n", [3.0]), (b"accept\n", []), (b"accept\ndra", [])])
def test_a_line_that_came_with_accept_is_obeyed_at_once(said: bytes, drained: list[float]) -> None:
    ours, theirs = socket.socketpair()
    ours.sendall(said)
    control = worker._Control(theirs.detach())  # pyright: ignore[reportPrivateUsage]
    heard = list[float]()

    async def scenario() -> None:
        control.follow(heard.append)
        asyncio.get_running_loop().remove_reader(control._socket)  # pyright: ignore[reportPrivateUsage]

    assert control.wait_for_accept()
    asyncio.run(scenario())
    control._socket.close()  # pyright: ignore[reportPrivateUsage]
    ours.close()
    assert heard == drained


def test_a_fetch_that_takes_long_does_not_hold_the_end(tmp_path: Path) -> None:
    code = f"""
import time
from pathlib import Path
from lockgate.serving.follow import Follower, Wanted, listen
def fetch(wanted):
    print("fetching", flush=True)
    time.sleep(60)
Follower("staging", listen(), wanted=lambda: Wanted(release="sha256:00", entry="1"), fetch=fetch,
         answer=print, log=Path({str(tmp_path)!r}), say=lambda line: None).run()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        assert server.stdout.readline() == "fetching\n"
        started = time.monotonic()
        server.terminate()
        assert server.wait(40) == 0
        assert time.monotonic() - started < 20


def test_what_keeps_failing_is_said_whole_and_once_and_tried_more_slowly(tmp_path: Path) -> None:
    asked, said = list[float](), list[str]()
    stop = threading.Event()

    def wanted() -> Wanted | None:
        asked.append(time.monotonic())
        if len(asked) < 4:
            raise ServiceUnavailable("the ledger is away", value="disk 7", next="mount it")
        if len(asked) == 5:
            stop.set()
        return None

    follower = Follower(
        "staging", listen(), wanted=wanted, fetch=lambda w: tmp_path, answer=lambda *a: None, log=tmp_path,
        say=said.append,
    )  # fmt: skip
    while not stop.is_set():
        follower.turn()
    follower.end()
    (line,) = said
    assert "the ledger is away: disk 7" in line
    assert "mount it" in line
    pauses = [after - before for before, after in zip(asked, asked[1:], strict=False)]
    assert [pause > least for pause, least in zip(pauses, (0.5, 1.0, 2.0, 0.5), strict=True)] == [True] * 4
    assert pauses[3] < pauses[2]


def test_an_operator_is_told_that_any_name_will_do() -> None:
    assert "give --name" in rebinding_warning("0.0.0.0", ())  # noqa: S104
    assert "\n" not in rebinding_warning("10.0.0.7", ())
    assert rebinding_warning("10.0.0.7", ("shop.example",)) == ""
    assert rebinding_warning("::1", ()) == rebinding_warning("127.0.0.1", ()) == ""


def test_one_small_negative_day_takes_no_third_of_the_chart() -> None:
    day = dt.date(2011, 10, 15)
    points = [(day - dt.timedelta(days=n), v) for n, v in ((3, 300.0), (2, -5.0), (1, 250.0))]

    def zero(points: list[tuple[dt.date, float]]) -> float:
        svg = draw(points, as_of=day, forecast=Forecast(day=day, value=200.0), days=84, width=760, height=260)
        return float(svg.partition('class="axis"')[2].partition('y1="')[2].partition('"')[0])

    bottom, top = 230.0, 14.0
    assert bottom - 0.04 * (bottom - top) < zero(points) < bottom
    assert zero([(d, abs(v)) for d, v in points]) == bottom
    assert zero([(d, -abs(v)) for d, v in points]) < 120  # what is really below zero has its place


def test_a_page_that_is_not_there_names_those_for_people(site: Environment) -> None:
    page = http_tests.ask(site, "/nothing", accept="text/html").body.decode()
    assert "/, /release, /evidence" in page
    assert "/static/" not in page.partition("<main")[2]
    listed = http_tests.ask(site, "/nothing").json["allowed"].split(", ")
    assert "/predict" in listed
    assert not [path for path in listed if path.startswith("/static")]
