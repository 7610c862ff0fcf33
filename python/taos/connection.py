"""Alias of :mod:`embudo.compat.taos.connection`."""

from embudo.compat.taos.connection import (
    TaosConnection,
    connect,
)

__all__ = [
    "TaosConnection",
    "connect",
]
