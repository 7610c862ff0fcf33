"""Alias of :mod:`embudo.compat.taos.sqlalchemy`."""

from embudo.compat.taos.sqlalchemy import (
    TaosDialect,
)

__all__ = [
    "TaosDialect",
]
