"""Dialects of the typed API: embedded, over WebSocket and REST, and for asyncio."""

from __future__ import annotations

import itertools
from typing import Any

from sqlalchemy import pool, util
from sqlalchemy.engine import AdaptedConnection, url

from embudo.sqlalchemy.dialects import BaseDialect
from embudo.sqlalchemy.results import ResultContext

__all__ = ["EmbudoAioDialect", "EmbudoDialect", "EmbudoHttpDialect", "EmbudoHttpsDialect", "EmbudoWsDialect", "EmbudoWssDialect"]

_memories = itertools.count()


def target(url: url.URL, scheme: str | None) -> tuple[str, dict[str, Any]]:
    """The DSN that a URL means and its options: a directory or memory without a host, a server with one."""
    options: dict[str, Any] = {name: value if isinstance(value, str) else value[-1] for name, value in url.query.items()}
    if url.host is not None or scheme is not None:
        for name, value in (("user", url.username), ("password", url.password), ("database", url.database)):
            if value:
                options.setdefault(name, value)
        host = url.host or "localhost"
        address = f"[{host}]" if ":" in host else host
        return f"{scheme or 'taosws'}://{address}:{url.port or 6041}", options
    place = url.database or ""
    if place in ("", ":memory:"):
        # A pool opens several connections; they are to see the same tables.
        return f":memory:sqlalchemy-{next(_memories)}", options
    encoded = place.replace("%", "%25").replace("?", "%3F").replace("#", "%23")
    return f"embudo:///{encoded}", options


class EmbudoDialect(BaseDialect):
    """``embudo:///directory``, ``embudo:////absolute/directory``, ``embudo://`` (in memory, shared by the engine's connections).

    Keys of the query are options of :func:`embudo.connect`, such as ``?database=power&timezone=UTC``. With a host it is a server over
    WebSocket: ``embudo://user:password@host:6041/database``.
    """

    name = "embudo"
    driver = "embudo"
    supports_statement_cache = True

    #: The DSN's scheme, where the URL's says the transport.
    scheme: str | None = None

    @classmethod
    def import_dbapi(cls) -> Any:
        """The typed API."""
        import embudo

        return embudo

    def create_connect_args(self, url: url.URL) -> tuple[list[Any], dict[str, Any]]:
        """Arguments of :func:`embudo.connect`."""
        dsn, options = target(url, self.scheme)
        return [dsn], options

    @classmethod
    def get_pool_class(cls, url: url.URL) -> type[pool.Pool]:
        """Connections are cheap; one stays open so that a database in memory lives as long as its engine."""
        return pool.QueuePool


class EmbudoWsDialect(EmbudoDialect):
    """``embudo+ws://user:password@host:6041/database``: over WebSocket."""

    driver = "ws"
    scheme = "taosws"
    supports_statement_cache = True


class EmbudoWssDialect(EmbudoDialect):
    """``embudo+wss://``: over WebSocket with TLS."""

    driver = "wss"
    scheme = "taosws+wss"
    supports_statement_cache = True


class EmbudoHttpDialect(EmbudoDialect):
    """``embudo+http://``: over REST."""

    driver = "http"
    scheme = "taosrest"
    supports_statement_cache = True


class EmbudoHttpsDialect(EmbudoDialect):
    """``embudo+https://``: over REST with TLS."""

    driver = "https"
    scheme = "taosrest+https"
    supports_statement_cache = True


class _AioContext(ResultContext):
    """Gives streams their cursors."""

    def create_server_side_cursor(self) -> Any:
        """A cursor whose rows come as they are asked for."""
        return self._dbapi_connection.cursor(server_side=True)


class EmbudoAioDialect(EmbudoDialect):
    """``embudo+aio://`` for ``create_async_engine``: embedded without a host, with one over WebSocket (``?transport=rest`` for REST)."""

    driver = "aio"
    supports_statement_cache = True
    supports_server_side_cursors = True
    is_async = True
    execution_ctx_cls = _AioContext

    @classmethod
    def import_dbapi(cls) -> Any:
        """The asynchronous API, adapted."""
        return _AsyncModule()

    def create_connect_args(self, url: url.URL) -> tuple[list[Any], dict[str, Any]]:
        """Arguments of :func:`embudo.aio.connect`."""
        transport = str(url.query.get("transport", "ws"))
        schemes = {"ws": "taosws", "wss": "taosws+wss", "rest": "taosrest", "http": "taosrest", "https": "taosrest+https"}
        dsn, options = target(url, schemes[transport] if url.host is not None else None)
        options.pop("transport", None)
        return [dsn], options

    @classmethod
    def get_pool_class(cls, url: url.URL) -> type[pool.Pool]:
        """One that waits without holding a thread."""
        return pool.AsyncAdaptedQueuePool

    def get_driver_connection(self, connection: Any) -> Any:
        """The connection of :mod:`embudo.aio`."""
        return connection._connection


class _AsyncModule:
    """:mod:`embudo.aio` as a PEP 249 module."""

    def __init__(self) -> None:
        import embudo

        self._module = embudo

    def connect(self, *arguments: Any, **options: Any) -> _AsyncConnection:
        """Connects; called where SQLAlchemy can await."""
        from embudo import aio

        async def opened() -> Any:
            return await aio.connect(*arguments, **options)

        return _AsyncConnection(util.await_only(opened()))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


class _AsyncConnection(AdaptedConnection):
    """A connection whose calls are awaited by SQLAlchemy."""

    __slots__ = ()

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def cursor(self, server_side: bool = False) -> _AsyncCursor:
        """A cursor."""
        return (_StreamingCursor if server_side else _AsyncCursor)(self._connection.cursor())

    def commit(self) -> None:
        """Does nothing: every statement is committed when it returns."""

    def rollback(self) -> None:
        """Does nothing: there are no transactions."""

    def close(self) -> None:
        """Ends the session."""
        util.await_only(self._connection.close())


class _AsyncCursor:
    """A cursor whose rows are here once a statement is done: SQLAlchemy reads results where it cannot await."""

    server_side = False

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self._rows: list[Any] = []
        self._at = 0
        self.arraysize = 1
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: Any = None

    async def _async_soft_close(self) -> None:
        """The rows are here already."""

    def execute(self, sql: str, parameters: Any = None) -> None:
        """Runs a statement and reads its rows."""

        async def run() -> list[Any]:
            await self._cursor.execute(sql, parameters)
            return await self._cursor.fetchall() if self._cursor.description is not None else []

        self._rows, self._at = util.await_only(run()), 0
        self.description, self.rowcount = self._cursor.description, self._cursor.rowcount

    def executemany(self, sql: str, rows: Any) -> None:
        """Runs a statement for every row of parameters."""
        self._rows, self._at = [], 0
        util.await_only(self._cursor.executemany(sql, rows))
        self.description, self.rowcount = None, self._cursor.rowcount

    def fetchone(self) -> Any:
        """The next row."""
        rows = self.fetchmany(1)
        return rows[0] if rows else None

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """The next rows."""
        rows = self._rows[self._at : self._at + (self.arraysize if size is None else size)]
        self._at += len(rows)
        return rows

    def fetchall(self) -> list[Any]:
        """The rows that are left."""
        rows, self._at = self._rows[self._at :], len(self._rows)
        return rows

    def setinputsizes(self, *sizes: Any) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Lets the rows go."""
        self._rows, self._at = [], 0


class _StreamingCursor(_AsyncCursor):
    """A cursor whose rows come as they are asked for: ``connection.stream()``."""

    server_side = True

    def execute(self, sql: str, parameters: Any = None) -> None:
        """Runs a statement; its rows stay where they are."""
        util.await_only(self._cursor.execute(sql, parameters))
        self.description, self.rowcount = self._cursor.description, self._cursor.rowcount

    def fetchone(self) -> Any:
        """The next row."""
        return util.await_only(self._cursor.fetchone())

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """The next rows."""
        rows: list[Any] = util.await_only(self._cursor.fetchmany(self.arraysize if size is None else size))
        return rows

    def fetchall(self) -> list[Any]:
        """The rows that are left."""
        rows: list[Any] = util.await_only(self._cursor.fetchall())
        return rows

    def close(self) -> None:
        """Lets the rows go."""
        util.await_only(self._cursor.close())
