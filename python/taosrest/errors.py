"""Alias of :mod:`embudo.compat.taosrest.errors`."""

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
]
