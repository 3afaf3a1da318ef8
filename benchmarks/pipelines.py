"""What running many small steps costs: CPU seconds of the whole command and its children, beside five peers.

    python benchmarks/pipelines.py [--tools Lockgate,joblib] [--steps 100] [--rounds 3]

Four workloads: a chain of steps that each add one, cold (results stored so that the next run finds them) and with nothing
changed; ten times as many steps with nothing changed; a fan-out of 200 with one step that adds them up, cold. The least of a few
rounds; one round of what takes longer than 10 s. Peers run in the idiom of their documentation (links: `peers/tools.py`), in
the environments of `soundness.py`. Kedro looks only whether a result exists. Below: what an edit re-runs in Lockgate.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from peers.tools import DVC, HAMILTON, JOBLIB, KEDRO, LOCKGATE, SNAKEMAKE, Tool
from soundness import program
from startup import compiled

Graph = list[tuple[str, list[str]]]
"""(step, the steps it reads), in an order in which they can run. A step's value is 1 and the sum of what it reads."""

FAN = 200
LONG_S = 10.0


def chain(count: int) -> Graph:
    return [(f"s{n}", [f"s{n - 1}"] if n else []) for n in range(count)]


def fan(count: int) -> Graph:
    return [(f"s{n}", []) for n in range(count)] + [("total", [f"s{n}" for n in range(count)])]


def body(step: str, inputs: list[str], head: str = "") -> str:
    parameters = ", ".join(f"{i}: int" for i in inputs)
    return f"{head}def {step}({parameters}) -> int:\n    return {' + '.join(['1', *inputs])}\n\n"


def lockgate(graph: Graph) -> dict[str, str]:
    text = "from lockgate import Pipeline, step\n\n" + "".join(body(s, i, "@step\n") for s, i in graph)
    text += f"flow = Pipeline('flow', kind='data', steps=[{', '.join(s for s, _ in graph)}])\n"
    return {"steps.py": text, "lockgate.toml": '[project]\nname = "flow"\npipelines = ["steps"]\n'}


def hamilton(graph: Graph) -> dict[str, str]:
    main = (
        "from hamilton import driver\nimport steps\nif __name__ == '__main__':\n"
        "    dr = driver.Builder().with_modules(steps).with_cache(path='.cache').build()\n"
        f"    print(dr.execute(['{graph[-1][0]}']))\n"
    )
    return {"steps.py": "".join(body(s, i) for s, i in graph), "main.py": main}


def joblib(graph: Graph) -> dict[str, str]:
    text = "import joblib\n_memory = joblib.Memory('.cache', verbose=0)\n\n"
    text += "".join(body(s, i, "@_memory.cache\n") for s, i in graph)
    calls = "".join(f"v_{s} = steps.{s}({', '.join(f'v_{i}' for i in inputs)})\n" for s, inputs in graph)
    return {"steps.py": text, "main.py": "import steps\n" + calls}


def kedro(graph: Graph) -> dict[str, str]:
    nodes = ", ".join(f"node(steps.{s}, {['v_' + i for i in inputs] or None!r}, 'v_{s}')" for s, inputs in graph)
    registry = (
        "from kedro.pipeline import Pipeline, node\nfrom proj import steps\n"
        f"def register_pipelines():\n    return {{'__default__': Pipeline([{nodes}])}}\n"
    )
    catalog = "".join(f"v_{s}:\n  type: kedro_datasets.json.JSONDataset\n  filepath: out/{s}.json\n" for s, _ in graph)
    same = {n: t for n, t in KEDRO.files.items() if "catalog" not in n and "registry" not in n}
    text = "".join(body(s, i) for s, i in graph)
    return {
        **same, "src/proj/steps.py": text, "src/proj/pipeline_registry.py": registry, "conf/base/catalog.yml": catalog,
    }  # fmt: skip


def snakemake(graph: Graph) -> dict[str, str]:
    rules = f"rule all:\n    input: 'out/{graph[-1][0]}'\n\n"
    for s, inputs in graph:
        read = ", ".join(f"'out/{i}'" for i in inputs)
        rules += f"rule {s}:\n" + (f"    input: {read}\n" if read else "") + f"    output: 'out/{s}'\n    run:\n"
        rules += "        open(output[0], 'w').write(str(1 + sum(int(open(i).read()) for i in input)))\n\n"
    return {"Snakefile": rules}


def dvc(graph: Graph) -> dict[str, str]:
    text = "stages:\n"
    for s, inputs in graph:
        deps = f"    deps: [{', '.join(f'out_{i}' for i in inputs)}]\n" if inputs else ""
        text += f"  {s}:\n    cmd: echo 1 > out_{s}\n{deps}    outs: [out_{s}]\n"
    return {"dvc.yaml": text, ".dvc/config": DVC.files[".dvc/config"], ".dvcignore": ""}


LAYOUTS: dict[str, Callable[[Graph], dict[str, str]]] = {
    "Lockgate": lockgate, "Hamilton": hamilton, "joblib": joblib, "Kedro": kedro, "Snakemake": snakemake, "DVC": dvc,
}  # fmt: skip
COMMANDS = {"Lockgate": ("lockgate", "run")}
TOOLS = (LOCKGATE, JOBLIB, HAMILTON, KEDRO, SNAKEMAKE, DVC)


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--tools", default="")
    asked.add_argument("--steps", type=int, default=100)
    asked.add_argument("--rounds", type=int, default=3)
    given = asked.parse_args()
    n, rounds = given.steps, given.rounds
    compiled()
    print(f"| CPU s | {n} steps, cold | nothing changed | {10 * n} steps, nothing changed | fan-out of {FAN}, cold |")
    print("|---|---:|---:|---:|---:|", flush=True)
    for tool in (t for t in TOOLS if not given.tools or t.name in given.tools.split(",")):
        bin_ = program(tool)
        if isinstance(bin_, str):
            print(f"| {tool.name} | not installed: {bin_[:80]} | | | |")
            continue
        cold, warm = measured(tool, bin_, chain(n), rounds)
        _, large = measured(tool, bin_, chain(10 * n), 1)
        wide, _ = measured(tool, bin_, fan(FAN), rounds)
        print(f"| {tool.name} | {cold} | {warm} | {large} | {wide} |", flush=True)
    print("\n" + edits(n))


def measured(tool: Tool, bin_: Path, graph: Graph, rounds: int) -> tuple[str, str]:
    """The least seconds of a cold run in a new folder, and of a run after it."""
    found: list[tuple[float, float]] = []
    while len(found) < rounds and (not found or sum(found[0]) < LONG_S):
        with tempfile.TemporaryDirectory(prefix="pipelines-") as folder:
            root = Path(folder)
            write(root, LAYOUTS[tool.name](graph))
            try:
                found.append((cpu_s(tool, bin_, root), cpu_s(tool, bin_, root)))
            except subprocess.CalledProcessError as error:
                return "failed", error.stderr.strip().splitlines()[-1][:60] if error.stderr else "failed"
            except subprocess.TimeoutExpired:
                return "> 600 s", "> 600 s"
    return tuple(f"{min(column):.2f}" for column in zip(*found, strict=True))  # type: ignore[return-value]


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def cpu_s(tool: Tool, bin_: Path, root: Path) -> float:
    """User and system seconds of the command and all it started."""
    words = COMMANDS.get(tool.name, tool.command)
    environment = {
        **os.environ,
        "PATH": f"{bin_}:{os.environ['PATH']}",
        "HOME": str(root),
        "NO_COLOR": "1",
        **tool.environment,
    }
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [bin_ / words[0], *words[1:]],
        cwd=root,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=600,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def edits(n: int) -> str:
    """Which of a chain's steps run again in Lockgate after an edit in the middle one."""
    middle = n // 2
    old = f"def s{middle}(s{middle - 1}: int) -> int:\n    return 1 + s{middle - 1}\n"
    changes = {
        "a comment": old.replace("return", "# as before\n    return"),
        "the same value by another way": old.replace("1 + s", "2 - 1 + s"),
        "another value": old.replace("1 + s", "2 + s"),
    }
    rows = [f"| edit in step {middle} of {n} | steps run again | CPU s |", "|---|---:|---:|"]
    with tempfile.TemporaryDirectory(prefix="pipelines-") as folder:
        root, bin_ = Path(folder), Path(sys.executable).parent
        files = lockgate(chain(n))
        write(root, files)
        cpu_s(LOCKGATE, bin_, root)
        for what, new in changes.items():
            before = set((root / ".lockgate" / "runs").glob("*.json"))
            write(root, {"steps.py": files["steps.py"].replace(old, new)})
            planned = cpu_s(LOCKGATE, bin_, root)
            new_runs = set((root / ".lockgate" / "runs").glob("*.json")) - before  # none when there is nothing to do
            ran = sum(s["action"] == "run" for r in new_runs for s in json.loads(r.read_text())["steps"])
            rows.append(f"| {what} | {ran} | {planned:.2f} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
