"""Bytes by name in a project's generic packages, for a store and its results (ADR 34).

All packages are called `lockgate-store`; their versions are `objects-0` to `objects-f`, by the first hex digit of a file's name, and one
for each kind of records. GitLab keeps a file that was put twice twice and gives out the newer one, so a name has the state that was put last.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from typing import TYPE_CHECKING, Final

from lockgate.abreast import at_once
from lockgate.adapters.gitlab.api import PATIENCE_SECONDS, GitlabApi, GitlabRefuses
from lockgate.adapters.gitlab.package_answers import refused, says_duplicate, taken
from lockgate.adapters.gitlab.package_list import PACKAGE, NotLetIn, PackageList
from lockgate.adapters.gitlab.place import pass_for, place_of
from lockgate.errors import NotFound, PermissionRefused, ServiceUnavailable
from lockgate.records.digest import digest_bytes, sha256_bytes, sha256_file
from lockgate.records.held import GRACE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from pathlib import Path

    from lockgate.adapters.gitlab.package_list import File
    from lockgate.adapters.gitlab.place import Place

__all__ = ["PackageBucket", "packages_of"]

OBJECTS: Final = "objects"
NEEDS: Final = "a token with role Developer and scope api; to look only: Reporter and read_api"
NEEDS_TO_DELETE: Final = "a token with role Maintainer and scope api, in LOCKGATE_GITLAB_TOKEN"
BINARY: Final = {"Content-Type": "application/octet-stream"}
NOTHING: Final = digest_bytes(b"").rpartition(":")[2]
STAND_IN: Final = b"\n"
"""Stored for the empty object: not every storage behind GitLab takes a file without bytes."""
LOOK_AGAIN_SECONDS: Final = 1.0
MANY: Final = 24
"""Questions of a process for single objects, from which on lists are cheaper: there are sixteen."""
MOST_LISTED: Final = 400
"""Of each list then: a large store is not read to its end for it."""


def packages_of(url: str, root: Path) -> PackageBucket:
    """The packages that a store's URL means: one object for each place and process, so that connections and what was seen are shared."""
    return _packages_at(place_of(url, root))


@functools.cache
def _packages_at(place: Place) -> PackageBucket:
    return PackageBucket(place)


class PackageBucket:
    """The packages of one project. Nothing is asked before the first call; that one says whether we are let in."""

    def __init__(
        self,
        place: Place,
        *,
        pause: Callable[[float], None] = time.sleep,
        patience: float = PATIENCE_SECONDS,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.place, self._pause, self._patience, self._now = place, pause, patience, now
        self._clients: dict[bool, GitlabApi] = {}
        self._questions = 0
        self._lock = threading.Lock()
        self._listed = PackageList(place, self._client)

    def __str__(self) -> str:
        return str(self.place)

    def read(self, name: str) -> tuple[bytes, str] | None:
        """A small file's bytes and what they are, or None."""
        pieces: list[bytes] = []

        def begin() -> Callable[[bytes], object]:
            pieces.clear()
            return pieces.append

        if not self._streamed(name, begin):
            return None
        data = b"".join(pieces)
        return data, sha256_bytes(data)

    def fetch(self, name: str, to: Path) -> str | None:
        """Write a file's bytes into one of ours. What is not there is looked for again: a replica may not know yet."""
        found = self._hashed(name, to)
        if found is None:
            self._pause(LOOK_AGAIN_SECONDS)
            found = self._hashed(name, to)
        return found

    def digest(self, name: str) -> str | None:
        """The digest of a file's bytes, kept nowhere."""
        return self._hashed(name, None)

    def has(self, name: str, *, sha256: str = "", size_bytes: int | None = None) -> bool:
        """One request, without the bytes. Whoever asks often has the objects listed once: those that are seen there need none.

        With a sha256 the whole version is listed, once: it stands nowhere else.
        """
        version, file = _split(name)
        if sha256:
            return self._is_there(name) and self._is_as(name, sha256=sha256, size_bytes=size_bytes)
        self._questions += 1
        if self._questions == MANY:
            with self._in_words():
                objects = [v for v in self._listed.versions(again=True) if _kind(v) == OBJECTS]
                for _ in at_once(lambda v: self._listed.newest(v, most=MOST_LISTED), objects):
                    pass
        return self._listed.remembered(version, file) is not None or self._is_there(name)

    def _is_as(self, name: str, *, sha256: str, size_bytes: int | None) -> bool:
        """Whether GitLab says so of the file that it gives out."""
        if name.endswith(NOTHING):
            sha256, size_bytes = sha256_bytes(STAND_IN), len(STAND_IN)
        with self._in_words():
            found = self._listed.known(*_split(name))
        is_same = found is not None and found.sha256 == sha256.removeprefix("sha256:")
        return is_same and size_bytes in (None, found.size_bytes if found else None)

    def _is_there(self, name: str) -> bool:
        with self._in_words():
            return self._api().has(self._at(name))

    def since(self, name: str, path: Path) -> float | None:
        """One request for what is not there; else its version is listed, once, as sha256 and age stand nowhere else."""
        if not self._is_there(name):
            return None
        with self._in_words():
            found = self._listed.known(*_split(name))
        sha256 = _body(path)[1].removeprefix("sha256:") if found else ""
        return found.modified_s if found and found.sha256 == sha256 else None

    def send(self, name: str, path: Path) -> None:
        """Put a file; GitLab makes it visible when it has all of it."""
        self._put(name, *_body(path))

    def write(self, name: str, data: bytes) -> None:
        """Put small bytes."""
        self._put(name, data or STAND_IN, sha256_bytes(data or STAND_IN))

    def delete(self, *names: str) -> None:
        """Remove every state of each name, the newest last, so that no older one comes to light."""
        wanted: dict[str, set[str]] = {}
        for version, file in map(_split, names):
            wanted.setdefault(version, set()).add(file)
        with self._in_words():
            api = self._api(deleting=True)
            for version, files in wanted.items():
                states: dict[str, list[File]] = {}
                for found in self._listed.files(version):
                    if found.name in files:
                        states.setdefault(found.name, []).append(found)
                for _ in at_once(lambda found: self._remove(api, found), states.values()):
                    pass
                self._listed.forget(version)

    def list(self, under: str) -> Iterator[tuple[str, int, float]]:
        """Name, size and time of the last change of everything of a kind; a hundred for each request."""
        with self._in_words():
            versions = sorted(v for v in self._listed.versions(again=True) if _kind(v) == under)
            for listed in at_once(self._listed.newest, versions):
                for found in listed.values():
                    yield f"{under}/{found.name[:2]}/{found.name}", _size(found), found.modified_s

    def _remove(self, api: GitlabApi, states: Sequence[File]) -> None:
        for found in sorted(states, key=lambda f: f.number):
            at = f"{self.place.path}/packages/{found.package}/package_files/{found.number}"
            with contextlib.suppress(NotFound):  # somebody else was first
                api.call("DELETE", at)

    def _put(self, name: str, body: bytes | Path, sha256: str) -> None:
        wanted = sha256.removeprefix("sha256:")
        with self._in_words():
            try:
                answer = self._api().call("PUT", f"{self._at(name)}?select=package_file", body, headers=BINARY)
            except GitlabRefuses as error:
                if says_duplicate(error) and self._is_young(name, wanted):
                    return
                raise refused(error) from error
        took = taken(answer)
        if took not in ("", wanted):
            raise ServiceUnavailable(
                "GitLab took other bytes than were sent", value=f"{name}: {took}", allowed=wanted, next="try again"
            )

    def _is_young(self, name: str, sha256: str) -> bool:
        """Whether these bytes lie there since a moment ago, where a second file of a name is refused: somebody was first."""
        version, file = _split(name)
        found = self._listed.newest(version).get(file)
        return found is not None and found.sha256 == sha256 and self._now() - found.modified_s < GRACE_S / 2

    def _hashed(self, name: str, to: Path | None) -> str | None:
        from blake3 import blake3

        hasher = blake3()
        with contextlib.ExitStack() as opened:
            file = opened.enter_context(to.open("wb")) if to else None

            def begin() -> Callable[[bytes], object]:
                hasher.reset()
                if file:
                    file.seek(0)
                    file.truncate()
                return keep

            def keep(piece: bytes) -> None:
                hasher.update(piece)
                if file:
                    file.write(piece)

            return f"blake3:{hasher.hexdigest()}" if self._streamed(name, begin) else None

    def _streamed(self, name: str, begin: Callable[[], Callable[[bytes], object]]) -> bool:
        if name.endswith(NOTHING):
            begin()
            return self._is_there(name)
        with self._in_words():
            try:
                self._api().stream(self._at(name), begin)
            except NotFound:
                return False
        return True

    def _at(self, name: str) -> str:
        version, file = _split(name)
        return f"{self.place.path}/packages/generic/{PACKAGE}/{version}/{file}"

    def _api(self, *, deleting: bool = False) -> GitlabApi:
        """A client, once GitLab has shown us the packages."""
        self._listed.look()
        return self._client(deleting=deleting)

    def _client(self, *, deleting: bool = False) -> GitlabApi:
        with self._lock:
            if deleting not in self._clients:
                known = pass_for(self.place, deleting=deleting)
                self._clients[deleting] = GitlabApi(
                    self.place.api, header=known.header, token=known.secret, variable=known.variable,
                    needs=NEEDS_TO_DELETE if deleting else NEEDS, pause=self._pause, patience=self._patience,
                )  # fmt: skip
            return self._clients[deleting]

    @contextlib.contextmanager
    def _in_words(self) -> Generator[None]:
        """A store that does not let us in is one that does not answer: whoever asks must not go on as if it were empty."""
        try:
            yield
        except PermissionRefused as error:
            raise NotLetIn(error.what, value=error.value, allowed=error.allowed, next=error.next) from error


def _body(path: Path) -> tuple[bytes | Path, str]:
    """What is sent for a file, and its sha256."""
    return (path, sha256_file(path)) if path.stat().st_size else (STAND_IN, sha256_bytes(STAND_IN))


def _split(name: str) -> tuple[str, str]:
    """Version and file of a name.

    >>> _split("objects/ab/abcd"), _split("results/ab/abcd")
    (('objects-a', 'abcd'), ('results', 'abcd'))
    """
    kind, _, file = name.split("/")
    return (f"{kind}-{file[0]}" if kind == OBJECTS else kind), file


def _kind(version: str) -> str:
    return OBJECTS if version.startswith(f"{OBJECTS}-") else version


def _size(found: File) -> int:
    return 0 if found.name == NOTHING else found.size_bytes
