"""GitLab's model registry by its MLflow-compatible API: a model, a candidate run with its numbers, a version of the model.

GitLab's own rules, which differ from MLflow's: the semantic version is a tag when a version is made and an alias afterwards; a
version owns a run; recent GitLab lets it own the run that is named, older GitLab makes another one. So the numbers are written
to whichever run the version owns. Tags and parameters can be written once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from lockgate.adapters.gitlab.making import once
from lockgate.errors import NotFound, UsageError
from lockgate.records.publication import NumberTaken

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockgate.adapters.gitlab.api import GitlabApi
    from lockgate.records.publication import Publication

__all__ = ["Registry"]

RELEASE: Final = "lockgate.release"
"""The tag by which a run and a version say which release they are."""
NUMBER: Final = "lockgate.version"
LONGEST_PARAMETER: Final = 250


class Registry:
    """One project's registry. `now`: seconds since 1970, for what GitLab asks a time of."""

    def __init__(
        self, api: GitlabApi, project: str, *, pause: Callable[[float], None], now: Callable[[], float]
    ) -> None:
        self._api, self._pause, self._now = api, pause, now
        self._mlflow = f"/projects/{project}/ml/mlflow/api/2.0"
        self._files = f"/projects/{project}/packages/ml_models"

    def is_ours(self, publication: Publication) -> bool:
        """Whether the number is this release's already; False: nobody's. Raises NumberTaken, UsageError where a person made it."""
        found = self._named(publication)
        return found is not None and self._checked(found, publication)

    def publish(self, publication: Publication, small: tuple[str, bytes], *, job: str = "") -> tuple[str, list[str]]:
        """Model, run, numbers and version; the version's address, and what was new. `small`: a file to hang on the version.

        `job`: the CI job that the run is linked with; it must exist, or GitLab answers 500.
        """
        made: list[str] = []
        if self._model(publication.name):
            made.append(f"model {publication.name}")
        run, is_new = self._run(publication, job)
        made += [f"candidate run {run['info']['run_name']}"] if is_new else []
        version, is_new = self._version(publication, run["info"]["run_id"])
        made += [f"model version {publication.version}"] if is_new else []
        for run_id in dict.fromkeys((run["info"]["run_id"], version["run_id"])):
            made += ["its numbers"] if self._complete(run_id, publication) else []
        made += [f"{small[0]} of the model version"] if self._file(version["version"], *small) else []
        return str(version["source"]), made

    def _get(self, where: str, **query: str) -> Any:
        """What is there, or None."""
        try:
            return self._api.get(f"{self._mlflow}/{where}?{urlencode(query)}")
        except NotFound:
            return None

    def _post(self, path: str, said: dict[str, Any]) -> Any:
        return self._api.send("POST", f"{self._mlflow}/mlflow/{path}", said)

    def _model(self, name: str) -> bool:
        find = lambda: self._get("mlflow/registered-models/get", name=name)  # noqa: E731
        return once(find, lambda: self._post("registered-models/create", {"name": name}), pause=self._pause)[1]

    def _run(self, publication: Publication, job: str) -> tuple[Any, bool]:
        """The run that says it is this release, in the model's own experiment: only from there a version takes it over."""
        experiment = self._get("mlflow/experiments/get-by-name", experiment_name=f"[model]{publication.name}")
        if experiment is None:
            raise NotFound("GitLab made the model without its experiment", value=f"[model]{publication.name}")
        number = experiment["experiment"]["experiment_id"]
        tags = {RELEASE: publication.release, NUMBER: publication.version}
        if job:
            tags["gitlab.CI_JOB_ID"] = job
        said = {
            "experiment_id": int(number), "run_name": f"{publication.name}-{publication.version}",
            "start_time": int(self._now() * 1000), "tags": _pairs(tags),
        }  # fmt: skip
        return once(
            lambda: self._run_of(number, tags),
            lambda: self._post("runs/create", said)["run"], pause=self._pause,
        )  # fmt: skip

    def _run_of(self, experiment: str, tags: dict[str, str]) -> Any:
        """The run of this release and number: one that was begun under a number which another release has then is passed by."""
        token, wanted = None, _pairs({k: tags[k] for k in (RELEASE, NUMBER)})
        while True:
            asked: dict[str, Any] = {"experiment_ids": [experiment], "max_results": 200}
            found = self._api.send(
                "POST",
                f"{self._mlflow}/mlflow/runs/search",
                asked | ({"page_token": token} if token else {}),
                again=True,
            )
            for run in found.get("runs") or ():
                if all(tag in run["data"]["tags"] for tag in wanted):
                    return run
            token = found.get("next_page_token")
            if not token:
                return None

    def _version(self, publication: Publication, run_id: str) -> tuple[Any, bool]:
        tags = _pairs({"gitlab.version": publication.version, RELEASE: publication.release})
        said = {"name": publication.name, "description": publication.words, "run_id": run_id, "tags": tags}

        version, is_new = once(
            lambda: self._named(publication),
            lambda: self._post("model-versions/create", said)["model_version"], pause=self._pause,
        )  # fmt: skip
        self._checked(version, publication)
        return version, is_new

    def _named(self, publication: Publication) -> Any:
        """The version of this number, or None."""
        found = self._get("mlflow/registered-models/alias", name=publication.name, alias=publication.version)
        return found and found["model_version"]

    def _checked(self, version: Any, publication: Publication) -> bool:
        """True; raises where it is not this release."""
        held = {t["key"]: t["value"] for t in version["tags"]}.get(RELEASE)
        if held and held != publication.release:
            raise NumberTaken.by(held, publication, next=f"look at {version['source']}")
        if not held:
            raise UsageError(
                f"model version {publication.version} of {publication.name} in GitLab's registry is not this release",
                value="nobody says which one it is", allowed=publication.release,
                next=f"look at {version['source']}; a version that was made by hand has to go",
            )  # fmt: skip
        return True

    def _complete(self, run_id: str, publication: Publication) -> bool:
        """What of the numbers is not there yet, then the end of the run; whether anything was missing."""
        run = self._get("mlflow/runs/get", run_id=run_id)["run"]
        held = {m["key"] for m in run["data"]["metrics"]}, {p["key"] for p in run["data"]["params"]}
        at = int(self._now() * 1000)
        metrics = [
            {"key": k, "value": float(v), "timestamp": at, "step": 0}
            for k, v in publication.metrics.items()
            if k not in held[0]
        ]
        params = _pairs({k: v[:LONGEST_PARAMETER] for k, v in publication.params.items() if k not in held[1]})
        if metrics or params:
            self._log(run_id, metrics, params)
        if run["info"]["status"] != "FINISHED":
            said = {"run_id": run_id, "status": "FINISHED", "end_time": at}
            self._api.send("POST", f"{self._mlflow}/mlflow/runs/update", said, again=True)
        return bool(metrics or params)

    def _log(self, run_id: str, metrics: list[Any], params: list[Any]) -> None:
        """A metric that is logged twice is there twice, so it is asked for before it is logged again."""

        def find() -> Any:
            data = self._get("mlflow/runs/get", run_id=run_id)["run"]["data"]
            whole = {m["key"] for m in metrics} <= {m["key"] for m in data["metrics"]} and {
                p["key"] for p in params
            } <= {p["key"] for p in data["params"]}
            return data if whole else None

        said = {"run_id": run_id, "metrics": metrics, "params": params, "tags": []}
        once(find, lambda: self._post("runs/log-batch", said) and None, pause=self._pause)

    def _file(self, version: str, name: str, data: bytes) -> bool:
        def find() -> Any:
            listed = self._get("mlflow-artifacts/artifacts", path=version)
            return next((f for f in (listed or {}).get("files", ()) if f["path"] == name), None)

        def put() -> None:
            headers = {"Content-Type": "application/octet-stream"}
            self._api.call("PUT", f"{self._files}/{version}/files/{quote(name)}", data, headers=headers, again=False)

        return once(find, put, pause=self._pause)[1]


def _pairs(named: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": k, "value": v} for k, v in named.items()]
