"""A project of DVC, made by hand with the md5s that DVC would record, becomes one of Lockgate."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from lockgate.build.landlock import landlock_version

from build.working_copy import LOCKGATE

yaml = pytest.importorskip("yaml")
pytestmark = pytest.mark.skipif(not landlock_version(), reason="this kernel has no Landlock")

FILES = {
    "dvc.yaml": """\
vars:
  - model: {kind: mean}
stages:
  prepare:
    desc: Drop what cannot be read.
    cmd: python src/prepare.py data/raw.csv data/prepared
    deps: [data/raw.csv, src/prepare.py]
    outs: [data/prepared]
  train:
    wdir: src
    cmd: python train.py --kind ${model.kind} --rate ${train.rate}
    deps: [train.py, ../data/prepared]
    params: [train.rate]
    outs:
      - ../model.txt
    metrics:
      - ../metrics.json: {cache: false}
  score:
    foreach: [north, south]
    do:
      cmd: python src/score.py ${item} scores/${item}.txt
      deps: [model.txt]
      outs: ['scores/${item}.txt']
  tail:
    cmd: cat model.txt | tail -1 > tail.txt
    deps: [model.txt]
    outs: [tail.txt]
  both:
    cmd: [echo a, echo b]
    outs: [both.txt]
  page:
    frozen: true
    cmd: cp tail.txt page.txt
    deps: [tail.txt]
    outs: [page.txt]
plots:
  - metrics.json
""",
    "params.yaml": "train:\n  rate: 2\nother: 1\n",
    "data/raw.csv": "region,units\nnorth,1\nsouth,2\nnorth,x\n",
    "src/limits.py": "LEAST = 0\n",
    "src/prepare.py": """\
import sys
from pathlib import Path
from limits import LEAST
out = Path(sys.argv[2])
out.mkdir(parents=True, exist_ok=True)
rows = [line.split(",") for line in Path(sys.argv[1]).read_text().splitlines()[1:]]
for region in sorted({r for r, _ in rows}):
    (out / f"{region}.csv").write_text("\\n".join(u for r, u in rows if r == region and u.isdigit() and int(u) > LEAST))
""",
    "src/train.py": """\
import json
from pathlib import Path
rate = int(Path("../params.yaml").read_text().split()[2])
units = [int(u) for f in sorted(Path("../data/prepared").iterdir()) for u in f.read_text().split()]
Path("../model.txt").write_text(f"{sum(units) * rate}\\n")
Path("../metrics.json").write_text(json.dumps({"n": len(units)}))
""",
    "weights.json": '{"north": 3, "south": 4}',
    "src/score.py": """\
import json, os, sys
from pathlib import Path
weight = json.loads(Path("weights.json").read_text())[sys.argv[1]]
os.makedirs("scores", exist_ok=True)
Path(sys.argv[2]).write_text(str(int(Path("model.txt").read_text()) * weight))
""",
}


def md5(path: Path) -> str:
    """As DVC 3 writes it: of a folder, of the list of its files."""
    if path.is_file():
        return hashlib.md5(path.read_bytes()).hexdigest()
    files = [{"md5": md5(p), "relpath": p.name} for p in sorted(path.iterdir())]
    return hashlib.md5(json.dumps(files, sort_keys=True).encode()).hexdigest() + ".dir"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """As after `dvc repro`: everything was made in place, and `dvc.lock` says what."""
    root = tmp_path / "shop"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for words, folder in (
        ("src/prepare.py data/raw.csv data/prepared", "."),
        ("train.py", "src"),
        ("src/score.py north scores/north.txt", "."),
        ("src/score.py south scores/south.txt", "."),
    ):
        subprocess.run([sys.executable, "-B", *words.split()], cwd=root / folder, check=True)
    (root / "tail.txt").write_text((root / "model.txt").read_text())
    (root / "page.txt").write_text((root / "tail.txt").read_text())
    outs = {
        "prepare": ["data/prepared"], "train": ["../model.txt", "../metrics.json"], "score@north": ["scores/north.txt"],
        "score@south": ["scores/south.txt"], "page": ["page.txt"],
    }  # fmt: skip
    locked = {
        name: {
            "outs": [
                {"path": p, "hash": "md5", "md5": md5(root / ("src" if name == "train" else ".") / p)} for p in paths
            ]
        }
        for name, paths in outs.items()
    }
    locked["train"]["wdir"] = "src"  # pyright: ignore[reportArgumentType]
    (root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": locked}))
    return root


def lockgate(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LOCKGATE, *arguments], cwd=root, env={**os.environ}, capture_output=True, text=True, timeout=120
    )


def test_the_first_run_makes_the_same_and_names_what_was_not_declared(shop: Path) -> None:
    done = lockgate(shop, "adopt", "dvc.yaml")
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    said = " ".join(done.stdout.split())
    for path in ("data/prepared", "model.txt", "metrics.json", "scores/north.txt", "scores/south.txt", "page.txt"):
        line = next(x for x in done.stdout.splitlines() if x.startswith(f"{path} "))
        assert line.endswith("same as in dvc.lock"), line
    for stage, path in (("prepare", "src/limits.py"), ("score@north", "src/score.py"), ("score@south", "src/score.py")):
        assert f'{stage} {path} files=["{path}"]' in said
    assert 'score@north weights.json reads={"weights": "weights.json"}' in said
    assert [x for x in done.stdout.splitlines() if x.startswith("  line ")] == [
        "  line 24, tail: '|' in 'cat model.txt | tail -1 > tail.txt'",
        "  line 28, both: several commands in one stage",
        "  line 31, page: frozen: true",
        "  line 36, the file: plots:",
    ]
    again = lockgate(shop, "run")
    assert again.stdout.splitlines()[-1] == "done  0 run, 7 reused", again.stdout + again.stderr
    (shop / "src/limits.py").write_text("LEAST = 1\n")
    assert "file src/limits.py changed" in lockgate(shop, "why", "prepare").stdout


def test_nothing_is_overwritten(shop: Path) -> None:
    (shop / "pipelines.py").write_text("mine")
    done = lockgate(shop, "adopt", "dvc.yaml")
    assert (done.returncode, (shop / "pipelines.py").read_text()) == (2, "mine")
    assert "a file is there already: pipelines.py" in done.stderr
    assert not (shop / "lockgate.toml").exists()


def test_a_dry_run_writes_nothing(shop: Path) -> None:
    before = sorted(p.as_posix() for p in shop.rglob("*"))
    done = lockgate(shop, "adopt", "dvc.yaml", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert 'writes={"model": "model.txt", "metrics": "metrics.json"}' in done.stdout
    assert sorted(p.as_posix() for p in shop.rglob("*")) == before


def test_an_output_that_differs_is_said(shop: Path) -> None:
    (shop / "data/raw.csv").write_text("region,units\nnorth,7\nsouth,2\n")
    (shop / "dvc.yaml").write_text(FILES["dvc.yaml"].partition("  train:")[0])
    done = lockgate(shop, "adopt", "dvc.yaml")
    assert done.returncode == 1, done.stderr
    assert "differs from dvc.lock" in done.stdout


def test_a_project_in_a_folder_above(shop: Path) -> None:
    done = lockgate(shop.parent, "adopt", "shop/dvc.yaml", ".", "--dry-run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'folder="shop/src"' in done.stdout
    assert 'writes={"model": "shop/model.txt", "metrics": "shop/metrics.json"}' in done.stdout
    assert 'files=["shop/params.yaml", "shop/src/train.py"]' in done.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stages: [", "not YAML"),
        ("a: 1", "no stages in this file"),
        ("stages: {a: {cmd: 'x ${b}', outs: [c]}}", "${b} stands in neither params.yaml nor vars"),
        ("stages: {a: {cmd: x}}", "it has no outputs"),
        ("stages: {a: {matrix: {b: [1]}, cmd: x}}", "matrix"),
        ("stages: {a: {cmd: x, outs: [/tmp/y]}}", "/tmp/y lies outside"),
        ("stages: {a: {cmd: x, outs: [y], shell: z}}", "shell:"),
        ("stages: {a: 3}", "not a table"),
    ],
)
def test_what_cannot_be_taken_over_is_said(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "dvc.yaml").write_text(text)
    done = lockgate(tmp_path, "adopt", "dvc.yaml")
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_what_lies_outside_is_not_read_into_the_project(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("secret: s3cr3t")
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "link.yaml").symlink_to(tmp_path / "other.yaml")
    for name in ("../other.yaml", str(tmp_path / "other.yaml"), "link.yaml"):
        (shop / "dvc.yaml").write_text(f"vars: [{name}]\nstages: {{a: {{cmd: 'cp ${{secret}} b', outs: [b]}}}}")
        done = lockgate(shop, "adopt", "dvc.yaml", "--dry-run")
        assert f"vars: {name}" in done.stdout + done.stderr
        assert "s3cr3t" not in done.stdout + done.stderr


def test_without_the_library_it_says_what_to_install(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "yaml.py").write_text("raise ImportError")
    path = f"{tmp_path / 'without'}:{os.environ.get('PYTHONPATH', '')}"
    done = subprocess.run(
        [LOCKGATE, "adopt", "dvc.yaml"],
        cwd=shop,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 5
    assert 'pip install "lockgate[adopt]"' in done.stderr
