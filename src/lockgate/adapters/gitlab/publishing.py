"""A release among GitLab's packages and on its page of releases: files first, the page that names them last."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from lockgate.abreast import at_once
from lockgate.adapters.gitlab.making import once
from lockgate.adapters.gitlab.package_answers import taken
from lockgate.errors import NotFound, UsageError
from lockgate.records.publication import NumberTaken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from lockgate.adapters.gitlab.api import GitlabApi
    from lockgate.records.publication import Publication

__all__ = ["Packages", "file_name"]

DIGITS: Final = 12
PLAIN: Final = re.compile(r"[A-Za-z0-9._\-+]+")


def file_name(path: str) -> str:
    """A path of a release as the name of a package's file, which has no folders; and back by `urllib.parse.unquote` of `+` as `%`.

    >>> file_name("code/shop/pipelines.py")
    'code+2Fshop+2Fpipelines.py'
    """
    return quote(path, safe="").replace("~", "%7E").replace("%", "+")


class Packages:
    """Generic packages and releases of one project.

    The version of a package is `SEMVER+DIGITS`, the first digits of the release in SemVer's place for such things: so a list of
    packages says which release has which version, and two releases can never share a package. A number belongs to the release
    whose package came first: two jobs that begin at once see that after their first file, and the second one takes another number.
    """

    def __init__(self, api: GitlabApi, address: str, project: str, *, pause: Callable[[float], None]) -> None:
        self._api, self._address, self._pause = api, address, pause
        self._project = f"/projects/{project}"

    def versions(self, name: str) -> dict[str, tuple[str, ...]]:
        """Version → first digits of each release that has a package of it, the first one first."""
        found: dict[str, tuple[str, ...]] = {}
        listed = self._api.listed(f"{self._project}/packages?package_type=generic&package_name={quote(name)}")
        for package in sorted(listed, key=lambda p: p["id"]):
            version, plus, digits = str(package["version"]).partition("+")
            if package["name"] == name and plus:  # GitLab also finds names that contain this one
                found[version] = (*found.get(version, ()), digits)
        return found

    def check(self, publication: Publication, *, is_ours: bool) -> None:
        """Raise NumberTaken when the number is another release's, UsageError for a name that GitLab does not take.

        `is_ours`: the model registry says so already.
        """
        if not PLAIN.fullmatch(publication.name):
            raise UsageError(
                "GitLab takes no such name for a package", value=publication.name, allowed="letters, digits, . _ - +"
            )
        if not is_ours:
            self._check_first(publication)

    def _check_first(self, publication: Publication) -> None:
        first = next(iter(self.versions(publication.name).get(publication.version, ())), None)
        if first is not None and first != _digits(publication):
            raise NumberTaken.by(first, publication)

    def upload(self, publication: Publication, files: Mapping[str, Path], *, is_ours: bool) -> list[str]:
        """Every file that is not there with these very bytes; how many were new, in words. Raises as `check` does."""
        held = self._held(publication)
        new = [path for path, file in files.items() if held.get(file_name(path)) != _sha256(file)]
        for path in new[:1]:
            self._upload(publication, path, files[path])
            if not is_ours:  # the first file makes the package, and so claims the number
                self._check_first(publication)
        for _ in at_once(lambda path: self._upload(publication, path, files[path]), new[1:]):
            pass
        return [f"{len(new)} of {len(files)} files of package {publication.name} {publication.version}"] if new else []

    def _upload(self, publication: Publication, path: str, file: Path) -> None:
        """A file that was not there a moment ago: looked for only when nobody knows whether it was put."""
        wanted, target, looked = _sha256(file), self.place(publication, path), iter((False,))

        def find() -> str | None:
            if not next(looked, True):
                return None
            return wanted if self._held(publication).get(file_name(path)) == wanted else None

        def put() -> str | None:
            headers = {"Content-Type": "application/octet-stream"}
            took = taken(self._api.call("PUT", f"{target}?select=package_file", file, headers=headers, again=False))
            return wanted if took == wanted else None

        once(find, put, pause=self._pause)

    def _held(self, publication: Publication) -> dict[str, str]:
        """File → sha256 of the one that was put last, which is the one that GitLab gives out."""
        at = f"{self._project}/packages?package_type=generic&package_name={quote(publication.name)}"
        for package in self._api.listed(at):
            if (package["name"], package["version"]) == (publication.name, _package_version(publication)):
                files = self._api.listed(f"{self._project}/packages/{package['id']}/package_files")
                return {f["file_name"]: f["file_sha256"] for f in sorted(files, key=lambda f: f["id"])}
        return {}

    def place(self, publication: Publication, path: str) -> str:
        """Where a file of the package is, below the API's address."""
        version = quote(_package_version(publication), safe="+")
        return f"{self._project}/packages/generic/{quote(publication.name)}/{version}/{file_name(path)}"

    def page(self, publication: Publication, model: str) -> tuple[str, list[str]]:
        """The release's page with its links; its address, and what was new."""
        at = f"{self._project}/releases/{quote(publication.tag, safe='')}"
        links = self._links(publication, model)
        said = {
            "tag_name": publication.tag, "ref": publication.commit, "name": f"{publication.name} {publication.version}",
            "description": publication.words, "assets": {"links": links},
        }  # fmt: skip

        def find() -> Any:
            try:
                return self._api.get(at)
            except NotFound:
                return None

        found, is_new = once(find, lambda: self._api.send("POST", f"{self._project}/releases", said), pause=self._pause)
        if publication.release not in str(found.get("description")):
            raise UsageError(
                f"the release page {publication.tag} is not this release's", value=str(found["_links"]["self"]),
                allowed=f"a page that names {publication.release}", next="look at it; a page that was made by hand has to go",
            )  # fmt: skip
        added = [] if is_new else self._add_links(at, links, {k["url"] for k in found["assets"]["links"]})
        return str(found["_links"]["self"]), [f"release page {publication.tag}"] if is_new else added

    def _add_links(self, at: str, links: list[dict[str, str]], held: set[str]) -> list[str]:
        missing = [link for link in links if link["url"] not in held]
        for link in missing:
            find = lambda url=link["url"]: next(  # noqa: E731
                (k for k in self._api.listed(f"{at}/assets/links") if k["url"] == url), None
            )
            once(find, lambda link=link: self._api.send("POST", f"{at}/assets/links", link), pause=self._pause)
        return [f"link {link['name']}" for link in missing]

    def _links(self, publication: Publication, model: str) -> list[dict[str, str]]:
        files = {words: self._address + self.place(publication, path) for words, path in publication.links.items()}
        other = {"model version": model, **publication.also}
        return [
            *({"name": w, "url": url, "link_type": "package"} for w, url in files.items()),
            *({"name": w, "url": url, "link_type": "other"} for w, url in other.items()),
        ]


def _digits(publication: Publication) -> str:
    return publication.release.removeprefix("sha256:")[:DIGITS]


def _package_version(publication: Publication) -> str:
    return f"{publication.version}+{_digits(publication)}"


def _sha256(file: Path) -> str:
    with file.open("rb") as read:
        return hashlib.file_digest(read, "sha256").hexdigest()
