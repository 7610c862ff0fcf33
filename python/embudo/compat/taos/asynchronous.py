"""Queries whose answers go to callbacks, as the C interface has them: a thread runs the statement and calls.

A callback is given numbers for its pointers, the address of ``param`` among them, so that programs which cast them with
:mod:`ctypes` go on.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embudo import _embudo
    from embudo.compat.taos.result import TaosResult

_numbers = itertools.count(1)
_results: dict[int, _embudo.Result] = {}


def taken(number: int) -> _embudo.Result:
    """The result behind the number that a callback was given."""
    from embudo.compat.taos.error import ResultError

    try:
        return _results.pop(number)
    except KeyError:
        raise ResultError("no result object") from None


def address(param: Any) -> Any:
    """The address that a pointer or ``byref`` of :mod:`ctypes` leads to; anything else as it is."""
    if param is None or isinstance(param, int):
        return param
    import ctypes

    try:
        return ctypes.cast(param, ctypes.c_void_p).value
    except (ctypes.ArgumentError, TypeError):
        return param


def _later(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="taos-callback").start()


def query(run: Callable[[], _embudo.Result], callback: Any, param: Any) -> None:
    """Runs a statement in another thread and calls ``callback(param, result, code)``; ``code`` is 0 or an error number."""

    def work() -> None:
        from embudo.compat.taos.error import Error

        number, code = None, 0
        try:
            result = run()
            number = next(_numbers)
            _results[number] = result
        except Error as error:
            code = error.errno
        callback(address(param), number, code)

    _later(work)


def fetch(result: TaosResult, callback: Any, param: Any) -> None:
    """Fetches the next rows in another thread; see :meth:`TaosResult.fetch_rows_a`."""

    def work() -> None:
        from embudo.compat.taos.error import Error

        try:
            rows = result._left() or result._fetch(None, whole_block=True)
            result._block = iter(rows)
            count = len(rows)
        except Error as error:
            count = min(error.errno, -1)
        callback(address(param), result, count)

    _later(work)
