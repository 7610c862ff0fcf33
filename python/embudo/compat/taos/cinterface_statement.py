"""The wrappers of the C interface for prepared statements of both kinds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from embudo import _embudo
from embudo import errors as typed
from embudo.compat.taos import error
from embudo.compat.taos.bind import Bound
from embudo.compat.taos.bind2 import TaosStmt2BindV
from embudo.compat.taos.cinterface_result import Result
from embudo.compat.taos.field_v3 import TaosFieldAllCls
from embudo.compat.taos.statement import StatementHandle
from embudo.compat.taos.statement2 import TaosStmt2, TaosStmt2Option, TaosStmt2OptionImpl


class _Statement:
    """A statement between its calls: the table, its tags, the columns that are bound and not yet added."""

    def __init__(self, session: _embudo.Session) -> None:
        self.handle = StatementHandle(session)
        self.name: str | None = None
        self.tags: list[_embudo.Column] | None = None
        self.columns: dict[int, _embudo.Column] = {}
        self.error = "success"


def _guarded(stmt: _Statement, work: Callable[[], Any]) -> Any:
    try:
        return work()
    except typed.Error as failure:
        stmt.error = failure.msg
        raise error.translated(failure, error.StatementError) from failure


def taos_stmt_init(connection: _embudo.Session) -> _Statement:
    """A statement."""
    return _Statement(connection)


def taos_stmt_init_with_reqid(connection: _embudo.Session, req_id: int) -> _Statement:
    """A statement."""
    return _Statement(connection)


def taos_stmt_prepare(stmt: _Statement, sql: str) -> None:
    """Prepares it."""
    _guarded(stmt, lambda: stmt.handle.prepare(sql))


def taos_stmt_close(stmt: _Statement) -> None:
    """Lets it go."""
    stmt.handle.close()


def taos_stmt_errstr(stmt: _Statement) -> str:
    """The text of the last failure."""
    return stmt.error


def taos_stmt_set_tbname(stmt: _Statement, name: str) -> None:
    """Names the table."""
    _guarded(stmt, lambda: stmt.handle.statement().set_table(name))
    stmt.name, stmt.tags = name, None


def taos_stmt_set_tbname_tags(stmt: _Statement, name: str, tags: Sequence[Bound]) -> None:
    """Names the table and gives its tags."""
    taos_stmt_set_tbname(stmt, name)
    stmt.tags = [tag.column() for tag in tags]


def taos_stmt_is_insert(stmt: _Statement) -> bool:
    """Whether this is an INSERT."""
    return stmt.handle.statement().is_insert


def taos_stmt_num_params(stmt: _Statement) -> int:
    """How many ``?`` there are."""
    count: int = _guarded(stmt, lambda: stmt.handle.statement().parameter_count())
    return count


def taos_stmt_bind_param(stmt: _Statement, bind: Sequence[Bound]) -> None:
    """Binds one value for each ``?`` of the row."""
    stmt.columns = {at: one.column() for at, one in enumerate(bind)}


def taos_stmt_bind_param_batch(stmt: _Statement, bind: Sequence[Bound]) -> None:
    """Binds one column for each ``?`` of the row."""
    stmt.columns = {at: one.column() for at, one in enumerate(bind)}


def taos_stmt_bind_single_param_batch(stmt: _Statement, bind: Bound, col: int) -> None:
    """Binds one column."""
    stmt.columns[col] = bind.column()


def taos_stmt_add_batch(stmt: _Statement) -> None:
    """Adds what was bound."""
    columns = [column for _, column in sorted(stmt.columns.items())]
    stmt.columns = {}
    statement = stmt.handle.statement()
    if statement.is_insert:
        _guarded(stmt, lambda: statement.bind([(stmt.name, stmt.tags, columns)]))
    else:
        stmt.handle.parameters = columns


def taos_stmt_execute(stmt: _Statement) -> None:
    """Writes what was added, or runs the query."""
    if stmt.columns and not stmt.handle.statement().is_insert:
        taos_stmt_add_batch(stmt)
    _guarded(stmt, stmt.handle.execute)


def taos_stmt_use_result(stmt: _Statement) -> Result:
    """What the query gave."""
    taken = stmt.handle.take(True)._result
    if taken is None:
        raise error.StatementError("Stmt API usage error", 0x022A - 0x8000_0000)
    return Result(taken)


def taos_stmt_affected_rows(stmt: _Statement) -> int:
    """Rows that the last execution wrote."""
    return stmt.handle.affected


# Statements of the second kind.


def taos_stmt2_init(taos: _embudo.Session, option: TaosStmt2OptionImpl | TaosStmt2Option | None) -> TaosStmt2:
    """A statement."""
    return TaosStmt2(StatementHandle(taos))


def taos_stmt2_prepare(stmt: TaosStmt2, sql: str) -> None:
    """Prepares it."""
    stmt.prepare(sql)


def taos_stmt2_bind_param(stmt: TaosStmt2, bindv: TaosStmt2BindV, col_idx: int = -1) -> None:
    """Binds tables; or, of a query, its parameters."""
    handle = stmt._open()
    statement = handle.statement()
    tables = bindv.tables()
    try:
        if statement.is_insert:
            statement.bind(tables)
        else:
            handle.parameters = tables[0][2] if tables else []
    except typed.Error as failure:
        raise error.translated(failure, error.StatementError) from failure


def taos_stmt2_exec(stmt: TaosStmt2) -> int:
    """Writes what was bound, or runs the query; the rows written."""
    return stmt.execute()


def taos_stmt2_close(stmt: TaosStmt2) -> None:
    """Lets it go."""
    stmt.close()


def taos_stmt2_is_insert(stmt: TaosStmt2) -> bool:
    """Whether this is an INSERT."""
    return stmt.is_insert()


def taos_stmt2_get_fields(stmt: TaosStmt2) -> tuple[int, list[TaosFieldAllCls]]:
    """How many ``?`` there are, and what they stand for."""
    return stmt.get_fields()


def taos_stmt2_result(stmt: TaosStmt2) -> Result:
    """What the query gave."""
    taken = stmt.result()._result
    if taken is None:
        raise error.StatementError("Stmt API usage error", 0x022A - 0x8000_0000)
    return Result(taken)


def taos_stmt2_error(stmt: TaosStmt2) -> str | None:
    """The text of the last failure."""
    return stmt.error()
