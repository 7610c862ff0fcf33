"""What the official connectors' own tests hold, and no other file here does: spec by spec, over each transport."""

from __future__ import annotations

import base64
import datetime
import decimal
import hashlib
import hmac
import json
import threading
import time
import urllib.request
from typing import Any

import pandas as pd
import pytest
import sqlalchemy

import embudo
import taos
import taos.tmq as taos_tmq
import taosrest
import taosws


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
        # A library of old has one zone for the process, which is that of the last connection to name one.
        taos.connect(database=database, timezone="UTC").close()
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


def test_what_connections_tell_of_themselves(server: embudo.Server) -> None:
    """Columns 7 and 8 of SHOW CONNECTIONS."""
    for module, connect in (("taos", taos.connect), ("taosws", taosws.connect)):
        place: Any = {"host": server.host, "port": server.port}
        if module == "taos":
            place |= {"transport": "ws", "charset": "UTF-8", "timezone": "UTC", "bi_mode": 1}
        own: Any = connect(**place, user_app=f"{module}_meter", user_ip="192.168.1.7")
        rows = [row for row in own.query("SHOW CONNECTIONS") if row[7] == f"{module}_meter"]
        assert [row[8] for row in rows] == ["192.168.1.7"]
        own.close()
    taos.set_tz(None)
    long = taos.connect(host=server.host, port=server.port, transport="ws", user_app="a" * 40)
    assert "a" * 23 in [row[7] for row in long.query("SHOW CONNECTIONS").fetch_all()]
    assert long.set_option(taos.TSDB_OPTION_CONNECTION.TSDB_OPTION_CONNECTION_USER_APP.value, "other") is None
    assert long.set_mode(taos.TSDB_CONNECTIONS_MODE.TSDB_CONNECTIONS_MODE_BI.value, 1) is None


def test_login_by_hash(server: embudo.Server) -> None:
    from taos.cinterface import taos_close, taos_connect_auth, taos_query, taos_use_result

    right = hashlib.md5(b"taosdata").hexdigest()
    handle = taos_connect_auth(server.host, "root", right, "", server.port)
    assert [field["name"] for field in taos_use_result(taos_query(handle, "SELECT 1 AS one"))] == ["one"]
    taos_close(handle)
    with pytest.raises(taos.ConnectionError):
        taos_connect_auth(server.host, "root", hashlib.md5(b"other").hexdigest(), "", server.port)


def test_tokens(root: embudo.Connection, server: embudo.Server) -> None:
    """A token in the place of user and password, in every spelling; one that is none is refused with its text."""
    root.execute("CREATE USER token_user PASS 'Ab1!@#$%'")
    try:
        ((token,),) = root.execute("CREATE TOKEN checklist FROM USER token_user").fetchall()
        place = {"host": server.host, "port": server.port}
        for given in ({"bearer_token": token}, {"bearer_token": token, "user": "nobody", "password": "wrong"}):
            assert taos.connect(**place, transport="ws", **given).query("SELECT CURRENT_USER()").fetch_all()[0][0].startswith("token_user@")
            assert next(iter(taosws.connect(**place, **given).query("SELECT CURRENT_USER()")))[0].startswith("token_user@")
        dsn = f"taosws://{server.host}:{server.port}?bearer_token="
        assert next(iter(taosws.connect(dsn + token).query("SELECT CURRENT_USER()")))[0].startswith("token_user@")
        wrong = token[:-1] + ("A" if token[-1] != "A" else "B")
        for connect in (
            lambda: taos.connect(**place, transport="ws", bearer_token=wrong),
            lambda: taosws.connect(dsn + wrong),
            lambda: taosws.connect(**place, bearer_token=wrong),
        ):
            with pytest.raises((taos.ConnectionError, taosws.ConnectionError), match=r"[Tt]oken"):
                connect()
        keys = {"group.id": "checklist", "td.connect.ip": server.host, "td.connect.port": str(server.port)}
        for module, spellings in ((taosws, ("td.connect.bearer_token", "bearer_token")), (taos_tmq, ("td.connect.bearer_token",))):
            for spelling in spellings:
                more = {"td.connect.websocket.scheme": "ws"} if module is taosws else {}
                consumer = module.Consumer({**keys, **more, spelling: token})
                consumer.close()
                with pytest.raises((taos.TmqError, taosws.ConsumerException)):
                    module.Consumer({**keys, **more, spelling: wrong}).subscribe(["none"])
    finally:
        root.execute("DROP USER token_user")


def test_second_factor(root: embudo.Connection, server: embudo.Server) -> None:
    root.execute("CREATE USER factor_user PASS 'Ab1!@#$%'")
    try:
        ((secret,),) = root.execute("CREATE TOTP_SECRET FOR USER factor_user").fetchall()

        def code(drift: int = 0) -> str:
            """RFC 6238 by hand: SHA-1, six digits, thirty seconds."""
            counter = int(time.time()) // 30 + drift
            key = base64.b32decode(secret + "=" * (-len(secret) % 8))
            digest = hmac.new(key, counter.to_bytes(8, "big"), "sha1").digest()
            number = int.from_bytes(digest[digest[-1] & 15 :][:4], "big") & 0x7FFFFFFF
            return f"{number % 10**6:06}"

        login = {"host": server.host, "port": server.port, "user": "factor_user", "password": "Ab1!@#$%"}
        assert taos.connect(**login, transport="ws", totp_code=code()).query("SELECT 1").fetch_all() == [(1,)]
        assert taos.connect_test(**login, transport="ws", totp_code=code()) is None
        assert list(taosws.connect(**login, totp_code=code()).query("SELECT 1")) == [(1,)]
        stale = code(-1000)
        for connect in (
            lambda: taos.connect(**login, transport="ws", totp_code=stale),
            lambda: taos.connect(**login, transport="ws"),
            lambda: taosws.connect(**login, totp_code=stale),
            lambda: taosws.connect(**login),
        ):
            with pytest.raises((taos.ConnectionError, taosws.ConnectionError)):
                connect()
        with pytest.raises(TypeError, match="missing 1 required"):
            taos.connect_test(**login)
    finally:
        root.execute("DROP USER factor_user")


def test_tables_in_pieces(conn: taos.TaosConnection, database: str, dsn: str) -> None:
    """pandas reads a table by chunks, with some of its columns and an index."""
    conn.execute("CREATE STABLE m (ts TIMESTAMP, v INT, s VARCHAR(10)) TAGS (g INT)")
    for child in range(3):
        conn.execute(f"INSERT INTO c{child} USING m TAGS ({child}) VALUES " + " ".join(f"({at}, {at}, 'x{at}')" for at in range(1, 11)))
    engine = sqlalchemy.create_engine(f"taos://localhost/{database}")
    with engine.connect() as connection:
        chunks = list(pd.read_sql_table("m", connection, columns=["v", "s"], index_col="ts", chunksize=7, parse_dates=["ts"]))
        assert [len(chunk) for chunk in chunks] == [7, 7, 7, 7, 2]
        assert list(chunks[0].columns) == ["v", "s"]
        found = pd.read_sql(sqlalchemy.text("SELECT * FROM m WHERE v > :low AND g = :group"), connection, params={"low": 7, "group": 1})
        assert sorted(found["v"]) == [8, 9, 10]
        more = pd.DataFrame({"ts": [100, "1970-01-01T00:00:00.101Z"], "v": [1, 2], "s": ["a", None], "g": [7, 8], "tbname": ["c7", "c8"]})
        assert more.to_sql("m", connection, if_exists="append", index=False) == 2
        assert connection.execute(sqlalchemy.text("SELECT g, v FROM m WHERE g > 5 ORDER BY g")).fetchall() == [(7, 1), (8, 2)]
    engine.dispose()


def test_an_engine_of_many_threads(conn: taos.TaosConnection, database: str) -> None:
    conn.execute("CREATE TABLE p (ts TIMESTAMP, v INT)")
    engine = sqlalchemy.create_engine(f"taos://localhost/{database}", pool_size=4, max_overflow=0, pool_timeout=300)
    failures: list[Exception] = []

    def work(number: int) -> None:
        try:
            with engine.begin() as connection:
                connection.execute(sqlalchemy.text("INSERT INTO p VALUES (:ts, :v)"), {"ts": 1000 + number, "v": number})
                connection.execute(sqlalchemy.text("SELECT * FROM p")).fetchall()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("SELECT COUNT(*) FROM p")).scalar() == 20
    engine.dispose()


def test_numbers_of_requests_differ() -> None:
    """Options made in many threads at once have numbers of their own, which another kind of number is not."""
    found: list[int] = []

    def work() -> None:
        for _ in range(200):
            found.append(taos.TaosStmt2Option().reqid)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 800
    for wrong in (True, "1", 1.0):
        with pytest.raises(taos.StatementError, match="reqid type error"):
            taos.TaosStmt2Option(reqid=wrong)  # type: ignore[arg-type]


def test_rest_by_hand(server: embudo.Server) -> None:
    """A login's token in the header of a query, without any client."""

    def asked(path: str, body: bytes | None = None, **headers: str) -> Any:
        with urllib.request.urlopen(urllib.request.Request(server.url + path, body, headers)) as answer:
            return json.load(answer)

    login = asked("/rest/login/root/taosdata")
    assert login["code"] == 0
    found = asked("/rest/sql", b"SELECT 1", Authorization=f"Taosd {login['desc']}")
    assert (found["code"], found["data"], found["rows"]) == (0, [[1]], 1)
    assert asked("/rest/sql", b"SELEC 1", Authorization=f"Taosd {login['desc']}")["code"] != 0


def test_a_block_and_a_half(server: embudo.Server, root: embudo.Connection, database: str) -> None:
    """`fetchmany` of a size that divides nothing, over all rows."""
    root.ingest(f"{database}.w", {"ts": range(7000), "v": range(7000)})
    cursor = taosws.connect(f"{server.ws_dsn}/{database}").cursor()
    cursor.execute("SELECT v FROM w")
    sizes, total = [], 0
    while rows := cursor.fetchmany(3345):
        sizes.append(len(rows))
        total += sum(row[0] for row in rows)
    assert (sum(sizes), max(sizes), total) == (7000, 3345, sum(range(7000)))
