/* Line protocols, in all the variants of the call. */
#include "check.h"

static void written(TAOS_RES *res, int rows) {
  if (taos_errno(res) != 0 || taos_affected_rows(res) != rows) {
    fprintf(stderr, "schemaless: 0x%08x %s, %d rows instead of %d\n", (unsigned)taos_errno(res), taos_errstr(res), taos_affected_rows(res), rows);
    exit(1);
  }
  taos_free_result(res);
}

void test_schemaless(TAOS *taos) {
  const int line = TSDB_SML_LINE_PROTOCOL, ms = TSDB_SML_TIMESTAMP_MILLI_SECONDS, none = TSDB_SML_TIMESTAMP_NOT_CONFIGURED;
  char     *lines[] = {"cpu,host=a usage=0.5,cores=4i 1700000000000", "cpu,host=b usage=0.25 1700000000000"};
  written(taos_schemaless_insert(taos, lines, 2, line, ms), 2);
  char *one[] = {"cpu,host=a usage=0.75 1700000001000"};
  written(taos_schemaless_insert_with_reqid(taos, one, 1, line, ms, 11), 1);
  one[0] = "cpu,host=a usage=0.75 1700000002000";
  written(taos_schemaless_insert_ttl(taos, one, 1, line, ms, 30), 1);
  one[0] = "cpu,host=a usage=0.75 1700000003000";
  written(taos_schemaless_insert_ttl_with_reqid(taos, one, 1, line, ms, 30, 12), 1);
  one[0] = "named,host=kid usage=1 1700000003000";
  written(taos_schemaless_insert_ttl_with_reqid_tbname_key(taos, one, 1, line, ms, 0, 13, "host"), 1);
  CHECK(number(taos, "SELECT COUNT(*) FROM kid") == 1);

  char    text[] = "mem,host=a used=1i 1700000000000\nmem,host=b used=2i 1700000000000";
  int     length = (int)strlen(text);
  int32_t total = 0;
  written(taos_schemaless_insert_raw(taos, text, length, &total, line, ms), 2);
  CHECK(total == 2);
  written(taos_schemaless_insert_raw_with_reqid(taos, text, length, &total, line, ms, 14), 2);
  written(taos_schemaless_insert_raw_ttl(taos, text, length, NULL, line, ms, 30), 2);
  written(taos_schemaless_insert_raw_ttl_with_reqid(taos, text, length, &total, line, ms, 30, 15), 2);
  written(taos_schemaless_insert_raw_ttl_with_reqid_tbname_key(taos, text, length, &total, line, ms, 0, 16, NULL), 2);
  CHECK(number(taos, "SELECT COUNT(*) FROM mem") == 2);

  char *telnet[] = {"sys.load 1700000000000 1.5 host=a"};
  written(taos_schemaless_insert(taos, telnet, 1, TSDB_SML_TELNET_PROTOCOL, none), 1);
  char *json[] = {"[{\"metric\":\"disk\",\"timestamp\":1700000000000,\"value\":7,\"tags\":{\"host\":\"a\"}}]"};
  written(taos_schemaless_insert(taos, json, 1, TSDB_SML_JSON_PROTOCOL, none), 1);

  char     *bad[] = {"cpu,host=a usage= 1700000000000"};
  TAOS_RES *res = taos_schemaless_insert(taos, bad, 1, line, ms);
  CHECK(taos_errno(res) != 0 && strlen(taos_errstr(res)) > 0);
  taos_free_result(res);
  res = taos_schemaless_insert(taos, lines, 2, 9, ms);
  CHECK_CODE(taos_errno(res), CODE(0x3000));
  taos_free_result(res);
  res = taos_schemaless_insert(taos, lines, 2, line, 99);
  CHECK_CODE(taos_errno(res), CODE(0x3001));
  taos_free_result(res);
  res = taos_schemaless_insert(taos, NULL, 2, line, ms);
  CHECK(taos_errno(res) != 0);
  taos_free_result(res);
  res = taos_schemaless_insert_raw(taos, text, -3, &total, line, ms);
  CHECK(taos_errno(res) != 0);
  taos_free_result(res);
}
