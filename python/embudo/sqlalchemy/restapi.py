"""``taosrest`` as a PEP 249 module, which the official package is not: it has no ``paramstyle`` and no ``Warning``."""

from __future__ import annotations

from typing import Any

__all__ = ["RestApi"]


class RestApi:
    """The module with what SQLAlchemy asks of one."""

    apilevel = "2.0"
    threadsafety = 2
    paramstyle = "qmark"

    class Warning(Exception):
        """PEP 249; never raised."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def connect(self, **arguments: Any) -> _RestConnection:
        """A connection whose rollback is silent, and whose rows are tuples: SQLAlchemy would make them of lists."""
        connection = self._module.connect(**arguments)
        connection._c.give_tuples()
        return _RestConnection(connection)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


class _RestConnection:
    """The connection; its cursors' executemany gives rows their parameters."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def rollback(self) -> None:
        """Does nothing: there are no transactions."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)
