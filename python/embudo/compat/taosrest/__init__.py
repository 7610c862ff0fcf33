"""``taosrest`` of taospy 2.8.10: statements over REST, one request each. ``EMBUDO_DSN`` sends them elsewhere."""

from __future__ import annotations

from embudo.compat.taosrest.connection import Result, TaosRestConnection, connect
from embudo.compat.taosrest.cursor import TaosRestCursor
from embudo.compat.taosrest.errors import (
    ConnectError,
    DatabaseError,
    DataError,
    Error,
    ExecutionError,
    HTTPError,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)
from embudo.compat.taosrest.restclient import RestClient

__all__ = [
    "ConnectError",
    "DataError",
    "DatabaseError",
    "Error",
    "ExecutionError",
    "HTTPError",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "NotSupportedError",
    "OperationalError",
    "ProgrammingError",
    "RestClient",
    "Result",
    "TaosRestConnection",
    "TaosRestCursor",
    "connect",
]

SUBMODULES = ("connection", "cursor", "errors", "restclient", "sqlalchemy")
