"""The zone of a process, of a session and of a result: three processes in three zones, one of them through two changes of its clocks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

import embudo

ZONES = ["UTC", "Asia/Shanghai", "America/New_York"]

# Half hours around the changes of 2024 in New York, written as instants; the same as local text; day and week windows.
PROGRAM = """
import datetime, json, sys, zoneinfo
import embudo, taos

dsn, database, *zones = sys.argv[1:]
start = [datetime.datetime(2024, 3, 10, 5, tzinfo=datetime.UTC), datetime.datetime(2024, 11, 3, 4, tzinfo=datetime.UTC)]
moments = [begin + datetime.timedelta(minutes=30 * step) for begin in start for step in range(12)]

def run(zone):
    found = {}
    with embudo.connect(dsn, database=database, **zone) as conn:
        conn.execute("CREATE TABLE IF NOT EXISTS t (ts TIMESTAMP, v INT)")
        conn.execute("DELETE FROM t")
        conn.executemany("INSERT INTO t VALUES (?, ?)", list(zip(moments, range(len(moments)))))
        rows = conn.execute("SELECT ts, v FROM t ORDER BY ts").fetchall()
        found["instants"] = [(int(moment.timestamp()), value) for moment, value in rows]
        found["frame"] = [int(moment.timestamp()) for moment in conn.execute("SELECT ts FROM t ORDER BY ts").df()["ts"]]
        found["offsets"] = [moment.strftime("%z") for moment, _ in rows]
        found["days"] = [
            (int(day.timestamp()), count) for day, count in conn.execute("SELECT _wstart, COUNT(*) FROM t INTERVAL(1d)").fetchall()
        ]
        found["texts"] = [text for (text,) in conn.execute("SELECT TO_ISO8601(ts) FROM t ORDER BY ts").fetchall()]
        # A literal without an offset is one of the session's zone, whatever the process has.
        conn.execute("CREATE TABLE IF NOT EXISTS n (ts TIMESTAMP, v INT)")
        conn.execute("DELETE FROM n")
        conn.execute("INSERT INTO n VALUES ('2024-03-10 01:30:00', 1) ('2024-07-01 12:00:00', 2) ('2024-11-03 03:00:00', 3)")
        found["literals"] = [int(moment.timestamp()) for (moment,) in conn.execute("SELECT ts FROM n ORDER BY ts").fetchall()]
        naive = datetime.datetime(2024, 7, 1, 12)
        found["naive"] = conn.execute("SELECT v FROM n WHERE ts = ?", [naive]).fetchall()
    return found

answers = {zone: run({"timezone": zone}) for zone in zones}
answers["process"] = run({})
print(json.dumps(answers))
"""


def _run(dsn: str, database: str, process_zone: str) -> dict[str, dict[str, Any]]:
    """What a process in a zone finds by each zone of a session."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, dsn, database, *ZONES],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "TZ": process_zone},
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.mark.skipif(os.name != "posix", reason="TZ names zones on POSIX")
@pytest.mark.parametrize("transport", ["embedded", "rest", "websocket", "native"])
def test_a_sessions_zone_counts(
    root: embudo.Connection, server: embudo.Server, native_dsn: str, database: str, transport: str, tmp_path: Any
) -> None:
    """With a zone of its own a session says the same in every process."""
    place = {"embedded": str(tmp_path / "data"), "rest": server.rest_dsn, "websocket": server.ws_dsn, "native": native_dsn}[transport]
    if transport == "embedded":
        with embudo.connect(place) as conn:
            conn.execute(f"CREATE DATABASE {database} KEEP 36500")
    found = {zone: _run(place, database, zone) for zone in ZONES}
    for own in ZONES:
        assert found[ZONES[0]][own] == found[ZONES[1]][own] == found[ZONES[2]][own], own
        assert found["UTC"][own]["naive"] == [[2]]
        assert found["UTC"][own]["instants"] == found["UTC"]["UTC"]["instants"]
        # Without a zone of its own a session shows times in its process's; literals and days are of the server's, which here is another.
        process = found[own]["process"]
        told = process if transport == "embedded" else ("instants", "frame", "offsets")
        assert {what: process[what] for what in told} == {what: found["UTC"][own][what] for what in told}
    york = found["UTC"]["America/New_York"]
    assert york["offsets"][:6] == ["-0500"] * 4 + ["-0400"] * 2
    assert york["offsets"][12:20] == ["-0400"] * 4 + ["-0500"] * 4
    assert york["literals"] == [1710052200, 1719849600, 1730620800]
