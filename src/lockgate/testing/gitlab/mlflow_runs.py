"""The MLflow-compatible API: experiments and their runs (candidates). Every success is 200, every failure has an `error_code`."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any, Final

from lockgate.testing.gitlab.http import Answer, Call, Refusal, Route
from lockgate.testing.gitlab.people import DEVELOPER, REPORTER
from lockgate.testing.gitlab.project import Project

__all__ = ["PEOPLE", "ROUTES", "WRITE", "bad", "found_run", "made_run", "make_experiment", "missing"]

PEOPLE: Final = ("project", "personal")
READ: Final = REPORTER
WRITE: Final = DEVELOPER
STATES: Final = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")
MOST: Final = 1000


def missing() -> Refusal:
    """404 as MLflow's client knows it."""
    return Refusal(404, {"error_code": "RESOURCE_DOES_NOT_EXIST"})


def bad(message: Any = None) -> Refusal:
    """400: a value that is not taken."""
    return Refusal(400, {"error_code": "INVALID_PARAMETER_VALUE", **({} if message is None else {"message": message})})


def _experiment(call: Call) -> dict[str, Any]:
    found = call.project.experiments.get(call.number("experiment_id"))
    if found is None:
        raise missing()
    return found


def _by_name(project: Project, name: str) -> dict[str, Any] | None:
    return next((e for e in project.experiments.values() if e["name"] == name), None)


def make_experiment(project: Project, name: str, tags: list[dict[str, str]] | None = None) -> dict[str, Any]:
    """A new experiment; its id counts within the project."""
    number = len(project.experiments) + 1
    made = {
        "experiment_id": str(number), "name": name, "lifecycle_stage": "active", "artifact_location": "not_implemented",
        "tags": list(tags or ()),
    }  # fmt: skip
    project.experiments[number] = made
    return made


def get_experiment(call: Call) -> Answer:
    """GET an experiment by its number."""
    return Answer(200, {"experiment": _experiment(call)})


def get_experiment_by_name(call: Call) -> Answer:
    """GET an experiment by its name."""
    (name,) = call.need("experiment_name")
    found = _by_name(call.project, name)
    if found is None:
        raise missing()
    return Answer(200, {"experiment": found})


def list_experiments(call: Call) -> Answer:
    """GET all experiments."""
    return Answer(200, {"experiments": list(call.project.experiments.values())})


def _page(call: Call, things: list[Any]) -> tuple[list[Any], str | None]:
    """MLflow's pages: a token instead of a number."""
    said = call.fields()
    most, start = min(MOST, int(said.get("max_results") or 200)), int(said.get("page_token") or 0)
    return things[start : start + most], str(start + most) if start + most < len(things) else None


def search_experiments(call: Call) -> Answer:
    """POST a search; its filter is ignored."""
    found, following = _page(call, list(call.project.experiments.values()))
    return Answer(200, {"experiments": found, "next_page_token": following})


def create_experiment(call: Call) -> Answer:
    """POST an experiment; a known name is refused."""
    (name,) = call.need("name")
    if _by_name(call.project, name):
        raise Refusal(400, {"error_code": "RESOURCE_ALREADY_EXISTS"})
    made = make_experiment(call.project, name, call.fields().get("tags"))
    return Answer(200, {"experiment_id": made["experiment_id"]})


def tag_experiment(call: Call) -> Answer:
    """POST a tag; a second value of a key is refused."""
    _, key, value = call.need("experiment_id", "key", "value")
    _once(_experiment(call)["tags"], key, value)
    return Answer(200, {})


def delete_experiment(call: Call) -> Answer:
    """POST the end of an experiment."""
    found = _experiment(call)
    del call.project.experiments[int(found["experiment_id"])]
    return Answer(200, {})


def _once(kept: list[dict[str, str]], key: str, value: str) -> None:
    if any(known["key"] == key for known in kept):
        raise bad()
    kept.append({"key": key, "value": str(value)})


def _named(said: dict[str, Any], number: int) -> str:
    tag = next((t["value"] for t in said.get("tags") or () if t["key"] == "mlflow.runName"), None)
    return said.get("run_name") or tag or f"able-newt-{number}"


def made_run(project: Project, experiment: str, said: dict[str, Any], *, user: str, base: str) -> dict[str, Any]:
    """A new run. Its files go to the package `candidate:<iid>`."""
    number = len(project.runs) + 1
    run_id = str(uuid.UUID(hashlib.sha256(f"{project.id} run {number}".encode()).hexdigest()[:32]))
    info = {
        "run_id": run_id, "run_uuid": run_id, "experiment_id": experiment, "start_time": int(said.get("start_time") or 0),
        "run_name": _named(said, number), "status": "RUNNING", "lifecycle_stage": "active", "user_id": user,
        "artifact_uri": f"{base}/api/v4/projects/{project.id}/packages/ml_models/candidate:{number}/files/",
    }  # fmt: skip
    data: dict[str, list[Any]] = {"metrics": [], "params": [], "tags": []}
    made = {"info": info, "data": data, "iid": number, "version": None}
    for tag in said.get("tags") or ():
        _tag(project, made, tag["key"], tag["value"])
    project.runs[run_id] = made
    return made


def _tag(project: Project, run: dict[str, Any], key: str, value: str) -> None:
    # A job that does not exist raises in the service, and this entry point does not catch it.
    if key == "gitlab.CI_JOB_ID" and (not str(value).isdigit() or int(value) not in project.jobs):
        raise Refusal.of(500, "500 Internal Server Error")
    _once(run["data"]["tags"], key, value)


def _shown(run: dict[str, Any]) -> dict[str, Any]:
    return {"info": run["info"], "data": run["data"]}


def found_run(call: Call) -> dict[str, Any]:
    """The run that a call names."""
    (run_id,) = call.need("run_id")
    if run_id not in call.project.runs:
        raise missing()
    return call.project.runs[run_id]


def create_run(call: Call) -> Answer:
    """POST a run."""
    experiment = _experiment(call)
    assert call.token is not None
    user = str(call.token.user.id)
    return Answer(
        200,
        {"run": _shown(made_run(call.project, experiment["experiment_id"], call.fields(), user=user, base=call.base))},
    )


def get_run(call: Call) -> Answer:
    """GET a run."""
    return Answer(200, {"run": _shown(found_run(call))})


def search_runs(call: Call) -> Answer:
    """POST a search: of the first experiment only; a metric that nobody has finds nothing; no filter."""
    (experiments,) = call.need("experiment_ids")
    runs = [r for r in call.project.runs.values() if r["info"]["experiment_id"] == str(experiments[0])]
    order = call.fields().get("order_by") or "created_at DESC"
    column, _, way = (order[0] if isinstance(order, list) else order).partition(" ")
    if column.startswith("metrics."):
        key = column.removeprefix("metrics.").strip("`")
        values = {m["key"]: m["value"] for r in runs for m in r["data"]["metrics"]}
        runs = [r for r in runs if any(m["key"] == key for m in r["data"]["metrics"])] if key in values else []
        runs.sort(key=lambda r: next(m["value"] for m in reversed(r["data"]["metrics"]) if m["key"] == key))
    elif column == "name":
        runs.sort(key=lambda r: r["info"]["run_name"])
    found, following = _page(call, runs[::-1] if way.upper() == "DESC" else runs)
    return Answer(200, {"runs": [_shown(r) for r in found], "next_page_token": following})


def update_run(call: Call) -> Answer:
    """POST status and end."""
    run, said = found_run(call), call.fields()
    if said.get("status", "RUNNING") not in STATES:
        raise Refusal(400, {"error": "status does not have a valid value"})
    run["info"] |= {n: said[n] for n in ("status", "end_time") if said.get(n)}
    return Answer(200, {"run_info": run["info"]})


def _metric(said: dict[str, Any]) -> dict[str, Any]:
    return {
        "key": said["key"],
        "value": float(said["value"]),
        "timestamp": int(said["timestamp"]),
        "step": int(said.get("step") or 0),
    }


def log_metric(call: Call) -> Answer:
    """POST one value of a metric."""
    call.need("run_id", "key", "value", "timestamp")
    found_run(call)["data"]["metrics"].append(_metric(call.fields()))
    return Answer(200, {})


def log_parameter(call: Call) -> Answer:
    """POST a parameter; a second value of a key is refused."""
    _, key, value = call.need("run_id", "key", "value")
    _once(found_run(call)["data"]["params"], key, value)
    return Answer(200, {})


def set_tag(call: Call) -> Answer:
    """POST a tag; a second value of a key is refused."""
    _, key, value = call.need("run_id", "key", "value")
    _tag(call.project, found_run(call), key, value)
    return Answer(200, {})


def log_batch(call: Call) -> Answer:
    """POST many; of parameters and tags that are there already nothing is said. Metrics are added once more."""
    run, said = found_run(call), call.fields()
    run["data"]["metrics"] += [_metric(m) for m in said.get("metrics") or ()]
    for kind in ("params", "tags"):
        known = {k["key"] for k in run["data"][kind]}
        for pair in said.get(kind) or ():
            if pair["key"] not in known:
                _tag(call.project, run, pair["key"], pair["value"]) if kind == "tags" else _once(
                    run["data"][kind], pair["key"], pair["value"]
                )
                known.add(pair["key"])
    return Answer(200, {})


def delete_run(call: Call) -> Answer:
    """POST the end of a run."""
    run = found_run(call)
    if run["version"] is not None:
        raise Refusal.of(400, "Cannot delete a candidate associated to a model version")
    del call.project.runs[run["info"]["run_id"]]
    return Answer(200, {})


def history(call: Call) -> Answer:
    """GET every value of a metric of a run."""
    run, (key,) = found_run(call), call.need("metric_key")
    found, following = _page(call, [m for m in run["data"]["metrics"] if m["key"] == key])
    return Answer(200, {"metrics": found, "next_page_token": following})


API = "/projects/:id/ml/mlflow/api/2.0/mlflow"
_get: dict[str, Any] = {"method": "GET", "tokens": PEOPLE, "role": READ, "hides": True}
_post: dict[str, Any] = {"method": "POST", "tokens": PEOPLE, "role": WRITE, "hides": True}
ROUTES: Final = (
    Route(path=f"{API}/experiments/get", does=get_experiment, **_get),
    Route(path=f"{API}/experiments/get-by-name", does=get_experiment_by_name, **_get),
    Route(path=f"{API}/experiments/list", does=list_experiments, **_get),
    Route(path=f"{API}/experiments/search", does=search_experiments, note="filter ignored", **_post),
    Route(path=f"{API}/experiments/create", does=create_experiment, note="a known name: RESOURCE_ALREADY_EXISTS", **_post),
    Route(path=f"{API}/experiments/set-experiment-tag", does=tag_experiment, **_post),
    Route(path=f"{API}/experiments/delete", does=delete_experiment, **_post),
    Route(path=f"{API}/runs/create", does=create_run, **_post),
    Route(path=f"{API}/runs/get", does=get_run, **_get),
    Route(path=f"{API}/runs/search", does=search_runs, note="the first experiment only; no filter", **_post),
    Route(path=f"{API}/runs/update", does=update_run, **_post),
    Route(path=f"{API}/runs/log-metric", does=log_metric, **_post),
    Route(path=f"{API}/runs/log-parameter", does=log_parameter, note="twice: 400", **_post),
    Route(path=f"{API}/runs/set-tag", does=set_tag, note="twice: 400; a `gitlab.CI_JOB_ID` that is no job: 500", **_post),
    Route(path=f"{API}/runs/log-batch", does=log_batch, note="known parameters and tags are passed over", **_post),
    Route(path=f"{API}/runs/delete", does=delete_run, note="the words of the 400 are guessed", **_post),
    Route(path=f"{API}/metrics/get-history", does=history, note="recent versions only", **_get),
)  # fmt: skip
