"""What connections and cursors tell of themselves, the blocking and the asynchronous ones alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embudo import _embudo
    from embudo.cursor import Column

__all__ = ["ResultView", "SessionView"]


class SessionView:
    """A session as it is seen from a connection."""

    _session: _embudo.Session

    @property
    def transport(self) -> str:
        """How the database is reached: ``embedded``, ``websocket``, ``rest`` or ``native``."""
        return self._session.transport

    @property
    def dsn(self) -> str:
        """Where to, with secrets masked."""
        return self._session.dsn

    @property
    def timezone(self) -> str:
        """Name of the zone that reads times without one, aligns days and labels results."""
        return self._session.zone

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._session.closed


class ResultView:
    """The last statement's result as it is seen from a cursor."""

    _result: object | None
    _description: list[Column] | None
    _rowcount: int
    _read: int

    @property
    def description(self) -> list[Column] | None:
        """A tuple for every column of the result; None for a statement without rows."""
        return self._description

    @property
    def rowcount(self) -> int:
        """Rows written or removed; for a query its rows once all are read, -1 before."""
        return self._rowcount

    @property
    def rownumber(self) -> int | None:
        """How many rows were read; None without a result."""
        return None if self._result is None else self._read
