"""What a server publishes, what it follows, and how long it waits for a request: no process, no project."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from dataclasses import fields, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
import uvicorn

from lockgate.declare import Approval, DeployTo, Gate, Stage
from lockgate.delivery.serve import reachable
from lockgate.delivery.walk import Walk
from lockgate.delivery.wish import check_wish
from lockgate.errors import NotFound, PermissionRefused, StepFailed
from lockgate.gates.binding import binding
from lockgate.gates.policy import parse_policy
from lockgate.records.decisions import PLAN, Decision, GateResult, Shown
from lockgate.records.evidence import Verdict
from lockgate.records.ledger import Entry
from lockgate.records.wire import from_json
from lockgate.serving import connection, worker
from lockgate.serving.answer import Desk, Invalid
from lockgate.serving.child import Wanted, listen
from lockgate.testing.scene import Scene


def walk(*before: Stage) -> Walk:
    """A way to staging with these stages before it."""
    return Walk(
        cast("Any", None),
        cast("Any", None),
        (*before, DeployTo("staging")),
        {},
        parse_policy(""),
        "sha256:policy",
        cast("Any", None),
    )


FREE, OWNED, GATED = walk(), walk(Approval("product-owner", "7d")), walk(Gate("slices", "m:f", "alike"))


@pytest.mark.parametrize(
    ("host", "address"),
    [("127.0.0.1", "http://127.0.0.1:8000"), ("::1", "http://[::1]:8000"), ("0.0.0.0", "http://127.0.0.1:8000"),
     ("::", "http://[::1]:8000"), ("10.0.0.7", "http://10.0.0.7:8000")],
)  # fmt: skip
def test_the_published_address_can_be_reached(host: str, address: str) -> None:
    assert reachable(host, 8000) == address


def test_only_the_wish_that_stands_is_followed() -> None:
    scene = Scene()
    first, second = scene.propose("r1"), scene.propose("r2")
    asked = Wanted(release=first, entry=scene.want(first, "staging").digest)

    def check(asked: Wanted, walk: Walk = FREE) -> None:
        check_wish(scene.trusted(), asked, walk, environment="staging", now=dt.datetime.now(dt.UTC))

    check(asked)
    with pytest.raises(PermissionRefused, match="not wanted here any more|nobody who may"):
        check(asked, OWNED)
    for wrong in (replace(asked, entry=first), replace(asked, release=second)):
        with pytest.raises(PermissionRefused, match="not wanted here any more"):
            check(wrong)
    with pytest.raises(PermissionRefused, match="a gate was not passed"):
        check(asked, GATED)
    back = scene.want(second, "staging")  # the ledger moved on while the first was being brought
    with pytest.raises(PermissionRefused, match="not wanted here any more"):
        check(asked)
    check(Wanted(release=second, entry=back.digest))


def test_a_rollback_has_no_more_authority_than_the_delivery_it_rests_on() -> None:
    scene = Scene()
    first, second = scene.propose("r1"), scene.propose("r2")
    before = scene.want(first, "staging")
    scene.healthy(before)
    after = scene.want(second, "staging")
    scene.healthy(after)
    back = scene.want(first, "staging", by="bot", because="rolled-back", authorised_by=(before.digest,))
    asked, now = Wanted(release=first, entry=back.digest), dt.datetime.now(dt.UTC)
    check_wish(scene.trusted(), asked, FREE, environment="staging", now=now)
    with pytest.raises(PermissionRefused):
        check_wish(scene.trusted(), asked, OWNED, environment="staging", now=now)


@pytest.mark.parametrize("since", ["nothing", "a reject", "expiry"])
def test_a_server_that_follows_late_hears_what_was_said_since(since: str) -> None:
    """Approved and wanted, and never healthy here: a reject or an expiry counts until somebody serves it."""
    scene = Scene()
    first = scene.propose("r1")
    signed = approve(scene, first, valid_for=dt.timedelta(days=7))
    asked = Wanted(release=first, entry=scene.want(first, "staging", authorised_by=(signed.digest,)).digest)
    now = scene.now + dt.timedelta(days=8 if since == "expiry" else 1)
    if since == "a reject":
        approve(scene, first, valid_for=dt.timedelta(days=7), decision="reject", who="pia")
    if since == "nothing":
        check_wish(scene.trusted(), asked, OWNED, environment="staging", now=now)
    else:
        with pytest.raises(PermissionRefused):
            check_wish(scene.trusted(), asked, OWNED, environment="staging", now=now)


def approve(
    scene: Scene, release: str, *, valid_for: dt.timedelta, decision: str = "approve", who: str = "pat"
) -> Entry:
    """A product owner signs for staging what is true in this scene."""
    facts = binding(scene.trusted(), release=release, environment="staging", policy="sha256:policy", page="sha256:page")
    bound = {f.name: getattr(facts, f.name) for f in fields(facts) if f.name != PLAN}
    scene.say(
        "bot", Shown, release=release, environment="staging", shows="blake3:s", page="sha256:page", card="sha256:card"
    )
    return scene.say(
        who, Decision, decision=decision, role="product-owner", reason="fit", accepted=(),
        not_after=scene.now + valid_for, **bound,
    )  # fmt: skip


def test_a_rollback_cites_one_delivery_of_its_own_release() -> None:
    """Deliverer and operator together: a wish of another release beside the own one lends it no approval."""
    scene = Scene()
    good, bad = scene.propose("r1"), scene.propose("r2")
    signed = approve(scene, good, valid_for=dt.timedelta(days=7))
    honest = scene.want(good, "staging", authorised_by=(signed.digest,))
    scene.healthy(honest)
    fake = scene.want(bad, "staging")
    scene.healthy(fake)
    for cited in [(honest.digest, fake.digest), (fake.digest, honest.digest), (fake.digest,), (honest.digest,)]:
        back = scene.want(bad, "staging", by="bot", because="rolled-back", authorised_by=cited)
        with pytest.raises((PermissionRefused, NotFound)):
            check_wish(
                scene.trusted(), Wanted(release=bad, entry=back.digest), OWNED, environment="staging", now=scene.now
            )
    twin = scene.want(good, "staging", by="bot", because="rolled-back", authorised_by=(honest.digest,))
    check_wish(scene.trusted(), Wanted(release=good, entry=twin.digest), OWNED, environment="staging", now=scene.now)


@pytest.mark.parametrize(
    ("outcome", "good"), [("pass", True), ("fail", False), ("uncertain", False), ("harmful", False)]
)
def test_a_server_follows_nothing_that_a_gate_did_not_pass(outcome: str, good: bool) -> None:
    """Also an outcome of a newer version stops it, and a doubt where nobody is asked to accept one."""
    scene = Scene()
    first = scene.propose("r1")
    verdict = Verdict(gate="slices", kind="k", outcome=outcome, reason="r", evidence="blake3:e")  # type: ignore[arg-type]
    scene.say("bot", GateResult, release=first, verdict=verdict, policy="sha256:policy")
    asked = Wanted(release=first, entry=scene.want(first, "staging").digest)
    with contextlib.nullcontext() if good else pytest.raises(PermissionRefused, match="not passed"):
        check_wish(scene.trusted(), asked, GATED, environment="staging", now=scene.now)


@pytest.mark.parametrize("rejected", [True, False])
def test_who_says_healthy_lifts_no_reject(rejected: bool) -> None:
    scene = Scene()
    first = scene.propose("r1")
    signed = approve(scene, first, valid_for=dt.timedelta(days=7))
    wish = scene.want(first, "staging", authorised_by=(signed.digest,))
    scene.healthy(wish)
    if rejected:
        approve(scene, first, valid_for=dt.timedelta(days=7), decision="reject", who="pia")
    asked, later = Wanted(release=first, entry=wish.digest), scene.now + dt.timedelta(days=30)
    with pytest.raises(PermissionRefused, match="rejected by pia") if rejected else contextlib.nullcontext():
        check_wish(scene.trusted(), asked, OWNED, environment="staging", now=later)


def test_a_failure_before_the_state_begins_is_about_the_day() -> None:
    def fail(*_: object) -> None:
        raise StepFailed("no rows")

    release: Any = SimpleNamespace(
        as_of=dt.date(2011, 10, 15), state_begins=dt.date(2011, 7, 1), request=(), answer=fail
    )
    desk = Desk(release, environment="e", log=cast("Any", None), clock=dt.datetime.now, identify=str)
    with pytest.raises(Invalid) as caught:
        desk.answer([{}], as_of=dt.date(2011, 7, 1))
    assert (caught.value.errors[0].field, caught.value.allowed) == ("as_of", "2011-07-02 to 2011-10-15")
    with pytest.raises(StepFailed):
        desk.answer([{}], as_of=dt.date(2011, 7, 2))


def test_names_are_checked_on_loopback_and_where_one_is_given() -> None:
    def names(host: str, *given: str) -> frozenset[str]:
        with listen(host) as listener:
            orders = {"directory": "", "release": "", "environment": "", "log": "", "names": given}
            known = from_json(worker.Orders, {**orders, "listen_fd": listener.fileno(), "control_fd": 0})
            return worker._names(known)  # pyright: ignore[reportPrivateUsage]

    assert names("0.0.0.0") == frozenset()
    assert "shop.example" in names("0.0.0.0", "Shop.example")
    assert names("127.0.0.2", "Shop.example") == {"localhost", "127.0.0.1", "::1", "127.0.0.2", "shop.example"}


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"])
def test_a_request_that_does_not_come_in_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(connection, "SLOWEST_SECONDS", 0.2)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive()).get("more_body"):
            pass
        if message["type"] == "http.request":
            await asyncio.sleep(0.4)  # thinking takes longer than asking may: that is no reason to hang up
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    async def scenario() -> None:
        config = uvicorn.Config(cast("Any", app), http=connection.GuardedProtocol, lifespan="off", log_level="error")
        server = uvicorn.Server(config)
        server.capture_signals = cast("Any", contextlib.nullcontext)
        with listen() as listener:
            serving = asyncio.ensure_future(server.serve(sockets=[listener]))
            port = listener.getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for _ in range(2):
                writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).startswith(b"HTTP/1.1 204")
            writer.close()
            server.should_exit = True
            await serving

    asyncio.run(scenario())
