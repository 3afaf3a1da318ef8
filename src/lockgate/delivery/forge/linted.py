"""What the checks of configuration and of data found, as findings with a place in a file of the project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.delivery.forge.render import check
from lockgate.errors import LockgateError
from lockgate.forge.gitlab_yaml import FILE, ROOT
from lockgate.forge.quality import Found, of_gates

if TYPE_CHECKING:
    import datetime as dt

    from lockgate.delivery.walk import Walk
    from lockgate.forge.gitlab_checks import Finding
    from lockgate.forge.jobs import Has
    from lockgate.project import Project
    from lockgate.records.evidence import Evidence, Verdict

__all__ = ["configured", "of_data"]


def configured(project: Project, has: Has, now: dt.datetime) -> list[Found]:
    """What `gitlab check` says of the pipeline's file."""
    file = project.root / FILE
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    at = {line.rstrip(":").strip('"'): n for n, line in enumerate(lines, 1) if line and line[0] not in " #"}
    try:
        looked = check(project, now=now, has=has)
    except LockgateError as error:
        says = " ".join(str(error).split())
        return [Found(check="configuration", about=error.what, says=says, severity="blocker", path="lockgate.toml")]
    return [*(_stale(s, at) for s in looked.stale), *(_opened(f, at) for f in looked.findings)]


def _stale(said: str, at: dict[str, int]) -> Found:
    """At the block that differs, where the file has it."""
    path = ROOT if said.startswith(ROOT) else FILE
    line = next((n for name, n in at.items() if name and f" {name} " in f" {said} "), 1) if path == FILE else 1
    return Found(
        check="stale", about=said.partition(" changed: ")[0], says=said, severity="major", path=path, line=line
    )


def _opened(f: Finding, at: dict[str, int]) -> Found:
    """At the job in our own file; in a file of the team's at its head."""
    path = f.file or FILE
    says = f"{f.job or 'the file'}: {f'{f.key} is {f.found}: ' if f.found else ''}{f.says}"
    return Found(
        check=f.check, about=f"{f.job} {f.key} {f.says}", says=says, severity="critical", path=path, line=at.get(f.job, 1) if path == FILE else 1,
    )  # fmt: skip


def of_data(project: Project, walk: Walk, judged: list[tuple[Verdict, Evidence]]) -> list[Found]:
    """What gates on data say, at the lines where they are declared."""
    return list(of_gates(judged, files=_declaring(project, walk)))


def _declaring(project: Project, walk: Walk) -> dict[str, str]:
    """Python files that declaring the pipelines read, by path: in one of them each gate is named."""
    module = walk.delivery.module.replace(".", "/") + ".py"
    named = [module, *(f for f in walk.policy_files if f.endswith(".py") and f != module)]
    return {f: (project.root / f).read_text(encoding="utf-8") for f in named if (project.root / f).is_file()}
