"""Which proposals a review host can show, and what it says to people who find none of theirs."""

from __future__ import annotations

import socket
from datetime import timedelta
from typing import Any

from lockgate.delivery.preview import NO_BRANCH, newest_by_branch, why_none
from lockgate.records.decisions import Proposed
from lockgate.records.forge_job import FORGE
from lockgate.serving.child import listen
from lockgate.serving.relay import Relay
from lockgate.testing.scene import Scene, release

JOB = {"kind": "gitlab", "pipeline": "12", "commit": "ab", "ref": "feature/More"}


def said(scene: Scene, **fields: Any) -> dict[str, Any]:
    """A proposal of Sam's, and what the host finds then."""
    scene.say(
        "sam", Proposed, release=release("one"), name="demand", authors=("sam",), started_by="sam",
        lineage=release("lineage"), **fields,
    )  # fmt: skip
    return dict(newest_by_branch(scene.trusted(), name="demand", since=scene.now - timedelta(days=1)))


def test_a_job_gives_its_branch_and_a_proposal_by_hand_has_none() -> None:
    scene = Scene()
    assert set(said(scene)) == {NO_BRANCH}
    assert set(said(scene, extra={FORGE: JOB})) == {NO_BRANCH, "feature-more"}


def test_who_finds_nothing_is_told_why_and_what_to_do() -> None:
    found = said(Scene(), extra={FORGE: JOB})
    assert why_none(found, nameless=True, days=14) == ""
    text = why_none({}, nameless=True, days=14)
    assert "only proposals of a pipeline have a branch: 0 found in 14 days (what was proposed names none)" in text
    assert "CI_COMMIT_REF_NAME" in text
    assert "names none" not in why_none({}, nameless=False, days=14)


def test_the_pages_say_it_too() -> None:
    with listen() as listener:
        Relay(listener, find=lambda _: None, names=list, domain="localhost", why_none=lambda: "no <job> yet").start()
        for name, status in ((b"localhost", b"200"), (b"my-branch.localhost", b"404")):
            with socket.create_connection(listener.getsockname(), timeout=20) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: " + name + b"\r\n\r\n")
                page = client.makefile("rb").read()
            assert page.startswith(b"HTTP/1.1 " + status)
            assert b"Why: no &lt;job&gt; yet." in page
