"""What one client can cost a server: each attack, and beside it the honest client who looks most like it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
import uvicorn

from lockgate.serving import connection
from lockgate.serving.child import listen

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
SMALL, LARGE = b"x", b"x" * (8 << 20)

Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


@contextlib.asynccontextmanager
async def served(body: bytes = SMALL) -> AsyncGenerator[tuple[Connect, set[Any]]]:
    """A server of one small page or a large one; how to connect, and its connections."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive()).get("more_body"):
            pass
        if message["type"] == "http.request":
            length = [(b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": 200, "headers": length})
            await send({"type": "http.response.body", "body": body})

    config = uvicorn.Config(
        cast("Any", app), http=connection.GuardedProtocol, lifespan="off", loop="uvloop", log_config=None, access_log=False,
        limit_concurrency=connection.MOST_CONNECTIONS,
    )  # fmt: skip
    server = uvicorn.Server(config)
    server.capture_signals = cast("Any", contextlib.nullcontext)
    with listen() as listener:
        serving = asyncio.ensure_future(server.serve(sockets=[listener]))
        port = listener.getsockname()[1]
        yield lambda: asyncio.open_connection("127.0.0.1", port), server.server_state.connections
        server.should_exit = server.force_exit = True
        await serving


def run(scenario: Any) -> None:
    with asyncio.Runner(loop_factory=uvicorn.Config(cast("Any", None), loop="uvloop").get_loop_factory()) as runner:
        runner.run(scenario)


async def answered(reader: asyncio.StreamReader) -> bytes:
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return head + await reader.readexactly(length)


@pytest.mark.parametrize(
    "flood",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"x: 1\r\n" * 20_000,
        b"GET / HTTP/1.1\r\nHost: x\r\nx: " + b"a" * 120_000,
        b"GET /" + b"a" * 120_000,
        b"\r\n" * 60_000,
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx: " + b"a" * 120_000,
    ],
    ids=["many headers", "one long header", "request line", "before the request", "behind the body"],
)
def test_a_head_without_end_is_refused(flood: bytes) -> None:
    async def scenario() -> None:
        async with served() as (connect, open_ones):
            reader, writer = await connect()
            writer.write(flood)
            assert (await answered(reader)).startswith(b"HTTP/1.1 431 ")
            assert await reader.read() == b""
            writer.close()
            await until(lambda: not open_ones)

    run(scenario())


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nx: " + b"a" * 60_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n" + b"a" * 900_000,
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 100_000 + b"0\r\n\r\n",
    ],
    ids=["a large head", "a large body", "a body byte by byte"],
)
def test_what_is_large_within_the_limits_is_read(sent: bytes) -> None:
    async def scenario() -> None:
        async with served() as (connect, _):
            reader, writer = await connect()
            for _ in range(2):
                writer.write(sent)
                assert (await answered(reader)).startswith(b"HTTP/1.1 200 ")
            writer.close()

    run(scenario())


def test_idle_connections_lock_nobody_out_and_those_that_were_used_last_stay() -> None:
    async def scenario() -> None:
        async with served() as (connect, open_ones):
            idle = [await connect() for _ in range(connection.MOST_CONNECTIONS + 3)]
            for reader, writer in idle:
                with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                    writer.write(GET)
                    await answered(reader)
            late = await connect()
            late[1].write(GET)
            assert (await answered(late[0])).startswith(b"HTTP/1.1 200 ")
            newest_reader, newest_writer = idle[-1]
            newest_writer.write(GET)
            assert (await answered(newest_reader)).startswith(b"HTTP/1.1 200 ")
            assert len(open_ones) <= connection.MOST_CONNECTIONS
            for _, writer in (*idle, late):
                writer.close()
                with contextlib.suppress(ConnectionError):
                    await writer.wait_closed()

    run(scenario())


def test_a_crowd_is_kept_alive_shortly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CROWDED_KEEP_ALIVE_SECONDS", 0.1)

    async def scenario() -> None:
        async with served() as (connect, open_ones):
            reader, writer = await connect()
            writer.write(GET)
            await answered(reader)
            await asyncio.sleep(0.3)
            assert len(open_ones) == 1  # alone it is kept
            monkeypatch.setattr(connection, "MOST_CONNECTIONS", 1)
            writer.write(GET)
            await answered(reader)
            assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()

    run(scenario())


@pytest.mark.parametrize(("body", "ahead"), [(LARGE, 1), (LARGE, 60), (b"x" * 60_000, 60)])
def test_who_never_reads_is_left_without_a_word_on_our_side(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, body: bytes, ahead: int
) -> None:
    monkeypatch.setattr(connection, "UNREAD_SECONDS", 0.3)

    async def scenario() -> None:
        async with served(body) as (connect, open_ones):
            reader, writer = await connect()
            cast("Any", reader)._transport.pause_reading()
            writer.write(GET * ahead)
            await until(lambda: bool(open_ones))
            await until(lambda: not open_ones)
            await asyncio.sleep(0.05)
            writer.close()

    with caplog.at_level(logging.WARNING):
        run(scenario())
    assert caplog.records == []


def test_who_reads_slowly_gets_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "UNREAD_SECONDS", 0.2)

    async def scenario() -> None:
        async with served(LARGE) as (connect, _):
            reader, writer = await connect()
            writer.write(GET)
            await reader.readuntil(b"\r\n\r\n")
            got = 0
            while got < len(LARGE):
                got += len(await reader.read(1 << 19))
                await asyncio.sleep(0.03)
            assert got == len(LARGE)
            writer.close()

    run(scenario())


def test_who_has_read_everything_is_kept_however_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "UNREAD_SECONDS", 0.05)

    async def scenario() -> None:
        async with served() as (connect, _):
            reader, writer = await connect()
            for pause_s in (0.0, 0.3, *(0.01,) * 30):
                await asyncio.sleep(pause_s)
                writer.write(GET)
                assert (await answered(reader)).startswith(b"HTTP/1.1 200 ")
            writer.close()

    run(scenario())


def test_requests_sent_ahead_are_answered_up_to_a_limit() -> None:
    async def scenario() -> None:
        async with served() as (connect, _):
            reader, writer = await connect()
            for asked, expected in (
                (connection.MOST_WAITING, connection.MOST_WAITING),
                (2_000, connection.MOST_WAITING + 1),
            ):
                writer.write(GET * asked)
                heads = [await answered(reader) for _ in range(expected)]
                assert all(h.startswith(b"HTTP/1.1 200 ") for h in heads)
                assert (b"connection: close" in heads[-1]) is (asked > expected)
            assert await reader.read() == b""
            writer.close()

    run(scenario())


def test_what_is_asked_before_nonsense_is_answered_first() -> None:
    async def scenario() -> None:
        async with served() as (connect, _):
            reader, writer = await connect()
            writer.write(GET + b"nonsense\r\n\r\n")
            assert (await answered(reader)).startswith(b"HTTP/1.1 200 ")
            assert await reader.read() == b""
            writer.close()
            reader, writer = await connect()
            writer.write(b"nonsense\r\n\r\n")
            assert (await answered(reader)).startswith(b"HTTP/1.1 400 ")
            writer.close()

    run(scenario())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("left_bytes", "gone"),
    [([0], False), ([300, 0], False), ([90_000, 60_000, 0], False), ([300, 300], True), ([90_000, 89_000], True)],
)
def test_only_who_reads_too_little_between_two_looks_is_left(left_bytes: list[int], gone: bool) -> None:
    looks, left, aborted = list[Any](), iter(left_bytes), list[bool]()
    guarded = connection.GuardedProtocol.__new__(connection.GuardedProtocol)
    guarded.loop = cast("Any", SimpleNamespace(call_later=lambda _, look, *before: looks.append((look, before))))
    transport = SimpleNamespace(get_write_buffer_size=lambda: next(left), abort=lambda: aborted.append(True))
    guarded.transport = cast("Any", transport)
    guarded._watch()  # pyright: ignore[reportPrivateUsage]
    while looks:
        look, before = looks.pop()
        look(*before)
    assert (bool(aborted), next(left, None)) == (gone, None)
