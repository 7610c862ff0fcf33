"""Every program of the documentation, run; those of "coming from taospy" before and after, on every transport."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pytest

import embudo

pytest_plugins = ["pytester"]

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="the documentation is not part of an installed package")

PAGES = ["tutorial", "frames", "asyncio", "subscriptions", "streams", "edge", "sqlalchemy", "tools"]
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _run(program: str, place: pathlib.Path, **environment: str) -> None:
    variables = {name: value for name, value in os.environ.items() if name != "EMBUDO_DSN"}
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:__main__", "-c", program],
        cwd=place,
        env={**variables, **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"{program}\n{done.stderr}"


@pytest.mark.parametrize("page", PAGES)
def test_the_programs_of_a_page(page: str, tmp_path: pathlib.Path) -> None:
    text = (DOCS / "guide" / f"{page}.md").read_text()
    for package in ("duckdb", "adbc_driver_manager", "sqlalchemy", "dask", "ibis"):
        if f"import {package}" in text or (package.startswith("adbc") and "embudo.adbc" in text):
            pytest.importorskip(package)
    _run("\n".join(_BLOCK.findall(text)), tmp_path)


def test_the_tests_of_a_page(pytester: pytest.Pytester) -> None:
    for number, block in enumerate(_BLOCK.findall((DOCS / "guide" / "testing.md").read_text())):
        pytester.makepyfile(**{f"test_block{number}": block})
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=2)


def _pairs() -> list[tuple[str, str, str]]:
    text = (DOCS / "guide" / "from-taospy.md").read_text() if DOCS.exists() else ""
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    found = [(section.splitlines()[0], _BLOCK.findall(section)) for section in sections]
    return [(title, blocks[0], blocks[1]) for title, blocks in found if len(blocks) == 2]


@pytest.fixture(params=["embedded", "websocket", "rest"])
def power(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[tuple[str, str]]:
    """The database of the programs: a DSN for them, and the address of a server on it."""
    with embudo.connect(timezone="UTC") as conn:
        place = conn if request.param != "embedded" else embudo.connect(tmp_path / "data")
        place.execute("CREATE DATABASE power KEEP 36500")
        place.execute("CREATE STABLE power.meters (ts TIMESTAMP, current FLOAT, voltage INT) TAGS (location VARCHAR(64), groupid INT)")
        place.execute("CREATE TABLE power.d1001 USING power.meters TAGS ('Embudo', 1)")
        place.executemany("INSERT INTO power.d1001 VALUES (?, ?, ?)", [(1704067200000 + i, 10.0 + i, 220) for i in range(10)])
        if request.param == "embedded":
            place.close()
            yield str(tmp_path / "data"), "localhost:6041"
            return
        with conn.serve() as server:
            yield (server.ws_dsn if request.param == "websocket" else server.rest_dsn), f"{server.host}:{server.port}"


def test_there_are_twenty() -> None:
    assert len(_pairs()) == 20


@pytest.mark.parametrize("number", range(20))
@pytest.mark.parametrize("which", ["before", "after"])
def test_coming_from_taospy(number: int, which: str, power: tuple[str, str], tmp_path: pathlib.Path) -> None:
    title, before, after = _pairs()[number]
    dsn, address = power
    if which == "before":
        for package in ("sqlalchemy", "pandas"):
            if f"import {package}" in before:
                pytest.importorskip(package)
        _run(before, tmp_path, EMBUDO_DSN=dsn)
        return
    if "embudo.adbc" in after:
        pytest.importorskip("adbc_driver_manager")
    assert "localhost:6041" in after or "connect()" in after, title
    program = re.sub(r'"taos(ws|rest)://[^"]*localhost:6041(/power)?"', lambda found: f'"{dsn}"' + _database(found[2]), after)
    _run(textwrap.dedent(program).replace("localhost:6041", address), tmp_path)


def _database(path: str | None) -> str:
    return "" if path is None else ', database="power"'
