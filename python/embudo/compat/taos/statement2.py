"""Prepared statements of the second kind: tables with their tags and columns in one call, rows of a supertable, parameters of a query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from embudo import _embudo
from embudo import errors as typed
from embudo.compat.taos.bind2 import TaosStmt2Bind, TaosStmt2BindV, checked_column
from embudo.compat.taos.constants import FieldType
from embudo.compat.taos.error import DataTypeAndRangeError, ErrMsg, StatementError, translated
from embudo.compat.taos.field_v3 import TaosFieldAllCls
from embudo.compat.taos.result import TaosResult
from embudo.compat.taos.statement import StatementHandle
from embudo.compat.taos.utils import ALL_NONE, HAVE_NONE, detectListNone, gen_req_id

__all__ = [
    "BindTable",
    "TaosStmt2",
    "TaosStmt2Option",
    "TaosStmt2OptionImpl",
    "checkConsistent",
    "createBindV",
    "createColsBind",
    "createQueryBindV",
    "createSuperBindV",
    "createTagsBind",
    "getField",
    "obtainSchema",
    "taos_stmt2_async_exec",
]

_COLUMN, _TAG, _TABLE = 1, 2, 4
#: What TDengine tells as the length of a table's name.
_TABLE_BYTES = 271


class BindTable:
    """A table with its tags; columns are added one by one."""

    def __init__(self, name: str | None, tags: Sequence[Any] | None) -> None:
        self.name = name
        self.tags = tags
        self.datas: list[Any] = []

    def add_col_data(self, data: Any) -> None:
        """Adds the values of the next column."""
        self.datas.append(data)


class TaosStmt2OptionImpl:
    """The options as the C interface has them."""

    def __init__(self, reqid: int, single_stb_insert: bool, single_table_bind_once: bool) -> None:
        self.reqid = reqid
        self.singleStbInsert = single_stb_insert
        self.singleTableBindOnce = single_table_bind_once
        self.asyncExecFn: Any = None
        self.userdata: Any = None


def taos_stmt2_async_exec(userdata: Any, result_set: Any, error_code: int) -> None:
    """What is called when an execution ends, where nothing else was asked for: does nothing."""


class TaosStmt2Option:
    """Options of a statement. The single-table ones say how a program means to bind; every way goes at any time here."""

    def __init__(
        self, reqid: int | None = None, single_stb_insert: bool = False, single_table_bind_once: bool = False, **kwargs: Any
    ) -> None:
        self._impl = TaosStmt2OptionImpl(0, single_stb_insert, single_table_bind_once)
        self.reqid = gen_req_id() if reqid is None else reqid
        self._impl.asyncExecFn = kwargs.get("async_exec_fn")
        self._impl.userdata = kwargs.get("userdata")

    @property
    def reqid(self) -> int:
        """An id that the server's logs show."""
        return self._impl.reqid

    @reqid.setter
    def reqid(self, value: int) -> None:
        if type(value) is not int:
            raise StatementError(f"reqid type error, expected int type but got {type(value).__name__}.")
        self._impl.reqid = value

    @property
    def single_stb_insert(self) -> bool:
        """Whether all tables are of one supertable."""
        return self._impl.singleStbInsert

    @single_stb_insert.setter
    def single_stb_insert(self, value: bool) -> None:
        self._impl.singleStbInsert = value

    @property
    def single_table_bind_once(self) -> bool:
        """Whether a table is bound once before an execution."""
        return self._impl.singleTableBindOnce

    @single_table_bind_once.setter
    def single_table_bind_once(self, value: bool) -> None:
        self._impl.singleTableBindOnce = value

    @property
    def async_exec_fn(self) -> Any:
        """What is called with ``userdata``, the result and an error number when an execution ends."""
        return self._impl.asyncExecFn

    @async_exec_fn.setter
    def async_exec_fn(self, value: Any) -> None:
        self._impl.asyncExecFn = value

    @property
    def userdata(self) -> Any:
        """The first argument of :attr:`async_exec_fn`."""
        return self._impl.userdata

    @userdata.setter
    def userdata(self, value: Any) -> None:
        self._impl.userdata = value

    def get_impl(self) -> TaosStmt2OptionImpl:
        """The options as the C interface has them."""
        return self._impl


def checkConsistent(  # noqa: N802 (the official name)
    tbnames: Sequence[Any] | None, tags: Sequence[Any] | None, datas: Sequence[Any] | None
) -> tuple[Sequence[Any] | None, Sequence[Any] | None, Sequence[Any] | None]:
    """Names, tags and rows of as many tables each; lists of None alone are None. Anything between is refused."""
    found: list[Sequence[Any] | None] = []
    for label, items in (("tbnames", tbnames), ("tags", tags), ("datas", datas)):
        if items is None:
            found.append(None)
            continue
        if not isinstance(items, list | tuple):
            raise StatementError(f"params {label} is not list or tuple, real type is {type(items).__name__}.")
        state = detectListNone(items)
        if state == HAVE_NONE:
            raise StatementError(f"params {label} some is None, some is not None, this is error.")
        found.append(None if state == ALL_NONE else items)
    names, tables, rows = found
    if names is None and tables is None and rows is None:
        raise StatementError("all bind params is None.")
    wanted = next(len(items) for items in (tbnames, tags, datas) if items is not None)
    for label, items in (("tbnames", tbnames), ("tags", tags), ("datas", datas)):
        if items is not None and len(items) != wanted:
            raise StatementError(f"{label} count is inconsistent. require count={wanted} real={len(items)}")
    return names, tables, rows


class TaosStmt2:
    """A prepared statement."""

    def __init__(self, stmt2: StatementHandle, decode_binary: bool = True) -> None:
        self._stmt2: StatementHandle | None = stmt2
        self.decode_binary = decode_binary
        self.option: TaosStmt2Option | None = None
        self._error: str | None = None
        self._clear()

    def _clear(self) -> None:
        self.fields: list[TaosFieldAllCls] = []
        self.tag_fields: list[TaosFieldAllCls] = []
        self.all_fields: list[TaosFieldAllCls] = []
        self.is_tbname = False
        self.types: list[int] | None = None

    def _open(self) -> StatementHandle:
        if self._stmt2 is None:
            raise StatementError(ErrMsg.STMT2_NULL)
        return self._stmt2

    def _failed(self, error: typed.Error) -> Exception:
        self._error = error.msg
        return translated(error, StatementError)

    def prepare(self, sql: str) -> None:
        """Prepares a statement, in place of the last one; of an INSERT what its ``?`` stand for is looked up."""
        stmt2 = self._open()
        if sql is None:
            raise StatementError("sql is null.")
        if not isinstance(sql, str):
            raise StatementError("sql is not str type.")
        if not sql:
            raise StatementError("sql is empty.")
        self._clear()
        try:
            stmt2.prepare(sql)
        except typed.Error as error:
            raise self._failed(error) from error
        if stmt2.statement().is_insert:
            obtainSchema(self)

    def bind_param(self, tbnames: Sequence[str | None] | None, tags: Sequence[Any] | None, datas: Sequence[Any] | None) -> None:
        """Binds rows or parameters.

        Args:
            tbnames: a name a table; None where the statement names its table, or its columns include ``tbname``.
            tags: a list of tag values a table, or None.
            datas: a list of columns a table, each the list of its values, a NumPy array or an Arrow array. For an INSERT whose columns
                include ``tbname``: a list of rows. For a query: one table of columns with one value each, or ``[(value, ...)]``.
        """
        stmt2 = self._open()
        statement = stmt2.statement()
        try:
            if not statement.is_insert:
                stmt2.parameters = createQueryBindV(self, datas)
            elif self.is_tbname and tbnames is None and tags is None and self._is_mixed():
                statement.bind_columns(createSuperBindV(self, datas))
            else:
                statement.bind(createBindV(self, tbnames, tags, datas).tables())
        except typed.Error as error:
            if isinstance(error, StatementError | DataTypeAndRangeError):
                raise
            raise self._failed(error) from error

    def _is_mixed(self) -> bool:
        """Whether the rows themselves name their tables: then no tag or column stands before all of them."""
        import re

        into = re.match(r"\s*insert\s+into\s+(\S+)", self._open().sql, re.IGNORECASE)
        return into is not None and not into.group(1).startswith("?")

    def bind_param_with_tables(self, tables: Sequence[BindTable]) -> None:
        """Binds tables."""
        self.bind_param([table.name for table in tables], [table.tags for table in tables], [table.datas for table in tables])

    def execute(self) -> int:
        """Writes what was bound, or runs the query; the rows written."""
        stmt2 = self._open()
        try:
            affected = stmt2.execute()
        except typed.Error as error:
            raise self._failed(error) from error
        if self.option is not None and self.option.async_exec_fn is not None:
            self.option.async_exec_fn(self.option.userdata, stmt2.result, 0)
        return affected

    def result(self) -> TaosResult:
        """What the query gave."""
        return self._open().take(self.decode_binary)

    def is_insert(self) -> bool:
        """Whether this is an INSERT."""
        return self._open().statement().is_insert

    def get_fields(self) -> tuple[int, list[TaosFieldAllCls]]:
        """How many ``?`` there are, and of an INSERT what they stand for."""
        statement = self._open().statement()
        try:
            if not statement.is_insert:
                return statement.parameter_count(), []
            fields = [
                TaosFieldAllCls(name, code, precision, scale, _TABLE_BYTES if role == _TABLE else length, role)
                for name, code, _, length, precision, scale, role in statement.fields()
            ]
        except typed.Error as error:
            raise self._failed(error) from error
        return len(fields), fields

    def error(self) -> str | None:
        """The text of the last failure."""
        self._open()
        return self._error

    def set_columns_type(self, types: Sequence[int]) -> None:
        """The types that a query's parameters are bound as, where their own are not right."""
        self.types = list(types)

    @property
    def affected_rows(self) -> int:
        """Rows that the last :meth:`execute` wrote."""
        return self._open().affected

    def close(self) -> None:
        """Lets the statement go; more than once is allowed."""
        stmt2, self._stmt2 = self._stmt2, None
        if stmt2 is not None:
            stmt2.close()

    def __del__(self) -> None:
        if getattr(self, "_stmt2", None) is not None:
            self.close()

    def __enter__(self) -> TaosStmt2:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def obtainSchema(statement2: TaosStmt2) -> bool:  # noqa: N802 (the official name)
    """Looks up what the ``?`` of an INSERT stand for."""
    try:
        _, fields = statement2.get_fields()
    except StatementError as error:
        sql = statement2._open().sql
        if error.errno & 0xFFFF == 0x022B:
            # Its table is named by the binding; only then its columns are known.
            statement2.is_tbname = True
            return False
        raise StatementError(f"obtain schema failed, maybe this sql is not supported, sql: {sql} ({error.msg})", error.errno) from error
    _adopt(statement2, fields)
    return True


def _adopt(statement2: TaosStmt2, fields: list[TaosFieldAllCls]) -> None:
    statement2.all_fields = fields
    statement2.fields = [field for field in fields if field.field_type == _COLUMN]
    statement2.tag_fields = [field for field in fields if field.field_type == _TAG]
    statement2.is_tbname = any(field.field_type == _TABLE for field in fields)


def getField(statement2: TaosStmt2, index: int, isTag: bool) -> TaosFieldAllCls:  # noqa: N802, N803 (official names)
    """What the tag or column with this number is."""
    fields = statement2.tag_fields if isTag else statement2.fields
    if not 0 <= index < len(fields):
        kind = "tag" if isTag else "column"
        raise StatementError(f"{kind} index {index} is out of range, there are {len(fields)}")
    return fields[index]


def _bound(field: TaosFieldAllCls, values: Any) -> TaosStmt2Bind:
    bind = TaosStmt2Bind()
    bind._set(field.type, checked_column(field.type, values, field.precision))
    return bind


def createTagsBind(statement2: TaosStmt2, tags_tables: Sequence[Any] | None) -> list[list[TaosStmt2Bind]] | None:  # noqa: N802
    """The tags of every table."""
    if tags_tables is None:
        return None
    found = []
    for tags in tags_tables:
        if len(tags) != len(statement2.tag_fields):
            message = f"tags count is inconsistent. require count={len(statement2.tag_fields)} real={len(tags)}"
            raise StatementError(message)
        found.append([_bound(getField(statement2, at, True), [tag]) for at, tag in enumerate(tags)])
    return found


def createColsBind(statement2: TaosStmt2, cols_tables: Sequence[Any]) -> list[list[TaosStmt2Bind]]:  # noqa: N802
    """The columns of every table."""
    found = []
    for columns in cols_tables:
        if len(columns) != len(statement2.fields):
            message = f"datas count is inconsistent. require count={len(statement2.fields)} real={len(columns)}"
            raise StatementError(message)
        found.append([_bound(getField(statement2, at, False), column) for at, column in enumerate(columns)])
    return found


def createSuperBindV(statement2: TaosStmt2, cols_tables: Sequence[Any] | None) -> list[_embudo.Column]:  # noqa: N802
    """Rows in the order of the statement's columns, its table names among them, as columns."""
    fields = statement2.all_fields
    if not isinstance(cols_tables, list | tuple):
        raise StatementError("params datas is not list or tuple.")
    for row in cols_tables:
        if len(row) != len(fields):
            message = f"datas count is inconsistent. require count={len(fields)} real={len(row)}"
            raise StatementError(message)
    return [_bound(field, list(column)).column() for field, column in zip(fields, zip(*cols_tables, strict=True), strict=True)]


def createQueryBindV(statement2: TaosStmt2, datas: Sequence[Any] | None) -> list[_embudo.Column]:  # noqa: N802
    """The parameters of a query; their types are those of the values unless they were set."""
    if not datas:
        return []
    found = []
    for at, value in enumerate(datas[0]):
        while isinstance(value, list | tuple):
            if len(value) != 1:
                raise StatementError(f"parameter {at} of a query is one value, not {len(value)}")
            value = value[0]
        if statement2.types is not None:
            code = statement2.types[at]
            value = checked_column(code, [value], 0)[0]
        elif type(value) is bool:
            code = FieldType.C_BOOL
        elif type(value) is int:
            code = FieldType.C_BIGINT_UNSIGNED if value > 2**63 - 1 else FieldType.C_BIGINT
        elif type(value) is float:
            code = FieldType.C_DOUBLE
        elif type(value) is str:
            code = FieldType.C_BINARY
        else:
            raise StatementError(f"a parameter of a query is bool, int, float or str, not {type(value).__name__}")
        try:
            found.append(_embudo.Column(code, [value]))
        except OverflowError as error:
            raise DataTypeAndRangeError(f"parameter {at} is out of range: {value!r}") from error
    return found


def createBindV(  # noqa: N802 (the official name)
    statement2: TaosStmt2, tbnames: Sequence[str | None] | None, tags: Sequence[Any] | None, datas: Sequence[Any] | None
) -> TaosStmt2BindV:
    """Tables with their tags and columns."""
    names, tag_tables, tables = checkConsistent(tbnames, tags, datas)
    if tables is None:
        raise StatementError("params datas is None.")
    if not statement2.fields and names:
        # Of `INSERT INTO ? VALUES` the first table's name tells the columns.
        statement = statement2._open().statement()
        statement.set_table(str(names[0]))
        _adopt(statement2, statement2.get_fields()[1])
    if not statement2.tag_fields:
        tag_tables = None
    bound = TaosStmt2BindV()
    bound.init(len(tables), names, createTagsBind(statement2, tag_tables), createColsBind(statement2, tables))
    return bound
