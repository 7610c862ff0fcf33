"""The names of the official package's wrappers of the C interface, over the same sessions as all else here: no C library is loaded.

What stands for a pointer is an object: a session, a :class:`Result`, a statement, a consumer. Rows in memory are tuples.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from embudo import _embudo
from embudo import errors as typed
from embudo.compat.taos import asynchronous, error
from embudo.compat.taos.bind import Bound
from embudo.compat.taos.bind2 import TaosStmt2BindV
from embudo.compat.taos.connection import CLIENT_VERSION, TaosConnection
from embudo.compat.taos.constants import FieldType, TaosOption
from embudo.compat.taos.field import TaosField, TaosFields, set_tz
from embudo.compat.taos.field_v3 import TaosFieldAllCls, TaosFieldE, TaosFieldEs
from embudo.compat.taos.result import printed, style
from embudo.compat.taos.statement import StatementHandle
from embudo.compat.taos.statement2 import TaosStmt2, TaosStmt2Option, TaosStmt2OptionImpl
from embudo.compat.taos.subscription import SubscriptionHandle, TaosSubscription, start
from embudo.compat.taos.tmq import Consumer, Message, TopicPartition

__all__ = [
    "IS_V3",
    "TAOS_FIELD_COL",
    "TAOS_FIELD_QUERY",
    "TAOS_FIELD_TAG",
    "TAOS_FIELD_TBNAME",
    "CTaosInterface",
    "Result",
    "TaosOption",
    "TmqTopicAssignment",
    "TmqTopicAssignments",
    "async_fetch_rows_callback_type",
    "async_query_callback_type",
    "async_query_with_reqid_callback_type",
    "subscribe_callback_type",
    "taos_affected_rows",
    "taos_cleanup",
    "taos_close",
    "taos_connect",
    "taos_connect_auth",
    "taos_connect_test",
    "taos_connect_token",
    "taos_connect_totp",
    "taos_consume",
    "taos_errno",
    "taos_errstr",
    "taos_fetch_block",
    "taos_fetch_block_raw",
    "taos_fetch_block_v2",
    "taos_fetch_block_v3",
    "taos_fetch_fields",
    "taos_fetch_fields_e",
    "taos_fetch_fields_e_raw",
    "taos_fetch_fields_raw",
    "taos_fetch_lengths",
    "taos_fetch_row",
    "taos_fetch_row_raw",
    "taos_fetch_rows_a",
    "taos_field_count",
    "taos_free_result",
    "taos_get_client_info",
    "taos_get_column_data_offset",
    "taos_get_server_info",
    "taos_get_table_vgId",
    "taos_init",
    "taos_is_null",
    "taos_is_null_by_column",
    "taos_load_table_info",
    "taos_num_fields",
    "taos_options",
    "taos_options_connection",
    "taos_print_row",
    "taos_query",
    "taos_query_a",
    "taos_query_a_with_reqid",
    "taos_query_with_reqid",
    "taos_result_precision",
    "taos_schemaless_insert",
    "taos_schemaless_insert_raw",
    "taos_schemaless_insert_raw_ttl",
    "taos_schemaless_insert_raw_ttl_with_reqid",
    "taos_schemaless_insert_raw_with_reqid",
    "taos_schemaless_insert_ttl",
    "taos_schemaless_insert_ttl_with_reqid",
    "taos_schemaless_insert_with_reqid",
    "taos_select_db",
    "taos_set_conn_mode",
    "taos_stmt2_bind_param",
    "taos_stmt2_close",
    "taos_stmt2_error",
    "taos_stmt2_exec",
    "taos_stmt2_get_fields",
    "taos_stmt2_init",
    "taos_stmt2_is_insert",
    "taos_stmt2_prepare",
    "taos_stmt2_result",
    "taos_stmt_add_batch",
    "taos_stmt_affected_rows",
    "taos_stmt_bind_param",
    "taos_stmt_bind_param_batch",
    "taos_stmt_bind_single_param_batch",
    "taos_stmt_close",
    "taos_stmt_errstr",
    "taos_stmt_execute",
    "taos_stmt_init",
    "taos_stmt_init_with_reqid",
    "taos_stmt_is_insert",
    "taos_stmt_num_params",
    "taos_stmt_prepare",
    "taos_stmt_set_tbname",
    "taos_stmt_set_tbname_tags",
    "taos_stmt_use_result",
    "taos_stop_query",
    "taos_subscribe",
    "taos_unsubscribe",
    "taos_use_result",
    "taos_validate_sql",
    "tmq_commit_cb",
    "tmq_commit_offset_sync",
    "tmq_commit_sync",
    "tmq_committed",
    "tmq_conf_destroy",
    "tmq_conf_new",
    "tmq_conf_set",
    "tmq_conf_set_auto_commit_cb",
    "tmq_consumer_close",
    "tmq_consumer_new",
    "tmq_consumer_poll",
    "tmq_err2str",
    "tmq_get_db_name",
    "tmq_get_res_type",
    "tmq_get_table_name",
    "tmq_get_topic_assignment",
    "tmq_get_topic_name",
    "tmq_get_vgroup_id",
    "tmq_get_vgroup_offset",
    "tmq_list_append",
    "tmq_list_destroy",
    "tmq_list_new",
    "tmq_list_to_c_array",
    "tmq_offset_seek",
    "tmq_position",
    "tmq_subscribe",
    "tmq_subscription",
    "tmq_unsubscribe",
    "unsupported_methods",
]

IS_V3 = True
TAOS_FIELD_COL = 1
TAOS_FIELD_TAG = 2
TAOS_FIELD_QUERY = 3
TAOS_FIELD_TBNAME = 4

async_query_callback_type = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)
async_query_with_reqid_callback_type = async_query_callback_type
async_fetch_rows_callback_type = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)
subscribe_callback_type = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)
tmq_commit_cb = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)

Row = tuple[Any, ...]


class RowPointer(tuple[Any, ...]):
    """A row that knows the precision of its times."""

    precision: int = FieldType.C_TIMESTAMP_MILLI


class Result:
    """What a statement gave, and the block that is being read."""

    def __init__(self, result: _embudo.Result) -> None:
        self.result: _embudo.Result | None = result
        self.affected = result.affected or 0
        self.described = [] if result.affected is not None else result.fields
        self.precision = result.precision
        self.block: list[Row] = []

    def rows(self, count: int | None, decode_binary: bool) -> list[Row]:
        """The next rows: as many, or those of the next block."""
        if self.result is None:
            raise error.ResultError("no result object")
        if not self.described:
            return []
        shown = style(decode_binary)
        try:
            self.block = self.result.block(shown) if count is None else self.result.rows(count, shown)
        except typed.Error as failure:
            raise error.translated(failure) from failure
        return self.block


def unsupported_methods() -> None:
    """Nothing is missing here that a version of the C library could lack."""


# Options and connections.


def taos_get_client_info() -> str:
    """Version of the client library whose interface this is."""
    return CLIENT_VERSION


def taos_options(option: int, value: str) -> None:
    """Sets an option of the process; the time zone alone has a meaning here."""
    if option == TaosOption.Timezone:
        import zoneinfo

        set_tz(zoneinfo.ZoneInfo(value))


def taos_options_connection(connection: _embudo.Session, option: int, value: str | None) -> None:
    """Options of an open connection have no meaning here."""


def taos_set_conn_mode(connection: _embudo.Session, mode: int, value: int) -> None:
    """Modes of an open connection have no meaning here."""


def taos_init() -> None:
    """Does nothing: there is nothing to start."""


def taos_cleanup() -> None:
    """Does nothing: there is nothing to end."""


def _connected(**arguments: Any) -> _embudo.Session:
    connection = TaosConnection(**arguments)
    session = connection._open()
    # The session lives on without the object.
    connection._session = None
    return session


def taos_connect(
    host: str | None = None, user: str = "root", password: str = "taosdata", db: str | None = None, port: int = 0
) -> _embudo.Session:
    """Opens a session."""
    return _connected(host=host, user=user, password=password, database=db, port=port)


def taos_connect_auth(host: str | None = None, user: str = "root", auth: str = "", db: str | None = None, port: int = 0) -> _embudo.Session:
    """Opens a session by the MD5 hash of a password, which TDengine's own protocol has; other transports need the password."""
    import hashlib

    if auth == hashlib.md5(b"taosdata", usedforsecurity=False).hexdigest():
        return _connected(host=host, user=user, password="taosdata", database=db, port=port)
    raise error.ConnectionError("Authentication failure: this transport needs the password, not its hash", 0x0357 - 0x8000_0000)


def taos_connect_totp(
    host: str | None = None, user: str = "root", password: str = "taosdata", totp: str | None = None, db: str | None = None, port: int = 0
) -> _embudo.Session:
    """Opens a session with a password of one time."""
    return _connected(host=host, user=user, password=password, totp_code=totp, database=db, port=port)


def taos_connect_test(
    host: str | None = None, user: str = "root", password: str = "taosdata", totp: str | None = None, db: str | None = None, port: int = 0
) -> None:
    """Whether a session can be opened; raises ConnectionError if not."""
    taos_connect_totp(host, user, password, totp, db, port).close()


def taos_connect_token(host: str | None = None, token: str | None = None, db: str | None = None, port: int = 0) -> _embudo.Session:
    """Opens a session by a token."""
    return _connected(host=host, bearer_token=token, database=db, port=port)


def taos_close(connection: _embudo.Session) -> None:
    """Ends a session."""
    connection.close()


def taos_get_server_info(connection: _embudo.Session) -> str:
    """Version of the server."""
    return connection.server_version()


def taos_select_db(connection: _embudo.Session, db: str) -> None:
    """Changes the current database."""
    _over(connection).select_db(db)


def taos_load_table_info(connection: _embudo.Session, tables: str) -> None:
    """Looks up tables."""
    _over(connection).load_table_info(tables)


def taos_get_table_vgId(conn: _embudo.Session, db: str, table: str) -> int:  # noqa: N802 (the official name)
    """The vgroup that a table's rows lie in."""
    return _over(conn).get_table_vgroup_id(db, table)


def _over(session: _embudo.Session) -> TaosConnection:
    """The connection's methods over a session that somebody else ends."""
    connection = _Borrowed.__new__(_Borrowed)
    connection._session = session
    connection.decode_binary = True
    return connection


class _Borrowed(TaosConnection):
    def close(self) -> None:
        self._session = None


# Statements and results.


def taos_query(connection: _embudo.Session, sql: str) -> Result:
    """Runs a statement."""
    return Result(_over(connection)._run(sql))


def taos_query_with_reqid(connection: _embudo.Session, sql: str, req_id: int) -> Result:
    """Runs a statement, with an id that the server's logs show."""
    return Result(_over(connection)._run(sql, req_id))


def taos_query_a(connection: _embudo.Session, sql: str, callback: Any, param: Any) -> None:
    """Runs a statement in another thread, and calls."""
    _over(connection).query_a(sql, callback, param)


def taos_query_a_with_reqid(connection: _embudo.Session, sql: str, callback: Any, param: Any, req_id: int) -> None:
    """Runs a statement in another thread, and calls."""
    _over(connection).query_a(sql, callback, param, req_id)


def taos_fetch_rows_a(result: Any, callback: Any, param: Any) -> None:
    """Fetches rows in another thread, and calls."""
    asynchronous.fetch(result, callback, param)


def taos_affected_rows(result: Result) -> int:
    """Rows written or removed."""
    return result.affected


def taos_field_count(result: Result) -> int:
    """How many columns there are."""
    return len(result.described)


def taos_num_fields(result: Result) -> int:
    """How many columns there are."""
    return len(result.described)


def taos_fetch_fields(result: Result) -> TaosFields:
    """The columns."""
    return TaosFields([TaosField(name, code, length) for name, code, _, length, _, _ in result.described])


def taos_fetch_fields_raw(result: Result) -> TaosFields:
    """The columns."""
    return taos_fetch_fields(result)


def taos_fetch_fields_e(result: Result) -> TaosFieldEs:
    """The columns, with the digits of DECIMALs."""
    decimals = (FieldType.C_DECIMAL, FieldType.C_DECIMAL64)
    return TaosFieldEs(
        [
            TaosFieldE(name, code, length, precision if code in decimals else 0, scale if code in decimals else 0)
            for name, code, _, length, precision, scale in result.described
        ]
    )


def taos_fetch_fields_e_raw(result: Result) -> TaosFieldEs:
    """The columns, with the digits of DECIMALs."""
    return taos_fetch_fields_e(result)


def taos_use_result(result: Result) -> list[dict[str, Any]]:
    """A dictionary with ``name``, ``bytes`` and ``type`` for every column."""
    return [{"name": name, "bytes": length, "type": code} for name, code, _, length, _, _ in result.described]


def taos_result_precision(result: Result) -> int:
    """0 milliseconds, 1 microseconds, 2 nanoseconds."""
    return result.precision


def taos_fetch_row_raw(result: Result) -> Row | None:
    """The next row, or None at the end."""
    rows = result.rows(1, True)
    if not rows:
        return None
    row = RowPointer(rows[0])
    row.precision = result.precision
    return row


def taos_fetch_row(result: Result, fields: Any, decode_binary: bool = True) -> tuple[list[list[Any]] | None, int]:
    """The next row as columns of one cell, and 1; None and 0 at the end."""
    return _columns(result.rows(1, decode_binary))


def taos_fetch_block_v3(
    result: Result, fields: Any = None, field_count: int | None = None, decode_binary: bool = True
) -> tuple[list[list[Any]] | None, int]:
    """The next block as columns, and its rows; None and 0 at the end."""
    return _columns(result.rows(None, decode_binary))


def taos_fetch_block_v2(
    result: Result, fields: Any = None, field_count: int | None = None, decode_binary: bool = True
) -> tuple[list[list[Any]] | None, int]:
    """The next block as columns, and its rows; None and 0 at the end."""
    return _columns(result.rows(None, decode_binary))


taos_fetch_block = taos_fetch_block_v3


def taos_fetch_block_raw(result: Result) -> tuple[list[Row] | None, int]:
    """The next block, and its rows."""
    rows = result.rows(None, True)
    return (rows, len(rows)) if rows else (None, 0)


def _columns(rows: list[Row]) -> tuple[list[list[Any]] | None, int]:
    return ([list(column) for column in zip(*rows, strict=True)], len(rows)) if rows else (None, 0)


def taos_fetch_lengths(result: Result, field_count: int | None = None) -> list[int]:
    """Bytes of the cells of the row that was read last; of the columns before."""
    lengths = [length for _, _, _, length, _, _ in result.described][:field_count]
    if len(result.block) != 1:
        return lengths
    cells = zip(result.block[0], lengths, strict=False)
    return [
        0 if cell is None else len(cell.encode() if isinstance(cell, str) else cell) if isinstance(cell, str | bytes) else length
        for cell, length in cells
    ]


def taos_get_column_data_offset(result: Result, field: int, rows: int) -> list[int]:
    """Where the cells of a column of variable length begin in a block: each lies behind its length of two bytes; -1 for NULL."""
    offsets, at = [], 0
    for row in result.block[:rows]:
        cell = row[field]
        if cell is None:
            offsets.append(-1)
            continue
        offsets.append(at)
        at += 2 + len(cell.encode() if isinstance(cell, str) else cell)
    return offsets


def taos_is_null(result: Result, row: int, col: int) -> bool:
    """Whether a cell of the block that was read last is NULL."""
    return result.block[row][col] is None


def taos_is_null_by_column(result: Result, row: int, col: int) -> list[bool]:
    """Which of the first ``row`` cells of a column of the block that was read last are NULL."""
    if not 0 <= col < len(result.described):
        raise error.InternalError(f"there is no column {col}")
    return [cells[col] is None for cells in result.block[:row]]


def taos_print_row(row: Row, fields: Any, num_fields: int, buffer_size: int = 4096) -> str:
    """A row as the C interface prints it."""
    codes = [field.type for field in fields][:num_fields]
    return printed(row[:num_fields], codes, getattr(row, "precision", FieldType.C_TIMESTAMP_MILLI))[:buffer_size]


def taos_free_result(result: Result | int | None) -> None:
    """Lets a result go."""
    if isinstance(result, int):
        asynchronous.forget(result)
    elif result is not None and result.result is not None:
        result.result.close()
        result.result = None


def taos_stop_query(result: Result) -> None:
    """Lets the rows that are left go."""
    if result.result is not None:
        result.result.close()


def taos_errno(result: Any) -> int:
    """0: a failure has raised."""
    return 0


def taos_errstr(result: Any = None) -> str:
    """``success``: a failure has raised."""
    return "success"


def taos_validate_sql(connection: _embudo.Session, sql: str) -> str | None:
    """The text of what is wrong with a statement, which is not run; None for a good one."""
    try:
        if connection.transport == "rest":
            # REST can only explain a statement; what cannot be explained is not told apart.
            connection.run(f"EXPLAIN {sql}").close()
        else:
            connection.validate(sql)
    except typed.Error as failure:
        return failure.msg
    return None


# Subscriptions of TDengine 2.


def taos_subscribe(
    connection: _embudo.Session, restart: bool, topic: str, sql: str, interval: int, callback: Any = None, param: Any = None
) -> SubscriptionHandle:
    """A query whose new rows are consumed."""
    handle = SubscriptionHandle(_over(connection), restart, topic, sql, interval)
    if callback is not None:
        start(handle, callback, param)
    return handle


def taos_consume(sub: SubscriptionHandle) -> Result:
    """The rows that are new since the last call."""
    result = sub.poll()._result
    if result is None:
        raise error.OperationalError("Invalid use of consume")
    return Result(result)


def taos_unsubscribe(sub: SubscriptionHandle, keep_progress: bool) -> None:
    """Ends the subscription."""
    TaosSubscription(sub).close(keep_progress)


# Statements of the first kind.


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


# Line protocols.


def taos_schemaless_insert(connection: _embudo.Session, lines: Sequence[str], protocol: int, precision: int) -> int:
    """Writes points of a line protocol."""
    return _over(connection).schemaless_insert(lines, protocol, precision)


def taos_schemaless_insert_ttl(connection: _embudo.Session, lines: Sequence[str], protocol: int, precision: int, ttl: int) -> int:
    """Writes points of a line protocol; tables that are made expire."""
    return _over(connection).schemaless_insert(lines, protocol, precision, None, ttl)


def taos_schemaless_insert_ttl_with_reqid(
    connection: _embudo.Session, lines: Sequence[str], protocol: int, precision: int, ttl: int, req_id: int
) -> int:
    """Writes points of a line protocol; tables that are made expire."""
    return _over(connection).schemaless_insert(lines, protocol, precision, req_id, ttl)


def taos_schemaless_insert_with_reqid(connection: _embudo.Session, lines: Sequence[str], protocol: int, precision: int, req_id: int) -> int:
    """Writes points of a line protocol."""
    return _over(connection).schemaless_insert(lines, protocol, precision, req_id)


def taos_schemaless_insert_raw(connection: _embudo.Session, lines_raw: str, protocol: int, precision: int) -> int:
    """Writes points of a line protocol, as one text."""
    return _over(connection).schemaless_insert_raw(lines_raw, protocol, precision)


def taos_schemaless_insert_raw_with_reqid(connection: _embudo.Session, lines_raw: str, protocol: int, precision: int, req_id: int) -> int:
    """Writes points of a line protocol, as one text."""
    return _over(connection).schemaless_insert_raw(lines_raw, protocol, precision, req_id)


def taos_schemaless_insert_raw_ttl(connection: _embudo.Session, lines_raw: str, protocol: int, precision: int, ttl: int) -> int:
    """Writes points of a line protocol, as one text; tables that are made expire."""
    return _over(connection).schemaless_insert_raw(lines_raw, protocol, precision, None, ttl)


def taos_schemaless_insert_raw_ttl_with_reqid(
    connection: _embudo.Session, lines_raw: str, protocol: int, precision: int, ttl: int, req_id: int
) -> int:
    """Writes points of a line protocol, as one text; tables that are made expire."""
    return _over(connection).schemaless_insert_raw(lines_raw, protocol, precision, req_id, ttl)


# Consumers.


def tmq_conf_new() -> dict[str, str]:
    """A configuration."""
    return {}


def tmq_conf_set(conf: dict[str, str], key: str, value: str) -> None:
    """Sets a key."""
    if not isinstance(value, str):
        raise error.TmqError(f"fail to execute tmq_conf_set({key},{value}), v is not string type")
    try:
        _embudo.check_consumer({key: value})
    except typed.Error as failure:
        raise error.TmqError(f"fail to execute tmq_conf_set({key},{value}), code=-2: {failure.msg}", -2) from failure
    conf[key] = value


def tmq_conf_destroy(conf: dict[str, str]) -> None:
    """Lets a configuration go."""
    conf.clear()


def tmq_conf_set_auto_commit_cb(conf: dict[str, str], cb: Any, param: Any) -> None:
    """Automatic commits that fail raise in the poll that makes them; there is no callback to tell."""


def tmq_consumer_new(conf: dict[str, str]) -> Consumer:
    """A consumer."""
    return Consumer(dict(conf))


def tmq_err2str(errno: int) -> str:
    """The text of an error number."""
    return "success" if errno == 0 else _embudo.error_message(errno & 0xFFFF)


def tmq_list_new() -> list[str]:
    """A list of topics."""
    return []


def tmq_list_append(list: list[str], topic: str) -> None:
    """Adds a topic."""
    list.append(topic)


def tmq_list_destroy(list: list[str]) -> None:
    """Lets a list go."""
    list.clear()


def tmq_list_to_c_array(list: list[str]) -> list[str]:
    """The topics."""
    return [*list]


def tmq_subscribe(tmq: Consumer, list: list[str]) -> None:
    """Subscribes to topics."""
    tmq.subscribe([*list])


def tmq_unsubscribe(tmq: Consumer) -> None:
    """Leaves the group."""
    tmq.unsubscribe()


def tmq_subscription(tmq: Consumer) -> list[str]:
    """The topics subscribed to."""
    return tmq.list_topics()


def tmq_consumer_poll(tmq: Consumer, wait_time: int) -> Message | None:
    """The next message, if there is one within so many milliseconds."""
    return tmq.poll(wait_time / 1000)


def tmq_consumer_close(tmq: Consumer) -> None:
    """Leaves the group for good."""
    tmq.close()


def tmq_commit_sync(tmq: Consumer, offset: Message | None) -> None:
    """Commits a message, or what polls gave so far."""
    tmq.commit(offset)


def tmq_commit_offset_sync(tmq: Consumer, topic: str, vg_id: int, offset: int) -> None:
    """Commits an offset."""
    tmq.commit(offsets=[TopicPartition(topic, vg_id, offset)])


def tmq_get_topic_name(res: Message) -> str:
    """The topic of a message."""
    return res.topic()


def tmq_get_vgroup_id(res: Message) -> int:
    """The vgroup of a message."""
    return res.vgroup()


def tmq_get_table_name(res: Message) -> str | None:
    """The table of a message's first rows."""
    return next((block.table() for block in res), None)


def tmq_get_db_name(res: Message) -> str:
    """The database of a message."""
    return res.database()


def tmq_get_res_type(message: Message) -> int:
    """1 rows, 2 events, 3 both."""
    return message._given().kind


def tmq_get_vgroup_offset(message: Message) -> int:
    """The offset of a message."""
    return message.offset()


class TmqTopicAssignment:
    """A vgroup and where its consumer stands."""

    def __init__(self, vg_id: int, current_offset: int, begin: int, end: int) -> None:
        self._parts = (vg_id, current_offset, begin, end)

    @property
    def vg_id(self) -> int:
        """The vgroup."""
        return self._parts[0]

    @property
    def current_offset(self) -> int:
        """Offset that is read next."""
        return self._parts[1]

    @property
    def begin(self) -> int:
        """Oldest offset that can be read."""
        return self._parts[2]

    @property
    def end(self) -> int:
        """Offset that the next record will have."""
        return self._parts[3]

    def __str__(self) -> str:
        return "vg_id: {}, current_offset: {}, begin: {}, end: {}".format(*self._parts)


class TmqTopicAssignments:
    """The vgroups of a topic."""

    def __init__(self, assignments: Sequence[TmqTopicAssignment], count: int) -> None:
        self._assignments = list(assignments)[:count]
        self._next = 0

    def as_ptr(self) -> TmqTopicAssignments:
        """What functions of this module take."""
        return self

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._assignments)

    @property
    def assignments(self) -> list[TmqTopicAssignment]:
        """All of them."""
        return self._assignments

    def next(self) -> TmqTopicAssignment:
        """One after the other."""
        return self.__next__()

    def __next__(self) -> TmqTopicAssignment:
        if self._next >= len(self._assignments):
            raise StopIteration
        self._next += 1
        return self._assignments[self._next - 1]

    def __getitem__(self, item: int) -> TmqTopicAssignment:
        return self._assignments[item]

    def __iter__(self) -> Iterator[TmqTopicAssignment]:
        return iter(self._assignments)

    def __len__(self) -> int:
        return len(self._assignments)


def tmq_get_topic_assignment(tmq: Consumer, topic_name: str) -> list[tuple[int, int, int, int]]:
    """A tuple of vgroup, current offset, begin and end for each vgroup of a topic that is this consumer's."""
    try:
        found = tmq._open().assignment(topic_name)
    except typed.Error as failure:
        raise error.translated(failure, error.TmqError) from failure
    return [(vgroup, current, begin, end) for vgroup, begin, end, current in found]


def tmq_offset_seek(tmq: Consumer, topic_name: str, vgroup_id: int, offset: int) -> None:
    """Reads on at another offset."""
    tmq.seek(TopicPartition(topic_name, vgroup_id, offset))


def tmq_committed(tmq: Consumer, topic: str, vgroup_id: int) -> int:
    """What the group has committed."""
    return tmq.committed([TopicPartition(topic, vgroup_id, 0)])[0].offset


def tmq_position(tmq: Consumer, topic: str, vgroup_id: int) -> int:
    """Where the next poll reads."""
    return tmq.position([TopicPartition(topic, vgroup_id, 0)])[0].offset


class CTaosInterface:
    """Opens sessions."""

    def __init__(self, config: str | None = None, tz: str | None = None) -> None:
        self._config = config
        if tz is not None:
            taos_options(TaosOption.Timezone, tz)

    @property
    def config(self) -> str | None:
        """Where taos.cfg lies."""
        return self._config

    def connect(
        self, host: str | None = None, user: str = "root", password: str = "taosdata", db: str | None = None, port: int = 0
    ) -> _embudo.Session:
        """Opens a session."""
        return _connected(host=host, user=user, password=password, database=db, port=port, config=self._config)

    def connect_totp(
        self,
        host: str | None = None,
        user: str = "root",
        password: str = "taosdata",
        totp: str | None = None,
        db: str | None = None,
        port: int = 0,
    ) -> _embudo.Session:
        """Opens a session with a password of one time."""
        return _connected(host=host, user=user, password=password, totp_code=totp, database=db, port=port, config=self._config)

    def connect_token(self, host: str | None = None, token: str | None = None, db: str | None = None, port: int = 0) -> _embudo.Session:
        """Opens a session by a token."""
        return _connected(host=host, bearer_token=token, database=db, port=port, config=self._config)
