"""Environments, their protection (Premium), deployments and approvals of deployments (Premium)."""

from __future__ import annotations

from typing import Any, Final

from lockgate.testing.gitlab.http import Answer, Call, Refusal, Route, asked, created, pages
from lockgate.testing.gitlab.people import DEVELOPER, MAINTAINER
from lockgate.testing.gitlab.project import Project

__all__ = ["ROUTES", "environment_of"]

SETTABLE: Final = ("running", "success", "failed", "canceled")
PEOPLE: Final = ("project", "personal")


def environment_of(project: Project, name: str) -> dict[str, Any]:
    """The environment of a name, made when it is new."""
    found = next((e for e in project.environments.values() if e["name"] == name), None)
    if found is None:
        number, stamp = next(project.ids), project.stamp()
        tier = name if name in {"production", "staging", "testing", "development"} else "other"
        found = {
            "id": number, "name": name, "slug": name.replace("/", "-"), "external_url": None, "created_at": stamp,
            "updated_at": stamp, "tier": tier, "state": "available",
        }  # fmt: skip
        project.environments[number] = found
    return found


def environments(call: Call) -> Answer:
    """GET environments; `name` is exact, `search` is a part."""
    search = call.fields().get("search", "")
    found = [e for e in call.project.environments.values() if search in e["name"]]
    return pages(call, asked(call, found, "name"))


def environment(call: Call) -> Answer:
    """GET one environment with its last deployment."""
    found = call.project.environments.get(call.number("environment_id"))
    if found is None:
        raise Refusal.of(404, "404 Not Found")
    of_it = [
        d
        for d in call.project.deployments.values()
        if d["environment"]["id"] == found["id"] and d["status"] == "success"
    ]
    return Answer(200, found | {"last_deployment": of_it[-1] if of_it else None})


def make_environment(call: Call) -> Answer:
    """POST an environment; a name that is there is refused."""
    (name,) = call.need("name")
    if any(e["name"] == name for e in call.project.environments.values()):
        raise Refusal(400, {"message": {"name": ["has already been taken"], "slug": ["has already been taken"]}})
    said = call.fields()
    made = environment_of(call.project, name)
    made |= {n: said[n] for n in ("external_url", "tier") if n in said}
    return created(made)


def _deployment(call: Call) -> dict[str, Any]:
    found = call.project.deployments.get(call.number("deployment_id"))
    if found is None:
        raise Refusal.of(404, "404 Not Found")
    return found


def _basic(deployment: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in deployment.items() if k not in {"approvals", "approval_summary", "pending_approval_count"}}


def deployments(call: Call) -> Answer:
    """GET deployments, the oldest first unless `sort=desc`; without what only one of them shows."""
    said = call.fields()
    found = sorted(call.project.deployments.values(), key=lambda d: d["id"], reverse=said.get("sort") == "desc")
    found = [d for d in found if said.get("environment", d["environment"]["name"]) == d["environment"]["name"]]
    return pages(call, [_basic(d) for d in asked(call, found, "status")])  # type: ignore[arg-type]


def deployment(call: Call) -> Answer:
    """GET one deployment, with its approvals where the tier has them."""
    found = _deployment(call)
    return Answer(200, found if call.project.premium else _basic(found))


def deploy(call: Call) -> Answer:
    """POST a deployment that no job made; its environment is made when it is new."""
    name, sha, ref, tag, status = call.need("environment", "sha", "ref", "tag", "status")
    if status not in SETTABLE:
        raise Refusal(400, {"error": "status does not have a valid value"})
    assert call.token is not None
    project, number = call.project, next(call.project.ids)
    rule = project.protected_environments.get(name)
    if rule and call.token.role < min((r["access_level"] or 60 for r in rule["deploy_access_levels"]), default=60):
        raise Refusal.of(403, "403 Forbidden")
    made = {
        "id": number, "iid": len(project.deployments) + 1, "ref": ref, "sha": sha, "created_at": project.stamp(),
        "updated_at": project.stamp(), "user": call.token.user.shown(), "environment": environment_of(project, name),
        "deployable": None, "status": status, "tag": bool(tag), "pending_approval_count": 0, "approvals": [],
        "approval_summary": {"rules": []},
    }  # fmt: skip
    project.deployments[number] = made
    return created(_basic(made))


def redeploy(call: Call) -> Answer:
    """PUT the status of a deployment that no job made."""
    found = _deployment(call)
    (status,) = call.need("status")
    if status not in SETTABLE:
        raise Refusal(400, {"error": "status does not have a valid value"})
    if found["deployable"] is not None:
        raise Refusal.of(403, "403 Forbidden - Deployments created using GitLab CI can not be updated using the API")
    found |= {"status": status, "updated_at": call.project.stamp()}
    return Answer(200, _basic(found))


def approve(call: Call) -> Answer:
    """POST a person's word on a blocked deployment; one word per person, not that of who started it."""
    if not call.project.premium:
        raise Refusal(404, {"error": "404 Not Found"})
    found = _deployment(call)
    (status,) = call.need("status")
    if status not in {"approved", "rejected"}:
        raise Refusal(400, {"error": "status does not have a valid value"})
    if found["status"] != "blocked":
        raise Refusal.of(400, "This deployment is not waiting for approvals.")
    assert call.token is not None
    user = call.token.user.shown()
    rule = next((r for r in found["approval_summary"]["rules"] if call.token.role >= (r["access_level"] or 0)), None)
    if rule is None or user["id"] == found["user"]["id"]:
        raise Refusal.of(400, "You do not have permission to approve or reject this deployment.")
    word = {"user": user, "status": status, "created_at": call.project.stamp(), "comment": call.fields().get("comment")}
    rule["deployment_approvals"] = [w for w in rule["deployment_approvals"] if w["user"]["id"] != user["id"]] + [word]
    found["approvals"] = list(rule["deployment_approvals"])
    given = sum(w["status"] == "approved" for w in rule["deployment_approvals"])
    found["pending_approval_count"] = max(0, rule["required_approvals"] - given)
    return created(word)


def _premium(call: Call) -> None:
    if not call.project.premium:
        raise Refusal.of(404, "404 Not Found")


def protected(call: Call) -> Answer:
    """GET protected environments."""
    _premium(call)
    return pages(call, list(call.project.protected_environments.values()))


def protect(call: Call) -> Answer:
    """POST protection of an environment."""
    _premium(call)
    name, levels = call.need("name", "deploy_access_levels")
    if name in call.project.protected_environments:
        raise Refusal.of(409, f"Protected environment '{name}' already exists")
    rules = [
        {"id": next(call.project.ids), "required_approvals": 1, **r} for r in call.fields().get("approval_rules", ())
    ]
    made = {"name": name, "deploy_access_levels": levels, "required_approval_count": 0, "approval_rules": rules}
    call.project.protected_environments[name] = made
    return created(made)


def unprotect(call: Call) -> Answer:
    """DELETE protection."""
    _premium(call)
    if call.project.protected_environments.pop(call.named["name"], None) is None:
        raise Refusal.of(404, "404 Not Found")
    return Answer(204)


P = "/projects/:id"
ROUTES: Final = (
    Route(method="GET", path=f"{P}/environments", does=environments),
    Route(method="GET", path=f"{P}/environments/:environment_id", does=environment),
    Route(method="POST", path=f"{P}/environments", does=make_environment, role=DEVELOPER, note="a known name: 400"),
    Route(method="GET", path=f"{P}/deployments", does=deployments, note="oldest first; no approvals in the list"),
    Route(method="GET", path=f"{P}/deployments/:deployment_id", does=deployment, note="`approval_summary` on Premium only"),
    Route(method="POST", path=f"{P}/deployments", does=deploy, role=DEVELOPER, note="makes the environment"),
    Route(method="PUT", path=f"{P}/deployments/:deployment_id", does=redeploy, role=DEVELOPER, note="not for those of jobs"),
    Route(method="POST", path=f"{P}/deployments/:deployment_id/approval", does=approve, tokens=("personal",), role=DEVELOPER, seen="guessed", note="Premium; error texts are guessed, 404 without a licence too"),
    Route(method="GET", path=f"{P}/protected_environments", does=protected, tokens=PEOPLE, role=MAINTAINER, seen="guessed", note="Premium; 404 without a licence is guessed"),
    Route(method="POST", path=f"{P}/protected_environments", does=protect, tokens=PEOPLE, role=MAINTAINER, seen="guessed", note="Premium; request shape from the documentation"),
    Route(method="DELETE", path=f"{P}/protected_environments/:name", does=unprotect, tokens=PEOPLE, role=MAINTAINER, seen="guessed", note="Premium"),
)  # fmt: skip
