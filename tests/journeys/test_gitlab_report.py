"""`gitlab report` in a merge request's pipeline, against the double of GitLab: files always, one note, pictures once."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from journeys.test_pipeline_jobs import BEFORE_STAGING, Forge, Pipeline, change, delivered_forge, founded_forge
from journeys.walking import GOOD, OUTSIDE, REFUSED, Done, Lockgate, commit, edit

from lockgate.adapters.gitlab.forge import GitlabForge
from lockgate.delivery.forge.report import Reported, Reporting, report
from lockgate.forge.change import Change
from lockgate.project import open_project
from lockgate.records.forge_job import job_in
from lockgate.testing.forge import MemoryForge
from lockgate.testing.gitlab import DEVELOPER, REPORTER, Fault, GitLab

pytestmark = pytest.mark.sampled(10)

__all__ = ["delivered_forge", "founded_forge"]

FILES = ("quality.json", "metrics.txt", "evidence.html", "links.json", "groups.svg", "days.svg", "note.md")
FOLDER = "lockgate-reports"


@pytest.fixture
def gitlab() -> Iterator[GitLab]:
    with GitLab() as running:
        running.merge_request(7)
        yield running


@dataclass
class Proposed:
    """A merge request's pipeline whose release is judged; each report is a job in a clone of its own."""

    forge: Forge
    pipeline: Pipeline

    def variables(self, gitlab: GitLab, *, note_role: int | None = REPORTER) -> dict[str, str]:
        running = gitlab.job("report", pipeline=gitlab.pipeline(sha=self.pipeline.commit), role=DEVELOPER)
        mine = {n: v for n, v in gitlab.variables(running, merge_request=7).items() if n not in ("CI", "GITLAB_CI")}
        mine |= {
            "CI_PIPELINE_ID": self.pipeline.id,
            "CI_COMMIT_SHA": self.pipeline.commit,
            "CI_MERGE_REQUEST_PROJECT_ID": "42",
        }
        token = {"LOCKGATE_NOTE_TOKEN": gitlab.project_token(role=note_role)} if note_role is not None else {}
        return {**mine, **token}

    def clone(self, gitlab: GitLab, *, note_role: int | None = REPORTER, **more: str) -> Lockgate:
        clone = self.pipeline.clone()
        clone.env.update({**self.variables(gitlab, note_role=note_role), **more})
        return clone

    def report(self, gitlab: GitLab, *arguments: str, expect: int = GOOD, **more: Any) -> tuple[Done, Path]:
        clone = self.clone(gitlab, **more)
        done = clone("gitlab", "report", *arguments, expect=expect)
        for name in ("LOCKGATE_NOTE_TOKEN", "CI_JOB_TOKEN"):
            assert name not in clone.env or clone.env[name] not in done.text
        return done, clone.root / FOLDER


@pytest.fixture(scope="module")
def proposed_forge(delivered_forge: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Release 1 is live; pipeline 2 of a merge request proposed another one, and its gates said what they say."""
    folder = tmp_path_factory.mktemp("proposed") / "forge"
    shutil.copytree(delivered_forge, folder, symlinks=True)
    forge = Forge(folder)
    change(forge, "factor: float = 1.02")
    pipeline = forge.pipeline(2)
    pipeline.propose()
    pipeline.judge(*BEFORE_STAGING)
    with GitLab() as gitlab:  # compare once: every test's own report finds it in the store
        gitlab.merge_request(7)
        Proposed(forge, pipeline).report(gitlab, "--no-note")
    for clone in folder.glob("job-*"):
        shutil.rmtree(clone)
    return folder


@pytest.fixture
def proposed(proposed_forge: Path, tmp_path: Path) -> Proposed:
    shutil.copytree(proposed_forge, tmp_path / "forge", symlinks=True)
    forge = Forge(tmp_path / "forge")
    return Proposed(forge, forge.pipeline(2))


def notes(gitlab: GitLab) -> list[dict[str, Any]]:
    return gitlab.project.notes[7]


def test_one_note_says_what_would_change_and_what_to_decide(proposed: Proposed, gitlab: GitLab) -> None:
    done, folder = proposed.report(gitlab)
    assert {p.name for p in folder.iterdir()} == {*FILES}
    (note,) = notes(gitlab)
    body = note["body"]
    assert f"note   {gitlab.url}/group/shop/-/merge_requests/7#note_{note['id']}" in done.out
    assert body.startswith(f"<!-- lockgate:report {proposed.pipeline.id} -->\n### shop: release ")
    top = body.splitlines()[:20]
    for words in (
        "**What would change**",
        "**You decide now**: merge this, or not",
        "lockgate approve",
        "| asked | live `",
    ):
        assert any(words in line for line in top), words
    assert "Judged after the merge: `integration`" in body
    assert "| parameters +2.20 |" in body, "what moved each answer"
    for heading in ("#### How good is it", "#### Gates", "#### Who is worst off", "#### What changed"):
        assert heading in body
    assert len(re.findall(r"!\[[^\]]+\]\(/uploads/[0-9a-f]{32}/(?:groups|days)-[0-9a-f]{12}\.svg\)", body)) == 2
    assert (folder / "note.md").read_text().strip() in body
    assert not gitlab.project.executed


def test_again_it_is_the_same_note_and_no_picture_is_attached_twice(proposed: Proposed, gitlab: GitLab) -> None:
    proposed.report(gitlab)
    (first,) = notes(gitlab)
    said = dict(first)
    posts, puts, uploads = gitlab.count("POST", "/notes"), gitlab.count("PUT", "/notes"), len(gitlab.project.uploads)
    assert (posts, puts, uploads) == (1, 0, 2)
    proposed.report(gitlab, note_role=None, LOCKGATE_NOTE_TOKEN=_token_of(gitlab, said))
    (again,) = notes(gitlab)
    assert again["id"] == said["id"]
    assert (gitlab.count("POST", "/notes"), len(gitlab.project.uploads)) == (1, 2)
    assert gitlab.count("PUT", "/notes") <= 1, "the job's own address is all that may differ"


def test_a_pipeline_that_ends_late_says_that_a_newer_one_wrote_the_note(proposed: Proposed, gitlab: GitLab) -> None:
    proposed.report(gitlab, "--quick", CI_PIPELINE_ID="99")
    (note,) = notes(gitlab)
    assert note["body"].startswith("<!-- lockgate:report 99 -->\n### ")
    before, token = note["body"], _token_of(gitlab, note)
    done, folder = proposed.report(gitlab, "--quick", "--note", note_role=None, LOCKGATE_NOTE_TOKEN=token)
    assert (
        f"note   left alone: a newer pipeline has written it (pipeline 99, this is {proposed.pipeline.id})" in done.out
    )
    assert [n["body"] for n in notes(gitlab)] == [before]
    assert (folder / "note.md").is_file()


def _token_of(gitlab: GitLab, note: dict[str, Any]) -> str:
    """The token of the bot that wrote a note: a later job finds the same one in its variable."""
    return next(s for s, t in gitlab.tokens.items() if t.user.id == note["author"]["id"] and t.kind == "project")


def test_the_next_pipeline_writes_over_it(proposed: Proposed, gitlab: GitLab) -> None:
    proposed.report(gitlab)
    (note,) = notes(gitlab)
    before = note["body"]
    edit(proposed.forge.desk.root, "shop/pipelines.py", "factor: float = 1.02", "factor: float = 3.0")
    commit(proposed.forge.desk.root, "far too much")
    third = proposed.forge.pipeline(3)
    release = third.propose()
    for gate in BEFORE_STAGING:
        third.job("gate", "judge", gate, expect=None)  # type: ignore[arg-type]
    Proposed(proposed.forge, third).report(
        gitlab, "--quick", note_role=None, LOCKGATE_NOTE_TOKEN=_token_of(gitlab, note)
    )
    (after,) = notes(gitlab)
    assert (after["id"], after["body"] == before) == (note["id"], False)
    assert f"release {release[7:19]} " in after["body"]
    assert "✗ Not ready:" in after["body"]
    assert "**Nobody can sign** for it: a gate stops it" in after["body"]
    assert "lockgate approve" not in after["body"]


def test_without_a_token_the_files_are_there_and_one_line_says_what_to_do(proposed: Proposed, gitlab: GitLab) -> None:
    done, folder = proposed.report(gitlab, note_role=None)
    assert {p.name for p in folder.iterdir()} == {*FILES}
    for words in (
        "LOCKGATE_NOTE_TOKEN is not set",
        "role Reporter or higher and scope api",
        "Settings › Access tokens",
    ):
        assert words in done.err
    assert "**You decide now**" in done.out, "the log holds the note"
    assert not [r for r in gitlab.requests if r[0] != "GET"]
    done, _ = proposed.report(gitlab, "--note", note_role=None, expect=REFUSED)
    assert "LOCKGATE_NOTE_TOKEN is not set" in done.err
    done, _ = proposed.report(gitlab, "--no-note", note_role=None)
    assert "no note" not in done.text


def test_settings_may_demand_the_note(proposed: Proposed, gitlab: GitLab) -> None:
    clone = proposed.clone(gitlab, note_role=None)
    with (clone.root / "lockgate.toml").open("a") as file:
        file.write('\n[gitlab]\nnote = "require"\n')
    assert "LOCKGATE_NOTE_TOKEN is not set" in clone("gitlab", "report", expect=REFUSED).err
    assert {p.name for p in (clone.root / FOLDER).iterdir()} == {*FILES}


def test_the_other_token_does_it_too(proposed: Proposed, gitlab: GitLab) -> None:
    proposed.report(gitlab, note_role=None, LOCKGATE_GITLAB_TOKEN=gitlab.project_token(role=DEVELOPER))
    assert len(notes(gitlab)) == 1


def test_a_fork_has_nowhere_to_write(proposed: Proposed, gitlab: GitLab) -> None:
    done, folder = proposed.report(gitlab, CI_MERGE_REQUEST_PROJECT_ID="41")
    assert "no note: this pipeline runs in a fork (project 42)" in done.out
    assert {p.name for p in folder.iterdir()} == {*FILES}
    assert gitlab.requests == []


def test_on_the_target_branch_there_is_what_to_compare_with(proposed: Proposed, gitlab: GitLab) -> None:
    """No page is made there: people sign under the one that the approval's job makes."""
    merge_request, theirs = proposed.report(gitlab)
    shown = [e["what"] for e in proposed.forge.desk.ledger()].count("shown")
    done, folder = proposed.report(gitlab, CI_MERGE_REQUEST_IID="")
    assert "no note: this is no pipeline of a merge request" in done.out, merge_request.text
    assert [e["what"] for e in proposed.forge.desk.ledger()].count("shown") == shown
    for name in ("metrics.txt", "quality.json"):
        assert (folder / name).read_text() == (theirs / name).read_text()
    first = Proposed(proposed.forge, proposed.forge.pipeline(1, commit="HEAD~1"))
    done, folder = first.report(gitlab, CI_MERGE_REQUEST_IID="")
    names = [
        {line.rpartition(" ")[0] for line in (f / "metrics.txt").read_text().splitlines()} for f in (folder, theirs)
    ]
    assert names[1] <= names[0] | {n for n in names[1] if "champion" in n}, "the same series on both branches"


def test_a_pipeline_that_proposed_nothing_says_so(proposed: Proposed, gitlab: GitLab) -> None:
    nothing = Proposed(proposed.forge, Pipeline(proposed.forge, "99", proposed.pipeline.commit, "bot"))
    done, folder = nothing.report(gitlab)
    assert done.out.startswith("this pipeline proposed no release\n")
    assert {p.name for p in folder.iterdir()} == {"quality.json", "metrics.txt", "links.json", "note.md"}
    assert "this pipeline proposed no release" in notes(gitlab)[0]["body"]
    assert (folder / "metrics.txt").read_text() == "# EOF\n"


def test_a_gate_that_was_not_judged_is_named(delivered_forge: Path, tmp_path: Path, gitlab: GitLab) -> None:
    shutil.copytree(delivered_forge, tmp_path / "forge", symlinks=True)
    forge = Forge(tmp_path / "forge")
    change(forge)
    pipeline = forge.pipeline(2)
    pipeline.propose()
    pipeline.judge("champion")
    Proposed(forge, pipeline).report(gitlab, "--quick")
    (note,) = notes(gitlab)
    assert "Not judged: `enough_good_data`, `slices`." in note["body"]
    assert "✗\N{NO-BREAK SPACE}**not judged**" in note["body"]


def test_json(proposed: Proposed, gitlab: GitLab) -> None:
    done, _ = proposed.report(gitlab, "--json", note_role=None)
    said = done.json()
    assert {*said} == {"release", "environment", "live", "files", "note", "why_no_note", "lacks"}
    assert (said["environment"], said["note"]) == ("production", None)
    assert "LOCKGATE_NOTE_TOKEN" in said["why_no_note"]
    assert said["files"] == [f"{FOLDER}/{name}" for name in FILES]


def test_a_gitlab_that_is_gone(proposed: Proposed, gitlab: GitLab) -> None:
    done, folder = proposed.report(gitlab, "--note", expect=OUTSIDE, CI_API_V4_URL="http://127.0.0.1:9/api/v4")
    assert "no note: GitLab does not answer" in done.err
    assert {p.name for p in folder.iterdir()} == {*FILES}


# ── faults, in this process: everything is measured already ─────────────────


@pytest.fixture(scope="module")
def measured(proposed_forge: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Proposed, Path]:
    """A copy and a clone that all of them share."""
    folder = tmp_path_factory.mktemp("measured") / "forge"
    shutil.copytree(proposed_forge, folder, symlinks=True)
    found = Proposed(Forge(folder), Forge(folder).pipeline(2))
    return found, found.pipeline.clone().root


@dataclass
class Asking:
    """One job that reports again and again, with one token."""

    clone: Lockgate
    gitlab: GitLab
    pauses: list[float]

    def __call__(self) -> Reported:
        def no_command(_: tuple[str, ...]) -> bool:
            return False

        forge = GitlabForge(self.clone.env, token="LOCKGATE_NOTE_TOKEN", pause=self.pauses.append, patience=1.0)  # noqa: S106
        how = Reporting(
            folder=FOLDER,
            has=no_command,
            job=job_in(self.clone.env),
            variables=self.clone.env,
            change=Change("7"),
            forge=forge,
        )
        return report(open_project(self.clone.root), how, clock=lambda: dt.datetime.now(dt.UTC))


@pytest.fixture
def ask(measured: tuple[Proposed, Path], gitlab: GitLab, monkeypatch: pytest.MonkeyPatch) -> Asking:
    proposed, root = measured
    env = {**proposed.variables(gitlab), "LOCKGATE_KEY": str(proposed.forge.folder / "bot")}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    for used in (proposed.forge.folder / "store" / "attachments", root / FOLDER):
        shutil.rmtree(used, ignore_errors=True)
    return Asking(Lockgate(root, env), gitlab, [])


REFUSALS = {
    401: "GitLab does not allow this", 403: "GitLab does not allow this", 404: "GitLab has no such thing", 409: "GitLab refuses this",
    429: "GitLab does not answer", 500: "GitLab does not answer", 503: "GitLab does not answer",
}  # fmt: skip


@pytest.mark.parametrize("status", REFUSALS)
def test_each_refusal_of_the_note_is_clear_and_costs_no_file(ask: Asking, gitlab: GitLab, status: int) -> None:
    gitlab.faults.add(Fault(status=status, path="*/notes", retry_after=9 if status == 429 else None, times=99))
    done = ask()
    assert done.error is not None and REFUSALS[status] in str(done.error)
    if status in (401, 403):
        assert "the token in LOCKGATE_NOTE_TOKEN" in str(done.error)
    assert [(ask.clone.root / f).is_file() for f in done.files] == [True] * len(FILES)
    assert ("lockgate-reports/note.md" in done.files, notes(gitlab)) == (True, [])
    if status == 429:
        assert max(ask.pauses) == 9.0, "Retry-After is kept"
    gitlab.faults.clear()
    assert ask().note.endswith(f"#note_{notes(gitlab)[0]['id']}")
    assert (len(notes(gitlab)), len(gitlab.project.uploads)) == (1, 2)


LOST = [
    ("status", False),
    ("status", True),
    ("timeout", False),
    ("timeout", True),
    ("cut", False),
    ("twice", False),
    ("stale", False),
]


@pytest.mark.parametrize(("wrong", "done"), LOST)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_a_lost_answer_never_doubles_the_note(ask: Asking, gitlab: GitLab, method: str, wrong: Any, done: bool) -> None:  # noqa: FBT001
    if method == "PUT":
        ask()
        notes(gitlab)[0]["body"] += "\n\nof an earlier pipeline"
    gitlab.faults.add(Fault(wrong=wrong, method=method, path="*/notes*", done=done))
    ask()
    gitlab.faults.clear()
    said = ask()
    assert said.error is None
    (mine,) = (
        n for n in notes(gitlab) if n["body"].startswith("<!-- lockgate:report ")
    )  # also where GitLab itself wrote it twice
    assert said.text.strip() in mine["body"]


def test_pictures_that_cannot_be_attached_are_left_out_and_come_next_time(ask: Asking, gitlab: GitLab) -> None:
    gitlab.faults.add(Fault(status=403, path="*/uploads", times=1))
    done = ask()
    assert [line.partition(":")[0] for line in done.lacks] == ["groups.svg"]
    assert notes(gitlab)[0]["body"].count("](/uploads/") == 1
    assert ask().lacks == ()
    assert notes(gitlab)[0]["body"].count("](/uploads/") == 2
    assert (len(notes(gitlab)), len(gitlab.project.uploads)) == (1, 2)


def test_the_store_cannot_put_another_picture_there(
    ask: Asking, measured: tuple[Proposed, Path], gitlab: GitLab
) -> None:
    """Who writes into the store may say where a picture lies; text that is no picture is not believed."""
    ask()
    kept = list((measured[0].forge.folder / "store" / "attachments").rglob("*"))
    for file in [f for f in kept if f.is_file()]:
        file.write_text(json.dumps({"markdown": "![x](/uploads/a/b.svg)\n/merge @all <img src=x>"}))
    ask()
    body = notes(gitlab)[0]["body"]
    assert ("@all" in body, "<img" in body, body.count("](/uploads/")) == (False, False, 2)


def test_in_memory_it_is_the_same(ask: Asking) -> None:
    """The port is honest: another forge is told the same."""
    forge = MemoryForge()
    env = ask.clone.env
    how = Reporting(folder=FOLDER, has=lambda _: False, job=job_in(env), variables=env, change=Change("7"), forge=forge)
    done = report(open_project(ask.clone.root), how, clock=lambda: dt.datetime.now(dt.UTC))
    assert (done.note, done.lacks) == ("memory:7#report", ())
    assert forge.notes["7", "report"] == done.text
    assert sorted(n.partition("-")[0] for n in forge.attached) == ["days", "groups"]
