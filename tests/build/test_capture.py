"""Law 4: planning imports nothing while the trace holds; and the trace, and the keys, hold everything an import looked at."""

from __future__ import annotations

import cProfile
import importlib
import json
import os
import pstats
import subprocess
import sys
from pathlib import Path

import pytest
from lockgate.adapters.local import LocalResults
from lockgate.errors import UsageError

from build.small_project import imported_from
from build.working_copy import HEAD, NOW, WorkingCopy
from lockgate.build.looking import Looking
from lockgate.build.lower import lower
from lockgate.delivery import run as delivery
from lockgate.project import open_project

END = "flow = Pipeline('flow', kind='data', steps=[a])\n"
PLAIN = HEAD + "@step\ndef a() -> int:\n    return 1\n" + END


def imports(copy: WorkingCopy) -> int:
    """How often the module was imported: it writes a line each time."""
    log = copy.root / "imported"
    return len(log.read_text().splitlines()) if log.exists() else 0


COUNTED = (
    HEAD
    + "from pathlib import Path\nwith (Path(__file__).parents[1] / 'imported').open('a') as log:\n    print(1, file=log)\n@step(sandbox=False)\ndef a() -> int:\n    return 1\n"
    + END
)


def test_nothing_of_the_project_is_imported_when_nothing_changed(tmp_path: Path) -> None:
    copy = WorkingCopy(tmp_path, COUNTED)
    copy.did()
    seen = imports(copy)
    assert seen == 3  # two captures, one step
    assert copy.did() == {"a": "reuse"}
    assert copy.plan() == {"a": "reuse"}
    assert copy.command("plan").returncode == 0
    assert copy.command("run").stdout == "done  0 run, 1 reused\n"
    assert imports(copy) == seen


@pytest.mark.parametrize("change", ["edited", "comment", "new file", "deleted file", "package", "parent folder"])
def test_a_change_is_looked_at_again(tmp_path: Path, change: str) -> None:
    copy = WorkingCopy(tmp_path, COUNTED, flow__other="X = 1\n")
    copy.edit("flow/steps.py", "from pathlib", "import colorsys\nimport flow.other\nfrom pathlib")
    copy.did()
    seen = imports(copy)
    match change:
        case "edited":
            copy.edit("flow/steps.py", "return 1", "return 2")
        case "comment":
            copy.edit("flow/steps.py", "@step", "# why\n@step")
        case "new file":
            copy.write("flow/more.py", "")
        case "deleted file":
            (copy.root / "flow/other.py").unlink()
            copy.edit("flow/steps.py", "import flow.other\n", "")
        case "package":
            copy.write("flow/other/__init__.py", "X = 2\n")
        case "parent folder":
            copy.write("colorsys.py", "raise ImportError('hidden')\n")
    if change == "parent folder":
        with pytest.raises(UsageError, match="hidden"):
            copy.plan()
        return
    assert copy.plan()["a"] == ("run" if change == "edited" else "reuse")
    assert imports(copy) > seen


def test_a_module_with_cached_bytecode_is_in_the_trace(tmp_path: Path) -> None:
    """The pipelines' own module defines no step here: nothing but the import system reads it."""
    copy = WorkingCopy(tmp_path, "from flow.other import a, b\nfrom lockgate import Pipeline\nflow = Pipeline('flow', kind='data', steps=[a])\n",
                       flow__other="from lockgate import step\n@step\ndef a() -> int:\n    return 1\n@step\ndef b() -> int:\n    return 2\n")  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(copy.root), "PYTHONDONTWRITEBYTECODE": ""}
    subprocess.run([sys.executable, "-c", "import flow.steps"], cwd=copy.root, check=True, env=environment)
    assert set(copy.plan()) == {"a"}
    copy.edit("flow/steps.py", "steps=[a]", "steps=[a, b]")
    assert set(copy.plan()) == {"a", "b"}


def test_an_environment_variable_read_on_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = WorkingCopy(tmp_path, HEAD + "import os\nLEVEL = int(os.environ.get('FLOW_LEVEL', '1'))\n@step\ndef a() -> int:\n    return LEVEL\n@step\ndef b() -> int:\n    return 1\n"
                       + "flow = Pipeline('flow', kind='data', steps=[a, b])\n")  # fmt: skip
    monkeypatch.delenv("FLOW_LEVEL", raising=False)
    assert copy.value("a") == 1
    monkeypatch.setenv("FLOW_LEVEL", "2")
    assert copy.plan()["a"] == "run"
    assert copy.value("a") == 2
    monkeypatch.delenv("FLOW_LEVEL")
    assert set(copy.plan().values()) == {"reuse"}
    monkeypatch.setenv("ANOTHER", "2")
    assert set(copy.plan().values()) == {"reuse"}


def test_an_environment_variable_read_in_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ways = [
        "os.environ['FLOW_X']",
        "os.environ.get('FLOW_X')",
        "os.getenv('FLOW_X')",
        "environ['FLOW_X']",
        "getenv('FLOW_X')",
    ]
    text = "".join(f"@step\ndef s{n}() -> str:\n    return {how}\n" for n, how in enumerate(ways))
    copy = WorkingCopy(
        tmp_path,
        HEAD
        + f"import os\nfrom os import environ, getenv\n{text}@step\ndef a() -> int:\n    return 1\nflow = Pipeline('flow', kind='data', steps=[s0, s1, s2, s3, s4, a])\n",
    )
    monkeypatch.setenv("FLOW_X", "1")
    copy.did()
    monkeypatch.setenv("FLOW_X", "2")
    assert copy.plan() == {**{f"s{n}": "run" for n in range(5)}, "a": "reuse"}


def test_a_file_read_on_import(tmp_path: Path) -> None:
    copy = WorkingCopy(
        tmp_path,
        HEAD
        + "import json\nfrom pathlib import Path\nK = json.loads((Path(__file__).parent / 'k.json').read_text())\n@step\ndef a() -> int:\n    return K\n"
        + END,
    )
    copy.write("flow/k.json", "1")
    assert copy.value("a") == 1
    copy.write("flow/k.json", "2")
    assert copy.plan() == {"a": "run"}
    assert "file flow/k.json changed" in copy.command("why", "a").stdout
    assert copy.value("a") == 2
    copy.write("flow/k.json", "1")
    assert copy.plan() == {"a": "reuse"}


def test_a_file_outside_the_project_read_on_import(tmp_path: Path) -> None:
    outside = tmp_path / "k.txt"
    outside.write_text("1")
    copy = WorkingCopy(
        tmp_path / "flow",
        HEAD + f"K = int(open({str(outside)!r}).read())\n@step\ndef a() -> int:\n    return K\n" + END,
    )
    assert copy.value("a") == 1
    outside.write_text("2")
    assert copy.value("a") == 2


def test_a_folder_listed_on_import(tmp_path: Path) -> None:
    copy = WorkingCopy(
        tmp_path,
        HEAD
        + "import os\nNAMES = sorted(os.listdir(os.path.join(os.path.dirname(__file__), 'sql')))\n@step\ndef a() -> list[str]:\n    return NAMES\n"
        + END,
    )
    copy.write("flow/sql/one.sql", "")
    assert copy.value("a") == ["one.sql"]
    copy.write("flow/sql/two.sql", "")
    assert copy.value("a") == ["one.sql", "two.sql"]


def test_a_graph_of_the_same_code_and_other_files_is_not_taken_over(tmp_path: Path) -> None:
    """Two clones share a store; a file that is read on import differs."""
    text = (
        HEAD
        + "from pathlib import Path\nK = int((Path(__file__).parent / 'k.txt').read_text())\n@step\ndef a() -> int:\n    return K\n"
        + END
    )
    toml = f'[store]\nurl = "{tmp_path / "store"}"\n'
    one, two = (WorkingCopy(tmp_path / name, text, toml=toml) for name in ("one", "two"))
    one.write("flow/k.txt", "1")
    two.write("flow/k.txt", "2")
    assert (one.value("a"), two.value("a"), one.value("a")) == (1, 2, 1)


def test_a_clone_plans_without_importing(tmp_path: Path) -> None:
    toml = f'[store]\nurl = "{tmp_path / "store"}"\n'
    one, two = (WorkingCopy(tmp_path / name, COUNTED, toml=toml) for name in ("one", "two"))
    one.did()
    assert two.plan() == {"a": "reuse"}
    assert imports(two) == 0


DIFFER = {
    "time.time": "import time\nX = int(time.time())",
    "datetime.now": "import datetime as dt\nX = dt.datetime.now().date().isoformat()",
    "datetime.now with zone": "import datetime as dt\nX = dt.datetime.now(dt.timezone.utc).date().isoformat()",
    "date.today": "from datetime import date\nX = date.today().isoformat()",
    "datetime.utcnow": "import warnings\nwarnings.simplefilter('ignore')\nfrom datetime import datetime\nX = datetime.utcnow().date().isoformat()",
    "the order of a set": "X = list({'a', 'b', 'c', 'd', 'e', 'f', 'g'})",
    "a random number": "import random\nX = random.random()",
    "a process id": "import os\nX = os.getpid()",
}


def test_a_declaration_that_cannot_be_pinned_is_refused(tmp_path: Path) -> None:
    """Each way in a module and a step of its own, so that the message must name every one, and not the one that is fine."""
    text, steps = HEAD, []
    for number, code in enumerate(DIFFER.values()):
        text += (
            code.replace("X =", f"X{number} =") + f"\n@step\ndef s{number}(x=X{number}) -> str:\n    return str(x)\n"
        )
        steps.append(f"s{number}")
    text += "@step\ndef fine() -> int:\n    return 1\n"
    copy = WorkingCopy(tmp_path, text + f"flow = Pipeline('flow', kind='data', steps=[{', '.join(steps)}, fine])\n")
    with pytest.raises(UsageError, match="the pipelines differ between two imports") as error:
        copy.plan()
    assert {n.removeprefix("flow.") for n in error.value.value.split(", ")} == {*steps}


def test_the_clock_is_free_where_it_enters_no_declaration(tmp_path: Path) -> None:
    """Shifting it must not break dates made by others, and must keep their types."""
    copy = WorkingCopy(tmp_path, HEAD + '''
import datetime as dt, time
STARTED = dt.datetime.now()
assert type(STARTED) is dt.datetime and type(dt.date.today()) is dt.date
assert isinstance(dt.datetime.now(dt.UTC), dt.date) and dt.datetime.now(dt.UTC).tzinfo is dt.UTC
assert abs(dt.datetime.now().timestamp() - time.time()) < 5
class Mine(dt.datetime): pass
assert type(Mine.now()) is Mine
@step
def a(day: dt.date = dt.date(2020, 1, 1)) -> str:
    return day.isoformat()
''' + END)  # fmt: skip
    assert copy.value("a") == "2020-01-01"


def test_what_a_module_prints_on_import_harms_nobody(tmp_path: Path) -> None:
    copy = WorkingCopy(
        tmp_path,
        HEAD
        + "import os\nprint('hello')\nos.write(1, b'native')\nos.system('echo shell')\n@step\ndef a() -> int:\n    return 1\n"
        + END,
    )
    done = copy.command("run")
    assert done.returncode == 0
    assert done.stdout == "done  1 run, 0 reused\n"


WRONG = {
    "no such name": ("def a(b: int) -> int:\n    return 1", "a name that nothing here has: a(b)"),
    "no return annotation": ("def a():\n    return 1", "no return annotation: a"),
    "no input annotation": (
        "def a(c) -> int:\n    return 1\n@step\ndef c() -> int:\n    return 1",
        "an input has no annotation: a(c)",
    ),
    "*args": ("def a(*args: int) -> int:\n    return 1", "a step cannot take *args"),
    "**kwargs": ("def a(**kwargs: int) -> int:\n    return 1", "a step cannot take *args"),
    "positional only": ("def a(x: int = 1, /) -> int:\n    return 1", "a step cannot take *args"),
    "a circle": (
        "def a(c: int) -> int:\n    return 1\n@step\ndef c(a: int) -> int:\n    return 1",
        "steps depend on each other in a circle",
    ),
    "itself": ("def a(a: int) -> int:\n    return 1", "circle"),
    "an unknown annotation": ("def a(x: 'Modle') -> int:\n    return 1", "an annotation names something unknown"),
    "a type that nobody can write": (
        "def a() -> object:\n    return 1",
        "no codec for this annotation: builtins:object",
    ),
    "a union that nobody can read": ("def a() -> list[int] | dict[str, int]:\n    return []", "no codec"),
    "as_of as a step": (
        "def a() -> int:\n    return 1\n@step\ndef as_of() -> int:\n    return 1\nc = as_of",
        "as_of is the project's day",
    ),
    "a default that nobody can write": (
        "def a(x=object()) -> int:\n    return 1",
        "default cannot be written down: a(x=<object",
    ),
    "a default that is no number": (
        "def a(x: float = float('nan')) -> int:\n    return 1",
        "default cannot be written down",
    ),
    "a default of another type": (
        "def a(x: 'tuple[int, int]' = (1,)) -> int:\n    return 1",
        "default cannot be written down",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_declaration_is_one_clear_message(tmp_path: Path, what: str) -> None:
    text, says = WRONG[what]
    steps = "[a, c]" if "\n@step" in text else "[a]"
    copy = WorkingCopy(tmp_path, HEAD + "@step\n" + text + f"\nflow = Pipeline('flow', kind='data', steps={steps})\n")
    with pytest.raises(UsageError) as error:
        copy.lower()
    assert says in str(error.value)


def test_a_wrong_declaration_ends_the_command(tmp_path: Path) -> None:
    copy = WorkingCopy(tmp_path, HEAD + "@step\ndef a(b: int) -> int:\n    return 1\n" + END)
    done = copy.command("plan")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("a name that nothing here has: a(b)\n")
    assert "Traceback" not in done.stderr


def test_two_meanings_of_a_name(tmp_path: Path) -> None:
    steps = HEAD + "@step\ndef b() -> int:\n    return 1\n@step\ndef a(b: int) -> int:\n    return 1\n"
    both = steps + "flow = Pipeline('flow', kind='data', steps=[a, b])\n"
    published = "first = Pipeline('first', kind='data', steps=[b], publishes=['b'])\n"
    for number, (text, sources) in enumerate([
        (both, ["b"]), (both + published, []), (steps + "flow = Pipeline('flow', kind='data', steps=[a])\n" + published, ["b"]),
    ]):  # fmt: skip
        with pytest.raises(UsageError, match="a name means two things"):
            WorkingCopy(tmp_path / str(number), text).lower(sources)


def test_two_steps_of_one_name(tmp_path: Path) -> None:
    copy = WorkingCopy(tmp_path, PLAIN.replace("steps=[a]", "steps=[a, other]").replace("flow =", "from flow.other import a as other\nflow ="),
                       flow__other="from lockgate import step\n@step\ndef a() -> int:\n    return 1\n")  # fmt: skip
    with pytest.raises(UsageError, match=r"two steps have one name: flow\.a"):
        copy.lower()


@pytest.mark.parametrize("declared", [
    "def make(n):\n    @step\n    def a() -> int:\n        return n\n    return a\na = make(1)\n",
    "a = step(lambda: 1)\na.function.__annotations__['return'] = int\n",
    "def plus(g):\n    import functools\n    @functools.wraps(g)\n    def more():\n        return g() + 1\n    return more\ndef a() -> int:\n    return 1\nb = step(plus(a))\n",
    "def a() -> int:\n    return 1\nb = step(contract=object())(a)\n",
])  # fmt: skip
def test_a_step_that_its_process_could_not_find(tmp_path: Path, declared: str) -> None:
    """Its process would find nothing, or the function without what was wrapped around it."""
    steps = "[b]" if "b = step" in declared else "[a]"
    copy = WorkingCopy(tmp_path, HEAD + declared + f"flow = Pipeline('flow', kind='data', steps={steps})\n")
    with pytest.raises(UsageError, match="a step cannot be found by its name"):
        copy.lower()


def test_a_wrapped_function_is_a_step(tmp_path: Path) -> None:
    copy = WorkingCopy(
        tmp_path,
        HEAD
        + "import functools\ndef plus(g):\n    @functools.wraps(g)\n    def more():\n        return g() + 1\n    return more\n@step\n@plus\ndef a() -> int:\n    return 1\n"
        + END,
    )
    assert copy.value("a") == 2
    copy.edit("flow/steps.py", "g() + 1", "g() + 5")
    assert copy.value("a") == 6


def test_a_module_that_does_not_import_is_named(tmp_path: Path) -> None:
    copy = WorkingCopy(tmp_path, HEAD + "import polarz\n" + END)
    done = copy.command("plan")
    assert done.returncode == 2
    assert "No module named 'polarz'" in done.stderr
    assert "flow/steps.py:2" in done.stderr


def test_a_module_outside_the_project_that_no_package_owns_is_its_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "flow_tools.py").write_text("X = 1\n")
    monkeypatch.setenv("PYTHONPATH", str(shared))
    copy = WorkingCopy(
        tmp_path / "flow", HEAD + "import flow_tools\n@step\ndef a() -> int:\n    return flow_tools.X\n" + END
    )
    assert copy.value("a") == 1
    (shared / "flow_tools.py").write_text("X = 2\n")
    assert copy.value("a") == 2


def test_other_packages_are_looked_at_again(tmp_path: Path) -> None:
    """Another virtual environment has other folders; an installation touches them."""
    import dataclasses

    from lockgate.build.trace import holds, site_folders
    from lockgate.delivery.graph import graph_of
    from lockgate.project import open_project

    copy = WorkingCopy(tmp_path, PLAIN)
    trace = graph_of(open_project(copy.root), now_ns=10**19).trace
    assert holds(trace, copy.root) is None
    folder = next(iter(site_folders()))
    for packages in ({}, {**trace.packages, "/nowhere/site-packages": 1}, {**trace.packages, folder: 1}):
        assert holds(dataclasses.replace(trace, packages=packages), copy.root) == "installed packages"
    assert "interpreter" in str(holds(dataclasses.replace(trace, interpreter="cpython-3.9"), copy.root))


def test_the_clock_of_a_file_is_not_trusted_soon_after(tmp_path: Path) -> None:
    """An edit that keeps size and time is found within two seconds of looking, and later by nobody: that is the limit."""
    from lockgate.build.trace import file_state, take_trace, holds

    path = tmp_path / "a.py"
    path.write_text("X = 1\n")
    written = path.stat()
    trace = take_trace(
        tmp_path, {"files": ["a.py"], "listings": [], "environment": [], "preload": []}, now_ns=written.st_mtime_ns
    )
    assert file_state(tmp_path, "a.py", now_ns=0).digest == trace.files[0].digest
    path.write_text("X = 2\n")
    os.utime(path, ns=(written.st_atime_ns, written.st_mtime_ns))
    assert holds(trace, tmp_path) == "a.py"


def test_a_folder_that_the_project_puts_on_the_path(tmp_path: Path) -> None:
    copy = WorkingCopy(
        tmp_path,
        HEAD
        + "import sys\nfrom pathlib import Path\nsys.path.append(str(Path(__file__).parents[1] / 'lib'))\nimport thing_of_ours\n@step\ndef a() -> int:\n    return thing_of_ours.X\n"
        + END,
    )
    copy.write("lib/thing_of_ours.py", "X = 1\n")
    assert copy.value("a") == 1
    copy.write("lib/thing_of_ours.py", "X = 2\n")
    assert copy.value("a") == 2


def test_a_file_that_no_analysis_saw_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library finds a module by a name made at run time; the plan cannot have its text in the key."""
    library = tmp_path / "shared"
    library.mkdir()
    (library / "finds_modules.py").write_text(
        "import importlib\ndef find(name):\n    return importlib.import_module(name)\n"
    )
    copy = WorkingCopy(
        tmp_path / "flow",
        HEAD
        + "import finds_modules\n@step\ndef a(name: str = 'flow') -> int:\n    return finds_modules.find(name + '.hidden').X\n"
        + END,
    )
    copy.write("flow/hidden.py", "X = 1\n")
    monkeypatch.setenv("PYTHONPATH", str(library))
    assert "a step imports a project file that its plan did not see: flow/hidden.py" in str(copy.run().error)


def test_an_import_that_hangs_is_ended_and_its_line_named(tmp_path: Path) -> None:
    copy = WorkingCopy(tmp_path, "import flow.slow\n" + PLAIN, flow__slow="import time\n\ntime.sleep(600)\n")
    done = copy.command("plan", LOCKGATE_CAPTURE_SECONDS="5")
    assert done.returncode == 2, done.stderr
    assert "too long to import: 5 s" in done.stderr
    assert "LOCKGATE_CAPTURE_SECONDS" in done.stderr
    assert "look at flow/slow.py:3" in done.stderr
    assert copy.command("plan", LOCKGATE_CAPTURE_SECONDS="soon").returncode == 2


SCRATCH = """
import os, tempfile
with tempfile.NamedTemporaryFile("w", delete=False) as made:
    made.write("3")
with open(made.name) as again:
    FOUND = int(again.read())
os.unlink(made.name)
with tempfile.TemporaryDirectory() as folder:
    assert os.listdir(folder) == []
with open("flow/scratch%d" % os.getpid(), "w") as made:
    made.write("4")
with open(made.name) as again:
    FOUND += int(again.read())
os.unlink(made.name)
"""


def test_a_scratch_file_on_import_is_nobodys_input(tmp_path: Path) -> None:
    opened = SCRATCH + "@step(sandbox=False)"  # inside, only scratch folders can be written
    copy = WorkingCopy(tmp_path, PLAIN.replace("return 1", "return FOUND").replace("@step", opened))
    assert copy.value("a") == 7
    assert copy.did() == {"a": "reuse"}


def test_a_file_that_is_gone_after_the_import_is_named(tmp_path: Path) -> None:
    made = "import os, subprocess\nname = 'flow/gone%d' % os.getpid()\nsubprocess.run(['touch', name], check=True)\nopen(name).close()\nos.unlink(name)\n"
    done = WorkingCopy(tmp_path, made + PLAIN).command("plan")
    assert done.returncode == 2, done.stderr
    assert "gone afterwards" in done.stderr
    assert "flow/gone" in done.stderr


LIMITS = HEAD + "LIMIT = int(open({path!r}).read())\n@step\ndef a(limit: int = LIMIT) -> int:\n    return limit\n" + END


def test_a_folder_of_our_name_is_not_ours(tmp_path: Path) -> None:
    limits = tmp_path / "lockgate" / "limits"
    copy = WorkingCopy(tmp_path / "lockgate" / "shop", LIMITS.format(path=str(limits)))
    limits.write_text("1")
    assert copy.value("a") == 1
    limits.write_text("22")
    assert copy.value("a") == 22


def test_a_graph_from_a_machine_with_lockgate_elsewhere_is_taken_over(tmp_path: Path) -> None:
    copy = WorkingCopy(tmp_path, COUNTED)
    copy.plan()
    seen = imports(copy)
    graphs = LocalResults(copy.root / ".lockgate" / "graphs")
    (stored,) = (copy.root / ".lockgate" / "graphs").glob("??/*")
    key = f"blake3:{stored.name}"
    record = dict(graphs.get(key) or {})
    there = json.loads(json.dumps(record).replace(record["lockgate"], "/elsewhere/lockgate"))
    for kept, again in ((there, 0), ({k: v for k, v in there.items() if k != "lockgate"}, 2)):
        graphs.put(key, kept)
        (copy.root / ".lockgate" / "graph.json").unlink()
        copy.plan()
        assert imports(copy) == seen + again, "one that does not say what was Lockgate's is captured again"


def test_what_the_project_takes_names_from_is_imported_once_for_all_steps(tmp_path: Path) -> None:
    """Of packages and the standard library, by the module that holds the name; none of the project itself."""
    copy = WorkingCopy(tmp_path, HEAD + "from xml.dom import pulldom\nfrom numpy.polynomial import Polynomial\nfrom flow.other import b\n"
                       "@step\ndef a() -> int:\n    import sys\n    return [n in sys.modules for n in WANTED].count(True) + b()\n"
                       "WANTED = ('xml.dom.pulldom', 'numpy.polynomial.polynomial')\n" + END,
                       flow__other="def b():\n    return 0\n")  # fmt: skip
    planned = delivery.plan(open_project(copy.root), now=NOW)
    preload = planned.graph.trace.preload
    assert {"xml.dom.pulldom", "numpy", "numpy.polynomial.polynomial"} <= set(preload)
    assert not [n for n in preload if n.startswith("flow")]
    assert copy.value("a") == 2


def test_a_module_outside_that_the_project_puts_on_the_path_is_not_taken_for_a_package(tmp_path: Path) -> None:
    """The template would import the installed `yaml`, or none, for the one that the project means."""
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / "yaml.py").write_text("def load():\n    return 'ours'\n")
    copy = WorkingCopy(tmp_path / "flow", HEAD + f"import sys\nsys.path.insert(0, {str(tmp_path / 'vendor')!r})\nfrom yaml import load\n"
                       "@step(sandbox=False)\ndef a() -> str:\n    return load()\n" + END)  # fmt: skip
    planned = delivery.plan(open_project(copy.root), now=NOW)
    assert "yaml" not in planned.graph.trace.preload
    assert copy.value("a") == "ours"


def test_a_module_of_many_steps_is_analysed_in_linear_time(tmp_path: Path) -> None:
    """Four times the steps are no more than five times as many calls; when each step looked at every other it was seven."""

    def calls(steps: int) -> int:
        named = [f"s{n}" for n in range(steps)]
        text = "".join(
            f"@step\ndef {n}({b and f'{b}: int'}) -> int:\n    return 1\n"
            for b, n in zip(["", *named], named, strict=False)
        )
        copy = WorkingCopy(
            tmp_path / str(steps), HEAD + text + f"flow = Pipeline('flow', kind='data', steps=[{', '.join(named)}])\n"
        )
        counted = cProfile.Profile()
        with imported_from(copy.root):
            importlib.import_module("flow.steps")
            counted.runcall(lower, copy.root, ("flow.steps",), (), looking=Looking(str(copy.root)))
        return int(pstats.Stats(counted).total_calls)  # type: ignore[attr-defined]

    calls(2)
    start = calls(2)
    assert calls(400) - start < 5 * (calls(100) - start)
