"""`gitlab report`: what a merge request shows. Files first, whatever the network does; then the one note, where there is a merge request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from lockgate.build.execute import Event
from lockgate.declare import Gate
from lockgate.delivery.chosen import chosen
from lockgate.delivery.forge.linted import configured, of_data
from lockgate.delivery.forge.noting import Place, noted_of, page_for
from lockgate.delivery.forge.pinning import pinned
from lockgate.delivery.identity import read_ledger
from lockgate.delivery.judging.check_recorded import newest_results
from lockgate.delivery.judging.judge import evidence_behind
from lockgate.delivery.walk import walk_now
from lockgate.durable import write_atomic
from lockgate.errors import LockgateError, MovedOn, NotFound, ServiceUnavailable
from lockgate.forge.annotations import annotations
from lockgate.forge.change import Change, links_in
from lockgate.forge.metrics import metrics
from lockgate.forge.note import MARKER, Noted, nothing_proposed, render_note
from lockgate.forge.pictures import pictures
from lockgate.forge.quality import quality
from lockgate.forge.settings import GitlabSettings

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from lockgate.delivery.walk import Walk
    from lockgate.forge.jobs import Has
    from lockgate.ports import Forge
    from lockgate.project import Project
    from lockgate.records.evidence import Evidence, Verdict
    from lockgate.records.forge_job import ForgeJob
    from lockgate.records.trust import Trusted

__all__ = ["EVIDENCE", "LINKS", "METRICS", "NOTE", "QUALITY", "Reported", "Reporting", "report"]

EVIDENCE: Final = "evidence.html"
METRICS: Final = "metrics.txt"
QUALITY: Final = "quality.json"
LINKS: Final = "links.json"
NOTE: Final = "note.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporting:
    """How to report.

    Attributes:
        folder: where the files go, from the project's root.
        job: that this runs in; None: on somebody's desk, about the newest release.
        variables: of that job, for links. has: whether a command exists, as `gitlab check` asks.
        change: the merge request; forge: how to write under it, None: nobody wants a note.
        quick: leave out why answers change: nothing is built.
    """

    folder: str
    has: Has
    job: ForgeJob | None = None
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    change: Change = Change()  # noqa: RUF009  frozen
    forge: Forge | None = None
    quick: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What was written.

    Attributes:
        release: None: this pipeline proposed none. live: what it would replace.
        files: from the project's root. text: the note, written or not.
        note: its address; empty: not written. newer: the later pipeline that has written it, so that this one did not. lacks: pictures that could not be attached, in words.
        error: why there is no note although one was wanted.
    """

    release: str | None
    environment: str
    live: str | None
    files: tuple[str, ...]
    text: str
    note: str = ""
    newer: str = ""
    lacks: tuple[str, ...] = ()
    error: LockgateError | None = None


def report(
    project: Project,
    how: Reporting,
    *,
    clock: Callable[[], dt.datetime],
    tell: Callable[[Event], None] = lambda _: None,
) -> Reported:
    """Write the files; then the note. A forge that refuses or is silent stands in the answer, and takes no file away.

    Raises what is wrong with the release itself: IntegrityError for damaged bytes, ServiceUnavailable for a silent store.
    """
    files = _Files(project, how.folder)
    walk, trust = walk_now(project, now=clock()), read_ledger(project)
    release = _release(walk, trust, how.job)
    judged = _judged(project, walk, trust, release) if release else []
    files.write(QUALITY, quality([*configured(project, how.has, clock()), *of_data(project, walk, judged)]))
    files.write(METRICS, metrics(judged))
    urls = (project.settings.gitlab or GitlabSettings()).urls
    if release is None:
        links = links_in(how.variables, "", urls)
        files.write(LINKS, annotations(links))
        said = files.write(NOTE, nothing_proposed(project.settings.name, links, in_pipeline=how.job is not None))
        done = Reported(release=None, environment="", live=None, files=tuple(files.written), text=said)
        return _with_note(done, how, lambda: (said, ()))
    place = Place(walk=walk, trust=trust, release=release, may_make_a_page=bool(how.change.number) or how.job is None)
    page = page_for(project, place, clock=clock, tell=tell)
    if page:
        files.write(EVIDENCE, page.html)
    links = links_in(how.variables, f"{how.folder}/{EVIDENCE}" if page else "", urls)
    files.write(LINKS, annotations(links))
    quick = how.quick or not place.may_make_a_page  # nobody reads a note of the target branch
    noted = noted_of(project, place, page, links=links, quick=quick, clock=clock, tell=tell)
    drawn = pictures(noted.pack) if noted.pack else {}
    for name, (_, svg) in drawn.items():
        files.write(f"{name}.svg", svg)
    said = files.write(NOTE, render_note(noted))
    done = Reported(
        release=release, environment=noted.environment, live=noted.live, files=tuple(files.written), text=said
    )
    return _with_note(done, how, lambda: _with_pictures(project, how, files, noted, drawn))


class _Files:
    """The folder of reports; each file is there as soon as it is known."""

    def __init__(self, project: Project, folder: str) -> None:
        self._root, self._folder = project.root, folder
        self.written: list[str] = []

    def path(self, name: str) -> Path:
        return self._root / self._folder / name

    def write(self, name: str, content: str | bytes) -> str:
        self.path(name).parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self.path(name), content.encode() if isinstance(content, str) else content)
        self.written.append(f"{self._folder}/{name}")
        return content if isinstance(content, str) else ""


def _release(walk: Walk, trust: Trusted, job: ForgeJob | None) -> str | None:
    """The pipeline's release; None where the job that makes it failed."""
    try:
        return chosen(walk, trust, None, job).release
    except NotFound:
        return None


def _judged(project: Project, walk: Walk, trust: Trusted, release: str) -> list[tuple[Verdict, Evidence]]:
    """What the ledger says of each gate, in the declared order."""
    known = newest_results(walk, trust, release)
    gates = [s for s in walk.stages if isinstance(s, Gate) and s.name in known]
    verdicts = [(known[g.name][1].verdict, g.params) for g in gates]
    return [(v, evidence_behind(project, v, params=params)) for v, params in verdicts]


def _with_note(done: Reported, how: Reporting, words: Callable[[], tuple[str, tuple[str, ...]]]) -> Reported:
    """Write it under the merge request; what the forge refuses is said, and costs nothing else."""
    if how.forge is None or not how.change.number:
        return done
    text, lacks = done.text, done.lacks
    try:
        text, lacks = words()
        address = how.forge.say(how.change.number, MARKER, text, turn=_turn(how.job))
    except MovedOn as error:
        return replace(done, text=text, newer=error.value, lacks=lacks)
    except LockgateError as error:
        return replace(done, error=error)
    return replace(done, text=text, note=address, lacks=lacks)


def _turn(job: ForgeJob | None) -> int:
    """Pipelines are numbered one after the other."""
    return int(job.pipeline) if job and job.pipeline.isascii() and job.pipeline.isdigit() else 0


def _with_pictures(
    project: Project, how: Reporting, files: _Files, noted: Noted, drawn: Mapping[str, tuple[str, str]]
) -> tuple[str, tuple[str, ...]]:
    """The note with its pictures attached, each once; a picture that cannot be attached is left out and named."""
    assert how.forge is not None
    shown: list[str] = []
    lacks: list[str] = []
    for name, (words, _) in drawn.items():
        try:
            shown.append(pinned(project, how.forge, files.path(f"{name}.svg"), words, where=how.variables))
        except LockgateError as error:
            lacks.append(f"{name}.svg: {' '.join(str(error).split())}")
            if isinstance(error, ServiceUnavailable):
                break  # it was asked long enough
    said = render_note(replace(noted, plots=tuple(shown)))
    files.write(NOTE, said)
    return said, tuple(lacks)
