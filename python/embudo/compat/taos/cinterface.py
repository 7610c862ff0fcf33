"""The names of the official package's wrappers of the C interface, over the same sessions as all else here: no C library is loaded.

What stands for a pointer is an object: a session, a :class:`Result`, a statement, a consumer. Rows in memory are tuples.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

from embudo import _embudo
from embudo import errors as typed
from embudo.compat.taos import asynchronous, error
from embudo.compat.taos.cinterface_consumer import (
    TmqTopicAssignment,
    TmqTopicAssignments,
    tmq_commit_offset_sync,
    tmq_commit_sync,
    tmq_committed,
    tmq_conf_destroy,
    tmq_conf_new,
    tmq_conf_set,
    tmq_conf_set_auto_commit_cb,
    tmq_consumer_close,
    tmq_consumer_new,
    tmq_consumer_poll,
    tmq_err2str,
    tmq_get_db_name,
    tmq_get_res_type,
    tmq_get_table_name,
    tmq_get_topic_assignment,
    tmq_get_topic_name,
    tmq_get_vgroup_id,
    tmq_get_vgroup_offset,
    tmq_list_append,
    tmq_list_destroy,
    tmq_list_new,
    tmq_list_to_c_array,
    tmq_offset_seek,
    tmq_position,
    tmq_subscribe,
    tmq_subscription,
    tmq_unsubscribe,
)
from embudo.compat.taos.cinterface_result import Result, Row, RowPointer
from embudo.compat.taos.cinterface_statement import (
    taos_stmt2_bind_param,
    taos_stmt2_close,
    taos_stmt2_error,
    taos_stmt2_exec,
    taos_stmt2_get_fields,
    taos_stmt2_init,
    taos_stmt2_is_insert,
    taos_stmt2_prepare,
    taos_stmt2_result,
    taos_stmt_add_batch,
    taos_stmt_affected_rows,
    taos_stmt_bind_param,
    taos_stmt_bind_param_batch,
    taos_stmt_bind_single_param_batch,
    taos_stmt_close,
    taos_stmt_errstr,
    taos_stmt_execute,
    taos_stmt_init,
    taos_stmt_init_with_reqid,
    taos_stmt_is_insert,
    taos_stmt_num_params,
    taos_stmt_prepare,
    taos_stmt_set_tbname,
    taos_stmt_set_tbname_tags,
    taos_stmt_use_result,
)
from embudo.compat.taos.connection import CLIENT_VERSION, TaosConnection
from embudo.compat.taos.constants import FieldType, TaosOption
from embudo.compat.taos.field import TaosField, TaosFields, set_tz
from embudo.compat.taos.field_v3 import TaosFieldE, TaosFieldEs
from embudo.compat.taos.result import printed
from embudo.compat.taos.subscription import SubscriptionHandle, TaosSubscription, start

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
