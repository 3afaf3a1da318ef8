"""Two pipelines of one merge request write their note at the same time, or the older one late: the newest pipeline's note stays, alone."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from gitlab.test_forge import forge_on

from lockgate.adapters.gitlab.api import GitlabApi
from lockgate.adapters.gitlab.forge import GitlabForge
from lockgate.errors import MovedOn
from lockgate.testing.gitlab import REPORTER, Fault, GitLab


@pytest.fixture
def gitlab() -> Iterator[GitLab]:
    with GitLab() as running:
        running.merge_request(7)
        yield running


@pytest.fixture
def forges(gitlab: GitLab) -> tuple[GitlabForge, GitlabForge]:
    """Two jobs that find the same token in their variable."""
    first, second = forge_on(gitlab, token=False), forge_on(gitlab, token=False)
    token = gitlab.project_token(role=REPORTER)
    for forge in (first, second):
        forge._environment = {**forge._environment, "LOCKGATE_GITLAB_TOKEN": token}
    return first, second


def bodies(gitlab: GitLab) -> list[str]:
    return [n["body"] for n in gitlab.project.notes[7]]


def test_a_pipeline_that_ends_late_leaves_the_newer_note_alone(
    gitlab: GitLab, forges: tuple[GitlabForge, GitlabForge]
) -> None:
    forges[1].say("7", "report", "new", turn=1002)
    with pytest.raises(MovedOn, match="a newer pipeline has written the note") as late:
        forges[0].say("7", "report", "old", turn=1001)
    assert late.value.value == "pipeline 1002, this is 1001"
    assert bodies(gitlab) == ["<!-- lockgate:report 1002 -->\nnew"]
    assert gitlab.count("PUT", "/notes") == 0


class AtOnce:
    """Lets each of two writers go on from their first look only when both have looked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        barrier, looked, real = threading.Barrier(2), threading.local(), GitlabApi.listed

        def listed(api: GitlabApi, path: str) -> Iterator[Any]:
            found = list(real(api, path))
            if not getattr(looked, "once", False):
                looked.once = True
                barrier.wait(10)
            return iter(found)

        monkeypatch.setattr(GitlabApi, "listed", listed)


@pytest.mark.parametrize("before", ["nothing", "a note of an older pipeline"])
@pytest.mark.parametrize("turns", [(1001, 1002), (1002, 1001), (1001, 1001)], ids=str)
def test_two_at_once_leave_one_note_of_the_newest(
    gitlab: GitLab, forges: tuple[GitlabForge, GitlabForge], monkeypatch: pytest.MonkeyPatch, turns: tuple[int, int], before: str
) -> None:  # fmt: skip
    if before != "nothing":
        forges[0].say("7", "report", "before", turn=1000)
    AtOnce(monkeypatch)
    said: list[int] = []

    def write(forge: GitlabForge, turn: int) -> None:
        try:
            forge.say("7", "report", f"text of {turn}", turn=turn)
            said.append(turn)
        except MovedOn:
            pass

    threads = [threading.Thread(target=write, args=pair) for pair in zip(forges, turns, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if before == "nothing":
        assert bodies(gitlab) == [f"<!-- lockgate:report {max(turns)} -->\ntext of {max(turns)}"]
    else:  # two writes of one note, and GitLab has no conditional one: the jobs' resource group lets them take turns
        assert bodies(gitlab) in [[f"<!-- lockgate:report {turn} -->\ntext of {turn}"] for turn in turns]
    assert max(turns) in said


def test_what_an_older_pipeline_wrote_over_ours_is_written_again(
    gitlab: GitLab, forges: tuple[GitlabForge, GitlabForge], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looked before we wrote, and wrote after us."""
    forges[0].say("7", "report", "before", turn=1000)
    calls, real = itertools.count(), GitlabApi.send

    def send(api: GitlabApi, method: str, path: str, said: Any, **more: Any) -> Any:
        answer = real(api, method, path, said, **more)
        if method == "PUT" and next(calls) == 0:
            gitlab.project.notes[7][0]["body"] = "<!-- lockgate:report 1001 -->\nold"
        return answer

    monkeypatch.setattr(GitlabApi, "send", send)
    forges[1].say("7", "report", "new", turn=1002)
    assert bodies(gitlab) == ["<!-- lockgate:report 1002 -->\nnew"]


def test_a_note_of_an_older_lockgate_is_found_and_changed_in_place(
    gitlab: GitLab, forges: tuple[GitlabForge, GitlabForge]
) -> None:
    forges[0].say("7", "report", "before there were numbers")
    (note,) = gitlab.project.notes[7]
    assert note["body"].startswith("<!-- lockgate:report -->\n")
    assert forges[1].say("7", "report", "now", turn=1001).endswith(f"#note_{note['id']}")
    assert bodies(gitlab) == ["<!-- lockgate:report 1001 -->\nnow"]


def test_doubles_that_were_left_go_and_nobody_elses_note_does(
    gitlab: GitLab, forges: tuple[GitlabForge, GitlabForge]
) -> None:
    forges[0].say("7", "report", "kept", turn=1001)
    (note,) = gitlab.project.notes[7]
    eve = gitlab.tokens[gitlab.person("eve")].user.shown()
    gitlab.project.notes[7] += [
        {**note, "id": 900_001, "body": "<!-- lockgate:report -->\na double"},
        {**note, "id": 900_002, "author": eve},
        {**note, "id": 900_003, "body": "<!-- lockgate:reports 1 -->\nanother marker"},
    ]
    forges[1].say("7", "report", "kept", turn=1001)
    assert [n["id"] for n in gitlab.project.notes[7]] == [note["id"], 900_002, 900_003]


@pytest.mark.parametrize("fault", [Fault(status=502, done=True), Fault(status=502, times=2), Fault(wrong="cut"), Fault(status=429, retry_after=1), Fault(wrong="stale", method="GET")], ids=lambda f: f"{f.wrong}-{f.done}")  # fmt: skip
@pytest.mark.parametrize("position", range(5))
def test_a_fault_at_any_request_leaves_one_note(
    gitlab: GitLab, forges: tuple[GitlabForge, GitlabForge], fault: Fault, position: int
) -> None:
    from dataclasses import replace

    for turn in (1001, 1002):
        gitlab.faults.clear()
        gitlab.faults.add(replace(fault, skip=position))
        forges[0].say("7", "report", f"text of {turn}", turn=turn)
        assert bodies(gitlab) == [f"<!-- lockgate:report {turn} -->\ntext of {turn}"]


def test_what_a_note_costs(gitlab: GitLab, forges: tuple[GitlabForge, GitlabForge]) -> None:
    """One look more for each that was written; none more where nothing changed."""

    def asked(turn: int, text: str) -> list[str]:
        before = len(gitlab.requests)
        forges[0].say("7", "report", text, turn=turn)
        return [f"{method} {path.rsplit('/', 1)[-1]}" for method, path, _ in gitlab.requests[before:]]

    assert asked(1001, "one") == ["GET user", "GET notes", "POST notes", "GET notes"]
    (note,) = gitlab.project.notes[7]
    assert asked(1002, "two") == ["GET user", "GET notes", f"PUT {note['id']}", "GET notes"]
    assert asked(1002, "two") == ["GET user", "GET notes"]
