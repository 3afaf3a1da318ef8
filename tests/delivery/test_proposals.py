"""Which proposals a review host can show, and what it says to people who find none of theirs."""

from __future__ import annotations

import socket
from datetime import timedelta
from typing import Any

from lockgate.delivery.preview import newest_by_name, why_none
from lockgate.records.decisions import Proposed
from lockgate.records.digest import short
from lockgate.records.forge_job import FORGE
from lockgate.serving.child import listen
from lockgate.serving.relay import Relay
from lockgate.testing.scene import Scene, release

JOB = {"kind": "gitlab", "pipeline": "12", "commit": "ab", "ref": "feature/More"}


def said(scene: Scene, word: str = "one", **fields: Any) -> dict[str, str]:
    """A proposal of Sam's; name → release, as the host finds them then."""
    scene.say(
        "sam", Proposed, release=release(word), name="demand", authors=("sam",), started_by="sam",
        lineage=release("lineage"), **fields,
    )  # fmt: skip
    found = newest_by_name(scene.trusted(), name="demand", since=scene.now - timedelta(days=1))
    return {name: proposal.claim.release for name, proposal in found.items()}


def test_a_job_gives_its_branch_and_a_proposal_by_hand_its_digest() -> None:
    scene = Scene()
    one, two = release("one"), release("two")
    assert said(scene) == {short(one): one}
    assert said(scene, extra={FORGE: JOB}) == {short(one): one, "feature-more": one}
    assert said(scene, "two", extra={FORGE: JOB}) == {short(one): one, "feature-more": two}
    assert said(scene, "two", extra={FORGE: {**JOB, "ref": ""}})[short(two)] == two, "a job that names no branch"


def test_no_branch_takes_the_place_of_what_was_proposed_by_hand() -> None:
    scene = Scene()
    one = release("one")
    said(scene)
    assert said(scene, "two", extra={FORGE: {**JOB, "ref": short(one)}}) == {short(one): one}


def test_who_finds_nothing_is_told_why_and_what_to_do() -> None:
    trusted = Scene().trusted()
    found = newest_by_name(trusted, name="demand", since=Scene().now - timedelta(days=1))
    text = why_none(found, days=14)
    assert text.startswith("nobody proposed a release in 14 days; `lockgate propose` does")
    scene = Scene()
    said(scene)
    assert why_none(newest_by_name(scene.trusted(), name="demand", since=scene.now - timedelta(days=1)), days=14) == ""


def test_the_pages_say_it_too() -> None:
    with listen() as listener:
        Relay(listener, find=lambda _: None, names=list, domain="localhost", why_none=lambda: "no <job> yet").start()
        for name, status in ((b"localhost", b"200"), (b"my-branch.localhost", b"404")):
            with socket.create_connection(listener.getsockname(), timeout=20) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: " + name + b"\r\n\r\n")
                page = client.makefile("rb").read()
            assert page.startswith(b"HTTP/1.1 " + status)
            assert b"Why: no &lt;job&gt; yet." in page
