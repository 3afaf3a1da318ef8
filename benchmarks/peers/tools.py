"""How each tool runs one step over one file, in the idiom of its documentation; settings that help it are on.

`before` and `after` stand around the step's file, `step` in place of the mark `#STEP`; `files` are what else the tool
wants; `command` runs it; `stored` are the places where it keeps results. Each writes the answer to `answer.txt`, and a
line to `ran.txt` when the step's body ran. All of them read the file outside of the step or declare it as their file type,
so that the input's bytes are seen; an in-memory cache that is given a path would miss them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["TOOLS", "Tool"]


@dataclass(frozen=True)
class Tool:
    """One tool. `remark`: what a reader should know about the setting. `note_runs`: put a line into the step's body."""

    name: str
    idiom: str
    distribution: str
    command: tuple[str, ...]
    step: str = ""
    before: str = ""
    after: str = ""
    files: dict[str, str] = field(default_factory=dict)
    stored: tuple[str, ...] = ()
    remark: str = ""
    environment: dict[str, str] = field(default_factory=dict)


LOCKGATE = Tool(
    "Lockgate", "README.md", "lockgate", ("lockgate", "run", "--json"),
    step="@step", before="from lockgate import Pipeline, step\n",
    after="flow = Pipeline('flow', kind='data', steps=[result])\n",
    files={"lockgate.toml": '[project]\nname = "flow"\npipelines = ["steps"]\n[sources.text]\nkind = "file"\npath = "data/in.txt"\n'},
    stored=(".lockgate/objects/**/*",),
    remark="as it comes",
)  # fmt: skip

HAMILTON = Tool(
    "Hamilton", "https://hamilton.apache.org/concepts/caching/", "apache-hamilton", ("python", "main.py"),
    files={
        "loading.py": "def text(path: str) -> bytes:\n    return open(path, 'rb').read()\n",
        "main.py": (
            "from hamilton import driver\nimport loading, steps\n"
            "if __name__ == '__main__':\n"
            "    dr = driver.Builder().with_modules(loading, steps).with_cache(path='.cache', recompute=['text']).build()\n"
            "    open('answer.txt', 'w').write(dr.execute(['result'], inputs={'path': 'data/in.txt'})['result'])\n"
        ),
    },
    stored=(".cache/**/*",), remark="`recompute=[\"text\"]` for the loader, as its docs advise",
)  # fmt: skip

JOBLIB = Tool(
    "joblib", "https://joblib.readthedocs.io/en/stable/memory.html", "joblib", ("python", "main.py"),
    before="import joblib\n_memory = joblib.Memory('.cache', verbose=0)\n", step="@_memory.cache",
    files={"main.py": "import steps\nopen('answer.txt', 'w').write(steps.result(open('data/in.txt', 'rb').read()))\n"},
    stored=(".cache/**/*",), remark="`Memory.cache`; the file's bytes are the argument",
)  # fmt: skip

PREFECT = Tool(
    "Prefect", "https://docs.prefect.io/v3/concepts/caching", "prefect", ("python", "main.py"),
    before="from prefect import task\nfrom prefect.cache_policies import INPUTS, TASK_SOURCE\n",
    step="@task(cache_policy=INPUTS + TASK_SOURCE, persist_result=True)",
    files={"main.py": (
        "from prefect import flow\nfrom steps import result\n@flow\ndef main():\n    return result(open('data/in.txt', 'rb').read())\n"
        "if __name__ == '__main__':\n    open('answer.txt', 'w').write(main())\n"
    )},
    stored=("home/.prefect/storage/*", ".prefect/storage/*"),
    remark="`INPUTS + TASK_SOURCE` in place of the default, which never reuses across runs",
    environment={"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "PREFECT_LOGGING_LEVEL": "ERROR", "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120", "DO_NOT_TRACK": "1"},
)  # fmt: skip

ZENML = Tool(
    "ZenML", "https://docs.zenml.io/concepts/steps_and_pipelines/advanced_features", "zenml", ("python", "main.py"),
    before="from zenml import step\n", step="@step(enable_cache=True)",
    files={"main.py": (
        "from zenml import pipeline\nfrom zenml.client import Client\nfrom steps import result\n"
        "@pipeline(enable_cache=True)\ndef flow(text: bytes):\n    result(text=text)\n"
        "if __name__ == '__main__':\n    run = flow(text=open('data/in.txt', 'rb').read())\n"
        "    run = Client().get_pipeline('flow').last_run\n"
        "    open('answer.txt', 'w').write(run.steps['result'].outputs['output'][0].load())\n"
    )},
    stored=("home/zenml/local_stores/**/data.json", "home/.config/zenml/local_stores/**/data.json"),
    remark="the file's bytes are a parameter of the pipeline",
    environment={"ZENML_ANALYTICS_OPT_IN": "false", "ZENML_LOGGING_VERBOSITY": "ERROR", "AUTO_OPEN_DASHBOARD": "false"},
)  # fmt: skip

SCRIPT = "if __name__ == '__main__':\n    open('answer.txt', 'w').write(result(open('data/in.txt', 'rb').read()))\n"

DVC = Tool(
    "DVC", "https://dvc.org/doc/start/data-pipelines/data-pipelines", "dvc", ("dvc", "repro", "-q"),
    after=SCRIPT,
    files={"dvc.yaml": "stages:\n  result:\n    cmd: python steps.py\n    deps: [steps.py, data/in.txt]\n    outs: [answer.txt]\n",
           ".dvc/config": "[core]\n    no_scm = true\n    analytics = false\n", ".dvcignore": ""},
    stored=("answer.txt",),
    remark="depends on the script and the data, as in its guide; other files are seen when listed by hand",
)  # fmt: skip

SNAKEMAKE = Tool(
    "Snakemake", "https://snakemake.readthedocs.io/en/stable/snakefiles/rules.html#external-scripts", "snakemake",
    ("snakemake", "-q", "-c1", "--nolock"),
    after="open(snakemake.output[0], 'w').write(result(open(snakemake.input[0], 'rb').read()))\n",
    files={"Snakefile": "rule result:\n    input: 'data/in.txt'\n    output: 'answer.txt'\n    script: 'steps.py'\n"},
    stored=("answer.txt",), remark="`script:`, default rerun triggers (mtime, params, input, software-env, code)",
)  # fmt: skip

KEDRO = Tool(
    "Kedro", "https://docs.kedro.org/en/stable/build/run_a_pipeline/", "kedro", ("kedro", "run", "--only-missing-outputs"),
    files={
        "pyproject.toml": '[tool.kedro]\npackage_name = "proj"\nproject_name = "proj"\nkedro_init_version = "1.7.0"\nsource_dir = "src"\n',
        "src/proj/__init__.py": "", "src/proj/settings.py": "",
        "src/proj/pipeline_registry.py": (
            "from kedro.pipeline import Pipeline, node\nfrom steps import result\n"
            "def register_pipelines():\n    return {'__default__': Pipeline([node(result, 'text', 'answer')])}\n"
        ),
        "conf/base/catalog.yml": (
            "text:\n  type: kedro_datasets.text.TextDataset\n  filepath: data/in.txt\n"
            "answer:\n  type: kedro_datasets.text.TextDataset\n  filepath: answer.txt\n"
        ),
        "conf/local/.keep": "",
    },
    stored=("answer.txt",), remark="`--only-missing-outputs`: its only way not to run everything",
    environment={"DO_NOT_TRACK": "1", "KEDRO_DISABLE_TELEMETRY": "1"},
)  # fmt: skip

TOOLS = (LOCKGATE, HAMILTON, DVC, SNAKEMAKE, PREFECT, JOBLIB, KEDRO, ZENML)
