"""Values for statements of the first kind: objects whose methods are named after TDengine's types."""

from __future__ import annotations

from typing import Any

from embudo import _embudo
from embudo.compat.taos.bind_base import column_ticks
from embudo.compat.taos.constants import FieldType
from embudo.compat.taos.error import DataTypeAndRangeError, StatementError
from embudo.compat.taos.precision import PrecisionEnum

__all__ = ["IS_V3", "TaosBind", "TaosMultiBind", "new_bind_param", "new_bind_params", "new_multi_bind", "new_multi_binds"]

IS_V3 = True

_BYTES = {
    FieldType.C_BOOL: 1,
    FieldType.C_TINYINT: 1,
    FieldType.C_TINYINT_UNSIGNED: 1,
    FieldType.C_SMALLINT: 2,
    FieldType.C_SMALLINT_UNSIGNED: 2,
    FieldType.C_INT: 4,
    FieldType.C_INT_UNSIGNED: 4,
    FieldType.C_FLOAT: 4,
}
_VARIABLE = frozenset(
    [
        FieldType.C_VARCHAR,
        FieldType.C_NCHAR,
        FieldType.C_JSON,
        FieldType.C_VARBINARY,
        FieldType.C_GEOMETRY,
        FieldType.C_BLOB,
        FieldType.C_DECIMAL,
        FieldType.C_DECIMAL64,
    ]
)


class Bound:
    """Cells of one type. The fields of the C structure can be read; the cells themselves lie in one array."""

    _column: _embudo.Column | None = None
    _values: Any = ()
    buffer_type: int = FieldType.C_NULL

    @property
    def num(self) -> int:
        """How many cells there are."""
        return 0 if self._column is None else len(self._column)

    @property
    def is_null(self) -> list[int]:
        """1 for every cell that is NULL."""
        return [int(value is None) for value in self._values]

    @property
    def buffer_length(self) -> int:
        """Bytes of the longest cell."""
        return max(self.length, default=0) if self.buffer_type in _VARIABLE else _BYTES.get(self.buffer_type, 8)

    @property
    def length(self) -> list[int]:
        """Bytes of every cell."""
        if self.buffer_type not in _VARIABLE:
            return [_BYTES.get(self.buffer_type, 8)] * self.num
        return [0 if value is None else len(value.encode() if isinstance(value, str) else value) for value in self._values]

    @property
    def buffer(self) -> Any:
        """The values."""
        return self._values

    def _set(self, code: Any, values: Any, present: list[bool] | None = None) -> None:
        try:
            self._column = _embudo.Column(code, values, present)
        except OverflowError as error:
            raise DataTypeAndRangeError(f"a value is out of range for type {code}: {error}") from error
        self.buffer_type, self._values = code, values

    def column(self) -> _embudo.Column:
        """The cells as they are bound."""
        if self._column is None:
            raise StatementError("a parameter has no value")
        return self._column


def _truths(values: Any) -> Any:
    return [None if value is None else bool(value) for value in values] if isinstance(values, list | tuple) else values


def _encoded(values: Any) -> Any:
    """Texts; bytes have no ``encode``, as with the official package."""
    if isinstance(values, list | tuple):
        for value in values:
            if isinstance(value, bytes | bytearray):
                raise AttributeError(f"'{type(value).__name__}' object has no attribute 'encode'")
    return values


class TaosMultiBind(Bound):
    """A column of values: each method takes a sequence, or one value, of the type it is named after. None is NULL."""

    def _many(self, code: Any, values: Any) -> None:
        is_scalar = values is None or isinstance(values, str | bytes | bytearray | bool | int | float) or not hasattr(values, "__len__")
        self._set(code, [values] if is_scalar else values)

    @staticmethod
    def _list(values: Any) -> Any:
        return (
            values
            if isinstance(values, list | tuple) or (hasattr(values, "__len__") and not isinstance(values, str | bytes | bytearray))
            else [values]
        )

    def bool(self, values: Any) -> None:
        """BOOL."""
        self._many(FieldType.C_BOOL, _truths(self._list(values)))

    def tinyint(self, values: Any) -> None:
        """TINYINT."""
        self._many(FieldType.C_TINYINT, values)

    def smallint(self, values: Any) -> None:
        """SMALLINT."""
        self._many(FieldType.C_SMALLINT, values)

    def int(self, values: Any) -> None:
        """INT."""
        self._many(FieldType.C_INT, values)

    def bigint(self, values: Any) -> None:
        """BIGINT."""
        self._many(FieldType.C_BIGINT, values)

    def tinyint_unsigned(self, values: Any) -> None:
        """TINYINT UNSIGNED."""
        self._many(FieldType.C_TINYINT_UNSIGNED, values)

    def smallint_unsigned(self, values: Any) -> None:
        """SMALLINT UNSIGNED."""
        self._many(FieldType.C_SMALLINT_UNSIGNED, values)

    def int_unsigned(self, values: Any) -> None:
        """INT UNSIGNED."""
        self._many(FieldType.C_INT_UNSIGNED, values)

    def bigint_unsigned(self, values: Any) -> None:
        """BIGINT UNSIGNED."""
        self._many(FieldType.C_BIGINT_UNSIGNED, values)

    def float(self, values: Any) -> None:
        """FLOAT."""
        self._many(FieldType.C_FLOAT, values)

    def double(self, values: Any) -> None:
        """DOUBLE."""
        self._many(FieldType.C_DOUBLE, values)

    def timestamp(self, values: Any, precision: Any = PrecisionEnum.Milliseconds) -> None:
        """TIMESTAMP: ticks of the database's precision, or datetimes, texts and seconds, which become ticks of ``precision``."""
        self._many(FieldType.C_TIMESTAMP, column_ticks(self._list(values), precision))

    def binary(self, values: Any) -> None:
        """VARCHAR."""
        self._many(FieldType.C_VARCHAR, _encoded(self._list(values)))

    def varchar(self, values: Any) -> None:
        """VARCHAR."""
        self.binary(values)

    def nchar(self, values: Any) -> None:
        """NCHAR."""
        self._many(FieldType.C_NCHAR, _encoded(self._list(values)))

    def json(self, values: Any) -> None:
        """JSON, as its text."""
        self._many(FieldType.C_JSON, _encoded(self._list(values)))

    def varbinary(self, values: Any) -> None:
        """VARBINARY."""
        self._many(FieldType.C_VARBINARY, values)

    def geometry(self, values: Any) -> None:
        """GEOMETRY, as well-known bytes."""
        self._many(FieldType.C_GEOMETRY, values)

    def decimal(self, values: Any) -> None:
        """DECIMAL; not in the official package."""
        self._many(FieldType.C_DECIMAL, self._list(values))

    def blob(self, values: Any) -> None:
        """BLOB; not in the official package."""
        self._many(FieldType.C_BLOB, values)


class TaosBind(Bound):
    """One value: each method takes it for the type it is named after. Texts may be bytes too."""

    is_unsigned = 0
    error = None
    u = None
    allocated = 0

    def _one(self, code: Any, value: Any) -> None:
        self._set(code, [value])

    def _text(self, code: Any, value: Any) -> None:
        self._set(code, [value.decode() if isinstance(value, bytes | bytearray) else value])

    def bool(self, value: Any) -> None:
        """BOOL."""
        self._set(FieldType.C_BOOL, _truths([value]))

    def tinyint(self, value: Any) -> None:
        """TINYINT."""
        self._one(FieldType.C_TINYINT, value)

    def smallint(self, value: Any) -> None:
        """SMALLINT."""
        self._one(FieldType.C_SMALLINT, value)

    def int(self, value: Any) -> None:
        """INT."""
        self._one(FieldType.C_INT, value)

    def bigint(self, value: Any) -> None:
        """BIGINT."""
        self._one(FieldType.C_BIGINT, value)

    def tinyint_unsigned(self, value: Any) -> None:
        """TINYINT UNSIGNED."""
        self._one(FieldType.C_TINYINT_UNSIGNED, value)

    def smallint_unsigned(self, value: Any) -> None:
        """SMALLINT UNSIGNED."""
        self._one(FieldType.C_SMALLINT_UNSIGNED, value)

    def int_unsigned(self, value: Any) -> None:
        """INT UNSIGNED."""
        self._one(FieldType.C_INT_UNSIGNED, value)

    def bigint_unsigned(self, value: Any) -> None:
        """BIGINT UNSIGNED."""
        self._one(FieldType.C_BIGINT_UNSIGNED, value)

    def float(self, value: Any) -> None:
        """FLOAT."""
        self._one(FieldType.C_FLOAT, value)

    def double(self, value: Any) -> None:
        """DOUBLE."""
        self._one(FieldType.C_DOUBLE, value)

    def timestamp(self, value: Any, precision: Any = PrecisionEnum.Milliseconds) -> None:
        """TIMESTAMP: ticks of the database's precision, or a datetime, text or seconds, which become ticks of ``precision``."""
        self._set(FieldType.C_TIMESTAMP, column_ticks([value], precision))

    def binary(self, value: Any) -> None:
        """VARCHAR."""
        self._text(FieldType.C_VARCHAR, value)

    def varchar(self, value: Any) -> None:
        """VARCHAR."""
        self._text(FieldType.C_VARCHAR, value)

    def nchar(self, value: Any) -> None:
        """NCHAR."""
        self._text(FieldType.C_NCHAR, value)

    def json(self, value: Any) -> None:
        """JSON, as its text."""
        self._text(FieldType.C_JSON, value)


def new_bind_param() -> TaosMultiBind:
    """A parameter of one value."""
    return TaosMultiBind()


def new_bind_params(size: Any) -> list[TaosMultiBind]:
    """Parameters of one value each."""
    return [TaosMultiBind() for _ in range(size)]


def new_multi_bind() -> TaosMultiBind:
    """A column."""
    return TaosMultiBind()


def new_multi_binds(size: Any) -> list[TaosMultiBind]:
    """Columns."""
    return [TaosMultiBind() for _ in range(size)]
