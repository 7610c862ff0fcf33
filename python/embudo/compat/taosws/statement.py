"""Prepared statements of ``taosws``, of the first and the second kind. Both are bound column by column."""

from __future__ import annotations

from embudo import _embudo
from embudo import errors as typed
from embudo.compat.taosws.connection import Connection, TaosResult
from embudo.compat.taosws.errors import ProgrammingError, QueryError, translated
from embudo.compat.taosws.views import PyColumnView, PyStmt2BindParam, PyTagView, cells

__all__ = ["TaosStmt", "TaosStmt2"]


class _Prepared:
    """What both kinds share."""

    def __init__(self, conn: Connection) -> None:
        if not isinstance(conn, Connection):
            raise TypeError(f"'{type(conn).__name__}' object cannot be converted to 'Connection'")
        self._session = conn._alive()
        self._style = conn._style()
        self._statement: _embudo.Statement | None = None
        self._affected = self._total = 0

    def prepare(self, sql: str) -> None:
        """Prepares a statement, in place of the last one."""
        self.close()
        try:
            self._statement = self._session.prepare(sql)
        except typed.Error as error:
            raise translated(error, ProgrammingError) from error

    def _ready(self) -> _embudo.Statement:
        if self._statement is None:
            raise ProgrammingError("no statement is prepared")
        return self._statement

    def close(self) -> None:
        """Lets the statement go; :meth:`prepare` makes another."""
        if self._statement is not None:
            self._statement.close()
            self._statement = None


class TaosStmt(_Prepared):
    """A statement whose table, tags and columns are set step by step."""

    def __init__(self, conn: Connection) -> None:
        super().__init__(conn)
        self._name: str | None = None
        self._tags: list[_embudo.Column] | None = None
        self._columns: list[_embudo.Column] | None = None

    def prepare(self, sql: str) -> None:
        """Prepares a statement, in place of the last one."""
        self._name = self._tags = self._columns = None
        super().prepare(sql)

    def set_tbname(self, table_name: str) -> None:
        """Names the table of ``INSERT INTO ?``."""
        try:
            self._ready().set_table(table_name)
        except typed.Error as error:
            raise translated(error, ProgrammingError) from error
        if table_name != self._name:
            self._name, self._tags = table_name, None

    def set_tags(self, tags: list[PyTagView]) -> None:
        """Gives the values of TAGS(?, ...)."""
        self._ready()
        self._tags = cells(tags, PyTagView)

    def set_tbname_tags(self, table_name: str, tags: list[PyTagView]) -> None:
        """Names the table and gives its tags."""
        self.set_tbname(table_name)
        self.set_tags(tags)

    def bind_param(self, params: list[PyColumnView]) -> None:
        """Binds one column for each ``?`` of VALUES."""
        self._ready()
        self._columns = cells(params, PyColumnView)

    def add_batch(self) -> None:
        """Adds what was bound to the rows that :meth:`execute` writes."""
        statement = self._ready()
        if self._columns is None or not statement.is_insert:
            return
        try:
            statement.bind([(self._name, self._tags, self._columns)])
        except typed.Error as error:
            raise translated(error, ProgrammingError) from error
        self._columns = None

    def execute(self) -> int:
        """Writes what was added; the rows written."""
        statement = self._ready()
        try:
            if statement.is_insert:
                self._affected = statement.execute()
            else:
                result = statement.query(self._columns or [])
                self._affected = result.affected or 0
                result.close()
        except typed.Error as error:
            raise translated(error, QueryError) from error
        self._total += self._affected
        return self._affected

    def affect_rows(self) -> int:
        """The rows that all calls of :meth:`execute` wrote."""
        return self._total


class TaosStmt2(_Prepared):
    """A statement that takes tables with their tags and columns."""

    def __init__(self, conn: Connection) -> None:
        super().__init__(conn)
        self._columns: list[_embudo.Column] = []
        self._result: _embudo.Result | None = None

    def bind(self, params: list[PyStmt2BindParam]) -> None:
        """Binds tables, each with its rows; or, of a query, its parameters."""
        statement = self._ready()
        for param in params:
            if not isinstance(param, PyStmt2BindParam):
                raise TypeError(f"'{type(param).__name__}' object cannot be converted to 'PyStmt2BindParam'")
        if not statement.is_insert:
            self._columns = params[0]._columns if params else []
            return
        tables: list[tuple[str | None, list[_embudo.Column] | None, list[_embudo.Column]]] = []
        for param in params:
            tables.append((param._table_name, param._tags, param._columns))
        try:
            statement.bind(tables)
        except typed.Error as error:
            raise translated(error, ProgrammingError) from error

    def execute(self) -> int:
        """Writes what was bound, or runs the query; the rows written."""
        statement = self._ready()
        try:
            if statement.is_insert:
                self._affected = statement.execute()
            else:
                self._result = statement.query(self._columns)
                self._affected = self._result.affected or 0
        except typed.Error as error:
            raise translated(error, QueryError) from error
        self._total += self._affected
        return self._affected

    def affect_rows(self) -> int:
        """The rows that the last :meth:`execute` wrote."""
        return self._affected

    def result_set(self) -> TaosResult:
        """What the query gave."""
        result, self._result = self._result, None
        if result is None:
            raise QueryError("[0x022A] Internal error: `Stmt API usage error`", 0x022A)
        return TaosResult(result, self._style)
