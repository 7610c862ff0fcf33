"""What Apache Superset needs to know of TDengine: it finds :class:`EmbudoEngineSpec` by the entry point ``superset.db_engine_specs``.

In Superset a database is added with any of our SQLAlchemy URLs, such as ``embudo+ws://root:taosdata@host:6041/power``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from superset.db_engine_specs.base import BaseEngineSpec

__all__ = ["EmbudoEngineSpec"]

_MINUTE = "TO_CHAR({col}, 'mi')"
_MONTH = "TO_CHAR({col}, 'mm')"


def _steps(part: str, width: int, first: int, end: int) -> str:
    """The largest of ``first``, ``first + width``, ... below ``end`` that a part of a time, of two digits, has reached."""
    choices = [f"WHEN {part} < '{above:02}' THEN '{above - width:02}'" for above in range(first + width, end, width)]
    return f"CASE {' '.join(choices)} ELSE '{end - width:02}' END"


def _minutes(width: int) -> str:
    return f"TO_TIMESTAMP(CONCAT(TO_CHAR({{col}}, 'yyyy-mm-dd hh24:'), {_steps(_MINUTE, width, 0, 60)}), 'yyyy-mm-dd hh24:mi')"


def _weeks(days: int) -> str:
    """TDengine's weeks begin on Thursdays, with 1970-01-01: these do so many days before."""
    return f"TIMETRUNCATE({{col}} + {days}d, 1w) - {days}d"


class EmbudoEngineSpec(BaseEngineSpec):  # type: ignore[misc] # Superset need not be installed
    """TDengine over Embudo's dialects."""

    engine = "embudo"
    engine_aliases = {"taos", "taosrest", "taosws"}  # noqa: RUF012 (Superset's name)
    engine_name = "TDengine"
    default_driver = "ws"
    sqlalchemy_uri_placeholder = "embudo+ws://user:password@host:6041/database"

    allows_joins = True
    allows_subqueries = True
    allows_alias_in_orderby = True
    allows_cte_in_subquery = False
    # There is one database in a URL; the others are schemas.
    supports_catalog = False
    supports_multivalues_insert = True

    _time_grain_expressions = {  # noqa: RUF012 (Superset's name)
        None: "{col}",
        "PT1S": "TIMETRUNCATE({col}, 1s)",
        "PT1M": "TIMETRUNCATE({col}, 1m)",
        "PT5M": _minutes(5),
        "PT10M": _minutes(10),
        "PT15M": _minutes(15),
        "PT30M": _minutes(30),
        "PT1H": "TIMETRUNCATE({col}, 1h)",
        "P1D": "TIMETRUNCATE({col}, 1d)",
        "P1W": _weeks(3),
        "1969-12-28T00:00:00Z/P1W": _weeks(4),
        "1969-12-29T00:00:00Z/P1W": _weeks(3),
        "P1M": "TO_TIMESTAMP(TO_CHAR({col}, 'yyyy-mm'), 'yyyy-mm')",
        "P3M": f"TO_TIMESTAMP(CONCAT(TO_CHAR({{col}}, 'yyyy-'), {_steps(_MONTH, 3, 1, 13)}), 'yyyy-mm')",
        "P1Y": "TO_TIMESTAMP(TO_CHAR({col}, 'yyyy'), 'yyyy')",
    }

    @classmethod
    def epoch_to_dttm(cls) -> str:
        """Seconds since 1970 as a time, in a database of milliseconds."""
        return "CAST({col} * 1000 AS TIMESTAMP)"

    @classmethod
    def epoch_ms_to_dttm(cls) -> str:
        """Milliseconds since 1970 as a time, in a database of milliseconds."""
        return "CAST({col} AS TIMESTAMP)"

    @classmethod
    def convert_dttm(cls, target_type: str, dttm: datetime, db_extra: dict[str, Any] | None = None) -> str | None:
        """A bound of a time filter as a literal; without an offset it is in the session's zone."""
        if target_type.upper().startswith(("TIMESTAMP", "DATETIME", "DATE")):
            return f"'{dttm.isoformat(sep=' ', timespec='microseconds')}'"
        return None
