"""Releases and their links. A release is one per tag; a tag that is not there is made from `ref`."""

from __future__ import annotations

from typing import Any, Final

from lockgate.testing.gitlab.http import Answer, Call, Refusal, Route, created, pages
from lockgate.testing.gitlab.people import DEVELOPER, MAINTAINER

__all__ = ["ROUTES"]

LINK_TYPES: Final = ("other", "runbook", "image", "package")


def _found(call: Call) -> dict[str, Any]:
    found = call.project.releases.get(call.named["tag_name"])
    if found is None:
        raise Refusal.of(404, "404 Not Found")
    return found


def _link(call: Call, links: list[dict[str, Any]], said: dict[str, Any]) -> dict[str, Any]:
    """A link that may be added: its name and its URL are new in the release."""
    for name in ("name", "url"):
        if name not in said:
            raise Refusal(400, {"error": f"{name} is missing"})
        if any(known[name] == said[name] for known in links):
            raise Refusal(400, {"message": [f"{name.title()} has already been taken"]})
    if not str(said["url"]).startswith(("http://", "https://", "ftp://")):
        raise Refusal(400, {"message": ["Url must be a valid URL"]})
    if said.get("link_type", "other") not in LINK_TYPES:
        raise Refusal(400, {"error": "link_type does not have a valid value"})
    kept = {
        "name": said["name"],
        "url": said["url"],
        "direct_asset_url": said["url"],
        "link_type": said.get("link_type", "other"),
    }
    return {"id": next(call.project.ids), **kept}


def _count(release: dict[str, Any]) -> None:
    release["assets"]["count"] = len(release["assets"]["links"]) + len(release["assets"]["sources"])


def listed(call: Call) -> Answer:
    """GET releases, the last first."""
    return pages(call, list(reversed(call.project.releases.values())))


def one(call: Call) -> Answer:
    """GET the release of a tag."""
    return Answer(200, _found(call))


def create(call: Call) -> Answer:
    """POST a release; 409 where the tag has one, 422 where there is neither tag nor ref."""
    (tag,) = call.need("tag_name")
    said, project = call.fields(), call.project
    if tag in project.releases:
        raise Refusal.of(409, "Release already exists")
    if tag not in project.tags and not said.get("ref"):
        raise Refusal.of(422, "Ref is not specified")
    project.tags.setdefault(tag, said.get("ref", ""))
    assert call.token is not None
    web = f"{call.base}/{project.path}/-/releases/{tag}"
    release: dict[str, Any] = {
        "tag_name": tag, "name": said.get("name") or tag, "description": said.get("description"), "created_at": project.stamp(),
        "released_at": said.get("released_at") or project.stamp(), "upcoming_release": False, "author": call.token.user.shown(),
        "commit": {"id": project.tags[tag]}, "evidences": [], "_links": {"self": web}, "assets": {"sources": [], "links": []},
    }  # fmt: skip
    for link in said.get("assets", {}).get("links", ()):
        release["assets"]["links"].append(_link(call, release["assets"]["links"], link))
    _count(release)
    project.releases[tag] = release
    return created(release)


def change(call: Call) -> Answer:
    """PUT name, description or time; links have routes of their own."""
    release, said = _found(call), call.fields()
    release |= {n: said[n] for n in ("name", "description", "released_at") if n in said}
    return Answer(200, release)


def forget(call: Call) -> Answer:
    """DELETE a release; the tag stays. 200 with what it was."""
    release = _found(call)
    del call.project.releases[release["tag_name"]]
    return Answer(200, release)


def links(call: Call) -> Answer:
    """GET links, the last first."""
    return pages(call, list(reversed(_found(call)["assets"]["links"])))


def add_link(call: Call) -> Answer:
    """POST a link."""
    release = _found(call)
    link = _link(call, release["assets"]["links"], call.fields())
    release["assets"]["links"].append(link)
    _count(release)
    return created(link)


def forget_link(call: Call) -> Answer:
    """DELETE a link."""
    release, number = _found(call), call.number("link_id")
    gone = next((known for known in release["assets"]["links"] if known["id"] == number), None)
    if gone is None:
        raise Refusal.of(404, "404 Not Found")
    release["assets"]["links"].remove(gone)
    _count(release)
    return Answer(200, gone)


ALL = "/projects/:id/releases"
ONE = f"{ALL}/:tag_name"
ROUTES: Final = (
    Route(method="GET", path=ALL, does=listed),
    Route(method="GET", path=ONE, does=one),
    Route(method="POST", path=ALL, does=create, role=DEVELOPER, note="409 when there; a tag is made from `ref`; evidence is collected later"),
    Route(method="PUT", path=ONE, does=change, role=DEVELOPER),
    Route(method="DELETE", path=ONE, does=forget, role=MAINTAINER, note="the tag stays"),
    Route(method="GET", path=f"{ONE}/assets/links", does=links),
    Route(method="POST", path=f"{ONE}/assets/links", does=add_link, role=DEVELOPER, note="name and URL are unique in a release; the words of the 400 are guessed"),
    Route(method="DELETE", path=f"{ONE}/assets/links/:link_id", does=forget_link, role=DEVELOPER),
)  # fmt: skip
