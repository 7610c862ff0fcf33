/* Prepared statements of both kinds. */
#include <pthread.h>

#include "check.h"

#define ROWS 100

/* Rows for (ts TIMESTAMP, v INT, note VARCHAR(20)). */
typedef struct {
  int64_t ts[ROWS];
  int32_t v[ROWS];
  char    note[ROWS][8];
  int32_t note_length[ROWS];
  char    null[ROWS];
} Rows;

static void fill(Rows *rows, int64_t start) {
  memset(rows, 0, sizeof *rows);
  for (int i = 0; i < ROWS; i++) {
    rows->ts[i] = start + i;
    rows->v[i] = i;
    rows->note_length[i] = sprintf(rows->note[i], "n%d", i);
    rows->null[i] = i % 10 == 9;
  }
}

static void binds_of(Rows *rows, TAOS_MULTI_BIND *binds, int num) {
  TAOS_MULTI_BIND all[] = {{TSDB_DATA_TYPE_TIMESTAMP, rows->ts, 8, NULL, NULL, num},
                           {TSDB_DATA_TYPE_INT, rows->v, 4, NULL, rows->null, num},
                           {TSDB_DATA_TYPE_VARCHAR, rows->note, 8, rows->note_length, rows->null, num}};
  memcpy(binds, all, sizeof all);
}

void test_statements(TAOS *taos) {
  run(taos, "CREATE STABLE sensors (ts TIMESTAMP, v INT, note VARCHAR(20)) TAGS (place NCHAR(20), floor INT)");
  static Rows     rows;
  TAOS_MULTI_BIND binds[3];
  int             value;

  TAOS_STMT *stmt = taos_stmt_init(taos);
  CHECK(stmt != NULL);
  CHECK_CODE(taos_stmt_execute(stmt), CODE(0x022A));
  CHECK_CODE(taos_stmt_bind_param(stmt, binds), CODE(0x022A));
  CHECK(strlen(taos_stmt_errstr(stmt)) > 0);
  CHECK_CODE(taos_stmt_prepare(stmt, "INSERT INTO ? USING sensors TAGS(?, ?) VALUES(?, ?, ?)", 0), 0);
  CHECK(taos_stmt_is_insert(stmt, &value) == 0 && value == 1);
  TAOS_FIELD_E *fields = NULL;
  for (int child = 0; child < 3; child++) {
    char name[16];
    sprintf(name, "s%d", child);
    char            place[] = "一楼";
    int32_t         place_length = 6, floor = child;
    TAOS_MULTI_BIND tags[] = {{TSDB_DATA_TYPE_NCHAR, place, sizeof place, &place_length, NULL, 1}, {TSDB_DATA_TYPE_INT, &floor, 4, NULL, NULL, 1}};
    if (child == 2) {
      CHECK_CODE(taos_stmt_set_tbname(stmt, name), 0);
      CHECK(taos_stmt_get_tag_fields(stmt, &value, &fields) == 0 && value == 2 && fields[0].bytes == 82 && strcmp(fields[1].name, "floor") == 0);
      taos_stmt_reclaim_fields(stmt, fields);
      CHECK_CODE(taos_stmt_set_tags(stmt, tags), 0);
    } else {
      CHECK_CODE(taos_stmt_set_tbname_tags(stmt, name, tags), 0);
    }
    CHECK(taos_stmt_get_col_fields(stmt, &value, &fields) == 0 && value == 3 && fields[2].bytes == 22 && fields[0].precision == 1);
    taos_stmt_reclaim_fields(stmt, fields);
    CHECK(taos_stmt_num_params(stmt, &value) == 0 && value == 3);
    int type, bytes;
    CHECK(taos_stmt_get_param(stmt, 1, &type, &bytes) == 0 && type == TSDB_DATA_TYPE_INT && bytes == 4);
    CHECK(taos_stmt_get_param(stmt, 3, &type, &bytes) != 0);
    fill(&rows, 1700000000000000LL);
    binds_of(&rows, binds, ROWS);
    CHECK_CODE(taos_stmt_bind_param_batch(stmt, binds), 0);
    CHECK_CODE(taos_stmt_add_batch(stmt), 0);
  }
  CHECK_CODE(taos_stmt_execute(stmt), 0);
  CHECK(taos_stmt_affected_rows(stmt) == 300 && taos_stmt_affected_rows_once(stmt) == 300);
  CHECK_CODE(taos_stmt_set_tbname(stmt, "s0"), 0);
  fill(&rows, 1800000000000000LL);
  binds_of(&rows, binds, 1);
  CHECK_CODE(taos_stmt_bind_param(stmt, binds), 0);
  CHECK_CODE(taos_stmt_execute(stmt), CODE(0x022A));
  CHECK_CODE(taos_stmt_add_batch(stmt), 0);
  CHECK_CODE(taos_stmt_execute(stmt), 0);
  CHECK(taos_stmt_affected_rows(stmt) == 301 && taos_stmt_affected_rows_once(stmt) == 1);
  CHECK(number(taos, "SELECT COUNT(*) FROM sensors") == 301 && number(taos, "SELECT COUNT(v) FROM sensors") == 271);
  CHECK(number(taos, "SELECT COUNT(*) FROM sensors WHERE floor = 2 AND place = '一楼'") == 100);
  CHECK(taos_stmt_use_result(stmt) == NULL);

  /* Wrong binds, each refused with a code and a text. */
  binds_of(&rows, binds, ROWS);
  binds[1].buffer_type = TSDB_DATA_TYPE_BIGINT;
  CHECK_CODE(taos_stmt_bind_param_batch(stmt, binds), CODE(0x0200));
  CHECK(strstr(taos_stmt_errstr(stmt), "mis-match") != NULL);
  binds_of(&rows, binds, ROWS);
  binds[2].num = 5;
  CHECK_CODE(taos_stmt_bind_param_batch(stmt, binds), CODE(0x0200));
  binds_of(&rows, binds, ROWS);
  rows.note_length[3] = 9;
  CHECK(taos_stmt_bind_param_batch(stmt, binds) != 0);
  rows.note_length[3] = -1;
  CHECK(taos_stmt_bind_param_batch(stmt, binds) != 0);
  binds[2].length = NULL;
  CHECK(taos_stmt_bind_param_batch(stmt, binds) != 0);
  binds_of(&rows, binds, 0);
  CHECK(taos_stmt_bind_param_batch(stmt, binds) != 0);
  binds_of(&rows, binds, ROWS);
  binds[0].buffer_type = 77;
  CHECK(taos_stmt_bind_param_batch(stmt, binds) != 0);
  CHECK(taos_stmt_bind_param_batch(stmt, NULL) != 0);
  binds_of(&rows, binds, ROWS);
  binds[1].buffer = NULL;
  CHECK(taos_stmt_bind_param_batch(stmt, binds) != 0);

  /* One column at a time. */
  CHECK_CODE(taos_stmt_prepare(stmt, "INSERT INTO s1 VALUES(?, ?, ?)", 0), 0);
  fill(&rows, 1900000000000000LL);
  binds_of(&rows, binds, ROWS);
  for (int i = 0; i < 3; i++) CHECK_CODE(taos_stmt_bind_single_param_batch(stmt, &binds[i], i), 0);
  CHECK_CODE(taos_stmt_add_batch(stmt), 0);
  CHECK_CODE(taos_stmt_execute(stmt), 0);
  CHECK(taos_stmt_affected_rows_once(stmt) == 100);
  CHECK(taos_stmt_bind_single_param_batch(stmt, &binds[0], 2) != 0);
  CHECK_CODE(taos_stmt_close(stmt), 0);

  /* Queries. */
  stmt = taos_stmt_init_with_reqid(taos, 5);
  const char *sql = "SELECT v, note FROM sensors WHERE v >= ? AND floor = ? ORDER BY ts, v -- more than the length says";
  CHECK_CODE(taos_stmt_prepare(stmt, sql, (unsigned long)(strstr(sql, " --") - sql)), 0);
  CHECK(taos_stmt_is_insert(stmt, &value) == 0 && value == 0 && taos_stmt_num_params(stmt, &value) == 0 && value == 2);
  int32_t         from = 97, floor = 2;
  TAOS_MULTI_BIND parameters[] = {{TSDB_DATA_TYPE_INT, &from, 4, NULL, NULL, 1}, {TSDB_DATA_TYPE_INT, &floor, 4, NULL, NULL, 1}};
  CHECK_CODE(taos_stmt_execute(stmt), CODE(0x022A));
  CHECK_CODE(taos_stmt_bind_param(stmt, parameters), 0);
  CHECK_CODE(taos_stmt_execute(stmt), 0);
  TAOS_RES *res = taos_stmt_use_result(stmt);
  CHECK(res != NULL && taos_field_count(res) == 2);
  TAOS_ROW row = taos_fetch_row(res);
  CHECK(row != NULL && *(int32_t *)row[0] == 97 && memcmp(row[1], "n97", 3) == 0);
  CHECK(taos_fetch_row(res) != NULL && taos_fetch_row(res) == NULL);
  from = 98;
  CHECK_CODE(taos_stmt_bind_param(stmt, parameters), 0);
  CHECK_CODE(taos_stmt_execute(stmt), 0);
  res = taos_stmt_use_result(stmt);
  CHECK(taos_fetch_row(res) != NULL);
  taos_free_result(res);
  CHECK_CODE(taos_stmt_close(stmt), 0);

  stmt = taos_stmt_init(taos);
  CHECK(taos_stmt_prepare(stmt, "SELEC ?", 0) != 0 && strlen(taos_stmt_errstr(stmt)) > 0);
  CHECK(taos_stmt_prepare(stmt, NULL, 0) != 0);
  CHECK_CODE(taos_stmt_close(stmt), 0);
}

typedef struct {
  pthread_mutex_t lock;
  pthread_cond_t  told;
  int             done, code, affected;
} Waiting;

static void executed(void *param, TAOS_RES *res, int code) {
  Waiting *waiting = param;
  pthread_mutex_lock(&waiting->lock);
  waiting->code = code;
  waiting->affected = taos_affected_rows(res);
  waiting->done = 1;
  pthread_cond_signal(&waiting->told);
  pthread_mutex_unlock(&waiting->lock);
}

void test_statements2(TAOS *taos) {
  int               affected = -1, value;
  TAOS_STMT2_OPTION option = {7, false, false, NULL, NULL};
  TAOS_STMT2       *stmt = taos_stmt2_init(taos, &option);
  CHECK(stmt != NULL);
  TAOS_STMT2_BINDV bindv = {0, NULL, NULL, NULL};
  CHECK_CODE(taos_stmt2_bind_param(stmt, &bindv, -1), CODE(0x022A));
  CHECK_CODE(taos_stmt2_exec(stmt, &affected), CODE(0x022A));
  CHECK_CODE(taos_stmt2_prepare(stmt, "INSERT INTO ? USING sensors TAGS(?, ?) VALUES(?, ?, ?)", 0), 0);
  CHECK(taos_stmt2_is_insert(stmt, &value) == 0 && value == 1);
  TAOS_FIELD_ALL *fields = NULL;
  CHECK(taos_stmt2_get_fields(stmt, &value, &fields) == 0 && value == 6);
  CHECK(fields[0].field_type == TAOS_FIELD_TBNAME && fields[1].field_type == TAOS_FIELD_TAG && fields[3].field_type == TAOS_FIELD_COL);
  CHECK(strcmp(fields[5].name, "note") == 0 && fields[5].bytes == 22);
  taos_stmt2_free_fields(stmt, fields);

  int64_t ts[] = {2000000000000000LL, 2000000000000001LL, 2000000000000002LL};
  int32_t v[] = {1, 2, 3}, note_length[] = {2, 0, 3};
  char    note[] = "abcde", null[] = {0, 1, 0};
  char   *names[] = {"t0", "t1"};
  char    place[] = "二楼";
  int32_t place_length = 6, floor = 5;

  TAOS_STMT2_BIND  tags[] = {{TSDB_DATA_TYPE_NCHAR, place, &place_length, NULL, 1}, {TSDB_DATA_TYPE_INT, &floor, NULL, NULL, 1}};
  TAOS_STMT2_BIND  columns[] = {{TSDB_DATA_TYPE_TIMESTAMP, ts, NULL, NULL, 3}, {TSDB_DATA_TYPE_INT, v, NULL, NULL, 3}, {TSDB_DATA_TYPE_VARCHAR, note, note_length, null, 3}};
  TAOS_STMT2_BIND *all_tags[] = {tags, tags};
  TAOS_STMT2_BIND *all_columns[] = {columns, columns};
  TAOS_STMT2_BINDV two = {2, names, all_tags, all_columns};
  CHECK_CODE(taos_stmt2_bind_param(stmt, &two, -1), 0);
  CHECK_CODE(taos_stmt2_exec(stmt, &affected), 0);
  CHECK(affected == 6);
  CHECK(number(taos, "SELECT COUNT(*) FROM sensors WHERE floor = 5") == 6 && number(taos, "SELECT COUNT(note) FROM t1") == 2);
  CHECK_CODE(taos_stmt2_exec(stmt, &affected), CODE(0x022A));
  columns[1].buffer_type = TSDB_DATA_TYPE_DOUBLE;
  CHECK_CODE(taos_stmt2_bind_param(stmt, &two, -1), CODE(0x0200));
  CHECK(strstr(taos_stmt2_error(stmt), "mis-match") != NULL);
  columns[1].buffer_type = TSDB_DATA_TYPE_INT;
  columns[1].num = 2;
  CHECK(taos_stmt2_bind_param(stmt, &two, -1) != 0);
  columns[1].num = 3;
  CHECK(taos_stmt2_bind_param(stmt, NULL, -1) != 0 && taos_stmt2_bind_param(stmt, &two, 17) != 0);

  /* One column at a time. */
  CHECK_CODE(taos_stmt2_prepare(stmt, "INSERT INTO t0 VALUES(?, ?, ?)", 0), 0);
  for (int i = 0; i < 3; i++) ts[i] += 1000;
  for (int i = 0; i < 3; i++) {
    TAOS_STMT2_BIND *one[] = {&columns[i]};
    TAOS_STMT2_BINDV single = {1, NULL, NULL, one};
    CHECK_CODE(taos_stmt2_bind_param(stmt, &single, i), 0);
  }
  CHECK_CODE(taos_stmt2_exec(stmt, &affected), 0);
  CHECK(affected == 3);

  /* All ? as columns. */
  CHECK_CODE(taos_stmt2_prepare(stmt, "INSERT INTO sensors (tbname, place, floor, ts, v) VALUES(?, ?, ?, ?, ?)", 0), 0);
  char                   tables[] = "u0u0u1", places[] = "三楼三楼三楼";
  int32_t                table_length[] = {2, 2, 2}, places_length[] = {6, 6, 6}, floors[] = {9, 9, 9};
  TAOS_STMT2_COLUMN_BIND cells[] = {{TSDB_DATA_TYPE_VARCHAR, tables, table_length, NULL},
                                    {TSDB_DATA_TYPE_NCHAR, places, places_length, NULL},
                                    {TSDB_DATA_TYPE_INT, floors, NULL, NULL},
                                    {TSDB_DATA_TYPE_TIMESTAMP, ts, NULL, NULL},
                                    {TSDB_DATA_TYPE_INT, v, NULL, NULL}};
  TAOS_STMT2_COLUMN_BINDV columnv = {5, 3, 2, cells};
  CHECK_CODE(taos_stmt2_bind_param_column(stmt, &columnv), 0);
  CHECK_CODE(taos_stmt2_exec(stmt, &affected), 0);
  CHECK(affected == 3 && number(taos, "SELECT COUNT(*) FROM u0") == 2 && number(taos, "SELECT COUNT(*) FROM u1") == 1);

  /* Queries. */
  CHECK_CODE(taos_stmt2_prepare(stmt, "SELECT v FROM sensors WHERE floor = ? AND v > ? ORDER BY v", 0), 0);
  CHECK(taos_stmt2_is_insert(stmt, &value) == 0 && value == 0);
  CHECK(taos_stmt2_get_fields(stmt, &value, &fields) == 0 && value == 2 && fields == NULL);
  int32_t          above = 2;
  TAOS_STMT2_BIND  parameters[] = {{TSDB_DATA_TYPE_INT, &floor, NULL, NULL, 1}, {TSDB_DATA_TYPE_INT, &above, NULL, NULL, 1}};
  TAOS_STMT2_BIND *all_parameters[] = {parameters};
  TAOS_STMT2_BINDV query = {1, NULL, NULL, all_parameters};
  CHECK_CODE(taos_stmt2_bind_param(stmt, &query, -1), 0);
  CHECK_CODE(taos_stmt2_exec(stmt, NULL), 0);
  TAOS_RES *res = taos_stmt2_result(stmt);
  CHECK(res != NULL);
  int count = 0;
  for (TAOS_ROW row; (row = taos_fetch_row(res)) != NULL; count++) CHECK(*(int32_t *)row[0] == 3);
  CHECK(count == 3);
  CHECK_CODE(taos_stmt2_close(stmt), 0);

  /* With a callback. */
  Waiting waiting = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0};
  option.asyncExecFn = executed;
  option.userdata = &waiting;
  stmt = taos_stmt2_init(taos, &option);
  CHECK_CODE(taos_stmt2_prepare(stmt, "INSERT INTO t0 VALUES(?, ?, ?)", 0), 0);
  for (int i = 0; i < 3; i++) ts[i] += 1000;
  TAOS_STMT2_BINDV one = {1, NULL, NULL, all_columns};
  CHECK_CODE(taos_stmt2_bind_param(stmt, &one, -1), 0);
  CHECK_CODE(taos_stmt2_exec(stmt, NULL), 0);
  pthread_mutex_lock(&waiting.lock);
  while (!waiting.done) pthread_cond_wait(&waiting.told, &waiting.lock);
  pthread_mutex_unlock(&waiting.lock);
  CHECK_CODE(waiting.code, 0);
  CHECK(waiting.affected == 3);
  CHECK_CODE(taos_stmt2_close(stmt), 0);
}
