"""Connections of ``taos``."""

from __future__ import annotations

from typing import Any

from embudo import _embudo
from embudo import errors as typed
from embudo.compat.taos.cursor import TaosCursor
from embudo.compat.taos.error import ConnectionError, DatabaseError, InterfaceError, ProgrammingError, SchemalessError, translated
from embudo.compat.taos.field import set_tz
from embudo.compat.taos.result import TaosResult
from embudo.logger import quiet
from embudo.redirect import redirection

__all__ = ["TaosConnection", "connect"]

_SCHEMES = {"rest": "taosrest", "ws": "taosws"}
_TEXTS = ("host", "user", "password", "database")


class TaosConnection:
    """What :func:`connect` gives: a session on a server, or in this process."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._session: _embudo.Session | None = None
        self.decode_binary: bool = kwargs.get("decode_binary", True)
        for name in _TEXTS:
            if kwargs.get(name) is not None and not isinstance(kwargs[name], str):
                raise AttributeError(f"{name} is expected as a str")
        port = kwargs.get("port") or 0
        if not isinstance(port, int) or not 0 <= port <= 0xFFFF:
            raise TypeError("port is expected as an uint16")
        options: dict[str, str] = {}
        if kwargs.get("database"):
            options["database"] = kwargs["database"]
        timezone = kwargs.get("timezone")
        if timezone is not None:
            options["timezone"] = _set_zone(timezone)
        dsn = _dsn(kwargs, port, options)
        try:
            self._session = _embudo.connect(dsn, options, "taos")
            if self._session.transport != "embedded":
                # A connection is made when it is opened, as with the client library: the server, user and database are checked.
                self._session.run("SELECT SERVER_VERSION()")
                if "database" in options:
                    self._session.run(f"USE `{options['database']}`")
        except typed.Error as error:
            raise translated(error, ConnectionError) from error
        log = quiet()
        if log is not None:
            log.info("taos.connect: %s (%s)", self._session.dsn, self._session.transport)

    @property
    def _conn(self) -> _embudo.Session | None:
        return self._session

    @property
    def transport(self) -> str:
        """How the database is reached: ``embedded`` or ``rest``."""
        return self._open().transport

    def _open(self) -> _embudo.Session:
        if self._session is None:
            raise ProgrammingError("Cursor is not connected")
        return self._session

    @property
    def client_info(self) -> str:
        """Version of the client."""
        return _embudo.__version__

    @property
    def server_info(self) -> str:
        """Version of the server."""
        try:
            return self._open().server_version()
        except typed.Error as error:
            raise translated(error) from error

    def _run(self, sql: str, req_id: int | None = None) -> _embudo.Result:
        if not isinstance(sql, str):
            raise AttributeError("sql is expected as a string")
        try:
            return self._open().run(sql, None, None, req_id)
        except typed.Error as error:
            raise translated(error) from error

    def execute(self, sql: str, req_id: int | None = None) -> int:
        """Runs a statement; rows it wrote or removed, 0 for a query."""
        result = self._run(sql, req_id)
        affected = result.affected or 0
        result.close()
        return affected

    def query(self, sql: str, req_id: int | None = None) -> TaosResult:
        """Runs a statement and gives its result."""
        return TaosResult(self._run(sql, req_id), self.decode_binary)

    def schemaless_insert(
        self, lines: list[str] | tuple[str, ...], protocol: int, precision: int, req_id: int | None = None, ttl: int | None = None
    ) -> int:
        """Writes points of a line protocol, one a line; JSON as the only one. Gives the rows written."""
        return self.schemaless_insert_raw("\n".join(lines), protocol, precision, req_id, ttl)

    def schemaless_insert_raw(self, lines: str, protocol: int, precision: int, req_id: int | None = None, ttl: int | None = None) -> int:
        """Writes points of a line protocol, as one text. Gives the rows written."""
        try:
            return self._open().write_lines(lines, protocol, precision, ttl or 0, None, req_id)
        except typed.Error as error:
            raise translated(error, SchemalessError) from error

    def select_db(self, database: str) -> None:
        """Changes the current database."""
        try:
            self._open().run(f"USE `{database}`")
        except typed.Error as error:
            raise DatabaseError("select database error", translated(error).errno) from error

    def cursor(self) -> TaosCursor:
        """A new cursor."""
        return TaosCursor(self, decode_binary=self.decode_binary)

    def set_option(self, option: int, value: str) -> None:
        """Options of the client library have no meaning here."""

    def set_mode(self, mode: int, value: int) -> None:
        """Modes of the client library have no meaning here."""

    def commit(self) -> None:
        """Does nothing: every statement is committed when it returns."""

    def rollback(self) -> None:
        """Does nothing."""

    def clear_result_set(self) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Ends the session; more than once is allowed."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def __del__(self) -> None:
        self.close()

    def __enter__(self) -> TaosConnection:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _dsn(arguments: dict[str, Any], port: int, options: dict[str, str]) -> str:
    """Where to connect: ``transport=``, else ``EMBUDO_DSN``; chosen once."""
    host = arguments.get("host") or "localhost"
    transport = arguments.get("transport")
    if transport is None:
        dsn = redirection(f"taos.connect(host={host!r})")
        if dsn is not None:
            return dsn
        raise InterfaceError(
            "taos.connect has no transport of its own yet: set EMBUDO_DSN=./data to run embedded on a directory "
            "(EMBUDO_DSN=:memory: in memory), or EMBUDO_DSN=taosrest://root:taosdata@localhost:6041, or pass "
            'transport="rest" (or "ws", for TDengine\'s own servers), to reach a server'
        )
    if transport not in _SCHEMES:
        raise InterfaceError(f"the transport {transport!r} is not there; it can be {' or '.join(map(repr, _SCHEMES))}")
    options["user"] = arguments.get("user") or arguments.get("username") or "root"
    options["password"] = arguments.get("password") or "taosdata"
    name, _, given = host.partition(":")
    # The ports of TDengine's native protocol stand for that of its HTTP interface.
    port = port or (int(given) if given.isdigit() else 0)
    return f"{_SCHEMES[transport]}://{name}:{6041 if port in (0, 6030) else port}"


def _set_zone(timezone: str) -> str:
    import zoneinfo

    try:
        set_tz(zoneinfo.ZoneInfo(timezone))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
        import sys

        pytz: Any = sys.modules.get("pytz")
        unknown = KeyError if pytz is None else pytz.UnknownTimeZoneError
        raise unknown(timezone) from error
    return timezone


def connect(*args: Any, **kwargs: Any) -> TaosConnection:
    """Opens a connection.

    The transport is ``transport="rest"`` or ``"ws"``, else what the environment variable ``EMBUDO_DSN`` names (a directory, ``:memory:``,
    ``taosrest://...``).

    Args:
        *args: ignored, as in the official package.
        **kwargs: ``host``, ``port``, ``user`` (``root``), ``password`` (``taosdata``), ``database``, ``timezone`` (a zone's
            name; process-wide: results are aware datetimes in it), ``decode_binary`` (True; False gives VARCHAR as bytes),
            ``transport``; others are ignored.
    """
    return TaosConnection(*args, **kwargs)
