"""Alias of :mod:`embudo.compat.taosrest.connection`."""

from embudo.compat.taosrest.connection import (
    Result,
    TaosRestConnection,
    connect,
)

__all__ = [
    "Result",
    "TaosRestConnection",
    "connect",
]
