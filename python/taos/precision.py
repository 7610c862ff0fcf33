"""Alias of :mod:`embudo.compat.taos.precision`."""

from embudo.compat.taos.precision import (
    PrecisionEnum,
    PrecisionError,
)

__all__ = [
    "PrecisionEnum",
    "PrecisionError",
]
