"""A review host takes a token only when GitLab says that it can do no more than read."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from lockgate.adapters.gitlab.reading import need_reading
from lockgate.errors import PermissionRefused, ServiceUnavailable
from lockgate.stores import remote_of
from lockgate.testing.gitlab import REPORTER, Fault, GitLab


@pytest.fixture
def gitlab(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitLab]:
    hosts = ("LOCKGATE_GITLAB_HOST", "LOCKGATE_LEDGER_HOST")
    for name in ("CI_JOB_TOKEN", "LOCKGATE_GITLAB_TOKEN", "LOCKGATE_LEDGER_TOKEN", "CI_PROJECT_PATH", *hosts):
        monkeypatch.delenv(name, raising=False)
    with GitLab() as double:
        monkeypatch.setenv("CI_API_V4_URL", double.api)
        monkeypatch.setenv("CI_SERVER_URL", double.api.removesuffix("/api/v4"))
        monkeypatch.setenv("CI_PROJECT_ID", str(double.project.id))
        yield double


def ask(store: str = "gitlab:", *, ledger: str = "") -> None:
    need_reading(store, Path(), ledger=ledger, pause=lambda _: None)


def remote(gitlab: GitLab) -> str:
    """The address of the project's repository on this GitLab."""
    return f"http://{urlsplit(gitlab.api).netloc}/group/shop.git"


@pytest.mark.parametrize("variable", ["LOCKGATE_GITLAB_TOKEN", "LOCKGATE_LEDGER_TOKEN"])
@pytest.mark.parametrize("scopes", [("api",), ("read_api", "write_repository"), ("read_api", "self_rotate")])
def test_more_than_reading_is_refused(
    gitlab: GitLab, monkeypatch: pytest.MonkeyPatch, variable: str, scopes: tuple[str, ...]
) -> None:
    secret = gitlab.project_token(role=REPORTER, scopes=scopes)
    monkeypatch.setenv(variable, secret)
    with pytest.raises(PermissionRefused) as refused:
        ask(ledger=remote(gitlab))
    assert scopes[-1] in refused.value.value
    assert f"export {variable}=" in refused.value.next
    assert secret not in str(refused.value)


@pytest.mark.parametrize(
    "scopes", [("read_api",), ("read_repository",), ("read_api", "read_registry", "read_repository")]
)
def test_reading_is_enough_whatever_the_scope(
    gitlab: GitLab, monkeypatch: pytest.MonkeyPatch, scopes: tuple[str, ...]
) -> None:
    monkeypatch.setenv("LOCKGATE_GITLAB_TOKEN", gitlab.person("ada", role=REPORTER, scopes=scopes))
    ask()
    assert gitlab.count("GET", "/personal_access_tokens/self") == 1


def test_nothing_is_asked_without_a_token(gitlab: GitLab) -> None:
    ask()
    assert not gitlab.requests


def test_a_job_token_is_refused(gitlab: GitLab, monkeypatch: pytest.MonkeyPatch) -> None:
    job = gitlab.job("review", pipeline=gitlab.pipeline())
    monkeypatch.setenv("CI_JOB_TOKEN", gitlab.job_token(job))
    with pytest.raises(PermissionRefused, match="CI_JOB_TOKEN"):
        ask()


@pytest.mark.parametrize("status", [404, 500])
def test_who_does_not_say_is_not_trusted(gitlab: GitLab, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    monkeypatch.setenv("LOCKGATE_GITLAB_TOKEN", gitlab.person("ada", scopes=("read_api",)))
    gitlab.faults.add(Fault(status=status, times=9))
    with pytest.raises(ServiceUnavailable, match="unset LOCKGATE_GITLAB_TOKEN"):
        ask()


def test_the_ledgers_token_is_shown_to_the_ledgers_host_alone(gitlab: GitLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither to the host of `origin` nor to that of the job: only to the ledger's, and only if the token is for it."""
    monkeypatch.setenv("LOCKGATE_LEDGER_TOKEN", gitlab.project_token(role=REPORTER, scopes=("read_repository",)))
    monkeypatch.setenv("LOCKGATE_LEDGER_HOST", "gitlab.example.org")
    with pytest.raises(ServiceUnavailable, match="it is for gitlab.example.org"):
        ask(ledger=remote(gitlab))
    with pytest.raises(ServiceUnavailable, match="unset LOCKGATE_LEDGER_TOKEN"):
        ask(ledger="")
    assert not gitlab.requests
    for name in ("CI_API_V4_URL", "CI_PROJECT_ID", "CI_SERVER_URL"):
        monkeypatch.delenv(name)
    with pytest.raises(ServiceUnavailable, match="it is for gitlab.example.org"):
        ask(ledger=remote(gitlab))
    monkeypatch.delenv("LOCKGATE_LEDGER_HOST")
    with pytest.raises(ServiceUnavailable, match="LOCKGATE_LEDGER_HOST is not set"):
        ask(ledger=remote(gitlab))
    assert not gitlab.requests
    monkeypatch.setenv("LOCKGATE_LEDGER_HOST", urlsplit(gitlab.api).netloc)  # the twin
    ask(ledger=remote(gitlab))
    assert gitlab.count("GET", "/personal_access_tokens/self") == 1


@pytest.mark.parametrize(
    ("url", "expected"),
    [("git:", "https://one.example/g/p.git"), ("git:two#b", "git@two.example:g/p.git"), ("s3://bucket/x", "")],
)
def test_the_ledgers_remote_need_not_be_origin(tmp_path: Path, url: str, expected: str) -> None:
    for command in (
        ("init", "--quiet"),
        ("remote", "add", "origin", "https://one.example/g/p.git"),
        ("remote", "add", "two", "git@two.example:g/p.git"),
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    assert remote_of(url, tmp_path) == expected
