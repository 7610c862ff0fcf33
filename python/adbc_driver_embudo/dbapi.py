"""PEP 249 over ADBC: :func:`embudo.adbc.connect` under the name that polars looks for."""

from __future__ import annotations

from embudo.adbc import connect

__all__ = ["connect"]
