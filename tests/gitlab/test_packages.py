"""The store on generic packages: the exams that every store passes, and what GitLab does to it."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from journeys.walking import git
from lockgate.adapters.bucket.results import BucketResults
from lockgate.adapters.bucket.store import BucketStore
from lockgate.adapters.gitlab.api import GitlabRefuses
from lockgate.adapters.gitlab.line import Line
from lockgate.adapters.gitlab.package_list import PACKAGE
from lockgate.adapters.gitlab.packages import PackageBucket
from lockgate.adapters.gitlab.place import place_of
from lockgate.adapters.local import LocalStore
from lockgate.errors import IntegrityError, LockgateError, NotFound, ServiceUnavailable, UsageError
from lockgate.records.digest import digest_bytes, sha256_bytes
from lockgate.testing.gitlab import DEVELOPER, MAINTAINER, REPORTER, Fault, GitLab
from lockgate.testing.gitlab.packages import keep_file
from lockgate.testing.store import results_checks, store_checks

NUMBERS = itertools.count()
FILES = f"/projects/*/packages/generic/{PACKAGE}/*"


class Instance:
    """A GitLab, and buckets on its packages as machines would open them."""

    def __init__(self, gitlab: GitLab, folder: Path) -> None:
        self.gitlab, self.folder = gitlab, folder
        self.pauses: list[float] = []

    def bucket(self, *, patience: float = 5.0) -> PackageBucket:
        url = f"gitlab://{self.gitlab.url.removeprefix('http://')}/{self.gitlab.project.path}"
        return PackageBucket(place_of(url, self.folder), pause=self.pauses.append, patience=patience)

    def store(self, *, patience: float = 5.0, young_s: float = 1800.0) -> BucketStore:
        """One on a machine that has no copy of anything."""
        folder = self.folder / f"machine-{next(NUMBERS)}"
        return BucketStore(
            self.bucket(patience=patience), cache=LocalStore(folder), scratch=folder / "tmp", young_s=young_s
        )

    def results(self, kind: str = "results", *, patience: float = 5.0) -> BucketResults:
        return BucketResults(self.bucket(patience=patience), kind)

    def put(self, store: BucketStore, data: bytes) -> str:
        path = self.folder / f"output-{next(NUMBERS)}"
        path.write_bytes(data)
        return store.put(path)

    @property
    def files(self) -> list[str]:
        """Version and name of every file that GitLab keeps."""
        return [f"{p.version}/{f.name}" for p in self.gitlab.project.packages for f in p.files]


@pytest.fixture
def instances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Instance]]:
    """Makes new ones; the variables are those of a laptop whose person is a Maintainer."""
    running: list[GitLab] = []
    for name in ("CI", "CI_API_V4_URL", "CI_PROJECT_ID", "CI_PROJECT_PATH", "CI_JOB_TOKEN"):
        monkeypatch.delenv(name, raising=False)

    def new() -> Instance:
        gitlab = GitLab(live=True).__enter__()
        running.append(gitlab)
        monkeypatch.setenv("LOCKGATE_GITLAB_TOKEN", gitlab.person("ada", role=MAINTAINER))
        monkeypatch.setenv("LOCKGATE_GITLAB_HOST", urlsplit(gitlab.url).netloc)
        return Instance(gitlab, tmp_path)

    yield new
    for gitlab in running:
        gitlab.__exit__()


@pytest.fixture
def here(instances: Callable[[], Instance]) -> Instance:
    return instances()


@pytest.mark.parametrize("redirects", [False, True], ids=["served", "redirected"])
@pytest.mark.parametrize("check", store_checks(), ids=lambda c: c.__name__)
def test_the_store_exam(check: object, instances: Callable[[], Instance], redirects: bool) -> None:
    def new() -> BucketStore:
        instance = instances()
        instance.gitlab.project.redirects = redirects
        return instance.store(young_s=0.0)

    check(new)


@pytest.mark.parametrize("check", results_checks(), ids=lambda c: c.__name__)
def test_the_results_exam(check: object, instances: Callable[[], Instance]) -> None:
    check(lambda: instances().results())


def test_a_second_machine_reads_what_the_first_put(here: Instance) -> None:
    data = bytes(range(256)) * 40_000
    found = here.put(here.store(), data)
    second = here.store()
    assert second.has(found)
    assert second.get(found).read_bytes() == data
    assert here.put(here.store(), data) == found  # it is there and young: not sent again
    assert len(here.files) == 1


@pytest.mark.parametrize("good", [b"good", b""], ids=["bytes", "none"])
def test_who_puts_next_believes_the_bytes_and_not_their_number(here: Instance, good: bytes) -> None:
    """Somebody with write access put others of the same size under the name: they are not taken for ours."""
    found = here.put(here.store(), good)
    assert here.put(here.store(), good) == found
    assert len(here.files) == 1, "it is there and young"
    kept = here.gitlab.project.packages[0].files[-1]
    kept.content = b"x" * len(kept.content)
    here.put(here.store(), good)
    assert len(here.files) == 2
    assert here.store().get(found).read_bytes() == good


@pytest.mark.parametrize("good", [b"good", b""], ids=["bytes", "none"])
def test_who_asks_and_knows_the_bytes_is_told_of_others(here: Instance, good: bytes) -> None:
    """By its name alone it is there; the twin is a file that nobody touched."""
    found = here.put(here.store(), good)
    known = {"sha256": sha256_bytes(good), "size_bytes": len(good)}
    assert here.store().has(found, **known)
    kept = here.gitlab.project.packages[0].files[-1]
    kept.content = b"x" * len(kept.content)
    assert here.store().has(found)
    assert not here.store().has(found, **known)
    reader = here.store()
    here.put(reader, good)
    assert reader.has(found, **known)
    assert here.store().has(found, **known)


def test_bytes_that_were_put_behind_what_a_short_list_shows_are_seen(
    here: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks often has only the first files of each version listed; the newest of a name comes last."""
    monkeypatch.setattr("lockgate.adapters.gitlab.packages.MOST_LISTED", 1)
    found = here.put(here.store(), b"good")
    version = f"objects-{found.removeprefix('blake3:')[0]}"
    keep_file(
        here.gitlab.project, kind="generic", name=PACKAGE, version=version, file=found.removeprefix("blake3:"),
        content=b"evil", job=None,
    )  # fmt: skip
    reader = here.store()
    for number in range(30):
        reader.has(digest_bytes(b"%d" % number))
    assert not reader.has(found, sha256=sha256_bytes(b"good"), size_bytes=4)


def test_what_a_put_asks(here: Instance) -> None:
    """Two requests for what is new, two for what is there and young once its version was listed: as many as size and age alone would cost."""
    store, again = here.store(), here.store()
    here.put(store, b"zero")  # lets us in

    def asked(store: BucketStore, data: bytes) -> list[str]:
        before = len(here.gitlab.requests)
        here.put(store, data)
        return [f"{m} {'list' if p.endswith('package_files') else 'file'}" for m, p, _ in here.gitlab.requests[before:] if not p.endswith("/packages")]  # fmt: skip

    assert asked(store, b"one") == ["HEAD file", "PUT file"]
    assert asked(again, b"one") == ["HEAD file", "GET list"]
    assert asked(again, b"one") == ["HEAD file"]


def test_where_things_lie(here: Instance) -> None:
    found = here.put(here.store(), b"one").removeprefix("blake3:")
    here.results("releases").put("blake3:" + "ab" * 32, {})
    assert here.files == [f"objects-{found[0]}/{found}", f"releases/{'ab' * 32}"]
    assert {p.name for p in here.gitlab.project.packages} == {PACKAGE}


def test_no_file_without_bytes_is_sent(here: Instance) -> None:
    here.put(here.store(), b"")
    assert [len(f.content) for p in here.gitlab.project.packages for f in p.files] == [1]


def test_many_are_listed_page_after_page(here: Instance) -> None:
    results = here.results()
    for number in range(230):
        results.put(f"k{number}", {"n": number})
    assert sorted(h.record["n"] for h in here.results().held() if h.record) == list(range(230))


def test_connections_are_kept(here: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    connect = HTTPConnection.connect
    monkeypatch.setattr(HTTPConnection, "connect", lambda self: (made.append(self), connect(self))[1])
    store, results = here.store(), here.results()
    for number in range(20):
        results.put(f"k{number}", {})
        here.put(store, b"%d" % number)
    assert len(here.gitlab.requests) > 60
    assert len(made) == 2  # one for each bucket


def test_many_questions_are_answered_by_lists(here: Instance) -> None:
    store = here.store()
    found = [here.put(store, b"%d" % n) for n in range(200)]
    before, reader = len(here.gitlab.requests), here.store()
    assert all(map(reader.has, found))
    assert not reader.has(digest_bytes(b"absent"))
    assert len(here.gitlab.requests) - before <= 1 + 24 + 1 + 16 + 1
    here.store().delete(found[0])
    assert here.put(here.store(), b"0") == found[0], "whoever puts asks again"
    assert here.store().get(found[0]).read_bytes() == b"0"
    here.store().delete(found[1])
    other = here.store()
    here.put(reader, b"1")
    assert other.get(found[1]).read_bytes() == b"1", "a memory of what was there sends it all the same"


OPERATIONS: dict[str, Callable[[Instance, str], object]] = {
    "put": lambda i, _: i.put(i.store(patience=0.3), b"two"),
    "get": lambda i, found: i.store(patience=0.3).get(found),
    "has": lambda i, found: i.store(patience=0.3).has(found),
    "held": lambda i, _: list(i.store(patience=0.3).held(read=True)),
    "delete": lambda i, found: i.store(patience=0.3).delete(found),
    "result": lambda i, _: i.results(patience=0.3).get("key"),
    "record": lambda i, _: i.results(patience=0.3).put("key", {"a": 2}),
}
FAULTS = {
    **{str(status): Fault(status=status, times=99) for status in (401, 403, 404, 409, 429, 500, 502)},
    "timeout": Fault(wrong="timeout", times=99),
    "cut": Fault(wrong="cut", times=99),
}


ANSWERS = {"401": {4}, "403": {4}, "404": {2, 4, 5}, "409": {2, 5}}
"""What the command exits with. What no other try changes is not 5, which the rendered pipeline tries again."""


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("after", [0, 1], ids=["at the first request", "later"])
def test_what_goes_wrong_is_said_and_loses_nothing(here: Instance, operation: str, fault: str, after: int) -> None:
    """At every request of every operation: an error in words, without the token, and nothing is taken for absent that is hidden."""
    found = here.put(here.store(), b"one")
    here.results().put("key", {"a": 1})
    act = OPERATIONS[operation]
    here.gitlab.faults.add(replace(FAULTS[fault], skip=after))
    said = ""
    try:
        act(here, found)
    except LockgateError as error:
        said = str(error)
        assert error.exit_code in ANSWERS.get(fault, {5}), said
    if after == 0:
        assert said, "the first request says whether we are let in"
    assert "glpat-" not in said
    if fault in ("401", "403") and said:
        assert "LOCKGATE_GITLAB_TOKEN" in said
    here.gitlab.faults.clear()
    assert operation == "delete" or here.store().get(found).read_bytes() == b"one"
    assert here.results().get("key") in ({"a": 1}, {"a": 2})
    act(here, found)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("fault", [Fault(status=429, retry_after=2), Fault(status=502, done=True), Fault(wrong="cut"), Fault(wrong="twice")], ids=lambda f: f"{f.wrong}-{f.status}")  # fmt: skip
def test_what_passes_is_waited_for(here: Instance, operation: str, fault: Fault) -> None:
    found = here.put(here.store(), b"one")
    here.results().put("key", {"a": 1})
    for skip in range(4):
        here.gitlab.faults.add(replace(fault, skip=skip))
        OPERATIONS[operation](here, found)
        here.gitlab.faults.clear()
        if operation == "delete":
            assert not here.store().has(found)
            here.put(here.store(), b"one")
    assert here.store().get(found).read_bytes() == b"one"
    assert max(here.pauses, default=0.0) <= 2.0


def test_damage_is_found_on_the_way_in_and_mended_by_a_put(here: Instance) -> None:
    store = here.store()
    found = here.put(store, b"one")
    here.gitlab.project.packages[0].files[-1].content = b"two"
    reader = here.store()
    with pytest.raises(IntegrityError, match="damaged") as error:
        reader.get(found)
    assert f"group/shop/objects/{found[7:9]}" in str(error.value)
    assert not [p for p in here.folder.rglob("*") if p.is_file() and p.read_bytes() == b"two"]
    assert [h.whole for h in here.store().held(read=True)] == [False]
    here.put(reader, b"one")
    assert here.store().get(found).read_bytes() == b"one"


def test_bytes_that_changed_on_the_way_are_refused(here: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """GitLab says which bytes it took."""
    at_sending = Line.asked

    def spoiled(self: Line, method: str, target: str, *, body: object, **more: object) -> object:
        return at_sending(self, method, target, body=b"spoiled" if method == "PUT" else body, **more)

    monkeypatch.setattr(Line, "asked", spoiled)
    with pytest.raises(ServiceUnavailable, match="other bytes than were sent"):
        here.put(here.store(), b"one")


def test_a_process_killed_in_the_middle_of_an_upload_leaves_nothing(here: Instance) -> None:
    code = (
        "import os, signal, sys; from http.client import HTTPConnection; from pathlib import Path\n"
        "from lockgate.adapters.bucket.store import BucketStore; from lockgate.adapters.local import LocalStore\n"
        "from lockgate.adapters.gitlab.packages import packages_of\n"
        "sent = []\n"
        "real = HTTPConnection._read_readable\n"
        "def pieces(self, readable):\n"
        "    for piece in real(self, readable):\n"
        "        sent.append(len(piece)); yield piece\n"
        "        if sum(sent) > 2_000_000: os.kill(os.getpid(), signal.SIGKILL)\n"
        "HTTPConnection._read_readable = pieces\n"
        "here = Path(sys.argv[1]); (here / 'made').write_bytes(bytes(range(256)) * 20_000)\n"
        "BucketStore(packages_of(sys.argv[2], here), cache=LocalStore(here), scratch=here / 'tmp').put(here / 'made')\n"
    )
    (here.folder / "dies").mkdir()
    url = str(here.bucket().place)
    done = subprocess.run([sys.executable, "-c", code, str(here.folder / "dies"), url], capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert here.files == []
    data = (here.folder / "dies" / "made").read_bytes()
    found = here.put(here.store(), data)
    assert here.store().get(found).read_bytes() == data


def test_writers_at_once_agree(here: Instance) -> None:
    """Eight machines put the same things at the same time; GitLab keeps some of them twice, and everybody reads one."""
    objects = [b"object %d" % n for n in range(12)]
    failed: list[BaseException] = []

    def machine() -> None:
        try:
            store, results = here.store(young_s=0.0), here.results()
            for data in objects:
                results.put("newest", {"digest": here.put(store, data)})
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=machine) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(here.files) > len(objects) + 1
    store = here.store()
    assert sorted(store.list()) == sorted(map(digest_bytes, objects))
    assert {store.get(d).read_bytes() for d in store.list()} == set(objects)
    assert here.results().get("newest") == {"digest": digest_bytes(objects[-1])}


def test_deleting_brings_no_older_state_to_light(here: Instance) -> None:
    """Whatever is killed in between: one state or none, never the one before."""
    for n in range(3):
        here.results().put("key", {"n": n})
    here.gitlab.faults.add(Fault(status=500, method="DELETE", skip=1, times=99))
    with pytest.raises(ServiceUnavailable):
        here.results().delete("key")
    assert here.results().get("key") == {"n": 2}
    here.gitlab.faults.clear()
    here.results().delete("key")
    assert here.results().get("key") is None
    assert here.files == []


def test_two_packages_of_one_version(here: Instance) -> None:
    """As old GitLab made them when two writers came first at once: both are listed, both are emptied."""
    here.results().put("key", {"n": 1})
    [package] = here.gitlab.project.packages
    here.gitlab.project.packages.append(replace(package, id=99_999, files=[replace(package.files[0], id=99_998)]))
    assert [h.key for h in here.results().held()] == ["key"]
    here.results().delete("key")
    assert here.files == []


def test_a_group_that_refuses_duplicates(here: Instance) -> None:
    """A race ends well all the same; what needs a second file says which setting it is."""
    here.gitlab.project.duplicates = False
    found = here.put(here.store(), b"one")
    assert here.put(here.store(young_s=0.0), b"one") == found  # somebody was first, a moment ago
    here.results().put("key", {"n": 1})
    with pytest.raises(UsageError, match="Duplicate package is not allowed") as error:
        here.results().put("key", {"n": 2})
    assert f"an exception for {PACKAGE}" in error.value.next


def test_a_file_that_is_too_large_says_who_can_help(here: Instance) -> None:
    here.gitlab.project.limit_bytes = 10
    with pytest.raises(UsageError, match="too large") as error:
        here.put(here.store(), b"x" * 11)
    assert "generic_packages_max_file_size" in error.value.next


def test_what_a_replica_does_not_know_yet_is_looked_for_again(here: Instance) -> None:
    store = here.store()
    here.put(store, b"zero")
    found = here.put(store, b"one")
    here.gitlab.faults.add(Fault(wrong="stale", method="GET", path=FILES))
    assert here.store().get(found).read_bytes() == b"one"
    assert here.pauses == [1.0]


def test_who_may_do_what(here: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    found = here.put(here.store(), b"one")
    for role, scopes, may in ((REPORTER, ("read_api",), "read"), (DEVELOPER, ("api",), "write"), (MAINTAINER, ("api",), "delete")):  # fmt: skip
        monkeypatch.setenv("LOCKGATE_GITLAB_TOKEN", here.gitlab.person(f"{role}", role=role, scopes=scopes))
        assert here.store().get(found).read_bytes() == b"one"
        for verb, act in (("write", lambda: here.put(here.store(), b"two")), ("delete", lambda: here.store().delete(found))):  # fmt: skip
            if may == "read" or (may == "write" and verb == "delete"):
                with pytest.raises(ServiceUnavailable, match="does not allow this") as error:
                    act()
                assert ("Maintainer" in error.value.allowed) == (verb == "delete")
                assert error.value.exit_code == 4, "the rendered file would try again what no other try changes"
            else:
                act()


def test_a_hidden_project_is_not_an_empty_store(here: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """GitLab answers 404 for what one may not see."""
    found = here.put(here.store(), b"one")
    monkeypatch.setenv("LOCKGATE_GITLAB_TOKEN", here.gitlab.person("stranger", role=0))
    for act in (lambda: here.store().has(found), lambda: here.results().get("key"), lambda: list(here.store().list())):
        with pytest.raises(ServiceUnavailable, match="no such project, or hides it"):
            act()


def test_a_job_uses_its_own_token(here: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    gitlab = here.gitlab
    job = gitlab.job("train", pipeline=gitlab.pipeline(), user="dev", role=DEVELOPER)
    for name, value in gitlab.variables(job).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("LOCKGATE_GITLAB_TOKEN")
    bucket = PackageBucket(place_of("gitlab:", here.folder), pause=here.pauses.append)
    BucketResults(bucket, "results").put("key", {"n": 1})
    assert [f.job for p in gitlab.project.packages for f in p.files] == [job["id"]]
    with pytest.raises(ServiceUnavailable, match="403 Forbidden") as error:
        BucketResults(bucket, "results").delete("key")
    assert "Maintainer" in error.value.allowed
    assert "glcbt-" not in str(error.value) + repr(error.value)
    gitlab.project.jobs[job["id"]]["status"] = "success"  # its token dies with it
    with pytest.raises(ServiceUnavailable, match="CI_JOB_TOKEN"):
        BucketResults(bucket, "results").get("key")


def test_a_jobs_token_goes_to_its_own_instance_only(here: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCKGATE_GITLAB_TOKEN")
    monkeypatch.setenv("CI_JOB_TOKEN", "glcbt-secret")
    monkeypatch.setenv("CI_API_V4_URL", "https://gitlab.example.org/api/v4")
    with pytest.raises(ServiceUnavailable, match="no token") as error:
        here.store().has(digest_bytes(b"one"))
    assert error.value.exit_code == 5
    assert "export LOCKGATE_GITLAB_TOKEN" in error.value.next
    assert here.gitlab.requests == []


@pytest.mark.parametrize("named", ["", "gitlab.example.org", "127.0.0.1"])
def test_a_repository_does_not_choose_where_a_persons_token_goes(
    here: Instance, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever wrote lockgate.toml, or the clone's remote, names the host; who made the token says which one it is for."""
    host = urlsplit(here.gitlab.url).netloc
    monkeypatch.setenv("LOCKGATE_GITLAB_HOST", named)
    with pytest.raises(ServiceUnavailable, match=f"is for {host}") as error:
        here.store().has(digest_bytes(b"one"))
    assert error.value.exit_code == 5
    assert error.value.next == f"export LOCKGATE_GITLAB_HOST={host}"
    assert here.gitlab.requests == []
    monkeypatch.setenv("LOCKGATE_GITLAB_HOST", host)
    assert not here.store().has(digest_bytes(b"one"))
    assert here.gitlab.requests


def test_a_job_needs_no_host_for_its_own_instance(here: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCKGATE_GITLAB_HOST")
    monkeypatch.setenv("CI_API_V4_URL", here.gitlab.api)
    assert not here.store().has(digest_bytes(b"one"))


def test_a_download_that_leads_elsewhere_takes_no_token_along(here: Instance) -> None:
    """An object storage refuses who shows two ways to be let in, and a token is nobody else's business."""
    here.gitlab.project.redirects = True
    found = here.put(here.store(), b"one")
    here.results().put("key", {"n": 1})
    assert here.store().get(found).read_bytes() == b"one"
    assert here.store().has(found)
    assert here.results().get("key") == {"n": 1}
    assert [s for _, p, s in here.gitlab.requests if p.startswith("/object-storage/")] == [200, 200]


def test_a_download_that_leads_to_plain_http_is_not_followed(here: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    found = here.put(here.store(), b"one")
    here.gitlab.project.redirects = True
    monkeypatch.setattr("lockgate.adapters.gitlab.api.allowed_address", lambda address: "object-storage" not in address)
    with pytest.raises(ServiceUnavailable, match="redirected to http://127.0.0.1") as error:
        here.store().get(found)
    assert "signature" not in str(error.value)


URLS = {
    "git@gitlab.example.org:group/sub/shop.git": "gitlab://gitlab.example.org/group/sub/shop",
    "ssh://git@gitlab.example.org:2222/group/shop.git": "gitlab://gitlab.example.org/group/shop",
    "https://ada:secret@gitlab.example.org:8443/group/shop.git": "gitlab://gitlab.example.org:8443/group/shop",
}


@pytest.mark.parametrize("remote", URLS)
def test_the_remote_names_the_project(here: Instance, remote: str) -> None:
    git(here.folder, "init", "--quiet")
    git(here.folder, "remote", "add", "origin", remote)
    place = place_of("gitlab:", here.folder)
    assert str(place) == URLS[remote]
    assert place.api.startswith("https://gitlab.example.org")


@pytest.mark.parametrize("remote", ["/srv/git/shop.git", "https://ada:secret@gitlab.example.org/"])
def test_a_remote_that_names_none(here: Instance, remote: str) -> None:
    git(here.folder, "init", "--quiet")
    git(here.folder, "remote", "add", "origin", remote)
    with pytest.raises(ServiceUnavailable, match="nothing says which GitLab project") as error:
        place_of("gitlab:", here.folder)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("url", ["gitlab://gitlab.example.org", "gitlab://ada:secret@gitlab.example.org/g/p", "gitlab:group/shop", "gitlab://h/g/../p?x=1"])  # fmt: skip
def test_a_url_that_is_none(here: Instance, url: str) -> None:
    with pytest.raises(UsageError) as error:
        place_of(url, here.folder)
    assert "secret" not in str(error.value)
