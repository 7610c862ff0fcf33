#!/usr/bin/env python3
"""Run official TDengine clients, unmodified and from their registries, against our server: each runs a program that a user would write
and asserts values. One entry a client in CLIENTS; a client whose registry or tool is missing is named as skipped."""

import os
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from serving import serving  # noqa: E402

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "embudo" / "compat"


class Skipped(Exception):
    """Why a client could not be tried."""


def python_client(requirements: list[str], program: str) -> Callable[[str], None]:
    """A client from PyPI in an environment of its own."""

    def run(url: str) -> None:
        folder = CACHE / "-".join(name.replace("==", "-") for name in requirements)
        python = folder / "bin" / "python"
        if not (folder / "made").exists():
            venv.create(folder, with_pip=True, clear=True)
            command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
            if subprocess.run(command, check=False).returncode:
                raise Skipped(f"{' '.join(requirements)} could not be installed")
            (folder / "made").touch()
        subprocess.run([str(python), str(HERE / program), url], check=True, timeout=300)

    return run


CLIENTS: dict[str, Callable[[str], None]] = {
    "taospy 2.8.10 (taosrest)": python_client(["taospy==2.8.10"], "taosrest_page.py"),
}


def main() -> int:
    """Every client against a server of its own; the exit status."""
    passed = failed = skipped = 0
    for name, client in CLIENTS.items():
        try:
            with serving(":memory:") as url:
                client(url)
            passed += 1
            print(f"{name}: passed")
        except Skipped as reason:
            skipped += 1
            print(f"{name}: skipped: {reason}")
        except subprocess.SubprocessError as error:
            failed += 1
            print(f"{name}: failed: {error}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
