// A program on the native client library by the official Go driver: database/sql, connectors, statements of both kinds, line protocols,
// consumers. Arguments: HOST PORT, or none where EMBUDO_DSN says where to go.
package main

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"
	"time"

	"github.com/taosdata/driver-go/v3/af"
	aftmq "github.com/taosdata/driver-go/v3/af/tmq"
	"github.com/taosdata/driver-go/v3/common/param"
	"github.com/taosdata/driver-go/v3/common/stmt"
	"github.com/taosdata/driver-go/v3/common/tmq"
	"github.com/taosdata/driver-go/v3/errors"
	_ "github.com/taosdata/driver-go/v3/taosSql"
)

var (
	host = ""
	port = 0
)

func check(err error, what string) {
	if err != nil {
		log.Fatalf("%s: %v", what, err)
	}
}

func expect(ok bool, what string, got ...any) {
	if !ok {
		log.Fatalf("%s: %v", what, got)
	}
}

func count(db *sql.DB, statement string, arguments ...any) (rows int64) {
	check(db.QueryRow(statement, arguments...).Scan(&rows), statement)
	return rows
}

func all(rows driver.Rows, err error) (values [][]driver.Value) {
	check(err, "rows")
	defer rows.Close()
	for {
		row := make([]driver.Value, len(rows.Columns()))
		if err := rows.Next(row); err == io.EOF {
			return values
		} else {
			check(err, "next")
		}
		values = append(values, row)
	}
}

func databaseSQL(db *sql.DB) {
	for _, statement := range []string{
		"DROP TOPIC IF EXISTS go_native_topic",
		"DROP DATABASE IF EXISTS go_native",
		"CREATE DATABASE go_native",
		"CREATE STABLE go_native.meters (ts TIMESTAMP, current FLOAT, voltage INT, note NCHAR(16), ok BOOL, big BIGINT UNSIGNED) TAGS (groupid INT, location VARCHAR(24))",
	} {
		_, err := db.Exec(statement)
		check(err, statement)
	}
	done, err := db.Exec("INSERT INTO go_native.d1 USING go_native.meters TAGS(1, 'here') VALUES(1700000000000, 10.5, 220, '中文', true, 18446744073709551615) (1700000000001, NULL, NULL, NULL, NULL, NULL)")
	check(err, "insert")
	affected, err := done.RowsAffected()
	expect(err == nil && affected == 2, "affected", affected, err)
	rows, err := db.Query("SELECT ts, current, voltage, note, ok, big FROM go_native.meters ORDER BY ts")
	check(err, "select")
	defer rows.Close()
	var (
		at      time.Time
		current sql.NullFloat64
		voltage sql.NullInt32
		note    sql.NullString
		ok      sql.NullBool
		big     *uint64
	)
	expect(rows.Next(), "first row")
	check(rows.Scan(&at, &current, &voltage, &note, &ok, &big), "scan")
	expect(at.UnixMilli() == 1700000000000 && current.Float64 == 10.5 && voltage.Int32 == 220 && note.String == "中文" && ok.Bool && *big == 18446744073709551615, "values", at, current, voltage, note, ok, *big)
	expect(rows.Next(), "second row")
	check(rows.Scan(&at, &current, &voltage, &note, &ok, &big), "scan")
	expect(!current.Valid && !voltage.Valid && !note.Valid && !ok.Valid && big == nil, "nulls")
	expect(!rows.Next(), "end")
	expect(count(db, "SELECT COUNT(*) FROM go_native.meters WHERE voltage = ?", 220) == 1, "parameters")
	_, err = db.Exec("SELECT * FROM go_native.no_such")
	failure, isFailure := err.(*errors.TaosError)
	expect(isFailure && failure.Code == 0x2662, "error", err)
}

func connectors(conn *af.Connector, db *sql.DB) {
	check(conn.SelectDB("go_native"), "select db")
	expect(len(all(conn.Query("SELECT * FROM meters"))) == 2, "query")
	vgroup, err := conn.GetTableVGroupID("go_native", "d1")
	expect(err == nil && vgroup > 0, "vgroup", vgroup, err)
	check(conn.InfluxDBInsertLines([]string{"cpu,host=a usage=0.5 1700000000000", "cpu,host=b usage=0.25 1700000000000"}, "ms"), "influx")
	check(conn.InfluxDBInsertLinesWithReqID("named,host=kid usage=1 1700000000000", "ms", 3, 10, "host"), "influx with key")
	check(conn.OpenTSDBInsertTelnetLines([]string{"sys.load 1700000000000 1.5 host=a"}), "telnet")
	check(conn.OpenTSDBInsertJsonPayload(`{"metric":"disk","timestamp":1700000000000,"value":7,"tags":{"host":"a"}}`), "json")
	expect(count(db, "SELECT COUNT(*) FROM go_native.cpu") == 2 && count(db, "SELECT COUNT(*) FROM go_native.kid") == 1, "lines")
	expect(conn.InfluxDBInsertLines([]string{"cpu usage="}, "ms") != nil, "a broken line was taken")
}

func statements(conn *af.Connector, db *sql.DB) {
	s := conn.Stmt()
	check(s.Prepare("INSERT INTO ? USING meters TAGS(?, ?) VALUES(?, ?, ?, ?, ?, ?)"), "prepare")
	check(s.SetTableNameWithTags("d2", param.NewParam(2).AddInt(2).AddBinary([]byte("there"))), "tags")
	for i := 0; i < 3; i++ {
		row := param.NewParam(6).AddTimestamp(time.UnixMilli(1700000000000+int64(i)), 0).AddFloat(1.5).AddInt(i).AddNchar("字").AddBool(true).AddUBigint(7)
		check(s.BindRow(row), "bind")
		check(s.AddBatch(), "add batch")
	}
	check(s.Execute(), "execute")
	expect(s.GetAffectedRows() == 3, "affected", s.GetAffectedRows())
	check(s.Close(), "close")
	s = conn.Stmt()
	check(s.Prepare("SELECT voltage FROM meters WHERE groupid = ? ORDER BY ts"), "prepare query")
	check(s.BindRow(param.NewParam(1).AddInt(2)), "bind query")
	check(s.AddBatch(), "add batch")
	check(s.Execute(), "execute query")
	values := all(s.UseResult())
	expect(len(values) == 3 && values[2][0] == int32(2), "values", values)
	check(s.Close(), "close")

	s2 := conn.Stmt2(5, false)
	check(s2.Prepare("INSERT INTO ? USING meters TAGS(?, ?) VALUES(?, ?, ?, ?, ?, ?)"), "prepare 2")
	now := time.UnixMilli(1700000000000)
	columns := [][]driver.Value{{now, now.Add(time.Millisecond)}, {float32(1), nil}, {int32(1), int32(2)}, {"a", nil}, {true, false}, {uint64(1), uint64(2)}}
	check(s2.Bind([]*stmt.TaosStmt2BindData{
		{TableName: "d3", Tags: []driver.Value{int32(3), []byte("far")}, Cols: columns},
		{TableName: "d4", Tags: []driver.Value{int32(4), []byte("away")}, Cols: columns},
	}), "bind 2")
	check(s2.Execute(), "execute 2")
	expect(s2.GetAffectedRows() == 4, "affected 2", s2.GetAffectedRows())
	check(s2.Close(), "close 2")
	expect(count(db, "SELECT COUNT(*) FROM go_native.meters WHERE groupid > 2") == 4, "stmt2 rows")
	s2 = conn.Stmt2(6, false)
	check(s2.Prepare("SELECT voltage FROM meters WHERE groupid = ? ORDER BY ts"), "prepare query 2")
	check(s2.Bind([]*stmt.TaosStmt2BindData{{Cols: [][]driver.Value{{int32(4)}}}}), "bind query 2")
	check(s2.Execute(), "execute query 2")
	values = all(s2.UseResult())
	expect(len(values) == 2 && values[1][0] == int32(2), "values 2", values)
	check(s2.Close(), "close 2")
}

func consumers(db *sql.DB) {
	_, err := db.Exec("CREATE TOPIC go_native_topic AS SELECT ts, voltage FROM go_native.meters")
	check(err, "topic")
	settings := tmq.ConfigMap{
		"group.id": "go_native", "auto.offset.reset": "earliest", "enable.auto.commit": "false", "msg.with.table.name": "true",
		"td.connect.user": "root", "td.connect.pass": "taosdata",
	}
	if host != "" {
		settings["td.connect.ip"], settings["td.connect.port"] = host, strconv.Itoa(port)
	}
	consumer, err := aftmq.NewConsumer(&settings)
	check(err, "consumer")
	check(consumer.Subscribe("go_native_topic", nil), "subscribe")
	wanted, rows := count(db, "SELECT COUNT(*) FROM go_native.meters"), int64(0)
	for i := 0; i < 100 && rows < wanted; i++ {
		switch event := consumer.Poll(200).(type) {
		case *tmq.DataMessage:
			expect(event.Topic() == "go_native_topic" && event.DBName() == "go_native", "message", event.Topic(), event.DBName())
			for _, data := range event.Value().([]*tmq.Data) {
				rows += int64(len(data.Data))
			}
			_, err := consumer.Commit()
			check(err, "commit")
		case tmq.Error:
			log.Fatalf("poll: %v", event)
		}
	}
	expect(rows == wanted, "rows", rows, wanted)
	assignment, err := consumer.Assignment()
	expect(err == nil && len(assignment) > 0, "assignment", err)
	_, err = consumer.Committed(assignment, 0)
	check(err, "committed")
	check(consumer.Unsubscribe(), "unsubscribe")
	check(consumer.Close(), "close")
	_, err = db.Exec("DROP TOPIC go_native_topic")
	check(err, "drop topic")
}

func main() {
	if len(os.Args) == 3 {
		host = os.Args[1]
		port, _ = strconv.Atoi(os.Args[2])
	}
	db, err := sql.Open("taosSql", fmt.Sprintf("root:taosdata@tcp(%s:%d)/?loc=UTC", host, port))
	check(err, "open")
	databaseSQL(db)
	conn, err := af.Open(host, "root", "taosdata", "", port)
	check(err, "connector")
	connectors(conn, db)
	statements(conn, db)
	consumers(db)
	check(conn.Close(), "close")
	_, err = db.Exec("DROP DATABASE go_native")
	check(err, "drop database")
	check(db.Close(), "close")
	fmt.Println("gonative: all passed")
}
