"""The GitLab page: its commands work in order, its settings are settings, and its table of jobs is what is rendered."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from forge.declared_way import DECLARED, everything
from lockgate.forge.jobs import job_graph
from lockgate.forge.settings import KEYS, GitlabSettings
from lockgate.project import read_settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "gitlab.md"
LOCKGATE = Path(sys.executable).with_name("lockgate")


def lockgate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([LOCKGATE, *arguments], cwd=folder, capture_output=True, text=True, timeout=120)


def test_the_commands_on_the_page(tmp_path: Path) -> None:
    assert lockgate(tmp_path, "init", "--template", "gitlab", "shop").returncode == 0
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    commands = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    assert len(commands) == 4
    for command in commands:
        done = lockgate(tmp_path / "shop", *shlex.split(command)[1:])
        assert done.returncode == 0, command + done.stdout + done.stderr


def test_the_settings_on_the_page_are_known_settings() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    allowing, block = [b for b in blocks if b.startswith("[gitlab]")]
    allowed, found = (
        read_settings(f'[project]\nname = "shop"\npipelines = ["shop"]\n{b}').gitlab for b in (allowing, block)
    )
    assert allowed is not None
    assert len(allowed.includes) == 2
    assert found is not None
    assert (found.urls, found.tiers) == ({"production": "https://shop.example.org"}, {"production": "production"})
    assert {k for k in KEYS if k not in block} == {"child_bytes"}
    assert "child_bytes" in PAGE.read_text()


def test_the_table_of_jobs_is_what_is_rendered() -> None:
    """Each line names a stage, a job, what it runs and where, with a word in capitals for a name."""
    rows = re.findall(r"^\| (\S+) \| `(\S+?)`.*? \| `(lockgate [^`]+)` \| ([^|]+) \|$", PAGE.read_text(), re.MULTILINE)
    assert len(rows) == 12
    settings = GitlabSettings(publish=True, review="https://{branch}.example.org", downstream="group/app")
    graph = job_graph(DECLARED, settings, has=everything)
    told = {(_generic(j.stage), _generic(j.name)): j for j in graph.jobs}
    for stage, name, command, where in rows:
        job = told[stage, name]
        assert shlex.join(job.commands[0]).startswith(
            command.partition(" NAME")[0].partition(" PIPELINE")[0].partition(" ENV")[0]
        )
        assert {"every pipeline": "merge_request" in job.events, "the default branch": "merge_request" not in job.events, "merge requests": job.events == ("merge_request",)}.get(where, "monitor" in job.events)  # fmt: skip
    assert {n for _, n in told} - {name for _, name, _, _ in rows} == {"review:stop", "downstream"}


def _generic(name: str) -> str:
    for kind, word in (
        ("data", "PIPELINE"),
        ("train", "PIPELINE"),
        ("gate", "NAME"),
        ("deploy", "ENV"),
        ("approve", "ENV"),
    ):
        name = re.sub(rf"^{kind}:.*", f"{kind}:{word}", name)
    return re.sub(r"^(deploy|test|approve)-.*", r"\1-ENV", name)
