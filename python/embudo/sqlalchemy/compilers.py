"""Statements as TDengine takes them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import exc, types
from sqlalchemy.sql import compiler

from embudo.sqlalchemy.words import RESERVED_WORDS_TDENGINE

__all__ = ["TaosCompiler", "TaosDDLCompiler", "TaosIdentifierPreparer"]


class TaosIdentifierPreparer(compiler.IdentifierPreparer):
    """Names in backticks where they need them."""

    reserved_words = set(RESERVED_WORDS_TDENGINE)  # noqa: RUF012 (SQLAlchemy's name)

    def __init__(self, dialect: Any) -> None:
        super().__init__(dialect, initial_quote="`")


class TaosCompiler(compiler.SQLCompiler):
    """Queries and inserts."""

    def limit_clause(self, select: Any, **kw: Any) -> str:
        """LIMIT and OFFSET as numbers."""
        # Rendered when the statement runs: a number of rows is no value of the database.
        limit, offset = (
            None if clause is None else self.process(clause.render_literal_execute(), **kw)
            for clause in (select._limit_clause, select._offset_clause)
        )
        if limit is None and offset is None:
            return ""
        text = f"\n LIMIT {limit or 9223372036854775807}"
        return text if offset is None else f"{text} OFFSET {offset}"

    def for_update_clause(self, select: Any, **kw: Any) -> str:
        """TDengine locks nothing."""
        return ""

    def visit_concat_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """``||`` is OR to nobody here: texts are joined by CONCAT."""
        return f"CONCAT({self.process(binary.left, **kw)}, {self.process(binary.right, **kw)})"

    def visit_true(self, expr: Any, **kw: Any) -> str:
        return "TRUE"

    def visit_false(self, expr: Any, **kw: Any) -> str:
        return "FALSE"

    def visit_mod_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        return f"{self.process(binary.left, **kw)} % {self.process(binary.right, **kw)}"


class TaosDDLCompiler(compiler.DDLCompiler):
    """Tables, supertables and children."""

    def visit_create_table(self, create: Any, **kw: Any) -> str:
        """CREATE TABLE, CREATE STABLE with TAGS, or a child by USING."""
        table = create.element
        name = self.preparer.format_table(table)
        options = table.dialect_options["taos"]
        maybe = "IF NOT EXISTS " if create.if_not_exists else ""
        if options["using"]:
            return f"CREATE TABLE {maybe}{name} USING {self._name(options['using'], table)} {self._tag_values(options['tags'] or {})}"
        columns = [column for column in table.columns if not column.dialect_options["taos"]["tag"]]
        tags = [column for column in table.columns if column.dialect_options["taos"]["tag"]]
        if not columns or not isinstance(columns[0].type, types.DateTime | types.Date):
            raise exc.CompileError(f"the first column of {table.name} must be a DateTime: TDengine keeps rows by it")
        if options["supertable"] and not tags:
            raise exc.CompileError(f"the supertable {table.name} needs a column with taos_tag=True")
        definition = ", ".join(self.get_column_specification(column) for column in columns)
        if not tags:
            return f"CREATE TABLE {maybe}{name} ({definition})"
        kinds = ", ".join(self.get_column_specification(column) for column in tags)
        return f"CREATE STABLE {maybe}{name} ({definition}) TAGS ({kinds})"

    def get_column_specification(self, column: Any, **kw: Any) -> str:
        """Name and type: TDengine has no constraints, and its first column is the key."""
        kind = self.dialect.type_compiler_instance.process(column.type, type_expression=column)
        return f"{self.preparer.format_column(column)} {kind}"

    def visit_drop_table(self, drop: Any, **kw: Any) -> str:
        table = drop.element
        tagged = any(column.dialect_options["taos"]["tag"] for column in table.columns)
        kind = "STABLE" if tagged and not table.dialect_options["taos"]["using"] else "TABLE"
        return f"DROP {kind} {'IF EXISTS ' if drop.if_exists else ''}{self.preparer.format_table(table)}"

    def visit_create_schema(self, create: Any, **kw: Any) -> str:
        maybe = "IF NOT EXISTS " if create.if_not_exists else ""
        return f"CREATE DATABASE {maybe}{self.preparer.quote_schema(create.element)}"

    def visit_drop_schema(self, drop: Any, **kw: Any) -> str:
        return f"DROP DATABASE {'IF EXISTS ' if drop.if_exists else ''}{self.preparer.quote_schema(drop.element)}"

    def _name(self, using: str, table: Any) -> str:
        schema = f"{self.preparer.quote_schema(table.schema)}." if table.schema and "." not in using else ""
        return schema + ".".join(self.preparer.quote(part) for part in using.split("."))

    def _tag_values(self, tags: dict[str, Any]) -> str:
        names = ", ".join(self.preparer.quote(name) for name in tags)
        return f"({names}) TAGS ({', '.join(_literal(value) for value in tags.values())})"


def _literal(value: Any) -> str:
    """A tag's value, for DDL, which takes no parameters."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, dict):
        import json

        value = json.dumps(value)
    text = str(value).replace("\\", "\\\\").replace("'", "''")
    return f"'{text}'"
