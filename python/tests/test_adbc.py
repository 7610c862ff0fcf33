"""The ADBC driver: pandas, polars and a driver manager on every transport."""

from __future__ import annotations

import pathlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import embudo

pytest.importorskip("adbc_driver_manager")
import embudo.adbc


@pytest.fixture
def adbc(dsn: str, database: str) -> Iterator[Any]:
    """An ADBC connection over each transport, in a database of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with embudo.adbc.connect(dsn, database=database, timezone="UTC") as connection:
            yield connection


def frame(rows: int = 1000) -> pd.DataFrame:
    return pd.DataFrame({"ts": pd.date_range("2024-01-01", periods=rows, freq="s", unit="ms"), "v": np.arange(rows), "s": ["é"] * rows})


def test_pandas(adbc: Any) -> None:
    assert frame().to_sql("t", adbc, index=False) == 1000
    read = pd.read_sql("SELECT * FROM t ORDER BY ts", adbc)
    assert read["v"].tolist() == list(range(1000))
    assert read["s"].unique().tolist() == ["é"]
    later = frame().assign(ts=frame()["ts"] + pd.Timedelta(days=1))
    assert later.to_sql("t", adbc, index=False, if_exists="append") == 1000
    assert len(pd.read_sql("SELECT v FROM t", adbc)) == 2000
    with pytest.raises(ValueError, match="exists"):
        frame().to_sql("t", adbc, index=False)
    assert frame(10).to_sql("t", adbc, index=False, if_exists="replace") == 10
    assert len(pd.read_sql("SELECT v FROM t", adbc)) == 10


def test_a_table_of_that_name_elsewhere_does_not_count(adbc: Any, root: embudo.Connection, database: str) -> None:
    other = f"{database}_other"
    root.execute(f"CREATE DATABASE {other} KEEP 36500")
    try:
        root.execute(f"CREATE TABLE {other}.t (ts TIMESTAMP, v INT)")
        assert frame(3).to_sql("t", adbc, index=False) == 3
    finally:
        root.execute(f"DROP DATABASE {other}")


def test_polars(adbc: Any) -> None:
    given = pl.DataFrame({"ts": [1, 2], "v": [1.0, None]}).with_columns(pl.col("ts").cast(pl.Datetime("ms")))
    assert given.write_database("t", adbc, engine="adbc") == 2
    assert pl.read_database("SELECT v FROM t ORDER BY ts", adbc)["v"].to_list() == [1.0, None]


def test_the_uri_of_polars(tmp_path: pathlib.Path) -> None:
    with embudo.connect(tmp_path / "data") as conn:
        conn.execute("CREATE DATABASE d KEEP 36500")
        conn.ingest("d.t", {"ts": [1, 2], "v": [1, 2]})
    found = pl.read_database_uri("SELECT SUM(v) AS total FROM d.t", f"embudo:///{tmp_path}/data", engine="adbc")
    assert found["total"].to_list() == [3]


def test_statements(adbc: Any, database: str) -> None:
    with adbc.cursor() as cursor:
        cursor.execute("CREATE TABLE t (ts TIMESTAMP, v INT, s NCHAR(10))")
        cursor.executemany("INSERT INTO t VALUES (?, ?, ?)", [(i, i, "it's") for i in range(100)])
        assert cursor.rowcount == 100
        cursor.execute("SELECT v FROM t WHERE v < ? AND s = ? ORDER BY ts", (3, "it's"))
        assert cursor.fetchall() == [(0,), (1,), (2,)]
        cursor.execute("SELECT * FROM t")
        assert cursor.fetch_arrow_table().num_rows == 100
        with pytest.raises(Exception, match="not exist") as caught:
            cursor.execute("SELECT * FROM missing")
        assert "ProgrammingError" in type(caught.value).__name__
        schema = cursor.adbc_execute_schema("SELECT ts, v FROM t")
        assert schema.names == ["ts", "v"]
    assert adbc.adbc_current_db_schema == database
    assert adbc.adbc_get_table_schema("t").field("s").type == pa.string()
    assert adbc.adbc_get_info()["vendor_name"] == "TDengine"
    assert set(adbc.adbc_get_table_types()) == {"supertable", "table", "view"}
    adbc.commit()


def test_ingesting_a_supertable(adbc: Any, database: str) -> None:
    data = pa.table({"ts": pa.array([1, 2, 3], pa.timestamp("ms")), "v": [1.0, 2.0, 3.0], "g": [1, 1, 2]})
    with adbc.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"embudo.ingest.tags": "g", "embudo.ingest.table": "d{g}"})
        assert cursor.adbc_ingest("meters", data, mode="create") == 3
    with adbc.cursor() as cursor:
        cursor.execute("SELECT tbname, COUNT(*) FROM meters PARTITION BY tbname ORDER BY tbname")
        assert cursor.fetchall() == [("d1", 2), ("d2", 1)]
        with pytest.raises(Exception, match="exists"):
            cursor.adbc_ingest("meters", data, mode="create")
        with pytest.raises(Exception, match="no table"):
            cursor.adbc_ingest("nothing", data, mode="append")
    tree = adbc.adbc_get_objects(depth="all", db_schema_filter=database).read_all().to_pylist()
    tables = tree[0]["catalog_db_schemas"][0]["db_schema_tables"]
    assert [(table["table_name"], table["table_type"]) for table in tables] == [("meters", "supertable")]
    assert [column["column_name"] for column in tables[0]["table_columns"]] == ["ts", "v", "g"]
    shallow = adbc.adbc_get_objects(depth="catalogs").read_all().to_pylist()
    assert shallow == [{"catalog_name": "", "catalog_db_schemas": None}]


def test_values_that_do_not_fit_write_nothing(adbc: Any) -> None:
    with adbc.cursor() as cursor:
        cursor.execute("CREATE TABLE t (ts TIMESTAMP, v TINYINT)")
        with pytest.raises(Exception, match="row 1, column v"):
            cursor.adbc_ingest("t", pa.table({"ts": pa.array([1, 2], pa.timestamp("ms")), "v": [1, 300]}), mode="append")
        cursor.execute("SELECT COUNT(*) FROM t")
        assert cursor.fetchone() == (0,)


def test_wrong_targets() -> None:
    with pytest.raises(Exception, match="unknown option"):
        embudo.adbc.connect(":memory:", nonsense="1")
    with pytest.raises(Exception, match="nothing answers"):
        embudo.adbc.connect("taosws://127.0.0.1:1")
