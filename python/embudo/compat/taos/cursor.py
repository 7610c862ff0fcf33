"""Cursors of ``taos``: rows are tuples, ``description`` has seven items a column, ``rowcount`` of a query is known once its rows are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from embudo import errors as typed
from embudo.compat.format_text import formatted
from embudo.compat.taos.constants import FieldType
from embudo.compat.taos.error import OperationalError, ProgrammingError, translated
from embudo.compat.taos.result import TaosResult

if TYPE_CHECKING:
    import pandas
    import pyarrow

    from embudo.compat.taos.connection import TaosConnection
    from embudo.compat.taos.field import TaosFields

__all__ = ["TaosCursor"]

_TYPES = {
    "BOOL": FieldType.C_BOOL,
    "TINYINT": FieldType.C_TINYINT,
    "TINYINT UNSIGNED": FieldType.C_TINYINT_UNSIGNED,
    "SMALLINT": FieldType.C_SMALLINT,
    "SMALLINT UNSIGNED": FieldType.C_SMALLINT_UNSIGNED,
    "INT": FieldType.C_INT,
    "INT UNSIGNED": FieldType.C_INT_UNSIGNED,
    "BIGINT": FieldType.C_BIGINT,
    "BIGINT UNSIGNED": FieldType.C_BIGINT_UNSIGNED,
    "FLOAT": FieldType.C_FLOAT,
    "DOUBLE": FieldType.C_DOUBLE,
    "BINARY": FieldType.C_BINARY,
    "VARCHAR": FieldType.C_VARCHAR,
    "TIMESTAMP": FieldType.C_TIMESTAMP,
    "NCHAR": FieldType.C_NCHAR,
    "JSON": FieldType.C_JSON,
    "VARBINARY": FieldType.C_VARBINARY,
}


class TaosCursor:
    """PEP 249's cursor over ``taos``."""

    arraysize = 1

    def __init__(self, connection: TaosConnection | None = None, decode_binary: bool = True) -> None:
        self._connection = connection
        self.decode_binary = decode_binary
        self._result: TaosResult | None = None
        self._description: list[tuple[Any, ...]] = []
        self._rowcount = -1
        self._affected = 0
        self._logfile: str | None = None

    @property
    def description(self) -> list[tuple[Any, ...]]:
        """A tuple ``(name, type code, None, None, None, None, False)`` for every column; empty without rows."""
        return self._description

    @property
    def rowcount(self) -> int:
        """Rows written or removed; for a query its rows once they are fetched."""
        return self._rowcount

    @property
    def affected_rows(self) -> int:
        """Rows written or removed; 0 for a query."""
        return self._affected

    def _session(self) -> Any:
        if self._connection is None or self._connection._session is None:
            raise ProgrammingError("Cursor is not connected")
        return self._connection._session

    def _reset(self) -> None:
        if self._result is not None:
            self._result.close()
        self._result, self._description, self._affected = None, [], 0

    def execute(self, operation: str, params: Any = None, req_id: int | None = None) -> Any:
        """Runs a statement; rows it wrote or removed, or the result of a query.

        ``params`` are values for ``?``: of a query a list with one tuple of them, ``[(a, b)]``; of an INSERT whose columns
        include ``tbname`` a list of rows; of an INSERT into one table ``[[values of column 1, values of column 2, ...]]``. A
        tuple of plain values, or a mapping for ``:name``, is taken too.
        """
        if not operation:
            return None
        if not isinstance(operation, str):
            raise AttributeError("sql is expected as a string")
        session = self._session()
        self._reset()
        if self._logfile:
            with open(self._logfile, "a", encoding="utf-8") as log:  # noqa: PTH123
                log.write(f"{operation};\n")
        try:
            if params and _is_batch(operation, params):
                return self._done(session.run_many(operation, _rows(operation, params)))
            if isinstance(params, list | tuple) and len(params) == 1 and isinstance(params[0], list | tuple):
                params = params[0]
            result = session.run(operation, params or None, None, req_id)
        except typed.Error as error:
            raise translated(error) from error
        if result.affected is not None:
            return self._done(result.affected)
        self._result = TaosResult(result, True, self.decode_binary)
        self._result._owner = self._connection
        self._description = [(field.name, field.type, None, None, None, None, False) for field in self._result.fields]
        return self._result

    def _done(self, affected: int) -> int:
        self._affected = self._rowcount = affected
        return affected

    def executemany(self, operation: str, data_list: Sequence[Any] | None) -> int | None:
        """Runs an INSERT for every row of values."""
        if not operation or not data_list:
            return None
        session = self._session()
        self._reset()
        try:
            return self._done(session.run_many(operation, data_list))
        except typed.Error as error:
            raise translated(error) from error

    def execute_many(self, operation: str, data_list: Sequence[Any], req_id: int | None = None) -> int:
        """Runs texts made of ``operation``: formatted with each dictionary, or followed by the text of every tuple.

        The texts are not escaped: for values from outside use :meth:`executemany`. Format fields are plain names; attributes
        and indexes are refused.
        """
        if not data_list:
            return 0
        if isinstance(data_list[0], dict):
            affected = 0
            for row in data_list:
                affected += self._count(self.execute(formatted(operation, (), row, ProgrammingError), None, req_id))
        else:
            text = operation + "".join(f" {tuple(row)!r} " for row in data_list)
            affected = self._count(self.execute(text, None, req_id))
        return self._done(affected)

    @staticmethod
    def _count(answer: Any) -> int:
        return answer if isinstance(answer, int) else 0

    def _fetching(self, what: str) -> TaosResult:
        if self._result is None:
            raise OperationalError(f"Invalid use of {what}")
        return self._result

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row, or None at the end."""
        rows = self._fetching("fetch iterator")._fetch(1)
        return rows[0] if rows else None

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        """The next rows; all that are left without a size."""
        if size is None:
            return self.fetchall()
        if size <= 0:
            raise ValueError("size must be greater than 0")
        return self._fetching("fetch iterator")._fetch(size)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows that are left."""
        result = self._fetching("fetchall")
        rows = result.fetch_all()
        self._rowcount = result.row_count
        return rows

    def fetchall_row(self) -> list[tuple[Any, ...]]:
        """The rows that are left."""
        return self.fetchall()

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self

    def __next__(self) -> tuple[Any, ...]:
        row = self.fetchone()
        if row is None:
            raise StopIteration
        return row

    def next(self) -> tuple[Any, ...]:
        """The next row."""
        return self.__next__()

    def df(self) -> pandas.DataFrame:
        """The rows that are left as a pandas frame."""
        return self._fetching("fetchall").df()

    def arrow(self) -> pyarrow.Table:
        """The rows that are left as a pyarrow table."""
        return self._fetching("fetchall").arrow()

    def keys(self) -> TaosFields | list[Any]:
        """The columns of the result."""
        return [] if self._result is None else self._result.fields

    def istype(self, col: int, dataType: str) -> bool:  # noqa: N803 (the official name)
        """Whether a column has the type of this name."""
        code = _TYPES.get(dataType.upper().strip())
        return code is not None and self._description[col][1] == code

    def log(self, logfile: str) -> None:
        """Appends every statement to a file from now on."""
        self._logfile = logfile

    def stop_query(self) -> None:
        """Lets the rows that are left go."""
        if self._result is not None:
            self._result.stop_query()

    def close(self) -> bool:
        """Whether this closed the cursor: False if it was closed before."""
        if self._connection is None:
            return False
        self._reset()
        self._connection = None
        return True

    def callproc(self, procname: str, *args: Any) -> None:
        """Does nothing."""

    def nextset(self) -> None:
        """Does nothing."""

    def setinputsize(self, sizes: Any) -> None:
        """Does nothing."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Does nothing."""

    def __enter__(self) -> TaosCursor:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _is_batch(operation: str, params: Any) -> bool:
    """Whether the values are rows or columns of an INSERT."""
    nested = isinstance(params, list | tuple) and isinstance(params[0], list | tuple)
    return nested and operation.lstrip()[:6].lower() == "insert"


def _rows(operation: str, params: Any) -> Any:
    """Rows of values; columns, as TDengine's statements take them, are turned."""
    first = params[0]
    if first and isinstance(first[0], list | tuple):
        return [row for table in params for row in zip(*table, strict=True)]
    return params
