"""The C interface that the extension exports: programs of ctypes on a session of the process, beside everything else here."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest

import embudo
from embudo import _embudo


@pytest.fixture(scope="module")
def library() -> ctypes.CDLL:
    library = ctypes.CDLL(_embudo.__file__)
    library.taos_get_client_info.restype = ctypes.c_char_p
    library.taos_errstr.restype = ctypes.c_char_p
    library.taos_errstr.argtypes = [ctypes.c_void_p]
    library.taos_query.restype = ctypes.c_void_p
    library.taos_query.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    library.taos_fetch_row.restype = ctypes.POINTER(ctypes.c_void_p)
    for name in ("taos_errno", "taos_fetch_row", "taos_affected_rows", "taos_free_result", "taos_close"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
    return library


def run(library: ctypes.CDLL, handle: int, sql: str) -> Any:
    result = library.taos_query(handle, sql.encode())
    assert library.taos_errno(result) == 0, library.taos_errstr(result)
    return result


def test_ctypes_and_the_session_share_one_database(library: ctypes.CDLL) -> None:
    session = _embudo.connect(":memory:", {})
    handle = session.c_handle()
    library.taos_free_result(run(library, handle, "CREATE DATABASE d"))
    library.taos_free_result(run(library, handle, "CREATE TABLE d.t (ts TIMESTAMP, v INT)"))
    result = run(library, handle, "INSERT INTO d.t VALUES (NOW, 7)")
    assert library.taos_affected_rows(result) == 1
    library.taos_free_result(result)
    assert session.run("SELECT v FROM d.t").rows() == [(7,)]
    result = run(library, handle, "SELECT v FROM d.t")
    row = library.taos_fetch_row(result)
    assert ctypes.cast(row[0], ctypes.POINTER(ctypes.c_int32))[0] == 7
    assert not library.taos_fetch_row(result)
    library.taos_free_result(result)
    library.taos_close(handle)
    assert library.taos_query(handle, b"SELECT 1") is None
    assert session.run("SELECT 1").rows() == [(1,)]
    session.close()


def test_it_is_ours_and_of_the_announced_version(library: ctypes.CDLL) -> None:
    library.embudo_libtaos_version.restype = ctypes.c_char_p
    assert library.embudo_libtaos_version().decode() == embudo.__version__
    assert library.taos_get_client_info().startswith(b"3.")
