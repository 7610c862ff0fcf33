"""Subscriptions by the typed API, blocking and asynchronous, on the transports that have them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

import embudo
import embudo.aio


@pytest.fixture
def topic(root: embudo.Connection, database: str) -> Iterator[str]:
    """A topic of a table of two rows."""
    root.execute(f"CREATE TABLE {database}.t (ts TIMESTAMP, v INT)")
    root.execute(f"CREATE TOPIC topic_{database} AS SELECT ts, v FROM {database}.t")
    root.execute(f"INSERT INTO {database}.t VALUES (1, 1) (2, 2)")
    yield f"topic_{database}"
    root.execute(f"DROP TOPIC topic_{database}")


@pytest.fixture(params=["embedded", "websocket"])
def place(request: pytest.FixtureRequest, server: embudo.Server) -> str:
    """Where to subscribe."""
    return ":memory:tests" if request.param == "embedded" else server.ws_dsn


def test_messages_and_commits(place: str, database: str, topic: str, root: embudo.Connection) -> None:
    with embudo.connect(place, timezone="UTC") as conn:
        with conn.subscribe(topic, group="g", offset_reset="earliest", auto_commit=False) as subscription:
            assert subscription.topics == [topic]
            rows: list[tuple[object, ...]] = []
            last = None
            for message in subscription.messages(timeout=60):
                rows += [row[1:] for row in message.rows()]
                assert (message.topic, message.meta) == (topic, [])
                assert len(message.df()) == len(message) == message.arrow().num_rows == message.pl().height
                last = message
                if len(rows) == 2:
                    break
            assert rows == [(1,), (2,)]
            assert last is not None
            subscription.commit(last)
            assert subscription.committed(topic, last.vgroup) is not None
            assert {part.vgroup for part in subscription.assignment(topic)} >= {last.vgroup}
        root.execute(f"INSERT INTO {database}.t VALUES (3, 3)")
        with conn.subscribe(topic, group="g", offset_reset="earliest") as again:
            found = again.poll(60)
            assert found is not None
            assert [row[1] for row in found.rows()] == [3]
            assert again.poll(0.05) is None
        assert "closed" in repr(again)
        with pytest.raises(embudo.InterfaceError):
            again.poll(0)
        with pytest.raises(embudo.InterfaceError, match="offset_reset"):
            conn.subscribe(topic, group="g", offset_reset="first")  # type: ignore[arg-type]


def test_async_messages(place: str, database: str, topic: str, root: embudo.Connection) -> None:
    async def body() -> None:
        async with (
            embudo.aio.connect(place) as conn,
            await conn.subscribe(topic, group="async", offset_reset="earliest") as subscription,
        ):
            rows: list[object] = []
            async for message in subscription:
                rows += [row[1] for row in message.rows()]
                if len(rows) == 2:
                    await subscription.commit()
                    break
            assert rows == [1, 2]
            waiting = asyncio.ensure_future(subscription.poll(120))
            await asyncio.sleep(0.05)
            await asyncio.to_thread(root.execute, f"INSERT INTO {database}.t VALUES (3, 3)")
            found = await waiting
            assert found is not None
            assert [row[1] for row in found.rows()] == [3]
            assert await subscription.poll(0.01) is None

    asyncio.run(body())
