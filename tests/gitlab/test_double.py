"""The double of GitLab answers as GitLab's source says: shapes, refusals, quirks; and goes wrong as a test asks."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from lockgate.testing.gitlab import DEVELOPER, GUEST, MAINTAINER, Fault, GitLab


@pytest.fixture
def gitlab() -> Iterator[GitLab]:
    with GitLab() as running:
        yield running


def ask(
    gitlab: GitLab,
    method: str,
    path: str,
    token: str = "",
    said: Any = None,
    *,
    header: str = "PRIVATE-TOKEN",
    timeout: float = 5,
) -> tuple[int, Any, Any]:
    data = said if isinstance(said, bytes) or said is None else json.dumps(said).encode()
    headers = {header: token} if token else {}
    if data is not said:
        headers["Content-Type"] = "application/json"
    url = (gitlab.url if path.startswith("/oauth") or path.startswith("/.well") else gitlab.api) + path
    request = urllib.request.Request(url, data=data, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            raw, status, got = answer.read(), answer.status, answer.headers
    except urllib.error.HTTPError as error:
        with error:
            raw, status, got = error.read(), error.code, error.headers
    return status, json.loads(raw) if got["Content-Type"] == "application/json" and raw else raw, got


GENERIC = "/projects/42/packages/generic/demand/1.0.0"


def test_a_package_keeps_both_files_of_one_name_and_answers_the_last(gitlab: GitLab) -> None:
    token = gitlab.project_token()
    assert ask(gitlab, "PUT", f"{GENERIC}/model.bin", token, b"one")[:2] == (201, {"message": "201 Created"})
    status, file, _ = ask(gitlab, "PUT", f"{GENERIC}/model.bin?select=package_file", token, b"two")
    assert (status, file["file_name"], file["size"]) == (200, "model.bin", 3)
    status, content, headers = ask(gitlab, "GET", f"{GENERIC}/model.bin", token)
    assert (status, content) == (200, b"two")
    assert headers["X-Checksum-SHA256"] == file["file_sha256"]
    (package,) = ask(gitlab, "GET", "/projects/42/packages?package_name=DEM", token)[1]
    files = ask(gitlab, "GET", f"/projects/42/packages/{package['id']}/package_files", token)[1]
    assert [f["file_name"] for f in files] == ["model.bin", "model.bin"]


def test_a_project_may_refuse_doubles(gitlab: GitLab) -> None:
    token = gitlab.project_token()
    gitlab.project.duplicates = False
    ask(gitlab, "PUT", f"{GENERIC}/model.bin", token, b"one")
    status, body, _ = ask(gitlab, "PUT", f"{GENERIC}/model.bin", token, b"two")
    assert (status, body) == (400, {"message": "400 Bad request - Duplicate package is not allowed"})


@pytest.mark.parametrize("name", ["a%20b", "a%2Fb", "a:b"])
def test_names_of_package_files_are_plain(gitlab: GitLab, name: str) -> None:
    status, body, _ = ask(gitlab, "PUT", f"{GENERIC}/{name}", gitlab.project_token(), b"one")
    assert (status, body) == (400, {"error": "file_name is invalid"})


def test_tokens_open_what_their_kind_scope_and_role_open(gitlab: GitLab) -> None:
    gitlab.merge_request(7)
    job = gitlab.job("report", pipeline=gitlab.pipeline())
    of_job = gitlab.job_token(job)
    notes = "/projects/42/merge_requests/7/notes"
    assert ask(gitlab, "PUT", f"{GENERIC}/a", of_job, b"x", header="JOB-TOKEN")[0] == 201
    assert ask(gitlab, "GET", notes, of_job, header="JOB-TOKEN")[0] == 200
    assert ask(gitlab, "POST", notes, of_job, {"body": "hi"}, header="JOB-TOKEN")[:2] == (
        401,
        {"message": "401 Unauthorized"},
    )
    assert ask(gitlab, "PUT", f"{GENERIC}/a", "", b"x")[0] == 401
    assert ask(gitlab, "PUT", f"{GENERIC}/a", "glpat-nobody", b"x")[0] == 401
    reads = gitlab.project_token(scopes=("read_api",))
    assert ask(gitlab, "GET", notes, reads)[0] == 200
    status, body, _ = ask(gitlab, "POST", notes, reads, {"body": "hi"})
    assert (status, body["error"]) == (403, "insufficient_scope")
    guest = gitlab.project_token(role=GUEST)
    assert ask(gitlab, "PUT", f"{GENERIC}/a", guest, b"x")[:2] == (403, {"message": "403 Forbidden"})
    job["status"] = "success"
    assert ask(gitlab, "PUT", f"{GENERIC}/a", of_job, b"x", header="JOB-TOKEN")[0] == 401


def test_a_note_is_changed_by_its_author_or_a_maintainer(gitlab: GitLab) -> None:
    gitlab.merge_request(7)
    ada, bob, eve = (gitlab.person(n, role=r) for n, r in (("ada", DEVELOPER), ("bob", DEVELOPER), ("eve", MAINTAINER)))
    notes = "/projects/42/merge_requests/7/notes"
    status, note, _ = ask(gitlab, "POST", notes, ada, {"body": "first"})
    assert (status, note["body"], note["author"]["username"]) == (201, "first", "ada")
    assert ask(gitlab, "PUT", f"{notes}/{note['id']}", bob, {"body": "mine"})[0] == 403
    assert ask(gitlab, "PUT", f"{notes}/{note['id']}", eve, {"body": "second"})[1]["body"] == "second"
    assert ask(gitlab, "POST", notes, ada, {})[:2] == (400, {"error": "body is missing"})
    assert ask(gitlab, "POST", notes, ada, {"body": "x" * 1_000_001})[0] == 400
    assert ask(gitlab, "POST", "/projects/42/merge_requests/8/notes", ada, {"body": "x"})[0] == 404


def test_a_line_of_a_note_that_is_a_quick_action_is_done(gitlab: GitLab) -> None:
    gitlab.merge_request(7)
    token = gitlab.project_token()
    notes = "/projects/42/merge_requests/7/notes"
    _, note, _ = ask(gitlab, "POST", notes, token, {"body": "seen\n/approve\n```\n/close\n```"})
    assert note["body"] == "seen\n```\n/close\n```"
    assert gitlab.project.executed == [(7, "/approve")]
    assert ask(gitlab, "POST", notes, token, {"body": "/merge"})[0] == 202


def test_lists_come_in_pages(gitlab: GitLab) -> None:
    gitlab.merge_request(7)
    token = gitlab.project_token()
    notes = "/projects/42/merge_requests/7/notes"
    for number in range(45):
        ask(gitlab, "POST", notes, token, {"body": f"n{number}"})
    _, page, headers = ask(gitlab, "GET", notes, token)
    assert (len(page), page[0]["body"], headers["X-Next-Page"], headers["X-Total"]) == (20, "n44", "2", "45")
    _, page, headers = ask(gitlab, "GET", f"{notes}?page=3&sort=asc", token)
    assert ([n["body"] for n in page], headers["X-Next-Page"]) == ([f"n{n}" for n in range(40, 45)], "")


def test_a_job_belongs_to_who_played_it(gitlab: GitLab) -> None:
    gitlab.project.protected_branches["main"] = {
        "name": "main",
        "push_access_levels": [{"access_level": 40}],
        "merge_access_levels": [{"access_level": 40}],
    }
    dev, boss = gitlab.person("dev"), gitlab.person("boss", role=MAINTAINER)
    job = gitlab.job("approve", pipeline=gitlab.pipeline(), user="dev", status="manual", environment="production")
    at = f"/projects/42/jobs/{job['id']}"
    assert ask(gitlab, "POST", f"{at}/play", dev)[0] == 403
    status, played, _ = ask(gitlab, "POST", f"{at}/play", boss)
    assert (status, played["status"], played["user"]["username"]) == (200, "pending", "boss")
    assert "environment" not in played
    assert ask(gitlab, "POST", f"{at}/play", boss)[:2] == (400, {"message": "400 Bad request - Unplayable Job"})
    job["status"] = "failed"
    status, again, _ = ask(gitlab, "POST", f"{at}/retry", boss)
    assert status == 201 and again["id"] != job["id"]
    jobs = ask(gitlab, "GET", f"/projects/42/pipelines/{job['pipeline']['id']}/jobs", boss)[1]
    assert [j["id"] for j in jobs] == [again["id"]]


def test_a_job_token_sees_its_own_job_and_lists_but_no_other_job(gitlab: GitLab) -> None:
    job = gitlab.job("report", pipeline=gitlab.pipeline())
    token = gitlab.job_token(job)
    assert ask(gitlab, "GET", "/job", token, header="JOB-TOKEN")[1]["id"] == job["id"]
    assert ask(gitlab, "GET", f"/projects/group%2Fshop/jobs", token, header="JOB-TOKEN")[0] == 200
    assert ask(gitlab, "GET", f"/projects/42/jobs/{job['id']}", token, header="JOB-TOKEN")[0] == 401


def test_id_tokens_carry_the_job_and_are_checked_with_the_published_key(gitlab: GitLab) -> None:
    import base64

    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.hashes import SHA256

    job = gitlab.job("approve", pipeline=gitlab.pipeline(), user="ada", environment="production")
    head, body, signature = gitlab.id_token(job, aud="lockgate").split(".")
    keys_at = ask(gitlab, "GET", "/.well-known/openid-configuration")[1]["jwks_uri"]
    (key,) = ask(gitlab, "GET", keys_at.removeprefix(gitlab.url))[1]["keys"]
    plain = lambda part: base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    n, e = (int.from_bytes(plain(key[x]), "big") for x in "ne")
    rsa.RSAPublicNumbers(e, n).public_key().verify(
        plain(signature), f"{head}.{body}".encode(), padding.PKCS1v15(), SHA256()
    )
    assert json.loads(plain(head)) == {"kid": key["kid"], "typ": "JWT", "alg": "RS256"}
    said = json.loads(plain(body))
    assert said["sub"] == "project_path:group/shop:ref_type:branch:ref:main"
    assert (said["job_id"], said["user_login"], said["environment"], said["ref_protected"]) == (
        str(job["id"]),
        "ada",
        "production",
        "false",
    )


def test_what_is_no_route_is_said_so(gitlab: GitLab) -> None:
    token = gitlab.project_token()
    assert ask(gitlab, "GET", "/projects/42/nothing", token)[:2] == (404, {"error": "404 Not Found"})
    assert ask(gitlab, "GET", "/projects/43/packages", token)[:2] == (404, {"message": "404 Project Not Found"})
    assert ask(gitlab, "PUT", "/projects/42/packages", token)[0] == 405


def test_faults_refuse_hide_cut_double_and_go_back(gitlab: GitLab) -> None:
    token = gitlab.project_token()
    gitlab.faults.add(Fault(status=429, retry_after=3, path="*/model.bin"))
    status, _, headers = ask(gitlab, "PUT", f"{GENERIC}/model.bin", token, b"one")
    assert (status, headers["Retry-After"]) == (429, "3")
    assert gitlab.project.packages == []
    gitlab.faults.add(Fault(status=502, done=True, method="PUT"))
    assert ask(gitlab, "PUT", f"{GENERIC}/model.bin", token, b"one")[0] == 502
    assert ask(gitlab, "GET", f"{GENERIC}/model.bin", token)[1] == b"one"
    gitlab.faults.add(Fault(wrong="twice"))
    ask(gitlab, "PUT", f"{GENERIC}/twice.bin", token, b"two")
    assert [f.name for f in gitlab.project.packages[0].files].count("twice.bin") == 2
    gitlab.faults.add(Fault(wrong="stale", skip=1))
    assert ask(gitlab, "GET", f"{GENERIC}/twice.bin", token)[0] == 200
    assert ask(gitlab, "GET", f"{GENERIC}/twice.bin", token)[0] == 404
    gitlab.faults.add(Fault(wrong="cut"))
    with pytest.raises(http.client.IncompleteRead):
        ask(gitlab, "GET", f"{GENERIC}/twice.bin", token)
    gitlab.faults.add(Fault(wrong="timeout"))
    with pytest.raises(TimeoutError):
        ask(gitlab, "GET", f"{GENERIC}/twice.bin", token, timeout=0.1)
    assert gitlab.requests[-1] == ("GET", "/projects/42/packages/generic/demand/1.0.0/twice.bin", 0)
