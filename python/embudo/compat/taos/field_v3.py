"""Columns of results and fields of statements, as version 3 of the C interface describes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from embudo.compat.taos.field import CONVERT_FUNC_BLOCK, TaosField, TaosFields, convert_block_func

__all__ = [
    "TAOS_FIELD_T",
    "CONVERT_FUNC_BLOCK_v3",
    "TaosField",
    "TaosFieldAll",
    "TaosFieldAllCls",
    "TaosFieldE",
    "TaosFieldEs",
    "TaosFields",
    "convert_block_func_v3",
]

#: The C interface's number for what a field is: column 1, tag 2, parameter of a query 3, name of a table 4.
TAOS_FIELD_T = int


def convert_block_func_v3(field_type: int, decode_binary: bool = True) -> Callable[..., list[Any]]:
    """See :func:`taos.field.convert_block_func`."""
    return convert_block_func(field_type, decode_binary)


CONVERT_FUNC_BLOCK_v3 = CONVERT_FUNC_BLOCK


class TaosFieldE(TaosField):
    """A column with the digits of a DECIMAL."""

    _shown: tuple[str, ...] = ("name", "type", "bytes", "precision", "scale")

    @property
    def precision(self) -> int:
        """Digits in all."""
        return self._precision

    @property
    def scale(self) -> int:
        """Digits behind the point."""
        return self._scale


class TaosFieldEs(TaosFields):
    """The columns of a result with the digits of DECIMALs."""


class TaosFieldAll(TaosFieldE):
    """What a ``?`` of a statement stands for."""

    _shown = ("name", "type", "precision", "scale", "bytes", "field_type")

    @property
    def field_type(self) -> int:
        """Column 1, tag 2, parameter of a query 3, name of a table 4."""
        return self._field_type


class TaosFieldAllCls:
    """The same, as :meth:`TaosStmt2.get_fields` gives it."""

    def __init__(self, name: str, type: int, precision: int, scale: int, bytes_: int, field_type: int) -> None:
        self.name = name
        self.type = type
        self.precision = precision
        self.scale = scale
        self.bytes = bytes_
        self.field_type = field_type

    def __repr__(self) -> str:
        shown = ("name", "type", "precision", "scale", "bytes", "field_type")
        return "TaosFieldAllCls(" + ", ".join(f"{name}={getattr(self, name)!r}" for name in shown) + ")"
