"""PEP 249's constructors and type objects."""

from __future__ import annotations

import datetime

__all__ = [
    "BINARY",
    "DATETIME",
    "NUMBER",
    "ROWID",
    "STRING",
    "Binary",
    "Date",
    "DateFromTicks",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
]


class _TypeObject:
    """Equal to every ``type_code`` of a cursor's description that it stands for."""

    def __init__(self, name: str, *codes: int) -> None:
        self._name = name
        self._codes = frozenset(codes)

    def __eq__(self, other: object) -> bool:
        return other in self._codes if isinstance(other, int) else self is other

    def __hash__(self) -> int:
        return hash(self._codes)

    def __repr__(self) -> str:
        return f"embudo.{self._name}"


STRING = _TypeObject("STRING", 8, 10, 15)
BINARY = _TypeObject("BINARY", 16, 18, 19, 20)
NUMBER = _TypeObject("NUMBER", 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 14, 17, 21)
DATETIME = _TypeObject("DATETIME", 9)
#: TDengine has no row ids; equal to no type.
ROWID = _TypeObject("ROWID")

Date = datetime.date
Time = datetime.time
Timestamp = datetime.datetime
Binary = bytes


def DateFromTicks(ticks: float) -> datetime.date:  # noqa: N802 (PEP 249's name)
    """The local date of seconds since 1970."""
    return datetime.date.fromtimestamp(ticks)


def TimeFromTicks(ticks: float) -> datetime.time:  # noqa: N802 (PEP 249's name)
    """The local time of day of seconds since 1970."""
    return datetime.datetime.fromtimestamp(ticks).time()


def TimestampFromTicks(ticks: float) -> datetime.datetime:  # noqa: N802 (PEP 249's name)
    """The instant of seconds since 1970, with the local zone's offset."""
    return datetime.datetime.fromtimestamp(ticks).astimezone()
