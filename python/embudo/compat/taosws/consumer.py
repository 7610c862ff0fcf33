"""Consumers of ``taosws``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from embudo import _embudo
from embudo import errors as typed
from embudo.compat.consumers import open_session
from embudo.compat.taosws.connection import TaosField
from embudo.compat.taosws.dsn import Target, parse
from embudo.compat.taosws.errors import ConnectionError, ConsumerException, translated

__all__ = ["Assignment", "Consumer", "Message", "MessageBlock", "TopicAssignment"]

#: What stands for an offset that is not known.
NO_OFFSET = -2147467247

_SCHEMES = ("td.connect.websocket.scheme", "protocol", "driver")
_HOSTS = ("td.connect.ip", "host")
_PORTS = ("td.connect.port", "port")
_USERS = ("td.connect.user", "username", "user")
_PASSWORDS = ("td.connect.pass", "password")
_TOKENS = ("td.connect.token", "token")
_BEARERS = ("td.connect.bearer_token", "bearer_token")
_OF_THE_CONNECTION = frozenset([*_SCHEMES, *_HOSTS, *_PORTS, *_USERS, *_PASSWORDS, *_TOKENS, *_BEARERS])


class MessageBlock:
    """Rows of one table."""

    def __init__(self, table: _embudo.Table, name: str | None) -> None:
        self._table = table
        self._name = name
        self._rows: list[tuple[Any, ...]] | None = None

    def fields(self) -> list[TaosField]:
        """The columns."""
        return [TaosField(described) for described in self._table.fields]

    def nrows(self) -> int:
        """How many rows there are."""
        return len(self._table)

    def ncols(self) -> int:
        """How many columns there are."""
        return len(self._table.fields)

    def table(self) -> str | None:
        """The table's name, where it is known; not in the official package."""
        return self._name

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows."""
        if self._rows is None:
            self._rows = self._table.rows(_embudo.RowStyle(json=False))
        return list(self._rows)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.fetchall())


class Message:
    """What one poll gave; an iterator over its blocks, read once."""

    def __init__(self, message: _embudo.Message) -> None:
        self._message = message
        self._blocks: Iterator[tuple[str | None, _embudo.Table]] | None = None

    def topic(self) -> str:
        """The topic."""
        return self._message.topic

    def database(self) -> str:
        """The topic's database."""
        return self._message.database

    def vgroup(self) -> int:
        """The vgroup."""
        return self._message.vgroup

    def get_vgroup_id(self) -> int:
        """The same as :meth:`vgroup`."""
        return self._message.vgroup

    def offset(self) -> int:
        """The offset in the vgroup; not in the official package."""
        return self._message.offset

    def meta(self) -> str | None:
        """The events as TDengine's JSON; None without any. Not in the official package."""
        return self._message.meta()

    def __iter__(self) -> Message:
        return self

    def __next__(self) -> MessageBlock:
        if self._blocks is None:
            self._blocks = iter(self._message.blocks())
        name, table = next(self._blocks)
        return MessageBlock(table, name)


class Assignment:
    """A vgroup and where its consumer stands."""

    def __init__(self, vg_id: int, offset: int, begin: int, end: int) -> None:
        self._parts = (vg_id, offset, begin, end)

    def vg_id(self) -> int:
        """The vgroup."""
        return self._parts[0]

    def offset(self) -> int:
        """Offset that is read next."""
        return self._parts[1]

    def begin(self) -> int:
        """Oldest offset that can be read."""
        return self._parts[2]

    def end(self) -> int:
        """Offset that the next record will have."""
        return self._parts[3]

    def to_string(self) -> str:
        """As a text."""
        return "vg_id: {}, offset: {}, begin: {}, end: {}".format(*self._parts)

    __repr__ = __str__ = to_string


class TopicAssignment:
    """A topic and its vgroups."""

    def __init__(self, topic: str, assignments: list[Assignment]) -> None:
        self._topic = topic
        self._assignments = assignments

    def topic(self) -> str:
        """The topic."""
        return self._topic

    def assignments(self) -> list[Assignment]:
        """Its vgroups."""
        return self._assignments

    def to_string(self) -> str:
        """As a text."""
        return f"topic: {self._topic}, assignments: {self._assignments}"

    __repr__ = __str__ = to_string


class Consumer:
    """A member of a consumer group.

    Args:
        conf: ``group.id`` (needed), ``td.connect.ip``, ``td.connect.port``, ``td.connect.user``, ``td.connect.pass``,
            ``td.connect.websocket.scheme`` (``ws``, ``wss``), ``client.id``, ``auto.offset.reset``, ``enable.auto.commit`` and the
            other keys of TDengine, all texts.
        dsn: where to connect; its parameters are keys too.
    """

    def __init__(self, conf: dict[str, Any] | None = None, dsn: str | None = None) -> None:
        self._subscription: _embudo.Subscription | None = None
        self._session: _embudo.Session | None = None
        self._closed = False
        target = parse(dsn) if dsn is not None else Target()
        parameters = {key: value for key, value in target.parameters.items() if "." in key}
        given = dict(conf or {})
        for key, value in given.items():
            if not isinstance(value, str) and not (key in _PORTS and isinstance(value, int)):
                raise ConsumerException(f"the value of {key} must be a text, not {type(value).__name__}")
        texts = {key: str(value) for key, value in given.items()}
        group = texts.get("group.id") or parameters.get("group.id")
        if not group:
            told = "group.id must be set in configurations" if conf is not None else "requires parameter: group.id"
            raise ConsumerException(told)
        self._connect(target, texts)
        self._configuration = self._keys(parameters | texts, has_conf=conf is not None)

    def _connect(self, target: Target, texts: dict[str, str]) -> None:
        def first(names: tuple[str, ...]) -> str | None:
            return next((texts[name] for name in names if texts.get(name)), None)

        scheme, host, port = first(_SCHEMES), first(_HOSTS), first(_PORTS)
        target.user = first(_USERS) or target.user
        target.password = first(_PASSWORDS) or target.password
        target.encrypted |= scheme in ("wss", "https")
        if host or port:
            target.addresses = [f"{host or 'localhost'}:{6041 if port in (None, '6030') else port}"]
        for key, names in (("token", _TOKENS), ("bearer_token", _BEARERS)):
            value = first(names)
            if value:
                target.parameters[key] = value
        if "td.connect.bearer_token" in target.parameters:
            target.parameters["bearer_token"] = target.parameters["td.connect.bearer_token"]
        for key, value in texts.items():
            if "." not in key and key not in _OF_THE_CONNECTION:
                target.parameters[key] = value
        self._target = target

    @staticmethod
    def _keys(texts: dict[str, str], *, has_conf: bool) -> dict[str, str]:
        keys = {key: value for key, value in texts.items() if "." in key and not key.startswith("td.connect.")}
        # As the official client: what it commits, it commits itself while it polls.
        keys.setdefault("enable.auto.commit", "true" if has_conf else "false")
        try:
            _embudo.check_consumer(keys)
        except typed.Error as error:
            raise translated(error, ConsumerException) from error
        return keys

    def _open(self) -> _embudo.Subscription:
        if self._closed:
            raise ConsumerException("consumer has been already closed")
        if self._subscription is None:
            raise ConsumerException("the consumer is subscribed to no topic")
        return self._subscription

    def subscribe(self, topics: list[str]) -> None:
        """Subscribes to topics."""
        if not isinstance(topics, list):
            raise TypeError(f"'{type(topics).__name__}' object cannot be converted to 'PyList'")
        if self._closed:
            raise ConsumerException("consumer has been already closed")
        try:
            if self._session is None:
                zone = self._target.parameters.get("timezone")
                dsn, options = self._target.dsn()
                self._session = open_session("taosws.Consumer", {}, dsn, options | ({"timezone": zone} if zone else {}))
            if self._subscription is None:
                self._subscription = self._session.subscribe(topics, self._configuration)
            else:
                self._subscription.subscribe(topics)
        except ConnectionError as error:
            raise ConsumerException(str(error), error.errno) from error
        except typed.Error as error:
            raise translated(error, ConsumerException) from error

    def poll(self, timeout: float | None = None) -> Message | None:
        """The next message, if there is one within ``timeout`` seconds; None waits for ever, and other threads go on meanwhile."""
        try:
            message = self._open().poll(None if timeout is None else float(timeout))
        except typed.Error as error:
            raise translated(error, ConsumerException) from error
        return None if message is None else Message(message)

    def commit(self, message: Message) -> None:
        """Commits a message and all before it in its vgroup."""
        given = message._message
        self.commit_offset(given.topic, given.vgroup, given.next)

    def commit_offset(self, topic: str, vg_id: int, offset: int) -> None:
        """Commits an offset."""
        try:
            self._open().commit(topic, vg_id, offset)
        except typed.Error as error:
            raise translated(error, ConsumerException) from error

    def assignment(self) -> list[TopicAssignment]:
        """The vgroups that are this consumer's, by topic."""
        subscription = self._open()
        found = []
        try:
            for topic in subscription.topics():
                parts = [Assignment(vgroup, current, begin, end) for vgroup, begin, end, current in subscription.assignment(topic)]
                found.append(TopicAssignment(topic, parts))
        except typed.Error as error:
            raise translated(error, ConsumerException) from error
        return found

    def seek(self, topic: str, vg_id: int, offset: int) -> None:
        """Reads on at another offset."""
        try:
            self._open().seek(topic, vg_id, offset)
        except typed.Error as error:
            raise translated(error, ConsumerException) from error

    def committed(self, topic: str, vg_id: int) -> int:
        """What the group has committed; :data:`NO_OFFSET` where that is nothing."""
        try:
            offset = self._open().committed(topic, vg_id)
        except typed.Error as error:
            raise translated(error, ConsumerException) from error
        return NO_OFFSET if offset is None else offset

    def position(self, topic: str, vg_id: int) -> int:
        """Where the next poll reads."""
        try:
            offset = self._open().position(topic, vg_id)
        except typed.Error as error:
            raise translated(error, ConsumerException) from error
        return NO_OFFSET if offset is None else offset

    def list_topics(self) -> list[str]:
        """The topics subscribed to."""
        return self._open().topics()

    def unsubscribe(self) -> None:
        """Leaves the group for good; more than once is allowed."""
        self._closed = True
        subscription, self._subscription = self._subscription, None
        session, self._session = self._session, None
        try:
            if subscription is not None:
                subscription.close()
        except typed.Error as error:
            raise translated(error, ConsumerException) from error
        finally:
            if session is not None:
                session.close()

    def close(self) -> None:
        """The same as :meth:`unsubscribe`."""
        self.unsubscribe()

    def __iter__(self) -> Consumer:
        return self

    def __next__(self) -> Message:
        if self._closed:
            raise StopIteration
        message = self.poll(None)
        if message is None:
            raise StopIteration
        return message

    def __del__(self) -> None:
        # An object whose making failed has nothing to end.
        with contextlib.suppress(AttributeError, ConsumerException):
            self.unsubscribe()

    def __enter__(self) -> Consumer:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
