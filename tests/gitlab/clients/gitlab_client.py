"""What python-gitlab does on the double. Run by the Python of `.venv/clients`; prints one JSON object of findings."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def main(folder: Path, job: int) -> None:
    import gitlab

    found: dict[str, object] = {"client": gitlab.__version__}
    url, token = os.environ["URL"], os.environ["TOKEN"]
    by_job = gitlab.Gitlab(url, job_token=os.environ["JOB_TOKEN"]).projects.get(42, lazy=True)
    by_person = gitlab.Gitlab(url, private_token=token).projects.get(42)
    found["project"] = by_person.path_with_namespace

    def refused(do: object) -> object:
        try:
            do()
        except gitlab.exceptions.GitlabError as error:
            return [error.response_code, str(error.error_message)]
        return None

    file = folder / "model.bin"
    file.write_bytes(b"weights")
    for _ in range(2):
        by_job.generic_packages.upload(
            package_name="shop", package_version="1.0.0", file_name="model.bin", path=str(file)
        )
    found["download"] = by_job.generic_packages.download("shop", "1.0.0", "model.bin").decode()
    (package,) = by_job.packages.list(package_name="sho")
    found["files"] = [f.file_name for f in package.package_files.list()]

    release = by_job.releases.create(
        {
            "tag_name": "v1.0.0",
            "ref": "main",
            "name": "one",
            "assets": {"links": [{"name": "a", "url": "https://example.org/a"}]},
        }
    )
    found["release"] = [release.name, [k["name"] for k in release.assets["links"]]]
    found["a release twice"] = refused(lambda: by_job.releases.create({"tag_name": "v1.0.0"}))
    found["without a tag"] = refused(lambda: by_job.releases.create({"tag_name": "v2.0.0"}))
    by_job.releases.get("v1.0.0").links.create({"name": "b", "url": "https://example.org/b"})
    found["links"] = sorted(k.name for k in by_job.releases.get("v1.0.0").links.list())

    environment = by_person.environments.create({"name": "staging"})
    found["an environment twice"] = refused(lambda: by_person.environments.create({"name": "staging"}))
    deployment = by_job.deployments.create(
        {"environment": "staging", "sha": "a" * 40, "ref": "main", "tag": False, "status": "running"}
    )
    deployment.status = "success"
    deployment.save()
    found["deployed"] = [d.status for d in by_person.deployments.list(environment="staging")]
    found["last deployment"] = by_person.environments.get(environment.id).last_deployment["status"]

    waiting = by_person.deployments.list(status="blocked")[0]
    boss = gitlab.Gitlab(url, private_token=os.environ["BOSS"]).projects.get(42, lazy=True)
    boss.deployments.get(waiting.id).approval("approved", comment="fit")
    rules = by_person.deployments.get(waiting.id).approval_summary["rules"]
    found["approved by"] = [w["user"]["username"] for r in rules for w in r["deployment_approvals"]]

    note = by_person.mergerequests.get(7).notes.create({"body": "seen"})
    note.body = "seen again"
    note.save()
    found["notes"] = [n.body for n in by_job.mergerequests.get(7, lazy=True).notes.list()]
    found["a note by a job"] = refused(lambda: by_job.mergerequests.get(7, lazy=True).notes.create({"body": "x"}))
    found["upload"] = sorted(by_person.upload("model.bin", filepath=str(file)))

    played = by_person.jobs.get(job)
    played.play()
    found["played"] = [by_person.jobs.get(job).status, by_person.jobs.get(job).user["username"]]
    found["played twice"] = refused(lambda: by_person.jobs.get(job, lazy=True).play())
    found["jobs of the pipeline"] = [j.name for j in by_person.pipelines.get(played.pipeline["id"]).jobs.list()]

    by_person.commits.get("a" * 40, lazy=True).statuses.create({"state": "running", "name": "gates"})
    found["a status twice"] = refused(
        lambda: by_person.commits.get("a" * 40, lazy=True).statuses.create({"state": "running", "name": "gates"})
    )[0]
    by_person.protectedbranches.create({"name": "lockgate/ledger", "push_access_level": 40})
    found["protected"] = [b.name for b in by_person.protectedbranches.list()]
    for number in range(45):
        by_person.environments.create({"name": f"e{number}"})
    found["pages"] = len(by_person.environments.list(get_all=True))
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
