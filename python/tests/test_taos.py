"""``taos`` as taospy 2.8.10, as far as it goes: over EMBUDO_DSN, embedded and REST."""

from __future__ import annotations

import ctypes
import datetime
import pathlib
import subprocess
import sys
import threading

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
    assert conn.transport == {"taosrest": "rest", "taosws": "websocket", "taos+native": "native"}.get(dsn.partition("://")[0], "embedded")
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


def test_queries_with_callbacks(conn: taos.TaosConnection) -> None:
    class Counter(ctypes.Structure):
        _fields_ = (("rows", ctypes.c_int), ("code", ctypes.c_int))

    counter, done = Counter(0, 0), threading.Event()

    def fetched(param: int, result_pointer: int, count: int) -> None:
        told = ctypes.cast(param, ctypes.POINTER(Counter)).contents
        result = taos.TaosResult(result_pointer)
        if count <= 0:
            result.close()
            done.set()
            return
        told.rows += sum(1 for _ in result.rows_iter(count))
        result.fetch_rows_a(fetched, param)

    def queried(param: int, result_pointer: int | None, code: int) -> None:
        if code != 0 or result_pointer is None:
            ctypes.cast(param, ctypes.POINTER(Counter)).contents.code = code
            done.set()
            return
        taos.TaosResult(result_pointer).fetch_rows_a(fetched, param)

    conn.query_a("SELECT * FROM t", queried, ctypes.byref(counter))
    assert done.wait(20)
    assert (counter.rows, counter.code) == (2, 0)
    done.clear()
    conn.query_a("SELECT * FROM missing", queried, ctypes.byref(counter), req_id=7)
    assert done.wait(20)
    assert counter.code < 0
    with pytest.raises(taos.ResultError):
        taos.TaosResult(10**9)


def test_subscriptions_of_version_2(conn: taos.TaosConnection) -> None:
    subscription = conn.subscribe(True, f"topic{id(conn)}", "SELECT * FROM t", 10)
    assert subscription is not None
    assert len(subscription.consume().fetch_all()) == 2
    assert subscription.consume().fetch_all() == []
    conn.execute("INSERT INTO t (ts, v) VALUES (9000, 9)")
    assert [row[1] for row in subscription.consume()] == [9]
    assert subscription.close() is True
    assert subscription.close() is False
    with pytest.raises(taos.OperationalError, match="Invalid use of consume"):
        subscription.consume()
    told: list[int] = []
    done = threading.Event()

    def called(_subscription: object, result: taos.TaosResult | None, param: object, code: int) -> None:
        if result is not None:
            told.append(len(result.fetch_all()))
            done.set()

    other = conn.subscribe(True, f"other{id(conn)}", "SELECT * FROM t", 10, called)
    assert other is not None
    assert done.wait(20)
    assert told[0] == 3
    with pytest.raises(taos.OperationalError):
        other.consume()
    other.close()
    conn.close()
    assert conn.subscribe(True, "t", "SELECT * FROM t", 10) is None
    assert conn.statement() is conn.statement2() is None


def test_tables_and_their_vgroups(conn: taos.TaosConnection, database: str) -> None:
    conn.load_table_info(f"t, {database}.t")
    with pytest.raises(taos.OperationalError):
        conn.load_table_info("t,missing")
    assert conn.get_table_vgroup_id(database, "t") > 0
    with pytest.raises(taos.InternalError):
        conn.get_table_vgroup_id(database, "missing")
    conn.set_option(taos.TSDB_OPTION_CONNECTION.TSDB_OPTION_CONNECTION_USER_APP.value, "x")
    conn.set_mode(taos.TSDB_CONNECTIONS_MODE.TSDB_CONNECTIONS_MODE_BI.value, 1)
    conn.clear_result_set()


def test_functions_of_the_c_interface(conn: taos.TaosConnection, database: str) -> None:
    session = conn._conn
    assert session is not None
    result = taos.taos_query(session, "SELECT * FROM t ORDER BY ts")
    assert (taos.taos_num_fields(result), taos.taos_field_count(result), taos.taos_affected_rows(result)) == (4, 4, 0)
    assert taos.taos_use_result(result)[1] == {"name": "v", "bytes": 4, "type": 4}
    fields = taos.taos_fetch_fields(result)
    row = taos.taos_fetch_row_raw(result)
    assert row is not None
    assert taos.taos_print_row(row, fields, 4) == "1000 1 a é"
    assert taos.taos_fetch_lengths(result, 4) == [8, 4, 1, 2]
    columns, count = taos.taos_fetch_block(result)
    assert columns is not None
    assert (count, columns[1:]) == (1, [[None], [None], [None]])
    assert taos.taos_is_null(result, 0, 1)
    assert taos.taos_is_null_by_column(result, 1, 1) == [True]
    assert taos.taos_get_column_data_offset(result, 2, 1) == [-1]
    assert taos.taos_fetch_row(result, fields) == (None, 0)
    assert (taos.taos_errno(result), taos.taos_errstr(result), taos.taos_result_precision(result)) == (0, "success", 0)
    assert str(taos.taos_fetch_fields_e(result)[1]) == "{name: v, type: 4, bytes: 4, precision: 0, scale: 0}"
    taos.taos_free_result(result)
    conn.execute(f"CREATE DATABASE {database}_us PRECISION 'us' KEEP 36500")
    conn.execute(f"CREATE TABLE {database}_us.t (ts TIMESTAMP, v INT)")
    conn.execute(f"INSERT INTO {database}_us.t VALUES (1500001, 1)")
    micros = taos.taos_query(session, f"SELECT * FROM {database}_us.t")
    assert taos.taos_print_row(taos.taos_fetch_row_raw(micros) or (), taos.taos_fetch_fields(micros), 2) == "1500001 1"
    conn.execute(f"DROP DATABASE {database}_us")
    assert taos.taos_validate_sql(session, "SELECT * FROM t") is None
    assert taos.taos_validate_sql(session, "SELEC 1")
    assert taos.taos_schemaless_insert_raw_ttl_with_reqid(session, "m,t=a c=1i64 1700000000000", 1, 4, 3, 7) == 1
    assert taos.taos_get_client_info().startswith("3.")
    with pytest.raises(taos.ProgrammingError):
        taos.taos_query_with_reqid(session, "SELECT * FROM missing", 7)


def test_request_ids() -> None:
    ids = [taos.utils.gen_req_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert all(0 < one < 2**63 for one in ids)
    assert taos.utils.murmurhash3_32(b"abc", 3) != taos.utils.murmurhash3_32(b"abd", 3)
    assert [taos.utils.detectListNone(items) for items in ([None, None], [None, 1], [1])] == [0, 1, 2]


def test_names() -> None:
    for name in taos.__all__:
        assert hasattr(taos, name)
    # The official package exports all of ctypes, its submodules, and the wrappers of the C interface.
    assert taos.c_int is ctypes.c_int
    assert taos.taos is not None
    assert taos.cinterface.taos_query is taos.taos_query
    with pytest.raises(AttributeError, match="no attribute 'nothing_such'"):
        _ = taos.nothing_such
    taos.log.setting(True, True, False, False, False, False)


def test_imports_are_lazy() -> None:
    code = "import sys, taos, taosws; print([name for name in ('ctypes', 'logging', 'asyncio', 'decimal', 'json') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
