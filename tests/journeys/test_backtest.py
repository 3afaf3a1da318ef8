"""`gate backtest`: past days through today's policy, in a project where nothing else is to change by it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from journeys.walking import GOOD, USAGE, WIDTH, Lockgate, edit

pytestmark = pytest.mark.sampled(6)

Copier = Callable[[Lockgate], Lockgate]

SINCE, UNTIL = "2020-03-14", "2020-03-28"


@pytest.fixture(scope="session")
def replayed(ran: Lockgate, tmp_path_factory: pytest.TempPathFactory) -> Lockgate:
    """Three past days of the toy project were replayed; it has no release and no ledger entry of one."""
    from journeys.walking import copy

    lockgate = copy(ran, tmp_path_factory.mktemp("replayed") / "shop")
    lockgate("gate", "backtest", "--since", SINCE, "--until", UNTIL, "--accept-uncertain")
    return lockgate


def page(lockgate: Lockgate, *arguments: str, until: str = UNTIL) -> dict[str, Any]:
    return lockgate.json("gate", "backtest", "--since", SINCE, "--until", until, "--accept-uncertain", *arguments)


def outcomes(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(d["day"], d["outcome"], d["gate"]) for d in found["days"]]


def kept(lockgate: Lockgate) -> dict[str, str]:
    """Every file of a working copy but what a store caches and forgets: keys, ledger, runs, code, data."""
    home = lockgate.root / ".lockgate"
    cache = ("objects", "results", "graphs", "sources", "releases", "bundles", "leases", "tmp", "seen", "graph.json")
    files = (p for p in lockgate.root.rglob("*") if p.is_file() and ".git" not in p.parts)
    own = (p for p in files if not any(p.is_relative_to(home / name) for name in cache))
    return {str(p.relative_to(lockgate.root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in own}


def test_days_are_trained_judged_and_followed(replayed: Lockgate) -> None:
    found = page(replayed)
    assert [d for d, _, _ in outcomes(found)] == ["2020-03-14", "2020-03-21", "2020-03-28"]
    assert {o for _, o, _ in outcomes(found)} == {"shipped"}
    first, second, _ = found["days"]
    assert first["live"] is None
    assert second["live"] == first["release"]
    assert first["followed"]["against"] == "baseline"
    assert second["followed"]["against"] == "live"
    assert second["followed"]["seen"] == "2020-04-18"  # the first day whose holdout asks on the 21st
    assert (second["followed"]["first"], second["followed"]["last"]) == ("2020-03-22", "2020-03-27")
    assert second["followed"]["rows"] == 6 * 6
    assert found["not_judged"] == ["integration"]
    assert found["shown"] == {"sales": "rows before the day, by column date"}
    assert {v["gate"] for v in second["verdicts"]} >= {"champion", "no_leak", "beats_baseline"}


def test_nothing_is_done_twice(replayed: Lockgate) -> None:
    found = page(replayed)
    assert [(d["ran"], d["reused"]) for d in found["days"]] == [(0, 4)] * 3


def test_nothing_is_said_and_nothing_changes(ran: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(ran)
    before = kept(lockgate)
    lockgate("gate", "backtest", "--since", SINCE, "--until", SINCE)
    assert kept(lockgate) == before
    assert lockgate.json("releases") == []
    assert lockgate.json("plan")["steps"][0]["action"] == "reuse"


def test_what_came_later_changes_no_day(replayed: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(replayed)
    sales = lockgate.root / "data" / "sales.csv"
    lines = sales.read_text().splitlines()
    sales.write_text(
        "\n".join([x if x[:10] < UNTIL or x[0] == "d" else x.rpartition(",")[0] + ",9999" for x in lines]) + "\n"
    )
    before, after = (page(each) for each in (replayed, lockgate))
    assert [d["release"] for d in after["days"]] == [d["release"] for d in before["days"]]
    assert [d["verdicts"] for d in after["days"]] == [d["verdicts"] for d in before["days"]]
    assert after["days"][-1]["followed"]["ours"]["value"] != before["days"][-1]["followed"]["ours"]["value"]


def test_a_step_that_forgets_as_of_sees_no_later_row(replayed: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(replayed)
    edit(lockgate.root, "shop/pipelines.py", '.filter(pl.col("date") < as_of)', "")
    found = page(lockgate)
    assert [d["outcome"] for d in found["days"]] == ["shipped"] * 3
    same = page(replayed)
    assert [d["predicted"] for d in found["days"]] == [d["predicted"] for d in same["days"]]
    assert all(d["predicted"] and float(d["predicted"]["value"]) > 0 for d in same["days"])
    assert same["metric"]["words"] == "forecast error (WAPE)"


def test_a_policy_that_stops_all_is_held_against_the_simple_method(replayed: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(replayed)
    edit(lockgate.root, "shop/delivery.py", 'min_rows=10, per="band"', 'min_rows=100_000, per="band"')
    found = page(lockgate)
    assert outcomes(found) == [(d, "stopped", "enough_good_data") for d, _, _ in outcomes(page(replayed))]
    assert [d["live"] for d in found["days"]] == [None] * 3
    assert (found["false_stops"]["hits"], found["false_stops"]["of"]) == (
        3,
        3,
    )  # the model is better than a constant 50
    assert found["false_passes"]["of"] == 0
    said = lockgate("gate", "backtest", "--since", SINCE, "--until", UNTIL).out
    assert "Of 3 stopped, 3 would have been better" in said


def test_a_change_of_parameters_is_another_past(replayed: Lockgate) -> None:
    found = page(replayed, "--param", "model.factor=3", until=SINCE)
    assert found["days"][0]["outcome"] == "stopped"
    assert found["days"][0]["gate"] == "beats_baseline"


def test_one_day_and_a_day_nothing_followed_yet(replayed: Lockgate) -> None:
    found = replayed.json("gate", "backtest", "--since", "2020-04-25")
    assert [d["day"] for d in found["days"]] == ["2020-04-25"]
    assert found["days"][0]["followed"] is None
    assert found["days"][0]["unknown"].startswith("not known yet")
    said = replayed("gate", "backtest", "--since", "2020-04-25").out
    assert "Nothing is known of what followed them." in said


def test_a_day_that_cannot_be_made_is_listed_with_its_reason(replayed: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(replayed)
    edit(
        lockgate.root, "shop/pipelines.py", "    return Model(factor)",
        '    if history.height < 450:\n        raise ValueError("too little to learn from")\n    return Model(factor)',
    )  # fmt: skip
    found = page(lockgate)
    assert [d["outcome"] for d in found["days"]] == ["not made", "shipped", "shipped"]
    assert "too little to learn from" in found["days"][0]["reason"]
    assert found["days"][1]["live"] is None
    said = lockgate("gate", "backtest", "--since", SINCE, "--until", SINCE).out
    assert "2020-03-14 not made: " in said
    assert "Of 1 day: 1 not made." in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--since", "2019-12-01"), "nothing of source sales was known yet: 2019-12-01"),
        (("--since", "2020-01-01"), "nothing of source sales was known yet: 2020-01-01"),
        (("--since", "2020-05-01"), "nothing lies between these days: 2020-05-01 to 2020-04-30"),
        (("--since", SINCE, "--until", "2020-05-01"), "a backtest replays the past: until 2020-05-01"),
        (("--since", "20200314"), "not a day: 20200314"),
        (("--since", SINCE, "--every", "month"), "not a period: month"),
        (("--since", SINCE, "--follow", "0"), "nothing to follow: --follow 0"),
    ],
)
def test_days_that_cannot_be_are_refused(replayed: Lockgate, arguments: tuple[str, ...], message: str) -> None:
    done = replayed("gate", "backtest", *arguments, expect=USAGE)
    assert done.err.strip().splitlines()[-3:][0].startswith(message) or message in done.err


def test_a_source_that_does_not_say_when_it_was_known_is_refused_with_what_to_declare(
    ran: Lockgate, fresh: Copier
) -> None:
    lockgate = fresh(ran)
    sales, code = lockgate.root / "data" / "sales.csv", lockgate.root / "shop" / "pipelines.py"
    sales.write_text(sales.read_text().replace("date,", "day,", 1))
    code.write_text(code.read_text().replace("try_parse_dates=True)", 'try_parse_dates=True).rename({"day": "date"})'))
    refused = lockgate("gate", "backtest", "--since", SINCE, "--until", SINCE, expect=USAGE)
    assert "it does not say what of it was known when: sales.csv has the columns day, product, units" in refused.err
    assert 'date = "COLUMN"' in refused.err
    settings = lockgate.root / "lockgate.toml"
    settings.write_text(settings.read_text() + 'date = "day"\n')
    cut = lockgate.json("gate", "backtest", "--since", SINCE, "--until", SINCE)
    settings.write_text(settings.read_text().replace('date = "day"', "timeless = true"))
    whole = lockgate.json("gate", "backtest", "--since", SINCE, "--until", SINCE)
    assert whole["shown"] == {"sales": "the same on every day"}
    assert whole["days"][0]["predicted"]
    assert whole["days"][0]["predicted"] == cut["days"][0]["predicted"]  # its steps cut by themselves


def test_the_page_fits_and_says_what_was_assumed(replayed: Lockgate) -> None:
    said = replayed("gate", "backtest", "--since", SINCE, "--until", UNTIL, "--accept-uncertain", expect=GOOD).out
    assert [line for line in said.splitlines() if len(line) > WIDTH] == []
    assert "not judged, as nothing is deployed: integration" in said
    assert "Of 3 days: 3 shipped." in said


def test_what_a_person_must_weigh_does_not_ship_by_itself(replayed: Lockgate) -> None:
    found = replayed.json("gate", "backtest", "--since", SINCE, "--until", UNTIL)
    assert outcomes(found)[:2] == [("2020-03-14", "asked", "slices"), ("2020-03-21", "asked", "slices")]
    assert [d["live"] for d in found["days"]] == [None] * 3
    assert found["asked"]["of"] == 2
    said = replayed("gate", "backtest", "--since", SINCE, "--until", UNTIL).out
    assert "asked: a person must weigh it; taken as not shipped" in said


def test_without_a_policy_it_says_what_is_missing(ran: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(ran)
    (lockgate.root / "policy.toml").unlink()
    assert "no policy.toml" in lockgate("gate", "backtest", "--since", SINCE, expect=USAGE).err


def test_only_the_partition_that_is_new_runs(founded: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(founded)
    edit(
        lockgate.root, "shop/pipelines.py", "@step\ndef model(history: pl.DataFrame, factor: float = 1.0)",
        '@step(each="month")\ndef monthly(history: pl.DataFrame) -> pl.DataFrame:\n    return history\n\n\n'
        "@step\ndef model(monthly: pl.DataFrame, factor: float = 1.0)",
    )  # fmt: skip
    edit(lockgate.root, "shop/pipelines.py", "steps=[history, model,", "steps=[history, monthly, model,")
    lockgate("gate", "backtest", "--since", SINCE, "--until", SINCE)
    first = partitions(lockgate.root)
    lockgate("gate", "backtest", "--since", SINCE, "--until", "2020-03-21")
    assert len(first) == 3  # January, February, and half of March
    new = partitions(lockgate.root) - first
    assert len(new) == 1, "only March has new rows"


def partitions(root: Path) -> set[str]:
    """Keys of the results of `monthly`'s partitions."""
    files = (f for f in (root / ".lockgate" / "results").glob("??/*"))
    return {
        f.name
        for f in files
        if b'"node": "shop.monthly[' in f.read_bytes() or b'"node":"shop.monthly[' in f.read_bytes()
    }
