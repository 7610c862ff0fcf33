"""``taosws`` as taos-ws-py 0.7.0 has it, over WebSocket and where EMBUDO_DSN leads."""

from __future__ import annotations

import datetime
import decimal
import struct
import subprocess
import sys
import textwrap
import zoneinfo
from typing import Any

import numpy
import pyarrow
import pytest

import embudo
import taosws
from embudo.compat.taosws.dsn import parse

POINT = b"\x01\x01\x00\x00\x00" + struct.pack("<dd", 1.0, 2.0)


@pytest.fixture
def conn(dsn: str, database: str, monkeypatch: pytest.MonkeyPatch) -> taosws.Connection:
    if dsn.startswith("taosws"):
        return taosws.connect(f"{dsn}/{database}")
    monkeypatch.setenv("EMBUDO_DSN", dsn)
    return taosws.connect(f"taosws://somewhere/{database}")


def test_names() -> None:
    for name in taosws.__all__:
        assert hasattr(taosws, name)
    assert (taosws.__version__, taosws.apilevel, taosws.threadsafety, taosws.paramstyle) == ("0.7.0", "2.0", 2, "pyformat")
    assert sys.modules["taosws.taosws"] is taosws
    with pytest.raises(AttributeError):
        _ = taosws.nothing_such


def test_connecting(server: embudo.Server, database: str, root: embudo.Connection) -> None:
    host, port = server.host, server.port
    for conn in (
        taosws.connect(f"taosws://root:taosdata@{host}:{port}/{database}"),
        taosws.connect(f"ws://{host}:{port}/{database}"),
        taosws.connect(f"http://root:taosdata@{host}:{port}/{database}"),
        taosws.connect(f"taos+ws://root:taosdata@{host}:{port}/{database}?anything=else&conn_timeout=nonsense"),
        taosws.connect(f"taosws://127.0.0.1:1,{host}:{port}/{database}"),
        taosws.connect(dsn=f"taosws://root:taosdata@ws({host}:{port})/{database}"),
        taosws.connect(host=host, port=port, user="root", password="taosdata", database=database),
        taosws.connect(ip=host, port=str(port), username="root", db=database, websocket=True, native=False),
        taosws.connect(url=host, port=port, ws=True, database=database, **{"pass": "taosdata"}),
        taosws.connect("taosws://", host=host, port=port, database=database),
    ):
        assert conn.query("SELECT DATABASE()").fields[0].type() == "BINARY"
        assert list(conn.query("SELECT DATABASE()")) == [(database,)]
        conn.commit()
        conn.rollback()
        conn.close()
        conn.close()
        with pytest.raises(taosws.ConnectionError, match="Connection was already closed"):
            conn.query("SELECT 1")
    for bad, text in [
        ("nothing", "No `:` found"),
        ("mysql://localhost", "invalid driver"),
        (f"taosws://root:wrong@{host}:{port}", "Authentication failure"),
        (f"taosws://{host}:{port}/missing_database", "Database not exist"),
        (f"taosws://{host}:1?conn_retries=0", "nothing answers"),
        (f"taosws://{host}:{port}?timezone=Nowhere/City", "Invalid timezone: Nowhere/City"),
    ]:
        with pytest.raises(taosws.ConnectionError, match=text):
            taosws.connect(bad)
    with pytest.raises(taosws.ConnectionError, match="Invalid port: x"):
        taosws.connect(host=host, port="x")
    with pytest.raises(TypeError, match="PyString"):
        taosws.connect(host=host, port=port, compression=True)
    with pytest.raises(TypeError):
        taosws.Connection()


def test_dsn_forms() -> None:
    target = parse("taosws+wss://us%40er:p%2Fw@[::1]:6041,b/d%20b?token=a%3Db&x")
    assert (target.encrypted, target.user, target.password) == (True, "us@er", "p/w")
    assert (target.addresses, target.database, target.parameters) == (["[::1]:6041", "b"], "d b", {"token": "a=b", "x": ""})
    assert parse("taos://h").native
    assert not parse("taos+ws://h").native


def test_redirection(database: str) -> None:
    code = """
        import taosws
        a, b = taosws.connect("taosws://nowhere"), taosws.connect()
        assert a.transport == "embedded"
        a.execute("CREATE DATABASE seen")
        assert ("seen",) in list(b.query("SHOW DATABASES"))
    """
    done = subprocess.run(
        [sys.executable, "-c", "import os\nos.environ['EMBUDO_DSN'] = ':memory:'\n" + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("EMBUDO_DSN redirects") == 1


def test_statements_and_errors(conn: taosws.Connection) -> None:
    assert conn.execute("CREATE TABLE t (ts TIMESTAMP, v INT, s VARCHAR(10))") == 0
    assert conn.execute_with_req_id("INSERT INTO t VALUES (1000, 1, 'a') (2500, NULL, NULL)", 7) == 2
    assert conn.execute("SELECT * FROM t") == 0
    result = conn.query_with_req_id("SELECT * FROM t", 8)
    assert (result.field_count, [field.name() for field in result.fields]) == (3, ["ts", "v", "s"])
    assert [(field.type(), field.bytes()) for field in result.fields] == [("TIMESTAMP", 8), ("INT", 4), ("BINARY", 10)]
    assert str(result.fields[1]) == repr(result.fields[1]) == "{name: v, type: INT, bytes: 4}"
    assert [row[1:] for row in result] == [(1, "a"), (None, None)]
    with pytest.raises(taosws.QueryError) as caught:
        conn.query("SELECT * FROM missing")
    error = caught.value
    assert str(error) == error.args[0] == f"[0x{error.errno:04X}] Internal error: `{error.msg}`"
    assert isinstance(error, taosws.DatabaseError)
    assert isinstance(error, embudo.Error)
    assert not issubclass(taosws.InterfaceError, taosws.Error)
    assert len(conn.query("SELECT * FROM t").df()) == 2
    assert conn.query("SELECT * FROM t").arrow().num_rows == 2


def test_values(conn: taosws.Connection, database: str) -> None:
    conn.execute(
        "CREATE TABLE v (ts TIMESTAMP, b BOOL, i BIGINT, u BIGINT UNSIGNED, f FLOAT, d DOUBLE, s VARCHAR(10), n NCHAR(10), "
        "vb VARBINARY(10), g GEOMETRY(100), dec DECIMAL(10, 2), bl BLOB) TAGS (j JSON)"
    )
    conn.execute(
        "INSERT INTO v1 USING v TAGS ('{\"a\": 1}') VALUES (1700000000123, true, -1, 18446744073709551615, 1.5, 2.25, 'a', 'é', "
        "'\\x00ff', 'POINT(1 2)', 1.5, 'bytes') (1700000001000, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"
    )
    expected = (True, -1, 2**64 - 1, 1.5, 2.25, "a", "é", b"\x00\xff", POINT, decimal.Decimal("1.50"), b"bytes")
    rows = list(conn.query("SELECT * FROM v ORDER BY ts"))
    assert [row[1:12] for row in rows] == [expected, (None,) * 11]
    assert rows[0][12] == '{"a":1}'
    local = datetime.datetime.fromtimestamp(1700000000).astimezone()
    offset = local.strftime("%z")
    assert rows[0][0] == f"{local:%Y-%m-%d %H:%M:%S}.123 {offset[:3]}:{offset[3:]}"
    assert rows[1][0] == f"{local + datetime.timedelta(seconds=1):%Y-%m-%d %H:%M:%S} {offset[:3]}:{offset[3:]}"
    cursor = conn.cursor()
    cursor.execute("SELECT * FROM v ORDER BY ts")
    rows = cursor.fetchall()
    assert [row[1:12] for row in rows] == [expected, (None,) * 11]
    assert rows[0][0] == datetime.datetime(2023, 11, 14, 22, 13, 20, 123_000, datetime.UTC)
    assert rows[0][0].tzinfo is not None


def test_time_zones(dsn: str, database: str, root: embudo.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    root.execute(f"CREATE DATABASE {database}_ns PRECISION 'ns' KEEP 36500")
    root.execute(f"CREATE TABLE {database}_ns.n (ts TIMESTAMP, v INT)")
    if dsn.startswith("taosws"):
        target = f"{dsn}/{database}?timezone=America/New_York"
    else:
        monkeypatch.setenv("EMBUDO_DSN", dsn)
        target = f"taosws:///{database}?timezone=America/New_York"
    conn = taosws.connect(target)
    conn.execute("CREATE TABLE t (ts TIMESTAMP, v INT)")
    conn.execute("INSERT INTO t (ts) VALUES ('2024-01-01 00:00:00') ('2024-07-01 00:00:00.5')")
    assert list(conn.query("SELECT ts FROM t ORDER BY ts")) == [("2024-01-01 00:00:00 EST",), ("2024-07-01 00:00:00.500 EDT",)]
    cursor = conn.cursor()
    cursor.execute("SELECT * FROM t ORDER BY ts")
    zone = zoneinfo.ZoneInfo("America/New_York")
    assert cursor.fetchall()[0][0] == datetime.datetime(2024, 1, 1, tzinfo=zone)
    conn.execute(f"INSERT INTO {database}_ns.n (ts) VALUES (1700000000123456789)")
    assert list(conn.query(f"SELECT ts FROM {database}_ns.n")) == [("2023-11-14 17:13:20.123456789 EST",)]
    cursor.execute("SELECT ts FROM {}", f"{database}_ns.n")
    assert cursor.fetchone() == (1700000000123456789,)
    root.execute(f"DROP DATABASE {database}_ns")


def test_cursor(conn: taosws.Connection) -> None:
    cursor = conn.cursor()
    assert (cursor.description, cursor.rowcount, cursor.row_count) == (None, -1, 0)
    assert cursor.execute("CREATE TABLE t (ts TIMESTAMP, v INT, s VARCHAR(10))") == 0
    assert cursor.description == []
    assert cursor.execute("INSERT INTO {} VALUES ({ts}, {}, '{}')", "t", 1, "a", ts=1000) == 1
    assert cursor.execute_with_req_id("INSERT INTO t VALUES ({}, {}, NULL)", 7, 2000, 2) == 1
    assert cursor.execute_with_req_id("INSERT INTO t VALUES ({ts}, 3, NULL)", ts=3000, req_id=8) == 1
    assert cursor.execute_many("INSERT INTO t VALUES ({}, {}, 'x')", [(4000, 4), (5000, 5)]) == 2
    rows = [{"ts": 6000, "v": 6}, {"ts": 7000, "v": 7}]
    assert cursor.execute_many_with_req_id("INSERT INTO t VALUES ({ts}, {v}, 'x')", rows, 9) == 2
    assert cursor.row_count == 2
    assert cursor.executemany("INSERT INTO t VALUES (?, ?, ?)", [(8000, 8, "it's {}"), (9000, 9, None)]) == 2
    assert cursor.execute("SELECT v, s FROM t ORDER BY ts") == 0
    assert cursor.description == [("v", 4, 4), ("s", 8, 10)]
    assert cursor.fetchone() == (1, "a")
    assert cursor.fetchmany(2) == [(2, None), (3, None)]
    assert cursor.row_count == 2
    assert [row[0] for row in cursor.fetchall()] == [4, 5, 6, 7, 8, 9]
    assert cursor.fetchall() == []
    assert cursor.fetchmany(5) == []
    assert cursor.fetchmany() is None
    assert cursor.fetchone() is None
    cursor.execute("SELECT v FROM t WHERE v < 3 ORDER BY ts")
    assert cursor.fetch_all_into_dict() == [{"v": 1}, {"v": 2}]
    cursor.execute("SELECT v FROM t WHERE v < 3 ORDER BY ts")
    assert list(cursor) == [(1,), (2,)]
    with pytest.raises(taosws.OperationalError, match="Internal error"):
        cursor.execute("SELECT * FROM missing")
    assert cursor.fetchall() == []
    for unsupported in (cursor.call_proc, cursor.nextset):
        with pytest.raises(taosws.NotSupportedError):
            unsupported()
    assert cursor.arraysize is cursor.setinputsizes is cursor.setoutputsizes is None
    cursor.close()
    cursor.close()
    with pytest.raises(taosws.ConnectionError, match="Cursor was already closed"):
        cursor.execute("SELECT 1")


@pytest.mark.parametrize("field", ["{0.__class__}", "{a[0]}", "{a:{b.c}}", "{0.x!r}"])
def test_format_fields_reach_into_nothing(conn: taosws.Connection, field: str) -> None:
    cursor = conn.cursor()
    with pytest.raises(taosws.ProgrammingError, match="plain name"):
        cursor.execute(f"SELECT {field}", "x", a=["secret"], b="y")
    with pytest.raises(taosws.ProgrammingError, match="plain name"):
        cursor.execute_many(f"SELECT {field}", [{"a": ["secret"], "b": "y"}])
    # Braces of the statement itself are doubled.
    cursor.execute("SELECT '{{}}', {a}", a=1)
    assert cursor.fetchall() == [("{}", 1)]


def test_use_does_not_reach_cursors(conn: taosws.Connection, database: str) -> None:
    conn.execute("USE information_schema")
    cursor = conn.cursor()
    cursor.execute("SELECT DATABASE()")
    assert cursor.fetchall() == [(database,)]


def test_blocks_of_a_long_result(conn: taosws.Connection) -> None:
    conn.execute("CREATE TABLE m (ts TIMESTAMP, v INT)")
    statement = conn.stmt2_statement()
    statement.prepare("INSERT INTO m VALUES (?, ?)")
    rows = numpy.arange(7000)
    columns = [taosws.millis_timestamps_to_column(rows + 1), taosws.ints_to_column(rows.astype("i4"))]
    statement.bind([taosws.stmt2_bind_param_view(None, None, columns)])
    assert statement.execute() == 7000
    cursor = conn.cursor()
    cursor.execute("SELECT * FROM m")
    counts = []
    while batch := cursor.fetchmany(3345):
        counts.append(len(batch))
    assert counts == [3345, 3345, 310]
    cursor.execute("SELECT * FROM m")
    assert cursor.fetchone() is not None
    left = 0
    while block := cursor.fetchmany():
        left += len(block)
    assert left == 6999


def test_first_kind_of_statement(conn: taosws.Connection) -> None:
    conn.execute("CREATE TABLE s (ts TIMESTAMP, a INT, b VARCHAR(20), g GEOMETRY(100), vb VARBINARY(10)) TAGS (t INT, n NCHAR(10))")
    statement = conn.statement()
    statement.prepare("INSERT INTO ? USING s TAGS (?, ?) VALUES (?, ?, ?, ?, ?)")
    columns = [
        taosws.millis_timestamps_to_column((1000, 2000)),
        taosws.ints_to_column([1, None]),
        taosws.varchar_to_column(["x", None]),
        taosws.geometry_to_column([POINT, None]),
        taosws.varbinary_to_column([b"\x00\x01", list(b"ab")]),
    ]
    statement.set_tbname_tags("d1", [taosws.int_to_tag(1), taosws.nchar_to_tag("é")])
    statement.bind_param(columns)
    statement.add_batch()
    assert statement.execute() == 2
    statement.set_tbname("d2")
    statement.set_tags([taosws.int_to_tag(None), taosws.nchar_to_tag(None)])
    statement.bind_param(columns)
    statement.add_batch()
    assert (statement.execute(), statement.affect_rows()) == (2, 4)
    statement.close()
    assert sorted(conn.query("SELECT a, b, g, vb, t, n FROM s"), key=repr) == sorted(
        [
            (1, "x", POINT, b"\x00\x01", 1, "é"),
            (None, None, None, b"ab", 1, "é"),
            (1, "x", POINT, b"\x00\x01", None, None),
            (None, None, None, b"ab", None, None),
        ],
        key=repr,
    )
    conn.execute("CREATE TABLE n (ts TIMESTAMP, v DOUBLE)")
    statement.prepare("INSERT INTO n VALUES (?, ?)")
    statement.bind_param([taosws.millis_timestamps_to_column([1, 2]), taosws.doubles_to_column([1, None])])
    statement.add_batch()
    assert statement.execute() == 2
    with pytest.raises(taosws.ProgrammingError):
        conn.statement().set_tbname("n")
    with pytest.raises(TypeError, match="PyColumnView"):
        statement.bind_param([taosws.int_to_tag(1)])  # type: ignore[list-item]


def test_second_kind_of_statement(conn: taosws.Connection) -> None:
    conn.execute(
        "CREATE TABLE s (ts TIMESTAMP, b BOOL, ti TINYINT, si SMALLINT, i INT, bi BIGINT, tu TINYINT UNSIGNED, su SMALLINT UNSIGNED, "
        "iu INT UNSIGNED, bu BIGINT UNSIGNED, f FLOAT, d DOUBLE, s VARCHAR(20), n NCHAR(20), vb VARBINARY(10), g GEOMETRY(100), "
        "de DECIMAL(10, 2), db DECIMAL(30, 4)) TAGS (t TIMESTAMP, tb BOOL, tf FLOAT, ts2 VARCHAR(10), tv VARBINARY(10), tg GEOMETRY(50))"
    )
    statement = conn.stmt2_statement()
    statement.prepare(f"INSERT INTO ? USING s TAGS ({', '.join('?' * 6)}) VALUES ({', '.join('?' * 18)})")
    tags = [
        taosws.timestamp_to_tag(1700000000000, taosws.PyPrecision.Milliseconds),
        taosws.bool_to_tag(True),
        taosws.float_to_tag(1),
        taosws.varchar_to_tag("tag"),
        taosws.varbinary_to_tag(b"\x00"),
        taosws.geometry_to_tag(POINT),
    ]
    columns = [
        taosws.millis_timestamps_to_column([1, 2]),
        taosws.bools_to_column([True, None]),
        taosws.tiny_ints_to_column([-128, None]),
        taosws.small_ints_to_column([-(2**15), None]),
        taosws.ints_to_column([-(2**31), None]),
        taosws.big_ints_to_column([-(2**63), None]),
        taosws.unsigned_tiny_ints_to_column([255, None]),
        taosws.unsigned_small_ints_to_column([2**16 - 1, None]),
        taosws.unsigned_ints_to_column([2**32 - 1, None]),
        taosws.unsigned_big_ints_to_column([2**64 - 1, None]),
        taosws.floats_to_column([1, None]),
        taosws.doubles_to_column([2.5, None]),
        taosws.binary_to_column(["it's", None]),
        taosws.nchar_to_column(["é", None]),
        taosws.varbinary_to_column([bytearray(b"\x00\x01"), None]),
        taosws.geometry_to_column([POINT, None]),
        taosws.decimal64_to_column([decimal.Decimal("0.995"), None]),
        taosws.decimal_to_column([decimal.Decimal("-12345678901234567890.00005"), None]),
    ]
    statement.bind([taosws.stmt2_bind_param_view(name, tags, columns) for name in ("d1", "d2")])
    assert statement.execute() == statement.affect_rows() == 4
    cells = (True, -128, -(2**15), -(2**31), -(2**63), 255, 2**16 - 1, 2**32 - 1, 2**64 - 1, 1.0, 2.5, "it's", "é", b"\x00\x01", POINT)
    rows = list(conn.query("SELECT * FROM s WHERE tbname = 'd1' ORDER BY ts"))
    assert rows[0][1:18] == (*cells, decimal.Decimal("1.00"), decimal.Decimal("-12345678901234567890.0001"))
    assert rows[1][1:18] == (None,) * 17
    assert rows[0][19:] == (True, 1.0, "tag", b"\x00", POINT)
    statement.prepare("SELECT i, s FROM s WHERE i < ? AND s = ?")
    statement.bind([taosws.stmt2_bind_param_view("", None, [taosws.big_ints_to_column([0]), taosws.varchar_to_column(["it's"])])])
    statement.execute()
    assert list(statement.result_set()) == [(-(2**31), "it's")] * 2
    with pytest.raises(taosws.QueryError):
        statement.result_set()
    statement.close()
    with pytest.raises(taosws.ProgrammingError, match="stmt2 columns cannot be empty"):
        taosws.stmt2_bind_param_view("t", None, [])


def test_views() -> None:
    assert taosws.ints_to_column(numpy.array([1, 2], dtype="i4")) is not None
    assert taosws.varchar_to_column(pyarrow.array(["a", None])) is not None
    cases: list[tuple[Any, Any, type[Exception], str]] = [
        (taosws.tiny_ints_to_column, [128], OverflowError, "out of range"),
        (taosws.ints_to_column, ["1"], TypeError, "int"),
        (taosws.ints_to_column, [1.5], TypeError, "int"),
        (taosws.bools_to_column, [1], TypeError, "int"),
        (taosws.varchar_to_column, [b"a"], TypeError, "PyString"),
        (taosws.varchar_to_column, "abc", ValueError, "Can't extract `str` to `Vec`"),
        (taosws.varbinary_to_column, ["a"], ValueError, "Can't extract `str` to `Vec`"),
        (taosws.decimal_to_column, [1.5], taosws.ProgrammingError, r"expected decimal.Decimal or None, got float at index 0"),
        (taosws.decimal_to_column, [None, decimal.Decimal("NaN")], taosws.ProgrammingError, "must be finite, got 'NaN' at index 1"),
        (taosws.decimal64_to_column, [decimal.Decimal("1e-19")], taosws.ProgrammingError, "decimal64 scale exceeds maximum 18: "),
        (taosws.decimal_to_column, [decimal.Decimal("1e-39")], taosws.ProgrammingError, "decimal scale exceeds maximum 38: "),
    ]
    for make, values, kind, text in cases:
        with pytest.raises(kind, match=text):
            make(values)
    with pytest.raises(TypeError):
        taosws.timestamp_to_tag(1, 0)  # type: ignore[arg-type]
    for enumeration in (taosws.PyPrecision, taosws.PySchemalessProtocol, taosws.PyTagView):
        with pytest.raises(TypeError, match="No constructor"):
            enumeration()
    precision = taosws.PyPrecision.Microseconds
    assert (int(precision), precision, repr(precision)) == (1, 1, "PyPrecision.Microseconds")
    assert precision != taosws.PyPrecision.Milliseconds


def test_schemaless(conn: taosws.Connection) -> None:
    line, telnet, json = taosws.PySchemalessProtocol.Line, taosws.PySchemalessProtocol.Telnet, taosws.PySchemalessProtocol.Json
    unit = taosws.PySchemalessPrecision
    conn.schemaless_insert(["m,t=a c1=3i64 1700000000000", "m,t=b c1=4i64 1700000000001"], line, unit.Millisecond, 1, 7)
    conn.schemaless_insert(["m,t=a c1=5i64 1700000000002000"], line, unit.Microsecond, 0, 0)
    conn.schemaless_insert(["meters.v 1648432611249 10.3 loc=a"], telnet, unit.Millisecond, 1, 0)
    text = '[{"metric":"js","timestamp":1681345954,"value":2,"tags":{"t":"a"}}]'
    conn.schemaless_insert([text], json, unit.Second, 1, 0)
    assert list(conn.query("SELECT COUNT(*), SUM(c1) FROM m")) == [(3, 12)]
    assert list(conn.query("SELECT COUNT(*) FROM js")) == [(1,)]
    with pytest.raises(taosws.OperationalError):
        conn.schemaless_insert(["bad"], line, unit.Millisecond, 1, 0)
    with pytest.raises(TypeError):
        conn.schemaless_insert([], 1, unit.Millisecond, 1, 0)  # type: ignore[arg-type]


def test_connections_are_shown(server: embudo.Server) -> None:
    conn = taosws.connect(f"taosws://{server.host}:{server.port}?user_app=my_program")
    rows = list(conn.query("SHOW CONNECTIONS"))
    assert any("my_program" in row for row in rows)
