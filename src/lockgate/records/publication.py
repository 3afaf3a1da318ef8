"""A release as a forge shows it to people: under a name and a number, with files, numbers and words; and what a forge tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lockgate.errors import UsageError

__all__ = ["Agreed", "Deployed", "NumberTaken", "Publication", "Published"]


class NumberTaken(UsageError):
    """The number is another release's; nothing of this one was shown under it. `release`: whose, or the first digits of it."""

    release: str = ""

    @classmethod
    def by(cls, release: str, publication: Publication, *, next: str = "lockgate gitlab publish") -> NumberTaken:
        """With whose it is."""
        found = cls(
            f"version {publication.version} of {publication.name} is another release's", value=release,
            allowed=publication.release, next=next,
        )  # fmt: skip
        found.release = release
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What is published.

    Attributes:
        name: of the model. version: semantic, without `v`. release: its digest, `sha256:…`; it alone says which one it is.
        commit: of the release's files. words: Markdown for people.
        metrics: name → decimal. params: name → text. links: what people should open: words → file among the published ones.
        also: words → address of something elsewhere, such as the pipeline.
    """

    name: str
    version: str
    release: str
    commit: str
    words: str
    metrics: Mapping[str, str] = field(default_factory=dict[str, str])
    params: Mapping[str, str] = field(default_factory=dict[str, str])
    links: Mapping[str, str] = field(default_factory=dict[str, str])
    also: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def tag(self) -> str:
        """The git tag.

        >>> Publication(name="demand", version="1.2.0", release="sha256:ab", commit="", words="").tag
        'demand-v1.2.0'
        """
        return f"{self.name}-v{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Where it is now: addresses for people. `made`: what was not there before, in words; empty when all of it was."""

    page: str
    package: str
    model: str
    made: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """What one person said at the forge about a deployment. `said`: `approved` or `rejected`. `user`: number of the account."""

    user: str
    login: str
    said: str
    time: str
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A deployment as the forge lists it.

    Attributes:
        job: that makes it; empty: none does.
        asked: how many approvals the forge waits for in all; 0 where nobody is asked, or its tier has none. pending: still.
        approvals: what people said, the refusals too.
    """

    id: str
    commit: str
    status: str
    login: str
    job: str = ""
    asked: int = 0
    pending: int = 0
    approvals: tuple[Agreed, ...] = ()
