"""What GitLab answers becomes an error of ours that says what to do, after as many tries as may help; a token never shows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from lockgate.adapters.gitlab.api import GitlabApi, GitlabRefuses
from lockgate.adapters.gitlab.patience import IN_ALL_SECONDS, PAUSES_SECONDS, pauses, seconds_asked
from lockgate.errors import NotFound, PermissionRefused, ServiceUnavailable, UsageError
from lockgate.testing.gitlab import Fault, GitLab

PACKAGES = "/projects/42/packages"
TRIES = len(PAUSES_SECONDS) + 1


@pytest.fixture
def gitlab() -> Iterator[GitLab]:
    with GitLab() as running:
        yield running


class Asking:
    """An API with a token, and the pauses that it made."""

    def __init__(self, gitlab: GitLab, *, token: str | None = None, patience: float = 5.0) -> None:
        self.pauses: list[float] = []
        self.token = token or gitlab.project_token()
        self.api = GitlabApi(
            gitlab.api, header="PRIVATE-TOKEN", token=self.token, variable="THE_TOKEN", needs="role Developer, scope api",
            pause=self.pauses.append, patience=patience,
        )  # fmt: skip


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_what_may_pass_is_tried_again(gitlab: GitLab, status: int) -> None:
    asking = Asking(gitlab)
    gitlab.faults.add(Fault(status=status, times=2))
    assert asking.api.get(PACKAGES) == []
    assert asking.pauses == list(PAUSES_SECONDS[:2])


def test_gitlab_says_how_long_to_wait_and_it_has_a_bound(gitlab: GitLab) -> None:
    asking = Asking(gitlab)
    gitlab.faults.add(Fault(status=429, retry_after=7))
    gitlab.faults.add(Fault(status=429, retry_after=110))
    asking.api.get(PACKAGES)
    assert asking.pauses == [7.0, 110.0]


def test_it_may_say_so_as_a_date(gitlab: GitLab) -> None:
    """By the server's own clock, which need not be ours."""
    asking = Asking(gitlab)
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    gitlab.faults.add(Fault(status=503, retry_after=until))
    asking.api.get(PACKAGES)
    assert asking.pauses == [pytest.approx(90.0, abs=3.0)]
    until = "Sun, 06 Nov 1994 08:50:37 GMT"
    assert seconds_asked(until, date="Sun, 06 Nov 1994 08:49:37 GMT", now=1.8e9) == 60.0
    assert seconds_asked(until, now=1.8e9) == 0.0, "that time is over"


@pytest.mark.parametrize(
    "said",
    [
        "", "soon", "-5", "1.5", "²", "Fri, 99 Nov 2026 18:01:30 GMT",
        "Fri, 27 Nov 2026 18:01:30 +99999999999999999999",
    ],
)  # fmt: skip
def test_what_cannot_be_read_asks_for_nothing(said: str) -> None:
    assert seconds_asked(said, now=0.0) == 0.0


def test_a_number_without_end_is_longer_than_anybody_waits() -> None:
    assert pauses()(seconds_asked("9" * 5000, now=0.0)) is None


def test_what_asks_for_too_much_is_given_up_at_once_and_says_how_much(gitlab: GitLab) -> None:
    asking = Asking(gitlab)
    gitlab.faults.add(Fault(status=429, retry_after=3600))
    with pytest.raises(ServiceUnavailable, match="it asks to wait 3600 s") as refused:
        asking.api.get(PACKAGES)
    assert refused.value.next == "try again in 3600 s"
    assert asking.pauses == []


def test_all_pauses_of_a_call_have_a_bound(gitlab: GitLab) -> None:
    asking = Asking(gitlab)
    gitlab.faults.add(Fault(status=429, retry_after=115, times=9))
    with pytest.raises(ServiceUnavailable, match="it asks to wait 115 s"):
        asking.api.get(PACKAGES)
    assert asking.pauses == [115.0, 115.0]
    assert sum(asking.pauses) <= IN_ALL_SECONDS


@pytest.mark.parametrize(
    "fault", [Fault(status=502, times=9), Fault(wrong="timeout", times=9), Fault(wrong="cut", times=9)]
)
def test_it_gives_up_with_exit_5(gitlab: GitLab, fault: Fault) -> None:
    asking = Asking(gitlab, patience=0.2)
    gitlab.faults.add(Fault(**{n: getattr(fault, n) for n in fault.__slots__}))
    gitlab.project.packages.clear()
    with pytest.raises(ServiceUnavailable) as refused:
        asking.api.get(PACKAGES)
    assert refused.value.exit_code == 5
    assert f"GET {PACKAGES}" in str(refused.value)
    assert len(asking.pauses) == TRIES - 1
    assert len(gitlab.requests) == TRIES


def test_what_must_not_be_done_twice_is_asked_once(gitlab: GitLab) -> None:
    asking = Asking(gitlab)
    gitlab.faults.add(Fault(status=502, done=True, method="POST"))
    with pytest.raises(ServiceUnavailable):
        asking.api.send("POST", "/projects/42/environments", {"name": "staging"})
    assert gitlab.count("POST", "environments") == 1
    gitlab.faults.add(Fault(status=429, method="POST"))
    asking.api.send("POST", "/projects/42/environments", {"name": "production"})
    assert [e["name"] for e in gitlab.project.environments.values()] == ["staging", "production"]


def test_a_refusal_names_the_variable_and_what_its_token_lacks(gitlab: GitLab) -> None:
    for asking in (
        Asking(gitlab, token="glpat-of-nobody"),
        Asking(gitlab, token=gitlab.project_token(scopes=("read_api",))),
    ):
        with pytest.raises(PermissionRefused) as refused:
            asking.api.send("POST", "/projects/42/environments", {"name": "x"})
        said = str(refused.value)
        assert refused.value.exit_code == 4
        assert "the token in THE_TOKEN" in said
        assert "role Developer, scope api" in said
        assert asking.token not in said + repr(refused.value)
    assert "(scope: api)" in said


def test_what_is_not_there_and_what_is_refused(gitlab: GitLab) -> None:
    asking = Asking(gitlab)
    with pytest.raises(NotFound) as missing:
        asking.api.get("/projects/42/packages/7")
    assert missing.value.exit_code == 4
    assert "404 Not Found" in missing.value.value and "404 404" not in missing.value.value
    assert "THE_TOKEN in Settings › CI/CD › Variables" in missing.value.next
    asking.api.send("POST", "/projects/42/protected_branches", {"name": "main"})
    with pytest.raises(GitlabRefuses, match="Protected branch 'main' already exists") as taken:
        asking.api.send("POST", "/projects/42/protected_branches", {"name": "main"})
    assert (taken.value.code, taken.value.exit_code) == (409, 2), "it will be there next time, too"
    gitlab.faults.add(Fault(status=409, times=1))
    with pytest.raises(GitlabRefuses) as others:
        asking.api.get("/projects/42")
    assert (others.value.code, others.value.exit_code, others.value.next) == (409, 5, "run the job again")
    assert asking.pauses == []


def test_lists_are_read_to_their_end(gitlab: GitLab) -> None:
    asking = Asking(gitlab)
    for number in range(205):
        asking.api.send("POST", "/projects/42/environments", {"name": f"e{number}"})
    assert len(list(asking.api.listed("/projects/42/environments"))) == 205
    assert gitlab.count("GET", "environments") == 3


def test_only_https_but_to_this_machine() -> None:
    with pytest.raises(UsageError, match="https only"):
        GitlabApi("http://gitlab.example.org/api/v4")
    GitlabApi("http://127.0.0.1:8080/api/v4")
