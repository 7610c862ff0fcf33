#!/usr/bin/env python3
"""Time frames in and out: a cursor's own calls, ADBC through pandas and polars, and `to_sql`, embedded and over WebSocket.

`python bench/frames.py [--rows N]`, under an environment with a release wheel and `embudo[adbc]`, pandas and polars. Figures
are rows a second, by the clock and by the processor time of this process.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

import embudo
from embudo import adbc

FIRST = 1_704_067_200_000
QUERY = "SELECT * FROM d.t"


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with embudo.connect(":memory:bench") as connection:
        frame = filled(connection, rows)
        with connection.serve(port=0) as server:
            for dsn in (":memory:bench", f"taosws://root:taosdata@{server.host}:{server.port}"):
                print(f"\n{dsn.partition('://')[0]}, {rows:,} rows of 5 columns")
                measure(dsn, frame, rows)
    return 0


def filled(connection: Any, rows: int) -> Any:
    """A table of five columns, and its frame."""
    connection.execute("CREATE DATABASE d KEEP 36500")
    connection.execute("CREATE TABLE d.t (ts TIMESTAMP, i BIGINT, d DOUBLE, s VARCHAR(16), b BOOL)")
    import numpy
    import pandas

    numbers = numpy.arange(rows)
    frame = pandas.DataFrame(
        {
            "ts": pandas.to_datetime(FIRST + numbers, unit="ms", utc=True),
            "i": numbers,
            "d": numbers * 0.5,
            "s": [f"name_{number % 1000}" for number in range(rows)],
            "b": numbers % 2 == 1,
        }
    )
    connection.ingest("d.t", frame)
    return frame


def measure(dsn: str, frame: Any, rows: int) -> None:
    """Prints one line a way."""
    import pandas
    import polars

    with embudo.connect(dsn) as connection, adbc.connect(dsn) as driver:
        # pandas' stubs know no connections of ADBC.
        adbc_connection: Any = driver
        timed("cursor.df()", rows, lambda: connection.execute(QUERY).df())
        timed("cursor.pl()", rows, lambda: connection.execute(QUERY).pl())
        timed("pandas.read_sql, ADBC", rows, lambda: pandas.read_sql(QUERY, adbc_connection))
        timed("polars.read_database, ADBC", rows, lambda: polars.read_database(QUERY, driver))
        timed("connection.ingest", rows, lambda: connection.ingest("d.written", frame))
        timed("DataFrame.to_sql, ADBC", rows, lambda: frame.to_sql("written", driver, schema="d", if_exists="append", index=False))
        connection.execute("DROP TABLE d.written")


def timed(what: str, rows: int, work: Callable[[], Any]) -> None:
    """The best of three."""
    wall, processor = [], []
    for _ in range(3):
        begun, worked = time.perf_counter(), time.process_time()
        made = work()
        wall.append(time.perf_counter() - begun)
        processor.append(time.process_time() - worked)
        assert not hasattr(made, "columns") or len(made) == rows
    print(f"  {what}: {rows / min(wall) / 1e6:.2f} M, by processor time {rows / min(processor) / 1e6:.2f} M", flush=True)


if __name__ == "__main__":
    sys.exit(main())
