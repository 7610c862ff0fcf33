"""Where taospy has its dialect; see :mod:`embudo.sqlalchemy`."""

from __future__ import annotations

from embudo.sqlalchemy import TaosDialect

__all__ = ["TaosDialect"]
