/* Rows of ten BIGINT metrics through the C interface: prepared inserts by several threads, then everything fetched again as raw blocks.
 * ingest ROWS_A_THREAD BATCH [THREADS [CHILDREN_A_THREAD]]; where to connect says EMBUDO_DSN. Prints rows a second. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <taos.h>

#define METRICS 10

static int  rows_a_thread, batch, threads = 2, children = 50;
static char error[256];

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void must(int code, const char *what, const char *text) {
  if (code != 0) {
    fprintf(stderr, "%s: 0x%08x %s\n", what, (unsigned)code, text);
    exit(1);
  }
}

static void run(TAOS *taos, const char *sql) {
  TAOS_RES *res = taos_query(taos, sql);
  snprintf(error, sizeof error, "%s", taos_errstr(res));
  must(taos_errno(res), sql, error);
  taos_free_result(res);
}

static TAOS *open_connection(void) {
  TAOS *taos = taos_connect(NULL, "root", "taosdata", "ingest", 0);
  if (taos == NULL) must(taos_errno(NULL), "taos_connect", taos_errstr(NULL));
  return taos;
}

static void *write_rows(void *param) {
  int      thread = (int)(intptr_t)param;
  TAOS    *taos = open_connection();
  int64_t *cells = calloc((size_t)batch * (METRICS + 1), sizeof *cells);
  TAOS_MULTI_BIND binds[METRICS + 1];
  for (int column = 0; column <= METRICS; column++) {
    int type = column == 0 ? TSDB_DATA_TYPE_TIMESTAMP : TSDB_DATA_TYPE_BIGINT;
    binds[column] = (TAOS_MULTI_BIND){type, cells + (size_t)column * batch, 8, NULL, NULL, batch};
  }
  TAOS_STMT *stmt = taos_stmt_init(taos);
  const char *sql = "INSERT INTO ? VALUES(?,?,?,?,?,?,?,?,?,?,?)";
  must(taos_stmt_prepare(stmt, sql, 0), "prepare", taos_stmt_errstr(stmt));
  int rounds = rows_a_thread / batch;
  for (int round = 0; round < rounds; round++) {
    char name[32];
    snprintf(name, sizeof name, "c%d_%d", thread, round % children);
    int64_t start = 1700000000000LL + (int64_t)(round / children) * batch;
    for (int row = 0; row < batch; row++) {
      cells[row] = start + row;
      for (int metric = 1; metric <= METRICS; metric++) cells[(size_t)metric * batch + row] = (start + row) * metric % 1000;
    }
    must(taos_stmt_set_tbname(stmt, name), "set_tbname", taos_stmt_errstr(stmt));
    must(taos_stmt_bind_param_batch(stmt, binds), "bind", taos_stmt_errstr(stmt));
    must(taos_stmt_add_batch(stmt), "add_batch", taos_stmt_errstr(stmt));
    must(taos_stmt_execute(stmt), "execute", taos_stmt_errstr(stmt));
  }
  taos_stmt_close(stmt);
  taos_close(taos);
  free(cells);
  return NULL;
}

static void fetch(TAOS *taos, const char *sql) {
  double    start = now();
  TAOS_RES *res = taos_query(taos, sql);
  snprintf(error, sizeof error, "%s", taos_errstr(res));
  must(taos_errno(res), sql, error);
  long long rows = 0, bytes = 0;
  int       got = 0;
  void     *data = NULL;
  while (taos_fetch_raw_block(res, &got, &data) == 0 && got > 0) {
    rows += got;
    bytes += ((int32_t *)data)[1];
  }
  must(taos_errno(res), "fetch", taos_errstr(res));
  taos_free_result(res);
  double seconds = now() - start;
  printf("%-34s %9lld rows, %5.2f M rows/s, %7.1f MB/s\n", sql, rows, (double)rows / seconds / 1e6, (double)bytes / seconds / 1e6);
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "ingest ROWS_A_THREAD BATCH [THREADS [CHILDREN_A_THREAD]]\n");
    return 2;
  }
  rows_a_thread = atoi(argv[1]);
  batch = atoi(argv[2]);
  if (argc > 3) threads = atoi(argv[3]);
  if (argc > 4) children = atoi(argv[4]);
  TAOS *taos = taos_connect(NULL, "root", "taosdata", NULL, 0);
  if (taos == NULL) must(taos_errno(NULL), "taos_connect", taos_errstr(NULL));
  run(taos, "DROP DATABASE IF EXISTS ingest");
  run(taos, "CREATE DATABASE ingest");
  run(taos, "CREATE STABLE ingest.metrics (ts TIMESTAMP, m1 BIGINT, m2 BIGINT, m3 BIGINT, m4 BIGINT, m5 BIGINT, m6 BIGINT, m7 BIGINT, m8 BIGINT, m9 "
            "BIGINT, m10 BIGINT) TAGS (thread INT)");
  for (int thread = 0; thread < threads; thread++) {
    for (int child = 0; child < children; child++) {
      char sql[128];
      snprintf(sql, sizeof sql, "CREATE TABLE ingest.c%d_%d USING ingest.metrics TAGS(%d)", thread, child, thread);
      run(taos, sql);
    }
  }
  pthread_t workers[64];
  double    start = now();
  for (int thread = 0; thread < threads && thread < 64; thread++) pthread_create(&workers[thread], NULL, write_rows, (void *)(intptr_t)thread);
  for (int thread = 0; thread < threads && thread < 64; thread++) pthread_join(workers[thread], NULL);
  double seconds = now() - start;
  double rows = (double)(rows_a_thread / batch) * batch * threads;
  printf("%d threads, batches of %5d:         %9.0f rows, %5.2f M rows/s\n", threads, batch, rows, rows / seconds / 1e6);
  fetch(taos, "SELECT * FROM ingest.metrics");
  /* Again, now that what was read lies in the cache. */
  fetch(taos, "SELECT * FROM ingest.metrics");
  fetch(taos, "SELECT ts, m1 FROM ingest.metrics");
  run(taos, "DROP DATABASE ingest");
  taos_close(taos);
  return 0;
}
