"""Alias of :mod:`embudo.compat.taos.constants`."""

from embudo.compat.taos.constants import (
    TSDB_CONNECTIONS_MODE,
    TSDB_OPTION_CONNECTION,
    FieldType,
    TaosOption,
)

__all__ = [
    "TSDB_CONNECTIONS_MODE",
    "TSDB_OPTION_CONNECTION",
    "FieldType",
    "TaosOption",
]
