"""Numbers of TDengine's C interface."""

from __future__ import annotations

import ctypes
import enum

__all__ = ["TSDB_CONNECTIONS_MODE", "TSDB_OPTION_CONNECTION", "FieldType", "SmlPrecision", "SmlProtocol", "TaosOption"]


class FieldType:
    """Type codes of columns, what marks NULL in memory, and precisions of timestamps."""

    C_NULL = 0
    C_BOOL = 1
    C_TINYINT = 2
    C_SMALLINT = 3
    C_INT = 4
    C_BIGINT = 5
    C_FLOAT = 6
    C_DOUBLE = 7
    C_VARCHAR = 8
    C_BINARY = 8
    C_TIMESTAMP = 9
    C_NCHAR = 10
    C_TINYINT_UNSIGNED = 11
    C_SMALLINT_UNSIGNED = 12
    C_INT_UNSIGNED = 13
    C_BIGINT_UNSIGNED = 14
    C_JSON = 15
    C_VARBINARY = 16
    C_DECIMAL = 17
    C_BLOB = 18
    C_GEOMETRY = 20
    C_DECIMAL64 = 21

    C_BOOL_NULL = 0x02
    C_TINYINT_NULL = -128
    C_TINYINT_UNSIGNED_NULL = 255
    C_SMALLINT_NULL = -32768
    C_SMALLINT_UNSIGNED_NULL = 65535
    C_INT_NULL = -2147483648
    C_INT_UNSIGNED_NULL = 4294967295
    C_BIGINT_NULL = -9223372036854775808
    C_BIGINT_UNSIGNED_NULL = 18446744073709551615
    C_FLOAT_NULL = ctypes.c_float(float("nan"))
    C_DOUBLE_NULL = ctypes.c_double(float("nan"))
    C_BINARY_NULL = bytearray([0xFF])

    C_TIMESTAMP_MILLI = 0
    C_TIMESTAMP_MICRO = 1
    C_TIMESTAMP_NANO = 2
    C_TIMESTAMP_UNKNOWN = 3


class SmlProtocol:
    """Line protocols."""

    UNKNOWN_PROTOCOL = 0
    LINE_PROTOCOL = 1
    TELNET_PROTOCOL = 2
    JSON_PROTOCOL = 3


class SmlPrecision:
    """Units of the times in lines."""

    NOT_CONFIGURED = 0
    HOURS = 1
    MINUTES = 2
    SECONDS = 3
    MILLI_SECONDS = 4
    MICRO_SECONDS = 5
    NANO_SECONDS = 6


class TSDB_OPTION_CONNECTION(enum.Enum):  # noqa: N801 (the official name)
    """Options of a connection."""

    TSDB_OPTION_CONNECTION_CLEAR = -1
    TSDB_OPTION_CONNECTION_CHARSET = 0
    TSDB_OPTION_CONNECTION_TIMEZONE = 1
    TSDB_OPTION_CONNECTION_USER_IP = 2
    TSDB_OPTION_CONNECTION_USER_APP = 3
    TSDB_MAX_OPTIONS_CONNECTION = 4


class TSDB_CONNECTIONS_MODE(enum.Enum):  # noqa: N801 (the official name)
    """Modes of a connection."""

    TSDB_CONNECTIONS_MODE_BI = 0


class TaosOption:
    """Options of the client library."""

    Locale = 0
    Charset = 1
    Timezone = 2
    ConfigDir = 3
    ShellActivityTimer = 4
    MaxOptions = 5
