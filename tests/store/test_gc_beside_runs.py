"""A collection and runs at the same time: what a run reuses or makes survives, however old it is."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from build.working_copy import LOCKGATE, WorkingCopy

STEPS = """
    import time
    from lockgate import Pipeline, step

    @step
    def base(number: int = 1) -> str:
        return "x" * 1000 + str(number)

    @step
    def slow(base: str, salt: int = 0) -> int:
        time.sleep(1.0)
        return len(base) + salt

    @step
    def late(base: str, slow: int) -> str:
        return base + str(slow)

    flow = Pipeline("flow", kind="data", steps=[base, slow, late])
"""


def make_old(store: Path) -> None:
    then = time.time() - 40 * 24 * 3600
    for path in (p for kind in ("objects", "results", "sources") for p in (store / kind).glob("??/*")):
        os.utime(path, (then, then))


def test_a_run_that_reuses_what_is_garbage_for_another_copy_ends_well(tmp_path: Path) -> None:
    """Copy `two` has other parameters: for it everything that `one` reuses is garbage, and it collects all the time."""
    store = tmp_path / "shared"
    toml = f'[store]\nurl = "file://{store}"\nlease_s = 5\n'
    one = WorkingCopy(tmp_path / "one", STEPS, toml=toml + "[params.base]\nnumber = 1\n")
    two = WorkingCopy(tmp_path / "two", STEPS, toml=toml + "[params.base]\nnumber = 2\n")
    assert two.command("run").returncode == 0
    for round in range(2):
        assert one.command("run", "--to", "base").returncode == 0
        make_old(store)
        run = subprocess.Popen(
            [LOCKGATE, "run", "--param", f"slow.salt={round + 1}"], cwd=one.root, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        collections = 0
        while run.poll() is None:
            done = two.command("store", "gc", "--keep", "0", "--yes")
            assert done.returncode == 0, done.stdout + done.stderr
            collections += 1
        out, err = run.communicate()
        # It read `base` after a second in which everything old was collected.
        assert run.returncode == 0, out + err
        assert collections >= 1
        assert one.command("run", "--param", f"slow.salt={round + 1}").returncode == 0
        assert one.command("store", "check").returncode == 0
    # The proof that it is the run which protected it: now that none is at work, `two` collects what `one` has.
    make_old(store)
    before = len(list((store / "objects").glob("??/*")))
    assert two.command("store", "gc", "--keep", "0", "--yes").returncode == 0
    assert len(list((store / "objects").glob("??/*"))) < before


def test_a_pin_of_a_run_that_died_protects_nothing_for_long(tmp_path: Path) -> None:
    from lockgate.adapters.local_leases import LocalLeases
    from lockgate.delivery.store.gc import _pins
    from lockgate.delivery.turns import Turns
    from lockgate.project import open_project

    copy = WorkingCopy(tmp_path / "flow", STEPS)
    leases = LocalLeases(copy.root / ".lockgate")
    with Turns(leases, result=lambda _: None, lasts_s=60) as turns:
        turns.pin(["blake3:" + "1" * 64], still_there=lambda: True)
        assert _pins(open_project(copy.root)) == {"blake3:" + "1" * 64}
    assert _pins(open_project(copy.root)) == set()
    code = (
        "import os; from pathlib import Path\n"
        "from lockgate.adapters.local_leases import LocalLeases\n"
        "from lockgate.delivery.turns import Turns\n"
        f"turns = Turns(LocalLeases(Path({str(copy.root / '.lockgate')!r})), result=lambda _: None, lasts_s=60)\n"
        "turns.pin(['blake3:' + '2' * 64], still_there=lambda: True)\nos._exit(0)\n"
    )
    import sys

    subprocess.run([sys.executable, "-c", code], check=True)
    assert list(leases.names()) != []
    assert _pins(open_project(copy.root)) == set()
    assert list(leases.names()) == []
