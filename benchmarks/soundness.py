"""Is a stale result ever served? One small project per construct, an edit, and every tool beside each other.

    python benchmarks/soundness.py [--tools Lockgate,DVC] [--cases "a default,exec"] [--json FILE]

The cases are `peers/cases.py` (the first 13 are those that peers are usually compared by), the tools and their idioms, with
links, `peers/tools.py`. For each pair: run, edit, run again. Whether the edit changes the result is found by calling the
plain function. `ok`: the right answer, and no work that was not needed. `STALE`: the old answer for new code or data.
`needless`: it ran again for the same answer. `detected`: an error about a damaged result, which is right too. `error`: the
tool failed; the reason stands below the table.

Peers get a virtual environment each, from `peers/NAME.txt`, under `$LOCKGATE_PEERS` or `~/.cache/lockgate/peers`; the first
time downloads about 1 GB. One that cannot be installed is named, never left out silently.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from peers.cases import CASES, RATE, Case
from peers.tools import LOCKGATE, TOOLS, Tool

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("LOCKGATE_PEERS", Path.home() / ".cache" / "lockgate" / "peers"))
TIMEOUT_S = 300
FOLDER = re.compile(r"\S*/sound-\w+")
"""Where a case was laid out; the page needs no path of this machine."""


@dataclass(frozen=True)
class Seen:
    """What a tool made of one case: a word for the table, and why when it failed."""

    word: str
    reason: str = ""


def main() -> int:
    asked = argparse.ArgumentParser()
    asked.add_argument("--tools", default="")
    asked.add_argument("--cases", default="")
    asked.add_argument("--json", default="")
    given = asked.parse_args()
    tools = [t for t in TOOLS if not given.tools or t.name in given.tools.split(",")]
    cases = [c for c in CASES if not given.cases or c.name in given.cases.split(",")]
    programs = {t.name: program(t) for t in tools}
    there = [t for t in tools if not isinstance(programs[t.name], str)]
    truths = {c.name: truth(c) for c in cases}
    seen: dict[tuple[str, str], Seen] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        pairs = [(t, c) for t in there for c in cases]
        for (tool, case), found in zip(pairs, pool.map(lambda p: judge(*p, programs, truths), pairs), strict=True):
            seen[tool.name, case.name] = found
            print(f"{tool.name}: {case.name}: {found.word} {found.reason}", file=sys.stderr, flush=True)
    print(page(there, cases, seen, {t.name: v for t in tools if isinstance(v := programs[t.name], str)}))
    if given.json:
        Path(given.json).write_text(json.dumps({f"{t} | {c}": s.word for (t, c), s in seen.items()}, indent=1))
    return int(any(seen[t, c].word not in ("ok", "detected") for t, c in seen if t == LOCKGATE.name))


def program(tool: Tool) -> Path | str:
    """The folder of a tool's programs; text when it cannot be installed, saying why."""
    if tool is LOCKGATE:
        return Path(sys.executable).parent
    wanted = HERE / "peers" / f"{tool.name.lower()}.txt"
    folder = CACHE / tool.name.lower()
    mark = folder / "installed.txt"
    if not mark.is_file() or mark.read_text() != wanted.read_text():
        shutil.rmtree(folder, ignore_errors=True)
        for command in _installing(folder, wanted):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                return " ".join(done.stderr.split())[-300:] or "no reason given"
        shutil.copy(wanted, mark)
    return folder / "bin"


def _installing(folder: Path, wanted: Path) -> list[list[str | Path]]:
    """The ordinary clients; uv when it is there."""
    if uv := shutil.which("uv"):
        make = [uv, "venv", "-q", "--python", sys.executable, folder]
        return [make, [uv, "pip", "install", "-q", "--python", folder / "bin" / "python", "-r", wanted]]
    return [[sys.executable, "-m", "venv", folder], [folder / "bin" / "pip", "install", "-q", "-r", wanted]]


def truth(case: Case) -> tuple[str, str]:
    """What the plain function answers before and after."""
    with tempfile.TemporaryDirectory() as folder:
        root, found = Path(folder), []
        for after in (False, True):
            _write(root, None, case, after=after)
            text = "import steps; print(steps.result(open('data/in.txt', 'rb').read()))"
            command = [sys.executable, "-B", "-c", text]
            done = subprocess.run(
                command, cwd=root, env=_environment(root, case, after=after), capture_output=True, text=True
            )
            if done.returncode:
                raise SystemExit(f"case {case.name}: {done.stderr}")
            found.append(done.stdout.strip())
    return found[0], found[1]


def judge(tool: Tool, case: Case, programs: dict[str, Path | str], truths: dict[str, tuple[str, str]]) -> Seen:
    """Run, change, run again, and compare with what is true."""
    was, is_now = truths[case.name]
    with tempfile.TemporaryDirectory(prefix="sound-") as folder:
        root, bin_ = Path(folder), Path(programs[tool.name])
        _write(root, tool, case, after=False)
        first, ran, reason = run(tool, root, bin_, _environment(root, case, after=False, tool=tool, bin_=bin_))
        if first != was or not ran:
            return Seen("error", f"the first run answered {first!r}: {reason}")
        _write(root, tool, case, after=True)
        if case.stored and not _damage(root, tool, case.stored, was):
            return Seen("error", "found no stored result")
        answer, ran, reason = run(tool, root, bin_, _environment(root, case, after=True, tool=tool, bin_=bin_))
    if answer is None:
        return Seen("detected", reason) if case.stored == "tampered" else Seen("error", reason)
    if answer != is_now:
        return Seen("STALE")
    return Seen("needless" if ran and was == is_now and not case.stored else "ok")


def run(tool: Tool, root: Path, bin_: Path, environment: dict[str, str]) -> tuple[str | None, bool, str]:
    """One run: the answer, whether the step's body ran, and the end of what it said when it failed."""
    (root / "ran.txt").unlink(missing_ok=True)
    if tool.stored != ("answer.txt",):
        (root / "answer.txt").unlink(missing_ok=True)
    done = _call([bin_ / tool.command[0], *tool.command[1:]], root, environment)
    said = " | ".join((done.stderr + done.stdout).strip().splitlines()[-2:])[:300]
    if done.returncode:
        return None, False, said
    if tool is LOCKGATE:
        steps = json.loads(done.stdout)["steps"]
        shown = _call([bin_ / "lockgate", "show", "flow.result", "--json"], root, environment)
        answer = json.loads(shown.stdout)["value"] if not shown.returncode else None
        return answer, any(s["action"] == "run" for s in steps), shown.stderr.strip()[-300:]
    answer = root / "answer.txt"
    return (answer.read_text() if answer.is_file() else None), (root / "ran.txt").is_file(), said


def _call(command: list[str | Path], root: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"no answer in {TIMEOUT_S} s")


def _write(root: Path, tool: Tool | None, case: Case, *, after: bool) -> None:
    """The project before or after the change; `after` touches only what the change touches."""
    steps = case.edited(case.steps) if after else case.steps
    if tool is not None:
        steps = tool.before + steps.replace("#STEP", tool.step) + tool.after
        if tool is not LOCKGATE:
            head, line, body = steps.partition("def result(text: bytes) -> str:\n")
            steps = head + line + "    open('ran.txt', 'a').write('x')\n" + body
    if not after:
        case.lay_out(root)
        for name, text in (tool.files if tool else {}).items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
    else:
        case.change(root)
    path = root / "steps.py"
    if not path.is_file() or path.read_text() != steps:
        path.write_text(steps)


def _environment(
    root: Path, case: Case, *, after: bool, tool: Tool | None = None, bin_: Path | None = None
) -> dict[str, str]:
    kept = {n: v for n, v in os.environ.items() if n in ("LANG", "TMPDIR", "OPENBLAS_CORETYPE", "SSL_CERT_FILE")}
    home = root / "home"
    home.mkdir(exist_ok=True)
    return {
        **kept, "PATH": f"{bin_ or ''}:/usr/bin:/bin", "HOME": str(home), RATE: case.environment if after else "2",
        "XDG_CONFIG_HOME": str(home / ".config"), "PREFECT_HOME": str(home / ".prefect"), "ZENML_CONFIG_PATH": str(home / "zenml"),
        "PYTHONPATH": f"{root}:{root / 'site-packages'}", **(tool.environment if tool else {}),
    }  # fmt: skip


def _damage(root: Path, tool: Tool, how: str, answer: str) -> bool:
    """Delete or alter what a tool stored; with another digit in place of the answer's last where it can be found."""
    found = sorted({p for pattern in tool.stored for p in root.glob(pattern) if p.is_file()})
    holding = [p for p in found if answer.encode() in p.read_bytes()] or found
    for path in holding:
        path.chmod(0o644)
        data = path.read_bytes()
        other = answer[:-1] + "9"
        changed = data.replace(answer.encode(), other.encode()) if answer.encode() in data else data[:-1] + b"\x00"
        path.unlink() if how == "deleted" else path.write_bytes(changed)
    return bool(holding)


def page(tools: list[Tool], cases: list[Case], seen: dict[tuple[str, str], Seen], missing: dict[str, str]) -> str:
    """The table, cases that we lose first."""
    good = ("ok", "detected")
    ordered = sorted(cases, key=lambda c: seen[LOCKGATE.name, c.name].word in good) if LOCKGATE in tools else cases
    lines = ["| case | " + " | ".join(t.name for t in tools) + " |", "|---|" + "---|" * len(tools)]
    for group, title in (
        ("peers' 13", "**of the usual 13**"),
        ("construct", "**of the constructs**"),
        ("", "**stale**"),
    ):
        of = [c for c in cases if c.group == group]
        counts = [sum(seen[t.name, c.name].word in good for c in of) for t in tools]
        stale = [sum(seen[t.name, c.name].word == "STALE" for c in cases) for t in tools]
        cells = [f"{n} of {len(of)}" for n in counts] if group else [str(n) for n in stale]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    for case in ordered:
        lines.append(f"| {case.name} | " + " | ".join(seen[t.name, case.name].word for t in tools) + " |")
    lines += ["", *(f"- {t.name} {version(t)}: {t.remark}. {t.idiom}" for t in tools)]
    lines += [f"- {name} could not be installed: {reason}" for name, reason in missing.items()]
    lines += [f"- {t}, {c}: {FOLDER.sub('FOLDER', s.reason)}" for (t, c), s in seen.items() if s.word == "error"]
    return "\n".join(lines)


def version(tool: Tool) -> str:
    """The installed version, as the environment says."""
    bin_ = program(tool)
    text = f"import importlib.metadata as m; print(m.version({tool.distribution!r}))"
    return subprocess.run(
        [Path(bin_) / "python", "-c", text], capture_output=True, text=True, check=False
    ).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
