"""The same inputs give the same release; a byte that differs is found and named before anything is loaded."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import random
import shutil
import subprocess
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import polars as pl
import pytest
import toyshop_release as shop

from lockgate.errors import IntegrityError, NotFound, StepFailed, UsageError
from lockgate.records.release import Manifest
from lockgate.release.client import ReleaseHost
from lockgate.release.layout import read_manifest, safe_path, sums, verify
from lockgate.release.transfer import pack, unpack

Toy = tuple[Path, Manifest]


@pytest.fixture
def copy(toy: Toy, tmp_path: Path) -> Path:
    target = tmp_path / toy[0].name
    shutil.copytree(toy[0], target)
    return target


def test_equal_inputs_give_an_equal_release(toy: Toy, tmp_path: Path) -> None:
    directory, manifest = shop.make(tmp_path)
    assert manifest.digest == toy[1].digest
    assert {f.name: f.read_bytes() for f in directory.rglob("*") if f.is_file()} == {
        f.name: f.read_bytes() for f in toy[0].rglob("*") if f.is_file()
    }


def test_bundling_twice_keeps_the_one_that_is_there(toy: Toy, tmp_path: Path) -> None:
    directory, _ = shop.make(tmp_path)
    before = (directory / "manifest.json").stat().st_ino
    shop.make(tmp_path)
    assert (directory / "manifest.json").stat().st_ino == before
    assert [p.name for p in (tmp_path / "releases").iterdir()] == [directory.name]


def test_anything_that_differs_gives_another_release(toy: Toy, tmp_path: Path) -> None:
    scaled = shop.make(tmp_path, scale=2.0)[1]
    edited = shop.make(tmp_path, files=shop.code(body="scale = scale * 1.0"))[1]
    relocked = shop.make(tmp_path, lock=shop.lock() + "# later\n")[1]
    digests = {m.digest for m in (toy[1], scaled, edited, relocked)}
    assert len(digests) == 4


def test_a_folder_is_named_by_its_digest_and_holds_no_place_or_time(toy: Toy) -> None:
    directory, manifest = toy
    assert f"sha256:{directory.name}" == manifest.digest
    text = (directory / "manifest.json").read_text()
    assert str(directory.parent) not in text
    assert "2026" not in text


def test_an_auditor_checks_it_with_sha256sum(toy: Toy) -> None:
    subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=toy[0], check=True, capture_output=True)


def test_unknown_fields_survive(toy: Toy) -> None:
    newer = json.loads(toy[1].encoded()) | {"later": {"field": 1}}
    data = json.dumps(newer, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert read_manifest(data).encoded() == data


def test_a_flipped_byte_in_any_file_is_named(toy: Toy, copy: Path) -> None:
    chosen = random.Random(7)
    for file in sorted(f for f in copy.rglob("*") if f.is_file()):
        good = file.read_bytes()
        for position in {0, len(good) - 1, *(chosen.randrange(len(good)) for _ in range(5))} if good else ():
            file.write_bytes(good[:position] + bytes([good[position] ^ 0x20]) + good[position + 1 :])
            with pytest.raises(IntegrityError) as error:
                verify(copy, toy[1].digest)
            assert file.relative_to(copy).as_posix() in str(error.value)
        file.write_bytes(good)
    verify(copy, toy[1].digest)


def test_every_byte_of_the_manifest_counts(toy: Toy) -> None:
    good = toy[1].encoded()
    for position in range(len(good)):
        with pytest.raises(IntegrityError):
            read_manifest(good[:position] + bytes([good[position] ^ 1]) + good[position + 1 :], expected=toy[1].digest)


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda d: (d / "inputs/scale.json").unlink(), "inputs/scale.json"),
        (lambda d: (d / "code/toyshop/extra.py").write_text("1"), "code/toyshop/extra.py"),
        (lambda d: (d / "code/sitecustomize.py").symlink_to("/dev/null"), "code/sitecustomize.py"),
        (lambda d: (d / "lock.txt").write_text(""), "lock.txt"),
    ],
)
def test_missing_added_and_emptied_files_are_named(
    toy: Toy, copy: Path, damage: Callable[[Path], object], named: str
) -> None:
    damage(copy)
    with pytest.raises(IntegrityError, match=named):
        verify(copy, toy[1].digest)


def test_nothing_is_loaded_from_a_damaged_release(toy: Toy, copy: Path) -> None:
    trap = copy / "ran"
    code = copy / "code/toyshop/pipelines.py"
    code.write_bytes(code.read_bytes() + f"\nopen({str(trap)!r}, 'w')\n".encode())
    with pytest.raises(IntegrityError, match="pipelines.py"), ReleaseHost(copy, toy[1].digest):
        pass
    assert not trap.exists()


@pytest.mark.parametrize("honest", [True, False])
def test_a_value_is_what_the_manifest_says_it_is(toy: Toy, copy: Path, honest: bool) -> None:
    """A bundle whose files and sums agree, but whose manifest claims another value's identity, does not open."""
    data = json.loads((copy / "manifest.json").read_bytes())
    if not honest:
        data["inputs"]["scale"]["digest"] = "blake3:" + "0" * 64
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    (copy / "manifest.json").write_bytes(text)
    release = "sha256:" + hashlib.sha256(text).hexdigest()
    (copy / "SHA256SUMS").write_bytes(sums(read_manifest(text)))
    if honest:
        assert release == toy[1].digest
    with pytest.raises(IntegrityError, match="scale") if not honest else nullcontext(), ReleaseHost(copy, release):
        pass


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "", ".", "a//b", "a\\b", "a\nb"])
def test_a_path_that_leaves_the_folder_is_refused(path: str) -> None:
    with pytest.raises(IntegrityError):
        safe_path(path)


def test_no_release_here(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        verify(tmp_path, "sha256:00")


def _store(toy: Toy) -> dict[str, Path]:
    return {entry.blake3: toy[0] / entry.path for entry in pack(toy[0], toy[1].digest)}


def test_through_a_store_and_back(toy: Toy, tmp_path: Path) -> None:
    there = unpack(toy[1], _store(toy).__getitem__, into=tmp_path)
    assert verify(there, toy[1].digest) == toy[1]
    assert unpack(toy[1], _store(toy).__getitem__, into=tmp_path) == there


def test_an_unpacking_that_fails_anywhere_leaves_nothing(toy: Toy, tmp_path: Path) -> None:
    store = _store(toy)
    for allowed in range(len(toy[1].files)):
        left = [allowed]

        def fetch(digest: str, left: list[int] = left) -> Path:
            left[0] -= 1
            if left[0] < 0:
                raise OSError("the network is gone")
            return store[digest]

        with pytest.raises(OSError, match="gone"):
            unpack(toy[1], fetch, into=tmp_path)
        assert list(tmp_path.iterdir()) == []


def test_a_damaged_object_is_never_unpacked(toy: Toy, tmp_path: Path) -> None:
    store = _store(toy)
    model = next(e for e in toy[1].files if e.path == "inputs/scale.json")
    bad = tmp_path / "object"
    bad.write_bytes(b"9.0")
    with pytest.raises(IntegrityError, match="inputs/scale.json"):
        unpack(toy[1], (store | {model.blake3: bad}).__getitem__, into=tmp_path / "releases")
    assert list((tmp_path / "releases").iterdir()) == []


def test_parameters_must_have_values(toy: Toy, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    from lockgate.release.bundle import bundle

    with pytest.raises(UsageError, match="scale"):
        bundle(
            tmp_path,
            project="p",
            name="n",
            as_of="2011-10-15",
            predictor=toy[1].predictor,
            code={},
            inputs={},
            state={},
            holdout=shop.stored(tmp_path / "x", "h", "json", 1, "builtins:int"),
            lock="",
            lineage=toy[1].lineage,
        )


def test_a_release_that_cannot_answer_is_never_made(tmp_path: Path) -> None:
    with pytest.raises(StepFailed) as error:
        shop.make(tmp_path, files=shop.code(body="history = history.drop('units')"))
    assert "toyshop/pipelines.py" in str(error.value)
    assert list((tmp_path / "releases").iterdir()) == []


def test_a_short_holdout_is_taken_whole(tmp_path: Path) -> None:
    few = shop.holdout().head(5)
    directory, manifest = shop.make(tmp_path, holdout=few)
    recorded = json.loads((directory / manifest.holdout).read_bytes())
    assert len(recorded) == 5
    assert [r["request"]["product"] for r in recorded] == few["product"].to_list()


def test_manifest_round_trip(toy: Toy) -> None:
    assert read_manifest(toy[1].encoded(), expected=toy[1].digest) == toy[1]
    assert dataclasses.replace(toy[1], name="other").digest != toy[1].digest
    assert isinstance(shop.history(), pl.DataFrame)
