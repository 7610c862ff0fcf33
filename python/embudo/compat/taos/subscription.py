"""Subscriptions of TDengine 2: a query that is run again and again, and gives the rows that are new since the last time."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

from embudo.compat.taos.error import OperationalError
from embudo.compat.taos.result import TaosResult

if TYPE_CHECKING:
    from embudo.compat.taos.connection import TaosConnection

__all__ = ["TaosSubscription"]

#: The last time that a topic of this process was consumed to, as ticks.
_progress: dict[str, int] = {}


class SubscriptionHandle:
    """What stands behind a subscription: the query, and the time it has come to."""

    def __init__(self, connection: TaosConnection, restart: bool, topic: str, sql: str, interval: int) -> None:
        self.connection = connection
        self.topic = topic
        self.sql = sql.rstrip().rstrip(";")
        self.interval = interval
        self._wait = threading.Event()
        self._first = True
        if restart:
            _progress.pop(topic, None)

    def poll(self) -> TaosResult:
        """The new rows, once the interval is over."""
        if not self._first:
            self._wait.wait(self.interval / 1000)
        self._first = False
        # The first column is the time; both bounds are fixed before the rows are read, so that none is given twice or lost.
        name = self.connection.query(f"SELECT * FROM ({self.sql}) LIMIT 0").fields[0].name
        last = _progress.get(self.topic)
        after = "" if last is None else f" WHERE `{name}` > {last}"
        last_row = f"SELECT CAST(`{name}` AS BIGINT) FROM ({self.sql}){after} ORDER BY `{name}` DESC LIMIT 1"
        newest = self.connection.query(last_row).fetch_all()
        if not newest or newest[0][0] is None:
            return self.connection.query(f"SELECT * FROM ({self.sql}) LIMIT 0")
        _progress[self.topic] = newest[0][0]
        until = f"{after} AND" if after else " WHERE"
        return self.connection.query(f"SELECT * FROM ({self.sql}){until} `{name}` <= {newest[0][0]}")

    def stop(self) -> None:
        """Ends waiting."""
        self._wait.set()


class TaosSubscription:
    """A query's new rows."""

    def __init__(self, sub: SubscriptionHandle, with_callback: bool = False) -> None:
        self._sub: SubscriptionHandle | None = sub
        self._with_callback = with_callback

    def consume(self) -> TaosResult:
        """The rows that are new since the last call."""
        if self._sub is None:
            raise OperationalError("Invalid use of consume")
        if self._with_callback:
            raise OperationalError("DONOT use consume method in an subscription with callback")
        return self._sub.poll()

    def close(self, keepProgress: bool = True) -> bool:  # noqa: N803 (the official name)
        """Ends the subscription; its progress is kept for one of the same topic unless told otherwise."""
        sub, self._sub = self._sub, None
        if sub is None:
            return False
        sub.stop()
        if not keepProgress:
            _progress.pop(sub.topic, None)
        return True

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError):
            self.close()


def start(sub: SubscriptionHandle, callback: Any, param: Any) -> None:
    """Calls ``callback(subscription, result, param, code)`` with new rows until the subscription ends."""
    from embudo.compat.taos.asynchronous import address
    from embudo.compat.taos.error import Error

    def work() -> None:
        while not sub._wait.is_set():
            try:
                result, code = sub.poll(), 0
            except Error as error:
                callback(None, None, address(param), error.errno)
                return
            if sub._wait.is_set():
                return
            callback(None, result, address(param), code)

    threading.Thread(target=work, name="taos-subscription", daemon=True).start()
