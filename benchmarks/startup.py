"""What starting costs: CPU seconds of the shortest commands, beside a bare Python.

    python benchmarks/startup.py [ROUNDS]

Each number is the least user + system time of a few rounds in a fresh process: what others do on the machine
makes a round slower and never faster. The project has 100 trivial steps and has run before, so that `run` finds
everything done.
"""

from __future__ import annotations

import compileall
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

STEPS = 100
ROUNDS = 7
LOCKGATE = "from lockgate.cli.main import main; raise SystemExit(main())"

CASES = {
    "python -c pass": ["-c", "pass"],
    "import lockgate": ["-c", "import lockgate"],
    "lockgate --help": ["-c", LOCKGATE, "--help"],
    "lockgate plan": ["-c", LOCKGATE, "plan"],
    f"lockgate run, {STEPS} steps, nothing to do": ["-c", LOCKGATE, "run"],
}


def main() -> None:
    """Print a table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    compiled()
    with tempfile.TemporaryDirectory() as folder:
        lay_out(Path(folder))
        cpu_s(CASES["lockgate plan"], folder)
        first = cpu_s(CASES[f"lockgate run, {STEPS} steps, nothing to do"], folder)
        print(f"{'command':<44} {'CPU s':>6}   {'above Python':>12}")
        bare = 0.0
        for name, arguments in CASES.items():
            best = min(cpu_s(arguments, folder) for _ in range(rounds))
            bare = bare or best
            print(f"{name:<44} {best:6.3f}   {best - bare:12.3f}")
        print(f"{f'lockgate run, {STEPS} steps, everything to do':<44} {first:6.3f}   {first - bare:12.3f}")


def compiled() -> None:
    """Bytecode beside Lockgate's sources, as pip leaves it: an editable install has none where Python may not write it."""
    compileall.compile_dir(str(Path(__file__).resolve().parents[1] / "src"), quiet=1)


def lay_out(folder: Path) -> None:
    """A chain of steps that each add one."""
    (folder / "flow").mkdir()
    (folder / "flow" / "__init__.py").write_text("")
    text = "from lockgate import Pipeline, step\n\n@step\ndef s0() -> int:\n    return 0\n"
    text += "".join(f"\n@step\ndef s{n}(s{n - 1}: int) -> int:\n    return s{n - 1} + 1\n" for n in range(1, STEPS))
    text += f"\nflow = Pipeline('flow', kind='data', steps=[{', '.join(f's{n}' for n in range(STEPS))}])\n"
    (folder / "flow" / "steps.py").write_text(text)
    (folder / "lockgate.toml").write_text('[project]\nname = "flow"\npipelines = ["flow.steps"]\n')


def cpu_s(arguments: list[str], folder: str) -> float:
    """User and system seconds of a Python process and of its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


if __name__ == "__main__":
    main()
