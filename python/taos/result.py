"""Alias of :mod:`embudo.compat.taos.result`."""

from embudo.compat.taos.result import (
    TaosBlocks,
    TaosResult,
    TaosRow,
    TaosRows,
)

__all__ = [
    "TaosBlocks",
    "TaosResult",
    "TaosRow",
    "TaosRows",
]
