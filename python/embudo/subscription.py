"""Subscriptions: the messages of topics, shared by the members of a consumer group. See :meth:`embudo.Connection.subscribe`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from embudo import errors

if TYPE_CHECKING:
    from types import TracebackType

    import pandas
    import polars
    import pyarrow

    from embudo import _embudo

__all__ = ["Assignment", "Message", "Subscription", "configuration"]


class Assignment(NamedTuple):
    """A part of a topic that this member reads."""

    #: The vgroup.
    vgroup: int
    #: The first offset that is still there.
    begin: int
    #: The offset that the next row will have.
    end: int
    #: Where the next poll reads.
    current: int


class Message:
    """What one poll gave: rows by table, or changes of tables for topics that tell them."""

    def __init__(self, message: _embudo.Message) -> None:
        self._message = message

    @property
    def topic(self) -> str:
        """The topic."""
        return self._message.topic

    @property
    def database(self) -> str:
        """The database that the rows are from."""
        return self._message.database

    @property
    def vgroup(self) -> int:
        """The part of the topic."""
        return self._message.vgroup

    @property
    def offset(self) -> int:
        """Where in it."""
        return self._message.offset

    @property
    def meta(self) -> list[Any]:
        """Tables made, altered and dropped, as TDengine's JSON describes them."""
        text = self._message.meta()
        if text is None:
            return []
        found = json.loads(text)
        return list(found["metas"]) if isinstance(found, dict) and "metas" in found else [found]

    def tables(self) -> Iterator[tuple[str | None, _embudo.Table]]:
        """The rows table by table, each with its table's name where the subscription asks for it."""
        yield from self._message.blocks()

    def rows(self) -> list[tuple[Any, ...]]:
        """All rows as tuples."""
        return [row for _, table in self.tables() for row in table.rows()]

    def arrow(self) -> pyarrow.Table:
        """All rows as a pyarrow table."""
        import pyarrow

        return pyarrow.concat_tables([pyarrow.table(table) for _, table in self.tables()])

    def df(self) -> pandas.DataFrame:
        """All rows as a pandas frame."""
        import pandas

        from embudo.frames import pandas_frame

        frames = [pandas_frame(table) for _, table in self.tables()]
        return pandas.concat(frames, ignore_index=True) if frames else pandas.DataFrame()

    def pl(self) -> polars.DataFrame:
        """All rows as a polars frame."""
        import polars

        return polars.concat([polars.DataFrame(table) for _, table in self.tables()])

    def __len__(self) -> int:
        return sum(len(table) for _, table in self.tables())

    def __repr__(self) -> str:
        return f"<embudo.Message {self.topic} vgroup {self.vgroup} offset {self.offset}: {len(self)} rows>"


class Subscription:
    """A member of a consumer group. Iteration waits for messages; as a context manager it leaves the group at its end.

    >>> with conn.subscribe("meters_topic", group="reports", offset_reset="earliest", auto_commit=False) as subscription:
    ...     for message in subscription:
    ...         store(message.df())
    ...         subscription.commit(message)
    """

    def __init__(self, subscription: _embudo.Subscription) -> None:
        self._subscription = subscription

    @property
    def topics(self) -> list[str]:
        """What is subscribed to."""
        return self._subscription.topics()

    def poll(self, timeout: float | None = None) -> Message | None:
        """The next message, or None where none comes within ``timeout`` seconds; without a timeout it waits."""
        message = self._subscription.poll(timeout)
        return None if message is None else Message(message)

    def messages(self, timeout: float) -> Iterator[Message]:
        """Messages until none comes for ``timeout`` seconds."""
        while (message := self.poll(timeout)) is not None:
            yield message

    def __iter__(self) -> Iterator[Message]:
        while (message := self.poll()) is not None:
            yield message

    def commit(self, message: Message | None = None) -> None:
        """Commits a message and all before it in its vgroup; without one, all that was polled."""
        if message is None:
            self._subscription.commit_all()
        else:
            self._subscription.commit(message.topic, message.vgroup, message._message.next)

    def assignment(self, topic: str) -> list[Assignment]:
        """The parts of a topic that this member reads."""
        return [Assignment(*part) for part in self._subscription.assignment(topic)]

    def committed(self, topic: str, vgroup: int) -> int | None:
        """The offset that the group has committed; None where it has none."""
        return self._subscription.committed(topic, vgroup)

    def position(self, topic: str, vgroup: int) -> int | None:
        """Where the next poll reads; None where that is not known yet."""
        return self._subscription.position(topic, vgroup)

    def seek(self, topic: str, vgroup: int, offset: int) -> None:
        """Reads on at another offset."""
        self._subscription.seek(topic, vgroup, offset)

    def unsubscribe(self) -> None:
        """Leaves the group; another :meth:`subscribe` joins it again."""
        self._subscription.unsubscribe()

    def subscribe(self, *topics: str) -> None:
        """Subscribes to other topics."""
        self._subscription.subscribe(list(topics))

    def close(self) -> None:
        """Leaves the group for good; more than once is allowed."""
        self._subscription.close()

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        try:
            return f"<embudo.Subscription {', '.join(self.topics)}>"
        except errors.Error:
            return "<embudo.Subscription closed>"


def configuration(
    group: str,
    client: str | None,
    offset_reset: str,
    auto_commit: bool,
    auto_commit_interval: float,
    with_table_name: bool,
    others: dict[str, object],
) -> dict[str, str]:
    """The keys of TDengine's consumers."""
    if offset_reset not in ("earliest", "latest", "none"):
        raise errors.InterfaceError(f"offset_reset is earliest, latest or none, not {offset_reset!r}")
    keys = {
        "group.id": group,
        "auto.offset.reset": offset_reset,
        "enable.auto.commit": "true" if auto_commit else "false",
        "auto.commit.interval.ms": str(int(auto_commit_interval * 1000)),
        "msg.with.table.name": "true" if with_table_name else "false",
    }
    if client is not None:
        keys["client.id"] = client
    keys.update({name.replace("_", "."): str(value) for name, value in others.items()})
    return keys
