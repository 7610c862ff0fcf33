"""Embudo in twenty seconds: TDengine's connector page on an embedded database and on a server, then a day of 1,000 meters.

    python examples/quickstart.py               everything, in a temporary folder
    python examples/quickstart.py --url URL     only the page's program, against a running server

The page's program (`page`) is written as TDengine's documentation has it. The same lines run embedded, because EMBUDO_DSN says
where to, and over REST, because it does not.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator
from typing import Any

METERS = 1_000
SECONDS = 86_400
STEP = 10
ROWS_A_METER = SECONDS // STEP
ROWS = METERS * ROWS_A_METER
DAY = datetime.datetime(2024, 6, 1, tzinfo=datetime.UTC)
CITIES = (
    "Campbell",
    "Cupertino",
    "Los Angeles",
    "Mountain View",
    "Palo Alto",
    "San Diego",
    "San Francisco",
    "Sunnyvale",
)

QUERIES = (
    ("INTERVAL", "hourly averages of all", "SELECT _wstart, AVG(current), MAX(voltage) FROM fleet.meters INTERVAL(1h)"),
    (
        "PARTITION BY",
        "highest current of each meter",
        "SELECT tbname, MAX(current) FROM fleet.meters PARTITION BY tbname",
    ),
    ("LAST", "newest reading of each meter", "SELECT tbname, LAST(current) FROM fleet.meters PARTITION BY tbname"),
    (
        "FILL",
        "one meter each 5 s, gaps linear",
        "SELECT _wstart, AVG(current) FROM fleet.d7 WHERE ts >= '2024-06-01T06:00:00Z' AND ts < '2024-06-01T07:00:00Z' "
        "INTERVAL(5s) FILL(LINEAR)",
    ),
    (
        "JSON tag",
        "meters of one city",
        "SELECT COUNT(*), AVG(current) FROM fleet.meters WHERE info->'city' = 'Palo Alto'",
    ),
)

INSERT = """INSERT INTO
power.d1001 USING power.meters TAGS(California.SanFrancisco, 2) VALUES ('2018-10-03 14:38:05.000', 10.30000, 219, 0.31000)
    ('2018-10-03 14:38:15.000', 12.60000, 218, 0.33000) ('2018-10-03 14:38:16.800', 12.30000, 221, 0.31000)
power.d1002 USING power.meters TAGS(California.SanFrancisco, 3) VALUES ('2018-10-03 14:38:16.650', 10.30000, 218, 0.25000)
power.d1003 USING power.meters TAGS(California.LosAngeles, 2) VALUES ('2018-10-03 14:38:05.500', 11.80000, 221, 0.28000)
    ('2018-10-03 14:38:16.600', 13.40000, 223, 0.29000)
power.d1004 USING power.meters TAGS(California.LosAngeles, 3) VALUES ('2018-10-03 14:38:05.000', 10.80000, 223, 0.29000)
    ('2018-10-03 14:38:06.500', 11.50000, 221, 0.35000)"""


def title(text: str) -> None:
    """A heading."""
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n== {text}")


# ---------------------------------------------------------------- the page


def page(url: str, where: str, png: pathlib.Path) -> None:
    """The connector page's program."""
    from taosrest import RestClient, TaosRestConnection, TaosRestCursor, connect

    title(f"The connector page, {where}")
    conn: TaosRestConnection = connect(url=url, user="root", password="taosdata", timeout=30)
    cursor: TaosRestCursor = conn.cursor()
    cursor.execute("DROP DATABASE IF EXISTS power")
    cursor.execute("CREATE DATABASE power KEEP 36500")
    cursor.execute(
        "CREATE STABLE power.meters (ts TIMESTAMP, current FLOAT, voltage INT, phase FLOAT) TAGS (location BINARY(64), groupId INT)"
    )
    cursor.execute(INSERT)
    print("inserted row count:", cursor.rowcount)

    cursor.execute("SELECT * FROM power.meters LIMIT 3")
    print("queried row count:", cursor.rowcount)
    print([meta[0] for meta in cursor.description or ()])
    for row in cursor.fetchall():
        print("  ", row)

    client = RestClient(url, user="root", password="taosdata")
    print("RestClient:", client.sql("SELECT ts, current FROM power.meters LIMIT 1"))

    pandas_over_sqlalchemy(url)
    error_example(url)

    cursor.execute("DROP DATABASE IF EXISTS power_ns")
    cursor.execute("CREATE DATABASE power_ns PRECISION 'ns' KEEP 36500")
    cursor.execute("CREATE TABLE power_ns.t (ts TIMESTAMP, v INT)")
    cursor.execute("INSERT INTO power_ns.t VALUES (1538577485123456789, 1)")
    nanoseconds(url)
    cursor.execute("DROP DATABASE power_ns")

    cursor.execute("SELECT tbname, ts, current FROM power.meters ORDER BY ts")
    chart(cursor.fetchall(), png)


def pandas_over_sqlalchemy(url: str) -> None:
    """The page's section on pandas."""
    try:
        import pandas
        from sqlalchemy import create_engine
    except ImportError as missing:
        print(f"(pandas over SQLAlchemy is left out: {missing.name} is not installed)")
        return
    engine = create_engine(f"taosrest://root:taosdata@{url.removeprefix('http://')}")
    frame: pandas.DataFrame = pandas.read_sql("SELECT * FROM power.meters", engine)
    print(frame.index)
    print(type(frame["ts"][0]))
    print(frame)


def error_example(url: str) -> None:
    """The page's section on exceptions. `taos` goes where EMBUDO_DSN says: here, without one, to the server over REST."""
    import taos

    host, _, port = url.removeprefix("http://").partition(":")
    elsewhere = {} if "EMBUDO_DSN" in os.environ else {"transport": "rest", "host": host, "port": int(port)}
    conn = taos.connect(**elsewhere)
    try:
        conn.execute("CREATE TABLE 123")  # wrong sql
    except taos.Error as e:
        print("exception class:", e.__class__.__name__)
        print("error number:", e.errno)
        print("error message:", e.msg)
    conn.close()


def nanoseconds(url: str) -> None:
    """The page's section on nanoseconds: datetimes end at microseconds, so they come as integers."""
    import embudo

    dsn = os.environ.get("EMBUDO_DSN") or f"taosrest://root:taosdata@{url.removeprefix('http://')}"
    with embudo.connect(dsn) as conn:
        print("nanoseconds:", conn.execute("SELECT ts FROM power_ns.t").fetchone())


# ---------------------------------------------------------------- the chart

COLOURS = ((31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40))
GREY = (120, 120, 120)
MARKS = "oxs*"
# Letters of the picture, three points wide and five high, a number a row.
FONT = {
    "0": (7, 5, 5, 5, 7),
    "1": (2, 6, 2, 2, 7),
    "2": (7, 1, 7, 4, 7),
    "3": (7, 1, 7, 1, 7),
    "4": (5, 5, 7, 1, 1),
    "5": (7, 4, 7, 1, 7),
    "6": (7, 4, 7, 5, 7),
    "7": (7, 1, 1, 1, 1),
    "8": (7, 5, 7, 5, 7),
    "9": (7, 5, 7, 1, 7),
    ".": (0, 0, 0, 0, 2),
    ":": (0, 2, 0, 2, 0),
    "d": (1, 1, 7, 5, 7),
}


def chart(rows: list[Any], png: pathlib.Path) -> None:
    """Each meter's current over time, here and as PNG."""
    meters: dict[str, list[tuple[float, float]]] = {}
    for name, instant, current in rows:
        meters.setdefault(str(name), []).append((instant.timestamp(), float(current)))
    points = [point for line in meters.values() for point in line]
    left, right = min(p[0] for p in points), max(p[0] for p in points)
    low, high = min(p[1] for p in points), max(p[1] for p in points)
    width, height = 64, 11
    grid = [[" "] * width for _ in range(height)]
    for mark, line in zip(MARKS, meters.values(), strict=False):
        for x, y in line:
            column = round((x - left) / ((right - left) or 1) * (width - 1))
            grid[height - 1 - round((y - low) / ((high - low) or 1) * (height - 1))][column] = mark
    print("current of each meter:", "  ".join(f"{mark} {name}" for mark, name in zip(MARKS, meters, strict=False)))
    for place, line_of_text in enumerate(grid):
        value = high - (high - low) * place / (height - 1)
        print(f"{value:7.2f} |{''.join(line_of_text)}")
    print(" " * 8 + "+" + "-" * width)
    first, last = (datetime.datetime.fromtimestamp(x).strftime("%H:%M:%S") for x in (left, right))
    print(" " * 9 + first + last.rjust(width - len(first)))
    write_png(png, meters, (left, right, low, high))
    print(f"the same as a picture: {png}")


def write_png(path: pathlib.Path, lines: dict[str, list[tuple[float, float]]], frame: tuple[float, float, float, float]) -> None:
    """Lines in an 8-bit RGB PNG, written by hand so that the example needs no package for it."""
    width, height, margin = 800, 400, 62
    left, right, low, high = frame
    pixels = bytearray(b"\xff" * (width * height * 3))

    def dot(x: int, y: int, colour: tuple[int, int, int], size: int = 1) -> None:
        for row in range(max(y - size, 0), min(y + size + 1, height)):
            for column in range(max(x - size, 0), min(x + size + 1, width)):
                at = (row * width + column) * 3
                pixels[at : at + 3] = bytes(colour)

    def place(x: float, y: float) -> tuple[int, int]:
        across = (x - left) / ((right - left) or 1) * (width - 2 * margin)
        up = (y - low) / ((high - low) or 1) * (height - 2 * margin)
        return margin + round(across), height - margin - round(up)

    for x in range(margin, width - margin):
        dot(x, height - margin, GREY, 0)
    for y in range(margin, height - margin):
        dot(margin, y, GREY, 0)
    for colour, line in zip(COLOURS, lines.values(), strict=False):
        corners = [place(*point) for point in line]
        for (x0, y0), (x1, y1) in itertools.pairwise(corners):
            steps = max(abs(x1 - x0), abs(y1 - y0), 1)
            for step in range(steps + 1):
                dot(x0 + (x1 - x0) * step // steps, y0 + (y1 - y0) * step // steps, colour)
        for x, y in corners:
            dot(x, y, colour, 4)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    def write(text: str, x: int, y: int, colour: tuple[int, int, int]) -> None:
        for letter in text:
            for row, bits in enumerate(FONT.get(letter, (0, 0, 0, 0, 0))):
                for column in range(3):
                    if bits >> (2 - column) & 1:
                        dot(x + column * 3, y + row * 3, colour)
            x += 13

    for share in (0, 0.25, 0.5, 0.75, 1):
        value = low + (high - low) * share
        write(f"{value:.1f}", 4, place(left, value)[1] - 7, GREY)
        instant = datetime.datetime.fromtimestamp(left + (right - left) * share)
        write(f"{instant:%H:%M:%S}", margin + round((width - 2 * margin) * share) - 50, height - margin + 12, GREY)
    for at, (colour, name) in enumerate(zip(COLOURS, lines, strict=False)):
        write(name, margin + 20 + at * 100, 12, colour)

    scanlines = b"".join(b"\x00" + pixels[row * width * 3 : (row + 1) * width * 3] for row in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(scanlines)) + chunk(b"IEND", b""))


# ---------------------------------------------------------------- a day of 1,000 meters


def write_day(folder: str) -> None:
    """The writing process: a day of every meter, the five queries, then on and on until it is killed.

    Every line it prints is true of what is already safe: rows acknowledged so far, times of queries.
    """
    import numpy

    import embudo

    with embudo.connect(folder, timezone="UTC") as conn:
        conn.execute("CREATE DATABASE fleet KEEP 36500")
        conn.execute("CREATE STABLE fleet.meters (ts TIMESTAMP, current FLOAT, voltage INT, phase FLOAT) TAGS (info JSON)")
        start = numpy.datetime64(DAY.replace(tzinfo=None), "ms")
        ts = start + numpy.arange(ROWS_A_METER) * numpy.timedelta64(STEP * 1000, "ms")
        turn = numpy.arange(ROWS_A_METER) * (2 * numpy.pi / ROWS_A_METER)
        noise = numpy.random.default_rng(7).normal(0, 0.3, ROWS_A_METER + METERS)

        def meter(number: int, day: int) -> int:
            current = 10 + 3 * numpy.sin(turn + number) + noise[number : number + ROWS_A_METER]
            result = conn.ingest(
                "fleet.meters",
                {
                    "ts": ts + numpy.timedelta64(day, "D"),
                    "current": current.astype("f4"),
                    "voltage": (220 + 5 * noise[number : number + ROWS_A_METER]).astype("i4"),
                    "phase": (0.3 + noise[number : number + ROWS_A_METER] / 20).astype("f4"),
                    "info": {"city": CITIES[number % len(CITIES)], "group": number % 10, "model": "E5"},
                },
                tags=("info",),
                table=f"d{number}",
                create=False,
            )
            return result.rows

        acknowledged = 0
        for number in range(METERS):
            acknowledged += meter(number, 0)
            print("rows", acknowledged, flush=True)
        for place, (_, _, sql) in enumerate(QUERIES):
            conn.execute(sql).fetchall()
            started = time.perf_counter()
            rows = conn.execute(sql).fetchall()
            print("query", place, (time.perf_counter() - started) * 1e3, len(rows), flush=True)
        print("done", flush=True)
        while True:
            for day in range(1, 1_000):
                for number in range(METERS):
                    acknowledged += meter(number, day)
                    print("rows", acknowledged, flush=True)


def day_of_meters(folder: pathlib.Path) -> None:
    """Writes a day of 1,000 meters in a process of its own, kills that, and counts what is left."""
    import embudo

    title(f"{METERS:,} meters, a day at {STEP} s: {ROWS:,} rows, embedded")
    writer = subprocess.Popen([sys.executable, __file__, "--write", str(folder)], stdout=subprocess.PIPE, text=True, bufsize=1)
    started, acknowledged = time.perf_counter(), 0
    for words in _reports(writer):
        if words[0] == "rows":
            acknowledged = int(words[1])
            progress(acknowledged, ROWS, time.perf_counter() - started)
            if acknowledged == ROWS:
                taken = time.perf_counter() - started
                print(f"\r{ROWS:,} rows in {taken:.1f} s: {ROWS / taken / 1e6:.2f} million rows/s" + " " * 30)
        elif words[0] == "query":
            name, what, _ = QUERIES[int(words[1])]
            print(f"  {name:<13} {what:<32} {float(words[2]):9.2f} ms  {int(words[3]):>7,} rows")
        else:
            break

    title("kill -9 of the writing process, in the middle of the next day")
    until = time.perf_counter() + 0.5
    for words in _reports(writer):
        acknowledged = int(words[1])
        if time.perf_counter() > until:
            break
    writer.send_signal(signal.SIGKILL)
    for words in _reports(writer):
        acknowledged = int(words[1])
    writer.wait()
    started = time.perf_counter()
    with embudo.connect(folder) as conn:
        (found,) = conn.execute("SELECT COUNT(*) FROM fleet.meters").fetchone() or (0,)
    taken = time.perf_counter() - started
    verdict = "nothing is lost" if found >= acknowledged else f"{acknowledged - found:,} ROWS ARE LOST"
    print(f"acknowledged {acknowledged:,} rows; after reopening ({taken:.1f} s) there are {found:,}: {verdict}")
    if found < acknowledged:
        sys.exit(1)


def _reports(writer: subprocess.Popen[str]) -> Iterator[list[str]]:
    """What the writing process says, line by line; a line that the kill cut off says nothing."""
    assert writer.stdout is not None
    while line := writer.stdout.readline():
        if line.endswith("\n"):
            yield line.split()
    if writer.wait() not in (0, -signal.SIGKILL):
        sys.exit(f"the writing process failed with {writer.returncode}")


def progress(done: int, all_of: int, taken: float) -> None:
    """A bar with the time that is left."""
    if not sys.stdout.isatty():
        return
    share = done / all_of
    left = taken / share - taken if share else 0.0
    bar = "#" * int(share * 40)
    print(f"\r[{bar:<40}] {share:4.0%}  {done:>9,} rows  {left:4.1f} s left ", end="", flush=True)


# ---------------------------------------------------------------- the server


def serve(folder: pathlib.Path) -> tuple[subprocess.Popen[bytes], str]:
    """Starts `embudo serve` on a free port and waits until it answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "embudo", "serve", "--data", str(folder), "--listen", f"127.0.0.1:{port}"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    url = f"http://127.0.0.1:{port}"
    for _ in range(200):
        try:
            with urllib.request.urlopen(f"{url}/-/ping", timeout=1):
                return server, url
        except (urllib.error.URLError, OSError):
            if server.poll() is not None:
                break
            time.sleep(0.05)
    server.kill()
    said = server.stderr.read().decode() if server.stderr else ""
    sys.exit(f"embudo serve did not start:\n{said}")


def main() -> None:
    """The whole program."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--url", help="run only the page's program, against this server")
    parser.add_argument("--write", metavar="DIR", help=argparse.SUPPRESS)
    parser.add_argument("--keep", metavar="DIR", type=pathlib.Path, help="keep data and pictures in this folder")
    arguments = parser.parse_args()
    if arguments.write:
        write_day(arguments.write)
        return
    started = time.perf_counter()
    folder = arguments.keep or pathlib.Path(tempfile.mkdtemp(prefix="embudo-quickstart-"))
    folder.mkdir(parents=True, exist_ok=True)
    pictures = arguments.keep or pathlib.Path(tempfile.gettempdir())
    try:
        if arguments.url:
            os.environ.pop("EMBUDO_DSN", None)
            page(arguments.url, f"over REST, {arguments.url}", pictures / "embudo-quickstart-rest.png")
            return
        os.environ["EMBUDO_DSN"] = str(folder / "page")
        page(
            "http://localhost:6041",
            "embedded: EMBUDO_DSN leads it to a folder, no server runs",
            pictures / "embudo-quickstart.png",
        )
        del os.environ["EMBUDO_DSN"]
        day_of_meters(folder / "fleet")
        server, url = serve(folder / "served")
        try:
            page(url, f"over REST: `embudo serve` on {url}", pictures / "embudo-quickstart-rest.png")
        finally:
            server.terminate()
            server.wait(10)
    finally:
        if arguments.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    title(f"Done in {time.perf_counter() - started:.1f} s. Three things to try next")
    print("  python -c \"import embudo; print(embudo.connect('./data').execute('SHOW DATABASES').df())\"")
    print("  embudo shell --data ./data            TDengine's SQL on a folder")
    print("  embudo serve --data ./data            then point any TDengine client at http://localhost:6041")


if __name__ == "__main__":
    main()
