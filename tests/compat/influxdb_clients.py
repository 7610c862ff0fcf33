"""InfluxDB's Python clients: version 1 against /influxdb/v1/write, version 2 against /api/v2/write."""

import sys
from base64 import b64encode
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from influxdb import InfluxDBClient as ClientOfVersion1
from influxdb.exceptions import InfluxDBClientError, InfluxDBServerError
from influxdb_client import InfluxDBClient, Point, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

url = sys.argv[1]
parts = urlsplit(url)
authorization = "Basic " + b64encode(b"root:taosdata").decode()


def sql(statement: str) -> str:
    with urlopen(Request(f"{url}/rest/sql", statement.encode(), {"Authorization": authorization})) as answer:
        return answer.read().decode()


sql("CREATE DATABASE metrics")

old = ClientOfVersion1(parts.hostname, parts.port, "root", "taosdata", "metrics", path="influxdb/v1", gzip=True)
points = [
    {
        "measurement": "cpu load",
        "tags": {"host": "a, b", "core": str(core)},
        "fields": {"usage": 0.5 * core, "ticks": core, "busy": True, "note": 'a "b"'},
        "time": 1700000000000 + core,
    }
    for core in range(4)
]
assert old.write_points(points, time_precision="ms")
assert '[[4,3,6,"a, b"]]' in sql("SELECT COUNT(*), SUM(`usage`), SUM(ticks), FIRST(`host`) FROM metrics.`cpu load`"), sql(
    "SELECT * FROM metrics.`cpu load`"
)
try:
    ClientOfVersion1(parts.hostname, parts.port, "root", "taosdata", "nowhere", path="influxdb/v1").write_points(points)
    raise AssertionError("a missing database must raise")
except (InfluxDBClientError, InfluxDBServerError) as error:
    assert "Database not exist" in str(error), error

with InfluxDBClient(url, "root:taosdata", org="-") as new, new.write_api(write_options=SYNCHRONOUS) as writer:
    point = Point("room").tag("floor", "2").field("temperature", 21.5).field("people", 3).time(1700000000, WritePrecision.S)
    writer.write("metrics", record=point)
    writer.write(
        "metrics", record=["room,floor=3 temperature=20,people=0i 1700000001000000000", "room,floor=3 temperature=19 1700000002000000000"]
    )
    try:
        writer.write("metrics", record='room temperature="text"')
        raise AssertionError("a value of another type must raise")
    except ApiException as error:
        assert error.status == 500, error
with InfluxDBClient(url, "root:wrong", org="-") as new, new.write_api(write_options=SYNCHRONOUS) as writer:
    try:
        writer.write("metrics", record="room temperature=1")
        raise AssertionError("a wrong password must raise")
    except ApiException as error:
        assert "Authentication failure" in str(error.body), error
assert "[[3,60.5,3]]" in sql("SELECT COUNT(*), SUM(temperature), SUM(people) FROM metrics.room"), sql("SELECT * FROM metrics.room")
