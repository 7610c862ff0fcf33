"""``taos`` of taospy 2.8.10, as far as connections, cursors, results, fields, errors and constants go. ``EMBUDO_DSN`` says to what."""

from __future__ import annotations

from typing import Any

from embudo.compat.taos.connection import TaosConnection, connect
from embudo.compat.taos.constants import (
    TSDB_CONNECTIONS_MODE,
    TSDB_OPTION_CONNECTION,
    FieldType,
    SmlPrecision,
    SmlProtocol,
    TaosOption,
)
from embudo.compat.taos.cursor import TaosCursor
from embudo.compat.taos.error import (
    ConnectionError,
    DatabaseError,
    DataError,
    DataTypeAndRangeError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    LinesError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    ResultError,
    SchemalessError,
    StatementError,
    TmqError,
    Warning,
)
from embudo.compat.taos.field import TaosField, TaosFields, get_tz, set_tz
from embudo.compat.taos.precision import PrecisionEnum, PrecisionError
from embudo.compat.taos.result import TaosBlocks, TaosResult, TaosRow, TaosRows

__version__ = "2.8.10"

__all__ = [
    "IS_V3",
    "TAOS_FIELD_COL",
    "TAOS_FIELD_QUERY",
    "TAOS_FIELD_TAG",
    "TAOS_FIELD_TBNAME",
    "TSDB_CONNECTIONS_MODE",
    "TSDB_OPTION_CONNECTION",
    "ConnectionError",
    "DataError",
    "DataTypeAndRangeError",
    "DatabaseError",
    "Error",
    "FieldType",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "LinesError",
    "NotSupportedError",
    "OperationalError",
    "PrecisionEnum",
    "PrecisionError",
    "ProgrammingError",
    "ResultError",
    "SchemalessError",
    "SmlPrecision",
    "SmlProtocol",
    "StatementError",
    "TaosBlocks",
    "TaosConnection",
    "TaosCursor",
    "TaosField",
    "TaosFields",
    "TaosOption",
    "TaosResult",
    "TaosRow",
    "TaosRows",
    "TmqError",
    "Warning",
    "__version__",
    "connect",
    "get_tz",
    "paramstyle",
    "set_tz",
    "threadsafety",
]

SUBMODULES = ("connection", "constants", "cursor", "error", "field", "precision", "result", "sqlalchemy")

threadsafety = 2
paramstyle = "qmark"
IS_V3 = True
TAOS_FIELD_COL = 1
TAOS_FIELD_TAG = 2
TAOS_FIELD_QUERY = 3
TAOS_FIELD_TBNAME = 4

_NOT_YET = frozenset(
    [
        "BindTable",
        "TaosBind",
        "TaosConsumer",
        "TaosMultiBind",
        "TaosStmt",
        "TaosStmt2",
        "TaosStmt2Option",
        "new_bind_param",
        "new_bind_params",
        "new_multi_bind",
        "new_multi_binds",
        "tmq",
    ]
)


def __getattr__(name: str) -> Any:
    if name in _NOT_YET:
        raise AttributeError(f"taos.{name} is not in this version of Embudo: statements and subscriptions are to come")
    raise AttributeError(f"module 'taos' has no attribute {name!r}")
