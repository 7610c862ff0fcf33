"""``taos.tmq`` and the consumers of ``taosws``, over each transport: where EMBUDO_DSN leads over REST they go by WebSocket."""

from __future__ import annotations

import datetime
import decimal
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import embudo
import taos
import taosws
from taos.cinterface import tmq_conf_new, tmq_conf_set, tmq_consumer_new, tmq_get_res_type, tmq_get_topic_assignment, tmq_subscribe
from taos.error import TmqError
from taos.tmq import Consumer, Message, TopicPartition

POINT = b"\x01\x01\x00\x00\x00" + struct.pack("<dd", 1.0, 2.0)


@pytest.fixture
def topic(root: embudo.Connection, dsn: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("EMBUDO_DSN", dsn)
    taos.set_tz(None)
    name = f"topic{time.monotonic_ns()}"
    root.execute(f"CREATE DATABASE {name} VGROUPS 1 KEEP 36500 WAL_RETENTION_PERIOD 3600")
    root.execute(
        f"CREATE TABLE {name}.s (ts TIMESTAMP, b BOOL, i BIGINT, u BIGINT UNSIGNED, f FLOAT, d DOUBLE, s VARCHAR(20), n NCHAR(20), "
        "t TIMESTAMP, vb VARBINARY(10), g GEOMETRY(100), dec DECIMAL(10, 2)) TAGS (k INT)"
    )
    root.execute(f"CREATE TOPIC {name} AS SELECT * FROM {name}.s")
    root.execute(
        f"INSERT INTO {name}.a USING {name}.s TAGS (1) VALUES (1000, true, -1, 18446744073709551615, 1.5, 2.25, 'a', 'é', 2000, '\\x00ff', "
        "'POINT(1 2)', 1.5) (1001, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"
    )
    yield name
    for _ in range(1200):
        try:
            root.execute(f"DROP TOPIC IF EXISTS {name}")
            break
        except embudo.Error:
            time.sleep(0.05)
    root.execute(f"DROP DATABASE IF EXISTS {name}")


def configuration(**more: str) -> dict[str, Any]:
    return {"group.id": "g", "auto.offset.reset": "earliest", "enable.auto.commit": "false", **more}


def polled(poll: Callable[[float], Any]) -> Any:
    for _ in range(300):
        message = poll(0.2)
        if message is not None:
            return message
    raise AssertionError("no message came")


def test_messages(topic: str) -> None:
    consumer = Consumer(configuration())
    with pytest.raises(TmqError, match="unsubscribe topic"):
        consumer.poll(0.1)
    with pytest.raises(TmqError, match="Unset topic"):
        consumer.subscribe([])
    assert consumer.assignment() is None
    assert consumer.list_topics() == []
    consumer.subscribe([topic])
    assert consumer.list_topics() == [topic]
    message = polled(consumer.poll)
    assert (message.topic(), message.database(), message.error()) == (topic, topic, None)
    assert message.offset() >= 0
    (block,) = message.value()
    assert (block.nrows(), block.ncols()) == (2, 13)
    assert [field.name for field in block.fields()] == ["ts", "b", "i", "u", "f", "d", "s", "n", "t", "vb", "g", "dec", "k"]
    moment = datetime.datetime.fromtimestamp
    values = (True, -1, 2**64 - 1, 1.5, 2.25, "a", "é", moment(2), b"\x00\xff", POINT, decimal.Decimal("1.50"), 1)
    assert block.fetchall() == list(block) == [(moment(1), *values), (moment(1.001), *(None,) * 11, 1)]
    assert [inner.fetchall() for inner in message] == [block.fetchall()]
    assert consumer.poll(0.1) is None
    consumer.close()
    consumer.close()
    with pytest.raises(TmqError):
        consumer.poll(0.1)


def test_offsets(topic: str, root: embudo.Connection) -> None:
    consumer = Consumer(configuration())
    consumer.subscribe([topic])
    message = polled(consumer.poll)
    (part,) = consumer.assignment() or []
    assert (part.topic, part.partition, part.begin) == (topic, message.vgroup(), 0)
    assert part.begin <= message.offset() < part.offset <= part.end
    with pytest.raises(TmqError):
        consumer.committed([part])
    consumer.commit(message)
    assert consumer.committed([part])[0].offset == consumer.position([part])[0].offset
    assert str(part) == f"TopicPartition(topic={topic}, partition={part.partition}, offset={part.offset})"
    part.offset = part.begin
    consumer.seek(part)
    assert [block.nrows() for block in polled(consumer.poll)] == [2]
    consumer.commit(offsets=[TopicPartition(topic, part.partition, part.end)])
    assert consumer.committed([part])[0].offset == part.end
    consumer.commit()
    for wrong in ({"message": 5}, {"offsets": [5]}):
        with pytest.raises(TmqError, match="Invalid"):
            consumer.commit(**wrong)  # type: ignore[arg-type]
    with pytest.raises(TmqError):
        consumer.seek(TopicPartition(topic, 9999, 0))
    consumer.unsubscribe()
    consumer.unsubscribe()
    consumer.subscribe([topic])
    assert consumer.poll(0.2) is None
    root.execute(f"INSERT INTO {topic}.a (ts, i) VALUES (5000, 5)")
    assert [row[2] for block in polled(consumer.poll) for row in block] == [5]
    consumer.close()


def test_iteration_and_bytes(topic: str) -> None:
    consumer = Consumer(configuration(decode_binary=False))  # type: ignore[arg-type]
    consumer.subscribe([topic])
    for message in consumer:
        assert isinstance(message, Message)
        row = message.value()[0].fetchall()[0]  # type: ignore[index]
        assert (row[6], row[7]) == (b"a", "é")
        break
    consumer.close()
    assert list(consumer) == []


def test_names_of_tables_and_events(topic: str, root: embudo.Connection) -> None:
    root.execute(f"CREATE TOPIC {topic}_db WITH META AS DATABASE {topic}")
    with Consumer(configuration()) as consumer:
        consumer.subscribe([f"{topic}_db"])
        tables, events = [], 0
        while not tables:
            message = polled(consumer.poll)
            events += message.value() is None
            tables += [block.table() for block in message.value() or ()]
            if message.value() is None:
                assert '"type":"create"' in (message.meta() or "")
    assert tables == ["a"]
    assert events >= 1
    root.execute(f"DROP TOPIC {topic}_db")


def test_configuration() -> None:
    with pytest.raises(TmqError, match=r"missing group.id"):
        Consumer({})
    with pytest.raises(TmqError, match="v is not string type"):
        Consumer({"group.id": "g", "session.timeout.ms": 6000})
    with pytest.raises(TmqError, match="nonsense"):
        Consumer({"group.id": "g", "nonsense": "1"})
    assert not TopicPartition("t", 1, 2).begin


def test_functions_of_the_c_interface(topic: str) -> None:
    configured = tmq_conf_new()
    for key, value in configuration().items():
        tmq_conf_set(configured, key, value)
    with pytest.raises(TmqError):
        tmq_conf_set(configured, "nonsense", "1")
    consumer = tmq_consumer_new(configured)
    tmq_subscribe(consumer, [topic])
    message = polled(consumer.poll)
    assert tmq_get_res_type(message) == taos.tmq.TMQ_RES_DATA
    assert [part[0] for part in tmq_get_topic_assignment(consumer, topic)] == [message.vgroup()]
    consumer.close()


def test_taosws(topic: str, root: embudo.Connection) -> None:
    with pytest.raises(taosws.ConsumerException, match=r"group.id must be set"):
        taosws.Consumer({})
    with pytest.raises(taosws.ConsumerException, match=r"requires parameter: group.id"):
        taosws.Consumer(dsn="taosws://localhost")
    with pytest.raises(taosws.ConsumerException):
        taosws.Consumer({"group.id": "g", "protocol": True})
    consumer = taosws.Consumer({"td.connect.port": 6041, "td.connect.websocket.scheme": "ws"} | configuration())
    with pytest.raises(TypeError, match="PyList"):
        consumer.subscribe(topic)  # type: ignore[arg-type]
    consumer.subscribe([topic])
    message = polled(consumer.poll)
    assert message is not None
    assert (message.topic(), message.database()) == (topic, topic)
    assert message.vgroup() == message.get_vgroup_id()
    blocks = list(message)
    assert list(message) == []
    assert [(block.nrows(), block.ncols(), block.fields()[0].name()) for block in blocks] == [(2, 13, "ts")]
    row = blocks[0].fetchall()[0]
    assert row[0] == datetime.datetime(1970, 1, 1, 0, 0, 1, tzinfo=datetime.UTC)
    assert row[6:12] == ("a", "é", datetime.datetime(1970, 1, 1, 0, 0, 2, tzinfo=datetime.UTC), b"\x00\xff", POINT, decimal.Decimal("1.50"))
    vgroup = message.vgroup()
    assert consumer.committed(topic, vgroup) == -2147467247
    consumer.commit(message)
    assert consumer.committed(topic, vgroup) == consumer.position(topic, vgroup)
    (assigned,) = consumer.assignment()
    (part,) = assigned.assignments()
    assert (assigned.topic(), part.vg_id(), part.begin()) == (topic, vgroup, 0)
    assert part.offset() <= part.end()
    assert assigned.to_string()
    consumer.seek(topic, vgroup, part.begin())
    assert sum(block.nrows() for block in polled(consumer.poll)) == 2
    consumer.commit_offset(topic, vgroup, part.end())
    assert consumer.committed(topic, vgroup) == part.end()
    with pytest.raises(taosws.ConsumerException):
        consumer.seek(topic, 9999, 0)
    assert consumer.list_topics() == [topic]
    # A poll that waits for ever leaves other threads alone.
    threading.Timer(0.2, lambda: root.execute(f"INSERT INTO {topic}.a (ts, i) VALUES (9000, 9)")).start()
    late = consumer.poll()
    assert late is not None
    assert [row[2] for block in late for row in block] == [9]
    consumer.unsubscribe()
    consumer.close()
    with pytest.raises(taosws.ConsumerException, match="already closed"):
        consumer.poll(0.1)


def test_the_first_interface(topic: str) -> None:
    configured = taos.tmq.TaosTmqConf()
    for key, value in configuration().items():
        configured.set(key, value)
    consumer = configured.new_consumer()
    topics = taos.tmq.TaosTmqList()
    topics.append(topic)
    consumer.subscribe(topics)
    assert consumer.subscription() == [topic]
    result = polled(lambda _: consumer.poll(200))
    assert (result.get_topic_name(), result.get_db_name(), len(result.fetch_all())) == (topic, topic, 2)
    consumer.commit(result)
    consumer.close()
    iterated = taos.TaosConsumer(topic, group_id="other")
    for message in iterated:
        assert [row[6] for row in message] == ["a", None]
        break
    iterated.commit()
    iterated.close()
    with pytest.raises(TmqError, match="Unset topic"):
        taos.TaosConsumer(group_id="other")
