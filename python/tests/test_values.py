"""Every type, in and out, on every transport: rows, frames and Arrow say the same."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import itertools
import math
import struct
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import embudo

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)


def _f32(value: float) -> float:
    return float(struct.unpack("f", struct.pack("f", value))[0])


# TDengine refuses literals below the least normal number, and over REST parameters are literals.
FINITE = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False, width=64)

# Type, values, how they come back. The least value of a signed type is TDengine's NULL on some wires, so it is left out.
TYPES: dict[str, tuple[st.SearchStrategy[Any], Any]] = {
    "BOOL": (st.booleans(), None),
    "TINYINT": (st.integers(-127, 127), None),
    "SMALLINT": (st.integers(-32767, 32767), None),
    "INT": (st.integers(-(2**31) + 1, 2**31 - 1), None),
    "BIGINT": (st.integers(-(2**63) + 1, 2**63 - 1), None),
    "TINYINT UNSIGNED": (st.integers(0, 254), None),
    "SMALLINT UNSIGNED": (st.integers(0, 65534), None),
    "INT UNSIGNED": (st.integers(0, 2**32 - 2), None),
    "BIGINT UNSIGNED": (st.integers(0, 2**64 - 2), None),
    "FLOAT": (st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False, width=32), _f32),
    "DOUBLE": (FINITE, None),
    "VARCHAR(100)": (TEXT, None),
    "NCHAR(30)": (TEXT, None),
    "VARBINARY(40)": (st.binary(max_size=40), None),
    "BLOB": (st.binary(max_size=400), None),
    "DECIMAL(20,4)": (st.decimals(-(10**12), 10**12, places=4, allow_nan=False), None),
    "TIMESTAMP": (st.datetimes(datetime.datetime(1980, 1, 1), datetime.datetime(2200, 1, 1)), "ms"),
}


def _expected(value: Any, convert: Any) -> Any:
    if value is None or convert is None:
        return value
    if convert == "ms":
        return value.replace(microsecond=value.microsecond // 1000 * 1000, tzinfo=datetime.UTC)
    return convert(value)


def _plain(value: Any) -> Any:
    """A cell of a frame or an array as Python has it; what stands for NULL there as None."""
    if value is None or value is np.ma.masked or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else value.astype("M8[us]").item().replace(tzinfo=datetime.UTC)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, pd.Timestamp):
        value = value.to_pydatetime()
    if isinstance(value, float) and math.isnan(value):
        return None
    return value


def _execute(conn: embudo.Connection, values: list[Any]) -> None:
    for at, value in enumerate(values):
        conn.execute("INSERT INTO v VALUES (?, ?)", [at, value])


def _named(conn: embudo.Connection, values: list[Any]) -> None:
    for at, value in enumerate(values):
        conn.execute("INSERT INTO v (v, ts) VALUES (:value, :at)", {"at": at, "value": value})


def _executemany(conn: embudo.Connection, values: list[Any]) -> None:
    conn.executemany("INSERT INTO v VALUES (?, ?)", list(enumerate(values)))


def _ingest(conn: embudo.Connection, values: list[Any]) -> None:
    conn.ingest("v", {"ts": list(range(len(values))), "v": values}, create=False)


def _ingest_records(conn: embudo.Connection, values: list[Any]) -> None:
    conn.ingest("v", ({"ts": at, "v": value} for at, value in enumerate(values)), create=False)


WAYS_IN = [_execute, _named, _executemany, _ingest, _ingest_records]
WAYS_OUT: dict[str, Any] = {
    "rows": lambda cursor: [row[0] for row in cursor.fetchall()],
    "one by one": lambda cursor: [row[0] for row in cursor],
    "arrow": lambda cursor: cursor.arrow()["v"].to_pylist(),
    "batches": lambda cursor: [row[0] for table in cursor.batches(2) for row in table.rows()],
    "pandas": lambda cursor: list(cursor.df()["v"]),
    "polars": lambda cursor: cursor.pl()["v"].to_list(),
    "numpy": lambda cursor: list(cursor.numpy()["v"]),
}


@pytest.mark.parametrize("kind", TYPES)
def test_round_trip(root: embudo.Connection, server: embudo.Server, native_dsn: str, kind: str) -> None:
    """Any values of a type, in by one way over one transport, out by another over another: the same."""
    strategy, convert = TYPES[kind]
    root.execute("CREATE DATABASE IF NOT EXISTS roundtrip KEEP 36500")
    places = (":memory:tests", server.rest_dsn, server.ws_dsn, native_dsn)
    with contextlib.ExitStack() as stack:
        open_ = [stack.enter_context(embudo.connect(place, database="roundtrip", timezone="UTC")) for place in places]
        open_[0].execute("DROP TABLE IF EXISTS v")
        open_[0].execute(f"CREATE TABLE v (ts TIMESTAMP, v {kind})")

        @given(
            values=st.lists(st.one_of(st.none(), strategy), min_size=1, max_size=5),
            writer=st.sampled_from(open_),
            way_in=st.sampled_from(WAYS_IN),
            reader=st.sampled_from(open_),
        )
        def check(values: list[Any], writer: embudo.Connection, way_in: Any, reader: embudo.Connection) -> None:
            expected = [_expected(value, convert) for value in values]
            open_[0].execute("DELETE FROM v")
            way_in(writer, values)
            for form, way_out in WAYS_OUT.items():
                found = way_out(reader.execute("SELECT v FROM v ORDER BY ts"))
                assert [_plain(value) for value in found] == expected, (way_in.__name__, writer.transport, form, reader.transport, found)

        check()


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind not in ("BLOB", "VARBINARY(40)")])
def test_round_trip_of_tags(root: embudo.Connection, server: embudo.Server, native_dsn: str, kind: str) -> None:
    """The same of tags, whose children are made by the way."""
    strategy, convert = TYPES[kind]
    root.execute("CREATE DATABASE IF NOT EXISTS roundtrip KEEP 36500")
    places = (":memory:tests", server.rest_dsn, server.ws_dsn, native_dsn)
    with contextlib.ExitStack() as stack:
        open_ = [stack.enter_context(embudo.connect(place, database="roundtrip", timezone="UTC")) for place in places]
        open_[0].execute("DROP STABLE IF EXISTS tagged")
        open_[0].execute(f"CREATE STABLE tagged (ts TIMESTAMP, v INT) TAGS (mark {kind})")
        numbers = itertools.count()

        @settings(max_examples=12)
        @given(value=st.one_of(st.none(), strategy), writer=st.sampled_from(open_), reader=st.sampled_from(open_), columns=st.booleans())
        def check(value: Any, writer: embudo.Connection, reader: embudo.Connection, columns: bool) -> None:
            name = f"c{next(numbers)}"
            if columns:
                data = {"ts": [1], "v": [1], "mark": [value], "name": [name]}
                writer.ingest("tagged", data, tags=("mark",), table="name", create=False)
            else:
                writer.executemany("INSERT INTO ? USING tagged TAGS (?) VALUES (?, ?)", [(name, value, 1, 1)])
            ((found,),) = reader.execute("SELECT mark FROM tagged WHERE tbname = ?", [name]).fetchall()
            assert found == _expected(value, convert), (writer.transport, reader.transport, columns)

        check()


@pytest.mark.parametrize("precision", ["ms", "us", "ns"])
def test_precisions(root: embudo.Connection, dsn: str, precision: str) -> None:
    name = f"precise_{precision}"
    root.execute(f"CREATE DATABASE IF NOT EXISTS {name} PRECISION '{precision}' KEEP 36500")
    with embudo.connect(dsn, database=name, timezone="Asia/Shanghai") as conn:
        conn.execute("CREATE TABLE IF NOT EXISTS t (ts TIMESTAMP, v INT)")
        conn.execute("INSERT INTO t VALUES (?, 1)", ["2024-07-01T12:00:00.123456789Z"])
        (found,) = conn.execute("SELECT ts FROM t").fetchone()
        if precision == "ns":
            assert found == 1719835200123456789
        else:
            micros = 123456 if precision == "us" else 123000
            assert found == datetime.datetime(2024, 7, 1, 12, 0, 0, micros, tzinfo=datetime.UTC)
            assert found.tzinfo.key == "Asia/Shanghai"
            assert found.hour == 20
        frame = conn.execute("SELECT ts FROM t").df()
        assert str(frame.dtypes["ts"]) == f"datetime64[{precision}, Asia/Shanghai]"


def test_clock_changes(root: embudo.Connection, local: embudo.Connection, database: str) -> None:
    """Every hour around both changes of a year, among them the hour that stands twice."""
    start = datetime.datetime(2024, 3, 9, tzinfo=datetime.UTC)
    instants = [start + datetime.timedelta(hours=h) for h in range(72)]
    instants += [datetime.datetime(2024, 11, 2, tzinfo=datetime.UTC) + datetime.timedelta(minutes=30 * h) for h in range(144)]
    local.execute("CREATE TABLE clock (ts TIMESTAMP, v INT)")
    local.executemany("INSERT INTO clock VALUES (?, 1)", [(instant,) for instant in instants])
    for zone in ("America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "UTC", "+05:30"):
        with embudo.connect(":memory:tests", database=database, timezone=zone) as conn:
            found = [row[0] for row in conn.execute("SELECT ts FROM clock ORDER BY ts").fetchall()]
        assert [value.astimezone(datetime.UTC) for value in found] == instants, zone
        if zone != "+05:30":
            assert all(value.fold == value.astimezone(datetime.UTC).astimezone(value.tzinfo).fold for value in found), zone


def test_years_beyond_a_datetime(local: embudo.Connection) -> None:
    local.execute("CREATE TABLE far (ts TIMESTAMP, t2 TIMESTAMP)")
    local.execute("INSERT INTO far VALUES (1, 400000000000000)")
    with pytest.raises(embudo.DataError, match="year"):
        local.execute("SELECT t2 FROM far").fetchall()
    assert local.execute("SELECT CAST(t2 AS BIGINT) FROM far").fetchall() == [(400000000000000,)]


def test_json_tags(conn: embudo.Connection) -> None:
    conn.execute("CREATE STABLE j (ts TIMESTAMP, v INT) TAGS (info JSON)")
    conn.execute("""INSERT INTO j1 USING j TAGS ('{"k": "x", "n": 5}') VALUES (1, 1)""")
    conn.execute("INSERT INTO j2 USING j TAGS (NULL) VALUES (2, 2)")
    rows = conn.execute("SELECT v, info FROM j ORDER BY ts").fetchall()
    assert rows == [(1, {"k": "x", "n": 5}), (2, None)]


def test_decimals_keep_their_scale(conn: embudo.Connection) -> None:
    conn.execute("CREATE TABLE d (ts TIMESTAMP, v DECIMAL(10, 3))")
    conn.execute("INSERT INTO d VALUES (1, 1.5)")
    (found,) = conn.execute("SELECT v FROM d").fetchone()
    assert str(found) == "1.500"
    assert isinstance(found, decimal.Decimal)
