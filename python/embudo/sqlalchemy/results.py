"""Results that are taken whole. SQLAlchemy makes an object for every row, and the garbage collector walks all of them again
and again while they become more: that took three quarters of the time of 100,000 rows. It rests while rows are made."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import CursorResult, default

__all__ = ["ResultContext"]

if TYPE_CHECKING:
    _Result = CursorResult[Any]
else:
    # That of SQLAlchemy 1.4 takes no type.
    _Result = CursorResult


class ResultContext(default.DefaultExecutionContext):
    """Gives statements such results."""

    def _setup_result_proxy(self) -> CursorResult[Any]:
        result: CursorResult[Any] = super()._setup_result_proxy()  # type: ignore[no-untyped-call]
        if type(result) is CursorResult:
            # SQLAlchemy has no other place to name the class of results.
            result.__class__ = _WholeResult
        return result


class _WholeResult(_Result):
    # Nothing of its own, so that a result can become one.
    __slots__ = ()

    def fetchall(self) -> Sequence[Any]:
        """The rows that are left."""
        return _without_collector(super().fetchall)

    def all(self) -> Sequence[Any]:
        """The rows that are left."""
        return _without_collector(super().all)


def _without_collector(work: Callable[[], Sequence[Any]]) -> Sequence[Any]:
    if not gc.isenabled():
        return work()
    gc.disable()
    try:
        return work()
    finally:
        gc.enable()
