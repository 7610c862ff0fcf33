package main

import (
	"database/sql"
	"fmt"
	"time"

	"github.com/taosdata/driver-go/v3/common/tmq"
	wstmq "github.com/taosdata/driver-go/v3/ws/tmq"
)

func consumer(address, group string) *wstmq.Consumer {
	made, err := wstmq.NewConsumer(&tmq.ConfigMap{
		"ws.url":                  "ws://" + address,
		"ws.message.channelLen":   uint(0),
		"ws.message.timeout":      10 * time.Second,
		"ws.message.writeWait":    10 * time.Second,
		"td.connect.user":         "root",
		"td.connect.pass":         "taosdata",
		"group.id":                group,
		"client.id":               "compat",
		"auto.offset.reset":       "earliest",
		"enable.auto.commit":      "false",
		"auto.commit.interval.ms": "5000",
		"msg.with.table.name":     "true",
		"min.poll.rows":           "100",
	})
	check(err, "consumer")
	return made
}

// What came within a while: rows by table, and events.
func take(from *wstmq.Consumer, rows int) (map[string]int, []*tmq.Meta, tmq.TopicPartition) {
	tables := map[string]int{}
	var events []*tmq.Meta
	var place tmq.TopicPartition
	count := func(data []*tmq.Data) {
		for _, block := range data {
			tables[block.TableName] += len(block.Data)
			rows -= len(block.Data)
		}
	}
	for empty := 0; empty < 2; {
		switch event := from.Poll(500).(type) {
		case nil:
			if rows <= 0 {
				empty++
			}
		case *tmq.DataMessage:
			expect(event.DBName() == "go_topics", "database", event.DBName())
			place = event.TopicPartition
			count(event.Value().([]*tmq.Data))
		case *tmq.MetaMessage:
			events = append(events, event.Value().(*tmq.Meta))
		case *tmq.MetaDataMessage:
			both := event.Value().(*tmq.MetaData)
			events = append(events, both.Meta)
			place = event.TopicPartition
			count(both.Data)
		case tmq.Error:
			check(event, "poll")
		}
	}
	return tables, events, place
}

// Topics of a query and of a database with its events: commits, offsets, seeking, a group that goes on.
func topics(address string) {
	db, err := sql.Open("taosWS", fmt.Sprintf("root:taosdata@ws(%s)/", address))
	check(err, "open")
	run := func(statement string) {
		_, err := db.Exec(statement)
		check(err, statement)
	}
	for _, statement := range []string{
		"DROP TOPIC IF EXISTS go_query",
		"DROP TOPIC IF EXISTS go_all",
		"DROP DATABASE IF EXISTS go_topics",
		"CREATE DATABASE go_topics VGROUPS 1 WAL_RETENTION_PERIOD 3600",
		"CREATE STABLE go_topics.meters (ts TIMESTAMP, v INT, n NCHAR(8)) TAGS (g INT, location VARCHAR(16))",
		"CREATE TABLE go_topics.d1 USING go_topics.meters TAGS (1, 'Paris')",
		"CREATE TOPIC go_query AS SELECT ts, v, n FROM go_topics.meters",
		"CREATE TOPIC go_all WITH META AS DATABASE go_topics",
		"INSERT INTO go_topics.d1 VALUES (1700000000000, 1, '涛') (1700000000001, NULL, NULL)",
	} {
		run(statement)
	}

	first := consumer(address, "g1")
	check(first.Subscribe("go_query", nil), "subscribe")
	tables, _, place := take(first, 2)
	expect(tables[""] == 2, "rows of a query", tables)
	assigned, err := first.Assignment()
	check(err, "assignment")
	expect(len(assigned) == 1 && assigned[0].Partition == place.Partition && *assigned[0].Topic == "go_query", "assignment", assigned)
	before, err := first.Committed(assigned, 0)
	check(err, "committed")
	expect(before[0].Offset == tmq.OffsetInvalid, "nothing committed", before)
	_, err = first.Commit()
	check(err, "commit")
	after, err := first.Committed(assigned, 0)
	check(err, "committed")
	position, err := first.Position(assigned)
	check(err, "position")
	expect(after[0].Offset.Valid() && after[0].Offset == position[0].Offset, "committed", after, position)
	check(first.Seek(tmq.TopicPartition{Topic: assigned[0].Topic, Partition: place.Partition, Offset: place.Offset}, 0), "seek")
	tables, _, _ = take(first, 2)
	expect(tables[""] == 2, "rows again", tables)
	_, err = first.CommitOffsets([]tmq.TopicPartition{{Topic: assigned[0].Topic, Partition: place.Partition, Offset: after[0].Offset}})
	check(err, "commit offsets")
	check(first.Unsubscribe(), "unsubscribe")
	check(first.Close(), "close")

	run("INSERT INTO go_topics.d2 USING go_topics.meters TAGS (2, 'Berlin') VALUES (1700000000002, 3, 'x')")
	run("ALTER STABLE go_topics.meters ADD COLUMN x DOUBLE")
	run("DELETE FROM go_topics.d1 WHERE ts = 1700000000001")
	second := consumer(address, "g1")
	check(second.Subscribe("go_query", nil), "subscribe")
	tables, _, _ = take(second, 1)
	expect(tables[""] == 1, "the group goes on", tables)
	check(second.Close(), "close")

	third := consumer(address, "g2")
	check(third.SubscribeTopics([]string{"go_all"}, nil), "subscribe")
	tables, events, _ := take(third, 3)
	expect(tables["d1"] == 2 && tables["d2"] == 1, "rows by table", tables)
	kinds := map[string]int{}
	for _, event := range events {
		kinds[event.Type+" "+event.TableType]++
		if event.Type == "create" && event.TableName == "d1" {
			expect(event.Using == "meters" && event.TagNum == 2 && event.Tags[1].Value == "\"Paris\"", "child", event)
		}
		if event.Type == "alter" {
			expect(event.AlterType == 5 && event.ColName == "x" && event.ColType == 7, "column", event)
		}
	}
	expect(kinds["create super"] == 1 && kinds["create child"] == 2 && kinds["alter super"] == 1 && kinds["delete "] == 1, "events", kinds)
	check(third.Close(), "close")
	check(db.Close(), "close")
}
