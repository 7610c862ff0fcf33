"""Precisions of timestamps."""

from __future__ import annotations

__all__ = ["PrecisionEnum", "PrecisionError"]


class PrecisionEnum:
    """Ticks of a second: a thousand, a million, a billion."""

    Milliseconds = 0
    Microseconds = 1
    Nanoseconds = 2


class PrecisionError(Exception):
    """A datetime cannot be a tick of this precision."""
