#!/usr/bin/env python3
"""Say before a long build what is missing, with one line that installs it. Exits 1 where something is."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

RUST = (1, 90)
PYTHON = (3, 11)
DISK_GIB = 6


def version_of(command: list[str]) -> tuple[int, ...] | None:
    """The first dotted number that a command prints, or None where it does not run."""
    try:
        text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"(\d+)\.(\d+)", text)
    return tuple(int(part) for part in match.groups()) if match else None


def missing() -> list[str]:
    """One line for each thing that is missing, with the command that installs it."""
    lines: list[str] = []
    rust = version_of(["rustc", "--version"])
    if rust is None:
        lines.append("rustc not found; install: curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh")
    elif rust < RUST:
        lines.append(f"rustc {rust[0]}.{rust[1]} is too old, {RUST[0]}.{RUST[1]} is needed; update: rustup update stable")
    if not any(shutil.which(compiler) for compiler in ("cc", "gcc", "clang")):
        lines.append("no C compiler; install: apt-get install build-essential (or: xcode-select --install)")
    if sys.version_info < PYTHON:
        lines.append(
            f"Python {sys.version_info.major}.{sys.version_info.minor} is too old, 3.11 is needed; install: "
            "apt-get install python3.11 python3.11-venv, then: make PYTHON=python3.11"
        )
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        lines.append("Python's venv is missing; install: apt-get install python3-venv")
    free = shutil.disk_usage(Path.home()).free / 2**30
    if free < DISK_GIB:
        lines.append(
            f"{free:.1f} GiB free in {Path.home()}, {DISK_GIB} are needed for the build; free some, or set XDG_CACHE_HOME to another disk"
        )
    return lines


def main() -> int:
    """Print what is missing; the exit status."""
    lines = missing()
    for line in lines:
        print(f"preflight: {line}", file=sys.stderr)
    if not lines:
        print(f"preflight: rustc, C compiler, Python {sys.version_info.major}.{sys.version_info.minor}, venv and disk are there")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
