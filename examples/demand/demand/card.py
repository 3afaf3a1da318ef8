"""The data card: where the sales come from, what dirt was in them, what was done with each row, what is left."""

import datetime as dt
import json
from html import escape
from pathlib import Path

import polars as pl

from demand.dirt import CONTRACTS, LARGEST_LINE
from demand.drawing import bars, columns
from demand.layouts import Layout
from lockgate import Html, step
from lockgate.data.checks import DIRT, tally

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1c2430; margin: 2rem auto; max-width: 62rem; padding: 0 1rem }
h1 { font-size: 1.6rem; margin: 0 } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem }
p, caption { max-width: 46rem } small, caption { color: #5b6675 }
.wide { overflow-x: auto } table { border-collapse: collapse; font-size: .9rem } caption { text-align: left }
th, td { text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid #d9dee5 }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap } svg { max-width: 100%; height: auto }
code { font-size: .8rem; color: #5b6675 } td:first-child { min-width: 13rem }
"""

NUMBERS = ("Like this", "Share", "At most", "Whole file", "Rows in", "Claimed", "Rows out")
HEADS = ("Rule and condition", "Its rows are", *NUMBERS, "Such as")
DONE = {"drop": "dropped", "net": "subtracted", "set aside": "set aside", "keep": "kept, counted"}


@step
def data_card(judged: pl.DataFrame, products: pl.DataFrame, layout: Layout, publication: Path, as_of: dt.date) -> Html:
    """One page on the data, for whoever must trust it. `publication`: the facts that `demand.fetch` wrote down."""
    source = json.loads(publication.read_text())
    counted = tally(judged, CONTRACTS[layout.name])
    sections = [
        _head(source, as_of),
        _flow(judged, counted),
        _rules(judged, counted, source),
        _time(judged),
        _groups(products),
    ]
    return Html(
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Data card: {escape(source['name'])}</title><style>{STYLE}</style>{''.join(sections)}</html>"
    )


def _head(source: dict[str, object], as_of: dt.date) -> str:
    rows = f"{source['rows']:,} rows, {source['first']} to {source['last']}"
    return (
        f"<h1>Data card: {escape(str(source['name']))}</h1>"
        f"<p>{rows} as published; what is on or after <b>{as_of}</b> is the future and is not here."
        f" What is forecast: net pieces per product and open day, which are the pieces in invoice lines of at most {LARGEST_LINE}"
        " less the pieces that came back that day. Larger lines are wholesale: set aside, counted, and open to look at"
        " (<code>lockgate show set_aside</code>).</p>"
        f"<p><small>Credit: {escape(str(source['credit']))}. Licence: {escape(str(source['licence']))}."
        f" File: sha256 {source['sha256']}.</small></p>"
    )


def _flow(judged: pl.DataFrame, counted: pl.DataFrame) -> str:
    """Every row goes somewhere: the parts add up to the rows that came in."""
    went = {done: int(counted.filter(pl.col("action") == action)["claimed"].sum()) for action, done in DONE.items()}
    clean = judged[DIRT].null_count()
    parts = {"clean": clean, **{done: rows for done, rows in went.items() if done != DONE["keep"]}}
    total = " + ".join(f"{rows:,} {name}" for name, rows in parts.items())
    return f"<h2>Where every row went</h2><p>{judged.height:,} rows known = {total}.</p>{bars(parts)}"


def _rules(judged: pl.DataFrame, counted: pl.DataFrame, source: dict[str, object]) -> str:
    published = source.get("dirt")
    whole = published if isinstance(published, dict) else {}
    left = judged.height - counted["claimed"].cum_sum()
    counted = counted.with_columns(left=left, came=left + pl.col("claimed"))
    body = "".join(_rule(row, whole.get(row["rule"]), _example(judged, row)) for row in counted.to_dicts())
    top = "".join(f'<th class="n">{head}</th>' if head in NUMBERS else f"<th>{head}</th>" for head in HEADS)
    return (
        "<h2>Dirt that is known</h2><div class=wide><table><caption>Rules claim rows in this order: rows in, less those claimed,"
        " are the rows out. Like this: all known rows that the condition is true for, claimed or not. Whole file: the same, in"
        " the file as published. A row that breaks the contract without a rule, or more of one rule than declared, stops the run."
        f"</caption><tr>{top}</tr>{body}</table></div>"
    )


def _rule(row: dict[str, object], whole: object, example: str) -> str:
    numbers = [
        f"{row['matches']:,}",
        f"{row['share']:.2%}",
        f"{row['at_most']:.2%}",
        f"{whole:,}" if whole is not None else "–",
    ]
    numbers += [f"{row['came']:,}", f"{row['claimed']:,}", f"{row['left']:,}"]
    return (
        f"<tr><td><b>{escape(str(row['rule']))}</b><br><small>{escape(str(row['why']))}</small><br>"
        f"<code>{escape(str(row['when']))}</code></td><td>{DONE[str(row['action'])]}</td>"
        + "".join(f'<td class="n">{number}</td>' for number in numbers)
        + f"<td><small>{escape(example)}</small></td></tr>"
    )


def _example(judged: pl.DataFrame, row: dict[str, object]) -> str:
    """One row that looks like the rule: one it claims, if it claims any."""
    like = (
        judged.filter(pl.col(DIRT) == row["rule"]) if row["claimed"] else judged.filter(pl.sql_expr(str(row["when"])))
    )
    if like.is_empty():
        return "none"
    one = like.row(like.height // 2, named=True)
    return ", ".join(f"{one[name]}" for name in ("date", "invoice", "product", "name", "quantity", "price", "customer"))


def _time(judged: pl.DataFrame) -> str:
    clean = judged.filter(pl.col(DIRT).is_null())
    weeks = clean.group_by(week=pl.col("date").dt.truncate("1w")).agg(pieces=pl.col("quantity").sum()).sort("week")
    drawn = columns(weeks["week"].to_list(), weeks["pieces"].to_list())
    return f"<h2>Pieces sold per week, clean rows</h2>{drawn}"


def _groups(products: pl.DataFrame) -> str:
    """Product groups are made of what was sold, never invented."""
    said = {
        "volume_band": "thirds by pieces per open day",
        "price_band": "thirds by median price",
        "is_new": "first sold less than 60 days before the test window",
        "seasonal": "45 % or more of a year's pieces in three months in a row",
    }
    sizes = [(name, products[name].cast(pl.String).value_counts(sort=True).rows()) for name in said]
    body = "".join(
        f"<tr><td><b>{name}</b></td><td>{said[name]}</td><td>{', '.join(f'{value}: {count}' for value, count in found)}</td></tr>"
        for name, found in sizes
    )
    return f"<h2>{products.height} products, by group</h2><div class=wide><table>{body}</table></div>"
