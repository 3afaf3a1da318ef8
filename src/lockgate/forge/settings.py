"""`[gitlab]` of `lockgate.toml`: where the pipeline's jobs run. Everything has a default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal, cast

from lockgate.forge.gitlab_includes import exact, include_of, unpinned
from lockgate.records.frozen import field, frozen

if TYPE_CHECKING:
    from lockgate.records.digest import Json
    from lockgate.records.tables import Table

__all__ = ["TIERS", "GitlabSettings", "read_gitlab"]

TIERS: Final = ("production", "staging", "testing", "development", "other")
"""The words that GitLab knows; it refuses a pipeline with another one."""

TIER_WORDS: Final = {
    "prod": "production",
    "live": "production",
    "stag": "staging",
    "test": "testing",
    "dev": "development",
}
KEYS: Final = (
    "approvals",
    "cache",
    "cache_key",
    "child_bytes",
    "downstream",
    "environments",
    "image",
    "includes",
    "merge_requests",
    "note",
    "publish",
    "review",
    "setup",
    "steps",
    "tags",
    "variables",
)


@frozen(kw_only=True)
class GitlabSettings:
    """What `[gitlab]` says.

    Attributes:
        image: container image of every job; it needs Python, git and a shell.
        setup: shell lines before each job's commands, such as installing packages.
        tags: which runners take the jobs.
        cache: folders that are kept between jobs; nothing is believed that lies there (packages are checked against the
            lock file, objects against their digests). cache_key: files whose change empties it; GitLab takes two.
        variables: environment of every job, such as the address of a package index.
        merge_requests: `gates`: a merge request's release is proposed and judged, which needs a key there; `training`: it is
            only made.
        note: whether `gitlab report` writes a note under the merge request: `try`: it says why where it cannot; `require`: then
            its job fails; `off`.
        publish: whether a release that reached the last environment is published; it needs a token that a team has to make.
        steps: `pipelines`: one job for each data and training pipeline; `child`: one for each step that the plan says runs.
        child_bytes: a larger child pipeline has one job for each pipeline. GitLab takes 5 MB, and refuses what takes more
            than 2 MB of its memory unless its operator allows more; the file's text is a fifth of that.
        includes: files of others that a `.gitlab-ci.yml` may include, as `exact` writes them: what they say of our jobs counts,
            and nobody here sees it.
        approvals: how people agree where the policy takes the forge's word: `button`: they start a job; `deployment`: they
            approve the deployment itself, for which GitLab must be licensed; where it asks nobody, nothing is deployed.
        review, review_days: address of a merge request's review app, with `{branch}` in it, empty: none; days until it ends.
        downstream, downstream_branch: project whose pipeline is started with each delivered release; empty: none.
        urls, tiers: environment → its address, and its tier where its name does not say.
    """

    image: str = "python:3.12"
    setup: tuple[str, ...] = ("python -m pip install --quiet --requirement requirements.txt",)
    tags: tuple[str, ...] = ()
    cache: tuple[str, ...] = (".cache/pip/",)
    cache_key: tuple[str, ...] = ("requirements.txt",)
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    merge_requests: Literal["gates", "training"] = "gates"
    steps: Literal["pipelines", "child"] = "pipelines"
    child_bytes: int = 400_000
    publish: bool = False
    note: Literal["try", "require", "off"] = "try"
    includes: tuple[str, ...] = ()
    approvals: Literal["button", "deployment"] = "button"
    review: str = ""
    review_days: int = 14
    downstream: str = ""
    downstream_branch: str = "main"
    urls: Mapping[str, str] = field(default_factory=dict[str, str])
    tiers: Mapping[str, str] = field(default_factory=dict[str, str])

    def tier(self, environment: str, *, last: bool) -> str:
        """The tier of an environment: as said, else by its name, else production for the last one of the way.

        >>> GitlabSettings().tier("staging-eu", last=False), GitlabSettings().tier("shops", last=True)
        ('staging', 'production')
        """
        if environment in self.tiers:
            return self.tiers[environment]
        named = next((tier for word, tier in TIER_WORDS.items() if word in environment.lower()), None)
        return named or ("production" if last else "staging")


def read_gitlab(table: Table) -> GitlabSettings:
    """Read the table. Raises UsageError for unknown keys and wrong values."""
    table.only(*KEYS)
    usual = GitlabSettings()
    places = table.tables("environments")
    for place in places.values():
        place.only("tier", "url")
    variables = table.table("variables")
    review, downstream = table.table("review"), table.table("downstream")
    review.only("url", "days")
    downstream.only("project", "branch")
    if review.content and "{branch}" not in review.text("url"):
        raise review.wrong(
            "url", review.text("url"), 'an address with {branch} in it: "https://{branch}.review.example.org"'
        )
    key = table.texts("cache_key", usual.cache_key)
    if len(key) > 2:
        raise table.wrong("cache_key", list(key), "at most two files: GitLab takes no more")
    return GitlabSettings(
        image=table.text("image", usual.image),
        setup=table.texts("setup", usual.setup),
        tags=table.texts("tags", ()),
        cache=table.texts("cache", usual.cache),
        cache_key=key,
        variables={name: variables.text(name) for name in variables.content},
        merge_requests=table.one_of("merge_requests", ("gates", "training"), usual.merge_requests),
        steps=table.one_of("steps", ("pipelines", "child"), usual.steps),
        child_bytes=table.number("child_bytes", usual.child_bytes, least=10_000, most=5_000_000),
        publish=table.truth("publish", usual.publish),
        note=table.one_of("note", ("try", "require", "off"), usual.note),
        includes=tuple(_include(table, i) for i in _list(table, "includes")),
        approvals=table.one_of("approvals", ("button", "deployment"), usual.approvals),
        review=review.text("url", ""),
        review_days=review.number("days", usual.review_days, least=1, most=365),
        downstream=downstream.text("project") if downstream.content else "",
        downstream_branch=downstream.text("branch", usual.downstream_branch),
        urls={name: place.text("url") for name, place in places.items() if "url" in place.content},
        tiers={name: place.one_of("tier", TIERS) for name, place in places.items() if "tier" in place.content},
    )


def _list(table: Table, key: str) -> list[Json]:
    found = table.content.get(key, [])
    if not isinstance(found, list):
        raise table.wrong(key, found, 'a list, such as [{ project = "group/ci", ref = "COMMIT", file = "/lint.yml" }]')
    return cast("list[Json]", found)


def _include(table: Table, given: Json) -> str:
    """An include that is allowed, exactly as it stands in the YAML file, so that nobody else can change what it brings."""
    item = include_of(given)
    if lacking := unpinned(item):
        raise table.wrong("includes", exact(item), f"pinned by {lacking}")
    return exact(item)
