"""The release host: code only from the bundle, state only from before as-of, packages only as locked."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import toyshop_release as shop

from lockgate import codecs
from lockgate.errors import ContractBroken, IntegrityError, StepFailed, UsageError
from lockgate.records.release import Manifest
from lockgate.release.client import ReleaseHost

Toy = tuple[Path, Manifest]
THURSDAY = {"product": "A1", "date": "2011-10-20"}


def test_it_answers_and_explains(toy: Toy) -> None:
    with ReleaseHost(toy[0], toy[1].digest) as host:
        (answer,) = host.answer([THURSDAY])
        assert answer["low"] < answer["units"] < answer["high"]
        assert answer["note"] is None
        assert host.explain([THURSDAY])[0][0].startswith("A1 sold on")
        assert host.check() == 240


def test_a_closed_day_is_zero_with_the_reason_among_open_ones(toy: Toy) -> None:
    sunday = THURSDAY | {"date": "2011-10-16"}
    with ReleaseHost(toy[0], toy[1].digest) as host:
        first, closed, last = host.answer([THURSDAY, sunday, THURSDAY])
        assert closed == {"units": 0.0, "low": 0.0, "high": 0.0, "note": "The shop is closed on Sundays."}
        assert first == last
        assert host.answer([sunday]) == [closed]


def test_what_happened_on_or_after_as_of_changes_no_prediction(toy: Toy, tmp_path: Path) -> None:
    known = shop.history()
    later = pl.col("date") >= shop.AS_OF
    changed = known.with_columns(pl.when(later).then(9999.0).otherwise("units").alias("units"))
    leaky, manifest = shop.make(tmp_path, history=changed)
    assert manifest.digest != toy[1].digest
    with ReleaseHost(toy[0], toy[1].digest) as one, ReleaseHost(leaky, manifest.digest) as other:
        for day in ("2011-10-15", "2011-10-01", "2011-08-01"):
            assert one.answer([THURSDAY], as_of=day) == other.answer([THURSDAY], as_of=day)
        assert one.answer([THURSDAY], as_of="2011-10-16") != other.answer([THURSDAY], as_of="2011-10-16")


def test_scoring_answers_each_row_at_its_own_day(toy: Toy, tmp_path: Path) -> None:
    table = shop.holdout().sample(fraction=1.0, shuffle=True, seed=3).with_columns(new=pl.col("band") == "b")
    codecs.save("polars.ipc", table, tmp_path / "holdout.arrow")
    with ReleaseHost(toy[0], toy[1].digest) as host:
        host.score(tmp_path / "holdout.arrow", tmp_path / "scored.npz")
        with np.load(tmp_path / "scored.npz", allow_pickle=False) as scored:
            assert scored["product"].tolist() == table["product"].to_list()
            assert scored["date"].dtype == np.dtype("datetime64[D]")
            assert scored["new"].dtype == np.bool_
            for row in (0, 17, 300):
                request = {"product": str(scored["product"][row]), "date": str(scored["date"][row])}
                (answer,) = host.answer([request], as_of=str(scored["as_of"][row]))
                assert answer["units"] == scored["units"][row]
                assert (answer["note"] or "") == scored["note"][row]


def test_a_table_without_its_day_is_refused(toy: Toy, tmp_path: Path) -> None:
    codecs.save("polars.ipc", shop.holdout().drop("as_of"), tmp_path / "t.arrow")
    codecs.save("polars.ipc", shop.holdout().with_columns(units=pl.lit(1.0)), tmp_path / "u.arrow")
    with ReleaseHost(toy[0], toy[1].digest) as host:
        with pytest.raises(ContractBroken, match="as_of"):
            host.score(tmp_path / "t.arrow", tmp_path / "out.npz")
        with pytest.raises(UsageError, match="units"):
            host.score(tmp_path / "u.arrow", tmp_path / "out.npz")


@pytest.mark.parametrize("days", [-3, 60])
def test_a_holdout_that_asks_what_nobody_could_ask_is_refused(tmp_path: Path, days: int) -> None:
    table = shop.holdout()
    odd = table.with_columns(
        date=pl.when(pl.arange(table.height) == 7).then(pl.col("as_of") + dt.timedelta(days=days)).otherwise("date")
    )
    with pytest.raises(ContractBroken, match="nobody could ask for"):
        shop.make(tmp_path, holdout=odd)


def test_other_packages_than_locked_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError) as error:
        shop.make(tmp_path, lock=shop.lock().replace("polars==", "polars==9.9."))
    assert "polars: locked 9.9." in str(error.value)
    assert "pip install -r" in str(error.value)


def test_code_from_a_working_tree_never_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = tmp_path / "tree"
    (tree / "toyshop").mkdir(parents=True)
    (tree / "toyshop" / "reasons.py").write_text("def reasons(*a): ...")
    (tree / "toyshop" / "__init__.py").write_text("")
    monkeypatch.chdir(tree)
    monkeypatch.setenv("PYTHONPATH", str(tree))
    files = shop.code()
    del files["toyshop/reasons.py"]
    with pytest.raises(IntegrityError, match="reasons"):
        shop.make(tmp_path, files=files)


def test_code_that_reaches_outside_by_path_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "elsewhere.py").write_text("")
    reach = f"import sys; sys.path.append({str(tmp_path / 'outside')!r}); import elsewhere"
    with pytest.raises(IntegrityError, match="elsewhere"):
        shop.make(tmp_path, files=shop.code(extra_import=reach))


def test_secrets_of_the_caller_are_not_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "secret")
    body = "import os; assert 'TOKEN' not in os.environ"
    shop.make(tmp_path, files=shop.code(body=body))


def test_what_a_predictor_prints_does_not_disturb_the_answers(tmp_path: Path) -> None:
    directory, manifest = shop.make(tmp_path, files=shop.code(body="print('noise')"))
    with ReleaseHost(directory, manifest.digest) as host:
        assert len(host.answer([THURSDAY])) == 1


def test_a_predictor_that_raises_is_named_with_its_line_and_the_host_goes_on(tmp_path: Path) -> None:
    body = "if requests['product'].is_in(['B2']).any() and requests.height == 1: raise ValueError('no jam')"
    directory, manifest = shop.make(tmp_path, files=shop.code(body=body))
    with ReleaseHost(directory, manifest.digest) as host:
        with pytest.raises(StepFailed, match="no jam") as error:
            host.answer([THURSDAY | {"product": "B2"}])
        assert "code/toyshop/pipelines.py:" in str(error.value)
        assert host.answer([THURSDAY])


def test_a_host_that_dies_says_its_last_words(tmp_path: Path) -> None:
    body = "import os, sys; requests.height == 1 and (print('out of memory', file=sys.stderr, flush=True), os._exit(9))"
    directory, manifest = shop.make(tmp_path, files=shop.code(body=body))
    with ReleaseHost(directory, manifest.digest) as host, pytest.raises(StepFailed, match=r"exit 9: .*out of memory"):
        host.answer([THURSDAY])


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("return requests.head(0)", "0 rows"),
        ("return requests.with_columns(low=1.0, high=2.0, note=None)", "units"),
        ("return None", "NoneType"),
    ],
)
def test_what_is_not_as_declared_is_refused(tmp_path: Path, body: str, named: str) -> None:
    with pytest.raises(ContractBroken, match=named):
        shop.make(tmp_path, files=shop.code(body=body))


def test_a_number_that_is_not_finite_is_no_answer(tmp_path: Path) -> None:
    directory, manifest = shop.make(tmp_path, files=shop.code(body="scale = scale / (requests.height - 1 or 1e-320)"))
    with ReleaseHost(directory, manifest.digest) as host, pytest.raises(StepFailed, match="not finite"):
        host.answer([THURSDAY])


def test_answers_that_are_not_repeated_bit_by_bit_are_found(toy: Toy, tmp_path: Path) -> None:
    """A machine with other arithmetic is played by a recorded answer whose last bit differs."""
    from lockgate.records.wire import from_json
    from lockgate.release.layout import file_entry, sums

    copy = tmp_path / "copy"
    shutil.copytree(toy[0], copy)
    recorded = json.loads((copy / "holdout.json").read_bytes())
    number = np.nextafter(recorded[7]["answer"]["units"], np.inf)
    recorded[7]["answer"]["units"] = float(number)
    (copy / "holdout.json").write_text(json.dumps(recorded))
    manifest = json.loads((copy / "manifest.json").read_bytes())
    entry = file_entry(copy, "holdout.json")
    for listed in manifest["files"]:
        if listed["path"] == "holdout.json":
            listed.update(sha256=entry.sha256, blake3=entry.blake3, size_bytes=entry.size_bytes)
    changed = from_json(Manifest, manifest)
    (copy / "manifest.json").write_bytes(changed.encoded())
    (copy / "SHA256SUMS").write_bytes(sums(changed))
    with ReleaseHost(copy, changed.digest) as host, pytest.raises(IntegrityError, match="does not repeat"):
        host.check()


def test_unknown_operation_and_closing_twice(toy: Toy) -> None:
    host = ReleaseHost(toy[0], toy[1].digest)
    with pytest.raises(StepFailed, match="not running"):
        host.check()
    with host:
        with pytest.raises(UsageError, match="unknown operation"):
            host._ask({"op": "pickle"})  # pyright: ignore[reportPrivateUsage]
        host.close()
    host.close()


def test_dates_reach_the_28th_open_day() -> None:
    from lockgate.release.schema import date_range

    def sundays(day: dt.date) -> str | None:
        return "Sunday" if day.weekday() == 6 else None

    found = date_range(shop.AS_OF, days=28, closed=sundays)
    assert found.first == shop.AS_OF + dt.timedelta(days=1)
    assert (found.last - shop.AS_OF).days - len(found.closed) == 28
    with pytest.raises(UsageError, match="no open day"):
        date_range(shop.AS_OF, days=1, closed=lambda _: "never")


def test_a_value_called_a_file_is_checked_like_any_other(toy: Toy, tmp_path: Path) -> None:
    """Another codec in the manifest must not be a way round the identity of the value."""
    from lockgate.records.wire import from_json
    from lockgate.release.layout import sums

    copy = tmp_path / "copy"
    shutil.copytree(toy[0], copy)
    manifest = json.loads((copy / "manifest.json").read_bytes())
    manifest["state"]["history"]["codec"] = "file"
    changed = from_json(Manifest, manifest)
    (copy / "manifest.json").write_bytes(changed.encoded())
    (copy / "SHA256SUMS").write_bytes(sums(changed))
    with pytest.raises(IntegrityError, match="is not the value that the manifest names"):
        ReleaseHost(copy, changed.digest).__enter__()
