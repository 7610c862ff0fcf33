"""The connector page's REST programs, by the official taosrest: cursor, RestClient, errors, nanoseconds, pandas-free."""

import sys
from datetime import UTC, datetime

import taosrest
from taosrest import RestClient, TaosRestConnection, TaosRestCursor, connect

url = sys.argv[1]
conn: TaosRestConnection = connect(url=url, user="root", password="taosdata", timeout=30)
cursor: TaosRestCursor = conn.cursor()

cursor.execute("DROP DATABASE IF EXISTS power")
cursor.execute("CREATE DATABASE power")
cursor.execute("CREATE STABLE power.meters (ts TIMESTAMP, current FLOAT, voltage INT, phase FLOAT) TAGS (location BINARY(64), groupId INT)")
cursor.execute("""INSERT INTO power.d1001 USING power.meters TAGS(California.SanFrancisco, 2) VALUES ('2018-10-03 14:38:05.000', 10.30000, 219, 0.31000) ('2018-10-03 14:38:15.000', 12.60000, 218, 0.33000) ('2018-10-03 14:38:16.800', 12.30000, 221, 0.31000)
power.d1002 USING power.meters TAGS(California.SanFrancisco, 3) VALUES ('2018-10-03 14:38:16.650', 10.30000, 218, 0.25000)
power.d1003 USING power.meters TAGS(California.LosAngeles, 2) VALUES ('2018-10-03 14:38:05.500', 11.80000, 221, 0.28000) ('2018-10-03 14:38:16.600', 13.40000, 223, 0.29000)
power.d1004 USING power.meters TAGS(California.LosAngeles, 3) VALUES ('2018-10-03 14:38:05.000', 10.80000, 223, 0.29000) ('2018-10-03 14:38:06.500', 11.50000, 221, 0.35000)""")
assert cursor.rowcount == 8, cursor.rowcount

cursor.execute("SELECT * FROM power.meters LIMIT 3")
assert cursor.rowcount == 3, cursor.rowcount
names = [meta[0] for meta in cursor.description]
assert names == ["ts", "current", "voltage", "phase", "location", "groupid"], names
rows = cursor.fetchall()
assert len(rows) == 3 and all(len(row) == 6 for row in rows), rows

cursor.execute("SELECT ts, current, voltage, phase, location, groupid FROM power.meters ORDER BY ts, tbname")
rows = cursor.fetchall()
instant = rows[0][0] if rows[0][0].tzinfo else rows[0][0].replace(tzinfo=UTC)
assert instant == datetime(2018, 10, 3, 14, 38, 5, tzinfo=UTC), rows[0]
assert rows[0][1:] == [10.3, 219, 0.31, "california.sanfrancisco", 2] or tuple(rows[0][1:]) == (
    10.3,
    219,
    0.31,
    "california.sanfrancisco",
    2,
), rows[0]
assert len(rows) == 8

client = RestClient(url, user="root", password="taosdata")
result = client.sql("SELECT ts, current FROM power.d1001 LIMIT 1")
assert result["code"] == 0 and result["rows"] == 1, result
assert [column[0] for column in result["column_meta"]] == ["ts", "current"], result
assert result["data"][0][1] == 10.3, result
result = client.sql("select server_version()")
assert result["data"] == [["3.3.6.13"]], result
result = client.sql("SELECT AVG(current), MAX(voltage) FROM power.meters PARTITION BY location INTERVAL(1m)")
assert result["rows"] == 2, result

try:
    client.sql("CREATE TABLE 123")
    raise AssertionError("a wrong statement must raise")
except taosrest.Error as error:
    assert error.errno & 0xFFFF == 0x2600, error

try:
    connect(url=url, user="root", password="wrong").cursor().execute("SELECT 1")
    raise AssertionError("a wrong password must raise")
except taosrest.Error:
    pass

cursor.execute("DROP DATABASE IF EXISTS fine")
cursor.execute("CREATE DATABASE fine PRECISION 'ns'")
cursor.execute("CREATE TABLE fine.t (ts TIMESTAMP, j NCHAR(20))")
cursor.execute("INSERT INTO fine.t VALUES (1546300800000000001, '数据')")
cursor.execute("SELECT ts, j, CAST(ts AS BIGINT) FROM fine.t")
row = cursor.fetchall()[0]
assert row[1] == "数据" and row[2] == 1546300800000000001, row
conn.close()
print("taosrest: the page's programs agree")
