/* Topics and consumers. */
#include <pthread.h>
#include <unistd.h>

#include "check.h"

static int commits;

static void on_commit(tmq_t *tmq, int32_t code, void *param) {
  CHECK(tmq != NULL && code == 0);
  __atomic_add_fetch((int *)param, 1, __ATOMIC_SEQ_CST);
}

static tmq_t *consumer_of(const char *group, const char *auto_commit) {
  char        host[256] = "", text[512];
  tmq_conf_t *conf = tmq_conf_new();
  CHECK(tmq_conf_set(conf, "group.id", group) == TMQ_CONF_OK);
  CHECK(tmq_conf_set(conf, "client.id", "features") == TMQ_CONF_OK);
  CHECK(tmq_conf_set(conf, "td.connect.user", "root") == TMQ_CONF_OK && tmq_conf_set(conf, "td.connect.pass", "taosdata") == TMQ_CONF_OK);
  if (connected_host != NULL) {
    snprintf(host, sizeof host, "%d", connected_port);
    CHECK(tmq_conf_set(conf, "td.connect.ip", connected_host) == TMQ_CONF_OK && tmq_conf_set(conf, "td.connect.port", host) == TMQ_CONF_OK);
  }
  CHECK(tmq_conf_set(conf, "enable.auto.commit", auto_commit) == TMQ_CONF_OK);
  CHECK(tmq_conf_set(conf, "auto.commit.interval.ms", "100") == TMQ_CONF_OK);
  CHECK(tmq_conf_set(conf, "auto.offset.reset", "earliest") == TMQ_CONF_OK);
  CHECK(tmq_conf_set(conf, "msg.with.table.name", "true") == TMQ_CONF_OK);
  CHECK(tmq_conf_set(conf, "no.such.key", "1") == TMQ_CONF_UNKNOWN && tmq_conf_set(conf, "auto.offset.reset", "x") == TMQ_CONF_INVALID);
  tmq_conf_set_auto_commit_cb(conf, on_commit, &commits);
  tmq_t *tmq = tmq_consumer_new(conf, text, sizeof text);
  if (tmq == NULL) fprintf(stderr, "tmq_consumer_new: %s\n", text);
  CHECK(tmq != NULL);
  tmq_conf_destroy(conf);
  return tmq;
}

void test_subscriptions(TAOS *taos) {
  run(taos, "CREATE TABLE watched (ts TIMESTAMP, v INT, note NCHAR(10))");
  run(taos, "CREATE TOPIC features_topic AS SELECT ts, v, note FROM watched");
  run(taos, "INSERT INTO watched VALUES (1700000000000000, 1, 'a') (1700000000000001, 2, NULL) (1700000000000002, 3, '中')");

  tmq_t *tmq = consumer_of("features_group", "false");
  CHECK(tmq_consumer_poll(tmq, 10) == NULL && taos_errno(NULL) != 0);
  tmq_list_t *topics = tmq_list_new();
  CHECK(tmq_list_append(topics, "features_topic") == 0 && tmq_list_get_size(topics) == 1);
  CHECK(strcmp(tmq_list_to_c_array(topics)[0], "features_topic") == 0);
  CHECK_CODE(tmq_subscribe(tmq, topics), 0);
  tmq_list_t *subscribed = NULL;
  CHECK(tmq_subscription(tmq, &subscribed) == 0 && tmq_list_get_size(subscribed) == 1);
  tmq_list_destroy(subscribed);

  TAOS_RES *message = NULL;
  int       rows = 0, vgroup = -1;
  for (int i = 0; i < 300 && rows < 3; i++) {
    message = tmq_consumer_poll(tmq, 200);
    if (message == NULL) continue;
    CHECK(tmq_get_res_type(message) == TMQ_RES_DATA && strcmp(tmq_get_topic_name(message), "features_topic") == 0);
    CHECK(strcmp(tmq_get_db_name(message), "features") == 0);
    vgroup = tmq_get_vgroup_id(message);
    CHECK(vgroup > 0 && tmq_get_vgroup_offset(message) >= 0);
    for (TAOS_ROW row; (row = taos_fetch_row(message)) != NULL;) {
      rows++;
      CHECK(*(int32_t *)row[1] == rows && taos_num_fields(message) == 3 && taos_result_precision(message) == 1);
      tmq_get_table_name(message);
    }
    tmq_raw_data raw;
    CHECK(tmq_get_raw(message, &raw) == 0 && raw.raw_len > 0 && raw.raw_type == 2);
    tmq_free_raw(raw);
    CHECK(tmq_get_json_meta(message) == NULL);
    CHECK_CODE(tmq_commit_sync(tmq, message), 0);
    taos_free_result(message);
  }
  CHECK(rows == 3);
  CHECK(tmq_consumer_poll(tmq, 10) == NULL && taos_errno(NULL) == 0);

  tmq_topic_assignment *assignment = NULL;
  int32_t               count = 0;
  CHECK_CODE(tmq_get_topic_assignment(tmq, "features_topic", &assignment, &count), 0);
  CHECK(count > 0 && assignment != NULL);
  int64_t begin = -1, end = -1;
  for (int i = 0; i < count; i++) {
    if (assignment[i].vgId == vgroup) begin = assignment[i].begin, end = assignment[i].end;
  }
  tmq_free_assignment(assignment);
  CHECK(begin >= 0 && end > begin);
  int64_t committed = tmq_committed(tmq, "features_topic", vgroup);
  CHECK(committed > begin && committed <= end && tmq_position(tmq, "features_topic", vgroup) >= committed);
  CHECK(tmq_committed(tmq, "features_topic", 9999) < 0 && tmq_position(tmq, "no_such_topic", vgroup) < 0);
  CHECK_CODE(tmq_offset_seek(tmq, "features_topic", vgroup, begin), 0);
  CHECK(tmq_offset_seek(tmq, "no_such_topic", vgroup, begin) != 0 && tmq_offset_seek(tmq, "features_topic", vgroup, end + 1000) != 0);
  for (rows = 0; rows < 3;) {
    message = tmq_consumer_poll(tmq, 60000);
    CHECK(message != NULL);
    TAOS_ROW block;
    for (int got; (got = taos_fetch_block(message, &block)) > 0;) rows += got;
    int before = __atomic_load_n(&commits, __ATOMIC_SEQ_CST);
    tmq_commit_async(tmq, message, on_commit, &commits);
    taos_free_result(message);
    for (int i = 0; i < 6000 && __atomic_load_n(&commits, __ATOMIC_SEQ_CST) == before; i++) usleep(10000);
    CHECK(__atomic_load_n(&commits, __ATOMIC_SEQ_CST) > before);
  }
  CHECK_CODE(tmq_commit_offset_sync(tmq, "features_topic", vgroup, begin), 0);
  CHECK(tmq_committed(tmq, "features_topic", vgroup) == begin);
  CHECK(tmq_commit_sync(tmq, taos) != 0 && tmq_commit_sync(tmq, NULL) == 0);
  CHECK(number(tmq_get_connect(tmq), "SELECT COUNT(*) FROM features.watched") == 3);
  CHECK_CODE(tmq_unsubscribe(tmq), 0);
  CHECK_CODE(tmq_consumer_close(tmq), 0);
  CHECK(tmq_consumer_close(tmq) != 0 && tmq_consumer_poll(tmq, 1) == NULL && tmq_subscribe(tmq, topics) != 0);

  /* Automatic commits tell of themselves. */
  commits = 0;
  tmq = consumer_of("features_auto", "true");
  CHECK_CODE(tmq_subscribe(tmq, topics), 0);
  for (rows = 0; rows < 3;) {
    message = tmq_consumer_poll(tmq, 60000);
    CHECK(message != NULL);
    while (taos_fetch_row(message) != NULL) rows++;
    taos_free_result(message);
  }
  for (int i = 0; i < 600 && __atomic_load_n(&commits, __ATOMIC_SEQ_CST) == 0; i++) {
    usleep(100000);
    taos_free_result(tmq_consumer_poll(tmq, 50));
  }
  CHECK(__atomic_load_n(&commits, __ATOMIC_SEQ_CST) > 0);
  CHECK_CODE(tmq_consumer_close(tmq), 0);
  tmq_list_destroy(topics);

  /* Events, and messages written again. */
  run(taos, "CREATE DATABASE features_from WAL_RETENTION_PERIOD 3600");
  run(taos, "CREATE DATABASE features_to");
  run(taos, "CREATE STABLE features_from.s (ts TIMESTAMP, v INT) TAGS (t INT)");
  run(taos, "CREATE TOPIC features_meta WITH META AS DATABASE features_from");
  run(taos, "INSERT INTO features_from.c USING features_from.s TAGS(7) VALUES (1700000000000, 5)");
  tmq = consumer_of("features_meta", "false");
  topics = tmq_list_new();
  tmq_list_append(topics, "features_meta");
  CHECK_CODE(tmq_subscribe(tmq, topics), 0);
  TAOS *target = open_connection();
  CHECK(taos_select_db(target, "features_to") == 0);
  int events = 0;
  for (int i = 0; i < 300 && (rows < 4 || events == 0); i++) {
    message = tmq_consumer_poll(tmq, 200);
    if (message == NULL) continue;
    int kind = tmq_get_res_type(message);
    if (kind != TMQ_RES_DATA) {
      char *json = tmq_get_json_meta(message);
      CHECK(json != NULL && strstr(json, "\"type\":\"create\"") != NULL);
      tmq_free_json_meta(json);
      events++;
    }
    tmq_raw_data raw;
    CHECK_CODE(tmq_get_raw(message, &raw), 0);
    CHECK_CODE(tmq_write_raw(target, raw), 0);
    tmq_free_raw(raw);
    while (taos_fetch_row(message) != NULL) {
      rows++;
      CHECK(strcmp(tmq_get_table_name(message), "c") == 0);
    }
    taos_free_result(message);
  }
  CHECK(events > 0 && number(target, "SELECT COUNT(*) FROM features_to.s WHERE t = 7 AND v = 5") == 1);
  taos_close(target);
  CHECK_CODE(tmq_consumer_close(tmq), 0);
  tmq_list_destroy(topics);

  CHECK(strcmp(tmq_err2str(0), "success") == 0 && strcmp(tmq_err2str(-1), "fail") == 0 && strlen(tmq_err2str(CODE(0x4011))) > 0);
  CHECK(tmq_get_res_type(NULL) == TMQ_RES_INVALID && tmq_get_topic_name(taos) == NULL && tmq_get_vgroup_id(NULL) == -1);
  run(taos, "DROP TOPIC features_topic");
  run(taos, "DROP TOPIC features_meta");
  run(taos, "DROP DATABASE features_from");
  run(taos, "DROP DATABASE features_to");
}
