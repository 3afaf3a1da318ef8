"""The GitLab page: its commands work in order, its settings are settings, and its table of jobs is what is rendered."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from forge.declared_way import DECLARED, everything
from journeys.gitlab_local import NODE, RUNNER, needs_runner
from journeys.walking import Lockgate, Server
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


def laptop(language: str) -> list[str]:
    """The blocks of the section on a local runner."""
    section = PAGE.read_text().partition("## On a laptop")[2].partition("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


@pytest.mark.soak  # the template goes the same way in test_gitlab_template.py
def test_the_local_runner_takes_the_template_to_production(tmp_path: Path) -> None:
    """As the page says: three settings, two servers, and every command."""
    needs_runner()
    assert lockgate(tmp_path, "init", "--template", "gitlab", "shop").returncode == 0
    (block,), (made, played) = laptop("toml"), laptop("sh")
    said = block.replace("/home/ann", str(tmp_path))
    settings = tmp_path / "shop" / "lockgate.toml"
    text = settings.read_text()
    for table, there in (("store", r"\[store\]\nurl = \S+"), ("ledger", r"\[ledger\]\nurl = \S+")):
        (wanted,) = re.findall(rf"\[{table}\]\nurl = \S+", said)
        text, once = re.subn(there, wanted, text)
        assert once == 1
    assert "setup = []" in said
    settings.write_text(re.sub(r"^setup = \[.*?^\]$", "setup = []", text, flags=re.DOTALL | re.MULTILINE))
    who = {f"GIT_{who}_{what}": "ann@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    programs = (LOCKGATE.parent, RUNNER.parents[2] / ".bin", Path(str(NODE)).parent)
    path = ":".join([*map(str, programs), os.environ["PATH"]])
    shop = Lockgate(tmp_path / "shop", {**who, "PATH": path, "HOME": str(tmp_path)})

    def typed(commands: str) -> str:
        call = ["bash", "-e", "-c", commands]
        done = subprocess.run(
            call, cwd=shop.root, env={**os.environ, **shop.env}, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    typed(made)
    with Server(shop, "staging"), Server(shop, "production") as production:
        typed(played)
        production.answers(shop.release())
    assert shop.live() == shop.release()


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
