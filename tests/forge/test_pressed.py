"""Which GitLab's word counts: one that the signed register names, whatever the variables of a job say."""

from __future__ import annotations

import pytest

from lockgate.errors import PermissionRefused
from lockgate.forge.pressed import pinned
from lockgate.records.forge_job import account_of

ROOT, FOLDER = "gitlab:gitlab.example.org/42", "gitlab:example.org/gitlab/7"


@pytest.mark.parametrize(
    ("alias", "server"),
    [
        (ROOT, "https://gitlab.example.org"),
        (ROOT, "https://gitlab.example.org/"),
        (FOLDER, "https://example.org/gitlab"),
        ("gitlab:gitlab.example.org:8443/42", "https://gitlab.example.org:8443"),
        ("gitlab:127.0.0.1:8080/42", "http://127.0.0.1:8080"),
    ],
)
def test_an_instance_of_the_register_is_asked(alias: str, server: str) -> None:
    issuer = server.rstrip("/")
    assert pinned([alias, "ann@example.org"], server=server, api=f"{issuer}/api/v4") == issuer
    assert account_of("gitlab", issuer, alias.rpartition("/")[2]) == alias


EVIL = "https://gitlab.example.org/mallory/pub/-/raw/main/x"


@pytest.mark.parametrize(
    ("server", "api", "field"),
    [
        (EVIL, f"{EVIL}/api/v4", "CI_SERVER_URL"),
        ("https://evil.example", "https://evil.example/api/v4", "CI_SERVER_URL"),
        ("http://gitlab.example.org", "http://gitlab.example.org/api/v4", "CI_SERVER_URL"),
        ("https://gitlab.example.org:444", "https://gitlab.example.org:444/api/v4", "CI_SERVER_URL"),
        ("https://mallory@gitlab.example.org", "https://gitlab.example.org/api/v4", "CI_SERVER_URL"),
        ("https://gitlab.example.org?x=", "https://gitlab.example.org/api/v4", "CI_SERVER_URL"),
        ("https://gitlab.example.org#", "https://gitlab.example.org/api/v4", "CI_SERVER_URL"),
        ("gitlab.example.org", "https://gitlab.example.org/api/v4", "CI_SERVER_URL"),
        ("", "", "CI_SERVER_URL"),
        ("https://gitlab.example.org", f"{EVIL}/api/v4", "CI_API_V4_URL"),
        ("https://gitlab.example.org", "http://gitlab.example.org/api/v4", "CI_API_V4_URL"),
        ("https://gitlab.example.org", "https://gitlab.example.org/api/v4?x=", "CI_API_V4_URL"),
        ("https://example.org", "https://example.org/api/v4", "CI_SERVER_URL"),
    ],
)
def test_any_other_is_refused_by_the_variable(server: str, api: str, field: str) -> None:
    with pytest.raises(PermissionRefused, match=f"counts here: {field}"):
        pinned([ROOT, FOLDER], server=server, api=api)


def test_a_register_without_accounts_names_no_instance() -> None:
    with pytest.raises(PermissionRefused, match="no person in the register") as refused:
        pinned(["ann@example.org"], server="https://gitlab.example.org", api="https://gitlab.example.org/api/v4")
    assert "--alias gitlab:gitlab.example.org/NUMBER" in refused.value.next


def test_a_file_on_the_same_host_is_another_account() -> None:
    """An attestation under keys of a file that anybody wrote is of nobody the register knows."""
    assert account_of("gitlab", EVIL, "42") != account_of("gitlab", "https://gitlab.example.org", "42")
