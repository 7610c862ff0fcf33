#!/usr/bin/env python3
"""Time what comes before the first statement: imports, opening, the fixture `embudo_db`.

`python bench/starting.py`, under an environment with a release wheel and pytest. Times are processor time in milliseconds, so
that other work on the machine does not change them; imports are the difference to an interpreter that imports nothing.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time

TURNS = 15


def main() -> int:
    """The exit status."""
    bare = process("pass")
    for module in ("embudo", "taos", "taosrest", "taosws", "embudo.aio"):
        print(f"import {module}: {process(f'import {module}') - bare:.1f} ms")
    loaded = "import embudo, sys; print(sorted({'pandas', 'numpy', 'sqlalchemy', 'asyncio'} & set(sys.modules)))"
    print("of pandas, numpy, sqlalchemy, asyncio it imports", subprocess.check_output([sys.executable, "-c", loaded], text=True).strip())
    import embudo

    embudo.connect().close()
    opened = []
    for _ in range(50):
        begun = time.process_time()
        connection = embudo.connect()
        connection.execute("SELECT 1").fetchall()
        connection.close()
        opened.append((time.process_time() - begun) * 1e3)
    print(f"connect, first query and close in memory: {statistics.median(opened):.2f} ms")
    return fixture()


def process(program: str) -> float:
    """The least processor time of a process that runs a program."""
    times = []
    for _ in range(TURNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", program], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times) * 1e3


def fixture() -> int:
    """What a test pays for a fresh database."""
    import pathlib
    import tempfile

    import pytest

    class Durations:
        """Notes how long setting up took."""

        def __init__(self) -> None:
            self.setup: list[float] = []

        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            """Of one phase of a test."""
            if report.when in ("setup", "teardown"):
                self.setup.append(report.duration * 1e3)

    durations = Durations()
    with tempfile.TemporaryDirectory(prefix="embudo-bench-") as directory:
        tests = pathlib.Path(directory) / "test_fixture.py"
        tests.write_text("".join(f"def test_{number}(embudo_db):\n    pass\n\n\n" for number in range(50)))
        status = pytest.main(["-q", "-p", "no:cacheprovider", "--no-summary", str(tests)], plugins=[durations])
    each = [sum(pair) for pair in zip(durations.setup[::2], durations.setup[1::2], strict=True)]
    print(f"embudo_db, set up and torn down, by the clock: median {statistics.median(each):.2f} ms")
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
