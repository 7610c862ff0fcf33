"""``taosrest`` as taospy 2.8.10: over REST, and sent to an embedded database by EMBUDO_DSN."""

from __future__ import annotations

import datetime
import pathlib
import sys
import zoneinfo

import pytest

import embudo
import taosrest
import taosrest.errors
from taosrest import ConnectError, HTTPError, NotSupportedError, OperationalError, RestClient


@pytest.fixture(params=["rest", "embedded"])
def url(request: pytest.FixtureRequest, server: embudo.Server, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "embedded":
        monkeypatch.setenv("EMBUDO_DSN", ":memory:tests")
    return server.url


@pytest.fixture
def client(url: str, database: str) -> RestClient:
    client = RestClient(url, database=database)
    client.sql("CREATE TABLE t (ts TIMESTAMP, f FLOAT, s VARCHAR(10), n NCHAR(10), x VARBINARY(10), b BOOL)")
    client.sql(
        "INSERT INTO t VALUES ('2024-01-01T00:00:00.5Z', 10.3, 'a', 'é', '\\xff', true) (1704067201000, NULL, NULL, NULL, NULL, NULL)"
    )
    return client


def test_an_answer(client: RestClient) -> None:
    answer = client.sql("SELECT * FROM t ORDER BY ts")
    assert answer["code"] == 0
    assert answer["status"] == "succ"
    assert answer["head"] == ["ts", "f", "s", "n", "x", "b"]
    assert answer["column_meta"] == [
        ["ts", "TIMESTAMP", 8],
        ["f", "FLOAT", 4],
        ["s", "VARCHAR", 10],
        ["n", "NCHAR", 10],
        ["x", "VARBINARY", 10],
        ["b", "BOOL", 1],
    ]
    assert answer["rows"] == 2
    first = answer["data"][0]
    assert isinstance(first, list)
    assert first[0].tzinfo is None
    assert first[0].timestamp() == datetime.datetime(2024, 1, 1, 0, 0, 0, 500000, tzinfo=datetime.UTC).timestamp()
    assert first[1:] == [10.3, "a", "é", "ff", True]
    assert answer["data"][1][1:] == [None] * 5


def test_an_update(client: RestClient) -> None:
    answer = client.sql("INSERT INTO t (ts, f) VALUES (1, 1) (2, 2)", req_id=5)
    assert answer["column_meta"] == [["affected_rows", "INT", 4]]
    assert answer["data"] == [[2]]
    assert answer["rows"] == 1


def test_zones(url: str, client: RestClient, database: str) -> None:
    def first(**options: object) -> object:
        return RestClient(url, database=database, **options).sql("SELECT ts FROM t ORDER BY ts LIMIT 1")["data"][0][0]  # type: ignore[arg-type]

    instant = datetime.datetime(2024, 1, 1, 0, 0, 0, 500000, tzinfo=datetime.UTC)
    aware = first(timezone="Asia/Shanghai")
    assert isinstance(aware, datetime.datetime)
    assert aware == instant
    assert aware.hour == 8
    new_york = first(timezone=zoneinfo.ZoneInfo("America/New_York"))
    assert isinstance(new_york, datetime.datetime)
    assert (new_york, new_york.hour) == (instant, 19)
    local = first(timezone="local")
    assert isinstance(local, datetime.datetime)
    assert local == instant
    assert type(local.tzinfo) is datetime.timezone
    assert local.tzname() == f"{local:%z}"[:3] + ":" + f"{local:%z}"[3:]
    assert first(convert_timestamp=False) == "2024-01-01T00:00:00.500Z"
    with pytest.raises(KeyError):
        first(timezone="Mars/Olympus")
    with pytest.raises(TypeError):
        first(timezone=5)


def test_nanoseconds_are_cut(url: str, client: RestClient, root: embudo.Connection) -> None:
    root.execute("CREATE DATABASE IF NOT EXISTS rest_ns PRECISION 'ns' KEEP 36500")
    client.sql("CREATE TABLE IF NOT EXISTS rest_ns.t (ts TIMESTAMP, v INT)")
    client.sql("INSERT INTO rest_ns.t VALUES (1704067200123456789, 1)")
    (found,) = RestClient(url, timezone="UTC").sql("SELECT ts FROM rest_ns.t")["data"][0]
    assert found.microsecond == 123456


def test_errors(client: RestClient, server: embudo.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConnectError) as caught:
        client.sql("SELECT * FROM missing_db.t")
    assert caught.value.errno in (0x0388, 0x2662, 0x2603)
    assert str(caught.value) == f"[0x{caught.value.errno:04x}]: {caught.value.msg}"
    assert isinstance(caught.value, embudo.DatabaseError)
    with pytest.raises(taosrest.errors.Error):
        client.sql("SELEC 1")
    assert str(HTTPError(401, "authorization error")) == "HTTP response code 401.authorization error"
    monkeypatch.delenv("EMBUDO_DSN", raising=False)
    with pytest.raises((HTTPError, ConnectError)):
        RestClient(server.url, password="wrong").sql("SELECT 1")
    with pytest.raises(ConnectError):
        RestClient("http://127.0.0.1:1").sql("SELECT 1")


def test_connection(url: str, client: RestClient, database: str) -> None:
    conn = taosrest.connect(url=url, database=database)
    assert conn.server_info == "3.3.6.13"
    assert conn.execute("INSERT INTO t (ts) VALUES (5)") == 1
    assert conn.execute("SELECT * FROM t") is None
    result = conn.query("SELECT ts, s FROM t")
    assert result.rows == len(list(result)) == 3
    assert result.fields == [
        {"name": "ts", "type": "TIMESTAMP", "bytes": 8},
        {"name": "s", "type": "VARCHAR", "bytes": 10},
    ]
    assert result.field_count == 2
    conn.commit()
    conn.close()
    with pytest.raises(NotSupportedError):
        conn.rollback()
    with pytest.raises(ConnectError, match="Unrecognized configs: nonsense"):
        taosrest.connect(nonsense=1)
    with pytest.raises(TypeError):
        taosrest.connect("http://localhost")  # type: ignore[misc]


def test_cursor(url: str, client: RestClient, database: str, tmp_path: pathlib.Path) -> None:
    cursor = taosrest.connect(url=url, database=database).cursor()
    assert cursor.rowcount == -1
    assert cursor.description is None
    with pytest.raises(OperationalError, match="no result to fetch"):
        cursor.fetchone()
    assert cursor.execute("INSERT INTO t (ts) VALUES (7)") == 1
    assert (cursor.rowcount, cursor.affected_rows) == (1, 1)
    assert cursor.fetchall() == [[1]]
    cursor.log(str(tmp_path / "log"))
    assert cursor.execute("SELECT f, s FROM t WHERE s = ?", ["a"]) is None
    assert (cursor.rowcount, cursor.affected_rows) == (1, None)
    assert cursor.description == [["f", "FLOAT", 4], ["s", "VARCHAR", 10]]
    assert cursor.istype(1, "binary")
    assert cursor.get_type(0) == "FLOAT"
    assert cursor.fetchone() == [10.3, "a"]
    assert cursor.fetchone() is None
    assert cursor.fetchall() == []
    cursor.execute("SELECT ts FROM t ORDER BY ts")
    assert isinstance(cursor.fetchmany()[0], datetime.datetime)
    assert len(cursor.fetchmany(5)) == 2
    cursor.executemany("INSERT INTO t (ts, s) VALUES (?, ?)", [(100, "x"), (101, "y")])
    assert cursor.rowcount == 2
    for missing in (cursor.callproc, cursor.setinputsizes):
        with pytest.raises(NotSupportedError):
            missing("x")
    assert (tmp_path / "log").read_text().startswith("SELECT f, s FROM t WHERE s = ?;\n")


def test_use_holds_for_its_own_request(url: str, database: str) -> None:
    conn = taosrest.connect(url=url)
    conn.execute(f"USE {database}")
    with pytest.raises(ConnectError):
        conn.execute("CREATE TABLE nowhere (ts TIMESTAMP, v INT)")


def test_json_and_decimals(url: str, client: RestClient, database: str) -> None:
    client.sql("CREATE STABLE j (ts TIMESTAMP, d DECIMAL(10,2)) TAGS (info JSON)")
    client.sql("""INSERT INTO j1 USING j TAGS ('{"k": 1}') VALUES (1, 1.5)""")
    answer = client.sql("SELECT d, info FROM j")
    assert answer["column_meta"][0] == ["d", "DECIMAL(10,2)", 8]
    assert answer["data"] == [["1.50", {"k": 1}]]


def test_names_and_aliases() -> None:
    for name in taosrest.__all__:
        assert hasattr(taosrest, name)
    import embudo.compat.taosrest.errors as ours

    assert taosrest.errors.ConnectError is ours.ConnectError is taosrest.ConnectError


def test_install_as_taos(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in ("taos", "taosrest", "taosws")]:
        monkeypatch.delitem(sys.modules, name)
    embudo.install_as_taos()
    import taos
    import taosrest
    from taosrest.errors import ConnectError

    assert taosrest.__name__ == "embudo.compat.taosrest"
    assert taos.__name__ == "embudo.compat.taos"
    assert ConnectError is taosrest.ConnectError
    for name in [name for name in sys.modules if name.partition(".")[0] in ("taos", "taosrest", "taosws")]:
        del sys.modules[name]
