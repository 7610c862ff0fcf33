"""Columns of every kind into tables and supertables."""

from __future__ import annotations

import datetime
import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import embudo

TIMES = np.array(["2024-01-01T00:00:00", "2024-01-01T00:00:01", "2024-01-01T00:00:02"], dtype="M8[ms]")


def test_a_dictionary_makes_a_table(conn: embudo.Connection) -> None:
    data = {
        "ts": TIMES,
        "i": np.array([1, 2, 3], dtype="i4"),
        "f": np.array([0.5, np.nan, 1.5], dtype="f4"),
        "b": np.array([True, False, True]),
        "s": ["a", None, "ccc"],
        "d": [decimal.Decimal("1.25"), None, decimal.Decimal("-3.5")],
        "x": [b"\x00", b"", None],
        "t": [datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)] * 3,
        "k": 7,
    }
    result = conn.ingest("made", data)
    assert (result.rows, result.tables) == (3, 1)
    assert result.seconds > 0
    kinds = {row[0]: row[1] for row in conn.execute("DESCRIBE made").fetchall()}
    assert kinds["i"] == "INT"
    assert kinds["f"] == "FLOAT"
    assert kinds["b"] == "BOOL"
    assert kinds["s"] == "VARCHAR"
    assert kinds["d"] == "DECIMAL(3,2)"
    assert kinds["x"] == "VARBINARY"
    rows = conn.execute("SELECT i, f, b, s, d, x, k FROM made ORDER BY ts").fetchall()
    assert rows[0] == (1, 0.5, True, "a", decimal.Decimal("1.25"), b"\x00", 7)
    assert rows[1] == (2, None, False, None, None, b"", 7)
    assert rows[2][3:6] == ("ccc", decimal.Decimal("-3.50"), None)


def test_a_supertable_and_its_children(conn: embudo.Connection) -> None:
    data = {
        "ts": np.tile(TIMES, 2),
        "current": np.arange(6) / 2,
        "groupid": np.repeat(np.array([1, 2]), 3),
        "location": ["sf"] * 3 + ["la"] * 3,
    }
    result = conn.ingest("meters", data, tags=("groupid", "location"), table="d{groupid}")
    assert (result.rows, result.tables) == (6, 2)
    found = conn.execute("SELECT tbname, location, COUNT(*), SUM(current) FROM meters GROUP BY tbname, location ORDER BY tbname").fetchall()
    assert found == [("d1", "sf", 3, 1.5), ("d2", "la", 3, 6.0)]
    again = conn.ingest(
        "meters",
        {"time": TIMES[:1], "current": [9], "groupid": 3, "location": "sd", "name": ["x1"]},
        time="time",
        tags=("groupid", "location"),
        table="name",
    )
    assert again.tables == 1
    assert conn.execute("SELECT COUNT(*) FROM x1").fetchone() == (1,)
    with pytest.raises(embudo.InterfaceError, match="table="):
        conn.ingest("meters", {"ts": TIMES[:1], "current": [1.0], "groupid": [1]}, tags=("groupid",))
    conn.ingest("d1", {"ts": ["2024-01-02"], "current": [1]})
    assert conn.execute("SELECT COUNT(*) FROM d1").fetchone() == (4,)


def test_frames_and_streams(conn: embudo.Connection) -> None:
    frame = pd.DataFrame(
        {
            "ts": pd.to_datetime(TIMES).tz_localize("Asia/Shanghai"),
            "n": pd.array([1, None, 3], dtype="Int64"),
            "s": ["a", None, "c"],
            "c": pd.Categorical(["u", "v", "u"]),
            "f": [1.0, np.nan, 2.0],
        }
    )
    assert conn.ingest("pandas_t", frame).rows == 3
    rows = conn.execute("SELECT n, s, c, f FROM pandas_t ORDER BY ts").fetchall()
    assert rows == [(1, "a", "u", 1.0), (None, None, "v", None), (3, "c", "u", 2.0)]
    first = conn.execute("SELECT FIRST(ts) FROM pandas_t").fetchone()[0]
    assert first == datetime.datetime(2023, 12, 31, 16, tzinfo=datetime.UTC)

    polars = pl.DataFrame({"ts": TIMES, "s": ["x", None, "é"], "n": [1, None, 3]})
    assert conn.ingest("polars_t", polars).rows == 3
    assert conn.execute("SELECT s, n FROM polars_t ORDER BY ts").fetchall() == [("x", 1), (None, None), ("é", 3)]

    arrow = pa.table({"ts": TIMES, "s": pa.array(["x", "y", None]).dictionary_encode()})
    assert conn.ingest("arrow_t", arrow).rows == 3
    assert conn.execute("SELECT s FROM arrow_t ORDER BY ts").fetchall() == [("x",), ("y",), (None,)]

    copied = conn.ingest("copy_t", conn.execute("SELECT * FROM polars_t"))
    assert copied.rows == 3
    records = [{"ts": 1, "v": 1}, {"ts": 2, "w": "x"}]
    assert conn.ingest("record_t", records).rows == 2
    assert conn.execute("SELECT v, w FROM record_t ORDER BY ts").fetchall() == [(1, None), (None, "x")]


def test_widening(conn: embudo.Connection) -> None:
    conn.ingest("w", {"ts": [1], "s": ["short"]})
    conn.ingest("w", {"ts": [2], "s": ["a much longer text than before"], "extra": [1.5]})
    assert conn.execute("SELECT s, extra FROM w ORDER BY ts").fetchall() == [
        ("short", None),
        ("a much longer text than before", 1.5),
    ]
    with pytest.raises(embudo.Error):
        conn.ingest("w", {"ts": [3], "other": [1]}, create=False)
    with pytest.raises(embudo.DataError, match="row 0, column s"):
        conn.ingest("w", {"ts": [3], "s": ["y" * 500]}, create=False)
    conn.ingest("w", {"ts": [3], "s": ["y" * 500]}, create=False, truncate=True)
    assert set(conn.execute("SELECT s FROM w WHERE ts = 3").fetchone()[0]) == {"y"}


@pytest.mark.parametrize(
    ("kind", "values", "place"),
    [
        ("TINYINT", [1, 300], "row 1, column v, value 300"),
        ("INT", np.array([1, 2**40]), "row 1, column v"),
        ("INT", [1, 1.5], "row 1, column v"),
        ("TINYINT UNSIGNED", [-1, 1], "row 0, column v, value -1"),
        ("FLOAT", np.array([1.0, 1e300]), "row 1, column v"),
        ("TIMESTAMP", np.array([1, 1_000_001], dtype="M8[us]"), "row 0, column v"),
        ("INT", ["1", "x"], "row 0, column v"),
        ("BOOL", [1, 2], "row 1, column v, value 2"),
    ],
)
def test_what_does_not_fit_writes_nothing(conn: embudo.Connection, kind: str, values: object, place: str) -> None:
    conn.execute(f"CREATE TABLE strict_t (ts TIMESTAMP, v {kind})")
    with pytest.raises(embudo.DataError, match=place):
        conn.ingest("strict_t", {"ts": [1, 2], "v": values})
    assert conn.execute("SELECT COUNT(*) FROM strict_t").fetchone() == (0,)


def test_misuse(conn: embudo.Connection) -> None:
    for data in (5, "text", [1, 2]):
        with pytest.raises(embudo.InterfaceError):
            conn.ingest("t", data)
    with pytest.raises(embudo.InterfaceError, match="time column"):
        conn.ingest("t", {"x": [1]})
    with pytest.raises(embudo.InterfaceError, match="rows"):
        conn.ingest("t", {"ts": [1, 2], "x": [1]})
    with pytest.raises(embudo.DataError, match="NULL"):
        conn.ingest("t", {"ts": [None, 2], "x": [1, 2]})
    with pytest.raises(embudo.InterfaceError):
        conn.ingest("t", {"ts": [1], "x": [1]}, tags="x")


def test_progress(local: embudo.Connection) -> None:
    told: list[tuple[int, int]] = []
    local.ingest("p", {"ts": np.arange(150_000), "v": 1}, progress=lambda done, all_: told.append((done, all_)))
    assert told[0] == (0, 150_000)
    assert told[-1] == (150_000, 150_000)
    with pytest.raises(embudo.Error):
        local.ingest("p", {"ts": np.arange(10), "v": 1}, progress=lambda done, all_: 1 / 0)
