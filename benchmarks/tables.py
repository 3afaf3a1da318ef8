"""What handing a table of 1 GB to the next step costs: one step makes it, another one adds up one of its columns.

    python benchmarks/tables.py [--rows 20000000] [--only "Lockgate"]

Each idiom is two commands: the first makes and keeps the table, the second finds it and reads it. For each: CPU seconds
of the command and all it started, and for the second the most memory that these held for themselves at one time
(anonymous, shared pages divided; a mapped file's pages are the kernel's to take back). The table has two whole-number
columns of 4 bytes, one of 8, two of floating point, and a text of 12 characters. Lockgate checks the bytes' digest
before it hands them over, and notes the values' identity when they are made; the others check nothing. Its tables are
those of Polars: pandas and Arrow tables have no codec yet.

Below: what a hand-over is made of, each in a process of its own. Peers get an environment from `peers/tables.txt`, as
`soundness.py` makes them.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

from peers.tools import KEDRO, Tool
from soundness import program

from lockgate.build.limits import memory_mb

PEERS = Tool("Tables", "", "", ())
LOOK_S = 0.02
MB = 1e6

MAKING = """
import numpy as np
def columns():
    numbers = np.arange({rows})
    price = np.random.default_rng(7).random({rows})
    product = np.char.mod("product-%04d", np.arange(3000))
    return {{"id": numbers, "store": (numbers % 1009).astype("i4"), "units": (numbers % 97).astype("i4"),
            "price": price, "cost": price[::-1] * 0.75}}, product, numbers % 3000
def in_polars():
    import polars as pl
    plain, product, which = columns()
    return pl.DataFrame(plain).with_columns(product=pl.Series(product.tolist()).gather(which))
def in_pandas():
    import pandas as pd
    plain, product, which = columns()
    return pd.DataFrame({{**plain, "product": pd.Series(product.tolist(), dtype="str").take(which).array}})
def in_numpy():
    plain, product, which = columns()
    return {{**plain, "product": product.astype("S12")[which]}}
"""


@dataclass(frozen=True)
class Idiom:
    """Files, the command that makes the table, and the one that reads it. `kept`: where it lies then."""

    name: str
    files: dict[str, str]
    make: tuple[str, ...] = ("python", "make.py")
    read: tuple[str, ...] = ("python", "read.py")
    kept: str = "table*"
    ours: bool = False
    environment: dict[str, str] = field(default_factory=dict[str, str])


def lockgate(kind: str, total: str) -> Idiom:
    steps = (
        "import polars as pl\nfrom lockgate import Pipeline, step\nimport making\n\n"
        "@step\ndef table() -> pl.DataFrame:\n    return making.in_polars()\n\n"
        f"@step\ndef total(table: pl.{kind}) -> float:\n    return {total}\n\n"
        "flow = Pipeline('flow', kind='data', steps=[table, total])\n"
    )
    toml = '[project]\nname = "flow"\npipelines = ["steps"]\n'
    return Idiom(
        f"Lockgate, `pl.{kind}`", {"steps.py": steps, "lockgate.toml": toml}, ours=True,
        make=("lockgate", "run", "--to", "table"), read=("lockgate", "run"), kept=".lockgate/objects/*/*",
    )  # fmt: skip


def plain(name: str, make: str, read: str, **more: str) -> Idiom:
    return Idiom(name, {"make.py": f"import making\n{make}\n", "read.py": f"{read}\nprint(float(total))\n"}, **more)  # type: ignore[arg-type]


def joblib(name: str, table: str, mode: str) -> Idiom:
    steps = f"import joblib, making\n_memory = joblib.Memory('.cache', mmap_mode={mode}, verbose=0)\n\n"
    steps += f"@_memory.cache\ndef table():\n    return making.{table}()\n"
    files = {"steps.py": steps, "make.py": "import steps\nsteps.table()\n"}
    files["read.py"] = "import steps\nprint(float(steps.table()['price'].sum()))\n"
    return Idiom(name, files, kept=".cache/**/*.*")


def hamilton() -> Idiom:
    steps = "import polars as pl\nimport making\n\ndef table() -> pl.DataFrame:\n    return making.in_polars()\n\n"
    steps += "def total(table: pl.DataFrame) -> float:\n    return table['price'].sum()\n"
    main = (
        "import sys\nfrom hamilton import driver\nimport steps\nif __name__ == '__main__':\n"
        "    dr = driver.Builder().with_modules(steps).with_cache(path='.cache').build()\n    dr.execute(sys.argv[1:])\n"
    )
    commands = {"make": ("python", "main.py", "table"), "read": ("python", "main.py", "total")}
    return Idiom("Hamilton, `with_cache`", {"steps.py": steps, "main.py": main}, kept=".cache/*", **commands)


def kedro() -> Idiom:
    steps = "import making\ndef table():\n    return making.in_polars()\n"
    steps += "def total(table):\n    return {'total': float(table['price'].sum())}\n"
    registry = (
        "from kedro.pipeline import Pipeline, node\nimport steps\ndef register_pipelines():\n    return {'__default__': "
        "Pipeline([node(steps.table, None, 'table', name='table'), node(steps.total, 'table', 'total', name='total')])}\n"
    )
    catalog = (
        "table:\n  type: kedro_datasets.polars.EagerPolarsDataset\n  file_format: parquet\n  filepath: table.parquet\n"
        "total:\n  type: kedro_datasets.json.JSONDataset\n  filepath: total.json\n"
    )
    same = {n: t for n, t in KEDRO.files.items() if "catalog" not in n and "registry" not in n}
    files = {**same, "src/steps.py": steps, "src/proj/pipeline_registry.py": registry, "conf/base/catalog.yml": catalog}
    commands = {"make": ("kedro", "run", "--nodes", "table"), "read": ("kedro", "run", "--nodes", "total")}
    return Idiom(
        "Kedro, `EagerPolarsDataset`", files, kept="table.parquet",
        environment={**KEDRO.environment, "PYTHONPATH": "src:."}, **commands,
    )  # fmt: skip


IDIOMS = (
    lockgate("DataFrame", "table['price'].sum()"),
    lockgate("LazyFrame", "table.select(pl.col('price').sum()).collect().item()"),
    plain("Parquet, `read_parquet`", "making.in_polars().write_parquet('table.parquet')", "import polars as pl\ntotal = pl.read_parquet('table.parquet')['price'].sum()"),
    plain("Parquet, `read_parquet(columns=['price'])`", "making.in_polars().write_parquet('table.parquet')", "import polars as pl\ntotal = pl.read_parquet('table.parquet', columns=['price'])['price'].sum()"),
    plain("Arrow, `read_ipc` of Polars", "making.in_polars().write_ipc('table.arrow')", "import polars as pl\ntotal = pl.read_ipc('table.arrow')['price'].sum()"),
    plain("pickle, Polars", "import pickle\npickle.dump(making.in_polars(), open('table.pkl', 'wb'), 5)", "import pickle\ntotal = pickle.load(open('table.pkl', 'rb'))['price'].sum()"),
    plain("joblib.dump, pandas", "import joblib\njoblib.dump(making.in_pandas(), 'table.joblib')", "import joblib\ntotal = joblib.load('table.joblib')['price'].sum()"),
    joblib("joblib.Memory, pandas", "in_pandas", "None"),
    joblib("joblib.Memory, pandas, `mmap_mode='r'`", "in_pandas", "'r'"),
    joblib("joblib.Memory, a dict of NumPy arrays, `mmap_mode='r'`", "in_numpy", "'r'"),
    hamilton(),
    kedro(),
)  # fmt: skip

PARTS = {
    "read the file as Polars does": "pl.read_ipc(path)",
    "map it": "codecs.load('polars.ipc', path, pl.DataFrame, mapped=True)",
    "map it and add up a column": "codecs.load('polars.ipc', path, pl.DataFrame, mapped=True)['price'].sum()",
    "the digest of its bytes": "digest_file(path)",
    "the identity of its values, once, where it is made": "codecs.identity('polars.ipc', table)",
    "write it, not counting the disk": "codecs.save('polars.ipc', table, Path('again'))",
}
PART = """
import sys, time
from pathlib import Path
import numpy, polars as pl
from lockgate import codecs
from lockgate.build.limits import memory_mb
from lockgate.codecs import arrow_map, polars_frame
from lockgate.records.digest import digest_file
path = Path(sys.argv[1])
table = codecs.load("polars.ipc", path, pl.DataFrame, mapped=True) if "table" in sys.argv[2] else pl.DataFrame({{"x": [0.5]}})
table[table.columns[0]].sum()
import os
before_mb, before_s = memory_mb(os.getpid()), time.process_time()
found = {code}
print(time.process_time() - before_s, memory_mb(os.getpid()) - before_mb)
"""


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--rows", type=int, default=20_000_000)
    asked.add_argument("--only", default="")
    given = asked.parse_args()
    peers = program(PEERS)
    if isinstance(peers, str):
        print(f"The peers' environment is not installed: {peers[:200]}\n")
    print(f"| {given.rows:,} rows | on disk, MB | make: CPU s | read: CPU s | read: memory of its own, MB |")
    print("|---|---:|---:|---:|---:|", flush=True)
    for idiom in (i for i in IDIOMS if given.only in i.name):
        bin_ = Path(sys.executable).parent if idiom.ours else peers
        if isinstance(bin_, Path):
            print(row(idiom, bin_, given.rows), flush=True)
    print("\n" + parts(given.rows))


def row(idiom: Idiom, bin_: Path, rows: int) -> str:
    with tempfile.TemporaryDirectory(prefix="tables-") as folder:
        root = Path(folder)
        for name, text in {"making.py": MAKING.format(rows=rows), **idiom.files}.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        try:
            make_s, _ = measured(idiom, idiom.make, bin_, root)
            size = sum(p.stat().st_size for p in root.glob(idiom.kept) if p.is_file())
            read_s, held_mb = measured(idiom, idiom.read, bin_, root)
        except subprocess.CalledProcessError as error:
            return f"| {idiom.name} | failed: {error.stderr.strip().splitlines()[-1][:80]} | | | |"
    return f"| {idiom.name} | {size / MB:,.0f} | {make_s:.1f} | {read_s:.2f} | {held_mb:,.0f} |"


def measured(idiom: Idiom, command: tuple[str, ...], bin_: Path, root: Path) -> tuple[float, float]:
    """CPU seconds of a command and all it started, and the most MB that these held for themselves at one time."""
    environment = {
        **os.environ, "PATH": f"{bin_}:{os.environ['PATH']}", "PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1",
        **idiom.environment,
    }  # fmt: skip
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(
        [bin_ / command[0], *command[1:]], cwd=root, env=environment, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    ended, held = threading.Event(), [0.0]

    def look() -> None:
        while not ended.wait(LOOK_S):
            held.append(memory_mb(process.pid))

    looking = threading.Thread(target=look)
    looking.start()
    _, said = process.communicate()
    ended.set()
    looking.join()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, stderr=said or "no reason given")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, max(held) * 2**20 / MB


def parts(rows: int) -> str:
    """Each operation in a process of its own, over the file that Lockgate hands over."""
    lines = ["| what a hand-over is made of | CPU s | memory of its own, MB |", "|---|---:|---:|"]
    with tempfile.TemporaryDirectory(prefix="tables-") as folder:
        root = Path(folder)
        (root / "making.py").write_text(MAKING.format(rows=rows))
        save = "import making; from pathlib import Path; from lockgate import codecs; codecs.save('polars.ipc', making.in_polars(), Path('table'))"
        subprocess.run([sys.executable, "-c", save], cwd=root, check=True)
        for what, code in PARTS.items():
            command = [sys.executable, "-c", PART.format(code=code), "table", code]
            done = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
            cpu_s, held = map(float, done.stdout.split())
            lines.append(f"| {what} | {cpu_s:.3f} | {max(held, 0) * 2**20 / MB:,.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
