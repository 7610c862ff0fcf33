"""Alias of :mod:`embudo.compat.taos.field`."""

from embudo.compat.taos.field import (
    TaosField,
    TaosFields,
    get_tz,
    set_tz,
)

__all__ = [
    "TaosField",
    "TaosFields",
    "get_tz",
    "set_tz",
]
