"""Values for statements of the second kind, as the official package's lower level has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from embudo.compat.taos.bind import Bound, TaosMultiBind
from embudo.compat.taos.bind_base import column_ticks
from embudo.compat.taos.constants import FieldType
from embudo.compat.taos.error import DataTypeAndRangeError, StatementError
from embudo.compat.taos.precision import PrecisionEnum
from embudo.compat.taos.utils import checkTypeValid

__all__ = [
    "IGNORE",
    "IS_NULL_TYPE_FALSE",
    "IS_NULL_TYPE_IGNORE",
    "IS_NULL_TYPE_TRUE",
    "IgnoreUpdateType",
    "TaosStmt2Bind",
    "TaosStmt2BindV",
    "get_is_null_type",
    "new_bindv",
    "new_stmt2_binds",
]

IS_NULL_TYPE_FALSE = 0
IS_NULL_TYPE_TRUE = 1
IS_NULL_TYPE_IGNORE = 2


class IgnoreUpdateType:
    """Marks a cell that leaves what the row already has."""

    _only: IgnoreUpdateType | None = None

    def __new__(cls, value: Any = None) -> IgnoreUpdateType:
        if cls._only is None:
            cls._only = object.__new__(cls)
        return cls._only

    def __init__(self, value: Any = None) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"IgnoreUpdateType({self.value})"


IGNORE = IgnoreUpdateType(None)


def get_is_null_type(value: Any) -> int:
    """0 for a value, 1 for None, 2 for :data:`IGNORE`."""
    if value is IGNORE:
        return IS_NULL_TYPE_IGNORE
    return IS_NULL_TYPE_TRUE if value is None else IS_NULL_TYPE_FALSE


class TaosStmt2Bind(TaosMultiBind):
    """A column of values; beside the methods of :class:`TaosMultiBind` it takes a type's number."""

    @property
    def is_null(self) -> list[Any]:
        """0 for a value, 1 for NULL, 2 for a cell that is left as it is."""
        return [get_is_null_type(value) for value in self._values]

    def _set(self, code: Any, values: Any, present: list[Any] | None = None) -> None:
        if isinstance(values, list | tuple) and any(value is IGNORE for value in values):
            super()._set(code, [None if value is IGNORE else value for value in values], [value is not IGNORE for value in values])
            self._values = values
        else:
            super()._set(code, values, present)

    def set_value(self, buffer_type: Any, values: Sequence[Any], precision: Any = PrecisionEnum.Milliseconds) -> None:
        """Takes values for a column of the type with this number, after they were checked."""
        self._set(buffer_type, checked_column(buffer_type, values, precision))

    def numeric_common(self, values: Sequence[Any], ctypes_type: Any, buffer_null_type: Any, buffer_value_type: Any) -> None:
        """Takes numbers for a column of the type with the number ``buffer_value_type``."""
        self._set(buffer_value_type, list(values))


def checked_column(code: Any, values: Any, precision: Any) -> Any:
    """Values as the extension takes them for a type; what has the wrong type or lies out of range is refused."""
    if isinstance(values, str | bytes | bytearray) or not (isinstance(values, list | tuple) or hasattr(values, "__len__")):
        raise DataTypeAndRangeError(f"the values of a column are a list, not {type(values).__name__}")
    if not isinstance(values, list | tuple):
        return values
    if not any(value is IGNORE for value in values):
        checkTypeValid(code, values)
    if code == FieldType.C_TIMESTAMP:
        return column_ticks(values, precision)
    if code == FieldType.C_BOOL:
        return [value if value is None or value is IGNORE else bool(value) for value in values]
    kinds = set(map(type, values))
    if float in kinds and code not in (FieldType.C_FLOAT, FieldType.C_DOUBLE, FieldType.C_DECIMAL, FieldType.C_DECIMAL64):
        for value in values:
            if type(value) is float:
                raise TypeError(f"an integer is required for type {code}, not {value!r}")
    return values


class TaosStmt2BindV:
    """Tables with their tags and columns."""

    def __init__(self) -> None:
        self.count = 0
        self.tbnames: list[str | None] | None = None
        self.tags: list[list[Bound]] | None = None
        self.bind_cols: list[list[Bound]] = []

    def init(self, count: int, tbnames: Sequence[str | None] | None, tags: Sequence[Any] | None, bind_cols: Sequence[Any]) -> None:
        """Takes names, tags and columns, one of each a table; names and tags may be None."""
        self.count = count
        self.tbnames = None if tbnames is None else list(tbnames)
        self.tags = None if tags is None else [list(table) for table in tags]
        self.bind_cols = [list(table) for table in bind_cols]

    def str_to_buffer(self, value: str | bytes, encode: bool = True) -> Any:
        """A text as zero-terminated memory."""
        import ctypes

        return ctypes.create_string_buffer(value.encode() if encode and isinstance(value, str) else value)  # type: ignore[arg-type]

    def get_address(self) -> TaosStmt2BindV:
        """What the functions of :mod:`taos.cinterface` take."""
        return self

    def tables(self) -> list[Any]:
        """As the extension's statements take them."""
        if len(self.bind_cols) != self.count:
            raise StatementError(f"{self.count} tables need as many lists of columns, not {len(self.bind_cols)}")
        found = []
        for at, columns in enumerate(self.bind_cols):
            name = self.tbnames[at] if self.tbnames else None
            tags = [tag.column() for tag in self.tags[at]] if self.tags else None
            found.append((name, tags, [column.column() for column in columns]))
        return found


def new_stmt2_binds(size: int) -> list[TaosStmt2Bind]:
    """Columns."""
    return [TaosStmt2Bind() for _ in range(size)]


def new_bindv(count: int, tbnames: Sequence[str | None] | None, tags: Sequence[Any] | None, bind_cols: Sequence[Any]) -> TaosStmt2BindV:
    """Tables with their tags and columns."""
    made = TaosStmt2BindV()
    made.init(count, tbnames, tags, bind_cols)
    return made
