"""The project itself, who asks, protected branches and commit statuses."""

from __future__ import annotations

from typing import Any, Final

from lockgate.testing.gitlab.http import Answer, Call, Refusal, Route, asked, created, pages
from lockgate.testing.gitlab.people import DEVELOPER, GUEST, MAINTAINER, REPORTER

__all__ = ["ROUTES"]

PEOPLE: Final = ("project", "personal")
STATES: Final = ("pending", "running", "success", "failed", "canceled", "skipped")
LEVELS: Final = {0: "No one", 30: "Developers + Maintainers", 40: "Maintainers"}


def project(call: Call) -> Answer:
    """GET the project."""
    p = call.project
    web = f"{call.base}/{p.path}"
    named = {"id": p.id, "name": p.path.rsplit("/", 1)[-1], "path_with_namespace": p.path, "web_url": web}
    return Answer(200, {**named, "default_branch": p.default_branch, "visibility": "private"})


def user(call: Call) -> Answer:
    """GET who the token acts as."""
    assert call.token is not None
    return Answer(200, call.token.user.shown())


def branches(call: Call) -> Answer:
    """GET protected branches."""
    return pages(call, list(call.project.protected_branches.values()))


def branch(call: Call) -> Answer:
    """GET one protected branch; one that is not protected is not found."""
    found = call.project.protected_branches.get(call.named["name"])
    if found is None:
        raise Refusal.of(404, "404 Not Found")
    return Answer(200, found)


def protect(call: Call) -> Answer:
    """POST protection; maintainers push and merge unless told."""
    (name,) = call.need("name")
    if name in call.project.protected_branches:
        raise Refusal.of(409, f"Protected branch '{name}' already exists")
    said = call.fields()

    def levels(field: str) -> list[dict[str, Any]]:
        level = int(said.get(field, 40))
        return [
            {"id": next(call.project.ids), "access_level": level, "access_level_description": LEVELS.get(level, "")}
        ]

    made = {
        "id": next(call.project.ids), "name": name, "push_access_levels": levels("push_access_level"),
        "merge_access_levels": levels("merge_access_level"), "allow_force_push": bool(said.get("allow_force_push", False)),
    }  # fmt: skip
    call.project.protected_branches[name] = made
    return created(made)


def unprotect(call: Call) -> Answer:
    """DELETE protection."""
    branch(call)
    del call.project.protected_branches[call.named["name"]]
    return Answer(204)


def set_status(call: Call) -> Answer:
    """POST a status of a commit; one per name, and none twice while it is open."""
    (state,) = call.need("state")
    if state not in STATES:
        raise Refusal(400, {"error": "state does not have a valid value"})
    said, sha = call.fields(), call.named["sha"]
    name = said.get("name") or said.get("context") or "default"
    found = next((s for s in call.project.statuses[sha] if s["name"] == name), None)
    if found and found["status"] == state and state in {"pending", "running"}:
        event = {"pending": "enqueue", "running": "run"}[state]
        raise Refusal.of(
            400,
            f'Cannot transition status via :{event} from :{state} (Reason(s): Status cannot transition via "{event}")',
        )
    assert call.token is not None
    if found is None:
        found = {
            "id": next(call.project.ids),
            "sha": sha,
            "name": name,
            "ref": said.get("ref"),
            "created_at": call.project.stamp(),
        }
        call.project.statuses[sha].append(found)
    kept = {n: said.get(n, found.get(n)) for n in ("target_url", "description", "coverage")}
    found |= {"status": state, "author": call.token.user.shown(), "allow_failure": False, **kept}
    return created(found)


def statuses(call: Call) -> Answer:
    """GET the statuses of a commit."""
    return pages(call, asked(call, call.project.statuses[call.named["sha"]], "name", "ref"))


P = "/projects/:id"
ROUTES: Final = (
    Route(method="GET", path=P, does=project, seen="guessed", tokens=PEOPLE, role=GUEST, note="a few of its fields"),
    Route(method="GET", path="/user", does=user, seen="guessed", tokens=PEOPLE, role=0),
    Route(method="GET", path=f"{P}/protected_branches", does=branches, seen="guessed", tokens=PEOPLE, role=DEVELOPER),
    Route(method="GET", path=f"{P}/protected_branches/:name", does=branch, seen="guessed", tokens=PEOPLE, role=DEVELOPER),
    Route(method="POST", path=f"{P}/protected_branches", does=protect, tokens=PEOPLE, role=MAINTAINER, note="40 unless told; a known name: 409"),
    Route(method="DELETE", path=f"{P}/protected_branches/:name", does=unprotect, seen="guessed", tokens=PEOPLE, role=MAINTAINER),
    Route(method="POST", path=f"{P}/statuses/:sha", does=set_status, tokens=PEOPLE, role=DEVELOPER, seen="guessed", note="from the documentation; that no job token may is guessed"),
    Route(method="GET", path=f"{P}/repository/commits/:sha/statuses", does=statuses, seen="guessed", tokens=PEOPLE, role=REPORTER),
)  # fmt: skip
