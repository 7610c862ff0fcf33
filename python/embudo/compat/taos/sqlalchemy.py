"""Where taospy has its dialect; see :mod:`embudo.sqlalchemy`."""

from __future__ import annotations

from embudo.sqlalchemy import RESERVED_WORDS_TDENGINE, TYPES_MAP, TaosDialect
from embudo.sqlalchemy.compilers import TaosCompiler as TDengineCompiler
from embudo.sqlalchemy.compilers import TaosDDLCompiler as TDengineDDLCompiler
from embudo.sqlalchemy.compilers import TaosIdentifierPreparer as TDengineIdentifierPreparer
from embudo.sqlalchemy.dialects import BaseDialect

__all__ = [
    "RESERVED_WORDS_TDENGINE",
    "TYPES_MAP",
    "BaseDialect",
    "TDengineCompiler",
    "TDengineDDLCompiler",
    "TDengineIdentifierPreparer",
    "TaosDialect",
]
