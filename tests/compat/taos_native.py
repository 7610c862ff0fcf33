"""Unmodified taospy's native `taos` on our libtaos: every feature as a user's program has it. Arguments: HOST PORT, or none where
EMBUDO_DSN says where to go."""

import ctypes
import sys
import threading
from datetime import datetime

import taos
from taos import SmlPrecision, SmlProtocol
from taos.cinterface import taos_get_client_info, taos_get_table_vgId, taos_load_table_info, taos_validate_sql
from taos.tmq import Consumer

START = 1_700_000_000_000


def connect(**extra: object) -> taos.TaosConnection:
    if len(sys.argv) > 2:
        extra |= {"host": sys.argv[1], "port": int(sys.argv[2])}
    return taos.connect(user="root", password="taosdata", timezone="UTC", **extra)


def queries(conn: taos.TaosConnection) -> None:
    assert taos_get_client_info().startswith("3.")
    assert conn.client_info.startswith("3.") and conn.server_info.startswith("3.")
    conn.execute("DROP DATABASE IF EXISTS compat_native")
    conn.execute("CREATE DATABASE compat_native")
    conn.select_db("compat_native")
    conn.execute("CREATE STABLE meters (ts TIMESTAMP, current FLOAT, voltage INT, note VARCHAR(20)) TAGS (location NCHAR(20), grp INT)")
    rows = conn.execute(
        f"INSERT INTO d1 USING meters TAGS('上海', 1) VALUES ({START}, 10.5, 220, 'a'), ({START + 1}, NULL, NULL, NULL) "
        f"d2 USING meters TAGS('北京', 2) VALUES ({START + 2}, 11.25, 221, '')"
    )
    assert rows == 3, rows
    result = conn.query("SELECT ts, current, voltage, note, location FROM meters ORDER BY ts")
    assert [field.name for field in result.fields] == ["ts", "current", "voltage", "note", "location"]
    got = result.fetch_all()
    assert [row[1:] for row in got] == [(10.5, 220, "a", "上海"), (None, None, None, "上海"), (11.25, 221, "", "北京")], got
    assert got[0][0].timestamp() == START / 1000, got[0][0]
    assert [row.as_tuple()[2] for row in conn.query("SELECT * FROM meters ORDER BY ts").rows_iter()] == [220, None, 221]
    blocks = [block for block, _ in conn.query("SELECT voltage FROM meters").blocks_iter()]
    assert sorted(row[0] or 0 for block in blocks for row in block) == [0, 220, 221]
    assert conn.query("SELECT COUNT(*) AS n FROM meters").fetch_all_into_dict() == [{"n": 3}]
    assert str(next(conn.query("SELECT voltage, note FROM d1").rows_iter())) == "220 a"
    cursor = conn.cursor()
    cursor.execute("SELECT voltage FROM d1 WHERE voltage > 0")
    assert cursor.fetchall() == [(220,)] and cursor.description[0][0] == "voltage"
    cursor.execute(f"INSERT INTO d1 VALUES ({START + 3}, 1, 2, 'x')")
    assert cursor.affected_rows == 1
    cursor.close()
    for sql, code in (("SELECT * FROM no_such", 0x2662), ("SELEC 1", 0x2600)):
        try:
            conn.query(sql)
        except taos.ProgrammingError as error:
            assert error.errno & 0xFFFF == code, (sql, hex(error.errno))
        else:
            raise AssertionError(sql)
    assert taos_validate_sql(conn._conn, "SELECT * FROM meters") is None and taos_validate_sql(conn._conn, "SELEC") is not None
    taos_load_table_info(conn._conn, "compat_native.d1")
    assert taos_get_table_vgId(conn._conn, "compat_native", "d1") > 0


def types(conn: taos.TaosConnection) -> None:
    conn.execute(
        "CREATE TABLE types (ts TIMESTAMP, bo BOOL, ti TINYINT, ubi BIGINT UNSIGNED, d DOUBLE, nc NCHAR(10), vb VARBINARY(10), "
        "g GEOMETRY(100), de DECIMAL(10, 2))"
    )
    conn.execute(f"INSERT INTO types VALUES ({START}, true, -128, 18446744073709551615, 2.25, '中文', '\\x00ff', 'POINT(1 2)', -12.34)")
    conn.execute(f"INSERT INTO types (ts) VALUES ({START + 1})")
    first, second = conn.query("SELECT * FROM types ORDER BY ts").fetch_all()
    assert first[1:6] == (True, -128, 18446744073709551615, 2.25, "中文"), first
    assert bytes(first[6]) == b"\x00\xff" and len(bytes(first[7])) == 21 and str(first[8]) == "-12.34", first
    assert all(cell is None for cell in second[1:]), second


def statements(conn: taos.TaosConnection) -> None:
    statement = conn.statement("INSERT INTO ? USING meters TAGS(?, ?) VALUES(?, ?, ?, ?)")
    tags = taos.new_bind_params(2)
    tags[0].nchar("广州")
    tags[1].int(3)
    statement.set_tbname_tags("d3", tags)
    rows = taos.new_multi_binds(4)
    rows[0].timestamp([START, START + 1, START + 2])
    rows[1].float([1.5, None, 3.5])
    rows[2].int([1, 2, None])
    rows[3].binary(["x", None, "zzz"])
    statement.bind_param_batch(rows)
    statement.execute()
    assert statement.affected_rows == 3
    statement.close()
    assert [row[1:] for row in conn.query("SELECT * FROM d3").fetch_all()] == [(1.5, 1, "x"), (None, 2, None), (3.5, None, "zzz")]
    statement = conn.statement("SELECT COUNT(*) FROM meters WHERE grp = ?")
    parameter = taos.new_bind_params(1)
    parameter[0].int(3)
    statement.bind_param(parameter, add_batch=False)
    statement.execute()
    assert statement.use_result().fetch_all() == [(3,)]
    statement.close()

    statement2 = conn.statement2("INSERT INTO ? USING meters TAGS(?, ?) VALUES(?, ?, ?, ?)")
    statement2.bind_param(["d4", "d5"], [["深圳", 4], ["杭州", 5]], [[[START, START + 1], [1.0, 2.0], [1, None], ["a", "b"]]] * 2)
    statement2.execute()
    assert statement2.affected_rows == 4, statement2.affected_rows
    statement2.close()
    statement2 = conn.statement2("SELECT note FROM meters WHERE grp = ? ORDER BY ts")
    statement2.bind_param(None, None, [[[4]]])
    statement2.execute()
    assert statement2.result().fetch_all() == [("a",), ("b",)]
    statement2.close()


def schemaless(conn: taos.TaosConnection) -> None:
    lines = [f"cpu,host=a usage=0.5 {START}", f"cpu,host=b usage=0.25 {START}"]
    assert conn.schemaless_insert(lines, SmlProtocol.LINE_PROTOCOL, SmlPrecision.MILLI_SECONDS) == 2
    assert conn.schemaless_insert_raw("\n".join(lines), SmlProtocol.LINE_PROTOCOL, SmlPrecision.MILLI_SECONDS, ttl=10, req_id=3) == 2
    assert conn.schemaless_insert([f"sys.load {START} 1.5 host=a"], SmlProtocol.TELNET_PROTOCOL, SmlPrecision.NOT_CONFIGURED) == 1
    try:
        conn.schemaless_insert(["cpu usage="], SmlProtocol.LINE_PROTOCOL, SmlPrecision.MILLI_SECONDS)
    except taos.SchemalessError as error:
        assert error.errno != 0
    else:
        raise AssertionError("a broken line was taken")


class Told(ctypes.Structure):
    """What the callbacks of an asynchronous query tell."""

    _fields_ = [("rows", ctypes.c_int), ("code", ctypes.c_int)]


def asynchronous(conn: taos.TaosConnection) -> None:
    from taos.cinterface import async_fetch_rows_callback_type, async_query_callback_type, taos_fetch_rows_a, taos_free_result

    told, done = Told(), threading.Event()

    @async_fetch_rows_callback_type
    def fetched(parameter, result, rows):
        if rows > 0:
            told.rows += rows
            taos_fetch_rows_a(result, fetched, parameter)
        else:
            taos_free_result(result)
            done.set()

    @async_query_callback_type
    def queried(parameter, result, code):
        told.code = code
        taos_fetch_rows_a(result, fetched, parameter)

    conn.query_a("SELECT * FROM meters", queried, ctypes.byref(told))
    assert done.wait(30) and told.code == 0 and told.rows == conn.query("SELECT COUNT(*) FROM meters").fetch_all()[0][0], told.rows


def subscriptions(conn: taos.TaosConnection) -> None:
    conn.execute("CREATE TOPIC native_topic AS SELECT ts, voltage, note FROM meters")
    where = {"td.connect.ip": sys.argv[1], "td.connect.port": sys.argv[2]} if len(sys.argv) > 2 else {}
    consumer = Consumer(
        {
            "group.id": "native",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": "false",
            "td.connect.user": "root",
            "td.connect.pass": "taosdata",
        }
        | where
    )
    consumer.subscribe(["native_topic"])
    expected = conn.query("SELECT COUNT(*) FROM meters").fetch_all()[0][0]
    rows = []
    for _ in range(50):
        message = consumer.poll(0.2)
        if message is None:
            continue
        assert message.error() is None and message.topic() == "native_topic" and message.database() == "compat_native"
        for block in message.value() or ():
            rows += block.fetchall()
        consumer.commit(message)
        if len(rows) >= expected:
            break
    assert len(rows) == expected, (len(rows), expected)
    assert all(isinstance(row[0], datetime) for row in rows)
    assignment = consumer.assignment()
    assert assignment and assignment[0].topic == "native_topic", assignment
    assert any(partition.offset > 0 for partition in consumer.committed(assignment))
    consumer.unsubscribe()
    consumer.close()
    conn.execute("DROP TOPIC native_topic")


def main() -> None:
    conn = connect()
    for part in (queries, types, statements, schemaless, asynchronous, subscriptions):
        part(conn)
        print(f"  {part.__name__}: passed")
    other = connect(database="compat_native")
    assert other.query("SELECT COUNT(*) FROM types").fetch_all() == [(2,)]
    other.close()
    conn.execute("DROP DATABASE compat_native")
    conn.close()


main()
