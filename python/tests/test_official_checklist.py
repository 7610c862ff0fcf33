"""What the official connectors' own tests hold, and no other file here does: spec by spec, over each transport."""

from __future__ import annotations

import datetime
import decimal
import threading
from typing import Any

import pytest

import embudo
import taos
import taosrest


@pytest.fixture
def conn(dsn: str, database: str, monkeypatch: pytest.MonkeyPatch) -> taos.TaosConnection:
    monkeypatch.setenv("EMBUDO_DSN", dsn)
    taos.set_tz(None)
    return taos.connect(database=database)


LINES = [
    'st,t1=3i64,t2=4f64,t3="t3" c1=3i64,c3=L"pass",c2=false,c4=4f64 1626006833639000000',
    'st,t1=4i64,t3="t4",t2=5f64,t4=5f64 c1=3i64,c3=L"passitagin",c2=true,c4=5f64,c5=5f64 1626006833640000000',
    'stf,t1=4i64,t3="t4",t2=5f64,t4=5f64 c1=3i64,c3=L"passitagin_stf",c2=false,c5=5f64,c6=7u64 1626006933641000000',
]


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("more", [{}, {"ttl": 1000}, {"req_id": 7}, {"ttl": 1000, "req_id": 8}])
def test_lines(conn: taos.TaosConnection, database: str, raw: bool, more: dict[str, int]) -> None:
    conn.execute(f"CREATE DATABASE {database}_ns PRECISION 'ns' KEEP 36500")
    conn.select_db(f"{database}_ns")
    try:
        line, ticks = taos.SmlProtocol.LINE_PROTOCOL, taos.SmlPrecision.NOT_CONFIGURED
        write: Any = (
            (lambda lines: conn.schemaless_insert_raw("\n".join(lines), line, ticks, **more))
            if raw
            else (lambda lines: conn.schemaless_insert(lines, line, ticks, **more))
        )
        assert write(LINES) == 3
        # A row that is there is changed, not added.
        assert write(['stf,t1=4i64,t3="t4",t2=5f64,t4=5f64 c1=9i64 1626006933641000000']) == 1
        result = conn.query("SELECT * FROM st")
        dictionaries = result.fetch_all_into_dict()
        assert (result.row_count, len(dictionaries)) == (2, 2)
        result.close()
        assert result.row_count == 2
        assert sorted(row["c4"] for row in dictionaries) == [4.0, 5.0]
        assert [row.as_dict()["c1"] for row in conn.query("SELECT c1 FROM stf").rows_iter()] == [9]
        with pytest.raises(taos.SchemalessError):
            write(["bad line"])
    finally:
        conn.select_db(database)
        conn.execute(f"DROP DATABASE {database}_ns")


def test_telnet_and_json(conn: taos.TaosConnection) -> None:
    telnet = ["stf0 1626006833 4 host=host0 interface=eth0", "stf0 1626006834 5 host=host1"]
    assert conn.schemaless_insert(telnet, taos.SmlProtocol.TELNET_PROTOCOL, taos.SmlPrecision.SECONDS) == 2
    payload = '[{"metric":"stf1","timestamp":1626006833,"value":10,"tags":{"t1":true}}]'
    assert conn.schemaless_insert([payload], taos.SmlProtocol.JSON_PROTOCOL, taos.SmlPrecision.NOT_CONFIGURED) == 1
    assert conn.insert_telnet_lines(["stf0 1626006835 6 host=host2"]) == 1
    assert conn.insert_lines(["m,t=a c=1i64 1626006833639000000"]) == 1
    assert conn.insert_json_payload('{"metric":"js","timestamp":1626006833,"value":10,"tags":{"t1":"a"}}') == 1


def test_an_unknown_database(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBUDO_DSN", dsn)
    with pytest.raises(taos.Error) as caught:
        taos.connect(database="no_such_database")
    assert (caught.value.errno & 0xFFFF, caught.value.msg) == (0x0388, "Database not exist")


def test_zones(conn: taos.TaosConnection, database: str) -> None:
    try:
        utc = taos.connect(database=database, timezone="UTC")
        assert utc.query("SELECT TIMEZONE()").fetch_all() == [("UTC (UTC, +0000)",)]
        utc.execute("CREATE TABLE z (ts TIMESTAMP, v INT)")
        utc.execute("INSERT INTO z VALUES ('2024-07-01 12:00:00', 1)")
        moment = utc.query("SELECT ts FROM z").fetch_all()[0][0]
        assert moment == datetime.datetime(2024, 7, 1, 12, tzinfo=datetime.UTC)
        york = taos.connect(database=database, timezone="America/New_York")
        # In summer New York is four hours behind: the zone's rules, not its offset of 1970.
        assert york.query("SELECT ts FROM z").fetch_all()[0][0].hour == 8
        assert taos.get_tz() is not None
        with pytest.raises(KeyError):
            taos.connect(timezone="Nowhere/City")
    finally:
        taos.set_tz(None)


def test_values_as_texts_and_bytes(conn: taos.TaosConnection, database: str) -> None:
    conn.execute("CREATE TABLE v (ts TIMESTAMP, d DECIMAL(10, 2), e DECIMAL(38, 10), b BLOB, vb VARBINARY(20), s VARCHAR(20), n NCHAR(20))")
    conn.execute(
        "INSERT INTO v VALUES (1000, 123.45, -0.0000000001, NULL, '\\x000102', 'a\\tb', '涛思') "
        "(2000, NULL, NULL, 'hello', 'text', NULL, NULL) "
        "(3000, 0, 12345678901234567890.5, '\\x12ef', NULL, '', '')"
    )
    rows = conn.query("SELECT d, e, b, vb, s, n FROM v ORDER BY ts").fetch_all()
    assert [str(row[0]) for row in rows] == ["123.45", "None", "0.00"]
    assert [row[1] for row in rows] == [decimal.Decimal("-1E-10"), None, decimal.Decimal("12345678901234567890.5")]
    assert [row[2] for row in rows] == [None, b"hello", b"\x12\xef"]
    assert [row[3] for row in rows] == [b"\x00\x01\x02", b"text", None]
    result = conn.query("SELECT * FROM v")
    for _ in range(2):
        assert [field.name for field in result.fields] == ["ts", "d", "e", "b", "vb", "s", "n"]
    cursor = taos.connect(decode_binary=False, database=database).cursor()
    cursor.execute("SELECT s, n FROM v ORDER BY ts LIMIT 1")
    assert cursor.fetchall() == [(b"a\tb", "涛思")]


def test_execute_many(conn: taos.TaosConnection) -> None:
    cursor = conn.cursor()
    assert cursor.execute_many("CREATE TABLE {name} (ts TIMESTAMP, c1 INT, c2 VARCHAR(10))", [{"name": "m1"}, {"name": "m2"}]) == 0
    assert (
        cursor.execute_many(
            "INSERT INTO m1 VALUES", [("2024-01-01 00:00:00", 1, "a"), ("2024-01-01 00:00:01", 2, "b"), (1704067202000, 3, "c")]
        )
        == 3
    )
    cursor.execute("SELECT * FROM m1 ORDER BY ts")
    assert [column[0] for column in cursor.description] == ["ts", "c1", "c2"]
    assert [row[1] for row in cursor] == [1, 2, 3]
    # Values of a statement with parameters, once and again on one cursor.
    for start in (10, 20):
        assert cursor.executemany("INSERT INTO m2 (ts, c1) VALUES (?, ?)", [(start + at, at) for at in range(3)]) == 3
    cursor.execute("SELECT c1 FROM m2 WHERE c1 > ?", [(1,)])
    assert cursor.fetchmany(10) == [(2,), (2,)]
    cursor.execute("SELECT COUNT(*) FROM m2")
    assert cursor.fetchall() == [(6,)]
    # One row goes like many.
    assert cursor.execute("INSERT INTO m2 (ts, c1) VALUES (?, ?)", (99, 9)) == 1


def test_rows_that_name_their_tables(conn: taos.TaosConnection) -> None:
    conn.execute("CREATE TABLE s (ts TIMESTAMP, v INT) TAGS (t INT)")
    cursor = conn.cursor()
    assert cursor.executemany("INSERT INTO s (tbname, t, ts, v) VALUES (?, ?, ?, ?)", [("a", 1, 1, 1), ("a", 1, 2, 2), ("b", 2, 1, 3)]) == 3
    assert cursor.execute("INSERT INTO s (tbname, t, ts, v) VALUES (?, ?, ?, ?)", [["c", 3, 1, 4]]) == 1
    cursor.execute("SELECT tbname, t, v FROM s ORDER BY v")
    assert cursor.fetchall() == [("a", 1, 1), ("a", 1, 2), ("b", 2, 3), ("c", 3, 4)]


def test_pool(dsn: str, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pooled = pytest.importorskip("dbutils.pooled_db")
    monkeypatch.setenv("EMBUDO_DSN", dsn)
    pool = pooled.PooledDB(creator=taos.connect, maxconnections=4, blocking=True, database=database)
    first = pool.connection()
    first.cursor().execute("CREATE TABLE p (ts TIMESTAMP, v INT)")
    first.close()
    failures: list[Exception] = []

    def work(number: int) -> None:
        try:
            connection = pool.connection()
            cursor = connection.cursor()
            cursor.execute(f"INSERT INTO p VALUES ({1000 + number}, {number})")
            cursor.execute("SELECT * FROM p")
            cursor.fetchall()
            cursor.close()
            connection.close()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    cursor = pool.connection().cursor()
    cursor.execute("SELECT COUNT(*) FROM p")
    assert cursor.fetchall() == [(20,)]


def test_users_with_special_characters(root: embudo.Connection, server: embudo.Server) -> None:
    password = "Ab1!@#$%^&*()-_+=[]{}:;><?|~,."
    root.execute(f"CREATE USER special_user PASS '{password}'")
    try:
        conn = taosrest.connect(url=server.url, user="special_user", password=password)
        assert conn.query("SELECT 1").data == [[1]]
        assert taos.connect(host=server.host, port=server.port, user="special_user", password=password).query("SELECT 1").fetch_all() == [
            (1,)
        ]
        with pytest.raises(taosrest.ConnectError) as caught:
            taosrest.connect(url=server.url).execute(f"CREATE USER special_user PASS '{password}'")
        assert caught.value.errno == 0x0350
    finally:
        root.execute("DROP USER special_user")
    with pytest.raises((taosrest.HTTPError, taosrest.ConnectError)):
        taosrest.connect(url=server.url, token="no such token").query("SELECT 1")
