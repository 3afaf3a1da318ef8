"""Kill before every write of every scene and write `benchmarks/soak.md`: `make soak`. Takes about an hour.

python benchmarks/soak.py [PYTEST ARGUMENT …]
"""

from __future__ import annotations

import datetime as dt
import os
import platform
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str]) -> int:
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "soak.xml"
        command = [sys.executable, "-m", "pytest", "-m", "soak", "tests/soak", "-o", "junit_family=xunit1"]
        command += [f"--junit-xml={report}", *arguments]
        done = subprocess.run(command, cwd=ROOT, check=False)
        rows = [_row(case) for case in ET.parse(report).iter("testcase")]
    if not arguments:
        (ROOT / "benchmarks" / "soak.md").write_text(_page(commit, rows))
    return done.returncode


def _row(case: ET.Element) -> tuple[str, str, str, str]:
    found = {p.get("name"): p.get("value", "") for p in case.iter("property")}
    scene = case.get("name", "").removeprefix("test_every_site[").removesuffix("]")
    bad = case.find("failure") is not None or case.find("error") is not None
    failed = found.get("failed", "did not end") if bad else "0"
    return scene, found.get("sites", "?"), failed, f"{float(case.get('time', 0)):.0f}"


def _page(commit: str, rows: list[tuple[str, str, str, str]]) -> str:
    head = (
        "# Soak: kill -9 before every write, fsync, rename, unlink and send\n\n"
        f"{dt.datetime.now(dt.UTC):%F} · commit {commit} · Python {platform.python_version()} · {os.cpu_count()} cores. "
        "After each kill: the next command works, the ledger verifies, nothing acknowledged is gone, "
        "no half file stands under a final name. `make soak` writes this page.\n\n"
        "| scene | sites killed | failed | seconds |\n|---|---:|---:|---:|\n"
    )
    return head + "".join("| " + " | ".join(row) + " |\n" for row in rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
