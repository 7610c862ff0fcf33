"""Fixtures: one database in memory, reached in process and, by a server in this process, over REST, WebSocket and the C library."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import embudo
from embudo import _embudo

settings.register_profile("default", deadline=None, max_examples=40)
settings.load_profile("default")

SHARED = ":memory:tests"
_numbers = itertools.count()


@pytest.fixture(scope="session", autouse=True)
def no_redirection() -> None:
    """The tests say themselves where EMBUDO_DSN leads."""
    os.environ.pop("EMBUDO_DSN", None)


@pytest.fixture(scope="session")
def root() -> Iterator[embudo.Connection]:
    """Keeps the shared database alive."""
    with embudo.connect(SHARED) as conn:
        yield conn


@pytest.fixture(scope="session")
def server(root: embudo.Connection) -> Iterator[embudo.Server]:
    """A server on the shared database."""
    with root.serve() as server:
        yield server


@pytest.fixture(scope="session")
def old_library(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A C library with the functions of TDengine 3.0 and no others, in front of the extension's own."""
    if shutil.which("cc") is None:
        pytest.skip("cc is not installed")
    root = Path(__file__).resolve().parents[2]
    library = tmp_path_factory.mktemp("libtaos") / "libtaos.so"
    flags = ["-std=c11", "-D_GNU_SOURCE", "-shared", "-fPIC", f"-I{root / 'crates/libtaos/include'}", f'-DTARGET="{_embudo.__file__}"']
    subprocess.run(["cc", *flags, "-o", str(library), str(root / "tests/libtaos_3_0.c"), "-ldl"], check=True)
    return str(library)


@pytest.fixture(scope="session")
def native_dsn(server: embudo.Server) -> str:
    """The server by the C library; the extension is one too."""
    return f"{server.ws_dsn.replace('taosws', 'taos+native', 1)}?library_path={_embudo.__file__}"


# What the old library's design leaves out: it commits no offsets, has one zone for the whole process, and no rows that name their tables.
BEYOND_3_0 = ("test_taos_consumers.py", "test_execute_many", "test_second_kind_rows_of_a_supertable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leaves out what needs more than the old library has."""
    items[:] = [item for item in items if "native of 3.0" not in item.name or not any(beyond in item.nodeid for beyond in BEYOND_3_0)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What the old library has no function for is an error that names it: such a test has no more to say there."""
    report = yield
    if report.failed and "native of 3.0" in item.name and call.excinfo is not None:
        chain: list[BaseException] = [call.excinfo.value]
        while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None:
            chain.append(cause)
        missing = [str(error) for error in chain if "TDengine's has it from" in str(error)]
        if missing:
            report.outcome = "skipped"
            report.longrepr = (str(item.path), 0, missing[0])
    return report


@pytest.fixture(params=["embedded", "rest", "websocket", "native", "native of 3.0"])
def dsn(request: pytest.FixtureRequest) -> str:
    """Where to connect, over each transport."""
    if request.param == "embedded":
        request.getfixturevalue("root")
        return SHARED
    server: embudo.Server = request.getfixturevalue("server")
    if request.param.startswith("native"):
        # The extension is a libtaos too.
        library = _embudo.__file__ if request.param == "native" else request.getfixturevalue("old_library")
        return f"{server.ws_dsn.replace('taosws', 'taos+native', 1)}?library_path={library}"
    return server.rest_dsn if request.param == "rest" else server.ws_dsn


@pytest.fixture
def database(root: embudo.Connection) -> Iterator[str]:
    """An empty database of the test's own."""
    name = f"t{next(_numbers)}"
    root.execute(f"CREATE DATABASE {name} KEEP 36500")
    yield name
    root.execute(f"DROP DATABASE IF EXISTS {name}")


@pytest.fixture
def conn(dsn: str, database: str) -> Iterator[embudo.Connection]:
    """A connection over each transport, in a database of its own, in UTC."""
    with embudo.connect(dsn, database=database, timezone="UTC") as conn:
        yield conn


@pytest.fixture
def local(root: embudo.Connection, database: str) -> Iterator[embudo.Connection]:
    """An embedded connection in a database of its own, in UTC."""
    with embudo.connect(SHARED, database=database, timezone="UTC") as conn:
        yield conn
