"""Columns of a result, and the zone that the process shows timestamps in."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

__all__ = ["TaosField", "TaosFields", "get_tz", "set_tz"]

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

    def __init__(self, name: str, type: int, bytes: int, precision: int = 0, scale: int = 0) -> None:
        self.name = name
        self.type = type
        self.bytes = bytes
        self.precision = precision
        self.scale = scale

    @property
    def length(self) -> int:
        """The same as ``bytes``."""
        return self.bytes

    def __getitem__(self, item: str) -> Any:
        return getattr(self, item)

    def __str__(self) -> str:
        return f"{{name: {self.name}, type: {self.type}, bytes: {self.bytes}}}"

    __repr__ = __str__


class TaosFields:
    """The columns of a result."""

    def __init__(self, fields: list[TaosField]) -> None:
        self._fields = fields
        self._next = 0

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._fields)

    @property
    def fields(self) -> list[TaosField]:
        """All of them."""
        return self._fields

    def __len__(self) -> int:
        return len(self._fields)

    def __getitem__(self, item: int) -> TaosField:
        return self._fields[item]

    def __iter__(self) -> Iterator[TaosField]:
        return iter(self._fields)

    def next(self) -> TaosField:
        """One after the other."""
        if self._next >= len(self._fields):
            raise StopIteration
        self._next += 1
        return self._fields[self._next - 1]

    def __str__(self) -> str:
        return ",".join(str(field) for field in self._fields)

    __repr__ = __str__


def fields_of(described: list[tuple[str, int, str, int, int, int]]) -> TaosFields:
    """From the extension's description of a result."""
    return TaosFields([TaosField(name, code, length, precision, scale) for name, code, _, length, precision, scale in described])
