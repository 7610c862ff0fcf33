import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.util.Properties;

/** A program by the official JDBC driver, over WebSocket and over REST: queries, batches of prepared statements, errors. */
public class Compat {
    static void expect(boolean ok, String what, Object got) {
        if (!ok) {
            throw new AssertionError(what + ": " + got);
        }
    }

    static long count(Statement statement, String sql) throws SQLException {
        try (ResultSet rows = statement.executeQuery(sql)) {
            expect(rows.next(), sql, "no row");
            return rows.getLong(1);
        }
    }

    static void queries(String url, Properties properties) throws SQLException {
        try (Connection connection = DriverManager.getConnection(url, properties); Statement statement = connection.createStatement()) {
            statement.executeUpdate("DROP DATABASE IF EXISTS java_db");
            statement.executeUpdate("CREATE DATABASE java_db");
            statement.executeUpdate("CREATE STABLE java_db.meters (ts TIMESTAMP, f FLOAT, v INT, n NCHAR(16), b VARCHAR(16), ok BOOL, bin VARBINARY(8), "
                + "d DOUBLE, big BIGINT) TAGS (groupid INT, location VARCHAR(24))");
            int affected = statement.executeUpdate("INSERT INTO java_db.d0 USING java_db.meters TAGS (0, 'Paris') VALUES "
                + "(1700000000000, 10.5, 219, '涛思', 'it''s', true, '\\x01ff', 2.5, 9007199254740993) (1700000000001, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)");
            expect(affected == 2, "affected", affected);
            try (ResultSet rows = statement.executeQuery("SELECT * FROM java_db.meters ORDER BY ts")) {
                expect(rows.getMetaData().getColumnCount() == 11, "columns", rows.getMetaData().getColumnCount());
                expect(rows.next(), "first row", "none");
                expect(rows.getTimestamp(1).getTime() == 1700000000000L, "ts", rows.getTimestamp(1));
                expect(rows.getFloat(2) == 10.5f && rows.getInt(3) == 219, "numbers", rows.getFloat(2));
                expect("涛思".equals(rows.getString(4)) && "it's".equals(rows.getString(5)), "texts", rows.getString(4) + rows.getString(5));
                expect(rows.getBoolean(6) && rows.getDouble(8) == 2.5 && rows.getLong(9) == 9007199254740993L, "values", rows.getLong(9));
                expect("Paris".equals(rows.getString("location")), "tag", rows.getString("location"));
                expect(rows.next(), "second row", "none");
                rows.getInt(3);
                expect(rows.wasNull() && rows.getString(4) == null, "nulls", rows.getString(4));
                expect(!rows.next(), "end", "more rows");
            }
            try {
                statement.executeQuery("SELECT * FROM java_db.nope");
                throw new AssertionError("a missing table was found");
            } catch (SQLException error) {
                expect(error.getMessage().contains("Table does not exist"), "error", error.getMessage());
            }
        }
    }

    static void batches(String url, Properties properties) throws SQLException {
        String insert = "INSERT INTO java_db.meters (tbname, ts, v, n, f, ok, groupid, location) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
        try (Connection connection = DriverManager.getConnection(url, properties)) {
            try (PreparedStatement prepared = connection.prepareStatement(insert)) {
                for (int row = 0; row < 3000; row++) {
                    prepared.setString(1, "b" + row % 3);
                    prepared.setTimestamp(2, new Timestamp(1700000100000L + row));
                    prepared.setInt(3, row);
                    if (row % 2 == 0) {
                        prepared.setString(4, "数" + row);
                    } else {
                        prepared.setNull(4, java.sql.Types.NCHAR);
                    }
                    prepared.setFloat(5, row / 2.0f);
                    prepared.setBoolean(6, row % 5 == 0);
                    prepared.setInt(7, row % 3 + 10);
                    prepared.setString(8, "Berlin");
                    prepared.addBatch();
                }
                int[] counts = prepared.executeBatch();
                expect(counts.length > 0, "batch", counts.length);
            }
            try (PreparedStatement prepared = connection.prepareStatement("SELECT v, n FROM java_db.meters WHERE v > ? AND location = ? ORDER BY ts LIMIT 2")) {
                prepared.setInt(1, 2000);
                prepared.setString(2, "Berlin");
                try (ResultSet rows = prepared.executeQuery()) {
                    expect(rows.next() && rows.getInt(1) == 2001 && rows.getString(2) == null, "first", rows.getInt(1));
                    expect(rows.next() && "数2002".equals(rows.getString(2)), "second", rows.getString(2));
                }
            }
            try (Statement statement = connection.createStatement()) {
                expect(count(statement, "SELECT COUNT(*) FROM java_db.meters WHERE groupid >= 10") == 3000, "rows", "count");
                expect(count(statement, "SELECT COUNT(n) FROM java_db.meters WHERE groupid >= 10") == 1500, "nulls", "count");
                expect(count(statement, "SELECT SUM(v) FROM java_db.meters WHERE groupid >= 10") == 4498500, "sum", "sum");
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        String address = arguments[0].replace("http://", "");
        Properties properties = new Properties();
        properties.setProperty("user", "root");
        properties.setProperty("password", "taosdata");
        queries("jdbc:TAOS-RS://" + address + "/?timezone=UTC", properties);
        queries("jdbc:TAOS-WS://" + address + "/?timezone=UTC", properties);
        batches("jdbc:TAOS-WS://" + address + "/java_db?timezone=UTC", properties);
        properties.setProperty("enableCompression", "true");
        queries("jdbc:TAOS-WS://" + address + "/", properties);
        Topics.run(address);
        System.out.println("taos-jdbcdriver passed");
    }
}
