"""Topics by the official taosws: a query and a whole database with its events; commits, seeking, assignments, a group that goes on."""

import sys
from typing import Any

import taosws

address = sys.argv[1].removeprefix("http://")
host, port = address.split(":")
NOT_COMMITTED = -2147467247

conn = taosws.connect(f"taosws://root:taosdata@{address}?timezone=UTC")
for statement in (
    "DROP TOPIC IF EXISTS ws_query",
    "DROP TOPIC IF EXISTS ws_all",
    "DROP DATABASE IF EXISTS ws_topics",
    "CREATE DATABASE ws_topics VGROUPS 1 WAL_RETENTION_PERIOD 3600",
    "CREATE STABLE ws_topics.meters (ts TIMESTAMP, v INT, n NCHAR(8), d DOUBLE) TAGS (g INT, location VARCHAR(16))",
    "CREATE TOPIC ws_query AS SELECT ts, v, n, d, tbname FROM ws_topics.meters",
    "CREATE TOPIC ws_all WITH META AS DATABASE ws_topics",
    "INSERT INTO ws_topics.d1 USING ws_topics.meters TAGS (1, 'Paris') VALUES "
    "(1700000000000, 1, '涛', 1.5) (1700000000001, NULL, NULL, NULL)",
    "INSERT INTO ws_topics.d2 USING ws_topics.meters TAGS (2, 'Berlin') VALUES (1700000000002, 3, 'x', 2.5)",
):
    conn.execute(statement)


def consumer(group: str, **extra: str) -> Any:
    """A consumer that begins at the oldest row."""
    conf = {
        "td.connect.websocket.scheme": "ws",
        "td.connect.ip": host,
        "td.connect.port": port,
        "td.connect.user": "root",
        "td.connect.pass": "taosdata",
        "group.id": group,
        "client.id": "compat",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": "false",
        "timezone": "UTC",
        **extra,
    }
    return taosws.Consumer(conf=conf)


def rows(member: Any, wanted: int) -> tuple[list[tuple[Any, ...]], list[Any]]:
    """So many rows, and the messages that they came in."""
    got: list[tuple[Any, ...]] = []
    messages = []
    for _ in range(240):
        message = member.poll(timeout=0.5)
        if message is None:
            if len(got) >= wanted:
                break
            continue
        assert message.database() == "ws_topics"
        for block in message:
            got.extend(block.fetchall())
        messages.append(message)
    return got, messages


member = consumer("g1", **{"session.timeout.ms": "12000", "max.poll.interval.ms": "300000", "min.poll.rows": "100"})
member.subscribe(["ws_query"])
assert member.list_topics() == ["ws_query"]
got, messages = rows(member, 3)
assert sorted(row[1:] for row in got if row[1] is not None) == [(1, "涛", 1.5, "d1"), (3, "x", 2.5, "d2")], got
assert next(row for row in got if row[1] is None)[4] == "d1", got
assert messages[0].topic() == "ws_query"
vgroup = messages[0].vgroup()
[assignment] = member.assignment()
assert assignment.topic() == "ws_query"
[place] = assignment.assignments()
assert place.vg_id() == vgroup and place.begin() <= place.offset() <= place.end(), assignment.to_string()
assert member.committed("ws_query", vgroup) == NOT_COMMITTED
member.commit(messages[-1])
committed = member.committed("ws_query", vgroup)
assert committed == member.position("ws_query", vgroup) > 0, committed
member.seek("ws_query", vgroup, place.begin())
again, _ = rows(member, 3)
assert sorted(map(repr, again)) == sorted(map(repr, got))
member.commit_offset("ws_query", vgroup, committed)
conn.execute("INSERT INTO ws_topics.d1 VALUES (1700000000009, 9, 'neu', 9.5)")
member.unsubscribe()

# The group goes on where it committed.
member = consumer("g1")
member.subscribe(["ws_query"])
assert [row[1] for row in rows(member, 1)[0]] == [9]
member.close()

# Everything of a database: rows by table, events between them yield nothing here.
conn.execute("ALTER TABLE ws_topics.meters ADD COLUMN x BIGINT")
conn.execute("INSERT INTO ws_topics.d1 VALUES (1700000000010, 10, NULL, NULL, 7)")
member = consumer("g2")
member.subscribe(["ws_all"])
got, _ = rows(member, 5)
assert sorted(row[1] for row in got if row[1] is not None) == [1, 3, 9, 10], got
assert [row[4] for row in got if row[1] == 10] == [7], got
member.close()

# Commits by the client, once an interval, while it polls.
member = consumer("g3", **{"enable.auto.commit": "true", "auto.commit.interval.ms": "1"})
member.subscribe(["ws_query"])
rows(member, 5)
for _ in range(600):
    if member.committed("ws_query", vgroup) != NOT_COMMITTED:
        break
    member.poll(timeout=0.1)
assert member.committed("ws_query", vgroup) != NOT_COMMITTED
member.close()

failing = consumer("g4")
try:
    failing.subscribe(["ws_nope"])
except taosws.ConsumerException as error:
    assert "Topic not exist" in str(error), error
else:
    raise AssertionError("a topic that is not there was subscribed to")
print("taosws topics passed")
