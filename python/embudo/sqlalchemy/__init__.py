"""SQLAlchemy dialects: ``embudo://`` (embedded), ``taosrest://`` (REST) and ``taos://`` (as ``taos.connect``).

>>> from sqlalchemy import create_engine, text
>>> engine = create_engine("taosrest://root:taosdata@localhost:6041/power")

Options of tables and columns have the prefix ``taos_`` in every dialect, so that one MetaData creates on all of them:
``Column(..., taos_tag=True)`` and ``Table(..., taos_supertable=True)`` make a supertable, ``Table(..., taos_using="meters",
taos_tags={...})`` a child of one.
"""

from __future__ import annotations

from embudo.sqlalchemy.dialects import EmbudoDialect, TaosDialect, TaosRestDialect
from embudo.sqlalchemy.types import TYPES_MAP
from embudo.sqlalchemy.words import RESERVED_WORDS_TDENGINE

__all__ = ["RESERVED_WORDS_TDENGINE", "TYPES_MAP", "EmbudoDialect", "TaosDialect", "TaosRestDialect"]
