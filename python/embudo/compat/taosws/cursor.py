"""Cursors of ``taosws``: statements formatted by ``str.format``, rows as tuples with aware datetimes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from embudo import _embudo
from embudo import errors as typed
from embudo.compat.format_text import formatted
from embudo.compat.taosws.errors import (
    AlreadyClosedError,
    ConnectionError,
    FetchError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    translated,
)

if TYPE_CHECKING:
    import pandas
    import pyarrow

__all__ = ["Cursor"]


class Cursor:
    """PEP 249's cursor over a session of its own. Values that go into a statement by :meth:`execute` are not escaped."""

    def __new__(cls) -> Cursor:
        raise TypeError("No constructor defined")

    _session: _embudo.Session | None
    _result: _embudo.Result | None
    _described: list[tuple[str, int, str, int, int, int]] | None
    _row_count: int
    _style: _embudo.RowStyle

    @classmethod
    def _open(cls, session: _embudo.Session) -> Cursor:
        cursor = object.__new__(cls)
        cursor._session, cursor._result, cursor._described, cursor._row_count = session, None, None, 0
        cursor._style = _embudo.RowStyle(json=False)
        return cursor

    @property
    def description(self) -> list[tuple[str, int, int]] | None:
        """A tuple ``(name, type code, bytes)`` for every column; empty without rows, None before the first statement."""
        if self._described is None:
            return None
        return [(name, code, length) for name, code, _, length, _, _ in self._described]

    @property
    def row_count(self) -> int:
        """Rows that the last statement wrote or removed, and those that fetchmany and fetchall gave."""
        return self._row_count

    @property
    def rowcount(self) -> int:
        """As :attr:`row_count`; -1 before the first statement (PEP 249)."""
        return -1 if self._described is None else self._row_count

    arraysize = setinputsizes = setoutputsizes = property(lambda self: None)

    def _run(self, sql: str, parameters: Any = None, req_id: int | None = None) -> int:
        if self._session is None:
            raise AlreadyClosedError("Cursor was already closed")
        if self._result is not None:
            self._result.close()
        self._result, self._described, self._row_count = None, [], 0
        try:
            result = self._session.run(sql, parameters, None, req_id)
        except typed.Error as error:
            raise translated(error, OperationalError) from error
        self._row_count = result.affected or 0
        if result.affected is None:
            self._result, self._described = result, result.fields
        return self._row_count

    def execute(self, operation: str, *args: Any, **params: Any) -> int:
        """Runs ``operation.format(*args, **params)``; rows it wrote or removed, 0 for a query.

        Format fields are plain names: attributes and indexes are refused. Braces of the statement itself are doubled. For values from
        outside use ``?`` and :meth:`executemany`, or :func:`embudo.connect`.
        """
        return self._run(formatted(operation, args, params, ProgrammingError))

    def execute_with_req_id(self, operation: str, *args: Any, **params: Any) -> int:
        """As :meth:`execute`, with an id that the server's logs show: the argument after the statement, or ``req_id=``."""
        if args:
            req_id, *args_left = args
        else:
            req_id, args_left = params.pop("req_id", None), []
        return self._run(formatted(operation, args_left, params, ProgrammingError), None, req_id)

    def execute_many(self, operation: str, seq_of_parameters: Sequence[Any]) -> int:
        """Runs ``operation`` formatted with every mapping or sequence; the rows that all of them wrote."""
        return self._many(operation, seq_of_parameters, None)

    def execute_many_with_req_id(self, operation: str, seq_of_parameters: Sequence[Any], req_id: int) -> int:
        """As :meth:`execute_many`, with an id that the server's logs show."""
        return self._many(operation, seq_of_parameters, req_id)

    def _many(self, operation: str, rows: Sequence[Any], req_id: int | None) -> int:
        affected = 0
        for row in rows:
            args, params = ((), row) if isinstance(row, Mapping) else (row, {})
            affected += self._run(formatted(operation, args, params, ProgrammingError), None, req_id)
        self._row_count = affected
        return affected

    def executemany(self, operation: str, seq_of_parameters: Sequence[Any]) -> int:
        """Runs a statement with ``?`` or ``:name`` for every row of values, which are bound, never formatted; the rows written."""
        if self._session is None:
            raise AlreadyClosedError("Cursor was already closed")
        self._result, self._described, self._row_count = None, [], 0
        try:
            self._row_count = self._session.run_many(operation, seq_of_parameters)
        except typed.Error as error:
            raise translated(error, OperationalError) from error
        return self._row_count

    def _fetch(self, count: int | None, block: bool = False) -> list[tuple[Any, ...]]:
        if self._session is None:
            raise AlreadyClosedError("Cursor was already closed")
        if self._described is None:
            raise ConnectionError("Cursor was already closed")
        if self._result is None:
            return []
        try:
            return self._result.block(self._style) if block else self._result.rows(count, self._style)
        except typed.Error as error:
            raise translated(error, FetchError) from error

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row, or None at the end."""
        rows = self._fetch(1)
        return rows[0] if rows else None

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]] | None:
        """The next rows, at most ``size``; without one the rows of the block that is being read, or None at the end."""
        rows = self._fetch(size, block=size is None)
        self._row_count += len(rows)
        return None if size is None and not rows else rows

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows that are left."""
        rows = self._fetch(None)
        self._row_count += len(rows)
        return rows

    def fetchallintodict(self) -> list[dict[str, Any]]:
        """The rows that are left as dictionaries by column name."""
        names = [described[0] for described in self._described or ()]
        return [dict(zip(names, row, strict=True)) for row in self.fetchall()]

    fetch_all_into_dict = fetchallintodict

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.fetchone, None)

    def df(self) -> pandas.DataFrame:
        """The rows that are left as a pandas frame."""
        from embudo.frames import pandas_frame

        return pandas_frame(self._table())

    def arrow(self) -> pyarrow.Table:
        """The rows that are left as a pyarrow table."""
        import pyarrow

        return pyarrow.table(self._table())

    def _table(self) -> _embudo.Table:
        if self._result is None:
            raise FetchError("there is no result to fetch")
        return self._result.table()

    def call_proc(self) -> None:
        """Not there."""
        raise NotSupportedError("call_proc is not supported")

    callproc = call_proc

    def nextset(self) -> None:
        """Not there."""
        raise NotSupportedError("nextset is not supported")

    def close(self) -> None:
        """Ends the cursor's session; more than once is allowed."""
        if self._session is not None:
            self._session.close()
        self._session = self._result = None

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
