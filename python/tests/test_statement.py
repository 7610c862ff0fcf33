"""Prepared INSERTs by columns, over each transport."""

from __future__ import annotations

import datetime
import decimal

import numpy as np
import pyarrow as pa
import pytest

import embudo

UTC = datetime.UTC


@pytest.fixture
def meters(conn: embudo.Connection) -> embudo.Connection:
    conn.execute("CREATE STABLE meters (ts TIMESTAMP, current FLOAT, n BIGINT, s NCHAR(20)) TAGS (location VARCHAR(20), groupid INT)")
    return conn


def test_many_tables_at_once(meters: embudo.Connection) -> None:
    with meters.statement("INSERT INTO ? USING meters TAGS (?, ?) VALUES (?, ?, ?, ?)") as statement:
        statement.bind([[1, 2], [0.5, None], [7, 8], ["a", "é"]], table="d1", tags=["Taos", 1])
        columns = {
            "ts": np.array([1, 2, 3], "M8[ms]"),
            "current": np.arange(3, dtype="f4"),
            "n": pa.array([1, None, 3]),
            "s": ("x", None, "z"),
        }
        statement.bind(columns, table="d2", tags={"groupid": None, "location": "Embudo"})
        assert meters.execute("SELECT COUNT(*) FROM meters").fetchone() == (0,)
        assert statement.execute() == 5
        assert [field.role for field in statement.fields][-4:] == ["column"] * 4
        statement.bind([[9], [9.0], [9], ["nine"]], table="d1", tags=["Taos", 1])
        assert statement.execute() == 1
    found = meters.execute(
        "SELECT tbname, location, groupid, COUNT(*) FROM meters GROUP BY tbname, location, groupid ORDER BY tbname"
    ).fetchall()
    assert found == [("d1", "Taos", 1, 3), ("d2", "Embudo", None, 3)]
    assert meters.execute("SELECT current, n, s FROM d1 ORDER BY ts").fetchall() == [(0.5, 7, "a"), (None, 8, "é"), (9.0, 9, "nine")]
    assert meters.execute("SELECT current, n, s FROM d2 ORDER BY ts").fetchall() == [(0.0, 1, "x"), (1.0, None, None), (2.0, 3, "z")]
    for use in (statement.execute, lambda: statement.bind([]), lambda: statement.fields):
        with pytest.raises(embudo.InterfaceError, match="closed"):
            use()


def test_one_table_and_its_times(conn: embudo.Connection) -> None:
    conn.execute("CREATE TABLE t (ts TIMESTAMP, d DECIMAL(10, 2), b VARBINARY(10))")
    moments = [datetime.datetime(2024, 7, 1, 12, tzinfo=UTC), datetime.datetime(2024, 7, 1, 13), 1719842400000]
    with conn.statement("INSERT INTO t VALUES (?, ?, ?)") as statement:
        statement.bind([moments, [decimal.Decimal("1.5"), None, decimal.Decimal(-2)], [b"\x00", None, b"z"]])
        assert statement.execute() == 3
        assert repr(statement) == "<embudo.Statement INSERT INTO t VALUES (?, ?, ?)>"
    rows = conn.execute("SELECT ts, d, b FROM t ORDER BY ts").fetchall()
    assert [row[0].hour for row in rows] == [12, 13, 14]
    assert [row[1:] for row in rows] == [(decimal.Decimal("1.50"), b"\x00"), (None, None), (decimal.Decimal("-2.00"), b"z")]


def test_what_is_refused(meters: embudo.Connection) -> None:
    meters.execute("CREATE TABLE d1 USING meters TAGS ('Taos', 1)")
    with pytest.raises(embudo.ProgrammingError, match="only an INSERT"):
        meters.statement("SELECT * FROM meters WHERE n = ?")
    with pytest.raises(embudo.ProgrammingError):
        _ = meters.statement("INSERT INTO nowhere VALUES (?)").fields
    with meters.statement("INSERT INTO d1 (ts, n) VALUES (?, ?)") as statement:
        for columns in ([[1]], [[1], [2], [3]], {"ts": [1]}, {"ts": [1], "n": [1], "m": [1]}):
            with pytest.raises(embudo.ProgrammingError, match="the statement has"):
                statement.bind(columns)
        for values in (["one"], [2**63], [1.5], [b"x"]):
            with pytest.raises(embudo.DataError, match="column n"):
                statement.bind([[1], values])
        with pytest.raises(embudo.Error):
            statement.bind([[1, 2], [1]])
            statement.execute()
    assert meters.execute("SELECT COUNT(*) FROM d1").fetchone() == (0,)
