import com.taosdata.jdbc.enums.TmqMessageType;
import com.taosdata.jdbc.tmq.ConsumerRecord;
import com.taosdata.jdbc.tmq.OffsetAndMetadata;
import com.taosdata.jdbc.tmq.TMQEnhMap;
import com.taosdata.jdbc.tmq.TaosConsumer;
import com.taosdata.jdbc.tmq.TopicPartition;
import com.taosdata.jdbc.ws.tmq.meta.Meta;
import com.taosdata.jdbc.ws.tmq.meta.MetaAlterTable;
import com.taosdata.jdbc.ws.tmq.meta.MetaCreateChildTable;
import com.taosdata.jdbc.ws.tmq.meta.MetaCreateSuperTable;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Properties;

/** Topics over WebSocket by the official driver: a query and a database with its events; commits, offsets, seeking, a group that goes on. */
final class Topics {
    private static final long NOT_COMMITTED = -2147467247;

    private static void expect(boolean holds, String what, Object got) {
        if (!holds) {
            throw new AssertionError(what + ": " + got);
        }
    }

    private static TaosConsumer<TMQEnhMap> consumer(String address, String group) throws Exception {
        Properties properties = new Properties();
        properties.setProperty("td.connect.type", "ws");
        properties.setProperty("bootstrap.servers", address);
        properties.setProperty("td.connect.user", "root");
        properties.setProperty("td.connect.pass", "taosdata");
        properties.setProperty("group.id", group);
        properties.setProperty("client.id", "compat");
        properties.setProperty("auto.offset.reset", "earliest");
        properties.setProperty("enable.auto.commit", "false");
        properties.setProperty("msg.with.table.name", "true");
        // It reads events only where they come in lists.
        properties.setProperty("enable_batch_meta", "1");
        properties.setProperty("value.deserializer", "com.taosdata.jdbc.tmq.MapEnhanceDeserializer");
        return new TaosConsumer<>(properties);
    }

    /** Polls until so many rows came and then nothing more. */
    private static List<ConsumerRecord<TMQEnhMap>> take(TaosConsumer<TMQEnhMap> consumer, int rows) throws Exception {
        List<ConsumerRecord<TMQEnhMap>> all = new ArrayList<>();
        for (int empty = 0; empty < 2; ) {
            boolean any = false;
            for (ConsumerRecord<TMQEnhMap> record : consumer.poll(Duration.ofMillis(500))) {
                any = true;
                expect("java_topics".equals(record.getDbName()), "database", record.getDbName());
                all.add(record);
            }
            if (!any && all.stream().filter(record -> record.value() != null).count() >= rows) {
                empty++;
            }
        }
        return all;
    }

    static void run(String address) throws Exception {
        try (Connection connection = DriverManager.getConnection("jdbc:TAOS-WS://" + address + "/?user=root&password=taosdata");
             Statement statement = connection.createStatement()) {
            for (String sql : new String[] {
                "DROP TOPIC IF EXISTS java_query",
                "DROP TOPIC IF EXISTS java_all",
                "DROP DATABASE IF EXISTS java_topics",
                "CREATE DATABASE java_topics VGROUPS 1 WAL_RETENTION_PERIOD 3600",
                "CREATE STABLE java_topics.meters (ts TIMESTAMP, v INT, n NCHAR(8)) TAGS (g INT, location VARCHAR(16))",
                "CREATE TABLE java_topics.d1 USING java_topics.meters TAGS (1, 'Paris')",
                "CREATE TOPIC java_query AS SELECT ts, v, n FROM java_topics.meters",
                "CREATE TOPIC java_all WITH META AS DATABASE java_topics",
                "INSERT INTO java_topics.d1 VALUES (1700000000000, 1, '涛') (1700000000001, NULL, 'y')",
            }) {
                statement.executeUpdate(sql);
            }
            query(address, statement);
            events(address, statement);
        }
    }

    private static void query(String address, Statement statement) throws Exception {
        long committed;
        try (TaosConsumer<TMQEnhMap> consumer = consumer(address, "g1")) {
            consumer.subscribe(Collections.singletonList("java_query"));
            expect(consumer.subscription().contains("java_query"), "subscription", consumer.subscription());
            List<ConsumerRecord<TMQEnhMap>> rows = take(consumer, 2);
            Map<String, Object> first = rows.get(0).value().getMap();
            expect(Integer.valueOf(1).equals(first.get("v")) && "涛".equals(first.get("n")), "row", first);
            // This driver cannot read a NCHAR that is NULL from a topic.
            expect(rows.get(1).value().getMap().get("v") == null, "null", rows.get(1).value().getMap());
            TopicPartition place = new TopicPartition("java_query", rows.get(0).getVGroupId());
            expect(consumer.assignment().contains(place), "assignment", consumer.assignment());
            OffsetAndMetadata before = consumer.committed(place);
            expect(before == null || before.offset() == NOT_COMMITTED, "nothing committed", before);
            consumer.commitSync();
            committed = consumer.committed(place).offset();
            expect(committed == consumer.position(place), "committed", committed);
            expect(consumer.endOffsets("java_query").get(place) >= committed, "end", consumer.endOffsets("java_query"));
            consumer.seekToBeginning(Collections.singletonList(place));
            expect(take(consumer, 2).size() == 2, "rows again", "");
            consumer.commitSync(Collections.singletonMap(place, new OffsetAndMetadata(committed)));
            consumer.unsubscribe();
        }
        statement.executeUpdate("INSERT INTO java_topics.d2 USING java_topics.meters TAGS (2, 'Berlin') VALUES (1700000000002, 3, 'x')");
        try (TaosConsumer<TMQEnhMap> consumer = consumer(address, "g1")) {
            consumer.subscribe(Collections.singletonList("java_query"));
            List<ConsumerRecord<TMQEnhMap>> rows = take(consumer, 1);
            expect(rows.size() == 1 && Integer.valueOf(3).equals(rows.get(0).value().getMap().get("v")), "the group goes on", rows.size());
        }
    }

    private static void events(String address, Statement statement) throws Exception {
        statement.executeUpdate("ALTER STABLE java_topics.meters ADD COLUMN x DOUBLE");
        List<Meta> events = new ArrayList<>();
        int rows = 0;
        try (TaosConsumer<TMQEnhMap> consumer = consumer(address, "g2")) {
            consumer.subscribe(Collections.singletonList("java_all"));
            for (ConsumerRecord<TMQEnhMap> record : take(consumer, 3)) {
                if (record.getMeta() != null) {
                    events.add(record.getMeta());
                }
                if (record.value() != null) {
                    rows++;
                    String table = record.value().getTableName();
                    expect("d1".equals(table) || "d2".equals(table), "table", table);
                }
                if (record.getMessageType() == TmqMessageType.TMQ_RES_TABLE_META) {
                    expect(record.getMeta() != null, "event", record.getOffset());
                }
            }
        }
        expect(rows == 3, "rows", rows);
        expect(events.stream().anyMatch(event -> event instanceof MetaCreateSuperTable
            && ((MetaCreateSuperTable) event).getColumns().size() == 3 && ((MetaCreateSuperTable) event).getTags().size() == 2), "supertable", events);
        expect(events.stream().anyMatch(event -> event instanceof MetaCreateChildTable && "d1".equals(event.getTableName())
            && "meters".equals(((MetaCreateChildTable) event).getUsing())), "child", events);
        expect(events.stream().anyMatch(event -> event instanceof MetaAlterTable && "x".equals(((MetaAlterTable) event).getColName())), "column", events);
    }

    private Topics() {}
}
