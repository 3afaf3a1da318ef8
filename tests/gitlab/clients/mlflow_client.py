"""What MLflow's own client does on the double. Run by the Python of `.venv/clients`; prints one JSON object of findings."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def main(folder: Path, job: str) -> None:
    import mlflow
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client, found = MlflowClient(), {"client": mlflow.__version__}

    def refused(do: object) -> str:
        try:
            do()
        except MlflowException as error:
            return next((c for c in ("404 Not Found", "405 Not Allowed") if c in str(error)), error.error_code)
        return ""

    # Experiments and runs.
    mlflow.set_experiment("shop")
    with mlflow.start_run(run_name="first") as run:
        mlflow.log_params({"depth": 3, "rate": 0.1})
        mlflow.log_metric("wape", 0.12, step=1)
        mlflow.log_metrics({"wape": 0.11, "bias": 0.01}, step=2)
        mlflow.set_tag("team", "pricing")
        mlflow.log_text("hello", "note.txt")
    read = client.get_run(run.info.run_id)
    found["run"] = [read.info.run_name, read.info.status, read.data.params, read.data.metrics, read.data.tags["team"]]
    experiment = client.get_experiment_by_name("shop")
    found["search_runs"] = [r.info.run_name for r in client.search_runs([experiment.experiment_id])]
    found["experiments"] = sorted(e.name for e in client.search_experiments())
    found["history"] = [m.value for m in client.get_metric_history(run.info.run_id, "wape")]
    found["a parameter twice"] = refused(lambda: client.log_param(run.info.run_id, "depth", 4))

    # Models and versions.
    client.create_registered_model("churn", description="who leaves")
    found["a model twice"] = refused(lambda: client.create_registered_model("churn"))
    own = client.get_experiment_by_name("[model]churn")
    candidate = client.create_run(own.experiment_id, run_name=f"job-{job}")
    client.set_tag(candidate.info.run_id, "gitlab.CI_JOB_ID", job)
    client.log_metric(candidate.info.run_id, "auc", 0.8)
    version = client.create_model_version(
        "churn", source="", run_id=candidate.info.run_id, tags={"gitlab.version": "1.2.0"}
    )
    found["promoted"] = [version.run_id == candidate.info.run_id, list(version.aliases), version.version.isdigit()]
    found["promoted twice"] = refused(lambda: client.create_model_version("churn", "", run_id=candidate.info.run_id))
    found["next is major"] = list(client.create_model_version("churn", source="").aliases)
    found["by semver"] = list(client.get_model_version("churn", "1.2.0").aliases)
    found["by alias"] = client.get_model_version_by_alias("churn", "1.2.0").version == version.version
    found["a version twice"] = refused(
        lambda: client.create_model_version("churn", "", tags={"gitlab.version": "1.2.0"})
    )
    found["no semver"] = refused(lambda: client.create_model_version("churn", "", tags={"gitlab.version": "one"}))
    found["update"] = client.update_model_version("churn", "1.2.0", "better").description
    found["latest"] = [list(v.aliases) for v in client.get_latest_versions("churn")]
    found["not there"] = refused(lambda: client.get_registered_model("nobody"))

    # The traps of the page: what looks right and is not.
    found["search by name"] = [m.name for m in client.search_registered_models("name='churn'")]
    found["search all"] = refused(lambda: client.search_registered_models())
    found["set alias"] = refused(lambda: client.set_registered_model_alias("churn", "champion", version.version))
    found["set version tag"] = refused(lambda: client.set_model_version_tag("churn", version.version, "a", "b"))
    found["search versions"] = refused(lambda: client.search_model_versions("name='churn'"))
    found["stage"] = refused(lambda: client.transition_model_version_stage("churn", version.version, "Production"))

    # Files: put by hand, read by the client.
    import urllib.request

    base = os.environ["MLFLOW_TRACKING_URI"].removesuffix("/ml/mlflow")
    for each, text in ((version.version, b"old"), (client.get_model_version("churn", "2.0.0").version, b"new")):
        request = urllib.request.Request(
            f"{base}/packages/ml_models/{each}/files/model.txt", data=text, method="PUT",
            headers={"Authorization": f"Bearer {os.environ['MLFLOW_TRACKING_TOKEN']}"},
        )  # fmt: skip
        urllib.request.urlopen(request).close()
    for at in ("churn/1.2.0", "churn@1.2.0", f"churn/{version.version}"):
        got = Path(mlflow.artifacts.download_artifacts(f"models:/{at}", dst_path=str(folder / at.replace("/", "-"))))
        found[f"models:/{at.replace(version.version, 'ID')}"] = next(iter(got.rglob("model.txt"))).read_text()
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
