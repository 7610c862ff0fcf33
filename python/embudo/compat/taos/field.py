"""Columns of a result, the zone that the process shows timestamps in, and the values of memory as the C interface hands it out."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from typing import Any

from embudo.compat.taos.constants import FieldType
from embudo.compat.taos.error import DatabaseError

__all__ = [
    "CONVERT_FUNC",
    "CONVERT_FUNC_BLOCK",
    "TaosField",
    "TaosFields",
    "convert_block_func",
    "convert_func",
    "get_tz",
    "set_tz",
]

_tz: datetime.tzinfo | None = None


def set_tz(tz: datetime.tzinfo | None) -> None:
    """From now on results of the whole process are aware datetimes in this zone; None: naive local ones."""
    global _tz
    _tz = tz


def get_tz() -> datetime.tzinfo | None:
    """What :func:`set_tz` set."""
    return _tz


class TaosField:
    """Name, type code and length of a column."""

    _shown: tuple[str, ...] = ("name", "type", "bytes")

    def __init__(self, name: str, type: int, bytes: int, precision: int = 0, scale: int = 0, field_type: int = 0) -> None:
        self._name = name
        self._type = type
        self._bytes = bytes
        self._precision = precision
        self._scale = scale
        self._field_type = field_type

    @property
    def name(self) -> str:
        """The column's name."""
        return self._name

    @property
    def type(self) -> int:
        """Its type code, see ``FieldType``."""
        return self._type

    @property
    def bytes(self) -> int:
        """Its length."""
        return self._bytes

    @property
    def length(self) -> int:
        """The same as ``bytes``."""
        return self._bytes

    def __getitem__(self, item: str) -> Any:
        return getattr(self, item)

    def __str__(self) -> str:
        return "{" + ", ".join(f"{name}: {getattr(self, name)}" for name in self._shown) + "}"

    __repr__ = __str__


class TaosFields:
    """The columns of a result."""

    def __init__(self, fields: Any, count: int | None = None) -> None:
        self._fields: list[Any] = list(fields)[:count]
        self._next = 0

    def as_ptr(self) -> TaosFields:
        """What functions of :mod:`taos.cinterface` take."""
        return self

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._fields)

    @property
    def fields(self) -> list[Any]:
        """All of them."""
        return self._fields

    def __len__(self) -> int:
        return len(self._fields)

    def __getitem__(self, item: int) -> Any:
        return self._fields[item]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._fields)

    def __next__(self) -> Any:
        if self._next >= len(self._fields):
            raise StopIteration
        self._next += 1
        return self._fields[self._next - 1]

    def next(self) -> Any:
        """One after the other."""
        return self.__next__()

    def __str__(self) -> str:
        return ",".join(str(field) for field in self._fields)

    __repr__ = __str__


def fields_of(described: list[tuple[str, int, str, int, int, int]]) -> TaosFields:
    """From the extension's description of a result."""
    return TaosFields([TaosField(name, code, length, precision, scale) for name, code, _, length, precision, scale in described])


#: Format characters of :mod:`struct`, and what stands for NULL in memory.
_NUMBERS: dict[int, tuple[str, Any]] = {
    FieldType.C_BOOL: ("b", FieldType.C_BOOL_NULL),
    FieldType.C_TINYINT: ("b", FieldType.C_TINYINT_NULL),
    FieldType.C_TINYINT_UNSIGNED: ("B", FieldType.C_TINYINT_UNSIGNED_NULL),
    FieldType.C_SMALLINT: ("h", FieldType.C_SMALLINT_NULL),
    FieldType.C_SMALLINT_UNSIGNED: ("H", FieldType.C_SMALLINT_UNSIGNED_NULL),
    FieldType.C_INT: ("i", FieldType.C_INT_NULL),
    FieldType.C_INT_UNSIGNED: ("I", FieldType.C_INT_UNSIGNED_NULL),
    FieldType.C_BIGINT: ("q", FieldType.C_BIGINT_NULL),
    FieldType.C_BIGINT_UNSIGNED: ("Q", FieldType.C_BIGINT_UNSIGNED_NULL),
    FieldType.C_FLOAT: ("f", None),
    FieldType.C_DOUBLE: ("d", None),
    FieldType.C_TIMESTAMP: ("q", FieldType.C_BIGINT_NULL),
}
_TEXTS = (FieldType.C_BINARY, FieldType.C_NCHAR, FieldType.C_JSON)


def _address(memory: Any) -> int | None:
    """The address that a pointer of :mod:`ctypes`, or a number, stands for."""
    import ctypes

    if memory is None or isinstance(memory, int):
        return memory
    return ctypes.cast(memory, ctypes.c_void_p).value


def instant(ticks: int, precision: int) -> Any:
    """A time as results show it; nanoseconds stay integers."""
    units = {FieldType.C_TIMESTAMP_MILLI: 1_000, FieldType.C_TIMESTAMP_MICRO: 1}
    if precision == FieldType.C_TIMESTAMP_NANO:
        return ticks
    if precision not in units:
        raise DatabaseError("Unknown precision of timestamps")
    try:
        utc = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(microseconds=ticks * units[precision])
        return utc.astimezone(_tz) if _tz is not None else utc.astimezone().replace(tzinfo=None)
    except (OverflowError, ValueError):
        print("WARN: datetime overflow!")
        return None


def _shown(code: int, value: Any, precision: int) -> Any:
    if code == FieldType.C_BOOL:
        return value != 0
    return instant(value, precision) if code == FieldType.C_TIMESTAMP else value


def _numbers(code: int) -> Callable[..., list[Any]]:
    form, null = _NUMBERS[code]

    def convert(data: Any, is_null: Any, num_of_rows: int, nbytes: Any = None, precision: int = FieldType.C_TIMESTAMP_UNKNOWN) -> list[Any]:
        import ctypes
        import struct

        address = _address(data)
        if address is None:
            return [None] * num_of_rows
        cells = struct.unpack(f"={num_of_rows}{form}", ctypes.string_at(address, struct.calcsize(form) * num_of_rows))
        return [
            None
            if (is_null is not None and is_null[row]) or (null is not None and is_null is None and cell == null)
            else _shown(code, cell, precision)
            for row, cell in enumerate(cells)
        ]

    return convert


def _values(code: int, decode_binary: bool) -> Callable[[bytes], Any]:
    if code in _TEXTS and (decode_binary or code != FieldType.C_BINARY):
        return lambda cell: cell.decode()
    if code in (FieldType.C_DECIMAL, FieldType.C_DECIMAL64):
        import decimal

        return lambda cell: decimal.Decimal(cell.rstrip(b"\0").decode())
    return lambda cell: cell


def convert_func(field_type: int, decode_binary: bool = True) -> Callable[..., list[Any]]:
    """What turns the memory of one cell of a type into a list with its value: ``convert(data, num_of_rows, nbytes, precision)``."""
    if field_type in _NUMBERS:
        block = _numbers(field_type)
        return lambda data, num_of_rows=1, nbytes=None, precision=FieldType.C_TIMESTAMP_UNKNOWN: block(
            data, None, num_of_rows, nbytes, precision
        )
    if not _is_known(field_type):
        raise DatabaseError("Invalid data type returned from database")
    value = _values(field_type, decode_binary)

    def convert(data: Any, num_of_rows: int = 1, nbytes: Any = None, precision: int = FieldType.C_TIMESTAMP_UNKNOWN) -> list[Any]:
        import ctypes

        address = _address(data)
        if address is None:
            return [None] * num_of_rows
        length = nbytes if isinstance(nbytes, int) else nbytes[0]
        return [value(ctypes.string_at(address + row * length, length)) for row in range(num_of_rows)]

    return convert


def convert_block_func(field_type: int, decode_binary: bool = True) -> Callable[..., list[Any]]:
    """What turns a column of a block into a list: ``convert(data, is_null, num_of_rows, offsets, precision)``; cells of variable length
    lie at their offsets, each behind its length of two bytes."""
    if field_type in _NUMBERS:
        return _numbers(field_type)
    if not _is_known(field_type):
        raise DatabaseError("Invalid data type returned from database")
    value = _values(field_type, decode_binary)

    def convert(
        data: Any, is_null: Any, num_of_rows: int, offsets: Any = None, precision: int = FieldType.C_TIMESTAMP_UNKNOWN
    ) -> list[Any]:
        import ctypes

        address = _address(data)
        if address is None or offsets is None:
            return [None] * num_of_rows
        cells: list[Any] = []
        for row in range(num_of_rows):
            if offsets[row] == -1 or (is_null is not None and is_null[row]):
                cells.append(None)
                continue
            at = address + offsets[row]
            length = int.from_bytes(ctypes.string_at(at, 2), "little")
            cells.append(value(ctypes.string_at(at + 2, length)))
        return cells

    return convert


def _is_known(field_type: int) -> bool:
    return field_type in _TEXTS or field_type in (
        FieldType.C_VARBINARY,
        FieldType.C_DECIMAL,
        FieldType.C_DECIMAL64,
        FieldType.C_BLOB,
        FieldType.C_GEOMETRY,
    )


_CODES = (*_NUMBERS, *_TEXTS, 16, 17, 18, 20, 21)
#: What turns a cell's memory into a value, by type code.
CONVERT_FUNC = {code: convert_func(code) for code in _CODES}
#: What turns a column's memory into values, by type code.
CONVERT_FUNC_BLOCK = {code: convert_block_func(code) for code in _CODES}
