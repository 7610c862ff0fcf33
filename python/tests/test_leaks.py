"""Connections, results, statements and failures, over and over: memory and descriptors stay as they are.

The short form finds what leaks a descriptor or some kilobytes a round; with EMBUDO_SOAK=1 there are 100,000 rounds, as `make soak` has it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

import embudo
import embudo.aio
import taos
import taosrest
import taosws

_SOAK = bool(os.environ.get("EMBUDO_SOAK"))
_ROUNDS = 100_000 if _SOAK else 100
#: What allocators may keep, in bytes: a hundred a round in the long form, 20 kB in the short one.
_SLACK = 10 << 20 if _SOAK else 2 << 20
#: A leak grows every time; what else goes on in the process, or an allocator's new arena, does not.
_ATTEMPTS = 4
_SELF = pathlib.Path("/proc/self")

pytestmark = pytest.mark.skipif(not _SELF.exists(), reason="memory and descriptors are read from /proc")


def _descriptors() -> int:
    return len(list((_SELF / "fd").iterdir()))


def _threads() -> int:
    return len(list((_SELF / "task").iterdir()))


def _memory() -> int:
    gc.collect()
    return int((_SELF / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _settled(measure: Callable[[], int], limit: int) -> int:
    """A figure that threads which are just ending may still hold up."""
    import time

    for _ in range(600):
        if measure() <= limit:
            break
        time.sleep(0.05)
    return measure()


class _Window:
    """What the process held when it began, and whether it holds more."""

    def __init__(self) -> None:
        self._before = _descriptors(), _threads(), _memory()

    def grown(self) -> list[str]:
        """What has grown; nothing, if there is no leak."""
        descriptors, threads, memory = self._before
        found = []
        if _settled(_descriptors, descriptors + 4) > descriptors + 4:
            found.append(f"descriptors from {descriptors} to {_descriptors()}")
        if _settled(_threads, threads + 4) > threads + 4:
            found.append(f"threads from {threads} to {_threads()}")
        if (more := _memory() - memory) > _SLACK:
            found.append(f"memory by {more} bytes")
        return found


def _stays_flat(step: Callable[[], object], rounds: int = _ROUNDS) -> None:
    for _ in range(max(rounds // 4, 20)):
        step()
    grown: list[str] = []
    for _ in range(_ATTEMPTS):
        window = _Window()
        for _ in range(rounds):
            step()
        grown = window.grown()
        if not grown:
            return
    pytest.fail(f"{rounds} rounds after {_ATTEMPTS - 1} times as many: {', '.join(grown)}")


@pytest.fixture
def filled(root: embudo.Connection, database: str) -> str:
    root.execute(f"CREATE TABLE {database}.t (ts TIMESTAMP, v INT, s VARCHAR(20))")
    root.execute(f"INSERT INTO {database}.t VALUES (1, 1, 'a') (2, NULL, 'b') (3, 3, NULL)")
    return database


def test_connections(dsn: str, filled: str) -> None:
    def step() -> None:
        with embudo.connect(dsn, database=filled) as conn:
            assert len(conn.execute("SELECT * FROM t").fetchall()) == 3

    _stays_flat(step)


def test_connections_that_are_dropped(dsn: str, filled: str) -> None:
    """Nobody closes anything; a result is read in part."""

    def step() -> None:
        conn = embudo.connect(dsn, database=filled)
        assert conn.execute("SELECT * FROM t").fetchone() is not None
        conn.cursor()

    _stays_flat(step)


def test_connections_that_fail(server: embudo.Server) -> None:
    def step() -> None:
        for dsn in (f"{server.ws_dsn}/no_such_database", f"{server.ws_dsn}?timezone=Nowhere", "taosws://127.0.0.1:1", "nonsense://"):
            with pytest.raises(embudo.Error):
                embudo.connect(dsn)

    _stays_flat(step)


def test_results(dsn: str, filled: str) -> None:
    conn = embudo.connect(dsn, database=filled)

    def step() -> None:
        conn.execute("SELECT * FROM t").fetchall()
        conn.execute("SELECT * FROM t WHERE v = ?", [1]).arrow()
        conn.execute("SELECT * FROM t").fetchmany(1)
        conn.execute("SELECT * FROM t").numpy()
        next(iter(conn.execute("SELECT * FROM t").batches(1)))
        conn.executemany("INSERT INTO t VALUES (?, ?, ?)", [(1, 1, "a")])
        conn.ingest("t", {"ts": [1], "v": [1], "s": ["a"]})
        with pytest.raises(embudo.Error):
            conn.execute("SELECT * FROM nowhere")

    with conn:
        _stays_flat(step)


def test_subscriptions(dsn: str, filled: str) -> None:
    if dsn.startswith("taosrest"):
        pytest.skip("subscriptions over REST go by WebSocket")
    with embudo.connect(dsn, database=filled) as conn:
        conn.execute("CREATE TOPIC leak_topic AS SELECT ts, v FROM t")
        try:

            def step() -> None:
                with conn.subscribe("leak_topic", group="leak", offset_reset="earliest", auto_commit=False) as subscription:
                    subscription.poll(0)

            _stays_flat(step, _ROUNDS // 4)
        finally:
            conn.execute("DROP CONSUMER GROUP IF EXISTS leak ON leak_topic")
            conn.execute("DROP TOPIC leak_topic")


def test_asynchronous(dsn: str, filled: str) -> None:
    async def rounds() -> None:
        async def step() -> None:
            async with embudo.aio.connect(dsn, database=filled) as conn:
                assert len(await (await conn.execute("SELECT * FROM t")).fetchall()) == 3

        for _ in range(max(_ROUNDS // 4, 20)):
            await step()
        grown: list[str] = []
        for _ in range(_ATTEMPTS):
            window = _Window()
            for _ in range(_ROUNDS):
                await step()
            grown = window.grown()
            if not grown:
                return
        pytest.fail(f"{', '.join(grown)}")

    asyncio.run(rounds())


def _taos(database: str) -> None:
    conn = taos.connect(database=database)
    conn.query("SELECT * FROM t").fetch_all()
    cursor = conn.cursor()
    cursor.execute("SELECT * FROM t WHERE v = ?", (1,))
    cursor.fetchall()
    statement: Any = conn.statement2("INSERT INTO t VALUES (?, ?, ?)")
    statement.bind_param(None, None, [[[1], [1], ["a"]]])
    statement.execute()


def _taosrest(database: str) -> None:
    cursor = taosrest.connect(database=database).cursor()
    cursor.execute("SELECT * FROM t")
    cursor.fetchall()


def _taosws(database: str) -> None:
    conn = taosws.connect(f"taosws://localhost:6041/{database}")
    assert len(list(conn.query(f"SELECT * FROM {database}.t"))) == 3
    cursor = conn.cursor()
    cursor.execute(f"SELECT * FROM {database}.t")
    cursor.fetchone()


@pytest.mark.parametrize("step", [_taos, _taosrest, _taosws], ids=lambda step: step.__name__[1:])
def test_shims(dsn: str, filled: str, step: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    if step is not _taos and dsn.startswith("taos+native"):
        pytest.skip("taos alone goes natively")
    monkeypatch.setenv("EMBUDO_DSN", dsn)
    _stays_flat(lambda: step(filled))
