"""Tests that no requirement names, with what TDengine cannot do of them."""

from __future__ import annotations

import fnmatch

import pytest

#: Patterns of `class::test`, without the dialect's name, and the reason.
UNSUPPORTED: dict[str, str] = {
    "CastTypeDecoratorTest::*": "INSERT takes values, not expressions",
    "*DateTest::test_select_direct*": "a time that is compared with no column is text",
    "Date*Test::test_select_direct*": "a time that is compared with no column is text",
    "ExistsTest::*": "TDengine has no EXISTS",
    "JoinTest::*": "its columns take their types from foreign keys",
    "RowCountTest::test_delete_rowcount*": "DELETE takes ranges of time only",
    "RowCountTest::test_*update*": "TDengine has no UPDATE",
    "RowCountTest::test_raw_sql_rowcount*": "TDengine has no UPDATE",
    "RowCountTest::test_text_rowcount*": "TDengine has no UPDATE",
    "SimpleUpdateDeleteTest::test_update*": "TDengine has no UPDATE",
    "SimpleUpdateDeleteTest::test_delete*": "DELETE takes ranges of time only",
    "RowFetchTest::test_row_w_scalar_select": "subqueries stand in FROM only",
    "TableViaSelectTest::*": "TDengine has no CREATE TABLE AS",
    "RowCountTest::test_non_rowcount_scenarios_no_raise*delete*": "DELETE takes ranges of time only",
    "ComponentReflectionTest::test_get_multi_columns*": "columns are not declared NOT NULL",
    "ComponentReflectionTest::test_get_view_names*": "the suite's views name the table users without quotes, a word that TDengine reserves",
    "FetchLimitOffsetTest::test_limit_render_multiple_times": "subqueries stand in FROM only",
    "LongNameBlowoutTest::test_long_convention_name*ix-*": "TDengine indexes tags only",
    "NameDenormalizeTest::test_cols_driver_cols*": "SELECT * shows the time column that the suite's adapter adds",
    "TrueDivTest::test_truediv_divisor*38_digit*": "a quotient of DECIMAL has at most 38 digits, those before the point among them",
    "ComponentReflectionTestExtra::test_nullable_reflection": "columns are not declared NOT NULL",
    "ComponentReflectionTestExtra::test_string_length_reflection*CHAR-*_02*": "CHAR is VARCHAR",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips them."""
    for item in items:
        owner = item.parent.name.split("_")[0] if item.parent is not None else ""
        for pattern, reason in UNSUPPORTED.items():
            if fnmatch.fnmatchcase(f"{owner}::{item.name}", pattern):
                item.add_marker(pytest.mark.skip(reason=reason))
