"""What a step's own process costs, with the sandbox and without, beside a bare fork and a new interpreter.

    python benchmarks/isolation.py [STEPS]

CPU milliseconds per step, user and system, of engine, template and step process together: a busy machine changes wall
time, and this much less. Packages are loaded in the template, as they are when a project imports them. "restricted fork"
is what the budget is about: a fork of the warm template that has entered its sandbox; the rest of a step (import of the
project, the call, its output, its way into the store) costs the same without a sandbox. "fork of a zygote": the same step where
a process in that sandbox imported its module for all of them.
"""

from __future__ import annotations

import datetime as dt
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lockgate.build.engine import Engine
from lockgate.delivery.run import plan
from lockgate.project import open_project

STEPS = 100
BUDGET_MS = 6.0
TEXT = """from lockgate import Pipeline, step
{imports}

@step
def a() -> int:
    return 1

flow = Pipeline("flow", kind="data", steps=[a])
"""
CASES = {"nothing imported": "", "polars and lightgbm imported": "import polars\nimport lightgbm"}


def main() -> None:
    """Print a table."""
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else STEPS
    print(f"CPU ms per step, mean of {steps}; the budget for a restricted fork is {BUDGET_MS:g}\n")
    print(
        "| template with | bare fork | restricted fork | whole step, no sandbox | whole step, sandbox | the sandbox adds | whole step, fork of a zygote |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, imports in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            lay_out(Path(folder), imports)
            bare, restricted = forks(Path(folder), steps, imports)
            off, on = (whole_step(Path(folder), steps, sandbox=s, zygotes=False) for s in (False, True))
            forked = whole_step(Path(folder), steps, sandbox=True, zygotes=True)
        print(f"| {name} | {bare:.2f} | {restricted:.2f} | {off:.2f} | {on:.2f} | {on - off:.2f} | {forked:.2f} |")
    start = cpu_ms(lambda: [subprocess.run([sys.executable, "-c", "pass"], check=True) for _ in range(10)]) / 10
    print(f"| (a new interpreter that does nothing: {start:.1f}) |  |  |  |  |  |  |")


def lay_out(root: Path, imports: str) -> None:
    """A project of one step."""
    (root / "flow").mkdir()
    (root / "flow" / "__init__.py").write_text("")
    (root / "flow" / "steps.py").write_text(TEXT.format(imports=imports))
    (root / "lockgate.toml").write_text('[project]\nname = "flow"\npipelines = ["flow.steps"]\n')


def whole_step(root: Path, steps: int, *, sandbox: bool, zygotes: bool) -> float:
    """CPU ms of a step through the engine; the start of the template and of a zygote is taken off."""
    project = open_project(root)
    planned = plan(project, now=dt.datetime.now(dt.UTC))
    node = replace(planned.graph.nodes["flow.a"], sandbox=sandbox)

    def run(times: int) -> None:
        with Engine(root, root / "tmp", store=project.store, files={}, trace=planned.graph.trace) as engine:
            engine.zygotes = engine.zygotes if zygotes else None
            for _ in range(times):
                engine.run(node, {}, {})

    return (cpu_ms(lambda: run(steps + 2)) - cpu_ms(lambda: run(2))) / steps


ALONE = """
import os, resource, sys
sys.path.insert(0, {source!r})
from lockgate.build.protocol import Code, Job
from lockgate.build.sandbox import Machine, Sandbox
import lockgate.build.template
{imports}
machine = Machine(Code(root={root!r}, files=("flow/__init__.py", "flow/steps.py")))
os.makedirs({root!r} + "/scratch", exist_ok=True)
job = Job(node="a", target="", root={root!r}, inputs={{}}, parameters={{}}, type="", codec="", output={root!r} + "/scratch/output",
          log="", scratch={root!r} + "/scratch", denied={root!r} + "/scratch/denied")

def fork(sandboxed):
    if not (pid := os.fork()):
        if sandboxed:
            Sandbox(job, machine).enter()
        os._exit(0)
    os.waitpid(pid, 0)

def cpu_s():
    both = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(r.ru_utime + r.ru_stime for r in both)

for sandboxed in (False, True):
    fork(sandboxed)
    before = cpu_s()
    for _ in range({steps}):
        fork(sandboxed)
    print((cpu_s() - before) * 1e3 / {steps})
"""


def forks(root: Path, steps: int, imports: str) -> tuple[float, float]:
    """CPU ms of a fork that ends at once, and of one that enters the sandbox first."""
    import lockgate

    source = str(Path(lockgate.__file__).parents[1])
    code = ALONE.format(source=source, root=str(root), steps=steps, imports=imports)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    bare, restricted = (float(x) for x in done.stdout.split())
    return bare, restricted


def cpu_ms(work: Callable[[], object]) -> float:
    """User and system time of this process and of those it waited for."""
    before = used_s()
    work()
    return (used_s() - before) * 1e3


def used_s() -> float:
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(r.ru_utime + r.ru_stime for r in both)


if __name__ == "__main__":
    main()
