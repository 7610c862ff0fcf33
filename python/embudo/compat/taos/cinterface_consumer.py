"""The wrappers of the C interface for consumers of topics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from embudo import _embudo
from embudo import errors as typed
from embudo.compat.taos import error
from embudo.compat.taos.tmq import Consumer, Message, TopicPartition


def tmq_conf_new() -> dict[str, str]:
    """A configuration."""
    return {}


def tmq_conf_set(conf: dict[str, str], key: str, value: str) -> None:
    """Sets a key."""
    if not isinstance(value, str):
        raise error.TmqError(f"fail to execute tmq_conf_set({key},{value}), v is not string type")
    try:
        _embudo.check_consumer({key: value})
    except typed.Error as failure:
        raise error.TmqError(f"fail to execute tmq_conf_set({key},{value}), code=-2: {failure.msg}", -2) from failure
    conf[key] = value


def tmq_conf_destroy(conf: dict[str, str]) -> None:
    """Lets a configuration go."""
    conf.clear()


def tmq_conf_set_auto_commit_cb(conf: dict[str, str], cb: Any, param: Any) -> None:
    """Automatic commits that fail raise in the poll that makes them; there is no callback to tell."""


def tmq_consumer_new(conf: dict[str, str]) -> Consumer:
    """A consumer."""
    return Consumer(dict(conf))


def tmq_err2str(errno: int) -> str:
    """The text of an error number."""
    return "success" if errno == 0 else _embudo.error_message(errno & 0xFFFF)


def tmq_list_new() -> list[str]:
    """A list of topics."""
    return []


def tmq_list_append(list: list[str], topic: str) -> None:
    """Adds a topic."""
    list.append(topic)


def tmq_list_destroy(list: list[str]) -> None:
    """Lets a list go."""
    list.clear()


def tmq_list_to_c_array(list: list[str]) -> list[str]:
    """The topics."""
    return [*list]


def tmq_subscribe(tmq: Consumer, list: list[str]) -> None:
    """Subscribes to topics."""
    tmq.subscribe([*list])


def tmq_unsubscribe(tmq: Consumer) -> None:
    """Leaves the group."""
    tmq.unsubscribe()


def tmq_subscription(tmq: Consumer) -> list[str]:
    """The topics subscribed to."""
    return tmq.list_topics()


def tmq_consumer_poll(tmq: Consumer, wait_time: int) -> Message | None:
    """The next message, if there is one within so many milliseconds."""
    return tmq.poll(wait_time / 1000)


def tmq_consumer_close(tmq: Consumer) -> None:
    """Leaves the group for good."""
    tmq.close()


def tmq_commit_sync(tmq: Consumer, offset: Message | None) -> None:
    """Commits a message, or what polls gave so far."""
    tmq.commit(offset)


def tmq_commit_offset_sync(tmq: Consumer, topic: str, vg_id: int, offset: int) -> None:
    """Commits an offset."""
    tmq.commit(offsets=[TopicPartition(topic, vg_id, offset)])


def tmq_get_topic_name(res: Message) -> str:
    """The topic of a message."""
    return res.topic()


def tmq_get_vgroup_id(res: Message) -> int:
    """The vgroup of a message."""
    return res.vgroup()


def tmq_get_table_name(res: Message) -> str | None:
    """The table of a message's first rows."""
    return next((block.table() for block in res), None)


def tmq_get_db_name(res: Message) -> str:
    """The database of a message."""
    return res.database()


def tmq_get_res_type(message: Message) -> int:
    """1 rows, 2 events, 3 both."""
    return message._given().kind


def tmq_get_vgroup_offset(message: Message) -> int:
    """The offset of a message."""
    return message.offset()


class TmqTopicAssignment:
    """A vgroup and where its consumer stands."""

    def __init__(self, vg_id: int, current_offset: int, begin: int, end: int) -> None:
        self._parts = (vg_id, current_offset, begin, end)

    @property
    def vg_id(self) -> int:
        """The vgroup."""
        return self._parts[0]

    @property
    def current_offset(self) -> int:
        """Offset that is read next."""
        return self._parts[1]

    @property
    def begin(self) -> int:
        """Oldest offset that can be read."""
        return self._parts[2]

    @property
    def end(self) -> int:
        """Offset that the next record will have."""
        return self._parts[3]

    def __str__(self) -> str:
        return "vg_id: {}, current_offset: {}, begin: {}, end: {}".format(*self._parts)


class TmqTopicAssignments:
    """The vgroups of a topic."""

    def __init__(self, assignments: Sequence[TmqTopicAssignment], count: int) -> None:
        self._assignments = list(assignments)[:count]
        self._next = 0

    def as_ptr(self) -> TmqTopicAssignments:
        """What functions of this module take."""
        return self

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._assignments)

    @property
    def assignments(self) -> list[TmqTopicAssignment]:
        """All of them."""
        return self._assignments

    def next(self) -> TmqTopicAssignment:
        """One after the other."""
        return self.__next__()

    def __next__(self) -> TmqTopicAssignment:
        if self._next >= len(self._assignments):
            raise StopIteration
        self._next += 1
        return self._assignments[self._next - 1]

    def __getitem__(self, item: int) -> TmqTopicAssignment:
        return self._assignments[item]

    def __iter__(self) -> Iterator[TmqTopicAssignment]:
        return iter(self._assignments)

    def __len__(self) -> int:
        return len(self._assignments)


def tmq_get_topic_assignment(tmq: Consumer, topic_name: str) -> list[tuple[int, int, int, int]]:
    """A tuple of vgroup, current offset, begin and end for each vgroup of a topic that is this consumer's."""
    try:
        found = tmq._open().assignment(topic_name)
    except typed.Error as failure:
        raise error.translated(failure, error.TmqError) from failure
    return [(vgroup, current, begin, end) for vgroup, begin, end, current in found]


def tmq_offset_seek(tmq: Consumer, topic_name: str, vgroup_id: int, offset: int) -> None:
    """Reads on at another offset."""
    tmq.seek(TopicPartition(topic_name, vgroup_id, offset))


def tmq_committed(tmq: Consumer, topic: str, vgroup_id: int) -> int:
    """What the group has committed."""
    return tmq.committed([TopicPartition(topic, vgroup_id, 0)])[0].offset


def tmq_position(tmq: Consumer, topic: str, vgroup_id: int) -> int:
    """Where the next poll reads."""
    return tmq.position([TopicPartition(topic, vgroup_id, 0)])[0].offset
