"""No parameter changes the statement: one list of texts, as values and names, through every interface over each transport."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest
import sqlalchemy
from nasty import TEXTS
from sqlalchemy import Column, MetaData, Table, bindparam, select

import embudo
import embudo.aio
import taos
import taosws

_COLUMNS = "(ts TIMESTAMP, v INT, s VARCHAR(600), n NCHAR(600))"
_INSERT = "INSERT INTO t (ts, v, s, n) VALUES (?, ?, ?, ?)"


def _state(root: embudo.Connection, database: str) -> list[Any]:
    """What no parameter may change."""
    return [
        root.execute("SHOW DATABASES").fetchall(),
        root.execute("SHOW USERS").fetchall(),
        root.execute(f"SELECT * FROM {database}.victim").fetchall(),
        root.execute("SELECT table_name FROM information_schema.ins_tables WHERE db_name = ?", [database]).fetchall(),
    ]


@pytest.fixture
def place(root: embudo.Connection, database: str) -> Iterator[str]:
    """A database with a table to write into and one that nothing here writes to, which is the same afterwards."""
    root.execute(f"CREATE TABLE {database}.t {_COLUMNS}")
    root.execute(f"CREATE TABLE {database}.victim {_COLUMNS}")
    root.execute(f"INSERT INTO {database}.victim VALUES (1, 1, 'a', 'b') (2, 2, 'c', 'd')")
    before = _state(root, database)
    yield database
    assert _state(root, database) == before


def _holds(root: embudo.Connection, database: str) -> list[tuple[str, str]]:
    found = root.execute(f"SELECT s, n FROM {database}.t ORDER BY ts").fetchall()
    return [(s, n) for s, n in found]


EVERY = [(text, text) for text in TEXTS]
ROWS = [(at + 1, at, text, text) for at, text in enumerate(TEXTS)]


def _execute(conn: embudo.Connection) -> None:
    for row in ROWS:
        conn.execute(_INSERT, row)


def _named(conn: embudo.Connection) -> None:
    for ts, v, s, n in ROWS:
        conn.execute("INSERT INTO t (ts, v, s, n) VALUES (:a, :b, :c, :d)", {"a": ts, "b": v, "c": s, "d": n})


def _in_one_statement(conn: embudo.Connection) -> None:
    values = [value for row in ROWS for value in row]
    conn.execute("INSERT INTO t (ts, v, s, n) VALUES " + "(?, ?, ?, ?)" * len(ROWS), values)


def _executemany(conn: embudo.Connection) -> None:
    conn.executemany(_INSERT, ROWS)


def _executemany_named(conn: embudo.Connection) -> None:
    rows = [dict(zip("abcd", row, strict=True)) for row in ROWS]
    conn.executemany("INSERT INTO t (ts, v, s, n) VALUES (:a, :b, :c, :d)", rows)


def _ingest(conn: embudo.Connection) -> None:
    ts, v, s, n = (list(column) for column in zip(*ROWS, strict=True))
    conn.ingest("t", {"ts": ts, "v": v, "s": s, "n": n})


def _ingest_frame(conn: embudo.Connection) -> None:
    conn.ingest("t", pd.DataFrame(ROWS, columns=["ts", "v", "s", "n"]))


@pytest.mark.parametrize(
    "write", [_execute, _named, _in_one_statement, _executemany, _executemany_named, _ingest, _ingest_frame], ids=lambda way: way.__name__
)
def test_embudo(root: embudo.Connection, dsn: str, place: str, write: Callable[[embudo.Connection], None]) -> None:
    with embudo.connect(dsn, database=place, timezone="UTC") as conn:
        write(conn)
        assert _holds(root, place) == EVERY
        for at, text in enumerate(TEXTS):
            assert conn.execute("SELECT v FROM t WHERE s = ? AND n = ?", [text, text]).fetchall() == [(at,)], text
            assert conn.execute("SELECT v FROM t WHERE s = :x AND n = :x", {"x": text}).fetchall() == [(at,)], text
            assert conn.execute("SELECT ?, v FROM t WHERE ts = 1", [text]).fetchall() == [(text, 0)], text
        found = conn.execute(f"SELECT COUNT(*) FROM t WHERE s IN ({', '.join('?' * len(TEXTS))})", TEXTS).fetchone()
        assert found == (len(TEXTS),)


def test_parameters_are_no_syntax(dsn: str, place: str) -> None:
    """Where no value can stand, a parameter is refused, or a name is what it says."""
    with embudo.connect(dsn, database=place, timezone="UTC") as conn:
        for text in TEXTS:
            for sql in ("SELECT v FROM ?", "SELECT v FROM victim ORDER BY v ?", "DROP TABLE ?", "USE ?"):
                with pytest.raises(embudo.Error):
                    conn.execute(sql, [text]).fetchall()


def test_names(root: embudo.Connection, dsn: str, place: str) -> None:
    """A text as the name of a database, table, topic or group names that, or nothing."""
    with embudo.connect(dsn, database=place, timezone="UTC") as conn:
        for text in TEXTS:
            with pytest.raises(embudo.Error):
                conn.ingest(text, {"ts": [1], "v": [1]}, create=False)
            with pytest.raises(embudo.Error):
                conn.ingest("t", {"ts": [9], text: [1]}, create=False)
            with pytest.raises(embudo.Error):
                conn.subscribe(text, group="g")
            with pytest.raises(embudo.Error), embudo.connect(dsn, database=text) as other:
                other.execute("SELECT * FROM victim").fetchall()


def test_children_that_data_name(root: embudo.Connection, dsn: str, place: str) -> None:
    """Values that name child tables become their names, whole, or are refused; tags are values."""
    root.execute(f"CREATE STABLE {place}.m (ts TIMESTAMP, v INT) TAGS (label NCHAR(600))")
    names = [text for text in TEXTS if len(text.encode()) < 190]
    try:
        with embudo.connect(dsn, database=place, timezone="UTC") as conn:
            for at, text in enumerate(TEXTS):
                conn.executemany("INSERT INTO ? USING m TAGS (?) VALUES (?, ?)", [(f"c{at}", text, 1, at)])
            found = conn.execute("SELECT v, label FROM m ORDER BY v").fetchall()
            assert found == list(enumerate(TEXTS))
            taken = []
            for at, text in enumerate(names):
                try:
                    conn.ingest("m", {"ts": [2], "v": [at], "label": ["x"], "name": [text]}, tags=("label",), table="name")
                except embudo.Error:
                    continue
                taken.append((at, text.lower()))
            found = conn.execute("SELECT v, tbname FROM m WHERE label = 'x' ORDER BY v").fetchall()
            assert [(v, name.lower()) for v, name in found] == taken
    finally:
        root.execute(f"DROP STABLE {place}.m")


def test_aio(root: embudo.Connection, dsn: str, place: str) -> None:
    async def run() -> None:
        async with embudo.aio.connect(dsn, database=place, timezone="UTC") as conn:
            await conn.executemany(_INSERT, ROWS)
            for at, text in enumerate(TEXTS):
                assert await (await conn.execute("SELECT v FROM t WHERE s = ?", [text])).fetchall() == [(at,)], text
                assert await (await conn.execute("SELECT v FROM t WHERE n = :x", {"x": text})).fetchall() == [(at,)], text
                await conn.execute(_INSERT, [at + 1, at, text, text])

    asyncio.run(run())
    assert _holds(root, place) == EVERY


def test_taos(root: embudo.Connection, dsn: str, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBUDO_DSN", dsn)
    conn = taos.connect(database=place)
    cursor = conn.cursor()
    cursor.executemany(_INSERT, ROWS[:10])
    for row in ROWS[10:20]:
        cursor.execute(_INSERT, row)
    statement = conn.statement("INSERT INTO t (ts, v, s, n) VALUES (?, ?, ?, ?)")
    assert statement is not None
    for ts, v, s, n in ROWS[20:30]:
        binds = taos.new_bind_params(4)
        binds[0].timestamp(ts)
        binds[1].int(v)
        binds[2].binary(s)
        binds[3].nchar(n)
        statement.bind_param(binds)
    statement.execute()
    second = conn.statement2(_INSERT)
    assert second is not None
    second.bind_param(None, None, [[list(column) for column in zip(*ROWS[30:], strict=True)]])
    assert second.execute() == len(ROWS) - 30
    assert _holds(root, place) == EVERY
    for at, text in enumerate(TEXTS):
        cursor.execute("SELECT v FROM t WHERE s = ?", (text,))
        assert cursor.fetchall() == [(at,)], text
        for call in (
            lambda text=text: conn.select_db(text),
            # Names in backticks name what is between them.
            lambda text=text: conn.load_table_info(f"{text}_"),
            lambda text=text: conn.get_table_vgroup_id(text, text),
            lambda text=text: conn.get_table_vgroup_id(place, text) if text != "victim" else None,
        ):
            with pytest.raises(taos.Error):
                call()
        with pytest.raises(taos.Error):
            taos.connect(database=text)


def test_taos_execute_many(root: embudo.Connection, dsn: str, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows go into the text as Python writes tuples: a text that needs both quotes is escaped by a backslash, which SQL knows."""
    monkeypatch.setenv("EMBUDO_DSN", dsn)
    cursor = taos.connect(database=place).cursor()
    assert cursor.execute_many("INSERT INTO t (ts, v, s, n) VALUES", ROWS) == len(ROWS)
    printable = [(text, text) for text in TEXTS if text.isprintable()]
    # Control characters come as Python writes them; everything that prints is the same.
    assert [s for s, text in zip(_holds(root, place), TEXTS, strict=True) if text.isprintable()] == printable


def test_taosws(root: embudo.Connection, server: embudo.Server, place: str) -> None:
    conn = taosws.connect(f"{server.ws_dsn}/{place}")
    statement = conn.statement()
    statement.prepare(_INSERT)
    half = len(ROWS) // 2
    ts, v, s, n = (list(column) for column in zip(*ROWS[:half], strict=True))
    statement.bind_param(
        [
            taosws.millis_timestamps_to_column(ts),
            taosws.ints_to_column(v),
            taosws.varchar_to_column(s),
            taosws.nchar_to_column(n),
        ]
    )
    statement.add_batch()
    statement.execute()
    second = conn.stmt2_statement()
    second.prepare(_INSERT)
    ts, v, s, n = (list(column) for column in zip(*ROWS[half:], strict=True))
    columns = [
        taosws.millis_timestamps_to_column(ts),
        taosws.ints_to_column(v),
        taosws.varchar_to_column(s),
        taosws.nchar_to_column(n),
    ]
    second.bind([taosws.stmt2_bind_param_view(None, None, columns)])
    assert second.execute() == len(ROWS) - half
    assert _holds(root, place) == EVERY
    cursor = conn.cursor()
    cursor.executemany(_INSERT, ROWS)
    assert _holds(root, place) == EVERY
    for text in TEXTS:
        with pytest.raises(taosws.Error):
            taosws.connect(f"{server.ws_dsn}", database=text)


@pytest.mark.parametrize("field", ["{0.real}", "{0[0]}", "{a.__class__}", "{a[k]}", "{0:{a.b}}", "{0!r:{1[0]}}"])
def test_format_fields_reach_into_nothing(server: embudo.Server, root: embudo.Connection, field: str) -> None:
    """Statements of `taosws` and `taos.execute_many` are format strings, as they were, but of plain fields."""
    cursor = taosws.connect(server.ws_dsn).cursor()
    for call in (
        lambda: cursor.execute(f"SELECT {field}", [1], a={"k": 1}),
        lambda: cursor.execute_many(f"SELECT {field}", [{"a": {"k": 1}}]),
    ):
        with pytest.raises(taosws.ProgrammingError, match="plain name"):
            call()
    with pytest.raises(taos.ProgrammingError, match="plain name"):
        taos.connect(host=server.host, port=server.port).cursor().execute_many(f"SELECT {field}", [{"a": {"k": 1}}])


@pytest.mark.parametrize("scheme", ["embudo", "taos", "taosrest", "taosws"])
def test_sqlalchemy(root: embudo.Connection, server: embudo.Server, place: str, scheme: str) -> None:
    address = "embudo+ws" if scheme == "embudo" else scheme
    engine = sqlalchemy.create_engine(f"{address}://root:taosdata@{server.host}:{server.port}/{place}")
    table = Table(
        "t",
        MetaData(),
        Column("ts", sqlalchemy.BigInteger),
        Column("v", sqlalchemy.Integer),
        Column("s", sqlalchemy.String(600)),
        Column("n", sqlalchemy.Unicode(600)),
    )
    named = [{"ts": ts, "v": v, "s": s, "n": n} for ts, v, s, n in ROWS]
    with engine.connect() as conn:
        conn.execute(sqlalchemy.text("INSERT INTO t (ts, v, s, n) VALUES (:ts, :v, :s, :n)"), named)
        assert _holds(root, place) == EVERY
        for at, text in enumerate(TEXTS):
            by_text = sqlalchemy.text("SELECT v FROM t WHERE s = :x AND n = :x")
            assert conn.execute(by_text, {"x": text}).fetchall() == [(at,)], text
            assert conn.execute(select(table.c.v).where(table.c.n == text)).fetchall() == [(at,)], text
            literal = select(table.c.v).where(table.c.s == bindparam(None, text, literal_execute=True))
            assert conn.execute(literal).fetchall() == [(at,)], text
            assert conn.execute(select(table.c.v).where(table.c.s.in_([text, "no such text"]))).fetchall() == [(at,)], text
        inspector = sqlalchemy.inspect(conn)
        for text in TEXTS:
            assert not inspector.has_table(text), text
            assert not inspector.has_table("t", schema=text), text
            with pytest.raises(sqlalchemy.exc.DBAPIError):
                conn.execute(select(sqlalchemy.literal_column("1")).select_from(sqlalchemy.table(text)))
    engine.dispose()


def test_adbc(root: embudo.Connection, dsn: str, place: str) -> None:
    dbapi = pytest.importorskip("adbc_driver_manager.dbapi")

    import pyarrow as pa

    import embudo.adbc

    with embudo.adbc.connect(dsn, database=place) as conn, conn.cursor() as cursor:
        cursor.executemany(_INSERT, ROWS)
        assert _holds(root, place) == EVERY
        for at, text in enumerate(TEXTS):
            cursor.execute("SELECT v FROM t WHERE s = ?", (text,))
            assert cursor.fetchall() == [(at,)], text
            with pytest.raises(dbapi.Error):
                cursor.adbc_ingest(text, pa.table({"ts": [1], "v": [1]}), mode="append")
        ts, v, s, n = (list(column) for column in zip(*ROWS, strict=True))
        cursor.adbc_ingest(
            "t", pa.table({"ts": pa.array(ts, pa.timestamp("ms")), "v": pa.array(v, pa.int32()), "s": s, "n": n}), mode="append"
        )
    assert _holds(root, place) == EVERY
