"""TDengine's types and SQLAlchemy's, both ways."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import types
from sqlalchemy.sql import compiler

__all__ = ["TYPES_MAP", "TaosTypeCompiler", "resolve_type"]

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

_DECIMAL = re.compile(r"DECIMAL\((\d+), ?(\d+)\)")
_WITH_LENGTH = (types.String, types.BINARY)

# Lengths of columns whose type says none.
_TEXT = 255
_LONG_TEXT = 16_000
_LONG_NCHAR = 4_000


def resolve_type(name: str, length: int | None = None) -> types.TypeEngine[Any]:
    """The type of a column that DESCRIBE shows."""
    decimal = _DECIMAL.fullmatch(name)
    if decimal:
        return types.DECIMAL(int(decimal[1]), int(decimal[2]))
    found = TYPES_MAP.get(name)
    if found is None:
        return types.NullType()
    if length is not None and issubclass(found, _WITH_LENGTH):
        return found(length)
    return found()


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
        return f"NCHAR({type_.length or _LONG_NCHAR})"

    def visit_text(self, type_: Any, **kw: Any) -> str:
        return f"VARCHAR({type_.length or _LONG_TEXT})"

    visit_TEXT = visit_CLOB = visit_text  # noqa: N815

    def visit_large_binary(self, type_: Any, **kw: Any) -> str:
        return f"VARBINARY({type_.length or _LONG_TEXT})"

    visit_BLOB = visit_BINARY = visit_VARBINARY = visit_large_binary  # noqa: N815

    def visit_DATETIME(self, type_: Any, **kw: Any) -> str:  # noqa: N802
        return "TIMESTAMP"

    visit_TIMESTAMP = visit_DATE = visit_DATETIME  # noqa: N815

    def visit_TIME(self, type_: Any, **kw: Any) -> str:  # noqa: N802
        return "VARCHAR(24)"

    def visit_uuid(self, type_: Any, **kw: Any) -> str:
        return "VARCHAR(36)"

    visit_UUID = visit_uuid  # noqa: N815

    def visit_JSON(self, type_: Any, **kw: Any) -> str:  # noqa: N802
        return "JSON"
