"""Notebooks: ``%load_ext embudo`` brings ``%taos`` and ``%%taos``.

.. code-block:: text

    %load_ext embudo
    %taos ./data                        connect; any DSN or @NAME
    %taos SELECT COUNT(*) FROM meters   one statement
    %%taos --var frame                  a cell with one statement; its rows are kept in `frame`
    SELECT * FROM power.meters WHERE groupid = :group

``:name`` takes the notebook's variable of that name as a value. Tables show 50 rows; the variable has them all.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from embudo.connection import connect
from embudo.errors import InterfaceError

if TYPE_CHECKING:
    import numpy
    import pandas
    import polars
    import pyarrow

    from embudo import _embudo
    from embudo.connection import Connection

__all__ = ["ResultView", "load_ipython_extension"]

#: Rows that a table shows.
SHOWN = 50


class ResultView:
    """The rows of one statement, as a notebook shows and keeps them."""

    def __init__(self, table: _embudo.Table) -> None:
        self._table = table

    @property
    def columns(self) -> list[str]:
        """The columns' names."""
        return [field[0] for field in self._table.fields]

    def rows(self) -> list[tuple[Any, ...]]:
        """All rows as tuples."""
        return self._table.rows()

    def df(self) -> pandas.DataFrame:
        """All rows as a pandas frame."""
        from embudo.frames import pandas_frame

        return pandas_frame(self._table)

    def pl(self) -> polars.DataFrame:
        """All rows as a polars frame."""
        import polars

        return polars.DataFrame(self._table)

    def arrow(self) -> pyarrow.Table:
        """All rows as a pyarrow table."""
        import pyarrow

        return pyarrow.table(self._table)

    def numpy(self) -> dict[str, numpy.ndarray[Any, Any]]:
        """All rows as arrays by column name."""
        from embudo.frames import numpy_arrays

        return numpy_arrays(self._table)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Arrow's C stream of all rows."""
        return self._table.__arrow_c_stream__(requested_schema)

    def __len__(self) -> int:
        return len(self._table)

    def _shown(self) -> tuple[list[tuple[Any, ...]], str]:
        total = len(self._table)
        rows = self._table.head(SHOWN).rows()
        left = f"{total:,} rows" if total <= SHOWN else f"{total:,} rows, the first {SHOWN} shown"
        return rows, left

    def _repr_html_(self) -> str:
        rows, left = self._shown()
        head = "".join(f"<th>{html.escape(name)}</th>" for name in self.columns)
        body = "".join("<tr>" + "".join(f"<td>{_cell_html(cell)}</td>" for cell in row) + "</tr>" for row in rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><p>{left}</p>"

    def __repr__(self) -> str:
        rows, left = self._shown()
        return f"{text_table(self.columns, rows)}\n({left})"


def text_table(columns: list[str], rows: list[tuple[Any, ...]]) -> str:
    """Rows as aligned text."""
    cells = [["NULL" if cell is None else str(cell) for cell in row] for row in rows]
    widths = [max([len(name), *(len(row[place]) for row in cells)]) for place, name in enumerate(columns)]
    lines = [
        " | ".join(name.ljust(width) for name, width in zip(columns, widths, strict=True)).rstrip(),
        "-+-".join("-" * width for width in widths),
    ]
    lines += [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join(lines)


def _cell_html(cell: object) -> str:
    return "<i>NULL</i>" if cell is None else html.escape(str(cell))


class _Taos:
    """What the magics do; the connection lasts as long as the notebook."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._connection: Connection[Any] | None = None

    def line(self, line: str) -> ResultView | str | None:
        """``%taos``: a statement, or a DSN to connect to."""
        text = line.strip()
        if not text:
            return repr(self._conn())
        if " " not in text and not text.endswith(";"):
            self._connection = connect(text)
            return repr(self._connection)
        return self._run(text)

    def cell(self, line: str, cell: str) -> ResultView | str | None:
        """``%%taos``: options and perhaps a DSN, then a statement."""
        words = line.split()
        variable = None
        if "--var" in words:
            place = words.index("--var")
            if place + 1 >= len(words) or not words[place + 1].isidentifier():
                raise InterfaceError("--var needs the name of a variable")
            variable = words[place + 1]
            del words[place : place + 2]
        if len(words) > 1:
            raise InterfaceError(f"%%taos takes a DSN and --var NAME, not {line!r}")
        if words:
            self._connection = connect(words[0])
        view = self._run(cell)
        if variable is not None:
            self._shell.user_ns[variable] = view
        return view

    def _conn(self) -> Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = connect(":memory:notebook")
        return self._connection

    def _run(self, sql: str) -> ResultView | str:
        from embudo._embudo import parameter_names

        statement = sql.strip().rstrip(";")
        names = parameter_names(statement)
        try:
            values = {name: self._shell.user_ns[name] for name in names}
        except KeyError as error:
            raise InterfaceError(f"the statement has the parameter :{error.args[0]}, but there is no such variable") from None
        cursor = self._conn().execute(statement, values or None)
        if cursor.description is None:
            return f"{cursor.rowcount} rows affected"
        return ResultView(cursor.table())


def load_ipython_extension(shell: Any) -> None:
    """Called by ``%load_ext embudo``."""
    taos = _Taos(shell)
    shell.register_magic_function(taos.line, magic_kind="line", magic_name="taos")
    shell.register_magic_function(taos.cell, magic_kind="cell", magic_name="taos")
