"""Debian's Prometheus scrapes itself and sends what it scrapes to our remote_write; another one, which scrapes nothing,
answers queries from our remote_read. `prometheus_remote.py URL BINARY`."""

import json
import socket
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from contextlib import ExitStack
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

url, binary = sys.argv[1:]
authorization = "Basic " + b64encode(b"root:taosdata").decode()


def sql(statement: str) -> list[list[object]]:
    with urlopen(Request(f"{url}/rest/sql", statement.encode(), {"Authorization": authorization})) as answer:
        result = json.load(answer)
    assert result["code"] == 0, result
    return list(result["data"])


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def start(stack: ExitStack, folder: Path, configuration: str) -> int:
    port = free_port()
    folder.mkdir()
    (folder / "prometheus.yml").write_text(configuration.replace("PORT", str(port)))
    command = [
        binary,
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    log = stack.enter_context((folder / "log").open("w"))
    process = stack.enter_context(subprocess.Popen(command, stdout=log, stderr=log))
    stack.callback(process.terminate)
    return port


def query(port: int, text: str, moment: float) -> list[dict[str, object]]:
    parameters = urlencode({"query": text, "time": f"{moment:.3f}"})
    for _ in range(60):
        try:
            with urlopen(f"http://127.0.0.1:{port}/api/v1/query?{parameters}", timeout=30) as answer:
                return list(json.load(answer)["data"]["result"])
        except URLError:
            time.sleep(0.5)
    raise AssertionError("Prometheus does not answer")


sql("CREATE DATABASE prom")
BASIC = "basic_auth: {username: root, password: taosdata}"
WRITER = f"""
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: self
    static_configs: [{{targets: ['127.0.0.1:PORT'], labels: {{site: "a 'quoted' one"}}}}]
remote_write:
  - url: {url}/prometheus/v1/remote_write/prom
    {BASIC}
    queue_config: {{batch_send_deadline: 500ms}}
"""
READER = f"""
remote_read:
  - url: {url}/prometheus/v1/remote_read/prom
    {BASIC}
    read_recent: true
"""
with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
    folder = Path(temporary)
    start(stack, folder / "writer", WRITER)
    deadline = time.monotonic() + 240
    up = "SELECT COUNT(*) FROM prom.metrics WHERE labels->'__name__' = 'up'"
    while True:
        try:
            if sql(up)[0][0] >= 5:  # type: ignore[operator]
                break
        except (AssertionError, IndexError):
            pass
        assert time.monotonic() < deadline, (folder / "writer" / "log").read_text()[-3000:]
        time.sleep(0.5)
    series = sql("SELECT COUNT(*) FROM (SELECT DISTINCT tbname FROM prom.metrics)")[0][0]
    assert isinstance(series, int) and series > 200, series
    labels = sql("SELECT LAST(labels) FROM prom.metrics WHERE labels->'__name__' = 'up'")[0][0]
    assert isinstance(labels, dict) and labels["job"] == "self" and labels["site"] == "a 'quoted' one", labels
    reader = start(stack, folder / "reader", READER)
    moment = time.time()
    answer = query(reader, 'count_over_time(up{job="self"}[10m])', moment)
    stored = sql(f"{up} AND ts <= {int(moment * 1000)}")[0][0]
    assert len(answer) == 1 and answer[0]["metric"]["site"] == "a 'quoted' one", answer  # type: ignore[index]
    counted = int(answer[0]["value"][1])  # type: ignore[index]
    assert 5 <= counted <= stored, (counted, stored)  # type: ignore[operator]
    for text, wanted in (
        ('up{job="self"}', 1),
        ('up{job="other"}', 0),
        ('up{job!="self"}', 0),
        ('{__name__=~"u.", job=~"se.*"}', 1),
        ('up{job!~"se.*"}', 0),
    ):
        found = query(reader, text, moment)
        assert len(found) == wanted, (text, found)
        if wanted:
            assert found[0]["value"][1] == "1", (text, found)  # type: ignore[index]
    heads = query(reader, 'count({__name__=~"prometheus_tsdb_head_.*"})', moment)
    stored = sql(
        "SELECT COUNT(*) FROM (SELECT DISTINCT tbname FROM prom.metrics WHERE labels->'__name__' MATCH '^prometheus_tsdb_head_.*')"
    )[0][0]
    assert int(heads[0]["value"][1]) == stored and stored > 5, (heads, stored)  # type: ignore[index, operator]
