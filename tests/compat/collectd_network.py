"""Debian's collectd measures this machine and sends what it measures to our listener.

`collectd_network.py FOLDER`: the unpacked package."""

import json
import socket
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from pathlib import Path
from urllib.request import Request, urlopen

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from serving import serving

package = Path(sys.argv[1])
authorization = "Basic " + b64encode(b"root:taosdata").decode()


def free_port() -> int:
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def rows(url: str, statement: str) -> list[list[object]]:
    with urlopen(Request(f"{url}/rest/sql", statement.encode(), {"Authorization": authorization})) as answer:
        return list(json.load(answer).get("data", []))


port = free_port()
with serving(":memory:", options=("--collectd", str(port))) as url, tempfile.TemporaryDirectory() as temporary:
    folder = Path(temporary)
    plugins = "".join(f"LoadPlugin {name}\n" for name in ("cpu", "load", "memory", "interface", "network", "uptime"))
    (folder / "collectd.conf").write_text(
        f'Hostname "edge, one"\nFQDNLookup false\nInterval 1\nBaseDir "{folder}"\nPIDFile "{folder}/pid"\n'
        f'PluginDir "{package}/usr/lib/collectd"\n'
        f'TypesDB "{package}/usr/share/collectd/types.db"\n{plugins}<Plugin network>\n  Server "127.0.0.1" "{port}"\n</Plugin>\n'
    )
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen([package / "usr/sbin/collectd", "-f", "-C", folder / "collectd.conf"], stdout=log, stderr=log) as collectd,
    ):
        try:
            deadline = time.monotonic() + 240
            while True:
                load = rows(url, "SELECT COUNT(*), MIN(`value`), FIRST(`host`) FROM collectd.load_shortterm")
                if load and isinstance(load[0][0], int) and load[0][0] >= 3:
                    break
                assert time.monotonic() < deadline, (load, (folder / "log").read_text()[-3000:])
                time.sleep(0.5)
        finally:
            collectd.terminate()
    assert load[0][2] == "edge, one" and isinstance(load[0][1], float) and load[0][1] >= 0, load
    for table in ("cpu_value", "memory_value", "interface_rx", "interface_tx", "load_midterm", "load_longterm", "uptime_value"):
        found = rows(url, f"SELECT COUNT(*), MAX(`value`) FROM collectd.{table}")
        assert found and isinstance(found[0][0], int) and found[0][0] > 0, (table, found)
    states = {row[0] for row in rows(url, "SELECT DISTINCT `type_instance` FROM collectd.cpu_value")}
    assert {"user", "system", "idle"} <= states, states
