"""Request ids, and what the official package checks bound values by."""

from __future__ import annotations

import datetime
import itertools
import os
import threading
import time
import uuid
from collections.abc import Sequence
from typing import Any

from embudo.compat.taos.constants import FieldType
from embudo.compat.taos.error import DataTypeAndRangeError

__all__ = [
    "ALL_NONE",
    "HAVE_NONE",
    "NOFOUND_NONE",
    "checkNumber",
    "checkString",
    "checkTypeValid",
    "detectListNone",
    "fmix32",
    "gen_req_id",
    "get_pid",
    "murmurhash3_32",
    "rotl32",
    "tUUIDHashId",
    "tUUIDSerialNo",
]

ALL_NONE = 0
HAVE_NONE = 1
NOFOUND_NONE = 2

#: Hash of the process's UUID, 0 before the first request id.
tUUIDHashId = 0  # noqa: N816 (the official name)
#: The last serial number of a request id.
tUUIDSerialNo = 0  # noqa: N816 (the official name)

_serial = itertools.count(1)
_lock = threading.Lock()


def rotl32(x: int, r: int) -> int:
    """Rotates 32 bits to the left."""
    return ((x << r) | (x >> (32 - r))) & 0xFFFFFFFF


def fmix32(h: int) -> int:
    """MurmurHash3's last mixing of 32 bits."""
    h ^= h >> 16
    h = h * 0x85EBCA6B & 0xFFFFFFFF
    h ^= h >> 13
    h = h * 0xC2B2AE35 & 0xFFFFFFFF
    return h ^ (h >> 16)


def murmurhash3_32(key: bytes, length: int) -> int:
    """MurmurHash3 of 32 bits, with the seed that TDengine uses."""
    first, second = 0xCC9E2D51, 0x1B873593
    h = 0x12345678
    whole = length & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(key[at : at + 4], "little") * first & 0xFFFFFFFF
        h = (rotl32(h ^ (rotl32(k, 15) * second & 0xFFFFFFFF), 13) * 5 + 0xE6546B64) & 0xFFFFFFFF
    if length & 3:
        k = int.from_bytes(key[whole:length], "little") * first & 0xFFFFFFFF
        h ^= rotl32(k, 15) * second & 0xFFFFFFFF
    return fmix32(h ^ length)


def get_pid() -> int:
    """The process's id."""
    return os.getpid()


def gen_req_id() -> int:
    """An id for a request, positive and below 2^63, unlike any other of this process."""
    global tUUIDHashId, tUUIDSerialNo
    with _lock:
        if tUUIDHashId == 0:
            key = str(uuid.uuid4()).encode()
            tUUIDHashId = (murmurhash3_32(key, len(key)) & 0x07FF) << 52
        tUUIDSerialNo = next(_serial)
        serial = tUUIDSerialNo
    moment = int(time.time() * 1000) >> 8 & 0x3FFFFFF
    return tUUIDHashId | (get_pid() & 0x0F) << 48 | moment << 20 | serial & 0xFFFFF


def detectListNone(items: Sequence[Any]) -> int:  # noqa: N802 (the official name)
    """Whether all, some or none of the items are None."""
    missing = sum(item is None for item in items)
    if missing == len(items):
        return ALL_NONE
    return HAVE_NONE if missing else NOFOUND_NONE


def checkString(label: str, values: Sequence[Any], types: tuple[type, ...]) -> None:  # noqa: N802 (the official name)
    """Refuses values that are neither None nor exactly of one of the types."""
    for kind in set(map(type, values)):
        if kind is not type(None) and kind not in types:
            value = next(value for value in values if type(value) is kind)
            raise DataTypeAndRangeError(f"{label} does not take a value of type {kind.__name__}: {value!r}")


def checkNumber(label: str, values: Sequence[Any], types: tuple[type, ...], min: float, max: float) -> None:  # noqa: N802 (official names)
    """Refuses values that are neither None nor numbers of one of the types between the bounds."""
    checkString(label, values, types)
    for value in values:
        if value is not None and not min <= value <= max:
            raise DataTypeAndRangeError(f"{label} does not take {value!r}: it lies outside {min} to {max}")


_NUMBERS: dict[int, tuple[str, tuple[type, ...], float, float]] = {
    FieldType.C_BOOL: ("BOOL", (bool, int, float), -float("inf"), float("inf")),
    FieldType.C_TINYINT: ("TINYINT", (int, float), -(2**7), 2**7 - 1),
    FieldType.C_SMALLINT: ("SMALLINT", (int, float), -(2**15), 2**15 - 1),
    FieldType.C_INT: ("INT", (int, float), -(2**31), 2**31 - 1),
    FieldType.C_BIGINT: ("BIGINT", (int, float), -(2**63), 2**63 - 1),
    FieldType.C_TINYINT_UNSIGNED: ("TINYINT UNSIGNED", (int, float), 0, 2**8 - 1),
    FieldType.C_SMALLINT_UNSIGNED: ("SMALLINT UNSIGNED", (int, float), 0, 2**16 - 1),
    FieldType.C_INT_UNSIGNED: ("INT UNSIGNED", (int, float), 0, 2**32 - 1),
    FieldType.C_BIGINT_UNSIGNED: ("BIGINT UNSIGNED", (int, float), 0, 2**64 - 1),
    FieldType.C_FLOAT: ("FLOAT", (int, float), -3.4e38, 3.4e38),
    FieldType.C_DOUBLE: ("DOUBLE", (int, float), -1.7e308, 1.7e308),
}
_OTHERS: dict[int, tuple[str, tuple[type, ...]]] = {
    FieldType.C_VARCHAR: ("VARCHAR", (str,)),
    FieldType.C_NCHAR: ("NCHAR", (str,)),
    FieldType.C_JSON: ("JSON", (str,)),
    FieldType.C_VARBINARY: ("VARBINARY", (bytes, bytearray)),
    FieldType.C_GEOMETRY: ("GEOMETRY", (bytes, bytearray)),
    FieldType.C_BLOB: ("BLOB", (bytes, bytearray)),
    FieldType.C_TIMESTAMP: ("TIMESTAMP", (int, str, datetime.datetime)),
}


def checkTypeValid(buffer_type: int, values: Sequence[Any]) -> None:  # noqa: N802 (the official name)
    """Refuses values that a column of this type does not take: their types are exact, numbers must lie in its range."""
    if buffer_type in _NUMBERS:
        label, types, least, most = _NUMBERS[buffer_type]
        checkNumber(label, values, types, least, most)
    elif buffer_type in _OTHERS:
        checkString(*_OTHERS[buffer_type][:1], values, _OTHERS[buffer_type][1])
    elif buffer_type not in (FieldType.C_DECIMAL, FieldType.C_DECIMAL64):
        raise DataTypeAndRangeError(f"invalid datatype type={buffer_type} values={values!r}")
