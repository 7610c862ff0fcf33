"""Results of ``taos``: read once, as rows, blocks or dictionaries."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from embudo import _embudo
from embudo import errors as typed
from embudo.compat.taos import asynchronous
from embudo.compat.taos.error import OperationalError, ResultError, translated
from embudo.compat.taos.field import TaosFields, fields_of, get_tz

if TYPE_CHECKING:
    import pandas
    import pyarrow

__all__ = ["TaosBlocks", "TaosResult", "TaosRow", "TaosRows"]

_TIMESTAMP = 9
_BYTES = (16, 18, 20)


def style(decode_binary: bool) -> _embudo.RowStyle:
    """How ``taos`` shows values: naive local datetimes, or aware ones once the process has set a zone."""
    tz = get_tz()
    instants, zone = ("naive", None) if tz is None else ("aware", zone_name(tz))
    return _embudo.RowStyle(instants=instants, zone=zone, lenient=True, raw_text=not decode_binary, json=False)


def zone_name(tz: datetime.tzinfo) -> str:
    """The IANA name of a zoneinfo or pytz zone; else its offset."""
    name = getattr(tz, "key", None) or getattr(tz, "zone", None)
    if isinstance(name, str):
        return name
    minutes = int((tz.utcoffset(None) or datetime.timedelta()).total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


class TaosResult:
    """The result of ``conn.query``; it iterates over rows as tuples.

    ``result`` may also be the number that a callback of ``query_a`` is given. ``close_after`` has no meaning here: a result is let go
    with its last holder.
    """

    def __init__(self, result: Any, close_after: bool = False, decode_binary: bool = True) -> None:
        if isinstance(result, int):
            # All objects over one result read on where the others are.
            self.__dict__ = asynchronous.known(result).__dict__
            return
        # What functions of `taos.cinterface` give holds one.
        result = getattr(result, "result", result)
        self._close_after = close_after
        self._owner: object = None
        self._number: int | None = None
        self._result: _embudo.Result | None = result
        self._affected: int = result.affected or 0
        self._described = [] if result.affected is not None else result.fields
        self._precision: int = result.precision
        self._style = style(decode_binary)
        self._row_count = 0
        self.decode_binary = decode_binary
        self._block: Iterator[tuple[Any, ...]] = iter(())

    @property
    def fields(self) -> TaosFields:
        """The columns."""
        self._open()
        return fields_of(self._described)

    @property
    def field_count(self) -> int:
        """How many columns there are."""
        return len(self._described)

    @property
    def row_count(self) -> int:
        """How many rows were fetched."""
        return self._row_count

    @property
    def precision(self) -> int:
        """0 milliseconds, 1 microseconds, 2 nanoseconds."""
        return self._precision

    @property
    def affected_rows(self) -> int:
        """Rows written or removed."""
        return self._affected

    def field_lengths(self) -> list[int]:
        """Lengths of the columns."""
        return [described[3] for described in self._described]

    def _open(self) -> _embudo.Result:
        if self._result is None:
            raise ResultError("no result object")
        return self._result

    def _fetch(self, count: int | None, whole_block: bool = False) -> list[tuple[Any, ...]]:
        if self._result is None:
            raise OperationalError("Invalid use of fetch iterator")
        if not self._described:
            return []
        try:
            rows = self._result.block(self._style) if whole_block else self._result.rows(count, self._style)
        except typed.Error as error:
            raise translated(error) from error
        self._row_count += len(rows)
        return rows

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self

    def __next__(self) -> tuple[Any, ...]:
        row = next(self._block, None)
        if row is None:
            self._block = iter(self._fetch(None, whole_block=True))
            row = next(self._block, None)
        if row is None:
            raise StopIteration
        return row

    def next(self) -> tuple[Any, ...]:
        """The next row."""
        return self.__next__()

    def _left(self) -> list[tuple[Any, ...]]:
        """What iteration has read ahead."""
        left = list(self._block)
        self._block = iter(())
        return left

    def fetch_block(self) -> tuple[list[tuple[Any, ...]], int]:
        """The rows of the next block and how many they are; StopIteration at the end."""
        rows = self._left() or self._fetch(None, whole_block=True)
        if not rows:
            raise StopIteration
        return rows, len(rows)

    def fetch_all(self) -> list[tuple[Any, ...]]:
        """The rows that are left."""
        return self._left() + self._fetch(None)

    def fetch_all_into_dict(self) -> list[dict[str, Any]]:
        """The rows that are left as dictionaries by column name."""
        names = [described[0] for described in self._described]
        return [dict(zip(names, row, strict=True)) for row in self.fetch_all()]

    def rows_iter(self, num_of_rows: int | None = None) -> TaosRows:
        """The rows one by one as :class:`TaosRow`."""
        return TaosRows(self, num_of_rows)

    def blocks_iter(self) -> TaosBlocks:
        """The rows block by block."""
        return TaosBlocks(self)

    def df(self) -> pandas.DataFrame:
        """The rows that are left as a pandas frame."""
        from embudo.frames import pandas_frame

        return pandas_frame(self._open().table())

    def arrow(self) -> pyarrow.Table:
        """The rows that are left as a pyarrow table."""
        import pyarrow

        return pyarrow.table(self._open().table())

    def fetch_rows_a(self, callback: Any, param: Any) -> None:
        """Fetches the next rows in another thread and calls ``callback(param, result, number of rows)``: 0 at the end, below 0 for a
        failure. :meth:`rows_iter` then gives these rows."""
        asynchronous.fetch(self, callback, param)

    def get_topic_name(self) -> str | None:
        """The topic of a message; None for the result of a statement."""
        return None

    def get_vgroup_id(self) -> int:
        """The vgroup of a message; -1 for the result of a statement."""
        return -1

    def get_table_name(self) -> str | None:
        """The table of a message's rows; None for the result of a statement."""
        return None

    def get_db_name(self) -> str | None:
        """The database of a message; None for the result of a statement."""
        return None

    def stop_query(self) -> None:
        """Lets the rows that are left go."""
        if self._result is not None:
            self._result.close()

    def errno(self) -> int:
        """0: a failure has raised."""
        return 0

    def errstr(self) -> str:
        """Empty: a failure has raised."""
        return "success"

    def check_error(self, errno: int | None = None, close: bool = True) -> None:
        """Raises for an error number other than 0."""
        if errno:
            if close:
                self.close()
            raise OperationalError(self.errstr(), errno)

    def close(self) -> None:
        """Lets the result go; more than once is allowed."""
        asynchronous.forget(self._number)
        if self._result is not None:
            self._result.close()
            self._result = None

    def __enter__(self) -> TaosResult:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class TaosRows:
    """The rows of a result one by one."""

    def __init__(self, result: TaosResult, num_of_rows: int | None = None) -> None:
        self._result = result
        self._left = num_of_rows

    @property
    def row_count(self) -> int:
        """How many rows were fetched."""
        return self._result.row_count

    def __iter__(self) -> TaosRows:
        return self

    def __next__(self) -> TaosRow:
        if self._left is not None and self._left <= 0:
            raise StopIteration
        row = next(self._result._block, None)
        if row is None:
            rows = self._result._fetch(1)
            if not rows:
                raise StopIteration
            row = rows[0]
        if self._left is not None:
            self._left -= 1
        return TaosRow(self._result, row)

    def next(self) -> TaosRow:
        """The next row."""
        return self.__next__()


class TaosRow:
    """One row."""

    def __init__(self, result: TaosResult, row: tuple[Any, ...]) -> None:
        self._result = result
        self._row = row

    def row(self) -> tuple[Any, ...]:
        """The values."""
        return self._row

    def as_tuple(self) -> tuple[Any, ...]:
        """The values."""
        return self._row

    def as_ptr(self) -> tuple[Any, ...]:
        """What functions of :mod:`taos.cinterface` take."""
        return self._row

    def as_dict(self) -> dict[str, Any]:
        """The values by column name."""
        return dict(zip((described[0] for described in self._result._described), self._row, strict=True))

    def __iter__(self) -> Iterator[Any]:
        return iter(self._row)

    def __getitem__(self, place: int) -> Any:
        return self._row[place]

    def __str__(self) -> str:
        return printed(self._row, [described[1] for described in self._result._described], self._result.precision)


class TaosBlocks:
    """The rows of a result block by block: pairs of a list of tuples and their number."""

    def __init__(self, result: TaosResult) -> None:
        self._result = result

    def __iter__(self) -> TaosBlocks:
        return self

    def __next__(self) -> tuple[list[tuple[Any, ...]], int]:
        return self._result.fetch_block()

    def next(self) -> tuple[list[tuple[Any, ...]], int]:
        """The next block."""
        return self.__next__()


def printed(row: Sequence[Any], codes: Sequence[int], precision: int) -> str:
    """A row as the C interface prints it."""
    return " ".join(_shown(code, value, precision) for code, value in zip(codes, row, strict=True))


def _shown(code: int, value: Any, precision: int) -> str:
    """A value as the C interface prints it."""
    if value is None:
        return "NULL"
    if code == _TIMESTAMP and isinstance(value, datetime.datetime):
        since = value.astimezone(datetime.UTC) - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
        micros = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
        return str(micros // 1_000 if precision == 0 else micros)
    if code in _BYTES and isinstance(value, bytes):
        return "\\x" + value.hex().upper()
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        return f"{value:.6f}" if code == 7 else f"{value:f}"
    return str(value)
