"""The first interface of ``taos.tmq``, that of taospy 2.3 to 2.7: thin wrappers of :class:`taos.tmq.Consumer`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from embudo.compat.taos.error import TmqError
from embudo.compat.taos.tmq import Consumer, Message

__all__ = ["TaosConsumer", "TaosTmq", "TaosTmqConf", "TaosTmqList", "TaosTmqResult"]


class TaosTmqResult:
    """A message as its rows."""

    def __init__(self, message: Message) -> None:
        self.message = message

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        for block in self.message:
            yield from block

    def fetch_all(self) -> list[tuple[Any, ...]]:
        """The rows."""
        return list(self)

    def get_topic_name(self) -> str:
        """The topic."""
        return self.message.topic()

    def get_vgroup_id(self) -> int:
        """The vgroup."""
        return self.message.vgroup()

    def get_db_name(self) -> str:
        """The topic's database."""
        return self.message.database()

    def get_table_name(self) -> str | None:
        """The table of the first rows, where it is known."""
        return next((block.table() for block in self.message), None)


class TaosTmqList:
    """A list of topics."""

    def __init__(self) -> None:
        self.topics: list[str] = []

    def append(self, topic: str) -> None:
        """Adds a topic."""
        self.topics.append(topic)

    def to_array(self) -> list[str]:
        """The topics."""
        return list(self.topics)


class TaosTmqConf:
    """A configuration."""

    def __init__(self) -> None:
        self._configuration: dict[str, str] = {}

    def set(self, key: str, value: str) -> None:
        """Sets a key."""
        self._configuration[key] = value

    def auto_commit_cb(self, callback: Any, param: Any) -> None:
        """Automatic commits that fail raise in the poll that makes them; there is no callback to tell."""

    def new_consumer(self) -> TaosTmq:
        """A consumer."""
        return TaosTmq(self._configuration)


class TaosTmq:
    """A consumer whose times are milliseconds."""

    def __init__(self, configuration: dict[str, str]) -> None:
        self._consumer = Consumer(configuration)

    def subscribe(self, topics: TaosTmqList | list[str]) -> None:
        """Subscribes to topics."""
        self._consumer.subscribe(topics.to_array() if isinstance(topics, TaosTmqList) else topics)

    def unsubscribe(self) -> None:
        """Leaves the group."""
        self._consumer.unsubscribe()

    def subscription(self) -> list[str]:
        """The topics subscribed to."""
        return self._consumer.list_topics()

    def poll(self, time: int) -> TaosTmqResult | None:
        """The next message, if there is one within so many milliseconds."""
        message = self._consumer.poll(time / 1000)
        return None if message is None else TaosTmqResult(message)

    def commit(self, result: TaosTmqResult | None = None) -> None:
        """Commits a message, or what polls gave so far."""
        self._consumer.commit(None if result is None else result.message)

    def close(self) -> None:
        """Leaves the group for good."""
        self._consumer.close()


class TaosConsumer:
    """A consumer that is iterated over: ``for message in TaosConsumer("topic", group_id="g"): for row in message: ...``.

    Keywords are keys of the configuration with ``_`` for ``.``.
    """

    def __init__(self, *topics: str, **configs: Any) -> None:
        if not topics:
            raise TmqError("Unset topic for Consumer")
        keys = {key.replace("_", "."): str(value) for key, value in configs.items() if key != "decode_binary"}
        self._consumer = Consumer({"auto.offset.reset": "earliest"} | keys)
        self._consumer.subscribe(list(topics))

    def __iter__(self) -> TaosConsumer:
        return self

    def __next__(self) -> TaosTmqResult:
        return TaosTmqResult(next(self._consumer))

    def sync_next(self) -> TaosTmqResult:
        """The next message."""
        return self.__next__()

    def commit(self) -> None:
        """Commits what was given so far."""
        self._consumer.commit()

    def close(self) -> None:
        """Leaves the group for good."""
        self._consumer.close()
