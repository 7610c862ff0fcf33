"""A pool of asynchronous connections that tasks borrow: :class:`embudo.aio.ConnectionPool`."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

from embudo import errors
from embudo.pool import STALE

if TYPE_CHECKING:
    from types import TracebackType

    from embudo.aio import Connection

__all__ = ["ConnectionPool"]


class ConnectionPool:
    """Lends connections to one DSN to the tasks of one event loop; each is used by one borrower at a time.

    >>> async with embudo.aio.ConnectionPool("taosws://root:taosdata@localhost:6041/power", size=4) as pool:
    ...     async with pool.connection() as conn:
    ...         await (await conn.execute("SELECT COUNT(*) FROM meters")).fetchone()

    Tasks may share one connection too, whose statements run at the same time over a WebSocket; a pool is for what a session holds: its
    current database, and an order of statements that others do not mix with theirs. Those who wait are served in the order they came.
    """

    def __init__(
        self,
        dsn: str | os.PathLike[str],
        *,
        size: int = 8,
        timeout: float = 30.0,
        reset: Callable[[Connection[Any]], object] | None = None,
        **options: Any,
    ) -> None:
        """Opens nothing yet.

        Args:
            dsn: as for :func:`embudo.connect`, like ``options``.
            size: most connections that are open at a time.
            timeout: seconds that a borrower waits for one.
            reset: called with a connection that comes back, and awaited if it can be; one that it raises for is closed.
            **options: keywords of :func:`embudo.aio.connect`.
        """
        if size < 1:
            raise errors.InterfaceError(f"a pool has at least one connection: {size}")
        self._dsn = dsn
        self._options = options
        self._size = size
        self._timeout = timeout
        self._reset = reset
        # As many as may be lent. Who holds a place takes an idle connection or opens one, so no more than these are ever open.
        self._places = asyncio.Semaphore(size)
        self._idle: deque[tuple[float, Connection[Any]]] = deque()
        self._lent = 0
        self._closed = False

    @property
    def size(self) -> int:
        """Most connections that are open at a time."""
        return self._size

    @property
    def idle(self) -> int:
        """How many are open and not lent."""
        return len(self._idle)

    @property
    def open(self) -> int:
        """How many are open."""
        return self._lent + len(self._idle)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection[Any]]:
        """Lends a connection for an ``async with`` block.

        Raises:
            OperationTimeout: none came back in time.
        """
        try:
            async with asyncio.timeout(self._timeout):
                await self._places.acquire()
        except TimeoutError:
            raise errors.OperationTimeout(f"no connection of the pool came back within {self._timeout} s") from None
        try:
            conn = await self._taken()
            self._lent += 1
            used = 0.0
            try:
                yield conn
                used = monotonic()
            except errors.OperationalError:
                # The session may be gone with what failed; whether it is, is found out before it is lent again.
                raise
            except BaseException:
                used = monotonic()
                raise
            finally:
                self._lent -= 1
                await self._returned(conn, used)
        finally:
            self._places.release()

    async def _taken(self) -> Connection[Any]:
        from embudo.aio import connect

        while not self._closed and self._idle:
            used, conn = self._idle.pop()
            if not conn.closed and (monotonic() - used < STALE or await _answers(conn)):
                return conn
            await conn.close()
        if self._closed:
            raise errors.InterfaceError("the pool is closed")
        return await connect(self._dsn, **self._options)

    async def _returned(self, conn: Connection[Any], used: float) -> None:
        is_good = not self._closed and not conn.closed
        if is_good and self._reset is not None:
            is_good = False
            try:
                made = self._reset(conn)
                if inspect.isawaitable(made):
                    await made
                is_good = True
            except errors.Error:
                pass
            finally:
                if not is_good:
                    await conn.close()
        if is_good and not self._closed:
            self._idle.append((used, conn))
        else:
            await conn.close()

    async def close(self) -> None:
        """Closes the connections that are not lent, the others when they come back; more than once is allowed."""
        self._closed = True
        while self._idle:
            await self._idle.pop()[1].close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{self.open} of {self._size} open, {self.idle} idle"
        return f"<embudo.aio.ConnectionPool {state}>"


async def _answers(conn: Connection[Any]) -> bool:
    try:
        await (await conn.execute("SELECT 1")).fetchall()
    except errors.Error:
        return False
    return True
