"""Connections of ``taosws``, and the results of their statements: tuples in which timestamps are texts."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from embudo import _embudo
from embudo import errors as typed
from embudo.compat.taosws.dsn import Target, parse, with_keywords
from embudo.compat.taosws.enums import PySchemalessPrecision, PySchemalessProtocol
from embudo.compat.taosws.errors import AlreadyClosedError, ConnectionError, FetchError, OperationalError, QueryError, translated
from embudo.logger import quiet
from embudo.redirect import redirection

if TYPE_CHECKING:
    import pandas
    import pyarrow

    from embudo.compat.taosws.cursor import Cursor
    from embudo.compat.taosws.statement import TaosStmt, TaosStmt2

__all__ = ["Connection", "TaosField", "TaosResult", "connect"]

_NAMES = {8: "BINARY", 17: "DECIMAL", 18: "BLOB", 21: "DECIMAL"}


class TaosField:
    """Name, type and length of a column."""

    __slots__ = ("_described",)

    def __init__(self, described: tuple[str, int, str, int, int, int]) -> None:
        self._described = described

    def name(self) -> str:
        """The column's name."""
        return self._described[0]

    def type(self) -> str:
        """The name of its type; VARCHAR is ``BINARY``."""
        return _NAMES.get(self._described[1], self._described[2])

    def bytes(self) -> int:
        """Its length."""
        return self._described[3]

    def __repr__(self) -> str:
        return f"{{name: {self.name()}, type: {self.type()}, bytes: {self.bytes()}}}"

    __str__ = __repr__


class TaosResult:
    """What a statement gave: an iterator of tuples."""

    def __init__(self, result: _embudo.Result, style: _embudo.RowStyle) -> None:
        self._result = result
        self._style = style
        self._described = [] if result.affected is not None else result.fields
        self._block: Iterator[tuple[Any, ...]] = iter(())

    @property
    def fields(self) -> list[TaosField]:
        """The columns."""
        return [TaosField(described) for described in self._described]

    @property
    def field_count(self) -> int:
        """How many columns there are."""
        return len(self._described)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self

    def __next__(self) -> tuple[Any, ...]:
        row = next(self._block, None)
        if row is None and self._described:
            try:
                self._block = iter(self._result.block(self._style))
            except typed.Error as error:
                raise translated(error, FetchError) from error
            row = next(self._block, None)
        if row is None:
            raise StopIteration
        return row

    def df(self) -> pandas.DataFrame:
        """The rows that are left as a pandas frame."""
        from embudo.frames import pandas_frame

        return pandas_frame(self._result.table())

    def arrow(self) -> pyarrow.Table:
        """The rows that are left as a pyarrow table."""
        import pyarrow

        return pyarrow.table(self._result.table())


class Connection:
    """What :func:`connect` gives."""

    def __new__(cls) -> Connection:
        raise TypeError("No constructor defined")

    _dsn: str
    _options: dict[str, str]
    _zoned: bool
    _session: _embudo.Session | None

    @classmethod
    def _open(cls, dsn: str, options: dict[str, str], zoned: bool) -> Connection:
        connection = object.__new__(cls)
        connection._dsn, connection._options, connection._zoned = dsn, options, zoned
        connection._session = connection._another()
        return connection

    def _another(self) -> _embudo.Session:
        """A session of the same DSN."""
        try:
            session = _embudo.connect(self._dsn, self._options, "taosws")
            if session.transport == "rest":
                # A connection is made when it is opened: the server, user and database are checked.
                session.run("SELECT SERVER_VERSION()")
            return session
        except typed.Error as error:
            raise translated(error, ConnectionError) from error

    def _alive(self) -> _embudo.Session:
        if self._session is None:
            raise AlreadyClosedError("Connection was already closed")
        return self._session

    @property
    def transport(self) -> str:
        """How the database is reached: ``websocket``, or where EMBUDO_DSN leads."""
        return self._alive().transport

    def _style(self) -> _embudo.RowStyle:
        """Timestamps as texts with the zone's offset; with its abbreviation where a zone was asked for."""
        return _embudo.RowStyle(instants="named" if self._zoned else "shown", json=False)

    def _run(self, sql: str, req_id: int | None = None) -> _embudo.Result:
        session = self._alive()
        if not isinstance(sql, str):
            raise TypeError(f"argument 'sql': '{type(sql).__name__}' object cannot be converted to 'PyString'")
        try:
            return session.run(sql, None, None, req_id)
        except typed.Error as error:
            raise translated(error, QueryError) from error

    def query(self, sql: str) -> TaosResult:
        """Runs a statement and gives its result."""
        return TaosResult(self._run(sql), self._style())

    def query_with_req_id(self, sql: str, req_id: int) -> TaosResult:
        """As :meth:`query`, with an id that the server's logs show."""
        return TaosResult(self._run(sql, req_id), self._style())

    def execute(self, sql: str) -> int:
        """Runs a statement; rows it wrote or removed, 0 for a query."""
        return _counted(self._run(sql))

    def execute_with_req_id(self, sql: str, req_id: int) -> int:
        """As :meth:`execute`, with an id that the server's logs show."""
        return _counted(self._run(sql, req_id))

    def cursor(self) -> Cursor:
        """A new cursor, on a session of its own: USE on the connection does not reach it."""
        from embudo.compat.taosws.cursor import Cursor

        self._alive()
        return Cursor._open(self._another())

    def schemaless_insert(
        self, lines: list[str], protocol: PySchemalessProtocol, precision: PySchemalessPrecision, ttl: int, req_id: int
    ) -> None:
        """Writes points of a line protocol; ``ttl`` in days, 0 for ever."""
        session = self._alive()
        for value, kind in ((protocol, PySchemalessProtocol), (precision, PySchemalessPrecision)):
            if not isinstance(value, kind):
                raise TypeError(f"'{type(value).__name__}' object cannot be converted to '{kind.__name__}'")
        try:
            session.write_lines("\n".join(lines), int(protocol), int(precision), ttl, None, req_id)
        except typed.Error as error:
            raise translated(error, OperationalError) from error

    def statement(self) -> TaosStmt:
        """A prepared statement of the first kind."""
        from embudo.compat.taosws.statement import TaosStmt

        return TaosStmt(self)

    def stmt2_statement(self) -> TaosStmt2:
        """A prepared statement of the second kind."""
        from embudo.compat.taosws.statement import TaosStmt2

        return TaosStmt2(self)

    def commit(self) -> None:
        """Does nothing: every statement is committed when it returns."""

    def rollback(self) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Ends the session; more than once is allowed."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _counted(result: _embudo.Result) -> int:
    affected = result.affected or 0
    result.close()
    return affected


def connect(dsn: str | None = None, **kwargs: Any) -> Connection:
    """Opens a connection over WebSocket, or to where ``EMBUDO_DSN`` leads.

    Args:
        dsn: ``taosws://user:password@host:6041/database?key=value``; several hosts are tried in turn.
        **kwargs: ``user``, ``password``, ``host``, ``port``, ``database`` and their other spellings, ``websocket`` (``"wss"``
            for TLS), ``timezone``; anything else is a parameter of the DSN.
    """
    target = with_keywords(parse("taosws://" if dsn is None else dsn), kwargs)
    return open_target(target)


def open_target(target: Target) -> Connection:
    """Opens what was parsed."""
    place, options, zoned = resolved(target)
    connection = Connection._open(place, options, zoned)
    log = quiet()
    if log is not None:
        session = connection._alive()
        log.info("taosws.connect: %s (%s)", session.dsn, session.transport)
    return connection


def resolved(target: Target) -> tuple[str, dict[str, str], bool]:
    """The DSN to open, its options, and whether a zone was asked for."""
    zone = target.parameters.get("timezone")
    if zone:
        try:
            zoneinfo.ZoneInfo(zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
            raise ConnectionError(f"Invalid timezone: {zone}") from error
    place = redirection(str(target))
    if place is None:
        place, options = target.dsn()
    else:
        options = {key: value for key, value in (("database", target.database), ("timezone", zone)) if value}
    return place, options, bool(zone)
