"""The scan of a release's files: what is allowed passes, and every way to carry code or harm is refused by name."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lockgate import gates
from lockgate.gates.file_kinds import kind_of
from lockgate.records.digest import canonical
from lockgate.records.evidence import Evidence, Verdict
from lockgate.records.wire import to_json
from lockgate.testing.gates import measure, verdict


class Harm:
    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("this ran",))


PICKLES = {f"protocol {n}": pickle.dumps(Harm(), protocol=n) for n in range(6)}
LIGHTGBM = b"tree\nversion=v4\nnum_class=1\n"


def release(folder: Path, **files: bytes) -> Path:
    """A folder with the files of a small, good release, and more."""
    good = {
        "manifest.json": b"{}",
        "SHA256SUMS": b"00  manifest.json\n",
        "lock.txt": b"polars==2.1.0\n",
        "holdout.json": b"[]",
        "code/shop/__init__.py": b"",
        "code/shop/pipelines.py": b"import polars\n",
        "inputs/model.txt": LIGHTGBM,
        "state/history.arrow": b"ARROW1\x00\x00" + bytes(64) + b"ARROW1",
    }
    for name, data in {**good, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def decide(folder: Path, allow: tuple[str, ...] = ()) -> Verdict:
    gate = gates.formats(allow=allow)
    found = verdict(gate, measure(gate, {"bundle": folder}))
    assert found.reason.endswith("."), found.reason
    assert "Traceback" not in found.reason
    return found


def zipped(**members: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return data.getvalue()


def tarred(*members: tarfile.TarInfo, content: bytes = b"") -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for member in members:
            member.size = len(content) if member.isreg() else 0
            archive.addfile(member, io.BytesIO(content))
    return data.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def npz(**arrays: np.ndarray) -> bytes:
    data = io.BytesIO()
    np.savez(data, **arrays)
    return data.getvalue()


def test_a_good_release_passes_and_says_what_is_in_it(tmp_path: Path) -> None:
    found = decide(release(tmp_path))
    assert found.outcome == "pass"
    assert found.reason == (
        "All 8 files are what their names say, of allowed formats (arrow, empty, json, lightgbm, python, text)."
    )


@pytest.mark.parametrize("name", sorted(PICKLES))
@pytest.mark.parametrize(
    "file", ["inputs/model.pkl", "inputs/model.txt", "inputs/model", "state/history.arrow", "code/shop/x.py"]
)
def test_a_pickle_is_refused_under_any_name(tmp_path: Path, name: str, file: str) -> None:
    found = decide(release(tmp_path, **{file: PICKLES[name]}))
    assert found.outcome == "fail"
    assert (
        f"1 of {8 + (file not in ('inputs/model.txt', 'state/history.arrow'))} files must not be in a release"
        in found.reason
    )
    assert f"{file}: it is a pickle, which runs code when it is loaded" in found.reason


HOSTILE: dict[str, tuple[str, bytes, str]] = {
    "gzipped pickle": ("inputs/model", gzip.compress(PICKLES["protocol 4"]), "it is a pickle"),
    "joblib's zlib": ("inputs/model", zlib.compress(PICKLES["protocol 4"]), "it is a pickle"),
    "bzip2": ("inputs/model", bz2.compress(PICKLES["protocol 2"]), "it is a pickle"),
    "xz": ("inputs/model", lzma.compress(PICKLES["protocol 2"]), "it is a pickle"),
    "pickle in a zip": ("inputs/model.zip", zipped(**{"a/weights.bin": PICKLES["protocol 4"]}), "a/weights.bin: a pickle"),
    "pickle in a zip in a tar": (
        "inputs/model.tar", tarred(entry("in.zip"), content=zipped(**{"x": PICKLES["protocol 0"]})), "in.zip/x: a pickle",
    ),
    "objects in an npz": ("inputs/model.npz", npz(a=np.array([{}, 1], dtype=object)), "a.npy: an array of Python objects is a pickle"),
    "objects in a field": (
        "inputs/model.npz", npz(a=np.array([(1, {})], dtype=[("n", "i4"), ("o", "O")])), "a.npy: an array of Python objects",
    ),
    "elf": ("inputs/model.txt", b"\x7fELF\x02\x01" + bytes(99), "it is a program"),
    "windows": ("inputs/tool", b"MZ\x90\x00" + bytes(99), "it is a program"),
    "script": ("inputs/run", b"#!/bin/sh\nrm -rf /\n", "it is a program"),
    "bytecode": ("code/shop/x.pyc", b"\xa7\r\r\n" + bytes(12) + b"\xe3", "it is a program"),
    "bomb": ("inputs/model.npz", zipped(**{"a.npy": bytes(30 << 20)}), "it unpacks to 31,457,280 bytes"),
    "traversal in a zip": ("inputs/model.npz", zipped(**{"../../etc/passwd": b"x"}), "outside of its folder"),
    "traversal in a tar": ("inputs/tree.tar", tarred(entry("../x")), "outside of its folder"),
    "absolute in a tar": ("inputs/tree.tar", tarred(entry("/etc/x")), "outside of its folder"),
    "windows drive": ("inputs/tree.tar", tarred(entry("C:\\x")), "outside of its folder"),
    "link in a tar": ("inputs/tree.tar", tarred(entry("x", tarfile.SYMTYPE, "/etc/passwd")), "a link may point out"),
    "device in a tar": ("inputs/tree.tar", tarred(entry("x", tarfile.CHRTYPE)), "no file and no folder"),
    "broken zip": ("inputs/model.npz", zipped(a=b"x")[:-20], "it cannot be read as zip"),
    "broken tar": ("inputs/tree.tar", tarred(entry("x"), content=b"y" * 2000)[:600], "cannot be read as tar"),
    "zip behind a text": ("inputs/notes.txt", b"hello\n" + zipped(a=b"x"), "an archive hides behind its beginning"),
    "unknown bytes": ("inputs/model", b"\x01\x02\x03\xff" * 9, "its format is unknown"),
    "unknown ending": ("inputs/model.xyz", b"text\n", "its name ends in no known format"),
    "empty model": ("inputs/model.txt".replace("txt", "json"), b"", "it is empty, not json"),
    "json cut off": ("inputs/x.json", b'{"a": ', "it is text, not json"),
    "arrow that is text": ("state/history.arrow", b"date,units\n", "it is text, not arrow"),
    "pytorch": ("inputs/model.pt", zipped(**{"model/data.pkl": PICKLES["protocol 2"]}), "model/data.pkl: a pickle"),
    "gzip of text": ("inputs/notes", gzip.compress(b"hello"), "gzip is not allowed here"),
    "latin-1": ("inputs/notes.txt", "Größe".encode("latin-1"), "its format is unknown"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_what_must_not_be_there_is_named(tmp_path: Path, name: str) -> None:
    file, data, why = HOSTILE[name]
    found = decide(release(tmp_path, **{file: data}))
    assert found.outcome == "fail"
    assert file in found.reason
    folder = release(tmp_path / "again", **{file: data})
    rows = measure(gates.formats(), {"bundle": folder}).rows
    assert [r["file"] for r in rows] == [file]
    assert why in found.reason, found.reason


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_the_harmless_twin_passes(tmp_path: Path, name: str) -> None:
    """The same file with data in it, as its name says: the scan does not refuse names or places."""
    file = HOSTILE[name][0]
    twins: dict[str, bytes] = {
        ".npz": npz(a=np.arange(3.0)), ".tar": tarred(entry("a/b.txt"), content=b"text\n"), ".json": b'{"a": 1}',
        ".arrow": b"ARROW1\x00\x00" + bytes(64), ".txt": LIGHTGBM, ".py": b"x = 1\n",
    }  # fmt: skip
    suffix = Path(file).suffix
    if suffix not in ("", *twins):
        return  # the name itself is what is refused
    assert decide(release(tmp_path, **{file: twins.get(suffix, b"a,b\n1,2\n")})).outcome == "pass"


def test_a_link_in_the_folder_is_refused(tmp_path: Path) -> None:
    folder = release(tmp_path / "release")
    (folder / "inputs" / "more.txt").symlink_to("/etc/passwd")
    assert "inputs/more.txt: no plain file" in decide(folder).reason


def test_nothing_and_unicode_and_an_empty_release(tmp_path: Path) -> None:
    assert decide(tmp_path).reason == "This could not be measured: the release holds no file."
    found = decide(release(tmp_path / "1", **{"inputs/Größe ‮中文🛒.json": b"{}"}))
    assert found.outcome == "pass"
    found = decide(release(tmp_path / "2", **{"inputs/Größe ‮中文🛒.json": PICKLES["protocol 4"]}))
    assert "Größe" in found.reason


def test_an_environment_may_allow_less_or_more(tmp_path: Path) -> None:
    folder = release(tmp_path, **{"inputs/scaler.zip": zipped(**{"a.txt": b"text"})})
    assert "inputs/scaler.zip: zip is not allowed here" in decide(folder).reason
    more = ("arrow", "empty", "json", "lightgbm", "python", "text", "zip")
    assert decide(folder, more).outcome == "pass"
    assert (
        "inputs/model.txt: lightgbm is not allowed here"
        in decide(folder, tuple(k for k in more if k != "lightgbm")).reason
    )


def test_a_pickle_cannot_be_allowed(tmp_path: Path) -> None:
    for name, said in (("pickle", "nobody may allow"), ("jsno", "json")):
        assert said in decide(release(tmp_path), (name,)).reason


def test_many_files_are_counted_and_the_sentence_stays_short(tmp_path: Path) -> None:
    folder = release(tmp_path, **{f"inputs/{n}.pkl": PICKLES["protocol 4"] for n in range(50)})
    found = decide(folder)
    assert found.reason.startswith("50 of 58 files must not be in a release: inputs/0.pkl: ")
    assert found.reason.endswith("; and 47 more.")


def test_the_same_release_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (
        canonical(to_json(measure(gates.formats(), {"bundle": release(tmp_path / n)}))) for n in ("a", "b")
    )
    assert first == second


@pytest.mark.parametrize(
    "text",
    [
        "",
        "N.",
        "I1\n.",
        "tree\n",
        "(lp0\n.",
        "cat\ndog\n",
        "code,name\n1,2\n",
        "0",
        "null",
        "t\n",
        "}q\x00.",
        "1.",
        "b.",
        "# a\nu.\n",
    ],
)
def test_text_that_looks_a_little_like_a_pickle_is_text(text: str) -> None:
    assert kind_of(text.encode(), name="x.txt") in ("text", "json", "empty", "unknown")


def test_real_files_of_every_codec_are_known(tmp_path: Path) -> None:
    """What the codecs write is what the scan allows."""
    import lightgbm as lgb
    import polars as pl

    from lockgate import codecs

    frame = pl.DataFrame({"a": [1.0, 2.0, None], "b": ["x", "é", None]})
    data = lgb.Dataset(np.arange(60.0).reshape(30, 2), label=np.arange(30.0))
    booster = lgb.train({"verbose": -1, "min_data_in_leaf": 1}, data, 2)
    for codec, value, kind in (
        ("polars.ipc", frame, "arrow"), ("lightgbm.txt", booster, "lightgbm"), ("json", {"a": 1}, "json"), ("json", 3.5, "json"),
    ):  # fmt: skip
        path = tmp_path / f"value{codecs.SUFFIXES[codec]}"
        codecs.save(codec, value, path)
        assert kind_of(path.read_bytes(), name=path.name) == kind
    assert (
        decide(release(tmp_path / "all", **{"state/x.arrow": (tmp_path / "value.arrow").read_bytes()})).outcome
        == "pass"
    )
    assert json.loads((tmp_path / "value.json").read_bytes()) == 3.5
