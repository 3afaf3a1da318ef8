"""Which files the packages of a store have: GitLab's lists, read as rarely as can be."""

from __future__ import annotations

import contextlib
import itertools
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from lockgate.errors import NotFound, ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lockgate.adapters.gitlab.api import GitlabApi
    from lockgate.adapters.gitlab.place import Place

__all__ = ["PACKAGE", "File", "NotLetIn", "PackageList"]

PACKAGE: Final = "lockgate-store"


class NotLetIn(ServiceUnavailable):
    """The store answers, and not to this token: another try does not help."""

    exit_code = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of a package as GitLab lists it; `modified_s`: POSIX seconds by GitLab's clock. A name that was put twice is two files."""

    package: int
    number: int
    name: str
    size_bytes: int
    modified_s: float
    sha256: str


class PackageList:
    """The versions of the package and their files. `client` makes a client; only the list itself may use it before `look`."""

    def __init__(self, place: Place, client: Callable[[], GitlabApi]) -> None:
        self._place, self._client = place, client
        self._numbers: dict[str, tuple[int, ...]] | None = None
        self._newest: dict[str, dict[str, File]] = {}
        self._cut: set[str] = set()  # versions of which only the first files were asked for
        self._lock = threading.Lock()

    def look(self) -> None:
        """Ask once whether GitLab shows us the packages: it hides what we may not see (404), and hidden must not look empty."""
        self.versions()

    def versions(self, *, again: bool = False) -> Mapping[str, tuple[int, ...]]:
        """Version → numbers. Old GitLab may have made two packages of one version when two writers came first at once."""
        with self._lock:
            if self._numbers is None or again:
                self._numbers = self._asked()
            return self._numbers

    def files(self, version: str, *, most: int | None = None) -> list[File]:
        """Every file of a version, or the `most` first ones, asked now; names that were put more than once are there more than once."""
        numbers = self.versions().get(version) or self.versions(again=True).get(version, ())
        found: list[File] = []
        for number in numbers:
            with contextlib.suppress(NotFound):  # somebody removed it meanwhile
                listed = self._client().listed(f"{self._place.path}/packages/{number}/package_files")
                found += [_file(number, said) for said in itertools.islice(listed, most)]
        return found

    def newest(self, version: str, *, most: int | None = None) -> Mapping[str, File]:
        """Name → the file that GitLab gives out, asked now and remembered."""
        found = {f.name: f for f in sorted(self.files(version, most=most), key=lambda f: f.number)}
        self._newest[version] = found
        self._cut.discard(version) if most is None else self._cut.add(version)
        return found

    def known(self, version: str, name: str) -> File | None:
        """One file that is there: as it was when its version was listed last, to the end, which may be now. It may have become younger since."""
        remembered = None if version in self._cut else self.remembered(version, name)
        return remembered or self.newest(version).get(name)

    def remembered(self, version: str, name: str) -> File | None:
        """The same, without a request: None where it is not known to be there."""
        return self._newest.get(version, {}).get(name)

    def forget(self, version: str) -> None:
        """Something was removed."""
        self._newest.pop(version, None)

    def _asked(self) -> dict[str, tuple[int, ...]]:
        found: dict[str, tuple[int, ...]] = {}
        at = f"{self._place.path}/packages?package_type=generic&package_name={PACKAGE}"
        try:
            for said in self._client().listed(at):
                if said["name"] == PACKAGE:  # GitLab also finds names that contain this one
                    found[said["version"]] = (*found.get(said["version"], ()), int(said["id"]))
        except NotFound as error:
            raise NotLetIn(
                "GitLab has no such project, or hides it from this token", value=error.value,
                allowed=f"{self._place}, its package registry on (Settings › General › Visibility), a token that may read it",
                next="look at [store] url in lockgate.toml, and at the token's role",
            ) from error  # fmt: skip
        return found


def _file(package: int, said: Any) -> File:
    return File(
        package=package, number=int(said["id"]), name=said["file_name"], size_bytes=int(said["size"]),
        modified_s=datetime.fromisoformat(said["created_at"]).timestamp(), sha256=said.get("file_sha256") or "",
    )  # fmt: skip
