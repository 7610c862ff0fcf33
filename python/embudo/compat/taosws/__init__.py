"""``taosws``: WebSocket is not in this version; connecting says what to use instead."""

from __future__ import annotations

from typing import Any, NoReturn

from embudo.errors import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    Warning,
)

__all__ = [
    "DataError",
    "DatabaseError",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "NotSupportedError",
    "OperationalError",
    "ProgrammingError",
    "Warning",
    "__version__",
    "apilevel",
    "connect",
    "paramstyle",
    "threadsafety",
]

SUBMODULES: tuple[str, ...] = ()

__version__ = "0.7.0"
apilevel = "2.0"
threadsafety = 2
paramstyle = "pyformat"


def connect(dsn: str | None = None, **kwargs: Any) -> NoReturn:
    """Raises InterfaceError: WebSocket is not in this version."""
    raise InterfaceError(
        "taosws.connect: the WebSocket transport is not in this version of Embudo; embudo.connect('taosrest://user:password@host:6041') "
        "and taosrest.connect(url=...) reach the same servers over REST, embudo.connect('./data') runs embedded"
    )
