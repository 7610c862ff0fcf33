"""What PEP 249 asks of a driver, check by check, of all four modules over each transport.

The shims are what the official packages are; where those keep to PEP 249 otherwise, :data:`DIFFERENCES` says so, and that is checked too.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

import embudo
import taos
import taosrest
import taosws

_ERRORS = {
    "InterfaceError": "Error",
    "DatabaseError": "Error",
    "DataError": "DatabaseError",
    "OperationalError": "DatabaseError",
    "IntegrityError": "DatabaseError",
    "InternalError": "DatabaseError",
    "ProgrammingError": "DatabaseError",
    "NotSupportedError": "DatabaseError",
}
_CONSTRUCTORS = ("Date", "Time", "Timestamp", "DateFromTicks", "TimeFromTicks", "TimestampFromTicks", "Binary")
_TYPES = ("STRING", "BINARY", "NUMBER", "DATETIME", "ROWID")

#: Where an official package differs from PEP 249, and ours with it.
DIFFERENCES: dict[str, set[str]] = {
    "embudo": set(),
    "taos": {
        "apilevel",
        "constructors",
        "errors of connections",
        "closed connections commit",
        "description is a list before a statement",
        "rowcount of a query comes with its last row",
        "setinputsizes",
    },
    "taosrest": {
        "apilevel",
        "threadsafety",
        "paramstyle",
        "Warning",
        "constructors",
        "errors of connections",
        "closed connections commit",
        "closing is nothing",
        "rows are lists",
        "columns have three fields",
        "an update has a row",
        "setinputsizes",
    },
    "taosws": {
        "str.format",
        "InterfaceError is no Error",
        "constructors",
        "errors of connections",
        "closed connections commit",
        "columns have three fields",
        "description is a list before a statement",
        "an update has no rows to fetch",
        "setinputsizes",
    },
}


class Driver:
    """A module with where it connects to."""

    def __init__(self, module: ModuleType, place: str, database: str) -> None:
        self.module: Any = module
        self.name = module.__name__
        self.differs = DIFFERENCES[self.name]
        self._place = place
        self.database = database

    def connect(self) -> Any:
        if self.module is taosws:
            return taosws.connect(f"{self._place}/{self.database}" if "://" in self._place else "taosws://localhost:6041")
        return (
            self.module.connect(self._place, database=self.database)
            if self.module is embudo
            else self.module.connect(database=self.database)
        )

    def execute(self, cursor: Any, sql: str, *values: object) -> Any:
        """Runs a statement whose ``?`` stand for values, in the module's own style."""
        if values and self.module is taosws:
            return cursor.execute(sql.replace("?", "{}"), *(repr(value) for value in values))
        return cursor.execute(sql, values) if values else cursor.execute(sql)


@pytest.fixture(
    params=[
        *((embudo, place) for place in ("embedded", "rest", "websocket", "native")),
        *((taos, place) for place in ("embedded", "rest", "websocket", "native")),
        *((taosrest, place) for place in ("embedded", "rest", "websocket")),
        *((taosws, place) for place in ("embedded", "websocket")),
    ],
    ids=lambda pair: f"{pair[0].__name__}-{pair[1]}",
)
def driver(
    request: pytest.FixtureRequest, server: embudo.Server, native_dsn: str, database: str, monkeypatch: pytest.MonkeyPatch
) -> Driver:
    module, transport = request.param
    place = {
        "embedded": ":memory:tests",
        "rest": server.rest_dsn,
        "websocket": server.ws_dsn,
        "native": native_dsn,
    }[transport]
    if module is not embudo:
        monkeypatch.setenv("EMBUDO_DSN", place)
    taos.set_tz(None)
    return Driver(module, place, database)


@pytest.fixture
def connection(driver: Driver) -> Iterator[Any]:
    connection = driver.connect()
    yield connection
    connection.close()


@pytest.fixture
def cursor(driver: Driver, connection: Any, root: embudo.Connection) -> Any:
    """A cursor whose table `booze` has nothing in it."""
    root.execute(f"CREATE TABLE {driver.database}.booze (ts TIMESTAMP, name VARCHAR(20))")
    cursor = connection.cursor()
    cursor.execute(f"USE {driver.database}")
    return cursor


NAMES = ["Carlton Cold", "Carlton Draft", "Mountain Goat", "Redback", "Victoria Bitter", "XXXX"]


def _fill(driver: Driver, cursor: Any) -> str:
    table = f"{driver.database}.booze"
    values = " ".join(f"({at}, '{name}')" for at, name in enumerate(NAMES, 1))
    cursor.execute(f"INSERT INTO {table} VALUES {values}")
    return table


def test_module(driver: Driver) -> None:
    module, differs = driver.module, driver.differs
    assert ("apilevel" in differs) or module.apilevel == "2.0"
    assert ("threadsafety" in differs) or module.threadsafety in (0, 1, 2, 3)
    assert ("paramstyle" in differs) or module.paramstyle in ("qmark", "numeric", "named", "format", "pyformat")
    for name in ("apilevel", "threadsafety", "paramstyle", "Warning"):
        assert hasattr(module, name) != (name in differs), name


def test_errors(driver: Driver) -> None:
    module, differs = driver.module, driver.differs
    if "Warning" not in differs:
        assert issubclass(module.Warning, Exception)
    assert issubclass(module.Error, Exception)
    for name, base in _ERRORS.items():
        expected = not (name == "InterfaceError" and "InterfaceError is no Error" in differs)
        assert issubclass(getattr(module, name), getattr(module, base)) == expected, name


def test_errors_of_connections(driver: Driver, connection: Any) -> None:
    for name in ("Warning", "Error", *_ERRORS):
        if "errors of connections" in driver.differs:
            assert not hasattr(connection, name)
        else:
            assert getattr(connection, name) is getattr(driver.module, name)


def test_constructors_and_types(driver: Driver) -> None:
    module = driver.module
    if "constructors" in driver.differs:
        assert not any(hasattr(module, name) for name in _CONSTRUCTORS + _TYPES)
        return
    assert module.Date(2002, 12, 25) == datetime.date(2002, 12, 25)
    assert module.Time(13, 45, 30) == datetime.time(13, 45, 30)
    assert module.Timestamp(2002, 12, 25, 13, 45, 30).replace(tzinfo=None) == datetime.datetime(2002, 12, 25, 13, 45, 30)
    moment = time.mktime((2002, 12, 25, 13, 45, 30, 0, 0, 0))
    assert module.DateFromTicks(moment) == datetime.date(2002, 12, 25)
    assert module.TimeFromTicks(moment) == datetime.time(13, 45, 30)
    assert module.TimestampFromTicks(moment).timestamp() == moment
    assert module.Binary(b"Something") == b"Something"
    assert module.Binary(b"") == b""
    assert len({id(getattr(module, name)) for name in _TYPES}) == len(_TYPES)


def test_commit_and_rollback(driver: Driver, connection: Any) -> None:
    assert connection.commit() is None
    # PEP 249 lets a database without transactions refuse it.
    try:
        assert connection.rollback() is None
    except driver.module.NotSupportedError:
        assert driver.name in ("embudo", "taosrest")


def test_cursors_see_each_other(driver: Driver, connection: Any, cursor: Any) -> None:
    table = _fill(driver, cursor)
    other = connection.cursor()
    other.execute(f"SELECT name FROM {table}")
    assert len(other.fetchall()) == len(NAMES)


def test_description(driver: Driver, connection: Any, cursor: Any) -> None:
    before = connection.cursor().description
    assert before in (None, []) if "description is a list before a statement" in driver.differs else before is None
    table = _fill(driver, cursor)
    if "an update has a row" not in driver.differs:
        assert not cursor.description
    cursor.execute(f"SELECT name FROM {table}")
    assert len(cursor.description) == 1
    assert len(cursor.description[0]) == (3 if "columns have three fields" in driver.differs else 7)
    assert cursor.description[0][0] == "name"
    if driver.module is embudo:
        assert cursor.description[0][1] == embudo.STRING
        assert cursor.description[0][1] != embudo.NUMBER


def test_rowcount(driver: Driver, connection: Any, cursor: Any) -> None:
    assert connection.cursor().rowcount == -1
    table = _fill(driver, cursor)
    assert cursor.rowcount in (-1, len(NAMES))
    cursor.execute(f"SELECT name FROM {table}")
    rows = cursor.fetchall()
    assert cursor.rowcount in (-1, len(rows))


def test_close(driver: Driver, cursor: Any) -> None:
    connection = driver.connect()
    inner = connection.cursor()
    connection.close()
    if "closing is nothing" in driver.differs:
        inner.execute("SELECT 1")
        return
    for use in (lambda: inner.execute("SELECT 1"), lambda: connection.cursor().execute("SELECT 1")):
        if use.__code__.co_freevars == ("inner",) and driver.module is taosws:
            # A cursor of taosws has a connection of its own.
            use()
            continue
        with pytest.raises(driver.module.Error):
            use()
    if "closed connections commit" in driver.differs:
        connection.commit()
    else:
        with pytest.raises(driver.module.Error):
            connection.commit()


def test_execute_with_parameters(driver: Driver, cursor: Any) -> None:
    table = f"{driver.database}.booze"
    driver.execute(cursor, f"INSERT INTO {table} VALUES (?, ?)", 1, "Cooper's" if driver.module is not taosws else "Coopers")
    assert cursor.rowcount in (-1, 1)
    cursor.execute(f"SELECT name FROM {table}")
    ((name,),) = cursor.fetchall()
    assert name.replace("'", "") == "Coopers"
    driver.execute(cursor, f"SELECT name FROM {table} WHERE ts = ?", 1)
    assert len(cursor.fetchall()) == 1


def test_executemany(driver: Driver, cursor: Any) -> None:
    table = f"{driver.database}.booze"
    cursor.executemany(f"INSERT INTO {table} (ts, name) VALUES (?, ?)", [(1, "Cooper's"), (2, "Boag's")])
    assert cursor.rowcount in (-1, 2)
    cursor.execute(f"SELECT name FROM {table} ORDER BY ts")
    assert [name for (name,) in cursor.fetchall()] == ["Cooper's", "Boag's"]


def test_fetches_without_a_result(driver: Driver, connection: Any, cursor: Any) -> None:
    for fetch in ("fetchone", "fetchmany", "fetchall"):
        with pytest.raises(driver.module.Error):
            getattr(connection.cursor(), fetch)()
    _fill(driver, cursor)
    if "an update has a row" in driver.differs:
        assert cursor.fetchall() == [[len(NAMES)]]
    elif "an update has no rows to fetch" in driver.differs:
        assert cursor.fetchall() == []
    else:
        for fetch in ("fetchone", "fetchmany", "fetchall"):
            with pytest.raises(driver.module.Error):
                getattr(cursor, fetch)()


def _row(driver: Driver, *values: object) -> Any:
    return list(values) if "rows are lists" in driver.differs else values


def test_fetchone(driver: Driver, cursor: Any) -> None:
    table = f"{driver.database}.booze"
    cursor.execute(f"SELECT name FROM {table}")
    assert cursor.fetchone() is None
    _fill(driver, cursor)
    cursor.execute(f"SELECT name FROM {table} WHERE ts = 1")
    assert cursor.fetchone() == _row(driver, "Carlton Cold")
    assert cursor.fetchone() is None
    if "rowcount of a query comes with its last row" not in driver.differs:
        assert cursor.rowcount in (-1, 0, 1)


def test_fetchmany(driver: Driver, cursor: Any) -> None:
    table = _fill(driver, cursor)
    cursor.execute(f"SELECT name FROM {table} ORDER BY ts")
    rows = cursor.fetchmany(4)
    assert [name for (name,) in rows] == NAMES[:4]
    assert len(cursor.fetchmany(4)) == 2
    assert cursor.fetchmany(4) == []
    cursor.execute(f"SELECT name FROM {table} WHERE ts > 100")
    assert cursor.fetchmany(4) == []


def test_fetchall(driver: Driver, cursor: Any) -> None:
    table = _fill(driver, cursor)
    cursor.execute(f"SELECT name FROM {table} ORDER BY ts")
    assert cursor.fetchall() == [_row(driver, name) for name in NAMES]
    assert cursor.fetchall() == []
    cursor.execute(f"SELECT name FROM {table} WHERE ts > 100")
    assert cursor.fetchall() == []


def test_fetches_of_all_kinds(driver: Driver, cursor: Any) -> None:
    table = _fill(driver, cursor)
    cursor.execute(f"SELECT name FROM {table} ORDER BY ts")
    first, two, third, rest = cursor.fetchone(), cursor.fetchmany(2), cursor.fetchone(), cursor.fetchall()
    assert (len(two), len(rest)) == (2, 2)
    assert [row[0] for row in [first, *two, third, *rest]] == NAMES
    assert cursor.rowcount in (-1, *range(len(NAMES) + 1))


def test_iteration(driver: Driver, cursor: Any) -> None:
    table = _fill(driver, cursor)
    cursor.execute(f"SELECT name FROM {table} ORDER BY ts")
    assert [row[0] for row in cursor] == NAMES


def test_sizes(driver: Driver, connection: Any) -> None:
    cursor = connection.cursor()
    if "setinputsizes" not in driver.differs:
        cursor.setinputsizes((25,))
        cursor.setoutputsize(1000)
        cursor.setoutputsize(2000, 0)
        assert cursor.arraysize == 1


def test_next_sets_and_procedures(driver: Driver, connection: Any) -> None:
    """Both are optional; TDengine has neither."""
    cursor = connection.cursor()
    for name, values in (("nextset", ()), ("callproc", ("lower",)), ("call_proc", ())):
        method = getattr(cursor, name, None)
        if method is not None:
            try:
                assert method(*values) is None
            except (driver.module.NotSupportedError, TypeError):
                assert driver.name in ("taosrest", "taosws")


def test_none(driver: Driver, cursor: Any) -> None:
    table = f"{driver.database}.booze"
    cursor.execute(f"INSERT INTO {table} VALUES (1, NULL)")
    cursor.execute(f"SELECT name FROM {table}")
    rows = cursor.fetchall()
    assert (len(rows), len(rows[0]), rows[0][0]) == (1, 1, None)


def test_times(driver: Driver, cursor: Any) -> None:
    table = f"{driver.database}.booze"
    cursor.execute(f"INSERT INTO {table} VALUES ('2002-12-25T13:45:30Z', 'x')")
    cursor.execute(f"SELECT ts FROM {table}")
    ((moment,),) = cursor.fetchall()
    assert moment.astimezone(datetime.UTC) == datetime.datetime(2002, 12, 25, 13, 45, 30, tzinfo=datetime.UTC)


def test_a_wrong_statement(driver: Driver, cursor: Any) -> None:
    for sql in ("SELEC 1", f"SELECT * FROM {driver.database}.no_such_table"):
        with pytest.raises(driver.module.Error):
            cursor.execute(sql)
    cursor.execute("SELECT 1")
    assert cursor.fetchall() == [_row(driver, 1)]
