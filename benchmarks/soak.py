"""Kill before every write of every scene, mutate code, and write `benchmarks/soak.md`: `make soak`. Takes half an hour.

python benchmarks/soak.py [-n WORKERS] [PYTEST ARGUMENT …]

With other arguments only some scenes run: their rows are replaced and say at which commit, the rest of the page stays.
"""

from __future__ import annotations

import datetime as dt
import os
import platform
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
READINGS = "# Two readings of the rules"


def main(arguments: list[str]) -> int:
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "soak.xml"
        command = [sys.executable, "-m", "pytest", "-m", "soak or sampled", "tests", "-o", "junit_family=xunit1"]
        command += [f"--junit-xml={report}", *arguments]
        done = subprocess.run(command, cwd=ROOT, check=False, env={**os.environ, "LOCKGATE_SAMPLE": "all"})
        cases = list(ET.parse(report).iter("testcase"))
    if not arguments or (arguments[0] == "-n" and len(arguments) == 2):
        kills = sorted(_row(c) for c in cases if "kill" in c.get("classname", ""))
        mutations = [_properties(c) for c in cases if "mutations" in c.get("classname", "")]
        page = (
            _page(commit, kills) + _packages(cases) + _gates(cases) + _agreement(cases, commit) + _mutations(mutations)
        )
        (ROOT / "benchmarks" / "soak.md").write_text(page)
    else:
        _replace([_row(c) for c in cases if "kill" in c.get("classname", "")], commit)
        _replace_agreement(cases, commit)
    return done.returncode


def _replace(rows: list[tuple[str, str, str, str]], commit: str) -> None:
    page = ROOT / "benchmarks" / "soak.md"
    again = {f"| {row[0]} ": "| " + " | ".join((*row[:3], f"{row[3]} (at {commit})")) + " |" for row in rows}
    lines = [
        next((new for old, new in again.items() if line.startswith(old + "|")), line)
        for line in page.read_text().splitlines()
    ]
    page.write_text("\n".join(lines) + "\n")


def _replace_agreement(cases: list[ET.Element], commit: str) -> None:
    """Put the section in the place of the old one, or before that on mutations."""
    page, made = ROOT / "benchmarks" / "soak.md", _agreement(cases, commit)
    before, mark, after = page.read_text().partition("\n# Mutations")
    if made:
        page.write_text(before.partition(f"\n{READINGS}\n")[0] + made + mark + after)


def _agreement(cases: list[ET.Element], commit: str) -> str:
    """Generated ledgers, judged by the code that decides and by the stand-alone verifier; empty when none was."""
    found = [p for c in cases if "ledgers" in (p := _properties(c))]
    if not found:
        return ""

    def total(name: str) -> int:
        return sum(int(p.get(name, 0)) for p in found)

    rows = "".join(
        f"| {w} | {total(f'let in, {w}'):,} | {total(f'refused, {w}'):,} |\n" for w in ("served", "never served")
    )
    return (
        f"\n{READINGS}\n\n{total('ledgers'):,} generated ledgers, seeds from {min(int(p['first']) for p in found)} on, at {commit}: "
        f"{total('disagreements')} about which the code that decides and `release/verify.py`, which shares no line with it, say "
        "something else. What happens in them: `tests/release/test_verify_agrees.py`.\n\n"
        f"| release | both let it in | both refuse it |\n|---|---:|---:|\n{rows}"
    )


def _properties(case: ET.Element) -> dict[str, str]:
    return {p.get("name", ""): p.get("value", "") for p in case.iter("property")}


def _row(case: ET.Element) -> tuple[str, str, str, str]:
    found = _properties(case)
    scene = case.get("name", "").removeprefix("test_every_site[").removesuffix("]")
    bad = case.find("failure") is not None or case.find("error") is not None
    failed = found.get("failed", "did not end") if bad else "0"
    return scene, found.get("sites", "?"), failed, f"{float(case.get('time', 0)):.0f}"


def _page(commit: str, rows: list[tuple[str, str, str, str]]) -> str:
    head = (
        "# Soak: kill -9 before every write, fsync, rename, unlink and send\n\n"
        f"{dt.datetime.now(dt.UTC):%F} · commit {commit} · Python {platform.python_version()} · {os.cpu_count()} cores. "
        "After each kill: the next command works, the ledger verifies, nothing acknowledged is gone, "
        "no half file stands under a final name. `make soak` writes this page.\n\n"
        "| scene | sites killed | failed | seconds |\n|---|---:|---:|---:|\n"
    )
    return head + "".join("| " + " | ".join(row) + " |\n" for row in rows)


def _packages(cases: list[ET.Element]) -> str:
    """The longest journeys: releases made again and compared, the demand example in a pipeline, two writers of one ledger."""
    other = ("kill", "mutations", "agrees", "ten_million")
    ran = [c for c in cases if not any(k in c.get("classname", "") for k in other)]
    files: dict[str, list[ET.Element]] = {}
    for case in ran:
        files.setdefault(
            case.get("classname", "").rpartition(".")[2].removeprefix("test_").replace("_", " "), []
        ).append(case)
    rows = [f"| {name} | {len(of)} | {_failed(of)} | {_seconds(of):.0f} |\n" for name, of in sorted(files.items())]
    return "\n# Long journeys\n\n| about | journeys | failed | seconds |\n|---|---:|---|---:|\n" + "".join(rows)


def _failed(cases: list[ET.Element]) -> str:
    bad = [c.get("name", "").removeprefix("test_").replace("_", " ") for c in cases if _outcome(c) != "good"]
    return f"{len(bad)}: {'; '.join(bad)}" if bad else "0"


def _seconds(cases: list[ET.Element]) -> float:
    return sum(float(c.get("time", 0)) for c in cases)


def _gates(cases: list[ET.Element]) -> str:
    """Every gate on ten million rows; seconds of the processor, and memory with the inputs."""
    ran = [(_properties(c), _outcome(c)) for c in cases if "ten_million" in c.get("classname", "")]
    rows = [f"| {f.get('gate')} | {f.get('seconds')} | {f.get('gibibytes')} | {outcome} |\n" for f, outcome in ran]
    head = "\n# Every gate on ten million rows\n\n| gate | seconds | GiB with the inputs | outcome |\n|---|---:|---:|---|\n"
    return head + "".join(rows)


def _outcome(case: ET.Element) -> str:
    return "failed" if any(case.find(bad) is not None for bad in ("failure", "error")) else "good"


def _mutations(found: list[dict[str, str]]) -> str:
    """The rows of `tests/build/mutation.py`, which says what the columns mean."""
    rows = [f["mutation"] for f in found if "mutation" in f]
    reruns, wasted, missed, edits = (
        sum(int(f["counts"].split()[column]) for f in found if "counts" in f) for column in range(4)
    )
    seed = next((f["seed"] for f in found if "seed" in f), "?")
    return (
        f"\n# Mutations: an edit that changes the result changes the key\n\n{edits} edits by the standard operators, seed "
        f"{seed}: {missed} missed; {wasted} of {reruns} re-runs were needless ({wasted / max(1, reruns):.1%}, at most 5 %). "
        "Projects in the styles people write, and installed packages copied in as a project's own code. What the columns "
        "mean: `tests/build/mutation.py`.\n\n"
        "| project | edits | result changed | missed | same, in use | same, named | same, unused | needless re-runs "
        "| of all re-runs | re-ran to the same result |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
    ) + "".join(f"{row}\n" for row in rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
