"""Connection pools, blocking and asynchronous, and named connections."""

from __future__ import annotations

import asyncio
import pathlib
import threading
import time

import pytest

import embudo
import embudo.aio


def test_lending(dsn: str) -> None:
    with embudo.ConnectionPool(dsn, size=2, timeout=0.05) as pool:
        assert (pool.open, pool.idle) == (0, 0)
        with pool.connection() as one, pool.connection() as two:
            assert one is not two
            assert pool.open == 2
            with pytest.raises(embudo.OperationTimeout, match="came back"), pool.connection():
                pass
        assert (pool.open, pool.idle) == (2, 2)
        with pool.connection() as again:
            assert again in (one, two)
            again.close()
        assert pool.open == 1
        with pytest.raises(ValueError, match="mine"), pool.connection():
            raise ValueError("mine")
        with pytest.raises(embudo.OperationalError), pool.connection() as conn:
            raise embudo.OperationalError("as if the server had left")
        with pool.connection() as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)
        assert "idle" in repr(pool)
    with pytest.raises(embudo.InterfaceError, match="closed"), pool.connection():
        pass
    assert pool.open == 0


def test_threads_and_reset(dsn: str) -> None:
    resets: list[object] = []
    with embudo.ConnectionPool(dsn, size=3, reset=resets.append) as pool:
        failures: list[BaseException] = []

        def work() -> None:
            try:
                for _ in range(10):
                    with pool.connection() as conn:
                        assert conn.execute("SELECT 1").fetchall() == [(1,)]
                        time.sleep(0.001)
            except BaseException as failure:
                failures.append(failure)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        assert pool.open <= 3
    assert len(resets) == 80


def test_lending_to_tasks(dsn: str) -> None:
    resets: list[object] = []

    async def reset(conn: embudo.aio.Connection[object]) -> None:
        resets.append(await (await conn.execute("SELECT 1")).fetchone())

    async def body() -> None:
        async with embudo.aio.ConnectionPool(dsn, size=2, reset=reset) as pool:
            assert (pool.size, pool.open, pool.idle) == (2, 0, 0)
            most = 0

            async def work() -> None:
                nonlocal most
                async with pool.connection() as conn:
                    most = max(most, pool.open)
                    assert await (await conn.execute("SELECT 1 + 1")).fetchall() == [(2,)]

            await asyncio.gather(*(work() for _ in range(20)))
            assert (most, len(resets)) == (2, 20)
            # A task that is cancelled gives its place and its connection back.
            inside = asyncio.Event()

            async def stay() -> None:
                async with pool.connection():
                    inside.set()
                    await asyncio.Event().wait()

            task = asyncio.create_task(stay())
            await inside.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (pool.open, pool.idle) == (pool.idle, pool.open)
            # One that its borrower closed, or whose session is lost, is not lent again.
            async with pool.connection() as conn:
                await conn.close()
            with pytest.raises(embudo.OperationalError):
                async with pool.connection() as conn:
                    raise embudo.OperationalError("as if the server had left")
            async with pool.connection() as conn:
                assert await (await conn.execute("SELECT 1")).fetchone() == (1,)
            assert "idle" in repr(pool)
        with pytest.raises(embudo.InterfaceError, match="closed"):
            async with pool.connection():
                pass
        assert pool.open == 0

    asyncio.run(body())


def test_tasks_that_wait_in_vain() -> None:
    async def body() -> None:
        async with embudo.aio.ConnectionPool(":memory:", size=1, timeout=0.05) as pool, pool.connection():
            with pytest.raises(embudo.OperationTimeout, match="came back"):
                async with pool.connection():
                    pass
        unreachable = embudo.aio.ConnectionPool("taosws://127.0.0.1:1", size=1)
        for _ in range(3):
            with pytest.raises(embudo.OperationalError, match="nothing answers"):
                async with unreachable.connection():
                    pass
        with pytest.raises(embudo.InterfaceError):
            embudo.aio.ConnectionPool(":memory:", size=0)

    asyncio.run(body())


def test_what_cannot_be_opened_takes_no_place() -> None:
    pool = embudo.ConnectionPool("taosws://127.0.0.1:1", size=1)
    for _ in range(3):
        with pytest.raises(embudo.OperationalError, match="nothing answers"), pool.connection():
            pass
    with pytest.raises(embudo.InterfaceError):
        embudo.ConnectionPool(":memory:", size=0)


def test_named_connections(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(embudo.InterfaceError, match="no file"):
        embudo.connect("@local")
    folder = tmp_path / "embudo"
    folder.mkdir()
    file = folder / "config.toml"
    file.write_text('[connections.local]\ndsn = ":memory:named"\ntimezone = "Asia/Tokyo"\n[connections.broken]\nuser = "x"\n')
    with embudo.connect("@local") as conn:
        assert conn.timezone == "Asia/Tokyo"
    with embudo.connect("@local", timezone="UTC") as conn:
        assert conn.timezone == "UTC"
    with pytest.raises(embudo.InterfaceError, match="@local, @broken"):
        embudo.connect("@prod")
    with pytest.raises(embudo.InterfaceError, match="needs dsn"):
        embudo.connect("@broken")
    file.write_text("[[[")
    with pytest.raises(embudo.InterfaceError, match="cannot be read"):
        embudo.connect("@local")
