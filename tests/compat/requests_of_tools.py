"""What Grafana's TDengine plugin and Telegraf's outputs send, request by request, over one kept connection each."""

import gzip
import json
import sys
from base64 import b64encode
from http.client import HTTPConnection
from urllib.parse import urlsplit

parts = urlsplit(sys.argv[1])
assert parts.hostname is not None
BASIC = "Basic " + b64encode(b"root:taosdata").decode()


def ask(connection: HTTPConnection, path: str, body: bytes, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    connection.request("POST", path, body, {"Authorization": BASIC, **{name.replace("_", "-"): value for name, value in headers.items()}})
    answer = connection.getresponse()
    return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}


telegraf = HTTPConnection(parts.hostname, parts.port)
status, body, _ = ask(telegraf, "/rest/sql", b"CREATE DATABASE telegraf", User_Agent="curl/8.0")
assert status == 200 and json.loads(body)["code"] == 0, body
lines = "\n".join(
    f"cpu,cpu=cpu{core},host=edge\\ 1 usage_idle={90 + core}.5,usage_user={core}i,up=true 17000000{second:02}000000000"
    for second in range(10)
    for core in range(4)
)
for encoding in (None, "gzip"):
    text = lines.encode() if encoding is None else gzip.compress(lines.replace("host=edge\\ 1", "host=edge\\ 2").encode())
    headers = {"Content_Type": "text/plain; charset=utf-8", "User_Agent": "Telegraf/1.33.0"} | (
        {"Content_Encoding": encoding} if encoding else {}
    )
    status, body, _ = ask(telegraf, "/influxdb/v1/write?db=telegraf", text, **headers)
    assert (status, body) == (204, b""), (status, body)
status, body, _ = ask(
    telegraf,
    "/influxdb/v1/write?db=telegraf&precision=ns&consistency=any&rp=",
    b"mem,host=x free=1i 1700000000000000000\n",
    Content_Type="text/plain",
)
assert status == 204, body
status, body, _ = ask(telegraf, "/influxdb/v1/write?db=telegraf", b"mem,host=x free=oops 1700000000000000000\n", Content_Type="text/plain")
assert status == 500 and json.loads(body)["code"] == "internal error", (status, body)

# Grafana: a health check, the list of databases, then one query a panel with the range of time in the statement; answers may be compressed.
grafana = HTTPConnection(parts.hostname, parts.port)
for path, sql in (("/rest/sql", "show databases"), ("/rest/sqlutc", "select server_version()")):
    status, body, _ = ask(grafana, path, sql.encode(), User_Agent="Go-http-client/1.1", Content_Type="text/plain")
    assert status == 200 and json.loads(body)["code"] == 0, body
panel = (
    "select _wstart as ts, avg(usage_idle) as idle, max(usage_user) from telegraf.cpu where _ts >= '2023-11-14T22:13:20.000Z' "
    "and _ts < '2023-11-14T22:13:30.000Z' "
    "partition by `host` interval(5s) fill(null)"
)
status, body, headers = ask(grafana, "/rest/sql?tz=Asia/Shanghai", panel.encode(), Accept_Encoding="gzip")
assert headers.get("content-encoding") == "gzip", headers
answer = json.loads(gzip.decompress(body))
assert [column[:2] for column in answer["column_meta"]] == [["ts", "TIMESTAMP"], ["idle", "DOUBLE"], ["max(usage_user)", "BIGINT"]], answer
assert answer["rows"] == 4 and sorted({row[0] for row in answer["data"]}) == [
    "2023-11-15T06:13:20.000+08:00",
    "2023-11-15T06:13:25.000+08:00",
], answer
assert {tuple(row[1:]) for row in answer["data"]} == {(92.0, 3)}, answer
grafana.request("GET", "/rest/login/root/taosdata")
token = json.loads(grafana.getresponse().read())["desc"]
status, body, _ = ask(grafana, "/rest/sql", b"select count(*) from telegraf.cpu", Authorization=f"Taosd {token}")
assert json.loads(body)["data"] == [[80]], body
