"""A progress bar on standard error, for terminals and notebooks."""

from __future__ import annotations

import sys
from time import perf_counter

__all__ = ["Bar"]

_WIDTH = 30


class Bar:
    """Told the rows written and the rows in all, it draws one line anew; in a pipe or file it is silent."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._started = perf_counter()
        # A notebook's streams are no terminals but show the line as one does.
        self._shows = sys.stderr.isatty() or "ipykernel" in sys.modules

    def __call__(self, written: int, rows: int) -> None:
        if not self._shows:
            return
        share = written / rows if rows else 1.0
        done = int(share * _WIDTH)
        seconds = perf_counter() - self._started
        rate = f"{written / seconds / 1e6:.2f} M rows/s" if seconds > 0 and written else ""
        end = "\n" if written == rows else ""
        sys.stderr.write(f"\r{self._title} [{'#' * done}{'.' * (_WIDTH - done)}] {share:4.0%} {written:,}/{rows:,} {rate}{end}")
        sys.stderr.flush()
