"""Alias of :mod:`embudo.compat.taosrest.sqlalchemy`."""

from embudo.compat.taosrest.sqlalchemy import (
    TaosRestDialect,
)

__all__ = [
    "TaosRestDialect",
]
