"""Prepared statements of ``taos``, both kinds, over each transport; and the objects that values are bound by."""

from __future__ import annotations

import ctypes
import datetime
import decimal
import struct
from typing import Any

import numpy
import pyarrow
import pytest

import taos
from taos.bind_base import datetime_to_timestamp
from taos.cinterface import (
    taos_stmt2_bind_param,
    taos_stmt2_exec,
    taos_stmt2_get_fields,
    taos_stmt2_init,
    taos_stmt2_is_insert,
    taos_stmt2_prepare,
    taos_stmt_add_batch,
    taos_stmt_bind_param_batch,
    taos_stmt_execute,
    taos_stmt_init_with_reqid,
    taos_stmt_num_params,
    taos_stmt_prepare,
    taos_stmt_use_result,
)
from taos.error import DataTypeAndRangeError, StatementError

POINT = b"\x01\x01\x00\x00\x00" + struct.pack("<dd", 1.0, 2.0)
COLUMNS = (
    "ts TIMESTAMP, bo BOOL, ti TINYINT, si SMALLINT, ii INT, bi BIGINT, tu TINYINT UNSIGNED, su SMALLINT UNSIGNED, iu INT UNSIGNED, "
    "bu BIGINT UNSIGNED, ff FLOAT, dd DOUBLE, bb VARCHAR(100), nn NCHAR(100), tt TIMESTAMP, vb VARBINARY(50), gg GEOMETRY(100)"
)
ROWS: list[tuple[Any, ...]] = [
    (
        1626861392589,
        True,
        -128,
        3,
        -(2**31),
        -(2**63),
        255,
        65535,
        2**32 - 1,
        2**64 - 1,
        3.5,
        1.25,
        "abc",
        "涛思数据",
        None,
        b"\x00\x01",
        POINT,
    ),
    (1626861392590, None, 127, None, 4, 4, 4, 4, 4, 4, None, None, 'it\'s "quoted"', None, None, None, None),
    (1626861392591, False, None, 2, None, None, None, None, None, None, 1.0, 1.2, None, "a long text 中文字符", 1626861392591, b"", POINT),
]
METHODS = [
    "timestamp",
    "bool",
    "tinyint",
    "smallint",
    "int",
    "bigint",
    "tinyint_unsigned",
    "smallint_unsigned",
    "int_unsigned",
    "bigint_unsigned",
    "float",
    "double",
    "binary",
    "nchar",
    "timestamp",
    "varbinary",
    "geometry",
]


@pytest.fixture
def conn(dsn: str, database: str, monkeypatch: pytest.MonkeyPatch) -> taos.TaosConnection:
    monkeypatch.setenv("EMBUDO_DSN", dsn)
    taos.set_tz(None)
    conn = taos.connect(database=database)
    conn.execute(f"CREATE TABLE log ({COLUMNS}) TAGS (t1 INT, t2 VARCHAR(20))")
    return conn


def stored(conn: taos.TaosConnection, sql: str) -> list[tuple[Any, ...]]:
    return conn.query(sql).fetch_all()


def expected(row: tuple[Any, ...]) -> tuple[Any, ...]:
    moment = [value if value is None else datetime.datetime.fromtimestamp(value / 1000) for value in (row[0], row[14])]
    return (moment[0], *row[1:14], moment[1], *row[15:])


def test_first_kind_row_by_row(conn: taos.TaosConnection) -> None:
    conn.execute("CREATE TABLE l1 USING log TAGS (1, 'a')")
    statement = conn.statement(f"INSERT INTO l1 VALUES ({', '.join('?' * 17)})")
    assert statement is not None
    for row in ROWS:
        params = taos.new_bind_params(17)
        for param, method, value in zip(params, METHODS, row, strict=True):
            getattr(param, method)(value)
        statement.bind_param(params)
    statement.execute()
    assert statement.affected_rows == 3
    statement.close()
    statement.close()
    assert [row[:17] for row in stored(conn, "SELECT * FROM log ORDER BY ts")] == [expected(row) for row in ROWS]
    with pytest.raises(StatementError, match="Invalid use of stmt"):
        statement.prepare("SELECT 1")
    with pytest.raises(StatementError, match="Invalid use of execute"):
        statement.execute()


def test_first_kind_columns_with_names_and_tags(conn: taos.TaosConnection) -> None:
    statement = conn.statement(f"INSERT INTO ? USING log TAGS (?, ?) VALUES ({', '.join('?' * 17)})")
    assert statement is not None
    for name, tag in (("l1", 1), ("l2", None)):
        tags = taos.new_bind_params(2)
        tags[0].int(tag)
        tags[1].binary("tag 1")
        statement.set_tbname_tags(name, tags)
        binds = taos.new_multi_binds(17)
        for bind, method, column in zip(binds, METHODS, zip(*ROWS, strict=True), strict=True):
            getattr(bind, method)(list(column))
        statement.bind_param_batch(binds)
    statement.execute()
    assert statement.affected_rows == 6
    assert stored(conn, "SELECT COUNT(*), COUNT(t1) FROM log") == [(6, 3)]
    assert [row[:17] for row in stored(conn, "SELECT * FROM l2 ORDER BY ts")] == [expected(row) for row in ROWS]


def test_first_kind_columns_of_nulls(conn: taos.TaosConnection) -> None:
    statement = conn.statement("INSERT INTO ? USING log TAGS (?, ?) (ts, bo, ii, bb, nn, vb) VALUES (?, ?, ?, ?, ?, ?)")
    assert statement is not None
    tags = taos.new_bind_params(2)
    tags[0].int(None)
    tags[1].varchar(None)
    statement.set_tbname_tags("l1", tags)
    binds = taos.new_multi_binds(6)
    binds[0].timestamp([1, 2])
    for bind, method in zip(binds[1:], ("bool", "int", "varchar", "nchar", "varbinary"), strict=True):
        getattr(bind, method)([None, None])
    statement.bind_param_batch(binds, add_batch=False)
    statement.add_batch()
    statement.execute()
    assert stored(conn, "SELECT bo, ii, bb, nn, vb, t1, t2 FROM log") == [(None,) * 7] * 2


def test_first_kind_normal_table_and_query(conn: taos.TaosConnection) -> None:
    conn.execute("CREATE TABLE n (ts TIMESTAMP, v DOUBLE, d DECIMAL(10, 2))")
    statement = conn.statement("INSERT INTO ? VALUES (?, ?, ?)")
    assert statement is not None
    statement.set_tbname("n")
    binds = taos.new_multi_binds(3)
    binds[0].timestamp((1, 2, 3))
    binds[1].double([1.5, None, 2])
    binds[2].decimal([decimal.Decimal("1.25"), None, decimal.Decimal("-3")])
    statement.bind_param_batch(binds)
    statement.execute()
    query = conn.statement("SELECT v, d FROM n WHERE v > ? AND d < ?")
    assert query is not None
    params = taos.new_bind_params(2)
    params[0].double(1.0)
    params[1].int(100)
    query.bind_param(params)
    query.execute()
    result = query.use_result()
    assert result.fetch_all() == [(1.5, decimal.Decimal("1.25")), (2.0, decimal.Decimal("-3.00"))]
    with pytest.raises(StatementError):
        query.use_result()


def test_a_refused_statement(conn: taos.TaosConnection) -> None:
    with pytest.raises(StatementError) as caught:
        for sql in ("INSERT INTO missing VALUES (?)", "SELEC 1"):
            statement = conn.statement(sql)
            assert statement is not None
            statement.bind_param(taos.new_bind_params(0))
            statement.execute()
    assert caught.value.errno != 0


def test_values_of_the_first_kind() -> None:
    bind = taos.TaosBind()
    for method, value, code in [
        ("bool", True, 1),
        ("tinyint", 1, 2),
        ("smallint", 1, 3),
        ("int", 1, 4),
        ("bigint", 1, 5),
        ("float", 1.5, 6),
        ("double", 1.5, 7),
        ("binary", "a", 8),
        ("varchar", b"a", 8),
        ("nchar", b"\xc3\xa9", 10),
        ("json", "{}", 15),
        ("tinyint_unsigned", 1, 11),
        ("smallint_unsigned", 1, 12),
        ("int_unsigned", 1, 13),
        ("bigint_unsigned", 1, 14),
        ("timestamp", datetime.datetime(2020, 1, 1), 9),
        ("timestamp", 1.5, 9),
        ("timestamp", "2020-01-01 00:00:00", 9),
    ]:
        getattr(bind, method)(value)
        assert (bind.buffer_type, bind.num, bind.is_null) == (code, 1, [0])
        getattr(bind, method)(None)
        assert (bind.buffer_type, bind.num, bind.is_null) == (code, 1, [1])
    many = taos.new_multi_bind()
    many.varchar(["a", None, "é"])
    assert (many.num, many.is_null, many.length, many.buffer_length) == (3, [0, 1, 0], [1, 0, 2], 2)
    many.int(7)
    assert (many.num, many.buffer_length) == (1, 4)
    with pytest.raises(AttributeError, match="encode"):
        many.nchar([b"a"])
    with pytest.raises(DataTypeAndRangeError):
        many.tinyint([128])
    with pytest.raises(StatementError, match="no value"):
        taos.new_bind_param().column()


def test_times_as_ticks() -> None:
    null = taos.FieldType.C_BIGINT_NULL
    assert datetime_to_timestamp(None, 0) == datetime_to_timestamp(5, 0, 1) == datetime_to_timestamp(True, 0) == null
    assert datetime_to_timestamp(b"", 0) == null
    local = datetime.datetime(2020, 1, 1).timestamp()
    cases: list[tuple[Any, int, int]] = [
        (5, 2, 5),
        (ctypes.c_int64(7), 1, 7),
        (1.5, 0, 1500),
        (1.5, 1, 1_500_000),
        ("2020-01-01 00:00:00", 0, int(local * 1000)),
        (datetime.datetime(2020, 1, 1, 0, 0, 0, 250_000), 1, int(local * 1_000_000) + 250_000),
        (datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), 0, 1_577_836_800_000),
    ]
    for value, precision, ticks in cases:
        made = datetime_to_timestamp(value, precision)
        assert isinstance(made, ctypes.c_int64)
        assert made.value == ticks
    for value in (1.5, "2020-01-01", datetime.datetime(2020, 1, 1)):
        with pytest.raises(taos.PrecisionError):
            datetime_to_timestamp(value, 2)
    pytz = pytest.importorskip("pytz")
    taos.set_tz(pytz.timezone("America/Los_Angeles"))
    try:
        # A zone of pytz that is attached as it is has the local mean time of its city.
        assert datetime_to_timestamp(datetime.datetime(2020, 1, 1), 0).value == 1577865180_000  # type: ignore[union-attr]
    finally:
        taos.set_tz(None)


def test_second_kind_tables(conn: taos.TaosConnection) -> None:
    statement = conn.statement2("INSERT INTO ? USING log (t1, t2) TAGS (?, ?) (ts, ii, bb, dd) VALUES (?, ?, ?, ?)")
    assert statement is not None
    assert statement.is_insert()
    count, fields = statement.get_fields()
    assert count == 7
    assert [(field.name, field.type, field.field_type) for field in fields] == [
        ("tbname", 8, taos.TAOS_FIELD_TBNAME),
        ("t1", 4, taos.TAOS_FIELD_TAG),
        ("t2", 8, taos.TAOS_FIELD_TAG),
        ("ts", 9, taos.TAOS_FIELD_COL),
        ("ii", 4, taos.TAOS_FIELD_COL),
        ("bb", 8, taos.TAOS_FIELD_COL),
        ("dd", 7, taos.TAOS_FIELD_COL),
    ]
    assert (fields[0].bytes, fields[2].bytes) == (271, 22)
    moments = [1626861392589, "2021-07-21 12:00:00", datetime.datetime(2022, 1, 1)]
    first, second = [moments, [1, None, 3], ["a", "b", None], [1.5, None, 2]], [[1], [4], [None], [None]]
    statement.bind_param(["d1", "d2"], [[1, "x"], [None, None]], [first, second])
    assert statement.execute() == statement.affected_rows == 4
    assert stored(conn, "SELECT ii, bb, dd, t1, t2, tbname FROM log ORDER BY tbname, ts") == [
        (1, "a", 1.5, 1, "x", "d1"),
        (None, "b", None, 1, "x", "d1"),
        (3, None, 2.0, 1, "x", "d1"),
        (4, None, None, None, None, "d2"),
    ]
    table = taos.BindTable("d3", [7, "y"])
    for column in ([1, 2], [5, 6], ["t", "u"], [0.5, 0.25]):
        table.add_col_data(column)
    statement.bind_param_with_tables([table])
    assert statement.execute() == 2
    assert stored(conn, "SELECT SUM(ii) FROM d3") == [(11,)]
    statement.close()
    statement.close()
    with pytest.raises(StatementError, match="stmt2 object is null"):
        statement.execute()


def test_second_kind_fixed_tables(conn: taos.TaosConnection) -> None:
    statement = conn.statement2("INSERT INTO c1 USING log TAGS (?, ?) (ts, ii) VALUES (?, ?)")
    assert statement is not None
    statement.bind_param(None, [[1, "x"]], [[[1, 2], [3, 4]]])
    assert statement.execute() == 2
    conn.execute("CREATE TABLE n (ts TIMESTAMP, g GEOMETRY(100), b BLOB)")
    statement.prepare("INSERT INTO n VALUES (?, ?, ?)")
    statement.bind_param(None, None, [[[1, 2], [POINT, None], [b"\x00" * 70_000, None]]])
    assert statement.execute() == 2
    assert stored(conn, "SELECT g, b FROM n ORDER BY ts") == [(POINT, b"\x00" * 70_000), (None, None)]
    statement.prepare("INSERT INTO ? (ts, g) VALUES (?, ?)")
    for tags in (None, [None]):
        statement.bind_param(["n"], tags, [[[3 if tags is None else 4], [bytearray(POINT)]]])
        assert statement.execute() == 1
    assert stored(conn, "SELECT COUNT(*) FROM n") == [(4,)]


def test_second_kind_rows_of_a_supertable(conn: taos.TaosConnection) -> None:
    conn.execute("CREATE TABLE js (ts TIMESTAMP, v INT) TAGS (info JSON)")
    statement = conn.statement2("INSERT INTO js (ts, v, info, tbname) VALUES (?, ?, ?, ?)")
    assert statement is not None
    statement.bind_param(None, None, [[at, at * 2, f'{{"k": {at % 2}}}', f"j{at % 2}"] for at in range(10)])
    assert statement.execute() == 10
    assert stored(conn, "SELECT COUNT(*), SUM(v) FROM js WHERE info->'k' = 1") == [(5, 50)]


def test_second_kind_queries(conn: taos.TaosConnection) -> None:
    conn.execute("CREATE TABLE q (ts TIMESTAMP, name VARCHAR(20), v INT, b BOOL, d DOUBLE)")
    conn.execute("INSERT INTO q VALUES (1, 'Tom', 100, true, 1.5) (2, 'Jerry', -5, false, 2.5)")
    statement = conn.statement2("SELECT ts, v FROM q WHERE name = ? AND v = ? AND b = ?")
    assert statement is not None
    assert not statement.is_insert()
    assert statement.get_fields()[0] == 3
    for datas in ([[["Tom"], [100], [True]]], [("Tom", 100, True)]):
        statement.bind_param(None, None, datas)
        statement.execute()
        assert [row[1] for row in statement.result()] == [100]
    statement.prepare("SELECT name FROM q WHERE v < ? AND d > ?")
    statement.set_columns_type([taos.FieldType.C_INT, taos.FieldType.C_DOUBLE])
    statement.bind_param(None, None, [(0, 2)])
    statement.execute()
    assert statement.result().fetch_all() == [("Jerry",)]
    for value in (None, b"x", decimal.Decimal(1), datetime.datetime(2020, 1, 1)):
        statement.prepare("SELECT name FROM q WHERE name = ?")
        with pytest.raises(StatementError):
            statement.bind_param(None, None, [(value,)])
    statement.bind_param(None, None, [("' OR 1 = 1 --",)])
    statement.execute()
    assert statement.result().fetch_all() == []


def test_second_kind_columns_of_numpy_and_arrow(conn: taos.TaosConnection) -> None:
    conn.execute("CREATE TABLE m (ts TIMESTAMP, i INT, d DOUBLE, b BOOL, s VARCHAR(10))")
    statement = conn.statement2("INSERT INTO m VALUES (?, ?, ?, ?, ?)")
    assert statement is not None
    times = numpy.array(["2024-01-01T00:00:00", "2024-01-01T00:00:01"], dtype="M8[us]")
    numbers = numpy.arange(4, dtype="i8")[::2]
    texts = pyarrow.array(["a", None])
    statement.bind_param(None, None, [[times, numbers, numpy.array([1.5, numpy.nan]), numpy.array([True, False]), texts]])
    assert statement.execute() == 2
    assert stored(conn, "SELECT CAST(ts AS BIGINT), i, d, b, s FROM m ORDER BY ts") == [
        (1704067200000, 0, 1.5, True, "a"),
        (1704067201000, 2, None, False, None),
    ]


def test_second_kind_refusals(conn: taos.TaosConnection) -> None:
    statement = conn.statement2()
    assert statement is not None
    for sql, text in ((None, "sql is null"), (5, "sql is not str type"), ("", "sql is empty")):
        with pytest.raises(StatementError, match=text):
            statement.prepare(sql)  # type: ignore[arg-type]
    with pytest.raises(StatementError):
        statement.bind_param(["d1"], [[1, "a"]], [[[1], [2]]])
    with pytest.raises(StatementError):
        statement.prepare("INSERT INTO missing VALUES (?, ?)")
    assert statement.error()
    statement.prepare("INSERT INTO ? USING log (t1, t2) TAGS (?, ?) (ts, ii, bb) VALUES (?, ?, ?)")
    column = [[1], [2], ["a"]]
    for arguments, text in [
        (("d1", [[1, "a"]], [column]), "tbnames is not list or tuple"),
        ((None, None, None), "all bind params is None"),
        ((["d1", None], [[1, "a"]] * 2, [column] * 2), "tbnames some is None"),
        ((["d1"], [[1, "a"]] * 2, [column]), "count is inconsistent. require count=1 real=2"),
        ((["d1"], [[1]], [column]), "tags count is inconsistent"),
        ((["d1"], [[1, "a"]], [column[:2]]), "datas count is inconsistent"),
        ((["d1"], [[1, "a"]], None), "datas"),
    ]:
        with pytest.raises(StatementError, match=text):
            statement.bind_param(*arguments)  # type: ignore[arg-type]
    for values in ([1], [True], ["2"], [b"2"], [2**31]):
        bad = [[1], values, ["a"]] if values != [1] else [[1], [2], [1]]
        with pytest.raises(DataTypeAndRangeError):
            statement.bind_param(["d1"], [[1, "a"]], [bad])
    assert statement.execute() == 0
    assert stored(conn, "SELECT COUNT(*) FROM log") == [(0,)]


def test_options() -> None:
    option, other = taos.TaosStmt2Option(), taos.TaosStmt2Option()
    assert 0 < option.reqid < 2**63
    assert option.reqid != other.reqid
    option.reqid, option.single_stb_insert, option.single_table_bind_once = 7, True, True
    assert (option.reqid, option.single_stb_insert, option.single_table_bind_once) == (7, True, True)
    assert option.get_impl().reqid == 7
    for value in ("7", True, 1.5):
        with pytest.raises(StatementError, match="reqid type error"):
            taos.TaosStmt2Option(reqid=value)  # type: ignore[arg-type]


def test_callback_of_an_execution(conn: taos.TaosConnection) -> None:
    told: list[Any] = []
    option = taos.TaosStmt2Option(async_exec_fn=lambda *given: told.append(given), userdata=5)
    statement = conn.statement2("INSERT INTO c USING log TAGS (1, 'x') (ts, ii) VALUES (?, ?)", option)
    assert statement is not None
    statement.bind_param(None, None, [[[1], [2]]])
    statement.execute()
    assert [(given[0], given[2]) for given in told] == [(5, 0)]


def test_cells_that_are_left_as_they_are(conn: taos.TaosConnection) -> None:
    if conn.transport == "rest":
        pytest.skip("text cannot leave out single cells")
    conn.execute("CREATE TABLE n (ts TIMESTAMP, a INT, b VARCHAR(10))")
    conn.execute("INSERT INTO n VALUES (1, 1, 'one') (2, 2, 'two')")
    statement = conn.statement2("INSERT INTO n VALUES (?, ?, ?)")
    assert statement is not None
    columns = taos.new_stmt2_binds(3)
    columns[0].timestamp([1, 2])
    columns[1].int([taos.IGNORE, 20])
    columns[2].varchar(["new", taos.IGNORE])
    assert columns[1].is_null == [2, 0]
    taos_stmt2_bind_param(statement, taos.new_bindv(1, None, None, [columns]).get_address(), -1)
    assert taos_stmt2_exec(statement) == 2
    assert stored(conn, "SELECT a, b FROM n ORDER BY ts") == [(1, "new"), (20, "two")]


def test_lower_level_values() -> None:
    assert [taos.get_is_null_type(value) for value in (5, None, taos.IGNORE)] == [0, 1, 2]
    assert repr(taos.IGNORE) == "IgnoreUpdateType(None)"
    assert type(taos.IGNORE)(None) is taos.IGNORE
    kind = taos.FieldType
    for code, values in [
        (kind.C_BOOL, [True, None, 0]),
        (kind.C_TINYINT, [1, None, -128]),
        (kind.C_BIGINT_UNSIGNED, [2**64 - 1, None, 0]),
        (kind.C_FLOAT, [1, None, 2.5]),
        (kind.C_TIMESTAMP, [1, None, datetime.datetime(2020, 1, 1)]),
        (kind.C_BINARY, ["a", None, ""]),
        (kind.C_NCHAR, ["é", None, ""]),
        (kind.C_JSON, ["{}", None, "1"]),
        (kind.C_VARBINARY, [b"a", None, bytearray(b"b")]),
        (kind.C_GEOMETRY, [POINT, None, POINT]),
        (kind.C_BLOB, [b"a", None, b""]),
    ]:
        bind = taos.TaosStmt2Bind()
        bind.set_value(code, values)
        assert (bind.buffer_type, bind.num, bind.is_null) == (code, 3, [0, 1, 0])
    with pytest.raises(DataTypeAndRangeError, match="invalid datatype"):
        taos.TaosStmt2Bind().set_value(99, [1])


def test_functions_of_the_c_interface(conn: taos.TaosConnection) -> None:
    conn.execute("CREATE TABLE n (ts TIMESTAMP, v INT)")
    statement = taos_stmt_init_with_reqid(conn._conn, 7)  # type: ignore[arg-type]
    taos_stmt_prepare(statement, "INSERT INTO n VALUES (?, ?)")
    assert taos_stmt_num_params(statement) == 2
    binds = taos.new_multi_binds(2)
    binds[0].timestamp([1, 2])
    binds[1].int([1, None])
    taos_stmt_bind_param_batch(statement, binds)
    taos_stmt_add_batch(statement)
    taos_stmt_execute(statement)
    taos_stmt_prepare(statement, "SELECT v FROM n WHERE v = ?")
    value = taos.new_bind_params(1)
    value[0].int(1)
    taos_stmt_bind_param_batch(statement, value)
    taos_stmt_execute(statement)
    assert taos.taos_fetch_block(taos_stmt_use_result(statement)) == ([[1]], 1)
    second = taos_stmt2_init(conn._conn, taos.TaosStmt2Option().get_impl())  # type: ignore[arg-type]
    with pytest.raises(StatementError):
        taos_stmt2_bind_param(second, taos.new_bindv(0, None, None, []), -1)
    taos_stmt2_prepare(second, "INSERT INTO n VALUES (?, ?)")
    assert taos_stmt2_is_insert(second)
    assert [field.name for field in taos_stmt2_get_fields(second)[1]] == ["ts", "v"]


@pytest.mark.parametrize("name", ["x` USING log TAGS (1, 'a') VALUES (1); --", "x') VALUES (1) --", "x y", "`x` `y`", "`", "a`b"])
def test_names_of_tables_change_no_statement(conn: taos.TaosConnection, name: str) -> None:
    before = stored(conn, "SHOW TABLES")
    statement = conn.statement2("INSERT INTO ? USING log (t1, t2) TAGS (?, ?) (ts, ii) VALUES (?, ?)")
    assert statement is not None
    try:
        statement.bind_param([name], [[1, "'); DROP TABLE log; --"]], [[[1], [2]]])
        statement.execute()
    except StatementError:
        assert stored(conn, "SHOW TABLES") == before
    else:
        # It was taken for what it is: a name.
        assert stored(conn, "SELECT tbname, t2, ii FROM log") == [(name, "'); DROP TABLE log; --", 2)]
