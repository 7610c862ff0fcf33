#!/usr/bin/env python3
"""Runs SQLAlchemy's own suite for dialects over every transport and says what was run and what was skipped, by reason."""

from __future__ import annotations

import collections
import pathlib
import re
import subprocess
import sys
import tempfile

import embudo

HERE = pathlib.Path(__file__).resolve().parent


def run(url: str) -> bool:
    """One run; whether nothing failed."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-rs",
        "-p",
        "unsupported",
        "-p",
        "no:cacheprovider",
        "--disable-warnings",
        "--rootdir",
        str(HERE),
        f"--dburi={url}",
    ]
    command += ["--tb=short", str(HERE / "test_suite.py"), *sys.argv[1:]]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    reasons: collections.Counter[str] = collections.Counter()
    for count, reason in re.findall(r"^SKIPPED \[(\d+)\] [^ ]+: (.*)$", done.stdout, re.MULTILINE):
        reasons[reason.split(" : ")[-1][:100]] += int(count)
    for reason, count in reasons.most_common():
        print(f"  {count:4} skipped: {reason}")
    if done.returncode != 0:
        print(done.stdout[-20_000:], done.stderr[-5_000:])
    print(f"{url.split('://')[0]}: {done.stdout.strip().splitlines()[-1]}")
    return done.returncode == 0


def main() -> int:
    """The embedded database, then a server's by WebSocket and REST."""
    good = True
    with tempfile.TemporaryDirectory() as place:
        with embudo.connect(place) as conn:
            conn.execute("CREATE DATABASE IF NOT EXISTS suite KEEP 36500")
        good &= run(f"embudo:///{place}?database=suite&timezone=UTC")
    for dialect in ("embudo+ws", "embudo+http"):
        with embudo.connect() as conn, conn.serve() as server:
            conn.execute("CREATE DATABASE suite KEEP 36500")
            good &= run(f"{dialect}://root:taosdata@{server.host}:{server.port}/suite?timezone=UTC")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
