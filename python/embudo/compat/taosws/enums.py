"""Numbers with names, as the official package's native enumerations show them."""

from __future__ import annotations

from typing import ClassVar

__all__ = ["PyPrecision", "PySchemalessPrecision", "PySchemalessProtocol"]


class _Member:
    """A member: equal to its number, shown by its name, never made by users."""

    __slots__ = ("_name", "_value")

    _name: str
    _value: int

    def __new__(cls) -> _Member:
        raise TypeError("No constructor defined")

    def __int__(self) -> int:
        return self._value

    def __eq__(self, other: object) -> bool:
        return self._value == (other._value if isinstance(other, type(self)) else other)

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self._name}"


def _fill(cls: type[_Member], *names: str) -> None:
    for value, name in enumerate(names):
        member = object.__new__(cls)
        member._name, member._value = name, value
        setattr(cls, name, member)


class PyPrecision(_Member):
    """Precisions of timestamps."""

    __slots__ = ()

    Milliseconds: ClassVar[PyPrecision]
    Microseconds: ClassVar[PyPrecision]
    Nanoseconds: ClassVar[PyPrecision]


class PySchemalessProtocol(_Member):
    """Line protocols."""

    __slots__ = ()

    Unknown: ClassVar[PySchemalessProtocol]
    Line: ClassVar[PySchemalessProtocol]
    Telnet: ClassVar[PySchemalessProtocol]
    Json: ClassVar[PySchemalessProtocol]


class PySchemalessPrecision(_Member):
    """Units of the times in lines."""

    __slots__ = ()

    NonConfigured: ClassVar[PySchemalessPrecision]
    Hour: ClassVar[PySchemalessPrecision]
    Minute: ClassVar[PySchemalessPrecision]
    Second: ClassVar[PySchemalessPrecision]
    Millisecond: ClassVar[PySchemalessPrecision]
    Microsecond: ClassVar[PySchemalessPrecision]
    Nanosecond: ClassVar[PySchemalessPrecision]


_fill(PyPrecision, "Milliseconds", "Microseconds", "Nanoseconds")
_fill(PySchemalessProtocol, "Unknown", "Line", "Telnet", "Json")
_fill(PySchemalessPrecision, "NonConfigured", "Hour", "Minute", "Second", "Millisecond", "Microsecond", "Nanosecond")
