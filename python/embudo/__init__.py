"""Embudo: TDengine's SQL in this process, on a directory or in memory, and over WebSocket or REST to any TDengine server.

>>> import embudo
>>> with embudo.connect() as conn:
...     conn.execute("CREATE DATABASE power")
...     conn.execute("CREATE TABLE power.d1 (ts TIMESTAMP, current FLOAT)")
...     conn.execute("INSERT INTO power.d1 VALUES (?, ?)", ["2024-01-01T00:00:00Z", 10.3])
...     conn.execute("SELECT COUNT(*) FROM power.d1").fetchone()
(1,)

The interface is PEP 249 (``apilevel``, ``threadsafety``, ``paramstyle``), typed, with frames beside rows: see
:class:`embudo.Connection` and :class:`embudo.Cursor`. Nothing is opened, started or imported before it is needed.
"""

from __future__ import annotations

from embudo._embudo import __version__
from embudo.errors import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    OperationTimeout,
    ProgrammingError,
    Warning,
)

# Type checkers take this name for true. Importing it from `typing` would take longer than all the rest here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from embudo.connection import Connection, Server, connect
    from embudo.cursor import Cursor
    from embudo.ingest import IngestResult
    from embudo.notebook import load_ipython_extension
    from embudo.pep249 import (
        BINARY,
        DATETIME,
        NUMBER,
        ROWID,
        STRING,
        Binary,
        Date,
        DateFromTicks,
        Time,
        TimeFromTicks,
        Timestamp,
        TimestampFromTicks,
    )
    from embudo.plotting import plot
    from embudo.pool import ConnectionPool
    from embudo.redirect import install_as_taos
    from embudo.rows import dict_row, named_row, tuple_row
    from embudo.statement import Statement
    from embudo.subscription import Message, Subscription

__all__ = [
    "BINARY",
    "DATETIME",
    "NUMBER",
    "ROWID",
    "STRING",
    "Binary",
    "Connection",
    "ConnectionPool",
    "Cursor",
    "DataError",
    "DatabaseError",
    "Date",
    "DateFromTicks",
    "Error",
    "IngestResult",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "Message",
    "NotSupportedError",
    "OperationTimeout",
    "OperationalError",
    "ProgrammingError",
    "Server",
    "Statement",
    "Subscription",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
    "Warning",
    "__version__",
    "apilevel",
    "connect",
    "dict_row",
    "install_as_taos",
    "load_ipython_extension",
    "named_row",
    "paramstyle",
    "plot",
    "threadsafety",
    "tuple_row",
]

apilevel = "2.0"
#: Threads may share the module and connections; a cursor belongs to one thread at a time.
threadsafety = 2
paramstyle = "qmark"

_LAZY = {
    "connect": "connection",
    "Connection": "connection",
    "ConnectionPool": "pool",
    "Server": "connection",
    "Cursor": "cursor",
    "Message": "subscription",
    "Statement": "statement",
    "Subscription": "subscription",
    "IngestResult": "ingest",
    "install_as_taos": "redirect",
    "load_ipython_extension": "notebook",
    "plot": "plotting",
    "dict_row": "rows",
    "named_row": "rows",
    "tuple_row": "rows",
}


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module 'embudo' has no attribute {name!r}")
    import importlib

    module = _LAZY.get(name) or ("pep249" if name in __all__ else None)
    if module is None:
        raise AttributeError(f"module 'embudo' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"embudo.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
