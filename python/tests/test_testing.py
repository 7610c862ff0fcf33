"""The pytest plug-in, as a user's project has it."""

from __future__ import annotations

import time

import pytest

import embudo

pytest_plugins = ["pytester"]


def test_fixtures(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import urllib.request, base64, json
        import embudo, taos, taosrest

        def test_fresh(embudo_db):
            embudo_db.execute("CREATE TABLE t (ts TIMESTAMP, v INT)")
            embudo_db.execute("INSERT INTO t VALUES (1, 1)")
            assert embudo_db.execute("SELECT COUNT(*) FROM t").fetchone() == (1,)

        def test_fresh_again(embudo_db):
            assert embudo_db.execute("SHOW TABLES").fetchall() == []

        def test_server(embudo_server, embudo_db):
            embudo_db.execute("CREATE TABLE t (ts TIMESTAMP, v INT)")
            for dsn in (embudo_server.rest_dsn, embudo_server.ws_dsn):
                with embudo.connect(dsn, database="test") as conn:
                    assert conn.execute("SHOW TABLES").fetchall() == [("t",)]
            assert str(embudo_server.port) in embudo_server.jdbc_url and embudo_server.jdbc_url.startswith("jdbc:TAOS-WS://")
            assert embudo_server.go_dsn == f"root:taosdata@ws({embudo_server.host}:{embudo_server.port})/"
            request = urllib.request.Request(embudo_server.url + "/rest/sql", b"select 1")
            request.add_header("Authorization", "Basic " + base64.b64encode(b"root:taosdata").decode())
            assert json.load(urllib.request.urlopen(request))["data"] == [[1]]

        def code_under_test():
            conn = taos.connect(host="db.example.com")
            conn.execute("CREATE TABLE m (ts TIMESTAMP, v INT)")
            return conn

        def test_env(embudo_env, embudo_db):
            code_under_test()
            assert embudo_db.execute("SHOW TABLES").fetchall() == [("m",)]

        def test_env_again(embudo_env, embudo_db):
            assert embudo_db.execute("SHOW TABLES").fetchall() == []
        """
    )
    result = pytester.runpytest_subprocess("-q")
    result.assert_outcomes(passed=5)


def test_what_a_database_costs() -> None:
    def one() -> float:
        started = time.perf_counter()
        with embudo.connect(":memory:cost") as conn:
            conn.execute("CREATE DATABASE test KEEP 36500")
            conn.execute("USE test")
        return time.perf_counter() - started

    one()
    # The best of many: what else the machine does is not ours. The bar for a release build is 2 ms.
    assert min(one() for _ in range(50)) < 0.1
