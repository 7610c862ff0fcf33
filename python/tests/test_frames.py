"""pandas, polars, pyarrow and NumPy from one result."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import embudo


@pytest.fixture
def table(conn: embudo.Connection) -> embudo.Connection:
    conn.execute("CREATE TABLE f (ts TIMESTAMP, b BOOL, i INT, u TINYINT UNSIGNED, f FLOAT, d DOUBLE, s VARCHAR(10), t TIMESTAMP)")
    conn.execute("INSERT INTO f VALUES (1000, true, 1, 2, 0.5, 0.25, 'a', 5) (2000, NULL, NULL, NULL, NULL, NULL, NULL, NULL)")
    conn.execute("INSERT INTO f VALUES (3000, false, -1, 200, -1.5, 1e300, 'é', 6)")
    return conn


def test_pandas(table: embudo.Connection) -> None:
    frame = table.execute("SELECT * FROM f ORDER BY ts").df()
    kinds = {name: str(kind) for name, kind in frame.dtypes.items()}
    assert kinds["ts"] == "datetime64[ms, UTC]"
    assert (kinds["b"], kinds["i"], kinds["u"]) == ("boolean", "Int32", "UInt8")
    assert (kinds["f"], kinds["d"]) == ("float32", "float64")
    assert list(frame["i"].isna()) == [False, True, False]
    assert frame["i"][0] == 1
    assert np.isnan(frame["d"][1])
    assert frame["t"][1] is pd.NaT
    assert frame["s"][2] == "é"
    assert pd.isna(frame["s"][1])
    frame["d"] *= 2  # writable
    assert frame["d"][0] == 0.5
    frame.loc[0, "f"] = 9
    assert len(table.execute("SELECT * FROM f WHERE i > 100").df()) == 0


def test_text_is_text_whatever_there_is_of_it(table: embudo.Connection) -> None:
    dtype = pd.Series(["text"]).dtype
    for condition, values in (("ts > 0", ["a", None, "é"]), ("s IS NULL", [None]), ("i > 100", [])):
        column = table.execute(f"SELECT s FROM f WHERE {condition} ORDER BY ts").df()["s"]
        assert [None if pd.isna(value) else value for value in column] == values
        if getattr(dtype, "storage", None) == "pyarrow":
            assert column.dtype == dtype
    frame = table.execute("SELECT s, s AS again FROM f ORDER BY ts").df()
    frame.loc[0, "s"] = "new"
    assert (frame["s"][0], frame["again"][0]) == ("new", "a")


def test_columns_of_one_name(table: embudo.Connection) -> None:
    frame = table.execute("SELECT i, i FROM f").df()
    assert list(frame.columns) == ["i", "i"]


def test_plain_integers_without_null(table: embudo.Connection) -> None:
    assert str(table.execute("SELECT i FROM f WHERE i > -5").df().dtypes["i"]) == "int32"


def test_polars(table: embudo.Connection) -> None:
    frame = table.execute("SELECT * FROM f ORDER BY ts").pl()
    assert frame.schema["i"] == pl.Int32
    assert frame["i"].to_list() == [1, None, -1]
    assert frame["s"].to_list() == ["a", None, "é"]
    assert pl.DataFrame(table.execute("SELECT i FROM f ORDER BY ts"))["i"].to_list() == [1, None, -1]


def test_arrow(table: embudo.Connection) -> None:
    arrow = table.execute("SELECT * FROM f ORDER BY ts").arrow()
    assert arrow.schema.field("ts").type == pa.timestamp("ms", "UTC")
    assert arrow["s"].to_pylist() == ["a", None, "é"]
    stream = pa.RecordBatchReader.from_stream(table.execute("SELECT i FROM f ORDER BY ts"))
    assert stream.read_all()["i"].to_pylist() == [1, None, -1]


def test_numpy(table: embudo.Connection) -> None:
    arrays = table.execute("SELECT * FROM f ORDER BY ts").numpy()
    assert arrays["ts"].dtype == np.dtype("M8[ms]")
    assert arrays["i"].mask.tolist() == [False, True, False]
    assert arrays["d"][2] == 1e300
    assert np.isnat(arrays["t"][1])


def test_text_that_is_no_utf8(local: embudo.Connection) -> None:
    local.execute("CREATE TABLE raw (ts TIMESTAMP, s VARCHAR(10))")
    local.execute("INSERT INTO raw VALUES (1, ?) (2, 'ok')", [b"\xff\xfe"])
    assert local.execute("SELECT s FROM raw ORDER BY ts").fetchall() == [(b"\xff\xfe",), ("ok",)]
    assert local.execute("SELECT s FROM raw").arrow().schema.field("s").type == pa.binary()


def test_many_batches(local: embudo.Connection) -> None:
    local.ingest("big", {"ts": np.arange(200_000), "v": np.arange(200_000, dtype="i8"), "s": ["x"] * 200_000})
    frame = local.execute("SELECT v, s FROM big").df()
    assert frame["v"].sum() == sum(range(200_000))
    assert (frame["s"] == "x").all()
