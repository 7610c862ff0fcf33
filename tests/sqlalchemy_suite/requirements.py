"""What TDengine cannot do, of that which SQLAlchemy's own dialect suite asks for: one reason each. Everything else is run."""

from __future__ import annotations

from typing import Any

from sqlalchemy.testing import exclusions
from sqlalchemy.testing.requirements import SuiteRequirements

CLOSED: dict[str, str] = {
    # Data definition.
    "foreign_keys": "TDengine has no foreign keys",
    "self_referential_foreign_keys": "TDengine has no foreign keys",
    "foreign_key_ddl": "TDengine has no foreign keys",
    "foreign_key_constraint_reflection": "TDengine has no foreign keys",
    "named_constraints": "TDengine has no constraints",
    "implicitly_named_constraints": "TDengine has no constraints",
    "unique_constraint_reflection": "TDengine has no unique constraints",
    "primary_key_constraint_reflection": "the key of a table is its time column, whatever else is declared",
    "index_reflection": "TDengine indexes tags only",
    "indexes_with_ascdesc": "TDengine indexes tags only",
    "reflect_indexes_with_ascdesc": "TDengine indexes tags only",
    "temporary_tables": "TDengine has no temporary tables",
    "temp_table_reflection": "TDengine has no temporary tables",
    "temp_table_reflect_indexes": "TDengine has no temporary tables",
    "duplicate_key_raises_integrity_error": "a row of the same key replaces the older one",
    "unusual_column_name_characters": "names have no backticks, and columns are lower case unless quoted",
    "symbol_names_w_double_quote": "names with quotes are refused in some statements",
    "autoincrement_insert": "TDengine numbers nothing by itself",
    "autoincrement_without_sequence": "TDengine numbers nothing by itself",
    "implements_get_lastrowid": "TDengine has no row ids",
    "supports_lastrowid": "TDengine has no row ids",
    "no_lastrowid_support": "there are no row ids to be without",
    "empty_inserts": "a row without its time is none",
    "server_defaults": "TDengine has no defaults",
    # Statements.
    "insert_from_select": "the rows' times are those that the suite's adapter gave, so that copies replace what they are copied from",
    "update_where_target_in_subquery": "TDengine has no UPDATE",
    "delete_from": "DELETE takes ranges of time only",
    "multivalues_inserts": "open",
    "ctes": "TDengine has no common table expressions",
    "ctes_on_dml": "TDengine has no common table expressions",
    "window_functions": "TDengine has no OVER; its windows are INTERVAL, SESSION, STATE_WINDOW and EVENT_WINDOW",
    "intersect": "TDengine has UNION only",
    "except_": "TDengine has UNION only",
    "parens_in_union_contained_select_w_limit_offset": "a part of a UNION has no LIMIT of its own",
    "parens_in_union_contained_select_wo_limit_offset": "a part of a UNION stands without parentheses",
    "order_by_label_with_expression": "ORDER BY takes a label alone, not in an expression",
    "sql_expression_limit_offset": "LIMIT takes numbers only",
    "boolean_col_expressions": "open",
    "nested_aggregates": "aggregates are not nested",
    "order_by_collation": "TDengine has no collations",
    "like_escapes": "open",
    "group_by_complex_expression": "open",
    "mod_operator_as_percent_sign": "open",
    "savepoints": "TDengine has no transactions",
    "two_phase_transactions": "TDengine has no transactions",
    "isolation_level": "TDengine has no transactions",
    "autocommit": "TDengine has no transactions",
    "skip_autocommit_rollback": "TDengine has no transactions",
    # Values.
    "time_microseconds": "open",
    "datetime_microseconds": "the suite's database keeps milliseconds",
    "date_historic": "open",
    "datetime_historic": "open",
    "json_type": "JSON is for tags only; columns keep its text, which has no paths",
    "precision_numerics_enotation_large": "DECIMAL has at most 38 digits",
    "precision_numerics_enotation_small": "DECIMAL has at most 38 digits",
    "precision_numerics_many_significant_digits": "DECIMAL has at most 38 digits",
    "infinity_floats": "infinity is refused",
    "unbounded_varchar": "open",
    "uuid_data_type": "TDengine has no such type; values are kept as text",
    "datetime_interval": "TDengine has no intervals as values",
    "datetime_timezone": "open",
    "time_timezone": "times of day are kept as text",
    # Others.
    "bound_limit_offset": "LIMIT takes numbers, not parameters",
    "date_implicit_bound": "a time that is compared with no column is text",
    "datetime_implicit_bound": "a time that is compared with no column is text",
    "time_implicit_bound": "a time that is compared with no column is text",
    "reflect_table_options": "open",
    "create_table_as": "TDengine has no CREATE TABLE AS",
    "subqueries": "TDengine's subqueries stand in FROM only",
    "views": "the suite's views name the table users without quotes, a word that TDengine reserves",
    "view_reflection": "the suite's views name the table users without quotes, a word that TDengine reserves",
    "view_column_reflection": "the suite's views name the table users without quotes, a word that TDengine reserves",
    "temporary_views": "TDengine has no temporary tables",
    "foreign_key_constraint_option_reflection_ondelete": "TDengine has no foreign keys",
    "index_reflects_included_columns": "TDengine indexes tags only",
    "check_constraint_reflection": "TDengine has no constraints",
    "inline_check_constraint_reflection": "TDengine has no constraints",
    "schemas": "the suite's second schema would be another database",
    "cross_schema_fk_reflection": "TDengine has no foreign keys",
    "implicit_default_schema": "a database that is not named is the session's",
    "comment_reflection": "comments are not read",
    "ad_hoc_engines": "a database in memory belongs to its engine",
}


def _closed(reason: str) -> Any:
    return property(lambda self: exclusions.closed(reason))


def _open() -> Any:
    return property(lambda self: exclusions.open())


Requirements = type(
    "Requirements",
    (SuiteRequirements,),
    {name: _open() if reason == "open" else _closed(reason) for name, reason in CLOSED.items()},
)
