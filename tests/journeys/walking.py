"""The tool as a user holds it: a project folder, the `lockgate` command, and servers, each a process of its own."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

SHOP = Path(__file__).parents[1] / "projects" / "shop"
COMMAND = Path(sys.executable).with_name("lockgate")
FIRST_DAY = date(2020, 1, 1)
DAYS = 121
PRODUCTS = 6
WIDTH = 100
LONGEST_SECONDS = 120.0

GOOD, FAILED, USAGE, HUMAN, REFUSED, OUTSIDE = range(6)
"""The exit codes, in their order."""

GATES = ("enough_good_data", "no_leak", "beats_baseline", "champion", "slices", "integration")


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended."""

    command: str
    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return f"$ {self.command}\n{self.out}{self.err}[exit {self.code}]"

    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Lockgate:
    """`lockgate …` in one working copy. Whatever happens, nobody is shown a traceback."""

    root: Path
    env: dict[str, str] = field(default_factory=dict[str, str])

    def __call__(self, *arguments: str, expect: int | None = GOOD, within: float = LONGEST_SECONDS) -> Done:
        """Run one command; `expect` None takes any exit code."""
        done = self.end(self.start(*arguments), " ".join(arguments), within)
        assert expect is None or done.code == expect, f"expected exit {expect}\n{done.text}"
        return done

    def start(self, *arguments: str, prefix: tuple[str, ...] = (str(COMMAND),)) -> subprocess.Popen[str]:
        environment = {**os.environ, "TERM": "dumb", **self.env}
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [*prefix, *arguments], cwd=self.root, env=environment, stdout=pipe, stderr=pipe, text=True
        )

    @staticmethod
    def end(process: subprocess.Popen[str], command: str, within: float = LONGEST_SECONDS) -> Done:
        try:
            out, err = process.communicate(timeout=within)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"lockgate {command} did not end within {within} s\n{out}{err}") from None
        done = Done(f"lockgate {command}", process.returncode, out, err)
        assert "Traceback (most recent call last)" not in out + err, done.text
        return done

    def json(self, *arguments: str) -> Any:
        return self(*arguments, "--json").json()

    def ledger(self) -> list[dict[str, Any]]:
        return self.json("ledger", "log")

    def release(self) -> str:
        """The digest of the newest release."""
        return self.json("releases")[0]["release"]

    def live(self, environment: str = "production") -> str | None:
        return next(s["release"] for s in self.json("status") if s["environment"] == environment)

    def actions(self, *arguments: str) -> dict[str, str]:
        """Step → what `run` did with it."""
        return {s["name"].removeprefix("shop."): s["action"] for s in self.json("run", *arguments)["steps"]}

    def approve(self, ref: str = "latest", *, key: str = "bob", expect: int = GOOD) -> Done:
        """Look, and sign."""
        path = str(self.root / ".lockgate" / key)
        self("evidence", ref, expect=None)
        return self(
            "approve", ref, "--role", "product-owner", "--reason", "fit for its use", "--key", path, expect=expect
        )

    def reject(self, ref: str = "latest", *, key: str = "bob") -> Done:
        path = str(self.root / ".lockgate" / key)
        return self(
            "reject", ref, "--role", "product-owner", "--reason", "too risky before the holidays", "--key", path
        )


class Server:
    """`lockgate serve ENV` for the length of a block."""

    def __init__(self, lockgate: Lockgate, environment: str, *arguments: str) -> None:
        self._lockgate, self._environment, self._arguments = lockgate, environment, arguments
        self.address = ""
        self._lines: list[str] = []

    def __enter__(self) -> Self:
        self._process = self._lockgate.start("serve", self._environment, "--port", "0", *self._arguments)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        until(lambda: "listens on" in self.said or self._process.poll() is not None, what=lambda: self.said)
        assert "listens on" in self.said, self.said
        self.address = self._lines[0].rpartition(" ")[2].strip()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self._reader.join(timeout=10)
            for stream in (self._process.stdout, self._process.stderr):
                if stream:
                    stream.close()
        assert "Traceback" not in self.said, self.said

    @property
    def said(self) -> str:
        return "".join(self._lines)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def code(self) -> int | None:
        return self._process.poll()

    def answers(self, release: str | None = None) -> Self:
        """Wait until it answers; with a release: until it answers with that one."""

        def ready() -> bool:
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, body = ask(self.address, "GET", "/health")
                return status == 200 and release in (None, body["release"])
            return False

        until(ready, what=lambda: self.said)
        return self

    def predict(self, product: str = "p1", day: str = "2020-05-02") -> dict[str, Any]:
        status, body = ask(self.address, "POST", "/predict", {"product": product, "date": day})
        assert status == 200, body
        return body

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._lines.append(line)
        assert self._process.stderr
        with contextlib.suppress(ValueError):
            self._lines.append(self._process.stderr.read())


def ask(address: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """One request on a connection of its own."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    with contextlib.closing(connection):
        connection.request(
            method, path, None if body is None else json.dumps(body), {"content-type": "application/json"}
        )
        response = connection.getresponse()
        return response.status, json.loads(response.read())


def until(ready: Any, *, within: float = 60.0, what: Any = lambda: "") -> None:
    """Wait for something to become true."""
    ends = time.monotonic() + within
    while not ready():
        assert time.monotonic() < ends, f"not within {within} s: {what()}"
        time.sleep(0.05)


@contextlib.contextmanager
def both(lockgate: Lockgate) -> Iterator[tuple[Server, Server]]:
    """Staging and production."""
    with Server(lockgate, "staging") as staging, Server(lockgate, "production") as production:
        yield staging, production


def make_shop(root: Path) -> Lockgate:
    """The toy project as a fresh git repository, with its data."""
    shutil.copytree(SHOP, root, ignore=shutil.ignore_patterns("__pycache__", ".lockgate", "data"))
    write_sales(root, days=DAYS)
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "config", "user.email", "dev@example.org")
    git(root, "config", "user.name", "Dev")
    commit(root, "the shop")
    return Lockgate(root)


def copy(lockgate: Lockgate, root: Path) -> Lockgate:
    """Another folder with everything of a project: code, keys, store, ledger."""
    shutil.copytree(lockgate.root, root, symlinks=True)
    return Lockgate(root, dict(lockgate.env))


def write_sales(root: Path, *, days: int) -> None:
    """The first `days` of sales, and the replayed day; the same seed gives the same first days."""
    chance = random.Random(1)
    lines = ["date,product,units"]
    for number in range(days):
        day = FIRST_DAY + timedelta(days=number)
        lines += [f"{day},p{p},{10 + 20 * p + chance.randint(-5, 5)}" for p in range(PRODUCTS)]
    (root / "data").mkdir(exist_ok=True)
    (root / "data" / "sales.csv").write_text("\n".join(lines) + "\n")
    (root / "data" / "as-of").write_text(f"{FIRST_DAY + timedelta(days=days - 1)}\n")


def edit(root: Path, file: str, old: str, new: str) -> None:
    """Replace a text that occurs exactly once."""
    text = (root / file).read_text()
    assert text.count(old) == 1, (file, old, text.count(old))
    (root / file).write_text(text.replace(old, new))


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout


def commit(root: Path, message: str) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", message)


def objects(root: Path) -> dict[str, Path]:
    """Every stored object by its digest."""
    return {f"blake3:{p.name}": p for p in (root / ".lockgate" / "objects").glob("??/*") if not p.name.startswith(".")}


def flip(path: Path, position: int = -2) -> None:
    """Change one bit of one byte."""
    data = bytearray(path.read_bytes())
    data[position] ^= 0x01
    mode = path.stat().st_mode
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(mode)
