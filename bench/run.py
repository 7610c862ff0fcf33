#!/usr/bin/env python3
"""Run the TSBS-shaped benchmark beside DuckDB and chDB in one run: `make bench`. The benchmark lies beside the project
(`../shared/bench`, or EMBUDO_BENCH); without it this says so. Further arguments go to it, such as `--hosts 4000 --hours 3`."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    """The exit status of the benchmark."""
    bench = Path(os.environ.get("EMBUDO_BENCH", HERE.parent.parent / "shared" / "bench"))
    if not (bench / "tsbs.py").exists():
        print(f"skipped: no benchmark at {bench}")
        return 0
    command = [
        sys.executable,
        str(bench / "tsbs.py"),
        "--plugin",
        "tsbs_embudo",
        "--engines",
        "duckdb,chdb,embudo",
        "--base",
        "duckdb",
        *sys.argv[1:],
    ]
    path = os.pathsep.join([str(HERE), str(bench), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
