"""Run every benchmark here and write `benchmarks/results.md`: `make bench`. Never part of the tests.

python benchmarks/run.py [NAME …]
"""

from __future__ import annotations

import datetime as dt
import os
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
NAMES = ("startup", "partitions", "isolation", "sources", "ledger", "governance", "cycle", "soundness")


def main(names: list[str]) -> int:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False
    ).stdout.strip()
    parts = [
        "# Benchmark results\n",
        f"{dt.datetime.now(dt.UTC):%F} · commit {commit} · {platform.python_implementation()} {platform.python_version()} · "
        f"{os.cpu_count()} cores · {platform.machine()}. Ratios count, not absolute times. `make bench` writes this page.\n",
    ]
    failed = 0
    for name in names or NAMES:
        print(f"── {name}", flush=True)
        done = subprocess.run([sys.executable, HERE / f"{name}.py"], capture_output=True, text=True, check=False)
        print(done.stdout, done.stderr[-2000:] if done.returncode else "", flush=True)
        failed |= done.returncode
        parts.append(_section(name, done.stdout.strip()))
    if not names:
        (HERE / "results.md").write_text("\n".join(parts))
    return failed


def _section(name: str, text: str) -> str:
    body = text if text.startswith("|") else "```text\n" + text + "\n```"
    return f"## {name}\n\n{body}\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
