"""``taosws`` of taos-ws-py 0.7.0 in all its names: connections, cursors, statements, schemaless writing, consumers. ``EMBUDO_DSN`` sends
them elsewhere than over WebSocket."""

from __future__ import annotations

from embudo.compat.lazy import attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from embudo.compat.taosws.names import *  # noqa: F403

__all__ = [
    "Connection",
    "ConnectionError",
    "Consumer",
    "ConsumerException",
    "Cursor",
    "DataError",
    "DatabaseError",
    "Error",
    "FetchError",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "Message",
    "NotSupportedError",
    "OperationalError",
    "ProgrammingError",
    "PyColumnView",
    "PyPrecision",
    "PySchemalessPrecision",
    "PySchemalessProtocol",
    "PyStmt2BindParam",
    "PyTagView",
    "QueryError",
    "TaosField",
    "TaosResult",
    "TaosStmt",
    "TaosStmt2",
    "Warning",
    "__version__",
    "apilevel",
    "big_int_to_tag",
    "big_ints_to_column",
    "binary_to_column",
    "blob_to_column",
    "bool_to_tag",
    "bools_to_column",
    "connect",
    "decimal64_to_column",
    "decimal_to_column",
    "double_to_tag",
    "doubles_to_column",
    "float_to_tag",
    "floats_to_column",
    "geometry_to_column",
    "geometry_to_tag",
    "int_to_tag",
    "ints_to_column",
    "json_to_column",
    "json_to_tag",
    "micros_timestamps_to_column",
    "millis_timestamps_to_column",
    "nanos_timestamps_to_column",
    "nchar_to_column",
    "nchar_to_tag",
    "paramstyle",
    "small_int_to_tag",
    "small_ints_to_column",
    "stmt2_bind_param_view",
    "threadsafety",
    "timestamp_to_tag",
    "tiny_int_to_tag",
    "tiny_ints_to_column",
    "u_big_int_to_tag",
    "u_int_to_tag",
    "u_small_int_to_tag",
    "u_tiny_int_to_tag",
    "unsigned_big_ints_to_column",
    "unsigned_ints_to_column",
    "unsigned_small_ints_to_column",
    "unsigned_tiny_ints_to_column",
    "varbinary_to_column",
    "varbinary_to_tag",
    "varchar_to_column",
    "varchar_to_tag",
]

#: Modules by the names that users import them by.
SUBMODULES = ("sqlalchemy",)

__version__ = "0.7.0"
apilevel = "2.0"
threadsafety = 2
paramstyle = "pyformat"

__getattr__ = attributes(__name__, ("connection", "errors", "cursor", "enums", "views", "statement", "consumer"))


def __dir__() -> list[str]:
    return sorted(__all__)
