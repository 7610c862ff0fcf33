"""A pool of connections that threads borrow: for servers over REST or WebSocket, where opening a session costs a login."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any

from embudo import errors
from embudo.connection import connect

if TYPE_CHECKING:
    from types import TracebackType

    from embudo.connection import Connection

__all__ = ["ConnectionPool"]

#: Seconds of idleness after which a connection is tried before it is lent.
STALE = 30.0


class ConnectionPool:
    """Lends connections to one DSN; each is used by one borrower at a time.

    >>> pool = embudo.ConnectionPool("taosws://root:taosdata@localhost:6041/power", size=4)
    >>> with pool.connection() as conn:
    ...     conn.execute("SELECT COUNT(*) FROM meters").fetchone()

    A connection whose session was lost is replaced. What a borrower changes in a session, its current database above all, stays with the
    connection unless ``reset`` undoes it. In a process that was forked off the pool starts anew: connections belong to their process.
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
            reset: called with a connection that comes back; one that it raises for is closed.
            **options: keywords of :func:`embudo.connect`.
        """
        if size < 1:
            raise errors.InterfaceError(f"a pool has at least one connection: {size}")
        self._dsn = dsn
        self._options = options
        self._size = size
        self._timeout = timeout
        self._reset = reset
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._changed = threading.Condition()
        self._idle: deque[tuple[float, Connection[Any]]] = deque()
        self._open = 0

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
        return self._open

    @contextmanager
    def connection(self) -> Iterator[Connection[Any]]:
        """Lends a connection for a ``with`` block.

        Raises:
            OperationTimeout: none came back in time.
        """
        if self._process != os.getpid():
            # Another thread of the parent may have held the lock when it forked, and its sessions are of no use here.
            self._begin()
        conn = self._take()
        try:
            yield conn
        except errors.OperationalError:
            # The session may be gone with what failed; whether it is, is found out before it is lent again.
            self._give(conn, used=0.0)
            raise
        except BaseException:
            self._give(conn, used=monotonic())
            raise
        self._give(conn, used=monotonic())

    def _take(self) -> Connection[Any]:
        deadline = monotonic() + self._timeout
        conn: Connection[Any] | None
        while True:
            with self._changed:
                while True:
                    if self._closed:
                        raise errors.InterfaceError("the pool is closed")
                    if self._idle:
                        used, conn = self._idle.pop()
                        break
                    if self._open < self._size:
                        self._open += 1
                        used, conn = 0.0, None
                        break
                    left = deadline - monotonic()
                    if left <= 0 or not self._changed.wait(left):
                        raise errors.OperationTimeout(f"no connection of the pool came back within {self._timeout} s")
            if conn is None:
                return self._opened()
            if not conn.closed and (monotonic() - used < STALE or _answers(conn)):
                return conn
            self._drop(conn)

    def _opened(self) -> Connection[Any]:
        try:
            return connect(self._dsn, **self._options)
        except BaseException:
            self._drop(None)
            raise

    def _give(self, conn: Connection[Any], used: float) -> None:
        if conn.closed:
            self._drop(conn)
            return
        if self._reset is not None:
            try:
                self._reset(conn)
            except errors.Error:
                self._drop(conn)
                return
        with self._changed:
            if not self._closed:
                self._idle.append((used, conn))
                self._changed.notify()
                return
        self._drop(conn)

    def _drop(self, conn: Connection[Any] | None) -> None:
        with self._changed:
            self._open -= 1
            self._changed.notify()
        if conn is not None:
            conn.close()

    def close(self) -> None:
        """Closes the connections that are not lent, the others when they come back; more than once is allowed."""
        with self._changed:
            self._closed = True
            idle, self._idle = list(self._idle), deque()
            self._changed.notify_all()
        for _, conn in idle:
            self._drop(conn)

    def __enter__(self) -> ConnectionPool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{self._open} of {self._size} open, {len(self._idle)} idle"
        return f"<embudo.ConnectionPool {state}>"


def _answers(conn: Connection[Any]) -> bool:
    try:
        conn.execute("SELECT 1").fetchall()
    except errors.Error:
        return False
    return True
