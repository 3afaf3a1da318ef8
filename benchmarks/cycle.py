"""Data changed → proposed release in staging, all gates run, on the demand example. Goal: 60 s on two cores.

    python benchmarks/cycle.py

Plays the example in a temporary copy: cold, again, and one replayed week. Prints wall seconds.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "demand"


def played(folder: Path, *arguments: str) -> tuple[float, str]:
    began = time.monotonic()
    command = [sys.executable, "-m", "demo", *arguments]
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    return time.monotonic() - began, done.stdout + done.stderr


def main() -> None:
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "demand"
        shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(".lockgate", "data", "__pycache__"))
        cold, _ = played(folder, "start", "--check")
        again, said = played(folder, "start", "--check")
        week, _ = played(folder, "next-week", "--check")
    print("| what | seconds | goal |\n|---|---|---|")
    print(f"| demo, packages installed, nothing computed | {cold:.0f} | |")
    print(f"| demo again, {said.count('✓')} steps run | {again:.1f} | 15 |")
    print(f"| a week of data → new release, gated, in staging, approved, live | {week:.0f} | 60 |")


if __name__ == "__main__":
    main()
