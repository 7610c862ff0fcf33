"""Statements as TDengine takes them."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

from sqlalchemy import exc, types
from sqlalchemy.sql import compiler

from embudo.sqlalchemy.words import RESERVED_WORDS_TDENGINE

__all__ = ["TaosCompiler", "TaosDDLCompiler", "TaosIdentifierPreparer"]


class TaosIdentifierPreparer(compiler.IdentifierPreparer):
    """Names in backticks where they need them."""

    reserved_words = set(RESERVED_WORDS_TDENGINE)  # noqa: RUF012 (SQLAlchemy's name)

    def __init__(self, dialect: Any) -> None:
        super().__init__(dialect, initial_quote="`", escape_quote="`")

    def quote_schema(self, schema: str, force: Any = None) -> str:
        """A database's name; the word of the pseudo-column, which stays bare elsewhere, too."""
        return self.quote_identifier(schema) if schema.lower() == "tbname" else self.quote(schema)


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

    def visit_concat_op_expression_clauselist(self, clauselist: Any, operator: Any, **kw: Any) -> str:
        """Several joined texts."""
        return f"CONCAT({', '.join(self.process(clause, **kw) for clause in clauselist.clauses)})"

    def visit_like_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """LIKE, which escapes by backslash only."""
        return self._like("LIKE", binary, **kw)

    def visit_not_like_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """NOT LIKE."""
        return self._like("NOT LIKE", binary, **kw)

    def _like(self, word: str, binary: Any, **kw: Any) -> str:
        left, right = self.process(binary.left, **kw), self.process(binary.right, **kw)
        escape = binary.modifiers.get("escape")
        if escape is not None and escape != "\\":
            # What is escaped twice is set aside meanwhile.
            aside, backslash = "\x01", "\\"
            for old, new in ((backslash, backslash * 2), (escape * 2, aside), (escape, backslash), (aside, escape)):
                right = f"REPLACE({right}, {_literal(old)}, {_literal(new)})"
        return f"{left} {word} {right}"

    def visit_column(self, column: Any, *arguments: Any, **kw: Any) -> str:
        """A column by its table's name, which TDengine takes no database before."""
        name = super().visit_column(column, *arguments, **kw)
        schema = (
            None if column.table is None else self.preparer.schema_for_object(column.table) if hasattr(column.table, "schema") else None
        )
        prefix = f"{self.preparer.quote_schema(schema)}." if schema else ""
        return name.removeprefix(prefix) if name.count(".") > 1 else name

    def visit_is_true_unary_operator(self, element: Any, operator: Any, **kw: Any) -> str:
        """A column of booleans as a condition."""
        return f"{self.process(element.element, **kw)} = TRUE"

    def visit_is_false_unary_operator(self, element: Any, operator: Any, **kw: Any) -> str:
        """The contrary."""
        return f"{self.process(element.element, **kw)} = FALSE"

    def visit_true(self, expr: Any, **kw: Any) -> str:
        return "TRUE"

    def visit_false(self, expr: Any, **kw: Any) -> str:
        return "FALSE"

    def visit_is_distinct_from_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """Unequal, with NULL as a value like others."""
        left, right = self.process(binary.left, **kw), self.process(binary.right, **kw)
        return f"(({left} <> {right}) OR ({left} IS NULL AND {right} IS NOT NULL) OR ({left} IS NOT NULL AND {right} IS NULL))"

    def visit_is_not_distinct_from_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """Equal, with NULL as a value like others."""
        left, right = self.process(binary.left, **kw), self.process(binary.right, **kw)
        return f"(({left} = {right}) OR ({left} IS NULL AND {right} IS NULL))"

    def visit_regexp_match_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        return f"{self.process(binary.left, **kw)} MATCH {self.process(binary.right, **kw)}"

    def visit_not_regexp_match_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        return f"{self.process(binary.left, **kw)} NMATCH {self.process(binary.right, **kw)}"

    def visit_empty_set_expr(self, element_types: Any, **kw: Any) -> str:
        """What IN of nothing compares with: no value."""
        return "NULL"

    def visit_cast(self, cast: Any, **kw: Any) -> str:
        return f"CAST({cast.clause._compiler_dispatch(self, **kw)} AS {cast.typeclause._compiler_dispatch(self, **kw)})"

    def visit_now_func(self, fn: Any, **kw: Any) -> str:
        return "NOW()"

    visit_current_timestamp_func = visit_now_func

    def render_literal_value(self, value: Any, type_: Any) -> str:
        """Texts with what TDengine escapes."""
        if isinstance(value, str):
            return _literal(value)
        return super().render_literal_value(value, type_)

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
        # Rows are kept by the first column, whatever the order they were written down in.
        time = next((column for column in columns if isinstance(column.type, types.DateTime | types.Date)), None)
        if time is None:
            raise exc.CompileError(f"{table.name} needs a DateTime column: TDengine keeps rows by time, in the first column")
        if options["supertable"] and not tags:
            raise exc.CompileError(f"the supertable {table.name} needs a column with taos_tag=True")
        columns = [time, *(column for column in columns if column is not time)]
        definition = ", ".join(self.get_column_specification(column) for column in columns)
        if not tags:
            return f"CREATE TABLE {maybe}{name} ({definition})"
        kinds = ", ".join(self.get_column_specification(column) for column in tags)
        return f"CREATE STABLE {maybe}{name} ({definition}) TAGS ({kinds})"

    def get_column_specification(self, column: Any, **kw: Any) -> str:
        """Name and type: TDengine has no constraints, and its first column is the key."""
        types_of = getattr(self.dialect, "type_compiler_instance", None) or self.dialect.type_compiler
        kind = types_of.process(column.type, type_expression=column)
        return f"{self.preparer.format_column(column)} {kind}"

    def visit_create_index(self, create: Any, include_schema: Any = False, include_table_schema: Any = True, **kw: Any) -> str:
        """An index on one tag; TDengine has no others."""
        index = create.element
        columns = list(index.columns)
        if index.unique or len(columns) != 1 or not columns[0].dialect_options["taos"]["tag"]:
            raise exc.CompileError(f"the index {index.name}: TDengine indexes one tag, and nothing else")
        maybe = "IF NOT EXISTS " if create.if_not_exists else ""
        return (
            f"CREATE INDEX {maybe}{self._prepared_index_name(index)} ON {self.preparer.format_table(index.table)} "
            f"({self.preparer.format_column(columns[0])})"
        )

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
    if isinstance(value, int | float | decimal.Decimal):
        return repr(value) if not isinstance(value, decimal.Decimal) else str(value)
    if isinstance(value, datetime.datetime | datetime.date):
        return f"'{value.isoformat()}'"
    if isinstance(value, dict):
        import json

        value = json.dumps(value)
    text = str(value).replace("\\", "\\\\").replace("'", "''")
    return f"'{text}'"
