"""Row factories: what one row becomes. ``conn.cursor(row_factory=dict_row)``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

__all__ = ["RowFactory", "dict_row", "named_row", "tuple_row"]

RowT = TypeVar("RowT")

#: Takes the column names and gives what turns a tuple of values into a row.
RowFactory: TypeAlias = Callable[[Sequence[str]], Callable[[tuple[Any, ...]], RowT]]


def tuple_row(names: Sequence[str]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """Rows as tuples, the default."""
    return lambda values: values


def dict_row(names: Sequence[str]) -> Callable[[tuple[Any, ...]], dict[str, Any]]:
    """Rows as dictionaries by column name; of equal names the last one holds."""
    return lambda values: dict(zip(names, values, strict=True))


def named_row(names: Sequence[str]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """Rows as named tuples; names that are no identifiers become ``_0``, ``_1``, ..."""
    from collections import namedtuple

    row = namedtuple("Row", names, rename=True)  # type: ignore[misc]
    return row._make
