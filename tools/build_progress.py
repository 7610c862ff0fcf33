#!/usr/bin/env python3
"""Run a build and show how far it is: `build_progress.py PACKAGE -- COMMAND …`. Counts the crates that cargo says it compiles
against the number in PACKAGE's tree; a bar with time left on a terminal, a line every 15 seconds elsewhere. The build's own
output is kept back and printed only if it fails. Exit status: the build's."""

import subprocess
import sys
import time
from collections import deque


def crates_in(package: str) -> int:
    """How many crates a build of the package compiles from nothing."""
    command = ["cargo", "tree", "--package", package, "--edges", "normal,build", "--prefix", "none", "--format", "{p}"]
    tree = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return max(1, len({line.split(" (")[0] for line in tree.splitlines() if line.strip()}))


def show(done: int, total: int, name: str, started: float) -> str:
    """One line: bar, counts, the crate being compiled, time left."""
    elapsed = time.monotonic() - started
    share = min(done / total, 0.99)
    left = elapsed / share - elapsed if done > 5 else None
    bar = "#" * int(28 * share)
    remaining = f"about {left // 60:.0f}:{left % 60:02.0f} left" if left is not None else "starting"
    return f"[{bar:<28}] {done}/{total} crates, {remaining}, {name}"


def main() -> int:
    """Run the command; its exit status."""
    split = sys.argv.index("--")
    package, command = sys.argv[1], sys.argv[split + 1 :]
    total, done, started, shown = crates_in(package), 0, time.monotonic(), 0.0
    terminal = sys.stderr.isatty()
    tail: deque[str] = deque(maxlen=400)
    build = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    assert build.stdout is not None
    for line in build.stdout:
        tail.append(line)
        words = line.split()
        if words[:1] == ["Compiling"] and len(words) > 1:
            done += 1
            if terminal:
                print("\r\x1b[2K" + show(done, total, words[1], started)[:118], end="", file=sys.stderr, flush=True)
            elif time.monotonic() - shown > 15:
                shown = time.monotonic()
                print(show(done, total, words[1], started), file=sys.stderr, flush=True)
    status = build.wait()
    if terminal:
        print("\r\x1b[2K", end="", file=sys.stderr)
    if status:
        sys.stderr.writelines(tail)
    else:
        print(f"built {package}: {done} crates compiled in {time.monotonic() - started:.0f} s")
    return status


if __name__ == "__main__":
    sys.exit(main())
