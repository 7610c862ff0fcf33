"""``embudo.plot(result)``: a quick look at a result over time. Needs matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embudo.errors import InterfaceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

__all__ = ["plot"]

_TIMESTAMP = 9
_NUMBERS = (1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 14, 17, 21)
#: More lines than these say nothing.
_MOST_LINES = 50


def plot(result: Any, *, x: str | None = None, y: str | Sequence[str] | None = None, by: str | None = None, ax: Axes | None = None) -> Axes:
    """Draws columns of numbers over time.

    Args:
        result: a cursor with rows, a table of :meth:`embudo.Cursor.table`, or what ``%%taos`` gave.
        x: the column of the horizontal axis; the first TIMESTAMP without one.
        y: the column or columns to draw; all of numbers without them.
        by: a column with a line for each of its values; the first column of text without one.
        ax: where to draw; a new figure without one.

    Raises:
        InterfaceError: there is nothing to draw, or no such column.
    """
    from embudo.frames import numpy_arrays

    table = result
    if hasattr(result, "table"):
        table = result.table()
    elif hasattr(result, "_table"):
        table = result._table
    fields = {field[0]: field[1] for field in table.fields}
    wanted = [y] if isinstance(y, str) else list(y) if y is not None else None
    for name in [name for name in (x, by, *(wanted or ())) if name is not None]:
        if name not in fields:
            raise InterfaceError(f"there is no column {name}; there are {', '.join(fields)}")
    across = x or next((name for name, code in fields.items() if code == _TIMESTAMP), None)
    group = by or next((name for name, code in fields.items() if code in (8, 10) and name != across), None)
    columns = wanted or [name for name, code in fields.items() if code in _NUMBERS and name not in (across, group)]
    if not columns:
        raise InterfaceError("there is no column of numbers to draw")
    arrays = numpy_arrays(table)
    if ax is None:
        from matplotlib import pyplot

        ax = pyplot.subplots()[1]
    for name in columns:
        for label, values, at in _lines(arrays, name, across, group):
            ax.plot(*([values] if at is None else [at, values]), label=label)
    if across is not None:
        ax.set_xlabel(across)
    ax.legend()
    return ax


def _lines(arrays: dict[str, Any], name: str, across: str | None, group: str | None) -> list[tuple[str, Any, Any]]:
    values, at = arrays[name], None if across is None else arrays[across]
    if group is None:
        return [(name, values, at)]
    keys = list(dict.fromkeys(arrays[group].tolist()))
    if len(keys) > _MOST_LINES:
        raise InterfaceError(f"{group} has {len(keys)} values, more lines than can be told apart; choose by=, or fewer rows")
    lines = []
    for key in keys:
        chosen = arrays[group] == key
        lines.append((f"{name} {key}", values[chosen], None if at is None else at[chosen]))
    return lines
