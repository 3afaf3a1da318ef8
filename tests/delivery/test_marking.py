"""Which bytes of a table were known on which day: every cut is the header and whole rows, in their order, and no later row."""

from __future__ import annotations

import csv
import datetime as dt
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.delivery.backtest.days import every_days, grid, later, soonest
from lockgate.delivery.backtest.marking import columns_in, marks_of
from lockgate.errors import UsageError

DAYS = [dt.date(2020, 1, d) for d in (5, 10, 15)]


def cut(data: bytes, number: int, *, column: str = "date", written: str = "", size: int = 7) -> bytes:
    """The table as of one of the days; it is read in blocks of a few bytes."""
    blocks = [data[at : at + size] for at in range(0, len(data), size)]
    marks = marks_of(blocks, column, DAYS, written=written, what="sales: a.csv")
    assert marks.size_bytes == len(data)
    return b"".join(data[start:end] for start, end in marks.known_on(number))


rows = st.lists(
    st.tuples(st.text(alphabet='ab,"\n é\r', max_size=6), st.integers(1, 20), st.sampled_from(["", "x"])), max_size=12
)


@given(rows, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_a_cut_is_the_rows_before_the_day_and_nothing_else(
    made: list[tuple[str, int, str]], ending: str, ended: bool
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator=ending, quoting=csv.QUOTE_ALL)
    writer.writerow(["name", "date", "more"])
    writer.writerows([(name, dt.date(2020, 1, day), more) for name, day, more in made])
    text = out.getvalue()
    data = (text if ended else text.removesuffix(ending)).encode()
    for number, day in enumerate(DAYS):
        known = [(n, str(dt.date(2020, 1, d)), m) for n, d, m in made if dt.date(2020, 1, d) < day]
        found = cut(data, number).decode()
        parsed = [tuple(r) for r in csv.reader(io.StringIO(found, newline=""))]
        assert parsed == ([("name", "date", "more"), *known] if known else [])


def test_rows_out_of_order_stay_in_their_order() -> None:
    data = b"date,n\n2020-01-12,1\n2020-01-01,2\n2020-01-07,3\n2020-01-02,4\n"
    assert cut(data, 0) == b"date,n\n2020-01-01,2\n2020-01-02,4\n"
    assert cut(data, 1) == b"date,n\n2020-01-01,2\n2020-01-07,3\n2020-01-02,4\n"
    assert cut(data, 2) == data


def test_a_row_of_the_day_itself_is_not_known_yet() -> None:
    assert cut(b"date,n\n2020-01-04,1\n2020-01-05,2\n", 0) == b"date,n\n2020-01-04,1\n"


def test_a_row_without_a_day_is_never_known() -> None:
    assert cut(b"date,n\n,1\n2020-01-01,2\n", 2) == b"date,n\n2020-01-01,2\n"


def test_a_row_that_is_too_short_is_never_known() -> None:
    assert cut(b"n,date\n1\n2,2020-01-01\n", 2) == b"n,date\n2,2020-01-01\n"


@pytest.mark.parametrize(
    ("data", "written"),
    [
        (b"\xef\xbb\xbfdate;n\n2020-01-01;1\n2020-01-09;2\n", ""),
        (b"date\tn\n1/1/2020 7:45\t1\n1/9/2020 7:45\t2\n", "%m/%d/%Y %H:%M"),
        (b"date,n\n2020-01-01T07:45:00,1\n2020-01-09 08:00,2\n", ""),
        (b"date,n\n2020-01-01,\xff\n2020-01-09,2\n", ""),
    ],
)
def test_other_delimiters_dates_marks_and_bytes(data: bytes, written: str) -> None:
    assert cut(data, 0, written=written) == b"\n".join(data.split(b"\n")[:2]) + b"\n"


def test_a_date_that_cannot_be_read_is_named_with_what_to_declare() -> None:
    with pytest.raises(UsageError) as refused:
        cut(b"date,n\n2020-01-01,1\n12/31/2019,2\n", 0)
    assert refused.value.value == "sales: a.csv, row 3: '12/31/2019'"
    assert "date_format" in refused.value.next


def test_what_is_no_table_has_no_columns() -> None:
    assert columns_in([b"PAR1\x15\x04\x15\xff\x00\n"]) == ()
    assert columns_in([]) == ()
    assert columns_in([b"a, b", b",c\n1,2,3\n"]) == ("a", "b", "c")


def test_an_empty_table_and_a_header_alone_were_known_on_no_day() -> None:
    assert cut(b"date,n\n", 2) == b""
    assert cut(b"date,n", 2) == b""


def test_the_days_and_those_after() -> None:
    today = dt.date(2011, 10, 15)
    days = grid(dt.date(2011, 10, 1), dt.date(2011, 10, 9), 7, today=today)
    assert days == (dt.date(2011, 10, 1), dt.date(2011, 10, 8))
    assert later(days[-1], 7, today=today) == (today,)
    assert later(days[-1], 5, today=today) == (dt.date(2011, 10, 13), today)
    assert later(today, 7, today=today) == ()
    assert grid(today, today, 7, today=today) == (today,)


@pytest.mark.parametrize(
    ("since", "until"), [("2011-10-02", "2011-10-01"), ("2011-10-01", "2011-10-16"), ("1999-01-01", "2011-10-15")]
)
def test_days_that_make_no_sense_are_refused(since: str, until: str) -> None:
    with pytest.raises(UsageError):
        grid(dt.date.fromisoformat(since), dt.date.fromisoformat(until), 1, today=dt.date(2011, 10, 15))


@pytest.mark.parametrize("text", ["", "0d", "month", "-7d", "7", "1.5d", "week "])
def test_a_period_is_a_day_a_week_or_days(text: str) -> None:
    with pytest.raises(UsageError):
        every_days(text)


def day(number: int) -> dt.date:
    return dt.date(2011, 10, number)


@pytest.mark.parametrize(
    ("asks", "follow", "expected"),
    [
        ({8: [1], 15: [1, 8]}, 7, (8, 1)),  # a holdout that asks every week: the next one knows it all
        ({8: [1], 15: [1, 8], 22: [8, 15]}, 14, (15, 1)),  # two weeks are known two weeks later
        ({8: [], 15: [], 22: [1], 29: [8]}, 7, (22, 1)),  # a holdout that asks once, three weeks before its end
        ({8: [], 15: [], 22: [4], 29: [11]}, 7, (22, 4)),  # none asks on the very day
        ({8: [1], 15: [1]}, 28, (15, 1)),  # nobody knows all of it yet: the one that knows most
        ({8: [1], 15: [8]}, 28, (8, 1)),
        ({8: [], 15: []}, 7, None),
        ({}, 7, None),
    ],
)
def test_what_followed_is_looked_up_where_it_is_known_first(
    asks: dict[int, list[int]], follow: int, expected: tuple[int, int] | None
) -> None:
    looked: list[int] = []

    def asked(seen: dt.date) -> list[dt.date]:
        looked.append(seen.day)
        return [day(n) for n in asks[seen.day]]

    found = soonest(day(1), [day(n) for n in asks], asked, days=follow)
    assert found == (expected and (day(expected[0]), day(expected[1])))
    assert looked == sorted(asks)[: len(looked)]
    if expected and expected[0] >= expected[1] + follow:
        assert looked[-1] == expected[0], "no later holdout is made than is needed"
