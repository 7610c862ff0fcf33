"""What is in a database, asked by SQL alone."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import exc

from embudo.quoting import quoted
from embudo.sqlalchemy.types import resolve_type

__all__ = ["Reflection"]

_SYSTEM = ("information_schema", "performance_schema")
# Codes of a table, supertable or database that is not there, or cannot be by its name.
_MISSING = (0x0218, 0x0362, 0x0380, 0x0388, 0x0618, 0x061A, 0x2603, 0x2616, 0x2617, 0x2662)


ValueT = TypeVar("ValueT")


def cached(method: Callable[..., ValueT]) -> Callable[..., ValueT]:
    """Keeps answers as long as an inspector lives. SQLAlchemy's own, of before 2.0, cannot read annotations."""

    @functools.wraps(method)
    def wrapper(self: Any, connection: Any, *arguments: Any, **keywords: Any) -> ValueT:
        known: dict[Any, ValueT] | None = keywords.get("info_cache")
        if known is None:
            return method(self, connection, *arguments, **keywords)
        key = (method.__name__, arguments, tuple(sorted((name, repr(value)) for name, value in keywords.items() if name != "info_cache")))
        if key not in known:
            known[key] = method(self, connection, *arguments, **keywords)
        return known[key]

    return wrapper


def _text(value: str) -> str:
    """A name as a text of SQL."""
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


class Reflection:
    """The reflection methods of every dialect."""

    def is_sys_db(self, name: str) -> bool:
        """Whether a database is the server's own."""
        return name.lower() in _SYSTEM

    def _rows(self, connection: Any, sql: str) -> list[Any]:
        """Rows of a statement; none where what it names is not there."""
        try:
            return list(connection.exec_driver_sql(sql).fetchall())
        except exc.DBAPIError as error:
            if (getattr(error.orig, "errno", 0) & 0xFFFF) in _MISSING:
                return []
            raise

    def _place(self, schema: str | None) -> str:
        return f"{self.identifier_preparer.quote_schema(schema)}." if schema else ""  # type: ignore[attr-defined]

    def _table(self, table: str, schema: str | None) -> str:
        return self._place(schema) + quoted(table)

    def _get_server_version_info(self, connection: Any) -> Any:
        return tuple(connection.exec_driver_sql("select server_version()").fetchone())

    def _get_default_schema_name(self, connection: Any) -> str | None:
        row = connection.exec_driver_sql("select database()").fetchone()
        return None if row is None else row[0]

    @cached
    def get_schema_names(self, connection: Any, **kw: Any) -> list[str]:
        """Databases, without the server's own."""
        return [row[0] for row in self._rows(connection, "SHOW DATABASES") if not self.is_sys_db(row[0])]

    def has_schema(self, connection: Any, schema_name: str, **kw: Any) -> bool:
        """Whether there is such a database."""
        return schema_name in [row[0] for row in self._rows(connection, "SHOW DATABASES")]

    @cached
    def get_table_names(self, connection: Any, schema: str | None = None, **kw: Any) -> list[str]:
        """Supertables, then tables of their own; children of supertables are left out."""
        place = self._place(schema)
        stables = self._rows(connection, f"SHOW {place}STABLES")
        return [row[0] for row in stables + self._rows(connection, f"SHOW NORMAL {place}TABLES")]

    @cached
    def get_view_names(self, connection: Any, schema: str | None = None, **kw: Any) -> list[str]:
        """Views of a database that is named."""
        return [row[0] for row in self._rows(connection, f"SHOW {self._place(schema)}VIEWS")] if schema else []

    @cached
    def has_table(self, connection: Any, table_name: str, schema: str | None = None, **kw: Any) -> bool:
        """Whether there is such a table, supertable or child."""
        return bool(self._rows(connection, f"DESCRIBE {self._table(table_name, schema)}"))

    @cached
    def get_columns(self, connection: Any, table_name: str, schema: str | None = None, **kw: Any) -> list[dict[str, Any]]:
        """Columns and tags; tags have the option ``taos_tag``."""
        rows = self._rows(connection, f"DESCRIBE {self._table(table_name, schema)}")
        if not rows:
            raise exc.NoSuchTableError(f"{schema}.{table_name}" if schema else table_name)
        columns: list[dict[str, Any]] = []
        for place, row in enumerate(rows):
            column: dict[str, Any] = {
                "name": row[0],
                "type": resolve_type(row[1], row[2]),
                "nullable": place > 0,
                "default": None,
            }
            if len(row) > 3 and row[3] == "TAG":
                column["dialect_options"] = {"taos_tag": True}
            columns.append(column)
        return columns

    @cached
    def get_pk_constraint(self, connection: Any, table_name: str, schema: str | None = None, **kw: Any) -> dict[str, Any]:
        """The time column, which rows are kept by."""
        columns = self._rows(connection, f"DESCRIBE {self._table(table_name, schema)}")
        return {"constrained_columns": [row[0] for row in columns[:1]], "name": None}

    def get_foreign_keys(self, connection: Any, table_name: str, schema: str | None = None, **kw: Any) -> list[Any]:
        """TDengine has none."""
        return []

    def get_unique_constraints(self, connection: Any, table_name: str, schema: str | None = None, **kw: Any) -> list[Any]:
        """TDengine has none."""
        return []

    def get_check_constraints(self, connection: Any, table_name: str, schema: str | None = None, **kw: Any) -> list[Any]:
        """TDengine has none."""
        return []

    @cached
    def get_table_options(self, connection: Any, table_name: str, schema: str | None = None, **kw: Any) -> dict[str, Any]:
        """``taos_supertable`` of a supertable; ``taos_using`` and ``taos_tags`` of a child."""
        place = "DATABASE()" if schema is None else _text(schema)
        name = _text(table_name)
        if self._rows(
            connection, f"SELECT stable_name FROM information_schema.ins_stables WHERE db_name = {place} AND stable_name = {name}"
        ):
            return {"taos_supertable": True}
        sql = f"SELECT stable_name FROM information_schema.ins_tables WHERE db_name = {place} AND table_name = {name}"
        rows = self._rows(connection, sql)
        if not rows:
            if not self.has_table(connection, table_name, schema):
                raise exc.NoSuchTableError(f"{schema}.{table_name}" if schema else table_name)
            return {}
        if rows[0][0] is None:
            return {}
        described = self._rows(connection, f"DESCRIBE {self._table(table_name, schema)}")
        tags = [row[0] for row in described if len(row) > 3 and row[3] == "TAG"]
        names = ", ".join(quoted(tag) for tag in tags)
        values = self._rows(connection, f"SELECT TAGS {names} FROM {self._table(table_name, schema)}")
        return {"taos_using": rows[0][0], "taos_tags": dict(zip(tags, values[0], strict=True)) if values else None}

    def get_table_comment(self, connection: Any, table_name: str, schema: str | None = None, **kw: Any) -> dict[str, Any]:
        """Comments are not read."""
        return {"text": None}

    def get_indexes(self, connection: Any, table_name: str, schema: str | None = None, **kw: Any) -> list[dict[str, Any]]:
        """Tag indexes of a database that is named."""
        if not schema:
            return []
        sql = f"SELECT * FROM information_schema.ins_indexes WHERE db_name = {_text(schema)} AND table_name = {_text(table_name)}"
        rows = self._rows(connection, sql)
        return [{"name": row[0], "column_names": [row[5]], "type": "index", "unique": False} for row in rows]
