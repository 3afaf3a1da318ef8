"""The same pipelines on the tables of other publishers."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from demand.layouts import FAVORITA, M5, layout
from demand.dirt import judged
from demand.predict import forecast
from examples import shop

from lockgate.errors import ContractBroken

LAST = dt.date(2016, 4, 23)


@pytest.fixture(scope="module")
def m5(tmp_path_factory):
    found = shop.shared("m5_ten_stores")
    if found is None:
        pytest.skip("no m5_ten_stores: set LOCKGATE_TEST_DATA to a folder that holds it")
    table = pl.read_parquet(next(found.glob("*.parquet")))
    some = table.filter(pl.col("store_id").is_in(["TX_2", "CA_3"]) & (pl.col("date") >= dt.date(2013, 4, 1)))
    folder = tmp_path_factory.mktemp("m5")
    (folder / "sales").mkdir()
    named = [pl.col(name).cast(pl.String) for name in ("store_id", "item_id")]
    some.select(pl.col("date").dt.date(), *named, "units", "sell_price").write_csv(folder / "sales" / "m5.csv")
    return folder


def test_m5_which_store(m5):
    with pytest.raises(ContractBroken, match=r"(?s)which store\?.*CA_3, TX_2.*params.judged"):
        judged(m5 / "sales", layout(m5 / "sales"), LAST)


def test_m5_beats_the_simple_forecasts(m5):
    made = shop.run_all(
        m5 / "sales",
        LAST,
        shop.publication(m5),
        judged={"store": "TX_2"},
        settings={"rounds": 60},
        features={"horizons": 6},
    )
    assert made["layout"] == M5
    assert 20 <= made["products"].height <= 28  # the others sell on too few days
    overall = made["scores"].filter(pl.col("window") == "all")
    best = {kind: part["wape"].min() for (kind,), part in overall.group_by("kind")}
    assert best["candidate"] < 0.93 * best["baseline"]
    requests = pl.DataFrame({"product": ["FOODS_3_586"] * 2, "date": [dt.date(2016, 4, 23), dt.date(2016, 12, 25)]})
    saturday, christmas = forecast(requests, *shop.state(made), made["history"], LAST).rows()
    assert saturday[0] > 40
    assert christmas == (0.0, 0.0, 0.0, "closed on Christmas Day")


def test_favorita_columns(tmp_path):
    draw = np.random.default_rng(1)
    days = [dt.date(2016, 1, 2) + dt.timedelta(days=n) for n in range(400)]
    rows = [
        [day, 47, item, round(float(draw.gamma(2.0, 3.0)), 3), "False", "DAIRY", 1, 0, 900]
        for day in days
        if (day.month, day.day) not in {(12, 25), (1, 1)}
        for item in range(103_000, 103_006)
    ]
    header = list(FAVORITA.columns)
    shop.write(tmp_path / "sales" / "favorita.csv", rows, header)
    made = shop.run_all(
        tmp_path / "sales", days[-1], shop.publication(tmp_path), settings={"rounds": 10}, features={"horizons": 4}
    )
    assert made["layout"] == FAVORITA
    assert set(made["products"]["price_band"]) == {"unknown"}
    rows = made["trained_rows"].head(40)
    for (as_of,), part in rows.group_by("as_of"):
        known = made["history"].filter(pl.col("date") < as_of)
        again = forecast(part.select("product", "date"), *shop.state(made), known, as_of)
        assert again["units"].to_list() == part["prediction"].to_list()
