"""SQLAlchemy dialects: ``embudo://`` (embedded, or a server), ``taos://``, ``taosws://`` and ``taosrest://`` as in the official packages.

>>> from sqlalchemy import create_engine, text
>>> engine = create_engine("taosws://root:taosdata@localhost:6041/power")

``+https`` and ``+wss`` encrypt, ``embudo+aio://`` is for ``create_async_engine``.
Options of tables and columns have the prefix ``taos_`` in every dialect, so that one MetaData creates on all of them:
``Column(..., taos_tag=True)`` and ``Table(..., taos_supertable=True)`` make a supertable, ``Table(..., taos_using="meters",
taos_tags={...})`` a child of one.
"""

from __future__ import annotations

from embudo.sqlalchemy.dialects import TaosDialect, TaosRestDialect, TaosRestHttpsDialect, TaosWsDialect, TaosWssDialect
from embudo.sqlalchemy.remote import (
    EmbudoAioDialect,
    EmbudoDialect,
    EmbudoHttpDialect,
    EmbudoHttpsDialect,
    EmbudoWsDialect,
    EmbudoWssDialect,
)
from embudo.sqlalchemy.types import TYPES_MAP
from embudo.sqlalchemy.words import RESERVED_WORDS_TDENGINE

__all__ = [
    "RESERVED_WORDS_TDENGINE",
    "TYPES_MAP",
    "EmbudoAioDialect",
    "EmbudoDialect",
    "EmbudoHttpDialect",
    "EmbudoHttpsDialect",
    "EmbudoWsDialect",
    "EmbudoWssDialect",
    "TaosDialect",
    "TaosRestDialect",
    "TaosRestHttpsDialect",
    "TaosWsDialect",
    "TaosWssDialect",
]
