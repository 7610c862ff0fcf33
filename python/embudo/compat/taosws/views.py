"""Tags and columns for prepared statements: each function makes an array of one TDengine type. Columns also take NumPy arrays and Arrow."""

from __future__ import annotations

import decimal
from collections.abc import Callable, Iterable
from typing import Any

from embudo import _embudo
from embudo.compat.taosws.enums import PyPrecision
from embudo.compat.taosws.errors import ProgrammingError

__all__ = [
    "PyColumnView",
    "PyStmt2BindParam",
    "PyTagView",
    "big_int_to_tag",
    "big_ints_to_column",
    "binary_to_column",
    "blob_to_column",
    "bool_to_tag",
    "bools_to_column",
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
    "small_int_to_tag",
    "small_ints_to_column",
    "stmt2_bind_param_view",
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

_BOOL, _TINYINT, _SMALLINT, _INT, _BIGINT, _FLOAT, _DOUBLE, _VARCHAR, _TIMESTAMP, _NCHAR = range(1, 11)
_UTINYINT, _USMALLINT, _UINT, _UBIGINT, _JSON, _VARBINARY, _DECIMAL, _BLOB = range(11, 19)
_GEOMETRY, _DECIMAL64 = 20, 21

#: Digits behind the point that a DECIMAL64 and a DECIMAL can have.
_SCALES = {_DECIMAL64: ("decimal64", 18), _DECIMAL: ("decimal", 38)}


class _View:
    """Cells of one type, made by the functions of this module."""

    __slots__ = ("_column",)

    _column: _embudo.Column

    def __new__(cls) -> _View:
        raise TypeError("No constructor defined")

    @classmethod
    def _of(cls, column: _embudo.Column) -> Any:
        view = object.__new__(cls)
        view._column = column
        return view


class PyTagView(_View):
    """The value of a tag."""

    __slots__ = ()


class PyColumnView(_View):
    """The values of a column."""

    __slots__ = ()


class PyStmt2BindParam:
    """A table with its tags and columns; see :func:`stmt2_bind_param_view`."""

    __slots__ = ("_columns", "_table_name", "_tags")

    _table_name: str | None
    _tags: list[_embudo.Column] | None
    _columns: list[_embudo.Column]

    def __new__(cls) -> PyStmt2BindParam:
        raise TypeError("No constructor defined")


def stmt2_bind_param_view(table_name: str | None, tags: list[PyTagView] | None, columns: list[PyColumnView]) -> PyStmt2BindParam:
    """A table's rows for :meth:`TaosStmt2.bind`.

    Args:
        table_name: of the table; None or empty where the statement names it, and for queries.
        tags: of the table, or None.
        columns: of the rows; of a query one value each.
    """
    if not columns:
        raise ProgrammingError("stmt2 columns cannot be empty")
    bound = object.__new__(PyStmt2BindParam)
    bound._table_name = table_name or None
    bound._tags = None if tags is None else cells(tags, PyTagView)
    bound._columns = cells(columns, PyColumnView)
    return bound


def cells(views: Iterable[_View], kind: type[_View]) -> list[_embudo.Column]:
    """The arrays of views; anything else in the list is a TypeError."""
    arrays = []
    for view in views:
        if not isinstance(view, kind):
            raise TypeError(f"'{type(view).__name__}' object cannot be converted to '{kind.__name__}'")
        arrays.append(view._column)
    return arrays


def _tag(name: str, code: int, what: str) -> Callable[[Any], PyTagView]:
    def tag(value: Any) -> PyTagView:
        return PyTagView._of(_embudo.Column(code, [value]))  # type: ignore[no-any-return]

    tag.__name__ = tag.__qualname__ = name
    tag.__doc__ = f"A tag of type {what}; None is NULL."
    return tag


def _column(name: str, code: int, what: str) -> Callable[[Any], PyColumnView]:
    def column(values: Any) -> PyColumnView:
        return PyColumnView._of(_embudo.Column(code, values))  # type: ignore[no-any-return]

    column.__name__ = column.__qualname__ = name
    column.__doc__ = f"A column of type {what} from a sequence of values and None, a NumPy array or an Arrow array."
    return column


bool_to_tag = _tag("bool_to_tag", _BOOL, "BOOL")
tiny_int_to_tag = _tag("tiny_int_to_tag", _TINYINT, "TINYINT")
small_int_to_tag = _tag("small_int_to_tag", _SMALLINT, "SMALLINT")
int_to_tag = _tag("int_to_tag", _INT, "INT")
big_int_to_tag = _tag("big_int_to_tag", _BIGINT, "BIGINT")
u_tiny_int_to_tag = _tag("u_tiny_int_to_tag", _UTINYINT, "TINYINT UNSIGNED")
u_small_int_to_tag = _tag("u_small_int_to_tag", _USMALLINT, "SMALLINT UNSIGNED")
u_int_to_tag = _tag("u_int_to_tag", _UINT, "INT UNSIGNED")
u_big_int_to_tag = _tag("u_big_int_to_tag", _UBIGINT, "BIGINT UNSIGNED")
float_to_tag = _tag("float_to_tag", _FLOAT, "FLOAT")
double_to_tag = _tag("double_to_tag", _DOUBLE, "DOUBLE")
varchar_to_tag = _tag("varchar_to_tag", _VARCHAR, "VARCHAR")
nchar_to_tag = _tag("nchar_to_tag", _NCHAR, "NCHAR")
json_to_tag = _tag("json_to_tag", _JSON, "JSON, as its text")
varbinary_to_tag = _tag("varbinary_to_tag", _VARBINARY, "VARBINARY")
geometry_to_tag = _tag("geometry_to_tag", _GEOMETRY, "GEOMETRY, as WKB")


def timestamp_to_tag(value: int | None, precision: PyPrecision) -> PyTagView:
    """A tag of type TIMESTAMP: ticks of the database's precision; None is NULL."""
    if not isinstance(precision, PyPrecision):
        raise TypeError(f"argument 'precision': '{type(precision).__name__}' object cannot be converted to 'PyPrecision'")
    return PyTagView._of(_embudo.Column(_TIMESTAMP, [value]))  # type: ignore[no-any-return]


millis_timestamps_to_column = _column("millis_timestamps_to_column", _TIMESTAMP, "TIMESTAMP of a database in milliseconds, as ticks")
micros_timestamps_to_column = _column("micros_timestamps_to_column", _TIMESTAMP, "TIMESTAMP of a database in microseconds, as ticks")
nanos_timestamps_to_column = _column("nanos_timestamps_to_column", _TIMESTAMP, "TIMESTAMP of a database in nanoseconds, as ticks")
bools_to_column = _column("bools_to_column", _BOOL, "BOOL")
tiny_ints_to_column = _column("tiny_ints_to_column", _TINYINT, "TINYINT")
small_ints_to_column = _column("small_ints_to_column", _SMALLINT, "SMALLINT")
ints_to_column = _column("ints_to_column", _INT, "INT")
big_ints_to_column = _column("big_ints_to_column", _BIGINT, "BIGINT")
unsigned_tiny_ints_to_column = _column("unsigned_tiny_ints_to_column", _UTINYINT, "TINYINT UNSIGNED")
unsigned_small_ints_to_column = _column("unsigned_small_ints_to_column", _USMALLINT, "SMALLINT UNSIGNED")
unsigned_ints_to_column = _column("unsigned_ints_to_column", _UINT, "INT UNSIGNED")
unsigned_big_ints_to_column = _column("unsigned_big_ints_to_column", _UBIGINT, "BIGINT UNSIGNED")
floats_to_column = _column("floats_to_column", _FLOAT, "FLOAT")
doubles_to_column = _column("doubles_to_column", _DOUBLE, "DOUBLE")
varchar_to_column = _column("varchar_to_column", _VARCHAR, "VARCHAR")
nchar_to_column = _column("nchar_to_column", _NCHAR, "NCHAR")
json_to_column = _column("json_to_column", _JSON, "JSON, as texts")
binary_to_column = _column("binary_to_column", _VARCHAR, "BINARY, which is VARCHAR")
varbinary_to_column = _column("varbinary_to_column", _VARBINARY, "VARBINARY")
geometry_to_column = _column("geometry_to_column", _GEOMETRY, "GEOMETRY, as WKB")
blob_to_column = _column("blob_to_column", _BLOB, "BLOB")


def decimal64_to_column(values: Iterable[decimal.Decimal | None]) -> PyColumnView:
    """A column of type DECIMAL of up to 18 digits."""
    return _decimals(_DECIMAL64, values)


def decimal_to_column(values: Iterable[decimal.Decimal | None]) -> PyColumnView:
    """A column of type DECIMAL of up to 38 digits."""
    return _decimals(_DECIMAL, values)


def _decimals(code: int, values: Iterable[decimal.Decimal | None]) -> PyColumnView:
    name, largest = _SCALES[code]
    checked = list(values)
    for index, value in enumerate(checked):
        if value is None:
            continue
        if not isinstance(value, decimal.Decimal):
            raise ProgrammingError(f"expected decimal.Decimal or None, got {type(value).__name__} at index {index}")
        exponent = value.as_tuple().exponent
        if not isinstance(exponent, int):
            raise ProgrammingError(f"decimal value must be finite, got '{value}' at index {index}")
        if -exponent > largest:
            raise ProgrammingError(f"{name} scale exceeds maximum {largest}: {-exponent} at index {index}")
    return PyColumnView._of(_embudo.Column(code, checked))  # type: ignore[no-any-return]
