"""Merge requests, their notes and the attachments of the project. No job token may write a note."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

from lockgate.testing.gitlab.http import Answer, Call, Refusal, Route, asked, created, pages
from lockgate.testing.gitlab.people import GUEST, MAINTAINER, REPORTER

__all__ = ["ROUTES"]

LONGEST: Final = 1_000_000
WRITERS: Final = ("project", "personal")
ACTIONS: Final = ("approve", "assign", "close", "draft", "label", "merge", "reopen", "title", "unapprove")
"""Quick actions that the double knows; GitLab knows some sixty."""


def _merge_request(call: Call) -> dict[str, Any]:
    found = call.project.merge_requests.get(call.number("iid"))
    if found is None:
        raise Refusal.of(404, "404 Not Found")
    return found


def _note(call: Call) -> dict[str, Any]:
    _merge_request(call)
    number = call.number("note_id")
    found = next((n for n in call.project.notes[call.number("iid")] if n["id"] == number), None)
    if found is None:
        raise Refusal.of(404, "404 Note Not Found")
    return found


def _body(call: Call) -> str:
    (body,) = call.need("body")
    if len(body) > LONGEST:
        words = f'Note {{:note=>["is too long (maximum is {LONGEST} characters)"]}}'
        raise Refusal.of(400, f"400 Bad request - {words}")
    return body


def _without_actions(call: Call, body: str) -> tuple[str, list[str]]:
    """A line that is a quick action is done and taken out, outside of code fences."""
    kept: list[str] = []
    done: list[str] = []
    fenced = False
    for line in body.split("\n"):
        fenced ^= line.startswith("```")
        found = re.match(r"/(\w+)", line)
        (done if found and found[1] in ACTIONS and not fenced else kept).append(line)
    call.project.executed += [(call.number("iid"), line) for line in done]
    return "\n".join(kept), done


def merge_request(call: Call) -> Answer:
    """GET one merge request."""
    return Answer(200, _merge_request(call))


def merge_requests(call: Call) -> Answer:
    """GET merge requests by state and branches."""
    return pages(
        call, asked(call, list(call.project.merge_requests.values()), "state", "source_branch", "target_branch")
    )


def listed(call: Call) -> Answer:
    """GET notes, the newest first unless `sort=asc`."""
    _merge_request(call)
    notes = call.project.notes[call.number("iid")]
    key = call.fields().get("order_by", "created_at")
    ordered = sorted(notes, key=lambda n: (n[key], n["id"]), reverse=call.fields().get("sort", "desc") == "desc")
    return pages(call, ordered)


def one(call: Call) -> Answer:
    """GET one note."""
    return Answer(200, _note(call))


def write(call: Call) -> Answer:
    """POST a note. One of nothing but quick actions is no note: 202."""
    request = _merge_request(call)
    body, done = _without_actions(call, _body(call))
    if done and not body.strip():
        return Answer(202, {"commands_changes": {}, "summary": ["Commands applied"]})
    if not body.strip():
        raise Refusal.of(400, '400 Bad request - Note {:note=>["can\'t be blank"]}')
    assert call.token is not None
    stamp = call.project.stamp()
    note = {
        "id": next(call.project.ids), "type": None, "body": body, "attachment": None, "author": call.token.user.shown(),
        "created_at": stamp, "updated_at": stamp, "system": False, "noteable_id": request["id"],
        "noteable_type": "MergeRequest", "noteable_iid": request["iid"], "resolvable": False, "confidential": False,
        "commands_changes": {},
    }  # fmt: skip
    call.project.notes[request["iid"]].append(note)
    return created(note)


def _mine(call: Call, note: dict[str, Any]) -> None:
    assert call.token is not None
    if note["author"]["id"] != call.token.user.id and call.token.role < MAINTAINER:
        raise Refusal.of(403, "403 Forbidden")


def change(call: Call) -> Answer:
    """PUT a new body, by the author or a maintainer."""
    note = _note(call)
    _mine(call, note)
    body, _ = _without_actions(call, _body(call))
    if not body.strip():
        raise Refusal(400, {"error": "body is empty"})
    note |= {"body": body, "updated_at": call.project.stamp()}
    return Answer(200, note)


def forget(call: Call) -> Answer:
    """DELETE a note, by the author or a maintainer."""
    note = _note(call)
    _mine(call, note)
    call.project.notes[call.number("iid")].remove(note)
    return Answer(204)


def attach(call: Call) -> Answer:
    """POST a file as an attachment of the project. The same file twice is there twice."""
    name, content = call.file()
    name = re.sub(r"[^\w.\-]", "_", name)
    number = next(call.project.ids)
    secret = hashlib.sha256(f"{number} {name}".encode()).hexdigest()[:32]
    call.project.uploads[secret, name] = content
    url = f"/uploads/{secret}/{name}"
    alt = name.rsplit(".", 1)[0]
    shows = "!" if name.lower().endswith((".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp")) else ""
    full = f"/-/project/{call.project.id}{url}"
    return created({"id": number, "alt": alt, "url": url, "full_path": full, "markdown": f"{shows}[{alt}]({url})"})


def attached(call: Call) -> Answer:
    """GET an attachment."""
    found = call.project.uploads.get((call.named["secret"], call.named["filename"]))
    if found is None:
        raise Refusal.of(404, "404 Not Found")
    return Answer(200, found, {"Content-Type": "application/octet-stream"})


MR = "/projects/:id/merge_requests"
ROUTES: Final = (
    Route(method="GET", path=MR, does=merge_requests, seen="guessed", tokens=WRITERS, role=GUEST),
    Route(method="GET", path=f"{MR}/:iid", does=merge_request, seen="guessed", role=GUEST),
    Route(method="GET", path=f"{MR}/:iid/notes", does=listed, role=GUEST, note="newest first"),
    Route(method="GET", path=f"{MR}/:iid/notes/:note_id", does=one, role=GUEST),
    Route(method="POST", path=f"{MR}/:iid/notes", does=write, tokens=WRITERS, role=GUEST, note="no job token; a line `/close` is done, not written"),
    Route(method="PUT", path=f"{MR}/:iid/notes/:note_id", does=change, tokens=WRITERS, role=GUEST, note="the author, or a maintainer: who may is guessed"),
    Route(method="DELETE", path=f"{MR}/:iid/notes/:note_id", does=forget, tokens=WRITERS, role=GUEST),
    Route(method="POST", path="/projects/:id/uploads", does=attach, tokens=WRITERS, role=GUEST, note="multipart field `file`; twice is two attachments"),
    Route(method="GET", path="/projects/:id/uploads/:secret/:filename", does=attached, tokens=WRITERS, role=REPORTER, seen="guessed", note="from the documentation's words; error bodies are guessed"),
)  # fmt: skip
