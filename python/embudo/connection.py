"""Connections of the typed API."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

from embudo import _embudo, errors
from embudo.cursor import Cursor
from embudo.logger import quiet
from embudo.rows import tuple_row
from embudo.views import SessionView

if TYPE_CHECKING:
    from types import TracebackType

    from embudo.ingest import IngestResult, Progress
    from embudo.rows import RowFactory
    from embudo.statement import Statement
    from embudo.subscription import Subscription

__all__ = ["Connection", "Server", "connect"]

RowT = TypeVar("RowT")
OtherT = TypeVar("OtherT")
TupleRow = tuple[Any, ...]


@overload
def connect(
    dsn: str | os.PathLike[str] = ..., *, row_factory: None = ..., application: str | None = ..., **options: object
) -> Connection[TupleRow]: ...
@overload
def connect(
    dsn: str | os.PathLike[str] = ..., *, row_factory: RowFactory[RowT], application: str | None = ..., **options: object
) -> Connection[RowT]: ...
def connect(
    dsn: str | os.PathLike[str] = ":memory:",
    *,
    row_factory: RowFactory[Any] | None = None,
    application: str | None = None,
    **options: object,
) -> Connection[Any]:
    """Opens a database in this process, or a session on a server.

    Args:
        dsn: a directory (text without ``://``, or a path object), made if missing; ``":memory:"`` for a private database in
            memory, ``":memory:NAME"`` for one that this process shares by name; ``embudo:///dir``; or a server over WebSocket,
            ``taosws://user:password@host:6041/database`` (``taosws+wss://``), or over REST, ``taosrest://`` (``taosrest+https://``);
            or ``"@NAME"``, a connection of the file of :mod:`embudo.settings`.
        row_factory: what rows become: :func:`embudo.tuple_row` (without one), :func:`embudo.dict_row`, :func:`embudo.named_row`.
        application: name of the program, shown in the server's list of connections.
        **options: keys of the DSN as keywords, such as ``database``, ``user``, ``password``, ``timezone``, ``timeout``
            (seconds), ``read_only``, ``memory_limit``; they override the DSN's.

    Raises:
        InterfaceError: the DSN or an option is wrong, or another process has the directory open.
        OperationalError: the server does not answer or refuses the user.
    """
    text, given = resolved(dsn, options)
    session = _embudo.connect(text, given, application)
    log = quiet()
    if log is not None:
        log.info("connected to %s (%s)", session.dsn, session.transport)
    return Connection(session, row_factory or tuple_row)


def resolved(dsn: str | os.PathLike[str], options: Mapping[str, object]) -> tuple[str, dict[str, str]]:
    """The DSN and its keys as texts, those of a named connection among them."""
    if isinstance(dsn, str) and dsn.startswith("@"):
        from embudo.settings import named_connection

        dsn, kept = named_connection(dsn[1:])
        options = {**kept, **options}
    text = dsn if isinstance(dsn, str) else _path_dsn(os.fspath(dsn))
    return text, {name: _option(value) for name, value in options.items() if value is not None}


def line_numbers(protocol: str, unit: str) -> tuple[int, int]:
    """The numbers of a line protocol and of a unit."""
    try:
        return ("influx", "telnet", "json").index(protocol) + 1, ("h", "m", "s", "ms", "us", "ns").index(unit) + 1
    except ValueError:
        raise errors.InterfaceError(f"no protocol {protocol!r} or no unit {unit!r}") from None


def _path_dsn(path: str) -> str:
    """A path is a directory whatever its name looks like."""
    encoded = "".join(c if c.isalnum() or c in "-_./~" else "".join(f"%{b:02X}" for b in c.encode()) for c in path)
    return f"embudo:///{encoded}"


def _option(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    key = getattr(value, "key", None)  # a ZoneInfo
    return key if isinstance(key, str) else str(value)


class Connection(SessionView, Generic[RowT]):
    """A session: current database, time zone, user. Threads may share it; their calls take turns.

    As a context manager it closes itself.
    """

    Warning = errors.Warning
    Error = errors.Error
    InterfaceError = errors.InterfaceError
    DatabaseError = errors.DatabaseError
    DataError = errors.DataError
    OperationalError = errors.OperationalError
    IntegrityError = errors.IntegrityError
    InternalError = errors.InternalError
    ProgrammingError = errors.ProgrammingError
    NotSupportedError = errors.NotSupportedError

    def __init__(self, session: _embudo.Session, row_factory: RowFactory[RowT]) -> None:
        self._session = session
        self.row_factory = row_factory

    @property
    def server_version(self) -> str:
        """What ``SELECT SERVER_VERSION()`` gives."""
        return self._session.server_version()

    @overload
    def cursor(self) -> Cursor[RowT]: ...
    @overload
    def cursor(self, *, row_factory: RowFactory[OtherT]) -> Cursor[OtherT]: ...
    def cursor(self, *, row_factory: RowFactory[Any] | None = None) -> Cursor[Any]:
        """A cursor on this session."""
        if self._session.closed:
            raise errors.InterfaceError("the connection is closed")
        return Cursor(self, self._session, row_factory or self.row_factory)

    def execute(
        self,
        sql: str,
        parameters: Sequence[object] | Mapping[str, object] | None = None,
        *,
        timeout: float | None = None,
    ) -> Cursor[RowT]:
        """Runs one statement on a new cursor: see :meth:`Cursor.execute`."""
        return self.cursor().execute(sql, parameters, timeout=timeout)

    def executemany(
        self, sql: str, rows: Iterable[Sequence[object] | Mapping[str, object]], *, timeout: float | None = None
    ) -> Cursor[RowT]:
        """Runs one statement for every row of parameters: see :meth:`Cursor.executemany`."""
        return self.cursor().executemany(sql, rows, timeout=timeout)

    def statement(self, sql: str) -> Statement:
        """Prepares an INSERT that is bound column by column, table by table; parameters of other statements go with :meth:`execute`.

        Raises:
            ProgrammingError: the statement is wrong, or no INSERT.
        """
        from embudo.statement import Statement

        return Statement(self._session, sql)

    def ingest(
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
        """Writes columns of data into a table, or into the children of a supertable.

        Args:
            target: the table or supertable, ``[database.]name``.
            data: a dictionary of arrays or sequences by column name, a pandas or polars frame, anything with
                ``__arrow_c_stream__``, or an iterable of dictionaries.
            time: the column of data with the rows' times.
            tags: the columns of data that are tags; with them the target is a supertable.
            table: what names the children: a column of data, or a pattern like ``"d{groupid}"`` of its columns.
            create: makes the target, or adds columns it lacks; never narrows one.
            truncate: cuts text that is longer than its column instead of refusing it.
            progress: called with the rows written and the rows in all; ``True`` for a bar in a terminal or notebook.

        Raises:
            DataError: a value does not fit its column; the message names row, column and value, and nothing is written.
        """
        from embudo.ingest import ingest

        return ingest(
            self._session,
            target,
            data,
            time=time,
            tags=tags,
            table=table,
            create=create,
            truncate=truncate,
            progress=progress,
        )

    def write_lines(
        self,
        lines: str | Iterable[str],
        *,
        protocol: Literal["influx", "telnet", "json"] = "influx",
        unit: Literal["h", "m", "s", "ms", "us", "ns"] = "ns",
        ttl: int = 0,
        table_name_key: str | None = None,
    ) -> int:
        """Writes points of a line protocol into the connection's database, and gives the rows written.

        Supertables are made and widened as the points need; a bad point refuses all of them.

        Args:
            lines: InfluxDB or OpenTSDB telnet lines, in one text or one by one; or OpenTSDB's JSON as one text.
            protocol: how they are written.
            unit: the unit of the times in InfluxDB lines.
            ttl: days after which children that are made are dropped; 0 keeps them.
            table_name_key: the tag whose value names the child.

        Raises:
            ProgrammingError: a point is not right; the message names its line where there are several.
        """
        text = lines if isinstance(lines, str) else "\n".join(lines)
        return self._session.write_lines(text, *line_numbers(protocol, unit), ttl, table_name_key)

    def subscribe(
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
        """Joins a consumer group that shares the messages of topics.

        Args:
            topics: their names.
            group: the group's name.
            client: this member's name, shown in the list of consumers.
            offset_reset: where a group reads first: what is there already, what comes from now on, or only what it has committed.
            auto_commit: whether what was polled is committed by the way.
            auto_commit_interval: seconds between two such commits.
            with_table_name: whether messages tell the tables of their rows.
            **configuration: other keys of TDengine's consumers with ``_`` for ``.``, such as ``session_timeout_ms``.
        """
        from embudo.subscription import Subscription
        from embudo.subscription import configuration as keys

        given = keys(group, client, offset_reset, auto_commit, auto_commit_interval, with_table_name, configuration)
        return Subscription(self._session.subscribe(list(topics), given))

    def serve(self, host: str = "127.0.0.1", port: int = 0) -> Server:
        """Serves this embedded database from this process, for as long as the given server is open.

        ``port=0`` takes a free one. Other clients log in as any server of TDengine has them do.
        """
        return Server(self._session.serve(host, port))

    def interrupt(self) -> None:
        """Makes a call that another thread waits for on this connection end soon with OperationalError."""
        self._session.interrupt()

    def commit(self) -> None:
        """Does nothing: every statement is committed when it returns."""
        if self._session.closed:
            raise errors.InterfaceError("the connection is closed")

    def rollback(self) -> None:
        """TDengine has no transactions.

        Raises:
            NotSupportedError: always.
        """
        raise errors.NotSupportedError("TDengine has no transactions: a statement is committed when it returns")

    def close(self) -> None:
        """Ends the session; more than once is allowed. Results that are being read stay readable."""
        self._session.close()

    def __enter__(self) -> Connection[RowT]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<embudo.Connection {self.dsn} ({self.transport}{', closed' if self.closed else ''})>"


class Server:
    """A server in this process; as a context manager it stops itself."""

    def __init__(self, running: _embudo.RunningServer) -> None:
        self._running = running

    @property
    def host(self) -> str:
        """The address it listens on."""
        return self._running.host

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._running.port

    @property
    def url(self) -> str:
        """For ``taosrest.connect(url=...)`` and curl."""
        return f"http://{self.host}:{self.port}"

    @property
    def dsn(self) -> str:
        """For :func:`embudo.connect`, over REST."""
        return self.rest_dsn

    @property
    def rest_dsn(self) -> str:
        """For :func:`embudo.connect` and SQLAlchemy, over REST."""
        return f"taosrest://root:taosdata@{self.host}:{self.port}"

    @property
    def ws_dsn(self) -> str:
        """For :func:`embudo.connect`, ``taosws.connect`` and SQLAlchemy, over WebSocket."""
        return f"taosws://root:taosdata@{self.host}:{self.port}"

    @property
    def jdbc_url(self) -> str:
        """For the JDBC driver, over WebSocket."""
        return f"jdbc:TAOS-WS://{self.host}:{self.port}/?user=root&password=taosdata"

    @property
    def go_dsn(self) -> str:
        """For ``taosWS`` of the Go driver; ``taosRestful`` takes it with ``http`` for ``ws``."""
        return f"root:taosdata@ws({self.host}:{self.port})/"

    def close(self) -> None:
        """Finishes the requests that run and stops."""
        self._running.close()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<embudo.Server {self.url}>"
