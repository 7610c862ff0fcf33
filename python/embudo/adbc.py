"""ADBC: ``embudo.adbc.connect(dsn)`` gives pandas, polars and DuckDB a connection that moves Arrow instead of rows.

>>> import embudo.adbc, pandas
>>> with embudo.adbc.connect("./data", database="power") as conn:
...     frame = pandas.read_sql("SELECT * FROM meters", conn)
...     frame.to_sql("copy", conn, index=False)

It is a real ADBC driver: the extension exports ``AdbcDriverInit``, and any driver manager may load :data:`DRIVER`. Databases of TDengine
are schemas in it. Needs the package ``adbc-driver-manager`` (``pip install embudo[adbc]``).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from embudo import _embudo
from embudo.connection import resolved

if TYPE_CHECKING:
    from adbc_driver_manager import dbapi

__all__ = ["DRIVER", "ENTRYPOINT", "connect"]

#: The file that driver managers load.
DRIVER: str = _embudo.__file__
#: The function in it that they call.
ENTRYPOINT = "EmbudoDriverInit"


def connect(dsn: str | os.PathLike[str] = ":memory:", **options: object) -> dbapi.Connection:
    """Opens a database in this process, or a session on a server, by ADBC.

    The arguments are those of :func:`embudo.connect`. Every statement is committed when it returns; ``commit`` and ``rollback`` do nothing.
    ``cursor.adbc_ingest`` writes a supertable with ``cursor.adbc_statement.set_options(**{"embudo.ingest.tags": "groupid",
    "embudo.ingest.table": "d{groupid}"})``.
    """
    try:
        from adbc_driver_manager import dbapi
    except ImportError as error:
        raise ImportError("ADBC needs the package adbc-driver-manager: pip install 'embudo[adbc]'") from error
    text, given = resolved(dsn, options)
    return dbapi.connect(driver=DRIVER, entrypoint=ENTRYPOINT, db_kwargs={"uri": text, **given}, autocommit=True)
