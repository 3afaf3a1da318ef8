"""Other people's clients of GitLab on the double: MLflow's, as GitLab's documentation tells users to take it, and python-gitlab.

They live in a venv of their own (`make .venv/.clients`). What the traps of GitLab's MLflow-compatible API do to MLflow's client is
held here too: a double that is kinder than GitLab would hide them.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lockgate.testing.gitlab import MAINTAINER, GitLab

HERE = Path(__file__).parent
PYTHON = HERE.parents[1] / ".venv" / "clients" / "bin" / "python"
SECONDS = 240

pytestmark = pytest.mark.skipif(
    not PYTHON.is_file(), reason="mlflow-skinny and python-gitlab are not installed: make .venv/.clients"
)


def findings(script: str, folder: Path, job: int, environment: dict[str, str]) -> dict[str, Any]:
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("MLFLOW", "PYTHON", "CI_"))}
    done = subprocess.run(
        [PYTHON, HERE / "clients" / script, folder, str(job)], env={**kept, **environment}, capture_output=True, text=True,
        timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.timeout(300)
def test_mlflow(tmp_path: Path) -> None:
    with GitLab() as gitlab:
        job = gitlab.job("train", pipeline=gitlab.pipeline())
        found = findings(
            "mlflow_client.py", tmp_path, job["id"],
            {
                "MLFLOW_TRACKING_URI": f"{gitlab.api}/projects/42/ml/mlflow", "MLFLOW_TRACKING_TOKEN": gitlab.project_token(),
                "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
            },
        )  # fmt: skip
    assert found.pop("client").startswith("2.22.")
    assert found == {
        "run": ["first", "FINISHED", {"depth": "3", "rate": "0.1"}, {"wape": 0.11, "bias": 0.01}, "pricing"],
        "search_runs": ["first"],
        "experiments": ["shop"],
        "history": [0.12, 0.11],
        "a parameter twice": "INVALID_PARAMETER_VALUE",
        "a model twice": "RESOURCE_ALREADY_EXISTS",
        "promoted": [True, ["1.2.0"], True],
        "promoted twice": "INVALID_PARAMETER_VALUE",
        "next is major": ["2.0.0"],
        "by semver": ["1.2.0"],
        "by alias": True,
        "a version twice": "INVALID_PARAMETER_VALUE",
        "no semver": "INVALID_PARAMETER_VALUE",
        "update": "better",
        "latest": [["2.0.0"]],
        "not there": "RESOURCE_DOES_NOT_EXIST",
        # What a user of MLflow does not expect.
        "search by name": [],
        "search all": "INVALID_PARAMETER_VALUE",
        "set alias": "405 Not Allowed",
        "set version tag": "404 Not Found",
        "search versions": "404 Not Found",
        "stage": "404 Not Found",
        "models:/churn/1.2.0": "new",
        "models:/churn@1.2.0": "old",
        "models:/churn/ID": "old",
    }


def test_python_gitlab(tmp_path: Path) -> None:
    with GitLab(premium=True) as gitlab:
        gitlab.merge_request(7)
        pipeline = gitlab.pipeline()
        running = gitlab.job("publish", pipeline=pipeline)
        manual = gitlab.job("approve", pipeline=pipeline, status="manual")
        gitlab.blocked("production", user="ada")
        found = findings(
            "gitlab_client.py", tmp_path, manual["id"],
            {
                "URL": gitlab.url, "TOKEN": gitlab.project_token(), "JOB_TOKEN": gitlab.job_token(running),
                "BOSS": gitlab.person("boss", role=MAINTAINER),
            },
        )  # fmt: skip
        bot = next(n for n in gitlab.project.users if n.startswith("project_"))
    assert found.pop("client").startswith("8.")
    assert found == {
        "project": "group/shop",
        "download": "weights",
        "files": ["model.bin", "model.bin"],
        "release": ["one", ["a"]],
        "a release twice": [409, "Release already exists"],
        "without a tag": [422, "Ref is not specified"],
        "links": ["a", "b"],
        "an environment twice": [400, "{'name': ['has already been taken'], 'slug': ['has already been taken']}"],
        "deployed": ["success"],
        "last deployment": "success",
        "approved by": ["boss"],
        "notes": ["seen again"],
        "a note by a job": [401, "401 Unauthorized"],
        "upload": ["alt", "full_path", "id", "markdown", "url"],
        "played": ["pending", bot],
        "played twice": [400, "400 Bad request - Unplayable Job"],
        "jobs of the pipeline": ["approve", "publish"],
        "a status twice": 400,
        "protected": ["lockgate/ledger"],
        "pages": 47,
    }
