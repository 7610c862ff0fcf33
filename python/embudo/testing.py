"""A pytest plug-in: databases and servers for tests, in this process, in milliseconds. Installing the package installs it.

>>> def test_rows(embudo_db):
...     embudo_db.execute("CREATE TABLE t (ts TIMESTAMP, v INT)")
...     assert embudo_db.execute("SELECT COUNT(*) FROM t").fetchone() == (0,)

``embudo_db`` is a connection to a fresh database in memory, ``embudo_server`` a server on the same database with the addresses that other
clients take, ``embudo_env`` sends code under test that calls ``taos.connect()``, ``taosrest.connect()`` or ``taosws.connect()`` there.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from embudo.connection import Connection, Server

__all__ = ["DATABASE", "embudo_db", "embudo_env", "embudo_server"]

#: The database that the fixtures make and use.
DATABASE = "test"

_numbers = itertools.count()


@pytest.fixture
def embudo_db() -> Iterator[Connection[tuple[Any, ...]]]:
    """A connection to a fresh database in memory, with ``test`` as its current database; gone after the test."""
    import embudo

    with embudo.connect(f":memory:embudo-testing-{os.getpid()}-{next(_numbers)}") as conn:
        # Rows of any time are taken: tests have fixed ones.
        conn.execute(f"CREATE DATABASE {DATABASE} KEEP 36500")
        conn.execute(f"USE {DATABASE}")
        yield conn


@pytest.fixture
def embudo_server(embudo_db: Connection[tuple[Any, ...]]) -> Iterator[Server]:
    """A server on the database of ``embudo_db``, on a free port of the loopback address: ``rest_dsn``, ``ws_dsn``, ``jdbc_url``,
    ``go_dsn``, ``url``, ``host`` and ``port`` say where."""
    with embudo_db.serve() as server:
        yield server


@pytest.fixture
def embudo_env(embudo_db: Connection[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch) -> str:
    """Sets ``EMBUDO_DSN``, so that ``taos``, ``taosrest`` and ``taosws`` in the code under test connect to the database of
    ``embudo_db``; gives the DSN."""
    dsn = f"{embudo_db.dsn}?database={DATABASE}"
    monkeypatch.setenv("EMBUDO_DSN", dsn)
    return dsn
