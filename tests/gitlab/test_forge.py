"""GitLab's forge and the one in memory pass one exam; a publication survives a fault at each of its requests."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from lockgate.adapters.gitlab.forge import GitlabForge
from lockgate.adapters.gitlab.publishing import Packages
from lockgate.errors import LockgateError, PermissionRefused, ServiceUnavailable, UsageError
from lockgate.records.publication import NumberTaken, Publication, Published
from lockgate.testing.forge import MemoryForge, forge_checks
from lockgate.testing.gitlab import DEVELOPER, MAINTAINER, REPORTER, Fault, GitLab

RELEASE = "sha256:" + "ab" * 32


def forge_on(
    gitlab: GitLab, *, role: int = DEVELOPER, token: bool = True, job: bool = True, **more: Any
) -> GitlabForge:
    """As a job of a pipeline has it, that a person with this role started."""
    running = gitlab.job("publish", pipeline=gitlab.pipeline(), user=f"user{role}", role=role)
    variables = gitlab.variables(running)
    if not job:
        del variables["CI_JOB_TOKEN"], variables["CI_JOB_ID"]
    if token:
        variables["LOCKGATE_GITLAB_TOKEN"] = gitlab.project_token(role=role)
    return GitlabForge(variables, pause=lambda _: None, now=lambda: 1.8e9, patience=more.pop("patience", 5.0), **more)


@pytest.mark.parametrize("check", forge_checks(), ids=lambda c: c.__name__.strip("_"))
@pytest.mark.parametrize("kind", ["memory", "gitlab", "gitlab without a job"])
def test_every_forge_keeps_the_laws(kind: str, check: Callable[[Any], None]) -> None:
    if kind == "memory":
        check(MemoryForge)
        return
    with GitLab() as gitlab:
        gitlab.merge_request(7)
        check(lambda: forge_on(gitlab, job=kind == "gitlab"))


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    named = {"manifest.json": b"{}", "code/shop/model.py": b"pass", "evidence-production-0a1b2c3d.html": b"<p>"}
    for number, (_, data) in enumerate(named.items()):
        (tmp_path / str(number)).write_bytes(data)
    return {path: tmp_path / str(number) for number, path in enumerate(named)}


def publication(**changed: Any) -> Publication:
    said: dict[str, Any] = {
        "name": "demand", "version": "1.2.0", "release": RELEASE, "commit": "c" * 40, "words": f"release {RELEASE}",
        "metrics": {"champion.wape": "0.125", "slices.worst": "0.5"}, "params": {"as_of": "2026-01-01", "long": "x" * 999},
        "links": {"manifest": "manifest.json", "evidence for production": "evidence-production-0a1b2c3d.html"},
        "also": {"pipeline": "https://gitlab.example.org/group/shop/-/pipelines/1"},
    }  # fmt: skip
    return Publication(**said | changed)


def state(gitlab: GitLab) -> Any:
    """Everything that was published, without numbers and times that GitLab gives."""
    p = gitlab.project
    runs = [
        {
            "name": r["info"]["run_name"], "status": r["info"]["status"], "version": r["version"] is not None,
            "metrics": sorted((m["key"], m["value"]) for m in r["data"]["metrics"]),
            "params": sorted((m["key"], m["value"]) for m in r["data"]["params"]),
            "tags": sorted((t["key"], t["value"]) for t in r["data"]["tags"] if t["key"] != "gitlab.CI_JOB_ID"),
        }
        for r in p.runs.values()
    ]  # fmt: skip
    links = {t: sorted((k["name"], k["link_type"]) for k in r["assets"]["links"]) for t, r in p.releases.items()}
    return {
        "packages": [(k.kind, k.name, k.version, sorted((f.name, f.content) for f in k.files)) for k in p.packages],
        "models": list(p.models), "experiments": [e["name"] for e in p.experiments.values()], "runs": runs, "links": links,
        "versions": [(v["name"], v["semver"], v["description"], v["tags"]) for v in p.versions.values()],
        "releases": [(t, r["name"], r["description"], r["commit"]["id"]) for t, r in p.releases.items()],
    }  # fmt: skip


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, list[tuple[str, str, int]]]:
    """What a publication without faults leaves, and the calls that it makes."""
    folder = tmp_path_factory.mktemp("files")
    with GitLab() as gitlab:
        forge_on(gitlab).publish(publication(), files.__wrapped__(folder))
        return state(gitlab), list(gitlab.requests)


def test_what_is_published(wanted: tuple[Any, list[Any]]) -> None:
    said, requests = wanted
    hexes = "ab" * 6
    assert [(p[:3], [f for f, _ in p[3]]) for p in said["packages"]] == [
        (
            ("generic", "demand", f"1.2.0+{hexes}"),
            ["code+2Fshop+2Fmodel.py", "evidence-production-0a1b2c3d.html", "manifest.json"],
        ),
        (("ml_model", "demand", "1.2.0"), ["manifest.json"]),
    ]
    assert (said["models"], said["experiments"]) == (["demand"], ["[model]demand"])
    (run,) = said["runs"]
    assert run["version"] and run["status"] == "FINISHED"
    assert run["metrics"] == [("champion.wape", 0.125), ("slices.worst", 0.5)]
    assert run["params"] == [("as_of", "2026-01-01"), ("long", "x" * 250)]
    assert said["releases"] == [("demand-v1.2.0", "demand 1.2.0", f"release {RELEASE}", "c" * 40)]
    assert [name for name, _ in said["links"]["demand-v1.2.0"]] == [
        "evidence for production",
        "manifest",
        "model version",
        "pipeline",
    ]
    assert all(status in (200, 201, 404) for _, _, status in requests)


def test_a_second_time_nothing_is_written(files: dict[str, Path], wanted: Any) -> None:
    with GitLab() as gitlab:
        forge = forge_on(gitlab)
        first = forge.publish(publication(), files)
        before, count = state(gitlab), len(gitlab.requests)
        again = forge.publish(publication(), files)
        assert again == Published(page=first.page, package=first.package, model=first.model)
        later = gitlab.requests[count:]
        assert [(m, p) for m, p, _ in later if m != "GET" and not p.endswith("runs/search")] == []
        assert state(gitlab) == before == wanted[0]


FAULTS: dict[str, dict[str, Any]] = {
    "refused for good": {"status": 500, "times": 99},
    "down": {"status": 502, "times": 99},
    "done and not answered": {"status": 502, "done": True},
    "too many": {"status": 429, "times": 2, "retry_after": 1},
    "cut": {"wrong": "cut"},
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_at_any_request_loses_nothing_and_doubles_nothing(
    kind: str, files: dict[str, Path], wanted: tuple[Any, list[Any]]
) -> None:
    end, requests = wanted
    stopped = 0
    for position in range(len(requests)):
        with GitLab() as gitlab:
            gitlab.faults.add(Fault(**FAULTS[kind], skip=position))
            try:
                forge_on(gitlab).publish(publication(), files)
            except ServiceUnavailable:
                stopped += 1
                gitlab.faults.clear()
                forge_on(gitlab).publish(publication(), files)
            assert state(gitlab) == end, f"a fault at request {position}: {requests[position]}"
    assert stopped == (len(requests) if FAULTS[kind].get("times") == 99 else 0)


@pytest.mark.parametrize("done", [False, True])
def test_a_call_that_is_never_answered(files: dict[str, Path], wanted: tuple[Any, list[Any]], done: bool) -> None:
    end, requests = wanted
    writes = [i for i, (method, _, _) in enumerate(requests) if method != "GET"]
    for position in (writes[0], writes[-1]):
        with GitLab() as gitlab:
            gitlab.faults.add(Fault(wrong="timeout", done=done, skip=position))
            forge_on(gitlab, patience=0.3).publish(publication(), files)
            assert state(gitlab) == end


def test_a_read_older_than_the_last_write_makes_nothing_twice(
    files: dict[str, Path], wanted: tuple[Any, list[Any]]
) -> None:
    end, requests = wanted
    for position, (method, _, _) in enumerate(requests):
        if method == "GET" and position:
            with GitLab() as gitlab:
                gitlab.faults.add(
                    Fault(wrong="stale", method="GET", skip=sum(m == "GET" for m, _, _ in requests[:position]))
                )
                try:
                    forge_on(gitlab).publish(publication(), files)
                except LockgateError:
                    forge_on(gitlab).publish(publication(), files)
                assert state(gitlab) == end, requests[position]


def test_older_gitlab_makes_a_run_of_its_own_and_the_numbers_are_there_too(files: dict[str, Path]) -> None:
    with GitLab() as gitlab:
        gitlab.project.promotes = False
        forge_on(gitlab).publish(publication(), files)
        ours, theirs = state(gitlab)["runs"]
        assert (ours["version"], theirs["version"]) == (False, True)
        assert theirs["metrics"] == ours["metrics"] != []
        before = state(gitlab)
        forge_on(gitlab).publish(publication(), files)
        assert state(gitlab) == before


def test_a_file_that_was_damaged_there_is_put_again(files: dict[str, Path]) -> None:
    with GitLab() as gitlab:
        forge_on(gitlab).publish(publication(), files)
        next(f for f in gitlab.project.packages[0].files if f.name == "manifest.json").content = b"changed"
        done = forge_on(gitlab).publish(publication(), files)
        assert done.made == ("1 of 3 files of package demand 1.2.0",)


def test_a_version_by_hand_is_named_and_not_taken_over(files: dict[str, Path]) -> None:
    with GitLab() as gitlab:
        forge = forge_on(gitlab)
        forge.publish(publication(), files)
        (version,) = gitlab.project.versions.values()
        version["tags"] = [t for t in version["tags"] if t["key"] != "lockgate.release"]
        before = state(gitlab)
        with pytest.raises(UsageError, match="is not this release") as refused:
            forge.publish(publication(), files)
        assert "nobody says which one it is" in str(refused.value)
        assert state(gitlab) == before


def test_a_release_page_of_somebody_else_is_named_and_not_taken_over(files: dict[str, Path]) -> None:
    with GitLab() as gitlab:
        forge = forge_on(gitlab)
        forge.publish(publication(), files)
        (page,) = gitlab.project.releases.values()
        page["description"] = "our first one"
        with pytest.raises(UsageError, match="is not this release's") as refused:
            forge.publish(publication(), files)
        assert publication().release in refused.value.allowed
        assert page["description"] == "our first one"


OTHER = "sha256:" + "cd" * 32


def other(**changed: Any) -> Publication:
    return publication(release=OTHER, words=f"release {OTHER}", **changed)


def test_two_jobs_that_want_one_number_at_once(files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Both saw it free: it goes to the first one, the other one is told so after its first file, and both end well, and again."""
    with GitLab() as gitlab:
        forges = forge_on(gitlab), forge_on(gitlab)
        barrier, checked, real = threading.Barrier(2), threading.local(), Packages.check

        def check(packages: Packages, publication: Publication, **more: Any) -> None:
            real(packages, publication, **more)
            if not getattr(checked, "once", False):
                checked.once = True
                barrier.wait(10)

        monkeypatch.setattr(Packages, "check", check)
        ended: dict[str, Any] = {}

        def publish(forge: GitlabForge, said: Publication) -> None:
            try:
                ended[said.release] = forge.publish(said, files)
            except UsageError as error:
                ended[said.release] = error

        threads = [threading.Thread(target=publish, args=pair) for pair in zip(forges, (publication(), other()), strict=True)]  # fmt: skip
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        monkeypatch.undo()
        (late,) = [r for r, said in ended.items() if isinstance(said, NumberTaken)]
        (first,) = {RELEASE, OTHER} - {late}
        assert ended[late].release == first[7:19]
        claims = [k for k in gitlab.project.packages if k.kind == "generic"]
        assert sorted(len(k.files) for k in claims) == [1, 3], "the late one put its first file and no other"
        assert forges[0].published("demand") == {"1.2.0": (first[7:19], late[7:19])}
        assert [v["semver"] for v in gitlab.project.versions.values()] == ["1.2.0"]

        def said(release: str, version: str) -> Publication:
            return publication(release=release, words=f"release {release}", version=version)

        assert forges[0].publish(said(late, "1.3.0"), files).made
        assert forges[1].publish(said(first, "1.2.0"), files).made == ()
        assert forges[1].publish(said(late, "1.3.0"), files).made == ()
        with pytest.raises(NumberTaken):
            forges[1].publish(said(late, "1.2.0"), files)
        assert [r["tag_name"] for r in gitlab.project.releases.values()] == ["demand-v1.2.0", "demand-v1.3.0"]


def test_what_another_job_left_half_done_under_a_number_blocks_nobody(files: dict[str, Path]) -> None:
    """The first release's version is in the registry, the other one's files lie beside it: as an older Lockgate left them."""
    with GitLab() as gitlab:
        forge = forge_on(gitlab)
        forge.publish(publication(), files)
        packages = forge._packages()
        for path, file in files.items():
            packages._upload(other(), path, file)
        gitlab.project.packages.reverse()
        assert forge.publish(publication(), files).made == ()
        with pytest.raises(NumberTaken) as refused:
            forge.publish(other(), files)
        assert refused.value.release == RELEASE
        assert forge.publish(other(version="1.3.0"), files).made


def test_a_run_that_was_begun_under_another_number_is_passed_by(files: dict[str, Path]) -> None:
    with GitLab() as gitlab:
        forge = forge_on(gitlab)
        forge.publish(other(), files)
        forge._environment = {n: v for n, v in forge._environment.items() if n != "CI_JOB_ID"}
        for published in (gitlab.project.versions, gitlab.project.packages, gitlab.project.releases):
            published.clear()
        forge.publish(publication(), files)
        forge.publish(other(version="1.3.0"), files)
        names = sorted(r["name"] for r in state(gitlab)["runs"])
        assert names == ["demand-1.2.0", "demand-1.2.0", "demand-1.3.0"]


def test_without_a_token_nothing_is_begun(files: dict[str, Path]) -> None:
    with GitLab() as gitlab, pytest.raises(PermissionRefused) as refused:
        forge_on(gitlab, token=False).publish(publication(), files)
    assert refused.value.exit_code == 4
    assert "LOCKGATE_GITLAB_TOKEN is not set" in str(refused.value)
    assert "role Developer or higher and scope api" in str(refused.value)
    assert gitlab.requests == []


def test_a_token_with_too_small_a_role(files: dict[str, Path]) -> None:
    with GitLab() as gitlab, pytest.raises(PermissionRefused) as refused:
        forge_on(gitlab, role=REPORTER).publish(publication(), files)
    assert "CI_JOB_TOKEN" in str(refused.value)


def test_a_note_is_its_authors_and_no_command(files: dict[str, Path]) -> None:
    with GitLab() as gitlab:
        gitlab.merge_request(7)
        forge = forge_on(gitlab)
        stranger = gitlab.person("eve")
        forge.say("7", "report", "worst slice\n/approve\n  /merge")
        assert gitlab.project.executed == []
        (note,) = gitlab.project.notes[7]
        assert note["body"].startswith("<!-- lockgate:report -->\nworst slice\n\\/approve")
        note["author"] = gitlab.tokens[stranger].user.shown()
        forge.say("7", "report", "ours")
        assert [n["author"]["username"] for n in gitlab.project.notes[7]] == ["eve", note_author(gitlab)]


def note_author(gitlab: GitLab) -> str:
    return gitlab.project.notes[7][-1]["author"]["username"]


def test_attachments_and_jobs_and_approvals(tmp_path: Path) -> None:
    with GitLab(premium=True) as gitlab:
        (tmp_path / "a plot.png").write_bytes(b"\x89PNG\r\n--x\r\n")
        forge = forge_on(gitlab)
        assert forge.attach(tmp_path / "a plot.png").startswith("![a_plot](/uploads/")
        assert list(gitlab.project.uploads.values()) == [b"\x89PNG\r\n--x\r\n"]
        job = gitlab.job("approve:production", pipeline=gitlab.pipeline(), user="ada")
        said = forge.job(str(job["id"]))
        assert (said["name"], said["login"], said["commit"]) == ("approve:production", "ada", "a" * 40)
        waiting = gitlab.blocked("production", user="ada")
        boss = gitlab.person("boss", role=MAINTAINER)
        import urllib.request

        at = f"{gitlab.api}/projects/42/deployments/{waiting['id']}/approval"
        data = json.dumps({"status": "approved", "comment": "fit"}).encode()
        headers = {"PRIVATE-TOKEN": boss, "Content-Type": "application/json"}
        urllib.request.urlopen(urllib.request.Request(at, data=data, headers=headers, method="POST")).close()
        (deployed,) = forge.deployments("production")
        assert (deployed.status, deployed.login) == ("blocked", "ada")
        assert [(a.login, a.said, a.comment) for a in deployed.approvals] == [("boss", "approved", "fit")]
        assert deployed.approvals[0].user == str(gitlab.user("boss").id)
        assert (deployed.job, deployed.asked, deployed.pending) == (str(waiting["deployable"]["id"]), 1, 0)
        gitlab.project.premium = False
        (free,) = forge.deployments("production")
        assert (free.job, free.asked, free.pending, free.approvals) == (deployed.job, 0, 0, ())


def test_the_forge_in_memory_fails_at_the_call_that_it_is_told(files: dict[str, Path]) -> None:
    for call in itertools.islice(itertools.count(1), 2):
        forge = MemoryForge(fail_call=call)
        with pytest.raises(ServiceUnavailable):
            for _ in range(call):
                forge.publish(publication(), files)


@pytest.mark.parametrize("token", ["LOCKGATE_GITLAB_TOKEN", "LOCKGATE_NOTE_TOKEN"])
def test_a_token_for_another_host_is_not_sent(token: str) -> None:
    """Whoever sets a job's CI_API_V4_URL does not choose where it goes. The twin: the host that it is for, or none named in a job."""
    with GitLab() as gitlab:
        gitlab.merge_request(7)
        variables = gitlab.variables(gitlab.job("publish", pipeline=gitlab.pipeline()))
        variables[token] = gitlab.project_token(role=DEVELOPER)

        def say(host: str) -> str:
            named = {**variables, "LOCKGATE_GITLAB_HOST": host}
            return GitlabForge(named, token=token, pause=lambda _: None).say("7", "exam", "text")

        with pytest.raises(ServiceUnavailable, match=f"{token} was not sent") as refused:
            say("gitlab.example.org")
        assert "it is for gitlab.example.org" in refused.value.value
        assert not gitlab.requests
        assert say(urlsplit(gitlab.api).netloc)
        assert say("")
