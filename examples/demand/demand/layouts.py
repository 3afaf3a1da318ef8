"""The tables we can read: three published layouts, recognised by their header, brought into one.

One row of the common layout is one line of an invoice (Online Retail II) or the sales of one product on one day
(Favorita, M5). Columns: invoice (text, null where the shop publishes none), product (code, trimmed, upper case),
respelled (true where trimming or upper case changed the code), name (null when missing), quantity (pieces; negative
when they came back), price (money per piece, null when not published), customer (null when missing), date, copy (true for a
line equal in every published column to one before it).
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from lockgate import step
from lockgate.data.checks import missing_columns
from lockgate.errors import ContractBroken


@dataclass(frozen=True)
class Layout:
    """How one publisher writes sales down, and whose calendar the shop keeps.

    `columns`: published name → ours. `store`: the published column to choose one store by, if there are several.
    """

    name: str
    shop: str
    columns: dict[str, str]
    dates: list[str]
    store: str = ""
    absent: list[str] = field(default_factory=list)


ONLINE_RETAIL = Layout(
    name="Online Retail II",
    shop="gift shop",
    columns={
        "Invoice": "invoice",
        "StockCode": "product",
        "Description": "name",
        "Quantity": "quantity",
        "InvoiceDate": "date",
        "Price": "price",
        "Customer ID": "customer",
        "Country": "country",
    },
    dates=["%m/%d/%Y %H:%M", "%Y-%m-%d %H:%M:%S"],
)

FAVORITA = Layout(
    name="Favorita",
    shop="favorita",
    columns={
        "date": "date",
        "store_nbr": "store",
        "item_nbr": "product",
        "unit_sales": "quantity",
        "onpromotion": "promotion",
        "family": "name",
        "class": "class",
        "perishable": "perishable",
        "transactions": "transactions",
    },
    dates=["%Y-%m-%d"],
    store="store_nbr",
    absent=["invoice", "customer", "price"],
)

M5 = Layout(
    name="M5",
    shop="walmart",
    columns={"date": "date", "store_id": "store", "item_id": "product", "units": "quantity", "sell_price": "price"},
    dates=["%Y-%m-%d"],
    store="store_id",
    absent=["invoice", "customer", "name"],
)

LAYOUTS = (ONLINE_RETAIL, FAVORITA, M5)

COMMON = ("invoice", "product", "respelled", "name", "quantity", "price", "customer", "date", "copy")


@step
def layout(sales: Path) -> Layout:
    """Which layout the sales are published in, told by the header of the first file."""
    return recognise(header(csv_files(sales)[0]))


def csv_files(sales: Path) -> list[Path]:
    """The files of a folder in the order of their names, or the one file."""
    files = sorted(sales.glob("*.csv")) if sales.is_dir() else [sales]
    if not files:
        raise ContractBroken("no sales", value="the folder is empty", allowed="*.csv", next="python -m demand.fetch")
    return files


def header(file: Path) -> list[str]:
    """The names of a file's columns."""
    try:
        return pl.read_csv(file, n_rows=0, infer_schema=False).columns
    except pl.exceptions.NoDataError as empty:
        raise _empty(file) from empty


def recognise(names: Iterable[str]) -> Layout:
    """The layout that shares most columns with these names; which of them are missing is `read_file`'s to say."""
    found = set(names)
    return max(LAYOUTS, key=lambda layout: len(found & set(layout.columns)) / len(layout.columns))


def read_sales(sales: Path, layout: Layout, as_of: dt.date, store: str) -> pl.DataFrame:
    """All rows before `as_of`, in the common layout, file after file. What is on or after `as_of` is the future."""
    table = pl.concat([read_file(file, layout, store) for file in csv_files(sales)])
    copy = ~pl.struct(pl.all()).is_first_distinct()
    code = pl.col("product").str.strip_chars().str.to_uppercase()
    return (
        table.with_columns(copy=copy)
        .with_columns(respelled=code != pl.col("product"), product=code, date=pl.col("date").dt.date())
        .with_columns(pl.lit(None, pl.Float64 if name == "price" else pl.String).alias(name) for name in layout.absent)
        .filter(pl.col("date") < as_of)
        .select(COMMON)
    )


def read_file(file: Path, layout: Layout, store: str) -> pl.DataFrame:
    """One file with our names and types; dates keep their time of day. Raises at a value that cannot be read."""
    fix = f"give {file.name} the columns of {layout.name} again"
    missing_columns(file.name, header(file), tuple(layout.columns), next=fix)
    text = _text(file, layout)
    if text.is_empty():
        raise _empty(file)
    numbers = [name for name in ("quantity", "price") if name in text.columns]
    typed = text.with_columns(
        *(pl.col(name).cast(pl.Float64, strict=False) for name in numbers),
        date=pl.coalesce(pl.col("date").str.to_datetime(how, strict=False) for how in layout.dates),
    )
    for name in (*numbers, "date"):
        _all_read(file, layout, text.get_column(name), typed.get_column(name))
    return _one_store(typed, layout, store)


def _text(file: Path, layout: Layout) -> pl.DataFrame:
    try:
        return pl.read_csv(file, columns=list(layout.columns), infer_schema=False).rename(layout.columns)
    except pl.exceptions.ComputeError as broken:
        first_line = str(broken).splitlines()[0]
        raise ContractBroken(f"{file.name} is not CSV", value=first_line, next=f"fetch {file.name} again") from broken


def _all_read(file: Path, layout: Layout, text: pl.Series, typed: pl.Series) -> None:
    unread = text.is_not_null() & typed.is_null()
    if not unread.any():
        return
    row = int(unread.arg_true()[0])
    published = next(theirs for theirs, ours in layout.columns.items() if ours == text.name)
    raise ContractBroken(
        f"{file.name}: {int(unread.sum()):,} values of {published} cannot be read",
        value=f"{text[row]!r} in row {row + 1}",
        allowed=" or ".join(layout.dates) if text.name == "date" else "a number",
        next=f"correct {file.name}, or fetch it again",
    )


def _one_store(table: pl.DataFrame, layout: Layout, store: str) -> pl.DataFrame:
    if not layout.store:
        return table
    stores = sorted(table.get_column("store").unique().to_list())
    if not store and len(stores) > 1:
        known = ", ".join(stores[:12])
        fix = f'set `store = "{stores[0]}"` under [params.judged] in lockgate.toml'
        raise ContractBroken("which store?", value=f"{len(stores)} in the file", allowed=known, next=fix)
    return table.filter(pl.col("store") == (store or stores[0]))


def _empty(file: Path) -> ContractBroken:
    fix = f"fetch {file.name} again, or remove it"
    return ContractBroken("a file has no rows", value=file.name, allowed="one row or more", next=fix)
