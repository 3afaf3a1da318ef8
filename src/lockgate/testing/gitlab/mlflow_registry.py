"""The MLflow-compatible API: registered models and model versions, with GitLab's own idea of versions: a semantic one, shown as alias."""

from __future__ import annotations

import re
from typing import Any, Final

from lockgate.testing.gitlab.http import Answer, Call, Refusal, Route
from lockgate.testing.gitlab.mlflow_runs import PEOPLE, WRITE, bad, made_run, make_experiment, missing
from lockgate.testing.gitlab.people import REPORTER
from lockgate.testing.gitlab.project import Project

__all__ = ["ROUTES", "version_numbered"]

SEMVER: Final = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")


def _model(project: Project, name: str | None) -> dict[str, Any]:
    found = project.models.get(name or "")
    if found is None:
        raise missing()
    return found


def _order(version: dict[str, Any]) -> tuple[int, int, int, bool]:
    found = SEMVER.fullmatch(version["semver"])
    assert found is not None
    return int(found[1]), int(found[2]), int(found[3]), found[4] is None


def _versions(project: Project, name: str) -> list[dict[str, Any]]:
    return sorted((v for v in project.versions.values() if v["name"] == name), key=_order)


def _shown_version(call: Call, version: dict[str, Any]) -> dict[str, Any]:
    """The integer is the version for MLflow; the semantic version is an alias."""
    web = f"{call.base}/{call.project.path}/-/ml/models/{version['name']}/versions/{version['id']}"
    return {
        "name": version["name"], "version": str(version["id"]), "aliases": [version["semver"]], "run_id": version["run_id"],
        "source": web, "current_stage": "development", "status": "READY", "status_message": "", "tags": version["tags"],
        "run_link": "", "user_id": None, "description": version["description"], "creation_timestamp": version["at"],
        "last_updated_timestamp": version["at"],
    }  # fmt: skip


def _shown(call: Call, model: dict[str, Any]) -> dict[str, Any]:
    latest = _versions(call.project, model["name"])[-1:]
    return model | {"latest_versions": [_shown_version(call, v) for v in latest]}


def create_model(call: Call) -> Answer:
    """POST a model, and the experiment `[model]<name>` with it."""
    (name,) = call.need("name")
    if name in call.project.models:
        raise Refusal(400, {"error_code": "RESOURCE_ALREADY_EXISTS"})
    if not re.fullmatch(r"[A-Za-z0-9._\-+]+", name):
        raise bad(["Name is invalid"])
    at, said = int(call.project.now.timestamp()), call.fields()
    assert call.token is not None
    call.project.models[name] = {
        "name": name, "creation_timestamp": at, "last_updated_timestamp": at, "description": said.get("description") or "",
        "user_id": str(call.token.user.id), "tags": list(said.get("tags") or ()),
    }  # fmt: skip
    make_experiment(call.project, f"[model]{name}")
    return Answer(200, {"registered_model": _shown(call, call.project.models[name])})


def get_model(call: Call) -> Answer:
    """GET a model with its highest version."""
    return Answer(200, {"registered_model": _shown(call, _model(call.project, call.fields().get("name")))})


def update_model(call: Call) -> Answer:
    """PATCH the description."""
    model = _model(call.project, call.fields().get("name"))
    model["description"] = call.fields().get("description") or ""
    return Answer(200, {"registered_model": _shown(call, model)})


def delete_model(call: Call) -> Answer:
    """DELETE a model with its versions."""
    name = _model(call.project, call.fields().get("name"))["name"]
    del call.project.models[name]
    for number in [n for n, v in call.project.versions.items() if v["name"] == name]:
        del call.project.versions[number]
    return Answer(200, {})


def latest(call: Call) -> Answer:
    """POST: the highest version, whatever stages are asked."""
    model = _model(call.project, call.fields().get("name"))
    return Answer(200, {"model_versions": _shown(call, model)["latest_versions"]})


def search_models(call: Call) -> Answer:
    """GET models; only `name='x'` is a filter, and GitLab splits it at `=`."""
    said = call.fields()
    models = list(call.project.models.values())
    if said.get("filter"):
        parts = str(said["filter"]).split("=")
        if parts[0].strip() != "name":
            raise bad("Invalid attribute key specified. Valid keys are '{'name'}'")
        # What a client appends with AND stays part of the name, and finds nothing.
        models = [m for m in models if m["name"] == "=".join(parts[1:]).strip().strip("'")]
    return Answer(200, {"registered_models": [_shown(call, m) for m in models], "next_page_token": None})


def _by_semver(call: Call, field: str) -> dict[str, Any]:
    name, semver = call.need("name", field)
    _model(call.project, name)
    found = next((v for v in _versions(call.project, name) if v["semver"] == semver), None)
    if found is None:
        raise missing()
    return found


def by_alias(call: Call) -> Answer:
    """GET the version whose semantic version is the alias."""
    return Answer(200, {"model_version": _shown_version(call, _by_semver(call, "alias"))})


def _semver(call: Call, name: str, tags: list[dict[str, str]]) -> str:
    """What the tag says, or a major step after the highest, or 1.0.0."""
    told = next((t["value"] for t in tags if t["key"] == "gitlab.version"), None)
    known = _versions(call.project, name)
    semver = told or (f"{_order(known[-1])[0] + 1}.0.0" if known else "1.0.0")
    if not SEMVER.fullmatch(semver):
        raise bad(["Version must be a semantic version"])
    if any(v["semver"] == semver for v in known):
        raise bad(["Version has already been taken"])
    return semver


def _promoted(call: Call, name: str, run_id: str) -> dict[str, Any]:
    run = call.project.runs.get(run_id)
    if run is None:
        raise bad(["Run not found"])
    if run["version"] is not None:
        raise bad(["Run has already a model version"])
    if call.project.experiments[int(run["info"]["experiment_id"])]["name"] != f"[model]{name}":
        raise bad(["Run's experiment does not belong to this model"])
    return run


def create_version(call: Call) -> Answer:
    """POST a version. It owns a run: the one that is named, or a new one where `promotes` is off or none is named."""
    said, project = call.fields(), call.project
    model = _model(project, said.get("name"))
    name: str = model["name"]
    tags: list[dict[str, str]] = list(said.get("tags") or [])
    semver = _semver(call, name, tags)
    assert call.token is not None
    if said.get("run_id") and project.promotes:
        run = _promoted(call, name, said["run_id"])
    else:
        experiment = next(e["experiment_id"] for e in project.experiments.values() if e["name"] == f"[model]{name}")
        run = made_run(project, experiment, {}, user=str(call.token.user.id), base=call.base)
    number = next(project.ids)
    project.versions[number] = {
        "id": number, "name": name, "semver": semver, "run_id": run["info"]["run_id"], "tags": tags,
        "description": said.get("description") or "", "at": int(project.now.timestamp()),
    }  # fmt: skip
    run["version"] = number
    return Answer(200, {"model_version": _shown_version(call, project.versions[number])})


def get_version(call: Call) -> Answer:
    """GET a version by its semantic version."""
    return Answer(200, {"model_version": _shown_version(call, _by_semver(call, "version"))})


def download_uri(call: Call) -> Answer:
    """GET where the files of a version are: by the integer, and unchecked."""
    call.need("name")
    return Answer(200, {"artifact_uri": f"mlflow-artifacts:/{call.number('version')}"})


def update_version(call: Call) -> Answer:
    """PATCH the description; all three fields are needed."""
    said = call.fields()
    if not all(said.get(n) for n in ("name", "version", "description")):
        raise bad()
    try:
        version = _by_semver(call, "version")
    except Refusal:
        raise Refusal(400, {"error_code": "UPDATE_FAILED"}) from None
    version["description"] = said["description"]
    return Answer(200, {"model_version": _shown_version(call, version)})


def version_numbered(project: Project, number: str) -> dict[str, Any] | None:
    """The version of an integer."""
    return project.versions.get(int(number)) if number.isdigit() else None


API = "/projects/:id/ml/mlflow/api/2.0/mlflow"
_read: dict[str, Any] = {"method": "GET", "tokens": PEOPLE, "role": REPORTER, "hides": True}
_write: dict[str, Any] = {"tokens": PEOPLE, "role": WRITE, "hides": True}
ROUTES: Final = (
    Route(method="POST", path=f"{API}/registered-models/create", does=create_model, note="makes the experiment `[model]NAME` too; times in seconds", **_write),
    Route(path=f"{API}/registered-models/get", does=get_model, **_read),
    Route(method="PATCH", path=f"{API}/registered-models/update", does=update_model, **_write),
    Route(method="DELETE", path=f"{API}/registered-models/delete", does=delete_model, **_write),
    Route(method="POST", path=f"{API}/registered-models/get-latest-versions", does=latest, note="stages are ignored", tokens=PEOPLE, role=REPORTER),
    Route(path=f"{API}/registered-models/search", does=search_models, note="only `name='x'`", **_read),
    Route(path=f"{API}/registered-models/alias", does=by_alias, note="the alias is the semantic version; there is no setting one", **_read),
    Route(method="POST", path=f"{API}/model-versions/create", does=create_version, note="`gitlab.version` is the semantic version; `run_id` is promoted by recent versions, ignored by older ones", **_write),
    Route(path=f"{API}/model-versions/get", does=get_version, note="`version` is the semantic one", **_read),
    Route(path=f"{API}/model-versions/get-download-uri", does=download_uri, note="`version` is the integer", **_read),
    Route(method="PATCH", path=f"{API}/model-versions/update", does=update_version, **_write),
)  # fmt: skip
