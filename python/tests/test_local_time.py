"""Local time against ``zoneinfo``, whose rules are not the engine's: offsets of half hours, clock changes, lost days, times before 1970.

The engine's answers for whole lists of instants are compared; oddities that TDengine was recorded to have (COMPAT.md) are kept out.
"""

from __future__ import annotations

import datetime
import functools
import random
from collections.abc import Iterator
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import embudo

UTC = datetime.UTC
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
SECOND = datetime.timedelta(seconds=1)
ZONES = [
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/New_York",
    "Africa/Casablanca",
    "Asia/Shanghai",
    "America/Caracas",
    "Pacific/Apia",
    "America/St_Johns",
    "Europe/Dublin",
]
# Where winter is told as an hour less, of which editions of the rules think differently.
WINTER = {"Africa/Casablanca", "Europe/Dublin"}
# Before there are offsets of odd seconds; what comes is told otherwise by every edition of the rules.
FIRST = datetime.datetime(1946, 1, 1, tzinfo=UTC)
LAST = datetime.datetime(2025, 1, 1, tzinfo=UTC)
# What has as many digits as times have today.
RECENT = datetime.datetime(2001, 9, 10, tzinfo=UTC)


def ticks(moment: datetime.datetime) -> int:
    """Milliseconds since 1970."""
    return (moment - EPOCH) // datetime.timedelta(milliseconds=1)


@functools.cache
def changes(zone: str) -> list[datetime.datetime]:
    """The first second of every new offset."""
    rules, found = ZoneInfo(zone), []
    before, step = FIRST, datetime.timedelta(days=20)
    while before < LAST:
        low, high = before, before + step
        before = high
        if low.astimezone(rules).utcoffset() == high.astimezone(rules).utcoffset():
            continue
        while high - low > SECOND:
            middle = low + (high - low) // SECOND // 2 * SECOND
            if middle.astimezone(rules).utcoffset() == low.astimezone(rules).utcoffset():
                low = middle
            else:
                high = middle
        found.append(high)
    return found


def instants(zone: str, first: datetime.datetime = FIRST) -> st.SearchStrategy[list[datetime.datetime]]:
    """Any instants, many of them near a change of the clock."""
    span = int((LAST - first) / SECOND)
    anywhere = st.builds(
        lambda seconds, milli: first + datetime.timedelta(seconds=seconds, milliseconds=milli), st.integers(0, span), st.integers(0, 999)
    )
    late = [change for change in changes(zone) if change > first]
    if not late:
        return st.lists(anywhere, min_size=1, max_size=30, unique=True)
    near = st.builds(
        lambda change, seconds: change + datetime.timedelta(seconds=seconds),
        st.sampled_from(late),
        st.integers(-8000, 8000) | st.integers(-2, 2),
    )
    return st.lists(anywhere | near, min_size=1, max_size=30, unique=True)


def of_local(local: datetime.datetime, zone: str) -> datetime.datetime:
    """The instant of a local time: one that was skipped moves on by the gap, of one that stands twice the later counts."""
    rules = ZoneInfo(zone)
    return max(local.replace(tzinfo=rules, fold=fold).astimezone(UTC) for fold in (0, 1))


def standard(zone: str, moment: datetime.datetime) -> datetime.timedelta:
    """The offset outside daylight saving."""
    local = moment.astimezone(ZoneInfo(zone))
    offset, saving = local.utcoffset(), local.dst()
    assert offset is not None
    assert saving is not None
    return offset - saving


@pytest.fixture(params=ZONES)
def zone(request: pytest.FixtureRequest) -> str:
    assert isinstance(request.param, str)
    return request.param


@pytest.fixture
def place(root: embudo.Connection, database: str, zone: str) -> Iterator[embudo.Connection]:
    """A session in the zone with a table of times."""
    with embudo.connect(":memory:tests", database=database, timezone=zone) as conn:
        conn.execute("CREATE TABLE t (ts TIMESTAMP, v INT)")
        yield conn


def fill(conn: embudo.Connection, moments: list[datetime.datetime]) -> list[datetime.datetime]:
    """Puts instants into the table; what it holds, in order."""
    conn.execute("DELETE FROM t")
    rows = " ".join(f"({ticks(moment)}, {place})" for place, moment in enumerate(moments))
    conn.execute(f"INSERT INTO t VALUES {rows}")
    return sorted(moments)


def column(conn: embudo.Connection, expression: str) -> list[Any]:
    """An expression over the table, in the order of time."""
    return [row[0] for row in conn.execute(f"SELECT {expression} FROM t ORDER BY ts").fetchall()]


def utc(times: list[Any]) -> list[datetime.datetime]:
    """The instants: times of one zone compare by their digits, those that stand twice with nothing."""
    return [moment.astimezone(UTC) for moment in times]


def test_text_to_time(place: embudo.Connection, zone: str) -> None:
    @given(moments=instants(zone))
    def check(moments: list[datetime.datetime]) -> None:
        # Local times around the changes, those that never were among them.
        locals_ = [moment.replace(tzinfo=None) + standard(zone, moment) for moment in moments]
        texts = [f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03}" for local in locals_]
        items = ", ".join(f"CAST(CAST('{text}' AS TIMESTAMP) AS BIGINT)" for text in texts)
        (row,) = place.execute(f"SELECT {items}").fetchall()
        assert dict(zip(texts, row, strict=True)) == {
            text: ticks(of_local(local, zone)) for text, local in zip(texts, locals_, strict=True)
        }
        # The same as a bound of a query and as a value that is written.
        text, instant = texts[0], of_local(locals_[0], zone)
        fill(place, [instant])
        assert place.execute(f"SELECT COUNT(*) FROM t WHERE ts = '{text}' AND ts >= '{text.replace(' ', 'T')}'").fetchone() == (1,)
        place.execute("DELETE FROM t")
        place.execute(f"INSERT INTO t VALUES ('{text}', 1)")
        assert column(place, "CAST(ts AS BIGINT)") == [ticks(instant)]

    check()


def test_time_to_text(place: embudo.Connection, zone: str) -> None:
    rules = ZoneInfo(zone)

    def parts(moment: datetime.datetime) -> str:
        local = moment.astimezone(rules)
        return f"{local:%Y-%m-%d %H:%M:%S %j} {local.isoweekday() % 7 + 1}"

    @given(moments=instants(zone))
    def check(moments: list[datetime.datetime]) -> None:
        held = sorted(set(fill(place, [moment.replace(microsecond=0) for moment in moments])))
        assert column(place, "TO_CHAR(ts, 'YYYY-MM-DD HH24:MI:SS DDD D')") == [parts(moment) for moment in held]
        assert utc(column(place, "ts")) == held

    check()

    @given(moments=instants(zone, RECENT))
    def check_iso(moments: list[datetime.datetime]) -> None:
        held = fill(place, moments)
        expected = []
        for moment in held:
            local = moment.astimezone(rules)
            expected.append(f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond // 1000:03}{local:%z}")
        assert column(place, "TO_ISO8601(ts)") == expected
        fractions = [f"{moment.astimezone(rules):%H:%M:%S}.{moment.microsecond // 1000:03}" for moment in held]
        assert column(place, "TO_CHAR(ts, 'HH24:MI:SS.MS')") == fractions

    check_iso()


@pytest.mark.parametrize("zone", [zone for zone in ZONES if zone not in WINTER])
def test_days_and_weeks_that_times_are_cut_to(place: embudo.Connection, zone: str) -> None:
    @given(moments=instants(zone, RECENT))
    def check(moments: list[datetime.datetime]) -> None:
        held = fill(place, moments)
        for unit, length in (("1d", datetime.timedelta(days=1)), ("1w", datetime.timedelta(days=7))):
            for flag in (None, 0, 1):
                shifts = [datetime.timedelta(0) if flag == 0 else standard(zone, moment) for moment in held]
                starts = [EPOCH + (moment - EPOCH + shift) // length * length - shift for moment, shift in zip(held, shifts, strict=True)]
                call = f"TIMETRUNCATE(ts, {unit})" if flag is None else f"TIMETRUNCATE(ts, {unit}, {flag})"
                assert utc(column(place, call)) == starts, call

    check()


def week(date: datetime.date, mode: int) -> int:
    """The week of the year as MySQL counts it: the number of days that start a week up to this one."""
    starts_monday, last_year, four_days = bool(mode & 1), bool(mode & 2), mode in (1, 3, 4, 6)

    def first(year: int) -> datetime.date:
        day = datetime.date(year, 1, 1)
        while day.weekday() != (0 if starts_monday else 6):
            day += datetime.timedelta(days=1)
        # Of the days before it four or more make a week of their own.
        return day - datetime.timedelta(days=7) if four_days and day.day > 4 else day

    year = date.year
    if date < first(year):
        if not last_year:
            return 0
        year -= 1
    elif last_year and date >= first(year + 1):
        year += 1
    return (date - first(year)).days // 7 + 1


def test_days_and_weeks_of_dates(place: embudo.Connection, zone: str) -> None:
    rules = ZoneInfo(zone)

    @given(moments=instants(zone), mode=st.integers(0, 7))
    def check(moments: list[datetime.datetime], mode: int) -> None:
        dates = [moment.astimezone(rules).date() for moment in fill(place, moments)]
        assert column(place, "DATE(ts)") == [date.isoformat() for date in dates]
        assert column(place, "WEEKDAY(ts)") == [date.weekday() for date in dates]
        assert column(place, "DAYOFWEEK(ts)") == [date.isoweekday() % 7 + 1 for date in dates]
        assert column(place, "WEEKOFYEAR(ts)") == [date.isocalendar().week for date in dates]
        assert column(place, f"WEEK(ts, {mode})") == [week(date, mode) for date in dates]

    check()


def windows(conn: embudo.Connection, clause: str) -> list[tuple[datetime.datetime, datetime.datetime, int]]:
    rows = conn.execute(f"SELECT _wstart, _wend, COUNT(*) FROM t INTERVAL({clause})").fetchall()
    return [(start.astimezone(UTC), end.astimezone(UTC), count) for start, end, count in rows]


@pytest.mark.parametrize("zone", [zone for zone in ZONES if zone not in WINTER])
def test_windows_of_days_and_weeks(place: embudo.Connection, zone: str) -> None:
    @given(moments=instants(zone), count=st.integers(1, 9), unit=st.sampled_from("dw"), hours=st.integers(0, 23))
    def check(moments: list[datetime.datetime], count: int, unit: Literal["d", "w"], hours: int) -> None:
        # They begin at midnight of today's standard time, however clocks stood then.
        shift = standard(zone, datetime.datetime.now(UTC)) - datetime.timedelta(hours=hours)
        length = count * datetime.timedelta(days=1 if unit == "d" else 7)
        expected: dict[datetime.datetime, int] = {}
        for moment in fill(place, moments):
            start = EPOCH + (moment - EPOCH + shift) // length * length - shift
            expected[start] = expected.get(start, 0) + 1
        offset = f", {hours}h" if hours else ""
        assert windows(place, f"{count}{unit}{offset}") == [(start, start + length, rows) for start, rows in expected.items()]

    check()


def test_windows_of_months_and_years(place: embudo.Connection, zone: str) -> None:
    rules = ZoneInfo(zone)

    @given(moments=instants(zone), months=st.sampled_from([1, 2, 3, 5, 12, 24]))
    def check(moments: list[datetime.datetime], months: int) -> None:
        expected: dict[int, int] = {}
        offsets: dict[int, datetime.timedelta | None] = {}
        for moment in fill(place, sorted({moment.replace(microsecond=0) for moment in moments})):
            local = moment.astimezone(rules)
            number = (local.year * 12 + local.month - 1) // months
            expected[number] = expected.get(number, 0) + 1
            offsets.setdefault(number, local.utcoffset())
        found = windows(place, f"{months}n" if months % 12 else f"{months // 12}y")
        assert [row[2] for row in found] == list(expected.values())
        for number, (start, end, _) in zip(expected, found, strict=True):
            ends = (number * months, (number + 1) * months)
            bounds = [of_local(datetime.datetime(month // 12, month % 12 + 1, 1), zone) for month in ends]
            if all(bound.astimezone(rules).utcoffset() == offsets[number] for bound in bounds):
                assert [start, end] == bounds
            else:
                # As recorded, bounds are told with the offset of the window's first row.
                assert all(abs(told - bound) <= datetime.timedelta(hours=25) for told, bound in zip((start, end), bounds, strict=True))

    check()


def test_bound_times(place: embudo.Connection, zone: str) -> None:
    rules, elsewhere = ZoneInfo(zone), ZoneInfo(random.Random(zone).choice(ZONES))

    @given(moments=instants(zone))
    def check(moments: list[datetime.datetime]) -> None:
        for at, moment in enumerate(moments):
            # A naive one is the text of a local time.
            naive = moment.astimezone(rules).replace(tzinfo=None)
            for bound in (naive, moment.astimezone(elsewhere), moment.astimezone(rules), moment):
                place.execute("DELETE FROM t")
                place.execute("INSERT INTO t VALUES (?, ?)", [bound, at])
                assert column(place, "CAST(ts AS BIGINT)") == [ticks(of_local(naive, zone) if bound is naive else moment)], bound
                assert place.execute("SELECT v FROM t WHERE ts = ?", [bound]).fetchone() == (at,)
            found = place.execute("SELECT ts FROM t").fetchone()
            assert found is not None
            assert (found[0].astimezone(UTC), found[0].utcoffset()) == (moment, moment.astimezone(rules).utcoffset())

    check()
