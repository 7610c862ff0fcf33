/* Statements by their text and the ways to read what they give. */
#include <pthread.h>
#include <unistd.h>

#include "check.h"

void test_queries(TAOS *taos) {
  run(taos, "CREATE STABLE meters (ts TIMESTAMP, current FLOAT, voltage INT, note VARCHAR(20)) TAGS (location NCHAR(20), grp INT)");
  int rows = run(taos,
                 "INSERT INTO d1 USING meters TAGS('上海', 1) VALUES ('2024-01-01 00:00:00.000001', 10.5, 220, 'a'), ('2024-01-01 00:00:01', NULL, "
                 "NULL, NULL) d2 USING meters TAGS('北京', 2) VALUES ('2024-01-01 00:00:02', 11.25, 221, '')");
  CHECK(rows == 3);

  TAOS_RES *res = taos_query_with_reqid(taos, "SELECT ts, current, voltage, note, location FROM meters ORDER BY ts", 0x7f0000000001);
  CHECK_CODE(taos_errno(res), 0);
  CHECK(taos_field_count(res) == 5 && taos_num_fields(res) == 5 && !taos_is_update_query(res));
  CHECK(taos_result_precision(res) == 1);
  TAOS_FIELD *fields = taos_fetch_fields(res);
  CHECK(strcmp(fields[3].name, "note") == 0 && fields[3].type == TSDB_DATA_TYPE_VARCHAR && fields[3].bytes == 20);
  CHECK(fields[4].type == TSDB_DATA_TYPE_NCHAR && fields[4].bytes == 20);
  CHECK(taos_fetch_fields_e(res)[0].precision == 1);

  TAOS_ROW row = taos_fetch_row(res);
  CHECK(row != NULL && *(int64_t *)row[0] == 1704067200000001LL && *(float *)row[1] == 10.5f && *(int32_t *)row[2] == 220);
  int *lengths = taos_fetch_lengths(res);
  CHECK(lengths[0] == 8 && lengths[3] == 1 && memcmp(row[3], "a", 1) == 0 && lengths[4] == 6 && memcmp(row[4], "上海", 6) == 0);
  char text[128];
  int  length = taos_print_row(text, row, fields, 5);
  CHECK(length == (int)strlen(text) && strstr(text, "1704067200000001 10.500000 220 a 上海") == text);
  row = taos_fetch_row(res);
  CHECK(row != NULL && row[1] == NULL && row[2] == NULL && row[3] == NULL && row[4] != NULL);
  CHECK(taos_is_null(res, 1, 2) && !taos_is_null(res, 1, 0) && taos_is_null(res, 99, 0) && taos_is_null(res, 0, 99));
  taos_print_row_with_size(text, 8, row, fields, 5);
  CHECK(strcmp(text, "1704067") == 0);
  row = taos_fetch_row(res);
  CHECK(row != NULL && taos_fetch_lengths(res)[3] == 0);
  CHECK(taos_fetch_row(res) == NULL && taos_fetch_row(res) == NULL && taos_errno(res) == 0);
  taos_free_result(res);

  res = taos_query(taos, "SELECT voltage, note FROM meters ORDER BY ts");
  TAOS_ROW block = NULL;
  CHECK(taos_fetch_block(res, &block) == 3 && block != NULL);
  CHECK(((int32_t *)block[0])[0] == 220 && ((int32_t *)block[0])[2] == 221);
  int *offsets = taos_get_column_data_offset(res, 1);
  CHECK(offsets != NULL && offsets[0] == 0 && offsets[1] == -1 && offsets[2] == 3 && taos_get_column_data_offset(res, 0) == NULL);
  CHECK(*(uint16_t *)((char *)block[1] + offsets[0]) == 1 && ((char *)block[1])[2] == 'a');
  bool nulls[3];
  int  count = 3;
  CHECK(taos_is_null_by_column(res, 0, nulls, &count) == 0 && count == 3 && !nulls[0] && nulls[1] && !nulls[2]);
  CHECK(taos_is_null_by_column(res, 7, nulls, &count) != 0);
  CHECK(*taos_result_block(res) == block && taos_fetch_lengths(res)[0] == 4);
  CHECK(taos_fetch_block(res, &block) == 0);
  taos_free_result(res);

  res = taos_query(taos, "SELECT * FROM d1");
  int   number_of_rows = -1;
  void *raw = NULL;
  CHECK(taos_fetch_block_s(res, &number_of_rows, &block) == 0 && number_of_rows == 2);
  CHECK(taos_fetch_raw_block(res, &number_of_rows, &raw) == 0 && number_of_rows == 0 && raw == NULL);
  taos_free_result(res);
  res = taos_query(taos, "SELECT * FROM d1");
  CHECK(taos_fetch_raw_block(res, &number_of_rows, &raw) == 0 && number_of_rows == 2 && taos_get_raw_block(res) == raw);
  CHECK(((int32_t *)raw)[0] == 1 && ((int32_t *)raw)[2] == 2 && ((int32_t *)raw)[3] == 4);
  run(taos, "CREATE TABLE copy (ts TIMESTAMP, current FLOAT, voltage INT, note VARCHAR(20))");
  CHECK_CODE(taos_write_raw_block(taos, 2, raw, "copy"), 0);
  CHECK_CODE(taos_write_raw_block_with_fields(taos, 2, raw, "copy", taos_fetch_fields(res), 4), 0);
  CHECK(taos_write_raw_block(taos, 5, raw, "copy") != 0 && taos_write_raw_block(taos, 2, raw, "no_such") != 0);
  taos_free_result(res);
  CHECK(number(taos, "SELECT COUNT(*) FROM copy") == 2);

  CHECK_CODE(refused(taos, "SELECT * FROM no_such_table"), CODE(0x2662));
  CHECK_CODE(refused(taos, "SELEC 1"), CODE(0x2600));
  res = taos_query(taos, "SELEC 1");
  CHECK(strstr(taos_errstr(res), "syntax error near") != NULL && taos_fetch_row(res) == NULL && taos_fetch_fields(res) == NULL);
  taos_free_result(res);
  CHECK(taos_validate_sql(taos, "SELECT * FROM meters") == 0);
  CHECK(taos_validate_sql(taos, "SELEC * FROM meters") != 0);

  /* A result outlives its connection. */
  TAOS *second = open_connection();
  res = taos_query(second, "SELECT ts FROM features.meters");
  taos_close(second);
  for (count = 0; taos_fetch_row(res) != NULL; count++) {
  }
  CHECK(count == 3 && taos_errno(res) == 0);
  taos_free_result(res);

  res = taos_query(taos, "SELECT * FROM meters");
  taos_stop_query(res);
  CHECK(taos_fetch_row(res) == NULL && taos_errno(res) == CODE(0x022D));
  taos_free_result(res);
  taos_kill_query(taos);
  CHECK(number(taos, "SELECT COUNT(*) FROM meters") == 3);
}

void test_types(TAOS *taos) {
  run(taos,
      "CREATE TABLE types (ts TIMESTAMP, bo BOOL, ti TINYINT, si SMALLINT, i INT, bi BIGINT, uti TINYINT UNSIGNED, usi SMALLINT UNSIGNED, ui INT "
      "UNSIGNED, ubi BIGINT UNSIGNED, f FLOAT, d DOUBLE, vc VARCHAR(10), nc NCHAR(10), vb VARBINARY(10), g GEOMETRY(100), de DECIMAL(10, 2), dl "
      "DECIMAL(30, 4))");
  run(taos,
      "INSERT INTO types VALUES (1700000000000001, true, -128, -32768, -2147483648, -9223372036854775808, 255, 65535, 4294967295, 18446744073709551615, -1.5, 2.25, "
      "'ab', '中文', '\\x00ff', 'POINT(1 2)', -12.34, 12345678901234567890.1234)");
  run(taos, "INSERT INTO types (ts) VALUES (1700000000000002)");
  TAOS_RES *res = taos_query(taos, "SELECT * FROM types");
  CHECK_CODE(taos_errno(res), 0);
  static const int types[] = {9, 1, 2, 3, 4, 5, 11, 12, 13, 14, 6, 7, 8, 10, 16, 20, 21, 17};
  TAOS_FIELD_E    *fields = taos_fetch_fields_e(res);
  CHECK(taos_field_count(res) == 18);
  for (int i = 0; i < 18; i++) CHECK(fields[i].type == types[i]);
  CHECK(fields[16].precision == 10 && fields[16].scale == 2 && fields[17].precision == 30 && fields[17].scale == 4);
  TAOS_ROW row = taos_fetch_row(res);
  int     *lengths = taos_fetch_lengths(res);
  CHECK(*(int8_t *)row[1] == 1 && *(int8_t *)row[2] == -128 && *(int16_t *)row[3] == INT16_MIN && *(int32_t *)row[4] == INT32_MIN);
  CHECK(*(uint8_t *)row[6] == 255 && *(uint16_t *)row[7] == 65535 && *(uint32_t *)row[8] == UINT32_MAX && *(uint64_t *)row[9] == UINT64_MAX);
  CHECK(*(float *)row[10] == -1.5f && *(double *)row[11] == 2.25);
  CHECK(lengths[12] == 2 && lengths[13] == 6 && memcmp(row[13], "中文", 6) == 0 && lengths[14] == 2 && ((uint8_t *)row[14])[1] == 0xff);
  CHECK(lengths[15] == 21 && ((uint8_t *)row[15])[0] == 1);
  CHECK(strcmp(row[16], "-12.34") == 0 && strcmp(row[17], "12345678901234567890.1234") == 0);
  char text[512];
  taos_print_row(text, row, taos_fetch_fields(res), 18);
  CHECK(strstr(text, " 中文 \\x00FF ") != NULL);
  row = taos_fetch_row(res);
  for (int i = 1; i < 18; i++) CHECK(row[i] == NULL);
  taos_free_result(res);
  res = taos_query(taos, "SELECT de FROM types");
  TAOS_ROW block;
  CHECK(taos_fetch_block(res, &block) == 2 && strcmp((char *)block[0], "-12.34") == 0 && taos_is_null(res, 1, 0));
  taos_free_result(res);

  run(taos, "CREATE STABLE jsons (ts TIMESTAMP, v INT) TAGS (j JSON)");
  run(taos, "INSERT INTO j1 USING jsons TAGS('{\"a\": 1}') VALUES (1700000000000000, 1)");
  res = taos_query(taos, "SELECT j FROM jsons");
  CHECK(taos_fetch_fields(res)[0].type == TSDB_DATA_TYPE_JSON);
  row = taos_fetch_row(res);
  CHECK(row != NULL && taos_fetch_lengths(res)[0] == 7 && memcmp(row[0], "{\"a\":1}", 7) == 0);
  taos_free_result(res);

  run(taos, "CREATE TABLE many (ts TIMESTAMP, v BIGINT)");
  char *sql = malloc(1 << 20);
  int   at = sprintf(sql, "INSERT INTO many VALUES");
  for (int i = 0; i < 10000; i++) at += sprintf(sql + at, " (%lld, %d)", 1700000000000000LL + i, i * 2);
  CHECK(run(taos, sql) == 10000);
  free(sql);
  res = taos_query(taos, "SELECT v FROM many ORDER BY ts");
  long long rows = 0, sum = 0;
  int       got;
  void     *raw;
  while (taos_fetch_raw_block(res, &got, &raw) == 0 && got > 0) {
    /* 28 bytes of head, 5 of type, 4 of length, the bitmap, the values. */
    const char *values = (const char *)raw + 28 + 5 + 4 + (got + 7) / 8;
    for (int i = 0; i < got; i++) {
      int64_t value;
      memcpy(&value, values + 8 * i, 8);
      sum += value;
    }
    rows += got;
  }
  CHECK(rows == 10000 && sum == 99990000LL);
  taos_free_result(res);
}

/* What asynchronous calls tell the thread that waits for them. */
typedef struct {
  pthread_mutex_t lock;
  pthread_cond_t  told;
  int             done, code, rows, blocks;
} Waiting;

static void finish(Waiting *waiting, int code) {
  pthread_mutex_lock(&waiting->lock);
  waiting->code = code;
  waiting->done = 1;
  pthread_cond_signal(&waiting->told);
  pthread_mutex_unlock(&waiting->lock);
}

static void await(Waiting *waiting) {
  pthread_mutex_lock(&waiting->lock);
  while (!waiting->done) pthread_cond_wait(&waiting->told, &waiting->lock);
  waiting->done = 0;
  pthread_mutex_unlock(&waiting->lock);
}

static void fetched(void *param, TAOS_RES *res, int rows) {
  Waiting *waiting = param;
  if (rows <= 0) {
    taos_free_result(res);
    finish(waiting, rows);
    return;
  }
  int read = 0;
  while (taos_fetch_row(res) != NULL) read++;
  CHECK(read == rows);
  waiting->rows += rows;
  taos_fetch_rows_a(res, fetched, param);
}

static void fetched_raw(void *param, TAOS_RES *res, int rows) {
  Waiting *waiting = param;
  if (rows <= 0) {
    taos_free_result(res);
    finish(waiting, rows);
    return;
  }
  CHECK(((const int32_t *)taos_get_raw_block(res))[2] == rows);
  waiting->rows += rows;
  waiting->blocks++;
  taos_fetch_raw_block_a(res, fetched_raw, param);
}

static void queried(void *param, TAOS_RES *res, int code) {
  CHECK(code == 0 && taos_errno(res) == 0);
  taos_fetch_rows_a(res, fetched, param);
}

static void queried_raw(void *param, TAOS_RES *res, int code) {
  CHECK(code == 0);
  taos_fetch_raw_block_a(res, fetched_raw, param);
}

static void failed(void *param, TAOS_RES *res, int code) {
  if (res != NULL) {
    CHECK(taos_errno(res) == code);
    taos_free_result(res);
  }
  finish(param, code);
}

void test_async(TAOS *taos) {
  Waiting waiting = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0, 0};
  taos_query_a(taos, "SELECT * FROM many", queried, &waiting);
  await(&waiting);
  CHECK(waiting.code == 0 && waiting.rows == 10000);
  waiting.rows = 0;
  taos_query_a_with_reqid(taos, "SELECT * FROM many", queried_raw, &waiting, 7);
  await(&waiting);
  CHECK(waiting.code == 0 && waiting.rows == 10000 && waiting.blocks >= 3);
  taos_query_a(taos, "SELECT * FROM no_such_table", failed, &waiting);
  await(&waiting);
  CHECK_CODE(waiting.code, CODE(0x2662));
  taos_query_a(NULL, "SELECT 1", failed, &waiting);
  await(&waiting);
  CHECK_CODE(waiting.code, CODE(0x0213));
}

static void *query_often(void *param) {
  for (int i = 0; i < 20; i++) CHECK(number(param, "SELECT COUNT(*) FROM features.many") == 10000);
  return NULL;
}

void test_threads(TAOS *taos) {
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) CHECK(pthread_create(&threads[i], NULL, query_often, taos) == 0);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
}
