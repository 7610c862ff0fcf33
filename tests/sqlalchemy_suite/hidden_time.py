"""Lets SQLAlchemy's tests have their tables: those have no time column, which every table of TDengine needs. Here each gets a hidden one,
and every row that is inserted the next millisecond; reflection leaves the column out. Nothing of this is in the package."""

from __future__ import annotations

import itertools
import re
from typing import Any

from sqlalchemy import Engine, event, types
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.schema import Column, Table

from embudo.sqlalchemy.compilers import TaosDDLCompiler
from embudo.sqlalchemy.dialects import BaseDialect
from embudo.sqlalchemy.reflection import Reflection

HIDDEN = "row_time"

_ticks = itertools.count(1_700_000_000_000)
_INSERT = re.compile(r"^(INSERT INTO \S+) \((.*?)\) (VALUES|SELECT) (.*)$", re.DOTALL)


def install() -> None:
    """Puts the hidden column in."""
    create, columns = TaosDDLCompiler.visit_create_table, Reflection.get_columns

    def visit_create_table(self: TaosDDLCompiler, create_table: Any, **kw: Any) -> str:
        table = create_table.element
        if table.dialect_options["taos"]["using"] or any(column.dialect_options["taos"]["tag"] for column in table.columns):
            return create(self, create_table, **kw)
        copy = Table(table.name, type(table.metadata)(), Column(HIDDEN, types.DateTime), schema=table.schema)
        first = create(self, type(create_table)(copy, if_not_exists=create_table.if_not_exists), **kw)
        rest = "".join(f", {self.get_column_specification(column)}" for column in table.columns)
        return first.removesuffix(")") + rest + ")"

    def get_columns(self: Any, *arguments: Any, **kw: Any) -> list[ReflectedColumn]:
        return [column for column in columns(self, *arguments, **kw) if column["name"] != HIDDEN]

    def visit_create_index(self: TaosDDLCompiler, create_index: Any, **kw: Any) -> str:
        # The tables of some tests have indexes on columns, which are of no matter there.
        return "SELECT 1"

    TaosDDLCompiler.visit_create_index = TaosDDLCompiler.visit_drop_index = visit_create_index  # type: ignore[assignment,method-assign]
    TaosDDLCompiler.visit_create_table = visit_create_table  # type: ignore[method-assign]
    BaseDialect.get_columns = get_columns  # type: ignore[assignment,method-assign]
    event.listen(Engine, "before_cursor_execute", _fill, retval=True)


def _fill(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> tuple[str, Any]:
    found = _INSERT.match(statement)
    if found is None:
        return statement, parameters
    head, names, word, rest = found.groups()
    if word == "SELECT":
        return f"{head} ({HIDDEN}, {names}) SELECT {HIDDEN}, {rest}", parameters
    if executemany:
        return f"{head} ({HIDDEN}, {names}) VALUES (?, {rest[1:]}", [(next(_ticks), *row) for row in parameters]
    return f"{head} ({HIDDEN}, {names}) VALUES {_groups(rest)}", parameters


def _groups(values: str) -> str:
    """The groups of values, each with the next time before them."""
    out, depth, quoted = [], 0, False
    for letter in values:
        if letter == "'":
            quoted = not quoted
        if not quoted and letter == ")":
            depth -= 1
        out.append(letter)
        if not quoted and letter == "(":
            if depth == 0:
                out.append(f"{next(_ticks)}, ")
            depth += 1
    return "".join(out)
