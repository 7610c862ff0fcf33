"""Where taos-ws-py has its dialect; see :mod:`embudo.sqlalchemy`."""

from __future__ import annotations

from embudo.sqlalchemy import RESERVED_WORDS_TDENGINE, TYPES_MAP, TaosWsDialect
from embudo.sqlalchemy.compilers import TaosIdentifierPreparer as TDengineIdentifierPreparer
from embudo.sqlalchemy.dialects import BaseDialect

__all__ = ["RESERVED_WORDS_TDENGINE", "TYPES_MAP", "BaseDialect", "TDengineIdentifierPreparer", "TaosWsDialect"]
