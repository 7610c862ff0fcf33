"""Prepared statements of the first kind: a table, its tags and its columns are set step by step."""

from __future__ import annotations

from collections.abc import Sequence

from embudo import _embudo
from embudo import errors as typed
from embudo.compat.taos.bind import Bound
from embudo.compat.taos.error import StatementError, translated
from embudo.compat.taos.result import TaosResult

__all__ = ["StatementHandle", "TaosStmt"]


class StatementHandle:
    """What stands behind a statement of either kind, before and after it is prepared."""

    def __init__(self, session: _embudo.Session) -> None:
        self._session = session
        self._prepared: _embudo.Statement | None = None
        self.sql = ""
        self.affected = 0
        #: What a query gave, until it is fetched.
        self.result: _embudo.Result | None = None
        self.parameters: list[_embudo.Column] = []

    def prepare(self, sql: str) -> None:
        """Prepares a statement, in place of the last one."""
        self.close()
        self._prepared = self._session.prepare(sql)
        self.sql = sql

    def statement(self) -> _embudo.Statement:
        """The prepared statement."""
        if self._prepared is None:
            raise StatementError("Stmt API usage error", 0x022A - 0x8000_0000)
        return self._prepared

    def execute(self) -> int:
        """Writes what was bound, or runs the query."""
        statement = self.statement()
        if statement.is_insert:
            self.affected = statement.execute()
        else:
            self.result = statement.query(self.parameters)
            self.affected = self.result.affected or 0
        return self.affected

    def take(self, decode_binary: bool) -> TaosResult:
        """What the query gave."""
        result, self.result = self.result, None
        if result is None:
            raise StatementError("Stmt API usage error", 0x022A - 0x8000_0000)
        return TaosResult(result, False, decode_binary)

    def close(self) -> None:
        """Lets the statement go."""
        if self._prepared is not None:
            self._prepared.close()
        self._prepared = self.result = None
        self.parameters = []


class TaosStmt:
    """A prepared statement."""

    def __init__(self, stmt: StatementHandle, decode_binary: bool = True) -> None:
        self._stmt: StatementHandle | None = stmt
        self.decode_binary = decode_binary
        self._name: str | None = None
        self._tags: list[_embudo.Column] | None = None
        self._columns: list[_embudo.Column] | None = None

    def _open(self, what: str) -> StatementHandle:
        if self._stmt is None:
            raise StatementError(f"Invalid use of {what}")
        return self._stmt

    def prepare(self, sql: str) -> None:
        """Prepares a statement, in place of the last one."""
        stmt = self._open("stmt")
        try:
            stmt.prepare(sql)
        except typed.Error as error:
            raise translated(error, StatementError) from error
        self._name = self._tags = self._columns = None

    def set_tbname(self, name: str) -> None:
        """Names the table of ``INSERT INTO ?``."""
        stmt = self._open("set_tbname")
        try:
            stmt.statement().set_table(name)
        except typed.Error as error:
            raise translated(error, StatementError) from error
        if name != self._name:
            self._name, self._tags = name, None

    def set_tbname_tags(self, name: str, tags: Sequence[Bound]) -> None:
        """Names the table and gives the values of TAGS(?, ...)."""
        self.set_tbname(name)
        self._tags = [tag.column() for tag in tags]

    def bind_param(self, params: Sequence[Bound], add_batch: bool = True) -> None:
        """Binds one value for each ``?`` of the row; adds the row unless told not to."""
        self._bind(params, add_batch)

    def bind_param_batch(self, binds: Sequence[Bound], add_batch: bool = True) -> None:
        """Binds one column for each ``?`` of the row; adds the rows unless told not to."""
        self._bind(binds, add_batch)

    def _bind(self, binds: Sequence[Bound], add_batch: bool) -> None:
        self._open("stmt")
        self._columns = [bind.column() for bind in binds]
        if add_batch:
            self.add_batch()

    def add_batch(self) -> None:
        """Adds what was bound to the rows that :meth:`execute` writes."""
        stmt = self._open("stmt")
        columns, self._columns = self._columns, None
        if columns is None:
            return
        try:
            statement = stmt.statement()
            if statement.is_insert:
                statement.bind([(self._name, self._tags, columns)])
            else:
                stmt.parameters = columns
        except typed.Error as error:
            raise translated(error, StatementError) from error

    def execute(self) -> None:
        """Writes what was added, or runs the query."""
        stmt = self._open("execute")
        try:
            if self._columns is not None and not stmt.statement().is_insert:
                # Parameters of a query need not be added.
                stmt.parameters, self._columns = self._columns, None
            stmt.execute()
        except typed.Error as error:
            raise translated(error, StatementError) from error

    def use_result(self) -> TaosResult:
        """What the query gave; once."""
        return self._open("stmt").take(self.decode_binary)

    @property
    def affected_rows(self) -> int:
        """Rows that the last :meth:`execute` wrote."""
        return self._open("stmt").affected

    def close(self) -> None:
        """Lets the statement go; more than once is allowed."""
        stmt, self._stmt = self._stmt, None
        if stmt is not None:
            stmt.close()

    def __del__(self) -> None:
        if getattr(self, "_stmt", None) is not None:
            self.close()

    def __enter__(self) -> TaosStmt:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
