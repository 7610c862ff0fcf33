"""Prepared INSERTs that are bound column by column, table by table: the way that columns of many tables go in fastest."""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

from embudo import _embudo, errors

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Field", "Statement"]

_TIMESTAMP = 9
_ROLES: dict[int, Literal["column", "tag", "table"]] = {1: "column", 2: "tag", 4: "table"}
_TICKS = (1_000, 1_000_000, 1_000_000_000)
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


class Field(NamedTuple):
    """What one ``?`` of the statement stands for."""

    name: str
    #: TDengine's name of the type.
    type: str
    role: Literal["column", "tag", "table"]


class Statement:
    """What :meth:`embudo.Connection.statement` gives. It belongs to one thread at a time.

    >>> with conn.statement("INSERT INTO ? USING meters TAGS (?) VALUES (?, ?)") as statement:
    ...     statement.bind([times, currents], table="d1", tags=["Taos"])
    ...     statement.bind({"ts": times, "current": others}, table="d2", tags=["Embudo"])
    ...     statement.execute()  # the rows of both tables, written together
    """

    def __init__(self, session: _embudo.Session, sql: str) -> None:
        self._session = session
        try:
            self._statement = session.prepare(sql)
        except errors.Error as error:
            errors.point(error, sql)
            raise
        if not self._statement.is_insert:
            self._statement.close()
            raise errors.ProgrammingError("only an INSERT is bound by columns; a query takes its parameters in execute()")
        self._sql = sql
        self._closed = False
        self._table: str | None = None
        self._known: list[tuple[str, int, str, int, int, int, int]] | None = None

    @property
    def fields(self) -> list[Field]:
        """What every ``?`` stands for. Of ``INSERT INTO ? VALUES`` that is known once a table is bound."""
        return [Field(name, kind, _ROLES[role]) for name, _, kind, _, _, _, role in self._fields()]

    def _fields(self) -> list[tuple[str, int, str, int, int, int, int]]:
        if self._closed:
            raise errors.InterfaceError("the statement is closed")
        if self._known is None:
            self._known = self._statement.fields()
        return self._known

    def bind(
        self,
        columns: Sequence[Any] | Mapping[str, Any],
        *,
        table: str | None = None,
        tags: Sequence[object] | Mapping[str, object] | None = None,
    ) -> None:
        """Adds rows of one table.

        Args:
            columns: for each ``?`` of VALUES the values of all rows, in the statement's order or by the columns' names: sequences with None
                for NULL, NumPy arrays, Arrow arrays. A time is an instant or ticks of the database's precision.
            table: the table of ``INSERT INTO ?``.
            tags: the values of ``TAGS (?, ...)``, in order or by name.

        Raises:
            DataError: a value is not of its column's type.
        """
        if self._closed:
            raise errors.InterfaceError("the statement is closed")
        if table is not None and table != self._table:
            self._statement.set_table(table)
            self._table, self._known = table, None
        fields = self._fields()
        bound = self._columns([field for field in fields if field[6] == 1], columns, "column")
        given = None
        if tags is not None:
            marks = [field for field in fields if field[6] == 2]
            values = {name: [value] for name, value in tags.items()} if isinstance(tags, Mapping) else [[value] for value in tags]
            given = self._columns(marks, values, "tag")
        self._statement.bind([(table, given, bound)])

    def _columns(self, fields: list[Any], given: Sequence[Any] | Mapping[str, Any], role: str) -> list[_embudo.Column]:
        if isinstance(given, Mapping):
            unknown = given.keys() - {field[0] for field in fields}
            missing = [field[0] for field in fields if field[0] not in given]
            if unknown or missing:
                what = f"no {role} {sorted(unknown)[0]!r}" if unknown else f"a {role} {missing[0]!r}, which was not given"
                raise errors.ProgrammingError(f"the statement has {what}; it has {', '.join(field[0] for field in fields)}")
            given = [given[field[0]] for field in fields]
        if len(given) != len(fields):
            raise errors.ProgrammingError(f"the statement has {len(fields)} {role}s, {len(given)} were given")
        return [self._column(field, values) for field, values in zip(fields, given, strict=True)]

    def _column(self, field: Any, values: Any) -> _embudo.Column:
        name, code, kind, _, precision, *_ = field
        if code == _TIMESTAMP and isinstance(values, list | tuple):
            values = [self._ticks(value, precision) if isinstance(value, datetime.datetime) else value for value in values]
        try:
            return _embudo.Column(code, values)
        except (TypeError, ValueError, OverflowError) as error:
            raise errors.DataError(f"column {name}, {kind}: {error}") from error

    def _ticks(self, moment: datetime.datetime, precision: int) -> int:
        """An instant as ticks; a naive one is of the session's zone."""
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zoneinfo.ZoneInfo(self._session.zone))
        since = moment - _EPOCH
        micros = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
        return micros * _TICKS[precision] // 1_000_000

    def execute(self) -> int:
        """Writes the rows that were bound since the last call, all together; how many they are."""
        if self._closed:
            raise errors.InterfaceError("the statement is closed")
        return self._statement.execute()

    def close(self) -> None:
        """Lets the statement go, and what was bound and not written; more than once is allowed."""
        if not self._closed:
            self._closed = True
            self._statement.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<embudo.Statement {'closed' if self._closed else self._sql}>"
