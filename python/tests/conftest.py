"""Fixtures: one database in memory, reached in process and, by a server in this process, over REST, WebSocket and the C library."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

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
def native_dsn(server: embudo.Server) -> str:
    """The server by the C library; the extension is one too."""
    return f"{server.ws_dsn.replace('taosws', 'taos+native', 1)}?library_path={_embudo.__file__}"


@pytest.fixture(params=["embedded", "rest", "websocket", "native"])
def dsn(request: pytest.FixtureRequest) -> str:
    """Where to connect, over each transport."""
    if request.param == "embedded":
        request.getfixturevalue("root")
        return SHARED
    server: embudo.Server = request.getfixturevalue("server")
    if request.param == "native":
        # The extension is a libtaos too.
        return f"{server.ws_dsn.replace('taosws', 'taos+native', 1)}?library_path={_embudo.__file__}"
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
