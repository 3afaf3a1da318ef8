"""Files of model versions and of runs: packages of their own kind, the one place where a job token may come as Bearer."""

from __future__ import annotations

from typing import Any, Final

from lockgate.testing.gitlab.http import ANY, Answer, Call, Refusal, Route
from lockgate.testing.gitlab.mlflow_registry import version_numbered
from lockgate.testing.gitlab.mlflow_runs import PEOPLE, WRITE
from lockgate.testing.gitlab.packages import keep_file, latest
from lockgate.testing.gitlab.people import REPORTER
from lockgate.testing.gitlab.project import Package, Project

__all__ = ["ROUTES"]


def _package(project: Project, ref: str) -> tuple[str, str]:
    """Name and version of the package behind `17` (a version) or `candidate:3` (a run)."""
    number = ref.removeprefix("candidate:")
    if ref.startswith("candidate:"):
        run = next((r for r in project.runs.values() if str(r["iid"]) == number), None)
        if run is None:
            raise Refusal.of(404, "404 Not Found")
        return project.experiments[int(run["info"]["experiment_id"])]["name"], f"candidate_{number}"
    version = version_numbered(project, ref)
    if version is None:
        raise Refusal.of(404, "404 Not Found")
    return version["name"], version["semver"]


def put(call: Call) -> Answer:
    """PUT a file, in folders too."""
    name, version = _package(call.project, call.named["ref"])
    job = call.token.job if call.token else None
    keep_file(
        call.project, kind="ml_model", name=name, version=version, file=call.named["file"], content=call.body, job=job
    )
    return Answer(201, {"message": "201 Created"})


def get(call: Call) -> Answer:
    """GET a file."""
    name, version = _package(call.project, call.named["ref"])
    found = latest(call.project, kind="ml_model", name=name, version=version, file=call.named["file"])
    return Answer(200, found.content, {"Content-Type": "application/octet-stream"})


def _held(project: Project, ref: str) -> Package | None:
    name, version = _package(project, ref)
    return next((p for p in project.packages if (p.kind, p.name, p.version) == ("ml_model", name, version)), None)


def artifacts(call: Call) -> Answer:
    """GET the names of the files as MLflow's client asks; below a folder there is nothing."""
    (path,) = call.need("path")
    ref, _, below = str(path).partition("/")
    package = None if below else _held(call.project, ref)
    files: list[dict[str, Any]] = [
        {"path": f.name, "is_dir": False, "file_size": len(f.content)} for f in (package.files if package else ())
    ]
    return Answer(200, {"files": files})


def artifact(call: Call) -> Answer:
    """GET a file as MLflow's client asks. There is no PUT here."""
    return get(call)


FILES = "/projects/:id/packages/ml_models/:ref/files/*file"
API = "/projects/:id/ml/mlflow/api/2.0/mlflow-artifacts/artifacts"
ROUTES: Final = (
    Route(method="PUT", path=FILES, does=put, tokens=ANY, role=WRITE, bearer_job=True, note="`:ref` is the integer of a version or `candidate:IID`; Bearer, a job token too"),
    Route(method="GET", path=FILES, does=get, tokens=ANY, role=REPORTER, bearer_job=True),
    Route(method="GET", path=API, does=artifacts, tokens=PEOPLE, role=REPORTER, note="a folder is empty"),
    Route(method="GET", path=f"{API}/:ref/*file", does=artifact, tokens=PEOPLE, role=REPORTER, note="no PUT here"),
)  # fmt: skip
