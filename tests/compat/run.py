#!/usr/bin/env python3
"""Run official TDengine clients, unmodified and from their registries, against our server: each runs a program that a user would write
and asserts values. One entry a client in CLIENTS; a client whose registry or tool is missing is named as skipped."""

import os
import shutil
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


def built(name: str, tool: str, build: list[str], program: list[str]) -> Callable[[str], None]:
    """A client whose program lies in the folder `name` and is built in a copy of it by a `tool` that may be missing."""

    def run(url: str) -> None:
        if shutil.which(tool) is None:
            raise Skipped(f"{tool} is not installed")
        folder = CACHE / name
        shutil.copytree(HERE / name, folder, dirs_exist_ok=True)
        environment = {**os.environ, "CGO_ENABLED": "0"}
        if subprocess.run(build, cwd=folder, env=environment, check=False, timeout=900).returncode:
            raise Skipped(f"{' '.join(build)} failed; is its registry within reach?")
        subprocess.run([*program, url], cwd=folder, check=True, timeout=300)

    return run


CLIENTS: dict[str, Callable[[str], None]] = {
    "taospy 2.8.10 (taosrest)": python_client(["taospy==2.8.10"], "taosrest_page.py"),
    "taos-ws-py 0.7.0 (taosws)": python_client(["taos-ws-py==0.7.0", "sqlalchemy==2.0.44"], "taosws_page.py"),
    "driver-go v3.7.6": built("go", "go", ["go", "build", "-o", "compat", "."], ["./compat"]),
    "crate taos 0.12.3": built("rust", "cargo", ["cargo", "build", "--quiet"], ["cargo", "run", "--quiet", "--"]),
    "taos-jdbcdriver 3.7.9": built(
        "java",
        "mvn",
        ["mvn", "-q", "-B", "compile", "dependency:build-classpath", "-Dmdep.outputFile=target/classpath"],
        ["sh", "-c", 'java -cp "target/classes:$(cat target/classpath)" Compat "$0"'],
    ),
    "@tdengine/rest 3.0.3, and the frames of @tdengine/websocket": built(
        "node", "node", ["npm", "install", "--no-audit", "--no-fund", "--silent"], ["node", "main.mjs"]
    ),
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
