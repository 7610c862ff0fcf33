"""The types that the package declares: its stubs are those of the extension, and a strict user finds them complete."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
pytest.importorskip("mypy")


def _ends_well(*command: str) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=HERE, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_strict_consumer() -> None:
    _ends_well("mypy", "--strict", "--follow-imports=silent", str(HERE / "consumer.py"))


def test_the_stubs_of_the_extension() -> None:
    allowed = ("--allowlist", str(HERE / "stubtest.txt"), "--ignore-unused-allowlist")
    _ends_well(
        "mypy.stubtest", "embudo._embudo", "--ignore-positional-only", "--mypy-config-file", str(HERE.parent / "pyproject.toml"), *allowed
    )
