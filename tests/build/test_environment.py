"""What the code of a project sees of the environment: no secret, by name or by value, and everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from build.working_copy import HEAD, WorkingCopy
from lockgate.build.environment import hidden, without_secrets
from lockgate.records.digest import digest

SECRETS = [
    "PGPASSWORD", "MYSQL_PWD", "GITHUB_PAT", "APIKEY", "OPENAI_APIKEY", "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "LOCKGATE_KEY",
    "SHOP_TOKEN", "SHOP_TOKEN_FILE", "db_password", "GOOGLE_APPLICATION_CREDENTIALS", "SSH_PRIVATE_KEY", "DEPLOY_KEY", "CLIENT_SECRET",
    "SSH_AUTH_SOCK", "NPM_AUTH",
]  # fmt: skip
HARMLESS = [
    "SORT_KEY", "PARTITION_KEY", "PWD", "OLDPWD", "PATH", "HOME", "KEYBOARD", "MONKEY", "TOKENIZERS_PARALLELISM", "MAX_TOKENS",
    "COMPAT", "AUTHOR", "LANG",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_told_by_its_name(name: str) -> None:
    assert without_secrets({name: "x"}) == {}


@pytest.mark.parametrize("name", HARMLESS)
def test_other_names_stay(name: str) -> None:
    assert without_secrets({name: "x"}) == {name: "x"}


@pytest.mark.parametrize(
    ("name", "value", "gone"),
    [
        ("DATABASE_URL", "postgres://ada:pw@host/db", True),
        ("DATABASE_URL", "postgres://host/db", False),
        ("SENTRY_DSN", "https://user:pass@sentry/1", True),
        ("HOMEPAGE_URL", "https://host/a:b@c", False),
        ("NOTE", "see http://a:b@c", False),
    ],
)
def test_an_address_with_a_password_is_a_secret(name: str, value: str, gone: bool) -> None:
    assert hidden(name, value) is gone


ASKS = (
    HEAD
    + """
import os

@step
def a() -> str:
    return os.environ["PGPASSWORD"]

flow = Pipeline("flow", kind="data", steps=[a])
"""
)


def test_who_misses_a_secret_is_told_who_removed_it(tmp_path: Path) -> None:
    copy = WorkingCopy(tmp_path, ASKS)
    done = copy.command("run", PGPASSWORD="hunter2")
    assert done.returncode == 1, done.stderr
    assert "Lockgate removed it" in done.stderr
    kept = [p for p in (tmp_path / ".lockgate").rglob("*") if p.is_file()]
    trail = digest("environment", "hunter2").encode()
    assert not any(trail in p.read_bytes() for p in kept), "not even its digest is kept"
    copy.edit("flow/steps.py", "@step", "os.environ['PGPASSWORD']\n@step")
    done = copy.command("plan", PGPASSWORD="hunter2")
    assert done.returncode == 2, done.stderr
    assert "Lockgate removed it" in done.stderr
