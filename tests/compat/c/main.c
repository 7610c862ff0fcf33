/* Every feature of the C interface, as a program uses it that was written against TDengine's header.
 * features [HOST PORT]: without them the connection leads where EMBUDO_DSN says. */
#include "check.h"

const char    *connected_host;
unsigned short connected_port;

TAOS *open_connection(void) {
  TAOS *taos = taos_connect(connected_host, "root", "taosdata", NULL, connected_port);
  CHECK(taos != NULL);
  return taos;
}

int run(TAOS *taos, const char *sql) {
  TAOS_RES *res = taos_query(taos, sql);
  if (taos_errno(res) != 0) {
    fprintf(stderr, "%s: 0x%08x %s\n", sql, (unsigned)taos_errno(res), taos_errstr(res));
    exit(1);
  }
  int rows = taos_affected_rows(res);
  taos_free_result(res);
  return rows;
}

int refused(TAOS *taos, const char *sql) {
  TAOS_RES *res = taos_query(taos, sql);
  int code = taos_errno(res);
  CHECK(code != 0 && strlen(taos_errstr(res)) > 0);
  taos_free_result(res);
  return code;
}

long long number(TAOS *taos, const char *sql) {
  TAOS_RES *res = taos_query(taos, sql);
  CHECK_CODE(taos_errno(res), 0);
  TAOS_ROW row = taos_fetch_row(res);
  CHECK(row != NULL && row[0] != NULL);
  long long value = taos_fetch_fields(res)[0].type == TSDB_DATA_TYPE_INT ? *(int32_t *)row[0] : *(int64_t *)row[0];
  taos_free_result(res);
  return value;
}

int main(int argc, char **argv) {
  if (argc == 3) {
    connected_host = argv[1];
    connected_port = (unsigned short)atoi(argv[2]);
  }
  taos_options(TSDB_OPTION_TIMEZONE, "UTC");
  CHECK(taos_init() == 0);
  TAOS *taos = open_connection();
  test_library(taos);
  test_queries(taos);
  test_types(taos);
  test_async(taos);
  test_schemaless(taos);
  test_statements(taos);
  test_statements2(taos);
  test_tables(taos);
  test_misuse(taos);
  test_threads(taos);
  test_subscriptions(taos);
  run(taos, "DROP DATABASE IF EXISTS features");
  taos_close(taos);
  taos_cleanup();
  printf("features: all passed\n");
  return 0;
}
