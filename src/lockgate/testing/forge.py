"""A forge in memory, and the exam that every forge passes.

for check in forge_checks():
    check(lambda: MyForge(...))  # a new project each time: change request 7 is open, job 1 ran, nothing is published
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from lockgate.errors import MovedOn, NotFound, ServiceUnavailable
from lockgate.records.digest import sha256_bytes
from lockgate.records.publication import Deployed, NumberTaken, Publication, Published

if TYPE_CHECKING:
    from lockgate.ports import Forge

__all__ = ["MemoryForge", "forge_checks"]

New: TypeAlias = "Callable[[], Forge]"


class MemoryForge:
    """A `Forge` that forgets. `fail_call`: the number of the call, from 1, that raises ServiceUnavailable and does nothing.

    Attributes:
        notes: (change, marker) → text; turns: who wrote it. attached: name → bytes. files: (name, version) → path → bytes.
    """

    def __init__(self, *, changes: Sequence[str] = ("7",), fail_call: int = 0) -> None:
        self.notes: dict[tuple[str, str], str] = {}
        self.turns: dict[tuple[str, str], int] = {}
        self.attached: dict[str, bytes] = {}
        self.files: dict[tuple[str, str], dict[str, bytes]] = {}
        self.publications: dict[tuple[str, str], Publication] = {}
        self.jobs: dict[str, Mapping[str, str]] = {}
        self.deployed: dict[str, list[Deployed]] = {}
        self._changes, self._fail_call, self._calls = tuple(changes), fail_call, 0

    def _called(self) -> None:
        self._calls += 1
        if self._calls == self._fail_call:
            raise ServiceUnavailable("the forge does not answer", value=f"call {self._calls}")

    def say(self, change: str, marker: str, text: str, *, turn: int = 0) -> str:
        """Write or replace a note."""
        self._called()
        if change not in self._changes:
            raise NotFound("no such change request", value=change, allowed=", ".join(self._changes))
        if self.turns.get((change, marker), 0) > turn:
            raise MovedOn("a newer pipeline has written the note", value=str(self.turns[change, marker]))
        self.turns[change, marker] = turn
        self.notes[change, marker] = text
        return f"memory:{change}#{marker}"

    def attach(self, path: Path) -> str:
        """Keep a file."""
        self._called()
        self.attached[path.name] = path.read_bytes()
        return f"![{path.stem}](memory:{path.name})"

    def job(self, number: str) -> Mapping[str, str]:
        """A job that a test put there."""
        self._called()
        if number not in self.jobs:
            raise NotFound("no such job", value=number)
        return self.jobs[number]

    def published(self, name: str) -> Mapping[str, Sequence[str]]:
        """What has a version."""
        self._called()
        return {v: (p.release.removeprefix("sha256:")[:12],) for (n, v), p in self.publications.items() if n == name}

    def publish(self, publication: Publication, files: Mapping[str, Path]) -> Published:
        """Keep everything under its name and version."""
        self._called()
        key = (publication.name, publication.version)
        held = self.publications.get(key)
        if held is not None and held.release != publication.release:
            raise NumberTaken.by(held.release, publication)
        kept = self.files.setdefault(key, {})
        new = {path: data for path, file in files.items() if kept.get(path) != (data := file.read_bytes())}
        kept.update(new)
        made = (*([f"{len(new)} files"] if new else []), *([] if held else [publication.tag]))
        self.publications[key] = held or publication
        address = f"memory:{publication.tag}"
        return Published(page=address, package=address, model=address, made=made)

    def deployments(self, environment: str) -> Sequence[Deployed]:
        """What a test put there."""
        self._called()
        return tuple(self.deployed.get(environment, ()))


def forge_checks() -> tuple[Callable[[New], None], ...]:
    """What every forge must do, each as a function that takes how to make an empty one."""
    return (
        _one_note,
        _notes_of_their_own,
        _a_note_of_a_newer_pipeline_stays,
        _no_change,
        _published_once,
        _versions_are_one_release,
        _no_job,
        _nothing_deployed,
    )


def _file(folder: str, name: str, data: bytes) -> Path:
    path = Path(folder) / name
    path.write_bytes(data)
    return path


def _publication(content: str = "a") -> Publication:
    release = sha256_bytes(content.encode())
    return Publication(
        name="demand", version="1.0.0", release=release, commit="a" * 40, words=f"release {release}",
        metrics={"wape": "0.123"}, params={"as_of": "2026-01-01"}, links={"manifest": "manifest.json"},
    )  # fmt: skip


def _one_note(new: New) -> None:
    forge = new()
    first = forge.say("7", "report", "before")
    assert forge.say("7", "report", "after") == first, "the same note, changed in place"
    assert forge.say("7", "report", "after") == first, "and not written twice"


def _notes_of_their_own(new: New) -> None:
    forge = new()
    assert forge.say("7", "report", "one") != forge.say("7", "review", "two"), "another marker is another note"


def _a_note_of_a_newer_pipeline_stays(new: New) -> None:
    forge = new()
    first = forge.say("7", "report", "before there were turns")
    assert forge.say("7", "report", "second", turn=2) == first, "the same note, of a newer pipeline"
    try:
        forge.say("7", "report", "first, and late", turn=1)
    except MovedOn:
        assert forge.say("7", "report", "second", turn=2) == first, "it may be said again"
        assert forge.say("7", "report", "tenth", turn=10) == first, "numbers, not texts"
        return
    raise AssertionError("the note of a newer pipeline is not written over")


def _no_change(new: New) -> None:
    try:
        new().say("404", "report", "nobody reads this")
    except NotFound:
        return
    raise AssertionError("a change request that is not there is not found")


def _published_once(new: New) -> None:
    forge, publication = new(), _publication()
    assert not forge.published("demand"), "nothing is published yet"
    with tempfile.TemporaryDirectory() as folder:
        files = {"manifest.json": _file(folder, "m", b"{}"), "code/shop/model.py": _file(folder, "c", b"pass")}
        first = forge.publish(publication, files)
        assert first.made, "it was new"
        again = forge.publish(publication, files)
        assert again == replace(first, made=()), "the second time nothing is"
    assert forge.published("demand") == {"1.0.0": (publication.release.removeprefix("sha256:")[:12],)}
    assert not forge.published("dem"), "a part of a name is no name"


def _versions_are_one_release(new: New) -> None:
    forge, whose = new(), ""
    with tempfile.TemporaryDirectory() as folder:
        files = {"manifest.json": _file(folder, "m", b"{}")}
        forge.publish(_publication("a"), files)
        try:
            forge.publish(_publication("b"), files)
        except NumberTaken as error:
            whose = error.release.removeprefix("sha256:")
    assert whose, "a version belongs to one release"
    assert _publication("a").release.removeprefix("sha256:").startswith(whose), "and the error says to which one"


def _no_job(new: New) -> None:
    try:
        new().job("999999")
    except NotFound:
        return
    raise AssertionError("a job that is not there is not found")


def _nothing_deployed(new: New) -> None:
    assert not new().deployments("nowhere"), "nothing was deployed there"
