"""``taos`` as taospy 2.8.10, as far as it goes: over EMBUDO_DSN, embedded and REST."""

from __future__ import annotations

import datetime
import pathlib
import subprocess
import sys

import pytest

import embudo
import taos
import taos.error
from taos import FieldType


@pytest.fixture
def conn(dsn: str, database: str, monkeypatch: pytest.MonkeyPatch) -> taos.TaosConnection:
    monkeypatch.setenv("EMBUDO_DSN", dsn)
    taos.set_tz(None)
    conn = taos.connect(host="somewhere", database=database)
    conn.execute("CREATE TABLE t (ts TIMESTAMP, v INT, s VARCHAR(10), n NCHAR(10))")
    assert conn.execute("INSERT INTO t VALUES (1000, 1, 'a', 'é') (2000, NULL, NULL, NULL)") == 2
    return conn


def test_connection(conn: taos.TaosConnection, dsn: str) -> None:
    assert conn.transport == {"taosrest": "rest", "taosws": "websocket"}.get(dsn.partition("://")[0], "embedded")
    assert conn.server_info == "3.3.6.13"
    assert conn.client_info
    assert conn.execute("SELECT * FROM t") == 0
    conn.select_db("information_schema")
    with pytest.raises(taos.DatabaseError, match="select database error"):
        conn.select_db("missing")
    conn.commit()
    conn.rollback()
    with pytest.raises(AttributeError, match="sql is expected as a string"):
        conn.query(5)  # type: ignore[arg-type]
    conn.close()
    conn.close()
    with pytest.raises(taos.ProgrammingError):
        conn.query("SELECT 1")


def test_results(conn: taos.TaosConnection) -> None:
    result = conn.query("SELECT * FROM t ORDER BY ts")
    assert result.field_count == 4
    assert [field.name for field in result.fields] == ["ts", "v", "s", "n"]
    assert [field["type"] for field in result.fields] == [9, 4, 8, 10]
    assert str(result.fields[1]) == "{name: v, type: 4, bytes: 4}"
    assert len(result.fields) == result.fields.count == 4
    assert result.precision == 0
    rows = result.fetch_all()
    assert rows[0] == (datetime.datetime.fromtimestamp(1), 1, "a", "é")
    assert rows[1][1:] == (None, None, None)
    assert result.row_count == 2
    result.close()
    result.close()
    assert result.row_count == 2
    with pytest.raises(taos.ResultError, match="no result object"):
        _ = result.fields
    assert conn.query("SELECT v, s FROM t ORDER BY ts").fetch_all_into_dict() == [
        {"v": 1, "s": "a"},
        {"v": None, "s": None},
    ]
    assert list(conn.query("SELECT v FROM t ORDER BY ts")) == [(1,), (None,)]
    row = next(conn.query("SELECT v, s FROM t ORDER BY ts").rows_iter())
    assert (row.row(), row.as_tuple(), row.as_dict(), str(row), row[0]) == (
        (1, "a"),
        (1, "a"),
        {"v": 1, "s": "a"},
        "1 a",
        1,
    )
    assert [n for _, n in conn.query("SELECT v FROM t").blocks_iter()] == [2]
    rows_iter = conn.query("SELECT v FROM t").rows_iter(1)
    assert len(list(rows_iter)) == 1
    block, count = conn.query("SELECT v FROM t ORDER BY ts").fetch_block()
    assert (block, count) == ([(1,), (None,)], 2)
    assert list(conn.query("SELECT v FROM t").df()["v"].isna()) in ([False, True], [True, False])
    assert conn.query("SELECT v FROM t").arrow().num_rows == 2


def test_cursor(conn: taos.TaosConnection, tmp_path: pathlib.Path) -> None:
    cursor = conn.cursor()
    assert (cursor.description, cursor.rowcount) == ([], -1)
    with pytest.raises(taos.OperationalError, match="Invalid use of fetchall"):
        cursor.fetchall()
    with pytest.raises(taos.OperationalError, match="Invalid use of fetch iterator"):
        cursor.fetchone()
    cursor.log(str(tmp_path / "log"))
    assert cursor.execute("INSERT INTO t (ts, v) VALUES (3000, 3)") == 1
    assert (cursor.rowcount, cursor.affected_rows) == (1, 1)
    cursor.execute("SELECT ts, v FROM t ORDER BY ts")
    assert cursor.description == [
        ("ts", FieldType.C_TIMESTAMP, None, None, None, None, False),
        ("v", FieldType.C_INT, None, None, None, None, False),
    ]
    assert cursor.istype(1, "int")
    assert cursor.fetchone()[1] == 1
    assert len(cursor.fetchmany(1)) == 1
    assert len(cursor.fetchall()) == 1
    assert cursor.rowcount == 3
    with pytest.raises(ValueError, match="greater than 0"):
        cursor.fetchmany(0)
    cursor.execute("SELECT v FROM t ORDER BY ts")
    assert [row[0] for row in cursor] == [1, None, 3]
    assert cursor.execute("") is None
    assert "INSERT INTO t (ts, v) VALUES (3000, 3);\n" in (tmp_path / "log").read_text()
    assert cursor.close() is True
    assert cursor.close() is False
    with pytest.raises(taos.ProgrammingError, match="Cursor is not connected"):
        cursor.execute("SELECT 1")


def test_values_for_cursors(conn: taos.TaosConnection) -> None:
    cursor = conn.cursor()
    assert cursor.executemany("INSERT INTO t (ts, v) VALUES (?, ?)", [(5000, 5), (6000, 6)]) == 2
    assert cursor.execute("INSERT INTO t (ts, v) VALUES (?, ?)", [[[7000, 8000], [7, 8]]]) == 2
    cursor.execute("SELECT v FROM t WHERE v > ? AND v < ? ORDER BY ts", [(5, 8)])
    assert cursor.fetchall() == [(6,), (7,)]
    assert cursor.execute_many("INSERT INTO t (ts, v) VALUES", [(9000, 9), (9001, 10)]) == 2
    assert cursor.execute_many("CREATE TABLE {name} (ts TIMESTAMP, v INT)", [{"name": "a1"}, {"name": "a2"}]) == 0
    with pytest.raises(taos.ProgrammingError, match="plain name"):
        cursor.execute_many("SELECT {a.__class__}", [{"a": 1}])


def test_errors(conn: taos.TaosConnection) -> None:
    with pytest.raises(taos.ProgrammingError) as caught:
        conn.execute("CREATE TABLE 123")
    error = caught.value
    assert error.errno == -2147473920
    assert str(error) == f"[0x2600]: {error.msg}"
    assert "syntax error near" in error.msg
    assert isinstance(error, embudo.ProgrammingError)
    assert taos.error.SchemalessError("x", 1, 2).affected_rows == 2


def test_zone_and_bytes(dsn: str, database: str, conn: taos.TaosConnection) -> None:
    raw = taos.connect(database=database, decode_binary=False)
    assert raw.query("SELECT s, n FROM t ORDER BY ts").fetch_all()[0] == (b"a", "é")
    try:
        aware = taos.connect(database=database, timezone="Asia/Shanghai").query("SELECT ts FROM t ORDER BY ts").fetch_all()[0][0]
        assert aware == datetime.datetime.fromtimestamp(1, datetime.UTC)
        assert aware.hour == 8
    finally:
        taos.set_tz(None)


def test_without_a_transport(monkeypatch: pytest.MonkeyPatch, server: embudo.Server) -> None:
    monkeypatch.delenv("EMBUDO_DSN", raising=False)
    conn = taos.connect(host=server.host, port=server.port, username="root", user_app="p" * 40, anything="else")
    assert conn.transport in ("websocket", "native")
    assert conn.query("SELECT 1").fetch_all() == [(1,)]
    shown = conn.query("SHOW CONNECTIONS").fetch_all()
    assert any("p" * 23 in row for row in shown)
    for transport in ("ws", "rest"):
        with pytest.raises(taos.ConnectionError, match="nothing answers"):
            taos.connect(transport=transport, host="127.0.0.1", port=1)
        with pytest.raises(taos.ConnectionError, match=r"0x0357|Authentication failure"):
            taos.connect(transport=transport, host=server.host, port=server.port, password="wrong")
    with pytest.raises(taos.InterfaceError, match="pigeon"):
        taos.connect(transport="pigeon")
    taos.connect_test(host=server.host, port=server.port, totp_code="123456", transport="ws")
    with pytest.raises(TypeError, match="missing 1 required"):
        taos.connect_test(host=server.host)
    conn = taos.connect(transport="rest", host=server.host, port=server.port)
    assert conn.query("SELECT 1").fetch_all() == [(1,)]
    with pytest.raises(taos.ConnectionError):
        taos.connect(transport="rest", host=server.host, port=server.port, database="missing_db")
    with pytest.raises(AttributeError, match="host is expected as a str"):
        taos.connect(host=5)
    with pytest.raises(TypeError, match="uint16"):
        taos.connect(port=70000)


def test_the_redirection_is_told_once() -> None:
    code = """
        import os
        os.environ["EMBUDO_DSN"] = ":memory:"
        import taos
        a, b = taos.connect(), taos.connect()
        a.execute("CREATE DATABASE seen")
        assert ("seen",) in b.query("SHOW DATABASES").fetch_all()
    """
    import textwrap

    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("EMBUDO_DSN redirects") == 1


def test_schemaless(conn: taos.TaosConnection) -> None:
    line, telnet, json = taos.SmlProtocol.LINE_PROTOCOL, taos.SmlProtocol.TELNET_PROTOCOL, taos.SmlProtocol.JSON_PROTOCOL
    millis = taos.SmlPrecision.MILLI_SECONDS
    lines = ['m,t=a c1=3i64,c2="é" 1700000000000', "m,t=b c1=4i64 1700000000001"]
    assert conn.schemaless_insert(lines, line, millis) == 2
    assert conn.schemaless_insert_raw("m,t=a c1=5i64 1700000000002", line, millis, req_id=7, ttl=3) == 1
    assert conn.schemaless_insert(["sys.cpu 1700000000 1.5 host=a"], telnet, taos.SmlPrecision.NOT_CONFIGURED) == 1
    text = '{"metric":"js","timestamp":1700000000,"value":2,"tags":{"t":"a"}}'
    assert conn.schemaless_insert([text], json, 0) == 1
    assert list(conn.query("SELECT c1, c2, t FROM m ORDER BY _ts")) == [(3, "é", "a"), (4, None, "b"), (5, None, "a")]
    with pytest.raises(taos.SchemalessError, match="cols is empty") as caught:
        conn.schemaless_insert(["m,t=a c1=1i64 1700000000003", "bad"], line, millis)
    assert (caught.value.errno, caught.value.affected_rows) == (0x3002 - 0x8000_0000, 0)
