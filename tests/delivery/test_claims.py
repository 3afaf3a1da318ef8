"""Whatever a release says of itself that does not come out again is named; what only follows from a step that differs is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lockgate import codecs
from lockgate.delivery.put import keep_bytes
from lockgate.delivery.reproduction.claims import claims, held_values, lock_lines
from lockgate.project import Project, open_project
from lockgate.records.digest import digest_bytes, sha256_bytes
from lockgate.records.release import FORMAT, FileEntry, Lineage, Manifest, PredictorSpec, StateEntry, ValueEntry

MODEL, TABLE = b'{"rate": 1.0}', pl.DataFrame({"units": [1, 2]})
RATE, ROWS = codecs.identity("json", {"rate": 1.0}), codecs.identity("polars.ipc", TABLE)
SPEC = PredictorSpec(
    module="p", qualname="f", requests="r", frame="polars", parameters=("r", "rate"), state={}, request=(), response=(),
)  # fmt: skip
LINEAGE = Lineage(
    commit="c", dirty=False, sources={"sales": "s"}, datasets={"rows": ROWS}, parameters={"p.rate": {"seed": 1}},
    steps={"p.rate": {"artifact": RATE, "code": "c1"}, "p.rows": {"artifact": ROWS, "code": "c2"}},
    extra={"definitions": {}, "project": "x"},
)  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "lockgate.toml").write_text('[project]\nname = "p"\npipelines = []\n')
    return open_project(tmp_path)


def entry(project: Project, path: str, data: bytes) -> FileEntry:
    return FileEntry(path=path, sha256=sha256_bytes(data), blake3=keep_bytes(project, data), size_bytes=len(data))


def bytes_of(table: pl.DataFrame, project: Project) -> bytes:
    codecs.save("polars.ipc", table, project.root / "table")
    return (project.root / "table").read_bytes()


@pytest.fixture
def release(project: Project) -> Manifest:
    return Manifest(
        format=FORMAT, project="p", name="p", as_of="2026-01-01", predictor=SPEC, holdout="holdout.json", lock="lock.txt",
        inputs={"rate": ValueEntry(path="inputs/rate.json", codec="json", type="builtins:dict", digest=RATE)},
        state={"rows": StateEntry(path="state/rows.arrow", codec="polars.ipc", type="t", digest=ROWS, time_column="d")},
        lineage=LINEAGE, python="3.11.0", platform="x", code=("code/p.py",),
        files=(entry(project, "inputs/rate.json", MODEL), entry(project, "state/rows.arrow", bytes_of(TABLE, project))),
    )  # fmt: skip


def told(release: Manifest, again: Manifest, *, same: bool = True) -> list[str]:
    return list(claims(release, again, same_lockgate=same))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sources": {"sales": "s", "audited": "s"}}, "source audited: the lineage names it"),
        ({"parameters": {"p.rate": {"seed": 1}, "p.rows": {"fair": True}}}, "parameters of p.rows"),
        ({"parameters": {}}, "parameter p.rate.seed: not recorded, the code ran with 1"),
        ({"datasets": {"rows": "blake3:0"}}, "dataset rows"),
        ({"datasets": {}}, "dataset rows"),
        ({"datasets": {"rows": ROWS, "certified": "blake3:0"}}, "dataset certified"),
        ({"steps": {**LINEAGE.steps, "p.rate": {"artifact": RATE, "code": "c0"}}}, "code of step p.rate"),
        ({"extra": {**LINEAGE.extra, "audited_by": "ada"}}, "audited_by is not what the lineage says"),
        ({"extra": {"definitions": {}, "project": "y"}}, "project is not what the lineage says"),
    ],
)  # fmt: skip
def test_a_field_of_the_lineage_that_lies_is_named(release: Manifest, changes: dict[str, Any], said: str) -> None:
    (found,) = told(replace(release, lineage=replace(LINEAGE, **changes)), release)
    assert found.startswith(said)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"predictor": replace(SPEC, summary="certified")}, "the predictor"),
        ({"code": ()}, "code of the release"),
        ({"holdout": "lock.txt"}, "holdout of the release"),
        ({"lock": "code/p.py"}, "lock of the release"),
        ({"extra": {"audited": True}}, "audited is not what the manifest says"),
    ],
)
def test_so_is_one_of_the_manifest(release: Manifest, changes: dict[str, Any], said: str) -> None:
    (found,) = told(replace(release, **changes), release)
    assert found.startswith(said)


def test_another_lockgate_may_describe_code_otherwise(release: Manifest) -> None:
    other = replace(release, predictor=replace(SPEC, summary="x"), extra={"new": 1})
    assert told(other, release, same=False) == told(release, release) == []


def test_what_follows_from_a_step_that_differs_is_no_lie(project: Project, release: Manifest) -> None:
    """A table that was recorded truly and comes out otherwise: its step says so."""
    data = bytes_of(TABLE[:1], project)
    value = codecs.identity("polars.ipc", TABLE[:1])
    again = replace(
        release, state={"rows": replace(release.state["rows"], digest=value)},
        files=(release.files[0], entry(project, "state/rows.arrow", data)),
        lineage=replace(
            LINEAGE, datasets={"rows": value}, steps={**LINEAGE.steps, "p.rows": {"artifact": value, "code": "c2"}}
        ),
    )  # fmt: skip
    assert told(release, again) == list(held_values(project, release, again)) == []


def test_a_value_that_is_not_the_recorded_one_is_named(project: Project, release: Manifest) -> None:
    """Its file, its digest, its codec, or one more of them."""
    (whole,) = [release.inputs["rate"]]
    other = entry(project, "inputs/rate.json", b'{"rate": 9.0}')
    poisoned = replace(release, files=(other, release.files[1]))
    assert list(held_values(project, poisoned, release)) == [
        "file inputs/rate.json of the release does not hold the value that the manifest names"
    ]
    rate = replace(whole, digest=digest_bytes(b'{"rate": 9.0}'), codec="file")
    for inputs in ({"rate": rate}, {"rate": replace(whole, codec="file")}, {"rate": replace(whole, type="os:system")}):
        (said,) = held_values(project, replace(release, inputs=inputs), release)
        assert said == "value rate of the release is not what its step is recorded to have made"
    assert list(held_values(project, replace(release, inputs={"rate": whole, "more": whole}), release)) == [
        "value more of the release: only recorded"
    ]
    table = replace(release, files=(release.files[0], entry(project, "state/rows.arrow", b"no table")))
    (said,) = held_values(project, table, release)
    assert "state/rows.arrow" in said


def test_other_bytes_of_the_same_value_are_the_same(project: Project, release: Manifest) -> None:
    TABLE.write_ipc(project.root / "packed", compression="zstd")
    packed = entry(project, "state/rows.arrow", (project.root / "packed").read_bytes())
    assert packed.sha256 != release.files[1].sha256
    files = (entry(project, "inputs/rate.json", b'{ "rate": 1.0 }'), packed)
    assert list(held_values(project, replace(release, files=files), release)) == []


def test_a_lock_is_compared_with_its_options() -> None:
    """Whoever serves it is told to install from it."""
    plain = "a==1\nlockgate==0.1.0\n"
    assert lock_lines(plain) == lock_lines("a==1\nlockgate==0.2.0\n")
    for more in ("--extra-index-url https://host/simple", "-e git+https://host/x", "-r other.txt", "# a==2"):
        assert lock_lines(f"{more}\n{plain}") != lock_lines(plain)


def test_a_model_is_held_against_its_text_without_parsing_it(project: Project, release: Manifest) -> None:
    booster = pytest.importorskip("lockgate.codecs.lightgbm_booster")
    text = "tree\nleaf_value=1\nparameters:\nthreads 1\nend of parameters\n"
    named = replace(release.inputs["rate"], codec="lightgbm.txt", digest=booster.identity_of_text(text))
    steps = {**LINEAGE.steps, "p.rate": {"artifact": named.digest, "code": "c1"}}
    made = replace(
        release, inputs={"rate": named}, lineage=replace(LINEAGE, steps=steps),
        files=(entry(project, "inputs/rate.json", text.encode()), release.files[1]),
    )  # fmt: skip

    def told_of(other: str) -> int:
        files = (entry(project, "inputs/rate.json", other.encode()), release.files[1])
        return len(list(held_values(project, replace(made, files=files), made)))

    assert [told_of(text.replace("threads 1", "threads 2")), told_of(text.replace("value=1", "value=9"))] == [0, 1]
