"""What reading a database costs: a million rows in SQLite, read first, then with nothing new, then with 1 % new.

    python benchmarks/sources.py [ROWS]

Each line is one `lockgate run` in a fresh process: wall time, and user + system time of it and its children. The step
only counts rows, so that reading is what is measured. Beside it: the same rows by `polars.read_database` into a frame,
which keeps nothing.
"""

from __future__ import annotations

import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROWS = 1_000_000
RUN = "from lockgate.cli.main import main; raise SystemExit(main({}))"
QUERY = "select id, day, product, units, price from sales"
PEER = f"""
import sqlite3, polars as pl
print(len(pl.read_database("{QUERY} order by id", sqlite3.connect("shop.db"))))
"""
STEPS = """
import polars as pl
from lockgate import Pipeline, step

@step
def size(sales: pl.DataFrame) -> int:
    return len(sales)

shop = Pipeline("shop", kind="data", steps=[size])
"""
TOML = f"""
[project]
name = "shop"
pipelines = ["steps"]

[sources.sales]
kind = "sqlite"
path = "shop.db"
query = "{QUERY}"
watermark = "id"
"""


def main() -> None:
    """Print a table."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "steps.py").write_text(STEPS)
        (folder / "lockgate.toml").write_text(TOML)
        fill(folder, 0, 1)
        measure(folder, RUN.format(["run"]))  # captures the graph
        fill(folder, 1, rows)
        print(f"{'':<44} {'wall s':>7} {'CPU s':>7}")
        show(f"polars.read_database, {rows:,} rows", *measure(folder, PEER))
        show(f"lockgate run, first {rows:,} rows", *measure(folder, RUN.format(["run"])))
        show("lockgate run, nothing new", *min(measure(folder, RUN.format(["run"])) for _ in range(5)))
        fill(folder, rows, rows + rows // 100)
        show(f"lockgate run, {rows // 100:,} rows new", *measure(folder, RUN.format(["run"])))


def fill(folder: Path, start: int, stop: int) -> None:
    """Rows with ids from start + 1 on: two texts, a whole number, a price."""
    connection = sqlite3.connect(folder / "shop.db")
    with connection:
        connection.execute(
            "create table if not exists sales (id integer primary key, day text, product text, units integer, price real)"
        )
        connection.executemany(
            "insert into sales (day, product, units, price) values (?, ?, ?, ?)",
            (
                (f"2030-{1 + n // 28 % 12:02d}-{1 + n % 28:02d}", f"p{n * 7919 % 3000}", n % 40, n % 977 / 10)
                for n in range(start, stop)
            ),
        )
    connection.close()


def measure(folder: Path, code: str) -> tuple[float, float]:
    """Wall and CPU seconds of a Python process and of its children."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    wall_s = time.perf_counter() - started
    assert done.returncode == 0, done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall_s, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def show(name: str, wall_s: float, cpu_s: float) -> None:
    print(f"{name:<44} {wall_s:7.2f} {cpu_s:7.2f}")


if __name__ == "__main__":
    main()
