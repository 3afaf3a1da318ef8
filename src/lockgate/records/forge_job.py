"""The job of a forge (GitLab, or another) that a command runs in: what a release's proposal says of its pipeline."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from lockgate.records.digest import Json

__all__ = ["FORGE", "NEAR", "ForgeJob", "account_of", "api_of", "instance_of", "job_in", "job_of", "slug_of"]

FORGE: Final = "forge"
"""In `extra` of `Proposed`: the job that proposed the release."""

VARIABLES: Final[Mapping[str, Mapping[str, str]]] = {
    "gitlab": {
        "pipeline": "CI_PIPELINE_ID", "commit": "CI_COMMIT_SHA", "job": "CI_JOB_ID", "ref": "CI_COMMIT_REF_NAME",
        "project": "CI_PROJECT_PATH", "address": "CI_SERVER_URL", "user": "GITLAB_USER_ID",
        "change": "CI_MERGE_REQUEST_IID",
    },
}  # fmt: skip
"""Kind of forge → field → the variable by which it tells its jobs."""

NEAR: Final = ("127.0.0.1", "::1", "localhost")
"""This machine itself: the only hosts that may be asked without TLS."""

ACCOUNT: Final = re.compile(r"(?P<kind>[a-z]+):(?P<instance>[\w.\-\[\]:]+(/[\w.+-]+)*)/(?P<user>\d+)", re.ASCII)


def account_of(kind: str, address: str, user: str) -> str:
    """The alias by which a register of people knows an account. By its number: a name can be given to somebody else.

    >>> account_of("gitlab", "https://gitlab.example.org", "42")
    'gitlab:gitlab.example.org/42'

    The whole address counts: below the same host may lie an instance of a folder, or a file that anybody wrote.

    >>> account_of("gitlab", "https://example.org/gitlab", "42")
    'gitlab:example.org/gitlab/42'
    """
    return f"{kind}:{address.partition('://')[2].rstrip('/')}/{user}"


def instance_of(account: str, kind: str) -> str:
    """The instance of an account, host with its port and folder; empty for an alias that is no account of this kind of forge.

    >>> instance_of("gitlab:example.org/gitlab/42", "gitlab"), instance_of("ann@example.org", "gitlab")
    ('example.org/gitlab', '')
    """
    found = ACCOUNT.fullmatch(account)
    return found["instance"] if found and found["kind"] == kind else ""


def api_of(issuer: str) -> str:
    """Where a GitLab instance answers.

    >>> api_of("https://example.org/gitlab")
    'https://example.org/gitlab/api/v4'
    """
    return f"{issuer}/api/v4"


def slug_of(ref: str) -> str:
    """A branch as it may stand in a host name, as GitLab's `CI_COMMIT_REF_SLUG`: at most 63 of a to z, 0 to 9 and `-`.

    >>> slug_of("feature/Better_Holidays!")
    'feature-better-holidays'
    """
    return re.sub(r"[^a-z0-9]", "-", ref.lower())[:63].strip("-")


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeJob:
    """One job. `user` is the number of the account that started it at `address`, `change` that of the merge request. `pipeline` and `commit` say which pipeline it belongs to; the rest is for people."""

    kind: str
    pipeline: str
    commit: str
    job: str = ""
    ref: str = ""
    project: str = ""
    address: str = ""
    user: str = ""
    change: str = ""

    @property
    def account(self) -> str:
        """Who started the job, as a register of people knows the account; empty where the forge did not say.

        >>> ForgeJob(kind="gitlab", pipeline="12", commit="ab", address="https://gitlab.example.org", user="42").account
        'gitlab:gitlab.example.org/42'
        """
        return account_of(self.kind, self.address, self.user) if self.address and self.user else ""

    def is_of_the_pipeline(self, other: ForgeJob | None) -> bool:
        """Whether both jobs belong to one pipeline."""
        mine = (self.kind, self.pipeline, self.commit)
        return other is not None and mine == (other.kind, other.pipeline, other.commit)

    @property
    def words(self) -> str:
        """The pipeline as people call it.

        >>> ForgeJob(kind="gitlab", pipeline="12", commit="0123456789abcdef").words
        'pipeline 12 of commit 01234567'
        """
        return f"pipeline {self.pipeline} of commit {self.commit[:8]}"

    @property
    def page(self) -> str:
        """The address of the pipeline's page; empty where the forge did not say.

        >>> ForgeJob(kind="gitlab", pipeline="12", commit="ab", address="https://gitlab.example.org", project="g/shop").page
        'https://gitlab.example.org/g/shop/-/pipelines/12'
        """
        if not self.address or not self.project:
            return ""
        return f"{self.address.rstrip('/')}/{self.project}/-/pipelines/{self.pipeline}"


def job_in(environment: Mapping[str, str]) -> ForgeJob | None:
    """The job that these environment variables tell of; None outside of a pipeline.

    >>> job_in({"CI_PIPELINE_ID": "12", "CI_COMMIT_SHA": "ab", "CI_JOB_ID": "3"})
    ForgeJob(kind='gitlab', pipeline='12', commit='ab', job='3', ref='', project='', address='', user='', change='')
    >>> job_in({"CI_PIPELINE_ID": "12"}) is None
    True
    """
    for kind, names in VARIABLES.items():
        if environment.get(names["pipeline"]) and environment.get(names["commit"]):
            return ForgeJob(kind=kind, **{field: environment.get(name, "") for field, name in names.items()})
    return None


def job_of(extra: Mapping[str, Json]) -> ForgeJob | None:
    """The job that a proposal names; None for one that was made elsewhere, and for what cannot be read."""
    said = extra.get(FORGE)
    if not isinstance(said, Mapping):
        return None
    told = cast("Mapping[str, Json]", said)
    known = {n: v for n in ForgeJob.__dataclass_fields__ if isinstance(v := told.get(n), str)}
    return ForgeJob(**known) if known.keys() >= {"kind", "pipeline", "commit"} else None
