#!/usr/bin/env python3
"""Time the official Python packages and ours against the same server, in one run: `python bench/connectors.py`.

Runs under the environment that has Embudo (`.venv`, a release wheel), makes one with taospy 2.8.10 and taos-ws-py 0.7.0 in the
cache, serves a new directory on port 6041, and has each package do the tasks of `../shared/bench/connectors.py` (or that of
EMBUDO_BENCH) in turn, twice; of both turns the better figure counts. A table tells figures and ratios beside what is wanted.

`--clock processor` counts the processor time of client and server in place of the time on the clock, for machines that do
other work; figures in milliseconds then lack what waiting costs. On Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
OFFICIAL = ("taospy==2.8.10", "taos-ws-py==0.7.0", "sqlalchemy==2.0.44")
PORT = 6041  # the program knows no other

#: At least so many times the figure of the official package.
WANTED = {
    "taosrest": {"insert text rows/s": 2, "fetchall rows/s": 5, "pandas rows/s": 6},
    "taosws": {
        "insert text rows/s": 2,
        "fetchall rows/s": 5,
        "pandas rows/s": 4,
        "frame rows/s": 40,
        "prepared rows/s": 5,
    },
}

#: Runs the program by another clock.
CLOCK = """
import os, runpy, sys, time
server = os.environ["EMBUDO_BENCH_SERVER"]
def processor():
    total = time.process_time()
    for thread in os.listdir(f"/proc/{server}/task"):
        try:
            with open(f"/proc/{server}/task/{thread}/schedstat") as figures:
                total += int(figures.read().split()[0]) / 1e9
        except OSError:
            pass  # it ended
    return total
time.perf_counter = processor
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modules", default="taosrest,taosws")
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--clock", choices=("wall", "processor"), default="wall")
    options = parser.parse_args()
    bench = Path(os.environ.get("EMBUDO_BENCH", HERE.parent.parent / "shared" / "bench")) / "connectors.py"
    if not bench.exists():
        print(f"skipped: no benchmark at {bench}")
        return 0
    official = environment()
    with tempfile.TemporaryDirectory(prefix="embudo-bench-") as directory:
        command = [sys.executable, "-m", "embudo", "serve", "--data", directory, "--listen", f"127.0.0.1:{PORT}"]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(server)
            for module in options.modules.split(","):
                figures = {who: {} for who in ("official", "ours")}  # type: dict[str, dict[str, float | str]]
                for _ in range(options.turns):
                    for who, python in (("official", official), ("ours", Path(sys.executable))):
                        better(figures[who], run(python, bench, module, options, server.pid))
                tell(module, figures, options.clock)
        finally:
            server.terminate()
            server.wait()
    return 0


def environment() -> Path:
    """The Python with the official packages."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "embudo" / "bench" / "-".join(OFFICIAL)
    python = cache / "bin" / "python"
    if not (cache / "made").exists():
        shutil.rmtree(cache, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(cache)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, *OFFICIAL, f"pandas=={version('pandas')}"], check=True)
        # taospy's dialects, REST's too, want to load TDengine's library; ours is as good to them.
        from embudo import _embudo

        (cache / "libtaos").mkdir()
        (cache / "libtaos" / "libtaos.so").symlink_to(str(_embudo.__file__))
        (cache / "made").touch()
    return python


def version(package: str) -> str:
    """Of a package of this environment, so that both sides have the same."""
    from importlib import metadata

    return metadata.version(package)


def wait_for(server: subprocess.Popen[bytes]) -> None:
    """Returns once the server answers; an error if it ends before, as where the port is taken."""
    while server.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/-/ping").close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"the server ended with status {server.returncode}; is port {PORT} taken?")


def run(python: Path, bench: Path, module: str, options: argparse.Namespace, server: int) -> dict[str, Any]:
    """The figures of one turn."""
    program = [str(bench), module, "--host", "127.0.0.1", "--rows", str(options.rows)]
    if options.clock == "processor":
        program = ["-c", CLOCK, *program]
    variables = {**os.environ, "EMBUDO_BENCH_SERVER": str(server)}
    variables["LD_LIBRARY_PATH"] = str(python.parent.parent / "libtaos")
    command = [str(python), "-W", "ignore", *program]
    output = subprocess.run(command, env=variables, check=True, stdout=subprocess.PIPE, text=True).stdout
    figures = json.loads(output.splitlines()[-1])
    return {name: figure for name, figure in figures.items() if name.endswith(("/s", " ms"))}


def better(best: dict[str, float | str], turn: dict[str, Any]) -> None:
    """Keeps the better of two figures."""
    for name, figure in turn.items():
        known = best.get(name)
        if isinstance(known, float) and isinstance(figure, float):
            best[name] = min(known, figure) if name.endswith(" ms") else max(known, figure)
        elif not isinstance(known, float):
            best[name] = figure


def tell(module: str, figures: dict[str, dict[str, float | str]], clock: str) -> None:
    """Prints a table."""
    measure = "the clock" if clock == "wall" else "processor time"
    print(f"\n| {module}, by {measure} | official | ours | ratio | wanted |\n|---|---|---|---|---|")
    for name, ours in figures["ours"].items():
        official = figures["official"].get(name, "-")
        ratio = "-"
        if isinstance(official, float) and isinstance(ours, float):
            ratio = f"{official / ours if name.endswith(' ms') else ours / official:.1f}"
        wanted = WANTED.get(module, {}).get(name, "")
        print(f"| {name} | {shown(official)} | {shown(ours)} | {ratio} | {wanted} |", flush=True)


def shown(figure: float | str) -> str:
    """A figure as text."""
    return figure if isinstance(figure, str) else f"{figure:,.0f}" if figure >= 100 else f"{figure:.3f}"


if __name__ == "__main__":
    sys.exit(main())
