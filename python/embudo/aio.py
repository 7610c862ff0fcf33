"""The typed API for asyncio: ``await embudo.aio.connect(...)``.

No thread waits for a statement: over a WebSocket one thread reads the answers of a connection and completes the futures they belong to;
embedded statements run in a few threads of the process. A task that is cancelled stops its statement, embedded and on an Embudo server;
elsewhere the late answer is dropped. The connection stays usable.

>>> import asyncio, embudo.aio
>>> async def main():
...     async with await embudo.aio.connect() as conn:
...         await conn.execute("CREATE DATABASE power")
...         await conn.execute("CREATE TABLE power.d1 (ts TIMESTAMP, current FLOAT)")
...         await conn.execute("INSERT INTO power.d1 VALUES (?, ?)", ["2024-01-01T00:00:00Z", 10.3])
...         async for row in await conn.execute("SELECT COUNT(*) FROM power.d1"):
...             print(row)
>>> asyncio.run(main())
(1,)
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeVar, overload

from embudo import _embudo, errors
from embudo.aio_pool import ConnectionPool
from embudo.connection import line_numbers, resolved
from embudo.cursor import Column, described
from embudo.ingest import IngestResult, arguments, reporter
from embudo.logger import quiet
from embudo.rows import tuple_row
from embudo.subscription import Message
from embudo.subscription import Subscription as BlockingSubscription
from embudo.subscription import configuration as keys
from embudo.views import ResultView, SessionView

if TYPE_CHECKING:
    from types import TracebackType

    import numpy
    import pandas
    import polars
    import pyarrow

    from embudo.ingest import Progress
    from embudo.rows import RowFactory

__all__ = ["Connection", "ConnectionPool", "Cursor", "Subscription", "connect"]

RowT = TypeVar("RowT")
OtherT = TypeVar("OtherT")
ValueT = TypeVar("ValueT")
TupleRow = tuple[Any, ...]

#: Seconds that one wait for a message may hold a thread of the pool.
_WAIT = 0.1
#: Rows that iteration turns into tuples at once.
_STEP = 4096

_Start = Callable[[_embudo.Port, "asyncio.Future[Any]"], _embudo.Call]


async def _call(port: _embudo.Port, start: _Start) -> Any:
    """Starts a call and awaits its answer; cancelled, it is given up."""
    future = asyncio.get_running_loop().create_future()
    call = start(port, future)
    try:
        return await future
    except asyncio.CancelledError:
        call.cancel()
        raise


class _Connecting(Generic[RowT]):
    """What :func:`connect` gives: to be awaited, or entered with ``async with``."""

    def __init__(self, opening: Callable[[], Any]) -> None:
        self._opening = opening
        self._connection: Connection[RowT] | None = None

    def __await__(self) -> Generator[Any, None, Connection[RowT]]:
        connection: Connection[RowT] = yield from self._opening().__await__()
        return connection

    async def __aenter__(self) -> Connection[RowT]:
        self._connection = await self
        return self._connection

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._connection is not None:
            await self._connection.close()


@overload
def connect(
    dsn: str | os.PathLike[str] = ..., *, row_factory: None = ..., application: str | None = ..., **options: object
) -> _Connecting[TupleRow]: ...
@overload
def connect(
    dsn: str | os.PathLike[str] = ..., *, row_factory: RowFactory[RowT], application: str | None = ..., **options: object
) -> _Connecting[RowT]: ...
def connect(
    dsn: str | os.PathLike[str] = ":memory:",
    *,
    row_factory: RowFactory[Any] | None = None,
    application: str | None = None,
    **options: object,
) -> _Connecting[Any]:
    """Opens a database in this process, or a session on a server: ``await connect(...)`` or ``async with connect(...)``.

    The arguments are those of :func:`embudo.connect`.
    """

    async def opened() -> Connection[Any]:
        port = _embudo.Port(asyncio.get_running_loop())
        text, given = resolved(dsn, options)
        session = await _call(port, lambda port, future: _embudo.connect_later(port, future, text, given, application))
        log = quiet()
        if log is not None:
            log.info("connected to %s (%s)", session.dsn, session.transport)
        return Connection(session, port, row_factory or tuple_row)

    return _Connecting(opened)


class Connection(SessionView, Generic[RowT]):
    """A session of one event loop. Its tasks may share it: over a WebSocket and embedded their statements run at the same time.

    As an asynchronous context manager it closes itself.
    """

    def __init__(self, session: _embudo.Session, port: _embudo.Port, row_factory: RowFactory[RowT]) -> None:
        self._session = session
        self._port = port
        self.row_factory = row_factory

    async def server_version(self) -> str:
        """What ``SELECT SERVER_VERSION()`` gives."""
        version: str = await _call(self._port, lambda port, future: _embudo.start_version(self._session, port, future))
        return version

    @overload
    def cursor(self) -> Cursor[RowT]: ...
    @overload
    def cursor(self, *, row_factory: RowFactory[OtherT]) -> Cursor[OtherT]: ...
    def cursor(self, *, row_factory: RowFactory[Any] | None = None) -> Cursor[Any]:
        """A cursor on this session."""
        if self._session.closed:
            raise errors.InterfaceError("the connection is closed")
        return Cursor(self, self._session, self._port, row_factory or self.row_factory)

    async def execute(
        self,
        sql: str,
        parameters: Sequence[object] | Mapping[str, object] | None = None,
        *,
        timeout: float | None = None,
    ) -> Cursor[RowT]:
        """Runs one statement on a new cursor: see :meth:`Cursor.execute`."""
        return await self.cursor().execute(sql, parameters, timeout=timeout)

    async def executemany(
        self,
        sql: str,
        rows: Iterable[Sequence[object] | Mapping[str, object]],
        *,
        timeout: float | None = None,
    ) -> Cursor[RowT]:
        """Runs one statement for every row of parameters: see :meth:`Cursor.executemany`."""
        return await self.cursor().executemany(sql, rows, timeout=timeout)

    async def ingest(
        self,
        target: str,
        data: object,
        *,
        time: str = "ts",
        tags: Sequence[str] = (),
        table: str | None = None,
        create: bool = True,
        truncate: bool = False,
        progress: Progress | bool | None = None,
    ) -> IngestResult:
        """Writes columns of data: see :meth:`embudo.Connection.ingest`. ``progress`` is called in another thread."""
        started = perf_counter()
        given, report = arguments(data, tags), reporter(progress, target)

        def start(port: _embudo.Port, future: asyncio.Future[Any]) -> _embudo.Call:
            return _embudo.start_ingest(
                self._session,
                port,
                future,
                target,
                given,
                time=time,
                tags=list(tags),
                table=table,
                create=create,
                truncate=truncate,
                progress=report,
            )

        rows, tables = await _call(self._port, start)
        return IngestResult(rows, tables, perf_counter() - started)

    async def write_lines(
        self,
        lines: str | Iterable[str],
        *,
        protocol: Literal["influx", "telnet", "json"] = "influx",
        unit: Literal["h", "m", "s", "ms", "us", "ns"] = "ns",
        ttl: int = 0,
        table_name_key: str | None = None,
    ) -> int:
        """Writes points of a line protocol: see :meth:`embudo.Connection.write_lines`."""
        text = lines if isinstance(lines, str) else "\n".join(lines)
        numbers = line_numbers(protocol, unit)
        rows: int = await _call(
            self._port, lambda port, future: _embudo.start_lines(self._session, port, future, text, *numbers, ttl, table_name_key)
        )
        return rows

    async def subscribe(
        self,
        *topics: str,
        group: str,
        client: str | None = None,
        offset_reset: Literal["earliest", "latest", "none"] = "latest",
        auto_commit: bool = True,
        auto_commit_interval: float = 5.0,
        with_table_name: bool = True,
        **configuration: object,
    ) -> Subscription:
        """Joins a consumer group: see :meth:`embudo.Connection.subscribe`."""
        given = keys(group, client, offset_reset, auto_commit, auto_commit_interval, with_table_name, configuration)
        opened = await asyncio.to_thread(self._session.subscribe, list(topics), given)
        return Subscription(opened, self._port)

    async def commit(self) -> None:
        """Does nothing: every statement is committed when it returns."""
        if self._session.closed:
            raise errors.InterfaceError("the connection is closed")

    async def rollback(self) -> None:
        """TDengine has no transactions.

        Raises:
            NotSupportedError: always.
        """
        raise errors.NotSupportedError("TDengine has no transactions: a statement is committed when it returns")

    async def close(self) -> None:
        """Ends the session; more than once is allowed."""
        await _call(self._port, lambda port, future: _embudo.start_close(self._session, port, future))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<embudo.aio.Connection {self.dsn} ({self.transport}{', closed' if self.closed else ''})>"


class Cursor(ResultView, Generic[RowT]):
    """Runs statements and reads their results, each once, as rows or as a frame. It belongs to one task at a time."""

    #: Rows that ``fetchmany`` reads without a size.
    arraysize: int = 1

    def __init__(self, connection: Connection[Any], session: _embudo.Session, port: _embudo.Port, row_factory: RowFactory[RowT]) -> None:
        self._connection = connection
        self._session = session
        self._port = port
        self._row_factory = row_factory
        self._closed = False
        self._forget()

    def _forget(self) -> None:
        self._result: _embudo.AsyncResult | None = None
        self._description: list[Column] | None = None
        self._make: Any = None
        self._rows: list[Any] = []
        self._at = 0
        self._rowcount = -1
        self._read = 0
        self._consumed = False

    @property
    def connection(self) -> Connection[Any]:
        """The connection that made this cursor."""
        return self._connection

    async def execute(
        self,
        sql: str,
        parameters: Sequence[object] | Mapping[str, object] | None = None,
        *,
        timeout: float | None = None,
    ) -> Self:
        """Runs one statement; arguments are those of :meth:`embudo.Cursor.execute`."""
        self._reset()
        started = perf_counter()
        start: _Start = lambda port, future: _embudo.start(self._session, port, future, sql, parameters, timeout)  # noqa: E731
        try:
            result: _embudo.AsyncResult = await _call(self._port, start)
        except errors.Error as error:
            errors.point(error, sql)
            raise
        if result.affected is None:
            self._result = result
            self._description = described(result.fields)
            if self._row_factory is not tuple_row:
                self._make = self._row_factory([column[0] for column in self._description])
        else:
            self._rowcount = result.affected
        self._log(sql, started)
        return self

    async def executemany(
        self,
        sql: str,
        rows: Iterable[Sequence[object] | Mapping[str, object]],
        *,
        timeout: float | None = None,
    ) -> Self:
        """Runs one statement for every row of parameters; the rows of an INSERT are written together."""
        self._reset()
        started = perf_counter()
        start: _Start = lambda port, future: _embudo.start_many(self._session, port, future, sql, rows, timeout)  # noqa: E731
        self._rowcount = await _call(self._port, start)
        self._log(sql, started)
        return self

    def _log(self, sql: str, started: float) -> None:
        log = quiet()
        if log is not None:
            log.debug("%.3f ms, %s rows: %s", (perf_counter() - started) * 1e3, self._rowcount, sql)

    async def fetchone(self) -> RowT | None:
        """The next row, or None at the end."""
        rows = await self._fetch(1)
        return rows[0] if rows else None

    async def fetchmany(self, size: int | None = None) -> list[RowT]:
        """The next rows, at most ``size``."""
        size = self.arraysize if size is None else size
        if size < 0:
            raise errors.InterfaceError(f"a number of rows is not negative: {size}")
        return await self._fetch(size)

    async def fetchall(self) -> list[RowT]:
        """All rows that are left."""
        return await self._fetch(None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> RowT:
        if self._at >= len(self._rows):
            # Most rows are here already: nothing is awaited for them.
            self._rows, self._at = await self._next_rows(_STEP), 0
            if not self._rows:
                self._rowcount = self._read
                raise StopAsyncIteration
        self._at += 1
        self._read += 1
        row: RowT = self._rows[self._at - 1]
        return row

    async def batches(self, rows: int = 65_536) -> AsyncIterator[_embudo.Table]:
        """The rows that are left as tables of at most ``rows`` rows, each with ``__arrow_c_stream__``; memory stays bounded."""
        if rows < 1:
            raise errors.InterfaceError(f"a batch has at least one row: {rows}")
        result = self._take()
        while True:
            table = result.take(rows)
            if len(table) > 0:
                self._read += len(table)
                yield table
            elif not await _call(self._port, result.more):
                break
        self._rowcount = self._read

    async def table(self) -> _embudo.Table:
        """All rows that are left, as Arrow in memory."""
        result = self._take()
        while await _call(self._port, result.more):
            pass
        table = result.take()
        self._read += len(table)
        self._rowcount = self._read
        return table

    async def arrow(self) -> pyarrow.Table:
        """All rows that are left as a pyarrow table."""
        import pyarrow

        return pyarrow.table(await self.table())

    async def df(self) -> pandas.DataFrame:
        """All rows that are left as a pandas frame: see :meth:`embudo.Cursor.df`."""
        from embudo.frames import pandas_frame

        return pandas_frame(await self.table())

    async def pl(self) -> polars.DataFrame:
        """All rows that are left as a polars frame."""
        import polars

        return polars.DataFrame(await self.table())

    async def numpy(self) -> dict[str, numpy.ndarray[Any, Any]]:
        """All rows that are left as arrays by column name: see :meth:`embudo.Cursor.numpy`."""
        from embudo.frames import numpy_arrays

        return numpy_arrays(await self.table())

    async def close(self) -> None:
        """Lets the result go; the cursor cannot be used any more. Its ``rowcount`` stays."""
        self._closed = True
        if self._result is not None:
            self._result.close()
            self._result = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    def __repr__(self) -> str:
        if self._closed:
            state = "closed"
        elif self._description is not None:
            state = ", ".join(column[0] for column in self._description)
        else:
            state = f"{self._rowcount} rows affected" if self._rowcount >= 0 else "no result"
        return f"<embudo.aio.Cursor {state}>"

    def _reset(self) -> None:
        if self._closed:
            raise errors.InterfaceError("the cursor is closed")
        if self._result is not None:
            self._result.close()
        self._forget()

    def _current(self) -> _embudo.AsyncResult:
        if self._closed:
            raise errors.InterfaceError("the cursor is closed")
        if self._session.closed:
            raise errors.InterfaceError("the connection is closed")
        if self._result is None:
            raise errors.ProgrammingError("there is no result to fetch: the last statement gave no rows, or none was run")
        return self._result

    async def _next_rows(self, most: int | None) -> list[Any]:
        """Rows that are here, or come next; none at the end."""
        result = self._current()
        if self._consumed:
            raise errors.ProgrammingError("result already consumed: a frame took the rows that were left")
        while True:
            table = result.take(most)
            if len(table) > 0:
                rows = table.rows()
                return rows if self._make is None else [self._make(row) for row in rows]
            if result.is_complete or not await _call(self._port, result.more):
                return []

    async def _fetch(self, count: int | None) -> list[Any]:
        end = len(self._rows) if count is None else self._at + count
        rows, self._at = self._rows[self._at : end], min(end, len(self._rows))
        while count is None or len(rows) < count:
            more = await self._next_rows(None if count is None else count - len(rows))
            if not more:
                break
            rows = rows + more if rows else more
        self._read += len(rows)
        if count is None or len(rows) < count:
            self._rowcount = self._read
        return rows

    def _take(self) -> _embudo.AsyncResult:
        result = self._current()
        if self._consumed or self._at < len(self._rows) or (self._rowcount >= 0 and self._read > 0):
            raise errors.ProgrammingError("result already consumed: rows of it were read; run the statement again")
        self._consumed = True
        return result


class Subscription:
    """A member of a consumer group; ``async for`` waits for messages, ``async with`` leaves the group at its end."""

    def __init__(self, subscription: _embudo.Subscription, port: _embudo.Port) -> None:
        self._subscription = subscription
        self._port = port
        self._blocking = BlockingSubscription(subscription)

    @property
    def topics(self) -> list[str]:
        """What is subscribed to."""
        return self._blocking.topics

    async def poll(self, timeout: float | None = None) -> Message | None:
        """The next message, or None where none comes within ``timeout`` seconds; without a timeout it waits."""
        end = None if timeout is None else perf_counter() + timeout
        while True:
            step = _WAIT if end is None else max(0.0, min(_WAIT, end - perf_counter()))
            start: _Start = lambda port, future: _embudo.start_poll(self._subscription, port, future, step)  # noqa: B023, E731
            message = await _call(self._port, start)
            if message is not None:
                return Message(message)
            if end is not None and perf_counter() >= end:
                return None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        message = await self.poll()
        if message is None:
            raise StopAsyncIteration
        return message

    async def commit(self, message: Message | None = None) -> None:
        """Commits a message and all before it in its vgroup; without one, all that was polled."""
        await asyncio.to_thread(self._blocking.commit, message)

    async def close(self) -> None:
        """Leaves the group for good; more than once is allowed."""
        await asyncio.to_thread(self._blocking.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()
