"""The programs of TDengine's connector page, unchanged, over every transport: where it is not REST, EMBUDO_DSN leads there."""

from __future__ import annotations

import datetime
import os
import pathlib
import subprocess
import sys

import pandas
import pytest
from sqlalchemy import create_engine

import embudo
import taos
from taosrest import RestClient, TaosRestConnection, TaosRestCursor, connect

INSERT = (
    "INSERT INTO power.d1001 USING power.meters TAGS(California.SanFrancisco, 2) VALUES "
    "('2018-10-03 14:38:05.000', 10.30000, 219, 0.31000) ('2018-10-03 14:38:15.000', 12.60000, 218, 0.33000) "
    "('2018-10-03 14:38:16.800', 12.30000, 221, 0.31000)\n"
    "power.d1002 USING power.meters TAGS(California.SanFrancisco, 3) VALUES ('2018-10-03 14:38:16.650', 10.30000, 218, 0.25000)\n"
    "power.d1003 USING power.meters TAGS(California.LosAngeles, 2) VALUES ('2018-10-03 14:38:05.500', 11.80000, 221, 0.28000) "
    "('2018-10-03 14:38:16.600', 13.40000, 223, 0.29000)\n"
    "power.d1004 USING power.meters TAGS(California.LosAngeles, 3) VALUES ('2018-10-03 14:38:05.000', 10.80000, 223, 0.29000) "
    "('2018-10-03 14:38:06.500', 11.50000, 221, 0.35000)"
)


@pytest.fixture(params=["embedded", "rest", "websocket", "native"])
def url(request: pytest.FixtureRequest, server: embudo.Server, native_dsn: str, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "rest":
        return server.url
    places = {"embedded": ":memory:tests", "websocket": server.ws_dsn, "native": native_dsn}
    monkeypatch.setenv("EMBUDO_DSN", places[request.param])
    return "http://localhost:6041"


@pytest.fixture
def conn(url: str) -> TaosRestConnection:
    conn: TaosRestConnection = connect(url=url, user="root", password="taosdata", timeout=30)
    cursor: TaosRestCursor = conn.cursor()
    cursor.execute("DROP DATABASE IF EXISTS power")
    # The page's rows are older than the ten years that KEEP has without being told.
    cursor.execute("CREATE DATABASE power KEEP 36500")
    cursor.execute(
        "CREATE STABLE power.meters (ts TIMESTAMP, current FLOAT, voltage INT, phase FLOAT) TAGS (location BINARY(64), groupId INT)"
    )
    cursor.execute(INSERT)
    assert cursor.rowcount == 8
    return conn


def test_cursor(conn: TaosRestConnection) -> None:
    cursor = conn.cursor()
    cursor.execute("SELECT * FROM power.meters LIMIT 3")
    assert cursor.rowcount == 3
    assert [meta[0] for meta in cursor.description or ()] == ["ts", "current", "voltage", "phase", "location", "groupid"]
    data = cursor.fetchall()
    assert all(isinstance(row, list) and isinstance(row[0], datetime.datetime) for row in data)
    cursor.execute("SELECT current, voltage, phase, location, groupid FROM power.d1003 ORDER BY ts")
    assert cursor.fetchone() == [11.8, 221, 0.28, "california.losangeles", 2]


def test_rest_client(conn: TaosRestConnection, url: str) -> None:
    client = RestClient(url, user="root", password="taosdata", timezone="local")
    res: dict = client.sql("SELECT ts, current FROM power.d1001 LIMIT 1")  # type: ignore[type-arg]
    assert res["status"] == "succ"
    assert res["head"] == ["ts", "current"]
    assert [meta[0] for meta in res["column_meta"]] == ["ts", "current"]
    assert res["rows"] == 1
    instant, current = res["data"][0]
    assert type(instant.tzinfo) is datetime.timezone
    assert current == 10.3


def test_pandas(conn: TaosRestConnection, url: str) -> None:
    engine = create_engine(f"taosrest://root:taosdata@{url.removeprefix('http://')}")
    df: pandas.DataFrame = pandas.read_sql("SELECT * FROM power.meters", engine)
    assert df.index.equals(pandas.RangeIndex(8))
    assert type(df["ts"][0]) is pandas.Timestamp
    assert list(df.columns) == ["ts", "current", "voltage", "phase", "location", "groupid"]
    assert sorted(df["current"]) == [10.3, 10.3, 10.8, 11.5, 11.8, 12.3, 12.6, 13.4]


def test_an_exception(conn: TaosRestConnection, server: embudo.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    if "EMBUDO_DSN" not in os.environ:
        monkeypatch.setenv("EMBUDO_DSN", server.dsn)
    conn_native = taos.connect()
    with pytest.raises(taos.Error) as caught:
        conn_native.execute("CREATE TABLE 123")  # wrong sql
    e = caught.value
    assert e.__class__.__name__ == "ProgrammingError"
    assert (e.errno & 0xFFFF, e.msg) == (0x2600, 'syntax error near "123"')


def test_nanoseconds_are_integers(root: embudo.Connection, server: embudo.Server) -> None:
    root.execute("CREATE DATABASE IF NOT EXISTS page_ns PRECISION 'ns' KEEP 36500")
    root.execute("CREATE TABLE IF NOT EXISTS page_ns.t (ts TIMESTAMP, v INT)")
    root.execute("INSERT INTO page_ns.t VALUES (1538577485123456789, 1)")
    for dsn in (":memory:tests", server.dsn):
        with embudo.connect(dsn) as conn:
            assert conn.execute("SELECT ts FROM page_ns.t").fetchall() == [(1538577485123456789,)]
    assert pandas.to_datetime(1538577485123456789).nanosecond == 789


def test_the_program_embudo() -> None:
    """`python -m embudo` is the program that the package installs."""
    place = pathlib.Path(embudo.__file__).parents[1]
    environment = os.environ | {"PYTHONPATH": str(place)}
    done = subprocess.run([sys.executable, "-m", "embudo", "--help"], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0
    assert "serve" in done.stdout
    assert subprocess.run([sys.executable, "-m", "embudo", "nonsense"], capture_output=True, check=False, env=environment).returncode == 2
