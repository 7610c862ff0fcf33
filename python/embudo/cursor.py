"""Cursors of the typed API: one statement's result, read once, as rows or as a frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from embudo import errors
from embudo.logger import quiet
from embudo.rows import tuple_row
from embudo.views import ResultView

if TYPE_CHECKING:
    from types import TracebackType

    import numpy
    import pandas
    import polars
    import pyarrow

    from embudo import _embudo
    from embudo.connection import Connection
    from embudo.rows import RowFactory

__all__ = ["Column", "Cursor", "described"]

RowT = TypeVar("RowT")

#: A column of ``description``: name, type code (TDengine's id), None, length, precision, scale, whether it may be NULL.
Column = tuple[str, int, None, int, int | None, int | None, bool]

_DECIMALS = (17, 21)


class Cursor(ResultView, Generic[RowT]):
    """Runs statements and reads their results. It belongs to one thread at a time.

    ``fetchone``, ``fetchmany``, ``fetchall`` and iteration read rows; ``df``, ``pl``, ``arrow``, ``numpy`` take all rows that
    are left as a frame, and ``batches`` takes them piece by piece. A result is read once.
    """

    #: Rows that ``fetchmany`` reads without a size.
    arraysize: int = 1

    def __init__(self, connection: Connection[Any], session: _embudo.Session, row_factory: RowFactory[RowT]) -> None:
        self._connection = connection
        self._session = session
        self._row_factory = row_factory
        self._result: _embudo.Result | None = None
        self._description: list[Column] | None = None
        self._make: Any = None
        self._rowcount = -1
        self._read = 0
        self._consumed = False
        self._closed = False

    @property
    def connection(self) -> Connection[Any]:
        """The connection that made this cursor."""
        return self._connection

    @property
    def lastrowid(self) -> None:
        """TDengine has no row ids."""
        return

    def execute(
        self,
        sql: str,
        parameters: Sequence[object] | Mapping[str, object] | None = None,
        *,
        timeout: float | None = None,
    ) -> Self:
        """Runs one statement.

        Args:
            sql: the statement, with ``?`` for values of a sequence or ``:name`` for values of a mapping.
            parameters: the values; they are bound as values and never change the statement. An aware datetime is its
                instant, a naive one is read in the session's time zone; an integer for a TIMESTAMP is ticks.
            timeout: seconds after which the statement is ended with :class:`embudo.OperationTimeout`.
        """
        self._reset()
        log = quiet()
        started = perf_counter()
        try:
            result = self._session.run(sql, parameters, timeout)
        except errors.Error as error:
            errors.point(error, sql)
            raise
        if result.affected is None:
            self._result = result
            self._description = described(result.fields)
            if self._row_factory is not tuple_row:
                self._make = self._row_factory([column[0] for column in self._description])
        else:
            self._rowcount = result.affected
        if log is not None:
            log.debug("%.3f ms, %s rows: %s", (perf_counter() - started) * 1e3, self._rowcount, sql)
        return self

    def executemany(self, sql: str, rows: Iterable[Sequence[object] | Mapping[str, object]], *, timeout: float | None = None) -> Self:
        """Runs one statement for every row of parameters; the rows of an INSERT are written together.

        In an INSERT, a ``?`` in the place of the table's name takes a name.
        """
        self._reset()
        log = quiet()
        started = perf_counter()
        self._rowcount = self._session.run_many(sql, rows, timeout)
        if log is not None:
            log.debug("%.3f ms, %s rows: %s", (perf_counter() - started) * 1e3, self._rowcount, sql)
        return self

    def fetchone(self) -> RowT | None:
        """The next row, or None at the end."""
        rows = self._rows(1)
        return rows[0] if rows else None

    def fetchmany(self, size: int | None = None) -> list[RowT]:
        """The next rows, at most ``size``."""
        size = self.arraysize if size is None else size
        if size < 0:
            raise errors.InterfaceError(f"a number of rows is not negative: {size}")
        return self._rows(size)

    def fetchall(self) -> list[RowT]:
        """All rows that are left."""
        return self._rows(None)

    def __iter__(self) -> Iterator[RowT]:
        return self

    def __next__(self) -> RowT:
        rows: list[RowT] = self._rows(1)
        if not rows:
            raise StopIteration
        return rows[0]

    def batches(self, rows: int = 65_536) -> Iterator[_embudo.Table]:
        """The rows that are left as tables of at most ``rows`` rows, each with ``__arrow_c_stream__``; memory stays bounded."""
        if rows < 1:
            raise errors.InterfaceError(f"a batch has at least one row: {rows}")
        result = self._take()
        while True:
            table = result.table(rows)
            if len(table) == 0:
                break
            self._read += len(table)
            yield table
        self._rowcount = self._read

    def table(self) -> _embudo.Table:
        """All rows that are left, as Arrow in memory."""
        table = self._take().table()
        self._read += len(table)
        self._rowcount = self._read
        return table

    def arrow(self) -> pyarrow.Table:
        """All rows that are left as a pyarrow table."""
        import pyarrow

        return pyarrow.table(self.table())

    def df(self) -> pandas.DataFrame:
        """All rows that are left as a pandas frame.

        Integers with NULL stay integers (pandas' nullable types), timestamps are ``datetime64`` of the database's precision in
        the session's time zone. Needs numpy and pandas, not pyarrow.
        """
        from embudo.frames import pandas_frame

        return pandas_frame(self.table())

    def pl(self) -> polars.DataFrame:
        """All rows that are left as a polars frame."""
        import polars

        return polars.DataFrame(self.table())

    def numpy(self) -> dict[str, numpy.ndarray[Any, Any]]:
        """All rows that are left as arrays by column name; columns of integers with NULL are masked arrays."""
        from embudo.frames import numpy_arrays

        return numpy_arrays(self.table())

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Arrow's C stream of the rows that are left, for pyarrow, polars, DuckDB and others."""
        return self._take().__arrow_c_stream__(requested_schema)

    def setinputsizes(self, sizes: Sequence[object]) -> None:
        """Does nothing (PEP 249)."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Does nothing (PEP 249)."""

    def close(self) -> None:
        """Lets the result go; the cursor cannot be used any more. Its ``rowcount`` stays."""
        self._closed = True
        if self._result is not None:
            self._result.close()
            self._result = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._closed:
            state = "closed"
        elif self._description is not None:
            state = ", ".join(column[0] for column in self._description)
        else:
            state = f"{self._rowcount} rows affected" if self._rowcount >= 0 else "no result"
        return f"<embudo.Cursor {state}>"

    def _reset(self) -> None:
        if self._closed:
            raise errors.InterfaceError("the cursor is closed")
        if self._result is not None:
            self._result.close()
        self._result = self._description = self._make = None
        self._rowcount, self._read, self._consumed = -1, 0, False

    def _current(self) -> _embudo.Result:
        if self._closed:
            raise errors.InterfaceError("the cursor is closed")
        if self._session.closed:
            raise errors.InterfaceError("the connection is closed")
        if self._result is None:
            raise errors.ProgrammingError("there is no result to fetch: the last statement gave no rows, or none was run")
        return self._result

    def _rows(self, count: int | None) -> list[Any]:
        result = self._current()
        if self._consumed:
            raise errors.ProgrammingError("result already consumed: a frame took the rows that were left")
        rows = result.rows(count)
        self._read += len(rows)
        if count is None or len(rows) < count:
            self._rowcount = self._read
        return rows if self._make is None else [self._make(row) for row in rows]

    def _take(self) -> _embudo.Result:
        result = self._current()
        if self._consumed or (self._rowcount >= 0 and self._read > 0):
            raise errors.ProgrammingError("result already consumed: its rows were read to the end; run the statement again")
        self._consumed = True
        return result


def described(fields: Iterable[tuple[str, int, str, int, int, int]]) -> list[Column]:
    """The description of a result's fields."""
    return [_column(field) for field in fields]


def _column(field: tuple[str, int, str, int, int, int]) -> Column:
    name, code, _, length, precision, scale = field
    if code in _DECIMALS:
        return name, code, None, length, precision, scale, True
    return name, code, None, length, None, None, True
