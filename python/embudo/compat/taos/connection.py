"""Connections of ``taos``."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from embudo import _embudo
from embudo import errors as typed
from embudo.compat.taos.error import (
    ConnectionError,
    DatabaseError,
    Error,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
    SchemalessError,
    translated,
)
from embudo.compat.taos.field import set_tz
from embudo.logger import quiet
from embudo.quoting import quoted
from embudo.redirect import redirection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embudo.compat.taos.cursor import TaosCursor
    from embudo.compat.taos.result import TaosResult
    from embudo.compat.taos.statement import TaosStmt
    from embudo.compat.taos.statement2 import TaosStmt2, TaosStmt2Option
    from embudo.compat.taos.subscription import TaosSubscription

__all__ = ["TaosConnection", "connect", "connect_test"]

#: Pools look for this, and for the classes of errors, in the module of `connect`.
threadsafety = 2

#: `auto` is native where a client library of TDengine loads, else WebSocket.
_SCHEMES = {"auto": "taos", "rest": "taosrest", "ws": "taosws", "websocket": "taosws", "wss": "taosws+wss", "native": "taos+native"}
_TEXTS = ("host", "user", "password", "database")
#: Keywords that a server is told, with the names that a DSN has for them.
_TOLD = {"user_app": "user_app", "user_ip": "user_ip", "totp_code": "totp_code", "bearer_token": "bearer_token"}
#: The version of the client library whose interface this is.
CLIENT_VERSION = "3.3.6.13"
#: The longest name of a program that TDengine shows, in bytes.
_LONGEST_APP = 23


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
            if self._session.transport == "rest":
                # A connection is made when it is opened, as with the client library: the server, user and database are checked.
                self._session.run("SELECT SERVER_VERSION()")
                if "database" in options:
                    self._session.run(f"USE {quoted(options['database'])}")
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
        """How the database is reached: ``websocket``, ``embedded``, ``rest`` or ``native``."""
        return self._open().transport

    def _open(self) -> _embudo.Session:
        if self._session is None:
            raise ProgrammingError("Cursor is not connected")
        return self._session

    @property
    def client_info(self) -> str:
        """Version of the client library whose interface this is."""
        return CLIENT_VERSION

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
        from embudo.compat.taos.result import TaosResult

        result = TaosResult(self._run(sql, req_id), True, self.decode_binary)
        # A connection that nobody else holds is not ended while its rows are read.
        result._owner = self
        return result

    def query_a(self, sql: str, callback: Any, param: Any, req_id: int | None = None) -> None:
        """Runs a statement in another thread and calls ``callback(param, result, code)``; ``TaosResult(result)`` has its rows."""
        from embudo.compat.taos import asynchronous

        if not isinstance(sql, str):
            raise AttributeError("sql is expected as a string")
        asynchronous.query(lambda: self._run(sql, req_id), callback, param)

    def subscribe(
        self, restart: bool, topic: str, sql: str, interval: int, callback: Any = None, param: Any = None
    ) -> TaosSubscription | None:
        """A query whose new rows are consumed every ``interval`` milliseconds, as TDengine 2 had it; for topics see :mod:`taos.tmq`."""
        from embudo.compat.taos import subscription

        if self._session is None:
            return None
        handle = subscription.SubscriptionHandle(self, restart, topic, sql, interval)
        if callback is not None:
            subscription.start(handle, callback, param)
        return subscription.TaosSubscription(handle, callback is not None)

    def statement(self, sql: str | None = None) -> TaosStmt | None:
        """A prepared statement of the first kind; None if the connection is closed."""
        from embudo.compat.taos.statement import StatementHandle, TaosStmt

        if self._session is None:
            return None
        statement = TaosStmt(StatementHandle(self._session), self.decode_binary)
        if sql is not None:
            statement.prepare(sql)
        return statement

    def statement2(self, sql: str | None = None, option: TaosStmt2Option | None = None) -> TaosStmt2 | None:
        """A prepared statement of the second kind; None if the connection is closed."""
        from embudo.compat.taos.statement import StatementHandle
        from embudo.compat.taos.statement2 import TaosStmt2

        if self._session is None:
            return None
        statement = TaosStmt2(StatementHandle(self._session), self.decode_binary)
        statement.option = option
        if sql is not None:
            statement.prepare(sql)
        return statement

    def schemaless_insert(
        self, lines: Sequence[str], protocol: int, precision: int, req_id: int | None = None, ttl: int | None = None
    ) -> int:
        """Writes points of a line protocol, one a line; JSON as the only one. Gives the rows written."""
        return self.schemaless_insert_raw("\n".join(lines), protocol, precision, req_id, ttl)

    def schemaless_insert_raw(
        self,
        lines: str,
        protocol: int,
        precision: int,
        req_id: int | None = None,
        ttl: int | None = None,
        *,
        tbname_key: str | None = None,
    ) -> int:
        """Writes points of a line protocol, as one text. Gives the rows written; ``tbname_key`` is the tag that names the children."""
        try:
            return self._open().write_lines(lines, int(protocol), int(precision), ttl or 0, tbname_key, req_id)
        except typed.Error as error:
            raise translated(error, SchemalessError) from error

    def insert_lines(self, lines: Sequence[str], protocol: int = 1, precision: int = 0) -> int:
        """As :meth:`schemaless_insert`; the name of old versions."""
        return self.schemaless_insert(lines, protocol, precision)

    def insert_telnet_lines(self, lines: Sequence[str]) -> int:
        """Writes points in OpenTSDB's lines; a name of old versions."""
        return self.schemaless_insert(lines, 2, 0)

    def insert_json_payload(self, payload: str | Sequence[str]) -> int:
        """Writes points in OpenTSDB's JSON; a name of old versions."""
        return self.schemaless_insert_raw(payload if isinstance(payload, str) else "\n".join(payload), 3, 0)

    def select_db(self, database: str) -> None:
        """Changes the current database."""
        try:
            self._open().run(f"USE {quoted(database)}")
        except typed.Error as error:
            raise DatabaseError("select database error", translated(error).errno) from error

    def load_table_info(self, tables: str) -> None:
        """Looks up tables, whose names are separated by commas, so that one that is missing is reported here."""
        for name in tables.split(","):
            parts = [part.strip(" `") for part in name.split(".")]
            try:
                self._open().run(f"DESCRIBE {quoted(*parts)}").close()
            except typed.Error as error:
                raise translated(error, OperationalError) from error

    def get_table_vgroup_id(self, db: str, table: str) -> int:
        """The vgroup that a table's rows lie in."""
        sql = "SELECT vgroup_id FROM information_schema.ins_tables WHERE db_name = ? AND table_name = ?"
        try:
            rows = self._open().run(sql, (db, table)).rows()
        except typed.Error as error:
            raise translated(error, InternalError) from error
        if not rows:
            raise InternalError(f"table {db}.{table} does not exist")
        return int(rows[0][0])

    def cursor(self) -> TaosCursor:
        """A new cursor."""
        from embudo.compat.taos.cursor import TaosCursor

        return TaosCursor(self, decode_binary=self.decode_binary)

    def set_option(self, option: int, value: str) -> None:
        """Options of an open connection have no meaning here; :func:`connect` takes them."""

    def set_mode(self, mode: int, value: int) -> None:
        """Modes of an open connection have no meaning here; ``bi_mode`` of :func:`connect` does what there is."""

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
        # An object whose making failed has nothing to end.
        with contextlib.suppress(AttributeError):
            self.close()

    def __enter__(self) -> TaosConnection:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _dsn(arguments: dict[str, Any], port: int, options: dict[str, str]) -> str:
    """Where to connect: ``transport=``, else ``EMBUDO_DSN``, else native or WebSocket; chosen once, before connecting."""
    host = arguments.get("host")
    transport = arguments.get("transport")
    if transport is None:
        dsn = redirection(f"taos.connect(host={host!r})")
        if dsn is not None:
            return dsn
        transport = "auto"
    if transport not in _SCHEMES:
        raise InterfaceError(f"the transport {transport!r} is not there; it can be {', '.join(map(repr, _SCHEMES))}")
    options["user"] = arguments.get("user") or arguments.get("username") or "root"
    options["password"] = arguments.get("password") or "taosdata"
    for name, key in _TOLD.items():
        if arguments.get(name):
            options[key] = str(arguments[name])
    if "user_app" in options:
        options["user_app"] = options["user_app"].encode()[:_LONGEST_APP].decode(errors="ignore")
    if arguments.get("bi_mode"):
        options["conn_mode"] = "1"
    if transport == "rest":
        for name in ("totp_code", "conn_mode"):
            options.pop(name, None)
    host, port = _address(host, port, arguments.get("config"))
    if arguments.get("config") and transport in ("auto", "native"):
        options["config_dir"] = str(arguments["config"])
    if transport != "native":
        # The ports of TDengine's native protocol stand for that of its HTTP interface.
        port = 6041 if port in (0, 6030) else port
    return f"{_SCHEMES[transport]}://{host}:{port}" if port else f"{_SCHEMES[transport]}://{host}"


def _address(host: str | None, port: int, config: str | None) -> tuple[str, int]:
    """Host and port: as given, else the first end point of taos.cfg, else this machine."""
    host = host or _first_end_point(config) or "localhost"
    if host.startswith("["):
        name, _, rest = host[1:].partition("]")
        given = rest.removeprefix(":")
        host = f"[{name}]"
    elif host.count(":") > 1:
        host, given = f"[{host}]", ""
    else:
        host, _, given = host.partition(":")
    return host or "localhost", port or (int(given) if given.isdigit() else 0)


def _first_end_point(config: str | None) -> str | None:
    """``firstEp`` of the client's configuration, where there is one."""
    import pathlib

    try:
        lines = (pathlib.Path(config or "/etc/taos") / "taos.cfg").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    for line in lines:
        words = line.split("#")[0].split()
        if len(words) >= 2 and words[0] == "firstEp":
            return words[1]
    return None


def _set_zone(timezone: str) -> str:
    import zoneinfo

    try:
        set_tz(zoneinfo.ZoneInfo(timezone))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, TypeError) as error:
        import sys

        pytz: Any = sys.modules.get("pytz")
        unknown = KeyError if pytz is None else pytz.UnknownTimeZoneError
        raise unknown(timezone) from error
    return timezone


def connect(*args: Any, **kwargs: Any) -> TaosConnection:
    """Opens a connection.

    The transport is ``transport=`` (``"ws"``, ``"wss"``, ``"rest"``, ``"native"``), else what the environment variable ``EMBUDO_DSN`` names
    (a directory, ``:memory:``, ``taosrest://...``), else native where a client library of TDengine loads, else WebSocket to ``host``.

    Args:
        *args: ignored, as in the official package.
        **kwargs: ``host`` (else ``firstEp`` of taos.cfg, else localhost), ``port`` (0 and 6030 stand for 6041), ``user`` (``root``),
            ``password`` (``taosdata``), ``database``, ``config`` (where taos.cfg lies), ``timezone`` (a zone's name; process-wide:
            results are aware datetimes in it), ``decode_binary`` (True; False gives VARCHAR as bytes), ``user_app``, ``user_ip``,
            ``bi_mode``, ``totp_code``, ``bearer_token``, ``transport``; others are ignored.
    """
    return TaosConnection(*args, **kwargs)


def connect_test(**kwargs: Any) -> None:
    """Whether a connection can be made, with a password of one time in ``totp_code``; raises ConnectionError if not."""
    if kwargs.get("totp_code") is None:
        raise TypeError("connect_test() missing 1 required keyword argument: 'totp_code'")
    try:
        TaosConnection(**kwargs).close()
    except ConnectionError:
        raise
    except Error as error:
        raise ConnectionError(error.msg, error.errno) from error
