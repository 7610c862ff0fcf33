"""The dialects: one per way to connect, all with the same SQL and reflection."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import sqlalchemy
from sqlalchemy.engine import default, url
from sqlalchemy.schema import Column, Table
from sqlalchemy.sql import compiler

from embudo.sqlalchemy.compilers import TaosCompiler, TaosDDLCompiler, TaosIdentifierPreparer
from embudo.sqlalchemy.reflection import Reflection
from embudo.sqlalchemy.results import ResultContext
from embudo.sqlalchemy.types import COLUMN_TYPES, TYPES_MAP, TaosTypeCompiler, resolve_type

__all__ = ["BaseDialect", "TaosDialect", "TaosRestDialect", "TaosRestHttpsDialect", "TaosWsDialect", "TaosWssDialect"]


#: Whether this is SQLAlchemy 1.4.
is_old = sqlalchemy.__version__.startswith("1.")


def _json(value: Any) -> Any:
    """JSON that may come parsed or as text."""
    if not isinstance(value, str):
        return value
    import json

    return json.loads(value)


class BaseDialect(Reflection, default.DefaultDialect):  # type: ignore[misc] # plainer types than SQLAlchemy's
    """What the dialects share."""

    default_paramstyle = "qmark"
    supports_statement_cache = True
    supports_native_boolean = True
    supports_native_decimal = True
    # ``/`` gives fractions of integers too.
    div_is_floordiv = False
    supports_alter = False
    supports_comments = False
    supports_default_values = False
    supports_empty_insert = False
    supports_sane_rowcount = True
    supports_sane_multi_rowcount = False
    supports_schemas = True
    supports_sequences = False
    supports_multivalues_insert = True
    postfetch_lastrowid = False
    implicit_returning = True
    insert_returning = False
    max_identifier_length = 192

    execution_ctx_cls = ResultContext
    statement_compiler = TaosCompiler
    ddl_compiler = TaosDDLCompiler
    type_compiler_cls = TaosTypeCompiler
    preparer: type[compiler.IdentifierPreparer] = TaosIdentifierPreparer

    if is_old:
        # The names of before 2.0.
        type_compiler = TaosTypeCompiler

        @classmethod
        def dbapi(cls) -> Any:  # type: ignore[override]
            """The PEP 249 module."""
            return cls.import_dbapi()

    colspecs = COLUMN_TYPES
    _json_deserializer = staticmethod(_json)

    def do_rollback(self, dbapi_connection: Any) -> None:
        """TDengine has no transactions."""

    def do_ping(self, dbapi_connection: Any) -> bool:
        """Whether the connection answers."""
        cursor = dbapi_connection.cursor()
        cursor.execute("SELECT SERVER_VERSION()")
        cursor.close()
        return True

    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:
        """Whether the session is gone, by the server's doing or because it was closed."""
        if "is closed" in str(e) or "not connected" in str(e):
            return True
        return (getattr(e, "errno", 0) & 0xFFFF) in (0x000B, 0x0015, 0x0018, 0x020B, 0x0213, 0x0215)

    def _resolve_type(self, type_: str) -> Any:
        """The class of a type's name, as the official dialects have it."""
        return TYPES_MAP.get(type_) or type(resolve_type(type_))


class TaosRestDialect(BaseDialect):
    """``taosrest://user:password@host:6041/database``; ``?token=``, ``?timezone=`` and ``?timeout=`` as for ``taosrest.connect``."""

    name = "taosrest"
    driver = "taosrest"
    supports_statement_cache = True

    #: Whether connections are encrypted.
    encrypts = False

    @classmethod
    def import_dbapi(cls) -> Any:
        """``taosrest``, with PEP 249's names."""
        from embudo.compat import taosrest
        from embudo.sqlalchemy.restapi import RestApi

        return RestApi(taosrest)

    def create_connect_args(self, url: url.URL) -> tuple[list[Any], dict[str, Any]]:
        """Arguments of ``taosrest.connect``."""
        arguments: dict[str, Any] = dict(url.query)
        scheme = "https" if self.encrypts or arguments.pop("ssl", "") in ("1", "true") else "http"
        host = url.host or "localhost"
        arguments["url"] = f"{scheme}://{f'[{host}]' if ':' in host else host}:{url.port or 6041}"
        for name, value in (("user", url.username), ("password", url.password), ("database", url.database)):
            if value:
                arguments[name] = value
        if "timeout" in arguments:
            arguments["timeout"] = float(arguments["timeout"])
        return [], arguments


class TaosRestHttpsDialect(TaosRestDialect):
    """``taosrest+https://``: with TLS."""

    driver = "https"
    supports_statement_cache = True
    encrypts = True


class TaosWsDialect(BaseDialect):
    """``taosws://user:password@host:6041/database``: ``taosws.connect``; ``?hosts=a:6041,b:6041`` names several servers."""

    name = "taosws"
    driver = "taosws"
    supports_statement_cache = True

    @classmethod
    def import_dbapi(cls) -> Any:
        """The typed API, which binds parameters as values."""
        from embudo.sqlalchemy.wsapi import WsApi

        return WsApi()

    def create_connect_args(self, url: url.URL) -> tuple[list[Any], dict[str, Any]]:
        """One DSN."""
        query = dict(url.query)
        hosts = query.pop("hosts", None)
        address = hosts if isinstance(hosts, str) else ""
        if not address:
            host = f"[{url.host}]" if url.host and ":" in url.host else url.host or ""
            address = f"{host}:{url.port}" if url.port else host
        login = (
            ""
            if url.username is None
            else quote(url.username, safe="") + ("" if url.password is None else f":{quote(str(url.password), safe='')}")
        )
        options = "&".join(f"{quote(name, safe='')}={quote(str(value), safe=':,')}" for name, value in query.items())
        database = f"/{quote(url.database, safe='')}" if url.database else ""
        return [f"{url.drivername}://{login}{'@' if login else ''}{address}{database}{'?' if options else ''}{options}"], {}


class TaosWssDialect(TaosWsDialect):
    """``taosws+wss://``: with TLS."""

    driver = "wss"
    supports_statement_cache = True


class TaosDialect(BaseDialect):
    """``taos://user:password@host:6030/database``: what ``taos.connect`` does, with ``EMBUDO_DSN`` or ``?transport=rest``."""

    name = "taos"
    driver = "taos"
    supports_statement_cache = True
    construct_arguments = [  # noqa: RUF012 (SQLAlchemy's name)
        (Table, {"supertable": False, "using": None, "tags": None}),
        (Column, {"tag": False}),
    ]

    @classmethod
    def import_dbapi(cls) -> Any:
        """``taos``."""
        from embudo.compat import taos

        return taos

    def create_connect_args(self, url: url.URL) -> tuple[list[Any], dict[str, Any]]:
        """Arguments of ``taos.connect``."""
        arguments: dict[str, Any] = dict(url.query)
        for name, value in (
            ("host", url.host),
            ("port", url.port),
            ("user", url.username),
            ("password", url.password),
            ("database", url.database),
        ):
            if value:
                arguments[name] = value
        return [], arguments
