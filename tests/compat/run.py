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
sys.path[:0] = [str(HERE), str(HERE.parent)]

import parity  # noqa: E402
from serving import serving  # noqa: E402

ROOT = HERE.parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "embudo" / "compat"


class Skipped(Exception):
    """Why a client could not be tried."""


def python_client(requirements: list[str], program: str) -> Callable[[str], None]:
    """A client from PyPI in an environment of its own."""

    def run(url: str) -> None:
        subprocess.run([python_with(requirements), str(HERE / program), url], check=True, timeout=300)

    return run


def python_with(requirements: list[str]) -> str:
    """The interpreter of an environment that has these packages from PyPI."""
    folder = CACHE / "-".join(name.replace("==", "-") for name in requirements)
    python = folder / "bin" / "python"
    if not (folder / "made").exists():
        venv.create(folder, with_pip=True, clear=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
        if subprocess.run(command, check=False).returncode:
            raise Skipped(f"{' '.join(requirements)} could not be installed")
        (folder / "made").touch()
    return str(python)


def ours(program: str) -> Callable[[str], None]:
    """The program of an official client with our package in its place."""

    def run(url: str) -> None:
        subprocess.run([sys.executable, str(HERE / program), url], check=True, timeout=300)

    return run


def our_taos(url: str) -> None:
    """The program of the official native package with ours in its place: over WebSocket, REST and embedded."""
    host, _, port = url.removeprefix("http://").rstrip("/").partition(":")
    program = [sys.executable, str(HERE / "taos_native.py")]
    plain = {key: value for key, value in os.environ.items() if key != "EMBUDO_DSN"}
    subprocess.run([*program, host, port], check=True, timeout=300, env=plain)
    for dsn in (f"taosrest://root:taosdata@{host}:{port}", ":memory:"):
        subprocess.run(program, check=True, timeout=300, env=plain | {"EMBUDO_DSN": dsn})


TAOSPY = ["taospy==2.8.10"]
TAOS_WS_PY = ["taos-ws-py==0.7.0", "sqlalchemy==2.0.44"]


def names(url: str) -> None:
    """Every public name of the official Python packages exists in ours, with signatures that take the same calls."""
    folder = next(Path(python_with(TAOSPY)).parents[1].glob("lib/python3*/site-packages"))
    parity.check(folder, Path(python_with(TAOS_WS_PY)))


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


def libtaos() -> Path:
    """The folder with our C library, built from the sources, under the names that programs look for."""
    if shutil.which("cargo") is None:
        raise Skipped("cargo is not installed")
    subprocess.run(["cargo", "build", "--quiet", "--package", "embudo-libtaos"], cwd=ROOT, check=True, timeout=3600)
    built = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "libtaos.so"
    folder = CACHE / "libtaos"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("libtaos.so", "libtaos.so.1"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(built)
    return folder


def on_libtaos(prepare: Callable[[Path], list[str]]) -> Callable[[str], None]:
    """A program on our C library, embedded and over WebSocket; `prepare` is given the library's folder and gives the command."""

    def run(url: str) -> None:
        library = libtaos()
        command = prepare(library)
        environment = {**os.environ, "LD_LIBRARY_PATH": str(library)}
        subprocess.run(command, env={**environment, "EMBUDO_DSN": ":memory:"}, check=True, timeout=900)
        host, _, port = url.removeprefix("http://").rpartition(":")
        subprocess.run([*command, host, port], env=environment, check=True, timeout=900)

    return run


def c_program(library: Path) -> list[str]:
    """The C program of every feature."""
    if shutil.which("cc") is None:
        raise Skipped("cc is not installed")
    program = CACHE / "features"
    sources = sorted(map(str, (HERE / "c").glob("*.c")))
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-g", f"-I{ROOT / 'crates/libtaos/include'}"]
    subprocess.run(["cc", *flags, *sources, "-o", str(program), f"-L{library}", "-ltaos", "-lpthread"], check=True, timeout=300)
    return [str(program)]


def checked_c_program(library: Path) -> list[str]:
    """The same under valgrind: no wrong access, nothing lost."""
    if shutil.which("valgrind") is None:
        raise Skipped("valgrind is not installed")
    options = ["--quiet", "--error-exitcode=9", "--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite"]
    return ["valgrind", *options, *c_program(library)]


def go_program(library: Path) -> list[str]:
    """driver-go's own binding of the C library."""
    if shutil.which("go") is None or shutil.which("cc") is None:
        raise Skipped("go or cc is not installed")
    folder = CACHE / "gonative"
    shutil.copytree(HERE / "gonative", folder, dirs_exist_ok=True)
    flags = {"CGO_ENABLED": "1", "CGO_CFLAGS": f"-I{ROOT / 'crates/libtaos/include'}", "CGO_LDFLAGS": f"-L{library}"}
    if subprocess.run(["go", "build", "-o", "compat", "."], cwd=folder, env={**os.environ, **flags}, check=False, timeout=900).returncode:
        raise Skipped("go build failed; is its registry within reach?")
    return [str(folder / "compat")]


def debian(package: str, program: Callable[[str, Path], list[str]]) -> Callable[[str], None]:
    """A program from a package of Debian's, unpacked into the cache; what runs is told by the server's URL and the folder."""

    def run(url: str) -> None:
        folder = CACHE / package
        if not (folder / "made").exists():
            if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
                raise Skipped("apt-get is not installed")
            folder.mkdir(parents=True, exist_ok=True)
            if subprocess.run(["apt-get", "download", "--quiet", package], cwd=folder, check=False, capture_output=True).returncode:
                raise Skipped(f"the package {package} could not be had")
            archive = next(folder.glob("*.deb"))
            subprocess.run(["dpkg-deb", "--extract", archive, folder], check=True)
            archive.unlink()
            (folder / "made").touch()
        subprocess.run(program(url, folder), check=True, timeout=300)

    return run


def script(program: str) -> Callable[[str], None]:
    """Requests of a program that cannot be had here, sent by a script."""

    def run(url: str) -> None:
        subprocess.run([sys.executable, str(HERE / program), url], check=True, timeout=300)

    return run


CLIENTS: dict[str, Callable[[str], None]] = {
    "taospy 2.8.10 (taosrest)": python_client(TAOSPY, "taosrest_page.py"),
    "taos-ws-py 0.7.0 (taosws)": python_client(TAOS_WS_PY, "taosws_page.py"),
    "our taos in place of taospy's": our_taos,
    "our taosrest in place of taospy's": ours("taosrest_page.py"),
    "our taosws in place of taos-ws-py's": ours("taosws_page.py"),
    "our taosws in place of taos-ws-py's, topics": ours("taosws_topics.py"),
    "names and signatures of taospy and taos-ws-py in ours": names,
    "taos-ws-py 0.7.0 (taosws), topics": python_client(TAOS_WS_PY, "taosws_topics.py"),
    "driver-go v3.7.6": built("go", "go", ["go", "build", "-o", "compat", "."], ["./compat"]),
    "crate taos 0.12.3": built("rust", "cargo", ["cargo", "build", "--quiet"], ["cargo", "run", "--quiet", "--"]),
    "taos-jdbcdriver 3.7.9": built(
        "java",
        "mvn",
        ["mvn", "-q", "-B", "compile", "dependency:build-classpath", "-Dmdep.outputFile=target/classpath"],
        ["sh", "-c", 'java -cp "target/classes:$(cat target/classpath)" Compat "$0"'],
    ),
    "@tdengine/rest 3.0.3, and the frames of @tdengine/websocket": built(
        "node",
        "node",
        ["npm", "install", "--no-audit", "--no-fund", "--silent"],
        ["sh", "-c", 'node main.mjs "$0" && node topics.mjs "$0"'],
    ),
    "taospy 2.8.10 (taos) on our libtaos": on_libtaos(lambda _: [python_with(["taospy==2.8.10"]), str(HERE / "taos_native.py")]),
    "driver-go v3.7.6 with cgo on our libtaos": on_libtaos(go_program),
    "a C program on our libtaos": on_libtaos(c_program),
    "a C program on our libtaos, under valgrind": on_libtaos(checked_c_program),
    "influxdb 5.3.2 and influxdb-client 1.50.0": python_client(["influxdb==5.3.2", "influxdb-client==1.50.0"], "influxdb_clients.py"),
    "requests of Grafana and Telegraf": script("requests_of_tools.py"),
    "Debian's prometheus": debian(
        "prometheus",
        lambda url, folder: [sys.executable, str(HERE / "prometheus_remote.py"), url, str(folder / "usr" / "bin" / "prometheus")],
    ),
    "Debian's collectd": debian("collectd-core", lambda _, folder: [sys.executable, str(HERE / "collectd_network.py"), str(folder)]),
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
        except (subprocess.SubprocessError, parity.Missing) as error:
            failed += 1
            print(f"{name}: failed: {error}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
