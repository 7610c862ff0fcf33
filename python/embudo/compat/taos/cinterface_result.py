"""Results as the wrappers of the C interface hold them; the wrappers are in :mod:`embudo.compat.taos.cinterface`."""

from __future__ import annotations

from typing import Any

from embudo import _embudo
from embudo import errors as typed
from embudo.compat.taos import error
from embudo.compat.taos.constants import FieldType
from embudo.compat.taos.result import style

Row = tuple[Any, ...]


class RowPointer(tuple[Any, ...]):
    """A row that knows the precision of its times."""

    precision: int = FieldType.C_TIMESTAMP_MILLI


class Result:
    """What a statement gave, and the block that is being read."""

    def __init__(self, result: _embudo.Result) -> None:
        self.result: _embudo.Result | None = result
        self.affected = result.affected or 0
        self.described = [] if result.affected is not None else result.fields
        self.precision = result.precision
        self.block: list[Row] = []

    def rows(self, count: int | None, decode_binary: bool) -> list[Row]:
        """The next rows: as many, or those of the next block."""
        if self.result is None:
            raise error.ResultError("no result object")
        if not self.described:
            return []
        shown = style(decode_binary)
        try:
            self.block = self.result.block(shown) if count is None else self.result.rows(count, shown)
        except typed.Error as failure:
            raise error.translated(failure) from failure
        return self.block
