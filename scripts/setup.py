"""Set up `.venv`: say what will be downloaded, install exactly the locked packages, never go silent.

    python3 scripts/setup.py demo | test

Standard library only: this runs before anything is installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
SIZES = {
    "demo": "about 170 MB of packages (polars, lightgbm, numpy, scipy, uvicorn, …), into .venv",
    "test": "about 70 MB of test tools (pytest, hypothesis, playwright, pyright, ruff, …), into .venv",
}
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def main(kind: str) -> int:
    """Install one set of locked packages and Lockgate itself."""
    if sys.version_info < (3, 11):  # noqa: UP036  the one file that an older Python may meet
        print(
            f"Lockgate needs Python 3.11 or newer; this is {sys.version.split()[0]}.\n  next: make PYTHON=python3.12 {kind}"
        )
        return 2
    print(f"setting up: {SIZES[kind]}", flush=True)
    if not PYTHON.exists():
        run("making .venv", [sys.executable, "-c", f"import venv; venv.create({str(VENV)!r}, with_pip=True)"])
    install = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run("installing packages", [*install, "--require-hashes", "-r", str(ROOT / "requirements" / f"{kind}.txt")])
    if kind == "demo":
        run("installing lockgate", [*install, "--no-deps", "--no-build-isolation", "-e", str(ROOT)])
        # pip compiles what it copies; what it links to would be compiled at each start where Python may not write
        run("compiling lockgate", [str(PYTHON), "-m", "compileall", "-q", str(ROOT / "src")])
    return browser() if kind == "test" else 0


def browser() -> int:
    """Browser tests need Chromium: installed here when we may, else named."""
    if any(shutil.which(name) for name in CHROMIUM):
        return 0
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("installing Debian's Chromium for the browser tests (about 100 MB)", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get update", ["apt-get", "update", "-qq"], environment)
        run(
            "apt-get install chromium",
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"],
            environment,
        )
        return 0
    print(
        "no Chromium found: the browser tests will be skipped by name.\n  next: install the package `chromium`, then make test"
    )
    return 0


def run(what: str, command: list[str], environment: dict[str, str] | None = None) -> None:
    """Run a command with a sign of life every second; its output is shown when it fails."""
    ended = threading.Event()

    def tick() -> None:
        began = time.monotonic()
        while not ended.wait(1.0):
            text = f"  {what} … {time.monotonic() - began:.0f} s"
            print(f"\r{text}" if sys.stdout.isatty() else text, end="" if sys.stdout.isatty() else "\n", flush=True)

    threading.Thread(target=tick, daemon=True).start()
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    ended.set()
    if sys.stdout.isatty():
        print("\r\x1b[K", end="")
    if done.returncode:
        print(
            done.stdout[-4000:],
            done.stderr[-4000:],
            f"\n{what} failed.\n  next: look above, then run make again",
            file=sys.stderr,
        )
        sys.exit(5)
    print(f"  {what}: done", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
