"""Generic packages: files under a name and a version. A name that is there already gets a second file, the last one is read."""

from __future__ import annotations

import hashlib
import re
from operator import attrgetter
from typing import Any, Final

from lockgate.testing.gitlab.http import Answer, Call, Refusal, Route, pages
from lockgate.testing.gitlab.people import DEVELOPER, MAINTAINER
from lockgate.testing.gitlab.project import Package, PackageFile, Project

__all__ = ["ROUTES", "keep_file", "latest", "shown_file"]

NAME: Final = re.compile(r"[A-Za-z0-9._\-+]+")
VERSION: Final = re.compile(r"(?!.*\.\.)[\w+.-]+")


def keep_file(
    project: Project, *, kind: str, name: str, version: str, file: str, content: bytes, job: int | None
) -> PackageFile:
    """Add a file, and its package when it is the first; 400 where the project refuses duplicates."""
    package = next((p for p in project.packages if (p.kind, p.name, p.version) == (kind, name, version)), None)
    if package is None:
        package = Package(next(project.ids), name, version, kind, project.stamp())
        project.packages.append(package)
    if not project.duplicates and any(f.name == file for f in package.files):
        raise Refusal.of(400, "400 Bad request - Duplicate package is not allowed")
    kept = PackageFile(next(project.ids), file, content, project.stamp(), job)
    package.files.append(kept)
    return kept


def latest(project: Project, *, kind: str, name: str, version: str, file: str) -> PackageFile:
    """The file under a name that was put last."""
    package = next((p for p in project.packages if (p.kind, p.name, p.version) == (kind, name, version)), None)
    if package is None:
        raise Refusal.of(404, "404 Not Found")
    found = next((f for f in reversed(package.files) if f.name == file), None)
    if found is None:
        raise Refusal.of(404, "404 Not Found")
    return found


def shown_file(file: PackageFile, package: Package | int) -> dict[str, Any]:
    """A file as the API shows it."""
    return {
        "id": file.id,
        "package_id": package if isinstance(package, int) else package.id,
        "created_at": file.created_at,
        "file_name": file.name,
        "size": len(file.content),
        "file_md5": hashlib.md5(file.content, usedforsecurity=False).hexdigest(),
        "file_sha1": hashlib.sha1(file.content, usedforsecurity=False).hexdigest(),
        "file_sha256": hashlib.sha256(file.content).hexdigest(),
    }


def shown(project: Project, package: Package) -> dict[str, Any]:
    """A package as the API shows it."""
    web = f"/{project.path}/-/packages/{package.id}"
    return {
        "id": package.id, "name": package.name, "version": package.version, "package_type": package.kind,
        "status": "default", "_links": {"web_path": web}, "created_at": package.created_at, "tags": [],
    }  # fmt: skip


def _spelled(call: Call) -> tuple[str, str, str]:
    name, version, file = (call.named[n] for n in ("package_name", "package_version", "file_name"))
    for field, value, rule in (
        ("package_name", name, NAME),
        ("package_version", version, VERSION),
        ("file_name", file, NAME),
    ):
        if not rule.fullmatch(value):
            raise Refusal(400, {"error": f"{field} is invalid"})
    return name, version, file


def upload(call: Call) -> Answer:
    """PUT a file. The answer is `201 Created`, or the file when `select=package_file` asks for it."""
    name, version, file = _spelled(call)
    if len(call.body) > call.project.limit_bytes:
        raise Refusal.of(400, "400 Bad request - File is too large")
    job = call.token.job if call.token else None
    kept = keep_file(call.project, kind="generic", name=name, version=version, file=file, content=call.body, job=job)
    package = next(p for p in call.project.packages if kept in p.files)
    if call.fields().get("select") == "package_file":
        return Answer(200, shown_file(kept, package) | {"file": {"url": f"{call.base}{call.path}"}})
    return Answer(201, {"message": "201 Created"})


def download(call: Call) -> Answer:
    """GET a file, with its sha256 in a header."""
    name, version, file = _spelled(call)
    found = latest(call.project, kind="generic", name=name, version=version, file=file)
    if call.project.redirects:
        return Answer(302, b"", {"Location": f"{call.base}/object-storage/{found.id}?signature=secret"})
    headers = {
        "Content-Type": "application/octet-stream",
        "X-Checksum-SHA256": hashlib.sha256(found.content).hexdigest(),
    }
    return Answer(200, found.content, headers)


def stored(call: Call) -> Answer:
    """GET a file where it lies. Whoever shows two ways to be let in is refused, as S3 does."""
    if call.query.get("signature") != ["secret"]:
        raise Refusal(403, b"<Code>AccessDenied</Code>")
    if {"authorization", "job-token", "private-token"} & set(call.headers):
        raise Refusal(400, b"<Code>InvalidArgument</Code><Message>Only one auth mechanism allowed</Message>")
    number = call.number("file_id")
    files = (f for p in call.project.packages for f in p.files if f.id == number)
    return Answer(200, next(files).content, {"Content-Type": "application/octet-stream"})


def listed(call: Call) -> Answer:
    """GET packages. `package_name` finds every name that contains it, in any case."""
    said = call.fields()
    found = [p for p in call.project.packages if said.get("package_name", "").lower() in p.name.lower()]
    found = [p for p in found if said.get("package_type", p.kind) == p.kind]
    found = [p for p in found if said.get("package_version", p.version) == p.version]
    order = str(said.get("order_by", "id")).replace("created_at", "id")
    found.sort(key=attrgetter(order), reverse=said.get("sort") == "desc")
    return pages(call, [shown(call.project, p) for p in found])


def _package(call: Call) -> Package:
    number = call.number("package_id")
    found = next((p for p in call.project.packages if p.id == number), None)
    if found is None:
        raise Refusal.of(404, "404 Not Found")
    return found


def one(call: Call) -> Answer:
    """GET one package."""
    return Answer(200, shown(call.project, _package(call)))


def files(call: Call) -> Answer:
    """GET the files of a package, doubles too."""
    package = _package(call)
    return pages(call, [shown_file(f, package) for f in package.files])


def forget(call: Call) -> Answer:
    """DELETE a package with its files."""
    call.project.packages.remove(_package(call))
    return Answer(204)


def forget_file(call: Call) -> Answer:
    """DELETE one file; the package stays, empty or not."""
    package, number = _package(call), call.number("package_file_id")
    if all(f.id != number for f in package.files):
        raise Refusal.of(404, "404 Not Found")
    package.files = [f for f in package.files if f.id != number]
    return Answer(204)


GENERIC = "/projects/:id/packages/generic/:package_name/:package_version/:file_name"
ROUTES: Final = (
    Route(method="PUT", path=GENERIC, does=upload, role=DEVELOPER, note="a second file of one name is kept beside the first; `select=package_file` answers the file"),
    Route(method="GET", path=GENERIC, does=download, note="the file put last; `X-Checksum-SHA256`, or a redirect to an object storage"),
    Route(method="HEAD", path=GENERIC, does=download, note="as GET, without the bytes"),
    Route(method="GET", path="//object-storage/:file_id", does=stored, open=True, seen="guessed", note="no GitLab: where a download leads, by a signed address; refuses a token"),
    Route(method="GET", path="/projects/:id/packages", does=listed, note="`package_name` matches a part of the name"),
    Route(method="GET", path="/projects/:id/packages/:package_id", does=one),
    Route(method="GET", path="/projects/:id/packages/:package_id/package_files", does=files),
    Route(method="DELETE", path="/projects/:id/packages/:package_id", does=forget, role=MAINTAINER),
    Route(method="DELETE", path="/projects/:id/packages/:package_id/package_files/:package_file_id", does=forget_file, role=MAINTAINER),
)  # fmt: skip
