"""Columns of any kind as the extension takes them: see :meth:`embudo.Connection.ingest`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from embudo.errors import InterfaceError

if TYPE_CHECKING:
    from embudo import _embudo

__all__ = ["IngestResult", "Progress", "arguments", "ingest", "reporter"]

#: Called with the rows written and the rows in all.
Progress: TypeAlias = Callable[[int, int], object]

# Name, kind ("list", "value" or a NumPy type code), values, mask of NULLs.
_Column: TypeAlias = tuple[str, str, object, object]


class IngestResult(NamedTuple):
    """What :meth:`embudo.Connection.ingest` wrote."""

    #: Rows written.
    rows: int
    #: Tables that got some.
    tables: int
    #: Time taken.
    seconds: float


def ingest(
    session: _embudo.Session,
    target: str,
    data: object,
    *,
    time: str,
    tags: Sequence[str],
    table: str | None,
    create: bool,
    truncate: bool,
    progress: Progress | bool | None,
) -> IngestResult:
    """Writes ``data`` into ``target``."""
    started = perf_counter()
    given = arguments(data, tags)
    rows, tables = session.ingest(
        target,
        given,
        time=time,
        tags=list(tags),
        table=table,
        create=create,
        truncate=truncate,
        progress=reporter(progress, target),
    )
    return IngestResult(rows, tables, perf_counter() - started)


def arguments(data: object, tags: Sequence[str]) -> object:
    """The data as the extension takes them."""
    if isinstance(tags, str):
        raise InterfaceError(f"tags= is a sequence of names, not the text {tags!r}")
    return _given(data)


def reporter(progress: Progress | bool | None, target: str) -> Progress | None:
    """What is told of the progress: a function, or a bar of our own."""
    if progress is None or isinstance(progress, bool):
        if not progress:
            return None
        from embudo.progress import Bar

        return Bar(target)
    return progress


def _given(data: Any) -> object:
    """A list of columns, or an Arrow stream."""
    if isinstance(data, Mapping):
        return [_column(str(name), values) for name, values in data.items()]
    if type(data).__module__.partition(".")[0] == "pandas":
        return [_series(str(name), data[name]) for name in data.columns]
    if hasattr(data, "__arrow_c_stream__"):
        return data.__arrow_c_stream__()
    if isinstance(data, Iterable) and not isinstance(data, str | bytes):
        return _records(data)
    raise InterfaceError(
        "data are a dictionary of columns, a frame, anything with __arrow_c_stream__, or an iterable of dictionaries, "
        f"not {type(data).__name__}"
    )


def _records(records: Iterable[object]) -> list[_Column]:
    columns: dict[str, list[object]] = {}
    for row, record in enumerate(records):
        if not isinstance(record, Mapping):
            raise InterfaceError(f"row {row} is {type(record).__name__}, not a dictionary")
        for name, value in record.items():
            columns.setdefault(name, [None] * row).append(value)
        for values in columns.values():
            if len(values) <= row:
                values.append(None)
    return [(name, "list", values, None) for name, values in columns.items()]


def _column(name: str, values: Any) -> _Column:
    package = type(values).__module__.partition(".")[0]
    if package == "numpy" and hasattr(values, "dtype") and getattr(values, "ndim", 0) == 1:
        return _array(name, values)
    if package == "pandas" and hasattr(values, "dtype"):
        return _series(name, values)
    if isinstance(values, str | bytes | bytearray) or not isinstance(values, Iterable) or isinstance(values, Mapping):
        return name, "value", values, None
    if hasattr(values, "to_numpy"):  # a polars series, a pyarrow array
        return _array(name, values.to_numpy())
    numpy = sys.modules.get("numpy")
    if (numpy is not None and isinstance(values, memoryview)) or type(values).__name__ == "array":
        return _array(name, numpy.asarray(values))  # type: ignore[union-attr]
    return name, "list", values if isinstance(values, list | tuple) else list(values), None


def _array(name: str, values: Any) -> _Column:
    import numpy

    if isinstance(values, numpy.ma.MaskedArray):
        mask = numpy.ma.getmaskarray(values)
        kind, filled = _memory(values.filled(0) if values.dtype.kind in "biuf" else values.data)
        if kind in ("list",) or kind.startswith("M8"):
            return name, "list", [None if m else v for v, m in zip(values.data.tolist(), mask, strict=True)], None
        return name, kind, filled, numpy.ascontiguousarray(mask).view("u1")
    kind, memory = _memory(values)
    return name, kind, memory, None


def _memory(values: Any) -> tuple[str, object]:
    """Kind and contiguous memory of an array; a list of its values where memory cannot carry them."""
    import numpy

    kind = values.dtype.kind
    if kind in "iuf" and values.dtype.itemsize in (1, 2, 4, 8) and values.dtype.str != "<f2":
        plain = numpy.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))
        return f"{kind}{values.dtype.itemsize}", plain
    if kind == "b":
        return "?", numpy.ascontiguousarray(values).view("u1")
    if kind == "M":
        unit = numpy.datetime_data(values.dtype)[0]
        if unit not in ("s", "ms", "us", "ns"):
            unit = "s"
        exact = numpy.ascontiguousarray(values.astype(f"M8[{unit}]"))
        return f"M8[{unit}]", exact.view("i8")
    return "list", values.tolist()


def _series(name: str, series: Any) -> _Column:
    """A column of pandas, whatever its type; NA, NaN and NaT are NULL."""
    dtype = series.dtype
    if hasattr(series, "dt") and getattr(dtype, "tz", None) is not None:
        return _array(name, series.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy())
    numpy_dtype = getattr(dtype, "numpy_dtype", None)
    if numpy_dtype is not None and numpy_dtype.kind in "biuf":
        nulls = series.isna().to_numpy()
        kind, memory = _memory(series.fillna(numpy_dtype.type(0)).to_numpy(dtype=numpy_dtype))
        return name, kind, memory, nulls.view("u1") if nulls.any() else None
    if getattr(dtype, "kind", "O") in "biufM" and numpy_dtype is None:
        return _array(name, series.to_numpy())
    nulls = series.isna()
    values = series.to_numpy(dtype=object)
    return name, "list", [None if null else value for value, null in zip(values, nulls, strict=True)], None
