"""TDengine's types and SQLAlchemy's, both ways."""

from __future__ import annotations

import datetime
import decimal
import re
from typing import Any

from sqlalchemy import types
from sqlalchemy.sql import compiler

__all__ = ["COLUMN_TYPES", "TYPES_MAP", "TaosTypeCompiler", "resolve_type"]

#: The SQLAlchemy type of TDengine's.
TYPES_MAP: dict[str, type[types.TypeEngine[Any]]] = {
    "BOOL": types.Boolean,
    "TIMESTAMP": types.DATETIME,
    "TINYINT": types.SmallInteger,
    "TINYINT UNSIGNED": types.SmallInteger,
    "SMALLINT": types.SmallInteger,
    "SMALLINT UNSIGNED": types.SmallInteger,
    "INT": types.Integer,
    "INT UNSIGNED": types.Integer,
    "BIGINT": types.BigInteger,
    "BIGINT UNSIGNED": types.BigInteger,
    "FLOAT": types.FLOAT,
    "DOUBLE": types.FLOAT,
    "BINARY": types.String,
    "VARCHAR": types.String,
    "NCHAR": types.Unicode,
    "JSON": types.JSON,
    "VARBINARY": types.BINARY,
    "GEOMETRY": types.BINARY,
    "BLOB": types.BLOB,
    "MEDIUMBLOB": types.BLOB,
}

# What reflection gives where SQLAlchemy has the very type.
_EXACT: dict[str, type[types.TypeEngine[Any]]] = {
    "BOOL": types.BOOLEAN,
    "TIMESTAMP": types.TIMESTAMP,
    "SMALLINT": types.SMALLINT,
    "INT": types.INTEGER,
    "BIGINT": types.BIGINT,
    "VARCHAR": types.VARCHAR,
    "NCHAR": types.NCHAR,
    "VARBINARY": types.VARBINARY,
}

_DECIMAL = re.compile(r"DECIMAL\((\d+), ?(\d+)\)")
_WITH_LENGTH = (types.String, types.BINARY)

# Lengths of columns whose type says none.
_TEXT = 255
_LONG_TEXT = 16_000
# Bytes that a row's texts without a length share.
_ROW = 60_000


def resolve_type(name: str, length: int | None = None) -> types.TypeEngine[Any]:
    """The type of a column that DESCRIBE shows."""
    decimal = _DECIMAL.fullmatch(name)
    if decimal:
        return types.DECIMAL(int(decimal[1]), int(decimal[2]))
    found = _EXACT.get(name) or TYPES_MAP.get(name)
    if found is None:
        return types.NullType()
    if length is not None and issubclass(found, _WITH_LENGTH):
        return found(length)
    return found()


class TaosDateTime(types.DateTime):
    """TIMESTAMP: naive in the session's time zone, as the type says, and aware with ``timezone=True``."""

    def result_processor(self, dialect: Any, coltype: Any) -> Any:
        """Takes the zone off, or gives one."""
        if self.timezone:
            return lambda value: value.astimezone() if isinstance(value, datetime.datetime) and value.tzinfo is None else value
        return lambda value: value.replace(tzinfo=None) if isinstance(value, datetime.datetime) else value

    def literal_processor(self, dialect: Any) -> Any:
        """Text that TDengine reads as a time."""
        return lambda value: f"'{value.isoformat()}'"


class TaosDate(types.Date):
    """A TIMESTAMP at midnight."""

    def bind_processor(self, dialect: Any) -> Any:
        """Midnight of the day."""
        return _midnight

    def result_processor(self, dialect: Any, coltype: Any) -> Any:
        """The day."""
        return lambda value: value.date() if isinstance(value, datetime.datetime) else value

    def literal_processor(self, dialect: Any) -> Any:
        """Text that TDengine reads as a time."""
        return lambda value: f"'{value.isoformat()}'"


class TaosTime(types.Time):
    """Text: TDengine has no time of day."""

    def bind_processor(self, dialect: Any) -> Any:
        """ISO 8601."""
        return lambda value: value.isoformat() if isinstance(value, datetime.time) else value

    def result_processor(self, dialect: Any, coltype: Any) -> Any:
        """Back from ISO 8601."""
        return lambda value: datetime.time.fromisoformat(value) if isinstance(value, str) else value

    def literal_processor(self, dialect: Any) -> Any:
        """As bound."""
        return lambda value: f"'{value.isoformat()}'"


class TaosBinary(types.LargeBinary):
    """Bytes; REST gives them as hexadecimal digits."""

    def bind_processor(self, dialect: Any) -> Any:
        """Bytes as they are: the modules of the official packages have no ``Binary``."""
        return lambda value: bytes(value) if value is not None else None

    def result_processor(self, dialect: Any, coltype: Any) -> Any:
        """Bytes, from whatever came."""

        def processed(value: Any) -> Any:
            if isinstance(value, str):
                digits = value.removeprefix("\\x").removeprefix("\\X")
                return bytes.fromhex(digits)
            return value

        return processed


class TaosNumeric(types.Numeric):  # type: ignore[type-arg] # not subscriptable before 2.0
    """DECIMAL; REST gives it as text, and expressions may give DOUBLE."""

    def result_processor(self, dialect: Any, coltype: Any) -> Any:
        """As the type says, from whatever came."""
        if not self.asdecimal:
            return lambda value: None if value is None else float(value)
        digits = self._effective_decimal_return_scale

        def processed(value: Any) -> Any:
            if isinstance(value, float):
                return decimal.Decimal(f"{value:.{digits}f}")
            return decimal.Decimal(value) if isinstance(value, str | int) and not isinstance(value, bool) else value

        return processed


def _midnight(value: Any) -> Any:
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return datetime.datetime(value.year, value.month, value.day)
    return value


#: What stands for SQLAlchemy's types.
COLUMN_TYPES: dict[type[types.TypeEngine[Any]], type[types.TypeEngine[Any]]] = {
    types.DateTime: TaosDateTime,
    types.Date: TaosDate,
    types.Time: TaosTime,
    types.LargeBinary: TaosBinary,
    types.Numeric: TaosNumeric,
    types.Float: types.Float,
}


class TaosTypeCompiler(compiler.GenericTypeCompiler):
    """SQLAlchemy's types as TDengine spells them."""

    def visit_boolean(self, type_: Any, **kw: Any) -> str:
        return "BOOL"

    visit_BOOLEAN = visit_boolean  # noqa: N815 (SQLAlchemy's names)

    def visit_INTEGER(self, type_: Any, **kw: Any) -> str:  # noqa: N802
        return "INT"

    def visit_FLOAT(self, type_: Any, **kw: Any) -> str:  # noqa: N802
        # Python's float has 53 bits; TDengine's FLOAT 24.
        return "FLOAT" if type_.precision is not None and type_.precision <= 24 else "DOUBLE"

    def visit_REAL(self, type_: Any, **kw: Any) -> str:  # noqa: N802
        return "FLOAT"

    def visit_DOUBLE(self, type_: Any, **kw: Any) -> str:  # noqa: N802
        return "DOUBLE"

    visit_DOUBLE_PRECISION = visit_DOUBLE  # noqa: N815

    def visit_DECIMAL(self, type_: Any, **kw: Any) -> str:  # noqa: N802
        return f"DECIMAL({type_.precision or 38},{type_.scale or 0})"

    visit_NUMERIC = visit_DECIMAL  # noqa: N815

    def visit_VARCHAR(self, type_: Any, **kw: Any) -> str:  # noqa: N802
        return f"VARCHAR({type_.length or _TEXT})"

    visit_CHAR = visit_VARCHAR  # noqa: N815

    def visit_NVARCHAR(self, type_: Any, **kw: Any) -> str:  # noqa: N802
        return f"NCHAR({type_.length or _TEXT})"

    visit_NCHAR = visit_NVARCHAR  # noqa: N815

    def visit_unicode(self, type_: Any, **kw: Any) -> str:
        return f"NCHAR({type_.length or _TEXT})"

    def visit_unicode_text(self, type_: Any, **kw: Any) -> str:
        return f"NCHAR({type_.length or _share(kw) // 4})"

    def visit_text(self, type_: Any, **kw: Any) -> str:
        return f"VARCHAR({type_.length or _share(kw)})"

    visit_TEXT = visit_CLOB = visit_text  # noqa: N815

    def visit_large_binary(self, type_: Any, **kw: Any) -> str:
        return f"VARBINARY({type_.length or _share(kw)})"

    visit_BLOB = visit_BINARY = visit_VARBINARY = visit_large_binary  # noqa: N815

    def visit_DATETIME(self, type_: Any, **kw: Any) -> str:  # noqa: N802
        return "TIMESTAMP"

    visit_TIMESTAMP = visit_DATE = visit_DATETIME  # noqa: N815

    def visit_TIME(self, type_: Any, **kw: Any) -> str:  # noqa: N802
        return "VARCHAR(24)"

    def visit_enum(self, type_: Any, **kw: Any) -> str:
        # Lengths of VARCHAR are bytes.
        return f"VARCHAR({max([1, *(len(name.encode()) for name in type_.enums)])})"

    visit_ENUM = visit_enum  # noqa: N815

    def visit_uuid(self, type_: Any, **kw: Any) -> str:
        return "VARCHAR(36)"

    visit_UUID = visit_uuid  # noqa: N815

    def visit_JSON(self, type_: Any, **kw: Any) -> str:  # noqa: N802
        # TDengine has JSON for tags only; a column keeps its text.
        column = kw.get("type_expression")
        if column is not None and not column.dialect_options["taos"]["tag"]:
            return f"NCHAR({_share(kw) // 4})"
        return "JSON"

    def visit_TINYINT(self, type_: Any, **kw: Any) -> str:  # noqa: N802
        return "TINYINT"


def _share(kw: Any) -> int:
    """Bytes for a text without a length: what a row has room for, shared by all such columns of the table."""
    column = kw.get("type_expression")
    table = getattr(column, "table", None)
    if table is None:
        return _LONG_TEXT
    long = [
        other
        for other in table.columns
        if isinstance(other.type, types.Text | types.UnicodeText | types.LargeBinary | types.JSON)
        and not getattr(other.type, "length", None)
    ]
    return min(_LONG_TEXT, _ROW // max(1, len(long)) // 4 * 4)
