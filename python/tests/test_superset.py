"""The engine spec for Superset, on a stand-in for its base class where Superset is not installed: every time grain by a naive model."""

from __future__ import annotations

import datetime
import importlib.metadata
import random
import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest

import embudo

UTC = datetime.UTC


@pytest.fixture
def spec(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The class that Superset loads."""
    try:
        import superset.db_engine_specs.base  # noqa: F401
    except ImportError:
        for name in ("superset", "superset.db_engine_specs", "superset.db_engine_specs.base"):
            monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
        sys.modules["superset.db_engine_specs.base"].BaseEngineSpec = type("BaseEngineSpec", (), {})  # type: ignore[attr-defined]
    (entry,) = importlib.metadata.entry_points(group="superset.db_engine_specs", name="embudo")
    yield entry.load()
    sys.modules.pop("embudo.superset", None)


def _truncated(moment: datetime.datetime, grain: str) -> datetime.datetime:
    """What a grain means."""
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    minutes = {"PT1M": 1, "PT5M": 5, "PT10M": 10, "PT15M": 15, "PT30M": 30, "PT1H": 60}
    if grain == "PT1S":
        return moment.replace(microsecond=0)
    if grain in minutes:
        return day + datetime.timedelta(minutes=(moment.hour * 60 + moment.minute) // minutes[grain] * minutes[grain])
    if grain == "P1D":
        return day
    if grain.endswith("P1W"):
        return day - datetime.timedelta(days=(moment.weekday() + 1) % 7 if grain.startswith("1969-12-28") else moment.weekday())
    if grain == "P3M":
        return day.replace(month=(moment.month - 1) // 3 * 3 + 1, day=1)
    return day.replace(day=1) if grain == "P1M" else day.replace(month=1, day=1)


def test_time_grains(spec: Any, conn: embudo.Connection) -> None:
    """Rows grouped by each grain, as Superset's charts do."""
    # TDengine's functions read times before September 2001 as seconds.
    chance = random.Random(7)
    moments = {
        datetime.datetime(2002, 1, 1, tzinfo=UTC) + datetime.timedelta(milliseconds=chance.randrange(9 * 10**11)) for _ in range(300)
    }
    moments |= {datetime.datetime(year, month, 1, tzinfo=UTC) for year in (2004, 2023) for month in range(1, 13)}
    conn.execute("CREATE TABLE t (ts TIMESTAMP, v INT)")
    conn.executemany("INSERT INTO t VALUES (?, 1)", [(moment,) for moment in moments])
    for grain, expression in spec._time_grain_expressions.items():
        column = expression.format(col="ts")
        rows = conn.execute(f"SELECT {column} AS __timestamp, SUM(v) FROM t GROUP BY {column} ORDER BY __timestamp").fetchall()
        expected: dict[datetime.datetime, int] = {}
        for moment in moments:
            start = moment if grain is None else _truncated(moment, grain)
            expected[start] = expected.get(start, 0) + 1
        assert rows == sorted(expected.items()), grain


def test_times(spec: Any, conn: embudo.Connection) -> None:
    conn.execute("CREATE TABLE t (ts TIMESTAMP, seconds BIGINT, ms BIGINT)")
    moment = datetime.datetime(2024, 5, 6, 7, 8, 9)
    ticks = int(moment.replace(tzinfo=UTC).timestamp())
    conn.execute("INSERT INTO t VALUES (?, ?, ?)", [moment.replace(tzinfo=UTC), ticks, ticks * 1000])
    for column in (spec.epoch_to_dttm().format(col="seconds"), spec.epoch_ms_to_dttm().format(col="ms")):
        assert conn.execute(f"SELECT {column} FROM t").fetchall() == [(moment.replace(tzinfo=UTC),)]
    low = spec.convert_dttm("TIMESTAMP", moment)
    high = spec.convert_dttm("TIMESTAMP", moment + datetime.timedelta(microseconds=1000))
    assert conn.execute(f"SELECT COUNT(*) FROM t WHERE ts >= {low} AND ts < {high}").fetchall() == [(1,)]
    assert spec.convert_dttm("VARCHAR", moment) is None
    assert {spec.engine, *spec.engine_aliases} == {"embudo", "taos", "taosrest", "taosws"}
