"""A tiny project that can be released: units = scale × mean of the product's history; closed on Sundays."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import json
from pathlib import Path

import polars as pl

from lockgate import codecs
from lockgate.records.artifact import Artifact
from lockgate.records.digest import digest_file
from lockgate.records.release import Lineage, Manifest, PredictorSpec
from lockgate.release.bundle import bundle
from lockgate.release.client import describe_code

AS_OF = dt.date(2011, 10, 15)
PRODUCTS = {"A1": "White hanging heart", "B2": "Jam making set", "C3": "Doormat, union flag"}

PIPELINES = '''
"""What the toy shop predicts."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Annotated

import polars as pl

from lockgate import Choices, Horizon, predictor
from toyshop.reasons import reasons
EXTRA_IMPORT


def closed(day: dt.date) -> str | None:
    return "The shop is closed on Sundays." if day.weekday() == 6 else None


@dataclass
class Request:
    product: Annotated[str, Choices("history", "product", label="title")]
    date: Annotated[dt.date, Horizon(days=28, closed=closed)]


@dataclass
class Forecast:
    units: float = field(metadata={"unit": "units"})
    low: float
    high: float
    note: str | None


@predictor(request=Request, response=Forecast, state={"history": "date"}, explain=reasons, chart="units")
def forecast(requests: pl.DataFrame, scale: float, history: pl.DataFrame) -> pl.DataFrame:
    """Units the toy shop sells of one product on one day."""
    BODY
    means = history.group_by("product").agg(pl.col("units").mean().alias("mean"))
    joined = requests.join(means, on="product", how="left", maintain_order="left")
    units = pl.col("mean").fill_null(0.0) * scale * (1 + pl.col("date").dt.weekday() / 100)
    return joined.select(
        units.alias("units"),
        (units * 0.5).alias("low"),
        (units * 1.5).alias("high"),
        pl.lit(None, dtype=pl.String).alias("note"),
    )
'''

REASONS = '''
"""Why the toy shop predicts it."""

import polars as pl


def reasons(requests: pl.DataFrame, scale: float, history: pl.DataFrame) -> list[list[str]]:
    return [[f"{product} sold on {history.filter(product=product).height} days.", f"Scale is {scale}."]
            for product in requests["product"]]
'''


def code(*, body: str = "pass", extra_import: str = "") -> dict[str, bytes]:
    text = PIPELINES.replace("BODY", body).replace("EXTRA_IMPORT", extra_import)
    return {
        "toyshop/__init__.py": b"",
        "toyshop/pipelines.py": text.encode(),
        "toyshop/reasons.py": REASONS.encode(),
    }


def history() -> pl.DataFrame:
    days = pl.date_range(dt.date(2011, 7, 1), dt.date(2011, 11, 30), eager=True)
    rows = [
        {"date": day, "product": product, "title": title, "units": float((i * 7 + k * 5) % 23 + k)}
        for i, day in enumerate(days.to_list())
        for k, (product, title) in enumerate(PRODUCTS.items())
        if day.weekday() != 6
    ]
    return pl.DataFrame(rows)


def holdout() -> pl.DataFrame:
    rows = [
        {
            "product": product,
            "date": as_of + dt.timedelta(days=ahead),
            "as_of": as_of,
            "actual": float(ahead % 9),
            "band": "b",
        }
        for back in range(8)
        for as_of in [AS_OF - dt.timedelta(days=7 * (back + 4))]
        for ahead in range(1, 15)
        for product in PRODUCTS
    ]
    return pl.DataFrame(rows)


def lock() -> str:
    names = ("polars", "polars-runtime-32", "numpy")
    return "".join(f"{n}=={importlib.metadata.version(n)}\n" for n in names)


def stored(folder: Path, name: str, codec: str, value: object, kind: str) -> tuple[Path, Artifact]:
    path = folder / f"{name}{codecs.SUFFIXES[codec]}"
    if codec == "json":
        path.write_text(json.dumps(value))
    else:
        codecs.save(codec, value, path)
    identity = codecs.identity(codec, value)
    artifact = Artifact(
        type=kind, codec=codec, digest=identity, object=digest_file(path), size_bytes=path.stat().st_size
    )
    return path, artifact


def spec(folder: Path, files: dict[str, bytes]) -> PredictorSpec:
    for path, data in files.items():
        (folder / "described" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "described" / path).write_bytes(data)
    return describe_code(folder / "described", "toyshop.pipelines:forecast")


def make(folder: Path, *, scale: float = 1.0, into: Path | None = None, **options: object) -> tuple[Path, Manifest]:
    """Bundle one toy release; answers its folder and manifest."""
    work = folder / f"work-{scale}-{len(list(folder.glob('work-*')))}"
    work.mkdir(parents=True)
    files = options.pop("files", None) or code()
    frame = "polars.dataframe.frame:DataFrame"
    directory = into or folder / "releases"
    manifest = bundle(
        directory,
        project="toyshop",
        name="toy",
        as_of=AS_OF.isoformat(),
        predictor=spec(work, files),
        code=files,
        inputs={"scale": stored(work, "scale", "json", scale, "builtins:float")},
        state={"history": stored(work, "history", "polars.ipc", options.pop("history", history()), frame)},
        holdout=stored(work, "holdout", "polars.ipc", options.pop("holdout", holdout()), frame),
        lock=options.pop("lock", lock()),
        lineage=Lineage(commit="c0ffee", dirty=False, parameters={"model": {"scale": str(scale)}}),
        **options,
    )
    return directory / manifest.digest.removeprefix("sha256:"), manifest
