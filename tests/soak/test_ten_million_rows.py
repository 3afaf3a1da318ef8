"""Every gate on ten million rows: a verdict within a minute and four gibibytes, the inputs included. Minutes in all."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gates.every_gate import EVERY

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]

ROWS = 10_000_000
SECONDS, GIBIBYTES = 60, 4.0
PROGRAM = """
import json, resource, sys, time
from pathlib import Path
from gates.every_gate import EVERY, good_inputs
from lockgate.testing.gates import measure, verdict
name, rows, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
given = good_inputs(name, rows, folder)
began = time.process_time()
found = verdict(EVERY[name], measure(EVERY[name], given))
spent = time.process_time() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps({"outcome": found.outcome, "reason": found.reason, "seconds": spent, "gibibytes": peak}))
"""


@pytest.mark.parametrize("name", sorted(EVERY))
def test_ten_million_rows_get_a_verdict(
    name: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """In a process of its own, so that its memory is its own; seconds are of the processor, as the machine may be busy."""
    tests = str(Path(__file__).parents[1])
    command = [
        sys.executable,
        "-c",
        f"import sys; sys.path.insert(0, {tests!r})\n{PROGRAM}",
        name,
        str(ROWS),
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for what, value in (
        ("gate", name),
        ("seconds", f"{found['seconds']:.1f}"),
        ("gibibytes", f"{found['gibibytes']:.1f}"),
    ):
        record_property(what, value)
    assert found["outcome"] == "pass", found["reason"]
    assert found["seconds"] < SECONDS
    assert found["gibibytes"] < GIBIBYTES
