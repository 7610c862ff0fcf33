#!/usr/bin/env python3
"""Time `embudo.aio`: 1,000 awaits at a time on one connection, threads that it starts, and how soon a cancelled query ends.

`python bench/asynchronous.py [--seconds N] [--loop asyncio|uvloop]`, under an environment with a release wheel. The server is
a process of its own. Processor time is that of this process, for a figure that other work on the machine does not change.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

FIRST = 1_700_000_000_000
ROWS = 1_000
AT_A_TIME = 1_000


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="embudo-bench-") as directory:
        command = [sys.executable, "-m", "embudo", "serve", "--data", directory, "--listen", "127.0.0.1:0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
            try:
                address = address_of(server)
                work = measured(f"taosws://root:taosdata@{address}", options.seconds)
                if options.loop == "uvloop":
                    import uvloop

                    uvloop.run(work)
                else:
                    asyncio.run(work)
            finally:
                server.terminate()
    return 0


def address_of(server: subprocess.Popen[str]) -> str:
    """Where it listens, as it says itself."""
    import re

    assert server.stdout is not None
    for line in server.stdout:
        if found := re.search(r"127\.0\.0\.1:\d+", line):
            threading.Thread(target=server.stdout.read, daemon=True).start()
            return found[0]
    sys.exit("the server did not start")


async def measured(dsn: str, seconds: float) -> None:
    """Prints the figures."""
    from embudo import aio

    threads = threads_now()
    connection = await aio.connect(dsn)
    await connection.execute("CREATE DATABASE d")
    await connection.execute("CREATE TABLE d.t (ts TIMESTAMP, v BIGINT)")
    values = "".join(f"({FIRST + row},{row})" for row in range(ROWS))
    await connection.execute(f"INSERT INTO d.t VALUES {values}")
    for what, ask in (("as text", as_text), ("with parameters", bound)):
        count, most, taken = 0, 0, []
        begun, worked = time.perf_counter(), time.process_time()
        while time.perf_counter() - begun < seconds:
            started = time.perf_counter()
            answers = await asyncio.gather(*(ask(connection, number) for number in range(AT_A_TIME)))
            taken.append((time.perf_counter() - started) / AT_A_TIME)
            assert answers == [[(number % ROWS,)] for number in range(AT_A_TIME)]
            count, most = count + AT_A_TIME, max(most, threads_now())
        elapsed, worked = time.perf_counter() - begun, time.process_time() - worked
        print(
            f"{AT_A_TIME} point queries {what} at a time: {count / elapsed:,.0f} a second, best round {1 / min(taken):,.0f}; "
            f"{worked / count * 1e6:.0f} us of this process each; {most - threads} threads more than before"
        )
    await cancelling(connection)
    await connection.close()


async def as_text(connection: Any, number: int) -> Any:
    """One row by its time."""
    cursor = await connection.execute(f"SELECT v FROM d.t WHERE ts = {FIRST + number % ROWS}")
    return await cursor.fetchall()


async def bound(connection: Any, number: int) -> Any:
    """The same with a parameter."""
    cursor = await connection.execute("SELECT v FROM d.t WHERE ts = ?", (FIRST + number % ROWS,))
    return await cursor.fetchall()


async def cancelling(connection: Any) -> None:
    """How soon the server is rid of a query whose task was cancelled."""
    await connection.execute("CREATE TABLE d.many (ts TIMESTAMP, v BIGINT)")
    values = "".join(f"({FIRST + row},{row})" for row in range(20 * ROWS))
    await connection.execute(f"INSERT INTO d.many VALUES {values}")
    slow = "SELECT ts, v FROM d.many"
    for _ in range(30):
        slow = f"SELECT ts, v + 1 AS v FROM ({slow}) ORDER BY v DESC, ts"
    slow = " UNION ALL ".join([f"SELECT COUNT(*) FROM ({slow})"] * 20)
    taken = []
    for _ in range(10):
        task = asyncio.create_task(connection.execute(slow))
        while not await running(connection):
            await asyncio.sleep(0.002)
        assert not task.done(), "the slow query is none on this machine"
        started = time.perf_counter()
        task.cancel()
        while await running(connection):
            await asyncio.sleep(0.001)
        taken.append((time.perf_counter() - started) * 1e3)
        assert task.cancelled()
    print(f"cancelled queries were gone from the server after {statistics.median(taken):.1f} ms, the last after {max(taken):.1f} ms")


async def running(connection: Any) -> bool:
    """Whether the server runs the slow query."""
    cursor = await connection.execute(
        "SELECT COUNT(*) FROM performance_schema.perf_queries WHERE sql LIKE 'SELECT COUNT(*) FROM (SELECT ts, v + 1%'"
    )
    return bool((await cursor.fetchall())[0][0])


def threads_now() -> int:
    """Threads of this process, those of the extension among them."""
    return len(list(Path("/proc/self/task").iterdir()))


if __name__ == "__main__":
    sys.exit(main())
