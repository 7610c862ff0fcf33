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
#: Results by the numbers that stand for their pointers, until they are read to the end or closed.
_results: dict[int, TaosResult] = {}


def known(number: int) -> TaosResult:
    """The result behind a number that a callback was given."""
    from embudo.compat.taos.error import ResultError

    try:
        return _results[number]
    except KeyError:
        raise ResultError("no result object") from None


def number_of(result: TaosResult) -> int:
    """The number that stands for a result."""
    if result._number is None:
        result._number = next(_numbers)
        _results[result._number] = result
    return result._number


def forget(number: int | None) -> None:
    """Nobody asks for a result any more."""
    if number is not None:
        _results.pop(number, None)


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
        from embudo.compat.taos.result import TaosResult

        number, code = None, 0
        try:
            number = number_of(TaosResult(run()))
        except Error as error:
            code = error.errno
        callback(address(param), number, code)

    _later(work)


def fetch(result: TaosResult | int, callback: Any, param: Any) -> None:
    """Fetches the next rows in another thread; see :meth:`TaosResult.fetch_rows_a`."""
    wanted = known(result) if isinstance(result, int) else result

    def work() -> None:
        from embudo.compat.taos.error import Error

        number = number_of(wanted)
        try:
            rows = wanted._fetch(None, whole_block=True)
            wanted._block = iter(rows)
            count = len(rows)
        except Error as error:
            count = min(error.errno, -1)
        callback(address(param), number, count)
        if count <= 0:
            forget(number)

    _later(work)
