"""What a user's program sees of the types; checked by `mypy --strict`, not run."""

from __future__ import annotations

from typing import Any, assert_type

import embudo
import embudo.aio
import taos
import taosrest
import taosws


def blocking() -> None:
    conn = embudo.connect(":memory:")
    assert_type(conn, embudo.Connection[tuple[Any, ...]])
    cursor = conn.execute("SELECT 1", [1], timeout=1.0)
    assert_type(cursor.fetchone(), tuple[Any, ...] | None)
    assert_type(cursor.rowcount, int)
    named = embudo.connect(":memory:", row_factory=embudo.dict_row)
    assert_type(named.execute("SELECT 1").fetchall(), list[dict[str, Any]])
    assert_type(conn.cursor(row_factory=embudo.dict_row).fetchone(), dict[str, Any] | None)
    assert_type(conn.ingest("t", {"ts": [1]}), embudo.IngestResult)
    for message in conn.subscribe("topic", group="g"):
        assert_type(message, embudo.Message)
    with embudo.ConnectionPool(":memory:") as pool, pool.connection() as lent:
        assert_type(lent, embudo.Connection[Any])
    with conn.statement("INSERT INTO t VALUES (?, ?)") as statement:
        statement.bind({"ts": [1], "v": [None]}, table=None)
        assert_type(statement.execute(), int)
    try:
        conn.execute("SELEC")
    except embudo.ProgrammingError as error:
        assert_type(error.errno, int)
        assert_type(error.position, int | None)
    for batch in conn.execute("SELECT 1").batches(rows=10):
        assert_type(len(batch), int)
    with conn.serve() as server:
        assert_type(server.dsn, str)


def shims() -> None:
    native = taos.connect(host="localhost")
    assert_type(native, taos.TaosConnection)
    assert_type(native.query("SELECT 1").fetch_all(), list[tuple[Any, ...]])
    assert_type(taosrest.connect(url="http://localhost:6041").query("SELECT 1"), taosrest.Result)
    assert_type(taosws.connect("taosws://localhost").cursor(), taosws.Cursor)


async def asynchronous() -> None:
    async with embudo.aio.connect(":memory:", row_factory=embudo.dict_row) as conn:
        cursor = await conn.execute("SELECT 1")
        assert_type(await cursor.fetchall(), list[dict[str, Any]])
        async for row in cursor:
            assert_type(row, dict[str, Any])
    async with embudo.aio.ConnectionPool(":memory:", size=2) as pool, pool.connection() as lent:
        assert_type(lent, embudo.aio.Connection[Any])
