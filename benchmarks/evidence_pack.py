"""How long does everything on an evidence page take for a test of 50,000 rows? Prints one line per view; the goal is 20 s.

    python benchmarks/evidence_pack.py [ROWS]

The release of the tests that decides yes or no, with a score and reasons: its answers over the whole test, then each view of the
page as the engine measures it, one after the other in one process, the explanations sampled as they are there, and the page.
"""

from __future__ import annotations

import datetime as dt
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from lockgate import codecs
from lockgate.delivery.evidence.sayings import findings_of
from lockgate.evaluation.distributions import distributions
from lockgate.evaluation.reliability import reliability
from lockgate.evaluation.rivals import rivals
from lockgate.evaluation.summary import summary
from lockgate.records.evidence import Estimate, GroupEstimate
from lockgate.records.pack import Decided, Metric, Pack
from lockgate.records.wire import from_json
from lockgate.release.cases import cases
from lockgate.release.evidence_page import render
from lockgate.release.importance import explained
from lockgate.release.scoring import scored

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "release"))
import deciding_release as bank  # noqa: E402  # pyright: ignore[reportMissingImports]

ROWS, GOAL_S = 50_000, 20.0
Answer = TypeVar("Answer")
total = {"wall": 0.0}


def timed(what: str, work: Callable[[], Answer]) -> Answer:
    start = time.perf_counter()
    found = work()
    seconds = time.perf_counter() - start
    total["wall"] += seconds
    print(f"{what:<48} {seconds:6.2f} s")
    return found


def main(rows: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        table = bank.holdout(rows)
        release, manifest = bank.make(Path(folder), table=table)
        file = Path(folder) / "holdout.arrow"
        codecs.save("polars.ipc", table, file)
        answered = timed(f"answers to {rows:,} requests", lambda: scored(release, file))
        numbers = timed("numbers by group", lambda: summary(answered, ["group"], metric="accuracy"))
        views = {
            "distributions": timed("distributions", lambda: distributions(answered, None, None, ["group"])),
            "reliability": timed("calibration per group", lambda: reliability(answered, ["group"])),
            "rivals": timed(
                "beside what else could answer", lambda: rivals(answered, None, ["group"], metric="accuracy")
            ),
            "explained": timed("what it looks at", lambda: explained(release, file, metric="accuracy")),
        }
        timed("twenty cases in words", lambda: cases(release, answered, None, None))
        pack = Pack(
            project="toybank", release=manifest.digest, as_of=dt.date(2011, 10, 15), environment="production",
            metric=Metric(name="accuracy", unit="share", lower_is_better=False),
            overall=from_json(Estimate, numbers["overall"]), decided=tuple(from_json(Decided, d) for d in numbers["decided"]),
            groups=tuple(from_json(GroupEstimate, g) for g in numbers["groups"]), **findings_of(views),
        )  # fmt: skip
        page = timed("the page", lambda: render(pack))
    print(f"{'all of it':<48} {total['wall']:6.2f} s; {len(page):,} bytes; goal {GOAL_S:.0f} s: "
          f"{'met' if total['wall'] <= GOAL_S else 'NOT met'}")  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)
