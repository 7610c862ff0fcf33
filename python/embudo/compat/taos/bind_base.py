"""Times as the ticks that are bound."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from embudo.compat.taos.constants import FieldType
from embudo.compat.taos.field import get_tz
from embudo.compat.taos.precision import PrecisionError

if TYPE_CHECKING:
    import ctypes

__all__ = ["datetime_to_timestamp", "parse_datetime_to_utc_timestamp"]

_UNITS = {FieldType.C_TIMESTAMP_MILLI: 1_000, FieldType.C_TIMESTAMP_MICRO: 1_000_000}
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def parse_datetime_to_utc_timestamp(dt: datetime.datetime) -> float:
    """Seconds since 1970. A naive time is one of the zone that the process has set, else local."""
    if dt.tzinfo is None:
        zone = get_tz()
        dt = dt.replace(tzinfo=zone) if zone is not None else dt.astimezone()
    return (dt - _EPOCH).total_seconds()


def ticks(value: Any, precision: int) -> int | None:
    """A time as ticks: integers are ticks already, floats are seconds, texts are in ISO 8601; None for anything else.

    Raises:
        PrecisionError: a datetime, text or float for nanoseconds, which they cannot carry.
    """
    kind = type(value)
    if kind is int:
        return int(value)
    if kind is str:
        value = datetime.datetime.fromisoformat(value)
    if kind is float:
        if precision not in _UNITS:
            raise PrecisionError("time float do not support nanosecond precision")
        return round(float(value) * _UNITS[precision])
    if isinstance(value, datetime.datetime):
        if precision not in _UNITS:
            raise PrecisionError("datetime do not support nanosecond precision")
        if value.tzinfo is None:
            zone = get_tz()
            value = value.replace(tzinfo=zone) if zone is not None else value.astimezone()
        since = value - _EPOCH
        micros = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
        return int(micros * _UNITS[precision] // 1_000_000)
    raw = getattr(value, "value", None)
    return raw if type(raw) is int else None


def column_ticks(values: Sequence[Any], precision: int) -> Any:
    """A column of times as ticks; what is not a list of Python's values is left to the extension."""
    if not isinstance(values, list | tuple):
        return values
    if set(map(type, values)) <= {int, type(None)}:
        return values
    return [ticks(value, precision) for value in values]


def datetime_to_timestamp(value: Any, precision: int, is_null_type: int = 0) -> ctypes.c_int64 | int:
    """A time as ``c_int64`` of ticks, or ``FieldType.C_BIGINT_NULL`` for what is none."""
    import ctypes

    if value is None or is_null_type > 0:
        return FieldType.C_BIGINT_NULL
    if isinstance(value, ctypes.c_int64):
        return value
    made = None if isinstance(value, bool) else ticks(value, precision)
    return FieldType.C_BIGINT_NULL if made is None else ctypes.c_int64(made)
