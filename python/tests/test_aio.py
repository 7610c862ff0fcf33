"""The asynchronous API: rows, frames, many at once, cancelled ones, on every transport and on two kinds of event loop."""

from __future__ import annotations

import asyncio
import os
import pathlib
import subprocess
import sys
import textwrap
import time
from collections.abc import Coroutine
from typing import Any

import pytest

import embudo
import embudo.aio

LOOPS = ["asyncio", "uvloop"] if os.name == "posix" else ["asyncio"]


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Any:
    """Runs a coroutine on a loop of each kind."""
    if request.param == "uvloop":
        return pytest.importorskip("uvloop").run
    return asyncio.run


def test_rows_and_frames(run: Any, dsn: str, database: str) -> None:
    async def body() -> None:
        async with embudo.aio.connect(dsn, database=database, timezone="UTC") as conn:
            assert (await conn.server_version()).startswith("3.")
            cursor = await conn.execute("CREATE TABLE t (ts TIMESTAMP, v INT, s VARCHAR(20))")
            assert (cursor.rowcount, cursor.description) == (0, None)
            cursor = await conn.executemany("INSERT INTO t VALUES (?, ?, ?)", [(i, i, f"x{i}") for i in range(5000)])
            assert cursor.rowcount == 5000
            assert (await conn.execute("INSERT INTO t VALUES (?, ?, ?)", [9_000, None, "it's"])).rowcount == 1

            cursor = await conn.execute("SELECT v, s FROM t ORDER BY ts")
            assert [column[0] for column in cursor.description or []] == ["v", "s"]
            assert cursor.rowcount == -1
            assert await cursor.fetchone() == (0, "x0")
            assert await cursor.fetchmany(2) == [(1, "x1"), (2, "x2")]
            rest = await cursor.fetchall()
            assert (len(rest), rest[0], rest[-1]) == (4998, (3, "x3"), (None, "it's"))
            assert cursor.rowcount == 5001
            assert await cursor.fetchone() is None

            assert [row async for row in await conn.execute("SELECT v FROM t WHERE ts < ?", [3])] == [(0,), (1,), (2,)]
            assert [row async for row in await conn.execute("SELECT v FROM t WHERE v = :v", {"v": 7})] == [(7,)]
            assert len(await (await conn.execute("SELECT * FROM t")).df()) == 5001
            assert (await (await conn.execute("SELECT COUNT(*) FROM t")).arrow()).num_rows == 1
            assert (await (await conn.execute("SELECT COUNT(*) FROM t")).pl()).item() == 5001
            assert (await (await conn.execute("SELECT v FROM t LIMIT 3")).numpy())["v"].tolist() == [0, 1, 2]
            sizes = [len(batch) async for batch in (await conn.execute("SELECT * FROM t")).batches(1000)]
            assert sum(sizes) == 5001
            assert max(sizes) <= 1000
            named = await conn.cursor(row_factory=embudo.dict_row).execute("SELECT v FROM t LIMIT 1")
            assert await named.fetchall() == [{"v": 0}]
            assert [row async for row in await conn.cursor(row_factory=embudo.dict_row).execute("SELECT v FROM t LIMIT 2")] == [
                {"v": 0},
                {"v": 1},
            ]
            taken = await conn.execute("SELECT * FROM t")
            await taken.table()
            with pytest.raises(embudo.ProgrammingError, match="consumed"):
                await taken.fetchall()

    run(body())


def test_writing(run: Any, dsn: str, database: str) -> None:
    async def body() -> None:
        async with embudo.aio.connect(dsn, database=database) as conn:
            written = await conn.ingest("meters", {"ts": [1, 2], "v": [1.5, 2.5], "g": [1, 2]}, tags=["g"], table="d{g}")
            assert (written.rows, written.tables) == (2, 2)
            assert await conn.write_lines("cpu,host=a usage=0.5", unit="ms") == 1
            await conn.commit()
            with pytest.raises(embudo.NotSupportedError):
                await conn.rollback()
            with pytest.raises(embudo.DataError, match="row 1"):
                await conn.ingest("meters", {"ts": [1, 2], "v": [1.5, "x"], "g": [1, 2]}, tags=["g"], table="d{g}")

    run(body())


def test_errors_and_misuse(run: Any, dsn: str, database: str) -> None:
    async def body() -> None:
        conn = await embudo.aio.connect(dsn, database=database)
        with pytest.raises(embudo.ProgrammingError) as caught:
            await conn.execute("SELECT * FROM missing")
        assert caught.value.errno != 0xFFFF
        with pytest.raises(embudo.ProgrammingError):
            await (await conn.execute(f"USE {database}")).fetchall()
        with pytest.raises(embudo.InterfaceError):
            await conn.execute("SELECT :a", {"b": 1})
        cursor = await conn.execute("SELECT 1")
        await cursor.close()
        with pytest.raises(embudo.InterfaceError):
            await cursor.fetchall()
        await conn.close()
        await conn.close()
        assert conn.closed
        with pytest.raises(embudo.InterfaceError):
            await conn.execute("SELECT 1")
        with pytest.raises(embudo.OperationalError):
            await embudo.aio.connect("taosws://127.0.0.1:1")

    run(body())


@pytest.mark.skipif(not pathlib.Path("/proc/self/task").exists(), reason="threads are counted by /proc")
def test_a_thousand_at_once_need_few_threads(tmp_path: pathlib.Path) -> None:
    """The server is another process, so that only the client's threads are counted."""
    code = """
        import asyncio, os, sys
        import embudo.aio

        async def main(dsn):
            before = len(os.listdir("/proc/self/task"))
            async with embudo.aio.connect(dsn) as conn:
                async def one(i):
                    return await (await conn.execute("SELECT v FROM d.t WHERE ts = ?", [i])).fetchall()
                found = await asyncio.gather(*[one(i) for i in range(1000)])
                assert found == [[(i,)] for i in range(1000)]
                print(len(os.listdir("/proc/self/task")) - before)

        asyncio.run(main(sys.argv[1]))
    """
    with embudo.connect(tmp_path / "data") as conn:
        conn.execute("CREATE DATABASE d KEEP 36500")
        conn.execute("CREATE TABLE d.t (ts TIMESTAMP, v INT)")
        conn.executemany("INSERT INTO d.t VALUES (?, ?)", [(i, i) for i in range(1000)])
        with conn.serve() as server:
            for dsn in (server.ws_dsn, server.rest_dsn):
                done = subprocess.run(
                    [sys.executable, "-c", textwrap.dedent(code), dsn], capture_output=True, text=True, timeout=600, check=False
                )
                assert done.returncode == 0, done.stderr
                assert int(done.stdout) <= 8
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "data")],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # The database itself has some too.
    assert int(done.stdout) <= 16


def _slow(conn: embudo.Connection) -> str:
    conn.ingest("big", {"ts": range(400_000), "v": [i % 7 for i in range(400_000)]})
    # Many in a row, each short: what ends it is looked for all the time, and it does not end by itself before.
    return " UNION ALL ".join(["SELECT COUNT(*) FROM (SELECT v, COUNT(*), STDDEV(v), SPREAD(v) FROM big PARTITION BY v, ts)"] * 100)


@pytest.mark.parametrize("transport", ["embedded", "websocket"])
def test_a_cancelled_task_stops_its_query(local: embudo.Connection, database: str, server: embudo.Server, transport: str) -> None:
    sql = _slow(local)
    dsn = ":memory:tests" if transport == "embedded" else server.ws_dsn

    def running() -> list[tuple[Any, ...]]:
        return [row for row in local.execute("SHOW QUERIES").fetchall() if any("SPREAD(v)" in str(cell) for cell in row)]

    async def body() -> None:
        async with embudo.aio.connect(dsn, database=database) as conn:
            for _ in range(3):
                task = asyncio.ensure_future(conn.execute(sql))
                deadline = time.perf_counter() + 60
                while not running() and not task.done() and time.perf_counter() < deadline:
                    await asyncio.sleep(0.001)
                assert not task.done(), "the query is too fast to be cancelled"
                task.cancel()
                cancelled = time.perf_counter()
                with pytest.raises(asyncio.CancelledError):
                    await task
                while running():
                    await asyncio.sleep(0.001)
                # The bar is 0.1 s on a machine that has nothing else to do.
                assert time.perf_counter() - cancelled < 15
                assert await (await conn.execute("SELECT 1")).fetchall() == [(1,)]

    asyncio.run(body())


def test_cancelling_one_leaves_the_others(run: Any, dsn: str, database: str) -> None:
    async def body() -> None:
        async with embudo.aio.connect(dsn, database=database) as conn:
            await conn.execute("CREATE TABLE t (ts TIMESTAMP, v INT)")
            await conn.executemany("INSERT INTO t VALUES (?, ?)", [(i, i) for i in range(100)])
            tasks = [asyncio.ensure_future(conn.execute("SELECT v FROM t WHERE ts = ?", [i])) for i in range(100)]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            for place, result in enumerate(results):
                if isinstance(result, asyncio.CancelledError):
                    assert place % 2 == 0
                else:
                    assert isinstance(result, embudo.aio.Cursor)
                    assert await result.fetchall() == [(place,)]
            with pytest.raises(asyncio.TimeoutError):
                async with asyncio.timeout(0):
                    await conn.execute("SELECT COUNT(*) FROM t")
            assert await (await conn.execute("SELECT COUNT(*) FROM t")).fetchall() == [(100,)]

    run(body())


def test_timeouts(local: embudo.Connection, database: str, server: embudo.Server) -> None:
    sql = _slow(local)

    async def body(dsn: str) -> None:
        async with embudo.aio.connect(dsn, database=database) as conn:
            with pytest.raises(embudo.OperationTimeout):
                await (await conn.execute(sql, timeout=0.01)).table()
            assert await (await conn.execute("SELECT COUNT(*) FROM big", timeout=120)).fetchall() == [(400_000,)]

    for dsn in (":memory:tests", server.ws_dsn):
        asyncio.run(body(dsn))


def test_a_broken_connection_ends_what_waits() -> None:
    async def body() -> None:
        served = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        port = served.sockets[0].getsockname()[1]
        with pytest.raises((embudo.Error, asyncio.TimeoutError)):
            async with asyncio.timeout(0.5):
                await embudo.aio.connect(f"taosws://127.0.0.1:{port}")
        served.close()

        with embudo.connect() as keeper:
            server = keeper.serve()
            conn = await embudo.aio.connect(server.ws_dsn)
            await conn.execute("SELECT 1")
            stopping = asyncio.to_thread(server.close)
            waiting = [asyncio.ensure_future(conn.execute("SELECT 1")) for _ in range(50)]
            await stopping
            for outcome in await asyncio.gather(*waiting, return_exceptions=True):
                assert isinstance(outcome, embudo.aio.Cursor | embudo.Error), outcome
            with pytest.raises(embudo.OperationalError):
                await conn.execute("SELECT 1")

    asyncio.run(body())


def test_a_result_is_read_by_one_task(local: embudo.Connection, database: str) -> None:
    local.ingest("big", {"ts": range(100_000), "v": 1})

    async def body() -> None:
        async with embudo.aio.connect(":memory:tests", database=database) as conn:
            cursor = await conn.execute("SELECT * FROM big")
            outcomes = await asyncio.gather(cursor.fetchall(), cursor.fetchall(), return_exceptions=True)
            rows = sum(len(outcome) for outcome in outcomes if isinstance(outcome, list))
            refused = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
            assert all(isinstance(outcome, embudo.InterfaceError) for outcome in refused)
            assert rows <= 100_000

    asyncio.run(body())


def test_loops_that_end_early() -> None:
    """Calls that nobody awaits any more, and a loop that is closed under them, harm nothing."""
    code = """
        import asyncio
        import embudo, embudo.aio

        async def main():
            conn = await embudo.aio.connect(":memory:ends")
            await conn.execute("CREATE DATABASE IF NOT EXISTS d KEEP 36500")
            await conn.ingest("d.big", {"ts": range(200000), "v": 1})
            for _ in range(20):
                asyncio.ensure_future(conn.execute("SELECT v, COUNT(*), STDDEV(v) FROM d.big PARTITION BY v, ts"))
            await asyncio.sleep(0.05)

        for _ in range(3):
            asyncio.run(main())
        print("done")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=600, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr.strip()) == (0, "done", "")


def test_running_inside_a_loop_of_a_notebook() -> None:
    """A notebook's cells are awaited in a loop that runs all the time."""

    async def cell(work: Coroutine[Any, Any, Any]) -> Any:
        return await work

    loop = asyncio.new_event_loop()
    try:
        conn = loop.run_until_complete(cell(embudo.aio.connect(":memory:notebook").__aenter__()))
        assert loop.run_until_complete(cell(conn.execute("SELECT 1"))).connection is conn
        loop.run_until_complete(conn.close())
    finally:
        loop.close()
