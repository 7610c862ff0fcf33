"""Consumers of topics: ``taos.tmq``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from embudo import _embudo
from embudo import errors as typed
from embudo.compat.consumers import open_session
from embudo.compat.taos.error import TmqError, translated
from embudo.compat.taos.field import TaosFields, fields_of
from embudo.compat.taos.result import style

__all__ = [
    "TMQ_RES_DATA",
    "TMQ_RES_INVALID",
    "TMQ_RES_METADATA",
    "TMQ_RES_TABLE_META",
    "Consumer",
    "Message",
    "MessageBlock",
    "TopicPartition",
]

TMQ_RES_INVALID = -1
TMQ_RES_DATA = 1
TMQ_RES_TABLE_META = 2
TMQ_RES_METADATA = 3

#: What stands for an offset that is not known.
_NO_OFFSET = -2147467247


def _failed(what: str, error: typed.Error) -> TmqError:
    """What the official package raises for a failure of a function of the C interface."""
    made = translated(error, TmqError)
    number = made.errno & 0xFFFFFFFF
    text = TmqError(f"failed on {what}(), errno={number:X}, errmsg={error.msg}", made.errno)
    text.code_name, text.hint = error.code_name, error.hint
    return text


class MessageBlock:
    """Rows of one table."""

    def __init__(
        self, block: Any = None, fields: TaosFields | None = None, row_count: int = 0, col_count: int = 0, table: str | None = ""
    ) -> None:
        self._block: list[tuple[Any, ...]] = [] if block is None else block
        self._fields = fields
        self._row_count = row_count
        self._col_count = col_count
        self._table = table

    def fields(self) -> TaosFields | None:
        """The columns."""
        return self._fields

    def nrows(self) -> int:
        """How many rows there are."""
        return self._row_count

    def ncols(self) -> int:
        """How many columns there are."""
        return self._col_count

    def table(self) -> str | None:
        """The table's name, where ``msg.with.table.name`` is on."""
        return self._table

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows."""
        return list(self._block)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self._block)


class Message:
    """What one poll gave."""

    def __init__(self, msg: _embudo.Message | None = None, error: TmqError | None = None, decode_binary: bool = True) -> None:
        self.msg = msg
        self._error = error
        self.decode_binary = decode_binary
        self._blocks: list[MessageBlock] | None = None

    def error(self) -> TmqError | None:
        """The failure that the message stands for, or None."""
        return self._error

    def _given(self) -> _embudo.Message:
        if self.msg is None:
            raise TmqError("the message is empty")
        return self.msg

    def topic(self) -> str:
        """The topic."""
        return self._given().topic

    def database(self) -> str:
        """The topic's database."""
        return self._given().database

    def vgroup(self) -> int:
        """The vgroup; not in the official package."""
        return self._given().vgroup

    def offset(self) -> int:
        """The offset in the vgroup."""
        return self._given().offset

    def value(self) -> list[MessageBlock] | None:
        """The rows, table by table; None for a message of events alone."""
        if self.msg is None or self.msg.kind == TMQ_RES_TABLE_META:
            return None
        if self._blocks is None:
            shown = style(self.decode_binary)
            self._blocks = []
            for name, table in self.msg.blocks():
                fields = fields_of(table.fields)
                self._blocks.append(MessageBlock(table.rows(shown), fields, len(table), len(fields), name))
        return self._blocks

    def meta(self) -> str | None:
        """The events as TDengine's JSON; None without any. Not in the official package."""
        return self._given().meta()

    def __iter__(self) -> Iterator[MessageBlock]:
        return iter(self.value() or ())


class TopicPartition:
    """A vgroup of a topic, and an offset in it."""

    def __init__(self, topic: str, partition: int, offset: int, begin: int = 0, end: int = 0) -> None:
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.begin = begin
        self.end = end

    def __str__(self) -> str:
        return f"TopicPartition(topic={self.topic}, partition={self.partition}, offset={self.offset})"

    __repr__ = __str__


class Consumer:
    """A member of a consumer group.

    Args:
        configs: ``group.id`` (needed), ``td.connect.ip``, ``td.connect.port``, ``td.connect.user``, ``td.connect.pass``,
            ``td.connect.token``, ``client.id``, ``auto.offset.reset``, ``enable.auto.commit``, ``auto.commit.interval.ms``,
            ``msg.with.table.name`` and the other keys of TDengine, all texts; ``decode_binary`` (True; False gives VARCHAR as bytes).
    """

    def __init__(self, configs: dict[str, Any]) -> None:
        self._session: _embudo.Session | None = None
        self._subscription: _embudo.Subscription | None = None
        self._closed = False
        self._configuration: dict[str, str] = {}
        self.decode_binary = True
        if not isinstance(configs, dict) or "group.id" not in configs:
            raise TmqError("missing group.id in consumer config setting")
        for key, value in configs.items():
            if key == "decode_binary":
                self.decode_binary = bool(value)
                continue
            if not isinstance(value, str):
                raise TmqError(f"fail to execute tmq_conf_set({key},{value}), v is not string type")
            self._configuration["td.connect.token" if key == "td.connect.bearer_token" else key] = value
        try:
            _embudo.check_consumer(self._configuration)
        except typed.Error as error:
            raise TmqError(f"fail to execute tmq_conf_set(): {error.msg}, code=-2", translated(error).errno) from error
        try:
            self._session = open_session("taos.tmq.Consumer", self._configuration)
        except typed.Error as error:
            raise TmqError(f"failed on tmq_consumer_new(), err: {error.msg}", translated(error).errno) from error

    def _open(self) -> _embudo.Subscription:
        if self._subscription is None:
            raise TmqError("unsubscribe topic")
        return self._subscription

    def subscribe(self, topics: list[str]) -> None:
        """Subscribes to topics."""
        if not topics:
            raise TmqError("Unset topic for Consumer")
        if self._session is None:
            raise TmqError("the consumer is closed")
        try:
            if self._subscription is None:
                self._subscription = self._session.subscribe(list(topics), self._configuration)
            else:
                self._subscription.subscribe(list(topics))
        except typed.Error as error:
            raise _failed("tmq_subscribe", error) from error

    def unsubscribe(self) -> None:
        """Leaves the group."""
        if self._subscription is not None:
            with contextlib.suppress(typed.Error):
                self._subscription.unsubscribe()
            self._subscription.close()
            self._subscription = None

    def poll(self, timeout: float = 1.0) -> Message | None:
        """The next message, if there is one within ``timeout`` seconds."""
        subscription = self._open()
        try:
            message = subscription.poll(float(timeout))
        except typed.Error as error:
            raise _failed("tmq_consumer_poll", error) from error
        return None if message is None else Message(message, None, self.decode_binary)

    def assignment(self) -> list[TopicPartition] | None:
        """The vgroups that are this consumer's; None without topics."""
        if self._subscription is None or not self._subscription.topics():
            return None
        found = []
        try:
            for topic in self._subscription.topics():
                for vgroup, begin, end, current in self._subscription.assignment(topic):
                    found.append(TopicPartition(topic, vgroup, current, begin, end))
        except typed.Error as error:
            raise _failed("tmq_get_topic_assignment", error) from error
        return found

    def seek(self, partition: TopicPartition) -> None:
        """Reads on at another offset."""
        try:
            self._open().seek(partition.topic, partition.partition, partition.offset)
        except typed.Error as error:
            raise _failed("tmq_offset_seek", error) from error

    def commit(self, message: Message | None = None, offsets: list[TopicPartition] | None = None) -> None:
        """Commits a message, or offsets, or what polls gave so far."""
        if message is not None and not isinstance(message, Message):
            raise TmqError("Invalid message type")
        if offsets is not None and (not isinstance(offsets, list) or not all(isinstance(part, TopicPartition) for part in offsets)):
            raise TmqError("Invalid offset type")
        try:
            if message is not None:
                given = message._given()
                self._open().commit(given.topic, given.vgroup, given.next)
            elif offsets is not None:
                for part in offsets:
                    self._open().commit(part.topic, part.partition, part.offset)
            else:
                self._open().commit_all()
        except typed.Error as error:
            raise _failed("tmq_commit_offset_sync" if offsets is not None else "tmq_commit_sync", error) from error

    def committed(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Sets the offset of each to what the group has committed, and gives them."""
        return self._offsets("tmq_committed", partitions)

    def position(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Sets the offset of each to where the next poll reads, and gives them."""
        return self._offsets("tmq_position", partitions)

    def _offsets(self, what: str, partitions: list[TopicPartition]) -> list[TopicPartition]:
        subscription = self._open()
        ask = subscription.committed if what == "tmq_committed" else subscription.position
        for part in partitions:
            try:
                offset = ask(part.topic, part.partition)
            except typed.Error as error:
                raise _failed(what, error) from error
            if offset is None:
                number = _NO_OFFSET & 0xFFFFFFFF
                raise TmqError(f"failed on {what}(), errno={number:X}, errmsg=No committed offset", _NO_OFFSET)
            part.offset = offset
        return partitions

    def list_topics(self) -> list[str]:
        """The topics subscribed to."""
        return [] if self._subscription is None else self._subscription.topics()

    def close(self) -> None:
        """Leaves the group for good; more than once is allowed."""
        self._closed = True
        subscription, self._subscription = self._subscription, None
        session, self._session = self._session, None
        try:
            if subscription is not None:
                subscription.close()
        except typed.Error as error:
            raise _failed("tmq_consumer_close", error) from error
        finally:
            if session is not None:
                session.close()

    def __del__(self) -> None:
        # An object whose making failed has nothing to end.
        with contextlib.suppress(AttributeError, TmqError):
            self.close()

    def __iter__(self) -> Consumer:
        return self

    def __next__(self) -> Message:
        while not self._closed:
            message = self.poll(1.0)
            if message is not None:
                return message
        raise StopIteration

    def __enter__(self) -> Consumer:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
