/* Handles that are none, of another kind or freed; wrong order; names, lengths and types that cannot be. Codes, never crashes. */
#include <pthread.h>

#include "check.h"

static void check_result(TAOS_RES *res) {
  bool  null;
  int   count = 1;
  void *raw;
  CHECK(taos_fetch_row(res) == NULL && taos_fetch_fields(res) == NULL && taos_fetch_fields_e(res) == NULL && taos_fetch_lengths(res) == NULL);
  CHECK(taos_fetch_block(res, NULL) == 0 && taos_fetch_block_s(res, NULL, NULL) != 0 && taos_fetch_raw_block(res, &count, &raw) != 0);
  CHECK(taos_field_count(res) == 0 && taos_affected_rows(res) == 0 && taos_affected_rows64(res) == 0 && taos_result_precision(res) == 0);
  CHECK(taos_is_null(res, 0, 0) && taos_is_null_by_column(res, 0, &null, &count) != 0 && taos_get_column_data_offset(res, 0) == NULL);
  CHECK(taos_get_raw_block(res) == NULL && taos_result_block(res) == NULL);
  taos_stop_query(res);
}

static void check_statement(TAOS_STMT *stmt) {
  int value;
  CHECK(taos_stmt_prepare(stmt, "SELECT 1", 0) != 0 && taos_stmt_set_tbname(stmt, "t") != 0 && taos_stmt_set_tags(stmt, NULL) != 0);
  CHECK(taos_stmt_bind_param(stmt, NULL) != 0 && taos_stmt_bind_param_batch(stmt, NULL) != 0 && taos_stmt_add_batch(stmt) != 0);
  CHECK(taos_stmt_execute(stmt) != 0 && taos_stmt_use_result(stmt) == NULL && taos_stmt_is_insert(stmt, &value) != 0);
  CHECK(taos_stmt_num_params(stmt, &value) != 0 && taos_stmt_affected_rows(stmt) == 0 && strlen(taos_stmt_errstr(stmt)) > 0);
  CHECK(taos_stmt_close(stmt) != 0);
  CHECK(taos_stmt2_prepare(stmt, "SELECT 1", 0) != 0 && taos_stmt2_bind_param(stmt, NULL, -1) != 0 && taos_stmt2_exec(stmt, NULL) != 0);
  CHECK(taos_stmt2_result(stmt) == NULL && strlen(taos_stmt2_error(stmt)) > 0 && taos_stmt2_close(stmt) != 0);
}

static void check_connection(TAOS *taos) {
  char name[16];
  int  value;
  CHECK(taos_query(taos, "SELECT 1") == NULL);
  CHECK_CODE(taos_errno(NULL), CODE(0x0213));
  CHECK(taos_select_db(taos, "features") != 0 && taos_get_current_db(taos, name, 16, &value) != 0 && taos_get_server_info(taos) == NULL);
  CHECK(taos_stmt_init(taos) == NULL && taos_stmt2_init(taos, NULL) == NULL && taos_validate_sql(taos, "SELECT 1") != 0);
  char *lines[] = {"a,b=c d=1 1"};
  CHECK(taos_schemaless_insert(taos, lines, 1, 1, 0) == NULL && taos_load_table_info(taos, "a") != 0);
  CHECK(taos_set_notify_cb(taos, NULL, NULL, 0) != 0 && taos_options_connection(taos, TSDB_OPTION_CONNECTION_TIMEZONE, "UTC") != 0);
  taos_reset_current_db(taos);
  taos_kill_query(taos);
}

typedef struct {
  TAOS_STMT *stmt;
  int        rounds;
} Shared;

/* Two threads on one statement: each call succeeds or is refused, none tears. */
static void *use_statement(void *param) {
  Shared         *shared = param;
  int64_t         ts = 1710000000000000LL;
  int32_t         v = 1;
  TAOS_MULTI_BIND binds[] = {{TSDB_DATA_TYPE_TIMESTAMP, &ts, 8, NULL, NULL, 1}, {TSDB_DATA_TYPE_BIGINT, &ts, 8, NULL, NULL, 1}};
  (void)v;
  for (int i = 0; i < shared->rounds; i++) {
    ts++;
    taos_stmt_bind_param(shared->stmt, binds);
    taos_stmt_add_batch(shared->stmt);
    taos_stmt_execute(shared->stmt);
    taos_stmt_prepare(shared->stmt, "INSERT INTO features.many VALUES(?, ?)", 0);
  }
  return NULL;
}

void test_misuse(TAOS *taos) {
  TAOS_RES *res = taos_query(taos, "SELECT 1");
  void     *made_up = (void *)(uintptr_t)0x12345678;
  check_result(NULL);
  check_result(made_up);
  check_result(taos);
  check_statement(NULL);
  check_statement(made_up);
  check_statement(res);
  check_connection(NULL);
  check_connection(made_up);
  check_connection(res);
  CHECK(taos_errno(taos) != 0 && strlen(taos_errstr(made_up)) > 0);
  taos_free_result(taos);
  taos_close(res);
  CHECK(taos_fetch_row(res) != NULL);
  taos_free_result(res);
  taos_free_result(res);
  check_result(res);
  taos_free_result(NULL);
  taos_close(NULL);
  taos_close(made_up);
  TAOS *second = open_connection();
  taos_close(second);
  taos_close(second);
  check_connection(second);

  res = taos_query(taos, NULL);
  CHECK(taos_errno(res) != 0);
  taos_free_result(res);
  res = taos_query(taos, "");
  CHECK(taos_errno(res) != 0);
  taos_free_result(res);
  res = taos_query(taos, "SELECT '\xff\xfe'");
  CHECK(taos_errno(res) != 0);
  taos_free_result(res);
  CHECK(taos_select_db(taos, NULL) != 0 && taos_select_db(taos, "") != 0 && taos_select_db(taos, "a`b") != 0);
  taos_query_a(taos, "SELECT 1", NULL, NULL);
  taos_fetch_rows_a(NULL, NULL, NULL);

  CHECK(taos_connect(NULL, "", "taosdata", NULL, 0) == NULL);
  CHECK_CODE(taos_errno(NULL), CODE(0x0207));
  CHECK(taos_connect(NULL, "root", "", NULL, 0) == NULL);
  CHECK_CODE(taos_errno(NULL), CODE(0x0208));

  Shared    shared = {taos_stmt_init(taos), 50};
  pthread_t threads[2];
  CHECK(taos_stmt_prepare(shared.stmt, "INSERT INTO features.many VALUES(?, ?)", 0) == 0);
  for (int i = 0; i < 2; i++) CHECK(pthread_create(&threads[i], NULL, use_statement, &shared) == 0);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  CHECK(taos_stmt_close(shared.stmt) == 0);
  run(taos, "DELETE FROM features.many WHERE ts >= 1710000000000000");
}
