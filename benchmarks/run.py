"""Run benchmarks and write what they say into `benchmarks/results.md`: `make bench`. Never part of the tests.

python benchmarks/run.py [NAME …] [--OPTION OF THAT BENCHMARK …]

Each section says when, at which commit and beside how much other work it was measured; a run of some replaces only these.
"""

from __future__ import annotations

import datetime as dt
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE / "results.md"
NAMES = (
    "startup", "pipelines", "partitions", "m5", "isolation", "sources", "ledger", "governance", "evidence_pack", "operating_characteristics", "cycle", "soundness", "tables",
    "data_versioning",
)  # fmt: skip
HEAD = "# Benchmark results\n\nRatios count, not absolute times. `make bench` writes this page.\n"


def main(arguments: list[str]) -> int:
    start = next((at for at, word in enumerate(arguments) if word.startswith("--")), len(arguments))
    names, options = arguments[:start], arguments[start:]
    if unknown := sorted(set(names) - set(NAMES)):
        print(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    failed = 0
    for name in names or NAMES:
        print(f"── {name}", flush=True)
        began, load = dt.datetime.now(dt.UTC), os.getloadavg()[0]
        command = [sys.executable, HERE / f"{name}.py", *options]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # how far it is shows at once
        print(done.stdout, flush=True)
        failed |= done.returncode
        if not done.returncode:
            keep(
                name,
                f"{began:%F %R} UTC · commit {commit()} · {machine()} · load when it began {load:.1f}"
                + (f" · only {' '.join(options)}" if options else ""),
                done.stdout,
            )
    return failed


def commit() -> str:
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=HERE, capture_output=True, text=True, check=True
    )
    return said.stdout.strip()


def machine() -> str:
    return f"{platform.python_implementation()} {platform.python_version()} · {os.cpu_count()} cores · {platform.machine()}"


def keep(name: str, when: str, text: str) -> None:
    """Put a section in its place; the others stay as they are."""
    page = PAGE.read_text() if PAGE.exists() else ""
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE))
    body = text.strip() if text.lstrip().startswith(("|", "#")) else f"```text\n{text.strip()}\n```"
    sections[name] = f"\n{when}\n\n{body}\n\n"
    PAGE.write_text(HEAD + "".join(f"\n## {n}\n{sections[n].rstrip()}\n" for n in NAMES if n in sections))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
