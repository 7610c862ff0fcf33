"""Parameters are values: every kind of Python value. Texts that try to be more: test_injection.py."""

from __future__ import annotations

import datetime
import decimal
import enum
import uuid
import zoneinfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import embudo


@pytest.fixture
def table(conn: embudo.Connection) -> embudo.Connection:
    conn.execute("CREATE TABLE t (ts TIMESTAMP, v INT, s VARCHAR(600), n NCHAR(600))")
    return conn


def test_marks_in_quotes_and_comments_are_none(table: embudo.Connection) -> None:
    table.execute("INSERT INTO t (ts, s, n) VALUES (1, '?', ':x')")
    row = table.execute("SELECT s, n, '?' FROM t WHERE s = '?' AND n <> ?", ["y"]).fetchone()
    assert row == ("?", ":x", "?")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5),
        (-(2**31), -(2**31)),
        (None, None),
        (np.int16(7), 7),
        (np.int64(8), 8),
        (enum.IntEnum("Color", ["RED"]).RED, 1),
        (3.0, 3),
        (pd.NA, None),
    ],
)
def test_integers(table: embudo.Connection, value: object, expected: int | None) -> None:
    table.execute("INSERT INTO t (ts, v) VALUES (1, ?)", [value])
    assert table.execute("SELECT v FROM t").fetchone() == (expected,)


SHANGHAI = zoneinfo.ZoneInfo("Asia/Shanghai")
INSTANT = datetime.datetime(2024, 3, 1, 4, 5, 6, 789000, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    "value",
    [
        INSTANT,
        INSTANT.astimezone(SHANGHAI),
        INSTANT.astimezone(datetime.timezone(datetime.timedelta(hours=14))),
        INSTANT.replace(tzinfo=None),  # the session's zone is UTC
        pd.Timestamp(INSTANT),
        np.datetime64("2024-03-01T04:05:06.789"),
        "2024-03-01T04:05:06.789Z",
        1709265906789,
    ],
)
def test_instants(table: embudo.Connection, value: object) -> None:
    table.execute("INSERT INTO t (ts, v) VALUES (?, 1)", [value])
    assert table.execute("SELECT ts FROM t").fetchone() == (INSTANT,)
    assert table.execute("SELECT v FROM t WHERE ts = ?", [value]).fetchall() == [(1,)]
    table.execute("INSERT INTO t (ts, v) VALUES (?, NULL)", [value])


def test_other_values(conn: embudo.Connection) -> None:
    conn.execute("CREATE TABLE o (ts TIMESTAMP, d DECIMAL(10,2), b VARBINARY(20), u VARCHAR(40), f DOUBLE)")
    unique = uuid.UUID(int=7)
    conn.execute("INSERT INTO o VALUES (?, ?, ?, ?, ?)", [1, decimal.Decimal("-12.30"), b"\x00\xff'", unique, 1e300])
    assert conn.execute("SELECT d, b, u, f FROM o").fetchone() == (
        decimal.Decimal("-12.30"),
        b"\x00\xff'",
        str(unique),
        1e300,
    )


@pytest.mark.parametrize(
    "value",
    [2**64, -(2**63) - 1, decimal.Decimal("NaN"), decimal.Decimal("1e50"), object(), "\ud800", {1, 2}, 1j],
)
def test_values_that_cannot_be(table: embudo.Connection, value: object) -> None:
    with pytest.raises(embudo.DataError):
        table.execute("INSERT INTO t (ts, s) VALUES (1, ?)", [value])


def test_wrong_counts_and_kinds(table: embudo.Connection) -> None:
    with pytest.raises(embudo.Error):
        table.execute("INSERT INTO t (ts, v) VALUES (?, ?)", [1])
    with pytest.raises(embudo.Error):
        table.execute("SELECT ?", [1, 2])
    with pytest.raises(embudo.InterfaceError):
        table.execute("SELECT ?", "ab")
    with pytest.raises(embudo.InterfaceError):
        table.execute("SELECT ?", 5)  # type: ignore[arg-type]
    with pytest.raises(embudo.InterfaceError, match=":b"):
        table.execute("SELECT :a, :b", {"a": 1})
    assert table.execute("SELECT COUNT(*) FROM t").fetchone() == (0,)


@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=60))
def test_any_text_on_every_transport(root: embudo.Connection, server: embudo.Server, text: str) -> None:
    with embudo.connect(server.dsn) as rest:
        for conn in (root, rest):
            conn.execute("CREATE DATABASE IF NOT EXISTS texts KEEP 36500")
            conn.execute("CREATE TABLE IF NOT EXISTS texts.t (ts TIMESTAMP, n NCHAR(100))")
            conn.execute("INSERT INTO texts.t VALUES (1, ?)", [text])
            assert conn.execute("SELECT n FROM texts.t").fetchall() == [(text,)]
