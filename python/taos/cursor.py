"""Alias of :mod:`embudo.compat.taos.cursor`."""

from embudo.compat.taos.cursor import (
    TaosCursor,
)

__all__ = [
    "TaosCursor",
]
