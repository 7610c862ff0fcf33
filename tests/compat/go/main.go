// A program over WebSocket by the official Go driver: database/sql with literals and with parameters, statements, line protocols.
package main

import (
	"database/sql"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/taosdata/driver-go/v3/common"
	"github.com/taosdata/driver-go/v3/common/param"
	_ "github.com/taosdata/driver-go/v3/taosRestful"
	_ "github.com/taosdata/driver-go/v3/taosWS"
	"github.com/taosdata/driver-go/v3/ws/schemaless"
	"github.com/taosdata/driver-go/v3/ws/stmt"
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

func query(db *sql.DB, statement string, arguments ...any) [][]any {
	rows, err := db.Query(statement, arguments...)
	check(err, statement)
	defer rows.Close()
	columns, err := rows.Columns()
	check(err, statement)
	var all [][]any
	for rows.Next() {
		values := make([]any, len(columns))
		places := make([]any, len(columns))
		for i := range values {
			places[i] = &values[i]
		}
		check(rows.Scan(places...), statement)
		all = append(all, values)
	}
	check(rows.Err(), statement)
	return all
}

func main() {
	address := strings.TrimPrefix(os.Args[1], "http://")
	base := fmt.Sprintf("root:taosdata@ws(%s)/", address)
	setup, err := sql.Open("taosWS", base)
	check(err, "open")
	for _, statement := range []string{
		"DROP DATABASE IF EXISTS go_ws",
		"CREATE DATABASE go_ws",
		"CREATE STABLE go_ws.meters (ts TIMESTAMP, current FLOAT, voltage INT, note NCHAR(16), ok BOOL, big BIGINT UNSIGNED) TAGS (groupid INT, location VARCHAR(24))",
		"CREATE TABLE go_ws.d0 USING go_ws.meters TAGS (0, 'Paris')",
	} {
		_, err := setup.Exec(statement)
		check(err, statement)
	}
	check(setup.Close(), "close")

	for _, options := range []string{"", "?enableCompression=true&timezone=Europe%2FParis"} {
		db, err := sql.Open("taosWS", base+"go_ws"+options)
		check(err, "open")
		_, err = db.Exec("DELETE FROM d0")
		check(err, "delete")
		result, err := db.Exec("INSERT INTO d0 VALUES (1700000000000, 10.5, 219, '涛思', true, 18446744073709551615) (1700000000001, NULL, NULL, NULL, NULL, NULL)")
		check(err, "insert")
		affected, _ := result.RowsAffected()
		expect(affected == 2, "affected", affected)
		rows := query(db, "SELECT * FROM meters ORDER BY ts")
		expect(len(rows) == 2, "rows", rows)
		first := rows[0]
		expect(first[0].(time.Time).UnixMilli() == 1700000000000, "time", first[0])
		expect(first[1].(float32) == 10.5 && first[2].(int32) == 219 && first[3].(string) == "涛思" && first[4].(bool), "values", first)
		expect(first[5].(uint64) == 18446744073709551615 && first[6].(int32) == 0 && first[7].(string) == "Paris", "values", first)
		expect(rows[1][1] == nil && rows[1][3] == nil, "nulls", rows[1])
		_, err = db.Query("SELECT * FROM nope")
		expect(err != nil && strings.Contains(err.Error(), "Table does not exist"), "missing table", err)
		check(db.Close(), "close")
	}

	// Parameters: bound by statements where they are not written into the text.
	db, err := sql.Open("taosWS", base+"go_ws?interpolateParams=false")
	check(err, "open")
	_, err = db.Exec("INSERT INTO d0 (ts, current, voltage, note) VALUES (?, ?, ?, ?)", time.UnixMilli(1700000000010), float32(1.5), int32(7), "it's")
	check(err, "insert with parameters")
	rows := query(db, "SELECT voltage, note FROM meters WHERE voltage = ? AND note = ?", int32(7), "it's")
	expect(len(rows) == 1 && rows[0][0].(int32) == 7 && rows[0][1].(string) == "it's", "query with parameters", rows)
	check(db.Close(), "close")

	connector, err := stmt.NewConnector(config(address))
	check(err, "stmt connector")
	statement, err := connector.Init()
	check(err, "stmt init")
	check(statement.Prepare("INSERT INTO ? USING meters TAGS (?, ?) VALUES (?, ?, ?, ?, ?, ?)"), "prepare")
	for child := 1; child <= 2; child++ {
		check(statement.SetTableName(fmt.Sprintf("d%d", child)), "set table")
		check(statement.SetTags(param.NewParam(2).AddInt(child).AddBinary([]byte("Berlin")), param.NewColumnType(2).AddInt().AddBinary(24)), "set tags")
		now := time.UnixMilli(1700000001000)
		check(statement.BindParam([]*param.Param{
			param.NewParam(2).AddTimestamp(now, common.PrecisionMilliSecond).AddTimestamp(now.Add(time.Second), common.PrecisionMilliSecond),
			param.NewParam(2).AddFloat(2.5).AddNull(),
			param.NewParam(2).AddInt(1).AddInt(2),
			param.NewParam(2).AddNchar("a").AddNull(),
			param.NewParam(2).AddBool(true).AddBool(false),
			param.NewParam(2).AddUBigint(1).AddUBigint(2),
		}, param.NewColumnType(6).AddTimestamp().AddFloat().AddInt().AddNchar(16).AddBool().AddUBigint()), "bind")
		check(statement.AddBatch(), "add batch")
	}
	check(statement.Exec(), "exec")
	expect(statement.GetAffectedRows() == 4, "affected", statement.GetAffectedRows())
	check(statement.Close(), "close statement")
	check(connector.Close(), "close connector")

	lines, err := schemaless.NewSchemaless(schemaless.NewConfig("ws://"+address, 1,
		schemaless.SetDb("go_ws"), schemaless.SetUser("root"), schemaless.SetPassword("taosdata"), schemaless.SetReadTimeout(10*time.Second), schemaless.SetWriteTimeout(10*time.Second)))
	check(err, "schemaless")
	check(lines.Insert("weather,city=paris temperature=21.5 1700000000000", schemaless.InfluxDBLineProtocol, "ms", 0, common.GetReqID()), "line")
	check(lines.Insert("sys.load 1700000000 3.5 host=web01", schemaless.OpenTSDBTelnetLineProtocol, "s", 0, common.GetReqID()), "telnet")
	lines.Close()

	last, err := sql.Open("taosWS", base+"go_ws")
	check(err, "open")
	counted := query(last, "SELECT COUNT(*), SUM(voltage) FROM meters WHERE location = 'Berlin'")
	expect(counted[0][0].(int64) == 4 && counted[0][1].(int64) == 6, "bound rows", counted)
	weather := query(last, "SELECT temperature, city FROM weather")
	expect(weather[0][0].(float64) == 21.5 && weather[0][1].(string) == "paris", "weather", weather)
	check(last.Close(), "close")

	rest, err := sql.Open("taosRestful", fmt.Sprintf("root:taosdata@http(%s)/go_ws", address))
	check(err, "open REST")
	overRest := query(rest, "SELECT COUNT(*) FROM meters")
	expect(overRest[0][0].(int64) >= 5, "REST", overRest)
	check(rest.Close(), "close")
	topics(address)
	fmt.Println("driver-go passed")
}

func config(address string) *stmt.Config {
	config := stmt.NewConfig("ws://"+address, 1)
	check(config.SetConnectUser("root"), "user")
	check(config.SetConnectPass("taosdata"), "password")
	check(config.SetConnectDB("go_ws"), "database")
	config.SetMessageTimeout(common.DefaultMessageTimeout)
	config.SetWriteWait(common.DefaultWriteWait)
	return config
}
