"""A program over WebSocket by the official taosws: queries of every type, errors, cursors, both kinds of prepared statements, line
protocols, compression, SQLAlchemy."""

import sys
from decimal import Decimal
from typing import Any

import taosws
from sqlalchemy import create_engine, inspect, text

address = sys.argv[1].removeprefix("http://")


def rows(conn: Any, sql: str) -> list[tuple[Any, ...]]:
    """All rows of a query."""
    return list(conn.query(sql))


conn = taosws.connect(f"taosws://root:taosdata@{address}?timezone=UTC")
conn.execute("DROP DATABASE IF EXISTS ws")
assert conn.execute("CREATE DATABASE ws PRECISION 'ms'") == 0
conn.execute("USE ws")
conn.execute(
    "CREATE STABLE alltypes (ts TIMESTAMP, b BOOL, ti TINYINT, si SMALLINT, i INT, bi BIGINT, tu TINYINT UNSIGNED, su SMALLINT UNSIGNED, iu INT UNSIGNED, "
    "bu BIGINT UNSIGNED, f FLOAT, d DOUBLE, vc VARCHAR(16), nc NCHAR(8), vb VARBINARY(8), de DECIMAL(20,4), d6 DECIMAL(10,2)) TAGS (j JSON)"
)
assert (
    conn.execute(
        "INSERT INTO e1 USING alltypes TAGS ('{\"a\":1}') VALUES (1700000000000,true,-1,-2,-3,-4,1,2,3,18446744073709551615,1.5,2.5,'it''s','数据','\\x00ff',"
        "-12.3456,7.25) (1700000000001,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null)"
    )
    == 2
)
result = conn.query("SELECT * FROM alltypes ORDER BY ts")
assert result.field_count == 18
assert [(field.name(), field.type()) for field in result.fields][:2] == [("ts", "TIMESTAMP"), ("b", "BOOL")]
first, second = list(result)
assert first[0].startswith("2023-11-14 22:13:20"), first[0]
values = (
    True,
    -1,
    -2,
    -3,
    -4,
    1,
    2,
    3,
    18446744073709551615,
    1.5,
    2.5,
    "it's",
    "数据",
    b"\x00\xff",
    Decimal("-12.3456"),
    Decimal("7.25"),
    '{"a":1}',
)
assert first[1:] == values, first
assert second[1:17] == (None,) * 16, second

for sql, part in [
    ("SELEC 1", '[0x2600] Internal error: `syntax error near "selec 1"`'),
    ("SELECT * FROM nope", "Table does not exist"),
    ("SELECT * FROM nowhere.t", "Database not exist"),
]:
    try:
        conn.query(sql)
    except taosws.QueryError as error:
        assert part.lower() in str(error).lower(), str(error)
    else:
        raise AssertionError(f"{sql} did not fail")
for dsn, part in [
    (f"taosws://root:wrong@{address}", "Authentication failure"),
    (f"taosws://root:taosdata@{address}/nowhere", "Database not exist"),
]:
    try:
        taosws.connect(dsn).query("SELECT 1")
    except taosws.ConnectionError as error:
        assert part in str(error), str(error)
    else:
        raise AssertionError(f"{dsn} did not fail")

conn.execute("CREATE TABLE many (ts TIMESTAMP, v BIGINT)")
for start in range(0, 20_000, 5_000):
    cells = "".join(f"({1_700_000_000_000 + row},{row})" for row in range(start, start + 5_000))
    assert conn.execute(f"INSERT INTO many VALUES {cells}") == 5_000
for options in ("", "&compression=true"):
    other = taosws.connect(f"taosws://root:taosdata@{address}/ws?timezone=UTC{options}")
    assert [row[0] for row in rows(other, "SELECT v FROM many ORDER BY ts")] == list(range(20_000))
assert rows(conn, "SELECT * FROM many WHERE v < 0") == []

cursor = taosws.connect(f"taosws://root:taosdata@{address}/ws?timezone=UTC").cursor()
cursor.execute("SELECT ts, v FROM many ORDER BY ts LIMIT 3")
fetched = cursor.fetchall()
assert [row[1] for row in fetched] == [0, 1, 2]
assert fetched[0][0].timestamp() == 1_700_000_000
cursor.close()

conn.execute("CREATE STABLE meters (ts TIMESTAMP, current FLOAT, voltage INT, note NCHAR(16)) TAGS (groupid INT, location VARCHAR(24))")
statement = conn.statement()
statement.prepare("INSERT INTO ? USING meters TAGS (?, ?) VALUES (?, ?, ?, ?)")
for child in range(2):
    statement.set_tbname_tags(f"d{child}", [taosws.int_to_tag(child), taosws.varchar_to_tag("California")])
    statement.bind_param(
        [
            taosws.millis_timestamps_to_column([1_700_000_000_000, 1_700_000_000_001]),
            taosws.floats_to_column([10.5, None]),
            taosws.ints_to_column([219, 220]),
            taosws.nchar_to_column(["涛思", None]),
        ]
    )
    statement.add_batch()
assert statement.execute() == 4
assert rows(conn, "SELECT groupid, current, voltage, note FROM meters ORDER BY groupid, ts") == [
    (0, 10.5, 219, "涛思"),
    (0, None, 220, None),
    (1, 10.5, 219, "涛思"),
    (1, None, 220, None),
]

second_kind = conn.stmt2_statement()
second_kind.prepare("INSERT INTO ? USING meters TAGS (?, ?) VALUES (?, ?, ?, ?)")
second_kind.bind(
    [
        taosws.stmt2_bind_param_view(
            table_name=f"e{child}",
            tags=[taosws.int_to_tag(child), taosws.varchar_to_tag("Paris") if child else None],
            columns=[
                taosws.millis_timestamps_to_column([1_700_000_000_000, 1_700_000_000_001, 1_700_000_000_002]),
                taosws.floats_to_column([1.5, 2.5, None]),
                taosws.ints_to_column([1, None, 3]),
                taosws.nchar_to_column(["a", "", "数"]),
            ],
        )
        for child in range(10, 13)
    ]
)
assert second_kind.execute() == 9
assert rows(conn, "SELECT COUNT(*), SUM(voltage), COUNT(note) FROM meters WHERE groupid >= 10") == [(9, 12, 9)]
assert rows(conn, "SELECT DISTINCT location FROM meters WHERE groupid = 12") == [("Paris",)]
second_kind.prepare("INSERT INTO meters (tbname, ts, voltage, groupid) VALUES (?, ?, ?, ?)")
second_kind.bind(
    [
        taosws.stmt2_bind_param_view(
            table_name="f1",
            tags=[taosws.int_to_tag(77)],
            columns=[taosws.millis_timestamps_to_column([1_700_000_000_000]), taosws.ints_to_column([5])],
        )
    ]
)
assert second_kind.execute() == 1
second_kind.prepare("SELECT voltage FROM meters WHERE groupid > ? AND location = ? ORDER BY ts LIMIT 1")
second_kind.bind(
    [taosws.stmt2_bind_param_view(table_name=None, tags=None, columns=[taosws.ints_to_column([10]), taosws.varchar_to_column(["Paris"])])]
)
second_kind.execute()
assert list(second_kind.result_set()) == [(1,)]
second_kind.prepare("INSERT INTO alltypes (tbname, ts, de, d6, vb) VALUES (?, ?, ?, ?, ?)")
second_kind.bind(
    [
        taosws.stmt2_bind_param_view(
            table_name="e1",
            tags=None,
            columns=[
                taosws.millis_timestamps_to_column([1_700_000_000_005]),
                taosws.decimal_to_column([Decimal("3.25")]),
                taosws.decimal64_to_column([Decimal("-0.5")]),
                taosws.varbinary_to_column([b"\x01\x02"]),
            ],
        )
    ]
)
assert second_kind.execute() == 1
assert rows(conn, "SELECT de, d6, vb FROM e1 WHERE ts = 1700000000005") == [(Decimal("3.25"), Decimal("-0.50"), b"\x01\x02")]

protocols, precisions = taosws.PySchemalessProtocol, taosws.PySchemalessPrecision
conn.schemaless_insert(["weather,city=paris temperature=21.5,humidity=40i32 1700000000000"], protocols.Line, precisions.Millisecond, 0, 1)
conn.schemaless_insert(["sys.load 1700000000 3.5 host=web01"], protocols.Telnet, precisions.NonConfigured, 0, 2)
conn.schemaless_insert(
    ['[{"metric":"sys.disk","timestamp":1700000000,"value":7,"tags":{"host":"web01"}}]'], protocols.Json, precisions.NonConfigured, 0, 3
)
assert rows(conn, "SELECT temperature, humidity, city FROM weather") == [(21.5, 40, "paris")]
assert rows(conn, "SELECT _value, `host` FROM `sys_load`") == [(3.5, "web01")]
assert rows(conn, "SELECT _value FROM `sys_disk`") == [(7.0,)]

engine = create_engine(f"taosws://root:taosdata@{address}/ws")
with engine.connect() as session:
    assert session.execute(text("SELECT COUNT(*) FROM many")).fetchall()[0][0] == 20_000
assert "many" in inspect(engine).get_table_names("ws")
print("taosws", taosws.__version__ if hasattr(taosws, "__version__") else "", "passed")
