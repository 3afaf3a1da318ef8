"""The page from a CSV file to a release is executed: its files are written, its servers started, its commands run."""

from __future__ import annotations

import json
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "first-release.md"
FILES = {"make_sales.py", "bakery.py", "delivery.py", "lockgate.toml", "policy.toml"}
HUMAN = 3


def test_the_page_works_as_written(tmp_path: Path) -> None:
    text = _with_free_ports(PAGE.read_text(), "8801", "8802")
    for name, content in re.findall(r"^`([\w.]+)`[^\n]*\n```\w+\n(.*?)```", text, re.DOTALL | re.MULTILINE):
        (tmp_path / name).write_text(content)
    assert {p.name for p in tmp_path.iterdir()} == FILES
    commands = [
        line.removeprefix("$ ") for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL)
        for line in block.splitlines()
    ]  # fmt: skip
    with ExitStack() as servers:
        done = [_run(command, tmp_path, servers) for command in commands]
    said = dict(zip((c.partition("#")[0].strip() for c in commands), done, strict=True))
    assert "production" in said["lockgate status"]
    [answer] = [json.loads(text) for command, text in said.items() if command.startswith("curl")]
    assert answer["inputs"] == {"product": "rye", "date": "2026-01-10"}
    assert answer["output"]["low"] < answer["output"]["units"] < answer["output"]["high"]


def _run(command: str, folder: Path, servers: ExitStack) -> str:
    """One line of the page as a shell would take it: `&`, `>`, and `# exit N` say what they say."""
    line, _, remark = command.partition("#")
    words = shlex.split(line)
    if words[0] in ("python", "lockgate"):
        words[0] = sys.executable if words[0] == "python" else str(Path(sys.executable).with_name("lockgate"))
    if words[-1] == "&":
        servers.enter_context(_server(words[:-1], folder))
        return ""
    if words[-2] == ">":
        (folder / words[-1]).write_text(" ".join(words[1:-2]) + "\n")
        return ""
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == (HUMAN if "exit 3" in remark else 0), f"{command}\n{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout


@contextmanager
def _server(words: list[str], folder: Path) -> Iterator[None]:
    log = folder / f"{words[2]}.log"
    with log.open("w") as out, subprocess.Popen(words, cwd=folder, stdout=out, stderr=out) as process:
        ends = time.monotonic() + 30
        while "listens on" not in log.read_text():
            assert process.poll() is None and time.monotonic() < ends, log.read_text()
            time.sleep(0.1)
        yield
        process.terminate()


def _with_free_ports(text: str, *ports: str) -> str:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in ports]
    for port, free in zip(ports, held, strict=True):
        text = text.replace(port, str(free.getsockname()[1]))
        free.close()
    return text
