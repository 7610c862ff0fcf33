"""Cursors of ``taosrest``: rows are lists, ``description`` has three items a column, ``rowcount`` is known at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from embudo.compat.taosrest.errors import NotSupportedError, OperationalError

if TYPE_CHECKING:
    import pandas

    from embudo.compat.taosrest.restclient import RestClient

__all__ = ["TaosRestCursor"]


class TaosRestCursor:
    """PEP 249's cursor over REST."""

    arraysize = 1

    def __init__(self, client: RestClient) -> None:
        self._c = client
        self._answer: dict[str, Any] | None = None
        self._read = 0
        self._affected: int | None = None
        self._logfile: str | None = None

    @property
    def rowcount(self) -> int:
        """Rows written, removed or found; -1 before the first statement."""
        if self._answer is None:
            return -1
        return int(self._answer["rows"]) if self._affected is None else self._affected

    @property
    def affected_rows(self) -> int | None:
        """Rows written or removed; None for a query."""
        return self._affected

    @property
    def description(self) -> list[list[Any]] | None:
        """A list ``[name, type name, bytes]`` for every column; None before the first statement."""
        return None if self._answer is None else self._answer["column_meta"]

    def execute(self, operation: str, parameters: Any = None, req_id: int | None = None) -> int | None:
        """Runs a statement; rows it wrote or removed, or None for a query. ``parameters`` are values for ``?`` or ``:name``."""
        if self._logfile:
            with open(self._logfile, "a", encoding="utf-8") as log:  # noqa: PTH123
                log.write(f"{operation};\n")
        self._answer = self._affected = None
        self._read = 0
        self._answer = self._c._answer(operation, parameters or None, req_id)
        meta = self._answer["column_meta"]
        if meta and meta[0][0] == "affected_rows":
            self._affected = self._answer["data"][0][0]
        return self._affected

    def executemany(self, operation: str, parameters: Any = None, req_id: int | None = None) -> None:
        """Runs a statement: once without parameters, else once for every row of them."""
        if not parameters:
            self.execute(operation, None, req_id)
            return
        from embudo import errors as typed
        from embudo.compat.taosrest.errors import translated

        try:
            affected = self._c._session.run_many(operation, parameters)
        except typed.Error as error:
            raise translated(error) from error
        meta = [["affected_rows", "INT", 4]]
        self._answer = {"column_meta": meta, "data": [[affected]], "rows": 1}
        self._affected, self._read = affected, 0

    def _rows(self) -> list[list[Any]]:
        if self._answer is None:
            raise OperationalError("no result to fetch")
        return self._answer["data"]  # type: ignore[no-any-return]

    def fetchone(self) -> list[Any] | None:
        """The next row, or None at the end."""
        rows = self._rows()
        if self._read >= len(rows):
            return None
        self._read += 1
        return rows[self._read - 1]

    def fetchmany(self, size: int | None = None) -> Any:
        """The next row without a size, as in the official package; a list of rows with one."""
        if size is None:
            return self.fetchone()
        rows = self._rows()[self._read : self._read + size]
        self._read += len(rows)
        return rows

    def fetchall(self) -> list[list[Any]]:
        """The rows that are left."""
        rows = self._rows()[self._read :]
        self._read += len(rows)
        return rows

    def __iter__(self) -> Iterator[list[Any]]:
        return iter(self.fetchone, None)

    def df(self) -> pandas.DataFrame:
        """The rows that are left as a pandas frame."""
        import pandas

        return pandas.DataFrame(self.fetchall(), columns=[column[0] for column in self.description or ()])

    def istype(self, col: int, datatype: str) -> bool:
        """Whether a column has the type of this name; BINARY is VARCHAR."""
        wanted = datatype.upper().strip()
        return self.get_type(col) == ("VARCHAR" if wanted == "BINARY" else wanted)

    def get_type(self, col: int) -> str | None:
        """The name of a column's type."""
        description = self.description
        return None if description is None else str(description[col][1]).upper()

    def log(self, logfile: str) -> None:
        """Appends every statement to a file from now on."""
        self._logfile = logfile

    def close(self) -> None:
        """Does nothing."""

    def callproc(self, procname: str, parameters: Sequence[Any] = ()) -> None:
        """Not there."""
        raise NotSupportedError()

    def nextset(self) -> None:
        """Not there."""
        raise NotSupportedError()

    def setinputsizes(self, sizes: Sequence[Any]) -> None:
        """Not there."""
        raise NotSupportedError()

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Not there."""
        raise NotSupportedError()

    def __enter__(self) -> TaosRestCursor:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
