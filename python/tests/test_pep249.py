"""The rules of PEP 249, over each transport."""

from __future__ import annotations

import datetime
import pathlib
import pickle
from typing import Any

import pytest

import embudo


@pytest.fixture
def filled(conn: embudo.Connection) -> embudo.Connection:
    conn.execute("CREATE TABLE t (ts TIMESTAMP, v INT, s VARCHAR(20))")
    conn.execute("INSERT INTO t VALUES (1000, 1, 'a') (2000, 2, NULL) (3000, NULL, 'c')")
    return conn


def test_module() -> None:
    assert embudo.apilevel == "2.0"
    assert embudo.threadsafety == 2
    assert embudo.paramstyle == "qmark"
    assert issubclass(embudo.ProgrammingError, embudo.DatabaseError)
    assert issubclass(embudo.DatabaseError, embudo.Error)
    assert not issubclass(embudo.InterfaceError, embudo.DatabaseError)
    assert embudo.DateFromTicks(0) == datetime.date.fromtimestamp(0)
    assert embudo.TimestampFromTicks(0).timestamp() == 0
    assert embudo.Binary(b"x") == b"x"


def test_every_public_name_is_there() -> None:
    for name in embudo.__all__:
        assert getattr(embudo, name) is not None, name
    with pytest.raises(AttributeError):
        _ = embudo.nothing  # type: ignore[attr-defined]


def test_rows_and_description(filled: embudo.Connection) -> None:
    cursor = filled.cursor()
    assert cursor.description is None
    assert cursor.rowcount == -1
    cursor.execute("SELECT ts, v, s FROM t ORDER BY ts")
    assert [column[0] for column in cursor.description] == ["ts", "v", "s"]
    assert all(len(column) == 7 for column in cursor.description)
    assert cursor.description[0][1] == embudo.DATETIME
    assert cursor.description[1][1] == embudo.NUMBER
    assert cursor.description[2][1] == embudo.STRING
    assert cursor.description[2][1] != embudo.NUMBER
    first = cursor.fetchone()
    assert first == (datetime.datetime(1970, 1, 1, 0, 0, 1, tzinfo=datetime.UTC), 1, "a")
    assert cursor.rowcount == -1
    assert len(cursor.fetchmany(1)) == 1
    assert [row[1:] for row in cursor.fetchall()] == [(None, "c")]
    assert cursor.rowcount == 3
    assert cursor.fetchall() == []
    assert cursor.fetchone() is None
    assert cursor.fetchmany(5) == []


def test_iteration_and_arraysize(filled: embudo.Connection) -> None:
    cursor = filled.execute("SELECT v FROM t ORDER BY ts")
    assert list(cursor) == [(1,), (2,), (None,)]
    cursor = filled.execute("SELECT v FROM t ORDER BY ts")
    assert cursor.fetchmany() == [(1,)]
    cursor.arraysize = 2
    assert cursor.fetchmany() == [(2,), (None,)]
    assert filled.execute("SELECT v FROM t WHERE v > 100").fetchall() == []


def test_updates_have_no_rows(filled: embudo.Connection) -> None:
    cursor = filled.execute("INSERT INTO t VALUES (4000, 4, 'd') (5000, 5, 'e')")
    assert cursor.rowcount == 2
    assert cursor.description is None
    for fetch in (cursor.fetchone, cursor.fetchall, cursor.fetchmany, cursor.df):
        with pytest.raises(embudo.ProgrammingError):
            fetch()


def test_row_factories(filled: embudo.Connection) -> None:
    rows = filled.cursor(row_factory=embudo.dict_row).execute("SELECT v, s FROM t ORDER BY ts").fetchall()
    assert rows[0] == {"v": 1, "s": "a"}
    row: Any = filled.cursor(row_factory=embudo.named_row).execute("SELECT v, count(*) FROM t GROUP BY v").fetchone()
    assert row.v == row[0]


def test_executemany(filled: embudo.Connection) -> None:
    cursor = filled.executemany("INSERT INTO t VALUES (?, ?, ?)", [(10_000 + i, i, f"x'{i}") for i in range(500)])
    assert cursor.rowcount == 500
    assert filled.execute("SELECT COUNT(*) FROM t").fetchone() == (503,)
    assert filled.execute("SELECT v FROM t WHERE s = ?", ["x'77"]).fetchall() == [(77,)]
    filled.executemany("INSERT INTO t (ts, v) VALUES (:at, :v)", [{"at": 90_000, "v": 7}, {"at": 91_000, "v": 8}])
    assert filled.execute("SELECT v FROM t WHERE ts >= 90000").fetchall() == [(7,), (8,)]
    assert filled.executemany("INSERT INTO t VALUES (?, ?, ?)", []).rowcount == 0
    with pytest.raises(embudo.ProgrammingError):
        filled.executemany("INSERT INTO t VALUES (?, ?, ?)", [(1, 2), (1, 2)])


def test_executemany_names_tables(conn: embudo.Connection) -> None:
    conn.execute("CREATE STABLE m (ts TIMESTAMP, v INT) TAGS (g INT)")
    rows = [(f"d{g}", g, ts, ts) for g in range(3) for ts in (1, 2)]
    assert conn.executemany("INSERT INTO ? USING m TAGS (?) VALUES (?, ?)", rows).rowcount == 6
    found = conn.execute("SELECT tbname, g, COUNT(*) FROM m GROUP BY tbname, g ORDER BY g").fetchall()
    assert found == [("d0", 0, 2), ("d1", 1, 2), ("d2", 2, 2)]


def test_closed_things(filled: embudo.Connection) -> None:
    cursor = filled.execute("SELECT v FROM t")
    cursor.close()
    cursor.close()
    with pytest.raises(embudo.InterfaceError):
        cursor.fetchone()
    with filled.cursor() as inner:
        inner.execute("SELECT v FROM t")
    with pytest.raises(embudo.InterfaceError):
        inner.execute("SELECT v FROM t")
    open_cursor = filled.cursor()
    filled.close()
    filled.close()
    for call in (
        filled.cursor,
        filled.commit,
        lambda: filled.execute("SELECT 1"),
        lambda: open_cursor.execute("SELECT 1"),
    ):
        with pytest.raises(embudo.InterfaceError, match="closed"):
            call()


def test_transactions(conn: embudo.Connection) -> None:
    conn.commit()
    with pytest.raises(embudo.NotSupportedError):
        conn.rollback()


def test_errors_say_what_and_where(conn: embudo.Connection) -> None:
    with pytest.raises(embudo.ProgrammingError) as caught:
        conn.execute("DROP DATABASE missing")
    error = caught.value
    assert error.errno == 0x0388
    assert error.code_name == "DATABASE_NOT_EXIST"
    assert str(error) == "[0x0388]: Database not exist"
    assert error.hint in error.__notes__
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (again.errno, again.msg, again.code_name, again.hint) == (
        error.errno,
        error.msg,
        error.code_name,
        error.hint,
    )
    assert again.__notes__ == error.__notes__
    with pytest.raises(embudo.ProgrammingError):
        conn.execute("SELECT * FROM missing")
    with pytest.raises(conn.ProgrammingError, match="syntax error near"):
        conn.execute("SELEC 1")
    with pytest.raises(conn.ProgrammingError):
        conn.execute("CREATE TABLE 123")


def test_errors_help(conn: embudo.Connection, tmp_path: pathlib.Path) -> None:
    """What a new user does wrong first: the class is right, and something says what to do."""
    conn.execute("CREATE TABLE t (ts TIMESTAMP, v INT, s VARCHAR(4))")
    for sql, kind, help_ in (
        ("SELECT * FROM missing", embudo.ProgrammingError, "SHOW TABLES"),
        ("SELECT missing FROM t", embudo.ProgrammingError, "DESCRIBE"),
        ("SELECT missing(v) FROM t", embudo.ProgrammingError, "documentation"),
        ("INSERT INTO t VALUES (1, 1, 'abcdef')", embudo.DataError, "truncate"),
    ):
        with pytest.raises(kind) as caught:
            conn.execute(sql)
        assert help_ in "\n".join(caught.value.__notes__), sql
    with pytest.raises(embudo.ProgrammingError) as caught:
        conn.execute("SELECT v\n FORM t")
    assert caught.value.position is None or "^" in caught.value.__notes__[-1]
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(embudo.OperationalError, match="opening"):
        embudo.connect(file)


def test_a_result_is_read_once(filled: embudo.Connection) -> None:
    cursor = filled.execute("SELECT v FROM t ORDER BY ts")
    assert cursor.fetchone() == (1,)
    assert len(cursor.df()) == 2
    for again in (cursor.df, cursor.arrow, cursor.fetchall, cursor.fetchone):
        with pytest.raises(embudo.ProgrammingError, match="consumed"):
            again()
    cursor.execute("SELECT v FROM t")
    assert len(cursor.fetchall()) == 3
    with pytest.raises(embudo.ProgrammingError, match="consumed"):
        cursor.df()


def test_batches(conn: embudo.Connection) -> None:
    conn.execute("CREATE TABLE many (ts TIMESTAMP, v INT)")
    conn.executemany("INSERT INTO many VALUES (?, ?)", [(i, i) for i in range(10_000)])
    cursor = conn.execute("SELECT v FROM many")
    sizes = [len(batch) for batch in cursor.batches(3_000)]
    assert sum(sizes) == 10_000
    assert max(sizes) <= 3_000
    assert cursor.rowcount == 10_000


def test_where_it_leads(conn: embudo.Connection, dsn: str) -> None:
    assert conn.transport == {"taosrest": "rest", "taosws": "websocket", "taos+native": "native"}.get(dsn.partition(":")[0], "embedded")
    assert conn.timezone == "UTC"
    assert conn.server_version == "3.3.6.13"
    assert "taosdata" not in repr(conn)
    assert "taosdata" not in conn.dsn
