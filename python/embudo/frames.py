"""Tables as NumPy arrays and pandas frames, straight from their memory. pyarrow is used where pandas uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datetime

    import numpy
    import pandas

    from embudo import _embudo

__all__ = ["numpy_arrays", "pandas_frame"]

_TIMESTAMP = 9
#: VARCHAR and NCHAR.
_TEXTS = (8, 10)
_UNITS = ("ms", "us", "ns")


def numpy_arrays(table: _embudo.Table) -> dict[str, numpy.ndarray[Any, Any]]:
    """An array a column. Timestamps are datetime64 in UTC with NaT for NULL; integers and booleans with NULL are masked."""
    import numpy

    arrays: dict[str, numpy.ndarray[Any, Any]] = {}
    for field, block in zip(table.fields, table.blocks(), strict=True):
        values, nulls = _values(numpy, field, block)
        if nulls is not None and values.dtype.kind in "iub":
            values = numpy.ma.MaskedArray(values, mask=nulls)
        arrays[field[0]] = values
    return arrays


def pandas_frame(table: _embudo.Table) -> pandas.DataFrame:
    """A frame whose columns are the table's memory."""
    import numpy
    import pandas

    fields = table.fields
    texts = _texts(pandas, table)
    columns: list[Any] = []
    for place, (field, block) in enumerate(zip(fields, table.blocks(list(texts)), strict=True)):
        if block is None:
            columns.append(texts[place])
            continue
        values, nulls = _values(numpy, field, block)
        if field[1] == _TIMESTAMP:
            columns.append(pandas.DatetimeIndex(values, tz="UTC").tz_convert(_zone(table.zone)).array)
        elif nulls is not None and values.dtype.kind == "b":
            columns.append(pandas.arrays.BooleanArray(values, nulls))
        elif nulls is not None and values.dtype.kind in "iu":
            columns.append(pandas.arrays.IntegerArray(values, nulls))
        else:
            columns.append(values)
    frame = pandas.DataFrame(dict(enumerate(columns)), index=pandas.RangeIndex(len(table)), copy=False)
    frame.columns = pandas.Index([field[0] for field in fields])
    return frame


def _texts(pandas: Any, table: _embudo.Table) -> dict[int, Any]:
    """Columns of text by their places, taken over as they are, where pandas keeps text in Arrow's memory itself."""
    dtype = pandas.Series(["text"]).dtype
    if getattr(dtype, "storage", None) != "pyarrow":
        return {}
    import pyarrow

    arrow = pyarrow.table(table)
    # Those with bytes that are no text are no strings.
    places = [place for place, field in enumerate(table.fields) if field[1] in _TEXTS and pyarrow.types.is_string(arrow.schema[place].type)]
    return {place: pandas.array(arrow.column(place), dtype=dtype) for place in places}


def _values(
    numpy: Any, field: tuple[str, int, str, int, int, int], block: _embudo.Block
) -> tuple[numpy.ndarray[Any, Any], numpy.ndarray[Any, Any] | None]:
    """Values and a mask of NULLs, where there are any."""
    code, memory, nulls = block["code"], block["values"], block["nulls"]
    if code is None:
        values = numpy.empty(len(memory), dtype=object)
        values[:] = memory
        return values, None
    dtype = f"M8[{_UNITS[field[4]]}]" if field[1] == _TIMESTAMP else code
    mask = None if nulls is None else numpy.frombuffer(nulls, dtype="?")
    return numpy.frombuffer(memory, dtype=dtype), mask


def _zone(name: str) -> str | datetime.timezone:
    if name[0] not in "+-":
        return name
    import datetime

    hours, minutes = int(name[1:3]), int(name[4:6])
    offset = datetime.timedelta(hours=hours, minutes=minutes)
    return datetime.timezone(-offset if name[0] == "-" else offset)
